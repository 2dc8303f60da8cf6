"""表格：写出再读回一字不差；坏文件说得清；公式与压缩炸弹进不来。"""

import io
import zipfile
from datetime import UTC, date, datetime

import pytest
import xlsxwriter

from sancha.kernel.money import parse_yuan
from sancha.kit.errors import DomainError
from sancha.kit.spreadsheets import Column, Kind, display_width, read_table, reading, write_csv, write_table, writing

COLUMNS = (
    Column("no", "借据号"),
    Column("name", "姓名"),
    Column("identity", "证件号"),
    Column("amount", "金额", Kind.MONEY),
    Column("days", "逾期天数", Kind.INTEGER),
    Column("due", "应还日", Kind.DATE),
    Column("rate", "年利率", Kind.RATE),
    Column("at", "时刻", Kind.DATETIME),
)
ROWS = (
    {
        "no": "0012-001",
        "name": "买买提·艾力",
        "identity": "11010519491231002X",
        "amount": 123_456_789_012_345,
        "days": 0,
        "due": date(2026, 1, 31),
        "rate": 144_000,
        "at": datetime(2026, 1, 31, 1, 2, 3, tzinfo=UTC),
    },
    {"no": "=1+1", "name": "-张三", "identity": "440106199001011234", "amount": -5, "days": 91, "rate": 43_500},
    {"no": "'=quoted", "name": "@李四", "identity": "x\ny", "amount": 0},
)
SHOWN = (
    ("0012-001", "买买提·艾力", "11010519491231002X", 123_456_789_012_345, "0", "2026-01-31"),
    ("=1+1", "-张三", "440106199001011234", -5, "91", ""),
    ("'=quoted", "@李四", "x\ny", 0, "", ""),
)


def xlsx(**changes) -> bytes:
    target = io.BytesIO()
    write_table(target, **{"columns": COLUMNS, "rows": ROWS, **changes})
    return target.getvalue()


def shown(table):
    return tuple(
        (
            row.cells["借据号"],
            row.cells["姓名"],
            row.cells["证件号"],
            parse_yuan(row.cells["金额"], allow_negative=True),
            row.cells["逾期天数"],
            row.cells["应还日"],
        )
        for row in table.rows
    )


def bare(rows, formats=None) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        for line, row in enumerate(rows):
            for index, value in enumerate(row):
                sheet.write(line, index, value)
    return target.getvalue()


def refused(code, content, **options):
    with pytest.raises(DomainError) as caught:
        read_table(content, **options)
    assert caught.value.code == code
    assert caught.value.fix
    return caught.value


def test_xlsx_round_trip_with_title_notes_and_totals():
    content = xlsx(totals={"amount": 123_456_789_012_340}, title="贷款台账", notes=["机构：样例支行　日期：2026-01-31"])
    table = read_table(content, required=["借据号", "金额"])
    assert shown(table) == SHOWN
    assert table.header_row == 3
    assert [row.number for row in table.rows] == [4, 5, 6]
    assert [parse_yuan(row.cells["金额"]) for row in table.totals] == [123_456_789_012_340]
    assert table.rows[0].cells["时刻"] == "2026-01-31 09:02:03"
    assert table.rows[0].cells["年利率"] == "0.144"
    assert not any(row.doubts for row in table.rows)


def test_xlsx_holds_no_formula_and_ids_are_text():
    with zipfile.ZipFile(io.BytesIO(xlsx())) as archive:
        body = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in body
    assert "<autoFilter" in body
    assert 'state="frozen"' in body
    assert 't="inlineStr"' in body


def test_money_is_written_exactly():
    """每个金额写进文件的数字就是那个数，不是它的浮点近似。"""
    amounts = [1, 10, 29, 115, 450_359_962_737_049, 999_999_999_999_999, 10**15]
    content = xlsx(rows=[{"no": str(fen), "amount": fen} for fen in amounts])
    assert [parse_yuan(row.cells["金额"]) for row in read_table(content).rows] == amounts
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "<v>9999999999999.99</v>" in archive.read("xl/worksheets/sheet1.xml").decode()


def test_widths_count_chinese_twice():
    assert display_width("贷款ab") == 6
    assert display_width("一\n两个字") == 6
    with zipfile.ZipFile(io.BytesIO(xlsx(columns=[Column("a", "栏")], rows=[{"a": "很" * 10}]))) as archive:
        assert 'width="21.7' in archive.read("xl/worksheets/sheet1.xml").decode()


@pytest.mark.parametrize("value", [1.5, True, "1"])
def test_money_column_takes_only_fen(value):
    with pytest.raises(TypeError):
        xlsx(rows=[{"amount": value}])


