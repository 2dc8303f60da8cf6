"""一笔借据的账：锁住、接着走、加一条事实、把头寸之差记成凭证与分户账。

算法见 docs/algorithms/books.md 第 2–7、9 条：

* 借据的账立于 ``max(分区账立日, 自己的 from_day)``，记作 B；事实的凭证 = ``position(B, 加上该事实) − 账上头寸(B)``。
* 分区正在日终 d 而本借据还停在 d：先让它单独走到 d+1（凭证记 d 日），再记事实。
* 倒签的事实改变了已计提的部分，差额就在它自己的凭证里；汇总凭证永不改。
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection

from sancha.apps.businessday import queries as businessday
from sancha.apps.businessday.queries import PartitionInfo
from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.cashdesk.operations import ReceiptClaim
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.posting import VoucherSpec, post_vouchers
from sancha.apps.servicing.events import fact_recorded, fact_restored, standing_of
from sancha.apps.servicing.mapping import STATE_COLUMNS, booked_position, facts_of, projection, state_of, terms_of
from sancha.apps.servicing.models import Loan, LoanFact, LoanState, LoanStatus, Movement
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.positions import Key, accounting_key, positions
from sancha.kernel.quote import is_settled
from sancha.kernel.replay import advance, follows, replay
from sancha.kernel.state import State
from sancha.kernel.terms import Terms
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.rowset import ColumnType, rowset

Keyed = dict[tuple[int, int, int, int, str, str], int]
"""（机构, 产品, 分类, 应计, 币种, 头寸代码）→ 分。"""


class PositionMismatch(Conflict):
    """账上头寸与重放不符：绝不带差入账，整个事务退回；日终的抽查会把借据隔离。"""

    def __init__(self, message: str) -> None:
        super().__init__(
            "POSITION_MISMATCH",
            message,
            clause="docs/algorithms/books.md",
            fix="没有入账。请在不变式看板全查一遍，查明差异；借据会被隔离，查明后解除。",
        )


def keyed(key: Key, amounts: dict[str, int]) -> Keyed:
    """给头寸挂上会计键。"""
    return {
        (int(key.institution), int(key.product), key.loan_class, key.accrual, key.currency, code): amount
        for code, amount in amounts.items()
    }


def difference(after: Keyed, before: Keyed) -> Keyed:
    """头寸之差，零不列。"""
    moved = dict(after)
    for place, amount in before.items():
        moved[place] = moved.get(place, 0) - amount
    return {place: amount for place, amount in moved.items() if amount}


@dataclass(slots=True)
class OpenLoan:
    """锁住的借据：行、条款、此刻的状态，以及它的账所立之日。"""

    loan: Loan
    row: LoanState
    terms: Terms
    state: State
    partition: PartitionInfo
    accounts: AccountResolver | None = None
    facts: list[Fact] | None = None
    voucher_id: int | None = None
    receipt_use_id: int | None = None

    @property
    def stands_on(self) -> date:
        """账所立之日 B。"""
        return date.fromordinal(max(self.partition.accrued_to.toordinal(), self.row.from_day))

    def all_facts(self) -> list[Fact]:
        """全部事实（一次查询，取过不再取）。"""
        if self.facts is None:
            self.facts = facts_of(LoanFact.objects.filter(loan_id=self.loan.pk).order_by("seq"))
        return self.facts

    def resolver(self) -> AccountResolver:
        """科目对照（每个操作解析一次）。"""
        if self.accounts is None:
            self.accounts = resolve_accounts(self.partition.business_date)
        return self.accounts


def open_loan(*, loan_id: int, actor: Actor, on: date | None = None) -> OpenLoan:
    """锁住借据与其分区（共享），检查范围与隔离，必要时先让它单独走完正在日终的那一天。

    :raises NotFound: 借据不存在或不在数据范围内。
    :raises Conflict: 借据被隔离；``on`` 不是当前营业日。
    """
    assert connection.in_atomic_block
    # The loan is locked too: after a wait only locked rows are read anew, and its status would be the old one.
    row = (
        LoanState.objects.select_for_update(of=("self", "loan"), no_key=True)
        .select_related("loan__institution")
        .filter(pk=loan_id, loan__institution__path__startswith=actor.institution_path)
        .first()
    )
    if row is None:
        raise NotFound(
            "LOAN_NOT_FOUND",
            f"没有编号为 {loan_id} 的存续借据，或不在您的机构范围内。",
            field="loan_id",
            value=loan_id,
            fix="请核对借据号；待复核的借据须先复核放款。",
        )
    partition = businessday.lock_partition(partition_id=row.partition_id, exclusive=False)
    if on is not None and on != partition.business_date:
        raise Conflict(
            "NOT_BUSINESS_DATE",
            f"当前营业日是 {partition.business_date}，不能记在 {on}。",
            field="on",
            value=on,
            clause="docs/algorithms/books.md",
            fix="记账日只能是当前营业日；要补记以前的，请把起息日写成那天（倒签）。",
        )
    if row.held:
        raise Conflict(
            "LOAN_HELD",
            f"借据 {row.loan.number} 已被隔离：{row.held_reason}",
            field="loan_id",
            value=row.loan.number,
            fix="请在不变式看板查明差异并解除隔离后再办理。",
        )
    opened = OpenLoan(loan=row.loan, row=row, terms=terms_of(row.loan.terms), state=state_of(row), partition=partition)
    if partition.closing is not None and row.from_day <= partition.closing.toordinal():
        _advance_alone(opened, partition.closing, actor)
    return opened


def _advance_alone(opened: OpenLoan, day: date, actor: Actor) -> None:
    """正在日终 ``day``：本借据先单独走到次日，凭证记 ``day``（第 9 条，不论它当天有无事件）。"""
    key = accounting_key(opened.terms, opened.state)
    before = keyed(key, booked_position(opened.row, day.toordinal()))
    opened.state = advance(opened.terms, opened.state, [], to=day + timedelta(days=1))
    store(opened, before, booked_on=day, fact_seq=None, kind="EVENT", actor=actor, summary="日终单独结转")


def record_fact(
    opened: OpenLoan,
    *,
    kind: FactKind,
    actor: Actor,
    value_on: date | None = None,
    amount_fen: int = 0,
    data: dict[str, Any] | None = None,
    summary: str,
    operation: str,
    receipt_id: int | None = None,
) -> Fact:
    """加一条事实并入账。``opened`` 必须刚由 :func:`open_loan` 锁住。

    :raises DomainError: 起息日晚于账立日、早于起息或切换日。
    :raises PositionMismatch: 账上头寸与重放不符。
    """
    stands_on = opened.stands_on
    value_on = value_on or stands_on
    check_value_date(opened, value_on, stands_on)
    standing = standing_of(opened.loan, opened.row, stands_on)
    before_state = (
        opened.state
        if opened.state.on == stands_on.toordinal()
        else advance(opened.terms, opened.state, [], to=stands_on)
    )
    key = accounting_key(opened.terms, before_state)
    booked = booked_position(opened.row, stands_on.toordinal())
    if booked != positions(opened.terms, before_state):
        raise PositionMismatch(
            f"借据 {opened.loan.number} 在 {stands_on} 账上头寸 {booked}，按状态应为 {positions(opened.terms, before_state)}。"
        )
    fact = Fact(opened.row.last_seq + 1, kind, value_on, opened.partition.business_date, amount_fen, data or {})
    if follows(opened.state, fact):
        opened.state = advance(opened.terms, opened.state, [fact], to=stands_on)
    else:
        history = opened.all_facts()
        again = replay(opened.terms, history, on=stands_on)
        if positions(opened.terms, again) != booked:
            raise PositionMismatch(
                f"借据 {opened.loan.number} 在 {stands_on} 账上头寸 {booked}，从头重放为 {positions(opened.terms, again)}。"
            )
        opened.state = replay(opened.terms, [*history, fact], on=stands_on)
    _follow_partition(opened)
    if opened.facts is not None:
        opened.facts.append(fact)
    opened.row.last_seq = fact.seq
    claim = None
    if receipt_id is not None:
        claim = cashdesk.claim_receipt(
            receipt_id=receipt_id,
            amount_fen=amount_fen,
            subject=f"loan:{opened.loan.pk}",
            booked_on=fact.booked_on,
            accounts=opened.resolver(),
            institution_id=opened.row.institution_id,
            label=opened.loan.number,
        )
    store(
        opened,
        keyed(key, booked),
        booked_on=fact.booked_on,
        fact_seq=fact.seq,
        kind=str(kind),
        actor=actor,
        summary=summary,
        claim=claim,
    )
    kept = dict(fact.data)
    if claim is not None:
        kept["receipt_id"] = claim.receipt_id
        kept["receipt_use_id"] = opened.receipt_use_id
    LoanFact.objects.create(
        loan_id=opened.loan.pk,
        seq=fact.seq,
        kind=str(kind),
        value_on=value_on,
        booked_on=fact.booked_on,
        amount_fen=amount_fen,
        data=kept,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
        operation=operation,
    )
    target = _fact_at(opened, int(fact.data["seq"])) if kind is FactKind.REVERSAL else None
    if target is not None and target.kind is FactKind.REVERSAL:
        fact_restored(opened.loan, opened.row, _fact_at(opened, int(target.data["seq"])), on=fact.booked_on)
    fact_recorded(opened.loan, opened.row, fact, target=target, before=standing, stands_on=stands_on)
    return fact


def _fact_at(opened: OpenLoan, seq: int) -> Fact | None:
    return next((fact for fact in opened.all_facts() if fact.seq == seq), None)


def _follow_partition(opened: OpenLoan) -> None:
    """换了机构（划转、冲正划转）就换到它的日终分区；两区须立于同一天且都不在日终（第 12 条）。"""
    institution_id = int(accounting_key(opened.terms, opened.state).institution)
    if institution_id == opened.row.institution_id:
        return
    place = businessday.partition_of(institution_id=institution_id)
    if place.id == opened.partition.id:
        return
    place = businessday.lock_partition(partition_id=place.id, exclusive=False)
    here = opened.partition
    if place.accrued_to != here.accrued_to or place.closing is not None or here.closing is not None:
        raise Conflict(
            "PARTITION_NOT_ALIGNED",
            f"两机构的账不立于同一天（{here.accrued_to} 与 {place.accrued_to}），或正在日终。",
            field="institution_id",
            value=institution_id,
            clause="docs/algorithms/books.md",
            fix="请在日终结束后办理。",
        )
    opened.row.partition_id = place.id
    opened.row.save(update_fields=["partition_id"])


def check_value_date(opened: OpenLoan, value_on: date, stands_on: date) -> None:
    """起息日不晚于账立日、不早于借据起点。

    :raises DomainError: 太晚或太早，写明可用的日子。
    """
    if value_on > stands_on:
        raise DomainError(
            "VALUE_DATE_IN_FUTURE",
            f"起息日 {value_on} 晚于当前营业日 {stands_on}。",
            field="value_on",
            value=value_on,
            clause="docs/algorithms/books.md",
            fix="起息日不能晚于营业日；约定将来扣款请用代扣安排。",
        )
    first = opened.terms.start
    if opened.state.opened[0] or opened.state.opened[1]:
        # A cut-over position stands for all that came before it; nothing may be dated before the cut-over.
        opening = next((fact for fact in opened.all_facts() if fact.kind is FactKind.OPENING), None)
        first = opening.value_on if opening else first
    if value_on < first:
        raise DomainError(
            "VALUE_DATE_TOO_EARLY",
            f"起息日 {value_on} 早于借据起点 {first}。",
            field="value_on",
            value=value_on,
            clause="docs/algorithms/books.md",
            fix=f"起息日不得早于 {first}（放款日或切换日）。",
        )


def store(
    opened: OpenLoan,
    before: Keyed,
    *,
    booked_on: date,
    fact_seq: int | None,
    kind: str,
    actor: Actor,
    summary: str,
    claim: ReceiptClaim | None = None,
) -> None:
    """存下新状态：头寸之差记凭证与分户账，投影各列重写，借据头上的状态跟着走。

    用到收款的（``claim``），它的凭证与借据凭证同一批记账。
    """
    after = keyed(accounting_key(opened.terms, opened.state), positions(opened.terms, opened.state))
    moved = difference(after, before)
    specs = []
    if moved:
        specs.append(
            VoucherSpec(
                booked_on=booked_on,
                institution_id=opened.row.institution_id,
                source="OPENING" if kind == "OPENING" else "SERVICING",
                kind=kind,
                summary=f"{summary} {opened.loan.number}",
                subject=f"loan:{opened.loan.pk}",
                lines=position_lines(moved, loan_id=opened.loan.pk),
            )
        )
    if claim is not None:
        specs.append(claim.voucher)
    ids = post_vouchers(specs, actor=actor, accounts=opened.resolver()) if specs else []
    opened.voucher_id = ids[0] if moved else None
    if claim is not None:
        opened.receipt_use_id = cashdesk.settle_claim(claim=claim, voucher_id=ids[-1], actor=actor)
    write_movements([(opened.loan.pk, booked_on, fact_seq, opened.voucher_id, moved)])
    values = projection(opened.terms, opened.state, opened.row.last_seq)
    for name in STATE_COLUMNS:
        setattr(opened.row, name, values[name])
    opened.row.save(update_fields=STATE_COLUMNS)
    _follow_status(opened, booked_on)


def position_lines(moved: Keyed, *, loan_id: int | None = None) -> list[LineSpec]:
    """头寸之差 → 分录。"""
    return [
        LineSpec(
            amount_fen=amount,
            position_code=code,
            institution_id=institution,
            product_id=product,
            loan_class=grade,
            accrual=accrual,
            currency=currency,
            loan_id=loan_id,
        )
        for (institution, product, grade, accrual, currency, code), amount in moved.items()
    ]


_MOVEMENT_COLUMNS: dict[str, ColumnType] = {
    "loan_id": "bigint",
    "booked_on": "date",
    "fact_seq": "bigint",
    "voucher_id": "bigint",
    "institution_id": "bigint",
    "product_id": "bigint",
    "loan_class": "bigint",
    "accrual": "bigint",
    "currency": "text",
    "position_code": "text",
    "amount_fen": "bigint",
}


def write_movements(rows: Iterable[tuple[int, date, int | None, int | None, Keyed]]) -> None:
    """写分户账（一条 INSERT … SELECT，不论多少行）。每项：借据、记账日、事实序号、凭证、头寸之差。"""
    values = [
        (loan_id, booked_on, fact_seq, voucher_id, *place, amount)
        for loan_id, booked_on, fact_seq, voucher_id, moved in rows
        for place, amount in moved.items()
    ]
    if not values:
        return
    source = rowset("n", _MOVEMENT_COLUMNS, values)
    names = ", ".join(_MOVEMENT_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Movement._meta.db_table} ({names}) SELECT {names} FROM {source.sql}", source.params
        )


def hold(row: LoanState, *, reason: str, stands_day: int) -> None:
    """隔离：借据退出日终与办理，账停在 ``stands_day``——已入账的直线增量并入 ``base``，直线归零。

    汇总凭证已经记到 ``stands_day``；若只打标记而停在更早的 ``from_day``，借据合计就会少掉其间的增量，把全行的日终拦下。
    解除时从事实重放，直线随之恢复。
    """
    row.base = booked_position(row, max(stands_day, row.from_day))
    row.from_day = max(stands_day, row.from_day)
    for index in range(4):
        setattr(row, f"c{index}", 0)
        setattr(row, f"s{index}", 0)
        setattr(row, f"d{index}", 1)
    row.held, row.held_reason = True, reason
    row.save(update_fields=["base", "from_day", "held", "held_reason", *(f"{n}{i}" for n in "csd" for i in range(4))])


def _follow_status(opened: OpenLoan, on: date) -> None:
    """借据头上的状态随状态投影走：结清、核销、作废（放款冲正）、重新存续（冲正之后），以及机构。"""
    loan = opened.loan
    if not opened.state.drawn and not any(opened.state.opened):
        status = LoanStatus.VOID
    elif opened.state.written_off:
        status = LoanStatus.WRITTEN_OFF
    elif is_settled(opened.terms, opened.state):
        status = LoanStatus.SETTLED
    else:
        status = LoanStatus.ACTIVE
    matures_on = (
        date.fromordinal(opened.state.maturity) if opened.state.cur < len(opened.state.ends) else loan.matures_on
    )
    fresh = (status, opened.row.institution_id, matures_on, opened.state.rate_ppm)
    if fresh != (loan.status, loan.institution_id, loan.matures_on, loan.rate_ppm):
        loan.settled_on = on if status == LoanStatus.SETTLED else None
        loan.status, loan.institution_id, loan.matures_on, loan.rate_ppm = fresh
        loan.save(update_fields=["status", "institution", "matures_on", "rate_ppm", "settled_on"])
