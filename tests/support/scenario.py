"""情景：用会计的话写条款与经过，照着重放，逐项核对。算法页的表与 golden 案例都由它来走。

条款是「栏目 → 值」；经过的每一行是（营业日, 那天记的事实, 该日开门应有的各数）。事实写成「还款 4,498.77」「减免 罚息 27.00」
这样的一句，倒签的在句末加「起息 2026-03-01」。读不懂的字一律报错，不猜。
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sancha.kernel import Fact, FactKind, State, Terms, payoff, positions, replay
from sancha.kernel.calculator import summary
from sancha.kernel.calendar import Calendar
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.derivation import CODE_LABELS, FACT_LABELS
from sancha.kernel.money import Rounding, parse_yuan
from sancha.kernel.terms import COMPONENTS, Allocation, Compound, Future, Method, Roll

METHODS = {
    "一次性还本付息": Method.BULLET, "等额本息": Method.LEVEL_PAYMENT, "阶段性等额本息": Method.GRACE_LEVEL_PAYMENT,
    "到期还本": Method.INTEREST_FIRST, "按计划还本": Method.INTEREST_WITH_PLAN, "等额本金": Method.LEVEL_PRINCIPAL,
    "均摊": Method.FLAT_INTEREST, "定额费用": Method.FLAT_FEE,
}  # fmt: skip
UNITS = {
    "天": PeriodUnit.DAY, "周": PeriodUnit.WEEK, "月": PeriodUnit.MONTH, "季": PeriodUnit.QUARTER, "半年": PeriodUnit.HALF_YEAR,
    "年": PeriodUnit.YEAR,
}  # fmt: skip
DAY_COUNTS = {
    "对月": DayCount.MONTHLY, "实际/360": DayCount.ACT_360, "实际/365": DayCount.ACT_365, "实际/实际": DayCount.ACT_ACT,
    "30/360": DayCount.THIRTY_360,
}  # fmt: skip
ROUNDINGS = {"四舍五入": Rounding.HALF_UP, "四舍六入": Rounding.HALF_EVEN, "进位": Rounding.UP, "舍去": Rounding.DOWN}
ROLLS = {"不顺延": Roll.NONE, "顺延": Roll.FOLLOWING, "顺延并调息": Roll.FOLLOWING_ADJUSTED}
COMPOUNDS = {
    "不计": Compound.NONE, "期内合同期后罚息": Compound.CONTRACT_THEN_PENALTY, "按罚息": Compound.PENALTY,
}  # fmt: skip
PARTS = {
    "费用": "fee",
    "罚息": "penalty",
    "复利": "compound",
    "利息": "interest",
    "本金": "principal",
    "溢缴款": "overpayment",
}
CLASSES = {"正常": 1, "关注": 2, "次级": 3, "可疑": 4, "损失": 5}
STATUSES = {"应计": 1, "非应计": 0, "已核销": 2}
KINDS = {label: kind for kind, label in FACT_LABELS.items()}
CODES = {label: code for code, label in CODE_LABELS.items()}


def rate_ppm(text: str) -> int:
    """「14.4%」→ 144000；「1.5 倍」→ 1500000。"""
    text = text.strip()
    scale = 10_000 if text.endswith("%") else 1_000_000
    whole, _, part = text.rstrip("%倍 ").partition(".")
    digits = len(str(scale)) - 1
    assert len(part) <= digits, text
    return int(whole) * scale + int((part or "0").ljust(digits, "0"))


def day(text: object) -> date:
    return text if isinstance(text, date) else date.fromisoformat(str(text))


def order(text: str) -> tuple[str, ...]:
    """「费用、罚息、复利、利息、本金」。"""
    return tuple(PARTS[word] for word in text.replace("→", "、").split("、"))


def _allocation(words: Mapping[str, Any]) -> Allocation:
    return Allocation(
        order=order(words["冲账次序"]) if "冲账次序" in words else COMPONENTS,
        by_installment=words.get("逐期冲账", "是") == "是",
        npl_after_dpd=int(words["不良天数"]) if "不良天数" in words else None,
        npl_order=order(words["不良次序"]) if "不良次序" in words else COMPONENTS,
        future={"留存": Future.NEXT, "缩期": Future.LAST, "减额": Future.REDUCE}[words.get("多还", "留存")],
    )


def shares_of(text: str) -> tuple[tuple[date, tuple[tuple[str, int], ...]], ...]:
    """「2026-01-15 财政 50%；2026-07-15」：从那天起的全部承担人，空即借款人自付。"""
    changes = []
    for part in text.split("；"):
        since, *pairs = part.split()
        changes.append((day(since), tuple((pairs[i], rate_ppm(pairs[i + 1])) for i in range(0, len(pairs), 2))))
    return tuple(changes)


TERMS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "起息日": ("start", day),
    "本金": ("principal_fen", parse_yuan),
    "年利率": ("rate_ppm", rate_ppm),
    "还款方式": ("method", METHODS.__getitem__),
    "期数": ("periods", int),
    "周期": ("period_unit", UNITS.__getitem__),
    "周期倍数": ("period_every", int),
    "还款日": ("due_day", int),
    "首期还款日": ("first_due", day),
    "到期日": ("maturity", day),
    "首期最短天数": ("first_period_min_days", int),
    "计息": ("day_count", DAY_COUNTS.__getitem__),
    "取整": ("rounding", ROUNDINGS.__getitem__),
    "取整单位": ("multiple_fen", parse_yuan),
    "只付息期数": ("grace_periods", int),
    "还本计划": ("plan", lambda text: tuple(parse_yuan(part) for part in text.split())),
    "定额费用": ("flat_fee_fen", parse_yuan),
    "顺延": ("roll", ROLLS.__getitem__),
    "放假": ("calendar", lambda text: Calendar(frozenset(day(part) for part in text.split()))),
    "宽限天数": ("grace_days", int),
    "宽限期满追溯": ("grace_retroactive", lambda text: text == "是"),
    "罚息倍数": ("penalty_multiplier_ppm", rate_ppm),
    "挪用倍数": ("misuse_multiplier_ppm", rate_ppm),
    "复利": ("compound", COMPOUNDS.__getitem__),
    "分类天数": (
        "class_thresholds",
        lambda text: tuple((int(part.split(":")[0]), CLASSES[part.split(":")[1]]) for part in text.split()),
    ),
    "非应计天数": ("nonaccrual_after_dpd", int),
    "提前还款费率": ("prepayment_fee_ppm", rate_ppm),
    "承担份额": ("payer_shares", shares_of),
}
_ALLOCATION = {"冲账次序", "逐期冲账", "不良天数", "不良次序", "多还"}


def terms_of(words: Mapping[str, Any]) -> Terms:
    """条款。"""
    unknown = set(words) - set(TERMS) - _ALLOCATION
    assert not unknown, f"读不懂的条款：{unknown}"
    values = {
        TERMS[word][0]: TERMS[word][1](value if isinstance(value, date) else str(value))
        for word, value in words.items()
        if word in TERMS
    }
    return Terms(**values, allocation=_allocation(words))


_OPENING = {
    "未到期本金": "principal_fen", "应计利息": "accrued_interest_fen", "罚息": "penalty_fen", "复利": "compound_fen", "费用": "fee_fen",
    "溢缴款": "overpayment_fen",
}  # fmt: skip


def opening_of(words: list[str]) -> dict[str, Any]:
    """「未到期本金 30,000.00 未还 2026-01-15:5000.00:350.00 计息起 2026-01-15」。"""
    data: dict[str, Any] = {"unpaid": []}
    for word, text in zip(words[::2], words[1::2], strict=True):
        if word == "未还":
            on, principal, interest = text.split(":")
            data["unpaid"].append(
                {"due_on": on, "principal_fen": parse_yuan(principal), "interest_fen": parse_yuan(interest)}
            )
        elif word == "计息起":
            data["period_start"] = text
        elif word == "分类":
            data["class"] = CLASSES[text]
        elif word == "表外":
            data["off_balance"] = text == "是"
        elif word == "已还期数":
            data["settled_periods"] = int(text)
        else:
            data[_OPENING[word]] = parse_yuan(text)
    return data


def fact_of(seq: int, booked_on: date, sentence: str) -> Fact:
    """一句话 → 一条事实。"""
    words = sentence.split()
    value_on = booked_on
    if "起息" in words:
        at = words.index("起息")
        value_on = day(words[at + 1])
        del words[at : at + 2]
    kind, amount, data = KINDS[words[0]], 0, dict[str, Any]()
    rest = words[1:]
    if kind in {FactKind.WAIVER, FactKind.ADJUSTMENT}:
        data["component"] = PARTS[rest.pop(0)]
        if kind is FactKind.ADJUSTMENT:
            data["direction"] = {"增加": "INCREASE", "减少": "DECREASE"}[rest.pop(0)]
        amount = parse_yuan(rest.pop(0))
    elif kind in {
        FactKind.DISBURSEMENT,
        FactKind.FEE,
        FactKind.REPAYMENT,
        FactKind.PREPAYMENT,
        FactKind.SETTLEMENT,
        FactKind.REFUND,
        FactKind.RECOVERY,
    }:
        amount = parse_yuan(rest.pop(0))
        for word in rest[:]:
            rest.remove(word)
            if word in {"缩期", "减额"} and kind is FactKind.PREPAYMENT:
                data["mode"] = {"缩期": "TERM", "减额": "INSTALLMENT"}[word]
            elif word in {"留存", "缩期", "减额"}:
                data["future"] = {"留存": "NEXT", "缩期": "LAST", "减额": "REDUCE"}[word]
            elif "、" in word:
                data["order"] = list(order(word))
            else:
                data["payer"] = word
    elif kind is FactKind.OPENING:
        data = opening_of(rest)
        rest = []
    elif kind is FactKind.RATE_CHANGE:
        data["rate_ppm"] = rate_ppm(rest.pop(0))
        if rest and rest.pop(0) == "每期不变":
            data["relevel"] = False
    elif kind is FactKind.EXTENSION:
        data["maturity"] = day(rest.pop(0)).isoformat()
        if rest:
            data["rate_ppm"] = rate_ppm(rest.pop(0))
    elif kind is FactKind.NEW_PLAN:
        data["reopen_overdue"] = "移回逾期" in rest
        data["ends"] = [day(word).isoformat() for word in rest if word != "移回逾期"]
        rest = []
    elif kind is FactKind.PLAN_GIVEN:
        lines = (word.split(":") for word in rest)
        data["lines"] = [
            {"due_on": on, "principal_fen": parse_yuan(p), "interest_fen": parse_yuan(i)} for on, p, i in lines
        ]
        rest = []
    elif kind is FactKind.REVERSAL:
        data["seq"] = int(rest.pop(0))
    elif kind is FactKind.CLASSIFICATION:
        data["class"] = CLASSES[rest.pop(0)]
    elif kind is FactKind.ACCRUAL_STATUS:
        data["accrual"] = {"应计": True, "非应计": False}[rest.pop(0)]
    elif kind is FactKind.MISUSE:
        data["active"] = not (rest and rest.pop(0) == "停止")
    elif kind is FactKind.PAYER_SHARES:
        data["shares"] = [[rest[i], rate_ppm(rest[i + 1])] for i in range(0, len(rest), 2)]
        rest = []
    elif kind is FactKind.TRANSFER:
        data["institution"] = rest.pop(0)
    assert not rest, f"读不懂的事实「{sentence}」：剩下 {rest}"
    return Fact(seq, kind, value_on, booked_on, amount, data)


_SUMMARY = {
    "本金余额": "principal_fen", "未到期本金": "principal_not_due_fen", "逾期本金额": "overdue_principal_fen", "应还利息": "interest_due_fen",
    "应计利息": "interest_accrued_fen", "第三方应计": "subsidy_accrued_fen", "应还罚息": "penalty_fen", "应还复利": "compound_fen",
    "应还费用": "fee_fen", "溢缴余额": "overpayment_fen", "每期还款额": "level_fen",
}  # fmt: skip


def seen(terms: Terms, state: State, figure: str) -> object:
    """情景中一个数此刻的值。"""
    facts = summary(terms, state)
    if figure in _SUMMARY:
        return facts[_SUMMARY[figure]]
    if figure == "结清金额":
        return payoff(terms, state)["total"]
    if figure == "应还本金":
        return sum(item.principal_unpaid for item in state.installments)
    if figure == "逾期天数":
        return facts["days_past_due"]
    if figure == "五级分类":
        return facts["class"]
    if figure == "应计状态":
        return facts["accrual"]
    if figure == "已结清":
        return facts["settled"]
    if figure == "到期日":
        return facts["maturity"]
    return positions(terms, state).get(CODES[figure], 0)


def wanted(figure: str, text: str) -> object:
    """情景中写的值。"""
    if figure == "逾期天数":
        return int(text)
    if figure == "五级分类":
        return CLASSES[text]
    if figure == "应计状态":
        return STATUSES[text]
    if figure == "已结清":
        return text == "是"
    if figure == "到期日":
        return text
    return parse_yuan(text, allow_negative=True)


class Scenario:
    """一份条款与它的事实。"""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self.terms = terms_of(words)
        self.facts: list[Fact] = []

    def record(self, booked_on: date, sentence: str) -> None:
        """记一条事实；一格里多条以「；」隔开。"""
        for part in sentence.split("；"):
            self.facts.append(fact_of(len(self.facts) + 1, booked_on, part))

    def on(self, when: date) -> State:
        """那天开门的状态。"""
        return replay(self.terms, self.facts, on=when)

    def check(self, when: date, figures: Mapping[str, str]) -> None:
        """核对那天开门的各数；空格不核。"""
        state = self.on(when)
        for figure, text in figures.items():
            if text:
                found = seen(self.terms, state, figure)
                assert found == wanted(figure, text), f"{when} {figure}：应为 {text}，得到 {found}"


def walk(terms: list[dict[str, str]], story: list[dict[str, str]]) -> Scenario:
    """走一遍算法页的例子：条款表（条款, 值）与经过表（日期, 事实, 各数…）。"""
    scenario = Scenario({row["条款"]: row["值"] for row in terms})
    for row in story:
        columns = dict(row)
        when = day(columns.pop("日期"))
        if sentence := columns.pop("事实"):
            scenario.record(when, sentence)
        scenario.check(when, columns)
    return scenario
