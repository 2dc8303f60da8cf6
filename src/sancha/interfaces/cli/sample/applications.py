"""样例的授权与申请：授权书、资格证书，以及停在每一步的申请——不予受理的、上报的、退回的、否决的也有，全走真实操作。"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from sancha.apps.agreements import operations as agreements
from sancha.apps.agreements import queries as agreement_queries
from sancha.apps.authority import operations as authority
from sancha.apps.origination import operations as origination
from sancha.apps.origination import queries
from sancha.apps.origination.operations import Observation
from sancha.apps.parties import operations as parties
from sancha.apps.work import operations as work
from sancha.interfaces.cli.sample import cast
from sancha.interfaces.cli.sample.world import World, key
from sancha.rulebook.rules import Stage

PROGRAM = "S11"
BRANCH, SUB_BRANCH = "010101", "01010101"
UNCERTIFIED, SUSPENDED = "zhuning", "qinfeng"


def empower(world: World) -> None:
    """开业时的授权：总行的书面授权录到一级分行，转授二级分行；信贷员受训发证，一位还没有考。"""
    today = world.business_date
    root = _mandate(world, "0101", fen=30_000_000, months=36, reason="江源农商行授权书〔2026〕第2号")
    _mandate(world, BRANCH, fen=10_000_000, months=24, parent_id=root, reason="按总行授权转授")
    manager = world.actor("caojun")
    for username, _name, post, _place in cast.STAFF:
        if post != "LOAN_OFFICER" or username == UNCERTIFIED:
            continue
        authority.issue_certificate(
            actor=manager,
            key=key("certificate"),
            on=today,
            person_id=world.people[username],
            theory_days=8,
            practice_days=24,
            theory_passed_on=today - timedelta(days=60),
            practice_passed_on=today - timedelta(days=30),
            valid_to=date(today.year + 3, 1, 1),
        )


def suspend_one(world: World) -> None:
    """一位信贷员因管户不良率停了贷前调查。"""
    authority.suspend_officer(
        actor=world.actor("lizhong"),
        key=key("suspend"),
        on=world.business_date,
        person_id=world.people[SUSPENDED],
        cause="NPL_RATIO",
        reason="管户不良率 3.4%，自上月起已满一个月",
    )


def _mandate(world: World, place: str, *, fen: int, months: int, reason: str, parent_id: int | None = None) -> int:
    today = world.business_date
    draft = authority.propose_mandate(
        actor=world.actor("dingrui"),
        key=key("mandate"),
        on=today,
        institution_id=world.ids[place],
        post_code="APPROVER",
        program=PROGRAM,
        max_fen=fen,
        max_months=months,
        valid_from=today,
        parent_id=parent_id,
        reason=reason,
    )
    done = work.submit_task(
        actor=world.actor("taoan"),
        key=key("mandate-check"),
        on=today,
        task_id=draft["task_id"],
        outcome="APPROVED",
        opinion="与书面授权一致",
    )
    return int(done["mandate_id"])


@dataclass(frozen=True)
class Story:
    """一份申请：谁、借多少、走到哪一步；``typed`` 是与常情不同的填写。"""

    name: str
    male: bool
    age: int
    kind: str
    product: str
    purpose: str
    amount: str
    until: str
    source: str = "老客户介绍"
    typed: dict[str, str] = field(default_factory=dict)
    channel: str = "COUNTER"


STORIES = (
    Story("贺长根", True, 44, "FARMER", "FARMER_GUARANTEE", "购进仔猪二十头与饲料", "60000", "APPROVED", "村委会介绍"),
    Story("龚美玲", False, 38, "SOLE_TRADER", "MERCHANT_GUARANTEE", "春节前备货", "100000", "SIGNING", "走访商圈"),
    Story("钱春生", True, 36, "FARMER", "FARMER_GUARANTEE", "购优质种猪与防疫", "80000", "LENT", "老客户介绍"),
    Story("赖福来", True, 51, "FARMER", "FARMER_GUARANTEE", "更换大棚薄膜、购种苗", "50000", "APPROVAL", "宣讲会"),
    Story("乔淑珍", False, 46, "FARMER", "FARMER_GUARANTEE", "鱼苗与增氧机", "80000", "REVIEW", "老客户介绍"),
    Story("汤立新", True, 33, "SOLE_TRADER", "MERCHANT_GUARANTEE", "五金店补充库存", "120000", "RETURNED", "走访商圈"),
    Story("段凤英", False, 41, "FARMER", "FARMER_GUARANTEE", "扩建鸡舍", "70000", "SURVEY", "村委会介绍"),
    Story("黎国庆", True, 29, "SOLE_TRADER", "MERCHANT_GUARANTEE", "早餐店设备", "40000", "ASSIGN", "网点宣传"),
    Story("尹桂芳", False, 48, "FARMER", "FARMER_GUARANTEE", "果园农资", "50000", "REFERRED", "亲友介绍", {"business.in_service_area": "no"}),
    Story("万德明", True, 61, "FARMER", "FARMER_GUARANTEE", "购拖拉机", "50000", "REFUSED", "电话咨询", channel="REMOTE"),
    Story("侯小燕", False, 35, "SOLE_TRADER", "MERCHANT_GUARANTEE", "转让店面", "150000", "REFUSED", "网点宣传", {"business.months": "3"}),
    Story("严学军", True, 40, "FARMER", "FARMER_GUARANTEE", "偿还外债", "60000", "REJECTED", "自行上门"),
    Story("常巧云", False, 37, "FARMER", "FARMER_GUARANTEE", "购仔羊", "30000", "WITHDRAWN", "老客户介绍"),
    Story("武世杰", True, 32, "FARMER", "FARMER_GUARANTEE", "建蔬菜冷库", "8万", "DRAFT", "电话咨询", {"household.laborers": ""}, "REMOTE"),
)  # fmt: skip

_COMMON = {
    "term_count": "12",
    "term_unit": "MONTH",
    "method": "LEVEL_PAYMENT",
    "guarantee": "GUARANTEE",
    "applicant.has_local_hukou": "yes",
    "applicant.marital_status": "MARRIED",
    "applicant.is_postal_staff": "no",
    "applicant.on_court_list": "no",
    "applicant.disputes_with_post": "no",
    "applicant.is_license_holder": "yes",
    "household.laborers": "2",
    "household.open_microloans": "0",
    "business.months": "40",
    "business.is_lawful": "yes",
    "business.in_service_area": "yes",
}
_GUARANTOR = {
    "has_local_hukou": "yes",
    "residence_months": "360",
    "owns_local_house": "yes",
    "has_bad_record": "no",
    "is_parent": "no",
    "is_postal_staff": "no",
    "is_independent": "yes",
    "is_justice_staff": "no",
    "annual_income_fen": "96000",
    "monthly_income_fen": "8000",
    "own_loans_fen": "0",
    "other_guarantees_fen": "0",
}


class Desk:
    """城关支行的受理柜台，与一路办下去的人。"""

    def __init__(self, world: World, rng: Random) -> None:
        self.world, self.rng = world, rng

    def tell(self, stories: tuple[Story, ...] = STORIES) -> None:
        """各走到各的那一步。"""
        for story in stories:
            self._live(story)

    def _live(self, story: Story) -> None:
        case = self._open(story)
        if story.until == "DRAFT":
            return
        if story.until == "REFUSED":
            self._do("xujing", origination.refuse_application, application_id=case)
            return
        self._do("xujing", origination.accept_application, application_id=case)
        if story.until in {"REFERRED", "ASSIGN"}:
            return
        self._do(
            "lizhong", origination.assign_investigators, application_id=case, lead_id=self.world.people["chuwei"],
            assistant_id=self.world.people["fanglei"], instruction="三日内入户，走访左右邻居",
        )  # fmt: skip
        if story.until == "WITHDRAWN":
            reason = "已向亲友借到，不再申请"
            self._do("xujing", origination.withdraw_application, application_id=case, reason=reason)
            return
        self._survey(case, story)
        if story.until in {"SURVEY", "REJECTED"}:
            if story.until == "REJECTED":
                opinion = "实际用途为偿还民间借款，与申请不符"
                self._do("chuwei", origination.reject_at_survey, application_id=case, opinion=opinion)
            return
        self._decide(case, story)

    def _open(self, story: Story) -> int:
        rng, today = self.rng, self.world.business_date
        born = date(today.year - story.age, 1 + rng.randrange(9), 1 + rng.randrange(27))
        party = self._register(story.name, born, male=story.male, kind=story.kind, trade=story.purpose)
        typed = _COMMON | {"purpose": story.purpose, "amount": story.amount, "source": story.source} | story.typed
        asked = {fact.code for fact in queries.askable_at(PROGRAM, Stage.INTAKE, today)}
        typed = {name: text for name, text in typed.items() if "." not in name or name in asked}
        done = self._do(
            "xujing", origination.open_application, program=PROGRAM, party_id=party,
            product_id=self.world.products[story.product], channel=story.channel, typed=typed,
        )  # fmt: skip
        return int(done["application_id"])

    def _register(self, name: str, born: date, *, male: bool, kind: str, trade: str) -> int:
        rng = self.rng
        farming = kind == "FARMER"
        done = self._do(
            "xujing", parties.register_party, kind=kind, name=name, id_kind="RESIDENT_ID",
            id_number=cast.id_number(rng, born, male=male), phone=f"1{rng.choice('3578')}{rng.randrange(10**8, 10**9)}",
            address=f"清河县{rng.choice(cast.PLACES)}{rng.randrange(1, 200)}号", industry_name="种养殖" if farming else "零售餐饮",
            occupation="农户" if farming else "个体经营者", officer_id=self.world.people["chuwei"],
            institution_id=self.world.ids[SUB_BRANCH],
        )  # fmt: skip
        return int(done["party_id"])

    def _survey(self, case: int, story: Story) -> None:
        amount = int(story.amount)
        seen = {
            "household.laborers": "2",
            "business.months": "42",
            "loan.reasonable_need_fen": str(amount + 10_000),
            "capacity.income_line_fen": str(amount + 6_000),
            "capacity.turnover_line_fen": "0",
            "capacity.cash_flow_line_fen": "0",
        }
        if story.kind != "FARMER":
            seen |= {
                "business.assets_fen": str(amount * 5),
                "business.debts_fen": str(amount // 2),
                "business.is_service": "no",
            }
        self._observe(case, seen, "CROSS_CHECKED", "入户调查，邻居与进货商旁证")
        self._observe(
            case,
            {"applicant.has_local_hukou": "yes", "applicant.marital_status": "MARRIED"},
            "SEEN",
            "户口簿、结婚证原件",
        )
        if story.until == "SURVEY":
            return
        self._observe(case, {"applicant.credit_grade": "NORMAL"}, "THIRD_PARTY", "征信报告")
        rng = self.rng
        born = date(self.world.business_date.year - rng.randrange(35, 55), 6, 1 + rng.randrange(27))
        male = rng.random() < 0.5
        party = self._register(cast.person_name(rng, male=male), born, male=male, kind="PERSON", trade="")
        added = self._do("chuwei", origination.add_guarantor, application_id=case, party_id=party, kind="SALARIED")
        self._observe(case, _GUARANTOR, "CROSS_CHECKED", "单位核实与工资流水", guarantor_id=added["guarantor_id"])
        self._collect(case)

    def _collect(self, case: int) -> None:
        """收齐材料，当场与原件核对；任取其一的只收头一样。"""
        lead, taken = self.world.actor("chuwei"), set()
        for line in queries.case_materials(actor=lead, application_id=case, on=self.world.business_date):
            if line.state == "OWED" and (line.one_of, line.guarantor_id) not in taken:
                given = {"application_id": case, "code": line.code, "guarantor_id": line.guarantor_id}
                self._do("chuwei", origination.receive_material, **given, compared=True)
            if line.one_of:
                taken.add((line.one_of, line.guarantor_id))

    def _observe(
        self, case: int, facts: dict[str, str], evidence: str, reference: str, guarantor_id: int | None = None
    ) -> None:
        listed = [Observation(code, text, evidence, reference, guarantor_id) for code, text in facts.items()]
        self._do("chuwei", origination.record_facts, application_id=case, observations=listed)

    def _decide(self, case: int, story: Story) -> None:
        row = queries.find_application(self.world.actor("chuwei"), case)
        proposed = queries.asked(row, on=self.world.business_date)
        opinion = f"经双人实地调查，用途真实，还款来源为{story.purpose}所得，建议按申请额度给予贷款。"
        self._do(
            "chuwei", origination.finish_survey, application_id=case, proposed=proposed, opinion=opinion,
            conditions=["保证人面签", "投保生产设施险"],
        )  # fmt: skip
        if story.until == "REVIEW":
            return
        if story.until == "RETURNED":
            self._close("wuhao", case, "RETURNED", "补近六个月结算流水；说明应付账款的账期")
            return
        self._do("wuhao", origination.pass_review, application_id=case, opinion="资料完整、合规，拟同意。")
        if story.until == "APPROVAL":
            return
        who = "zhengli" if proposed.amount_fen <= 10_000_000 else "tianlin"
        self._do(who, origination.approve, application_id=case, opinion="同意。")
        if story.until in {"SIGNING", "LENT"}:
            self._sign(case, story)

    def _sign(self, case: int, story: Story) -> None:
        """面签；走到放款的条件也落实，放款岗送放款、会计主管复核。"""
        lead = self.world.actor("chuwei")
        file_id = agreement_queries.file_of_application(case)
        assert file_id is not None, "an approval opens its file"
        view = agreement_queries.view_file(actor=lead, file_id=file_id, on=self.world.business_date)
        papers = view.papers[:1] if story.until == "SIGNING" else view.papers
        for paper in papers:
            for capacity, _name in paper.wanted:
                spouse = cast.person_name(self.rng, male=not story.male)
                self._do(
                    "chuwei", agreements.sign_paper, file_id=file_id, paper_id=paper.id, capacity=capacity,
                    signer=spouse if capacity == "SPOUSE" else paper.party_name,
                    second_witness_id=self.world.people["fanglei"], place="城关支行面签室", terms_read=True,
                )  # fmt: skip
        if story.until == "SIGNING":
            return
        for condition in view.conditions:
            given = {"file_id": file_id, "condition_id": condition.id, "proof": "原件已核对入档"}
            self._do("chuwei", agreements.meet_condition, **given)
        row = view.row
        sent = self._do(
            "chenjie", agreements.send_to_lend, file_id=file_id, amount_fen=row.amount_fen, term_count=int(row.term[:-1]),
            rate_ppm=row.rate_ppm, contract_number=row.number,
        )  # fmt: skip
        given = {"task_id": sent["task_id"], "outcome": "APPROVED", "opinion": "三方核对相符"}
        self._do("fengtao", work.submit_task, **given)

    def _close(self, username: str, case: int, outcome: str, opinion: str) -> None:
        actor = self.world.actor(username)
        self._do(
            username, work.submit_task, task_id=queries.waiting_task(actor, case), outcome=outcome, opinion=opinion
        )

    def _do(self, username: str, operation: Any, **given: Any) -> dict[str, Any]:
        done: dict[str, Any] = operation(
            actor=self.world.actor(username), key=key("case"), on=self.world.business_date, **given
        )
        return done
