"""总账的查询：余额、试算平衡、科目明细账、凭证、头寸合计、期初核对。

余额 = 最近的月末结存 + 其后各日的日汇总 + 未折叠的分录；与全部分录直接相加恒等（``fold_differences`` 复核）。
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import F, Min, Model, Q, QuerySet, Sum, Window
from django.db.models.functions import Coalesce

from sancha.apps.access.queries import in_scope, institutions_by_id, names_of, require_institution
from sancha.apps.ledger.folding import day_differences, month_differences, month_end, previous_month_end
from sancha.apps.ledger.models import (
    Account,
    AccountDay,
    AccountMapping,
    Category,
    DraftState,
    InstitutionBooks,
    Line,
    ManualDraft,
    MonthBalance,
    OpeningBalance,
    Period,
    Side,
    Source,
    Voucher,
)
from sancha.kit.actor import Actor
from sancha.kit.errors import NotFound
from sancha.kit.fen import FenField
from sancha.kit.paging import Page, paginate

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


def _progress(scope: Scope, upto: date) -> _Open:
    """折叠进度（一条查询）。各机构通常折叠到同一天，条件数 = 不同日期数。"""
    folded: dict[date, list[int]] = {}
    never: list[int] = []
    for institution_id, day in InstitutionBooks.objects.filter(scope.q()).values_list("institution_id", "folded_to"):
        (never if day is None else folded.setdefault(day, [])).append(institution_id)
    if not folded:
        return _Open(None, Q(booked_on__lte=upto))
    reach = min([upto, *folded])
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


def _sum(rows: QuerySet[Any], fields: Sequence[str], **sums: Any) -> Iterable[dict[str, Any]]:
    return rows.order_by().values(*fields).annotate(**sums)


def _balances(scope: Scope, upto: date, fields: Sequence[str], where: Q | None = None) -> dict[tuple[Any, ...], int]:
    """截至 ``upto``（含）的余额，按 ``fields`` 分组；四条查询。"""
    where = where or Q()
    progress = _progress(scope, upto)
    parts: list[Iterable[dict[str, Any]]] = []
    days = AccountDay.objects.filter(scope.q(), where, day__lte=upto)
    if progress.checkpoint is not None:
        months = MonthBalance.objects.filter(scope.q(), where, month_end=progress.checkpoint)
        parts.append(_sum(months, fields, fen=Sum("balance_fen")))
        days = days.filter(day__gt=progress.checkpoint)
    parts.append(_sum(days, fields, fen=Sum(F("debit_fen") - F("credit_fen"), output_field=FenField())))
    lines = Line.objects.filter(scope.q(), where, progress.lines)
    parts.append(_sum(lines, fields, fen=Sum("amount_fen")))
    totals: dict[tuple[Any, ...], int] = {}
    for part in parts:
        for row in part:
            key = tuple(row[field] for field in fields)
            totals[key] = totals.get(key, 0) + int(row["fen"])
    return {key: fen for key, fen in totals.items() if fen}


def _turnovers(scope: Scope, first: date, last: date, fields: Sequence[str]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """``first`` 至 ``last``（含）的借方、贷方发生额；三条查询。"""
    progress = _progress(scope, last)
    days = AccountDay.objects.filter(scope.q(), day__gte=first, day__lte=last)
    lines = Line.objects.filter(scope.q(), progress.lines, booked_on__gte=first)
    totals: dict[tuple[Any, ...], tuple[int, int]] = {}
    for part in (
        _sum(days, fields, debit=Sum("debit_fen"), credit=Sum("credit_fen")),
        _sum(
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


# 供 check 与日终 --------------------------------------------------------------------------------------------


def position_totals(on: date, scope: Scope = EVERYWHERE) -> dict[tuple[Any, ...], int]:
    """截至 ``on``（含）各核算键与头寸代码的分录合计：``POSITION_KEY`` → 分。Σ借据 = 总账 的右边。

    只有来源为借据、计提、期初的分录带头寸代码，所以按代码非空筛选就是按来源筛选。
    """
    return _balances(scope, on, POSITION_KEY, ~Q(position_code=""))


def totals_as_of(on: date, scope: Scope = EVERYWHERE) -> dict[int, int]:
    """截至 ``on``（含）各科目余额：科目编号 → 分（借正贷负）。"""
    return {key[0]: fen for key, fen in _balances(scope, on, ("account_id",)).items()}


def account_balance(*, account_id: int, institution_id: int, on: date) -> int:
    """一个机构一个科目截至 ``on``（含）的余额。"""
    scope = Scope(institution_ids=(institution_id,))
    return _balances(scope, on, ("account_id",), Q(account_id=account_id)).get((account_id,), 0)


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
    for (institution_id, currency, account_id), fen in _balances(
        scope, on, ("institution_id", "currency", "account_id")
    ).items():
        grouped.setdefault((institution_id, currency), {})[account_id] = fen
    return [(place, currency, balances) for (place, currency), balances in sorted(grouped.items())]


def is_balanced(scope: Scope, on: date) -> bool:
    """截至该日各币种是否借贷相等。"""
    return not _balances(scope, on, ("currency",))


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


# 试算平衡与明细账 ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialRow:
    """试算平衡表一行。余额借正贷负；``opening_side`` 之类由界面按符号显示。"""

    account_id: int
    code: str
    name: str
    category: str
    normal_side: str
    is_leaf: bool
    opening_fen: int
    debit_fen: int
    credit_fen: int
    closing_fen: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """试算平衡表。表内、表外各自借贷相等才算平。"""

    first: date
    last: date
    rows: list[TrialRow]
    debit_fen: int
    credit_fen: int
    on_balance_closing_fen: int
    off_balance_closing_fen: int

    @property
    def balanced(self) -> bool:
        """借贷发生额相等，表内余额合计为零，表外余额合计为零。"""
        return (
            self.debit_fen == self.credit_fen and not self.on_balance_closing_fen and not self.off_balance_closing_fen
        )


def trial_balance(
    actor: Actor, *, first: date, last: date, institution_id: int | None = None, with_parents: bool = True
) -> TrialBalance:
    """试算平衡：期初、借方、贷方、期末，按科目。机构含下级；``with_parents`` 时上级科目为下级之和。

    合计只加末级。全部查询不超过十条，与分录多少无关。
    """
    scope = _scope(actor, institution_id)
    opening = {key[0]: fen for key, fen in _balances(scope, first - timedelta(days=1), ("account_id",)).items()}
    moved = {key[0]: pair for key, pair in _turnovers(scope, first, last, ("account_id",)).items()}
    accounts = list(Account.objects.order_by("code"))
    own = {
        account.pk: [opening.get(account.pk, 0), *moved.get(account.pk, (0, 0))]
        for account in accounts
        if account.pk in opening or account.pk in moved
    }
    leaves = {pk: tuple(figures) for pk, figures in own.items()}
    if with_parents:
        parents = {account.pk: account.parent_id for account in accounts}
        for pk, figures in leaves.items():
            above = parents.get(pk)
            while above is not None:
                total = own.setdefault(above, [0, 0, 0])
                for index, fen in enumerate(figures):
                    total[index] += fen
                above = parents.get(above)
    rows = [
        TrialRow(
            account.pk, account.code, account.name, account.category, account.normal_side, account.is_leaf,
            figures[0], figures[1], figures[2], figures[0] + figures[1] - figures[2],
        )
        for account in accounts
        if (figures := own.get(account.pk)) is not None
    ]  # fmt: skip
    off = {account.pk for account in accounts if account.category == Category.OFF_BALANCE}
    closing = {pk: figures[0] + figures[1] - figures[2] for pk, figures in leaves.items()}
    return TrialBalance(
        first=first, last=last, rows=rows,
        debit_fen=sum(figures[1] for figures in leaves.values()),
        credit_fen=sum(figures[2] for figures in leaves.values()),
        on_balance_closing_fen=sum(fen for pk, fen in closing.items() if pk not in off),
        off_balance_closing_fen=sum(fen for pk, fen in closing.items() if pk in off),
    )  # fmt: skip


def _scope(actor: Actor, institution_id: int | None) -> Scope:
    if institution_id is None:
        return Scope(institution_path=actor.institution_path)
    return Scope(institution_path=require_institution(actor, institution_id).path)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """科目明细账一行，``balance_fen`` 为逐笔余额（借正贷负）。"""

    line_id: int
    voucher_id: int
    booked_on: date
    summary: str
    subject: str
    institution_id: int
    debit_fen: int
    credit_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """科目明细账：期初、一页明细、期末。"""

    account_id: int
    code: str
    name: str
    opening_fen: int
    closing_fen: int
    page: Page[LedgerRow]


def account_ledger(
    actor: Actor,
    *,
    account_id: int,
    first: date,
    last: date,
    institution_id: int | None = None,
    page: int = 1,
    size: int = 50,
) -> AccountLedger:
    """科目明细账：逐笔余额由窗口函数在库里累计，不随页数取前面的行。

    :raises NotFound: 没有这个科目。
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFound("ACCOUNT_UNKNOWN", f"没有编号为 {account_id} 的科目。", field="account_id", value=account_id)
    scope = _scope(actor, institution_id)
    of_account = Q(account_id=account_id)
    opening = _balances(scope, first - timedelta(days=1), ("account_id",), of_account).get((account_id,), 0)
    lines = Line.objects.filter(scope.q(), of_account, booked_on__gte=first, booked_on__lte=last)
    order = [F("booked_on").asc(), F("id").asc()]
    running = lines.annotate(running=Window(Sum("amount_fen"), order_by=order)).select_related("voucher")

    def row(line: Line) -> LedgerRow:
        fen = line.amount_fen
        return LedgerRow(
            line.pk, line.voucher_id, line.booked_on, line.summary or line.voucher.summary, line.voucher.subject,
            line.institution_id, max(fen, 0), max(-fen, 0), opening + int(line.running),
        )  # fmt: skip

    found = paginate(running.order_by("booked_on", "id"), page=page, size=size, to_row=row)
    moved = lines.aggregate(fen=Coalesce(Sum("amount_fen"), 0, output_field=FenField()))["fen"]
    return AccountLedger(account.pk, account.code, account.name, opening, opening + int(moved), found)


