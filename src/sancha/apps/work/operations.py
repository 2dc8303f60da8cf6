"""开出、指派、填报、办结任务；记录决定与经手；检查职责分离。

开出是成批的一条语句；办结由任务对象所属应用的操作来做，本应用只提供 ``close_task`` 这块砖。
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F

from sancha.apps.access import queries as access
from sancha.apps.work.forms import FormSchema, check, findings
from sancha.apps.work.kinds import TaskKind, closer_of, duty_name, kind_of, outcome_name
from sancha.apps.work.models import (
    Decision,
    Evidence,
    Finding,
    FormVersion,
    Involvement,
    Signature,
    Submission,
    Task,
    TaskEvent,
)
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import canonical, operation
from sancha.kit.rowset import ColumnType, rowset
from sancha.rulebook.posts import find_post, post_name

_LARGEST_EVIDENCE = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """一条要开出的任务。

    ``cause`` 说明是哪一次（事实序号、规则裁定号…）：种类、对象、计划日、缘由相同即同一次，只开一条。
    ``root`` 缺省即对象本身；``post`` 缺省由种类与机构定；``planned_on`` 缺省 ``due_on``，
    ``visible_on`` 缺省 ``opened_on``。
    ``facts`` 是卡片上要显示的数字（``_fen`` 结尾的是分），通用代码不解释它。
    """

    kind: str
    subject_type: str
    subject_id: int
    institution_id: int
    title: str
    reason: str
    cause: str
    opened_on: date
    due_on: date
    root_type: str = ""
    root_id: int | None = None
    party_id: int | None = None
    post: str = ""
    assignee_id: int | None = None
    planned_on: date | None = None
    visible_on: date | None = None
    priority: int = 5
    clause: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def occurrence_key(self) -> str:
        """此一次的唯一键。"""
        planned = self.planned_on or self.due_on
        return f"{self.kind}|{self.subject_type}:{self.subject_id}|{planned.isoformat()}|{self.cause}"


# 开出 ------------------------------------------------------------------------------------------------------

_TASK_COLUMNS: dict[str, ColumnType] = {
    "kind": "text",
    "subject_type": "text",
    "subject_id": "bigint",
    "root_type": "text",
    "root_id": "bigint",
    "party_id": "bigint",
    "institution_id": "bigint",
    "post": "text",
    "assignee_id": "bigint",
    "title": "text",
    "facts": "jsonb",
    "visible_on": "date",
    "due_on": "date",
    "priority": "bigint",
    "reason": "text",
    "clause": "text",
    "occurrence_key": "text",
    "form_version_id": "bigint",
    "opened_on": "date",
}


def raise_tasks(*, rows: Sequence[TaskSpec]) -> int:
    """成批开出任务，已开过的同一次自动略过，返回新开的条数。

    不论多少条，写入只有一条语句；在调用者的事务里执行，重跑不会开重。
    机构线上一个候选岗位都设不了的，归第一个候选岗位：一处没设岗不该挡住全部，见 ``queries.empty_desks``。
    """
    if not rows:
        return 0
    posts = _posts_for(rows)
    forms = _forms_for(rows)
    source = rowset("spec", _TASK_COLUMNS, (_task_values(spec, posts, forms) for spec in rows))
    names = ", ".join(_TASK_COLUMNS)
    sql = f"""
        INSERT INTO work_task ({names}, state, outcome, row_version)
        SELECT {names}, 'open', '', 1 FROM {source.sql} WHERE true
        ON CONFLICT (occurrence_key) DO NOTHING
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, source.params)
        return int(cursor.rowcount)


def raise_task(*, spec: TaskSpec) -> int:
    """开出一条并返回编号；同一次已开过则返回原来那条的编号。

    :raises DomainError: 该机构及其上级没有岗位可办：办理人就在场，当场说明。
    """
    kind = kind_of(spec.kind)
    if not spec.post and len(kind.posts) > 1:
        line = access.kinds_on_line([spec.institution_id]).get(spec.institution_id, frozenset())
        if (post := _post_on_line(kind, line)) is None:
            raise DomainError(
                "TASK_WITHOUT_POST",
                f"「{kind.name}」在该机构没有岗位可办（需要：{'、'.join(post_name(code) for code in kind.posts)}）。",
                field="institution_id",
                value=spec.institution_id,
                clause=kind.clause or "ORG-2",
                fix="请换一个可以设这些岗位的机构。",
            )
        spec = replace(spec, post=post)
    raise_tasks(rows=[spec])
    return Task.objects.values_list("pk", flat=True).get(occurrence_key=spec.occurrence_key)


