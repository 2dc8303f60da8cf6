"""提交：页面交给操作的三样东西。"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from sancha.interfaces.web.pages import submission_key


def submission(request: HttpRequest) -> dict[str, Any]:
    """谁、幂等键、营业日。"""
    return {"actor": request.actor, "key": submission_key(request), "on": request.business_date}
