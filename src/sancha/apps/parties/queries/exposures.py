"""敞口的查询：重复借款、超量担保、往来历史。只给数与借据号；够不够、准不准由规则定（CUS-4、CUS-9）。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sancha.apps.parties.exposure import Exposure, ExposureKind, exposures_of
from sancha.apps.parties.queries.households import household_party_ids, spouse_ids
from sancha.apps.parties.queries.looking import family_ids


@dataclass(frozen=True, slots=True)
class LendingHistory:
    """往来历史：结清几笔（借据号）、合计用款几个整月、历来逾期几天、各方案借过几笔。"""

    settled: tuple[str, ...]
    months_of_use: int
    overdue_days: int
    loans_by_program: dict[str, int]


def family_debtors(party_id: int, *, on: date) -> tuple[int, ...]:
    """一户一贷的「户」：本人、配偶、同户的人与家庭自己，连同旧档。"""
    return tuple(sorted({*household_party_ids(party_id, on=on), *spouse_ids(party_id, on=on)}))


def open_loans_of_family(party_id: int, *, on: date) -> list[Exposure]:
    """本人、配偶与同户未了结的借款，跨方案（重复借款照它判）。"""
    found = exposures_of(family_debtors(party_id, on=on), on)
    return [item for item in found if item.kind is ExposureKind.LOAN and item.closed_on is None]


def open_guarantees(party_id: int, *, on: date) -> list[Exposure]:
    """此人担保而未了结的借款，跨方案（超量担保照它判）。"""
    found = exposures_of(family_ids(party_id), on)
    return [item for item in found if item.kind is ExposureKind.GUARANTEE and item.closed_on is None]


def lending_history(party_id: int, *, on: date) -> LendingHistory:
    """本人借过的款。未结清的也计用款月数与逾期天数，不计入结清。"""
    loans = [item for item in exposures_of(family_ids(party_id), on) if item.kind is ExposureKind.LOAN]
    by_program: dict[str, int] = {}
    for loan in loans:
        by_program[loan.program] = by_program.get(loan.program, 0) + 1
    return LendingHistory(
        settled=tuple(loan.number for loan in loans if loan.closed_on is not None),
        months_of_use=sum(_whole_months(loan.opened_on, loan.closed_on or on) for loan in loans),
        overdue_days=sum(loan.overdue_days for loan in loans),
        loans_by_program=by_program,
    )


def _whole_months(first: date, last: date) -> int:
    """几个整月：不足一月不算。"""
    return max(0, (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day))
