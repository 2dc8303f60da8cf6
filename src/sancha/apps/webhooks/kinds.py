"""事件推送的任务种类：久送不达、自动暂停之后，请管理员处理。"""

from sancha.apps.work.kinds import Outcome, TaskKind

PAUSED = TaskKind(
    code="WEBHOOK_PAUSED",
    name="事件推送已暂停",
    posts=("ADMINISTRATOR",),
    permission="webhooks.manage",
    outcomes=(
        Outcome("RESUMED", "恢复推送"),
        Outcome("CLOSED", "停用订阅", needs_opinion=True),
    ),
    clause="UX-3",
)
