"""事实内容的核对：每种事实的 ``data`` 有哪些栏目、各是什么。从外面来的事实（计算器、导入）先过这里，重放才永不抛错。

栏目的含义见 docs/algorithms/facts.md，那里的表由测试与本表核对。
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.facts import Fact, FactKind
from sancha.kernel.money import MAX_YUAN
from sancha.kernel.terms import COMPONENTS, PPM, Future, Method, iso_date

MOST_FACTS = 10_000
MOST_ROWS = 1_200

Check = Callable[[Any], str]
"""核对一个值：对则空串，不对则说明应当怎样。"""


class FactError(ValueError):
    """一条事实不成立。带序号、栏目、值与补救。"""

    def __init__(self, field: str, value: object, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.field, self.value, self.message, self.fix = field, value, message, fix


def _integer(low: int, high: int, unit: str) -> Check:
    def check(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if good else f"须为 {low} 到 {high} 的整数（{unit}）。"

    return check


def _one_of(*choices: str) -> Check:
    return lambda value: "" if value in choices else f"须为 {'、'.join(choices)} 之一。"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "须为非空文本。"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "须为 true 或 false。"


def _date(value: Any) -> str:
    try:
        iso_date(value)
    except ValueError as error:
        return str(error)
    return ""


def _order(value: Any) -> str:
    good = isinstance(value, list) and sorted(map(str, value)) == sorted(COMPONENTS)
    return "" if good else f"须恰好包含 {'、'.join(COMPONENTS)} 各一次。"


def _shares(value: Any) -> str:
    good = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and not PPM_SHARE(pair[1])
        for pair in value
    )
    return (
        "" if good and sum(pair[1] for pair in value) <= PPM else "须为 [[承担人, 百万分份额], …]，合计不超过 1000000。"
    )


def _calendar(value: Any) -> str:
    try:
        Calendar.from_document(value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return "须有 holidays、makeup_workdays（日期列表）与 published_years（年份列表）。"
    return ""


def _list(check: Check) -> Check:
    def check_all(value: Any) -> str:
        if not isinstance(value, list) or len(value) > MOST_ROWS:
            return f"须为列表，至多 {MOST_ROWS} 项。"
        return next((f"第 {no} 项{found}" for no, entry in enumerate(value, 1) if (found := check(entry))), "")

    return check_all


@dataclass(frozen=True, slots=True)
class Entry:
    """一个栏目：怎样核对，是否必填。"""

    check: Check
    required: bool = False


def _rows(columns: Mapping[str, Entry]) -> Check:
    def check(row: Any) -> str:
        if not isinstance(row, Mapping):
            return "须为对象。"
        return next((f"「{found.field}」{found.fix}" for found in _entries(columns, row)), "")

    return _list(check)


FEN = _integer(0, MAX_YUAN * 100, "分")
RATE = _integer(0, 10 * PPM, "百万分之一年利率")
PPM_SHARE = _integer(0, PPM, "百万分份额")
PLAN_LINE = {
    "due_on": Entry(_date, required=True), "bill_on": Entry(_date), "principal_fen": Entry(FEN, required=True),
    "interest_fen": Entry(FEN),
}  # fmt: skip
UNPAID_LINE = {
    "no": Entry(_integer(1, MOST_ROWS, "期次")), "due_on": Entry(_date, required=True), "principal_fen": Entry(FEN),
    "interest_fen": Entry(FEN),
}  # fmt: skip
FREE = {"reason": Entry(_text), "channel": Entry(_text), "name": Entry(_text), "entered_by": Entry(lambda _: "")}
"""说明性的栏目：留痕用，不影响计算，每种事实都可带。"""

DATA: dict[FactKind, dict[str, Entry]] = {
    FactKind.OPENING: {
        "principal_fen": Entry(FEN, required=True), "unpaid": Entry(_rows(UNPAID_LINE)), "plan": Entry(_rows(PLAN_LINE)),
        "accrued_interest_fen": Entry(FEN), "carry_num": Entry(_integer(0, 1 << 62, "分子")), "penalty_fen": Entry(FEN),
        "compound_fen": Entry(FEN), "fee_fen": Entry(FEN), "overpayment_fen": Entry(FEN), "off_balance": Entry(_flag),
        "class": Entry(_integer(1, 5, "级")), "rate_ppm": Entry(RATE), "period_start": Entry(_date), "maturity": Entry(_date),
        "flat_base_fen": Entry(FEN), "level_fen": Entry(FEN), "settled_periods": Entry(_integer(0, MOST_ROWS, "期")),
    },
    FactKind.PLAN_GIVEN: {"lines": Entry(_rows(PLAN_LINE), required=True)},
    FactKind.CALENDAR: {"calendar": Entry(_calendar, required=True), "ends": Entry(_list(_date))},
    FactKind.PAYER_SHARES: {"shares": Entry(_shares, required=True)},
    FactKind.RATE_CHANGE: {"rate_ppm": Entry(RATE, required=True), "relevel": Entry(_flag)},
    FactKind.DISBURSEMENT: {},
    FactKind.FEE: {},
    FactKind.EXTENSION: {"maturity": Entry(_date, required=True), "rate_ppm": Entry(RATE)},
    FactKind.NEW_PLAN: {
        "ends": Entry(_list(_date), required=True), "principal": Entry(_list(FEN)), "reopen_overdue": Entry(_flag),
        "rate_ppm": Entry(RATE), "method": Entry(_one_of(*Method)), "unit": Entry(_one_of(*PeriodUnit)),
        "every": Entry(_integer(1, 366, "周期倍数")), "grace_periods": Entry(_integer(0, MOST_ROWS, "期")),
    },
    FactKind.TRANSFER: {"institution": Entry(_text), "product": Entry(_text)},
    FactKind.CLASSIFICATION: {"class": Entry(_integer(1, 5, "级"), required=True)},
    FactKind.ACCRUAL_STATUS: {"accrual": Entry(_flag, required=True)},
    FactKind.MISUSE: {"active": Entry(_flag)},
    FactKind.RESTATEMENT: {"calc_version": Entry(_integer(1, 1, "版本"), required=True)},
    FactKind.ADJUSTMENT: {
        "component": Entry(_one_of(*COMPONENTS, "overpayment"), required=True), "direction": Entry(_one_of("INCREASE", "DECREASE")),
    },
    FactKind.WAIVER: {"component": Entry(_one_of(*COMPONENTS), required=True)},
    FactKind.REPAYMENT: {"payer": Entry(_text), "order": Entry(_order), "future": Entry(_one_of(*Future))},
    FactKind.PREPAYMENT: {"mode": Entry(_one_of("TERM", "INSTALLMENT"))},
    FactKind.SETTLEMENT: {},
    FactKind.REFUND: {},
    FactKind.ACCELERATION: {},
    FactKind.WRITE_OFF: {},
    FactKind.RECOVERY: {},
    FactKind.REVERSAL: {"seq": Entry(_integer(1, 1 << 31, "事实序号"), required=True)},
}  # fmt: skip

MONEY = frozenset(
    {
        FactKind.DISBURSEMENT, FactKind.FEE, FactKind.ADJUSTMENT, FactKind.WAIVER, FactKind.REPAYMENT, FactKind.PREPAYMENT,
        FactKind.SETTLEMENT, FactKind.REFUND, FactKind.RECOVERY,
    }
)  # fmt: skip
"""金额必须大于 0 的事实。"""


def _entries(columns: Mapping[str, Entry], data: Mapping[str, Any]) -> list[FactError]:
    found = []
    for name, value in data.items():
        entry = columns.get(name) or FREE.get(name)
        if entry is None:
            found.append(
                FactError(name, value, f"不认识的栏目「{name}」。", f"可用：{'、'.join(columns) or '（无）'}。")
            )
        elif value is not None and (expected := entry.check(value)):
            found.append(FactError(name, value, f"「{name}」的值 {value!r} 不能识别。", expected))
    for name, entry in columns.items():
        if entry.required and data.get(name) is None:
            found.append(FactError(name, None, f"缺少「{name}」。", entry.check(None)))
    return found


def _without_nulls(value: Any) -> Any:
    """空值就是没给：去掉，免得重放把它当成给了。"""
    if isinstance(value, Mapping):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


def read_fact(document: Any, *, start: date) -> tuple[Fact | None, list[FactError]]:
    """读一条事实，连同全部问题；有问题则没有事实。``start`` 是合同起息日，事实不得早于它。"""
    if not isinstance(document, Mapping):
        return None, [FactError("", document, "事实须为对象。")]
    head = {
        "seq": Entry(_integer(1, 1 << 31, "序号"), required=True), "kind": Entry(_one_of(*FactKind), required=True),
        "value_on": Entry(_date, required=True), "booked_on": Entry(_date), "amount_fen": Entry(FEN),
        "data": Entry(lambda value: "" if isinstance(value, Mapping) else "须为对象。"),
    }  # fmt: skip
    found = [error for error in _entries(head, document) if error.field in head or error.field not in FREE]
    if found:
        return None, found
    fact = Fact.from_document({name: value for name, value in document.items() if value is not None})
    found = [
        FactError(f"data.{error.field}", error.value, error.message, error.fix)
        for error in _entries(DATA[fact.kind], fact.data)
    ]
    if fact.value_on < start:
        found.append(
            FactError(
                "value_on", fact.value_on.isoformat(), f"起息日早于合同起息日 {start}。", "事实不得早于合同起息日。"
            )
        )
    if fact.booked_on < fact.value_on:
        found.append(
            FactError(
                "booked_on", fact.booked_on.isoformat(), "记账日早于起息日。", "尚未发生的事不是事实，请改记账日。"
            )
        )
    if fact.kind in MONEY and not fact.amount_fen:
        found.append(FactError("amount_fen", fact.amount_fen, "金额须大于 0。", "请填金额（分）。"))
    if fact.kind not in MONEY and fact.amount_fen:
        found.append(FactError("amount_fen", fact.amount_fen, "这种事实不带金额。", "请去掉金额。"))
    cleaned = _without_nulls(dict(fact.data))
    return (
        (None, found)
        if found
        else (Fact(fact.seq, fact.kind, fact.value_on, fact.booked_on, fact.amount_fen, cleaned), [])
    )


def read_facts(documents: Any, *, start: date) -> tuple[list[Fact], list[FactError]]:
    """读一列事实，给出全部问题（栏目写作 ``facts[下标].栏目``）。序号须唯一；冲正须指向更早的事实；期初须在最先。"""
    if not isinstance(documents, list) or len(documents) > MOST_FACTS:
        return [], [FactError("facts", None, f"事实须为列表，至多 {MOST_FACTS} 条。")]
    facts: list[Fact] = []
    problems: list[FactError] = []
    seen: set[int] = set()
    for index, document in enumerate(documents):
        fact, found = read_fact(document, start=start)
        if fact is not None and fact.seq in seen:
            found = [FactError("seq", fact.seq, f"序号 {fact.seq} 重复。", "一笔借据内每条事实的序号须不同。")]
        elif fact is not None and fact.kind is FactKind.REVERSAL and fact.data["seq"] >= fact.seq:
            found = [FactError("data.seq", fact.data["seq"], "冲正只能指向更早的事实。", "请核对被冲正的序号。")]
        if fact is not None and not found:
            facts.append(fact)
            seen.add(fact.seq)
        problems += [
            FactError(f"facts[{index}].{error.field}".rstrip("."), error.value, error.message, error.fix)
            for error in found
        ]
    opened = next((fact for fact in facts if fact.kind is FactKind.OPENING), None)
    if opened is not None:
        before = next((fact for fact in facts if fact.key < opened.key), None)
        if before is not None:
            problems.append(
                FactError(
                    "facts", before.seq, f"事实 {before.seq} 早于期初余额。", "期初之前的历史不重算，请去掉更早的事实。"
                )
            )
    return facts, problems
