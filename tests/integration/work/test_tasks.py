"""开出、认领、办结、撤销任务；职责分离；工作台与覆盖率。"""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction

from sancha.apps.work import kinds, operations, queries
from sancha.apps.work.kinds import TaskKind
from sancha.apps.work.operations import TaskSpec
from sancha.apps.work.queries import TaskFilter
from sancha.kit.actor import SYSTEM, Actor
from sancha.kit.errors import Conflict, DomainError, NotFound, NotPermitted
from sancha.kit.operation import operation
from tests.integration.work.conftest import AUTHORIZE
from tests.support.at_once import at_once
from tests.support.factories_access import OPENING_DAY, County, fresh_key, open_county

DAY = OPENING_DAY
TODAY = {"on": DAY}


def spec(county: County, loan: int = 1, *, at: str = "S1", **more) -> TaskSpec:
    return TaskSpec(
        **{
            "kind": "test.authorize",
            "subject_type": "booking",
            "subject_id": loan,
            "root_type": "loan",
            "root_id": loan,
            "institution_id": county.ids[at],
            "title": f"复核借据 {loan}",
            "reason": "新登记的借据须由另一人复核",
            "cause": "booked",
            "opened_on": DAY,
            "due_on": DAY + timedelta(days=1),
            "facts": {"amount_fen": 5_000_000, "说明": "含引号'\""},
            **more,
        }
    )


def close(actor: Actor, task_id: int, *, outcome: str = "APPROVED", opinion: str = "", key: str = "", **more):
    return operations.submit_task(
        **{"on": DAY, **more}, actor=actor, key=key or fresh_key(), task_id=task_id, outcome=outcome, opinion=opinion
    )


# 开出 ------------------------------------------------------------------------------------------------------


def test_many_are_raised_by_one_statement_and_a_repeat_raises_none(county: County, django_assert_num_queries) -> None:
    rows = [spec(county, loan) for loan in range(1, 2001)]
    with django_assert_num_queries(4):  # 机构线两条，写入一条，发件箱一条
        assert operations.raise_tasks(rows=rows) == 2000
    with django_assert_num_queries(3):
        assert operations.raise_tasks(rows=rows) == 0
    assert operations.raise_tasks(rows=[*rows[:3], spec(county, 9999)]) == 1
    with django_assert_num_queries(2):  # 岗位已定的不查机构
        assert operations.raise_tasks(rows=[spec(county, 10000, post="GC_UNDERWRITER")]) == 1
    assert operations.raise_tasks(rows=[]) == 0


def test_a_new_cause_or_day_is_a_new_occurrence(county: County) -> None:
    first = spec(county)
    again = [first, replace(first, cause="rebooked"), replace(first, due_on=DAY + timedelta(days=9))]
    assert operations.raise_tasks(rows=again) == 3
    assert operations.raise_task(spec=first) == operations.raise_task(spec=first)


def test_what_was_raised_reads_back_whole(county: County) -> None:
    task_id = operations.raise_task(spec=spec(county, 7, party_id=77, priority=2))
    row = queries.task_detail(county.actor("ACCOUNTING_SUPERVISOR"), task_id, on=DAY).row
    assert (row.kind_name, row.title, row.party_id, row.priority) == ("放款复核", "复核借据 7", 77, 2)
    assert row.facts == {"amount_fen": 5_000_000, "说明": "含引号'\""}
    assert (row.root_type, row.root_id, row.subject_type) == ("loan", 7, "booking")
    assert (row.clause, row.state, row.opened_on) == ("ORG-3", "open", DAY)


@pytest.mark.parametrize(
    ("at", "post"), [("S1", "ACCOUNTING_SUPERVISOR"), ("S2", "ACCOUNTING_SUPERVISOR"), ("GC", "GC_UNDERWRITER")]
)
def test_the_owning_post_follows_the_institution(county: County, at: str, post: str) -> None:
    task_id = operations.raise_task(spec=spec(county, at=at))
    assert queries.task_detail(SYSTEM, task_id, on=DAY).row.post == post


