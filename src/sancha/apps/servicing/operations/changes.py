"""合同变更：展期、重订计划、利率、收费、减免、加速到期、划转、分类、非应计、挪用罚息、承担份额。

都是「记一条事实」，区别只在各自要检查什么；理由必填，进事实与审计。
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access import queries as access
from sancha.apps.servicing.books import OpenLoan, open_loan, record_fact
from sancha.apps.servicing.models import LoanStatus
from sancha.kernel.facts import FactKind
from sancha.kernel.fold import fresh
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation


def record_change(
    *,
    actor: Actor,
    loan_id: int,
    on: date | None,
    kind: FactKind,
    reason: str,
    summary: str,
    operation_name: str,
    value_on: date | None = None,
    amount_fen: int = 0,
    data: dict[str, Any] | None = None,
    opened: OpenLoan | None = None,
    on_closed: bool = False,
) -> dict[str, Any]:
    """记一条变更事实。``on_closed`` 为真的（划转、分类）结清、核销之后也可办。"""
    if not reason.strip():
        raise DomainError(
            "REASON_MISSING",
            f"{summary}须写明理由。",
            field="reason",
            fix="请写明依据（审批文号、申请书、证明材料……）。",
        )
    if opened is None:
        opened = open_loan(loan_id=loan_id, actor=actor, on=on)
        if not on_closed:
            require_live(opened, summary)
    fact = record_fact(
        opened,
        kind=kind,
        actor=actor,
        value_on=value_on,
        amount_fen=amount_fen,
        data={**(data or {}), "reason": reason},
        summary=summary,
        operation=operation_name,
    )
    return {
        "subject": f"loan:{loan_id}",
        "loan_id": loan_id,
        "number": opened.loan.number,
        "seq": fact.seq,
        "voucher_id": opened.voucher_id,
        "status": opened.loan.status,
    }


def require_live(opened: OpenLoan, summary: str) -> None:
    """借据须存续：已核销、已结清、已作废的不能办 ``summary`` 这件事。"""
    if opened.state.written_off:
        raise Conflict(
            "LOAN_WRITTEN_OFF",
            f"借据 {opened.loan.number} 已核销，不能{summary}。",
            field="loan_id",
            value=opened.loan.number,
            fix="已核销的借据只能登记收回。",
        )
    if opened.loan.status in {LoanStatus.SETTLED, LoanStatus.VOID}:
        raise Conflict(
            "LOAN_CLOSED",
            f"借据 {opened.loan.number} 已是「{LoanStatus(opened.loan.status).label}」，不能{summary}。",
            field="loan_id",
            value=opened.loan.number,
            fix="入账有误请冲正原来的事实。",
        )


@operation("servicing.extend_loan", permission="servicing.change")
def extend_loan(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    matures_on: date,
    reason: str,
    on: date | None = None,
    rate_ppm: int | None = None,
) -> dict[str, Any]:
    """展期：未到期本金延到新到期日。累计展期不得超过原期限（一年以上的不超过一半，B2）。

    :raises DomainError: 新到期日不晚于现到期日、超过展期上限。
    :raises Conflict: 已全部到期（应重订计划）、已核销。
    """
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    require_live(opened, "展期")
    state, terms = opened.state, opened.terms
    if state.cur >= len(state.ends) or not state.not_due:
        raise Conflict(
            "NOTHING_TO_EXTEND",
            f"借据 {opened.loan.number} 已没有未到期本金。",
            field="loan_id",
            value=opened.loan.number,
            clause="PBOC 贷款通则 12",
            fix="已到期的请办理重订计划（困难分期）。",
        )
    if matures_on <= date.fromordinal(state.maturity):
        raise DomainError(
            "EXTENSION_NOT_LATER",
            f"新到期日 {matures_on} 不晚于现到期日 {date.fromordinal(state.maturity)}。",
            field="matures_on",
            value=matures_on,
            fix="请填写更晚的到期日。",
        )
    limit = extension_limit(terms.start, _first_maturity(opened))
    if matures_on > limit:
        raise DomainError(
            "EXTENSION_TOO_LONG",
            f"展期后到期日 {matures_on} 超过上限 {limit}。",
            field="matures_on",
            value=matures_on,
            clause="个人贷款管理办法（2024）展期上限",
            fix=f"到期日最晚 {limit}；仍有困难的请走重组。",
        )
    data: dict[str, Any] = {"maturity": matures_on.isoformat()}
    if rate_ppm is not None:
        data["rate_ppm"] = rate_ppm
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.EXTENSION,
        reason=reason,
        summary="展期",
        operation_name="extend_loan",
        data=data,
        opened=opened,
    )


def _first_maturity(opened: OpenLoan) -> date:
    return date.fromordinal(fresh(opened.terms).maturity)


def extension_limit(starts_on: date, matures_on: date) -> date:
    """展期后最晚的到期日：一年以内的贷款累计不超过原期限，一年以上的不超过原期限的一半（rules B2）。"""
    days = (matures_on - starts_on).days
    whole = days if days <= 366 else days // 2
    return date.fromordinal(matures_on.toordinal() + whole)


@operation("servicing.change_plan", permission="servicing.change")
def change_plan(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    due_dates: list[date],
    reason: str,
    principal_fen: list[int] | None = None,
    reopen_overdue: bool = False,
    rate_ppm: int | None = None,
    method: str | None = None,
    on: date | None = None,
) -> dict[str, Any]:
    """重订计划（重组、困难分期）：此后各期以给定日期（与可选的每期本金）为准；可把逾期本息移回计划。"""
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    require_live(opened, "重订计划")
    if not due_dates or due_dates != sorted(set(due_dates)) or due_dates[0] <= opened.stands_on:
        raise DomainError(
            "PLAN_DATES_INVALID",
            "新计划的应还日须逐期递增，且都晚于营业日。",
            field="due_dates",
            value=[str(day) for day in due_dates],
            fix="请更正各期应还日。",
        )
    data: dict[str, Any] = {"ends": [day.isoformat() for day in due_dates], "reopen_overdue": reopen_overdue}
    if principal_fen is not None:
        planned = sum(principal_fen)
        state = opened.state
        expected = state.not_due + (sum(item.principal_unpaid for item in state.installments) if reopen_overdue else 0)
        if len(principal_fen) != len(due_dates) or planned != expected or min(principal_fen) < 0:
            raise DomainError(
                "PLAN_PRINCIPAL_INVALID",
                f"各期本金合计 {format_yuan(planned)} 元，应为 {format_yuan(expected)} 元。",
                field="principal_fen",
                value=format_yuan(planned),
                fix="请使各期本金与应还日一一对应，合计等于待还本金。",
            )
        data["principal"] = principal_fen
    if rate_ppm is not None:
        data["rate_ppm"] = rate_ppm
    if method is not None:
        data["method"] = method
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.NEW_PLAN,
        reason=reason,
        summary="重订计划",
        operation_name="change_plan",
        data=data,
        opened=opened,
    )


@operation("servicing.change_rate", permission="servicing.change")
def change_rate(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    rate_ppm: int,
    reason: str,
    on: date | None = None,
    value_on: date | None = None,
    relevel: bool = True,
) -> dict[str, Any]:
    """利率变更：自起息日起按新利率；``relevel`` 为假时保持每期还款额。"""
    if not 0 <= rate_ppm <= 10_000_000:
        raise DomainError(
            "RATE_OUT_OF_RANGE",
            f"年利率 {rate_ppm / 10_000:.4f}% 不合理。",
            field="rate_ppm",
            value=rate_ppm,
            fix="年利率须在 0 到 1000% 之间。",
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.RATE_CHANGE,
        reason=reason,
        summary="利率变更",
        operation_name="change_rate",
        value_on=value_on,
        data={"rate_ppm": rate_ppm, "relevel": relevel},
    )


@operation("servicing.charge_fee", permission="servicing.change")
def charge_fee(
    *, actor: Actor, key: str, loan_id: int, amount_fen: int, name: str, reason: str, on: date | None = None
) -> dict[str, Any]:
    """收费：应收费用增加（须在综合融资成本明示表内）。"""
    if amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE", "费用须大于 0。", field="amount", value=format_yuan(amount_fen), fix="请填写正数。"
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.FEE,
        reason=reason,
        summary=f"收取{name}",
        operation_name="charge_fee",
        amount_fen=amount_fen,
        data={"name": name},
    )


@operation("servicing.waive", permission="servicing.change")
def waive(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    component: str,
    amount_fen: int,
    reason: str,
    on: date | None = None,
    value_on: date | None = None,
) -> dict[str, Any]:
    """减免罚息、复利、费用、已结利息或本金；不得超过应还。

    :raises DomainError: 成分不对、金额不是正数或超过应还。
    """
    names = {"penalty": "罚息", "compound": "复利", "fee": "费用", "interest": "利息", "principal": "本金"}
    if component not in names:
        raise DomainError(
            "COMPONENT_UNKNOWN",
            f"没有「{component}」这个成分。",
            field="component",
            value=component,
            fix="可减免：罚息、复利、费用、利息、本金。",
        )
    if amount_fen <= 0:
        raise DomainError(
            "AMOUNT_NOT_POSITIVE",
            "减免金额须大于 0。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="请填写正数。",
        )
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    require_live(opened, "减免")
    result = record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.WAIVER,
        reason=reason,
        summary=f"减免{names[component]}",
        operation_name="waive",
        value_on=value_on,
        amount_fen=amount_fen,
        data={"component": component},
        opened=opened,
    )
    if left := opened.state.unapplied.get(result["seq"]):
        raise DomainError(
            "WAIVER_TOO_MUCH",
            f"{names[component]}应还只有 {format_yuan(amount_fen - left)} 元，不能减免 {format_yuan(amount_fen)} 元。",
            field="amount",
            value=format_yuan(amount_fen),
            fix="减免不得超过应还余额。",
        )
    return result


@operation("servicing.accelerate_loan", permission="servicing.change")
def accelerate_loan(*, actor: Actor, key: str, loan_id: int, reason: str, on: date | None = None) -> dict[str, Any]:
    """宣布提前到期：应计利息与全部本金当日到期（依约定的加速条款，须有证据与通知，民法典 673）。"""
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    require_live(opened, "加速到期")
    if opened.state.cur >= len(opened.state.ends):
        raise Conflict(
            "ALREADY_DUE",
            f"借据 {opened.loan.number} 已全部到期。",
            field="loan_id",
            value=opened.loan.number,
            fix="无须加速到期，请直接催收或办理还款。",
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.ACCELERATION,
        reason=reason,
        summary="宣布提前到期",
        operation_name="accelerate_loan",
        opened=opened,
    )


@operation("servicing.transfer_loan", permission="servicing.change")
def transfer_loan(
    *, actor: Actor, key: str, loan_id: int, institution_id: int, reason: str, on: date | None = None
) -> dict[str, Any]:
    """机构划转：头寸整体换到新机构名下（会计上是重分类），须在同一日终分区或两区同日。"""
    target = access.require_institution(actor, institution_id)
    opened = open_loan(loan_id=loan_id, actor=actor, on=on)
    if opened.row.institution_id == institution_id:
        raise Conflict(
            "ALREADY_THERE",
            f"借据 {opened.loan.number} 本来就在{target.name}。",
            field="institution_id",
            value=target.name,
            fix="请选择要划入的机构。",
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.TRANSFER,
        reason=reason,
        summary="机构划转",
        operation_name="transfer_loan",
        data={"institution": str(institution_id)},
        opened=opened,
        on_closed=True,
    )


@operation("servicing.classify_loan", permission="servicing.change")
def classify_loan(
    *, actor: Actor, key: str, loan_id: int, loan_class: int, reason: str, on: date | None = None
) -> dict[str, Any]:
    """五级分类认定下限：实际分类取它与逾期天数所定者中较差的一个（B1）。"""
    if loan_class not in range(1, 6):
        raise DomainError(
            "CLASS_UNKNOWN",
            f"五级分类 {loan_class} 不存在。",
            field="loan_class",
            value=loan_class,
            fix="1 正常、2 关注、3 次级、4 可疑、5 损失。",
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.CLASSIFICATION,
        reason=reason,
        summary="五级分类认定",
        operation_name="classify_loan",
        data={"class": loan_class},
        on_closed=True,
    )


@operation("servicing.set_accrual_status", permission="servicing.change")
def set_accrual_status(
    *, actor: Actor, key: str, loan_id: int, accrual: bool, reason: str, on: date | None = None
) -> dict[str, Any]:
    """认定非应计（停产等），或撤销认定；逾期超过门槛的仍为非应计。"""
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.ACCRUAL_STATUS,
        reason=reason,
        summary="应计状态认定",
        operation_name="set_accrual_status",
        data={"accrual": accrual},
    )


@operation("servicing.mark_misuse", permission="servicing.change")
def mark_misuse(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    active: bool,
    reason: str,
    on: date | None = None,
    value_on: date | None = None,
) -> dict[str, Any]:
    """挪用罚息：自起息日起加重计息，与逾期并存时取重者（银发〔2003〕251 号）。"""
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.MISUSE,
        reason=reason,
        summary="挪用罚息",
        operation_name="mark_misuse",
        value_on=value_on,
        data={"active": active},
    )


@operation("servicing.set_payer_shares", permission="servicing.change")
def set_payer_shares(
    *,
    actor: Actor,
    key: str,
    loan_id: int,
    shares: list[list[Any]],
    reason: str,
    on: date | None = None,
    value_on: date | None = None,
) -> dict[str, Any]:
    """利息承担份额变更：``shares`` 为 [第三方, 份额 ppm] 列表，其余归借款人。"""
    total = sum(int(share) for _, share in shares)
    if total > 1_000_000 or any(int(share) < 0 for _, share in shares):
        raise DomainError(
            "SHARES_INVALID",
            f"第三方份额合计 {total / 10_000:.2f}%。",
            field="shares",
            value=shares,
            fix="各份额不为负，合计不超过 100%。",
        )
    return record_change(
        actor=actor,
        loan_id=loan_id,
        on=on,
        kind=FactKind.PAYER_SHARES,
        reason=reason,
        summary="利息承担变更",
        operation_name="set_payer_shares",
        value_on=value_on,
        data={"shares": shares},
    )
