"""总账的写入：记账（供其他操作在其事务内调用）、科目与对照、期初、手工凭证、月结年结。每个题目一个文件。"""

from sancha.apps.ledger.folding import fold_day
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.operations.charts import TEMPLATES, add_account, adopt_chart, chart_template, map_account
from sancha.apps.ledger.operations.closing import close_month, close_year
from sancha.apps.ledger.operations.manual import (
    authorize_manual_voucher,
    correct_manual_voucher,
    decide_manual_voucher,
    enter_manual_voucher,
    reject_manual_voucher,
    reverse_manual_voucher,
    withdraw_manual_voucher,
)
from sancha.apps.ledger.operations.opening import post_opening_balances
from sancha.apps.ledger.operations.taxes import enter_stamp_duty, stamp_duty_occasion
from sancha.apps.ledger.posting import VoucherSpec, post_voucher, post_vouchers

__all__ = [
    "TEMPLATES",
    "AccountResolver",
    "LineSpec",
    "VoucherSpec",
    "add_account",
    "adopt_chart",
    "authorize_manual_voucher",
    "chart_template",
    "close_month",
    "close_year",
    "correct_manual_voucher",
    "decide_manual_voucher",
    "enter_manual_voucher",
    "enter_stamp_duty",
    "fold_day",
    "map_account",
    "post_opening_balances",
    "post_voucher",
    "post_vouchers",
    "reject_manual_voucher",
    "resolve_accounts",
    "reverse_manual_voucher",
    "stamp_duty_occasion",
    "withdraw_manual_voucher",
]
