"""借据一侧对客户删除与并档要做的事：有什么挡着，删净哪些，改归哪些。在 ``config/wiring`` 登记给 ``parties``。"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date

from django.db.models import Q

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.parties import queries as parties
from sancha.apps.parties.departing import ERASED, Departing, Hold
from sancha.apps.parties.kinds import ERASURE_CHECK, MERGE_CHECK
from sancha.apps.servicing.models import ImportRow, Loan, LoanAdjustment, LoanFact, LoanState, LoanStatus
from sancha.apps.work import operations as work
from sancha.rulebook import parameter

OPEN = (LoanStatus.PENDING, LoanStatus.ACTIVE)
RETENTION = ("retention.loan_file_years", "retention.aml_years")
WRITE_OFF = "retention.write_off_permanent"
FREE_TEXT = ("payer_name", "remark", "reason", "note")
CLAUSE = "PIPL-47"


def holds_on_erasure(party_ids: tuple[int, ...], names: tuple[str, ...], on: date) -> list[Hold]:
    """删除的妨碍：未了的借据与担保，没满的保存期（自结清起），须永久保管的核销档案。"""
    own = Q(party_id__in=party_ids)
    guaranteed = Q(party_id__in=parties.guaranteed_by(party_ids))
    named = Q(pk__in=[])
    for name in names:
        named |= Q(guarantor__contains=name)
    holds = []
    loans = Loan.objects.filter(own | guaranteed | named).order_by("number")
    for loan in loans:
        mine = loan.party_id in party_ids
        if loan.status in OPEN:
            what = "尚未了结" if mine else "由此人担保，尚未了结"
            holds.append(Hold("loan" if mine else "guarantee", f"借据 {loan.number} {what}", CLAUSE))
        elif (kept := _kept_until(loan, on)) is not None:
            holds.append(kept)
    return holds


def _kept_until(loan: Loan, on: date) -> Hold | None:
    """这笔了结的借据还要保存到哪天；没有放过款的、已经期满的为空。"""
    if loan.status == LoanStatus.WRITTEN_OFF:
        permanent = parameter(WRITE_OFF, on)
        if permanent.value:
            return Hold("retention", f"借据 {loan.number} 已核销，档案永久保管", permanent.clause)
    if loan.status == LoanStatus.VOID or loan.settled_on is None:
        return None
    longest = max((parameter(code, on) for code in RETENTION), key=lambda rule: rule.as_int())
    until = years_after(loan.settled_on, longest.as_int())
    if until <= on:
        return None
    text = f"借据 {loan.number} 于 {loan.settled_on} 结清，档案保存 {longest.as_int()} 年，至 {until}"
    return Hold("retention", text, longest.clause, until)


def years_after(day: date, years: int) -> date:
    """若干年后的同一天；2 月 29 日遇平年取 3 月 1 日，宁晚一天。"""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def erase_customer(departing: Departing) -> dict[str, int]:
    """删净借据一侧的个人信息：用途、担保人、事实里的付款人与说明、调整理由、转入留底、任务、收付。账与借据号留着。"""
    loans = dict(Loan.objects.filter(party_id__in=departing.party_ids).values_list("pk", "number"))
    counts: Counter[str] = Counter()
    counts["servicing_loan"] = Loan.objects.filter(pk__in=loans).update(purpose="", guarantor="")
    counts["servicing_loan"] += _erase_guarantors(departing)
    counts["servicing_loanfact"] = _erase_facts(loans)
    for row in LoanState.objects.filter(loan_id__in=loans).exclude(held_reason=""):
        LoanState.objects.filter(pk=row.pk).update(held_reason=departing.scrubbed(row.held_reason))
    adjustments = LoanAdjustment.objects.filter(loan_id__in=loans)
    roots = [("loan", pk) for pk in loans] + [("loan_adjustment", row.pk) for row in adjustments]
    counts["servicing_loanadjustment"] = adjustments.update(reason=ERASED)
    batches = _erase_imports(loans, departing)
    counts["servicing_importrow"] = sum(batches.values())
    # The report of a dry run lists every person of the file: it goes as a whole.
    counts.update(work.erase_reports(roots=[("import", batch) for batch in batches], mark=ERASED))
    counts.update(
        work.erase_tasks(
            party_ids=departing.party_ids,
            roots=[*roots, *(("party", pk) for pk in departing.party_ids)],
            scrub=departing.scrubbed,
            mark=ERASED,
            keep_kinds=(ERASURE_CHECK.code, MERGE_CHECK.code),
        )
    )
    counts.update(
        cashdesk.erase_money_trails(
            party_ids=departing.party_ids,
            subjects=[f"loan:{pk}" for pk in loans],
            mark=ERASED,
            scrub=departing.scrubbed,
        )
    )
    return {place: count for place, count in counts.items() if count}


def _erase_guarantors(departing: Departing) -> int:
    """他担保过的借据上写的名字。"""
    count = 0
    for name in departing.names:
        for loan in Loan.objects.filter(
            Q(party_id__in=parties.guaranteed_by(departing.party_ids)), guarantor__contains=name
        ):
            Loan.objects.filter(pk=loan.pk).update(guarantor=departing.scrubbed(loan.guarantor)[:200])
            count += 1
    return count


def _erase_facts(loans: Collection[int]) -> int:
    """事实里的文字：付款人、说明、理由。算账用的数一个不动。"""
    count = 0
    for fact in LoanFact.objects.filter(loan_id__in=list(loans), data__has_any_keys=list(FREE_TEXT)):
        said = {name: ERASED for name in FREE_TEXT if fact.data.get(name)}
        if said:
            LoanFact.objects.filter(pk=fact.pk).update(data=fact.data | said)
            count += 1
    return count


def _erase_imports(loans: Collection[int], departing: Departing) -> dict[int, int]:
    """转入留底：他的借据那几行、同一外部编号的计划与还款行、写着他证件号的客户行。返回 批次 → 行数。"""
    mine = list(ImportRow.objects.filter(loan_id__in=list(loans)))
    found = {row.pk: row.batch_id for row in mine}
    for batch_id, ref in {(row.batch_id, row.ref) for row in mine if row.ref}:
        found.update(ImportRow.objects.filter(batch_id=batch_id, ref=ref).values_list("pk", "batch_id"))
    for needle in departing.needles:
        found.update(ImportRow.objects.filter(cells__icontains=needle).values_list("pk", "batch_id"))
    ImportRow.objects.filter(pk__in=found).update(cells={}, problems=[], result={})
    return dict(Counter(found.values()))


def move_loans(duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """并档：借据与代扣明细改归存续的一档；条款、事实与账一个字不动。"""
    count = Loan.objects.filter(party_id=duplicate_id).update(party_id=survivor_id)
    moved = cashdesk.move_debits(duplicate_id=duplicate_id, survivor_id=survivor_id)
    return ({"servicing_loan": count} if count else {}) | moved
