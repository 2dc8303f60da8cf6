"""金额字段：数据库里只有整数分。"""

from typing import Any

from django.db import models


class FenField(models.BigIntegerField):  # type: ignore[type-arg]  # generic in the stubs only: Django's cannot be subscripted
    """整数分。拒绝浮点与小数，防止元、分混用。"""

    def get_prep_value(self, value: Any) -> Any:
        if (
            value is not None
            and (isinstance(value, bool) or not isinstance(value, int))
            and not hasattr(value, "resolve_expression")
        ):
            raise TypeError(f"{self.name}: 金额必须是整数分，得到 {value!r}")
        return super().get_prep_value(value)
