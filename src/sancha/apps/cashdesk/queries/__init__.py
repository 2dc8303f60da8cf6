"""出纳的查询：自有账户、收款与挂账账龄、付款单、现金日结、流水、对账、批扣。列表都带页码与合计。"""

from sancha.apps.cashdesk.queries.accounts import OwnAccountInfo, own_accounts
from sancha.apps.cashdesk.queries.closing import unfinished_money_reason
from sancha.apps.cashdesk.queries.direct_debit import BatchInfo, debit_batches, debit_file, debit_items
from sancha.apps.cashdesk.queries.listing import Listing
from sancha.apps.cashdesk.queries.payments import (
    OrderDetail,
    OrderEntry,
    OrderInfo,
    order_detail,
    order_entries,
    payee_account_to_send,
    payment_orders,
)
from sancha.apps.cashdesk.queries.receipts import (
    AGEING_BANDS,
    OPEN_STATES,
    AgeBand,
    ReceiptInfo,
    receipt_detail,
    receipts,
    receipts_hinted,
    suspense_ageing,
    uses_of,
)
from sancha.apps.cashdesk.queries.statements import OpenItem, ReconciliationProof, reconcile, statement_lines
from sancha.apps.cashdesk.queries.tills import TellerDayInfo, teller_days, uncounted_cash

__all__ = [
    "AGEING_BANDS",
    "OPEN_STATES",
    "AgeBand",
    "BatchInfo",
    "Listing",
    "OpenItem",
    "OrderDetail",
    "OrderEntry",
    "OrderInfo",
    "OwnAccountInfo",
    "ReceiptInfo",
    "ReconciliationProof",
    "TellerDayInfo",
    "debit_batches",
    "debit_file",
    "debit_items",
    "order_detail",
    "order_entries",
    "own_accounts",
    "payee_account_to_send",
    "payment_orders",
    "receipt_detail",
    "receipts",
    "receipts_hinted",
    "reconcile",
    "statement_lines",
    "suspense_ageing",
    "teller_days",
    "uncounted_cash",
    "unfinished_money_reason",
    "uses_of",
]
