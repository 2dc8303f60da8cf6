"""每种单据一份样张：一笔 5 万元、12 期等额本息、年利率 14.4 % 的农户贷款。"""

from datetime import UTC, date, datetime, timedelta

from sancha.apps.servicing.documents import models as m
from sancha.kernel.disclosure import ContingentItem, CostItem, cost_statement

PRINTED_AT = datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC)
BORROWER = "欧阳建国"
BANK = "青川县农村商业银行"


def letterhead(number: str, **changes: str) -> m.Letterhead:
    return m.Letterhead(
        institution="青川县农村商业银行柳溪支行",
        number=number,
        printed_by="制单：王小芳",
        printed_at=PRINTED_AT,
        **changes,
    )


LOAN = m.LoanFacts(
    borrower=BORROWER,
    identity="110105********002X",
    contract_no="（2026）青川农商借字第000123号",
    loan_no="青川农商借字2026-000123-001",
    principal_fen=5_000_000,
    annual_rate_ppm=144_000,
    starts_on=date(2026, 1, 15),
    matures_on=date(2027, 1, 15),
    term="12个月",
    method="等额本息，按月归还",
    day_count="按月（年利率÷12）",
    account="6228 **** **** 1234",
)


def schedule(paid: int = 0) -> tuple[m.ScheduleRow, ...]:
    rows, balance, start = [], 5_000_000, date(2026, 1, 15)
    for no in range(1, 13):
        due = date(2026 + no // 12, no % 12 + 1, 15)
        interest = (balance * 12 + 500) // 1000
        principal = balance if no == 12 else 449_877 - interest
        done = no <= paid
        late = no == 2
        rows.append(
            m.ScheduleRow(
                no=no,
                from_on=start,
                due_on=due,
                days=(due - start).days,
                opening_fen=balance,
                principal_fen=principal,
                interest_fen=interest,
                closing_fen=balance - principal,
                state="已还" if done else ("逾期" if no == paid + 1 else "未到期"),
                paid_on=(due + timedelta(days=4 if late else 0)) if done else None,
                paid_principal_fen=principal if done else 0,
                paid_interest_fen=interest if done else 0,
                paid_penalty_fen=938 if done and late else 0,
                paid_compound_fen=134 if done and late else 0,
                overdue_days=4 if done and late else 0,
            )
        )
        balance, start = balance - principal, due
    return tuple(rows)


def entry(code: str, name: str, debit: int = 0, credit: int = 0, summary: str = "") -> m.Entry:
    return m.Entry(summary=summary, account_code=code, account_name=name, debit_fen=debit, credit_fen=credit)


HANDLERS = m.Handlers(handler="王小芳", checker="李志强", supervisor="赵敏")

LOAN_NOTE = m.LoanNote(
    letterhead=letterhead("青川农商借字2026-000123-001", copy_note="第二联　会计记账"),
    loan=LOAN,
    signed_on=date(2026, 1, 15),
    address="青川县柳溪镇东河村三组27号",
    phone="138****5678",
    purpose="养殖：购买能繁母猪及饲料 #strong[不是命令]",
    guarantee="连带责任保证（保证人：欧阳建军、司马红）",
    payment_way="自主支付",
    penalty_ppm=216_000,
    schedule=schedule(),
)

REPAYMENT_SCHEDULE = m.RepaymentSchedule(
    letterhead=letterhead("HK-2026-000123"),
    loan=LOAN,
    as_of=date(2026, 6, 20),
    rows=schedule(paid=4),
    disclosure=(
        "综合融资成本（年化，单利）14.40%；另有逾期罚息年 21.60%。",
        "应还日遇法定节假日顺延至下一工作日还款，顺延期间不另计罚息。",
        "提前还款按实际占用天数计收利息。",
    ),
)

REPAYMENT_RECEIPT = m.RepaymentReceipt(
    letterhead=letterhead("HKPZ-2026-004417", copy_note="第一联　客户留存"),
    loan=LOAN,
    paid_on=date(2026, 3, 19),
    value_on=date(2026, 3, 19),
    channel="柜面现金",
    payer="欧阳建国（本人）",
    voucher_no="2026-03-004417",
    parts=(
        m.Part(name="本金", due_fen=394_556, paid_fen=394_556, left_fen=0),
        m.Part(name="利息", due_fen=55_321, paid_fen=55_321, left_fen=0),
        m.Part(name="罚息", due_fen=938, paid_fen=938, left_fen=0),
        m.Part(name="复利", due_fen=134, paid_fen=134, left_fen=0),
    ),
    balance_fen=4_215_567,
    next_due="下期应还日 2026-04-15，应还 4,498.77 元",
    entries=(
        entry("1001", "库存现金", debit=450_949),
        entry("130301", "短期农户贷款", credit=394_556),
        entry("113201", "应收利息", credit=55_321),
        entry("601102", "罚息收入", credit=938),
        entry("601103", "复利收入", credit=134),
    ),
    handlers=HANDLERS,
)

INTEREST_LIST = m.InterestList(
    letterhead=letterhead("LX-2026-000881"),
    loan=LOAN,
    from_on=date(2026, 2, 15),
    to_on=date(2026, 3, 19),
    lines=(
        m.InterestLine(
            kind="利息",
            from_on=date(2026, 2, 15),
            to_on=date(2026, 3, 15),
            days=28,
            base_fen=4_610_123,
            annual_rate_ppm=144_000,
            basis="对月 1/12",
            interest_fen=55_321,
        ),
        m.InterestLine(
            kind="罚息",
            from_on=date(2026, 3, 15),
            to_on=date(2026, 3, 19),
            days=4,
            base_fen=394_556,
            annual_rate_ppm=216_000,
            basis="实际天数/360",
            interest_fen=947,
        ),
        m.InterestLine(
            kind="复利",
            from_on=date(2026, 3, 15),
            to_on=date(2026, 3, 19),
            days=4,
            base_fen=55_321,
            annual_rate_ppm=216_000,
            basis="实际天数/360",
            interest_fen=133,
        ),
    ),
    paid_fen=56_400,
    handlers=HANDLERS,
)

ACCOUNT_STATEMENT = m.AccountStatement(
    letterhead=letterhead("DZ-2026-000077"),
    loan=LOAN,
    from_on=date(2026, 1, 1),
    to_on=date(2026, 6, 30),
    opening_fen=0,
    lines=(
        m.StatementLine(
            day=date(2026, 1, 15),
            summary="贷款发放",
            voucher_no="2026-01-000311",
            lent_fen=5_000_000,
            balance_fen=5_000_000,
        ),
        *(
            m.StatementLine(
                day=row.paid_on,
                summary=f"归还第 {row.no} 期",
                voucher_no=f"2026-0{row.no + 1}-00{row.no}417",
                principal_fen=row.paid_principal_fen,
                interest_fen=row.paid_interest_fen,
                penalty_fen=row.paid_penalty_fen + row.paid_compound_fen,
                balance_fen=row.closing_fen,
            )
            for row in schedule(paid=5)[:5]
        ),
    ),
    balances=(
        m.Balance(name="未到期本金", amount_fen=3_003_264),
        m.Balance(name="逾期本金", amount_fen=0),
        m.Balance(name="应付利息", amount_fen=18_060),
        m.Balance(name="罚息复利", amount_fen=0),
        m.Balance(name="溢缴款", amount_fen=0),
    ),
    reply_days=15,
)

SETTLEMENT_CERTIFICATE = m.SettlementCertificate(
    letterhead=letterhead("青川农商结清〔2027〕第0008号"),
    loan=LOAN,
    settled_on=date(2027, 1, 15),
    issued_on=date(2027, 1, 18),
    paid_principal_fen=5_000_000,
    paid_interest_fen=399_598,
    lender_address="青川县柳溪镇人民路18号",
    lender_phone="0839-7201234",
    statement="该笔贷款项下已无任何欠款，相应的担保责任同时解除。",
)

RELEASE_LIST = m.ReleaseList(
    letterhead=letterhead("JY-2027-000008"),
    loan=LOAN,
    settled_on=date(2027, 1, 15),
    items=(
        m.ReleaseItem(
            kind="抵押",
            name="青川县柳溪镇东河村三组27号房屋（126.5㎡）",
            certificate_no="川（2019）青川县不动产权第0003127号",
            owner=BORROWER,
            action="注销抵押登记，交还不动产登记证明",
            due_on=date(2027, 1, 25),
        ),
        m.ReleaseItem(
            kind="质押",
            name="定期存单（壹万元整）",
            certificate_no="0098123456",
            owner="司马红",
            action="解除止付，交还存单",
            due_on=date(2027, 1, 20),
        ),
        m.ReleaseItem(
            kind="保证",
            name="连带责任保证",
            certificate_no="（2026）青川农商保字第000123-B01号",
            owner="欧阳建军",
            action="出具保证责任解除通知",
            due_on=date(2027, 1, 20),
            note="邮寄",
        ),
    ),
)

VOUCHER = m.Voucher(
    letterhead=letterhead("2026-03-004417"),
    booked_on=date(2026, 3, 19),
    kind="转账",
    source="信贷",
    subject="借据 2026-000123-001",
    entries=(
        entry("2001", "贷款收付过渡", debit=450_949, summary="收欧阳建国还款"),
        entry("130301", "短期农户贷款", credit=394_556, summary="归还第 2 期本金"),
        entry("113201", "应收利息", credit=55_321, summary="归还第 2 期利息"),
        entry("601102", "罚息收入", credit=938, summary="罚息 4 天"),
        entry("601103", "复利收入", credit=134, summary="复利 4 天"),
    ),
    attachments=2,
    maker="系统",
    checker="李志强",
    poster="系统",
    supervisor="赵敏",
)


def balance_row(code: str, name: str, level: int, *fen: int) -> m.TrialBalanceRow:
    keys = ("opening_debit_fen", "opening_credit_fen", "debit_fen", "credit_fen")
    values = dict(zip(keys, fen, strict=True))
    net = fen[0] - fen[1] + fen[2] - fen[3]
    return m.TrialBalanceRow(
        code=code, name=name, level=level, **values, closing_debit_fen=max(net, 0), closing_credit_fen=max(-net, 0)
    )


TRIAL_BALANCE = m.TrialBalance(
    letterhead=letterhead("SS-2026-03"),
    from_on=date(2026, 3, 1),
    to_on=date(2026, 3, 31),
    scope="柳溪支行及下辖机构",
    rows=(
        balance_row("1001", "库存现金", 1, 3_210_000, 0, 450_949, 100_000),
        balance_row("1303", "贷款", 1, 4_610_000_00, 0, 120_000_00, 394_556),
        balance_row("130301", "短期农户贷款", 2, 3_610_000_00, 0, 120_000_00, 394_556),
        balance_row("130302", "个体工商户贷款", 2, 1_000_000_00, 0, 0, 0),
        balance_row("1132", "应收利息", 1, 5_532_000, 0, 610_000, 55_321),
        balance_row("2011", "吸收存款", 1, 0, 400_000_000, 0, 11_900_000),
        balance_row("4001", "实收资本", 1, 0, 69_742_000, 0, 0),
        balance_row("6011", "利息收入", 1, 0, 0, 0, 611_072),
    ),
    handlers=HANDLERS,
)


def _disclosure() -> m.CostDisclosure:
    rows = schedule()
    statement = cost_statement(
        principal_flows=[(0, 5_000_000), *((row.no, -row.principal_fen) for row in rows)],
        items=(
            CostItem(
                "利息",
                "按月随本金归还",
                "年利率 14.40%",
                "青川县农村商业银行",
                tuple((row.no, row.interest_fen) for row in rows),
            ),
            CostItem("担保服务费", "放款前一次性支付", "贷款金额的 1.00%", "青川县小额贷款担保中心", ((0, 50_000),)),
        ),
        contingent=(
            ContingentItem("逾期罚息", "未按约定日期归还本金", "合同利率上浮 50%，年 21.60%", BANK, 216_000),
            ContingentItem("复利", "未按约定日期支付利息", "期内按合同利率，逾期后按罚息利率", "青川县农村商业银行"),
            ContingentItem("挪用罚息", "未按约定用途使用贷款", "合同利率上浮 100%，年 28.80%", BANK, 288_000),
        ),
    )
    return m.CostDisclosure.of(
        statement,
        letterhead=letterhead("MS-2026-000123"),
        borrower=BORROWER,
        identity="110105********002X",
        product="农户小额贷款",
        term="12个月",
        method="等额本息，按月归还",
    )


SAMPLES: dict[str, m.Document] = {
    "loan_note": LOAN_NOTE,
    "repayment_schedule": REPAYMENT_SCHEDULE,
    "repayment_receipt": REPAYMENT_RECEIPT,
    "interest_list": INTEREST_LIST,
    "account_statement": ACCOUNT_STATEMENT,
    "settlement_certificate": SETTLEMENT_CERTIFICATE,
    "release_list": RELEASE_LIST,
    "voucher": VOUCHER,
    "trial_balance": TRIAL_BALANCE,
    "cost_disclosure": _disclosure(),
}
