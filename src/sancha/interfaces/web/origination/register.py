"""受理台账：每一次询问一行，筛选、导出（规则 E6 的列）。"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from sancha.apps.origination.queries import ApplicationRow, list_applications
from sancha.interfaces.web.downloads import excel
from sancha.interfaces.web.origination.forms import RegisterFilter
from sancha.interfaces.web.pages import page
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.tables import Column, Pagination, Table, page_number
from sancha.kit import spreadsheets
from sancha.kit.paging import LONGEST_PAGE

READ, RECEIVE, EXPORT = "origination.view", "origination.receive", "reporting.export"
TONES = {
    "DRAFT": "",
    "REFERRED": "amber",
    "IN_PROGRESS": "blue",
    "APPROVED": "green",
    "REFUSED": "red",
    "REJECTED": "red",
    "WITHDRAWN": "",
    "LAPSED": "amber",
    "DISBURSED": "green",
}
PRESETS: tuple[tuple[Any, dict[str, str]], ...] = (
    (gettext_lazy("全部"), {}),
    (gettext_lazy("草稿"), {"state": "DRAFT"}),
    (gettext_lazy("办理中"), {"state": "IN_PROGRESS"}),
    (gettext_lazy("上报待决"), {"state": "REFERRED"}),
    (gettext_lazy("已批复"), {"state": "APPROVED"}),
    (gettext_lazy("已放款"), {"state": "DISBURSED"}),
    (gettext_lazy("不予受理"), {"state": "REFUSED"}),
    (gettext_lazy("否决"), {"state": "REJECTED"}),
)


def state_pill(row: ApplicationRow) -> SafeString:
    """走到哪里。"""
    return format_html('<span class="pill {}">{}</span>', TONES[row.state], row.waiting)


def _who(row: ApplicationRow) -> SafeString:
    return format_html(
        '<a href="{}">{}</a> <span class="muted small num">{}</span>',
        reverse("parties:detail", args=[row.party_id]), row.party_name, row.id_number[-4:],
    )  # fmt: skip


def _investigators(row: ApplicationRow) -> str:
    return "、".join(name for name in (row.lead, row.assistant) if name)


def _columns() -> list[Column]:
    return [
        Column("number", _("申请号"), link=lambda r: reverse("origination:detail", args=[r.id]), css="mono"),
        Column("state", _("走到"), show=state_pill),
        Column("party_name", _("客户"), show=_who),
        Column("product_name", _("产品")),
        Column("amount_fen", _("申请金额"), kind="fen"),
        Column("term", _("期限")),
        Column("guarantee", _("担保")),
        Column("purpose", _("用途"), css="wrap"),
        Column("channel_name", _("渠道")),
        Column("received_by", _("受理人")),
        Column("lead", _("主调、辅调"), show=_investigators),
        Column("opened_on", _("登记日"), kind="day"),
        Column("institution_name", _("机构")),
    ]


def _tabs(request: PageRequest) -> list[dict[str, Any]]:
    now = {name: value for name, value in request.GET.items() if value and name != "page"}
    path = reverse("origination:list")
    return [
        {"label": text, "url": f"{path}?{urlencode(params)}" if params else path, "active": now == params}
        for text, params in PRESETS
    ]


@page(READ)
@require_safe
def applications(request: PageRequest) -> HttpResponse:
    """受理台账。"""
    actor = request.actor
    form = RegisterFilter(request.GET)
    found = list_applications(actor=actor, filters=form.wanted, page=page_number(request.GET))
    table = Table(_columns(), found.rows, pagination=Pagination.over(found), stack=True, empty=_("没有符合条件的申请"))
    context = {
        "form": form,
        "tabs": _tabs(request),
        "table": table,
        "may_receive": actor.may(RECEIVE),
        "export_url": f"{reverse('origination:export')}?{request.GET.urlencode()}" if actor.may(EXPORT) else "",
    }
    return render(request, "origination/list.html", context)


@page(EXPORT)
@require_safe
def export(request: PageRequest) -> FileResponse:
    """受理台账的 Excel，列照规则 E6。"""
    request.actor.require(READ)
    kinds = spreadsheets.Kind
    columns = [
        spreadsheets.Column("number", "申请号"),
        spreadsheets.Column("opened_on", "受理日期", kinds.DATE),
        spreadsheets.Column("channel_name", "渠道"),
        spreadsheets.Column("party_name", "客户姓名"),
        spreadsheets.Column("id_number", "证件号"),
        spreadsheets.Column("phone", "电话"),
        spreadsheets.Column("address", "地址"),
        spreadsheets.Column("industry", "行业"),
        spreadsheets.Column("purpose", "用途"),
        spreadsheets.Column("amount_fen", "申请金额", kinds.MONEY),
        spreadsheets.Column("term", "期限"),
        spreadsheets.Column("guarantee", "担保方式"),
        spreadsheets.Column("source", "信息来源"),
        spreadsheets.Column("received_by", "受理人"),
        spreadsheets.Column("waiting", "结果"),
        spreadsheets.Column("closing_reason", "拒绝原因"),
        spreadsheets.Column("lead", "主调"),
        spreadsheets.Column("assistant", "辅调"),
    ]
    rows = ({column.key: getattr(row, column.key) for column in columns} for row in _all(request))
    return excel("受理台账", columns=columns, rows=rows)


def _all(request: PageRequest) -> Iterator[ApplicationRow]:
    number, filters = 1, RegisterFilter(request.GET).wanted
    while True:
        found = list_applications(actor=request.actor, filters=filters, page=number, size=LONGEST_PAGE)
        yield from found.rows
        if not found.has_next:
            return
        number += 1
