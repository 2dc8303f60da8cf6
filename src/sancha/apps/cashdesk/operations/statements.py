"""银行流水与对账：导入、用凭证解释、确认。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.access.queries import require_institution
from sancha.apps.cashdesk.models import CashMovement, OwnAccount, Receipt, Reconciliation, StatementLine
from sancha.apps.cashdesk.operations.accounts import mask_account, own_account_of
from sancha.apps.cashdesk.operations.receipts import ReceiptRow, take_receipts
from sancha.apps.cashdesk.queries import reconcile
from sancha.apps.ledger.queries import account_movement
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation


@operation("cashdesk.import_statement", permission="cashdesk.reconcile")
def import_statement(
    *, actor: Actor, key: str, own_account_id: int, rows: list[dict[str, Any]], on: date, create_receipts: bool = True
) -> dict[str, Any]:
    """导入银行流水。

    ``rows``：{serial, value_on, amount_fen（收正付负）, balance_fen?, counterparty?, counterparty_account?, memo?}。

    流水号去重：相同的跳过；同号不同额者整批拒绝，一行不入。``create_receipts`` 时没有登记过的进账成为挂账收款。

    :raises DomainError: 列出全部有问题的行；一行不入。
    """
    account = own_account_of(actor, own_account_id)
    lines = [_statement_line(account, row, number, on) for number, row in enumerate(rows, start=1)]
    known = {
        line.serial: line
        for line in StatementLine.objects.filter(own_account=account, serial__in=[line.serial for line in lines])
    }
    fresh: dict[str, StatementLine] = {}
    clashes = []
    for line in lines:
        other = known.get(line.serial) or fresh.get(line.serial)
        if other is None:
            fresh[line.serial] = line
        elif (other.amount_fen, other.value_on) != (line.amount_fen, line.value_on):
            clashes.append(line.serial)
    if clashes:
        raise Conflict(
            "SERIAL_CLASH", f"流水号 {'、'.join(clashes[:10])} 已有，但金额或日期不同，整批未导入。", field="serial",
            value=",".join(clashes[:10]), fix="请核对文件；银行更正的流水应有新流水号。",
        )  # fmt: skip
    StatementLine.objects.bulk_create(fresh.values())
    created = _receipts_from(account, list(fresh.values()), on, actor) if create_receipts else 0
    return {
        "subject": f"own_account:{own_account_id}", "imported": len(fresh), "duplicates": len(lines) - len(fresh),
        "receipts": created,
    }  # fmt: skip


def _statement_line(account: OwnAccount, row: dict[str, Any], number: int, on: date) -> StatementLine:
    value_on = _day(row.get("value_on"))
    fen, balance = row.get("amount_fen"), row.get("balance_fen")
    serial = str(row.get("serial") or "").strip()
    if not serial:
        raise _wrong_row(row, number, serial, "流水号")
    if type(fen) is not int or fen == 0:
        raise _wrong_row(row, number, serial, "金额")
    if balance is not None and type(balance) is not int:
        raise _wrong_row(row, number, serial, "余额")
    if value_on is None or value_on > on:
        raise _wrong_row(row, number, serial, "日期")
    return StatementLine(
        own_account=account, serial=serial[:64], value_on=value_on, amount_fen=fen, balance_fen=balance,
        counterparty=str(row.get("counterparty") or "")[:80],
        counterparty_account_masked=mask_account(str(row.get("counterparty_account") or "")),
        memo=str(row.get("memo") or "")[:200], imported_on=on,
    )  # fmt: skip


def _day(given: object) -> date | None:
    """日期或其 ISO 文字；认不出为空。"""
    if isinstance(given, str):
        try:
            return date.fromisoformat(given)
        except ValueError:
            return None
    return given if isinstance(given, date) else None


def _wrong_row(row: dict[str, Any], number: int, serial: str, what: str) -> DomainError:
    return DomainError(
        "STATEMENT_ROW", f"第 {number} 行（流水号 {serial or '空'}）的{what}不对，整批未导入。",
        field=f"rows.{number}",
        value=row.get("amount_fen"), fix="流水号必填；金额为非零整数分（收正付负）；日期不晚于营业日。",
    )  # fmt: skip


def _receipts_from(account: OwnAccount, lines: list[StatementLine], on: date, actor: Actor) -> int:
    incoming = [line for line in lines if line.amount_fen > 0]
    serials = [line.serial for line in incoming]
    ours = set(Receipt.objects.filter(own_account=account, serial__in=serials).values_list("serial", flat=True))
    ours |= {
        reason.removeprefix("move:")
        for reason in CashMovement.objects.filter(
            own_account=account, reason__in=[f"move:{serial}"[:60] for serial in serials]
        ).values_list("reason", flat=True)
    }
    rows = [
        ReceiptRow(
            serial=line.serial, amount_fen=line.amount_fen, value_on=line.value_on, payer_name=line.counterparty,
            payer_account=line.counterparty_account_masked, memo=line.memo,
        )
        for line in incoming
        if line.serial not in ours
    ]  # fmt: skip
    return len(take_receipts(own_account=account, rows=rows, on=on, actor=actor)) if rows else 0


@operation("cashdesk.explain_statement_line", permission="cashdesk.reconcile")
def explain_statement_line(*, actor: Actor, key: str, line_id: int, voucher_id: int, on: date) -> dict[str, Any]:
    """用一张凭证解释一笔流水（如手续费、结息的手工凭证）：凭证在该账户科目上的发生额须与流水相等。"""
    line = (
        StatementLine.objects.select_for_update(of=("self",)).select_related("own_account").filter(pk=line_id).first()
    )
    if line is None:
        raise NotFound(
            "LINE_NOT_FOUND",
            f"没有编号为 {line_id} 的流水。",
            field="line_id",
            value=line_id,
            fix="请从对账页的流水中选择。",
        )
    require_institution(actor, line.own_account.institution_id)
    booked = account_movement(
        voucher_id=voucher_id,
        account_id=line.own_account.ledger_account_id,
        institution_id=line.own_account.institution_id,
    )
    if booked != line.amount_fen:
        raise DomainError(
            "VOUCHER_DIFFERS", f"凭证 {voucher_id} 在该账户上发生 {booked} 分，流水是 {line.amount_fen} 分。",
            field="voucher_id", value=voucher_id, fix="请选金额相同的凭证，或先记一张手工凭证。",
        )  # fmt: skip
    if StatementLine.objects.filter(own_account=line.own_account, explained_by=voucher_id).exclude(pk=line_id).exists():
        raise Conflict(
            "VOUCHER_TAKEN",
            f"凭证 {voucher_id} 已用来解释另一笔流水。",
            field="voucher_id",
            value=voucher_id,
            fix="请另选一张凭证，或核对那一笔的解释。",
        )
    line.explained_by = voucher_id
    line.save(update_fields=["explained_by"])
    return {"subject": f"own_account:{line.own_account_id}"}


@operation("cashdesk.confirm_reconciliation", permission="cashdesk.reconcile")
def confirm_reconciliation(*, actor: Actor, key: str, own_account_id: int, day: date, on: date) -> dict[str, Any]:
    """确认某日对账：账面余额 − 只有我方 + 只有银行 = 银行余额，差额不为零不能确认。"""
    account = own_account_of(actor, own_account_id)
    if Reconciliation.objects.filter(own_account=account, day=day).exists():
        raise Conflict(
            "ALREADY_RECONCILED", f"{day} 已确认对账。", field="day", value=day, fix="请从下一个未对账的日子做起。"
        )
    proof = reconcile(actor, own_account_id=own_account_id, day=day)
    if proof.bank_fen is None or proof.difference_fen:
        raise Conflict(
            "NOT_RECONCILED",
            f"调节后仍差 {proof.difference_fen} 分，不能确认。" if proof.difference_fen else "没有银行余额，不能确认。",
            field="day", value=proof.difference_fen, fix="请导入流水，并逐笔核对金额不符与未解释的项目。",
        )  # fmt: skip
    Reconciliation.objects.create(
        own_account=account, day=day, book_fen=proof.book_fen, bank_fen=proof.bank_fen,
        only_ours_fen=proof.only_ours_fen, only_bank_fen=proof.only_bank_fen, confirmed_by=actor.person_id,
        confirmed_at=now(),
    )  # fmt: skip
    return {"subject": f"own_account:{own_account_id}", "bank_fen": proof.bank_fen}
