"""证件核对与遮蔽：国标样例、逐位报错、不泄露正确的校验码。"""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from sancha.apps.parties.identity import ALLOWED, IdKind, check_identity, normalized
from sancha.apps.parties.intake import clean_name, clean_phone, prepare
from sancha.apps.parties.masking import mask_address, mask_contact, mask_id_number, mask_name, mask_phone
from sancha.kit.errors import DomainError
from sancha.rulebook.vocabulary import CustomerKind

ON = date(2026, 3, 2)
SAMPLE = "11010519491231002X"  # GB 11643 附录
USCC_SAMPLE = "91350100M000100Y43"


def resident(number: str, kind: str = "RESIDENT_ID"):
    return check_identity(CustomerKind.PERSON, kind, number, on=ON)


def message(number: str, kind: str = "RESIDENT_ID", customer: CustomerKind = CustomerKind.PERSON) -> DomainError:
    with pytest.raises(DomainError) as caught:
        check_identity(customer, kind, number, on=ON)
    return caught.value


def test_the_sample_of_the_standard():
    found = resident(SAMPLE)
    assert (found.number, found.birth, found.gender) == (SAMPLE, date(1949, 12, 31), "FEMALE")
    assert found.key == f"RIC:{SAMPLE}"


@pytest.mark.parametrize(
    "written",
    [
        "11010519491231002x",
        " 110105 19491231 002X ",
        "".join(chr(ord(letter) + 0xFEE0) for letter in "11010519491231002X"),
        "110105-19491231-002X",
    ],
)
def test_one_number_however_it_is_written(written):
    assert resident(written).key == f"RIC:{SAMPLE}"


def test_a_temporary_card_is_the_same_person():
    assert resident(SAMPLE, "TEMPORARY_ID").key == resident(SAMPLE).key


def test_an_old_number_of_fifteen_digits_is_the_same_person():
    assert resident("110105491231002").key == f"RIC:{SAMPLE}"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("", "没有填"),
        ("1101051949123100", "应为 18 位，现为 16 位"),
        ("110105194912310021", "第 18 位校验码"),
        ("110150194912310025", "第 18 位校验码"),
        ("1101051949123100O2", "第 17 位不是数字"),
        ("X10105194912310021", "第 1 位不是数字"),
        ("11010519491231002Z", "第 18 位不是数字或 X"),
        ("990105194912310021", "第 1 至 2 位"),
        ("110105194913310021", "第 7 至 14 位"),
        ("110105194902290021", "第 7 至 14 位"),
        ("110105202603030021", "晚于营业日"),
        ("110105189912310021", "过早"),
    ],
)
def test_an_error_names_the_place(number, words):
    error = message(number)
    assert words in error.message
    assert error.code == "ID_NUMBER_WRONG"
    assert error.fix


def test_an_error_tells_neither_the_number_nor_the_right_digit():
    wrong = "110105194912310021"
    error = message(wrong)
    text = f"{error.message}{error.fix}{error.value}"
    assert wrong not in text
    assert "X" not in text
    assert error.value == "110105********0021"
    assert "GB 11643" in (error.clause or "")


@given(
    st.sampled_from(["110105", "510823", "330106", "440305"]),
    st.dates(date(1930, 1, 1), date(2008, 12, 31)),
    st.integers(0, 999),
    st.integers(0, 17),
    st.integers(1, 9),
)
def test_any_single_wrong_digit_is_found(region, birth, order, place, shift):
    body = f"{region}{birth:%Y%m%d}{order:03d}"
    number = body + ric.calc_check_digit(body + "0")
    assert resident(number).birth == birth
    assert (resident(number).gender == "MALE") == bool(order % 2)
    if number[place].isdigit():
        broken = f"{number[:place]}{(int(number[place]) + shift) % 10}{number[place + 1 :]}"
        with pytest.raises(DomainError):
            resident(broken)


def test_a_company_by_its_code():
    found = check_identity(CustomerKind.COMPANY, "USCC", USCC_SAMPLE.lower(), on=ON)
    assert (found.number, found.key, found.birth, found.gender) == (USCC_SAMPLE, f"USCC:{USCC_SAMPLE}", None, "")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("91350100M000100Y44", "第 18 位校验码"),
        ("91350100M000100Y4", "应为 18 位"),
        ("91350100I000100Y43", "第 9 位不是允许的字符"),
        ("913501A0M000100Y43", "第 7 位应为数字"),
    ],
)
def test_an_error_of_a_company_code_names_the_place(number, words):
    error = message(number, "USCC", CustomerKind.COMPANY)
    assert words in error.message
    assert "GB 32100" in (error.clause or "")


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=9, max_size=9), st.integers(0, 16))
def test_a_wrong_letter_of_a_company_code_is_found(body, place):
    head = f"91110105{body}"
    number = head + uscc.calc_check_digit(head)
    assert check_identity(CustomerKind.COMPANY, "USCC", number, on=ON).number == number
    other = "5" if number[place] != "5" else "7"
    with pytest.raises(DomainError):
        check_identity(CustomerKind.COMPANY, "USCC", number[:place] + other + number[place + 1 :], on=ON)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("PASSPORT", "E12345678", "E1"),
        ("HK_MACAU_PERMIT", "H12345678", "K12345678"),
        ("TAIWAN_PERMIT", "12345678", "1234567"),
        ("FOREIGN_PERMANENT", "USA110000000001", "US110000000001"),
        ("HMT_RESIDENCE", "810000199001010019", SAMPLE),
        ("MILITARY", "军字第1234567号", "军"),
        ("OTHER", "KIVA-1234", "X" * 41),
    ],
)
def test_other_papers_have_their_shape(kind, good, bad):
    assert resident(good, kind).number == normalized(good)
    assert message(bad, kind).code == "ID_NUMBER_WRONG"