def test_no_post_on_the_line_is_refused_alone_and_shown_in_bulk(county: County, django_assert_num_queries) -> None:
    """一个人登记时当场说；成批开出时不许一处没设岗就挡住全部，但要看得见。"""
    kinds.register_kind(
        TaskKind("test.uni", "走访", ("AID_OFFICER", "COUNSELOR"), "work.act", (kinds.Outcome("DONE", "已办"),))
    )
    with pytest.raises(DomainError) as refused:
        operations.raise_task(spec=spec(county, kind="test.uni"))
    assert refused.value.code == "TASK_WITHOUT_POST"
    county.actor("ACCOUNTING_SUPERVISOR")
    rows = [spec(county, 1, kind="test.uni"), spec(county, 2), spec(county, 3, at="S2"), spec(county, 4, at="S9")]
    assert operations.raise_tasks(rows=rows) == 4
    with django_assert_num_queries(3):
        empty = queries.empty_desks(on=DAY)
    assert [(desk.institution_id, desk.post, desk.open) for desk in empty] == [
        (county.ids["S1"], "AID_OFFICER", 1),
        (county.ids["S9"], "ACCOUNTING_SUPERVISOR", 1),
    ]


def test_what_was_raised_can_be_checked_against_what_should_have_been(county: County) -> None:
    rows = [spec(county, loan) for loan in (1, 2, 3)]
    operations.raise_tasks(rows=rows[:2])
    assert queries.existing_occurrences(keys=[row.occurrence_key for row in rows]) == {
        row.occurrence_key for row in rows[:2]
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"posts": ("NO_SUCH_POST",)},
        {"posts": ("LOAN_OFFICER",)},  # 没有 servicing.authorize
        {"duty": "JUGGLER"},
    ],
)
def test_wiring_a_kind_wrongly_stops_the_start(wrong: dict) -> None:
    with pytest.raises(AssertionError):
        kinds.register_kind(replace(AUTHORIZE, code="test.wrong", **wrong))


def test_an_unregistered_kind_is_a_wiring_mistake(county: County) -> None:
    with pytest.raises(LookupError, match="config/wiring"):
        operations.raise_task(spec=spec(county, kind="test.nobody"))


def test_a_kind_is_registered_once() -> None:
    kinds.register_kind(AUTHORIZE)
    with pytest.raises(AssertionError):
        kinds.register_kind(replace(AUTHORIZE, name="另一个"))
    with pytest.raises(AssertionError):
        TaskKind(**{**{name: getattr(AUTHORIZE, name) for name in TaskKind.__slots__}, "rule": ""})


# 办结 ------------------------------------------------------------------------------------------------------


