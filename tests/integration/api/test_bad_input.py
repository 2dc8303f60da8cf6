"""坏输入：每个端点都送错类型、缺栏、空串、控制字符、过长的文字、越界的数与日期、读不懂的正文——只许 4xx，绝不 500。

正文由各端点的样例变出，一次只坏一栏；每次请求都退回，互不影响。能过形状校验的怪值（很大的金额、很早的日子、很长的文字）
一直走到操作里，操作须说出为什么不行，或者真的办成。
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from sancha.interfaces.api.site import operations
from tests.support.api_client import Api, assert_problem
from tests.support.api_things import all_powerful, things_at_s1
from tests.support.factories_access import County

pytestmark = pytest.mark.django_db

WRONG: list[Any] = [None, -1, 1.5, 10**30, "", "x", "\x00", "\ud800", "王" * 5000, [], {"x": 1}]
"""错得离谱的：多半过不了形状校验。"""
ODD: list[Any] = ["9999999999999.99", "-1.00", "1900-01-01", "2199-12-31", "字" * 1990, "%_\\'--", 0, 2**31 - 1]
"""样子是对的，内容古怪：要走到操作里才知道不行。"""
QUERIES = [
    "",
    "x",
    "-1",
    "0",
    str(10**30),
    "1.5",
    "true",
    "2026-13-45",
    "1900-01-01",
    "2199-12-31",
    "%00",
    "王" * 200,
    "%ed%a0%80",
    "1%27",
]
BODIES: list[Any] = [
    "",
    "{",
    "null",
    "[]",
    "1",
    '"x"',
    b"\xff",
    "[" * 50_000,
    '{"a":' * 50_000,
    '{"\ud800": 1}'.encode("utf-8", "surrogatepass"),
]


@pytest.fixture
def things(county: County) -> dict[str, object]:
    return things_at_s1(county)


@pytest.fixture
def api(county: County, things: dict[str, object]) -> Api:
    return all_powerful(county, "S1")


def url(path: str, things: dict[str, object]) -> str:
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", str(things.get(name, "1")))
    return path.removeprefix("/api/v1")


def sent(api: Api, method: str, path: str, *body: Any) -> Any:
    """发一次，然后退回。"""
    with transaction.atomic():
        response = api(method, path, *body)
        if response.status_code < 400 and method != "GET":
            # A dangling reference would be refused at commit, and there is no commit here.
            connection.check_constraints()
        transaction.set_rollback(True)
    return response


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """样例里的每一栏（含里层）。"""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*at, name)
            yield from places(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:1]):
            yield (*at, index)
            yield from places(inner, (*at, index))


def changed(example: dict[str, Any], at: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(example)
    inner: Any = made
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = value
    return made


def without(example: dict[str, Any], at: tuple[Any, ...]) -> dict[str, Any]:
    made = copy.deepcopy(example)
    inner: Any = made
    for step in at[:-1]:
        inner = inner[step]
    del inner[at[-1]]
    return made


def writes() -> list[tuple[str, str, Any]]:
    return [(method, path, view.act) for method, path, view in operations() if getattr(view, "act", None) is not None]


def judge(response: Any, what: object, bad: list[str]) -> None:
    if response.status_code >= 500:
        bad.append(f"{response.status_code} {what}"[:400])
    # The last net names no field: what falls into it should have been caught where the field is known.
    elif response.status_code >= 400 and assert_problem(response, response.status_code)["code"] == "VALUE_TOO_LARGE":
        bad.append(f"VALUE_TOO_LARGE {what}"[:400])


@pytest.mark.parametrize("values", [WRONG, ODD], ids=["wrong", "odd"])
def test_no_field_of_any_body_brings_a_500(api: Api, things: dict[str, object], values: list[Any]) -> None:
    bad: list[str] = []
    tried = 0
    for method, path, act in writes():
        if not act.example:
            continue
        example = _at_home(act.example, things)
        for at in places(example):
            for value in values:
                judge(sent(api, method, url(path, things), changed(example, at, value)), (method, path, at, value), bad)
                tried += 1
    assert not bad, "\n".join(bad)
    assert tried > 1500


def test_a_missing_field_is_named(api: Api, things: dict[str, object]) -> None:
    bad: list[str] = []
    for method, path, act in writes():
        example = act.example or {}
        for at in places(example):
            if isinstance(at[-1], int):
                continue
            response = sent(api, method, url(path, things), without(_at_home(example, things), at))
            judge(response, (method, path, at), bad)
            required = act.body.model_json_schema().get("required", []) if act.body and len(at) == 1 else []
            if at[-1] in required:
                assert assert_problem(response, 422, "INVALID_REQUEST")["field"] == at[-1], (path, at)
    assert not bad, "\n".join(bad)


def test_an_unknown_field_is_refused(api: Api, things: dict[str, object]) -> None:
    for method, path, act in writes():
        if act.example is None:
            continue
        response = sent(api, method, url(path, things), {**act.example, "amonut": "1"})
        assert assert_problem(response, 422, "INVALID_REQUEST")["field"] == "amonut", path


def test_no_body_at_all_brings_a_500(api: Api, things: dict[str, object]) -> None:
    bad: list[str] = []
    for method, path, view in operations():
        if method == "GET":
            continue
        for body in BODIES:
            judge(sent(api, method, url(path, things), body), (method, path, body[:20]), bad)
        del view
    assert not bad, "\n".join(bad)


def test_no_query_brings_a_500(api: Api, things: dict[str, object]) -> None:
    bad: list[str] = []
    for method, path, view in operations():
        if method != "GET":
            continue
        names = _query_names(view, path)
        base = {name: VALID[name] for name in names if name in VALID}
        for name in names:
            for value in QUERIES:
                asked = "&".join(f"{one}={base[one]}" for one in base if one != name)
                judge(sent(api, method, f"{url(path, things)}?{asked}&{name}={value}"), (path, name, value), bad)
    assert not bad, "\n".join(bad)


def test_no_address_brings_a_500(api: Api, things: dict[str, object]) -> None:
    bad: list[str] = []
    for method, path, _ in operations():
        for name in re.findall(r"{(\w+)}", path):
            for value in ("0", "-1", "x", "1.5", str(10**30), str(2**63 - 1), "%00", "%20", "王", "a" * 3000, "1%2F2"):
                judge(
                    sent(api, method, url(path, {**things, name: value}), *([] if method == "GET" else [{}])),
                    (method, path, value),
                    bad,
                )
    assert not bad, "\n".join(bad)


VALID = {
    "first": "2026-03-01", "last": "2026-03-02", "day": "2026-03-02", "first_year": "2026", "last_year": "2026", "text": "王", "kind": "FOLLOW_UP",
    "figure": "principal", "institution_id": "1", "customer_kind": "FARMER", "run_id": "1",
}  # fmt: skip
HOME = {
    "party_id": "party_id", "other_id": "party_id", "institution_id": "institution_id", "own_account_id": "own_account_id",
    "from_account_id": "own_account_id", "holding_id": "holding_id", "voucher_id": "voucher_id", "person_id": "person_id",
}  # fmt: skip


def _at_home(example: Any, things: dict[str, object]) -> Any:
    """样例里的编号换成真有的，怪值才走得到深处。"""
    if isinstance(example, dict):
        return {
            name: things[HOME[name]] if name in HOME else _at_home(value, things) for name, value in example.items()
        }
    if isinstance(example, list):
        return [_at_home(value, things) for value in example]
    return example


def _query_names(view: Callable[..., Any], path: str) -> set[str]:
    from sancha.interfaces.api.endpoints import _query_names as names

    return set(names(inspect.signature(view), path))
