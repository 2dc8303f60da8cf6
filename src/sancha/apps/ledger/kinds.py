"""总账的任务种类：手工凭证复核。"""

from sancha.apps.work.kinds import Outcome, TaskKind

VOUCHER_CHECK = TaskKind(
    code="VOUCHER_CHECK",
    name="手工凭证复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_DIRECTOR"),
    permission="ledger.authorize",
    outcomes=(Outcome("APPROVED", "同意记账"), Outcome("RETURNED", "退回", needs_opinion=True)),
    duty="CHECKER",
    forbidden_duties=frozenset({"MAKER"}),
    rule="手工凭证的录入与复核须两人办理",
    clause="ORG-3",
)
