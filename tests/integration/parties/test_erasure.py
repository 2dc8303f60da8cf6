"""个人信息删除：保存期与未了业务挡得住；删了就哪里也找不到——整库倒出来找，磁盘上也找；账与借据号都在。"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connection

from sancha.apps.cashdesk import operations as cashdesk
from sancha.apps.ledger.models import Voucher
from sancha.apps.parties import operations, queries
from sancha.apps.parties.departing import ERASED
from sancha.apps.parties.models import ErasureRequest, Party
from sancha.apps.parties.operations.registering import SEQUENCE
from sancha.apps.recovery.kinds import FOLLOW_UP, FOLLOW_UP_FORM
from sancha.apps.servicing import operations as servicing
from sancha.apps.servicing.models import ImportBatch, ImportRow, Loan, LoanFact
from sancha.apps.work import operations as work
from sancha.dayclose.guards import missing_guards
from sancha.kit import audit, outbox
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError, NotPermitted
from sancha.kit.models import ErasureInProgress, Idempotency, NumberSequence
from tests.support.factories_access import fresh_key
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db
NAME, FORMER = "欧阳靖琪", "欧阳小琪"
ID, PHONE, OTHER_PHONE = "110105194912310054", "13912345678", "13887654321"
OLD_ID = ID[:6] + ID[8:17]
ADDRESS, NOTE = "四川省青川县乔庄镇桂花巷七号", "离异独居患高血压"
SECRETS = (NAME, FORMER, ID, OLD_ID, PHONE, OTHER_PHONE, ADDRESS, NOTE, "桂花巷", "高血压")
LATER = date(2038, 3, 2)


def dump() -> Iterator[tuple[str, str]]:
    """整库：每张表每一行的全部栏，连成文字；JSON 的转义写法还原成字。"""
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                text = "\n".join(
                    value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
                    for value in row
                )
                yield table, text + "\n" + text.encode().decode("unicode_escape", "ignore") if "\\u" in text else text


def places_of(secrets: tuple[str, ...] = SECRETS) -> set[str]:
    """哪些表、哪些文件里还有这些字样。"""
    found = {table for table, text in dump() if any(secret in text for secret in secrets)}
    root = Path(django_settings.DOCUMENT_ROOT)
    for path in root.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            found.add(f"file:{path.name[:8]}")
    return found


@pytest.fixture
def office(settings, tmp_path: Path) -> Office:
    settings.DOCUMENT_ROOT = tmp_path
    opened = open_office()
    # The customer of the factory took its number by hand.
    NumberSequence.objects.update_or_create(name=SEQUENCE, defaults={"last": 100})
    work.ensure_form(code=FOLLOW_UP.form_code, schema=FOLLOW_UP_FORM, effective_from=date(2000, 1, 1))
    return opened


def known_person(office: Office) -> int:
    """一位到处留下痕迹的客户。"""
    clerk = office.clerk
    given = {"actor": clerk, "on": office.today}
    made = operations.register_party(
        **given, key=fresh_key(), kind="FARMER", name=FORMER, id_kind="RESIDENT_ID", id_number=ID, phone=PHONE,
        address=ADDRESS, occupation="养蜂人",
    )  # fmt: skip
    party_id = int(made["party_id"])
    operations.amend_party(**given, key=fresh_key(), party_id=party_id, changes={"name": NAME}, reason=f"{FORMER}改名")
    operations.add_contact(
        **given, key=fresh_key(), party_id=party_id, channel="MOBILE", value=OTHER_PHONE, holder=NAME
    )
    operations.record_fact(
        **given, key=fresh_key(), party_id=party_id, topic="visit.finding", content={"text": NOTE}, source="SEEN",
        note=f"{NAME}家访",
    )  # fmt: skip
    operations.reveal_party(
        **given, key=fresh_key(), party_id=party_id, fields=["id_number"], reason=f"核对{NAME}的身份"
    )
    return party_id


def borrow(office: Office, party_id: int) -> int:
    """借一笔、还清一笔，沿途处处写着他的名字。返回借据编号。"""
    loan_id = office.lend(periods=1)
    Loan.objects.filter(pk=loan_id).update(party_id=party_id, purpose=f"{NAME}买蜂箱", guarantor="李四")
    office.repay(loan_id, 10_000, receipt_id=receive(office, party_id, 10_000), payer_name=NAME, remark=NOTE)
    task = work.raise_task(
        spec=work.TaskSpec(
            kind="OVERDUE_FOLLOW_UP", subject_type="loan", subject_id=loan_id, institution_id=office.county.ids["S1"],
            party_id=party_id, title=f"跟进 {NAME}", reason=f"{NAME}逾期", cause="t", opened_on=office.today,
            due_on=office.today, facts={"客户": NAME, "电话": PHONE},
        )
    )  # fmt: skip
    officer = office.county.actor("LOAN_OFFICER")
    given = {"actor": officer, "on": office.today, "task_id": task}
    work.save_form(
        **given, key=fresh_key(), data={"said": NOTE, "channel": "VISIT"}, base_revision=0,
        client_uuid="5f0c2c0e-6f1b-4a53-9d1e-0a3b8a4f7c11",
    )  # fmt: skip
    photo = work.attach_evidence(
        **given, key=fresh_key(), content=f"{NAME} {ID}".encode(), name=f"{NAME}门头.jpg", media_type="image/jpeg"
    )
    work.sign_form(
        **given, key=fresh_key(), role="BORROWER", signer=NAME, method="HANDWRITTEN", evidence_id=photo["evidence_id"]
    )
    work.comment_task(**given, key=fresh_key(), text=f"{NAME}说{NOTE}")
    work.submit_task(**given, key=fresh_key(), outcome="PROMISED", opinion=f"{NAME}答应还")
    batch = ImportBatch.objects.create(
        kind="PORTFOLIO", institution_id=office.county.ids["S1"], layout_code="sancha", layout={}, options={}, files=[],
        digest="0" * 64, staged_on=office.today, staged_at=now(),
    )  # fmt: skip
    for role, cells, more in (
        ("loan", {"姓名": NAME, "证件号": ID}, {"loan_id": loan_id, "ref": "A1"}),
        ("payment", {"付款人": NAME}, {"ref": "A1"}),
        ("customer", {"姓名": NAME, "证件号": ID, "地址": ADDRESS}, {}),
        ("customer", {"姓名": "别人", "证件号": "11010519491231002X"}, {"ref": "B2"}),
    ):
        ImportRow.objects.create(batch=batch, role=role, file_no=1, number=1, cells=cells, **more)
    outbox.record("test.event", {"party_id": party_id, "phone": PHONE})
    Idempotency.objects.create(
        operation="x", key="x", digest="0" * 64, result={"subject": "other:1", "name": f"{ID}"}, recorded_at=now()
    )
    return loan_id


def receive(office: Office, party_id: int, fen: int) -> int:
    return int(
        cashdesk.record_receipt(
            actor=office.clerk, key=fresh_key(), own_account_id=office.bank, serial=fresh_key("S"), amount_fen=fen,
            value_on=office.today, on=office.today, payer_name=NAME, payer_account="6222021234567890", memo=NOTE,
            party_hint=party_id,
        )["receipt_id"]
    )  # fmt: skip


def settle(office: Office, loan_id: int) -> None:
    servicing.settle_loan(
        actor=office.clerk, key=fresh_key(), loan_id=loan_id, amount_fen=office.payoff(loan_id), on=office.today
    )


def ask(office: Office, party_id: int, *, on: date = LATER, reason: str = f"{NAME}本人书面申请", **more):
    return operations.request_erasure(
        **{"actor": office.clerk, "key": fresh_key(), "on": on, "party_id": party_id, "ground": "SERVICE_ENDED",
           "reason": reason, **more}
    )  # fmt: skip


def decide(office: Office, asked, *, on: date = LATER, outcome: str = "APPROVED", opinion: str = "", actor=None):
    return work.submit_task(
        actor=actor or office.county.actor("BRANCH_MANAGER"), key=fresh_key(), on=on, task_id=asked["task_id"],
        outcome=outcome, opinion=opinion,
    )  # fmt: skip


def test_nothing_of_the_person_is_left_anywhere_and_the_books_stand(office: Office) -> None:
    party_id = known_person(office)
    other = Party.objects.get(pk=office.lending.party_id)
    loan_id = borrow(office, party_id)
    settle(office, loan_id)
    before = Loan.objects.get(pk=loan_id)
    vouchers = list(Voucher.objects.order_by("pk").values("id", "booked_on", "kind"))
    assert len(places_of()) > 12, "the traces are really there before"
    assert "ledger_voucher" not in places_of(), "the books never held a name"
    assert "kit_auditevent" not in places_of(), "the audit never held a name"

    done = decide(office, ask(office, party_id), opinion=f"已核对{NAME}的申请")

    assert places_of() == set(), "not in any table, not in any file"
    tomb = ErasureRequest.objects.get(party_id=party_id)
    assert (tomb.state, tomb.clause, tomb.requested_by_id) == ("DONE", "PIPL-47", office.clerk.person_id)
    assert tomb.decided_by_id == office.county.actor("BRANCH_MANAGER").person_id
    assert tomb.decided_on == LATER
    assert tomb.reason == f"{ERASED}本人书面申请"
    assert tomb.erased["parties_partycontact"] == 1
    assert tomb.erased == done["erased"]
    party = Party.objects.get(pk=party_id)
    assert (party.name, party.id_number, party.identity_key, party.erased_on) == (ERASED, "", None, LATER)
    assert party.number.startswith("C")

    after = Loan.objects.get(pk=loan_id)
    assert (after.number, after.party_id, after.principal_fen, after.settled_on) == (
        before.number, party_id, before.principal_fen, before.settled_on,
    )  # fmt: skip
    assert list(Voucher.objects.order_by("pk").values("id", "booked_on", "kind")) == vouchers
    assert office.problems() == [], "the books still balance and every loan still replays"
    assert Party.objects.filter(pk=other.pk, name=other.name).exists(), "nobody else was touched"
    assert ImportRow.objects.get(ref="B2").cells["姓名"] == "别人"
    assert not ErasureInProgress.objects.exists()
    assert missing_guards() == []
    audit.seal_pending()
    assert audit.verify().intact


def test_search_finds_nothing_and_no_business_can_be_done(office: Office) -> None:
    party_id = known_person(office)
    number = Party.objects.get(pk=party_id).number
    decide(office, ask(office, party_id, on=office.today), on=office.today)
    for text in (NAME, "欧阳", ID, PHONE):
        assert queries.search(actor=office.clerk, text=text) == []
    (row,) = queries.search(actor=office.clerk, text=number)
    assert row.name == ERASED
    detail = queries.party_detail(actor=office.clerk, party_id=party_id, on=office.today)
    assert detail.erased_on == office.today
    with pytest.raises(Conflict) as refused:
        operations.add_contact(
            actor=office.clerk, key=fresh_key(), on=office.today, party_id=party_id, channel="MOBILE", value=PHONE
        )
    assert (refused.value.code, refused.value.clause) == ("PARTY_ERASED", "PIPL-47")
    again = operations.register_party(
        actor=office.clerk, key=fresh_key(), on=office.today, kind="FARMER", name=NAME, id_kind="RESIDENT_ID",
        id_number=ID,
    )  # fmt: skip
    assert again["party_id"] != party_id, "who comes back is a new customer"


def test_an_open_loan_holds_it_and_so_does_retention_with_the_earliest_day(office: Office) -> None:
    party_id = known_person(office)
    loan_id = borrow(office, party_id)
    with pytest.raises(Conflict) as refused:
        ask(office, party_id)
    assert refused.value.code == "ERASURE_HELD"
    assert "尚未了结" in refused.value.message
    settle(office, loan_id)
    with pytest.raises(Conflict) as refused:
        ask(office, party_id, on=date(2036, 3, 1))
    assert "保存 10 年，至 2036-03-02" in refused.value.message
    assert "最早可于 2036-03-02 删除" in refused.value.message
    assert refused.value.clause in {"AML-2024-34", "SANCHA-DEFAULT"}
    assert "请于 2036-03-02 或以后再办" in refused.value.fix
    ask(office, party_id, on=date(2036, 3, 2))


def test_a_written_off_loan_is_kept_for_ever(office: Office) -> None:
    party_id = known_person(office)
    loan_id = borrow(office, party_id)
    Loan.objects.filter(pk=loan_id).update(status="WRITTEN_OFF")
    with pytest.raises(Conflict) as refused:
        ask(office, party_id, on=date(2090, 1, 1))
    assert "永久保管" in refused.value.message


def test_a_guarantee_holds_it_by_link_and_by_name(office: Office) -> None:
    guarantor = known_person(office)
    loan_id = office.lend()
    operations.add_relation(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=office.lending.party_id, other_id=guarantor,
        kind="GUARANTOR", valid_from=office.today,
    )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        ask(office, guarantor)
    assert "由此人担保" in refused.value.message
    stranger = int(
        operations.register_party(
            actor=office.clerk, key=fresh_key(), on=office.today, kind="FARMER", name="诸葛从瑾", id_kind="RESIDENT_ID",
            id_number="11010519491231002X",
        )["party_id"]
    )  # fmt: skip
    Loan.objects.filter(pk=loan_id).update(guarantor="诸葛从瑾、李四")
    with pytest.raises(Conflict):
        ask(office, stranger)


def test_a_guarantor_vanishes_from_the_loans_of_others_after_retention(office: Office) -> None:
    guarantor = known_person(office)
    operations.add_relation(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=office.lending.party_id, other_id=guarantor,
        kind="GUARANTOR", valid_from=office.today, note=f"{NAME}是表弟",
    )  # fmt: skip
    loan_id = office.lend(periods=1)
    Loan.objects.filter(pk=loan_id).update(guarantor=f"{NAME}、李四")
    settle(office, loan_id)
    decide(office, ask(office, guarantor))
    assert Loan.objects.get(pk=loan_id).guarantor == f"{ERASED}、李四"
    assert places_of() == set()


def test_the_second_person_is_another_and_may_return_it(office: Office) -> None:
    party_id = known_person(office)
    asked = ask(office, party_id, on=office.today)
    with pytest.raises(Conflict) as waiting:
        ask(office, party_id, on=office.today)
    assert waiting.value.code == "REQUEST_WAITING"
    both = office.county.grant(office.clerk.person_id, "BRANCH_MANAGER", at="S1")
    with pytest.raises(NotPermitted) as refused:
        decide(office, asked, on=office.today, actor=both)
    assert refused.value.code == "SEPARATION_OF_DUTIES"
    decide(office, asked, on=office.today, outcome="RETURNED", opinion="还有业务在谈")
    assert Party.objects.get(pk=party_id).name == NAME
    assert ErasureRequest.objects.get().state == "RETURNED"


def test_business_that_began_meanwhile_stops_it(office: Office) -> None:
    party_id = known_person(office)
    asked = ask(office, party_id, on=office.today)
    borrow(office, party_id)
    with pytest.raises(Conflict) as refused:
        decide(office, asked, on=office.today)
    assert refused.value.code == "ERASURE_HELD"
    assert Party.objects.get(pk=party_id).name == NAME, "nothing was half done"
    assert NAME in {fact.data.get("payer_name") for fact in LoanFact.objects.all()}


@pytest.mark.parametrize(
    ("more", "code"), [({"ground": "BORED"}, "ERASURE_GROUND_UNKNOWN"), ({"reason": "删"}, "REASON_MISSING")]
)
def test_a_request_says_why(office: Office, more: dict, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        ask(office, known_person(office), on=office.today, **more)
    assert refused.value.code == code


def test_a_shared_phone_stays_with_the_family(office: Office) -> None:
    party_id = known_person(office)
    wife = int(
        operations.register_party(
            actor=office.clerk, key=fresh_key(), on=office.today, kind="FARMER", name="诸葛从瑾", id_kind="RESIDENT_ID",
            id_number="11010519491231002X", phone=PHONE, address=ADDRESS,
        )["party_id"]
    )  # fmt: skip
    decide(office, ask(office, party_id, on=office.today), on=office.today)
    assert Party.objects.get(pk=wife).phone == PHONE
    assert places_of((NAME, FORMER, ID, OTHER_PHONE, NOTE)) == set()
