"""总账的写入：记账（供其他操作在其事务内调用）、科目与对照、期初、手工凭证、月结年结。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any
from uuid import uuid4

import yaml
from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from sancha.apps.access.queries import require_institution, subtree_ids
from sancha.apps.businessday.queries import business_dates
from sancha.apps.ledger.folding import fold_day, lock_postings
from sancha.apps.ledger.mapping import (
    POSITION_CODES,
    PPM,
    ROLES,
    AccountFacts,
    AccountResolver,
    LineSpec,
    resolve_accounts,
)
from sancha.apps.ledger.models import (
    Account,
    AccountMapping,
    Category,
    ChartVersion,
    DraftState,
    InstitutionBooks,
    Line,
    ManualDraft,
    OpeningBalance,
    Period,
    PeriodKind,
    Side,
    Source,
    Voucher,
)
from sancha.apps.ledger.posting import VoucherSpec, post_voucher, post_vouchers
from sancha.apps.ledger.queries import Scope, account_balances, is_balanced
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import operation

__all__ = [
    "AccountResolver",
    "LineSpec",
    "VoucherSpec",
    "add_account",
    "adopt_chart",
    "authorize_manual_voucher",
    "close_month",
    "close_year",
    "enter_manual_voucher",
    "fold_day",
    "map_account",
    "post_opening_balances",
    "post_voucher",
    "post_vouchers",
    "reject_manual_voucher",
    "resolve_accounts",
    "reverse_manual_voucher",
]

TEMPLATES = ("BANK", "MICROLOAN_COMPANY", "GUARANTEE_CENTER")
_SIDES = {"D": Side.DEBIT, "C": Side.CREDIT}


# 科目与对照 ------------------------------------------------------------------------------------------------


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
        raise Conflict("ACCOUNT_EXISTS", f"科目 {code} 已存在（{by_code[code].name}）。", field="code", value=code)
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


# 期初 ------------------------------------------------------------------------------------------------------


@operation("ledger.post_opening_balances", permission="ledger.period")
def post_opening_balances(
    *, actor: Actor, key: str, institution_id: int, cut_over_on: date, balances: dict[str, int], on: date
) -> dict[str, Any]:
    """期初余额：登记原系统切换日的科目余额（科目代号 → 分，借正贷负）。

    不受头寸控制的科目在此记一张期初凭证；受控科目由各借据的期初凭证形成，这里只留数核对，差额落在「期初过渡」，
    全部借据开出后该科目应为零（``queries.compare_opening``）。

    :raises DomainError: 表内或表外借贷不等、科目不可用、切换日晚于营业日、该机构已登记过期初。
    """
    institution = require_institution(actor, institution_id)
    if cut_over_on > on:
        raise DomainError(
            "CUT_OVER_LATE",
            f"切换日 {cut_over_on} 晚于营业日 {on}。",
            field="cut_over_on",
            value=cut_over_on,
            fix="切换日不得晚于当前营业日。",
        )
    if OpeningBalance.objects.filter(institution_id=institution_id).exists():
        raise Conflict(
            "OPENING_DONE", f"{institution.name}已登记过期初余额。", field="institution_id", value=institution_id,
            fix="期初不能改写；有误请用手工凭证更正。",
        )  # fmt: skip
    accounts = resolve_accounts(on)
    stated = _stated_accounts(balances, accounts)
    OpeningBalance.objects.bulk_create(
        OpeningBalance(institution_id=institution_id, account_id=facts.id, cut_over_on=cut_over_on, amount_fen=fen)
        for facts, fen in stated
    )
    lines = [LineSpec(fen, account_id=facts.id) for facts, fen in stated if not facts.position_controlled]
    controlled = sum(
        fen for facts, fen in stated if facts.position_controlled and facts.category != Category.OFF_BALANCE
    )
    lines.append(LineSpec(controlled, account_id=accounts.account("OPENING_EQUITY")))
    voucher_id = None
    if any(line.amount_fen for line in lines):
        voucher_id = post_voucher(
            booked_on=on, institution_id=institution_id, source=Source.OPENING, kind="OPENING_BALANCE",
            summary=f"期初余额（切换日 {cut_over_on}）", subject=f"institution:{institution_id}", lines=lines,
            actor=actor, accounts=accounts,
        )  # fmt: skip
    return {"subject": f"institution:{institution_id}", "voucher_id": voucher_id, "awaiting_loans_fen": controlled}


def _stated_accounts(balances: dict[str, int], accounts: AccountResolver) -> list[tuple[AccountFacts, int]]:
    by_code = {facts.code: facts for facts in accounts.accounts.values()}
    contra = accounts.account("OPENING_EQUITY")
    stated, off, on_balance = [], 0, 0
    for code, fen in balances.items():
        facts = by_code.get(code)
        if facts is None or not facts.is_leaf or facts.id == contra:
            raise DomainError(
                "ACCOUNT_UNUSABLE", f"期初余额里的科目 {code} 不存在、不是末级，或是期初过渡科目。", field="balances",
                value=code, fix="请改用末级科目；期初过渡由系统自动记。",
            )  # fmt: skip
        if facts.category == Category.OFF_BALANCE:
            off += fen
        else:
            on_balance += fen
        if fen:
            stated.append((facts, fen))
    if on_balance or off:
        raise DomainError(
            "OPENING_UNBALANCED", f"期初余额借贷不等：表内差 {on_balance} 分，表外差 {off} 分。", field="balances",
            value=on_balance or off, clause="资产 = 负债 + 所有者权益", fix="请核对原系统切换日的余额表（借正贷负）。",
        )  # fmt: skip
    return stated


# 手工凭证 --------------------------------------------------------------------------------------------------


@operation("ledger.enter_manual_voucher", permission="ledger.manual")
def enter_manual_voucher(
    *, actor: Actor, key: str, institution_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    """录入手工凭证草稿；由另一人授权后记账。``lines`` 为 [{account: 科目代号, amount_fen: 借正贷负, summary}]。

    记账日可以是已日终而未结账的日子（月末调整），不能晚于营业日。

    :raises DomainError: 借贷不等、科目不可用或受头寸控制、期间已结账。
    """
    require_institution(actor, institution_id)
    if not summary.strip():
        raise DomainError("SUMMARY_MISSING", "手工凭证须写摘要。", field="summary", fix="写明事由与附件张数。")
    accounts = resolve_accounts(booked_on, complete=False)
    by_code = {facts.code: facts.id for facts in accounts.accounts.values()}
    stored = []
    for number, line in enumerate(lines, start=1):
        account_id, fen = by_code.get(str(line.get("account", ""))), line.get("amount_fen")
        if account_id is None or type(fen) is not int or fen == 0:
            raise DomainError(
                "LINE_INVALID", f"第 {number} 行：科目「{line.get('account')}」不存在，或金额不是非零整数分。",
                field=f"lines.{number}", value=fen, fix="请填末级科目代号与金额（借正贷负）。",
            )  # fmt: skip
        stored.append({"account_id": account_id, "amount_fen": fen, "summary": str(line.get("summary", ""))[:200]})
    return _store_draft(
        actor=actor, institution_id=institution_id, booked_on=booked_on, summary=summary.strip()[:200], lines=stored,
        on=on, accounts=accounts,
    )  # fmt: skip


def _store_draft(
    *,
    actor: Actor,
    institution_id: int,
    booked_on: date,
    summary: str,
    lines: list[dict[str, Any]],
    on: date,
    accounts: AccountResolver,
    reverses_id: int | None = None,
) -> dict[str, Any]:
    if booked_on > on:
        raise DomainError(
            "BOOKED_LATE",
            f"记账日 {booked_on} 晚于营业日 {on}。",
            field="booked_on",
            value=booked_on,
            fix=f"请用 {on} 或以前未结账的日子。",
        )
    _require_period_open(institution_id, booked_on)
    # A trial run in a savepoint applies every rule of posting to the draft: it will not fail at authorization.
    _rehearse(_draft_spec(institution_id, booked_on, summary, lines, reverses_id), actor, accounts)
    draft = ManualDraft.objects.create(
        institution_id=institution_id, booked_on=booked_on, summary=summary, lines=lines, reverses_id=reverses_id,
        entered_by=actor.person_id, entered_at=now(),
    )  # fmt: skip
    return {"subject": f"manual_draft:{draft.pk}", "draft_id": draft.pk}


def _draft_spec(
    institution_id: int, booked_on: date, summary: str, lines: list[dict[str, Any]], reverses_id: int | None
) -> VoucherSpec:
    return VoucherSpec(
        booked_on=booked_on, institution_id=institution_id, source=Source.MANUAL,
        kind="REVERSAL" if reverses_id else "MANUAL", summary=summary, reverses_id=reverses_id,
        lines=[
            LineSpec(line["amount_fen"], account_id=line["account_id"], summary=line.get("summary", ""))
            for line in lines
        ],
    )  # fmt: skip


def _rehearse(spec: VoucherSpec, actor: Actor, accounts: AccountResolver) -> None:
    class _Undo(Exception):
        """撤回试记。"""

    try:
        with transaction.atomic():
            post_vouchers([spec], actor=actor, accounts=accounts)
            raise _Undo
    except _Undo:
        return


def _require_period_open(institution_id: int, booked_on: date) -> None:
    closed_to = InstitutionBooks.objects.filter(pk=institution_id).values_list("closed_to", flat=True).first()
    if closed_to is not None and booked_on <= closed_to:
        raise Conflict(
            "PERIOD_CLOSED", f"已结账到 {closed_to}，不能再记 {booked_on} 的账。", field="booked_on", value=booked_on,
            clause="结账后不得反结账", fix="请以当前营业日记账；涉及以前年度损益的走「以前年度损益调整」。",
        )  # fmt: skip


def _draft_for_decision(actor: Actor, draft_id: int) -> ManualDraft:
    draft = ManualDraft.objects.select_for_update(of=("self",)).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound("DRAFT_NOT_FOUND", f"没有编号为 {draft_id} 的手工凭证草稿。", field="draft_id", value=draft_id)
    require_institution(actor, draft.institution_id)
    if draft.state != DraftState.ENTERED:
        raise Conflict(
            "DRAFT_DECIDED", f"该草稿{DraftState(draft.state).label}，不能再办。", field="draft_id", value=draft_id
        )
    if draft.entered_by is not None and draft.entered_by == actor.person_id:
        raise NotPermitted(
            "SAME_PERSON", "手工凭证不能由录入人自己复核。", field="draft_id", value=draft_id,
            clause="账务双人制", fix="请由另一名有复核权限的人员办理。",
        )  # fmt: skip
    return draft


def _decide(draft: ManualDraft, actor: Actor, state: DraftState, opinion: str, voucher_id: int | None = None) -> None:
    draft.state, draft.decided_by, draft.decided_at = state, actor.person_id, now()
    draft.opinion, draft.voucher_id = opinion[:200], voucher_id
    draft.save(update_fields=["state", "decided_by", "decided_at", "opinion", "voucher"])


@operation("ledger.authorize_manual_voucher", permission="ledger.authorize")
def authorize_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str = "") -> dict[str, Any]:
    """授权手工凭证：由录入人之外的人复核，随即记账。

    :raises NotPermitted: 复核人就是录入人。
    :raises Conflict: 草稿已处理，或期间已结账。
    """
    draft = _draft_for_decision(actor, draft_id)
    _require_period_open(draft.institution_id, draft.booked_on)
    spec = _draft_spec(draft.institution_id, draft.booked_on, draft.summary, draft.lines, draft.reverses_id)
    voucher_id = post_voucher(
        booked_on=spec.booked_on, institution_id=spec.institution_id, source=spec.source, kind=spec.kind,
        summary=spec.summary, subject=f"manual_draft:{draft.pk}", lines=spec.lines, actor=actor,
        authorized_by=actor.person_id, posted_by=draft.entered_by, reverses_id=spec.reverses_id,
        accounts=resolve_accounts(spec.booked_on, complete=False),
    )  # fmt: skip
    _decide(draft, actor, DraftState.AUTHORIZED, opinion, voucher_id)
    return {"subject": f"manual_draft:{draft.pk}", "voucher_id": voucher_id}


@operation("ledger.reject_manual_voucher", permission="ledger.authorize")
def reject_manual_voucher(*, actor: Actor, key: str, draft_id: int, on: date, opinion: str) -> dict[str, Any]:
    """退回手工凭证草稿，须写意见。"""
    if not opinion.strip():
        raise DomainError("OPINION_MISSING", "退回须写意见。", field="opinion", fix="写明哪里不对、怎么改。")
    draft = _draft_for_decision(actor, draft_id)
    _decide(draft, actor, DraftState.REJECTED, opinion)
    return {"subject": f"manual_draft:{draft.pk}"}


@operation("ledger.reverse_manual_voucher", permission="ledger.manual")
def reverse_manual_voucher(*, actor: Actor, key: str, voucher_id: int, reason: str, on: date) -> dict[str, Any]:
    """冲回手工凭证：按原分录反方向录一张草稿（记账日为当前营业日），同样由另一人授权。

    :raises Conflict: 不是手工凭证（借据与出纳的账须在原业务上冲正），或已冲回。
    """
    voucher = Voucher.objects.filter(pk=voucher_id).first()
    if voucher is None:
        raise NotFound("VOUCHER_NOT_FOUND", f"没有编号为 {voucher_id} 的凭证。", field="voucher_id", value=voucher_id)
    require_institution(actor, voucher.institution_id)
    if voucher.source != Source.MANUAL:
        raise Conflict(
            "VOUCHER_NOT_MANUAL", f"凭证 {voucher_id} 来自{Source(voucher.source).label}，不能在此冲回。",
            field="voucher_id", value=voucher_id, fix="请在原业务（借据、收款、付款）上冲正。",
        )  # fmt: skip
    if not reason.strip():
        raise DomainError("REASON_MISSING", "冲回须写原因。", field="reason", fix="写明原凭证错在哪里。")
    lines = [
        {"account_id": account_id, "amount_fen": -fen, "summary": summary}
        for account_id, fen, summary in voucher.lines.values_list("account_id", "amount_fen", "summary")
    ]
    try:
        with transaction.atomic():
            return _store_draft(
                actor=actor, institution_id=voucher.institution_id, booked_on=on,
                summary=f"冲回凭证 {voucher_id}：{reason.strip()}"[:200], lines=lines, on=on,
                accounts=resolve_accounts(on, complete=False), reverses_id=voucher_id,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(
            "ALREADY_REVERSED", f"凭证 {voucher_id} 已冲回或正在冲回。", field="voucher_id", value=voucher_id
        ) from error


# 月结与年结 ------------------------------------------------------------------------------------------------


@operation("ledger.close_month", permission="ledger.period")
def close_month(*, actor: Actor, key: str, institution_id: int, month: date, on: date) -> dict[str, Any]:
    """月结：该机构及其下级截至月末结账，此后该月不能再记账；没有反结账。十二月随年结办理。

    :raises Conflict: 月内还有未日终的日子、未处理的手工凭证、上月未结、已结，或借贷不等。
    """
    first, last = _month_bounds(month)
    if first.month == 12:
        raise Conflict("DECEMBER_BY_YEAR", "十二月在年结时一并结账。", field="month", value=month, fix="请办理年结。")
    members = _begin_closing(actor, institution_id, first, last, on)
    _finish_closing(actor, institution_id, members, PeriodKind.MONTH, first, last, None)
    return {"subject": f"institution:{institution_id}", "closed_to": last.isoformat(), "institutions": len(members)}


@operation("ledger.close_year", permission="ledger.period")
def close_year(*, actor: Actor, key: str, institution_id: int, year: int, on: date) -> dict[str, Any]:
    """年结：损益类科目逐机构转入本年利润，再转未分配利润（来源「期末结转」，日期 12 月 31 日），随后十二月与全年结账。

    借据的收入头寸不受影响：Σ借据 = 总账 只看带头寸代码的分录（books.md F6）。

    :raises Conflict: 同 ``close_month``。
    """
    first, last = date(year, 12, 1), date(year, 12, 31)
    members = _begin_closing(actor, institution_id, first, last, on)
    vouchers = _transfer_profit(actor, members, last)
    closing = vouchers[-1] if vouchers else None
    _finish_closing(actor, institution_id, members, PeriodKind.MONTH, first, last, closing)
    _finish_closing(actor, institution_id, members, PeriodKind.YEAR, date(year, 1, 1), last, closing)
    return {"subject": f"institution:{institution_id}", "closed_to": last.isoformat(), "voucher_ids": vouchers}


def _month_bounds(month: date) -> tuple[date, date]:
    first = month.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _begin_closing(actor: Actor, institution_id: int, first: date, last: date, on: date) -> list[int]:
    """结账前的全部检查；返回要结账的机构。"""
    root = require_institution(actor, institution_id)
    lock_postings()
    members = subtree_ids(institution_id)
    if on <= last:
        raise Conflict(
            "PERIOD_NOT_OVER", f"营业日 {on} 还在期间之内（至 {last}），不能结账。", field="month", value=last,
            fix=f"请在 {last} 日终之后办理。",
        )  # fmt: skip
    behind = [day for day in business_dates(institution_ids=members).values() if day <= last]
    books = dict(InstitutionBooks.objects.filter(pk__in=members).values_list("pk", "folded_to"))
    unfolded = Q()
    for folded_to in set(books.values()) - {None}:
        ids = [pk for pk, day in books.items() if day == folded_to]
        unfolded |= Q(institution_id__in=ids, booked_on__lte=folded_to)
    open_lines = Line.objects.filter(institution_id__in=members, booked_on__lte=last)
    if (
        behind
        or (open_lines.exclude(unfolded) if unfolded else open_lines).exists()
        or any(day is not None and day < last for day in books.values())
    ):
        raise Conflict(
            "DAY_OPEN", f"{root.name}或其下级在 {last} 以前还有未日终的日子。", field="month", value=last,
            fix="请先把这些日子的日终跑完。",
        )  # fmt: skip
    waiting = ManualDraft.objects.filter(institution_id__in=members, state=DraftState.ENTERED, booked_on__lte=last)
    if count := waiting.count():
        raise Conflict(
            "DRAFTS_WAITING", f"期间内还有 {count} 张手工凭证待授权。", field="month", value=count,
            fix="请先授权或退回这些草稿。",
        )  # fmt: skip
    _require_consecutive(institution_id, members, first, last)
    if not is_balanced(Scope(institution_ids=tuple(members)), last):
        raise Conflict(
            "BOOKS_UNBALANCED", f"截至 {last} 的试算不平，不能结账。", field="month", value=last,
            fix="请运行 sancha check 查明差额。",
        )  # fmt: skip
    return members


def _require_consecutive(institution_id: int, members: list[int], first: date, last: date) -> None:
    closed_to = InstitutionBooks.objects.filter(pk__in=members).aggregate(last=Max("closed_to"))["last"]
    if closed_to is not None and closed_to >= last:
        raise Conflict("PERIOD_CLOSED", f"已结账到 {closed_to}。", field="month", value=last, clause="结账后不得反结账")
    expected = closed_to + timedelta(days=1) if closed_to else None
    if expected is None:
        oldest = (
            Line.objects.filter(institution_id__in=members).order_by("booked_on").values_list("booked_on", flat=True)
        )
        earliest = oldest.first()
        expected = earliest.replace(day=1) if earliest else first
    if first > expected:
        raise Conflict(
            "EARLIER_PERIOD_OPEN", f"{expected:%Y 年 %m 月}还没有结账。", field="month", value=first,
            fix="请按月份先后逐月结账。",
        )  # fmt: skip


def _finish_closing(
    actor: Actor, institution_id: int, members: list[int], kind: str, first: date, last: date, voucher_id: int | None
) -> None:
    Period.objects.create(
        institution_id=institution_id, kind=kind, first_on=first, last_on=last, closed_by=actor.person_id,
        closed_at=now(), closing_voucher_id=voucher_id,
    )  # fmt: skip
    InstitutionBooks.objects.bulk_create(
        [InstitutionBooks(institution_id=member, closed_to=last) for member in members],
        update_conflicts=True, unique_fields=["institution"], update_fields=["closed_to"],
    )  # fmt: skip


def _transfer_profit(actor: Actor, members: list[int], last: date) -> list[int]:
    accounts = resolve_accounts(last)
    profit, retained = accounts.role("PROFIT"), accounts.role("UNDISTRIBUTED")
    specs = []
    for institution_id, currency, balances in account_balances(Scope(institution_ids=tuple(members)), last):
        lines = [
            LineSpec(-fen, account_id=account_id, currency=currency)
            for account_id, fen in balances.items()
            if fen and accounts.accounts[account_id].category in {Category.INCOME, Category.EXPENSE}
        ]
        moved = -sum(line.amount_fen for line in lines)
        year_profit = moved + balances.get(profit, 0)
        if lines:
            specs.append(
                VoucherSpec(
                    booked_on=last, institution_id=institution_id, source=Source.CLOSING, kind="PROFIT_TRANSFER",
                    summary=f"{last.year} 年损益结转本年利润", subject=f"institution:{institution_id}",
                    lines=[*lines, LineSpec(moved, account_id=profit, currency=currency)],
                )
            )  # fmt: skip
        if year_profit:
            specs.append(
                VoucherSpec(
                    booked_on=last, institution_id=institution_id, source=Source.CLOSING, kind="PROFIT_CLOSE",
                    summary=f"{last.year} 年本年利润转未分配利润", subject=f"institution:{institution_id}",
                    lines=[
                        LineSpec(-year_profit, account_id=profit, currency=currency),
                        LineSpec(year_profit, account_id=retained, currency=currency),
                    ],
                )
            )  # fmt: skip
    return post_vouchers(specs, actor=actor, accounts=accounts)
