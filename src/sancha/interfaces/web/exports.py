"""导出留痕：凡从页面带走的文件（Excel、PDF、附件），谁、以什么岗位、哪一页、什么条件、几行，都进审计。

挂在 ``pages.page`` 上，每个页面都经过它：新添一个导出，不会忘了留痕。条件里可能是姓名、证件、电话的只存带钥摘要——
审计里不存个人信息，而「那次是不是查的这个人」仍比对得出。
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from django.http.response import HttpResponseBase

from sancha.interfaces.web.request import PageRequest
from sancha.kit.operation import keyed_digest, write_audit

OPERATION = "export.download"
_FILES = ("application/pdf", "application/vnd.", "application/octet-stream", "text/csv")
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{0,40}")
_NUMBERS = re.compile(r"\d{7}")
OK = 200
R = TypeVar("R", bound=HttpResponseBase)


def with_rows(response: R, rows: int, **more: str) -> R:
    """注明这份文件有几行；``more`` 是另要留痕的（如内容摘要）。"""
    vars(response)["exported"] = {"rows": rows, **more}
    return response


def note_download(request: PageRequest, response: HttpResponseBase) -> None:
    """这次回应若是一份文件，就留痕。"""
    if response.status_code != OK or not _is_file(response):
        return
    match = request.resolver_match
    assert match is not None, "a view has just answered"
    parts = [match.view_name, *(str(value) for value in match.kwargs.values())]
    write_audit(
        actor=request.actor,
        operation=OPERATION,
        subject=f"export:{':'.join(parts)}"[:80],
        on_day=request.business_date,
        data={
            "type": response.get("Content-Type", "").split(";")[0],
            "conditions": {name: _shown(str(value)) for name, value in request.GET.items() if value},
            **getattr(response, "exported", {}),
        },
    )


def _is_file(response: HttpResponseBase) -> bool:
    attached = response.get("Content-Disposition", "").startswith("attachment")
    return attached or response.get("Content-Type", "").startswith(_FILES)


def _shown(value: str) -> Any:
    """日期、代码、编号照写；别的只存摘要。"""
    plain = _PLAIN.fullmatch(value) is not None and not _NUMBERS.search(value)
    return value if plain else f"#{keyed_digest(value)[:16]}"
