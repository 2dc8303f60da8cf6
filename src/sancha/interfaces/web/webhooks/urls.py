"""事件推送的网址。"""

from django.urls import path

from sancha.interfaces.web.webhooks import views

app_name = "webhooks"
urlpatterns = [
    path("", views.subscription_list, name="list"),
    path("new/", views.subscribe, name="new"),
    path("events/", views.event_catalog, name="events"),
    path("<int:subscription_id>/", views.detail, name="detail"),
    path("<int:subscription_id>/edit/", views.edit, name="edit"),
    path("<int:subscription_id>/pause/", views.pause, name="pause"),
    path("<int:subscription_id>/resume/", views.resume, name="resume"),
    path("<int:subscription_id>/close/", views.close, name="close"),
    path("<int:subscription_id>/secret/", views.rotate, name="rotate"),
    path("<int:subscription_id>/test/", views.send_test, name="test"),
    path("<int:subscription_id>/dead/", views.redeliver_dead, name="redeliver-dead"),
    path("deliveries/<int:delivery_id>/", views.delivery, name="delivery"),
    path("deliveries/<int:delivery_id>/again/", views.redeliver, name="redeliver"),
]
