"""谁今天能批这一笔：对着授权书与各人的情形逐个得出结论与原因。纯函数，不碰数据库（docs/algorithms/approval-authority.md）。

原因按由人到权的次序只说第一条：经手过本案、回避、停权，再是没有授权、产品、担保、金额、期限、新老客户。
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sancha.kernel.money import format_yuan
from sancha.rulebook.vocabulary import GuaranteeKind


@dataclass(frozen=True, slots=True)
class Ask:
    """要批的一笔：机构的路径、项目、产品代码、担保方式、金额、期限（月）、是否老客户。

    ``involved`` 是经手过本案的人 → 因何不得审批；``barred`` 是要回避的人 → 原因。
    """

    institution_path: str
    program: str
    product: str
    guarantee: GuaranteeKind
    amount_fen: int
    months: int
    repeat: bool = False
    involved: Mapping[int, str] = field(default_factory=dict)
    barred: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seat:
    """审批岗上的一席：谁、在哪个机构、任什么岗。"""

    person_id: int
    name: str
    post_code: str
    institution_id: int
    institution_path: str


@dataclass(frozen=True, slots=True)
class Grant:
    """今天有效的一份授权。``person_id`` 空为该岗位的任何人。"""

    id: int
    number: str
    institution_id: int
    post_code: str
    person_id: int | None
    program: str
    products: frozenset[str]
    guarantees: frozenset[str]
    max_fen: int
    max_months: int
    for_new: bool
    for_repeat: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """一席的结论：能批的写凭哪一份，不能的写为什么与依据。"""

    seat: Seat
    may: bool
    why: str
    clause: str
    grant: Grant | None = None


MANDATE, SEPARATION, RECUSAL = "AUTHORITY-MANDATE", "ORG-3", "AUTHORITY-RECUSAL"


def solve(ask: Ask, seats: Sequence[Seat], grants: Sequence[Grant]) -> list[Answer]:
    """逐席得出结论，能批的在前，额度小的先（不必惊动上级），同额按姓名。"""
    answers = [_answer(ask, seat, grants) for seat in seats if ask.institution_path.startswith(seat.institution_path)]
    return sorted(
        answers,
        key=lambda answer: (
            not answer.may,
            answer.grant.max_fen if answer.grant else 0,
            answer.seat.name,
            answer.seat.person_id,
        ),
    )


def _answer(ask: Ask, seat: Seat, grants: Sequence[Grant]) -> Answer:
    if reason := ask.involved.get(seat.person_id):
        return Answer(seat, False, reason, SEPARATION)
    if reason := ask.barred.get(seat.person_id):
        return Answer(seat, False, reason, RECUSAL)
    held = [
        grant
        for grant in grants
        if (grant.institution_id, grant.post_code) == (seat.institution_id, seat.post_code)
        and grant.person_id in {None, seat.person_id}
        and grant.program == ask.program
    ]
    if not held:
        return Answer(seat, False, "没有本项目的有效授权", MANDATE)
    for narrowed, why in _narrowing(ask, held):
        if not narrowed:
            return Answer(seat, False, why, MANDATE)
        held = narrowed
    # The smallest mandate that suffices is the one to be used: what was used is kept with the decision.
    best = min(held, key=lambda grant: (grant.max_fen, grant.id))
    return Answer(
        seat,
        True,
        f"授权书 {best.number}：单笔 {format_yuan(best.max_fen)} 元、{best.max_months} 个月以内",
        MANDATE,
        best,
    )


def _narrowing(ask: Ask, held: list[Grant]) -> list[tuple[list[Grant], str]]:
    """一道一道筛：剩下的授权，与筛空时的原因。"""
    by_product = [grant for grant in held if not grant.products or ask.product in grant.products]
    by_guarantee = [grant for grant in by_product if not grant.guarantees or ask.guarantee in grant.guarantees]
    by_customer = [grant for grant in by_guarantee if (grant.for_repeat if ask.repeat else grant.for_new)]
    by_amount = [grant for grant in by_customer if ask.amount_fen <= grant.max_fen]
    by_term = [grant for grant in by_amount if ask.months <= grant.max_months]
    most = max((grant.max_fen for grant in by_customer), default=0)
    longest = max((grant.max_months for grant in by_amount), default=0)
    return [
        (by_product, "授权不含这个产品"),
        (by_guarantee, f"授权不含「{ask.guarantee.label}」"),
        (by_customer, f"授权不含{'老' if ask.repeat else '新'}客户"),
        (by_amount, f"授权单笔最高 {format_yuan(most)} 元，本笔 {format_yuan(ask.amount_fen)} 元"),
        (by_term, f"授权最长 {longest} 个月，本笔 {ask.months} 个月"),
    ]
