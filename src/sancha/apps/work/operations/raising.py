"""开出任务：成批的一条语句，同一次只开一条。"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from django.db import connection

from sancha.apps.access import queries as access
from sancha.apps.work.events import tasks_raised
from sancha.apps.work.kinds import TaskKind, kind_of
from sancha.apps.work.models import FormVersion, Task
from sancha.kit.database.lengths import require_fits
from sancha.kit.errors import DomainError
from sancha.kit.rowset import ColumnType, rowset
from sancha.rulebook.posts import find_post, post_name


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
    values = {spec.occurrence_key: _task_values(spec, posts, forms) for spec in rows}
    source = rowset("spec", _TASK_COLUMNS, values.values())
    names = ", ".join(_TASK_COLUMNS)
    sql = f"""
        INSERT INTO work_task ({names}, state, outcome, row_version)
        SELECT {names}, 'open', '', 1 FROM {source.sql} WHERE true
        ON CONFLICT (occurrence_key) DO NOTHING RETURNING id, occurrence_key
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, source.params)
        raised = cursor.fetchall()
    tasks_raised(Task(pk=pk, **dict(zip(_TASK_COLUMNS, values[key], strict=True))) for pk, key in raised)
    return len(raised)


_TASK_FIELDS = {field.attname: field for field in Task._meta.concrete_fields}


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
    values = [
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
    # One statement of plain SQL writes them all, so nothing else would say which column is too long.
    for name, value in zip(_TASK_COLUMNS, values, strict=True):
        if isinstance(value, str):
            require_fits(_TASK_FIELDS[name], value)
    return values


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
