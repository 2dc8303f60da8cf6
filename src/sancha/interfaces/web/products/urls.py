"""产品的网址。"""

from django.urls import path

from sancha.interfaces.web.products import views

app_name = "products"
urlpatterns = [
    path("", views.products, name="list"),
    path("<int:product_id>/", views.product, name="detail"),
]
