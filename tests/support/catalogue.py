"""英文目录的维护：找出界面上所有要译的句子，补进 ``django.po``，删掉没人用的，编成 ``django.mo``。不用 GNU gettext。

``python -m tests.support.catalogue`` 更新两个文件；新句子的译文空着，填好再跑一次。
"""

from __future__ import annotations

import ast
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sancha

PACKAGE = Path(sancha.__file__).parent
FOLDER = PACKAGE / "locale/en/LC_MESSAGES"
HEADER = """# English catalogue of the pages, menus and forms. The source strings are Chinese.
# Kept by `python -m tests.support.catalogue`: adds what is new, drops what is gone, compiles django.mo.
msgid ""
msgstr ""
"""
META = (
    "Project-Id-Version: sancha\nLanguage: en\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
)
MARKS = {"_", "gettext", "gettext_lazy", "pgettext", "pgettext_lazy", "ngettext", "ngettext_lazy"}
TEXT = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL = re.compile(rf"\b(n?p?gettext|_)\(\s*u?({TEXT}(?:\s*,\s*u?{TEXT})*)")
ENTRY = re.compile(
    r'^(?:msgctxt "(?P<context>.*)"\n)?msgid "(?P<source>.+)"\n(?:msgid_plural "(?P<plural>.*)"\n)?'
    r'(?P<english>(?:msgstr(?:\[\d\])? ".*"\n)+)',
    re.MULTILINE,
)


@dataclass(frozen=True, order=True)
class Sentence:
    """一句源文：文字、语境、复数写法。"""

    source: str
    context: str = ""
    plural: str = ""


def sentence_of(mark: str, texts: list[str]) -> Sentence:
    """一次标记写的是哪一句。"""
    if "p" in mark.removesuffix("_lazy").replace("gettext", "") and len(texts) > 1:
        return Sentence(texts[1], context=texts[0])
    if mark.startswith("n") and len(texts) > 1:
        return Sentence(texts[0], plural=texts[1])
    return Sentence(texts[0])


def in_template(text: str, name: str = "") -> Iterator[Sentence]:
    """一个模板里要译的句子（照 makemessages 的读法）。"""
    from django.utils.translation.template import templatize

    for found in CALL.finditer(templatize(text, origin=name)):
        texts = [ast.literal_eval(part) for part in re.findall(TEXT, found.group(2))]
        yield sentence_of(found.group(1), texts)


def in_python(text: str) -> Iterator[Sentence]:
    """一个模块里要译的句子；句子必须直接写在标记里，拼出来的译不了。"""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        mark = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if mark in MARKS:
            texts = [
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if texts:
                yield sentence_of(mark, texts)


def sentences() -> dict[Sentence, str]:
    """界面上所有要译的句子 → 头一处出现的文件。"""
    found: dict[Sentence, str] = {}
    for path in sorted([*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]):
        text = path.read_text(encoding="utf-8")
        for sentence in in_template(text, str(path)) if path.suffix == ".html" else in_python(text):
            found.setdefault(sentence, path.relative_to(PACKAGE).as_posix())
    return found


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found.group(1) == "n" else found.group(1), text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def entries() -> dict[Sentence, tuple[str, ...]]:
    """``django.po`` 里的：句子 → 译文（有复数的两种）。"""
    return parsed((FOLDER / "django.po").read_text(encoding="utf-8"))


def parsed(text: str) -> dict[Sentence, tuple[str, ...]]:
    """一份目录的文字：句子 → 译文。"""
    listed = {}
    for found in ENTRY.finditer(text):
        sentence = Sentence(*(_unquote(found[part] or "") for part in ("source", "context", "plural")))
        english = re.findall(r'^msgstr(?:\[\d\])? "(.*)"$', found["english"], re.MULTILINE)
        listed[sentence] = tuple(_unquote(text) for text in english)
    return listed


def written(listed: dict[Sentence, tuple[str, ...]]) -> str:
    """``django.po`` 的文字，按源文排。"""
    blocks = [HEADER + "\n".join(_quote(line + "\n") for line in META.splitlines()) + "\n"]
    for sentence, english in sorted(listed.items()):
        lines = [f"msgctxt {_quote(sentence.context)}"] if sentence.context else []
        lines.append(f"msgid {_quote(sentence.source)}")
        if sentence.plural:
            lines.append(f"msgid_plural {_quote(sentence.plural)}")
            lines += [f"msgstr[{number}] {_quote(text)}" for number, text in enumerate(english)]
        else:
            lines.append(f"msgstr {_quote(english[0])}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def compiled(listed: dict[Sentence, tuple[str, ...]]) -> bytes:
    """``django.mo`` 的内容：排好序的两张偏移表，后面是以零字节结尾的文字。"""
    pairs = {b"": META.encode()}
    for sentence, english in listed.items():
        if all(english):
            key = (sentence.context + "\x04" if sentence.context else "") + sentence.source
            key += "\0" + sentence.plural if sentence.plural else ""
            pairs[key.encode()] = "\0".join(english).encode()
    keys = sorted(pairs)
    tables, texts, at = [b"", b""], b"", 28 + 16 * len(keys)
    for number, column in enumerate((keys, [pairs[key] for key in keys])):
        for text in column:
            tables[number] += struct.pack("<II", len(text), at + len(texts))
            texts += text + b"\0"
    return struct.pack("<IIIIIII", 0x950412DE, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0) + b"".join(tables) + texts


def update() -> list[Sentence]:
    """更新两个文件，返回还没有译文的句子。"""
    known, wanted = entries(), sentences()
    listed = {sentence: known.get(sentence, ("", "") if sentence.plural else ("",)) for sentence in wanted}
    (FOLDER / "django.po").write_text(written(listed), encoding="utf-8")
    (FOLDER / "django.mo").write_bytes(compiled(listed))
    return [sentence for sentence, english in listed.items() if not all(english)]


if __name__ == "__main__":
    from django.conf import settings

    settings.configure()
    left = update()
    print(*(f"没有译文：{sentence.source}" for sentence in left), f"还有 {len(left)} 句没有译文。", sep="\n")
    sys.exit(1 if left else 0)
