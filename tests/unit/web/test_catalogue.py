"""英文目录：每句都有译文，编译好的与文本一致，界面图标与静态文件不向外网取。"""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import sancha

LOCALE = Path(sancha.__file__).parent / "locale/en/LC_MESSAGES"
ENTRY = re.compile(r'^(?:msgctxt "(.+)"\n)?msgid "(.+)"\nmsgstr "(.*)"$', re.MULTILINE)
PLACES = re.compile(r"%\(\w+\)s")
STATIC = Path(sancha.__file__).parent / "interfaces/web/static"


def entries() -> list[tuple[str, str, str]]:
    text = (LOCALE / "django.po").read_text(encoding="utf-8")
    return [tuple(part.replace('\\"', '"') for part in found) for found in ENTRY.findall(text)]  # type: ignore[misc]


def test_every_sentence_is_translated_and_keeps_its_places() -> None:
    listed = entries()
    assert len(listed) > 200
    assert [source for _, source, english in listed if not english] == []
    assert [
        source for _, source, english in listed if set(PLACES.findall(source)) != set(PLACES.findall(english))
    ] == []


def test_the_compiled_catalogue_is_the_text() -> None:
    with (LOCALE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [s for c, s, e in entries() if (compiled.pgettext(c, s) if c else compiled.gettext(s)) != e]
    assert stale == [], "run msgfmt: the .mo is older than the .po"


def test_vendored_files_ask_no_other_host_and_name_no_source_map() -> None:
    for file in STATIC.rglob("*"):
        if file.suffix in {".css", ".js"}:
            text = file.read_text(encoding="utf-8")
            assert "sourceMappingURL" not in text, file
            assert not re.search(r"(?:@import|url\()\s*[\"']?https?:", text), file


def test_every_vendored_package_brings_its_licence() -> None:
    packages = [folder for folder in (STATIC / "vendor").iterdir() if folder.is_dir()]
    assert len(packages) == 5
    assert [folder.name for folder in packages if not (folder / "LICENSE").read_text().strip()] == []
