"""第二因素（动态验证码，TOTP）：绑定、确认、核对、解除。凭 django-otp 的表，审计走操作。

绑定与否由本人决定；绑定之后，每次登录都要验证码。密钥只在绑定页显示一次。
"""

from __future__ import annotations

from base64 import b32encode
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django_otp import devices_for_user, login, match_token
from django_otp.plugins.otp_totp.models import TOTPDevice

from sancha.apps.access.queries import person_detail
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation

ISSUER = "三查"


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


def confirm(*, actor: Actor, key: str, on: date, code: int) -> dict[str, Any]:
    """确认绑定：验证器算出的码对了才生效。"""
    device = device_of(_user(actor), confirmed=False)
    if device is None:
        raise Conflict("SECOND_FACTOR_NOT_BEGUN", "还没有开始绑定。", fix="请先点「开始绑定」。")
    # Judged before the operation: a failed try is counted, and must not be rolled back with the refusal.
    if not device.verify_token(code):
        raise _wrong_code()
    return _confirm(actor=actor, key=key, on=on, device_id=device.pk)


@operation("access.confirm_second_factor", permission="access.self")
def _confirm(*, actor: Actor, key: str, on: date, device_id: int) -> dict[str, Any]:
    device = device_of(_user(actor), confirmed=False)
    assert device is not None, "confirm() has just read it"
    assert device.pk == device_id, "confirm() has just read this one"
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    return {"subject": f"person:{actor.person_id}"}


def remove(*, actor: Actor, key: str, on: date, code: int) -> dict[str, Any]:
    """解除绑定：须有当前验证码，免得别人趁人离座解除。"""
    user = _user(actor)
    if device_of(user, confirmed=True) is None:
        raise Conflict("SECOND_FACTOR_MISSING", "没有绑定验证器。", fix="无需解除。")
    if match_token(user, code) is None:
        raise _wrong_code()
    return _remove(actor=actor, key=key, on=on)


@operation("access.remove_second_factor", permission="access.self")
def _remove(*, actor: Actor, key: str, on: date) -> dict[str, Any]:
    return _drop_devices(_user(actor))


@operation("access.clear_second_factor", permission="access.manage")
def clear(*, actor: Actor, key: str, on: date, person_id: int) -> dict[str, Any]:
    """代为解除：手机丢失或更换、本人来办时，由系统管理员办理，留痕。"""
    person_detail(actor, person_id, on=on)  # refuses a person outside the administrator's scope
    return _drop_devices(get_user_model()(pk=person_id))


def _drop_devices(user: Any) -> dict[str, Any]:
    for device in devices_for_user(user, confirmed=None):
        device.delete()
    return {"subject": f"person:{user.pk}"}


def passed(request: HttpRequest, code: int) -> bool:
    """核对登录验证码；对了即记进会话。连错会按 2 的幂次延长等待（django-otp 自带）。"""
    device = match_token(request.user, code)
    if device is None:
        return False
    login(request, device)
    return True


def trust(request: HttpRequest) -> None:
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
