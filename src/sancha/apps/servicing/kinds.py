"""借据的任务种类：调整复核。放款复核与它的办结在 ``operations.booking``。"""

from sancha.apps.work.kinds import Outcome, TaskKind

ADJUSTMENT_CHECK = TaskKind(
    code="ADJUSTMENT_CHECK",
    name="借据调整复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER"),
    permission="servicing.authorize",
    outcomes=(Outcome("APPROVED", "同意调整"), Outcome("RETURNED", "退回", needs_opinion=True)),
    duty="CHECKER",
    forbidden_duties=frozenset({"MAKER"}),
    rule="借据调整的录入与复核须两人办理",
    clause="ORG-3",
)