def _task_values(spec: TaskSpec, posts: dict[tuple[str, int], str], forms: dict[tuple[str, date], int]) -> list[Any]:
    kind = kind_of(spec.kind)
    assert len(spec.occurrence_key) <= 200, f"{spec.kind}: occurrence key is too long"
    return [
        spec.kind,
        spec.subject_type,
        spec.subject_id,
        spec.root_type or spec.subject_type,
        spec.subject_id if spec.root_id is None else spec.root_id,
        spec.party_id,
        spec.institution_id,
        spec.post or posts[spec.kind, spec.institution_id],
        spec.assignee_id,
        spec.title,
        spec.facts,
        spec.visible_on or spec.opened_on,
        spec.due_on,
        spec.priority,
        spec.reason,
        spec.clause or kind.clause,
        spec.occurrence_key,
        forms[kind.form_code, spec.opened_on] if kind.form_code else None,
        spec.opened_on,
    ]


def _posts_for(rows: Sequence[TaskSpec]) -> dict[tuple[str, int], str]:
    """各种类在各机构的主办岗位。只有一个候选岗位的不查表。"""
    wanted = {(spec.kind, spec.institution_id) for spec in rows if not spec.post}
    several = {institution_id for kind, institution_id in wanted if len(kind_of(kind).posts) > 1}
    lines = access.kinds_on_line(several) if several else {}
    return {
        (kind, institution_id): _post_on_line(kind_of(kind), lines.get(institution_id, frozenset()))
        or kind_of(kind).posts[0]
        for kind, institution_id in wanted
    }


def _post_on_line(kind: TaskKind, line: frozenset[str]) -> str | None:
    """候选岗位里第一个在这条线上设得了的，没有则空。"""
    return next((code for code in kind.posts if (post := find_post(code)) and line & set(post.kinds)), None)


def _forms_for(rows: Sequence[TaskSpec]) -> dict[tuple[str, date], int]:
    """各表单在开出日有效的最新版本。"""
    wanted = {(code, spec.opened_on) for spec in rows if (code := kind_of(spec.kind).form_code)}
    if not wanted:
        return {}
    versions = FormVersion.objects.filter(code__in={code for code, _ in wanted}).order_by("version")
    listed = list(versions.values_list("code", "effective_from", "pk"))
    found: dict[tuple[str, date], int] = {}
    for code, day in wanted:
        valid = [pk for known, effective_from, pk in listed if known == code and effective_from <= day]
        if not valid:
            raise DomainError(
                "FORM_MISSING", f"表单「{code}」在 {day.isoformat()} 没有生效的版本。", field="form_code", value=code,
                fix="请先发布该表单。",
            )  # fmt: skip
        found[code, day] = valid[-1]
    return found


# 办结 ------------------------------------------------------------------------------------------------------


