"""出纳的任务种类：付款复核。"""

from sancha.apps.work.operations import second_check

PAYMENT_CHECK = second_check(
    "PAYMENT_CHECK",
    "付款复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_DIRECTOR"),
    permission="cashdesk.authorize",
    approve="同意付款",
    rule="付款的录入与复核须两人办理",
)
