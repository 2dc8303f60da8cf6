"""PostgreSQL 引擎：写入前量长短，错误说得出是哪一栏。"""

from __future__ import annotations

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations


class Operations(DatabaseOperations):
    """用量长短的编译器。"""

    compiler_module = "sancha.kit.database.postgresql.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """与 Django 自带的相同，只换了编译器。"""

    ops_class = Operations
