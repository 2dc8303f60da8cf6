"""模板过滤器与标签、数据表、金额与利率栏目。"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.http import QueryDict
from django.template import Context, Template
from django.test import RequestFactory

from sancha.interfaces.web.forms import DateField, Form, RateField, YuanField
from sancha.interfaces.web.pages import SUBMISSION_FIELD, blame
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.interfaces.web.templatetags import sancha as words
from sancha.kit.errors import Conflict


def test_fen_is_yuan_with_red_for_negative() -> None:
    assert words.fen(123456) == '<span class="num">1,234.56</span>'
    assert words.fen(-5) == '<span class="num neg">-0.05</span>'
    assert "—" in words.fen(None)
    assert "0.00" in words.fen(0)


@pytest.mark.parametrize("wrong", [1.5, "100", True])
def test_money_that_is_not_an_integer_is_a_fault_of_the_program(wrong: object) -> None:
    with pytest.raises(TypeError):
        words.fen(wrong)


@pytest.mark.parametrize(
    ("fen", "text"),
    [(123_456_789, "123.46"), (5_000, "0.01"), (4_999, "0.00"), (-5_000, "-0.01"), (10**12, "1,000,000.00")],
)
def test_wan_rounds_half_up_both_ways(fen: int, text: str) -> None:
    assert f">{text}<" in words.wan(fen)


@pytest.mark.parametrize(
    ("ppm", "text"),
    [
        (144_000, "14.40%"),
        (36_500, "3.65%"),
        (43_456, "4.3456%"),
        (0, "0.00%"),
        (-2_500, "-0.25%"),
        (123_450, "12.345%"),
    ],
)
def test_rate_keeps_two_to_four_decimals(ppm: int, text: str) -> None:
    assert words.percent(ppm) == text


def test_dates_are_iso_and_instants_local() -> None:
    assert ">2026-03-02<" in words.day(date(2026, 3, 2))
    late = datetime(2026, 3, 2, 17, 30, tzinfo=UTC)
    assert ">2026-03-03<" in words.day(late), "01:30 in Shanghai is the next day"
    assert ">2026-03-03 01:30:00<" in words.moment(late)
    assert "—" in words.day(None)


def test_masks_show_no_more_than_they_promise() -> None:
    assert words.mask_id("610103199001011234") == "610***********1234"
    assert words.mask_id("1234567") == "*******"
    assert words.mask_phone("13903191234") == "139****1234"
    assert words.mask_phone("1234567") == "*******"
    assert words.mask_account("6222021234567890123") == "**** 0123"
    assert words.mask_id(None) == ""


def test_classes_and_days_past_due() -> None:
    assert [words.CLASSES[n][1] for n in range(1, 6)] == ["pass", "mention", "substandard", "doubtful", "loss"]
    assert "klass-doubtful" in words.klass(4)
    assert "可疑" in words.klass(4)
    assert "dpd-late" in words.overdue(90)
    assert "dpd-bad" in words.overdue(91)
    assert "—" in words.overdue(0)


def render(text: str, **context: object) -> str:
    request = RequestFactory().get("/loans/?q=张&page=3&state=")
    return Template(text).render(Context({"request": request, **context}))


def test_query_changes_one_parameter_and_goes_back_to_page_one() -> None:
    assert render("{% query page=4 %}") == "?q=%E5%BC%A0&amp;page=4"
    assert render("{% query sort='-due' %}") == "?q=%E5%BC%A0&amp;sort=-due"
    assert render("{% query q='' %}") == "?"


def test_icon_points_at_the_sprite_and_names_no_other_host() -> None:
    html = render("{% icon 'home' %}{% icon 'x' label='关闭' %}")
    assert 'href="/static/vendor/tabler-icons/sprite.svg#home"' in html
    assert 'aria-label="关闭"' in html


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    import re
    from pathlib import Path

    from sancha.interfaces import web
    from sancha.interfaces.web.menu import MENU

    root = Path(web.__file__).parent
    sprite = set(re.findall(r'symbol id="([^"]+)"', (root / "static/vendor/tabler-icons/sprite.svg").read_text()))
    used = {entry.icon for group in MENU for entry in group.entries}
    for template in root.rglob("*.html"):
        used |= set(re.findall(r"{% icon ['\"]([\w-]+)", template.read_text()))
    for module in root.rglob("*.py"):
        used |= set(re.findall(r'"icon": "([\w-]+)"', module.read_text()))
    assert used - sprite == set()


def test_a_refused_form_keeps_its_key_and_a_new_form_gets_a_new_one() -> None:
    factory = RequestFactory()
    text = Template("{% idempotency_key %}")
    fresh = {text.render(Context({"request": factory.get("/")})) for _ in range(2)}
    assert len(fresh) == 2
    again = text.render(Context({"request": factory.post("/", {SUBMISSION_FIELD: "abc"})}))
    assert 'value="abc"' in again


class Sample(Form):
    amount = YuanField(label="金额")
    rate = RateField(label="年利率")
    day = DateField(label="起息日")


def test_fields_read_what_people_write() -> None:
    form = Sample({"amount": "\uff11,\uff12\uff13\uff14.\uff15", "rate": "14.4\uff05", "day": "2026-03-02"})
    assert form.is_valid(), form.errors
    assert form.cleaned_data == {"amount": 123450, "rate": 144_000, "day": date(2026, 3, 2)}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("amount", "12,34", "千分位"),
        ("amount", "0", "不能为零"),
        ("amount", "-5", "不能为负"),
        ("rate", "14.40001", "最多四位"),
        ("rate", "nan", "最多四位"),
        ("rate", "abc", "百分数"),
        ("rate", "1000.1", "1000%"),
        ("day", "02/03/2026", "年-月-日"),
        ("day", "2026-02-30", "年-月-日"),
    ],
)
def test_fields_say_what_is_wrong_and_keep_the_text(name: str, value: str, said: str) -> None:
    form = Sample({"amount": "1", "rate": "1", "day": "2026-03-02", name: value})
    assert not form.is_valid()
    assert said in str(form.errors[name])
    html = str(form)
    assert f'value="{value}"' in html
    assert "is-invalid" in html


def test_amounts_and_rates_go_back_into_the_form_as_people_write_them() -> None:
    html = str(Sample(initial={"amount": 123456, "rate": 36500}))
    assert 'value="1,234.56"' in html
    assert 'value="3.65"' in html


def test_a_domain_error_stands_at_its_field_and_in_the_panel() -> None:
    form = Sample({"amount": "100", "rate": "1", "day": "2026-03-02"})
    assert form.is_valid()
    blame(form, Conflict("X_TAKEN", "金额已被使用。", field="amount", value="100", clause="SRV-3", fix="请换一笔。"))
    html = str(form)
    assert html.count("金额已被使用。") == 2
    assert "SRV-3" in html
    assert "请换一笔。" in html
    elsewhere = Sample({"amount": "100", "rate": "1", "day": "2026-03-02"})
    blame(elsewhere, Conflict("LOCKED", "借据已锁定。", field="loan"))
    assert str(elsewhere).count("借据已锁定。") == 1


def test_user_text_in_a_form_and_a_table_stays_text() -> None:
    attack = "<script>alert(1)</script>"
    form = Sample({"amount": attack, "rate": "1", "day": "2026-03-02"})
    assert attack not in str(form)
    table = Table([Column("name", "姓名", link=lambda row: '"><b>')], [{"name": attack}])
    html = Template("{% include 'parts/table.html' %}").render(
        Context({"table": table, "request": RequestFactory().get("/")})
    )
    assert attack not in html
    assert '"><b>' not in html


def test_table_aligns_numbers_totals_columns_and_says_when_empty() -> None:
    columns = [Column("no", "借据号", sort="no"), Column("fen", "余额", kind="fen", total=True)]
    context = {"request": RequestFactory().get("/?sort=no")}
    table = Table(columns, [{"no": "JK1", "fen": 100}], totals={"fen": 100})
    html = Template("{% include 'parts/table.html' %}").render(Context({"table": table, **context}))
    assert '<td class="r">' in html
    assert "合计" in html
    assert "?sort=-no" in html
    empty = Template("{% include 'parts/table.html' %}").render(Context({"table": Table(columns, []), **context}))
    assert "没有符合条件的记录" in empty
    assert "<table" not in empty


def test_pages_near_the_current_one_are_offered() -> None:
    assert Pagination(total=1000, number=10, size=50).window == [1, 0, 8, 9, 10, 11, 12, 0, 20]
    assert Pagination(total=60, number=1, size=50).window == [1, 2]
    last = Pagination(total=101, number=3, size=50)
    assert (last.first_row, last.last_row) == (101, 101)
    assert Pagination(total=0).first_row == 0


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("0", 1), ("-1", 1), ("x", 1), ("", 1), ("99999999999", 1), ("²", 1)]
)
def test_a_page_number_from_the_address_never_breaks(text: str, number: int) -> None:
    assert page_number(QueryDict(mutable=True) | {"page": text}) == number
