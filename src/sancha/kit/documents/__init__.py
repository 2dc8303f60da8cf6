"""单据：把 Typst 模板与数据排成 PDF。字体随包安装、不用系统字体，同样的输入得到同样的字节。

数据以 JSON 整体传入模板（``sys.inputs.data``），客户写的文字永远只是文字，不会被当成排版命令。
公共版式（抬头、页码、表格、签章栏）在 ``paper.typ``；各种单据的模板与数据模型由各应用自带。
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import pylopdf_fonts_zh_cn
import typst

ROOT: Final = Path(__file__).resolve().parents[2]
"""模板根目录：``sancha`` 包。模板只能引用它之内的文件。"""
_FONTS: Final = Path(pylopdf_fonts_zh_cn.__file__).parent
_compilers = threading.local()


class DocumentError(RuntimeError):
    """单据排不出来：模板有误，或数据缺了模板要的项目。属程序错误。"""


def render(template: Path, data: Mapping[str, Any], *, at: datetime) -> bytes:
    """排版：返回 PDF 字节。

    :param template: 包内的 ``.typ`` 文件。
    :param data: 可存成 JSON 的数据；金额、日期应已是写好的文字。
    :param at: 制单时刻（带时区），写进 PDF 的创建时间；由调用者给出，故可重现。
    :raises DocumentError: 模板或数据有误，附模板行号。
    """
    document = json.dumps(data, ensure_ascii=False)
    if at.tzinfo is None:
        raise DocumentError("制单时刻必须带时区。")
    try:
        made = _compiler().compile(
            input=template, format="pdf", sys_inputs={"data": document}, timestamp=int(at.timestamp())
        )
    except typst.TypstError as error:
        raise DocumentError(f"{template.name}: {error.diagnostic or error.message}") from error
    return cast(bytes, made)


def _compiler() -> typst.Compiler:
    """每个线程一个编译器：字体只读一次；编译器没有保证可以跨线程共用。"""
    if not hasattr(_compilers, "one"):
        _compilers.one = typst.Compiler(root=ROOT, font_paths=[_FONTS], ignore_system_fonts=True)
    return cast(typst.Compiler, _compilers.one)
