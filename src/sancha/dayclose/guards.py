"""全系统的守卫：各应用说守哪些表，这里合起来问缺了哪些。"""

from __future__ import annotations

from sancha.apps.access import guards as access
from sancha.apps.cashdesk import guards as cashdesk
from sancha.apps.ledger.guards import FROZEN_TABLES
from sancha.apps.parties import guards as parties
from sancha.apps.servicing import guards as servicing
from sancha.apps.work import guards as work
from sancha.kit import audit
from sancha.kit.guards import guarded_tables, missing_triggers


def missing_guards() -> list[str]:
    """缺的触发器：总账、审计、事实、收款、档案、任职、决定。应为空。"""
    tables = [
        *FROZEN_TABLES,
        *guarded_tables("access", access.GUARDS),
        *guarded_tables("work", work.GUARDS),
        *guarded_tables("parties", parties.GUARDS),
        *guarded_tables("cashdesk", cashdesk.GUARDS),
        *guarded_tables("servicing", servicing.GUARDS),
    ]
    return [*missing_triggers(tables), *audit.missing_guards()]
