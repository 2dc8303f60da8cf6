"""删除收付里的个人信息：付款人、收款人、对手名、账号与附言。金额、日期、流水号与凭证留着。"""

from __future__ import annotations

from collections.abc import Callable, Collection

from django.db.models import Q

from sancha.apps.cashdesk.models import DebitItem, PaymentOrder, Receipt, ReceiptUse, StatementLine
from sancha.apps.work import operations as work


def erase_money_trails(
    *, party_ids: Collection[int], subjects: Collection[str], mark: str, scrub: Callable[[str], str]
) -> dict[str, int]:
    """删净这些客户、这些对象（如 ``loan:12``）收付里的个人信息（内层函数）。返回各处删了几行。

    收款按客户线索、对象线索与用途找；对应的银行流水凭账户与流水号找。
    """
    wanted = list(subjects)
    used = ReceiptUse.objects.filter(subject__in=wanted).values("receipt_id")
    mine = Q(party_hint__in=list(party_ids)) | Q(subject_hint__in=wanted) | Q(pk__in=used)
    receipts = list(Receipt.objects.filter(mine))
    ids = [row.pk for row in receipts]
    paid = PaymentOrder.objects.filter(Q(subject__in=wanted) | Q(receipt_id__in=ids))
    roots = [("payment_order", row.pk) for row in paid]
    trails = {(row.own_account_id, row.serial) for row in receipts}
    trails |= {(row.own_account_id, row.bank_serial) for row in paid if row.bank_serial}
    lines = [
        line.pk
        for line in StatementLine.objects.filter(serial__in=[serial for _, serial in trails])
        if (line.own_account_id, line.serial) in trails
    ]
    debits = DebitItem.objects.filter(Q(party_id__in=list(party_ids)) | Q(subject__in=wanted))
    counts = {
        "cashdesk_receipt": Receipt.objects.filter(pk__in=ids).update(
            payer_name=mark, payer_account_masked="", memo=""
        ),
        "cashdesk_statementline": StatementLine.objects.filter(pk__in=lines).update(
            counterparty=mark, counterparty_account_masked="", memo=""
        ),
        "cashdesk_paymentorder": paid.update(
            payee_name=mark, payee_account="", payee_bank="", memo="", opinion="", failure=""
        ),
        "cashdesk_debititem": debits.update(payer_name=mark, payer_account="", failure=""),
    }
    tasks = work.erase_tasks(party_ids=(), roots=roots, scrub=scrub, mark=mark) if roots else {}
    return {place: count for place, count in counts.items() if count} | tasks


def move_debits(*, duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """并档：代扣明细改归存续的一档。收款上的线索只许追加，不改。"""
    count = DebitItem.objects.filter(party_id=duplicate_id).update(party_id=survivor_id)
    return {"cashdesk_debititem": count} if count else {}
