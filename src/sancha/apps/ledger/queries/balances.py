"""余额、发生额、头寸合计与账的自查。

余额 = 最近的月末结存 + 其后各日的日汇总 + 未折叠的分录；与全部分录直接相加恒等（``fold_differences`` 复核）。
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from sancha.apps.access.queries import require_institution
from sancha.apps.ledger.folding import day_differences, month_differences, month_end, previous_month_end
from sancha.apps.ledger.models import Account, AccountDay, InstitutionBooks, Line, MonthBalance, Source
from sancha.kit.actor import Actor
from sancha.kit.fen import FenField

POSITION_KEY = ("institution_id", "product_id", "loan_class", "accrual", "currency", "position_code")
"""核算键 + 头寸代码：Σ借据 = 总账 按它比较。"""


@dataclass(frozen=True, slots=True)
class Scope:
    """查询范围：机构编号，或机构路径前缀；两者都不给就是全部。"""

    institution_ids: tuple[int, ...] | None = None
    institution_path: str = "/"

    def q(self, field: str = "institution") -> Q:
        """查询条件；``field`` 是指向机构的外键名。"""
        if self.institution_ids is not None:
            return Q(**{f"{field}_id__in": self.institution_ids})
        return Q() if self.institution_path == "/" else Q(**{f"{field}__path__startswith": self.institution_path})


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class _Open:
    """范围内的折叠进度：从哪个月末起算，哪些分录尚未折叠。"""

    checkpoint: date | None
    lines: Q


def _progress(scope: Scope, upto: date, *, opening: date | None = None) -> _Open:
    """折叠进度（一条查询）。各机构通常折叠到同一天，条件数 = 不同日期数。

    ``opening`` 给出时，月末结存取它之前的：同一进度既求它开门的余额，又求其后的发生额。
    """
    folded: dict[date, list[int]] = {}
    never: list[int] = []
    for institution_id, day in InstitutionBooks.objects.filter(scope.q()).values_list("institution_id", "folded_to"):
        (never if day is None else folded.setdefault(day, [])).append(institution_id)
    if not folded:
        return _Open(None, Q(booked_on__lte=upto))
    reach = min([upto, *folded, *([opening - timedelta(days=1)] if opening else [])])
    checkpoint = reach if month_end(reach) == reach else previous_month_end(reach)
    return _Open(checkpoint, Q(booked_on__lte=upto) & _unfolded(folded, never))


def _unfolded(folded: dict[date, list[int]], never: list[int]) -> Q:
    """尚未折叠的分录。通常全部机构折叠到同一天：一个日期范围，走索引；参差的机构逐一列出。"""
    earliest = min(folded)
    condition = Q(booked_on__gt=earliest)
    for day, members in folded.items():
        if day > earliest:
            condition &= ~Q(institution_id__in=members, booked_on__lte=day)
    return condition | Q(institution_id__in=never) if never else condition


def sum_by(rows: QuerySet[Any], fields: Sequence[str], **sums: Any) -> Any:
    """分组合计：按 ``fields`` 分组求和。"""
    return rows.order_by().values(*fields).annotate(**sums)


def balances_by(scope: Scope, upto: date, fields: Sequence[str], where: Q | None = None) -> dict[tuple[Any, ...], int]:
    """截至 ``upto``（含）的余额，按 ``fields`` 分组；四条查询。"""
    where = where or Q()
    progress = _progress(scope, upto)
    parts: list[Iterable[dict[str, Any]]] = []
    days = AccountDay.objects.filter(scope.q(), where, day__lte=upto)
    if progress.checkpoint is not None:
        months = MonthBalance.objects.filter(scope.q(), where, month_end=progress.checkpoint)
        parts.append(sum_by(months, fields, fen=Sum("balance_fen")))
        days = days.filter(day__gt=progress.checkpoint)
    parts.append(sum_by(days, fields, fen=Sum(F("debit_fen") - F("credit_fen"), output_field=FenField())))
    lines = Line.objects.filter(scope.q(), where, progress.lines)
    parts.append(sum_by(lines, fields, fen=Sum("amount_fen")))
    totals: dict[tuple[Any, ...], int] = {}
    for part in parts:
        for row in part:
            key = tuple(row[field] for field in fields)
            totals[key] = totals.get(key, 0) + int(row["fen"])
    return {key: fen for key, fen in totals.items() if fen}


def turnovers_by(
    scope: Scope, first: date, last: date, fields: Sequence[str]
) -> dict[tuple[Any, ...], tuple[int, int]]:
    """发生额：``first`` 至 ``last``（含）的借方、贷方，按 ``fields`` 分组；三条查询。"""
    progress = _progress(scope, last)
    days = AccountDay.objects.filter(scope.q(), day__gte=first, day__lte=last)
    lines = Line.objects.filter(scope.q(), progress.lines, booked_on__gte=first)
    totals: dict[tuple[Any, ...], tuple[int, int]] = {}
    for part in (
        sum_by(days, fields, debit=Sum("debit_fen"), credit=Sum("credit_fen")),
        sum_by(
            lines, fields,
            debit=Sum("amount_fen", filter=Q(amount_fen__gt=0)),
            credit=Sum("amount_fen", filter=Q(amount_fen__lt=0)),
        ),
    ):  # fmt: skip
        for row in part:
            key = tuple(row[field] for field in fields)
            debit, credit = totals.get(key, (0, 0))
            totals[key] = (debit + int(row["debit"] or 0), credit + abs(int(row["credit"] or 0)))
    return totals


def opening_and_turnover(scope: Scope, first: date, last: date) -> dict[int, list[int]]:
    """各科目的期初、借方、贷方：科目编号 → [``first`` 前的余额, 其间借方, 其间贷方]；两条查询。

    与 ``balances_by``、``turnovers_by`` 分别求得的恒等（测试逐科目比较）。
    """
    progress = _progress(scope, last, opening=first)
    days = AccountDay.objects.filter(scope.q(), day__lte=last)
    lines = Line.objects.filter(scope.q(), progress.lines)
    fen = FenField()
    zero = Value(0, output_field=fen)
    earlier, since = Q(day__lt=first), Q(day__gte=first)
    parts = []
    if progress.checkpoint is not None:
        days = days.filter(day__gt=progress.checkpoint)
        months = MonthBalance.objects.filter(scope.q(), month_end=progress.checkpoint)
        parts.append(sum_by(months, ("account_id",), opening=Sum("balance_fen"), debit=zero, credit=zero))
    net = F("debit_fen") - F("credit_fen")
    parts.append(
        sum_by(
            days, ("account_id",),
            opening=Coalesce(Sum(net, filter=earlier, output_field=fen), zero),
            debit=Coalesce(Sum("debit_fen", filter=since), zero),
            credit=Coalesce(Sum("credit_fen", filter=since), zero),
        )
    )  # fmt: skip
    booked_before, booked_since = Q(booked_on__lt=first), Q(booked_on__gte=first)
    parts.append(
        sum_by(
            lines, ("account_id",),
            opening=Coalesce(Sum("amount_fen", filter=booked_before), zero),
            debit=Coalesce(Sum("amount_fen", filter=booked_since & Q(amount_fen__gt=0)), zero),
            credit=Coalesce(Sum("amount_fen", filter=booked_since & Q(amount_fen__lt=0)), zero),
        )
    )  # fmt: skip
    totals: dict[int, list[int]] = {}
    for row in parts[0].union(*parts[1:], all=True):
        kept = totals.setdefault(row["account_id"], [0, 0, 0])
        for index, name in enumerate(("opening", "debit", "credit")):
            kept[index] += abs(int(row[name])) if name == "credit" else int(row[name])
    return {account_id: figures for account_id, figures in totals.items() if any(figures)}


def position_totals(on: date, scope: Scope = EVERYWHERE) -> dict[tuple[Any, ...], int]:
    """截至 ``on``（含）各核算键与头寸代码的分录合计：``POSITION_KEY`` → 分。Σ借据 = 总账 的右边。

    只有来源为借据、计提、期初的分录带头寸代码，所以按代码非空筛选就是按来源筛选。
    """
    return balances_by(scope, on, POSITION_KEY, ~Q(position_code=""))


def totals_as_of(on: date, scope: Scope = EVERYWHERE) -> dict[int, int]:
    """截至 ``on``（含）各科目余额：科目编号 → 分（借正贷负）。"""
    return {key[0]: fen for key, fen in balances_by(scope, on, ("account_id",)).items()}


def account_balance(*, account_id: int, institution_id: int, on: date) -> int:
    """一个机构一个科目截至 ``on``（含）的余额。"""
    scope = Scope(institution_ids=(institution_id,))
    return balances_by(scope, on, ("account_id",), Q(account_id=account_id)).get((account_id,), 0)


def account_movement(*, voucher_id: int, account_id: int, institution_id: int) -> int:
    """一张凭证在某机构某科目上的发生额（借正贷负），没有即零。"""
    lines = Line.objects.filter(voucher_id=voucher_id, account_id=account_id, institution_id=institution_id)
    return int(lines.aggregate(fen=Sum("amount_fen"))["fen"] or 0)


def manual_movements(*, account_id: int, institution_id: int, upto: date) -> list[tuple[int, date, int, str]]:
    """某机构某科目上手工凭证的发生额：（凭证，记账日，分，摘要）。对账时找未达项用。"""
    lines = Line.objects.filter(
        account_id=account_id, institution_id=institution_id, booked_on__lte=upto, voucher__source=Source.MANUAL
    )
    rows = lines.order_by("booked_on", "id").values_list("voucher_id", "booked_on", "amount_fen", "voucher__summary")
    return [(voucher_id, booked_on, int(fen), summary) for voucher_id, booked_on, fen, summary in rows]


def account_balances(scope: Scope, on: date) -> list[tuple[int, str, dict[int, int]]]:
    """逐机构、币种的科目余额，年结用。"""
    grouped: dict[tuple[int, str], dict[int, int]] = {}
    for (institution_id, currency, account_id), fen in balances_by(
        scope, on, ("institution_id", "currency", "account_id")
    ).items():
        grouped.setdefault((institution_id, currency), {})[account_id] = fen
    return [(place, currency, balances) for (place, currency), balances in sorted(grouped.items())]


def is_balanced(scope: Scope, on: date) -> bool:
    """截至该日各币种是否借贷相等。"""
    return not balances_by(scope, on, ("currency",))


def unbalanced_vouchers(*, since: date | None = None, limit: int = 20) -> list[tuple[int, int]]:
    """借贷不等的凭证（编号，差额）；正常时为空。"""
    lines = Line.objects.filter(booked_on__gte=since) if since else Line.objects.all()
    rows = lines.order_by().values("voucher_id", "currency").annotate(fen=Sum("amount_fen")).exclude(fen=0)
    return [(row["voucher_id"], int(row["fen"])) for row in rows[:limit]]


def uncontrolled_lines(*, limit: int = 20) -> list[int]:
    """来源不该动头寸却带头寸代码的分录；正常时为空。"""
    wrong = Line.objects.exclude(position_code="").exclude(
        voucher__source__in=[Source.SERVICING, Source.ACCRUAL, Source.OPENING]
    )
    return list(wrong.values_list("id", flat=True)[:limit])


def orphan_lines(*, limit: int = 20) -> list[int]:
    """科目不存在的分录（分录不建外键，由此复核）；正常时为空。"""
    known = Account.objects.values("pk")
    return list(Line.objects.exclude(account_id__in=known).values_list("id", flat=True)[:limit])


def fold_differences(*, since: date | None = None) -> list[dict[str, Any]]:
    """从分录重算日汇总与月末结存，列出不符者（差额 = 应有 − 实有）；正常时为空。

    在库里比较，只取回不符的行。``since`` 限于该日以后，供每日的快速复核；不给则从头全查。
    """
    return [
        {"table": table, "day": day, "institution_id": place, "account_id": account_id, "difference_fen": fen}
        for table, day, place, account_id, fen in (*day_differences(since), *month_differences(since))
    ]


def scope_of(actor: Actor, institution_id: int | None) -> Scope:
    """查询范围：指定机构及其下级，缺省为办理人的管辖范围。"""
    if institution_id is None:
        return Scope(institution_path=actor.institution_path)
    return Scope(institution_path=require_institution(actor, institution_id).path)
