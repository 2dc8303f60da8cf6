"""左侧菜单：按业务阶段分组，只列有权看、且已建好的页面。"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sancha.kit.actor import Actor


@dataclass(frozen=True)
class Entry:
    """一项菜单。``badge`` 是框架数据里的计数名；``area`` 是这一项管着的网址前缀，缺省即它自己的网址。"""

    label: Any
    url: str
    permission: str
    icon: str
    badge: str = ""
    area: str = ""


@dataclass(frozen=True)
class Group:
    """一组菜单。"""

    label: Any
    entries: tuple[Entry, ...]


MENU = (
    Group(
        _("工作台"),
        (
            Entry(_("首页"), "home", "work.view", "home"),
            Entry(_("我的待办"), "tasks", "work.view", "checklist", badge="open_tasks"),
        ),
    ),
    Group(
        _("贷前"),
        (
            Entry(_("受理台账"), "origination:list", "origination.view", "inbox"),
            Entry(_("客户"), "parties:list", "parties.view", "users"),
            Entry(_("产品"), "products:list", "products.view", "package"),
            Entry(_("利息试算"), "calculator", "calculator.use", "calculator"),
        ),
    ),
    Group(
        _("贷中"),
        (
            Entry(_("签约放款"), "agreements:list", "agreements.view", "edit"),
            Entry(_("贷款录入"), "loans:book", "servicing.book", "file-plus"),
            Entry(_("存量导入"), "imports:list", "imports.view", "file-import"),
        ),
    ),
    Group(
        _("贷后"),
        (
            Entry(_("借据台账"), "loans:list", "servicing.view", "file-text"),
            Entry(_("还款登记"), "loans:repay", "servicing.repay", "cash-banknote"),
        ),
    ),
    Group(
        _("账务"),
        (
            Entry(_("收款挂账"), "cash:receipts", "cashdesk.view", "cash"),
            Entry(_("付款单"), "cash:orders", "cashdesk.view", "arrow-right"),
            Entry(_("银行对账"), "cash:reconciliation", "cashdesk.view", "building-bank"),
            Entry(_("代扣"), "cash:debits", "cashdesk.view", "credit-card"),
            Entry(_("总账"), "ledger:trial-balance", "ledger.view", "scale"),
            Entry(pgettext_lazy("会计凭证", "凭证"), "ledger:vouchers", "ledger.view", "receipt"),
            Entry(_("税费"), "ledger:taxes", "ledger.view", "coins"),
            Entry(_("科目"), "ledger:accounts", "ledger.view", "list-tree"),
        ),
    ),
    Group(
        _("管理"),
        (
            Entry(_("日终控制台"), "dayclose:console", "dayclose.view", "moon-stars"),
            Entry(_("不变式看板"), "dayclose:invariants", "dayclose.view", "shield-check"),
            Entry(_("机构与岗位"), "access:institutions", "access.view", "building-community", area="/access/"),
            Entry(_("授权"), "authority:mandates", "authority.view", "key", area="/authority/"),
            Entry(_("参数"), "rulebook:parameters", "work.view", "adjustments"),
            Entry(_("规则"), "rulebook:rules", "work.view", "gavel"),
            Entry(_("事件推送"), "webhooks:list", "webhooks.view", "bell"),
            Entry(_("审计"), "audit:events", "audit.view", "history"),
        ),
    ),
)


def menu_for(actor: Actor, path: str, groups: Iterable[Group] = MENU) -> list[dict[str, Any]]:
    """这个岗位的菜单；``path`` 用来标出当前页（最长的前缀为准）。没有一项可看的组不显示。"""
    shown = [
        {
            "label": group.label,
            "entries": [e for e in map(_resolved, group.entries) if e and actor.may(e["permission"])],
        }
        for group in groups
    ]
    shown = [group for group in shown if group["entries"]]
    here = max((e["area"] for g in shown for e in g["entries"] if _covers(e["area"], path)), key=len, default="")
    for group in shown:
        for entry in group["entries"]:
            entry["active"] = entry["area"] == here
    return shown


def current_group(menu: Iterable[dict[str, Any]]) -> str:
    """当前页在哪一组，面包屑的第一级；不在菜单里的页面为空。"""
    return next((str(g["label"]) for g in menu if any(e["active"] for e in g["entries"])), "")


def _resolved(entry: Entry) -> dict[str, Any] | None:
    try:
        href = reverse(entry.url)
    except NoReverseMatch:
        return None  # not built yet; it appears by itself once its URL exists
    return {
        "label": entry.label,
        "href": href,
        "icon": entry.icon,
        "permission": entry.permission,
        "badge": entry.badge,
        "area": entry.area or href,
    }


def _covers(href: str, path: str) -> bool:
    return path == href or (href != "/" and path.startswith(href))
