"""签名：HMAC-SHA256(密钥, 时间戳.正文)。密钥由盐与本系统的密钥算出，库里没有，库泄了也签不了名。"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from django.conf import settings

HEADER = "Sancha-Signature"


def secret_of(salt: str) -> str:
    """盐 → 密钥（``whsec_`` 开头）。SANCHA_SECRET_KEY 换了，全部密钥随之作废。"""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"webhook:{salt}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """一个签名，十六进制。"""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def signature_header(salts: Sequence[str], timestamp: int, body: bytes) -> str:
    """签名头：``t=时间戳,v1=签名``；换密钥的交接期里新旧各签一个。"""
    signed = (f"v1={signature(secret_of(salt), timestamp, body)}" for salt in salts)
    return ",".join([f"t={timestamp}", *signed])
