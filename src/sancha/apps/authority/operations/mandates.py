"""授权书：起草、复核、收回（ORG-9）。转授不得超过上级；两个人办成才生效。"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.forms.models import model_to_dict

from sancha.apps.access import queries as access
from sancha.apps.access.seats import seats_on_line
from sancha.apps.authority.kinds import MANDATE_CHECK
from sancha.apps.authority.models import Mandate, MandateDraft, MandateDraftKind, MandateDraftState, MandateTerms
from sancha.apps.authority.queries import approving_posts, pack_named, require_products, standing_mandates
from sancha.apps.work import operations as work
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound
from sancha.kit.numbering import next_number
from sancha.kit.operation import operation
from sancha.rulebook.posts import find_post, post_name
from sancha.rulebook.vocabulary import GuaranteeKind

CLAUSE = "AUTHORITY-MANDATE"
ROOT_KINDS = frozenset({"HEAD_OFFICE", "TIER1_BRANCH", "GUARANTEE_CENTER"})
"""可以照总行（或主管部门）的书面授权直接录入的机构；别处只能转授。"""
TERMS = [field.name for field in MandateTerms._meta.fields]


@operation("authority.propose_mandate", permission="authority.grant")
def propose_mandate(
    *,
    actor: Actor,
    key: str,
    on: date,
    institution_id: int,
    post_code: str,
    program: str,
    max_fen: int,
    max_months: int,
    valid_from: date,
    valid_to: date | None = None,
    products: Sequence[str] = (),
    guarantees: Sequence[str] = (),
    for_new: bool = True,
    for_repeat: bool = True,
    person_id: int | None = None,
    parent_id: int | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """起草授权书，开出复核任务。没有上级授权书的，只有总行、一级分行、担保中心可以照书面授权录入，须写文号。

    :raises DomainError: 岗位设不了、项目产品不认识、指定的人不在任、金额期限日期不对、超过上级授权。
    """
    institution = access.require_institution(actor, institution_id)
    _require_post(post_code, institution.kind)
    pack = pack_named(program)
    if post_code not in approving_posts(pack):
        raise _wrong(
            "post_code", post_code, f"「{post_name(post_code)}」不是「{pack.name}」的审批岗。", "请选方案里的审批岗。"
        )
    require_products(pack, products, field="products")
    if person_id is not None:
        _require_in_post(person_id, post_code, institution.id, valid_from)
    if unknown := [code for code in guarantees if code not in set(GuaranteeKind)]:
        raise _wrong("guarantees", unknown[0], f"不认识的担保方式「{unknown[0]}」。", "请从选项里选。")
    if max_fen <= 0 or max_months <= 0:
        raise _wrong("max_fen", max_fen, "金额与期限须大于零。", "请填单笔最高金额与最长月数。")
    if not (for_new or for_repeat):
        raise _wrong("for_new", False, "新客户、老客户至少授权一类。", "请勾选。")
    if valid_from < on or (valid_to is not None and valid_to <= valid_from):
        raise _wrong("valid_from", valid_from, "起效日不早于今天，止日（不含）晚于起效日。", "请改日期。")
    draft = MandateDraft(
        kind=MandateDraftKind.GRANT,
        institution_id=institution.id,
        post_code=post_code,
        person_id=person_id,
        program=program,
        products=list(products),
        guarantees=list(guarantees),
        max_fen=max_fen,
        max_months=max_months,
        for_new=for_new,
        for_repeat=for_repeat,
        parent_id=parent_id,
        valid_from=valid_from,
        valid_to=valid_to,
        reason=reason.strip(),
    )
    if parent_id is None:
        _require_root(actor, reason)
    else:
        _require_inside(draft, parent_id, institution.path, on)
    return _send(
        draft, actor=actor, on=on, told=f"授予{institution.name}{post_name(post_code)}单笔 {format_yuan(max_fen)} 元"
    )


@operation("authority.propose_revocation", permission="authority.grant")
def propose_revocation(
    *, actor: Actor, key: str, on: date, mandate_id: int, valid_to: date, reason: str
) -> dict[str, Any]:
    """起草收回：自 ``valid_to`` 起不再有效；转授出去的不因此失效，须各自收回（页面列出）。

    :raises DomainError: 没写原因、日期早于今天。
    :raises Conflict: 已不是有效的授权，或已有待复核的收回。
    """
    mandate = _standing(actor, mandate_id, on)
    if not reason.strip():
        raise _wrong("reason", "", "收回须写明原因。", "请写明原因。")
    if valid_to < on:
        raise _wrong("valid_to", valid_to, "收回之日不早于今天。", "请改日期。")
    if MandateDraft.objects.filter(mandate=mandate, state=MandateDraftState.OPEN).exists():
        raise Conflict(
            "DRAFT_WAITING", "这份授权书已有待复核的收回。", field="mandate_id", value=mandate.number, fix="请等复核。"
        )
    draft = MandateDraft(
        kind=MandateDraftKind.REVOKE,
        mandate=mandate,
        valid_from=mandate.valid_from,
        valid_to=valid_to,
        reason=reason.strip(),
        **_terms_of(mandate),
    )
    return _send(draft, actor=actor, on=on, told=f"收回授权书 {mandate.number}")


@operation("authority.decide_mandate", permission="authority.authorize")
def decide_mandate(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    outcome: str,
    opinion: str = "",
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """复核授权：同意即成为授权书（或收回），退回的起草人另拟。

    :raises NotPermitted: 起草人复核自己的稿。
    :raises DomainError: 复核时已超过上级授权。
    """
    draft_id = work.subject_to_check(MANDATE_CHECK, task_id=task_id)
    draft = (
        MandateDraft.objects.select_for_update(of=("self",)).select_related("institution", "mandate").get(pk=draft_id)
    )
    subject = ("mandate_draft", draft.pk)
    agreed = work.close_check(
        MANDATE_CHECK, actor=actor, subject=subject, task_id=task_id, outcome=outcome, opinion=opinion, on=on
    )
    draft.state = MandateDraftState.DONE if agreed else MandateDraftState.RETURNED
    draft.save(update_fields=["state"])
    mandate = _put_in_force(draft, actor=actor, on=on) if agreed else None
    return {
        "subject": f"mandate_draft:{draft.pk}",
        "task_id": task_id,
        "draft_id": draft.pk,
        "mandate_id": mandate.pk if mandate else None,
        "number": mandate.number if mandate else "",
    }


def _put_in_force(draft: MandateDraft, *, actor: Actor, on: date) -> Mandate:
    if draft.kind == MandateDraftKind.REVOKE:
        assert draft.mandate is not None
        old = draft.mandate
        number, supersedes, seq = old.number, old, old.seq + 1
        parent_id, valid_from = old.parent_id, draft.valid_from
        # Checked later than planned: what was decided in between was decided under a mandate in force.
        valid_to: date | None = max(draft.valid_to or on, on)
    else:
        if draft.parent_id is not None:
            _require_inside(draft, draft.parent_id, draft.institution.path, on)
        order = next_number(f"mandate:{on.year}")
        number, supersedes, seq, parent_id = f"授字〔{on.year}〕第{order:04d}号", None, 1, draft.parent_id
        valid_from, valid_to = max(draft.valid_from, on), draft.valid_to
    return Mandate.objects.create(
        number=number,
        parent_id=parent_id,
        supersedes=supersedes,
        seq=seq,
        valid_from=valid_from,
        valid_to=valid_to,
        reason=draft.reason,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=draft.drafted_by_id,
        authorized_by_id=actor.person_id,
        **_terms_of(draft),
    )


def _send(draft: MandateDraft, *, actor: Actor, on: date, told: str) -> dict[str, Any]:
    assert actor.person_id is not None, "whoever drafts holds a post"
    draft.drafted_by_id, draft.booked_on, draft.recorded_at = actor.person_id, on, now()
    draft.save(force_insert=True)
    task_id = work.ask_second_person(
        MANDATE_CHECK,
        actor=actor,
        on=on,
        subject=("mandate_draft", draft.pk),
        institution_id=actor.institution_id or draft.institution_id,
        title=told,
        reason=draft.reason or told,
        facts={"单笔最高_fen": draft.max_fen, "最长期限": f"{draft.max_months} 个月", "起效日": str(draft.valid_from)},
    )
    return {"subject": f"mandate_draft:{draft.pk}", "draft_id": draft.pk, "task_id": task_id}


def _terms_of(row: Mandate | MandateDraft) -> dict[str, Any]:
    values = model_to_dict(row, fields=TERMS)
    return {f"{name}_id" if name in {"institution", "person"} else name: value for name, value in values.items()}


def _require_post(post_code: str, kind: str) -> None:
    post = find_post(post_code)
    if post is None or kind not in post.kinds:
        raise _wrong(
            "post_code", post_code, f"「{post_name(post_code)}」不能设在这类机构。", "请换机构或岗位。", "ORG-2"
        )


def _require_in_post(person_id: int, post_code: str, institution_id: int, on: date) -> None:
    """指定的人起效那天在那里任那个岗。"""
    seats = seats_on_line([post_code], institution_id=institution_id, on=on)
    if (person_id, institution_id) not in {(seat.person_id, seat.institution_id) for seat in seats}:
        raise _wrong(
            "person_id",
            person_id,
            f"此人 {on} 不在该机构任「{post_name(post_code)}」。",
            "请先任职，或不指定人。",
            "ORG-2",
        )


def _require_root(actor: Actor, reason: str) -> None:
    """没有上级授权书的：只有能得书面授权的机构，且写明文号。"""
    assert actor.institution_id is not None
    kind = access.institutions_by_id([actor.institution_id])[actor.institution_id].kind
    if kind not in ROOT_KINDS:
        raise _wrong("parent_id", None, "本机构只能转授：须选上级的授权书。", "请选一份上级授权书。")
    if not reason.strip():
        raise _wrong("reason", "", "照书面授权录入的，须写明文号。", "请写明授权文件的名称与文号。")


def _require_inside(draft: MandateDraft, parent_id: int, path: str, on: date) -> None:
    """转授不得超过上级的授权书：机构在其下，金额、期限、产品、担保、客户、日期都在其内。"""
    parent = standing_mandates(on).select_related("institution").filter(pk=parent_id).first()
    if parent is None:
        raise _wrong("parent_id", parent_id, "上级的授权书没有或已失效。", "请选一份有效的上级授权书。")
    inside = {
        "机构不在其下": path.startswith(parent.institution.path),
        "不是同一项目": draft.program == parent.program,
        f"金额超过 {format_yuan(parent.max_fen)} 元": draft.max_fen <= parent.max_fen,
        f"期限超过 {parent.max_months} 个月": draft.max_months <= parent.max_months,
        "产品超出": not parent.products or (bool(draft.products) and set(draft.products) <= set(parent.products)),
        "担保方式超出": not parent.guarantees
        or (bool(draft.guarantees) and set(draft.guarantees) <= set(parent.guarantees)),
        "客户类别超出": draft.for_new <= parent.for_new and draft.for_repeat <= parent.for_repeat,
        "有效期超出": draft.valid_from >= parent.valid_from
        and (parent.valid_to is None or (draft.valid_to is not None and draft.valid_to <= parent.valid_to)),
    }
    if beyond := [why for why, fits in inside.items() if not fits]:
        raise _wrong(
            "parent_id",
            parent.number,
            f"超过上级授权书 {parent.number}：{'、'.join(beyond)}。",
            "请收窄到上级授权之内。",
        )


def _standing(actor: Actor, mandate_id: int, on: date) -> Mandate:
    found = standing_mandates(on).filter(access.in_scope(actor), pk=mandate_id).first()
    if found is None:
        raise NotFound(
            "MANDATE_NOT_FOUND", "没有这份有效的授权书，或不在您的机构范围内。", field="mandate_id", value=mandate_id,
            fix="请从授权书清单中选择。",
        )  # fmt: skip
    return found


def _wrong(field: str, value: Any, message: str, fix: str, clause: str = CLAUSE) -> DomainError:
    return DomainError("MANDATE_INVALID", message, field=field, value=value, clause=clause, fix=fix)
