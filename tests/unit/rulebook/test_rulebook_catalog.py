"""规则库装载：好文件装得进，坏文件说清是哪个文件、哪个代码、哪一栏；每道关都要见它咬人。"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

import sancha.rulebook as rulebook
from sancha.rulebook import NotYetInForce, RulebookError, UnknownCode, load_catalog

CLAUSE = """
clauses:
  - code: TEST-1
    document: 测试办法
    issuer: 测试机构
    article: 第一条
    gist: 测试用的条款要点。
    in_force_from: 2020-01-01
    source: 测试资料
    origin: DES
    last_checked: 2026-01-01
"""
PARAMETER = """
parameters:
  - code: test.days
    name: 测试天数
    type: days
    unit: 天
    clause: TEST-1
    source: 测试资料
    origin: DES
    last_checked: 2026-01-01
    values:
      - {from: 2020-01-01, value: 3}
      - {from: 2021-01-01, value: 5, published_on: 2020-12-01}
"""
DATA = Path(__file__).parents[3].parent / "shared" / "data" / "lpr.csv"


def book(tmp_path: Path, parameter: str = PARAMETER, clause: str = CLAUSE) -> Path:
    for folder, text in (("clauses", clause), ("parameters", parameter)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "test.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_good_file_loads_and_answers_by_date(tmp_path):
    catalog = load_catalog(book(tmp_path))

    assert catalog.parameter("test.days", date(2020, 12, 31)).value == 3
    later = catalog.parameter("test.days", date(2021, 1, 1))
    assert (later.value, later.unit, later.clause, later.source) == (5, "天", "TEST-1", "测试资料")
    assert (later.effective_from, later.effective_to, later.last_checked) == (date(2021, 1, 1), None, date(2026, 1, 1))
    assert catalog.history("test.days")[0].effective_to == date(2021, 1, 1)


def test_known_on_hides_what_was_not_yet_published(tmp_path):
    catalog = load_catalog(book(tmp_path))

    assert catalog.parameter("test.days", date(2021, 6, 1), known_on=date(2020, 11, 30)).value == 3
    assert catalog.parameter("test.days", date(2021, 6, 1), known_on=date(2020, 12, 1)).value == 5


def test_a_day_before_the_first_value_is_refused_with_the_first_day(tmp_path):
    catalog = load_catalog(book(tmp_path))

    with pytest.raises(NotYetInForce, match="2020-01-01"):
        catalog.parameter("test.days", date(2019, 12, 31))


def test_an_unknown_code_names_its_neighbors():
    with pytest.raises(UnknownCode, match=r"penalty\.multiplier_ppm"):
        rulebook.parameter("penalty.multiplier", date(2024, 1, 1))
    with pytest.raises(UnknownCode, match="CC-561"):
        rulebook.clause("CC-5611")
    with pytest.raises(KeyError):
        rulebook.history("nothing.like_it")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("    unit: 天\n", "", "unit"),
        ("    unit: 天\n", "    unit: 年\n", "unit"),
        ("    source: 测试资料\n    origin", "    origin", "source"),
        ("    clause: TEST-1\n", "", "clause"),
        ("    last_checked: 2026-01-01\n    values", "    values", "last_checked"),
        ("    origin: DES\n", "", "origin"),
        ("    origin: DES\n", "    origin: G?\n", "unsure"),
        ("    origin: DES\n", "    origin: 听说\n", "origin"),
        ("value: 3}", "value: 3.5}", "小数"),
        ("value: 3}", "value: true}", "应为整数"),
        ("value: 3}", "value: '3'}", "应为整数"),
        ("value: 3}", "value: -3}", "不能为负"),
        ("from: 2021-01-01", "from: 2020-01-01", "重复"),
        ("from: 2021-01-01", "from: 2019-01-01", "先后"),
        ("published_on: 2020-12-01", "published_on: 2021-02-01", "追溯"),
        ("from: 2020-01-01", "from: 2019-12-31", "才施行"),
        ("    clause: TEST-1\n", "    clause: TEST-2\n", "TEST-1"),
        ("    type: days\n", "    type: days\n    maximum: 4\n", "高于上限"),
        ("    type: days\n", "    type: days\n    minimum: 4\n", "低于下限"),
        ("    name: 测试天数\n", "    name: 测试天数\n    colour: red\n", "不认识"),
        ("    name: 测试天数\n", "    name: 测试天数\n    name: 又一个\n", "两次"),
        ("    name: 测试天数\n", "", "name"),
        ("type: days", "type: decimal", "type"),
    ],
)
def test_each_guard_bites_and_names_file_code_and_field(tmp_path, old, new, field):
    assert old in PARAMETER
    with pytest.raises(RulebookError) as caught:
        load_catalog(book(tmp_path, PARAMETER.replace(old, new, 1)))

    text = str(caught.value)
    assert "parameters/test.yaml" in text
    assert field in text
    if "两次" not in field:  # a duplicate key stops the YAML reader before any code is known
        assert any(problem.code == "test.days" for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("kind", "extra", "value", "why"),
    [
        ("table", "", "[[1, 2]]", "列名称"),
        ("table", "    columns: [甲, 乙]\n", "[[1, 2], [1, 3]]", "递增"),
        ("table", "    columns: [甲, 乙]\n", "[[1, 2, 3]]", "2 列"),
        ("table", "    columns: [甲, 乙]\n", "7", "非空表格"),
        ("list", "", "[1, 1]", "重复"),
        ("list", "", "[]", "非空列表"),
        ("list", "    choices: [甲]\n", "[乙]", "可选值"),
        ("text", "    choices: [甲, 乙]\n", "丙", "可选值"),
        ("text", "", "3", "应为文字"),
        ("bool", "", "1", "true"),
        ("text", "    minimum: 1\n", "甲", "上下限"),
    ],
)
def test_each_shape_is_checked(tmp_path, kind, extra, value, why):
    unit = "是否" if kind == "bool" else "代码"
    text = f"""