# 凭证 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoucherRow:
    """凭证列表一行。``number`` 日终后才有。"""

    id: int
    number: int | None
    booked_on: date
    institution_id: int
    institution_name: str
    source: str
    source_name: str
    kind: str
    summary: str
    subject: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class VoucherLine:
    """凭证分录。"""

    id: int
    account_id: int
    account_code: str
    account_name: str
    summary: str
    debit_fen: int
    credit_fen: int
    institution_id: int
    product_id: int | None
    loan_class: int | None
    accrual: int | None
    currency: str
    position_code: str
    loan_id: int | None


@dataclass(frozen=True, slots=True)
class VoucherDetail:
    """凭证全貌：表头、分录、谁记谁授权、冲回关系。"""

    head: VoucherRow
    lines: list[VoucherLine]
    day: date | None
    kernel_version: str
    posted_by: int | None
    posted_by_name: str
    post_code: str
    authorized_by: int | None
    authorized_by_name: str
    recorded_at: Any
    reverses_id: int | None
    reversed_by_id: int | None


def voucher_list(
    actor: Actor,
    *,
    institution_id: int | None = None,
    first: date | None = None,
    last: date | None = None,
    source: str = "",
    kind: str = "",
    subject: str = "",
    loan_id: int | None = None,
    text: str = "",
    page: int = 1,
    size: int = 50,
) -> Page[VoucherRow]:
    """凭证列表，新的在前；不超过五条查询。"""
    rows = Voucher.objects.filter(_scope(actor, institution_id).q())
    exact = {"booked_on__gte": first, "booked_on__lte": last, "source": source, "kind": kind, "subject": subject}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if loan_id is not None:
        rows = rows.filter(
            Q(subject=f"loan:{loan_id}") | Q(pk__in=Line.objects.filter(loan_id=loan_id).values("voucher_id"))
        )
    if text:
        rows = rows.filter(summary__icontains=text)
    found = paginate(
        rows.select_related("numbering").order_by("-booked_on", "-id"), page=page, size=size, to_row=lambda v: v
    )
    return Page(rows=_voucher_rows(found.rows), total=found.total, number=found.number, size=found.size)