@operation("work.submit_task", permission="work.act")
def submit_task(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """办理任务：交给该种类登记的办结操作；没有登记的直接办结。

    界面、接口都从这里办，不必认识各种任务。
    """
    kind = _task(actor, task_id).kind
    given = {"task_id": task_id, "outcome": outcome, "opinion": opinion, "on": on, "data": data}
    closer = closer_of(kind)
    result = closer(actor=actor, key=key, **given) if closer else close_task(actor=actor, **given)
    still_open = Task.objects.filter(pk=task_id, state=Task.State.OPEN).exists()
    assert not still_open, f"the closer of {kind} returned without closing task {task_id}"
    return {**result, "task_id": task_id, "subject": result.get("subject", f"task:{task_id}")}


def close_task(
    *,
    actor: Actor,
    task_id: int,
    outcome: str,
    opinion: str,
    on: date,
    data: dict[str, Any] | None = None,
    authority: dict[str, Any] | None = None,
    policy_version: str = "",
) -> dict[str, Any]:
    """办结一条任务（内层函数，在所属应用的操作里调用）：核对权限与职责分离，收表单，记决定、经手与履历。

    ``data`` 空而种类有表单时，用最近一次暂存的内容。``authority`` 是所用授权的快照，任职编号总会记上。

    :raises NotFound: 没有此任务或在范围之外。
    :raises NotPermitted: 不是该岗位、指派给了别人、违反职责分离（写明规则）。
    :raises Conflict: 已经办结。
    :raises DomainError: 结果不对、缺意见、表单有误。
    """
    task = _open_task(actor, task_id)
    kind = kind_of(task.kind)
    _require_owner(actor, task)
    actor.require(kind.permission)
    _check_outcome(kind, outcome, opinion)
    if actor.person_id is not None and kind.duty:
        check_separation(
            root_type=task.root_type,
            root_id=task.root_id,
            person_id=actor.person_id,
            duty=kind.duty,
            forbidden=kind.forbidden_duties,
            rule=kind.rule,
            clause=kind.clause or "ORG-3",
        )
    if task.form_version is not None:
        _take_form(actor, task, data, on)
    record_decision(
        actor=actor, task_id=task.pk, outcome=outcome, opinion=opinion, on=on,
        authority=authority, policy_version=policy_version,
    )  # fmt: skip
    if actor.person_id is not None and kind.duty:
        record_involvement(
            root_type=task.root_type, root_id=task.root_id, person_id=actor.person_id, duty=kind.duty, on=on
        )
    _close_row(task, Task.State.DONE, outcome, on, actor)
    _event(actor, task, "closed", {"outcome": outcome, "opinion": opinion})
    return {
        "subject": f"task:{task.pk}",
        "task_id": task.pk,
        "subject_type": task.subject_type,
        "subject_id": task.subject_id,
        "root_type": task.root_type,
        "root_id": task.root_id,
        "outcome": outcome,
        "closed_on": on.isoformat(),
    }


def record_decision(
    *,
    actor: Actor,
    task_id: int,
    outcome: str,
    opinion: str,
    on: date,
    authority: dict[str, Any] | None = None,
    policy_version: str = "",
) -> int:
    """记一项决定及其所用权限的快照，返回编号。会签、投票等不办结的意见也用它。"""
    row = Decision.objects.create(
        task_id=task_id,
        person_id=actor.person_id,
        post_code=actor.post_code,
        outcome=outcome,
        opinion=opinion,
        authority={"post_holding_id": actor.post_holding_id, **(authority or {})},
        policy_version=policy_version,
        on_day=on,
        at=now(),
    )
    return row.pk


def cancel_tasks(
    *, actor: Actor, kind: str, subject_type: str, subject_ids: Collection[int], on: date, reason: str
) -> int:
    """撤销这些对象上该种类的未办任务（事由已不存在，如还款被冲正），返回条数。由所属应用在自己的操作里调用。"""
    rows = list(
        Task.objects.select_for_update().filter(
            kind=kind, subject_type=subject_type, subject_id__in=subject_ids, state=Task.State.OPEN
        )
    )
    for task in rows:
        task.row_version += 1
        task.state, task.closed_on, task.closed_by_id = Task.State.CANCELLED, on, actor.person_id
    Task.objects.bulk_update(rows, ["row_version", "state", "closed_on", "closed_by"], batch_size=500)
    TaskEvent.objects.bulk_create(_event_row(actor, task, "cancelled", {"reason": reason}) for task in rows)
    return len(rows)


def cancel_other_occurrences(
    *, actor: Actor, kind: str, institution_ids: Collection[int], keep: Collection[str], on: date, reason: str
) -> int:
    """撤销这些机构里该种类、唯一键不在 ``keep`` 之内的未办任务：事由已不存在的不留在桌上。返回条数。"""
    kept = set(keep)
    listed = Task.objects.filter(kind=kind, institution_id__in=institution_ids, state=Task.State.OPEN)
    stale = [pk for pk, key in listed.values_list("pk", "occurrence_key") if key not in kept]
    for start in range(0, len(stale), 500):
        batch = stale[start : start + 500]
        rows = Task.objects.filter(pk__in=batch, state=Task.State.OPEN)
        rows.update(
            state=Task.State.CANCELLED, closed_on=on, closed_by_id=actor.person_id, row_version=F("row_version") + 1
        )
        TaskEvent.objects.bulk_create(
            _event_row(actor, task, "cancelled", {"reason": reason}) for task in Task.objects.filter(pk__in=batch)
        )
    return len(stale)


def replace_task(*, actor: Actor, task_id: int, spec: TaskSpec, on: date, reason: str) -> int:
    """以一条新任务替代旧任务（从不重开），返回新任务编号。"""
    task = _open_task(actor, task_id)
    task.replaced_by_id = raise_task(spec=spec)
    assert task.replaced_by_id != task.pk, "a task cannot replace itself: give the new one its own cause"
    _close_row(task, Task.State.REPLACED, "", on, actor)
    _event(actor, task, "replaced", {"reason": reason, "by": task.replaced_by_id})
    return task.replaced_by_id


def _close_row(task: Task, state: Task.State, outcome: str, on: date, actor: Actor) -> None:
    task.state, task.outcome, task.closed_on, task.closed_by_id = state, outcome, on, actor.person_id
    task.row_version += 1
    task.save(update_fields=["state", "outcome", "closed_on", "closed_by", "replaced_by", "row_version"])


def _check_outcome(kind: TaskKind, code: str, opinion: str) -> None:
    outcome = kind.outcome(code)
    if outcome is None:
        raise DomainError(
            "OUTCOME_UNKNOWN",
            f"「{kind.name}」没有结果「{code}」。",
            field="outcome",
            value=code,
            fix="可选：" + "、".join(f"{item.name}（{item.code}）" for item in kind.outcomes) + "。",
        )
    if outcome.needs_opinion and not opinion.strip():
        raise DomainError(
            "OPINION_MISSING",
            f"「{outcome.name}」须写明意见。",
            field="opinion",
            clause=kind.clause or None,
            fix="请填写意见。",
        )


# 职责分离 ---------------------------------------------------------------------------------------------------


def record_involvement(*, root_type: str, root_id: int, person_id: int, duty: str, on: date) -> None:
    """记录某人在一案里尽了某项职责；重复记录无妨。"""
    row = Involvement(root_type=root_type, root_id=root_id, person_id=person_id, duty=duty, on_day=on, at=now())
    Involvement.objects.bulk_create([row], ignore_conflicts=True)


def record_involvements(*, rows: Iterable[tuple[str, int, int, str]], on: date) -> int:
    """成批记录经手：``(root_type, root_id, person_id, duty)``。导入与日终用，重复的略过。"""
    at = now()
    listed = [
        Involvement(root_type=root_type, root_id=root_id, person_id=person_id, duty=duty, on_day=on, at=at)
        for root_type, root_id, person_id, duty in rows
    ]
    Involvement.objects.bulk_create(listed, ignore_conflicts=True, batch_size=1000)
    return len(listed)


def check_separation(
    *,
    root_type: str,
    root_id: int,
    person_id: int,
    duty: str,
    forbidden: Collection[str],
    rule: str,
    clause: str = "ORG-3",
) -> None:
    """职责分离：在同一案里担过 ``forbidden`` 中任何一项的人，不得再担 ``duty``（ORG-3）。

    :raises NotPermitted: 写明是哪条规则、他担过什么。
    """
    if not forbidden:
        return
    served = Involvement.objects.filter(
        root_type=root_type, root_id=root_id, person_id=person_id, duty__in=list(forbidden)
    )
    duties = list(served.order_by("duty").values_list("duty", flat=True))
    if duties:
        name = access.names_of([person_id]).get(person_id, "")
        raise NotPermitted(
            "SEPARATION_OF_DUTIES",
            f"「{name}」在本案已任{'、'.join(duty_name(code) for code in duties)}，不得再任{duty_name(duty)}：{rule}。",
            field="actor",
            value=person_id,
            clause=clause,
            fix="请由没有经手过本案的人员办理。",
        )


# 指派、留言 --------------------------------------------------------------------------------------------------


@operation("work.assign_task", permission="work.assign")
def assign_task(*, actor: Actor, key: str, on: date, task_id: int, person_id: int) -> dict[str, Any]:
    """指派：被指派人须在该机构或其上级任主办岗位。"""
    task = _open_task(actor, task_id)
    candidates = access.holders_of(task.post, institution_id=task.institution_id, on=on)
    if person_id not in {person.id for person in candidates}:
        raise DomainError(
            "ASSIGNEE_NOT_ELIGIBLE",
            f"编号 {person_id} 的人员在 {on.isoformat()} 不任{post_name(task.post)}，或管不到该机构。",
            field="person_id",
            value=person_id,
            clause="ORG-2",
            fix="可指派：" + ("、".join(person.name for person in candidates) or "（目前无人，请先授岗）") + "。",
        )
    _set_assignee(actor, task, person_id, "assigned")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": person_id}


@operation("work.claim_task", permission="work.act")
def claim_task(*, actor: Actor, key: str, on: date, task_id: int) -> dict[str, Any]:
    """认领：把本岗位的任务记到自己名下。

    :raises NotPermitted: 不是该岗位，或已在别人名下。
    """
    task = _open_task(actor, task_id)
    _require_owner(actor, task)
    _set_assignee(actor, task, actor.person_id, "claimed")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": actor.person_id}


@operation("work.release_task", permission="work.act")
def release_task(*, actor: Actor, key: str, on: date, task_id: int) -> dict[str, Any]:
    """退回本岗位：不再记在自己名下。有指派权的人也可退回别人名下的。"""
    task = _open_task(actor, task_id)
    if task.assignee_id != actor.person_id:
        actor.require("work.assign")
    _set_assignee(actor, task, None, "released")
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "assignee_id": None}


