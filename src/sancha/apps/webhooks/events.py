"""事件推送自己的事件：试送。"""

from sancha.kit.events import EventField, EventKind, declare

TEST_SENT = declare(
    EventKind(
        "webhook.test",
        "试送",
        "有人在订阅页按了「试送」，或调用了试送接口；只送给那一个订阅，不必列入订阅的事件",
        {"subscription_id": EventField("id", "订阅编号")},
    )
)
