"""删除任务里的个人信息：标题、卡片、填报、发现、证据文件、签名、意见、留言。任务本身与谁办的、何时办的留着。"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.db.models import Q

from sancha.apps.work.models import Decision, Evidence, Finding, Signature, Submission, Task, TaskEvent
from sancha.apps.work.operations.evidence import evidence_path

Scrub = Callable[[str], str]
FREE_TEXT = ("text", "opinion", "reason")


def tasks_about(*, party_ids: Collection[int], roots: Collection[tuple[str, int]]) -> Q:
    """与这些客户、这些案子有关的任务。"""
    found = Q(party_id__in=list(party_ids))
    for kind in {kind for kind, _ in roots}:
        ids = [pk for root, pk in roots if root == kind]
        found |= Q(root_type=kind, root_id__in=ids) | Q(subject_type=kind, subject_id__in=ids)
    return found


def erase_tasks(
    *,
    party_ids: Collection[int],
    roots: Collection[tuple[str, int]],
    scrub: Scrub,
    mark: str,
    keep_kinds: Collection[str] = (),
) -> dict[str, int]:
    """删净这些任务里的个人信息（内层函数，在删除的事务里调用）。``keep_kinds`` 的任务只换掉字样，不删意见：它们是墓碑。

    证据文件一并删去；同一内容别的任务也在用的不删。返回各处删了几行。
    """
    tasks = list(Task.objects.filter(tasks_about(party_ids=party_ids, roots=roots)))
    if not tasks:
        return {}
    for task in tasks:
        task.title, task.reason = scrub(task.title), scrub(task.reason)
        task.facts = _scrubbed(task.facts, scrub)
    Task.objects.bulk_update(tasks, ["title", "reason", "facts"], batch_size=500)
    ids = [task.pk for task in tasks if task.kind not in keep_kinds]
    kept = [task.pk for task in tasks if task.kind in keep_kinds]
    counts = {
        "work_task": len(tasks),
        "work_submission": Submission.objects.filter(task_id__in=ids).update(data={}),
        "work_finding": Finding.objects.filter(submission__task_id__in=ids).delete()[0],
        "work_decision": Decision.objects.filter(task_id__in=ids).exclude(opinion="").update(opinion=mark),
        "work_evidence": _erase_files(ids, mark),
        "work_signature": _erase_signers(ids, mark),
        "work_taskevent": _erase_events(ids, lambda _text: mark) + _erase_events(kept, scrub),
    }
    for row in Decision.objects.filter(task_id__in=kept).exclude(opinion=""):
        Decision.objects.filter(pk=row.pk).update(opinion=scrub(row.opinion))
    return {place: count for place, count in counts.items() if count}


def erase_reports(*, roots: Collection[tuple[str, int]], mark: str) -> dict[str, int]:
    """删去这些案子任务上的证据文件（如转入预检报告：里面有许多人，包括要删的人）。"""
    ids = (
        list(Task.objects.filter(tasks_about(party_ids=(), roots=roots)).values_list("pk", flat=True)) if roots else []
    )
    count = _erase_files(ids, mark)
    return {"work_evidence": count} if count else {}


def move_tasks(*, duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """并档：任务改归存续的一档。"""
    count = Task.objects.filter(party_id=duplicate_id).update(party_id=survivor_id)
    return {"work_task": count} if count else {}


def _scrubbed(value: Any, scrub: Scrub) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: _scrubbed(item, scrub) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item, scrub) for item in value]
    return value


def _erase_files(task_ids: Collection[int], mark: str) -> int:
    rows = Evidence.objects.filter(task_id__in=list(task_ids))
    digests = set(rows.values_list("sha256", flat=True))
    shared = set(
        Evidence.objects.filter(sha256__in=digests).exclude(task_id__in=list(task_ids)).values_list("sha256", flat=True)
    )
    count = rows.update(name=mark, device="", latitude_e6=None, longitude_e6=None, accuracy_m=None)
    for digest in digests - shared:
        evidence_path(digest).unlink(missing_ok=True)
    return count


def _erase_signers(task_ids: Collection[int], mark: str) -> int:
    rows = list(Signature.objects.filter(submission__task_id__in=list(task_ids)))
    for row in rows:
        # Two of the same role on one revision stay two.
        Signature.objects.filter(pk=row.pk).update(signer=f"{mark}{row.pk}")
    return len(rows)


def _erase_events(task_ids: Collection[int], scrub: Scrub) -> int:
    count = 0
    for row in TaskEvent.objects.filter(task_id__in=list(task_ids)):
        said = {name: scrub(row.data[name]) for name in FREE_TEXT if row.data.get(name)}
        if said:
            TaskEvent.objects.filter(pk=row.pk).update(data=row.data | said)
            count += 1
    return count
