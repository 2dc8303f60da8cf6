"""受理：登记询问、存草稿、受理、不予受理、撤回。每一次询问都在册，不论成否（APP-5）。"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max

from sancha.apps.access import queries as access
from sancha.apps.agreements.operations import close_file
from sancha.apps.authority.queries import pack_named
from sancha.apps.origination.elements import asked, problems_of, require_elements_fit
from sancha.apps.origination.facts import askable_at, read_answers, readable, stored
from sancha.apps.origination.models import Application, ApplicationState, CaseFact, Channel
from sancha.apps.origination.operations.locking import close_application, locked_application, require_state
from sancha.apps.origination.ruling import failures, require_known, rule
from sancha.apps.origination.steps import ROOT, cancel_waiting, enter, pack_of, refer
from sancha.apps.parties import queries as parties
from sancha.apps.products import queries as products
from sancha.apps.work import operations as work
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.money import MoneyError, parse_yuan
from sancha.kernel.terms import Method
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.numbering import next_number
from sancha.kit.operation import operation
from sancha.rulebook import parameter
from sancha.rulebook.facts import Evidence
from sancha.rulebook.rules import Effect, Stage
from sancha.rulebook.vocabulary import GuaranteeKind

ELEMENTS = ("purpose", "source", "amount", "term_count", "term_unit", "method", "guarantee")
"""申请表上要素的栏目；其余的栏目是事实代码。"""
REQUIRED = {
    "purpose": "用途",
    "amount": "申请金额",
    "term_count": "期限",
    "term_unit": "期限单位",
    "method": "还款方式",
    "guarantee": "担保方式",
}
LONGEST_ANSWER = 200
RECEIVER = "RECEIVER"


@operation("origination.open_application", permission="origination.receive")
def open_application(
    *,
    actor: Actor,
    key: str,
    on: date,
    program: str,
    party_id: int,
    product_id: int,
    channel: str,
    typed: Mapping[str, str],
    alone: bool = False,
) -> dict[str, Any]:
    """登记一次询问并存草稿：填过的原样留着，对不对受理时再说。

    :raises DomainError: 没有这个项目，产品不属于它，渠道不对，栏目不认识。
    :raises Conflict: 此人在本项目已有一案在办。
    """
    assert actor.institution_id is not None and actor.person_id is not None, "whoever receives sits at a desk"
    institution = access.require_institution(actor, actor.institution_id)
    party = parties.live_party(actor, party_id)
    _require_program(program, product_id, on)
    answers = _require_typed(program, typed, on)
    _require_channel(channel)
    _require_no_other(party.pk, program)
    number = next_number(f"application:{institution.code}:{on.isoformat()}")
    row = Application.objects.create(
        number=f"SQ-{institution.code}-{on:%Y%m%d}-{number:04d}",
        program=program,
        institution_id=institution.id,
        party_id=party.pk,
        product_id=product_id,
        channel=channel,
        typed=answers,
        received_by_id=actor.person_id,
        received_alone=alone and channel == Channel.OFF_PREMISES,
        opened_on=on,
        recorded_at=now(),
    )
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "number": row.number}


@operation("origination.save_draft", permission="origination.receive")
def save_draft(
    *,
    actor: Actor,
    key: str,
    on: date,
    application_id: int,
    channel: str,
    typed: Mapping[str, str],
    alone: bool = False,
) -> dict[str, Any]:
    """改草稿：原样存下。

    :raises Conflict: 已受理或已了结。
    """
    row = locked_application(actor, application_id)
    require_state(row, ApplicationState.DRAFT)
    _require_channel(channel)
    row.typed = _require_typed(row.program, typed, on)
    row.channel, row.received_alone = channel, alone and channel == Channel.OFF_PREMISES
    row.save(update_fields=["typed", "channel", "received_alone"])
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "number": row.number}


@operation("origination.accept_application", permission="origination.receive")
def accept_application(*, actor: Actor, key: str, on: date, application_id: int) -> dict[str, Any]:
    """受理：读成要素与事实，跑受理环节的规则；符合的进入第一步，须上报的报有权机构，不符合的不得受理。

    :raises DomainError: 填写读不成、要素不合产品、还缺事实，或规则不符合（写明依据，请改走不予受理）。
    :raises Conflict: 否决之后还不到再报的日子，或已终局。
    """
    row = locked_application(actor, application_id)
    require_state(row, ApplicationState.DRAFT)
    _require_may_resubmit(row, on)
    _take(row, actor=actor, on=on)
    _require_fits_product(row, on)
    ruling, decided = rule(row, actor=actor, stage=Stage.INTAKE, on=on)
    require_known(decided)
    if refused := failures(decided, Effect.REFUSE):
        raise DomainError(
            "INTAKE_REFUSED",
            "".join(f"{verdict['message']}（{verdict['citation']}）" for verdict in refused),
            value=refused[0]["rule"],
            clause="、".join(dict.fromkeys(verdict["clause"] for verdict in refused)),
            fix="请办「不予受理」，把原因告知申请人并退回申请表；" + "".join(verdict["remedy"] for verdict in refused),
        )
    row.accepted_on = on
    row.save(update_fields=["accepted_on"])
    assert actor.person_id is not None
    work.record_involvement(root_type=ROOT, root_id=row.pk, person_id=actor.person_id, duty=RECEIVER, on=on)
    if referred := failures(decided, Effect.REFER):
        task_id = refer(row, referred, on=on)
    else:
        task_id = enter(row, pack_of(row).steps[0], on=on, reason="申请已受理")
    return {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "number": row.number,
        "task_id": task_id,
        "ruling_id": ruling.pk,
        "state": row.state,
        "step": row.step,
    }


@operation("origination.refuse_application", permission="origination.receive")
def refuse_application(*, actor: Actor, key: str, on: date, application_id: int, reason: str = "") -> dict[str, Any]:
    """不予受理：原因逐条留底，可打印交申请人；规则没有不符合的须写明原因（APP-5）。

    :raises DomainError: 规则没有不符合的，又没有写原因。
    """
    row = locked_application(actor, application_id)
    require_state(row, ApplicationState.DRAFT)
    # A half-filled form may be refused, too: what cannot be read stays in `typed` as it was written.
    _keep_facts(row, readable(askable_at(row.program, Stage.INTAKE, on), row.typed), actor=actor, on=on)
    ruling, decided = rule(row, actor=actor, stage=Stage.INTAKE, on=on)
    refused = failures(decided, Effect.REFUSE)
    if not refused and not reason.strip():
        raise DomainError(
            "REFUSAL_REASON_MISSING",
            "规则没有不符合的，不予受理须写明原因。",
            field="reason",
            clause="PSBC-2014-REFUSAL",
            fix="请写明原因，它会印在告知单上。",
        )
    told = [f"{verdict['message']}（{verdict['citation']}）" for verdict in refused]
    text = "".join([*told, reason.strip()])
    close_application(row, ApplicationState.REFUSED, on=on, reason=text)
    return {
        "subject": f"{ROOT}:{row.pk}",
        "application_id": row.pk,
        "number": row.number,
        "ruling_id": ruling.pk,
        "reason": text,
    }


@operation("origination.withdraw_application", permission="origination.receive")
def withdraw_application(*, actor: Actor, key: str, on: date, application_id: int, reason: str) -> dict[str, Any]:
    """申请人撤回：在办的任务一并撤下，签约中的卷作废。

    :raises Conflict: 已了结，或已送放款。
    """
    row = locked_application(actor, application_id)
    require_state(
        row, ApplicationState.DRAFT, ApplicationState.REFERRED, ApplicationState.IN_PROGRESS, ApplicationState.APPROVED
    )
    if not reason.strip():
        raise DomainError("WITHDRAWAL_REASON_MISSING", "撤回须写明原因。", field="reason", fix="请写明申请人为何撤回。")
    cancel_waiting(row, actor=actor, on=on, reason="申请人撤回")
    close_file(application_id=row.pk, reason=f"申请人撤回：{reason.strip()}")
    close_application(row, ApplicationState.WITHDRAWN, on=on, reason=reason.strip())
    return {"subject": f"{ROOT}:{row.pk}", "application_id": row.pk, "number": row.number}


def _require_program(program: str, product_id: int, on: date) -> None:
    pack = pack_named(program)
    product = products.product_info(product_id=product_id, on=on)
    if product.code not in pack.products or not product.offered:
        raise DomainError(
            "PRODUCT_OUT_OF_PROGRAM",
            f"「{product.name}」不是「{pack.name}」现在办理的产品。",
            field="product_id",
            value=product_id,
            fix="请换一个该项目的产品。",
        )


def _require_channel(channel: str) -> None:
    if channel not in Channel.values:
        raise DomainError(
            "CHANNEL_UNKNOWN", f"不认识的受理渠道「{channel}」。", field="channel", value=channel, clause="APP-1",
            fix=f"可选：{'、'.join(str(item) for item in Channel.labels)}。",
        )  # fmt: skip


def _require_typed(program: str, typed: Mapping[str, str], on: date) -> dict[str, str]:
    """栏目都认识、不过长；空白的不存。"""
    known = {*ELEMENTS, *(fact.code for fact in askable_at(program, Stage.INTAKE, on))}
    for name, text in typed.items():
        if name not in known:
            raise DomainError(
                "FIELD_UNKNOWN", f"申请表没有「{name}」一栏。", field=name, value=text, fix="请去掉这一栏。"
            )
        if not isinstance(text, str):
            raise DomainError(
                "ANSWER_NOT_TEXT",
                "填写的须是文字，照申请表上写的样子。",
                field=name,
                value=text,
                fix='如 "50000"、"yes"。',
            )
        if len(text) > LONGEST_ANSWER:
            raise DomainError(
                "ANSWER_TOO_LONG", f"最多 {LONGEST_ANSWER} 字，现在 {len(text)} 字。", field=name, value=text[:20],
                fix="请写短些。",
            )  # fmt: skip
    return {name: text for name, text in typed.items() if text.strip()}


def _require_no_other(party_id: int, program: str) -> None:
    open_states = [
        ApplicationState.DRAFT,
        ApplicationState.REFERRED,
        ApplicationState.IN_PROGRESS,
        ApplicationState.APPROVED,
    ]
    other = Application.objects.filter(party_id=party_id, program=program, state__in=open_states).first()
    if other is not None:
        raise Conflict(
            "APPLICATION_OPEN",
            f"此人在本项目已有一案在办：{other.number}（{other.get_state_display()}）。",
            field="party_id",
            value=party_id,
            fix="请在那一案上办理；要重来的先撤回那一案。",
        )


def _require_may_resubmit(row: Application, on: date) -> None:
    """否决之后的再报：隔够日子，次数没有用完。"""
    past = Application.objects.filter(party_id=row.party_id, program=row.program, state=ApplicationState.REJECTED)
    rejected = past.aggregate(times=Count("pk"), last=Max("closed_on"))
    if not rejected["times"]:
        return
    final = parameter("origination.rejections_final", on).as_int()
    if rejected["times"] >= final:
        raise Conflict(
            "REJECTED_FOR_GOOD",
            f"此人在本项目已被否决 {rejected['times']} 次，{final} 次即为终局。",
            field="party_id",
            clause="PSBC-2009-RESUBMIT",
            fix="不再受理本项目的申请；可建议其改办别的业务。",
        )
    days = parameter("origination.resubmit_days", on).as_int()
    allowed = rejected["last"] + timedelta(days=days)
    if on < allowed:
        raise Conflict(
            "RESUBMITTED_TOO_SOON",
            f"上一案于 {rejected['last']} 被否决，{days} 天内不得再报。",
            field="party_id",
            clause="PSBC-2009-RESUBMIT",
            fix=f"请于 {allowed} 或以后再受理。",
        )


def _take(row: Application, *, actor: Actor, on: date) -> None:
    """草稿读成要素与事实：全部读得成才存。"""
    typed = row.typed
    elements = _read_elements(typed)
    answers = read_answers(askable_at(row.program, Stage.INTAKE, on), typed)
    for name, value in elements.items():
        setattr(row, name, value)
    row.save()
    _keep_facts(row, answers, actor=actor, on=on)


def _keep_facts(row: Application, answers: Mapping[str, Any], *, actor: Actor, on: date) -> None:
    CaseFact.objects.bulk_create(
        CaseFact(
            application=row,
            code=code,
            value=stored(value),
            evidence=Evidence.CLAIMED.value,
            reference="申请表",
            on_day=on,
            by_id=actor.person_id,
            at=now(),
        )
        for code, value in answers.items()
    )


def _read_elements(typed: Mapping[str, str]) -> dict[str, Any]:
    """要素：金额填元，期限填整数。

    :raises DomainError: 缺或读不成，指到那一栏。
    """
    for name, title in REQUIRED.items():
        if not typed.get(name, "").strip():
            raise DomainError("ELEMENT_MISSING", f"「{title}」必填。", field=name, fix="请填写；草稿已存。")
    try:
        amount_fen = parse_yuan(typed["amount"])
    except MoneyError as wrong:
        raise DomainError(
            "AMOUNT_INVALID", str(wrong), field="amount", value=typed["amount"], fix="请填元，如 50000。"
        ) from wrong
    if amount_fen <= 0:
        raise DomainError(
            "AMOUNT_INVALID", "金额须大于零。", field="amount", value=typed["amount"], fix="请填元，如 50000。"
        )
    count = typed["term_count"].strip()
    if not (count.isascii() and count.isdigit() and 0 < int(count[:5]) <= 3660):
        raise DomainError("TERM_INVALID", "期限请填大于零的整数。", field="term_count", value=count, fix="如 12。")
    return {
        "purpose": typed["purpose"].strip(),
        "source": typed.get("source", "").strip()[:100],
        "amount_fen": amount_fen,
        "term_count": int(count),
        "term_unit": _member(PeriodUnit, typed["term_unit"], "term_unit"),
        "method": _member(Method, typed["method"], "method"),
        "guarantee": _member(GuaranteeKind, typed["guarantee"], "guarantee"),
    }


def _member(kind: Any, code: str, field: str) -> str:
    try:
        return str(kind(code).value)
    except ValueError as wrong:
        raise DomainError(
            "CHOICE_UNKNOWN", f"没有选项「{code}」。", field=field, value=code, fix="请从选项里选。"
        ) from wrong


def _require_fits_product(row: Application, on: date) -> None:
    """要素合产品条款（POL-9、POL-10）；利率此时还没有定，取执行价。

    :raises DomainError: 逐项列出。
    """
    require_elements_fit(problems_of(row, asked(row, on=on), on=on))
