"""总账的任务种类：手工凭证复核。"""

from sancha.apps.work.operations import second_check

VOUCHER_CHECK = second_check(
    "VOUCHER_CHECK",
    "手工凭证复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_DIRECTOR"),
    permission="ledger.authorize",
    approve="同意记账",
    rule="手工凭证的录入与复核须两人办理",
)
