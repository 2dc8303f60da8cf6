"""SQLite 引擎：定长文字栏带检查约束，写入前量长短。"""

from __future__ import annotations

from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.operations import DatabaseOperations


class Operations(DatabaseOperations):
    """用量长短的编译器。"""

    compiler_module = "sancha.kit.database.sqlite3.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """``length()`` 数的是字，与 PostgreSQL 的 ``varchar(n)`` 同一口径。"""

    data_type_check_constraints = {
        **base.DatabaseWrapper.data_type_check_constraints,
        "CharField": 'length("%(column)s") <= %(max_length)s',
    }
    ops_class = Operations
