"""信贷单据：数据模型在 ``models``，模板是同目录的 ``*.typ``，排版由 ``kit.documents``。"""

from __future__ import annotations

from pathlib import Path

from sancha.apps.servicing.documents.models import Document
from sancha.kit.documents import render


def print_document(document: Document) -> bytes:
    """打印：单据 → PDF 字节。PDF 的创建时间就是抬头上的制单时刻。"""
    template = Path(__file__).with_name(document.template)
    return render(template, document.model_dump(), at=document.letterhead.printed_at)
