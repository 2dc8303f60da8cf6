"""借据的网址。"""

from django.urls import path

from sancha.interfaces.web.loans import acting, adjustments, booking, derivation, detail, listing, papers, registers

app_name = "loans"
urlpatterns = [
    path("", listing.loans, name="list"),
    path("filter/", listing.filter_more, name="filter"),
    path("export/", registers.loans, name="export"),
    path("export/dues/", registers.dues, name="export-dues"),
    path("repay/", acting.repay, name="repay"),
    path("new/", booking.book, name="book"),
    path("new/preview/", booking.preview, name="book-preview"),
    path("adjustments/<int:adjustment_id>/", adjustments.adjustment, name="adjustment"),
    path("adjustments/<int:adjustment_id>/brief/", adjustments.adjustment_brief, name="adjustment-brief"),
    path("adjustments/<int:adjustment_id>/correct/", adjustments.correct, name="correct-adjustment"),
    path("adjustments/<int:adjustment_id>/withdraw/", adjustments.withdraw, name="withdraw-adjustment"),
    path("<int:loan_id>/", detail.detail, name="detail"),
    path("<int:loan_id>/brief/", detail.brief, name="brief"),
    path("<int:loan_id>/why/<str:figure>/", derivation.why, name="why"),
    path("<int:loan_id>/papers/<slug:code>/", papers.paper, name="paper"),
    *(path(f"<int:loan_id>/{code}/", view, name=code) for code, view in acting.VIEWS.items()),
]