def _voucher_rows(vouchers: Sequence[Voucher]) -> list[VoucherRow]:
    debit = Line.objects.filter(voucher_id__in=[v.pk for v in vouchers], amount_fen__gt=0).order_by()
    amounts = {row["voucher_id"]: int(row["fen"]) for row in debit.values("voucher_id").annotate(fen=Sum("amount_fen"))}
    places = institutions_by_id(voucher.institution_id for voucher in vouchers)
    return [
        VoucherRow(
            voucher.pk, voucher.numbering.number if _has(voucher, "numbering") else None, voucher.booked_on,
            voucher.institution_id, places[voucher.institution_id].name, voucher.source,
            str(Source(voucher.source).label), voucher.kind, voucher.summary, voucher.subject,
            amounts.get(voucher.pk, 0),
        )
        for voucher in vouchers
    ]  # fmt: skip


def _has(row: Model, relation: str) -> bool:
    return getattr(row, relation, None) is not None


def voucher_detail(actor: Actor, voucher_id: int) -> VoucherDetail:
    """凭证全貌。

    :raises NotFound: 没有，或不在管辖范围内。
    """
    voucher = Voucher.objects.filter(in_scope(actor), pk=voucher_id).select_related("numbering", "reversed_by").first()
    if voucher is None:
        raise NotFound(
            "VOUCHER_NOT_FOUND", f"没有编号为 {voucher_id} 的凭证，或不在您的管辖范围内。", field="voucher_id",
            value=voucher_id,
        )  # fmt: skip
    names = names_of([voucher.posted_by, voucher.authorized_by])
    lines = [
        VoucherLine(
            line.pk, line.account_id, line.account.code, line.account.name, line.summary, max(line.amount_fen, 0),
            max(-line.amount_fen, 0), line.institution_id, line.product_id, line.loan_class, line.accrual,
            line.currency, line.position_code, line.loan_id,
        )
        for line in voucher.lines.select_related("account").order_by("id")
    ]  # fmt: skip
    return VoucherDetail(
        head=_voucher_rows([voucher])[0], lines=lines, day=voucher.day, kernel_version=voucher.kernel_version,
        posted_by=voucher.posted_by, posted_by_name=names.get(voucher.posted_by or 0, "系统"),
        post_code=voucher.post_code, authorized_by=voucher.authorized_by,
        authorized_by_name=names.get(voucher.authorized_by or 0, ""), recorded_at=voucher.recorded_at,
        reverses_id=voucher.reverses_id,
        reversed_by_id=voucher.reversed_by.pk if _has(voucher, "reversed_by") else None,
    )  # fmt: skip


