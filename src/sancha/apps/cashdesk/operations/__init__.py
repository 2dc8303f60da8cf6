"""出纳的写入：收款、挂账的使用与退回、付款单、现金清点、流水导入与对账、批扣。每个题目一个文件。

出纳只认识总账：收款先挂账（借 银行/现金，贷 暂收），用于借据时由上层在自己的事务里调用
``use_receipt`` 或 ``claim_receipt``（借 暂收，贷 贷款收付过渡），借据凭证再从过渡科目转出。
"""

from sancha.apps.cashdesk.operations.accounts import mask_account, open_own_account
from sancha.apps.cashdesk.operations.direct_debit import create_debit_batch, record_debit_results, send_debit_batch
from sancha.apps.cashdesk.operations.erasing import erase_money_trails, move_debits
from sancha.apps.cashdesk.operations.payments import (
    authorize_payment_order,
    cancel_payment_order,
    correct_payment_order,
    create_payment_order,
    decide_payment_order,
    enter_payment_order,
    fail_payment_order,
    reject_payment_order,
    return_receipt,
    send_payment_order,
    settle_payment_order,
)
from sancha.apps.cashdesk.operations.receipts import (
    ReceiptExists,
    ReceiptRow,
    record_receipt,
    take_receipts,
)
from sancha.apps.cashdesk.operations.statements import confirm_reconciliation, explain_statement_line, import_statement
from sancha.apps.cashdesk.operations.tills import count_cash, move_cash
from sancha.apps.cashdesk.operations.uses import ReceiptClaim, claim_receipt, release_use, settle_claim, use_receipt

__all__ = [
    "ReceiptClaim",
    "ReceiptExists",
    "ReceiptRow",
    "authorize_payment_order",
    "cancel_payment_order",
    "claim_receipt",
    "confirm_reconciliation",
    "correct_payment_order",
    "count_cash",
    "create_debit_batch",
    "create_payment_order",
    "decide_payment_order",
    "enter_payment_order",
    "erase_money_trails",
    "explain_statement_line",
    "fail_payment_order",
    "import_statement",
    "mask_account",
    "move_cash",
    "move_debits",
    "open_own_account",
    "record_debit_results",
    "record_receipt",
    "reject_payment_order",
    "release_use",
    "return_receipt",
    "send_debit_batch",
    "send_payment_order",
    "settle_claim",
    "settle_payment_order",
    "take_receipts",
    "use_receipt",
]
