"""维护机构、人员、任职与令牌。

任职给人岗位，岗位给权限；授予时查三件事：岗位能否设在这类机构、是否与已有岗位不得兼任、授予人是否在给自己加权。
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Callable
from datetime import date
from typing import Any, ParamSpec

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q, Value
from django.db.models.functions import Concat, Substr
from pydantic import SecretStr

from sancha.apps.access.models import (
    PARENT_KINDS,
    ROOT_KINDS,
    Institution,
    InstitutionKind,
    Person,
    Placement,
    PostHolding,
)
from sancha.apps.access.queries import EVERYWHERE, in_scope, standing_holdings
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import ApiToken
from sancha.kit.operation import keyed_digest, operation
from sancha.rulebook.posts import Post, conflict_between, find_post, post_name

P = ParamSpec("P")
ClosingGuard = Callable[[int], str | None]

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
# 没有 0 O 1 l I：首次密码常常要念给人听、抄在纸上。
_PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_PASSWORD_LENGTH = 14
_SECRET_DIGEST = "secret_digest"
_NOT_GENERATED = SecretStr("")
_closing_guards: list[ClosingGuard] = []


def register_closing_guard(guard: ClosingGuard) -> None:
    """登记撤销机构前的检查：上层应用据此拒绝（如「尚有未结清借据」）。由 ``config/wiring`` 调用。

    检查函数收机构编号，返回拒绝的理由（中文），无妨碍则返回空。
    """
    if guard not in _closing_guards:
        _closing_guards.append(guard)


def shown_once(
    field: str, make: Callable[[], str]
) -> Callable[[Callable[P, dict[str, Any]]], Callable[P, dict[str, Any]]]:
    """只显示一次的机密：随机生成，交给操作（``generated``），只在真正写入的那一次调用里返回明文。

    幂等表里只有带钥摘要，重复提交得到首次结果而没有明文——明文既不入库，也不可能给错人看。
    """

    def decorate(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
            secret = make()
            kwargs["generated"] = SecretStr(secret)
            result = dict(function(*args, **kwargs))
            digest = result.pop(_SECRET_DIGEST, None)
            result[field] = secret if digest == keyed_digest(secret) else None
            return result

        return run

    return decorate


def _random_password() -> str:
    return "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH))


def _random_token() -> str:
    return f"sancha_{secrets.token_urlsafe(32)}"


# 机构 ------------------------------------------------------------------------------------------------------


@operation("access.open_institution", permission="access.manage")
def open_institution(
    *,
    actor: Actor,
    key: str,
    on: date,
    code: str,
    name: str,
    kind: str,
    parent_id: int | None = None,
    address: str = "",
    phone: str = "",
) -> dict[str, Any]:
    """设立机构（ORG-1）。没有上级的机构自成一棵树，只有系统初始化能设。

    :raises DomainError: 机构号重复、类别不认识、上级类别不对。
    """
    code = _required("code", "机构号", code, 20)
    name = _required("name", "机构名称", name, 80)
    if kind not in InstitutionKind.values:
        raise DomainError(
            "INSTITUTION_KIND_UNKNOWN",
            f"不认识的机构类别「{kind}」。",
            field="kind",
            value=kind,
            clause="ORG-1",
            fix="可选：" + "、".join(f"{label}（{value}）" for value, label in InstitutionKind.choices) + "。",
        )
    if Institution.objects.filter(code=code).exists():
        raise Conflict(
            "INSTITUTION_CODE_TAKEN", f"机构号「{code}」已被使用。", field="code", value=code, fix="请换一个机构号。"
        )
    parent = _placeable_under(actor, kind, parent_id)
    row = Institution.objects.create(
        code=code, name=name, kind=kind, parent=parent, path="", address=address, phone=phone, opened_on=on
    )
    row.path = f"{parent.path if parent else EVERYWHERE}{row.pk}/"
    row.save(update_fields=["path"])
    _append_placement(actor, row, parent, on)
    return {"subject": f"institution:{row.pk}", "institution_id": row.pk, "path": row.path}


@operation("access.move_institution", permission="access.manage")
def move_institution(*, actor: Actor, key: str, on: date, institution_id: int, parent_id: int | None) -> dict[str, Any]:
    """划转机构：自 ``on`` 起改由新上级管辖，整棵子树的数据范围随之改变；历史隶属保留。

    :raises DomainError: 新上级就在自己之下，或类别不允许。
    """
    row = _managed_institution(actor, institution_id, lock=True)
    parent = _placeable_under(actor, row.kind, parent_id)
    if parent is not None and parent.path.startswith(row.path):
        raise DomainError(
            "INSTITUTION_CYCLE",
            f"「{parent.name}」就在「{row.name}」之下，不能作其上级。",
            field="parent_id",
            value=parent_id,
            clause="ORG-1",
            fix="请选择不在本机构之下的上级。",
        )
    if row.parent_id == (parent.pk if parent else None):
        raise Conflict(
            "INSTITUTION_ALREADY_THERE",
            f"「{row.name}」已由该上级管辖。",
            field="parent_id",
            value=parent_id,
            fix="无需划转。",
        )
    old_path, new_path = row.path, f"{parent.path if parent else EVERYWHERE}{row.pk}/"
    moved = Institution.objects.filter(path__startswith=old_path).update(
        path=Concat(Value(new_path), Substr("path", len(old_path) + 1))
    )
    Institution.objects.filter(pk=row.pk).update(parent=parent)
    _append_placement(actor, row, parent, on)
    return {
        "subject": f"institution:{row.pk}",
        "institution_id": row.pk,
        "path": new_path,
        "moved": moved,
        "audit": {"from": old_path, "to": new_path},
    }


@operation("access.close_institution", permission="access.manage")
def close_institution(*, actor: Actor, key: str, on: date, institution_id: int) -> dict[str, Any]:
    """撤销机构。还有在营下级、在任人员或未了业务时拒绝并列明。"""
    row = _managed_institution(actor, institution_id, lock=True)
    _require_open(row)
    reasons = []
    if children := Institution.objects.filter(parent=row, is_open=True).count():
        reasons.append(f"还有 {children} 个在营下级机构")
    if holdings := standing_holdings().filter(_not_ended(on), institution=row).count():
        reasons.append(f"还有 {holdings} 段未结束的任职")
    reasons += [reason for guard in _closing_guards if (reason := guard(row.pk))]
    if reasons:
        raise Conflict(
            "INSTITUTION_IN_USE",
            f"「{row.name}」不能撤销：{'；'.join(reasons)}。",
            field="institution_id",
            value=institution_id,
            clause="ORG-1",
            fix="请先划转或了结上列事项。",
        )
    Institution.objects.filter(pk=row.pk).update(is_open=False, closed_on=on)
    return {"subject": f"institution:{row.pk}", "institution_id": row.pk, "closed_on": on.isoformat()}


def _placeable_under(actor: Actor, kind: str, parent_id: int | None) -> Institution | None:
    """上级机构；核对类别允许、在操作人范围内、在营。"""
    label = InstitutionKind(kind).label
    if parent_id is None:
        if actor.institution_path != EVERYWHERE or InstitutionKind(kind) not in ROOT_KINDS:
            raise NotPermitted(
                "INSTITUTION_NEEDS_PARENT",
                f"{label}必须有上级机构。",
                field="parent_id",
                clause="ORG-1",
                fix="请选择上级机构；独立成树的机构只在系统初始化时设立。",
            )
        return None
    parent = _managed_institution(actor, parent_id)
    _require_open(parent)
    allowed = PARENT_KINDS[kind]
    if InstitutionKind(parent.kind) not in allowed:
        names = "、".join(str(item.label) for item in InstitutionKind if item in allowed) or "（无，只能独立设立）"
        raise DomainError(
            "INSTITUTION_PARENT_KIND",
            f"{label}不能设在{InstitutionKind(parent.kind).label}「{parent.name}」之下。",
            field="parent_id",
            value=parent_id,
            clause="ORG-1",
            fix=f"{label}的上级可以是：{names}。",
        )
    return parent


def _append_placement(actor: Actor, row: Institution, parent: Institution | None, on: date) -> None:
    last = Placement.objects.filter(institution=row).order_by("-seq").first()
    if last is not None and on < last.valid_from:
        raise DomainError(
            "PLACEMENT_OUT_OF_ORDER",
            f"划转日 {on.isoformat()} 早于上一次隶属变更日 {last.valid_from.isoformat()}。",
            field="on",
            value=on,
            fix="请使用上一次变更日或以后的日期。",
        )
    Placement.objects.create(
        institution=row,
        parent=parent,
        valid_from=on,
        seq=last.seq + 1 if last else 1,
        supersedes=last,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )


def _managed_institution(actor: Actor, institution_id: int, *, lock: bool = False) -> Institution:
    rows = Institution.objects.select_for_update() if lock else Institution.objects.all()
    row = rows.filter(in_scope(actor, ""), pk=institution_id).first()
    if row is None:
        raise NotFound(
            "INSTITUTION_NOT_FOUND",
            f"没有编号为 {institution_id} 的机构，或不在您的管辖范围内。",
            field="institution_id",
            value=institution_id,
            fix="请从机构列表中选择。",
        )
    return row


def _require_open(row: Institution) -> None:
    if not row.is_open:
        raise Conflict(
            "INSTITUTION_CLOSED",
            f"「{row.name}」已撤销。",
            field="institution_id",
            value=row.pk,
            fix="请选择在营机构。",
        )


# 人员 ------------------------------------------------------------------------------------------------------


@shown_once("password", _random_password)
@operation("access.add_person", permission="access.manage")
def add_person(
    *,
    actor: Actor,
    key: str,
    on: date,
    username: str,
    name: str,
    institution_id: int,
    employee_no: str = "",
    phone: str = "",
    password: SecretStr | None = None,
    must_change_password: bool = True,
    generated: SecretStr = _NOT_GENERATED,
) -> dict[str, Any]:
    """添加人员。不给密码则随机生成，返回一次（``password``）；首次登录须改密码。

    ``generated`` 由 ``shown_once`` 填，调用者不给。
    """
    username = username.strip().lower()
    if not _USERNAME.fullmatch(username):
        raise DomainError(
            "USERNAME_INVALID",
            f"用户名「{username}」不合规则。",
            field="username",
            value=username,
            fix="用 2–40 个小写字母、数字、点、横线或下划线，以字母或数字开头。",
        )
    name = _required("name", "姓名", name, 40)
    institution = _managed_institution(actor, institution_id)
    _require_open(institution)
    if Person.objects.filter(username=username).exists():
        raise Conflict(
            "USERNAME_TAKEN",
            f"用户名「{username}」已被使用。",
            field="username",
            value=username,
            fix="请换一个用户名。",
        )
    person = Person(
        username=username,
        name=name,
        institution=institution,
        employee_no=employee_no,
        phone=phone,
        must_change_password=must_change_password,
    )
    if password is not None:
        _check_password(password.get_secret_value(), person, "password")
    person.set_password((password or generated).get_secret_value())
    person.save()
    result = {"subject": f"person:{person.pk}", "person_id": person.pk, "username": username}
    return result if password is not None else result | {_SECRET_DIGEST: keyed_digest(generated.get_secret_value())}


@operation("access.edit_person", permission="access.manage")
def edit_person(
    *,
    actor: Actor,
    key: str,
    on: date,
    person_id: int,
    name: str,
    institution_id: int,
    employee_no: str = "",
    phone: str = "",
) -> dict[str, Any]:
    """修改人员资料与人事所属（任职另办）。"""
    person = _managed_person(actor, person_id)
    person.name = _required("name", "姓名", name, 40)
    person.institution = _managed_institution(actor, institution_id)
    person.employee_no, person.phone = employee_no, phone
    person.save(update_fields=["name", "institution", "employee_no", "phone"])
    return {"subject": f"person:{person.pk}", "person_id": person.pk}


@shown_once("password", _random_password)
@operation("access.reset_password", permission="access.manage")
def reset_password(
    *, actor: Actor, key: str, on: date, person_id: int, generated: SecretStr = _NOT_GENERATED
) -> dict[str, Any]:
    """重置密码：随机新密码返回一次，旧会话全部失效，下次登录须改。"""
    person = _managed_person(actor, person_id)
    person.set_password(generated.get_secret_value())
    person.must_change_password = True
    person.save(update_fields=["password", "must_change_password"])
    return {
        "subject": f"person:{person.pk}",
        "person_id": person.pk,
        _SECRET_DIGEST: keyed_digest(generated.get_secret_value()),
    }


@operation("access.change_password", permission="access.self")
def change_password(*, actor: Actor, key: str, on: date, old: SecretStr, new: SecretStr) -> dict[str, Any]:
    """改本人密码。密码以 ``SecretStr`` 传入，不进幂等摘要与审计。

    :raises DomainError: 旧密码不对、新旧相同、新密码太弱。
    """
    person = Person.objects.select_for_update().filter(pk=actor.person_id).first()
    if person is None:
        raise NotFound("PERSON_NOT_FOUND", "没有登录人员，不能改密码。", fix="请先登录。")
    if not person.check_password(old.get_secret_value()):
        raise DomainError("PASSWORD_WRONG", "原密码不正确。", field="old", fix="请重新输入；忘记了请找系统管理员重置。")
    if old.get_secret_value() == new.get_secret_value():
        raise DomainError("PASSWORD_SAME", "新密码与原密码相同。", field="new", fix="请换一个新密码。")
    _check_password(new.get_secret_value(), person, "new")
    person.set_password(new.get_secret_value())
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password"])
    return {"subject": f"person:{person.pk}", "person_id": person.pk}


@operation("access.deactivate_person", permission="access.manage")
def deactivate_person(*, actor: Actor, key: str, on: date, person_id: int) -> dict[str, Any]:
    """停用人员：不能再登录，令牌同时撤销，任职记录保留。

    :raises NotPermitted: 停用自己。
    """
    person = _managed_person(actor, person_id)
    if person.pk == actor.person_id:
        raise NotPermitted("SELF_DEACTIVATION", "不能停用自己。", field="person_id", fix="请由另一位系统管理员办理。")
    person.is_active = False
    person.save(update_fields=["is_active"])
    revoked = ApiToken.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=now())
    return {"subject": f"person:{person.pk}", "person_id": person.pk, "tokens_revoked": revoked}


@operation("access.reactivate_person", permission="access.manage")
def reactivate_person(*, actor: Actor, key: str, on: date, person_id: int) -> dict[str, Any]:
    """恢复停用的人员。已撤销的令牌不恢复。"""
    person = _managed_person(actor, person_id)
    person.is_active = True
    person.save(update_fields=["is_active"])
    return {"subject": f"person:{person.pk}", "person_id": person.pk}


def _managed_person(actor: Actor, person_id: int) -> Person:
    """范围内的人员，上锁：同一人的授予与结束任职依次进行。"""
    row = Person.objects.select_for_update(of=("self",)).filter(in_scope(actor), pk=person_id).first()
    if row is None:
        raise NotFound(
            "PERSON_NOT_FOUND",
            f"没有编号为 {person_id} 的人员，或不在您的管辖范围内。",
            field="person_id",
            value=person_id,
            fix="请从人员列表中选择。",
        )
    return row


def _check_password(password: str, person: Person, field: str) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise DomainError(
            "PASSWORD_WEAK",
            "密码不合要求：" + "".join(error.messages),
            field=field,
            clause="SEC-1",
            fix="请换一个更强的密码。",
        ) from None


# 任职 ------------------------------------------------------------------------------------------------------


@operation("access.grant_post", permission="access.manage")
def grant_post(
    *,
    actor: Actor,
    key: str,
    on: date,
    person_id: int,
    institution_id: int,
    post_code: str,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> dict[str, Any]:
    """授予岗位（ORG-2、ORG-3）。``valid_from`` 缺省为 ``on``；``valid_to`` 不含当日，空为长期。

    :raises NotPermitted: 给自己授岗；与已有任职不得兼任（写明规则）。
    :raises DomainError: 岗位不存在、不能设在这类机构、日期颠倒。
    """
    post = _known_post(post_code)
    start = valid_from or on
    if valid_to is not None and valid_to <= start:
        raise DomainError(
            "HOLDING_DATES",
            f"任职止日 {valid_to.isoformat()} 不晚于起日 {start.isoformat()}。",
            field="valid_to",
            value=valid_to,
            fix="止日（不含）须晚于起日。",
        )
    if actor.person_id is not None and person_id == actor.person_id:
        raise NotPermitted(
            "SELF_GRANT", "不能给自己授予岗位。", field="person_id", clause="SEC-1", fix="请由另一位系统管理员办理。"
        )
    institution = _managed_institution(actor, institution_id)
    _require_open(institution)
    _require_kind(post, institution)
    person = _managed_person(actor, person_id)
    if not person.is_active:
        raise Conflict("PERSON_INACTIVE", f"「{person.name}」已停用。", field="person_id", fix="请先恢复该人员。")
    _require_compatible(person, post, institution, start, valid_to)
    row = PostHolding.objects.create(
        person=person,
        institution=institution,
        post_code=post.code,
        valid_from=start,
        valid_to=valid_to,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {
        "subject": f"person:{person.pk}",
        "holding_id": row.pk,
        "audit": {"post": post.code, "institution_id": institution.pk},
    }


@operation("access.end_post", permission="access.manage")
def end_post(*, actor: Actor, key: str, on: date, holding_id: int, valid_to: date | None = None) -> dict[str, Any]:
    """结束任职：追加一条写明止日（不含，缺省 ``on``）的记录盖过原记录，原记录不改。

    :raises Conflict: 已有更新的记录，或本已在更早的日子结束。
    """
    end = valid_to or on
    row = PostHolding.objects.filter(in_scope(actor), pk=holding_id).select_related("institution").first()
    if row is None:
        raise NotFound(
            "HOLDING_NOT_FOUND",
            f"没有编号为 {holding_id} 的任职，或不在您的管辖范围内。",
            field="holding_id",
            value=holding_id,
            fix="请从人员的任职列表中选择。",
        )
    Person.objects.select_for_update().get(pk=row.person_id)
    if PostHolding.objects.filter(supersedes=row).exists() or (row.valid_to is not None and row.valid_to <= end):
        raise Conflict(
            "HOLDING_ALREADY_ENDED",
            f"该任职（{post_name(row.post_code)}，{row.institution.name}）已有更新的记录或已在此前结束。",
            field="holding_id",
            value=holding_id,
            fix="请刷新任职列表后再办。",
        )
    if end < row.valid_from:
        raise DomainError(
            "HOLDING_DATES",
            f"止日 {end.isoformat()} 早于起日 {row.valid_from.isoformat()}。",
            field="valid_to",
            value=end,
            fix="止日不能早于起日；录错的任职请以起日为止日结束。",
        )
    ended = PostHolding.objects.create(
        person_id=row.person_id,
        institution_id=row.institution_id,
        post_code=row.post_code,
        valid_from=row.valid_from,
        valid_to=end,
        seq=row.seq + 1,
        supersedes=row,
        booked_on=on,
        recorded_at=now(),
        recorded_by_id=actor.person_id,
    )
    return {
        "subject": f"person:{row.person_id}",
        "holding_id": ended.pk,
        "valid_to": end.isoformat(),
        "audit": {"post": row.post_code, "institution_id": row.institution_id},
    }


def _known_post(code: str) -> Post:
    post = find_post(code)
    if post is None:
        raise DomainError(
            "POST_UNKNOWN",
            f"没有岗位「{code}」。",
            field="post_code",
            value=code,
            clause="ORG-2",
            fix="请从岗位目录中选择。",
        )
    return post


def _require_kind(post: Post, institution: Institution) -> None:
    if institution.kind in post.kinds:
        return
    allowed = "、".join(str(InstitutionKind(kind).label) for kind in post.kinds)
    raise DomainError(
        "POST_NOT_AT_KIND",
        f"{post.name}不能设在{InstitutionKind(institution.kind).label}「{institution.name}」。",
        field="post_code",
        value=post.code,
        clause=post.clause,
        fix=f"{post.name}只设在：{allowed}。",
    )


def _require_compatible(person: Person, post: Post, institution: Institution, start: date, end: date | None) -> None:
    """与时间上有重叠的任职逐一比对。"""
    overlapping = standing_holdings().filter(_not_ended(start), person=person).select_related("institution")
    if end is not None:
        overlapping = overlapping.filter(valid_from__lt=end)
    for held in overlapping:
        if held.valid_to is not None and held.valid_to <= held.valid_from:
            continue  # 作废的任职：止日等于起日，从未有效
        same = held.institution_id == institution.pk
        if same and held.post_code == post.code:
            raise Conflict(
                "POST_ALREADY_HELD",
                f"「{person.name}」在「{institution.name}」已任{post.name}（{held.valid_from.isoformat()} 起）。",
                field="post_code",
                value=post.code,
                fix="无需重复授予；要改期限，请先结束原任职。",
            )
        line = held.institution.path.startswith(institution.path) or institution.path.startswith(held.institution.path)
        rule = conflict_between(post.code, held.post_code, same_institution=same, same_line=line)
        if rule is not None:
            raise NotPermitted(
                rule.rule,
                f"「{person.name}」已在「{held.institution.name}」任{post_name(held.post_code)}，"
                f"不得再任{post.name}：{rule.name}。",
                field="post_code",
                value=post.code,
                clause=rule.clause,
                fix="请另选人员，或先结束其原任职。",
            )


def _not_ended(on: date) -> Q:
    return Q(valid_to__isnull=True) | Q(valid_to__gt=on)


# 接口令牌 ---------------------------------------------------------------------------------------------------


@shown_once("token", _random_token)
@operation("access.issue_token", permission="access.manage")
def issue_token(
    *,
    actor: Actor,
    key: str,
    on: date,
    holding_id: int,
    name: str,
    expires_on: date,
    generated: SecretStr = _NOT_GENERATED,
) -> dict[str, Any]:
    """签发接口令牌：绑定一段任职，明文（``token``）只返回一次，库里只有带钥摘要。

    :raises DomainError: 到期日不在今天之后。
    """
    name = _required("name", "令牌名称", name, 80)
    holding = standing_holdings().filter(_not_ended(on) & in_scope(actor), pk=holding_id).first()
    if holding is None:
        raise NotFound(
            "HOLDING_NOT_FOUND",
            f"没有编号为 {holding_id} 的有效任职，或不在您的管辖范围内。",
            field="holding_id",
            value=holding_id,
            fix="请选择一段有效的任职（通常是「集成接口」岗位）。",
        )
    if expires_on <= on:
        raise DomainError(
            "TOKEN_EXPIRY",
            f"到期日 {expires_on.isoformat()} 须在今天之后。",
            field="expires_on",
            value=expires_on,
            fix="请填今天以后的日期。",
        )
    digest = keyed_digest(generated.get_secret_value())
    token = ApiToken.objects.create(
        person_id=holding.person_id,
        holding_id=holding.pk,
        name=name,
        digest=digest,
        created_at=now(),
        expires_on=expires_on,
    )
    return {"subject": f"token:{token.pk}", "token_id": token.pk, _SECRET_DIGEST: digest}


@operation("access.revoke_token", permission="access.manage")
def revoke_token(*, actor: Actor, key: str, on: date, token_id: int) -> dict[str, Any]:
    """撤销接口令牌，立即失效。"""
    token = ApiToken.objects.filter(in_scope(actor, "person__institution"), pk=token_id).first()
    if token is None:
        raise NotFound(
            "TOKEN_NOT_FOUND",
            f"没有编号为 {token_id} 的令牌，或不在您的管辖范围内。",
            field="token_id",
            value=token_id,
            fix="请从令牌列表中选择。",
        )
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now())
    return {"subject": f"token:{token.pk}", "token_id": token.pk}


def _required(field: str, label: str, value: str, longest: int) -> str:
    value = value.strip()
    if not value or len(value) > longest:
        raise DomainError(
            "TEXT_INVALID",
            f"{label}{'不能为空' if not value else f'过长（{len(value)} 字）'}。",
            field=field,
            value=value,
            fix=f"请填 1–{longest} 个字。",
        )
    return value
