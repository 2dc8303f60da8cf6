"""导出留痕：谁把哪些借据导出去了。表格本身由页面或命令写，这里只记账。"""

from __future__ import annotations

from typing import Any

from sancha.kit.actor import Actor
from sancha.kit.operation import operation


@operation("servicing.record_export", permission="reporting.export")
def record_export(*, actor: Actor, key: str, listing: str, conditions: str, rows: int) -> dict[str, Any]:
    """记下一次导出：台账名、筛选条件、行数进审计。"""
    return {"subject": f"export:{listing}", "rows": rows, "audit": {"conditions": conditions, "rows": rows}}
