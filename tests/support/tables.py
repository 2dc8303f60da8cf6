"""读算法页的表：页面上的数就是测试的数。"""

from __future__ import annotations

from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "algorithms"

Table = list[dict[str, str]]


def table(page: str, heading: str, which: int = 0) -> Table:
    """``docs/algorithms/<page>.md`` 中「## heading」之下的第 ``which`` 张表：每行一个「表头 → 单元格」。"""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    assert f"\n## {heading}\n" in text, f"{page}.md 没有「{heading}」一节"
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found: list[list[list[str]]] = [[]]
    for line in section.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip().strip("`") for cell in line.strip().strip("|").split("|")])
        elif found[-1]:
            found.append([])
    tables = [rows for rows in found if rows]
    assert len(tables) > which, f"{page}.md「{heading}」没有第 {which + 1} 张表"
    head, _, *rows = tables[which]
    assert rows, f"{page}.md「{heading}」的表是空的"
    return [dict(zip(head, row, strict=True)) for row in rows]
