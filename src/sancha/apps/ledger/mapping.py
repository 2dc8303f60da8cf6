"""头寸 → 科目：分录规格、含税拆分、科目对照的解析。

解析结果按（版本令牌，日期）缓存在进程内：一次取数只需核对令牌的一条查询。
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from sancha.apps.ledger.models import Account, AccountMapping, ChartVersion
from sancha.kernel.positions import CODES
from sancha.kit.errors import DomainError

POSITION_CODES = CODES
"""头寸代码全集：缺任何一个的科目，日终都可能半途停下，故解析时一次查全。"""

ROLES = {
    "SUSPENSE": "暂收挂账",
    "UNDISTRIBUTED": "未分配利润",
    "PROFIT": "本年利润",
    "LOAN_CLEARING": "贷款收付过渡",
    "INTERBRANCH": "系统内往来",
    "BANK": "银行存款",
    "CASH_ON_HAND": "库存现金",
    "CASH_OVER_SHORT": "现金长短款",
    "OUTPUT_VAT": "应交增值税",
    "BANK_CHARGES": "手续费支出",
}
"""科目用途：出纳与期末结转按用途而不是按代号找科目。"""

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class LineSpec:
    """分录规格：``amount_fen`` 借正贷负。

    不给 ``account_id`` 就按 ``position_code`` 与 ``product_id`` 由科目对照解析（可能拆出增值税一行）；
    不给 ``institution_id`` 就用凭证的机构。
    """

    amount_fen: int
    position_code: str = ""
    account_id: int | None = None
    institution_id: int | None = None
    product_id: int | None = None
    loan_class: int | None = None
    accrual: int | None = None
    currency: str = "CNY"
    loan_id: int | None = None
    summary: str = ""
    term_band: str = ""
    guarantee: str = ""


class AccountFacts(NamedTuple):
    """科目要点：记账前检查所需。"""

    id: int
    code: str
    name: str
    category: str
    position_controlled: bool
    is_leaf: bool
    role: str


class _Rule(NamedTuple):
    position_code: str
    product_id: int | None
    term_band: str
    guarantee: str
    account_id: int
    vat_ppm: int
    vat_account_id: int | None

    def fits(self, product_id: int | None, term_band: str, guarantee: str) -> bool:
        return (
            (self.product_id is None or self.product_id == product_id)
            and (not self.term_band or self.term_band == term_band)
            and (not self.guarantee or self.guarantee == guarantee)
        )

    @property
    def weight(self) -> int:
        """最具体者胜：产品重于期限档，期限档重于担保方式；三者各一位，不会打平。"""
        return 4 * (self.product_id is not None) + 2 * bool(self.term_band) + bool(self.guarantee)


def split_vat(amount_fen: int, vat_ppm: int) -> tuple[int, int]:
    """含税价拆分：返回（净额，税额），两者之和恒等于含税额。

    税额 = 含税额 × 税率 ÷ (1 + 税率)，对绝对值四舍五入到分，正负对称，所以冲回与原记恰好相抵。
    """
    size, rate = abs(amount_fen), vat_ppm
    tax = (2 * size * rate + (PPM + rate)) // (2 * (PPM + rate))
    tax = tax if amount_fen >= 0 else -tax
    return amount_fen - tax, tax


class AccountResolver:
    """某日的科目对照：（头寸代码，产品，期限档，担保方式）→ 科目。"""

    def __init__(self, on: date, rules: Iterable[_Rule], accounts: dict[int, AccountFacts]) -> None:
        self.on = on
        self.accounts = accounts
        self._by_code: dict[str, list[_Rule]] = {}
        for rule in rules:
            self._by_code.setdefault(rule.position_code, []).append(rule)
        for candidates in self._by_code.values():
            candidates.sort(key=lambda rule: -rule.weight)
        self._found: dict[tuple[str, int | None, str, str], _Rule] = {}
        self._roles = {facts.role: facts.id for facts in accounts.values() if facts.role}

    def missing(self) -> list[str]:
        """没有兜底科目（产品、期限、担保都不限）的头寸代码。"""
        return [code for code in POSITION_CODES if not any(rule.weight == 0 for rule in self._by_code.get(code, ()))]

    def _rule(self, code: str, product_id: int | None, term_band: str, guarantee: str) -> _Rule:
        wanted = (code, product_id, term_band, guarantee)
        if (found := self._found.get(wanted)) is None:
            for rule in self._by_code.get(code, ()):
                if rule.fits(product_id, term_band, guarantee):
                    found = self._found[wanted] = rule
                    break
            else:
                raise DomainError(
                    "MAPPING_MISSING", f"头寸 {code} 在 {self.on} 没有对应科目。", field="position_code", value=code,
                    fix="请在「科目对照」中为该头寸指定科目，或先采用一套科目模板。",
                )  # fmt: skip
        return found

    def account(
        self, position_code: str, product_id: int | None = None, term_band: str = "", guarantee: str = ""
    ) -> int:
        """头寸的科目编号。

        :raises DomainError: 该头寸没有科目（``MAPPING_MISSING``）。
        """
        return self._rule(position_code, product_id, term_band, guarantee).account_id

    def role(self, role: str) -> int:
        """按用途取科目编号。

        :raises DomainError: 科目表里没有该用途的科目（``ROLE_MISSING``）。
        """
        if role not in self._roles:
            raise DomainError(
                "ROLE_MISSING", f"科目表中没有用作「{ROLES.get(role, role)}」的科目。", field="role", value=role,
                fix="请采用科目模板，或在科目上标明该用途。",
            )  # fmt: skip
        return self._roles[role]

    def expand(self, line: LineSpec) -> list[LineSpec]:
        """把只有头寸代码的分录落到科目；税率不为零时拆成净额与税额两行（同一头寸代码，合计不变）。"""
        if line.account_id is not None:
            return [line]
        rule = self._rule(line.position_code, line.product_id, line.term_band, line.guarantee)
        if rule.vat_account_id is None:
            return [replace(line, account_id=rule.account_id)]
        net, tax = split_vat(line.amount_fen, rule.vat_ppm)
        pair = [replace(line, account_id=rule.account_id, amount_fen=net)]
        return [*pair, replace(line, account_id=rule.vat_account_id, amount_fen=tax)] if tax else pair


def chart_token() -> str:
    """科目版本令牌；没有科目表时为空串。一条查询。"""
    return ChartVersion.objects.values_list("token", flat=True).first() or ""


def resolve_accounts(on: date, *, complete: bool = True) -> AccountResolver:
    """取某日的科目对照（一条查询核对版本，其余走进程缓存）。

    ``complete`` 时要求每个头寸都有兜底科目：宁可在开始时拒绝，不在日终半途停下。

    :raises DomainError: 没有科目表（``CHART_MISSING``）或有头寸没有科目（``MAPPING_MISSING``）。
    """
    token = chart_token()
    if not token:
        raise DomainError(
            "CHART_MISSING", "尚未建立科目表，不能记账。", fix="请先采用一套科目模板（ledger.adopt_chart）。"
        )
    resolver = _load(token, on)
    if complete and (missing := resolver.missing()):
        raise DomainError(
            "MAPPING_MISSING", f"以下头寸在 {on} 没有对应科目：{'、'.join(missing)}。", field="position_code",
            value=",".join(missing), fix="请在「科目对照」中逐一指定科目后再记账。",
        )  # fmt: skip
    return resolver


@lru_cache(maxsize=64)
def _load(token: str, on: date) -> AccountResolver:
    """读全部科目与当日有效对照。``token`` 只作缓存键：令牌换了，旧结果自然不再被取到。"""
    accounts = {
        row[0]: AccountFacts(*row)
        for row in Account.objects.values_list(
            "id", "code", "name", "category", "position_controlled", "is_leaf", "role"
        )
    }
    rows = list(AccountMapping.objects.order_by("valid_from", "id"))
    superseded = {row.supersedes_id for row in rows if row.supersedes_id}
    latest: dict[tuple[str, int | None, str, str], AccountMapping] = {}
    for row in rows:
        if row.id not in superseded and row.valid_from <= on:
            latest[(row.position_code, row.product_id, row.term_band, row.guarantee)] = row
    rules = [
        _Rule(*identity, row.account_id, row.vat_ppm, row.vat_account_id)
        for identity, row in latest.items()
        if row.valid_to is None or on < row.valid_to
    ]
    return AccountResolver(on, rules, accounts)
