"""试一试：登记之前、记一条事实之前，看看会怎样；不落库。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.apps.businessday import queries as businessday
from sancha.apps.products import queries as products
from sancha.apps.products.mapping import kernel_terms
from sancha.apps.servicing.queries.viewing import Figures, LoanView, figures_of, paid_between
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.replay import advance, follows, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms, TermsError
from sancha.kernel.timetable import Standing, TimetableRow, agreed, timetable
from sancha.kit.actor import Actor
from sancha.rulebook.product_terms import ElementProblem, LoanElements


@dataclass(frozen=True, slots=True)
class Simulation:
    """试算：如果今天记这条事实，前后各是什么样。什么也没有写。"""

    before: Figures
    after: Figures
    allocated: dict[str, int]
    plan_before: list[TimetableRow]
    plan_after: list[TimetableRow]
    unapplied_fen: int

    @property
    def plan_changed(self) -> bool:
        """未来各期变了没有。"""
        return self.future(self.plan_before) != self.future(self.plan_after)

    @staticmethod
    def future(rows: list[TimetableRow]) -> list[tuple[date, int, int]]:
        """未来各期的（应还日, 本, 息）。"""
        return [(row.due_on, row.principal_fen, row.interest_fen) for row in rows if row.standing is Standing.FUTURE]


def simulate(
    view: LoanView,
    *,
    kind: FactKind,
    value_on: date | None = None,
    amount_fen: int = 0,
    data: dict[str, Any] | None = None,
) -> Simulation:
    """试算一条事实（纯内核，不写库）：与入账同一算法，起息日在过去的同样重放。"""
    value_on = value_on or view.on
    seq = max((fact.seq for fact in view.facts), default=0) + 1
    fact = Fact(seq, kind, value_on, view.business_date, amount_fen, data or {})
    after = _with(view, fact)
    return Simulation(
        before=figures_of(view.terms, view.state),
        after=figures_of(view.terms, after),
        allocated=paid_between(view.state, after),
        plan_before=timetable(view.terms, view.state),
        plan_after=timetable(view.terms, after),
        unapplied_fen=after.unapplied.get(seq, 0),
    )


def _with(view: LoanView, fact: Fact) -> State:
    if follows(view.state, fact):
        return advance(view.terms, view.state, [fact], to=view.on)
    return replay(view.terms, [*view.facts, fact], on=view.on)


@dataclass(frozen=True, slots=True)
class BookingPreview:
    """登记前的试排：要素的毛病、条款、还款计划。"""

    problems: list[ElementProblem]
    terms: Terms | None
    rows: list[TimetableRow]


def preview_booking(
    *, actor: Actor, product_id: int, institution_id: int, elements: LoanElements, plan: tuple[int, ...] = (), first_due: date | None = None,
    study_ends: date | None = None,
) -> BookingPreview:  # fmt: skip
    """登记前试排还款计划：与登记同一套核对，什么也不写。

    :raises DomainError: 条款合不成（期数不整、缺毕业日、产品停办……）。
    """
    actor.require("servicing.book")
    problems = products.element_problems(product_id=product_id, chosen=elements)
    pinned = products.pinned_terms(product_id=product_id, on=elements.start)
    calendar = businessday.calendar_for(first_year=elements.start.year, last_year=elements.start.year + 31)
    try:
        terms = kernel_terms(
            pinned, elements, product_code=str(product_id), institution_code=str(institution_id), calendar=calendar, plan=plan,
            first_due=first_due, study_ends=study_ends,
        )  # fmt: skip
    except TermsError as error:
        return BookingPreview(
            [*problems, ElementProblem(error.field, str(error.value), error.message, error.fix)], None, []
        )
    return BookingPreview(problems, terms, timetable(terms, agreed(terms)))
