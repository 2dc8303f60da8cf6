"""核对一档：不靠账、只看这一笔自己说的话圆不圆。每处毛病都带行号、值、规则与补救。"""

from __future__ import annotations

from datetime import date

from sancha.apps.servicing.importing.dossier import Choices, Dossier
from sancha.apps.servicing.importing.layout import Layout
from sancha.apps.servicing.importing.problems import DOUBT, ERROR, SKIP, Entry
from sancha.kernel.money import format_yuan
from sancha.kernel.terms import PPM

LONGEST_REF = 40
LARGEST_FEN = 100_000_000_000
"""单笔上限十亿元：再大多半是单位写错（元当成万元）。"""


def check(dossier: Dossier, layout: Layout, choices: Choices) -> None:
    """把一档核一遍，毛病记在各行上。"""
    loan = dossier.loan
    if dossier.value("status") == "NOT_LENT":
        loan.add(
            SKIP,
            "NOT_LENT",
            "状态",
            loan.cells.get("status", ""),
            "这笔没有放出，或放出后已退回，账上没有借据。",
            "不转入；如确有放款，补上放款日并改状态。",
        )
        return
    _check_place(dossier, choices)
    _check_ref(loan)
    _check_amount(loan)
    _check_days(dossier, choices)
    _check_status(dossier, layout)
    if uses_history(dossier, layout, choices):
        _check_installments(dossier)
        _check_payments(dossier, choices)
    else:
        _check_balance(dossier, choices)


def uses_history(dossier: Dossier, layout: Layout, choices: Choices) -> bool:
    """这一笔是照历史逐笔重放，还是只按切换日余额开账。"""
    basis = choices.basis if choices.basis != "AUTO" else layout.basis
    if basis == "AUTO":
        return (
            bool(dossier.payments or any("paid_fen" in entry.values for entry in dossier.installments))
            or "balance_fen" not in dossier.loan.values
        )
    return basis == "HISTORY"


def _start(dossier: Dossier) -> date | None:
    day: date | None = dossier.value("starts_on")
    return day


def _check_place(dossier: Dossier, choices: Choices) -> None:
    loan = dossier.loan
    if (name := loan.values.get("institution")) and name not in choices.institutions:
        loan.add(
            ERROR,
            "INSTITUTION_UNKNOWN",
            "机构",
            name,
            f"没有机构「{name}」，或不在您的机构范围内。",
            "写机构号或全称；须在您的管辖范围内。",
        )
    if (name := loan.values.get("product")) and name not in choices.products:
        loan.add(
            ERROR, "PRODUCT_UNKNOWN", "产品", name, f"没有产品「{name}」。", "写产品代码或名称；先在「产品」里建好。"
        )
    elif not loan.values.get("product") and choices.product_id is None:
        loan.add(
            ERROR,
            "PRODUCT_UNKNOWN",
            "产品",
            "",
            "没有写产品，也没有给整批选定产品。",
            "转入时选定一个产品，或在文件里加一列「产品」。",
        )
    if (name := loan.values.get("officer")) and name not in choices.officers:
        loan.add(
            DOUBT,
            "OFFICER_UNKNOWN",
            "信贷员",
            name,
            f"没有信贷员「{name}」，管户暂空。",
            "先建人员，或转入后再指定管户。",
        )


def _check_ref(loan: Entry) -> None:
    if len(loan.ref) > LONGEST_REF:
        loan.add(
            ERROR,
            "REF_TOO_LONG",
            "借据号",
            loan.ref,
            f"借据号有 {len(loan.ref)} 个字符。",
            f"最多 {LONGEST_REF} 个字符。",
        )


def _check_amount(loan: Entry) -> None:
    amount = loan.values.get("amount_fen")
    if amount is None:
        return
    if amount == 0:
        loan.add(ERROR, "AMOUNT_ABSURD", "金额", loan.cells.get("amount_fen", ""), "借款金额为 0。", "填写合同金额。")
    elif amount > LARGEST_FEN:
        loan.add(
            ERROR,
            "AMOUNT_ABSURD",
            "金额",
            loan.cells.get("amount_fen", ""),
            f"借款金额 {format_yuan(amount)} 元不合理。",
            "核对单位：元、万元还是分，在版式里写明。",
        )
    rate = loan.values.get("rate_ppm")
    if rate is None:
        return
    text = loan.cells.get("rate_ppm", "")
    if rate > 10 * PPM:
        loan.add(
            ERROR,
            "RATE_ABSURD",
            "年利率",
            text,
            f"年利率 {text} 超过 1000%。",
            "核对是年利率还是月利率、百分数还是小数。",
        )
    elif rate > PPM:
        loan.add(
            DOUBT,
            "RATE_ABSURD",
            "年利率",
            text,
            f"年利率 {text} 超过 100%。",
            "核对是年利率还是月利率、百分数还是小数。",
        )
    elif 0 < rate < 5_000:
        loan.add(
            DOUBT,
            "RATE_ABSURD",
            "年利率",
            text,
            f"「{text}」读作年利率 {rate / 10_000:.4f}%，像是小数而不是百分数。",
            "若 0.144 表示 14.4%，把列的类型设为小数（fraction）。",
        )


