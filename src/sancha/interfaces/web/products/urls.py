"""产品的网址。"""

from django.urls import path

from sancha.interfaces.web.products import drafting, views

app_name = "products"
urlpatterns = [
    path("", views.products, name="list"),
    path("new/", drafting.create, name="create"),
    path("<int:product_id>/", views.product, name="detail"),
    path("<int:product_id>/versions/new/", drafting.draft_version, name="draft-version"),
    path("<int:product_id>/withdraw/", drafting.withdraw, name="withdraw"),
    path("<int:product_id>/rates/new/", drafting.draft_rate, name="draft-rate"),
    path("drafts/<int:draft_id>/", drafting.draft_page, name="draft"),
    path("drafts/<int:draft_id>/brief/", drafting.draft_brief, name="draft-brief"),
]
