"""客户的任务种类：个人信息删除、客户合并、列入名单、名单复查。"""

from sancha.apps.work.operations import second_check

_POSTS = ("BRANCH_MANAGER", "GC_REVIEWER")
ERASURE_CHECK = second_check(
    "ERASURE_CHECK",
    "个人信息删除复核",
    posts=_POSTS,
    permission="parties.authorize",
    approve="同意删除",
    rule="个人信息删除的申请与复核须两人办理",
    clause="PIPL-47",
)
MERGE_CHECK = second_check(
    "MERGE_CHECK",
    "客户合并复核",
    posts=_POSTS,
    permission="parties.authorize",
    approve="同意合并",
    rule="客户合并的申请与复核须两人办理",
)
RISK_CHECK = second_check(
    "RISK_CHECK",
    "列入名单复核",
    posts=_POSTS,
    permission="parties.authorize",
    approve="同意列入",
    rule="列入名单的提出与复核须两人办理",
)
RISK_REVIEW_CHECK = second_check(
    "RISK_REVIEW_CHECK",
    "名单异议与解除",
    posts=_POSTS,
    permission="parties.authorize",
    approve="解除",
    rule="提出列入的人、记录异议的人不得决定异议与解除",
)
