"""PostgreSQL 的语句编译器，插入与更新先量长短。"""

from django.db.backends.postgresql import compiler  # type: ignore[attr-defined]  # not in the stubs

from sancha.kit.database.lengths import InsertLengths, UpdateLengths

SQLAggregateCompiler, SQLCompiler, SQLDeleteCompiler = (
    compiler.SQLAggregateCompiler,
    compiler.SQLCompiler,
    compiler.SQLDeleteCompiler,
)


class SQLInsertCompiler(InsertLengths, compiler.SQLInsertCompiler):  # type: ignore[misc]  # a base that is not in the stubs
    """先量长短，再按 PostgreSQL 的整批写法。"""


class SQLUpdateCompiler(UpdateLengths, compiler.SQLUpdateCompiler):  # type: ignore[misc]  # as above
    """先量长短。"""


__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]
