"""文档：决定各节齐全、都在目录里，文中的链接不断。"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
SECTIONS = ("背景", "决定", "后果", "别的办法", "由什么守着")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def sections_missing(text: str) -> list[str]:
    return [name for name in SECTIONS if not re.search(rf"^(?:## {name}|\*\*{name}\*\*)", text, re.MULTILINE)]


def broken_links(page: Path, text: str) -> list[str]:
    targets = (target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target))
    return [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_with_every_section(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert sections_missing(text) == []
    assert text.startswith(f"# {path.stem[:4]} ")
    assert len(text.splitlines()) <= 60


def test_the_index_lists_every_decision_once() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"\((0\d{3}-[a-z0-9-]+\.md)\)", index) == [path.name for path in DECISIONS]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


def test_a_broken_link_and_a_missing_section_are_found() -> None:
    assert broken_links(ROOT / "README.md", "[x](docs/nowhere.md#a) [y](https://example.org) [z](LICENSE)") == [
        "docs/nowhere.md"
    ]
    assert sections_missing("## 背景\n**决定** 甲\n## 后果\n## 别的办法\n") == ["由什么守着"]
