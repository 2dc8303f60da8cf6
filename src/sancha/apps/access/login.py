"""登录之后按会话取人：一条查询取回本人与其全部任职，本次请求里认岗位身份不再另查。"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from sancha.apps.access.models import Person
from sancha.apps.access.queries import remember_holdings


class HoldingsBackend(ModelBackend):
    """口令登录同 Django 的 ``ModelBackend``；按会话取人时连任职一起取。

    每个请求都重新取：岗位一经解除，下一次点击就失效。
    """

    def get_user(self, user_id: Any) -> Person | None:
        person = remember_holdings(int(user_id))
        if person is None:
            return super().get_user(user_id)
        return person if self.user_can_authenticate(person) else None
