"""材料清单：情形成立才要，事实不知道就待定，种下的毛病体检报得出来。"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

import sancha.rulebook as rulebook
from sancha.rulebook.lint import lint
from sancha.rulebook.materials import checklist, material_lists

ROOT = Path(rulebook.__file__).parent
FARMER = {
    "applicant.kind": "FARMER",
    "applicant.marital_status": "DIVORCED",
    "applicant.has_local_hukou": True,
    "loan.guarantee": "GUARANTEE",
}


def wanted(**changes: object) -> dict[str, tuple[str, ...]]:
    values = FARMER | {name.replace("__", "."): value for name, value in changes.items()}
    known = {name: value for name, value in values.items() if value is not None}
    return {item.material.code: item.missing for item in checklist("S11", known)}


def test_a_divorced_farmer_with_a_guarantor() -> None:
    assert list(wanted()) == [
        "id_card", "temporary_id", "land_contract", "bureau_authorization", "guarantor_id_card", "guarantor_income",
        "guarantor_authorization",
    ]  # fmt: skip
    assert not any(wanted().values())


def test_the_married_bring_the_spouse_and_a_merchant_the_license() -> None:
    married = wanted(applicant__marital_status="MARRIED")
    assert {"spouse_id_card", "marriage_certificate", "same_household_book"} <= set(married)
    merchant = wanted(applicant__kind="MERCHANT", applicant__is_license_holder=False)
    assert {"license", "license_permission"} <= set(merchant)
    assert "land_contract" not in merchant
    assert "license_permission" not in wanted(applicant__kind="MERCHANT", applicant__is_license_holder=True)
    assert "residence_proof" in wanted(applicant__has_local_hukou=False)


def test_what_is_not_known_is_undecided_and_names_the_fact() -> None:
    found = wanted(applicant__marital_status=None)
    assert found["spouse_id_card"] == ("applicant.marital_status",)
    assert found["id_card"] == ()


def test_joint_guarantee_asks_nothing_of_a_single_guarantor_and_an_unknown_program_nothing() -> None:
    assert not [code for code in wanted(loan__guarantee="JOINT_GUARANTEE") if code.startswith("guarantor")]
    assert checklist("S99", FARMER) == []


def test_the_shipped_lists_have_one_line_for_each_code() -> None:
    for program, listed in material_lists().items():
        codes = [item.document.code for item in listed]
        assert len(set(codes)) == len(codes), program


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in ("clauses", "parameters", "programs", "facts", "rules", "packs", "materials"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("clause: CREDIT-2013-18", "clause: CREDIT-2013-180", "CREDIT-2013-18"),
        ("'MARRIED'\"", "'WEDDED'\"", "MARRIED"),
        ("not applicant.has_local_hukou", "applicant.has_hukou", "has_hukou"),
        ("not applicant.has_local_hukou", "household.laborers", "应是条件"),
        ("origin: PL}", "origin: G?}", "unsure"),
        ("before: REVIEW, one_of", "before: SOMEDAY, one_of", "before"),
        ("code: temporary_id", "code: id_card", "重复"),
    ],
)
def test_a_list_that_does_not_hold_together_is_an_error(copied: Path, old: str, new: str, word: str) -> None:
    path = copied / "materials" / "s11.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    errors = [problem for problem in lint(on=date(2026, 8, 25), root=copied) if problem.level == "error"]
    assert errors
    assert any(word in str(problem) for problem in errors), [str(problem) for problem in errors]
    assert all(problem.file == "materials/s11.yaml" for problem in errors)
