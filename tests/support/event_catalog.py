"""重写对接手册的事件目录：``python -m tests.support.event_catalog``。"""

from __future__ import annotations

import os
import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "integration.md"
FIRST, LAST = "<!-- 目录：由代码生成 -->", "<!-- 目录完 -->"


def written() -> str:
    """目录一节的文字。"""
    from sancha.kit.events import GROUP, catalog

    parts = []
    for kind in catalog():
        reach = "；营业日组内各机构的订阅都收到" if kind.reach == GROUP else ""
        parts.append(f"### `{kind.name}` {kind.title}（第 {kind.version} 版）\n\n{kind.when}{reach}。\n")
        parts.append("| 栏目 | 类型 | 含义 |\n|---|---|---|")
        parts += [
            f"| `{name}` | {field.type}{' 或 null' if field.optional else ''} | {field.text} |"
            for name, field in kind.fields.items()
        ]
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """重写。"""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sancha.config.settings")
    django.setup()
    text = GUIDE.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(FIRST) + r".*?" + re.escape(LAST), re.DOTALL)
    GUIDE.write_text(pattern.sub(f"{FIRST}\n\n{written()}\n{LAST}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
