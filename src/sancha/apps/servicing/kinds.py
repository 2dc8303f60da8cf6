"""借据的任务种类：调整复核。放款复核与它的办结在 ``operations.booking``。"""

from sancha.apps.work.operations import second_check

ADJUSTMENT_CHECK = second_check(
    "ADJUSTMENT_CHECK",
    "借据调整复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER"),
    permission="servicing.authorize",
    approve="同意调整",
    rule="借据调整的录入与复核须两人办理",
)
