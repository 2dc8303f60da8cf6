"""每个页面都要的框架数据：菜单、营业日、当前岗位、待办数。

列表页的查询预算只有 8 条，框架自己用 4 条（会话、人员连同任职、营业日、待办数），所以切换岗位的清单等点开才取。
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from sancha.interfaces.web.menu import current_group, menu_for
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.work.desk import open_task_count
from sancha.rulebook.posts import post_name


def frame(request: PageRequest) -> dict[str, Any]:
    """菜单、营业日、当前岗位。未选岗位时只有语言。"""
    actor = getattr(request, "actor", None)
    context: dict[str, Any] = {"actor": actor, "language": get_language() or "", "languages": settings.LANGUAGES}
    if actor is None:
        return context
    menu = SimpleLazyObject(lambda: menu_for(actor, request.path))
    # htmx fragments have no frame around them: what is lazy here costs them nothing.
    context |= {
        "menu": menu,
        "section": SimpleLazyObject(lambda: current_group(menu)),
        "post_name": post_name(actor.post_code),
        "business_date": request.business_date,
        "counts": SimpleLazyObject(lambda: {"open_tasks": open_task_count(request)}),
        "search_url": search_url(),
    }
    return context


def search_url() -> str:
    """顶栏搜索去哪一页：借据台账，尚未建好时不显示搜索框。"""
    try:
        return reverse("loans:list")
    except NoReverseMatch:
        return ""
