"""规则库的端点：每个数从哪条规定来、何时起、何时核对过。"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Router

from sancha.interfaces.api.endpoints import ask, caller_of
from sancha.interfaces.api.shapes import Day, Word, record, reply_of
from sancha.kit.errors import DomainError, NotFound
from sancha.rulebook import NotYetInForce, UnknownCode, all_clauses, all_parameters, catalog, clause, history
from sancha.rulebook.catalog import Clause

router = Router(tags=["规则库"])
ParameterReply = record(
    "Parameter",
    {
        "code": str, "name": str, "type": str, "value": Any, "unit": str, "clause": str, "source": str, "origin": str, "unsure": bool,
        "last_checked": date, "effective_from": date, "effective_to": date | None, "published_on": date | None, "note": str,
    },
    "有日期的参数值。",
)  # fmt: skip
ClauseReply = reply_of(Clause)


def _shown(parameter: Any) -> dict[str, Any]:
    return {name: getattr(parameter, name) for name in ParameterReply.model_fields}


@ask(router, "/rulebook/parameters", "calculator.use", "参数", reply=ParameterReply, many=True)
def parameters(request: HttpRequest, *, on: Day | None = None, known_on: Day | None = None) -> Any:
    """某日（缺省营业日）有效的全部参数；``known_on`` 给出时只用那天及以前公布的。尚未生效的不列。"""
    day = on or caller_of(request).business_date
    found = []
    for code in sorted(all_parameters()):
        try:
            found.append(_shown(catalog().parameter(code, day, known_on=known_on)))
        except NotYetInForce:
            continue
    return found


@ask(router, "/rulebook/parameters/{code}", "calculator.use", "参数的历史", reply=ParameterReply, many=True)
def parameter_history(request: HttpRequest, *, code: Word) -> Any:
    """一个参数的全部历史值。"""
    try:
        return [_shown(item) for item in history(code)]
    except UnknownCode:
        raise _unknown("参数", code) from None


@ask(router, "/rulebook/clauses", "calculator.use", "条款", reply=ClauseReply, many=True)
def clauses(request: HttpRequest) -> Any:
    """全部条款：文件、文号、要旨、施行期间、出处与核对日。"""
    return [all_clauses()[code] for code in sorted(all_clauses())]


@ask(router, "/rulebook/clauses/{code}", "calculator.use", "一条条款", reply=ClauseReply)
def one_clause(request: HttpRequest, *, code: Word) -> Any:
    """一条条款。"""
    try:
        return clause(code)
    except UnknownCode:
        raise _unknown("条款", code) from None


def _unknown(what: str, code: str) -> DomainError:
    return NotFound("CODE_UNKNOWN", f"规则库里没有{what}「{code}」。", field="code", value=code, fix="代码见列表。")
