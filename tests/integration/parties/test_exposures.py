"""敞口：夫妻、同户的借款并着看；担保凭在期的关系；结清几笔、用了几月、逾期几天。"""

from __future__ import annotations

import pytest

from sancha.apps.parties import operations, queries
from sancha.apps.servicing.models import Loan
from tests.integration.parties.test_households import ONE_DAY, join, leave, office, opened, person
from tests.support.factories_access import fresh_key
from tests.support.office import Office

pytestmark = pytest.mark.django_db
assert office, "the fixture is shared"


def lent_to(office: Office, party: int, **how) -> Loan:
    loan = Loan.objects.get(pk=office.lend(**how))
    Loan.objects.filter(pk=loan.pk).update(party_id=party)
    return loan


def test_the_household_borrows_once(office: Office) -> None:
    head, wife, cousin = (person(office, name, i) for i, name in enumerate(("赵大山", "钱桂兰", "赵远"), start=1))
    loan = lent_to(office, wife)

    def numbers(party: int) -> list[str]:
        return [item.number for item in queries.open_loans_of_family(party, on=office.today)]

    assert numbers(head) == []
    home = opened(office, head)
    member = join(office, home, party_id=wife, role="SPOUSE")
    assert numbers(head) == numbers(wife) == [loan.number]
    assert numbers(cousin) == []
    leave(office, home, member)
    assert numbers(head) == [], "he who left takes his loans along"
    operations.add_relation(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=wife, other_id=head, kind="SPOUSE",
        valid_from=office.today,
    )  # fmt: skip
    assert numbers(head) == [loan.number], "a spouse is a spouse in another household, too"


def test_a_guarantee_counts_while_the_relation_and_the_loan_last(office: Office) -> None:
    borrower, guarantor = person(office, "赵大山", 1), person(office, "钱桂兰", 2)
    loan = lent_to(office, borrower)
    relation = operations.add_relation(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=borrower, other_id=guarantor, kind="GUARANTOR",
        valid_from=office.today,
    )["relation_id"]  # fmt: skip

    def given() -> list[tuple[str, int]]:
        return [(item.number, item.principal_fen) for item in queries.open_guarantees(guarantor, on=office.today)]

    assert given() == [], "the loan is not guaranteed by a person"
    Loan.objects.filter(pk=loan.pk).update(guarantee="GUARANTEE", guarantor="孙二")
    assert given() == [], "another one guarantees it"
    Loan.objects.filter(pk=loan.pk).update(guarantor="孙二、钱桂兰")
    assert given() == [(loan.number, 5_000_000)]
    operations.end_relation(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=borrower, relation_id=relation,
        valid_to=office.today, reason="换了保证人",
    )  # fmt: skip
    assert given() == []


def test_the_history_of_a_returning_customer(office: Office) -> None:
    who = person(office, "赵大山", 1)
    loan = lent_to(office, who)
    assert queries.lending_history(who, on=office.today).months_of_use == 0
    due = office.row(loan.pk).next_due_day
    office.close(due - office.today.toordinal() + 5)
    late = office.today.toordinal() - due
    found = queries.lending_history(who, on=office.today)
    assert late > 0
    assert (found.settled, found.overdue_days, found.months_of_use) == ((), late, 1)
    fen = office.payoff(loan.pk)
    office.receive(fen)
    office.repay(loan.pk, office.row(loan.pk).interest_due_fen + office.row(loan.pk).overdue_principal_fen + 100_00)
    later = queries.lending_history(who, on=office.today + 3 * ONE_DAY)
    assert later.overdue_days == late, "paid up: the days that were stay, no more are added"
    Loan.objects.filter(pk=loan.pk).update(settled_on=office.today)
    assert queries.lending_history(who, on=office.today).settled == (loan.number,)
    assert sum(found.loans_by_program.values()) == 1
