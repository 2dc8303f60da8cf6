"""维护人员与密码。"""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pydantic import SecretStr

from sancha.apps.access.models import Person
from sancha.apps.access.operations.managed import managed_institution, managed_person, require_open, required_text
from sancha.apps.access.operations.secrets_once import NOT_GENERATED, SECRET_DIGEST, shown_once
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.models import ApiToken
from sancha.kit.operation import keyed_digest, operation

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")

# 没有 0 O 1 l I：首次密码常常要念给人听、抄在纸上。
_PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

_PASSWORD_LENGTH = 14


def _random_password() -> str:
    return "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH))


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
    generated: SecretStr = NOT_GENERATED,
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
    name = required_text("name", "姓名", name, 40)
    institution = managed_institution(actor, institution_id)
    require_open(institution)
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
    return result if password is not None else result | {SECRET_DIGEST: keyed_digest(generated.get_secret_value())}


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
    person = managed_person(actor, person_id)
    person.name = required_text("name", "姓名", name, 40)
    person.institution = managed_institution(actor, institution_id)
    person.employee_no, person.phone = employee_no, phone
    person.save(update_fields=["name", "institution", "employee_no", "phone"])
    return {"subject": f"person:{person.pk}", "person_id": person.pk}


@shown_once("password", _random_password)
@operation("access.reset_password", permission="access.manage")
def reset_password(
    *, actor: Actor, key: str, on: date, person_id: int, generated: SecretStr = NOT_GENERATED
) -> dict[str, Any]:
    """重置密码：随机新密码返回一次，旧会话全部失效，下次登录须改。"""
    person = managed_person(actor, person_id)
    person.set_password(generated.get_secret_value())
    person.must_change_password = True
    person.save(update_fields=["password", "must_change_password"])
    return {
        "subject": f"person:{person.pk}",
        "person_id": person.pk,
        SECRET_DIGEST: keyed_digest(generated.get_secret_value()),
    }


@operation("access.change_password", permission="access.self")
def change_password(*, actor: Actor, key: str, on: date, old: SecretStr, new: SecretStr) -> dict[str, Any]:
    """改本人密码。密码以 ``SecretStr`` 传入，不进幂等摘要与审计。

    :raises DomainError: 旧密码不对、新旧相同、新密码太弱。
    """
    mine = Person.objects.none() if actor.person_id is None else Person.objects.filter(pk=actor.person_id)
    person = mine.select_for_update().first()
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
    person = managed_person(actor, person_id)
    if person.pk == actor.person_id:
        raise NotPermitted("SELF_DEACTIVATION", "不能停用自己。", field="person_id", fix="请由另一位系统管理员办理。")
    person.is_active = False
    person.save(update_fields=["is_active"])
    revoked = ApiToken.objects.filter(person=person, revoked_at__isnull=True).update(revoked_at=now())
    return {"subject": f"person:{person.pk}", "person_id": person.pk, "tokens_revoked": revoked}


@operation("access.reactivate_person", permission="access.manage")
def reactivate_person(*, actor: Actor, key: str, on: date, person_id: int) -> dict[str, Any]:
    """恢复停用的人员。已撤销的令牌不恢复。"""
    person = managed_person(actor, person_id)
    person.is_active = True
    person.save(update_fields=["is_active"])
    return {"subject": f"person:{person.pk}", "person_id": person.pk}


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
