"""提交：页面交给操作的三样东西。"""

from __future__ import annotations

from typing import Any

from sancha.interfaces.web.pages import submission_key
from sancha.interfaces.web.request import PageRequest


def submission(request: PageRequest) -> dict[str, Any]:
    """谁、幂等键、营业日。"""
    return {"actor": request.actor, "key": submission_key(request), "on": request.business_date}