def _check_days(dossier: Dossier, choices: Choices) -> None:
    loan, start = dossier.loan, _start(dossier)
    if start is None:
        if not loan.has_error:
            loan.add(ERROR, "REQUIRED_MISSING", "放款日", "", "没有放款日。", "补上放款日。")
        return
    if start > choices.business_date:
        loan.add(
            ERROR,
            "START_IN_FUTURE",
            "放款日",
            start,
            f"放款日 {start} 晚于营业日 {choices.business_date}。",
            "核对年份；尚未放款的请走放款登记。",
        )
    matures_on = dossier.value("matures_on")
    if matures_on is not None and matures_on <= start:
        loan.add(
            ERROR,
            "MATURITY_BEFORE_START",
            "到期日",
            matures_on,
            f"到期日 {matures_on} 不晚于放款日 {start}。",
            "核对两个日期。",
        )
    if matures_on is None and not dossier.value("term_count") and not dossier.installments:
        loan.add(ERROR, "TERM_MISSING", "期限", "", "没有到期日，没有期限，也没有还款计划。", "三者至少补上一样。")


def _check_status(dossier: Dossier, layout: Layout) -> None:
    loan = dossier.loan
    # A layout that translates its states relies on them; a blank one says nothing about the loan.
    relied_on = any(column.field == "status" and column.codes for column in layout.file_for("loan").columns)
    if relied_on and "status" not in loan.cells and dossier.value("settled_on") is None:
        loan.add(DOUBT, "STATUS_UNKNOWN", "状态", "", "没有状态，按存续处理。", "核对这笔是否还在；没有放出的请写明。")
    if dossier.value("status") == "WRITTEN_OFF":
        loan.add(
            SKIP,
            "WRITTEN_OFF",
            "状态",
            loan.cells.get("status", ""),
            "已核销的借据不从存量转入（账销案存另登记）。",
            "转入后用「核销」与「核销后收回」办理，或留在原系统台账。",
        )


def _check_installments(dossier: Dossier) -> None:
    loan, start, amount = dossier.loan, _start(dossier), dossier.value("amount_fen")
    rows = dossier.installments
    if not rows:
        if not dossier.value("total_due_fen") and dossier.value("method") is None:
            loan.add(
                DOUBT,
                "NO_SCHEDULE",
                "还款计划",
                "",
                "没有还款计划；按期限到期一次还本处理。",
                "补上还款计划文件里的各期；确无计划就认可。",
            )
        return
    for entry in rows:
        due_on = entry.values.get("due_on")
        if start is not None and due_on is not None and due_on <= start:
            entry.add(
                ERROR,
                "DUE_BEFORE_START",
                "应还日",
                due_on,
                f"应还日 {due_on} 不晚于放款日 {start}。",
                "核对放款日与应还日。",
            )
    planned = sum(entry.values.get("principal_fen", 0) for entry in rows)
    if amount is not None and planned != amount and not any(entry.has_error for entry in rows):
        rows[-1].add(
            ERROR,
            "SCHEDULE_SUM",
            "应还本",
            format_yuan(planned),
            f"各期应还本金合计 {format_yuan(planned)}，借款金额 {format_yuan(amount)}，差 {format_yuan(planned - amount)}。",
            "补上缺的一期或更正金额；计划须是全部各期，不只是余下的。",
        )


