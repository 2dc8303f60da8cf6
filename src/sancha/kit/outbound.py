"""对外 POST：只去该去的地方，到点就回。防的是借本系统之手去碰内网（SSRF）。

* 缺省只许 https；解析出的每个地址都须是公网地址，含内网、本机、链路本地、组播、IPv6 里包着的 IPv4。
  放行内网须由部署者在设置里写明网段（``allowed``）。
* 连的就是刚才核对过的那个地址（钉住），不再解析第二次；证书仍按主机名核对。
* 不跟随跳转，不读响应正文：正文里的话不值得信，也不该进本系统。
* 连接、握手、发送、等状态行合计一个时限：慢吞吞吐字节的对方也拖不住。
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sancha.kit.errors import DomainError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST_URL: Final = 500


class ForbiddenTarget(DomainError):
    """网址不许去。``code`` URL_… 说明是哪一条。"""


@dataclass(frozen=True, slots=True)
class Policy:
    """准去哪里：``plain`` 是否许 http，``allowed`` 放行的网段（内网的要写明）。"""

    plain: bool = False
    allowed: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """拆好、核对过写法的网址。"""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host 头。"""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """对方的回答：``status`` HTTP 状态码，没有得到为空；``error`` 没得到的原因；``milliseconds`` 用时。"""

    status: int | None
    error: str
    milliseconds: int

    @property
    def accepted(self) -> bool:
        """2xx。"""
        return self.status is not None and 200 <= self.status < 300


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """设置里的网段。

    :raises ValueError: 不是网段。
    """
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())


def parse_target(url: str, policy: Policy) -> Target:
    """核对网址的写法（不解析域名）。写明是内网地址的当场拒绝。

    :raises ForbiddenTarget: 不是 http(s)、带用户名、带片段、太长、端口不对、是内网地址。
    """
    if not url.isascii() or len(url) > _LONGEST_URL or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url):
        raise _refused(
            "URL_MALFORMED", url[:80], "网址须为 500 字以内的 ASCII，不含空白。", "中文域名请写成 xn-- 的样子。"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("URL_MALFORMED", url, "网址写法不对。", "如 https://hooks.example.com/sancha。") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and policy.plain):
        raise _refused("URL_NOT_HTTPS", url, "只许 https。", "请用 https 网址；内网测试须由部署者在设置里放行 http。")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused(
            "URL_MALFORMED", url, "网址须有主机名，不带用户名、口令与 # 片段。", "凭据不写在网址里，靠签名认。"
        )
    if port == 0:
        raise _refused("URL_MALFORMED", url, "端口不能是 0。", "不写端口即 443。")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, parts.hostname, port or {"https": 443, "http": 80}[parts.scheme], path)
    try:
        written = ipaddress.ip_address(target.host)
    except ValueError:
        return target
    if not is_allowed(written, policy):
        raise _refused(
            "URL_PRIVATE", url, f"{written} 不是公网地址。", "请用公网网址；内网地址须由部署者在设置里放行。"
        )
    return target


def is_allowed(address: Address, policy: Policy) -> bool:
    """这个地址准不准连。IPv6 里包着的 IPv4（映射、6to4、Teredo、NAT64）拆开再看。"""
    if any(address.version == network.version and address in network for network in policy.allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if any(one is not None and not is_allowed(one, policy) for one in inner):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(target: Target, policy: Policy) -> str:
    """解析并钉住：只要有一个地址不许，就整个不去（免得轮流解析时碰运气）。

    :raises ForbiddenTarget: 解析不出，或有不许的地址。
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _refused("URL_UNRESOLVED", target.host, f"域名解析不出：{error}", "请核对主机名与域名服务器。") from error
    addresses = [str(place[4][0]).partition("%")[0] for place in found]
    for address in addresses:
        if not is_allowed(ipaddress.ip_address(address), policy):
            raise _refused(
                "URL_PRIVATE", target.host, f"解析到 {address}，不是公网地址。", "内网地址须由部署者在设置里放行。"
            )
    return addresses[0]


def post(url: str, body: bytes, headers: Mapping[str, str], *, policy: Policy, timeout: float) -> Answer:
    """投出一次 POST，只要状态码。什么错都变成 :class:`Answer`，不抛。"""
    started = time.perf_counter()
    status, error = None, ""
    try:
        target = parse_target(url, policy)
        status = _post(target, resolve(target, policy), body, headers, timeout)
    except ForbiddenTarget as refusal:
        error = f"{refusal.code}: {refusal.message}"
    except (OSError, http.client.HTTPException, ValueError) as failure:
        spent = time.perf_counter() - started
        error = f"TIMEOUT: 超过 {timeout:g} 秒" if spent >= timeout else f"{type(failure).__name__}: {failure}"
    return Answer(status, error[:300], int((time.perf_counter() - started) * 1000))


def _post(target: Target, address: str, body: bytes, headers: Mapping[str, str], timeout: float) -> int:
    deadline = time.monotonic() + timeout
    line = socket.create_connection((address, target.port), timeout=timeout)
    if target.scheme == "https":
        line = ssl.create_default_context().wrap_socket(
            line, server_hostname=target.host, do_handshake_on_connect=False
        )
    # A peer that drips one byte a second never meets a socket timeout: the watch ends the talk whatever it does.
    watch = threading.Timer(max(deadline - time.monotonic(), 0.01), _hang_up, [line])
    watch.daemon = True
    watch.start()
    try:
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = line
        connection.request("POST", target.path, body, {"Host": target.authority, "Connection": "close", **headers})
        return connection.getresponse().status
    finally:
        watch.cancel()
        line.close()


def _hang_up(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it had already ended


def _refused(code: str, value: str, message: str, fix: str) -> ForbiddenTarget:
    return ForbiddenTarget(code, message, field="url", value=value, fix=fix)
