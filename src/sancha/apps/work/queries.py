"""查任务：工作台、一条任务的全貌、计数、覆盖率、经手。"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, F, Q, QuerySet

from sancha.apps.access import queries as access
from sancha.apps.work.kinds import Outcome, duty_name, find_kind, kind_name, outcome_name, root_finder
from sancha.apps.work.models import Finding, Involvement, Task
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.paging import Page, paginate
from sancha.rulebook.posts import post_name

PPM = 1_000_000
_WEEK = timedelta(days=7)
_KEYS_AT_ONCE = 10_000

Whose = Literal["mine_or_free", "mine", "free", "any"]
DueWhen = Literal["", "overdue", "today", "week"]


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """工作台筛选。``whose`` 缺省本人名下加无人认领；``all_posts`` 看范围内所有岗位（须有督办权限）。"""

    kind: str = ""
    text: str = ""
    whose: Whose = "mine_or_free"
    due: DueWhen = ""
    institution_id: int | None = None
    all_posts: bool = False


@dataclass(frozen=True, slots=True)
class TaskRow:
    """任务一览行。``days_late`` 逾期天数，未逾期为 0。"""

    id: int
    kind: str
    kind_name: str
    title: str
    subject_type: str
    subject_id: int
    root_type: str
    root_id: int
    party_id: int | None
    institution_id: int
    institution_name: str
    post: str
    post_name: str
    assignee_id: int | None
    assignee_name: str
    opened_on: date
    due_on: date
    state: str
    state_name: str
    priority: int
    reason: str
    clause: str
    facts: dict[str, Any]
    closed_on: date | None
    outcome: str
    outcome_name: str
    days_late: int


@dataclass(frozen=True, slots=True)
class EventInfo:
    """履历一条。"""

    at: datetime
    kind: str
    by_id: int | None
    by_name: str
    post_name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DecisionInfo:
    """决定一条，连同当时所用的权限。"""

    at: datetime
    on_day: date
    person_id: int | None
    person_name: str
    post_name: str
    outcome: str
    outcome_name: str
    opinion: str
    authority: dict[str, Any]
    policy_version: str


@dataclass(frozen=True, slots=True)
class EvidenceInfo:
    """证据一件。"""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    taken_at: datetime | None
    received_at: datetime
    latitude_e6: int | None
    longitude_e6: int | None


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """签名一个；``current`` 为假表示签后内容又改过。"""

    role: str
    role_name: str
    signer: str
    method: str
    evidence_id: int | None
    at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """一条任务的全貌。``may_act`` 为假时 ``why_not`` 说明为什么现在的岗位办不了。"""

    row: TaskRow
    outcomes: tuple[Outcome, ...]
    form: dict[str, Any] | None
    data: dict[str, Any]
    revision: int
    events: tuple[EventInfo, ...]
    decisions: tuple[DecisionInfo, ...]
    evidence: tuple[EvidenceInfo, ...]
    signatures: tuple[SignatureInfo, ...]
    may_act: bool
    why_not: str
    replaced_by_id: int | None


@dataclass(frozen=True, slots=True)
class KindCount:
    """工作台上一类任务的件数。"""

    kind: str
    name: str
    open: int
    due_today: int
    overdue: int
    unassigned: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """覆盖率：期内应办的任务里，按期办的、迟办的、逾期未办的、未到期未办的。撤销与被替代的不计入应办。"""

    kind: str
    due: int
    on_time: int
    late: int
    overdue: int
    pending: int

    @property
    def covered_ppm(self) -> int | None:
        """已办占应办的百万分比（截断）；无应办则空，不当作 100%。"""
        return (self.on_time + self.late) * PPM // self.due if self.due else None


@dataclass(frozen=True, slots=True)
class EmptyDesk:
    """有待办而无人可办的岗位。"""

    institution_id: int
    post: str
    post_name: str
    open: int


@dataclass(frozen=True, slots=True)
class InvolvementInfo:
    """经手一条。"""

    person_id: int
    person_name: str
    duty: str
    duty_name: str
    on_day: date


def _rows(actor: Actor) -> QuerySet[Task]:
    return Task.objects.filter(access.in_scope(actor)).select_related("institution", "assignee")


def _desk(actor: Actor, filters: TaskFilter) -> Q:
    """工作台看得见的：本岗位的；有督办权限并选了「所有岗位」的，范围内都看得见。"""
    desk = Q() if filters.all_posts and actor.may("work.oversee") else Q(post=actor.post_code)
    owned = {
        "mine_or_free": Q(assignee_id=actor.person_id) | Q(assignee_id__isnull=True),
        "mine": Q(assignee_id=actor.person_id),
        "free": Q(assignee_id__isnull=True),
        "any": Q(),
    }
    return desk & owned[filters.whose]


def my_tasks(
    actor: Actor, *, on: date, filters: TaskFilter | None = None, page: int = 1, size: int = 50
) -> Page[TaskRow]:
    """工作台：本岗位、范围内、已到可见日的待办，先到期者在前。两条查询。"""
    filters = filters or TaskFilter()
    rows = _rows(actor).filter(_desk(actor, filters), state=Task.State.OPEN, visible_on__lte=on)
    if filters.kind:
        rows = rows.filter(kind=filters.kind)
    if text := filters.text.strip():
        rows = rows.filter(title__icontains=text)
    if filters.institution_id is not None:
        rows = rows.filter(institution_id__in=access.subtree_ids(filters.institution_id))
    due = {
        "": Q(),
        "overdue": Q(due_on__lt=on),
        "today": Q(due_on=on),
        "week": Q(due_on__gte=on, due_on__lt=on + _WEEK),
    }
    ordered = rows.filter(due[filters.due]).order_by("due_on", "priority", "pk")
    return paginate(ordered, page=page, size=size, to_row=lambda task: _task_row(task, on))


def workbench_counts(actor: Actor, *, on: date, all_posts: bool = False) -> list[KindCount]:
    """工作台各类件数，一条查询；没有待办的种类不出现。"""
    filters = TaskFilter(all_posts=all_posts)
    rows = Task.objects.filter(access.in_scope(actor), _desk(actor, filters), state=Task.State.OPEN, visible_on__lte=on)
    counted = rows.values("kind").annotate(
        open=Count("pk"),
        due_today=Count("pk", filter=Q(due_on=on)),
        overdue=Count("pk", filter=Q(due_on__lt=on)),
        unassigned=Count("pk", filter=Q(assignee_id__isnull=True)),
    )
    return [KindCount(name=kind_name(item["kind"]), **item) for item in counted.order_by("-overdue", "kind")]


def task_detail(actor: Actor, task_id: int, *, on: date) -> TaskDetail:
    """一条任务的全貌；查询条数不随履历长短而变。

    :raises NotFound: 没有，或在范围之外。
    """
    task = (
        _rows(actor)
        .select_related("form_version")
        .prefetch_related("events__by", "decisions__person", "evidence", "submissions__signatures")
        .filter(pk=task_id)
        .first()
    )
    if task is None:
        raise NotFound(
            "TASK_NOT_FOUND",
            f"没有编号为 {task_id} 的任务，或不在您的管辖范围内。",
            field="task_id",
            value=task_id,
            fix="请从工作台中选择。",
        )
    kind = find_kind(task.kind)
    submissions = sorted(task.submissions.all(), key=lambda item: item.revision)
    last = submissions[-1] if submissions else None
    schema = task.form_version.schema if task.form_version else {}
    roles = {slot["role"]: slot["label"] for slot in schema.get("signatures", ())}
    why_not = _why_not(actor, task)
    return TaskDetail(
        row=_task_row(task, on),
        outcomes=kind.outcomes if kind else (),
        form=task.form_version.schema if task.form_version else None,
        data=last.data if last else {},
        revision=last.revision if last else 0,
        events=tuple(
            EventInfo(
                at=event.at,
                kind=event.kind,
                by_id=event.by_id,
                by_name=event.by.name if event.by else "系统",
                post_name=post_name(event.post_code),
                data=event.data,
            )
            for event in sorted(task.events.all(), key=lambda item: item.seq)
        ),
        decisions=tuple(
            DecisionInfo(
                at=row.at,
                on_day=row.on_day,
                person_id=row.person_id,
                person_name=row.person.name if row.person else "系统",
                post_name=post_name(row.post_code),
                outcome=row.outcome,
                outcome_name=outcome_name(task.kind, row.outcome),
                opinion=row.opinion,
                authority=row.authority,
                policy_version=row.policy_version,
            )
            for row in sorted(task.decisions.all(), key=lambda item: item.pk)
        ),
        evidence=tuple(
            EvidenceInfo(
                id=item.pk,
                name=item.name,
                media_type=item.media_type,
                size=item.size,
                sha256=item.sha256,
                taken_at=item.taken_at,
                received_at=item.received_at,
                latitude_e6=item.latitude_e6,
                longitude_e6=item.longitude_e6,
            )
            for item in sorted(task.evidence.all(), key=lambda item: item.pk)
        ),
        signatures=tuple(
            SignatureInfo(
                role=item.role,
                role_name=roles.get(item.role, item.role),
                signer=item.signer,
                method=item.method,
                evidence_id=item.evidence_id,
                at=item.at,
                current=submission is last,
            )
            for submission in submissions
            for item in sorted(submission.signatures.all(), key=lambda item: item.pk)
        ),
        may_act=not why_not,
        why_not=why_not,
        replaced_by_id=task.replaced_by_id,
    )


def _why_not(actor: Actor, task: Task) -> str:
    """现在的岗位为什么办不了这条任务；办得了则空串。职责分离在办结时另查。"""
    kind = find_kind(task.kind)
    if task.state != Task.State.OPEN:
        return f"已{Task.State(task.state).label.removeprefix('已')}。"
    if kind is None:
        return "这类任务已不再使用。"
    if actor.post_code != task.post:
        return f"由{post_name(task.post)}办理。"
    if task.assignee is not None and task.assignee_id != actor.person_id:
        return f"在「{task.assignee.name}」名下。"
    if not (actor.may("work.act") and actor.may(kind.permission)):
        return f"缺少权限 {kind.permission}。"
    return ""


def tasks_of_root(actor: Actor, *, root_type: str, root_id: int, on: date) -> list[TaskRow]:
    """一案（如一笔借据）在范围内的全部任务，先开者在前。

    案子看不看得见由它的主人说（``kinds.register_root``）：没有任务与无权看是两回事。

    :raises NotFound: 没有这一案，或在范围之外。
    """
    if (find_root := root_finder(root_type)) is not None:
        find_root(actor, root_id)
    rows = _rows(actor).filter(root_type=root_type, root_id=root_id).order_by("opened_on", "pk")
    return [_task_row(task, on) for task in rows]


def open_task_of(*, kind: str, subject_type: str, subject_id: int) -> int | None:
    """某对象上该种类的未办任务编号，没有则空。供所属应用的操作判断是否在等人办。"""
    rows = Task.objects.filter(kind=kind, subject_type=subject_type, subject_id=subject_id, state=Task.State.OPEN)
    return rows.order_by("-pk").values_list("pk", flat=True).first()


def subject_of(task_id: int) -> tuple[str, str, int] | None:
    """任务的种类与对象：``(kind, subject_type, subject_id)``。办结操作由此找到自己的对象，并核对种类。"""
    return Task.objects.filter(pk=task_id).values_list("kind", "subject_type", "subject_id").first()


def open_tasks_reason(institution_id: int) -> str | None:
    """撤销机构前的检查：还有未办的任务就不能撤，返回理由。"""
    waiting = Task.objects.filter(institution_id=institution_id, state=Task.State.OPEN).count()
    return f"尚有 {waiting} 条未办的任务" if waiting else None


def existing_occurrences(*, keys: Collection[str]) -> set[str]:
    """这些唯一键里已经开过任务的（不论办没办）：核对「该开的都开了」。每万条一条查询。"""
    listed = list(keys)
    found: set[str] = set()
    for start in range(0, len(listed), _KEYS_AT_ONCE):
        part = listed[start : start + _KEYS_AT_ONCE]
        found.update(Task.objects.filter(occurrence_key__in=part).values_list("occurrence_key", flat=True))
    return found


def empty_desks(*, on: date) -> list[EmptyDesk]:
    """有待办而无人可办的岗位：该机构及其上级没有人任此岗位。不管就等于丢了任务，供监控与核对。"""
    desks = Task.objects.filter(state=Task.State.OPEN).values("institution_id", "post").annotate(open=Count("pk"))
    listed = list(desks.order_by("institution_id", "post"))
    staffed = access.desks_with_holders([(desk["institution_id"], desk["post"]) for desk in listed], on=on)
    return [
        EmptyDesk(
            institution_id=desk["institution_id"],
            post=desk["post"],
            post_name=post_name(desk["post"]),
            open=desk["open"],
        )
        for desk in listed
        if (desk["institution_id"], desk["post"]) not in staffed
    ]


def coverage(actor: Actor, *, kind: str, first: date, last: date, on: date) -> Coverage:
    """某类任务在 ``first`` 至 ``last``（含）应办的覆盖率，以 ``on`` 为当前日。一条查询。"""
    due = Q(state__in=[Task.State.OPEN, Task.State.DONE])
    done, still_open = Q(state=Task.State.DONE), Q(state=Task.State.OPEN)
    counted = Task.objects.filter(
        access.in_scope(actor), due, kind=kind, due_on__gte=first, due_on__lte=last
    ).aggregate(
        due=Count("pk"),
        on_time=Count("pk", filter=done & Q(closed_on__lte=F("due_on"))),
        late=Count("pk", filter=done & Q(closed_on__gt=F("due_on"))),
        overdue=Count("pk", filter=still_open & Q(due_on__lt=on)),
        pending=Count("pk", filter=still_open & Q(due_on__gte=on)),
    )
    return Coverage(kind=kind, **counted)


def involvements_of(*, root_type: str, root_id: int) -> list[InvolvementInfo]:
    """一案的全部经手人，按经手先后。"""
    rows = Involvement.objects.filter(root_type=root_type, root_id=root_id).select_related("person").order_by("pk")
    return [
        InvolvementInfo(
            person_id=row.person_id,
            person_name=row.person.name,
            duty=row.duty,
            duty_name=duty_name(row.duty),
            on_day=row.on_day,
        )
        for row in rows
    ]


def latest_findings(*, subject_type: str, subject_id: int, codes: list[str], on: date) -> dict[str, int | str | date]:
    """某对象各项发现在 ``on`` 及以前的最近值。规则与报表用。"""
    rows = Finding.objects.filter(
        subject_type=subject_type, subject_id=subject_id, code__in=codes, on_day__lte=on
    ).order_by("on_day", "pk")
    found: dict[str, int | str | date] = {}
    for row in rows:
        found[row.code] = row.num if row.num is not None else row.day or row.text
    return found


def _task_row(task: Task, on: date) -> TaskRow:
    until = task.closed_on or on
    return TaskRow(
        id=task.pk,
        kind=task.kind,
        kind_name=kind_name(task.kind),
        title=task.title,
        subject_type=task.subject_type,
        subject_id=task.subject_id,
        root_type=task.root_type,
        root_id=task.root_id,
        party_id=task.party_id,
        institution_id=task.institution_id,
        institution_name=task.institution.name,
        post=task.post,
        post_name=post_name(task.post),
        assignee_id=task.assignee_id,
        assignee_name=task.assignee.name if task.assignee else "",
        opened_on=task.opened_on,
        due_on=task.due_on,
        state=task.state,
        state_name=str(Task.State(task.state).label),
        priority=task.priority,
        reason=task.reason,
        clause=task.clause,
        facts=task.facts,
        closed_on=task.closed_on,
        outcome=task.outcome,
        outcome_name=outcome_name(task.kind, task.outcome),
        days_late=max(0, (until - task.due_on).days),
    )