parameters:
  - code: test.shape
    name: 测试形状
    type: {kind}
    unit: {unit}
{extra}    clause: TEST-1
    source: 测试资料
    origin: DES
    last_checked: 2026-01-01
    values:
      - {{from: 2020-01-01, value: {value}}}
"""
    with pytest.raises(RulebookError, match=why):
        load_catalog(book(tmp_path, text))


def test_all_errors_are_told_at_once(tmp_path):
    second = PARAMETER.split("parameters:\n")[1].replace("test.days", "test.other").replace("value: 3}", "value: 1.5}")
    with pytest.raises(RulebookError) as caught:
        load_catalog(book(tmp_path, PARAMETER.replace("    unit: 天\n", "", 1) + second))

    assert {problem.code for problem in caught.value.problems} == {"test.days", "test.other"}


def test_a_code_is_defined_once(tmp_path):
    root = book(tmp_path)
    (root / "parameters" / "again.yaml").write_text(PARAMETER, encoding="utf-8")

    with pytest.raises(RulebookError, match=r"已在 parameters/again\.yaml 定义"):
        load_catalog(root)


def test_a_clause_that_ends_before_it_begins_is_refused(tmp_path):
    clause = CLAUSE.replace("in_force_from: 2020-01-01\n", "in_force_from: 2020-01-01\n    in_force_to: 2019-01-01\n")
    with pytest.raises(RulebookError, match="不晚于"):
        load_catalog(book(tmp_path, clause=clause))


def test_typed_access_refuses_the_wrong_type():
    thresholds = rulebook.parameter("classification.dpd_thresholds", date(2026, 1, 1))
    assert thresholds.as_int_rows() == ((1, 2), (91, 3), (271, 4), (361, 5))
    with pytest.raises(TypeError, match="不是整数"):
        thresholds.as_int()
    with pytest.raises(TypeError, match="列表"):
        rulebook.parameter("penalty.grace_days", date(2026, 1, 1)).as_ints()
    with pytest.raises(TypeError, match="不是整数"):
        rulebook.parameter("penalty.grace_retroactive", date(2026, 1, 1)).as_int()


def test_the_shipped_values_are_those_of_the_law():
    on = date(2026, 11, 22)
    assert rulebook.parameter("penalty.multiplier_ppm", on).as_int() == 1_500_000
    assert (
        rulebook.history("penalty.multiplier_ppm")[-1].minimum,
        rulebook.history("penalty.multiplier_ppm")[-1].maximum,
    ) == (
        1_300_000,
        1_500_000,
    )
    assert rulebook.parameter("misuse.multiplier_ppm", on).as_int() == 2_000_000
    order = rulebook.parameter("repayment.allocation_order", on)
    assert order.as_texts() == ("fee", "penalty", "compound", "interest", "principal")
    assert rulebook.clause(order.clause).citation == "《中华人民共和国民法典》第五百六十一条"
    assert rulebook.parameter("repayment.allocation_order", date(2020, 1, 1)).clause == "SPC-2009-5-21"
    assert rulebook.parameter("repayment.npl_allocation_enabled", on).as_bool() is False
    assert rulebook.parameter("recovery.followup_ladder_dpd", on).as_ints() == (1, 3, 7, 30, 60, 83)
    assert rulebook.parameter("retention.aml_years", date(2024, 12, 31)).as_int() == 5
    assert rulebook.parameter("retention.aml_years", date(2025, 1, 1)).as_int() == 10


def test_the_band_of_the_penalty_multiplier_bites(tmp_path):
    text = (Path(rulebook.__file__).parent / "parameters" / "penalty.yaml").read_text(encoding="utf-8")
    clauses = "\n".join(
        path.read_text(encoding="utf-8").split("clauses:\n", 1)[1]
        for path in (Path(rulebook.__file__).parent / "clauses").glob("*.yaml")
    )
    with pytest.raises(RulebookError, match="高于上限 1500000"):
        load_catalog(book(tmp_path, text.replace("value: 1_500_000", "value: 1_600_000", 1), "clauses:\n" + clauses))


@pytest.mark.parametrize(
    ("on", "one_year", "five_years"),
    [
        (date(2019, 8, 20), 42_500, 48_500),
        (date(2022, 5, 19), 37_000, 46_000),
        (date(2022, 5, 20), 37_000, 44_500),
        (date(2024, 2, 19), 34_500, 42_000),
        (date(2024, 2, 20), 34_500, 39_500),
        (date(2024, 10, 21), 31_000, 36_000),
        (date(2026, 1, 20), 30_000, 35_000),
    ],
)
def test_lpr_turns_on_its_day_of_publication(on, one_year, five_years):
    assert rulebook.parameter("lpr.1y", on).as_int() == one_year
    assert rulebook.parameter("lpr.5y", on).as_int() == five_years


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="没有 ../shared/data/lpr.csv，跳过逐行核对")
def test_lpr_agrees_with_the_data_set_line_by_line():
    with DATA.open(encoding="utf-8") as lines:
        given = [
            (date.fromisoformat(r["publish_date"]), r["lpr_1y_pct"], r["lpr_5y_pct"]) for r in csv.DictReader(lines)
        ]

    def history(code):
        return [
            (item.effective_from, f"{item.as_int() // 10_000}.{item.as_int() // 100 % 100:02d}")
            for item in rulebook.history(code)
        ]

    assert history("lpr.1y") == [(day, one) for day, one, _ in given]
    assert history("lpr.5y") == [(day, five) for day, _, five in given]
