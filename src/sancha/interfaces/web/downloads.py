"""下载：表格与单据作为附件送出。"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

from django.http import FileResponse, HttpResponse
from django.utils.http import content_disposition_header

from sancha.interfaces.web.exports import with_rows
from sancha.kit.spreadsheets import Column, write_table

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def excel(
    name: str,
    *,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    totals: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> FileResponse:
    """Excel 附件；``name`` 是文件名（不带扩展名），也是表上的标题。逐行写盘，内存恒定。"""
    file = TemporaryFile()  # noqa: SIM115 - the response closes it when it has been sent
    count = write_table(file, columns=columns, rows=rows, totals=totals, title=name, notes=notes)
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX)
    return with_rows(response, count)


def pdf(name: str, content: bytes) -> HttpResponse:
    """PDF，在浏览器里打开。"""
    header = content_disposition_header(False, f"{name}.pdf") or "inline"
    return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": header})
