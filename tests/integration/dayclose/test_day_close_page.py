"""docs/algorithms/day-close.md 的次序表就是流水线；books.md 列出的变体就是测试里的变体。"""

from __future__ import annotations

from pathlib import Path

from sancha.dayclose.pipeline import PIPELINE
from tests.simulation.mutants import MUTANTS

PAGES = Path(__file__).parents[3] / "docs" / "algorithms"


def rows(page: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in (PAGES / page).read_text("utf-8").splitlines()
        if text.startswith("|") and not text.startswith("|--")
    ]


def test_the_page_lists_the_pipeline() -> None:
    listed = [row[:4] for row in rows("day-close.md") if row[0].isdigit()]
    assert listed == [
        [str(number), step.code, step.name, "是" if step.per_partition else "否"]
        for number, step in enumerate(PIPELINE, start=1)
    ]


def test_the_page_lists_the_mutants() -> None:
    listed = [row[1].strip("`") for row in rows("books.md")[1:]]
    assert listed == [mutant.__name__ for mutant in MUTANTS]
