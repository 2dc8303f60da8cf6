"""对象的叫法：账务、审计、推送里记的 ``loan:23`` 一类，给人看时写「借据 JK…」，看得了的给链接。

一页的对象一条语句取名：借据号、客户号、姓名、机构合并着取，与行数、种数无关。
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sancha.apps.access.queries import institution_labels, person_labels
from sancha.apps.agreements.queries import file_labels
from sancha.apps.origination.queries import application_labels
from sancha.apps.parties.queries import party_labels
from sancha.apps.servicing.queries import loan_labels
from sancha.kit.actor import Actor
from sancha.kit.labels import Labels

# 对象类型 → （叫法, 详情页, 看它所需的权限）；没有详情页的两项为空。
KINDS: Mapping[str, tuple[Any, str, str]] = {
    "loan": (_("借据"), "loans:detail", "servicing.view"),
    "party": (_("客户"), "parties:detail", "parties.view"),
    "application": (_("申请"), "origination:detail", "origination.view"),
    "receipt": (_("收款"), "cash:receipt", "cashdesk.view"),
    "voucher": (pgettext_lazy("会计凭证", "凭证"), "ledger:voucher", "ledger.view"),
    "manual_draft": (_("手工凭证"), "ledger:draft", "ledger.view"),
    "payment_order": (_("付款单"), "cash:order", "cashdesk.view"),
    "task": (_("任务"), "task", "work.view"),
    "import": (_("转入批次"), "imports:batch", "imports.view"),
    "person": (_("人员"), "access:person", "access.view"),
    "institution": (_("机构"), "access:institution", "access.view"),
    "product": (_("产品"), "products:detail", "products.view"),
    "webhook": (_("事件推送"), "webhooks:detail", "webhooks.view"),
    "signing_file": (_("合同"), "agreements:detail", "agreements.view"),
    "mandate_draft": (_("授权稿"), "authority:draft", "authority.view"),
    "risk_entry": (_("风险名单"), "", ""),
    "risk_list": (_("风险名单"), "", ""),
    "own_account": (_("自有账户"), "", ""),
    "debit_batch": (_("代扣"), "", ""),
    "teller_day": (_("轧账"), "", ""),
    "import_layout": (_("版式"), "", ""),
    "account": (_("科目"), "", ""),
    "chart": (_("科目表"), "", ""),
    "mapping": (_("科目对照"), "", ""),
    "calendar": (_("年历"), "", ""),
    "close": (_("日终"), "", ""),
    "group": (_("营业日组"), "", ""),
    "partition": (_("分区"), "", ""),
    "token": (_("接口令牌"), "", ""),
    "form": (_("表单"), "", ""),
    "export": (_("导出"), "", ""),
    "products": (_("产品"), "", ""),
}
Show = Callable[[str], SafeString | str]
Names = Mapping[tuple[str, int], str]


def naming(actor: Actor, subjects: Iterable[str]) -> Show:
    """这一页的对象怎么写：先把名字取齐，再逐个写。"""
    names = subject_names(subjects)
    return lambda subject: written(actor, subject, names)


def subject_names(subjects: Iterable[str]) -> Names:
    """这些对象的名字；不论几种、几个，只一条语句。"""
    wanted: dict[str, set[int]] = {}
    for subject in subjects:
        kind, _colon, number = subject.partition(":")
        if kind in _LABELS and number.isdigit():
            wanted.setdefault(kind, set()).add(int(number))
    parts = [_LABELS[kind](kind, ids) for kind, ids in wanted.items()]
    if not parts:
        return {}
    rows = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    return {(kind, pk): name for kind, pk, name in rows}


def plain(text: SafeString | str, url: str) -> SafeString | str:
    """有网址就是链接。"""
    return format_html('<a href="{}">{}</a>', url, text) if url else text


def written(actor: Actor, subject: str, names: Names) -> SafeString | str:
    """一个对象给人看的写法；没有对象写一横。"""
    text, url = subject_words(actor, subject, names)
    return plain(text, url) or "—"


def subject_words(actor: Actor, subject: str, names: Names | None = None) -> tuple[str, str]:
    """一个对象的叫法与网址；``names`` 是成批取好的名字，没有就现取这一个。不认识的原样写。"""
    kind, _colon, number = subject.partition(":")
    label, page, permission = KINDS.get(kind, ("", "", ""))
    if not label:
        return subject, ""
    if not number.isdigit():
        return f"{label} {number}".strip(), ""
    if names is None:
        names = subject_names([subject])
    name = names.get((kind, int(number)), number)
    return f"{label} {name}", _page(page, int(number)) if page and actor.may(permission) else ""


def _page(page: str, number: int) -> str:
    try:
        return reverse(page, args=[number])
    except NoReverseMatch:
        return ""  # this installation has no such page


_LABELS: Mapping[str, Callable[[str, set[int]], Labels]] = {
    "loan": loan_labels,
    "party": party_labels,
    "application": application_labels,
    "signing_file": file_labels,
    "person": person_labels,
    "institution": institution_labels,
}
