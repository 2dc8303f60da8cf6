"""全系统的守卫：各应用说守哪些表，这里合起来问缺了哪些。"""

from __future__ import annotations

from sancha.apps.access import guards as access
from sancha.apps.cashdesk import guards as cashdesk
from sancha.apps.ledger.guards import FROZEN_TABLES
from sancha.apps.parties import guards as parties
from sancha.apps.servicing import guards as servicing
from sancha.apps.work import guards as work
from sancha.kit import audit
from sancha.kit.guards import erasable_tables, guarded_tables, missing_triggers


def missing_guards() -> list[str]:
    """缺的触发器：总账、审计、事实、收款、档案、任职、决定。应为空。"""
    guarded = {
        "access": access.GUARDS,
        "work": work.GUARDS,
        "parties": parties.GUARDS,
        "cashdesk": cashdesk.GUARDS,
        "servicing": servicing.GUARDS,
    }
    tables = [table for label, guards in guarded.items() for table in guarded_tables(label, guards)]
    erasable = [table for label, guards in guarded.items() for table in erasable_tables(label, guards)]
    return [*missing_triggers([*FROZEN_TABLES, *tables], erasable=erasable), *audit.missing_guards()]
