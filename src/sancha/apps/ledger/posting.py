"""记账：在别的操作的事务里写凭证与分录。两条 SQL，不论多少行、多少张。

账只追加：这里没有修改与删除。记账日是否已结由数据库触发器判断，没有额外查询、也没有竞态。
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import DatabaseError, connection

from sancha.apps.ledger.folding import absorb_late
from sancha.apps.ledger.guards import LATE_SOURCES
from sancha.apps.ledger.mapping import AccountResolver, LineSpec, resolve_accounts
from sancha.apps.ledger.models import POSITION_SOURCES, Category, InstitutionBooks, Line, Source, Voucher
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError

BULK_FROM = 50
"""凭证达到这个数就走成批通道（PostgreSQL COPY / SQLite executemany），以下用一条多值 INSERT。"""


@dataclass(frozen=True, slots=True)
class VoucherSpec:
    """凭证规格：参数同 ``post_voucher``。"""

    booked_on: date
    institution_id: int
    source: str
    kind: str
    summary: str
    lines: Sequence[LineSpec]
    subject: str = ""
    day: date | None = None
    kernel_version: str = ""
    authorized_by: int | None = None
    reverses_id: int | None = None
    posted_by: int | None = None


Checked = tuple[VoucherSpec, list[LineSpec]]


def post_voucher(
    *,
    booked_on: date,
    institution_id: int,
    source: str,
    kind: str,
    summary: str,
    lines: Sequence[LineSpec],
    actor: Actor,
    subject: str = "",
    day: date | None = None,
    kernel_version: str = "",
    authorized_by: int | None = None,
    reverses_id: int | None = None,
    posted_by: int | None = None,
    accounts: AccountResolver | None = None,
) -> int:
    """记一张凭证，返回编号。给了 ``accounts``（或每行都有科目且来源可用头寸科目）时恰好两条 SQL。

    :raises DomainError: 借贷不等（``VOUCHER_UNBALANCED``）、没有分录、科目不可用、
        记账日已日终或已结账（``DAY_CLOSED``/``PERIOD_CLOSED``）。
    """
    spec = VoucherSpec(
        booked_on=booked_on, institution_id=institution_id, source=source, kind=kind, summary=summary, lines=lines,
        subject=subject, day=day, kernel_version=kernel_version, authorized_by=authorized_by,
        reverses_id=reverses_id, posted_by=posted_by,
    )  # fmt: skip
    return post_vouchers([spec], actor=actor, accounts=accounts)[0]


def post_vouchers(specs: Sequence[VoucherSpec], *, actor: Actor, accounts: AccountResolver | None = None) -> list[int]:
    """成批记账，返回与 ``specs`` 同序的编号。必须在调用者的事务里。

    :raises DomainError: 同 ``post_voucher``；任何一张不对，一张也不记。
    """
    if not specs:
        return []
    assert connection.in_atomic_block, "post_vouchers runs inside the caller's transaction"
    checked = [_expanded(spec, accounts) for spec in specs]
    recorded_at = now()
    with translated_refusals():
        insert = _insert_few if len(checked) < BULK_FROM else _insert_many
        ids = insert(checked, actor, recorded_at)
    late = [number for number, (spec, _) in zip(ids, checked, strict=True) if spec.source in LATE_SOURCES]
    if late:
        absorb_late(late)
    return ids


def _expanded(spec: VoucherSpec, accounts: AccountResolver | None) -> Checked:
    """展开并检查一张凭证；返回（规格，分录）。"""
    if not spec.lines:
        raise DomainError("VOUCHER_EMPTY", f"凭证「{spec.summary}」没有分录。", fix="至少一借一贷。")
    lines = list(spec.lines)
    needs_accounts = spec.source not in POSITION_SOURCES or any(line.account_id is None for line in lines)
    if needs_accounts:
        accounts = accounts or resolve_accounts(spec.booked_on)
        lines = [part for line in lines for part in accounts.expand(line)]
    balance: dict[str, int] = {}
    for line in lines:
        if type(line.amount_fen) is not int:
            raise TypeError(f"amount_fen must be int, got {line.amount_fen!r}")
        balance[line.currency] = balance.get(line.currency, 0) + line.amount_fen
    if any(balance.values()):
        off = "、".join(f"{currency} {format_yuan(fen)} 元" for currency, fen in balance.items() if fen)
        raise DomainError(
            "VOUCHER_UNBALANCED", f"凭证「{spec.summary}」借贷不等，借方减贷方 {off}。", field="lines", value=off,
            clause="有借必有贷，借贷必相等", fix="请核对各行金额。",
        )  # fmt: skip
    lines = [line for line in lines if line.amount_fen]
    if not lines:
        raise DomainError("VOUCHER_EMPTY", f"凭证「{spec.summary}」各行金额都是零。", fix="没有发生额就不必记账。")
    if len({line.institution_id or spec.institution_id for line in lines}) > 1:
        accounts = accounts or resolve_accounts(spec.booked_on)
        _ensure_books({line.institution_id for line in lines if line.institution_id})
        lines += _between_institutions(spec, lines, accounts)
    if spec.source not in POSITION_SOURCES:
        assert accounts is not None
        _check_usable(spec, lines, accounts)
    return spec, lines


def _ensure_books(institution_ids: Iterable[int]) -> None:
    """分录所及的机构都须有账簿状态行（凭证自己的机构由触发器补），余额查询才知道它尚未折叠。"""
    InstitutionBooks.objects.bulk_create([InstitutionBooks(pk=pk) for pk in institution_ids], ignore_conflicts=True)


def _between_institutions(spec: VoucherSpec, lines: list[LineSpec], accounts: AccountResolver) -> list[LineSpec]:
    """系统内往来：跨机构的凭证为每个机构各补一行，使任何一个机构的账自身借贷相等（如借据移交）。"""
    short: dict[tuple[int, str], int] = {}
    for line in lines:
        place = (line.institution_id or spec.institution_id, line.currency)
        short[place] = short.get(place, 0) - line.amount_fen
    return [
        LineSpec(fen, account_id=accounts.role("INTERBRANCH"), institution_id=place, currency=currency)
        for (place, currency), fen in short.items()
        if fen
    ]


def _check_usable(spec: VoucherSpec, lines: Iterable[LineSpec], accounts: AccountResolver) -> None:
    """非头寸来源：科目须存在、末级、不受头寸控制，且分录不得带头寸代码。"""
    for line in lines:
        facts = accounts.accounts.get(line.account_id or 0)
        if facts is None:
            raise DomainError(
                "ACCOUNT_UNKNOWN",
                f"没有编号为 {line.account_id} 的科目。",
                field="account",
                value=line.account_id,
                fix="请从科目表中选择。",
            )
        if not facts.is_leaf:
            raise DomainError(
                "ACCOUNT_NOT_LEAF", f"科目 {facts.code} {facts.name} 不是末级，不能直接记账。", field="account",
                value=facts.code, fix="请选用它的下级科目。",
            )  # fmt: skip
        closing_income = spec.source == Source.CLOSING and facts.category in {Category.INCOME, Category.EXPENSE}
        if (facts.position_controlled and not closing_income) or line.position_code:
            raise DomainError(
                "ACCOUNT_POSITION_CONTROLLED",
                f"科目 {facts.code} {facts.name} 的余额等于借据头寸之和，来源 {spec.source} 的凭证不能动它。",
                field="account", value=facts.code, clause="books.md F6",
                fix="请在借据上办理（还款、调整、冲销等），凭证会自动产生。",
            )  # fmt: skip


@contextmanager
def translated_refusals() -> Iterator[None]:
    """把触发器的拒绝翻译成业务错误。"""
    try:
        yield
    except DatabaseError as error:
        text = str(error)
        if "PERIOD_CLOSED" in text:
            raise Conflict(
                "PERIOD_CLOSED", "记账日所在期间已结账，不能再记。", field="booked_on",
                clause="结账后不得反结账", fix="请以当前营业日记账；涉及以前年度损益的走「以前年度损益调整」。",
            ) from error  # fmt: skip
        if "DAY_CLOSED" in text:
            raise Conflict(
                "DAY_CLOSED", "记账日已日终，不能再记。", field="booked_on", fix="请以当前营业日记账。"
            ) from error
        raise


def _voucher_row(spec: VoucherSpec, actor: Actor, recorded_at: datetime) -> dict[str, Any]:
    return {
        "booked_on": spec.booked_on, "institution_id": spec.institution_id, "source": spec.source, "kind": spec.kind,
        "summary": spec.summary[:200], "subject": spec.subject, "day": spec.day, "kernel_version": spec.kernel_version,
        "posted_by": spec.posted_by or actor.person_id, "post_code": actor.post_code,
        "authorized_by": spec.authorized_by,
        "reverses_id": spec.reverses_id, "recorded_at": recorded_at,
    }  # fmt: skip


def _line_row(line: LineSpec, voucher_id: int, spec: VoucherSpec) -> dict[str, Any]:
    return {
        "voucher_id": voucher_id, "booked_on": spec.booked_on, "account_id": line.account_id,
        "amount_fen": line.amount_fen, "institution_id": line.institution_id or spec.institution_id,
        "product_id": line.product_id, "loan_class": line.loan_class, "accrual": line.accrual,
        "currency": line.currency, "position_code": line.position_code, "loan_id": line.loan_id,
        "summary": line.summary[:200],
    }  # fmt: skip


def _insert_few(checked: list[Checked], actor: Actor, recorded_at: datetime) -> list[int]:
    vouchers = Voucher.objects.bulk_create([Voucher(**_voucher_row(spec, actor, recorded_at)) for spec, _ in checked])
    Line.objects.bulk_create(
        Line(**_line_row(line, voucher.id, spec))
        for voucher, (spec, lines) in zip(vouchers, checked, strict=True)
        for line in lines
    )
    return [voucher.id for voucher in vouchers]


def _insert_many(checked: list[Checked], actor: Actor, recorded_at: datetime) -> list[int]:
    """成批通道：先占好编号，再整批写入，不为每行造模型对象。"""
    ids = _reserve_ids(len(checked))
    vouchers = [
        {"id": number, **_voucher_row(spec, actor, recorded_at)} for number, (spec, _) in zip(ids, checked, strict=True)
    ]
    lines = [_line_row(line, number, spec) for number, (spec, rows) in zip(ids, checked, strict=True) for line in rows]
    _write("ledger_voucher", vouchers)
    _write("ledger_line", lines)
    return ids


def _reserve_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence('ledger_voucher', 'id')) FROM generate_series(1, %s)", [count]
            )
            return [row[0] for row in cursor.fetchall()]
        # SQLite: the writer holds the only write lock (BEGIN IMMEDIATE), so the highest id cannot move under us.
        cursor.execute("SELECT COALESCE(MAX(id), 0) FROM ledger_voucher")
        first = cursor.fetchone()[0] + 1
    return list(range(first, first + count))


def _write(table: str, rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([row[column] for column in columns])
        else:
            marks = ", ".join(["%s"] * len(columns))
            adapted = [[_adapt(row[column]) for column in columns] for row in rows]
            cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", adapted)


def _adapt(value: Any) -> Any:
    """SQLite 存法与 Django 一致：日期 ISO，时刻为无时区 UTC。"""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.isoformat() if isinstance(value, date) else value
