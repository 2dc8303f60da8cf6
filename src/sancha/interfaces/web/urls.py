"""页面网址：每种能力一个 ``urls`` 模块，在此列出。"""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("sancha.interfaces.web.session.urls")),
    path("", include("sancha.interfaces.web.work.urls")),
    path("access/", include("sancha.interfaces.web.access.urls")),
    path("authority/", include("sancha.interfaces.web.authority.urls")),
    path("dayclose/", include("sancha.interfaces.web.dayclose.urls")),
    path("ledger/", include("sancha.interfaces.web.ledger.urls")),
    path("agreements/", include("sancha.interfaces.web.agreements.urls")),
    path("applications/", include("sancha.interfaces.web.origination.urls")),
    path("loans/", include("sancha.interfaces.web.loans.urls")),
    path("parties/", include("sancha.interfaces.web.parties.urls")),
    path("products/", include("sancha.interfaces.web.products.urls")),
    path("calculator/", include("sancha.interfaces.web.calculator.urls")),
    path("cash/", include("sancha.interfaces.web.cash.urls")),
    path("imports/", include("sancha.interfaces.web.imports.urls")),
    path("parameters/", include("sancha.interfaces.web.rulebook.urls")),
    path("webhooks/", include("sancha.interfaces.web.webhooks.urls")),
    path("audit/", include("sancha.interfaces.web.audit.urls")),
]
