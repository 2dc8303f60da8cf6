"""由一笔借据制单：把账上的数放进各种单据的模型。只取数、不另算；证件号一律遮蔽。"""

from __future__ import annotations

from datetime import date, timedelta

from sancha.apps.ledger.queries import VoucherDetail
from sancha.apps.parties.masking import mask_address, mask_id_number, mask_phone
from sancha.apps.servicing.documents import models as m
from sancha.apps.servicing.queries import LoanView, Step, history
from sancha.kernel.allocation import compound_owed, fee_owed, half_up, penalty_owed
from sancha.kernel.daycount import ACTUAL_BASIS
from sancha.kernel.facts import FactKind
from sancha.kernel.replay import replay
from sancha.kernel.state import State
from sancha.kernel.terms import PPM, Terms
from sancha.kernel.timetable import Standing
from sancha.kernel.trace import Segment, Trace
from sancha.kit.errors import Conflict, NotFound
from sancha.rulebook.vocabulary import GuaranteeKind, label

CHANNELS = {"COUNTER": "柜面", "TRANSFER": "转账", "DEBIT": "代扣", "CASH": "现金", "ONLINE": "网银手机"}
STANDINGS = {
    Standing.FUTURE: "未到期",
    Standing.DUE: "今日应还",
    Standing.OVERDUE: "逾期",
    Standing.PAID: "已还",
    Standing.PAID_LATE: "迟还",
    Standing.MOVED: "已重订",
    Standing.NOTHING: "",
}
REPAYMENTS = frozenset({FactKind.REPAYMENT, FactKind.PREPAYMENT, FactKind.SETTLEMENT})
REPLY_DAYS = 15
COLLATERAL = frozenset({GuaranteeKind.MORTGAGE, GuaranteeKind.PLEDGE})


def loan_facts(view: LoanView) -> m.LoanFacts:
    """借款要素。"""
    loan, terms = view.loan, view.terms
    return m.LoanFacts(
        borrower=loan.party.name,
        identity_kind=loan.party.get_id_kind_display(),
        identity=mask_id_number(loan.party.id_number) or "—",
        contract_no=loan.contract_number or "—",
        loan_no=loan.number,
        principal_fen=terms.principal_fen,
        annual_rate_ppm=view.state.rate_ppm or terms.rate_ppm,
        starts_on=loan.starts_on,
        matures_on=loan.matures_on,
        term=_term(loan.starts_on, loan.matures_on),
        method=f"{label(terms.method)}，每{terms.period_every if terms.period_every > 1 else ''}{label(terms.period_unit)}",
        day_count=label(terms.day_count),
        account="—",
    )


def _term(start: date, end: date) -> str:
    months = (end.year - start.year) * 12 + end.month - start.month
    return f"{months}个月" if end.day == start.day and months else f"{(end - start).days}天"


def _rows(view: LoanView) -> tuple[m.ScheduleRow, ...]:
    return tuple(
        m.ScheduleRow(
            no=row.no, from_on=row.starts_on, due_on=row.due_on, days=row.days, opening_fen=row.opening_fen, principal_fen=row.principal_fen,
            interest_fen=row.interest_fen, closing_fen=row.closing_fen, state=STANDINGS[row.standing], paid_on=row.settled_on,
            paid_principal_fen=row.paid_principal_fen, paid_interest_fen=row.paid_interest_fen, overdue_days=row.days_late,
        )
        for row in view.timetable()
    )  # fmt: skip


def loan_note(view: LoanView, head: m.Letterhead) -> m.LoanNote:
    """借款借据。"""
    loan, terms = view.loan, view.terms
    guarantee = GuaranteeKind(loan.guarantee).label if loan.guarantee else "—"
    return m.LoanNote(
        letterhead=head,
        loan=loan_facts(view),
        signed_on=loan.starts_on,
        address=mask_address(loan.party.address),
        phone=mask_phone(loan.party.phone),
        purpose=loan.purpose or "—",
        guarantee=f"{guarantee}（{loan.guarantor}）" if loan.guarantor else guarantee,
        payment_way="—",
        penalty_ppm=terms.penalty_rate_ppm(terms.rate_ppm),
        schedule=_rows(view),
    )


def repayment_schedule(view: LoanView, head: m.Letterhead) -> m.RepaymentSchedule:
    """还款计划表。"""
    terms = view.terms
    notes = (
        f"逾期罚息年利率 {_percent(terms.penalty_rate_ppm(view.state.rate_ppm or terms.rate_ppm))}；复利：{label(terms.compound)}。",
        f"应还日遇节假日：{label(terms.roll)}。未到期各期按现行利率、假定按期还款排出。",
    )
    return m.RepaymentSchedule(
        letterhead=head, loan=loan_facts(view), as_of=view.on, rows=_rows(view), disclosure=notes
    )


def _percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d}%"