def test_a_kind_of_paper_fits_a_kind_of_customer():
    assert message(SAMPLE, "RESIDENT_ID", CustomerKind.COMPANY).code == "ID_KIND_WRONG"
    assert message("", "ABSENT", CustomerKind.PERSON).code == "ID_KIND_WRONG"
    assert message("1", "ABSENT", CustomerKind.GROUP).code == "ID_NUMBER_WRONG"
    assert check_identity(CustomerKind.GROUP, "ABSENT", "", on=ON).key is None
    assert message(SAMPLE, "PASPORT").code == "ID_KIND_WRONG"
    assert set(ALLOWED) == set(CustomerKind)
    assert set().union(*ALLOWED.values()) == set(IdKind)


# 资料与遮蔽 --------------------------------------------------------------------------------------------------

ROW = {"kind": "FARMER", "name": "王伟", "id_kind": "RESIDENT_ID", "id_number": SAMPLE}


def test_birth_and_gender_come_from_the_card():
    prepared, errors = prepare(ROW, on=ON)
    assert errors == []
    assert (prepared.values["birth"], prepared.values["gender"]) == (date(1949, 12, 31), "FEMALE")


def test_the_chinese_name_of_a_kind_is_understood():
    assert prepare(ROW | {"kind": "农户"}, on=ON)[0].values["kind"] == "FARMER"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"birth": "1949-12-30"}, "BIRTH_DIFFERS"),
        ({"gender": "男"}, "GENDER_DIFFERS"),
        ({"gender": "不详"}, "GENDER_UNKNOWN"),
        ({"birth": "1949/12/31x"}, "DATE_WRONG"),
        ({"phone": "12345678901"}, "PHONE_WRONG"),
        ({"phone": 13800138000}, "NOT_TEXT"),
        ({"id_number": 110105194912310021}, "NOT_TEXT"),
        ({"industry_code": "Z99"}, "INDUSTRY_WRONG"),
        ({"name": "  "}, "NAME_WRONG"),
        ({"address": "长" * 201}, "TEXT_TOO_LONG"),
        ({"kind": "火星人"}, "CUSTOMER_KIND_UNKNOWN"),
        ({"officer_id": "7"}, "NOT_A_NUMBER"),
        ({"favourite": "x"}, "FIELD_UNKNOWN"),
    ],
)
def test_each_doubtful_field_is_named(change, code):
    prepared, errors = prepare(ROW | change, on=ON)
    assert prepared is None
    assert [error.code for error in errors] == [code]
    assert all(error.field and error.fix for error in errors)


def test_all_faults_of_a_row_are_told_at_once():
    _, errors = prepare(ROW | {"phone": "1", "name": "", "id_number": "1"}, on=ON)
    assert {error.field for error in errors} == {"phone", "name", "id_number"}


def test_names_and_phones_are_written_one_way():
    assert clean_name(" 王  伟 ") == "王伟"
    assert clean_name("阿依努尔•买买提") == "阿依努尔·买买提"
    assert clean_name("John  Smith") == "John Smith"
    assert clean_phone("+86 138-0013-8000") == "13800138000"
    assert clean_phone("(0839) 661 2345") == "08396612345"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (mask_id_number(SAMPLE), "110105********002X"),
        (mask_id_number("E1234567"), "E******7"),
        (mask_id_number(""), ""),
        (mask_phone("13800138000"), "138****8000"),
        (mask_phone("08396612345"), "0*********5"),
        (mask_address("四川省广元市剑阁县柳溪镇3组12号"), "四川省广元市剑阁县****"),
        (mask_address("柳溪镇3组"), "柳溪****"),
        (mask_address("北京市朝阳区"), "北京****"),
        (mask_name("王伟"), "王*"),
        (mask_name("欧阳修文"), "欧***"),
        (mask_contact("EMAIL", "wang@example.com"), "w****@example.com"),
        (mask_contact("WECHAT", "wxid"), "w**d"),
        (mask_contact("MOBILE", "13800138000"), "138****8000"),
    ],
)
def test_masks(shown, expected):
    assert shown == expected
