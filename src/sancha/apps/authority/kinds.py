"""授权的任务种类：授权复核。"""

from sancha.apps.work.operations import second_check

MANDATE_CHECK = second_check(
    "MANDATE_CHECK",
    "授权复核",
    posts=("DEPARTMENT_HEAD",),
    permission="authority.authorize",
    approve="同意生效",
    rule="授权的起草与复核须两人办理",
    clause="AUTHORITY-MANDATE",
)