def _owed(terms: Terms, state: State) -> dict[str, int]:
    return {
        "本金": sum(item.principal_unpaid for item in state.installments[state.first :]),
        "利息": state.interest_unpaid,
        "罚息": penalty_owed(terms, state),
        "复利": compound_owed(terms, state),
        "费用": fee_owed(state),
    }


PARTS = {
    "本金": "principal",
    "利息": "interest",
    "罚息": "penalty",
    "复利": "compound",
    "费用": "fee",
    "溢缴": "overpayment",
}


def repayment_step(view: LoanView, seq: int) -> Step:
    """某号还款。

    :raises NotFound: 没有这笔还款。
    :raises Conflict: 已被冲正，不再出凭证。
    """
    step = next((step for step in history(view) if step.seq == seq and step.kind in REPAYMENTS), None)
    if step is None:
        raise NotFound(
            "REPAYMENT_NOT_FOUND",
            f"借据 {view.loan.number} 没有第 {seq} 号还款。",
            field="seq",
            value=seq,
            fix="请从时间线上选择。",
        )
    if step.reversed_by:
        raise Conflict(
            "ALREADY_REVERSED",
            f"第 {seq} 号还款已被第 {step.reversed_by} 号冲正。",
            field="seq",
            value=seq,
            fix="冲正的还款不出凭证。",
        )
    return step


def repayment_receipt(
    view: LoanView, head: m.Letterhead, step: Step, voucher: VoucherDetail | None
) -> m.RepaymentReceipt:
    """还款凭证：本、息、罚、复、费各多少，余额，会计分录。"""
    after = replay(view.terms, view.facts, on=step.value_on, known_seq=step.seq)
    left = _owed(view.terms, after)
    paid = {name: step.allocated.get(code, 0) for name, code in PARTS.items()}
    now = view.figures()
    return m.RepaymentReceipt(
        letterhead=head,
        loan=loan_facts(view),
        paid_on=step.booked_on,
        value_on=step.value_on,
        channel=CHANNELS.get(step.data.get("channel", ""), "—"),
        payer=step.data.get("payer_name") or f"{view.loan.party.name}（本人）",
        voucher_no=_voucher_no(voucher, step),
        parts=tuple(
            m.Part(name=name, due_fen=paid[name] + left.get(name, 0), paid_fen=paid[name], left_fen=left.get(name, 0))
            for name in PARTS
            if paid[name] or left.get(name)
        ),
        balance_fen=after.principal,
        next_due=_next_due(now.next_due_on, now.next_due_fen),
        entries=tuple(
            m.Entry(
                summary=line.summary,
                account_code=line.account_code,
                account_name=line.account_name,
                debit_fen=line.debit_fen,
                credit_fen=line.credit_fen,
            )
            for line in (voucher.lines if voucher else ())
        ),
        handlers=m.Handlers(handler=step.recorded_by),
    )


def _voucher_no(voucher: VoucherDetail | None, step: Step) -> str:
    if voucher is not None and voucher.head.number:
        return f"{voucher.head.booked_on:%Y-%m-%d}-{voucher.head.number:06d}"
    return f"内部号 {step.voucher_id}（日终后编号）" if step.voucher_id else "—"


def _next_due(day: date | None, fen: int) -> str:
    return f"下期应还日 {day}，应还 {fen // 100:,}.{fen % 100:02d} 元" if day else "已无待还各期"


def interest_list(view: LoanView, head: m.Letterhead) -> m.InterestList:
    """贷款利息清单：各期利息，与罚息、复利的每一段。合计与账上累计一分不差。"""
    terms, state = view.terms, view.state
    trace = Trace()
    replay(terms, view.facts, on=view.on, known_at=view.known_at, trace=trace)
    basis = label(terms.day_count)
    lines = [
        m.InterestLine(
            kind="利息", from_on=row.starts_on, to_on=row.due_on, days=row.days, base_fen=row.opening_fen, annual_rate_ppm=row.rate_ppm, basis=basis,
            interest_fen=row.interest_fen,
        )
        for row in view.timetable()
        if row.due_on <= view.on and row.interest_fen
    ]  # fmt: skip
    lines += _segment_lines("罚息", trace.penalty, terms)
    lines += _segment_lines("复利", trace.compound, terms)
    paid = state.interest_paid + state.penalty_paid + state.compound_paid
    return m.InterestList(
        letterhead=head, loan=loan_facts(view), from_on=terms.start, to_on=view.on, lines=tuple(lines), paid_fen=paid
    )


