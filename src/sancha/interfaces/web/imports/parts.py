"""转入各页共用的：状态、步骤、指标、毛病表、差异表、进度。"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sancha.apps.servicing.importing.queries import BatchDetail, handling
from sancha.apps.servicing.importing.reconciling import ADJUSTABLE, COUNTED
from sancha.dayclose import background
from sancha.dayclose.exclusive import IMPORT
from sancha.interfaces.web.tables import Column, Pagination, Table
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.paging import Page

VIEW, STAGE, AUTHORIZE, REPAY = "imports.view", "servicing.import", "servicing.authorize", "servicing.repay"
PORTFOLIO = "PORTFOLIO"
RUNNING = frozenset({"COMMITTING", "WITHDRAWING"})
TONES = {
    "STAGED": "amber", "COMMITTING": "blue", "DONE": "green", "INCOMPLETE": "red", "CANCELLED": "", "WITHDRAWING": "blue",
    "WITHDRAWN": "",
}  # fmt: skip
ROW_TONES = {"READY": "blue", "ERROR": "red", "IMPORTED": "green", "FAILED": "red"}
SEVERITIES = {"ERROR": "red", "DOUBT": "amber", "SKIP": ""}
STEPS = (
    gettext_lazy("送件"),
    gettext_lazy("预检"),
    gettext_lazy("复核"),
    gettext_lazy("转入"),
    gettext_lazy("对账"),
)
REPAYMENT_STEPS = (gettext_lazy("送件"), gettext_lazy("预检"), gettext_lazy("入账"))


def status_pill(row: Any) -> SafeString:
    """批次状态。"""
    return format_html('<span class="pill {}">{}</span>', TONES.get(row.status, ""), row.status_name)


def wizard(at: int, names: Any = STEPS) -> list[dict[str, Any]]:
    """走到第几步。"""
    return [{"name": name, "state": "done" if n < at else "now" if n == at else ""} for n, name in enumerate(names)]


def steps_of(found: BatchDetail) -> list[dict[str, Any]]:
    """这一批走到第几步。"""
    status = found.row.status
    if found.row.kind != PORTFOLIO:
        return wizard({"STAGED": 1}.get(status, 2 if status != "DONE" else 3), REPAYMENT_STEPS)
    waiting = 2 if found.task_id and not found.returned else 1
    return wizard({"STAGED": waiting, "COMMITTING": 3, "INCOMPLETE": 3}.get(status, 4))


def tiles(found: BatchDetail) -> list[dict[str, Any]]:
    """预检与结果的指标。"""
    row, summary = found.row, found.row.summary
    here = reverse("imports:batch", args=[row.id])
    loans = row.kind == PORTFOLIO
    ready, left_out = (_("可转入"), _("不转入")) if loans else (_("可入账"), _("不入账"))
    errors, orphans = summary.get("errors", 0), summary.get("orphans", 0)
    shown = [
        {"label": ready, "value": summary.get("ready", 0), "icon": "circle-check", "tone": "green"},
        {"label": _("存疑"), "value": summary.get("doubts", 0), "icon": "help-circle", "tone": "amber"},
        {"label": _("有错误"), "value": errors, "icon": "circle-x", "tone": "red" if errors else "green"},
        {"label": left_out, "value": summary.get("skipped", 0), "icon": "ban"},
    ]
    for tile, severity in zip(shown, ("", "DOUBT", "ERROR", "SKIP"), strict=True):
        tile["unit"] = _("笔") if loans else _("行")
        if severity:
            tile["href"] = f"{here}?severity={severity}"
    if orphans:
        shown.append({"label": _("找不到借据的行"), "value": orphans, "icon": "unlink", "tone": "red"})
    if row.status != "STAGED":
        done, total = found.progress
        label = _("已转入") if row.kind == PORTFOLIO else _("已入账")
        shown.append({"label": label, "value": f"{done:,} / {total:,}", "icon": "database"})
    if row.differences_open is not None:
        open_gaps = row.differences_open
        shown.append(
            {
                "label": _("未了差异"),
                "value": open_gaps,
                "icon": "scale",
                "tone": "red" if open_gaps else "green",
                "href": reverse("imports:differences", args=[row.id]) + ("?open=1" if open_gaps else ""),
            }
        )
    return shown


def _problems(row: dict[str, Any]) -> SafeString:
    return format_html_join(
        "",
        '<div><span class="pill {}">{}</span> <strong>{}</strong> {}{} <span class="muted">{}</span></div>',
        (
            (
                SEVERITIES[p["severity"]], p["rule"], p["field"], f"「{p['value']}」 " if p["value"] else "", p["message"],
                p["fix"],
            )
            for p in row["problems"]
        ),
    )  # fmt: skip


def problem_table(found: Page[dict[str, Any]], *, paged: bool = True) -> Table:
    """有毛病的行：栏目、值、规则、怎么改。"""
    return Table(
        [
            Column("file", _("文件"), css="muted"),
            Column("row", _("行"), kind="int"),
            Column("role", _("类别")),
            Column("ref", _("借据号"), css="mono"),
            Column("problems", _("规则、栏目、值与怎么改"), show=_problems, css="wrap"),
            Column("status_name", _("这一行")),
        ],
        found.rows,
        pagination=Pagination.over(found) if paged else None,
        stack=True,
        empty=_("没有毛病"),
    )


def figure(gap: dict[str, Any], side: str) -> str:
    """金额写成元；天数、分类照写。"""
    value = gap.get(side)
    return format_yuan(value) if gap["component"] not in COUNTED and isinstance(value, int) else str(value)


def loan_url(row: dict[str, Any]) -> str:
    """借据页。"""
    return reverse("loans:detail", args=[row["loan_id"]]) if row["loan_id"] and row["number"] else ""


def gap_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """一处差异一行：同一笔的各成分挨着。"""
    return [row | {"gap": gap, "component": gap["component"]} for row in rows for gap in row["differences"]]


def _handled(row: dict[str, Any]) -> SafeString | str:
    gap = row["gap"]
    task_id = gap.get("proposal", {}).get("task_id")
    if gap.get("settled_seq"):
        return format_html('<span class="pill green">{}</span>', _("已调整"))
    if task_id:
        return format_html('<a class="pill blue" href="{}">{}</a>', reverse("task", args=[task_id]), _("等待复核"))
    return format_html('<span class="pill red">{}</span>', handling(gap))


def gap_table(rows: list[dict[str, Any]], *, actor: Actor, pagination: Pagination | None = None) -> Table:
    """差异表：点借据进台账，点行号看文件里写的；能用金额调整消掉的可以录入调整。"""

    def act(row: dict[str, Any]) -> SafeString | str:
        gap = row["gap"]
        if gap.get("settled_seq") or gap.get("proposal", {}).get("task_id") or not actor.may(STAGE):
            return ""
        if gap["component"] not in ADJUSTABLE:
            return format_html('<span class="muted small">{}</span>', _("须更正来源"))
        url = reverse("imports:adjust", args=[row["row_id"], gap["component"]])
        return format_html('<a class="btn btn-sm" href="{}">{}</a>', url, _("调整"))

    return Table(
        [
            Column("number", _("借据"), link=loan_url, css="mono"),
            Column("row", _("文件第几行"), show=lambda r: r["row"], link=lambda r: reverse("imports:row", args=[r["row_id"]]), css="r"),
            Column("name", _("成分"), show=lambda r: r["gap"].get("name", r["component"])),
            Column("file", _("文件"), show=lambda r: figure(r["gap"], "file"), css="r"),
            Column("book", _("账上"), show=lambda r: figure(r["gap"], "book"), css="r"),
            Column("difference", _("账上多（少）"), show=lambda r: figure(r["gap"], "difference"), css="r"),
            Column("handled", _("处理"), show=_handled),
        ],
        gap_rows(rows),
        pagination=pagination,
        actions=act,
        stack=True,
        empty=_("文件与账上逐笔相符"),
    )  # fmt: skip


def progress_panel(found: BatchDetail) -> dict[str, Any]:
    """进度：后台在做的看它自己的便条，没在做的看库里。"""
    done, total = found.progress
    note = background.note(IMPORT, found.row.id)
    running = background.is_running(IMPORT, found.row.id)
    return {
        "batch_id": found.row.id,
        "running": running,
        "done": (note.get("done") if running else None) or done,
        "total": (note.get("total") if running else None) or total,
        "stage": note.get("stage", ""),
        "problem": note.get("problem") if not running else None,
        "interrupted": found.row.status in RUNNING and not running,
    }
