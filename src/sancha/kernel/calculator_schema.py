"""计算器两份文档的 JSON Schema（2020-12），手写，随 :mod:`sancha.kernel.calculator` 一起改；测试拿算例与它互相核对。"""

from __future__ import annotations

from typing import Any, Final

from sancha.kernel.dates import PeriodUnit
from sancha.kernel.daycount import DayCount
from sancha.kernel.facts import FactKind
from sancha.kernel.money import MAX_YUAN, Rounding
from sancha.kernel.terms import COMPONENTS, PPM, Compound, Future, Method, Roll

WANTS: Final = ("schedule", "payoff", "disclosure")
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_FEN: Final = {"type": "integer", "minimum": 0, "maximum": MAX_YUAN * 100}
_SIGNED: Final = {"type": "integer"}
_RESULT: Final = {
    "type": "integer",
    "minimum": 0,
}  # what is computed has no upper bound: 300 years of penalty may be asked for
_DATE: Final = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


def _or_null(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, {"type": "null"}]}


def _choice(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def _count(low: int, high: int | None = None) -> dict[str, Any]:
    return {"type": "integer", "minimum": low} | ({"maximum": high} if high is not None else {})


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _fens(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, _RESULT)


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _calendar() -> dict[str, Any]:
    return _closed(
        {"holidays": _list(_DATE), "makeup_workdays": _list(_DATE), "published_years": _list({"type": "integer"})},
        "holidays", "makeup_workdays", "published_years",
    )  # fmt: skip


def _terms() -> dict[str, Any]:
    order = _list(_choice(*COMPONENTS)) | {"minItems": len(COMPONENTS), "maxItems": len(COMPONENTS)}
    shares = {"type": "array", "prefixItems": [{"type": "string"}, _count(0, PPM)], "minItems": 2, "maxItems": 2}
    allocation = _closed(
        {
            "order": order, "by_installment": {"type": "boolean"}, "npl_after_dpd": _or_null(_count(0)), "npl_order": order,
            "future": _choice(*Future),
        }
    )  # fmt: skip
    optional = {
        "periods": _count(0) | {"description": "期数；给了到期日可不填"},
        "period_unit": _choice(*PeriodUnit),
        "period_every": _count(1),
        "due_day": _or_null(_count(1, 31)) | {"description": "固定还款日；空则放款日对日"},
        "first_due": _or_null(_DATE),
        "maturity": _or_null(_DATE),
        "first_period_min_days": _count(0),
        "day_count": _choice(*DayCount),
        "rounding": _choice(*Rounding) | {"description": "每期还款额的取整规则"},
        "multiple_fen": _count(1),
        "grace_periods": _count(0),
        "plan": _list(_FEN) | {"description": "还本计划，合计等于本金"},
        "flat_fee_fen": _FEN,
        "roll": _choice(*Roll),
        "calendar": _calendar(),
        "grace_days": _count(0, 366),
        "grace_retroactive": {"type": "boolean"},
        "penalty_multiplier_ppm": _count(0) | {"description": "罚息利率 ÷ 执行利率；不给为 1 倍"},
        "misuse_multiplier_ppm": _count(0) | {"description": "挪用罚息利率 ÷ 执行利率；不给为 1 倍"},
        "compound": _choice(*Compound) | {"description": "复利；不给为不计"},
        "allocation": allocation,
        "class_thresholds": _list(
            {"type": "array", "prefixItems": [_count(1), _count(1, 5)], "minItems": 2, "maxItems": 2}
        )
        | {"description": "[[逾期天数, 级别], …]；不给则只凭认定"},
        "nonaccrual_after_dpd": _or_null(_count(0)) | {"description": "逾期超过几天转非应计；不给则只凭认定"},
        "payer_shares": _list({"type": "array", "prefixItems": [_DATE, _list(shares)], "minItems": 2, "maxItems": 2}),
        "prepayment_fee_ppm": _count(0, PPM - 1),
        "rate_link": _or_null({"type": "array", "minItems": 3, "maxItems": 3}),
        "institution": {"type": "string"},
        "product": {"type": "string"},
        "currency": {"type": "string"},
        "calc_version": _count(1, 1),
    }
    required = {
        "start": _DATE | {"description": "起息日"},
        "principal_fen": _count(1, MAX_YUAN * 100) | {"description": "本金（分）"},
        "rate_ppm": _count(0, 10 * PPM) | {"description": "年利率，百万分之一；免息写 0"},
        "method": _choice(*Method),
    }
    return _closed(required | optional, *required)


def request_schema() -> dict[str, Any]:
    """请求的 JSON Schema。"""
    fact = _closed(
        {
            "seq": _count(1), "kind": _choice(*FactKind), "value_on": _DATE, "booked_on": _or_null(_DATE), "amount_fen": _FEN,
            "data": {"type": "object", "description": "按种类，见 docs/algorithms/facts.md"},
        },
        "seq", "kind", "value_on",
    )  # fmt: skip
    return {"$schema": DIALECT, "title": "Sancha calculator request 计算请求"} | _closed(
        {
            "terms": _terms(), "facts": _or_null(_list(fact)), "on": _or_null(_DATE), "known_at": _or_null(_DATE),
            "known_seq": _or_null(_count(0)),
            "want": _or_null(_list({"type": "string", "pattern": f"^({'|'.join(WANTS)}|derivation:.+)$"})),
        },
        "terms",
    )  # fmt: skip


def result_schema() -> dict[str, Any]:
    """结果的 JSON Schema：算成（``ok`` 为真）或错误清单。"""
    summary = _fens(
        "principal_fen", "principal_not_due_fen", "overdue_principal_fen", "interest_due_fen", "interest_accrued_fen",
        "subsidy_accrued_fen", "penalty_fen", "compound_fen", "fee_fen", "overpayment_fen", "level_fen",
    ) | {
        "payers": {"type": "object", "additionalProperties": _closed(_fens("due_fen", "paid_fen"), "due_fen", "paid_fen")},
        "days_past_due": _count(0), "class": _count(1, 5), "accrual": _count(0, 2), "settled": {"type": "boolean"},
        "rate_ppm": _count(0), "maturity": _DATE, "next_event": _or_null(_DATE),
    }  # fmt: skip
    row = _fens(
        "opening_fen", "principal_fen", "interest_fen", "subsidy_fen", "fee_fen", "total_fen", "closing_fen",
        "paid_principal_fen", "paid_interest_fen", "waived_fen", "unpaid_fen",
    ) | {
        "no": _count(1), "kind": {"type": "string"}, "starts_on": _DATE, "due_on": _DATE, "days": _SIGNED,
        "settled_on": _or_null(_DATE), "days_late": _count(0), "status": {"type": "string"}, "rate_ppm": _count(0),
    }  # fmt: skip
    totals = _fens(
        "principal_fen", "interest_fen", "subsidy_fen", "fee_fen", "total_fen", "paid_fen", "waived_fen", "unpaid_fen"
    )
    amounts = {"type": "object", "additionalProperties": _SIGNED}
    good = _closed(
        {
            "ok": {"const": True}, "terms": _terms(), "on": _DATE, "known_at": _or_null(_DATE), "known_seq": _or_null(_count(0)),
            "summary": _closed(summary, *summary), "positions": amounts, "unapplied": amounts,
            "schedule": _list(_closed(row, *row)), "totals": _closed(totals, *totals), "payoff": amounts,
            "disclosure": _disclosure(),
            "derivations": {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}},
        },
        "ok", "terms", "on", "summary", "positions", "unapplied",
    )  # fmt: skip
    error = _closed(
        {"field": {"type": "string"}, "value": {}, "message": {"type": "string"}, "fix": {"type": "string"}},
        "field", "value", "message", "fix",
    )  # fmt: skip
    bad = _closed({"ok": {"const": False}, "errors": _list(error) | {"minItems": 1}}, "ok", "errors")
    return {
        "$schema": DIALECT,
        "title": "Sancha calculator result 计算结果",
        "oneOf": [good, bad],
        "$defs": {"node": _node()},
    }