def _segment_lines(kind: str, segments: list[Segment], terms: Terms) -> list[m.InterestLine]:
    """相邻同基数同利率的合成一行；每行 = 累计取整之差，故各行之和就是累计数。"""
    merged: list[list[int]] = []
    for part in segments:
        if not part.numerator:
            continue
        last = merged[-1] if merged else None
        if last and last[1] == part.start and (last[2], last[3]) == (part.base, part.rate_ppm):
            last[1], last[4] = part.end, last[4] + part.numerator
        else:
            merged.append([part.start, part.end, part.base, part.rate_ppm, part.numerator])
    den, total, lines = PPM * terms.actual_basis, 0, []
    for start, end, base, rate, numerator in merged:
        before, total = half_up(total, den), total + numerator
        lines.append(
            m.InterestLine(
                kind=kind, from_on=date.fromordinal(start), to_on=date.fromordinal(end), days=end - start, base_fen=base, annual_rate_ppm=rate,
                basis=f"实际天数/{ACTUAL_BASIS[terms.day_count]}", interest_fen=half_up(total, den) - before,
            )
        )  # fmt: skip
    return lines


SUMMARIES = {
    "DISBURSEMENT": "贷款发放",
    "OPENING": "期初转入",
    "REPAYMENT": "还款",
    "PREPAYMENT": "提前还本",
    "SETTLEMENT": "提前结清",
    "REFUND": "退还溢缴款",
    "RECOVERY": "核销后收回",
}


def account_statement(view: LoanView, head: m.Letterhead) -> m.AccountStatement:
    """客户对账单：自起息至今的每一笔收付。"""
    lines = []
    for step in reversed(history(view)):
        if step.kind not in SUMMARIES or step.reversed_by:
            continue
        spread = step.allocated
        lines.append(
            m.StatementLine(
                day=step.value_on,
                summary=SUMMARIES[step.kind],
                voucher_no=str(step.voucher_id or ""),
                lent_fen=step.amount_fen if step.kind in {"DISBURSEMENT", "OPENING"} else 0,
                principal_fen=spread.get("principal", 0),
                interest_fen=spread.get("interest", 0),
                penalty_fen=spread.get("penalty", 0) + spread.get("compound", 0),
                fee_fen=spread.get("fee", 0),
                balance_fen=step.balance_fen or 0,
            )
        )
    now = view.figures()
    balances = (
        ("未到期本金", now.balance_fen - now.overdue_principal_fen),
        ("逾期本金", now.overdue_principal_fen),
        ("欠息", now.interest_due_fen),
        ("未结利息", now.interest_accrued_fen),
        ("罚息复利", now.penalty_fen + now.compound_fen),
        ("费用", now.fee_fen),
        ("溢缴款", now.overpayment_fen),
    )
    return m.AccountStatement(
        letterhead=head, loan=loan_facts(view), from_on=view.terms.start, to_on=view.on, opening_fen=0, lines=tuple(lines),
        balances=tuple(m.Balance(name=name, amount_fen=fen) for name, fen in balances), reply_days=REPLY_DAYS,
    )  # fmt: skip


def _settled(view: LoanView) -> date:
    if view.loan.settled_on is None:
        raise Conflict(
            "LOAN_NOT_SETTLED",
            f"借据 {view.loan.number} 尚未结清。",
            field="loan_id",
            value=view.loan.number,
            fix="结清之后才能出具结清证明与解押清单。",
        )
    return view.loan.settled_on


def settlement_certificate(view: LoanView, head: m.Letterhead) -> m.SettlementCertificate:
    """结清证明。

    :raises Conflict: 尚未结清。
    """
    settled, place, state = _settled(view), view.loan.institution, view.state
    return m.SettlementCertificate(
        letterhead=head,
        loan=loan_facts(view),
        settled_on=settled,
        issued_on=view.business_date,
        paid_principal_fen=state.principal_paid,
        paid_interest_fen=state.interest_paid + state.penalty_paid + state.compound_paid,
        lender_address=place.address or "—",
        lender_phone=place.phone or "—",
        statement=f"上述借款本息已于 {settled.year}年{settled.month}月{settled.day}日全部结清，双方就本笔借款再无债权债务。",
    )


def release_list(view: LoanView, head: m.Letterhead) -> m.ReleaseList:
    """解押、退还清单：担保与借据原件。

    :raises Conflict: 尚未结清。
    """
    settled, loan = _settled(view), view.loan
    kind = GuaranteeKind(loan.guarantee) if loan.guarantee else GuaranteeKind.UNSECURED
    due = settled + timedelta(days=1)
    items = [
        m.ReleaseItem(
            kind="借据",
            name="借款借据原件",
            certificate_no=loan.number,
            owner=loan.party.name,
            action="注销后退还",
            due_on=due,
        )
    ]
    if kind in COLLATERAL:
        items.append(
            m.ReleaseItem(
                kind=kind.label,
                name=loan.guarantor or "见担保合同",
                certificate_no="见登记证明",
                owner="—",
                action="注销登记、退还权证",
                due_on=due,
            )
        )
    elif kind is not GuaranteeKind.UNSECURED:
        items.append(
            m.ReleaseItem(
                kind=kind.label,
                name=loan.guarantor or "见担保合同",
                certificate_no="—",
                owner="—",
                action="书面告知保证责任解除",
                due_on=due,
            )
        )
    return m.ReleaseList(letterhead=head, loan=loan_facts(view), settled_on=settled, items=tuple(items))
