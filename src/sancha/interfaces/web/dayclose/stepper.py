"""日终台账的画法：九步的进度条、一天一行的历史、用时图。"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from sancha.dayclose.pipeline import PIPELINE

COLORS = 6
"""图表的颜色数；更多的段就分不清了。"""
TONES = {"DONE": "green", "RUNNING": "blue", "STOPPED": "red"}


def seconds(milliseconds: int) -> str:
    """用时：不足一秒写毫秒。"""
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def steps_of(run: dict[str, Any] | None, partitions: int) -> list[dict[str, Any]]:
    """流水线各步；分区步骤把各分区并成一步。没有开跑过的是「等待」。"""
    rows = run["steps"] if run else []
    return [_step(step, [row for row in rows if row["code"] == step.code], partitions) for step in PIPELINE]


def _step(step: Any, rows: list[dict[str, Any]], partitions: int) -> dict[str, Any]:
    wanted = partitions if step.per_partition else 1
    states = [row["status"] for row in rows]
    finished = states.count("DONE")
    state = (
        "failed" if "FAILED" in states
        else "done" if finished >= wanted
        else "running" if rows
        else "waiting"
    )  # fmt: skip
    done, total = sum(row["done"] for row in rows), sum(row["total"] for row in rows)
    return {
        "code": step.code,
        "label": step.name,
        "state": state,
        "done": done,
        "total": total,
        "share": done * 100 // total if total else 0,
        "partitions": _("%(done)s / %(all)s 分区") % {"done": finished, "all": wanted} if wanted > 1 else "",
        "time": seconds(sum(row["milliseconds"] for row in rows)) if rows and state != "running" else "",
        "message": next((row["message"] for row in rows if row["message"]), ""),
    }


def day_row(run: dict[str, Any]) -> dict[str, Any]:
    """历史的一行。"""
    counts: dict[str, int] = {}
    for step in run["steps"]:
        counts[step["code"]] = counts.get(step["code"], 0) + step["done"]
    return {
        **run,
        "tone": TONES[run["status"]],
        "milliseconds": sum(step["milliseconds"] for step in run["steps"]),
        "loans": counts.get("LOANS", 0),
        "tasks": counts.get("FOLLOW_UP", 0),
        "vouchers": counts.get("ACCRUE", 0),
        "checked": counts.get("ROTATE", 0),
    }


def timing_chart(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """用时最多的几步，一天一柱，叠在一起（毫秒）；其余的并成一段。"""
    days = list(reversed(runs))
    spent = {
        step.code: [sum(s["milliseconds"] for s in run["steps"] if s["code"] == step.code) for run in days]
        for step in PIPELINE
    }
    longest = sorted(spent, key=lambda code: sum(spent[code]), reverse=True)[: COLORS - 1]
    series = [
        {"name": step.name, "stack": "day", "data": spent[step.code]} for step in PIPELINE if step.code in longest
    ]
    others = [sum(spent[code][day] for code in spent if code not in longest) for day in range(len(days))]
    series.append({"name": _("其余各步"), "stack": "day", "data": others})
    return {"kind": "bar", "labels": [f"{run['day']:%m-%d}" for run in days], "series": series}
