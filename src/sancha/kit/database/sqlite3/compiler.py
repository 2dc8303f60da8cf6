"""SQLite 的语句编译器，插入与更新先量长短。"""

from django.db.models.sql.compiler import SQLAggregateCompiler, SQLCompiler, SQLDeleteCompiler

from sancha.kit.database.lengths import InsertLengths as SQLInsertCompiler
from sancha.kit.database.lengths import UpdateLengths as SQLUpdateCompiler

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]
