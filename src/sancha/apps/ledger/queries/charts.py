"""科目、对照与期初核对。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.models import Account, AccountMapping, Category, Line, OpeningBalance, Side, Source
from sancha.apps.ledger.queries.balances import Scope, sum_by
from sancha.kit.actor import Actor


@dataclass(frozen=True, slots=True)
class AccountRow:
    """科目一览行。"""

    id: int
    code: str
    name: str
    category: str
    category_name: str
    normal_side: str
    normal_side_name: str
    parent_id: int | None
    position_controlled: bool
    is_leaf: bool
    role: str


def chart_of_accounts() -> list[AccountRow]:
    """科目表，按代号。"""
    return [
        AccountRow(
            row.pk, row.code, row.name, row.category, str(Category(row.category).label), row.normal_side,
            str(Side(row.normal_side).label), row.parent_id, row.position_controlled, row.is_leaf, row.role,
        )
        for row in Account.objects.order_by("code")
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MappingRow:
    """科目对照一行（含已被后来者取代的，供追溯）。"""

    id: int
    position_code: str
    product_id: int | None
    term_band: str
    guarantee: str
    account_code: str
    account_name: str
    vat_ppm: int
    valid_from: date
    valid_to: date | None
    recorded_by_id: int | None


def account_mappings(*, position_code: str = "") -> list[MappingRow]:
    """科目对照全部记录，按头寸、起效日。"""
    rows = AccountMapping.objects.select_related("account").order_by("position_code", "product_id", "valid_from", "id")
    if position_code:
        rows = rows.filter(position_code=position_code)
    return [
        MappingRow(
            row.pk, row.position_code, row.product_id, row.term_band, row.guarantee, row.account.code, row.account.name,
            row.vat_ppm, row.valid_from, row.valid_to, row.recorded_by_id,
        )
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpeningRow:
    """期初核对一行：原系统余额、借据期初凭证合计、差额。"""

    account_id: int
    code: str
    name: str
    stated_fen: int
    opened_fen: int

    @property
    def difference_fen(self) -> int:
        """差额 = 借据合计 − 原系统余额；全部为零才算切换完成。"""
        return self.opened_fen - self.stated_fen


def compare_opening(actor: Actor, *, institution_id: int) -> list[OpeningRow]:
    """期初核对：受头寸控制的科目，原系统余额与借据期初凭证（来源 OPENING、带头寸代码）逐科目比较。

    期初过渡科目也列出：原系统余额为零，借据合计应与其余各科目之和相反。
    """
    require_institution(actor, institution_id)
    scope = Scope(institution_ids=(institution_id,))
    stated = dict(
        OpeningBalance.objects.filter(scope.q(), account__position_controlled=True).values_list(
            "account_id", "amount_fen"
        )
    )
    opened_lines = Line.objects.filter(scope.q(), voucher__source=Source.OPENING, account__position_controlled=True)
    opened = {
        row["account_id"]: int(row["fen"]) for row in sum_by(opened_lines, ("account_id",), fen=Sum("amount_fen"))
    }
    accounts = Account.objects.filter(pk__in={*stated, *opened}).order_by("code")
    return [
        OpeningRow(account.pk, account.code, account.name, stated.get(account.pk, 0), opened.get(account.pk, 0))
        for account in accounts
    ]
