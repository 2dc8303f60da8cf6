"""单据的数据：每种单据一个模型。金额是整数分、利率是百万分，出模型时才写成文字与大写。

模板只摆放文字，不计算：小写与大写因此必然出自同一个数（票据法第八条）。
证件号、账号由调用者按权限遮掩后传入。
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, cast

from django.utils import timezone
from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, computed_field

from sancha.kernel.disclosure import CONVENTION_NOTES, CostStatement
from sancha.kernel.money import Rounding, date_uppercase, format_yuan, rmb_uppercase, round_div


def _percent(ppm: int) -> str:
    """百万分 → 百分数，至少两位小数，多出的零不写：144000 → 14.40%。"""
    whole, part = divmod(abs(ppm), 10_000)
    return f"{'-' if ppm < 0 else ''}{whole}.{f'{part:04d}'.rstrip('0').ljust(2, '0')}%"


def _full_date(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _moment(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S")


def _or_blank(fen: int) -> str:
    """零留空：凭证与计划表里满篇 0.00 看不清。"""
    return format_yuan(fen) if fen else ""


R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _Computed(Protocol[R_co]):
    """算出的一栏，读起来就是它的值。"""

    def __get__(self, document: Any, owner: Any = None, /) -> R_co: ...


def _computed(function: Callable[[Any], R]) -> _Computed[R]:
    """算出的一栏：不存，每次照当前各栏算，随单据一起出模型。

    不用 ``cached_property``：``model_copy`` 连缓存一起抄，改了金额的副本会印出旧的大写。
    """
    return cast(_Computed[R], computed_field(property(function)))


Yuan = Annotated[int, PlainSerializer(format_yuan, return_type=str)]
YuanOrBlank = Annotated[int, PlainSerializer(_or_blank, return_type=str)]
Percent = Annotated[int, PlainSerializer(_percent, return_type=str)]
FullDate = Annotated[date, PlainSerializer(_full_date, return_type=str)]
ShortDate = Annotated[date, PlainSerializer(date.isoformat, return_type=str)]
ShortDateOrBlank = Annotated[
    date | None, PlainSerializer(lambda day: "" if day is None else day.isoformat(), return_type=str)
]
Moment = Annotated[AwareDatetime, PlainSerializer(_moment, return_type=str)]


class _Part(BaseModel):
    """单据的一部分：多给一项也报错，免得拼错的字段悄悄丢掉。"""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Letterhead(_Part):
    """抬头与页脚：机构、编号、制单人与时刻；``copy_note`` 如「第二联 客户留存」「补打第1次」。"""

    institution: str
    number: str
    printed_by: str
    printed_at: Moment
    left_note: str = ""
    copy_note: str = ""


class Document(_Part):
    """单据。``template`` 是同目录的模板文件名。"""

    template: ClassVar[str]
    letterhead: Letterhead


class Handlers(_Part):
    """经办、复核、主管的姓名；空着的留给手签。"""

    handler: str = ""
    checker: str = ""
    supervisor: str = ""


class LoanFacts(_Part):
    """借款要素：几种单据共用的一组。"""

    borrower: str
    identity_kind: str = "居民身份证"
    identity: str
    contract_no: str
    loan_no: str
    principal_fen: Yuan
    annual_rate_ppm: Percent
    starts_on: FullDate
    matures_on: FullDate
    term: str
    method: str
    day_count: str
    account: str

    @_computed
    def principal_words(self) -> str:
        """本金大写。"""
        return rmb_uppercase(self.principal_fen, prefix="人民币")

    @_computed
    def monthly_rate(self) -> str:
        """月利率：年利率 ÷ 12，写成千分数，四位小数（银发〔2005〕129号的换算）。"""
        ten_thousandths = round_div(self.annual_rate_ppm * 10, 12, Rounding.HALF_UP)
        return f"{ten_thousandths // 10_000}.{ten_thousandths % 10_000:04d}‰"


class ScheduleRow(_Part):
    """还款计划的一期。未还的各栏为零或空。"""

    no: int
    from_on: ShortDate
    due_on: ShortDate
    days: int
    opening_fen: Yuan
    principal_fen: Yuan
    interest_fen: Yuan
    closing_fen: Yuan
    state: str = ""
    paid_on: ShortDateOrBlank = None
    paid_principal_fen: YuanOrBlank = 0
    paid_interest_fen: YuanOrBlank = 0
    paid_penalty_fen: YuanOrBlank = 0
    paid_compound_fen: YuanOrBlank = 0
    overdue_days: Annotated[int, PlainSerializer(lambda days: str(days) if days else "", return_type=str)] = 0

    @_computed
    def total(self) -> str:
        """应还合计。"""
        return format_yuan(self.principal_fen + self.interest_fen)


class LoanNote(Document):
    """借款借据（借款凭证）。"""

    template: ClassVar[str] = "loan_note.typ"
    loan: LoanFacts
    signed_on: FullDate
    address: str
    phone: str
    purpose: str
    guarantee: str
    payment_way: str
    penalty_ppm: Percent
    schedule: tuple[ScheduleRow, ...] = ()
    handlers: Handlers = Handlers()

    @_computed
    def signed_words(self) -> str:
        """出据日期大写。"""
        return date_uppercase(self.signed_on)

    @_computed
    def digits(self) -> list[str]:
        """金额分栏：亿至分共 11 栏，首位前一栏写 ￥。

        超过九亿元的借款不在小额贷款之列，分栏放不下就拒绝。
        """
        figures = str(self.loan.principal_fen)
        if len(figures) > 10:
            raise ValueError(f"借据金额 {format_yuan(self.loan.principal_fen)} 元超出金额分栏")
        return [""] * (10 - len(figures)) + ["￥", *figures]


class RepaymentSchedule(Document):
    """还款计划表。``disclosure`` 是合计之下的说明，如年化成本、节假日规则。"""

    template: ClassVar[str] = "repayment_schedule.typ"
    loan: LoanFacts
    as_of: FullDate
    rows: tuple[ScheduleRow, ...]
    disclosure: tuple[str, ...] = ()

    @_computed
    def totals(self) -> dict[str, str]:
        """合计行。"""
        rows = self.rows
        principal, interest = sum(row.principal_fen for row in rows), sum(row.interest_fen for row in rows)
        return {
            "no": "合计",
            "days": str(sum(row.days for row in rows)),
            "principal_fen": format_yuan(principal),
            "interest_fen": format_yuan(interest),
            "total": format_yuan(principal + interest),
            "paid_principal_fen": _or_blank(sum(row.paid_principal_fen for row in rows)),
            "paid_interest_fen": _or_blank(sum(row.paid_interest_fen for row in rows)),
            "paid_penalty_fen": _or_blank(sum(row.paid_penalty_fen for row in rows)),
            "paid_compound_fen": _or_blank(sum(row.paid_compound_fen for row in rows)),
        }


class Entry(_Part):
    """会计分录的一行：借方、贷方各占一栏，只填其一。"""

    summary: str = ""
    account_code: str
    account_name: str
    debit_fen: YuanOrBlank = 0
    credit_fen: YuanOrBlank = 0


def _entry_totals(entries: tuple[Entry, ...]) -> dict[str, str]:
    debit, credit = sum(entry.debit_fen for entry in entries), sum(entry.credit_fen for entry in entries)
    if debit != credit:
        raise ValueError(f"分录借贷不平：借 {format_yuan(debit)}，贷 {format_yuan(credit)}")
    return {"summary": "合计", "account_name": "", "debit_fen": format_yuan(debit), "credit_fen": format_yuan(credit)}


class Part(_Part):
    """还款的一个组成：本金、利息、罚息、复利、费用、溢缴。"""

    name: str
    due_fen: Yuan
    paid_fen: Yuan
    left_fen: Yuan


class RepaymentReceipt(Document):
    """还款凭证。"""

    template: ClassVar[str] = "repayment_receipt.typ"
    loan: LoanFacts
    paid_on: FullDate
    value_on: FullDate
    channel: str
    payer: str
    voucher_no: str
    parts: tuple[Part, ...]
    balance_fen: Yuan
    next_due: str
    entries: tuple[Entry, ...]
    handlers: Handlers = Handlers()

    @_computed
    def amount(self) -> str:
        """还款合计（小写）。"""
        return format_yuan(sum(part.paid_fen for part in self.parts))

    @_computed
    def amount_words(self) -> str:
        """还款合计（大写）。"""
        return rmb_uppercase(sum(part.paid_fen for part in self.parts), prefix="人民币")

    @_computed
    def part_totals(self) -> dict[str, str]:
        """组成的合计行。"""
        return {
            "name": "合计",
            "due_fen": format_yuan(sum(part.due_fen for part in self.parts)),
            "paid_fen": self.amount,
            "left_fen": format_yuan(sum(part.left_fen for part in self.parts)),
        }

    @_computed
    def entry_totals(self) -> dict[str, str]:
        """分录合计；借贷不平不出凭证。"""
        return _entry_totals(self.entries)


class InterestLine(_Part):
    """利息清单的一行：一段不变的本金与利率。"""

    kind: str
    from_on: ShortDate
    to_on: ShortDate
    days: int
    base_fen: Yuan
    annual_rate_ppm: Percent
    basis: str
    interest_fen: Yuan


class InterestList(Document):
    """贷款利息清单。"""

    template: ClassVar[str] = "interest_list.typ"
    loan: LoanFacts
    from_on: FullDate
    to_on: FullDate
    lines: tuple[InterestLine, ...]
    paid_fen: Yuan
    handlers: Handlers = Handlers()

    @_computed
    def totals(self) -> dict[str, str]:
        """合计行。"""
        return {"kind": "合计", "interest_fen": format_yuan(sum(line.interest_fen for line in self.lines))}

    @_computed
    def total_words(self) -> str:
        """利息合计大写。"""
        return rmb_uppercase(sum(line.interest_fen for line in self.lines), prefix="人民币")

    @_computed
    def left(self) -> str:
        """尚欠利息。"""
        return format_yuan(sum(line.interest_fen for line in self.lines) - self.paid_fen)


class StatementLine(_Part):
    """对账单的一行：一笔事实。"""

    day: ShortDate
    summary: str
    voucher_no: str
    lent_fen: YuanOrBlank = 0
    principal_fen: YuanOrBlank = 0
    interest_fen: YuanOrBlank = 0
    penalty_fen: YuanOrBlank = 0
    fee_fen: YuanOrBlank = 0
    balance_fen: Yuan


class Balance(_Part):
    """期末余额的一项。"""

    name: str
    amount_fen: Yuan


class AccountStatement(Document):
    """客户对账单。"""

    template: ClassVar[str] = "account_statement.typ"
    loan: LoanFacts
    from_on: FullDate
    to_on: FullDate
    opening_fen: Yuan
    lines: tuple[StatementLine, ...]
    balances: tuple[Balance, ...]
    reply_days: int

    @_computed
    def totals(self) -> dict[str, str]:
        """本期合计行。"""
        keys = ("lent_fen", "principal_fen", "interest_fen", "penalty_fen", "fee_fen")
        return {
            "summary": "本期合计",
            **{key: _or_blank(sum(getattr(line, key) for line in self.lines)) for key in keys},
        }


class SettlementCertificate(Document):
    """结清证明。"""

    template: ClassVar[str] = "settlement_certificate.typ"
    loan: LoanFacts
    settled_on: FullDate
    issued_on: FullDate
    paid_principal_fen: Yuan
    paid_interest_fen: Yuan
    lender_address: str
    lender_phone: str
    statement: str


class ReleaseItem(_Part):
    """要解除、返还的一项：押品登记、权证、保证、质物、资料原件。"""

    kind: str
    name: str
    certificate_no: str
    owner: str
    action: str
    due_on: ShortDate
    note: str = ""


class ReleaseList(Document):
    """解押、退还清单。"""

    template: ClassVar[str] = "release_list.typ"
    loan: LoanFacts
    settled_on: FullDate
    items: tuple[ReleaseItem, ...]
    handlers: Handlers = Handlers()


class Voucher(Document):
    """记账凭证。"""

    template: ClassVar[str] = "voucher.typ"
    booked_on: FullDate
    kind: str
    source: str
    subject: str
    entries: tuple[Entry, ...]
    attachments: int = 0
    maker: str = ""
    checker: str = ""
    poster: str = ""
    supervisor: str = ""

    @_computed
    def totals(self) -> dict[str, str]:
        """借贷合计；不平不出凭证。"""
        return _entry_totals(self.entries)

    @_computed
    def total_words(self) -> str:
        """合计大写。"""
        return rmb_uppercase(sum(entry.debit_fen for entry in self.entries), prefix="人民币")


class TrialBalanceRow(_Part):
    """试算平衡表的一个科目。借贷各栏为正数。"""

    code: str
    name: str
    level: int = 1
    opening_debit_fen: YuanOrBlank = 0
    opening_credit_fen: YuanOrBlank = 0
    debit_fen: YuanOrBlank = 0
    credit_fen: YuanOrBlank = 0
    closing_debit_fen: YuanOrBlank = 0
    closing_credit_fen: YuanOrBlank = 0


class TrialBalance(Document):
    """试算平衡表。合计只加一级科目；三组借贷分别相等才写「平衡」。"""

    template: ClassVar[str] = "trial_balance.typ"
    from_on: FullDate
    to_on: FullDate
    scope: str
    rows: tuple[TrialBalanceRow, ...]
    handlers: Handlers = Handlers()

    def _sums(self) -> dict[str, int]:
        keys = ("opening_debit_fen", "opening_credit_fen", "debit_fen", "credit_fen", "closing_debit_fen")
        top = [row for row in self.rows if row.level == 1]
        return {key: sum(getattr(row, key) for row in top) for key in (*keys, "closing_credit_fen")}

    @_computed
    def totals(self) -> dict[str, str]:
        """合计行。"""
        return {"name": "合计", **{key: format_yuan(fen) for key, fen in self._sums().items()}}

    @_computed
    def verdict(self) -> str:
        """是否平衡，以及差额。"""
        sums = self._sums()
        pairs = (
            ("期初", "opening_debit_fen", "opening_credit_fen"),
            ("本期", "debit_fen", "credit_fen"),
            ("期末", "closing_debit_fen", "closing_credit_fen"),
        )
        off = [
            f"{name}借方比贷方多 {format_yuan(sums[debit] - sums[credit])}"
            for name, debit, credit in pairs
            if sums[debit] != sums[credit]
        ]
        return f"不平衡：{'；'.join(off)}" if off else "借贷平衡"


class CostRow(_Part):
    """明示表的正常项目。"""

    name: str
    collection: str
    standard: str
    payee: str
    amount_fen: Yuan
    rate_ppm: Percent


class ContingentRow(_Part):
    """明示表的或有项目。"""

    name: str
    condition: str
    standard: str
    payee: str


class CostDisclosure(Document):
    """综合融资成本明示表（金规〔2026〕2号）。"""

    template: ClassVar[str] = "cost_disclosure.typ"
    borrower: str
    identity: str
    product: str
    term: str
    method: str
    principal_fen: Yuan
    items: tuple[CostRow, ...]
    contingent: tuple[ContingentRow, ...]
    total_fen: Yuan
    total_ppm: Percent
    convention: str
    closing_sentence: str

    @_computed
    def principal_words(self) -> str:
        """本金大写。"""
        return rmb_uppercase(self.principal_fen, prefix="人民币")

    @_computed
    def totals(self) -> dict[str, str]:
        """合计行。"""
        return {"name": "合计", "amount_fen": format_yuan(self.total_fen), "rate_ppm": _percent(self.total_ppm)}

    @classmethod
    def of(
        cls,
        statement: CostStatement,
        *,
        letterhead: Letterhead,
        borrower: str,
        identity: str,
        product: str,
        term: str,
        method: str,
    ) -> CostDisclosure:
        """由 ``kernel.disclosure.cost_statement`` 的结果制表。"""
        return cls(
            letterhead=letterhead,
            borrower=borrower,
            identity=identity,
            product=product,
            term=term,
            method=method,
            principal_fen=statement.principal_fen,
            items=tuple(
                CostRow(
                    name=line.name,
                    collection=line.collection,
                    standard=line.standard,
                    payee=line.payee,
                    amount_fen=line.amount_fen,
                    rate_ppm=line.rate_ppm,
                )
                for line in statement.lines
            ),
            contingent=tuple(
                ContingentRow(name=item.name, condition=item.condition, standard=item.standard, payee=item.payee)
                for item in statement.contingent
            ),
            total_fen=statement.total_fen,
            total_ppm=statement.total_ppm,
            convention=CONVENTION_NOTES[statement.convention],
            closing_sentence=statement.closing_sentence,
        )