@operation("work.comment_task", permission="work.act")
def comment_task(*, actor: Actor, key: str, on: date, task_id: int, text: str) -> dict[str, Any]:
    """留言。办结之后也可以留。"""
    text = text.strip()
    if not text or len(text) > 1000:
        raise DomainError(
            "COMMENT_INVALID", "留言为 1–1000 字。", field="text", value=text[:40], fix="请改写后再提交。"
        )
    task = _task(actor, task_id, lock=True)
    task.row_version += 1
    task.save(update_fields=["row_version"])
    _event(actor, task, "comment", {"text": text})
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "seq": task.row_version}


def _set_assignee(actor: Actor, task: Task, person_id: int | None, event: str) -> None:
    before = task.assignee_id
    task.assignee_id = person_id
    task.row_version += 1
    task.save(update_fields=["assignee", "row_version"])
    _event(actor, task, event, {"from": before, "to": person_id})


# 表单、签名、证据 -----------------------------------------------------------------------------------------------


@operation("work.publish_form", permission="work.forms")
def publish_form(
    *, actor: Actor, key: str, on: date, code: str, schema: FormSchema, effective_from: date
) -> dict[str, Any]:
    """发布表单新版本。已开出的任务仍用旧版本。"""
    version = ensure_form(code=code, schema=schema, effective_from=effective_from)
    return {"subject": f"form:{version.pk}", "form_version_id": version.pk, "version": version.version}


