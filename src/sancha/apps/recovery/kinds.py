"""催收任务种类（第一批）：逾期跟进。"""

from sancha.apps.work.kinds import Outcome, TaskKind

FOLLOW_UP = TaskKind(
    code="OVERDUE_FOLLOW_UP",
    name="逾期跟进",
    posts=("LOAN_OFFICER", "COMMUNITY_CLERK", "GC_HANDLER"),
    permission="work.act",
    outcomes=(
        Outcome("PAID", "已还款"),
        Outcome("PROMISED", "承诺还款", needs_opinion=True),
        Outcome("HARDSHIP", "确有困难", needs_opinion=True),
        Outcome("UNREACHED", "未联系上", needs_opinion=True),
        Outcome("REFUSED", "拒绝还款", needs_opinion=True),
    ),
    duty="COLLECTOR",
    clause="recovery.followup_ladder_dpd",
)
