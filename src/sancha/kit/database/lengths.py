"""文字长短：凡写进定长文字栏的，先量再写；过长即拒绝并说明哪一栏、多长、限多少。

SQLite 不管 ``varchar(n)`` 的 n，PostgreSQL 管而只说「太长」；在这里量，两库一个说法，网页、接口、命令行都一样。
绕过 ORM 的整批 SQL 由数据库自己挡住：PostgreSQL 本来就挡，SQLite 的引擎给每一栏加了检查约束。
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import Value
from django.db.models.sql import compiler

from sancha.kit.errors import DomainError

SHOWN = 20
"""错误里只露开头这么多字：够认出是哪一段，不至于把整段个人资料抄进日志。"""


class TextTooLong(DomainError):
    """文字过长。"""


def require_fits(field: models.Field[Any, Any], value: Any) -> None:
    """核对一栏的文字不超过其长度。不是定长文字的栏、不是文字的值，一概放过。

    :raises TextTooLong: 过长。
    """
    longest = getattr(field, "max_length", None)
    if longest is None or not isinstance(value, str) or len(value) <= longest:
        return
    if not isinstance(field, models.CharField):
        return
    titled = field.verbose_name != field.name.replace("_", " ")
    title = f"「{field.verbose_name}」（{field.name}）" if titled else f"「{field.name}」"
    raise TextTooLong(
        "TEXT_TOO_LONG",
        f"{title}有 {len(value)} 个字，最多 {longest} 个。",
        field=field.name,
        value=f"{value[:SHOWN]}…",
        fix=f"请缩短 {len(value) - longest} 个字以上；放不下的写在备注或附件里。",
    )


class InsertLengths(compiler.SQLInsertCompiler):
    """插入之前量长短：单行与整批都走这里。"""

    def prepare_value(self, field: Any, value: Any) -> Any:
        require_fits(field, value)
        return super().prepare_value(field, value)


class UpdateLengths(compiler.SQLUpdateCompiler):
    """更新之前量长短：``save``、``update`` 与 ``bulk_update`` 都走这里。"""

    def as_sql(self) -> Any:  # type: ignore[override]  # Django's own signature differs between compilers
        for field, _model, value in self.query.values:
            for part in value.flatten() if hasattr(value, "flatten") else [value]:
                require_fits(field, part.value if isinstance(part, Value) else part)
        return super().as_sql()