def ensure_form(*, code: str, schema: FormSchema, effective_from: date) -> FormVersion:
    """使表单的最新版本是这份内容：内容没变就不添版本。

    :raises DomainError: 新版本生效日早于上一版本。
    """
    last = FormVersion.objects.filter(code=code).order_by("-version").first()
    if last is not None and last.sha == schema.sha():
        return last
    if last is not None and effective_from < last.effective_from:
        raise DomainError(
            "FORM_OUT_OF_ORDER",
            f"表单「{code}」新版本生效日 {effective_from.isoformat()} 早于上一版本 {last.effective_from.isoformat()}。",
            field="effective_from",
            value=effective_from,
            fix="请用上一版本生效日或以后的日期。",
        )
    return FormVersion.objects.create(
        code=code,
        version=last.version + 1 if last else 1,
        schema=schema.model_dump(mode="json"),
        effective_from=effective_from,
        sha=schema.sha(),
    )


@operation("work.save_form", permission="work.act")
def save_form(
    *, actor: Actor, key: str, on: date, task_id: int, data: dict[str, Any], client_uuid: str, base_revision: int
) -> dict[str, Any]:
    """暂存填报（离线也可）：``client_uuid`` 防重，``base_revision`` 是所依据的版本，已被别人改过就拒绝而不覆盖。

    :raises Conflict: 依据的版本不是最新。
    """
    task = _open_task(actor, task_id)
    _require_owner(actor, task)
    if task.form_version is None:
        raise DomainError("FORM_NONE", "这类任务没有表单。", field="task_id", value=task_id, fix="请直接办理。")
    received = Submission.objects.filter(client_uuid=_uuid(client_uuid)).values("task_id", "revision").first()
    if received is not None:
        if received["task_id"] != task.pk:
            raise Conflict(
                "CLIENT_UUID_TAKEN", "该 client_uuid 已用于另一条任务。", field="client_uuid", value=client_uuid,
                fix="每次暂存用一个新的 UUID。",
            )  # fmt: skip
        return {"subject": f"task:{task.pk}", "task_id": task.pk, "revision": received["revision"]}
    clean = check(FormSchema.model_validate(task.form_version.schema), data, complete=False)
    row = _add_submission(actor, task, clean, _uuid(client_uuid), base_revision)
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "revision": row.revision}


