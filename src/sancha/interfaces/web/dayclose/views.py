"""日终控制台、预演、不变式看板、解除隔离。"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sancha.apps.businessday.queries import GroupInfo, groups, partition_of
from sancha.apps.servicing.operations import release_loan
from sancha.apps.servicing.queries import LoanFilter, list_loans
from sancha.dayclose import background, engine, invariants
from sancha.dayclose.exclusive import CHECK, CLOSE
from sancha.dayclose.pipeline import PIPELINE
from sancha.interfaces.web.dayclose.forms import CatchUpForm, ReleaseForm
from sancha.interfaces.web.dayclose.links import linked, loan_link
from sancha.interfaces.web.dayclose.stepper import day_row, seconds, steps_of, timing_chart
from sancha.interfaces.web.forms import Form
from sancha.interfaces.web.pages import attempt, go, own_institution, page, post_only, show, submission_key, succeeds
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Table
from sancha.interfaces.web.templatetags import sancha as words

READ, RUN = "dayclose.view", "dayclose.run"
DAYS = 30
ORDER = ("BOOKS", "VOUCHERS", "AGENDA", "REPLAY", "AUDIT", "TASKS", "FOLD")


def _group(request: PageRequest) -> GroupInfo:
    """本岗位所在机构的营业日组：别家法人的日终与我无关。"""
    mine = partition_of(institution_id=own_institution(request)).group_id
    return next(group for group in groups() if group.id == mine)


def _held(request: PageRequest) -> list[dict[str, Any]]:
    """现在隔离着的借据与原因（看不到借据的岗位只知道有没有，见不变式）。"""
    actor = request.actor
    if not actor.may("servicing.view"):
        return []
    found = list_loans(actor=actor, where=LoanFilter(held=True), today=request.business_date, size=100)
    reasons = {row["loan_id"]: row["reason"] for row in reversed(engine.held_loans())} if found.rows else {}
    return [
        {"id": row.id, "link": loan_link(row.id, row.number), "name": row.party_name, "reason": reasons.get(row.id, "")}
        for row in found.rows
    ]


# 日终 ------------------------------------------------------------------------------------------------------


@page(READ)
@require_safe
def console(request: PageRequest) -> HttpResponse:
    """日终控制台。"""
    return _console(request)


def _console(request: PageRequest, form: CatchUpForm | None = None, plain: Form | None = None) -> HttpResponse:
    actor = request.actor
    group = _group(request)
    runs = engine.status(group_id=group.id, limit=DAYS)
    days = [day_row(run) for run in runs]
    context = {
        **_run_panel(group, runs, request.GET.get("day", "")),
        "plain": plain,
        "form": form or CatchUpForm(initial={"until": engine.unfinished_day(group.id)}),
        "table": _history_table(days),
        "days": list(reversed(days)),
        "chart": timing_chart(runs),
        "held": _held(request),
        "may_run": actor.may(RUN),
        "may_release": actor.may("servicing.authorize"),
        "release_form": ReleaseForm(),
    }
    return show(request, "dayclose/console.html", context)


def _run_panel(group: GroupInfo, runs: list[dict[str, Any]], day: str = "") -> dict[str, Any]:
    """正在做的、停下的，或点中的那一天。"""
    running = background.is_running(CLOSE, group.id)
    note = background.note(CLOSE, group.id)
    chosen = next((run for run in runs if str(run["day"]) == day), None) if day and not running else None
    run = chosen or (runs[0] if runs else None)
    if running and run and run["status"] == "DONE":
        run = None  # between two days: the next one is about to begin
    steps = steps_of(run, len(group.partitions))
    return {
        "group": group,
        "run": run,
        "running": running,
        "memo": note,
        "problem": note.get("problem") if not running and _is_newer(note, run) else None,
        "interrupted": bool(run and run["status"] == "RUNNING" and not running),
        "steps": steps,
        "steps_done": sum(step["state"] == "done" for step in steps),
        "took": seconds(sum(s["milliseconds"] for s in run["steps"])) if run else "",
    }


def _is_newer(note: dict[str, Any], run: dict[str, Any] | None) -> bool:
    """便条上的话说的是不是眼下：之后又做成过的，就不再提。"""
    return run is None or run["status"] == "STOPPED" or bool(note.get("at", 0) > run["started_at"].timestamp())


@page(READ)
@require_safe
def progress(request: PageRequest) -> HttpResponse:
    """进度片段，半秒取一次；做完了就让整页刷新一次（营业日、历史都变了）。"""
    group = _group(request)
    panel = _run_panel(group, engine.status(group_id=group.id, limit=1))
    response = render(request, "dayclose/panel.html", panel)
    if not panel["running"]:
        response["HX-Refresh"] = "true"
    return response


def _history_table(days: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("day", _("日期"), kind="day", link=lambda r: f"?day={r['day']}"),
            Column(
                "status", _("结果"), show=lambda r: format_html('<span class="pill {}">{}</span>', r["tone"], r["status_name"])
            ),
            Column("loans", _("逐笔结转"), kind="int"),
            Column("vouchers", _("计提凭证"), kind="int"),
            Column("tasks", _("新任务"), kind="int"),
            Column("checked", _("抽查重放"), kind="int"),
            Column("attempts", _("第几次"), kind="int"),
            Column("milliseconds", _("用时"), show=lambda r: seconds(r["milliseconds"]), css="r"),
            Column("finished_at", _("完成时刻"), kind="moment"),
            Column("message", _("说明"), css="wrap"),
        ],
        days,
        empty=_("还没有做过日终"),
        row_css=lambda r: "bad" if r["status"] == "STOPPED" else "",
    )  # fmt: skip


@page(RUN)
@post_only("dayclose:console")
def run(request: PageRequest) -> HttpResponse:
    """运行日终：另起进程去做，页面只看进度。带日期的是连续补做。"""
    group = _group(request)
    form: Form = CatchUpForm(request.POST) if "until" in request.POST else Form(request.POST)
    if form.is_valid():
        until = form.cleaned_data.get("until")
        if succeeds(form, background.start_close, actor=request.actor, group_id=group.id, until=until):
            return go(request, "dayclose:console")
    if isinstance(form, CatchUpForm):
        return _console(request, form=form)
    return _console(request, plain=form)


@page(READ)
@post_only("dayclose:console")
def rehearsal(request: PageRequest) -> HttpResponse:
    """预演：在必定回滚的事务里做一遍，看会变什么。"""
    group = _group(request)
    plain = Form(request.POST)
    report = attempt(plain, engine.rehearse, actor=request.actor, group_id=group.id)
    if report is None:
        return _console(request, plain=plain)
    context = {
        "group": group,
        "report": report,
        "figures": _before_after(report["before"], report["after"]),
        "classes": _class_lines(report["before"]["classes"], report["after"]["classes"]),
        "table": _changes_table(report["changes"]),
        "steps": [
            {"label": step.name, "state": "done", "time": f"{report['steps'].get(step.code, 0):,}"} for step in PIPELINE
        ],
    }
    return show(request, "dayclose/rehearsal.html", context)


def _before_after(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    names = {
        "principal_fen": _("贷款余额"),
        "overdue_principal_fen": _("逾期本金"),
        "interest_due_fen": _("应收利息"),
        "charges_due_fen": _("罚息、复利与费用"),
    }
    return [
        {"name": name, "before": before[key], "after": after[key], "change": after[key] - before[key]}
        for key, name in names.items()
    ]


def _class_lines(before: dict[int, int], after: dict[int, int]) -> list[dict[str, Any]]:
    return [
        {"grade": n, "before": before.get(n, 0), "after": after.get(n, 0), "change": after.get(n, 0) - before.get(n, 0)}
        for n in sorted(before | after)
    ]


def _change_of(row: dict[str, Any]) -> SafeString:
    parts: list[SafeString] = []
    if row["class_before"] != row["class_after"]:
        parts.append(format_html("{} → {}", words.klass(row["class_before"]), words.klass(row["class_after"])))
    if row["accrual_before"] != row["accrual_after"]:
        kinds = {0: _("非应计"), 1: _("应计"), 2: _("已核销")}
        parts.append(format_html("{} → {}", kinds[row["accrual_before"]], kinds[row["accrual_after"]]))
    if row["billed"]:
        parts.append(format_html("{}", _("结出 %(n)s 期") % {"n": row["billed"]}))
    if row["overdue_before_fen"] != row["overdue_after_fen"]:
        parts.append(
            format_html('<span class="pill red">{}</span>', _("转逾期") if row["overdue_after_fen"] else _("不再逾期"))
        )
    return format_html_join(" · ", "{}", ((part,) for part in parts))


def _changes_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("number", _("借据号"), show=lambda r: loan_link(r["loan_id"], r["number"])),
            Column("name", _("客户")),
            Column("change", _("变化"), show=_change_of, css="wrap"),
            Column(
                "overdue_before_fen",
                _("现在逾期本金"),
                show=lambda r: words.fen(r["overdue_before_fen"] or None),
                css="r",
            ),
            Column(
                "overdue_after_fen",
                _("日终后逾期本金"),
                show=lambda r: words.fen(r["overdue_after_fen"] or None),
                css="r",
            ),
        ],
        rows,
        stack=True,
        empty=_("没有借据会变化分类、应计状态、逾期或期数"),
    )


# 不变式 ----------------------------------------------------------------------------------------------------


@page(READ)
@require_safe
def board(request: PageRequest) -> HttpResponse:
    """不变式看板。"""
    return _board(request)


def _board(
    request: PageRequest, plain: Form | None = None, release_form: ReleaseForm | None = None, loan_id: int = 0
) -> HttpResponse:
    actor = request.actor
    group = _group(request)
    context = {
        **_check_panel(group),
        "plain": plain,
        "results": [
            {
                "name": row.name,
                "ok": row.ok,
                "checked": row.checked,
                "at": row.at,
                "milliseconds": row.milliseconds,
                "problems": [linked(problem) for problem in row.problems],
            }
            for row in sorted(invariants.latest(group_id=group.id), key=lambda row: (row.ok, ORDER.index(row.code)))
        ],
        "held": _held(request),
        "release_form": release_form or ReleaseForm(),
        "releasing": loan_id,
        "may_release": actor.may("servicing.authorize"),
    }
    return show(request, "dayclose/invariants.html", context)


def _check_panel(group: GroupInfo) -> dict[str, Any]:
    return {
        "group": group,
        "checking": background.is_running(CHECK, group.id),
        "check_note": background.note(CHECK, group.id),
    }


@page(READ)
@post_only("dayclose:invariants")
def check(request: PageRequest) -> HttpResponse:
    """现在核对：账簿用 SQL，重放只查轮转的一份。"""
    plain = Form(request.POST)
    found = attempt(plain, invariants.check, group_id=_group(request).id)
    if found is None:
        return _board(request, plain=plain)
    red = [item for item in found if not item.ok]
    said = _("核对完毕，%(n)s 项不成立。") % {"n": len(red)} if red else _("核对完毕，全部成立。")
    return go(request, "dayclose:invariants", said=said)


@page(READ)
@post_only("dayclose:invariants")
def check_all(request: PageRequest) -> HttpResponse:
    """全部重放：另起进程，页面看进度。"""
    plain = Form(request.POST)
    group = _group(request)
    started = succeeds(plain, background.start_check, actor=request.actor, group_id=group.id)
    return go(request, "dayclose:invariants") if started else _board(request, plain=plain)


@page(READ)
@require_safe
def check_progress(request: PageRequest) -> HttpResponse:
    """全部重放的进度片段。"""
    panel = _check_panel(_group(request))
    response = render(request, "dayclose/check_panel.html", panel)
    if not panel["checking"]:
        response["HX-Refresh"] = "true"
    return response


@page("servicing.authorize")
@post_only("dayclose:invariants")
def release(request: PageRequest, loan_id: int) -> HttpResponse:
    """解除隔离：从事实重放，差额记今天的凭证。"""
    form = ReleaseForm(request.POST)
    if form.is_valid():
        done = attempt(
            form, release_loan, actor=request.actor, key=submission_key(request), loan_id=loan_id,
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        if done is not None:
            said = _("借据 %(number)s 已解除隔离，重新参加日终。") % {"number": done["number"]}
            return go(request, "dayclose:invariants", said=said)
    return _board(request, release_form=form, loan_id=loan_id)
