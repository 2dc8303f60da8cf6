"""还款文件：送件预检、入账。结果看批次页。"""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from sancha.apps.access.queries import institution_tree
from sancha.apps.servicing.importing.queries import layouts
from sancha.apps.servicing.operations import importing
from sancha.interfaces.web.imports import parts
from sancha.interfaces.web.imports.forms import PostForm, RepaymentsForm
from sancha.interfaces.web.imports.parts import REPAY
from sancha.interfaces.web.imports.views import batch_page
from sancha.interfaces.web.pages import attempt, go, page, post_only, show
from sancha.interfaces.web.request import PageRequest
from sancha.interfaces.web.submission import submission

REPAYMENTS_LAYOUT = "sancha_repayments"


@page(REPAY)
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: PageRequest) -> HttpResponse:
    """还款文件送件预检：账上什么也不动。"""
    actor = request.actor
    known = [item for item in layouts(actor=actor) if item.roles == ("还款",)]
    form = RepaymentsForm(
        request.POST or None, request.FILES or None, layouts=known, tree=institution_tree(actor),
        initial={"institution_id": actor.institution_id, "layout": REPAYMENTS_LAYOUT},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        done = attempt(form, importing.stage_repayments, **submission(request), **form.cleaned_data)
        if done is not None:
            said = (
                _("同样的文件入过账，就是这一批；没有重复入账。") if done["existing"] else _("预检完毕，账上没有动。")
            )
            return go(request, "imports:batch", done["batch_id"], said=said)
    return show(request, "imports/repayments.html", {"form": form, "steps": parts.wizard(0, parts.REPAYMENT_STEPS)})


@page(REPAY)
@post_only("imports:batch", "batch_id")
def post(request: PageRequest, batch_id: int) -> HttpResponse:
    """看过预检，后台逐笔入账。"""
    form = PostForm(request.POST)
    if form.is_valid():
        done = attempt(form, importing.begin_repayments, **submission(request), batch_id=batch_id, **form.cleaned_data)
        if done is not None:
            return go(request, "imports:batch", batch_id)
    return batch_page(request, batch_id, post_form=form)