def test_closing_records_decision_involvement_and_history(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    task_id = operations.raise_task(spec=spec(county))
    done = close(supervisor, task_id, opinion="要素一致", key="close")
    assert close(supervisor, task_id, opinion="要素一致", key="close") == done
    detail = queries.task_detail(supervisor, task_id, on=DAY)
    assert (detail.row.state_name, detail.row.outcome_name, detail.row.closed_on) == ("已办", "同意", DAY)
    assert [(item.person_name, item.outcome_name, item.opinion) for item in detail.decisions] == [
        (supervisor.name, "同意", "要素一致")
    ]
    assert detail.decisions[0].authority == {"post_holding_id": supervisor.post_holding_id}
    assert [event.kind for event in detail.events] == ["closed"]
    assert [(item.person_id, item.duty_name) for item in queries.involvements_of(root_type="loan", root_id=1)] == [
        (supervisor.person_id, "放款复核人")
    ]
    assert (detail.may_act, detail.why_not) == (False, "已办。")


def test_a_closed_task_is_never_reopened(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    task_id = operations.raise_task(spec=spec(county))
    close(supervisor, task_id)
    with pytest.raises(Conflict) as refused:
        close(supervisor, task_id)
    assert refused.value.code == "TASK_CLOSED"
    assert "同意" in refused.value.message
    assert operations.raise_tasks(rows=[spec(county)]) == 0


@pytest.mark.parametrize("duty", ["BOOKER", "LEAD_INVESTIGATOR"])
def test_separation_of_duties_names_the_rule(county: County, duty: str) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    task_id = operations.raise_task(spec=spec(county))
    case = {"root_type": "loan", "root_id": 1, "person_id": supervisor.person_id}
    for _ in range(2):
        operations.record_involvement(**case, duty=duty, on=DAY)
    with pytest.raises(NotPermitted) as refused:
        close(supervisor, task_id)
    assert (refused.value.code, refused.value.clause) == ("SEPARATION_OF_DUTIES", "ORG-3")
    assert "放款与会计授权双人分设" in refused.value.message
    assert supervisor.name in refused.value.message
    assert kinds.duty_name(duty) in refused.value.message
    # 拒绝什么也没留下，另一人照办
    assert queries.task_detail(supervisor, task_id, on=DAY).decisions == ()
    assert close(county.actor("ACCOUNTING_SUPERVISOR", nth=2), task_id)["outcome"] == "APPROVED"


def test_separation_is_per_case(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    operations.record_involvements(rows=[("loan", 2, supervisor.person_id, "BOOKER")] * 2, on=DAY)
    close(supervisor, operations.raise_task(spec=spec(county, 1)))
    with pytest.raises(NotPermitted):
        close(supervisor, operations.raise_task(spec=spec(county, 2)))


def test_only_the_owning_post_in_scope_acts(county: County) -> None:
    task_id = operations.raise_task(spec=spec(county, at="S9"))
    with pytest.raises(NotFound):
        close(county.actor("ACCOUNTING_SUPERVISOR"), task_id)  # S1 看不到 S9
    with pytest.raises(NotPermitted) as refused:
        close(county.actor("DISBURSEMENT_CLERK", at="S9"), task_id)
    assert refused.value.code == "TASK_OF_OTHER_POST"
    with pytest.raises(NotPermitted):
        close(county.actor("AUDITOR"), task_id)
    assert close(county.actor("ACCOUNTING_SUPERVISOR", at="B2"), task_id)


def test_outcomes_and_opinions_are_checked(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    task_id = operations.raise_task(spec=spec(county))
    with pytest.raises(DomainError) as unknown:
        close(supervisor, task_id, outcome="MAYBE")
    assert "APPROVED" in unknown.value.fix
    with pytest.raises(DomainError) as silent:
        close(supervisor, task_id, outcome="RETURNED", opinion="  ")
    assert silent.value.code == "OPINION_MISSING"
    assert close(supervisor, task_id, outcome="RETURNED", opinion="金额与合同不符")


def test_the_owners_closer_does_the_work_in_one_transaction(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    seen: list[tuple] = []

    @operation("test.authorize_booking", permission="servicing.authorize")
    def authorize_booking(*, actor, key, task_id, outcome, opinion, on, data):
        seen.append(queries.subject_of(task_id))
        closed = operations.close_task(
            actor=actor, task_id=task_id, outcome=outcome, opinion=opinion, on=on, authority={"limit_fen": 20_000_000}
        )
        if opinion == "出错":
            raise DomainError("BROKEN", "后半段出错。")
        return {**closed, "subject": "loan:1"}

    kinds.register_closer("test.authorize", authorize_booking)
    task_id = operations.raise_task(spec=spec(county))
    with pytest.raises(DomainError):
        close(supervisor, task_id, opinion="出错")
    assert queries.task_detail(supervisor, task_id, on=DAY).row.state == "open"
    assert close(supervisor, task_id)["subject"] == "loan:1"
    assert seen == [("test.authorize", "booking", 1)] * 2
    decision = queries.task_detail(supervisor, task_id, on=DAY).decisions[0]
    assert decision.authority["limit_fen"] == 20_000_000


def test_a_closer_that_does_not_close_is_caught(county: County) -> None:
    kinds.register_closer("test.authorize", lambda **given: {"subject": "loan:1"})
    task_id = operations.raise_task(spec=spec(county))
    with pytest.raises(AssertionError, match="without closing"):
        close(county.actor("ACCOUNTING_SUPERVISOR"), task_id)


def test_closing_takes_a_fixed_number_of_statements(county: County, django_assert_max_num_queries) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    task_id = operations.raise_task(spec=spec(county))
    with django_assert_max_num_queries(8):
        operations.close_task(actor=supervisor, task_id=task_id, outcome="APPROVED", opinion="", on=DAY)


def test_cancelled_and_replaced_tasks(county: County) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    first, second = (operations.raise_task(spec=spec(county, loan)) for loan in (1, 2))
    inputs = {"actor": SYSTEM, "kind": "test.authorize", "subject_type": "booking", "on": DAY, "reason": "登记已撤回"}
    assert operations.cancel_tasks(**inputs, subject_ids=[1]) == 1
    assert operations.cancel_tasks(**inputs, subject_ids=[1]) == 0
    detail = queries.task_detail(supervisor, first, on=DAY)
    assert (detail.row.state_name, detail.events[0].data) == ("已撤", {"reason": "登记已撤回"})
    fresh = operations.replace_task(
        actor=SYSTEM, task_id=second, spec=spec(county, 2, cause="changed"), on=DAY, reason="金额改了"
    )
    assert queries.task_detail(supervisor, second, on=DAY).replaced_by_id == fresh
    assert queries.open_task_of(kind="test.authorize", subject_type="booking", subject_id=2) == fresh
    assert queries.open_task_of(kind="test.authorize", subject_type="booking", subject_id=1) is None


# 指派 ------------------------------------------------------------------------------------------------------


def test_claiming_assigning_and_releasing(county: County) -> None:
    one, two = (county.actor("ACCOUNTING_SUPERVISOR", nth=nth) for nth in (1, 2))
    manager, clerk = county.actor("BRANCH_MANAGER"), county.actor("DISBURSEMENT_CLERK")
    task_id = operations.raise_task(spec=spec(county))
    target = {"task_id": task_id, "on": DAY}
    operations.claim_task(actor=one, key=fresh_key(), **target)
    with pytest.raises(NotPermitted) as refused:
        close(two, task_id)
    assert one.name in refused.value.message
    with pytest.raises(NotPermitted):
        operations.release_task(actor=two, key=fresh_key(), **target)
    with pytest.raises(DomainError) as ineligible:
        operations.assign_task(actor=manager, key=fresh_key(), person_id=clerk.person_id, **target)
    assert two.name in ineligible.value.fix
    operations.assign_task(actor=manager, key=fresh_key(), person_id=two.person_id, **target)
    operations.release_task(actor=two, key=fresh_key(), **target)
    operations.comment_task(actor=clerk, key=fresh_key(), text="资料已补", **target)
    events = queries.task_detail(one, task_id, on=DAY).events
    assert [event.kind for event in events] == ["claimed", "assigned", "released", "comment"]
    with pytest.raises(DomainError):
        operations.comment_task(actor=clerk, key=fresh_key(), text=" ", **target)


# 工作台 ----------------------------------------------------------------------------------------------------


def titles(actor: Actor, **filters) -> list[str]:
    return [row.title for row in queries.my_tasks(actor, on=DAY, filters=TaskFilter(**filters)).rows]


def test_workbench_shows_my_post_in_my_scope_by_due_date(county: County, django_assert_num_queries) -> None:
    operations.raise_tasks(
        rows=[
            spec(county, 1, due_on=DAY + timedelta(days=3)),
            spec(county, 2, at="S2", due_on=DAY),
            spec(county, 3, due_on=DAY - timedelta(days=2)),
            spec(county, 4, at="S9"),
            spec(county, 5, at="GC"),
            spec(county, 6, visible_on=DAY + timedelta(days=1)),
            spec(county, 7, post="DISBURSEMENT_CLERK"),
        ]
    )
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    with django_assert_num_queries(2):
        page = queries.my_tasks(supervisor, on=DAY)
    assert [row.subject_id for row in page.rows] == [3, 2, 1]
    assert [row.days_late for row in page.rows] == [2, 0, 0]
    assert [row.institution_name for row in page.rows] == ["柳溪支行", "石桥支行", "柳溪支行"]
    assert titles(supervisor, due="overdue") == ["复核借据 3"]
    assert titles(supervisor, due="today") == ["复核借据 2"]
    assert titles(supervisor, due="week") == ["复核借据 2", "复核借据 1"]
    assert titles(supervisor, text="借据 1") == ["复核借据 1"]
    assert titles(supervisor, institution_id=county.ids["S2"]) == ["复核借据 2"]
    assert titles(supervisor, kind="test.visit") == []
    assert titles(supervisor, all_posts=True) == titles(supervisor)  # 没有督办权限
    assert len(titles(county.actor("BRANCH_MANAGER"), all_posts=True)) == 4
    assert titles(county.actor("BRANCH_MANAGER")) == []


def test_workbench_hides_what_a_colleague_has_taken(county: County) -> None:
    one, two = (county.actor("ACCOUNTING_SUPERVISOR", nth=nth) for nth in (1, 2))
    ids = [operations.raise_task(spec=spec(county, loan)) for loan in (1, 2)]
    operations.claim_task(actor=one, key=fresh_key(), task_id=ids[0], on=DAY)
    assert titles(two) == titles(two, whose="free") == ["复核借据 2"]
    assert titles(one, whose="mine") == ["复核借据 1"]
    assert len(titles(two, whose="any")) == 2


def test_list_and_detail_do_not_grow_in_queries(county: County, django_assert_num_queries) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    operations.raise_tasks(rows=[spec(county, loan) for loan in range(1, 121)])
    with django_assert_num_queries(2):
        page = queries.my_tasks(supervisor, on=DAY, page=3, size=50)
    assert (page.total, page.pages, len(page.rows), page.has_next) == (120, 3, 20, False)
    task_id = page.rows[0].id
    for nth in range(8):
        operations.comment_task(actor=supervisor, key=fresh_key(), on=DAY, task_id=task_id, text=f"第 {nth} 条")
    with django_assert_num_queries(6):
        assert len(queries.task_detail(supervisor, task_id, on=DAY).events) == 8
    with django_assert_num_queries(1):
        assert len(queries.tasks_of_root(supervisor, root_type="loan", root_id=5, on=DAY)) == 1


def test_counts_of_the_workbench(county: County, django_assert_num_queries) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    days = [-3, -1, 0, 2]
    ids = [
        operations.raise_task(spec=spec(county, loan, due_on=DAY + timedelta(days=offset)))
        for loan, offset in enumerate(days)
    ]
    operations.claim_task(actor=supervisor, key=fresh_key(), on=DAY, task_id=ids[0])
    with django_assert_num_queries(1):
        (counted,) = queries.workbench_counts(supervisor, on=DAY)
    assert (counted.name, counted.open, counted.due_today, counted.overdue, counted.unassigned) == (
        "放款复核",
        4,
        1,
        2,
        3,
    )
    assert queries.workbench_counts(county.actor("LOAN_OFFICER"), on=DAY) == []


def test_coverage_counts_what_was_due(county: County, django_assert_num_queries) -> None:
    supervisor = county.actor("ACCOUNTING_SUPERVISOR")
    ids = {
        name: operations.raise_task(spec=spec(county, loan, due_on=DAY + timedelta(days=offset)))
        for loan, (name, offset) in enumerate(
            {"on time": 0, "late": -2, "overdue": -1, "pending": 5, "cancelled": 0, "later": 40}.items()
        )
    }
    close(supervisor, ids["on time"])
    close(supervisor, ids["late"])
    operations.cancel_tasks(
        actor=SYSTEM, kind="test.authorize", subject_type="booking", subject_ids=[4], on=DAY, reason="撤回"
    )
    operations.raise_task(spec=spec(county, 99, at="S9", due_on=DAY))
    span = {"kind": "test.authorize", "first": DAY - timedelta(days=5), "last": DAY + timedelta(days=5), "on": DAY}
    with django_assert_num_queries(1):
        found = queries.coverage(supervisor, **span)
    assert (found.due, found.on_time, found.late, found.overdue, found.pending) == (4, 1, 1, 1, 1)
    assert found.covered_ppm == 500_000
    assert queries.coverage(supervisor, **{**span, "kind": "test.visit"}).covered_ppm is None


def test_detail_says_why_one_cannot_act(county: County) -> None:
    task_id = operations.raise_task(spec=spec(county))
    assert queries.task_detail(county.actor("ACCOUNTING_SUPERVISOR"), task_id, on=DAY).may_act
    assert queries.task_detail(county.actor("BRANCH_MANAGER"), task_id, on=DAY).why_not == "由信贷会计主管岗办理。"
    with pytest.raises(NotFound):
        queries.task_detail(county.actor("GC_HANDLER"), task_id, on=DAY)


@pytest.mark.django_db(transaction=True)
def test_two_closings_at_once_leave_one_decision() -> None:
    county = open_county()
    one, two = (county.actor("ACCOUNTING_SUPERVISOR", nth=nth) for nth in (1, 2))
    with transaction.atomic():
        task_id = operations.raise_task(spec=spec(county))
    results = at_once(lambda: close(one, task_id), lambda: close(two, task_id))
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "dict"]
    assert len(queries.task_detail(one, task_id, on=DAY).decisions) == 1


def test_a_case_out_of_scope_is_not_found_and_one_without_tasks_is_empty(county: County) -> None:
    """看不看得见由案子的主人说：没有任务与无权看是两回事。"""

    def find(actor: Actor, root_id: int) -> None:
        if root_id != 7:
            raise NotFound("LOAN_NOT_FOUND", "没有这笔借据。")

    kinds.register_root("loan", find)
    actor = county.actor("LOAN_OFFICER")
    assert queries.tasks_of_root(actor, root_type="loan", root_id=7, on=OPENING_DAY) == []
    with pytest.raises(NotFound):
        queries.tasks_of_root(actor, root_type="loan", root_id=8, on=OPENING_DAY)
