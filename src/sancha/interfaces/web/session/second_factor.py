"""第二因素（动态验证码，TOTP）：绑定、确认、恢复码、核对、解除。凭 django-otp 的表，审计走操作。

岗位目录里标了 ``second_factor`` 的岗位必须绑定（部署设置开启时），别的岗位由本人决定；绑定之后，每次登录都要验证码。
密钥只在绑定页显示一次；恢复码在绑定成功时显示一次，手机丢了凭它登录，每个只能用一次。
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib.auth import get_user_model
from django_otp import devices_for_user, login
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from pydantic import SecretStr

from sancha.apps.access.operations.secrets_once import NOT_GENERATED, SECRET_DIGEST, shown_once
from sancha.apps.access.queries import account_actor, person_detail
from sancha.interfaces.web.request import SessionRequest, account_of
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.operation import keyed_digest, operation, write_audit

ISSUER = "三查"
CODES, CODE_LENGTH = 10, 10
"""恢复码的个数与长短。"""
_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_ALPHABET = _LETTERS + "23456789"


def device_of(user: Any, *, confirmed: bool) -> TOTPDevice | None:
    """本人的验证器；``confirmed=False`` 是绑定了一半、还没有验过码的。"""
    devices = devices_for_user(user, confirmed=None)
    return next((d for d in devices if isinstance(d, TOTPDevice) and d.confirmed == confirmed), None)


def is_bound(person_id: int) -> bool:
    """此人是否绑定了验证器。"""
    return device_of(get_user_model()(pk=person_id), confirmed=True) is not None


def secret_of(device: TOTPDevice) -> str:
    """手工输入用的密钥，四位一组。"""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def otpauth_uri(device: TOTPDevice) -> str:
    """二维码内容。"""
    secret = b32encode(device.bin_key).decode().rstrip("=")
    return f"otpauth://totp/{quote(f'{ISSUER}:{device.user.get_username()}')}?" + urlencode(
        {"secret": secret, "issuer": ISSUER, "algorithm": "SHA1", "digits": device.digits, "period": device.step}
    )


@operation("access.begin_second_factor", permission="access.self")
def begin(*, actor: Actor, key: str, on: date) -> dict[str, Any]:
    """开始绑定：生成密钥，尚未生效。重来则换新密钥。"""
    user = _user(actor)
    if device_of(user, confirmed=True):
        raise Conflict("SECOND_FACTOR_EXISTS", "已经绑定了验证器。", fix="要换手机，请先解除再绑定。")
    if half := device_of(user, confirmed=False):
        half.delete()
    TOTPDevice(user=user, name=ISSUER, confirmed=False).save()
    return {"subject": f"person:{actor.person_id}"}


def confirm(*, actor: Actor, key: str, on: date, code: str) -> dict[str, Any]:
    """确认绑定：验证器算出的码对了才生效；恢复码（``codes``，空格分开）只返回这一次。"""
    device = device_of(_user(actor), confirmed=False)
    if device is None:
        raise Conflict("SECOND_FACTOR_NOT_BEGUN", "还没有开始绑定。", fix="请先点「开始绑定」。")
    # Judged before the operation: a failed try is counted, and must not be rolled back with the refusal.
    if not device.verify_token(code):
        raise _wrong_code()
    return _confirm(actor=actor, key=key, on=on, device_id=device.pk)


def _random_codes() -> str:
    # The first is a letter, so that no recovery code looks like a code of the authenticator.
    return " ".join(
        secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH - 1))
        for _ in range(CODES)
    )


def _stored(code: str) -> str:
    """恢复码存带钥摘要（库里那一栏最多 16 字）：库泄了也换不来一次登录。"""
    return keyed_digest(f"recovery:{code.strip().lower()}")[:16]


@shown_once("codes", _random_codes)
@operation("access.confirm_second_factor", permission="access.self")
def _confirm(
    *, actor: Actor, key: str, on: date, device_id: int, generated: SecretStr = NOT_GENERATED
) -> dict[str, Any]:
    device = device_of(_user(actor), confirmed=False)
    assert device is not None, "confirm() has just read it"
    assert device.pk == device_id, "confirm() has just read this one"
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    return _keep_codes(actor, generated)


def renew_codes(*, actor: Actor, key: str, on: date, code: str) -> dict[str, Any]:
    """重新生成恢复码：须有当前验证码；旧的全部作废，新的（``codes``）只返回这一次。"""
    device = device_of(_user(actor), confirmed=True)
    if device is None:
        raise Conflict("SECOND_FACTOR_MISSING", "没有绑定验证器。", fix="请先绑定。")
    if not device.verify_token(code):
        raise _wrong_code()
    return _renew_codes(actor=actor, key=key, on=on)


@shown_once("codes", _random_codes)
@operation("access.renew_recovery_codes", permission="access.self")
def _renew_codes(*, actor: Actor, key: str, on: date, generated: SecretStr = NOT_GENERATED) -> dict[str, Any]:
    return _keep_codes(actor, generated)


def _keep_codes(actor: Actor, generated: SecretStr) -> dict[str, Any]:
    if old := _recovery_of(_user(actor)):
        old.delete()
    device = StaticDevice(user=_user(actor), name="恢复码", confirmed=True)
    device.save()
    codes = generated.get_secret_value()
    device.token_set.bulk_create(StaticToken(device=device, token=_stored(code)) for code in codes.split())
    return {"subject": f"person:{actor.person_id}", SECRET_DIGEST: keyed_digest(codes)}


def codes_left(person_id: int) -> int:
    """还剩几个恢复码。"""
    device = _recovery_of(get_user_model()(pk=person_id))
    return 0 if device is None else int(device.token_set.count())


def remove(*, actor: Actor, key: str, on: date, code: str) -> dict[str, Any]:
    """解除绑定：须有当前验证码，免得别人趁人离座解除。"""
    device = device_of(_user(actor), confirmed=True)
    if device is None:
        raise Conflict("SECOND_FACTOR_MISSING", "没有绑定验证器。", fix="无需解除。")
    if not device.verify_token(code):
        raise _wrong_code()
    return _remove(actor=actor, key=key, on=on)


@operation("access.remove_second_factor", permission="access.self")
def _remove(*, actor: Actor, key: str, on: date) -> dict[str, Any]:
    return _drop_devices(_user(actor))


@operation("access.clear_second_factor", permission="access.manage")
def clear(*, actor: Actor, key: str, on: date, person_id: int) -> dict[str, Any]:
    """代为解除：手机丢失或更换、本人来办时，由系统管理员办理，留痕。自己的不能自己代：那样就绕过了验证码。

    :raises NotPermitted: 解除自己的。
    """
    if person_id == actor.person_id:
        raise NotPermitted(
            "SELF_RESET", "不能代自己解除第二因素。", field="person_id",
            fix="请用恢复码登录后自行解除，或由另一位系统管理员办理。",
        )  # fmt: skip
    person_detail(actor, person_id, on=on)  # refuses a person outside the administrator's scope
    return _drop_devices(get_user_model()(pk=person_id))


def _drop_devices(user: Any) -> dict[str, Any]:
    for device in devices_for_user(user, confirmed=None):
        device.delete()
    return {"subject": f"person:{user.pk}"}


def passed(request: SessionRequest, code: str) -> bool:
    """核对登录验证码或恢复码；对了即记进会话。连错会按 2 的幂次延长等待（django-otp 自带）。恢复码用一个少一个，并留痕。"""
    if code.isdigit():
        device = device_of(request.user, confirmed=True)
        right = device is not None and device.verify_token(code)
    else:
        device = _recovery_of(request.user)
        right = device is not None and device.verify_token(_stored(code))
    if not right:
        return False
    if isinstance(device, StaticDevice):
        person_id = account_of(request).pk
        write_audit(
            actor=account_actor(person_id), operation="access.use_recovery_code", subject=f"person:{person_id}",
            data={"left": codes_left(person_id)},
        )  # fmt: skip
    login(request, device)
    return True


def _recovery_of(user: Any) -> StaticDevice | None:
    return next((d for d in devices_for_user(user) if isinstance(d, StaticDevice)), None)


def trust(request: SessionRequest) -> None:
    """刚绑定好的会话就算验过，不必马上再填一次。"""
    device = device_of(request.user, confirmed=True)
    assert device is not None, "trust() follows confirm()"
    login(request, device)


def _user(actor: Actor) -> Any:
    return get_user_model()(pk=actor.person_id)


def _wrong_code() -> DomainError:
    return DomainError(
        "CODE_WRONG",
        "验证码不正确，或已用过。",
        field="code",
        fix="请等验证器换下一个码再填；仍不对，请校准手机时间。连错多次须稍等片刻。",
    )
