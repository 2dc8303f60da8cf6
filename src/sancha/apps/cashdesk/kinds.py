"""出纳的任务种类：付款复核。"""

from sancha.apps.work.kinds import Outcome, TaskKind

PAYMENT_CHECK = TaskKind(
    code="PAYMENT_CHECK",
    name="付款复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_DIRECTOR"),
    permission="cashdesk.authorize",
    outcomes=(Outcome("APPROVED", "同意付款"), Outcome("RETURNED", "退回", needs_opinion=True)),
    duty="CHECKER",
    forbidden_duties=frozenset({"MAKER"}),
    rule="付款的录入与复核须两人办理",
    clause="ORG-3",
)
