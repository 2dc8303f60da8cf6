"""签约文书的数据：借款合同、保证合同。金额、利率、日期出模型时才写成文字；模板只摆放。"""

from __future__ import annotations

from typing import ClassVar

from pydantic import computed_field

from sancha.apps.servicing.documents.models import Document, FullDate, Percent, ScheduleRow, Yuan
from sancha.kernel.money import rmb_uppercase


class LoanAgreementPaper(Document):
    """借款合同。``bold_terms`` 是要逐条提示的条款，排成粗体。"""

    template: ClassVar[str] = "loan_agreement.typ"
    lender: str
    lender_address: str
    borrower: str
    identity: str
    address: str
    phone: str
    spouse_signs: bool
    purpose: str
    amount_fen: Yuan
    term: str
    rate_ppm: Percent
    penalty_ppm: Percent
    misuse_ppm: Percent
    method: str
    guarantee: str
    conditions: tuple[str, ...]
    schedule: tuple[ScheduleRow, ...]
    drawn_on: FullDate
    void_note: str

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way; mypy does not know it
    @property
    def amount_words(self) -> str:
        """金额大写。"""
        return rmb_uppercase(self.amount_fen, prefix="人民币")


class GuaranteeAgreementPaper(Document):
    """保证合同：写明连带责任与保证期间（民法典第六百八十六条、第六百九十二条）。"""

    template: ClassVar[str] = "guarantee_agreement.typ"
    lender: str
    guarantor: str
    identity: str
    address: str
    phone: str
    borrower: str
    main_number: str
    amount_fen: Yuan
    term: str
    guarantee_years: int
    drawn_on: FullDate
    void_note: str

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way; mypy does not know it
    @property
    def amount_words(self) -> str:
        """金额大写。"""
        return rmb_uppercase(self.amount_fen, prefix="人民币")