def test_too_many_rows_is_said(monkeypatch):
    monkeypatch.setattr(writing, "MAX_SHEET_ROWS", 10)
    with pytest.raises(DomainError) as caught:
        xlsx(rows=[{"no": "1"}] * 20)
    assert caught.value.code == "SHEET_TOO_LONG"
    refused("SHEET_TOO_LONG", bare([["a", "b"]] + [[1, 2]] * 20), max_rows=10)


def test_bad_sheet_name_is_said():
    with pytest.raises(DomainError) as caught:
        xlsx(sheet="a/b")
    assert caught.value.code == "SHEET_NAME"


def test_csv_round_trip_and_injection_guard():
    target = io.BytesIO()
    assert write_csv(target, columns=COLUMNS, rows=ROWS) == 3
    text = target.getvalue().decode("utf-8-sig")
    assert target.getvalue().startswith(b"\xef\xbb\xbf")
    assert "'=1+1,'-张三" in text
    assert "'@李四" in text
    assert ",-0.05," in text  # a negative amount is a number, not a formula
    assert shown(read_table(target.getvalue())) == SHOWN


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_csv_encodings_and_delimiters(encoding, delimiter):
    content = delimiter.join(["借据号", "姓名"]) + "\r\n" + delimiter.join(["1", "王䶮"]) + "\r\n"
    table = read_table(content.encode(encoding))
    assert [row.cells for row in table.rows] == [{"借据号": "1", "姓名": "王䶮"}]


def test_csv_row_numbers_survive_line_breaks_in_cells():
    table = read_table(b'a,b\n1,"x\ny"\n\n2,z\n')
    assert [(row.number, row.cells["b"]) for row in table.rows] == [(2, "x\ny"), (5, "z")]


def test_numbers_are_read_as_excel_shows_them():
    table = read_table(bare([["x", "y"], [0.1 + 0.2, 1234.5], [100, 44927]]))
    assert [(row.cells["x"], row.cells["y"]) for row in table.rows] == [("0.3", "1234.5"), ("100", "44927")]


def test_identity_stored_as_number_is_doubted():
    table = read_table(bare([["姓名", "证件号"], ["甲", 110105194912310029]]))
    assert table.rows[0].cells["证件号"].startswith("110105194912310")
    assert "丢失" in table.rows[0].doubts["证件号"]


def test_cell_outside_the_header_is_kept_and_doubted():
    table = read_table(bare([["a", "b"], [1, 2, "多"]]))
    assert table.rows[0].cells["（C列）"] == "多"
    assert "表头之外" in table.rows[0].doubts["（C列）"]


def test_header_is_found_below_a_title_and_named():
    table = read_table(bare([["某行贷款台账"], [], ["借据号", "金 额"], ["1", 2]]))
    assert (table.header_row, table.columns) == (3, ("借据号", "金额"))


def test_header_faults():
    assert (
        "合同号" in refused("SHEET_HEADER", bare([["借据号", "金额"], [1, 2]]), required=["借据号", "合同号"]).message
    )
    assert "A、B 列" in refused("SHEET_HEADER_DUPLICATE", bare([["金额", "金额"], [1, 2]])).message
    refused("SHEET_EMPTY", bare([]))
    refused("SHEET_EMPTY", b"")


def test_wrong_sheet_names_the_sheets():
    assert "Sheet1" in refused("SHEET_NOT_FOUND", bare([["a", "b"]]), sheet="台账").message


def test_unreadable_files():
    refused("SHEET_UNREADABLE", b"<html><table></table></html>")
    refused("SHEET_UNREADABLE", b"\xef\xbb\xbf\n<html>")
    refused("SHEET_UNREADABLE", xlsx()[:200])
    refused("SHEET_UNREADABLE", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100)
    refused("SHEET_UNREADABLE", b'a,b\n1,"x\n')
    refused("CSV_ENCODING", bytes(range(256)))
    refused("CSV_ENCODING", b"%PDF-1.7\n\0\xff\xff")


def test_zip_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(reading, "MAX_UNPACKED_BYTES", 1000)
    refused("SHEET_TOO_LONG", xlsx())


def test_hidden_sheets_are_not_read():
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        book.add_worksheet("可见").write_row(0, 0, ["a", "b"])
        hidden = book.add_worksheet("隐藏")
        hidden.hide()
    table = read_table(target.getvalue())
    assert table.sheets == ("可见",)
    refused("SHEET_NOT_FOUND", target.getvalue(), sheet="隐藏")


def test_path_and_stream_are_the_same(tmp_path):
    path = tmp_path / "台账.xlsx"
    assert write_table(path, columns=COLUMNS, rows=ROWS) == 3
    with path.open("rb") as stream:
        assert shown(read_table(stream)) == shown(read_table(path)) == SHOWN
