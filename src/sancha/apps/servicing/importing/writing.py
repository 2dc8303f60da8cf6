"""成批入账：一批借据的行、事实、状态、凭证与分户账，各一条成批语句；每笔从无到有一张凭证。

凭证来源是期初（``OPENING``）：转入之前的收付与损益不是本系统经手的，对方一律落到「期初转入」的科目，不动银行存款，也不算今年的收入；
头寸代码照旧记在分录上，所以「借据合计 = 账簿合计」逐键成立。切换日之后才发生的收入（切换日早于今天时）照常算收入。
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import connection

from sancha.apps.businessday import queries as businessday
from sancha.apps.businessday.queries import PartitionInfo
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.servicing.books import Keyed, keyed, position_lines
from sancha.apps.servicing.importing.building import CUT_OVER, Blueprint
from sancha.apps.servicing.importing.bulk import insert_rows
from sancha.apps.servicing.importing.dossier import Dossier
from sancha.apps.servicing.importing.layout import Layout
from sancha.apps.servicing.mapping import projection
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, LoanStatus, Movement
from sancha.kernel.positions import OFF_BALANCE, accounting_key, positions
from sancha.kernel.quote import is_settled
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict
from sancha.kit.numbering import next_numbers

OPERATION = "import"
NOT_OURS = frozenset(
    {
        "CASH",
        "INTEREST_INCOME",
        "PENALTY_INCOME",
        "COMPOUND_INCOME",
        "FEE_INCOME",
        "LOSS",
        "RECOVERY_INCOME",
        "ADJUSTMENT",
    }
)
"""转入之前发生、不经本系统的：对方落到期初转入科目。"""


@dataclass(slots=True)
class Draft:
    """待入账的一笔。"""

    dossier: Dossier
    blueprint: Blueprint
    party_id: int
    officer_id: int | None


def external_ref(layout: Layout, ref: str) -> str:
    """外部编号：版式代码加原编号，全库唯一，重复转入由它认出。"""
    return f"{layout.code}:{ref}"[:80]


def write_loans(
    drafts: Sequence[Draft],
    *,
    layout: Layout,
    actor: Actor,
    business_date: date,
    people: tuple[int | None, int | None] = (None, None),
) -> list[Loan]:
    """把一批写入账，返回借据行（次序同 ``drafts``）。须在调用者的事务里；语句数与笔数无关。

    ``people`` 是登记人（送件的）与授权人（同意转入的），与逐笔登记的借据同一个意思。

    :raises Conflict: 试建之后营业日变了（须重新预检）。
    """
    assert connection.in_atomic_block
    partitions = _lock_partitions({draft.blueprint.institution_id for draft in drafts})
    for partition in partitions.values():
        if partition.business_date != business_date:
            raise Conflict(
                "NOT_BUSINESS_DATE",
                f"营业日已是 {partition.business_date}，这一批是按 {business_date} 试建的。",
                field="on",
                value=business_date,
                fix="请再点一次继续，系统会按新的营业日重新试建。",
            )
    numbers = _numbers(drafts, layout)
    loans = Loan.objects.bulk_create(
        [_loan(draft, number, layout, people, business_date) for draft, number in zip(drafts, numbers, strict=True)],
        batch_size=500,
    )
    accounts = resolve_accounts(business_date)
    moved_of = [
        keyed(
            accounting_key(draft.blueprint.terms, draft.blueprint.state),
            positions(draft.blueprint.terms, draft.blueprint.state),
        )
        for draft in drafts
    ]
    vouchers = _post(drafts, loans, moved_of, accounts, actor, business_date)
    insert_rows(
        LoanState,
        [
            _state(draft, loan, partitions[draft.blueprint.institution_id])
            for draft, loan in zip(drafts, loans, strict=True)
        ],
    )
    _write_facts(drafts, loans, actor)
    _write_movements(drafts, loans, vouchers, moved_of, business_date)
    return loans


def _lock_partitions(institution_ids: set[int]) -> dict[int, PartitionInfo]:
    places = {
        institution_id: businessday.partition_of(institution_id=institution_id)
        for institution_id in sorted(institution_ids)
    }
    locked = {
        partition_id: businessday.lock_partition(partition_id=partition_id, exclusive=False)
        for partition_id in sorted({place.id for place in places.values()})
    }
    return {institution_id: locked[place.id] for institution_id, place in places.items()}


def _numbers(drafts: Sequence[Draft], layout: Layout) -> list[str]:
    """借据号：版式说照用的照用，否则按机构与年份编号，一组一次取号。"""
    groups: dict[tuple[str, int], list[int]] = {}
    given: dict[int, str] = {}
    for index, draft in enumerate(drafts):
        number = draft.dossier.value("number") or (draft.dossier.ref if layout.keep_numbers else "")
        if number:
            given[index] = str(number)
        else:
            groups.setdefault((draft.blueprint.institution_code, draft.blueprint.terms.start.year), []).append(index)
    _pass_over(given.values(), {draft.blueprint.institution_code for draft in drafts})
    for (code, year), members in sorted(groups.items()):
        for index, number in zip(members, next_numbers(f"loan:{code}:{year}", len(members)), strict=True):
            given[index] = f"JK{code}{year}{number:06d}"
    return [given[index] for index in range(len(drafts))]


def _pass_over(numbers: Iterable[str], codes: set[str]) -> None:
    """照用的号码若是本系统的写法，编号要从它之后接着走，免得日后撞号。"""
    highest: dict[str, int] = {}
    pattern = re.compile(rf"JK({'|'.join(sorted(map(re.escape, codes), key=len, reverse=True))})(\d{{4}})(\d{{6}})")
    for number in numbers:
        if match := pattern.fullmatch(number):
            name = f"loan:{match[1]}:{match[2]}"
            highest[name] = max(highest.get(name, 0), int(match[3]))
    for name, reached in sorted(highest.items()):
        following = next_numbers(name, 1)[0]
        if following < reached:
            next_numbers(name, reached - following)


def _loan(draft: Draft, number: str, layout: Layout, people: tuple[int | None, int | None], on: date) -> Loan:
    plan, values = draft.blueprint, draft.dossier.loan.values
    settled = is_settled(plan.terms, plan.state)
    matures = (
        plan.state.maturity
        if plan.state.cur < len(plan.state.ends) or not plan.state.installments
        else max(item.due_on for item in plan.state.installments)
    )
    return Loan(
        number=number,
        contract_number=str(values.get("contract_number", ""))[:60],
        party_id=draft.party_id,
        product_id=plan.product_id,
        product_version_id=plan.version_id,
        institution_id=plan.institution_id,
        officer_id=draft.officer_id,
        status=LoanStatus.SETTLED if settled else LoanStatus.ACTIVE,
        terms=plan.terms.as_document(),
        principal_fen=plan.terms.principal_fen,
        rate_ppm=plan.state.rate_ppm,
        method=str(plan.terms.method),
        starts_on=plan.terms.start,
        matures_on=date.fromordinal(matures),
        purpose=str(values.get("purpose", ""))[:200],
        guarantee=str(values.get("guarantee", ""))[:20],
        guarantor=str(values.get("guarantor", ""))[:200],
        external_ref=external_ref(layout, draft.dossier.ref),
        booked_on=on,
        booked_by_id=people[0],
        authorized_by_id=people[1],
        settled_on=_settled_on(plan) if settled else None,
    )


def _settled_on(plan: Blueprint) -> date:
    paid = [item.settled_on for item in plan.state.installments if item.settled_on]
    return date.fromordinal(max(paid)) if paid else plan.terms.start


def _state(draft: Draft, loan: Loan, partition: PartitionInfo) -> dict[str, Any]:
    plan = draft.blueprint
    # The currency is part of the accounting key and never changes, so it is written once, here.
    place = {"loan_id": loan.pk, "partition_id": partition.id, "currency": plan.terms.currency}
    return place | projection(plan.terms, plan.state, plan.facts[-1].seq)


def _write_facts(drafts: Sequence[Draft], loans: Sequence[Loan], actor: Actor) -> None:
    moment = now()
    insert_rows(
        LoanFact,
        [
            {
                "loan_id": loan.pk,
                "seq": fact.seq,
                "kind": str(fact.kind),
                "value_on": fact.value_on,
                "booked_on": fact.booked_on,
                "amount_fen": fact.amount_fen,
                "data": dict(fact.data),
                "recorded_at": moment,
                "recorded_by_id": actor.person_id,
                "operation": OPERATION,
            }
            for draft, loan in zip(drafts, loans, strict=True)
            for fact in draft.blueprint.facts
        ],
    )


def _write_movements(
    drafts: Sequence[Draft],
    loans: Sequence[Loan],
    vouchers: Sequence[int | None],
    moved_of: Sequence[Keyed],
    on: date,
) -> None:
    """分户账：每笔从无到有的各成分。"""
    insert_rows(
        Movement,
        [
            {
                "loan_id": loan.pk,
                "booked_on": on,
                "fact_seq": draft.blueprint.facts[-1].seq,
                "voucher_id": voucher,
                "position_code": code,
                "institution_id": institution,
                "product_id": product,
                "loan_class": grade,
                "accrual": accrual,
                "currency": currency,
                "amount_fen": amount,
            }
            for draft, loan, voucher, moved in zip(drafts, loans, vouchers, moved_of, strict=True)
            for (institution, product, grade, accrual, currency, code), amount in moved.items()
        ],
    )


def _post(
    drafts: Sequence[Draft],
    loans: Sequence[Loan],
    moved_of: Sequence[Keyed],
    accounts: AccountResolver,
    actor: Actor,
    on: date,
) -> list[int | None]:
    specs: list[VoucherSpec] = []
    places: list[int] = []
    for index, (draft, loan, moved) in enumerate(zip(drafts, loans, moved_of, strict=True)):
        if moved:
            history = draft.blueprint.basis != CUT_OVER
            specs.append(
                VoucherSpec(
                    booked_on=on,
                    institution_id=draft.blueprint.institution_id,
                    source="OPENING",
                    kind="IMPORT",
                    summary=f"存量转入 {loan.number}",
                    subject=f"loan:{loan.pk}",
                    lines=opening_lines(moved, loan_id=loan.pk, accounts=accounts, history=history),
                )
            )
            places.append(index)
    ids: list[int | None] = [None] * len(drafts)
    for index, voucher_id in zip(
        places, post_vouchers(specs, actor=actor, accounts=accounts) if specs else [], strict=True
    ):
        ids[index] = voucher_id
    return ids


def opening_lines(moved: Keyed, *, loan_id: int, accounts: AccountResolver, history: bool) -> list[LineSpec]:
    """头寸 → 分录；照历史转入的，收付与损益的对方落到期初转入科目（表外的不动）。"""
    lines = position_lines(moved, loan_id=loan_id)
    if not history:
        return lines
    return [
        replace(line, account_id=accounts.account("OPENING_EQUITY", line.product_id))
        if line.position_code in NOT_OURS - OFF_BALANCE
        else line
        for line in lines
    ]


def facts_data(draft: Draft) -> dict[str, Any]:
    """入账后记在转入行上的结果：末条事实、依据与文件所说的余额，供对账。"""
    plan = draft.blueprint
    return {
        "last_seq": plan.facts[-1].seq,
        "basis": plan.basis,
        "as_of": plan.as_of.isoformat(),
        "expected": plan.expected,
    }