def _check_payments(dossier: Dossier, choices: Choices) -> None:
    start = _start(dossier)
    for entry in dossier.payments:
        day, amount = entry.values.get("value_on"), entry.values.get("amount_fen")
        if amount == 0:
            entry.add(
                ERROR,
                "AMOUNT_ABSURD",
                "金额",
                entry.cells.get("amount_fen", ""),
                "还款金额为 0。",
                "删去这一行，或更正金额。",
            )
        _check_payment_day(entry, "还款日", day, start, choices)
    for entry in dossier.installments:
        if entry.values.get("paid_fen"):
            day = entry.values.get("paid_on")
            if day is None:
                entry.add(
                    DOUBT,
                    "PAID_DAY_MISSING",
                    "实还日",
                    "",
                    "有实还而没有实还日，按应还日入账。",
                    "补上实还日；确系按期还的就认可。",
                )
            _check_payment_day(entry, "实还日", day or entry.values.get("due_on"), start, choices)


def _check_payment_day(entry: Entry, title: str, day: date | None, start: date | None, choices: Choices) -> None:
    if day is None:
        return
    if day > choices.business_date:
        entry.add(
            ERROR,
            "PAYMENT_IN_FUTURE",
            title,
            day,
            f"还款日 {day} 晚于营业日 {choices.business_date}。",
            "核对年份；还没收到的钱不能入账。",
        )
    elif start is not None and day < start:
        entry.add(
            DOUBT,
            "PAYMENT_BEFORE_START",
            title,
            day,
            f"还款日 {day} 早于放款日 {start}；按放款日起息，先作溢缴款。",
            "核对两个日期；确系先收后放就认可，原日期留在事实里。",
        )


def _check_balance(dossier: Dossier, choices: Choices) -> None:
    loan = dossier.loan
    amount, balance = dossier.value("amount_fen"), dossier.value("balance_fen")
    overdue, days = dossier.value("overdue_principal_fen", 0), dossier.value("overdue_days", 0)
    start, cutover = _start(dossier), choices.cutover_on
    if balance is None:
        loan.add(
            ERROR,
            "BALANCE_MISSING",
            "余额",
            "",
            "按余额开账而没有余额。",
            "补上余额列；或送还款计划与还款文件，照历史转入。",
        )
        return
    if start is not None and start > cutover:
        loan.add(
            ERROR,
            "START_IN_FUTURE",
            "放款日",
            start,
            f"放款日 {start} 晚于切换日 {cutover}。",
            "切换日之后的放款请正常登记。",
        )
    if amount is not None and balance > amount:
        loan.add(
            ERROR,
            "BALANCE_ABOVE_AMOUNT",
            "余额",
            format_yuan(balance),
            f"余额 {format_yuan(balance)} 超过金额 {format_yuan(amount)}。",
            "核对两列是否对调，或单位不同。",
        )
    paid = dossier.value("paid_principal_fen")
    if paid is not None and amount is not None and paid + balance != amount:
        loan.add(
            DOUBT,
            "BALANCE_MISMATCH",
            "余额",
            format_yuan(balance),
            f"金额 {format_yuan(amount)} − 已还本金 {format_yuan(paid)} = {format_yuan(amount - paid)}，"
            f"与余额差 {format_yuan(balance + paid - amount)}。",
            "以余额入账；核对是否已核销、减免或转出。",
        )
    if overdue > balance:
        loan.add(
            ERROR,
            "OVERDUE_ABOVE_BALANCE",
            "逾期本金",
            format_yuan(overdue),
            f"逾期本金 {format_yuan(overdue)} 超过余额 {format_yuan(balance)}。",
            "核对两列。",
        )
    if overdue and not days:
        loan.add(
            ERROR,
            "OVERDUE_DAYS_MISSING",
            "逾期天数",
            "",
            "有逾期本金而没有逾期天数，定不出最早应还日。",
            "补上逾期天数。",
        )
    if dossier.value("status") == "LATE" and not overdue and not dossier.value("interest_due_fen", 0):
        loan.add(
            DOUBT,
            "LATE_WITHOUT_ARREARS",
            "状态",
            loan.cells.get("status", ""),
            "状态是逾期，文件却没有逾期本金、欠息；按未逾期开账。",
            "补上逾期天数、逾期本金与欠息三列后重新转入。",
        )
    if (
        not balance
        and not dossier.value("interest_due_fen", 0)
        and not dossier.value("off_interest_fen", 0)
        and not dossier.value("overpayment_fen", 0)
    ):
        loan.add(
            SKIP,
            "NOTHING_TO_OPEN",
            "余额",
            format_yuan(balance),
            "余额为 0，没有可开的账。",
            "已结清的不必转入；要留历史就送还款文件照历史转入。",
        )
