"""科目与对照：采用模板、新增科目、改对照。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import resources
from typing import Any
from uuid import uuid4

import yaml
from django.db.models import Q

from sancha.apps.ledger.mapping import POSITION_CODES, PPM, ROLES, resolve_accounts
from sancha.apps.ledger.models import Account, AccountMapping, Category, ChartVersion, Line, Side
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.operation import operation

TEMPLATES = ("BANK", "MICROLOAN_COMPANY", "GUARANTEE_CENTER")
_SIDES = {"D": Side.DEBIT, "C": Side.CREDIT}


@cache
def chart_template(code: str) -> dict[str, Any]:
    """读科目模板（随程序发布的 YAML）。

    :raises NotFound: 没有这个模板。
    """
    if code not in TEMPLATES:
        raise NotFound(
            "TEMPLATE_UNKNOWN", f"没有科目模板「{code}」。", field="template", value=code,
            fix=f"可用的模板：{'、'.join(TEMPLATES)}。",
        )  # fmt: skip
    text = resources.files("sancha.apps.ledger").joinpath("templates_coa", f"{code.lower()}.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@operation("ledger.adopt_chart", permission="ledger.period")
def adopt_chart(
    *, actor: Actor, key: str, template: str, on: date, valid_from: date | None = None, product_ids: Sequence[int] = ()
) -> dict[str, Any]:
    """采用科目模板：建科目并把全部头寸对照到科目。

    给了 ``product_ids`` 则只为这些产品对照（同一库里第二家，如担保中心），默认对照不动。
    已有同代号科目须名称、类别一致。

    :raises Conflict: 科目与已有的不一致，或该范围已采用过模板。
    """
    document = chart_template(template)
    created = _merge_accounts(document)
    by_code = {account.code: account for account in Account.objects.all()}
    _set_parents(by_code)
    scope: list[int | None] = [*product_ids] or [None]
    same_scope = Q(product_id__in=product_ids) if product_ids else Q(product_id=None)
    if AccountMapping.objects.filter(same_scope).exists():
        raise Conflict(
            "CHART_ADOPTED", "该范围已采用过科目模板。", field="template", value=template,
            fix="个别头寸请用「科目对照」改，或为另一批产品采用。",
        )  # fmt: skip
    recorded_at = now()
    AccountMapping.objects.bulk_create(
        AccountMapping(
            position_code=position, product_id=product_id, account=by_code[code], valid_from=valid_from or date.min,
            booked_on=on, recorded_at=recorded_at, recorded_by_id=actor.person_id,
        )
        for product_id in scope
        for position, code in document["mapping"].items()
    )  # fmt: skip
    mapped = [by_code[code].pk for code in document["mapping"].values() if by_code[code].role != "LOAN_CLEARING"]
    Account.objects.filter(pk__in=mapped).update(position_controlled=True)
    _renew_chart()
    return {"subject": f"chart:{template}", "accounts_created": created, "positions": len(document["mapping"])}


def _merge_accounts(document: dict[str, Any]) -> int:
    existing = {account.code: account for account in Account.objects.all()}
    roles = {account.role for account in existing.values() if account.role}
    fresh = []
    for code, name, category, side, *role in document["accounts"]:
        if (known := existing.get(code)) is not None:
            if (known.name, known.category, known.normal_side) != (name, category, _SIDES[side].value):
                raise Conflict(
                    "ACCOUNT_DIFFERS", f"科目 {code} 已存在，名称或类别与模板「{document['name']}」不一致。",
                    field="code", value=code, fix=f"已有：{known.name}；模板：{name}。请先统一科目再采用。",
                )  # fmt: skip
            continue
        wanted = role[0] if role and role[0] not in roles else ""
        fresh.append(Account(code=code, name=name, category=category, normal_side=_SIDES[side], role=wanted))
    Account.objects.bulk_create(fresh)
    return len(fresh)


def _set_parents(by_code: dict[str, Account]) -> None:
    """上级 = 代号的最长真前缀；有下级者不是末级。"""
    for account in by_code.values():
        account.is_leaf = True
    for account in by_code.values():
        prefixes = [account.code[:length] for length in range(len(account.code) - 1, 1, -1)]
        account.parent = next((by_code[prefix] for prefix in prefixes if prefix in by_code), None)
        if account.parent is not None:
            account.parent.is_leaf = False
    Account.objects.bulk_update(by_code.values(), ["parent", "is_leaf"])


def _renew_chart() -> None:
    """换版本令牌：各进程的缓存随之作废。"""
    ChartVersion.objects.update_or_create(pk=1, defaults={"token": uuid4().hex})


@operation("ledger.add_account", permission="ledger.period")
def add_account(
    *, actor: Actor, key: str, code: str, name: str, category: str, normal_side: str, on: date, role: str = ""
) -> dict[str, Any]:
    """新增科目；代号的最长前缀就是它的上级。

    :raises DomainError: 类别、方向、用途不认识，上级类别不同，或上级已有分录（不能再分明细）。
    """
    if category not in Category.values or normal_side not in Side.values or (role and role not in ROLES):
        wrong = next(
            v
            for v, known in ((category, Category.values), (normal_side, Side.values), (role, [*ROLES, ""]))
            if v not in known
        )
        raise DomainError(
            "ACCOUNT_FIELD",
            f"科目的类别、方向或用途「{wrong}」不认识。",
            field="category",
            value=wrong,
            fix="请从列表中选择。",
        )
    if not code.isdigit() or not 4 <= len(code) <= 20:
        raise DomainError("ACCOUNT_CODE", "科目代号须为 4 至 20 位数字。", field="code", value=code, fix="如 100201。")
    by_code = {account.code: account for account in Account.objects.all()}
    if code in by_code:
        raise Conflict(
            "ACCOUNT_EXISTS",
            f"科目 {code} 已存在（{by_code[code].name}）。",
            field="code",
            value=code,
            fix="请换一个代号，或直接用这个科目。",
        )
    parent = next((by_code[code[:n]] for n in range(len(code) - 1, 1, -1) if code[:n] in by_code), None)
    if parent is not None and parent.category != category:
        raise DomainError(
            "ACCOUNT_CATEGORY", f"上级科目 {parent.code} 属于{Category(parent.category).label}，下级须相同。",
            field="category", value=category, fix="请改类别，或换一个代号。",
        )  # fmt: skip
    if parent is not None and parent.is_leaf and Line.objects.filter(account=parent).exists():
        raise Conflict(
            "ACCOUNT_IN_USE", f"上级科目 {parent.code} 已有分录，不能再设明细。", field="code", value=code,
            fix="请另立一级科目，或在别的上级之下设明细。",
        )  # fmt: skip
    account = Account.objects.create(
        code=code, name=name, category=category, normal_side=normal_side, role=role, parent=parent
    )
    if parent is not None and parent.is_leaf:
        Account.objects.filter(pk=parent.pk).update(is_leaf=False)
    _renew_chart()
    return {"subject": f"account:{code}", "account_id": account.pk}


@operation("ledger.map_account", permission="ledger.period")
def map_account(
    *,
    actor: Actor,
    key: str,
    position_code: str,
    account_code: str,
    valid_from: date,
    on: date,
    product_id: int | None = None,
    term_band: str = "",
    guarantee: str = "",
    vat_ppm: int = 0,
) -> dict[str, Any]:
    """改科目对照：自 ``valid_from`` 起，该头寸记到这个科目。只追加，旧对照留存。

    只影响以后的发生额；原科目上的余额不自动搬家。``vat_ppm`` 非零时，该头寸的金额按含税价拆出应交增值税。

    :raises DomainError: 头寸代码不认识、科目不可用、起效日早于当前营业日（已记的账不能改科目）、税率不对。
    """
    if position_code not in POSITION_CODES:
        raise DomainError(
            "POSITION_UNKNOWN",
            f"没有头寸代码「{position_code}」。",
            field="position_code",
            value=position_code,
            fix="请从列表中选择。",
        )
    if valid_from < on:
        raise DomainError(
            "MAPPING_BACKDATED", f"起效日 {valid_from} 早于营业日 {on}，已记的账不能改科目。", field="valid_from",
            value=valid_from, fix=f"请从 {on} 或以后起效。",
        )  # fmt: skip
    if not 0 <= vat_ppm < PPM:
        raise DomainError(
            "VAT_RATE", "增值税率须在 0 与 100% 之间（百万分率）。", field="vat_ppm", value=vat_ppm, fix="6% 填 60000。"
        )
    account = _usable_account(account_code)
    vat_account_id = None
    if vat_ppm:
        if account.category != Category.INCOME:
            raise DomainError(
                "VAT_NOT_INCOME",
                f"科目 {account.code} 不是收入，不能拆增值税。",
                field="vat_ppm",
                value=vat_ppm,
                fix="税率只用于收入头寸。",
            )
        vat_account_id = resolve_accounts(on, complete=False).role("OUTPUT_VAT")
    mapping = AccountMapping.objects.create(
        position_code=position_code, product_id=product_id, term_band=term_band, guarantee=guarantee, account=account,
        vat_ppm=vat_ppm, vat_account_id=vat_account_id, valid_from=valid_from, booked_on=on, recorded_at=now(),
        recorded_by_id=actor.person_id,
    )  # fmt: skip
    if account.role != "LOAN_CLEARING" and not account.position_controlled:
        if Line.objects.filter(account=account).filter(position_code="").exists():
            raise Conflict(
                "ACCOUNT_IN_USE", f"科目 {account.code} 已有手工或出纳分录，不能改为头寸控制。", field="account_code",
                value=account.code, fix="请为该头寸另设一个明细科目。",
            )  # fmt: skip
        Account.objects.filter(pk=account.pk).update(position_controlled=True)
    _renew_chart()
    return {"subject": f"mapping:{position_code}", "mapping_id": mapping.pk}


def _usable_account(code: str) -> Account:
    account = Account.objects.filter(code=code).first()
    if account is None or not account.is_leaf:
        reason = "没有这个科目" if account is None else "不是末级科目"
        raise DomainError(
            "ACCOUNT_UNUSABLE", f"科目 {code}：{reason}。", field="account_code", value=code, fix="请选用末级科目。"
        )
    return account
