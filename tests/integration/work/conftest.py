"""两类任务：放款复核（职责分离、退回要意见）与贷后走访（有表单）。登记册在每个测试后复原。"""

import pytest

from sancha.apps.work import kinds, operations
from sancha.apps.work.forms import FormField, FormSchema
from sancha.apps.work.kinds import Outcome, TaskKind
from tests.support.factories_access import OPENING_DAY

AUTHORIZE = TaskKind(
    code="test.authorize",
    name="放款复核",
    posts=("ACCOUNTING_SUPERVISOR", "GC_UNDERWRITER"),
    permission="servicing.authorize",
    outcomes=(Outcome("APPROVED", "同意"), Outcome("RETURNED", "退回", needs_opinion=True)),
    duty="DISBURSEMENT_AUTHORIZER",
    forbidden_duties=frozenset({"BOOKER", "LEAD_INVESTIGATOR"}),
    rule="放款与会计授权双人分设",
    clause="ORG-3",
)
VISIT = TaskKind(
    code="test.visit",
    name="贷后走访",
    posts=("LOAN_OFFICER",),
    permission="work.act",
    outcomes=(Outcome("VISITED", "已走访"),),
    form_code="test.visit",
    duty="INSPECTOR",
)
VISIT_FORM = FormSchema(
    title="贷后走访表",
    fields=(
        FormField(code="stock_fen", label="存货", type="fen", required=True, report=True, least=0),
        FormField(code="seen_on", label="走访日", type="date", required=True, report=True),
        FormField(code="open", label="在营", type="bool", required=True, report=True),
        FormField(code="trade", label="行业", type="choice", choices={"FARM": "种养", "SHOP": "商贸"}, report=True),
        FormField(code="note", label="备注", type="text", longest=20),
    ),
)
FILLED = {"stock_fen": 1_250_000, "seen_on": "2026-03-02", "open": True, "trade": "SHOP", "note": "货架充足"}


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    monkeypatch.setattr(kinds, "_closers", {})
    monkeypatch.setattr(kinds, "_roots", {})
    kinds.register_kind(AUTHORIZE)
    kinds.register_kind(VISIT)


@pytest.fixture
def visit_form(db: None) -> None:
    operations.ensure_form(code="test.visit", schema=VISIT_FORM, effective_from=OPENING_DAY)
