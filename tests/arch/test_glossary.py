"""词汇表：代码里的词都登记过，被禁的叫法没有混进来。"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sancha"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TOKEN = re.compile(r"`([A-Za-z_][A-Za-z0-9_]*)`")
CHOICES = {"TextChoices", "IntegerChoices", "StrEnum", "IntEnum"}


def rows(text: str) -> Iterator[list[str]]:
    """表格的每一行，四格：中文、英文、含义、不叫。"""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and not set(cells[0]) <= {"-"} and cells[0] != "中文":
            yield cells


HEADINGS = "\n".join(line for line in GLOSSARY.splitlines() if line.startswith("#"))
REGISTERED = {token for row in rows(GLOSSARY) for cell in row[:3] for token in TOKEN.findall(cell)}
REGISTERED |= set(TOKEN.findall(HEADINGS))
BANNED = {token for row in rows(GLOSSARY) for token in TOKEN.findall(row[3])}
CHINESE = "\n".join(" ".join(row[:3]) for row in rows(GLOSSARY))


def base_names(node: ast.ClassDef) -> set[str]:
    return {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}


def members(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """枚举成员与它的中文标签（没有标签的给空串）。"""
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name) and item.targets[0].id.isupper():
            value = item.value
            label = value.elts[-1] if isinstance(value, ast.Tuple) else None
            yield item.targets[0].id, label.value if isinstance(label, ast.Constant) else ""


def row_for(node: ast.ClassDef) -> str:
    """照抄即可的一行，省得猜格式。"""
    head, _, rest = re.split(r"([：。（]|$)", (ast.get_docstring(node) or "").split("\n")[0], maxsplit=1)
    codes = (
        " · ".join(f"`{code}` {label}".strip() for code, label in members(node)) if base_names(node) & CHOICES else ""
    )
    return f"| {head} | `{node.name}` | {codes or rest} | |"


def terms_to_register() -> list[tuple[str, ast.ClassDef]]:
    """要登记的类：各应用与技术层的表和枚举，内核的公开类。"""
    files = [*PACKAGE.glob("apps/*/models.py"), *PACKAGE.glob("*/models.py"), *PACKAGE.glob("kernel/**/*.py")]
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in sorted(files)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and node.name != "Meta"
        and not node.name.endswith(("Error", "Manager"))
    ]


def snake(name: str) -> str:
    """登记了 ``post_holding``，就等于登记了 ``PostHolding``：同一个词不占两行。"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def missing(node: ast.ClassDef) -> list[str]:
    lost = [] if {node.name, snake(node.name)} & REGISTERED else [node.name]
    if base_names(node) & CHOICES:
        lost += [code for code, label in members(node) if code not in REGISTERED or label not in CHINESE]
    return lost


def test_every_table_enum_and_kernel_class_is_registered() -> None:
    lost = [(path, node, names) for path, node in terms_to_register() if (names := missing(node))]

    assert not lost, "docs/glossary.md 第 9 节缺（可照抄，含义请补全）：\n" + "\n".join(
        f"{row_for(node)}    ← {path}：{'、'.join(names)}" for path, node, names in lost
    )


def test_an_unregistered_term_is_found() -> None:
    node = ast.parse('class Frobnication(TextChoices):\n    """搅动。"""\n    STIR = "STIR", "搅一搅"').body[0]
    assert isinstance(node, ast.ClassDef)

    assert missing(node) == ["Frobnication", "STIR"]
    assert row_for(node) == "| 搅动 | `Frobnication` | `STIR` 搅一搅 | |"


def identifiers(tree: ast.Module) -> set[str]:
    """一个模块自己起的名字：类、函数、参数、字段、变量。"""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_no_banned_name_is_used() -> None:
    used = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if (names := identifiers(ast.parse(path.read_text(encoding="utf-8"))) & BANNED)
    }

    assert used == {}, "词汇表「不叫」一栏的名字，请换成同一行的正名"


@pytest.mark.parametrize("source", ["credit_limit = 1", "def pay(instalment): pass", "class X:\n    eod: int = 0"])
def test_a_banned_name_is_found(source: str) -> None:
    assert identifiers(ast.parse(source)) & BANNED


def test_no_name_is_both_registered_and_banned() -> None:
    assert not REGISTERED & BANNED


def test_a_term_stands_in_one_row_only() -> None:
    """一词一义：同一个中文词不占两行（两层同名的用括号区分）。"""
    heads = [row[0] for row in rows(GLOSSARY)]
    doubled = {head for head in heads if heads.count(head) > 1}

    assert doubled <= BOTH_WORD_AND_CODE


# A word in the text and its upper-case code (fact kind, position code) may share the Chinese term.
BOTH_WORD_AND_CODE = {"放款", "核销", "调整", "溢缴款", "应收利息", "利息承担份额"}
