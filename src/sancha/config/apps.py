"""接线应用：Django 就绪时把任务种类、订阅者接好。谁启动 Django，谁就有接好的系统。"""

from typing import Any

from django.apps import AppConfig


class WiringConfig(AppConfig):
    """在所有应用载入之后接线。"""

    name = "sancha.config"
    label = "wiring"
    subscribers: dict[str, Any] = {}

    def ready(self) -> None:
        """接线（重复无妨）。"""
        from sancha.config import wiring

        wiring.connect()
        self.subscribers = wiring.SUBSCRIBERS
