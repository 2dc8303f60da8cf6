"""存量转入的网址。"""

from django.urls import path

from sancha.interfaces.web.imports import views

app_name = "imports"
urlpatterns = [
    path("", views.batches, name="list"),
    path("new/", views.upload, name="upload"),
    path("<int:batch_id>/", views.batch, name="batch"),
    path("<int:batch_id>/problems.xlsx", views.problems_excel, name="problems-excel"),
    path("<int:batch_id>/start/", views.start, name="start"),
    path("<int:batch_id>/progress/", views.progress, name="progress"),
    path("<int:batch_id>/recheck/", views.recheck, name="recheck"),
    path("<int:batch_id>/cancel/", views.cancel, name="cancel"),
    path("<int:batch_id>/reconcile/", views.reconcile, name="reconcile"),
    path("layouts/", views.layout_list, name="layouts"),
    path("layouts/<str:code>.json", views.layout_file, name="layout-file"),
]
