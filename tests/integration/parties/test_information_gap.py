"""信息缺口：只凭自述的是缺口，看过、核过的不是；更正成自述的又成了缺口。"""

from __future__ import annotations

from datetime import timedelta

import pytest

from sancha.apps.parties import operations, queries
from tests.integration.parties.test_households import office, person
from tests.support.factories_access import fresh_key
from tests.support.office import Office

pytestmark = pytest.mark.django_db
assert office, "the fixture is shared"


def test_what_is_known_by_his_word_alone_is_the_gap(office: Office) -> None:
    who = person(office, "赵大山", 1)

    def tell(topic: str, source: str, **more) -> int:
        return int(
            operations.record_fact(
                actor=office.clerk, key=fresh_key(), on=office.today, party_id=who, topic=topic,
                content={"text": "年收入八万"}, source=source, **more,
            )["entry_id"]
        )  # fmt: skip

    def gap() -> tuple[int, tuple[str, ...]]:
        found = queries.information_gap(who, on=office.today)
        return found.topics, found.claimed_only

    assert gap() == (0, ())
    tell("income.farm", "CLAIMED")
    tell("house.owned", "CLAIMED")
    assert gap() == (2, ("house.owned", "income.farm"))
    seen = tell("house.owned", "SEEN")
    assert gap() == (2, ("income.farm",))
    tell("house.owned", "CLAIMED", corrects=seen)
    assert gap() == (2, ("house.owned", "income.farm")), "what was seen turned out wrong"
    operations.amend_party(
        actor=office.clerk, key=fresh_key(), on=office.today, party_id=who, changes={"phone": "13912345678"},
        reason="来电告知换号",
    )  # fmt: skip
    assert gap()[0] == 2, "a change of the master record is no fact of this kind"
    before = queries.information_gap(who, on=office.today - timedelta(days=1))
    assert before.topics == 0, "known later"
