"""审计内容的写法：栏目说中文，前值与摘要不铺成一串代码。"""

from __future__ import annotations

from typing import Any

import pytest

from sancha.interfaces.web.audit.contents import LONGEST, words_of

DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, ""),
        ({"attempt": 1}, "第几次：1"),
        ({"post": "CASHIER"}, "岗位：会计（柜员）"),
        ({"name": ["东门", "东门分理处"]}, "名称：东门 → 东门分理处"),
        ({"fields": ["phone", "address"]}, "栏目：电话、地址"),
        ({"type": "application/pdf", "conditions": {}}, "文件：PDF"),
        ({"was": {"memo": DIGEST, "payee_bank": DIGEST}}, "原为：备注、收款行（只存摘要，可比对）"),
        ({"was": {"summary": "纸", "lines": [{"account": "1002"}]}}, "原为：摘要 纸；分录 1 行"),
        ({"amount_fen": 12345}, "金额：123.45"),
        ({"why": "理由"}, "why：理由"),
    ],
)
def test_what_was_recorded_is_said_in_words(data: dict[str, Any], said: str) -> None:
    assert words_of(data) == said


def test_what_is_too_long_ends_in_dots() -> None:
    said = words_of({"reason": "长" * 300})
    assert len(said) == LONGEST
    assert said.endswith("…")
