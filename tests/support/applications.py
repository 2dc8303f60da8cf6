"""一案的工厂：农户王秀兰在柳溪支行申请五万元保证贷款，逐步走到任何一步。"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from stdnum.cn import ric

from sancha.apps.origination import operations, queries
from sancha.apps.origination.elements import Elements
from sancha.apps.origination.models import Application, CaseGuarantor
from sancha.apps.origination.operations import Observation
from sancha.apps.parties import operations as parties
from sancha.apps.products import operations as products
from sancha.apps.work.models import Task
from sancha.apps.work.operations import submit_task
from sancha.kernel.dates import PeriodUnit
from sancha.kernel.terms import Method
from sancha.kit.actor import SYSTEM, Actor
from sancha.rulebook.facts import Evidence
from sancha.rulebook.vocabulary import GuaranteeKind
from tests.support.factories_access import County, fresh_key
from tests.support.mandates import certify

FORM = {
    "purpose": "购买羊羔与饲料",
    "source": "村委会介绍",
    "amount": "50,000.00",
    "term_count": "12",
    "term_unit": "MONTH",
    "method": "LEVEL_PAYMENT",
    "guarantee": "GUARANTEE",
    "applicant.has_local_hukou": "yes",
    "applicant.marital_status": "MARRIED",
    "applicant.is_postal_staff": "no",
    "applicant.on_court_list": "no",
    "applicant.disputes_with_post": "no",
    "household.laborers": "2",
    "household.open_microloans": "0",
    "business.months": "36",
    "business.is_lawful": "yes",
    "business.in_service_area": "yes",
}
SURVEY = {
    "applicant.credit_grade": "NORMAL",
    "loan.reasonable_need_fen": "60000",
    "capacity.income_line_fen": "58000",
    "capacity.turnover_line_fen": "0",
    "capacity.cash_flow_line_fen": "0",
}
GUARANTOR = {
    "has_local_hukou": "yes",
    "residence_months": "240",
    "owns_local_house": "yes",
    "has_bad_record": "no",
    "is_parent": "no",
    "is_postal_staff": "no",
    "is_independent": "yes",
    "is_justice_staff": "no",
    "annual_income_fen": "80000",
    "other_guarantees_fen": "10000",
}


def card(order: int, birth: str = "19850615", region: str = "510823") -> str:
    """造一个校验码正确的身份证号。"""
    body = f"{region}{birth}{order:03d}"
    return body + str(ric.calc_check_digit(body + "0"))


@dataclass
class Desk:
    """受理的柜台与一路办下去的人。"""

    county: County
    product_ids: dict[str, int]
    today: date

    @property
    def intake(self) -> Actor:
        return self.county.actor("INTAKE")

    @property
    def head(self) -> Actor:
        return self.county.actor("DEPARTMENT_HEAD")

    @property
    def lead(self) -> Actor:
        return self.county.actor("LOAN_OFFICER")

    @property
    def assistant(self) -> Actor:
        return self.county.actor("LOAN_OFFICER", nth=2)

    @property
    def reviewer(self) -> Actor:
        return self.county.actor("REVIEWER")

    @property
    def approver(self) -> Actor:
        return self.county.actor("APPROVER")

    def farmer(self, order: int = 1, *, name: str = "王秀兰", birth: str = "19850615", kind: str = "FARMER") -> int:
        """登记一位客户。"""
        done = parties.register_party(
            actor=self.intake, key=fresh_key("party"), on=self.today, kind=kind, name=name, id_kind="RESIDENT_ID",
            id_number=card(order, birth), phone=f"1380013{order:04d}", address="柳溪镇河口村三组",
        )  # fmt: skip
        return int(done["party_id"])

    def open(self, party_id: int | None = None, *, product: str = "FARMER_GUARANTEE", **changes: str) -> int:
        """存一份草稿。"""
        typed = {name: text for name, text in (FORM | changes).items() if text != "-"}
        done = operations.open_application(
            actor=self.intake, key=fresh_key("open"), on=self.today, program="S11",
            party_id=party_id or self.farmer(), product_id=self.product_ids[product], channel="COUNTER", typed=typed,
        )  # fmt: skip
        return int(done["application_id"])

    def accept(self, application_id: int) -> dict[str, Any]:
        return operations.accept_application(
            actor=self.intake, key=fresh_key("accept"), on=self.today, application_id=application_id
        )

    def assign(self, application_id: int) -> dict[str, Any]:
        return operations.assign_investigators(
            actor=self.head, key=fresh_key("assign"), on=self.today, application_id=application_id,
            lead_id=self.lead.person_id or 0, assistant_id=self.assistant.person_id or 0, instruction="尽快入户",
        )  # fmt: skip

    def observe(self, application_id: int, answers: dict[str, str], *, guarantor_id: int | None = None) -> None:
        """以交叉核对记下这些事实。"""
        operations.record_facts(
            actor=self.lead, key=fresh_key("facts"), on=self.today, application_id=application_id,
            observations=[
                Observation(code, text, Evidence.CROSS_CHECKED.value, "入户调查", guarantor_id)
                for code, text in answers.items()
            ],
        )  # fmt: skip

    def guarantor(self, application_id: int, party_id: int | None = None, **changes: str) -> int:
        done = operations.add_guarantor(
            actor=self.lead, key=fresh_key("guarantor"), on=self.today, application_id=application_id,
            party_id=party_id or self.farmer(900, name="李长河"), kind="FARMER",
        )  # fmt: skip
        self.observe(application_id, GUARANTOR | changes, guarantor_id=done["guarantor_id"])
        return int(done["guarantor_id"])

    def survey(self, application_id: int) -> None:
        """记全调查的事实与一位保证人。"""
        self.observe(application_id, SURVEY)
        if not CaseGuarantor.objects.filter(application_id=application_id).exists():
            self.guarantor(application_id)
        self.collect(application_id)

    def collect(self, application_id: int, *, but: str = "", compared: bool = True) -> None:
        """收齐清单上的材料（``but`` 那一样除外），当场与原件核对。"""
        for line in queries.case_materials(actor=self.lead, application_id=application_id, on=self.today):
            if line.state == "OWED" and line.code not in {but, "temporary_id", "same_household_book"}:
                operations.receive_material(
                    actor=self.lead, key=fresh_key("material"), on=self.today, application_id=application_id, code=line.code,
                    guarantor_id=line.guarantor_id, compared=compared,
                )  # fmt: skip

    def finish(self, application_id: int, **changes: Any) -> dict[str, Any]:
        return operations.finish_survey(
            actor=self.lead, key=fresh_key("finish"), on=self.today, application_id=application_id,
            proposed=elements(**changes), opinion="经双人实地调查，用途真实，建议给予贷款。", conditions=["面签前补交收入证明"],
        )  # fmt: skip

    def review(self, application_id: int) -> dict[str, Any]:
        return operations.pass_review(
            actor=self.reviewer, key=fresh_key("review"), on=self.today, application_id=application_id,
            opinion="资料完整、合规，拟同意。",
        )  # fmt: skip

    def approve(self, application_id: int, **changes: Any) -> dict[str, Any]:
        chosen = elements(**changes) if changes else None
        return operations.approve(
            actor=self.approver, key=fresh_key("approve"), on=self.today, application_id=application_id, chosen=chosen,
            opinion="同意",
        )  # fmt: skip

    def to(self, step: str, application_id: int | None = None) -> int:
        """走到某一步：ASSIGN、SURVEY、REVIEW、APPROVAL、APPROVED（须有授权）。"""
        case = application_id or self.open()
        self.accept(case)
        if step == "ASSIGN":
            return case
        self.assign(case)
        if step == "SURVEY":
            return case
        self.survey(case)
        self.finish(case)
        if step == "REVIEW":
            return case
        self.review(case)
        if step == "APPROVAL":
            return case
        self.approve(case)
        assert step == "APPROVED", step
        return case

    def task(self, application_id: int) -> Task:
        """本案待办的任务。"""
        return Task.objects.get(root_type="application", root_id=application_id, state="open")

    def close(self, actor: Actor, application_id: int, outcome: str, opinion: str = "") -> dict[str, Any]:
        """从工作台办结待办的任务。"""
        return submit_task(
            actor=actor, key=fresh_key("submit"), on=self.today, task_id=self.task(application_id).pk,
            outcome=outcome, opinion=opinion,
        )  # fmt: skip


def elements(**changes: Any) -> Elements:
    """五万元、十二个月、等额本息、保证、年利率 14.4%。"""
    values: dict[str, Any] = {
        "amount_fen": 5_000_000, "term_count": 12, "term_unit": PeriodUnit.MONTH, "method": Method.LEVEL_PAYMENT,
        "guarantee": GuaranteeKind.GUARANTEE, "rate_ppm": 144_000,
    }  # fmt: skip
    return Elements(**(values | changes))


def open_desk(county: County) -> Desk:
    """装上样例产品；两位信贷员有资格证书。"""
    installed = products.install_samples(actor=SYSTEM, key=fresh_key("products"), on=county.opened_on)["installed"]
    desk = Desk(county, dict(installed), county.opened_on)
    for officer in (desk.lead, desk.assistant):
        certify(county.actor("BUSINESS_MANAGER"), officer.person_id or 0, county.opened_on)
    return desk


def case(application_id: int) -> Application:
    """申请。"""
    return Application.objects.get(pk=application_id)