@operation("work.sign_form", permission="work.act")
def sign_form(*, actor: Actor, key: str, on: date, task_id: int, role: str, signer: str, method: str) -> dict[str, Any]:
    """在最近一次填报上签名：签的是那份内容的摘要，内容再改签名便对不上。"""
    task = _open_task(actor, task_id)
    _require_owner(actor, task)
    last = _last_submission(task)
    if last is None:
        raise Conflict(
            "NOTHING_TO_SIGN", "还没有填报，无从签名。", field="task_id", value=task_id, fix="请先填写并暂存。"
        )
    row, _ = Signature.objects.get_or_create(
        submission=last,
        role=role,
        signer=signer,
        defaults={"method": method, "data_sha": _data_sha(last.data), "at": now()},
    )
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "signature_id": row.pk, "data_sha": row.data_sha}


@operation("work.attach_evidence", permission="work.act")
def attach_evidence(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    content: bytes,
    name: str,
    media_type: str,
    taken_at: datetime | None = None,
    latitude_e6: int | None = None,
    longitude_e6: int | None = None,
    accuracy_m: int | None = None,
    device: str = "",
) -> dict[str, Any]:
    """附证据：按内容摘要存放，同一内容在一条任务上只留一份。坐标单位为百万分之一度。"""
    if not content or len(content) > _LARGEST_EVIDENCE:
        raise DomainError(
            "EVIDENCE_SIZE",
            f"文件为 {len(content)} 字节，应在 1 字节与 20 MB 之间。",
            field="content",
            value=name,
            fix="请压缩后再传。",
        )
    task = _open_task(actor, task_id)
    _require_owner(actor, task)
    sha = hashlib.sha256(content).hexdigest()
    _store(sha, content)
    row, _ = Evidence.objects.get_or_create(
        task=task,
        sha256=sha,
        defaults={
            "name": name[:200],
            "media_type": media_type,
            "size": len(content),
            "by_id": actor.person_id,
            "taken_at": taken_at,
            "received_at": now(),
            "latitude_e6": latitude_e6,
            "longitude_e6": longitude_e6,
            "accuracy_m": accuracy_m,
            "device": device,
        },
    )
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "evidence_id": row.pk, "sha256": sha}


def evidence_path(sha: str) -> Path:
    """证据文件的位置：以内容摘要为名。"""
    return Path(settings.DOCUMENT_ROOT) / "evidence" / sha[:2] / sha


def _store(sha: str, content: bytes) -> None:
    """先写临时名再改名：中途断电不会留下名实不符的文件。事务回滚留下的文件无害（以内容为名）。"""
    path = evidence_path(sha)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{sha}.{uuid.uuid4().hex}.part")
    partial.write_bytes(content)
    partial.replace(path)