# 科目、对照、期初、期间、草稿 -------------------------------------------------------------------------------


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
    opened = {row["account_id"]: int(row["fen"]) for row in _sum(opened_lines, ("account_id",), fen=Sum("amount_fen"))}
    accounts = Account.objects.filter(pk__in={*stated, *opened}).order_by("code")
    return [
        OpeningRow(account.pk, account.code, account.name, stated.get(account.pk, 0), opened.get(account.pk, 0))
        for account in accounts
    ]


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """已结账期间。"""

    id: int
    institution_id: int
    institution_name: str
    kind: str
    first_on: date
    last_on: date
    closed_by: int | None
    closed_at: Any
    closing_voucher_id: int | None


def closed_periods(actor: Actor, *, page: int = 1, size: int = 50) -> Page[PeriodRow]:
    """结账记录，新的在前。"""
    rows = Period.objects.filter(in_scope(actor)).select_related("institution").order_by("-last_on", "-id")
    return paginate(
        rows, page=page, size=size,
        to_row=lambda row: PeriodRow(
            row.pk, row.institution_id, row.institution.name, row.kind, row.first_on, row.last_on, row.closed_by,
            row.closed_at, row.closing_voucher_id,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DraftRow:
    """手工凭证草稿一行。``lines`` 为 (科目代号, 科目名称, 分, 摘要)。"""

    id: int
    institution_id: int
    institution_name: str
    booked_on: date
    summary: str
    state: str
    state_name: str
    entered_by: int | None
    entered_by_name: str
    entered_at: Any
    decided_by: int | None
    opinion: str
    voucher_id: int | None
    reverses_id: int | None
    lines: list[tuple[str, str, int, str]]


def manual_drafts(actor: Actor, *, state: str = "", page: int = 1, size: int = 50) -> Page[DraftRow]:
    """手工凭证草稿，新的在前。"""
    rows = ManualDraft.objects.filter(in_scope(actor)).select_related("institution").order_by("-id")
    if state:
        rows = rows.filter(state=state)
    found = paginate(rows, page=page, size=size, to_row=lambda row: row)
    names = names_of(row.entered_by for row in found.rows)
    accounts = {row.pk: row for row in Account.objects.all()}
    return Page(
        rows=[
            DraftRow(
                row.pk, row.institution_id, row.institution.name, row.booked_on, row.summary, row.state,
                str(DraftState(row.state).label), row.entered_by, names.get(row.entered_by or 0, ""), row.entered_at,
                row.decided_by, row.opinion, row.voucher_id, row.reverses_id,
                [
                    (account.code, account.name, line["amount_fen"], line["summary"])
                    for line in row.lines
                    for account in [accounts[line["account_id"]]]
                ],
            )
            for row in found.rows
        ],
        total=found.total, number=found.number, size=found.size,
    )  # fmt: skip


def first_booked_on(scope: Scope = EVERYWHERE) -> date | None:
    """最早的记账日。"""
    found: date | None = Line.objects.filter(scope.q()).aggregate(first=Min("booked_on"))["first"]
    return found
