"""审计内容的写法：栏目说中文，前后值写成「旧 → 新」，只为比对而存的摘要不铺在屏上。"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sancha.kernel.money import format_yuan
from sancha.rulebook.posts import find_post, post_name

LONGEST = 160
_DIGEST = 64
_PAIR = 2
LABELS: dict[str, Any] = {
    "post": gettext_lazy("岗位"),
    "institution_id": gettext_lazy("机构编号"),
    "attempt": gettext_lazy("第几次"),
    "type": gettext_lazy("文件"),
    "conditions": gettext_lazy("条件"),
    "rows": gettext_lazy("行数"),
    "sha256": gettext_lazy("内容摘要"),
    "was": gettext_lazy("原为"),
    "fields": gettext_lazy("栏目"),
    "reason": gettext_lazy("理由"),
    "revealed": gettext_lazy("看了明文"),
    "reveal_id": gettext_lazy("查看记录"),
    "payee_name": gettext_lazy("收款人"),
    "payee_account": gettext_lazy("收款账号"),
    "payee_bank": gettext_lazy("收款行"),
    "memo": gettext_lazy("备注"),
    "booked_on": gettext_lazy("记账日"),
    "summary": gettext_lazy("摘要"),
    "lines": gettext_lazy("分录"),
    "name": gettext_lazy("名称"),
    "code": gettext_lazy("代码"),
    "kind": gettext_lazy("类别"),
    "status": gettext_lazy("状态"),
    "from": gettext_lazy("自"),
    "to": gettext_lazy("至"),
    "parent_id": gettext_lazy("上级机构编号"),
    "valid_to": gettext_lazy("止日"),
    "os_user": gettext_lazy("操作系统用户"),
    "digest": gettext_lazy("摘要值"),
    "deliveries": gettext_lazy("投递"),
    "count": gettext_lazy("件数"),
    "opinion": gettext_lazy("意见"),
    "account": gettext_lazy("科目"),
    "debit_fen": gettext_lazy("借方"),
    "credit_fen": gettext_lazy("贷方"),
    "amount_fen": gettext_lazy("金额"),
    "loan_id": gettext_lazy("借据编号"),
    "task_id": gettext_lazy("任务编号"),
    "order_id": gettext_lazy("付款单编号"),
    "draft_id": gettext_lazy("手工凭证编号"),
    "url": gettext_lazy("接收网址"),
    "events": gettext_lazy("事件"),
    "id_number": gettext_lazy("证件号码"),
    "phone": gettext_lazy("电话"),
    "address": gettext_lazy("地址"),
}
_FILES = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "text/csv": "CSV",
    "application/json": "JSON",
    "application/zip": "ZIP",
}


def words_of(data: Mapping[str, Any]) -> str:
    """一条审计的内容，一行读完；过长的截断。没有名字的栏目按原名写。"""
    text = "，".join(_item(name, value) for name, value in data.items() if value not in ({}, [], "", None))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _item(name: str, value: Any) -> str:
    label = str(LABELS.get(name, name))
    if isinstance(value, list) and len(value) == _PAIR and name not in ("fields", "lines", "events"):
        return f"{label}：{_value(name, value[0])} → {_value(name, value[1])}"
    return f"{label}：{_value(name, value)}"


def _value(name: str, value: Any) -> str:
    if value in (None, ""):
        return "—"
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, Mapping):
        return _inside(value)
    if isinstance(value, list):
        if any(isinstance(item, Mapping) for item in value):
            return _("%(n)s 行") % {"n": len(value)}
        return "、".join(str(LABELS.get(str(item), item)) for item in value)
    if name.endswith("_fen") and isinstance(value, int):
        return format_yuan(value)
    if name == "post" and find_post(str(value)):
        return post_name(str(value))
    if isinstance(value, str) and len(value) == _DIGEST and name != "sha256":
        return _("摘要 %(start)s…") % {"start": value[:8]}
    return _FILES.get(str(value), str(value))


def _inside(value: Mapping[str, Any]) -> str:
    """前值是一组栏目：只存了摘要的列栏目名，其余「栏目 值」。"""
    if all(isinstance(item, str) and len(item) == _DIGEST for item in value.values()):
        names = "、".join(str(LABELS.get(name, name)) for name in value)
        return _("%(names)s（只存摘要，可比对）") % {"names": names}
    return "；".join(f"{LABELS.get(name, name)} {_value(name, item)}" for name, item in value.items())
