"""审计的网址。"""

from django.urls import path

from sancha.interfaces.web.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.event_list, name="events"),
    path("chain/", views.chain, name="chain"),
    path("verify/", views.verify, name="verify"),
    path("events.xlsx", views.export, name="export"),
]
