"""产品条款的栏目：一张表说清每一栏在哪里、叫什么、怎么写成字、怎么从字读回来。

表单与「改了什么」都从这张表来：显示的就是填的，填的就是存的。能指向参数的栏目写 ``=参数代码``。
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sancha.interfaces.web.templatetags.sancha import CLASSES
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.money import MoneyError, Rounding, format_yuan, parse_yuan
from sancha.kernel.terms import Compound, Future, Method, Roll
from sancha.rulebook.vocabulary import (
    COMPONENT_LABELS,
    DueDayRule,
    GuaranteeKind,
    InterestPayer,
    PayerPhase,
    RepriceRule,
    label,
)

PPM = 1_000_000
MARK = "="
ARROW = "→"


@dataclass(frozen=True)
class Codec:
    """一种栏目：控件，值 → 字，字 → 值。``read`` 遇到读不懂的抛 ``ValueError``（中文）。"""

    control: Callable[[], forms.Field]
    show: Callable[[Any], str]
    read: Callable[[str], Any]


def _text(**options: Any) -> Callable[[], forms.Field]:
    return lambda: forms.CharField(required=False, max_length=200, **options)


def _lines(rows: int = 3) -> Callable[[], forms.Field]:
    return lambda: forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": rows}))


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,15}", text):
        raise ValueError(_("请填整数。"))
    return int(text)


def _yuan(text: str) -> int:
    try:
        return parse_yuan(text)
    except MoneyError as wrong:
        raise ValueError(str(wrong)) from wrong


def show_percent(ppm: int) -> str:
    """百万分比 → 百分数，不丢一位。"""
    whole, rest = divmod(abs(ppm), PPM // 100)
    digits = f"{rest:04d}".rstrip("0")
    return f"{'-' if ppm < 0 else ''}{whole}{'.' + digits if digits else ''}%"


def read_percent(text: str) -> int:
    """百分数 → 百万分比。"""
    found = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,4}))?\s*%?", unicodedata.normalize("NFKC", text))
    if not found:
        raise ValueError(_("请填百分数，最多四位小数，如 14.4。"))
    return int(found[1]) * (PPM // 100) + int((found[2] or "").ljust(4, "0"))


def _choice(kind: type[StrEnum], parameter: str = "") -> Codec:
    named = {member.value: label(member) for member in kind}
    options: list[tuple[str, Any]] = list(named.items())
    if parameter:
        options.insert(0, (MARK + parameter, _("取自参数 %(code)s") % {"code": parameter}))
    return Codec(
        lambda: forms.ChoiceField(choices=options, required=False),
        lambda value: named.get(value, value),
        lambda text: text,
    )


def _flag(parameter: str = "") -> Codec:
    options: list[tuple[str, Any]] = [("1", gettext_lazy("是")), ("0", gettext_lazy("否"))]
    if parameter:
        options.insert(0, (MARK + parameter, _("取自参数 %(code)s") % {"code": parameter}))
    return Codec(
        lambda: forms.ChoiceField(choices=options, required=False),
        lambda value: str(_("是") if value else _("否")),
        lambda text: text == "1",
    )


def _many(kind: type[StrEnum]) -> Codec:
    named = {member.value: label(member) for member in kind}
    return Codec(
        lambda: forms.MultipleChoiceField(
            choices=list(named.items()), widget=forms.CheckboxSelectMultiple, required=False
        ),
        lambda value: "、".join(named.get(item, item) for item in value),
        lambda text: text,
    )


def _code_of(kind: type[StrEnum], text: str) -> str:
    for member in kind:
        if text in {member.value, label(member)}:
            return str(member.value)
    raise ValueError(
        _("不认识「%(text)s」，可选：%(all)s。") % {"text": text, "all": "、".join(label(m) for m in kind)}
    )


def _rows(show: Callable[[Any], str], read: Callable[[str], Any]) -> Codec:
    """一行一条。"""
    return Codec(
        _lines(),
        lambda value: "\n".join(show(item) for item in value),
        lambda text: [read(line.strip()) for line in text.splitlines() if line.strip()],
    )


def _read_term(line: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\S+?)\s*(\d{1,4})\s*[-–至]\s*(\d{1,4})", line)
    if not found:
        raise ValueError(_("「%(line)s」请写成 单位 最短-最长，如：月 1-12。") % {"line": line})
    return {"unit": _code_of(PeriodUnit, found[1]), "min": int(found[2]), "max": int(found[3])}


def _read_limit(line: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\S+)\s+(\S+?)\s*(\d{1,4})", line)
    if not found:
        raise ValueError(_("「%(line)s」请写成 还款方式 单位 最长，如：一次性还本付息 月 4。") % {"line": line})
    return {"method": _code_of(Method, found[1]), "unit": _code_of(PeriodUnit, found[2]), "max": int(found[3])}


def _read_period(line: str) -> dict[str, Any]:
    found = re.fullmatch(r"每\s*(\d{1,3})?\s*(\S+)", line)
    if not found:
        raise ValueError(_("「%(line)s」请写成 每月、每3月 或 每季。") % {"line": line})
    return {"unit": _code_of(PeriodUnit, found[2]), "every": int(found[1] or 1)}


def _read_share(line: str) -> dict[str, Any]:
    found = re.fullmatch(r"(\S+)\s+(\S+)\s+(\S+)", line)
    if not found:
        raise ValueError(_("「%(line)s」请写成 阶段 承担人 比例，如：在校期间 财政 100%%。") % {"line": line})
    share = {"parameter": found[3][1:]} if found[3].startswith(MARK) else read_percent(found[3])
    return {"phase": _code_of(PayerPhase, found[1]), "payer": _code_of(InterestPayer, found[2]), "share_ppm": share}


def _show_share(item: Mapping[str, Any]) -> str:
    share = item["share_ppm"]
    shown = MARK + share["parameter"] if isinstance(share, Mapping) else show_percent(share)
    return f"{label(PayerPhase(item['phase']))} {label(InterestPayer(item['payer']))} {shown}"


def _read_order(text: str) -> list[str]:
    named = {name: code for code, name in COMPONENT_LABELS.items()}
    parts = [part.strip() for part in re.split(r"[→>、,，]", text) if part.strip()]
    if unknown := [part for part in parts if part not in named]:
        raise ValueError(_("不认识「%(text)s」，请写成 费用→罚息→复利→利息→本金 的次序。") % {"text": unknown[0]})
    return [named[part] for part in parts]


def _read_thresholds(text: str) -> list[list[int]]:
    grades = {str(words[0]): grade for grade, words in CLASSES.items()}
    found = []
    for part in re.split(r"[、,，\n]", text):
        if not part.strip():
            continue
        match = re.fullmatch(r"\s*(\d{1,4})\s*天?\s*(\S+)\s*", part)
        if not match or match[2] not in grades:
            raise ValueError(_("「%(part)s」请写成 91天 次级。") % {"part": part.strip()})
        found.append([int(match[1]), grades[match[2]]])
    return found


WHOLE = Codec(_text(), str, _whole)
YUAN = Codec(_text(), format_yuan, _yuan)
PERCENT = Codec(_text(), show_percent, read_percent)
ORDER = Codec(_text(), lambda value: ARROW.join(COMPONENT_LABELS[name] for name in value), _read_order)
TERMS = _rows(lambda i: f"{label(PeriodUnit(i['unit']))} {i['min']}-{i['max']}", _read_term)
LIMITS = _rows(lambda i: f"{label(Method(i['method']))} {label(PeriodUnit(i['unit']))} {i['max']}", _read_limit)
PERIODS = _rows(lambda i: f"每{i['every'] if i['every'] > 1 else ''}{label(PeriodUnit(i['unit']))}", _read_period)
SHARES = _rows(_show_share, _read_share)
THRESHOLDS = Codec(
    _text(), lambda value: "、".join(f"{days}天 {CLASSES[grade][0]}" for days, grade in value), _read_thresholds
)


@dataclass(frozen=True)
class Item:
    """一栏：``path`` 是在条款里的位置；``optional`` 的留空即没有；``only`` 限定利率种类。"""

    path: str
    title: Any
    codec: Codec
    group: Any
    hint: Any = ""
    suffix: Any = ""
    optional: bool = False
    only: str = ""
    col: str = "f4"


_AMOUNT, _PRICE, _DUE = gettext_lazy("额度与期限"), gettext_lazy("定价"), gettext_lazy("还款与计息")
_LATE, _REST = gettext_lazy("逾期、冲账与分类"), gettext_lazy("担保、费用与承担")
YUAN_WORD, TIMES, DAYS = gettext_lazy("元"), gettext_lazy("合同利率的"), gettext_lazy("天")

ITEMS: tuple[Item, ...] = (
    Item("amount.min_fen", gettext_lazy("金额下限"), YUAN, _AMOUNT, suffix=YUAN_WORD),
    Item("amount.max_fen", gettext_lazy("金额上限"), YUAN, _AMOUNT, suffix=YUAN_WORD),
    Item("amount.step_fen", gettext_lazy("递增单位"), YUAN, _AMOUNT, suffix=YUAN_WORD),
    Item("terms", gettext_lazy("期限"), TERMS, _AMOUNT, gettext_lazy("一行一种单位：月 1-12"), col="f6"),
    Item(
        "method_limits", gettext_lazy("某种方式另限期限"), LIMITS, _AMOUNT,
        gettext_lazy("一行一条：一次性还本付息 月 4；没有就空着"), optional=True, col="f6",
    ),
    Item("rate.kind", gettext_lazy("定价方式"), Codec(
        lambda: forms.ChoiceField(
            choices=[("FIXED", gettext_lazy("固定利率")), ("LPR", gettext_lazy("LPR 加减点"))]
        ),
        lambda value: str(_("固定利率") if value == "FIXED" else _("LPR 加减点")), lambda text: text,
    ), _PRICE, col="f12"),
    Item("rate.min_ppm", gettext_lazy("年利率下限（固定）"), PERCENT, _PRICE, only="FIXED"),
    Item("rate.default_ppm", gettext_lazy("默认年利率（固定）"), PERCENT, _PRICE, only="FIXED"),
    Item("rate.max_ppm", gettext_lazy("年利率上限（固定）"), PERCENT, _PRICE, only="FIXED"),
    Item("rate.tenor", gettext_lazy("LPR 档次"), Codec(
        lambda: forms.ChoiceField(choices=[("", "—"), ("1Y", "1Y"), ("5Y", "5Y")], required=False), str, str,
    ), _PRICE, only="LPR"),
    Item("rate.spread_bp", gettext_lazy("默认加点（LPR）"), WHOLE, _PRICE, suffix="bp", only="LPR"),
    Item("rate.reprice", gettext_lazy("重定价"), _choice(RepriceRule), _PRICE, only="LPR"),
    Item("rate.min_spread_bp", gettext_lazy("加点下限"), WHOLE, _PRICE, suffix="bp", optional=True, only="LPR"),
    Item("rate.max_spread_bp", gettext_lazy("加点上限"), WHOLE, _PRICE, suffix="bp", optional=True, only="LPR"),
    Item("rate.reprice_months", gettext_lazy("每隔几个月重定价"), WHOLE, _PRICE, optional=True, only="LPR"),
    Item("repayment_methods", gettext_lazy("还款方式"), _many(Method), _DUE, col="f12"),
    Item("periods", gettext_lazy("还款周期"), PERIODS, _DUE, gettext_lazy("一行一种：每月、每3月、每季")),
    Item("due_day.rule", gettext_lazy("应还日"), _choice(DueDayRule), _DUE),
    Item("due_day.day", gettext_lazy("固定应还日"), WHOLE, _DUE, gettext_lazy("放款日对日的空着"), optional=True),
    Item("day_count", gettext_lazy("计息基础"), _choice(DayCount, "daycount.default"), _DUE),
    Item("rounding.mode", gettext_lazy("取整"), _choice(Rounding), _DUE),
    Item("rounding.multiple_fen", gettext_lazy("取整单位"), WHOLE, _DUE, suffix=gettext_lazy("分")),
    Item("roll", gettext_lazy("节假日"), _choice(Roll), _DUE),
    Item("max_grace_periods", gettext_lazy("阶段性等额本息宽限期数"), WHOLE, _DUE),
    Item("revolving", gettext_lazy("循环额度"), _flag(), _DUE),
    Item("grace_days", gettext_lazy("宽限"), WHOLE, _LATE, suffix=DAYS),
    Item("penalty.grace_retroactive", gettext_lazy("过宽限期追溯"), _flag("penalty.grace_retroactive"), _LATE),
    Item("penalty.compound", gettext_lazy("复利"), _choice(Compound, "penalty.compound_policy"), _LATE),
    Item("penalty.multiplier_ppm", gettext_lazy("罚息倍数"), PERCENT, _LATE, gettext_lazy("合同利率的百分之几")),
    Item("penalty.misuse_multiplier_ppm", gettext_lazy("挪用倍数"), PERCENT, _LATE, gettext_lazy("合同利率的百分之几")),
    Item("nonaccrual_after_dpd", gettext_lazy("转非应计：逾期超过"), WHOLE, _LATE, suffix=DAYS),
    Item("allocation.order", gettext_lazy("冲账顺序"), ORDER, _LATE, col="f6"),
    Item("allocation.future", gettext_lazy("多还的钱"), _choice(Future, "repayment.future_rule"), _LATE, col="f6"),
    Item("allocation.by_installment", gettext_lazy("逐期从旧到新冲"), _flag(), _LATE),
    Item("allocation.npl_enabled", gettext_lazy("不良后另定顺序"), _flag("repayment.npl_allocation_enabled"), _LATE),
    Item("allocation.npl_after_dpd", gettext_lazy("不良冲账：逾期超过"), WHOLE, _LATE, suffix=DAYS),
    Item("allocation.npl_order", gettext_lazy("不良冲账顺序"), ORDER, _LATE, col="f6"),
    Item("class_thresholds", gettext_lazy("分类"), THRESHOLDS, _LATE, gettext_lazy("如：1天 关注、91天 次级"), col="f6"),
    Item("guarantee_kinds", gettext_lazy("担保方式"), _many(GuaranteeKind), _REST, col="f12"),
    Item("prepayment_fee_ppm", gettext_lazy("提前还款费"), PERCENT, _REST),
    Item("flat_fee.fixed_fen", gettext_lazy("手续费（定额）"), YUAN, _REST, suffix=YUAN_WORD),
    Item("flat_fee.of_principal_ppm", gettext_lazy("手续费（按本金）"), PERCENT, _REST),
    Item(
        "interest_shares", gettext_lazy("第三方承担利息"), SHARES, _REST,
        gettext_lazy("一行一条：在校期间 财政 100%；没有就空着"), optional=True, col="f12",
    ),
)  # fmt: skip


def pick(document: Mapping[str, Any], path: str) -> Any:
    """条款里某处的值，没有则空。"""
    node: Any = document
    for part in path.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return node


def shown(item: Item, value: Any) -> Any:
    """填进控件的字；多选题给列表。"""
    if isinstance(value, Mapping) and set(value) == {"parameter"}:
        return MARK + value["parameter"]
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if item.codec.control().__class__ in {forms.ChoiceField, forms.MultipleChoiceField}:
        return value
    return item.codec.show(value)


def said(item: Item, value: Any) -> str:
    """给人看的字：取自参数的写明参数，没有的写横线。"""
    if isinstance(value, Mapping) and set(value) == {"parameter"}:
        return str(_("取自参数 %(code)s") % {"code": value["parameter"]})
    if value is None or value in ([], ""):
        return "—"
    return item.codec.show(value).replace("\n", "；")


def read(item: Item, given: Any) -> Any:
    """控件里的字 → 值。

    :raises ValidationError: 读不懂。
    """
    if isinstance(given, list):
        return given
    text = str(given or "").strip()
    if text.startswith(MARK):
        return {"parameter": text[1:].strip()}
    if not text:
        if item.optional:
            return [] if item.codec in {LIMITS, SHARES} else None
        raise ValidationError(_("请填写。"))
    try:
        return item.codec.read(text)
    except ValueError as wrong:
        raise ValidationError(str(wrong)) from wrong


def assemble(values: Mapping[str, Any]) -> dict[str, Any]:
    """各栏的值 → 条款文件；利率只留所选定价方式的栏目。"""
    document: dict[str, Any] = {}
    kind = values["rate.kind"]
    for item in ITEMS:
        if item.path not in values or (item.only and item.only != kind):
            continue
        *above, last = item.path.split(".")
        node = document
        for part in above:
            node = node.setdefault(part, {})
        node[last] = values[item.path]
    return document


@dataclass(frozen=True)
class Change:
    """一处不同：现行怎么写、拟改成什么。"""

    title: Any
    before: str
    after: str


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Change]:
    """两份条款的不同，逐栏；没有现行版本时列出全部。"""
    found = []
    for item in ITEMS:
        old, new = pick(before or {}, item.path), pick(after, item.path)
        if before is None or old != new:
            was = "—" if before is None else said(item, old)
            now = said(item, new)
            if was != now:
                found.append(Change(item.title, was, now))
    return found


def clause_changes(before: Sequence[str], after: Sequence[str]) -> list[Change]:
    """依据条款的增减。"""
    if list(before) == list(after):
        return []
    return [Change(_("依据条款"), "、".join(before) or "—", "、".join(after) or "—")]
