"""单据引擎与各种单据：排得出、页数对、可重现、文字只是文字、大小写同源、不平不出。"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import typst
from pydantic import ValidationError

from sancha.apps.servicing import documents
from sancha.apps.servicing.documents import models as m
from sancha.apps.servicing.documents import print_document
from sancha.kit.documents import ROOT, DocumentError, _compiler, render
from tests.support.sample_documents import PRINTED_AT, SAMPLES, letterhead, schedule

TEMPLATES = Path(documents.__file__).parent


def pages(document: m.Document) -> int:
    made = _compiler().compile(
        input=TEMPLATES / document.template,
        format="png",
        ppi=20,
        sys_inputs={"data": json.dumps(document.model_dump())},
    )
    return len(made) if isinstance(made, list) else 1


@pytest.mark.parametrize("name", SAMPLES)
def test_each_document_is_one_page_of_pdf(name):
    document = SAMPLES[name]
    made = print_document(document)
    assert made.startswith(b"%PDF-")
    assert b"NotoSerifSC" in made
    assert pages(document) == 1


def test_every_template_has_a_sample_and_every_sample_a_template():
    assert {path.stem for path in TEMPLATES.glob("*.typ")} == set(SAMPLES)
    assert {document.template for document in SAMPLES.values()} == {f"{name}.typ" for name in SAMPLES}


def test_long_tables_go_on_over_pages():
    plan = SAMPLES["repayment_schedule"]
    assert pages(plan.model_copy(update={"rows": schedule() * 5})) == 3
    voucher = SAMPLES["voucher"]
    assert pages(voucher.model_copy(update={"entries": voucher.entries * 4})) == 2


def test_templates_use_every_figure_they_are_given():
    """改一个金额，纸面必须变：没有哪个模板漏印了它拿到的数。"""
    loan = SAMPLES["loan_note"].loan
    for name in ("loan_note", "repayment_schedule", "interest_list", "settlement_certificate", "release_list"):
        document = SAMPLES[name]
        other = document.model_copy(update={"loan": loan.model_copy(update={"principal_fen": 5_000_001})})
        assert print_document(other) != print_document(document), name


def test_same_input_same_bytes():
    document = SAMPLES["loan_note"]
    assert print_document(document) == print_document(document)


def test_threads_do_not_disturb_each_other():
    names = list(SAMPLES) * 2
    alone = {name: print_document(SAMPLES[name]) for name in SAMPLES}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: print_document(SAMPLES[name]), names))
    assert all(made == alone[name] for name, made in zip(names, together, strict=True))


def test_customer_text_is_never_markup():
    """客户写的排版命令原样印出来，不执行；也读不到包外的文件。"""
    hostile = '#strong[x] *粗* $x^2$ #read("/config/settings.py") \\ <a> @b // c'
    probe = b'#import "/kit/documents/paper.typ": data\n#data.words'
    page = _compiler().compile(input=probe, format="html", sys_inputs={"data": json.dumps({"words": hostile})})
    shown = page.decode().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert hostile in shown


def test_templates_cannot_read_outside_the_package():
    with pytest.raises(typst.TypstError):
        _compiler().compile(input=b'#read("/../../pyproject.toml")', sys_inputs={"data": "{}"})


def test_missing_data_names_the_template():
    with pytest.raises(DocumentError, match=r"voucher\.typ"):
        render(TEMPLATES / "voucher.typ", {"letterhead": {}}, at=PRINTED_AT)
    with pytest.raises(DocumentError, match="时区"):
        render(TEMPLATES / "voucher.typ", {}, at=datetime(2026, 1, 1))  # noqa: DTZ001  # naive on purpose


def test_fonts_come_with_the_package():
    made = print_document(SAMPLES["voucher"])
    assert b"Libertinus" not in made
    assert ROOT.name == "sancha"


def test_figures_and_words_come_from_one_number():
    data = SAMPLES["loan_note"].model_dump()
    assert data["loan"]["principal_fen"] == "50,000.00"
    assert data["loan"]["principal_words"] == "人民币伍万元整"
    assert data["loan"]["monthly_rate"] == "12.0000‰"
    assert data["digits"] == ["", "", "", "￥", "5", "0", "0", "0", "0", "0", "0"]
    assert data["signed_words"] == "贰零贰陆年零壹月壹拾伍日"
    receipt = SAMPLES["repayment_receipt"].model_dump()
    assert (receipt["amount"], receipt["amount_words"]) == ("4,509.49", "人民币肆仟伍佰零玖元肆角玖分")
    assert SAMPLES["repayment_schedule"].model_dump()["totals"]["interest_fen"] == "3,985.26"
    assert receipt["letterhead"]["printed_at"] == "2026-11-22 10:15:30"


def test_unbalanced_voucher_is_not_printed():
    voucher = SAMPLES["voucher"]
    with pytest.raises(ValueError, match="不平"):
        print_document(voucher.model_copy(update={"entries": voucher.entries[:-1]}))


def test_unbalanced_trial_balance_says_by_how_much():
    table = SAMPLES["trial_balance"]
    assert table.model_dump()["verdict"] == "借贷平衡"
    off = table.model_copy(update={"rows": table.rows[1:]}).model_dump()["verdict"]
    assert off.startswith("不平衡：期初借方比贷方多 -32,100.00")


def test_a_copy_with_another_amount_is_computed_afresh():
    loan = SAMPLES["loan_note"].loan
    before = loan.principal_words
    other = loan.model_copy(update={"principal_fen": 100})
    assert (other.principal_words, other.model_dump()["principal_words"]) == ("人民币壹元整", "人民币壹元整")
    assert loan.principal_words == before


def test_amount_beyond_the_digit_boxes_is_refused():
    note = SAMPLES["loan_note"]
    huge = note.model_copy(update={"loan": note.loan.model_copy(update={"principal_fen": 10**10})})
    with pytest.raises(ValueError, match="分栏"):
        print_document(huge)


def test_models_take_no_unknown_field_and_no_naive_time():
    with pytest.raises(ValidationError):
        m.Handlers(handler="甲", cheker="乙")
    with pytest.raises(ValidationError):
        m.Letterhead(institution="x", number="1", printed_by="y", printed_at=datetime(2026, 1, 1))  # noqa: DTZ001  # naive on purpose
    assert letterhead("1").number == "1"


def test_disclosure_lines_add_up_on_paper():
    data = SAMPLES["cost_disclosure"].model_dump()
    assert data["totals"]["rate_ppm"] == data["total_ppm"]
    assert "年化" in data["convention"]
    assert "不再" in data["closing_sentence"]
