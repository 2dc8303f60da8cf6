"""事件：栏目登记了才出得去，中文进不来；对接手册的目录与代码一致。"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sancha.config import wiring
from sancha.kit.events import EventField, EventKind, Happening, _payload, catalog, find_event
from sancha.rulebook.posts import permission_names

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "integration.md"
KIND = EventKind(
    "thing.happened", "事", "有事时", {"a": EventField("code", "甲"), "b": EventField("yuan", "乙", optional=True)}
)


def payload(**data: Any) -> dict[str, Any]:
    return _payload(KIND, Happening(1, date(2026, 3, 2), "thing:1", data))


def test_what_fits_goes_out_as_declared() -> None:
    made = payload(a="X-1", b=None)
    assert made["data"] == {"a": "X-1", "b": None}
    assert (made["on"], made["subject"], made["version"]) == ("2026-03-02", "thing:1", 1)


@pytest.mark.parametrize(
    "data",
    [
        {"a": "X"},
        {"a": "X", "b": "1.00", "name": "王秀兰"},
        {"a": "王秀兰", "b": None},
        {"a": "X Y", "b": None},
        {"a": None, "b": None},
        {"a": "X", "b": "1,000.00"},
        {"a": "X", "b": 100},
        {"a": 3, "b": None},
    ],
)
def test_what_does_not_fit_stops_the_business(data: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        payload(**data)


def test_a_cause_makes_the_number_of_the_event() -> None:
    def number(cause: str) -> str:
        return str(_payload(KIND, Happening(1, date(2026, 3, 2), "t:1", {"a": "x", "b": None}, cause))["id"])

    assert number("one") == number("one") != number("two")
    assert number("") != number("")


def test_every_event_is_wired_and_every_wire_is_an_event() -> None:
    assert set(wiring.SUBSCRIBERS) == {kind.name for kind in catalog()} - {"webhook.test"}
    assert all(find_event(name) for name in wiring.SUBSCRIBERS)
    assert "webhooks.view" in permission_names()


def table(text: str) -> dict[str, dict[str, str]]:
    """手册目录：事件 → 栏目 → 类型。"""
    found: dict[str, dict[str, str]] = {}
    for name, body in re.findall(r"^### `([a-z_.]+)`[^\n]*\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        found[name] = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", body, re.MULTILINE))
    return found


def test_the_guide_lists_exactly_what_is_sent() -> None:
    written = table(GUIDE.read_text(encoding="utf-8"))
    meant = {
        kind.name: {
            name: field.type + (" 或 null" if field.optional else "") for name, field in kind.fields.items()
        }
        for kind in catalog()
    }  # fmt: skip
    assert written == meant, (
        "docs/guides/integration.md 第 4 节与代码不符；请运行 python -m tests.support.event_catalog"
    )


def test_the_snippet_of_the_guide_verifies_what_is_signed() -> None:
    """手册里的核对片段原样拿来跑：对的收，改一个字、换密钥、过期的都不收。"""
    from sancha.apps.webhooks.signing import secret_of, signature_header

    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    space: dict[str, Any] = {}
    exec(code[1], space)  # the guide is ours
    verify = space["verify"]
    body, at = b'{"id":"1"}', 1_800_000_000
    header = signature_header(["new", "old"], at, body)
    assert verify(header, body, secret_of("new"), now=at)
    assert verify(header, body, secret_of("old"), now=at + 299)
    assert not verify(header, body, secret_of("other"), now=at)
    assert not verify(header, body + b" ", secret_of("new"), now=at)
    assert not verify(header, body, secret_of("new"), now=at + 301)
    assert not verify("", body, secret_of("new"), now=at)