def _disclosure() -> dict[str, Any]:
    rate = {"anyOf": [_closed({"rate_ppm": _SIGNED}, "rate_ppm"), _closed({"error": {"type": "string"}}, "error")]}
    contingent = _closed(
        {
            "name": {"type": "string"}, "condition": {"type": "string"}, "standard": {"type": "string"},
            "rate_ppm": _or_null(_count(0)), "share_ppm": _count(0, PPM),
        },
        "name", "condition", "standard", "rate_ppm",
    )  # fmt: skip
    item = _closed(
        {"name": {"type": "string"}, "amount_fen": _RESULT, "rate_ppm": _SIGNED}, "name", "amount_fen", "rate_ppm"
    )
    full = _closed(
        _fens("principal_fen", "interest_fen", "fee_fen", "subsidy_fen")
        | {
            "cash_flows": _list(_closed({"on": _DATE, "amount_fen": _SIGNED}, "on", "amount_fen")),
            "contingent": _list(contingent), "nominal": rate, "effective": rate, "xirr": rate,
            "items": _list(item), "items_error": {"type": "string"},
        },
        "principal_fen", "interest_fen", "fee_fen", "subsidy_fen", "cash_flows", "contingent", "nominal", "effective", "xirr",
    )  # fmt: skip
    return {"anyOf": [full, _closed({"error": {"type": "string"}}, "error")]}


def _node() -> dict[str, Any]:
    return _closed(
        {
            "label": {"type": "string"}, "rule": {"type": "string"}, "value_fen": _SIGNED,
            "exact_fen": {"type": "string", "pattern": "^-?[0-9]+/[0-9]+$"}, "number": _SIGNED, "unit": {"type": "string"},
            "formula": {"type": "string"}, "source": {"type": "string"}, "children": _list({"$ref": "#/$defs/node"}),
        },
        "label", "rule",
    )  # fmt: skip