def _take_form(actor: Actor, task: Task, data: dict[str, Any] | None, on: date) -> None:
    """办结时收表单：全部校验，存为最后一版，取出发现。"""
    assert task.form_version is not None
    schema = FormSchema.model_validate(task.form_version.schema)
    last = _last_submission(task)
    clean = check(schema, data if data is not None else (last.data if last else {}), complete=True)
    if last is None or last.data != clean:
        last = _add_submission(actor, task, clean, uuid.uuid4(), last.revision if last else 0)
    Finding.objects.bulk_create(
        Finding(
            submission=last,
            subject_type=task.subject_type,
            subject_id=task.subject_id,
            code=value.code,
            on_day=on,
            num=value.num,
            text=value.text,
            day=value.day,
        )
        for value in findings(schema, clean)
    )


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise DomainError(
            "UUID_INVALID", "client_uuid 不是 UUID。", field="client_uuid", value=text, fix="请由客户端生成 UUID。"
        ) from None


def _add_submission(
    actor: Actor, task: Task, clean: dict[str, Any], client_uuid: uuid.UUID, base_revision: int
) -> Submission:
    last = _last_submission(task)
    latest = last.revision if last else 0
    if base_revision != latest:
        raise Conflict(
            "FORM_CHANGED",
            f"您依据的是第 {base_revision} 版，现在已是第 {latest} 版。",
            field="base_revision",
            value=base_revision,
            fix="请在最新版上核对后再存；您填的内容没有丢。",
        )
    return Submission.objects.create(
        task=task,
        revision=latest + 1,
        form_version=task.form_version,
        data=clean,
        by_id=actor.person_id,
        at=now(),
        client_uuid=client_uuid,
        base_revision=base_revision,
    )


def _last_submission(task: Task) -> Submission | None:
    return Submission.objects.filter(task=task).order_by("-revision").first()


def _data_sha(data: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()


# 取任务 ----------------------------------------------------------------------------------------------------


def _task(actor: Actor, task_id: int, *, lock: bool = False) -> Task:
    rows = Task.objects.select_related("form_version")
    if lock:
        rows = rows.select_for_update(of=("self",))
    task = rows.filter(access.in_scope(actor), pk=task_id).first()
    if task is None:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"没有编号为 {task_id} 的任务，或不在您的管辖范围内。",
            field="task_id",
            value=task_id,
            fix="请从工作台中选择。",
        )
    return task


def _open_task(actor: Actor, task_id: int) -> Task:
    """上锁取未办的任务。"""
    task = _task(actor, task_id, lock=True)
    if task.state != Task.State.OPEN:
        closed_on = task.closed_on.isoformat() if task.closed_on else ""
        what = outcome_name(task.kind, task.outcome) or Task.State(task.state).label
        raise Conflict(
            "TASK_CLOSED",
            f"任务「{task.title}」已于 {closed_on} {Task.State(task.state).label}（{what}）。",
            field="task_id",
            value=task_id,
            fix="任务不能重开；确有需要会另开一条。",
        )
    return task


def _require_owner(actor: Actor, task: Task) -> None:
    """须是主办岗位，且没有指派给别人。系统本身不受此限。"""
    if actor.person_id is None and actor.may("*"):
        return
    if actor.post_code != task.post:
        raise NotPermitted(
            "TASK_OF_OTHER_POST",
            f"任务「{task.title}」由{post_name(task.post)}办理，您现在的岗位是{post_name(actor.post_code)}。",
            field="task_id",
            value=task.pk,
            fix=f"请切换到{post_name(task.post)}，或由该岗位人员办理。",
        )
    if task.assignee_id is not None and task.assignee_id != actor.person_id:
        name = access.names_of([task.assignee_id]).get(task.assignee_id, "")
        raise NotPermitted(
            "TASK_OF_OTHER_PERSON",
            f"任务「{task.title}」已在「{name}」名下。",
            field="task_id",
            value=task.pk,
            fix="请由其办理，或由主管改派。",
        )


def _event(actor: Actor, task: Task, kind: str, data: dict[str, Any]) -> None:
    _event_row(actor, task, kind, data).save(force_insert=True)


def _event_row(actor: Actor, task: Task, kind: str, data: dict[str, Any]) -> TaskEvent:
    """履历的序号就是任务行的版本号：改一次任务恰有一条履历。"""
    return TaskEvent(
        task=task,
        seq=task.row_version,
        at=now(),
        by_id=actor.person_id,
        post_code=actor.post_code,
        kind=kind,
        data=data,
    )
