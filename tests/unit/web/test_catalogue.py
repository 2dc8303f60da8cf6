"""英文目录：页面、菜单、表单的每一句都有译文，没有多余的，编好的与文本一致；页面上的中文都经过标记；静态文件不向外网取。"""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest

import sancha
from tests.support import catalogue
from tests.support.catalogue import Sentence

PLACES = re.compile(r"%(?:\(\w+\))?[sd]")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOW = "python -m tests.support.catalogue，填好译文再跑一次"
STATIC = Path(sancha.__file__).parent / "interfaces/web/static"
TEMPLATES = Path(sancha.__file__).parent / "interfaces/web/templates"
# What the user types or reads in a file is Chinese in both languages: units, headings, document numbers.
TYPED = re.compile(
    r"收入|支出|一次性还本付息|在校期间|财政|每3?月|每季|月|(?<=\d)天|关注|次级|费用→罚息→复利→利息→本金|至|春节(?:调休)?|国办发明电〔2026〕×号|三查"
)
# The name of a language is written in that language.
UNMARKED = {"parts/languages.html": {"中文"}}


def test_every_sentence_of_the_interface_is_in_the_catalogue() -> None:
    wanted = catalogue.sentences()
    assert len(wanted) > 1000
    known = catalogue.entries()
    assert [f"{where}: {sentence.source}" for sentence, where in wanted.items() if sentence not in known] == [], HOW
    assert [sentence for sentence in known if sentence not in wanted] == [], HOW


def test_every_sentence_is_translated_and_keeps_its_places() -> None:
    listed = catalogue.entries()
    assert [sentence.source for sentence, english in listed.items() if not all(english)] == []
    assert [
        sentence.source
        for sentence, english in listed.items()
        if any(set(PLACES.findall(sentence.source)) != set(PLACES.findall(text)) for text in english)
    ] == []


def test_english_is_english() -> None:
    chinese = [
        text for english in catalogue.entries().values() for text in english if CHINESE.search(TYPED.sub("", text))
    ]
    assert chinese == []


def test_the_compiled_catalogue_is_the_text() -> None:
    listed = catalogue.entries()
    assert (catalogue.FOLDER / "django.mo").read_bytes() == catalogue.compiled(listed), HOW
    with (catalogue.FOLDER / "django.mo").open("rb") as file:
        said = gettext.GNUTranslations(file)
    for sentence, english in listed.items():
        if sentence.plural:
            assert (
                said.ngettext(sentence.source, sentence.plural, 1),
                said.ngettext(sentence.source, "", 2),
            ) == english
        elif sentence.context:
            assert said.pgettext(sentence.context, sentence.source) == english[0]
        else:
            assert said.gettext(sentence.source) == english[0]


@pytest.mark.parametrize(
    "path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.relative_to(TEMPLATES).as_posix()
)
def test_chinese_on_a_page_is_marked(path: Path) -> None:
    allowed = UNMARKED.get(path.relative_to(TEMPLATES).as_posix(), set())
    assert unmarked(path.read_text(encoding="utf-8")) - allowed == set()


def unmarked(text: str) -> set[str]:
    """模板里没有标记的中文。"""
    text = re.sub(
        r"\{#.*?#\}|\{% comment.*?endcomment %\}|\{% blocktranslate.*?endblocktranslate %\}", "", text, flags=re.S
    )
    text = re.sub(r"""\{% translate .*?%\}|_\((?:"[^"]*"|'[^']*')\)""", "", text)
    return set(re.findall(r"[\u4e00-\u9fff]+", text))


def test_an_unmarked_or_unlisted_sentence_is_seen() -> None:
    page = '{# 注 #}<b>{% translate "甲" %}</b>{% blocktranslate with n=a %}乙 %(n)s{% endblocktranslate %}<i>丙</i>'
    assert unmarked(page) == {"丙"}
    assert set(catalogue.in_template('{% translate "甲" context "丁" %}{% icon "x" label=_("戊") %}')) == {
        Sentence("甲", context="丁"),
        Sentence("戊"),
    }
    counted = "{% blocktranslate count n=2 %}{{ n }} 件{% plural %}{{ n }} 件们{% endblocktranslate %}"
    assert set(catalogue.in_template(counted)) == {Sentence("%(n)s 件", plural="%(n)s 件们")}
    assert set(catalogue.in_python('x = _("甲"); y = pgettext("丁", "乙"); z = name("丙")')) == {
        Sentence("甲"),
        Sentence("乙", context="丁"),
    }


def test_what_is_written_reads_back() -> None:
    listed = {
        Sentence('说"好"'): ('say "yes"',),
        Sentence("乙", context="丁"): ("a\\b",),
        Sentence("件", plural="件"): ("one", "many"),
    }
    assert catalogue.parsed(catalogue.written(listed)) == listed


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
