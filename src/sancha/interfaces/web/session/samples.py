"""样例登录：只在 ``sancha demo`` 下显示，让人一步登入各个岗位。

两个条件缺一不可：环境变量 ``SANCHA_DEMO=1``，数据目录里有 ``demo-logins.json``（demo 命令写的）。
正式库没有这个文件，设了变量也不会显示任何东西。
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

FILE = "demo-logins.json"
COLUMNS = ("username", "password", "name", "post", "institution")


def sample_logins() -> list[dict[str, Any]]:
    """样例登录清单：``[{"username", "password", "name", "post", "institution"}]``；不是演示时为空。"""
    path = Path(settings.HOME) / FILE
    if os.environ.get("SANCHA_DEMO") != "1" or not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    samples = [{column: str(row.get(column, "")) for column in COLUMNS} for row in rows]
    for row in samples:
        row["fill"] = json.dumps({"username": row["username"], "password": row["password"]})
    return samples
