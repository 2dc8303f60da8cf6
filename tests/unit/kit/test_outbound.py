"""对外 POST 去不去得：网址写法、地址、解析后的地址；解析与连接之间换地址也骗不过。"""

from __future__ import annotations

import socket

import pytest

from sancha.kit import outbound
from sancha.kit.outbound import ForbiddenTarget, Policy, networks, parse_target, post, resolve
from tests.support.echo import listening

OPEN = Policy(plain=True, allowed=networks(["127.0.0.0/8"]))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.com/", "URL_NOT_HTTPS"),
        ("file:///etc/passwd", "URL_NOT_HTTPS"),
        ("gopher://hooks.example.com/", "URL_NOT_HTTPS"),
        ("https://", "URL_MALFORMED"),
        ("https://user:pass@hooks.example.com/", "URL_MALFORMED"),
        ("https://hooks.example.com/#part", "URL_MALFORMED"),
        ("https://hooks.example.com:0/", "URL_MALFORMED"),
        ("https://hooks.example.com:99999/", "URL_MALFORMED"),
        ("https://hooks.example.com/a\r\nX-Evil: 1", "URL_MALFORMED"),
        ("https://例子.com/", "URL_MALFORMED"),
        ("https://hooks.example.com/" + "a" * 500, "URL_MALFORMED"),
        ("https://127.0.0.1/", "URL_PRIVATE"),
        ("https://10.0.0.8:8443/", "URL_PRIVATE"),
        ("https://172.16.0.1/", "URL_PRIVATE"),
        ("https://192.168.1.1/", "URL_PRIVATE"),
        ("https://169.254.169.254/latest/meta-data/", "URL_PRIVATE"),
        ("https://100.64.0.1/", "URL_PRIVATE"),
        ("https://0.0.0.0/", "URL_PRIVATE"),
        ("https://224.0.0.1/", "URL_PRIVATE"),
        ("https://255.255.255.255/", "URL_PRIVATE"),
        ("https://[::1]/", "URL_PRIVATE"),
        ("https://[::]/", "URL_PRIVATE"),
        ("https://[fe80::1]/", "URL_PRIVATE"),
        ("https://[fd00::1]/", "URL_PRIVATE"),
        ("https://[::ffff:127.0.0.1]/", "URL_PRIVATE"),
        ("https://[::ffff:10.0.0.1]/", "URL_PRIVATE"),
        ("https://[64:ff9b::7f00:1]/", "URL_PRIVATE"),
        ("https://[2002:7f00:1::]/", "URL_PRIVATE"),
    ],
)
def test_what_may_not_be_reached(url: str, code: str) -> None:
    with pytest.raises(ForbiddenTarget) as refused:
        parse_target(url, Policy())
    assert refused.value.code == code
    assert refused.value.fix


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_other_ways_to_write_this_machine_are_seen_after_resolving(host: str) -> None:
    with pytest.raises(ForbiddenTarget):
        resolve(parse_target(f"https://{host}/", Policy()), Policy())


def test_a_public_address_is_let_through() -> None:
    target = parse_target("https://8.8.8.8:8443/a?b=1", Policy())
    assert (target.authority, target.path) == ("8.8.8.8:8443", "/a?b=1")
    assert resolve(target, Policy()) == "8.8.8.8"
    assert parse_target("https://[2606:4700::1111]/", Policy()).authority == "[2606:4700::1111]"


def test_one_private_address_among_public_ones_refuses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed(*_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", mixed)
    with pytest.raises(ForbiddenTarget, match=r"10\.0\.0\.1"):
        resolve(parse_target("https://hooks.example.com/", Policy()), Policy())


def test_the_address_that_was_judged_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """第一次解析得放行的地址，第二次解析得别的（DNS 重绑定）：只解析一次，连的就是核对过的那个。"""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *args: object, **kwargs: object) -> object:
        if host != "rebind.example.com":
            return real(host, *args, **kwargs)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1" if len(asked) == 1 else "10.9.9.9", 0))]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", rebinding)
    with listening() as echo:
        port = echo.url.split(":")[2].split("/")[0]
        answer = post(f"http://rebind.example.com:{port}/hook", b"{}", {}, policy=OPEN, timeout=3)
        assert (answer.status, asked) == (200, ["rebind.example.com"])
        assert echo.received[0].headers["Host"] == f"rebind.example.com:{port}"


def test_allowed_networks_open_only_themselves() -> None:
    policy = Policy(allowed=networks(["10.20.0.0/16", " ", "fd12::/16"]))
    assert parse_target("https://10.20.3.4/", policy)
    assert parse_target("https://[fd12::9]/", policy)
    for url in ("https://10.21.0.1/", "http://10.20.3.4/", "https://[::ffff:10.21.0.1]/"):
        with pytest.raises(ForbiddenTarget):
            parse_target(url, policy)
    with pytest.raises(ValueError, match="10"):
        networks(["10.20.0.0/99"])


def test_a_certificate_of_nobody_is_refused() -> None:
    """https 到一个不讲 TLS 的口：握手不成，不会退成明文。"""
    with listening() as echo:
        answer = post(echo.url.replace("http://", "https://"), b"{}", {}, policy=OPEN, timeout=3)
        assert answer.status is None
        assert "SSL" in answer.error
        assert echo.received == []


def test_nobody_home_is_an_answer_and_not_an_exception() -> None:
    answer = post("http://127.0.0.1:1/", b"{}", {}, policy=OPEN, timeout=3)
    assert (answer.status, answer.accepted) == (None, False)
    assert "Refused" in answer.error
    assert post("https://10.0.0.1/", b"", {}, policy=Policy(), timeout=3).error.startswith("URL_PRIVATE")
