"""任务种类登记册：哪类任务归哪个岗位、要什么权限、能有什么结果、由谁的操作来办结。

种类由各应用定义，在 ``config/wiring`` 登记；``work`` 不认识任何上层应用。
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sancha.kit.actor import Actor
from sancha.rulebook.posts import find_post

Closer = Callable[..., dict[str, Any]]
RootFinder = Callable[[Actor, int], object]

# 职责：职责分离按它查（ORG-3）。
DUTY_NAMES = {
    "RECEIVER": "受理人",
    "LEAD_INVESTIGATOR": "主调人",
    "CO_INVESTIGATOR": "辅调人",
    "REVIEWER": "审查人",
    "APPROVER": "审批人",
    "UNDERWRITER": "核保人",
    "EXCEPTION_GRANTER": "例外决定人",
    "BOOKER": "登记人",
    "MAKER": "录入人",
    "CHECKER": "复核人",
    "DISBURSEMENT_AUTHORIZER": "放款复核人",
    "OFFICER": "管户人",
    "INSPECTOR": "检查人",
    "COLLECTOR": "催收人",
    "IMPORTER": "转入经办人",
    "IMPORT_CHECKER": "转入复核人",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """任务的一种结果。``needs_opinion`` 须写意见（退回、否决之类）。"""

    code: str
    name: str
    needs_opinion: bool = False


@dataclass(frozen=True, slots=True)
class TaskKind:
    """任务种类。

    ``posts`` 主办岗位：银行与担保中心岗位不同，取第一个在该机构所在的线上设得了的。``permission`` 办理所需的权限。
    ``duty`` 办结者由此承担的职责；``forbidden_duties`` 同一案里担过这些职责的人不得办，违反时报 ``rule``。
    ``form_code`` 空为无表单。
    """

    code: str
    name: str
    posts: tuple[str, ...]
    permission: str
    outcomes: tuple[Outcome, ...]
    form_code: str = ""
    duty: str = ""
    forbidden_duties: frozenset[str] = frozenset()
    rule: str = ""
    clause: str = ""

    def __post_init__(self) -> None:
        assert self.posts, f"{self.code}: a task kind has an owning post"
        assert self.outcomes, f"{self.code}: a task kind has an outcome"
        assert not self.forbidden_duties or (self.duty and self.rule), (
            f"{self.code}: separation needs a duty and a rule"
        )

    def outcome(self, code: str) -> Outcome | None:
        """按代码取结果，没有则空。"""
        return next((item for item in self.outcomes if item.code == code), None)


_kinds: dict[str, TaskKind] = {}
_closers: dict[str, Closer] = {}
_roots: dict[str, RootFinder] = {}


def register_kind(kind: TaskKind) -> None:
    """登记任务种类。同样内容重复登记无妨；同代码不同内容、岗位没有所需权限、职责没有名称，都是接线错误。"""
    for code in kind.posts:
        post = find_post(code)
        assert post is not None, f"{kind.code}: no post {code} in posts.yaml"
        needed = {kind.permission, "work.act"} - post.permissions
        assert not needed, f"{kind.code}: post {code} lacks {sorted(needed)} in posts.yaml"
    unnamed = ({kind.duty} | kind.forbidden_duties) - {""} - DUTY_NAMES.keys()
    assert not unnamed, f"{kind.code}: duties without a name in DUTY_NAMES: {sorted(unnamed)}"
    known = _kinds.setdefault(kind.code, kind)
    assert known == kind, f"task kind {kind.code} is registered twice with different content"


def register_closer(kind: str, function: Closer) -> None:
    """登记办结操作：``function(*, actor, key, task_id, outcome, opinion, on, data)``。

    它是任务对象所属应用的操作，在自己的事务里做该做的事，并调用 ``work.operations.close_task``。
    没有登记的种类直接办结。
    """
    known = _closers.setdefault(kind, function)
    assert known is function, f"task kind {kind} has two closers"


def register_root(root_type: str, finder: RootFinder) -> None:
    """登记一类案子的主人：``finder(actor, root_id)`` 找不到或不在范围内时抛 ``NotFound``。"""
    known = _roots.setdefault(root_type, finder)
    assert known is finder, f"two owners of root {root_type}"


def root_finder(root_type: str) -> RootFinder | None:
    """这类案子的主人，没有登记则空。"""
    return _roots.get(root_type)


def closer_of(kind: str) -> Closer | None:
    """该种类的办结操作，没有则空。"""
    return _closers.get(kind)


def kind_of(code: str) -> TaskKind:
    """按代码取种类。

    :raises LookupError: 没有登记——接线有误，不是用户的错。
    """
    try:
        return _kinds[code]
    except KeyError:
        raise LookupError(f"task kind {code!r} is not registered; register it in config/wiring") from None


def find_kind(code: str) -> TaskKind | None:
    """按代码取种类，没有则空：旧任务的种类也许已不再使用。"""
    return _kinds.get(code)


def kinds() -> list[TaskKind]:
    """全部登记的种类。"""
    return list(_kinds.values())


def kind_name(code: str) -> str:
    """种类中文名，没有登记则原样返回代码。"""
    kind = _kinds.get(code)
    return kind.name if kind else code


def outcome_name(kind: str, code: str) -> str:
    """结果中文名，找不到则原样返回代码。"""
    known = _kinds.get(kind)
    outcome = known.outcome(code) if known else None
    return outcome.name if outcome else code


def duty_name(code: str) -> str:
    """职责中文名。"""
    return DUTY_NAMES.get(code, code)
