"""计算器：一份文档进，一份文档出；没有状态，不读数据库，命令行、接口与试算页用的是同一个函数。

进：``{terms, facts, on, known_at, want}``；出：状态摘要、还款计划、头寸、结清报价、综合成本与所要的推导。金额一律是整数分
（``_fen``），利率是百万分之一（``_ppm``）；元与百分数由边缘换算。错误是值（``errors``），不是异常：哪一栏、什么值、错在哪、怎样改。

``facts`` 不给，就当起息日一次放足本金；``on`` 不给，就立于起息日。条款里没有给的政策项是中性的（罚息不加成、不计复利、
不按天数分类），见 :mod:`sancha.kernel.terms`；``terms`` 在结果里原样写全，看得见用了什么。
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from sancha.kernel.allocation import compound_owed, fee_owed, half_up, penalty_owed
from sancha.kernel.calculator_schema import WANTS, request_schema, result_schema
from sancha.kernel.dates import DAYS, PeriodUnit, add_months
from sancha.kernel.derivation import UnknownFigure, derive, percent
from sancha.kernel.disclosure import (
    ContingentItem,
    Convention,
    CostItem,
    DisclosureError,
    annualized_cost,
    cost_statement,
    dated_cost,
)
from sancha.kernel.fact_data import read_facts
from sancha.kernel.facts import Fact, FactKind, effective
from sancha.kernel.fold import NEVER
from sancha.kernel.positions import accrual_status, classify, positions
from sancha.kernel.quote import is_settled, payoff
from sancha.kernel.replay import project, replay
from sancha.kernel.state import State
from sancha.kernel.terms import PPM, Compound, Terms, TermsError, iso_date
from sancha.kernel.timetable import TimetableRow, timetable

SCHEDULE, PAYOFF, DISCLOSURE = WANTS
_KEYS: Final = ("terms", "facts", "on", "known_at", "known_seq", "want")
# What a borrower does is not a condition of the loan: the cost that is disclosed is that of keeping to the plan.
_CONDITIONS: Final = frozenset(
    {
        FactKind.PLAN_GIVEN, FactKind.CALENDAR, FactKind.PAYER_SHARES, FactKind.RATE_CHANGE, FactKind.DISBURSEMENT, FactKind.FEE,
        FactKind.EXTENSION, FactKind.NEW_PLAN,
    }
)  # fmt: skip


def schema() -> dict[str, Any]:
    """接口说明：计算器两份文档的 JSON Schema（2020-12）。"""
    return {"request": request_schema(), "result": result_schema()}


def calculate(document: Any) -> dict[str, Any]:
    """计算：``{terms, facts, on, known_at, want}`` → 结果文档；有错则 ``{"ok": false, "errors": […]}``，从不抛错。"""
    errors: list[dict[str, Any]] = []
    request = _read(document, errors)
    if request is None or errors:
        return {"ok": False, "errors": errors}
    terms, facts, on, known_at, known_seq, want = request
    state = replay(terms, facts, on=on, known_at=known_at, known_seq=known_seq)
    result: dict[str, Any] = {
        "ok": True,
        "terms": terms.as_document(),
        "on": on.isoformat(),
        "known_at": known_at.isoformat() if known_at else None,
        "known_seq": known_seq,
        "summary": summary(terms, state),
        "positions": positions(terms, state),
        "unapplied": {str(seq): amount for seq, amount in sorted(state.unapplied.items())},
    }
    if SCHEDULE in want:
        rows = timetable(terms, state)
        result["schedule"] = [_row(row) for row in rows]
        result["totals"] = _totals(rows)
    if PAYOFF in want:
        result["payoff"] = payoff(terms, state)
    if DISCLOSURE in want:
        chosen = effective(facts, on=date.max, known_at=known_at, known_seq=known_seq)
        result["disclosure"] = disclose(terms, chosen)
    for figure in (name.removeprefix("derivation:") for name in want if name.startswith("derivation:")):
        try:
            node = derive(terms, facts, figure, on=on, known_at=known_at, known_seq=known_seq)
        except UnknownFigure as error:
            errors.append(_error("want", f"derivation:{figure}", str(error), "名字见 figures()。"))
        else:
            result.setdefault("derivations", {})[figure] = node.as_document()
    return {"ok": False, "errors": errors} if errors else result


# --- 读入 --------------------------------------------------------------------------


def _error(field: str, value: object, message: str, fix: str = "") -> dict[str, Any]:
    shown = value if value is None or isinstance(value, bool | int | str) else repr(value)
    return {"field": field, "value": shown, "message": message, "fix": fix}


def _read(
    document: Any, errors: list[dict[str, Any]]
) -> tuple[Terms, list[Fact], date, date | None, int | None, tuple[str, ...]] | None:
    if not isinstance(document, Mapping):
        errors.append(_error("", None, "须为一个对象。", "格式见 schema()。"))
        return None
    for name in sorted(set(document) - set(_KEYS)):
        errors.append(_error(name, document[name], f"不认识的栏目「{name}」。", f"可用：{'、'.join(_KEYS)}。"))
    terms = _read_terms(document.get("terms"), errors)
    on, known_at = (_read_date(document, name, errors) for name in ("on", "known_at"))
    known_seq = document.get("known_seq")
    if known_seq is not None and (isinstance(known_seq, bool) or not isinstance(known_seq, int) or known_seq < 0):
        errors.append(_error("known_seq", known_seq, "事实序号须为非负整数。"))
    want = _read_want(document.get("want"), errors)
    if terms is None:
        return None
    if on is not None and on < terms.start:
        errors.append(_error("on", on.isoformat(), f"早于起息日 {terms.start}。", "请给起息日或以后的日期。"))
    facts = [Fact(1, FactKind.DISBURSEMENT, terms.start, terms.start, terms.principal_fen)]
    if document.get("facts") is not None:
        facts, problems = read_facts(document["facts"], start=terms.start)
        errors += [_error(problem.field, problem.value, problem.message, problem.fix) for problem in problems]
    return None if errors else (terms, facts, on or terms.start, known_at, known_seq, want)


def _read_terms(document: Any, errors: list[dict[str, Any]]) -> Terms | None:
    if not isinstance(document, Mapping):
        errors.append(
            _error("terms", None, "缺少条款「terms」。", "须为对象，至少有起息日、本金、利率、还款方式与期数。")
        )
        return None
    try:
        return Terms.from_document(dict(document))
    except TermsError as error:
        field = f"terms.{error.field}" if error.field else "terms"
        errors.append(_error(field, error.value, error.message, error.fix))
        return None


def _read_date(document: Mapping[str, Any], name: str, errors: list[dict[str, Any]]) -> date | None:
    value = document.get(name)
    if value is None:
        return None
    try:
        return iso_date(value)
    except ValueError as error:
        errors.append(_error(name, value, f"「{name}」的值 {value!r} 不能识别。", str(error)))
        return None


def _read_want(value: Any, errors: list[dict[str, Any]]) -> tuple[str, ...]:
    if value is None:
        return WANTS
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        errors.append(_error("want", value, "须为文本列表。", f"可用：{'、'.join(WANTS)}、derivation:名字。"))
        return ()
    for name in value:
        if name not in WANTS and not name.startswith("derivation:"):
            errors.append(
                _error("want", name, f"不认识的结果「{name}」。", f"可用：{'、'.join(WANTS)}、derivation:名字。")
            )
    return tuple(value)


# --- 写出 --------------------------------------------------------------------------


def summary(terms: Terms, state: State) -> dict[str, Any]:
    """状态摘要：余额、应还、应计、逾期与分类。"""
    accrued = half_up(state.acc_num, state.acc_den)
    subsidy = half_up(state.subsidy_num, state.acc_den * PPM)
    return {
        "principal_fen": state.principal,
        "principal_not_due_fen": state.not_due,
        "overdue_principal_fen": 0 if state.written_off else state.overdue_principal,
        "interest_due_fen": state.interest_unpaid,
        "interest_accrued_fen": accrued - subsidy,
        "subsidy_accrued_fen": subsidy,
        "penalty_fen": penalty_owed(terms, state),
        "compound_fen": compound_owed(terms, state),
        "fee_fen": fee_owed(state),
        "overpayment_fen": state.overpayment,
        "payers": {payer: {"due_fen": due, "paid_fen": paid} for payer, (due, paid) in state.payers.items()},
        "days_past_due": state.days_past_due,
        "class": classify(terms, state),
        "accrual": accrual_status(terms, state),
        "settled": is_settled(terms, state),
        "rate_ppm": state.rate_ppm,
        "level_fen": state.level,
        "maturity": date.fromordinal(state.maturity).isoformat(),
        "next_event": date.fromordinal(state.next_on).isoformat() if state.next_on < NEVER else None,
    }


def _row(row: TimetableRow) -> dict[str, Any]:
    return {
        "no": row.no,
        "kind": row.kind,
        "starts_on": row.starts_on.isoformat(),
        "due_on": row.due_on.isoformat(),
        "days": row.days,
        "opening_fen": row.opening_fen,
        "principal_fen": row.principal_fen,
        "interest_fen": row.interest_fen,
        "subsidy_fen": row.subsidy_fen,
        "fee_fen": row.fee_fen,
        "total_fen": row.total_fen,
        "closing_fen": row.closing_fen,
        "paid_principal_fen": row.paid_principal_fen,
        "paid_interest_fen": row.paid_interest_fen,
        "waived_fen": row.waived_fen,
        "unpaid_fen": row.unpaid_fen,
        "settled_on": row.settled_on.isoformat() if row.settled_on else None,
        "days_late": row.days_late,
        "status": str(row.standing),
        "rate_ppm": row.rate_ppm,
    }


def _totals(rows: list[TimetableRow]) -> dict[str, int]:
    names = (
        "principal_fen",
        "interest_fen",
        "subsidy_fen",
        "fee_fen",
        "total_fen",
        "paid_fen",
        "waived_fen",
        "unpaid_fen",
    )
    return {name: sum(getattr(row, name) for row in rows) for name in names}


# --- 综合成本 ------------------------------------------------------------------------


def disclose(terms: Terms, facts: list[Fact]) -> dict[str, Any]:
    """综合融资成本：借款人按约履行的全部收付，年化三种口径（能算的都给，不能算的说明原因）。

    现金流取放款、各期应还与收费，不看已经还了什么；第三方承担的利息不是借款人的成本，另列。
    """
    conditions = [fact for fact in facts if fact.kind in _CONDITIONS]
    if not any(fact.kind is FactKind.DISBURSEMENT for fact in conditions):
        return {"error": "没有放款，算不出综合成本（期初导入的借据请按原合同试算）。"}
    state = project(terms, replay(terms, conditions, on=max(fact.value_on for fact in conditions)))
    start = terms.start.toordinal()
    principal = [
        (fact.value_on.toordinal(), fact.amount_fen) for fact in conditions if fact.kind is FactKind.DISBURSEMENT
    ]
    fees = [(fact.value_on.toordinal(), fact.amount_fen) for fact in conditions if fact.kind is FactKind.FEE]
    back = [(item.due_on, item.principal_due) for item in state.installments]
    interest = [(item.due_on, item.interest_due) for item in state.installments]
    fees += [(item.due_on, item.fee_due) for item in state.installments]
    nominal = {item.due_on: item.bill_on for item in state.installments}
    result: dict[str, Any] = {
        "principal_fen": sum(amount for _, amount in principal),
        "interest_fen": sum(amount for _, amount in interest),
        "fee_fen": sum(amount for _, amount in fees),
        "subsidy_fen": sum(item.subsidy_due for item in state.installments),
        "cash_flows": [
            {"on": date.fromordinal(day).isoformat(), "amount_fen": amount}
            for day, amount in _by_day([*principal, *((day, -amount) for day, amount in (*back, *interest, *fees))])
        ],
        "contingent": _contingent(terms),
    }
    flows = [(date.fromisoformat(flow["on"]), flow["amount_fen"]) for flow in result["cash_flows"]]
    result["xirr"] = _cost(lambda: dated_cost(flows).rate_ppm)
    steps, per_year = _steps(terms, [day for day, _ in (*principal, *back, *fees)], nominal, start)
    if not steps:
        reason = "各笔收付不在整月（整周）上，等距年化不适用，请看按实际日期的年化。"
        return result | {"nominal": {"error": reason}, "effective": {"error": reason}}
    stepped = [(steps[date.toordinal(day)], amount) for day, amount in flows]
    for name, convention in (("nominal", Convention.NOMINAL), ("effective", Convention.EFFECTIVE)):

        def annual(convention: Convention = convention) -> int:
            return annualized_cost(stepped, convention=convention, periods_per_year=per_year).rate_ppm

        result[name] = _cost(annual)
    items = [
        CostItem(
            "利息",
            "按还款计划",
            f"年利率 {percent(terms.rate_ppm)}",
            "贷款人",
            tuple((steps[d], a) for d, a in interest if a),
        ),
        CostItem("费用", "按约定", "见收费明细", "贷款人", tuple((steps[d], a) for d, a in fees if a)),
    ]
    try:
        statement = cost_statement(
            principal_flows=[
                *((steps[day], amount) for day, amount in principal),
                *((steps[day], -amount) for day, amount in back),
            ],
            items=[item for item in items if item.flows],
            periods_per_year=per_year,
        )
    except DisclosureError as error:
        return result | {"items": [], "items_error": error.message}
    return result | {
        "items": [
            {"name": line.name, "amount_fen": line.amount_fen, "rate_ppm": line.rate_ppm} for line in statement.lines
        ]
    }


def _by_day(flows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    days: dict[int, int] = {}
    for day, amount in flows:
        days[day] = days.get(day, 0) + amount
    return sorted((day, amount) for day, amount in days.items() if amount)


def _cost(rate: Callable[[], int]) -> dict[str, Any]:
    try:
        return {"rate_ppm": rate()}
    except DisclosureError as error:
        return {"error": error.message}


def _steps(terms: Terms, days: list[int], nominal: Mapping[int, int], start: int) -> tuple[dict[int, int], int]:
    """各收付日的期序号与每年期数：都落在整月上则按月，都落在整周上则按周，否则空。顺延的应还日按名义期末算。"""
    places = {day: nominal.get(day, day) for day in days}
    if terms.period_unit in DAYS:
        if terms.period_unit is PeriodUnit.WEEK and all((place - start) % 7 == 0 for place in places.values()):
            return {day: (place - start) // 7 for day, place in places.items()}, 52
        return {}, 0
    first = date.fromordinal(start)
    steps: dict[int, int] = {}
    for day, place in places.items():
        on = date.fromordinal(place)
        months = (on.year - first.year) * 12 + on.month - first.month
        if place != (start if months == 0 else add_months(start, months, first.day)):
            return {}, 0
        steps[day] = months
    return steps, 12


def _contingent(terms: Terms) -> list[dict[str, Any]]:
    """或有成本：违约或提前还款才发生。"""
    penalty = terms.penalty_rate_ppm(terms.rate_ppm)
    misuse = terms.misuse_rate_ppm(terms.rate_ppm)
    items = [ContingentItem("逾期罚息", "逾期本金", "逾期之日起按罚息利率", "贷款人", penalty)]
    if misuse > terms.rate_ppm:
        items.append(
            ContingentItem("挪用罚息", "挪用的本金", "挪用之日起按挪用罚息利率，与逾期罚息取重者", "贷款人", misuse)
        )
    if terms.compound is not Compound.NONE:
        in_term = (
            "期内按合同利率，到期后按罚息利率" if terms.compound is Compound.CONTRACT_THEN_PENALTY else "按罚息利率"
        )
        items.append(ContingentItem("复利", "逾期利息", in_term, "贷款人"))
    if terms.prepayment_fee_ppm:
        items.append(ContingentItem("提前还款费", "提前归还的本金", "按提前归还的本金收取", "贷款人"))
    rows = [
        {"name": item.name, "condition": item.condition, "standard": item.standard, "rate_ppm": item.rate_ppm}
        for item in items
    ]
    if terms.prepayment_fee_ppm:
        rows[-1]["share_ppm"] = terms.prepayment_fee_ppm
    return rows
