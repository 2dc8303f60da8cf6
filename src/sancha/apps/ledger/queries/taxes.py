"""增值税：一段时间各机构的应税收入与销项税额，只从分录得出。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import BigIntegerField, Case, Count, Exists, F, OuterRef, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from sancha.apps.ledger.models import LIVE_DRAFTS, Line, ManualDraft
from sancha.apps.ledger.queries.balances import scope_of
from sancha.kit.actor import Actor

INCOMES = ("INTEREST_INCOME", "PENALTY_INCOME", "COMPOUND_INCOME", "FEE_INCOME", "RECOVERY_INCOME")
ROLE = "OUTPUT_VAT"


@dataclass(frozen=True, slots=True)
class VatRow:
    """一家机构、一种收入（分）。``net_fen`` 已拆税的不含税收入，``untaxed_fen`` 没有拆税的收入，``tax_fen`` 税额（贷方为正）。

    ``position_code`` 空：不是由收入拆出的税额（手工凭证，如缴税）。``vouchers`` 动了应交增值税的凭证张数。
    """

    institution_id: int
    institution_name: str
    position_code: str
    net_fen: int
    untaxed_fen: int
    tax_fen: int
    vouchers: int


@dataclass(frozen=True, slots=True)
class VatSheet:
    """增值税表。``accounts`` 应交增值税科目（没有税额时为空），凭证从它的明细账点进去。"""

    rows: list[VatRow]
    accounts: list[int]

    def total(self, name: str) -> int:
        """某一栏的合计（分）；手工的另列，不在内。"""
        return sum(getattr(row, name) for row in self.rows if row.position_code)


def vat_sheet(actor: Actor, *, first: date, last: date, institution_id: int | None = None) -> VatSheet:
    """增值税：不含税收入、未拆税的收入与税额，按机构与收入。机构含下级。一条查询（限定机构时两条），与分录多少无关。"""
    of_tax = Q(account__role=ROLE)
    # The voucher's tax line stands beside the net line of the same position and product: posting wrote the pair.
    beside = Line.objects.filter(
        of_tax, voucher_id=OuterRef("voucher_id"), position_code=OuterRef("position_code"),
        institution_id=OuterRef("institution_id"),
    ).annotate(product=_product()).filter(product=Coalesce(OuterRef("product_id"), Value(0)))  # fmt: skip
    lines = (
        Line.objects.filter(scope_of(actor, institution_id).q(), booked_on__gte=first, booked_on__lte=last)
        .filter(of_tax | Q(position_code__in=INCOMES))
        .annotate(tax_account=Case(When(of_tax, then=F("account_id"))), is_taxed=Exists(beside))
        .values_list("institution_id", "institution__name", "position_code", "tax_account", "is_taxed")
        .annotate(fen=Sum("amount_fen"), vouchers=Count("voucher_id", distinct=True))
        .order_by()
    )
    found: dict[tuple[int, str], list[int]] = {}
    names: dict[int, str] = {}
    accounts: set[int] = set()
    for place, name, code, account, taxed, fen, vouchers in lines:
        names[place] = name
        figures = found.setdefault((place, code), [0, 0, 0, 0])
        if account is None:
            figures[0 if taxed else 1] -= int(fen)
        else:
            accounts.add(account)
            figures[2] -= int(fen)
            figures[3] += vouchers
    order = {code: number for number, code in enumerate(INCOMES)}
    keys = sorted(found, key=lambda key: (key[0], order.get(key[1], len(order)), key[1]))
    rows = [VatRow(place, names[place], code, *found[place, code]) for place, code in keys]
    return VatSheet([row for row in rows if any(found[row.institution_id, row.position_code])], sorted(accounts))


def _product() -> Coalesce:
    return Coalesce(F("product_id"), Value(0), output_field=BigIntegerField())


def tax_drafts(actor: Actor, *, occasions: Iterable[str]) -> dict[tuple[int, str], tuple[int, str]]:
    """已有的税费凭证草稿（撤回的不算）：（机构, 事由）→（草稿编号, 状态）。一条查询。"""
    rows = ManualDraft.objects.filter(
        Q(institution__path__startswith=actor.institution_path), occasion__in=list(occasions), state__in=LIVE_DRAFTS
    )
    return {
        (place, occasion): (pk, state)
        for place, occasion, pk, state in rows.values_list("institution_id", "occasion", "pk", "state")
    }
