"""总账的网址。"""

from django.urls import path

from sancha.interfaces.web.ledger import books, closing, manual, taxes, vouchers

app_name = "ledger"
urlpatterns = [
    path("", books.trial_balance_page, name="trial-balance"),
    path("trial-balance.xlsx", books.trial_balance_excel, name="trial-balance-excel"),
    path("trial-balance.pdf", books.trial_balance_pdf, name="trial-balance-pdf"),
    path("accounts/", books.accounts, name="accounts"),
    path("accounts/<int:account_id>/", books.account, name="account"),
    path("vouchers/", vouchers.voucher_page, name="vouchers"),
    path("vouchers.xlsx", vouchers.voucher_excel, name="vouchers-excel"),
    path("vouchers/<int:voucher_id>/", vouchers.voucher, name="voucher"),
    path("vouchers/<int:voucher_id>/pdf/", vouchers.voucher_pdf, name="voucher-pdf"),
    path("vouchers/<int:voucher_id>/parts/", vouchers.voucher_parts, name="voucher-parts"),
    path("vouchers/<int:voucher_id>/reverse/", manual.reverse_voucher, name="reverse"),
    path("manual/", manual.drafts, name="drafts"),
    path("manual/new/", manual.enter, name="enter"),
    path("manual/<int:draft_id>/", manual.draft, name="draft"),
    path("manual/<int:draft_id>/brief/", manual.draft_brief, name="draft-brief"),
    path("manual/<int:draft_id>/correct/", manual.correct, name="correct"),
    path("manual/<int:draft_id>/withdraw/", manual.withdraw, name="withdraw"),
    path("manual/<int:draft_id>/authorize/", manual.authorize, name="authorize"),
    path("manual/<int:draft_id>/reject/", manual.reject, name="reject"),
    path("closing/", closing.periods, name="periods"),
    path("closing/month/", closing.month, name="close-month"),
    path("closing/year/", closing.year, name="close-year"),
    path("taxes/", taxes.taxes, name="taxes"),
    path("taxes/vat.xlsx", taxes.vat_excel, name="vat-excel"),
    path("taxes/stamp-duty.xlsx", taxes.stamp_excel, name="stamp-excel"),
    path("taxes/stamp-duty/", taxes.stamp_draft, name="stamp-draft"),
    path("opening/", closing.opening, name="opening"),
]
