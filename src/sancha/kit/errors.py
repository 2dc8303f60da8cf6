"""业务错误：带代码、字段、数值、规则与补救办法；边缘（网页、接口、命令行）负责说成话。"""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """业务错误。

    ``code`` 稳定的英文代码；``message`` 中文一句话说清错在哪；``field``/``value`` 出错的栏目与输入值；
    ``clause`` 依据条款；``fix`` 怎么改。``status`` 是接口返回的 HTTP 状态。
    """

    status = 422

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        value: Any = None,
        clause: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.value = code, message, field, value
        self.clause, self.fix = clause, fix

    def as_dict(self) -> dict[str, Any]:
        """给接口与命令行 --json 用的字典，空项略去。"""
        shown = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "value": None if self.value is None else str(self.value),
            "clause": self.clause,
            "fix": self.fix,
        }
        return {key: value for key, value in shown.items() if value is not None}


class NotPermitted(DomainError):
    """无权：岗位、机构或职责分离不允许。"""

    status = 403


class NotFound(DomainError):
    """找不到，或在权限范围之外（两者不作区分，以免泄露存在与否）。"""

    status = 404


class Conflict(DomainError):
    """与当前状态冲突：重复、已锁、已关、正在处理。"""

    status = 409
