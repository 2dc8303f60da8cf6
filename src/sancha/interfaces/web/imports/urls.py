"""存量转入与还款文件的网址。"""

from django.urls import path

from sancha.interfaces.web.imports import gaps, layouts, repayments, views

app_name = "imports"
urlpatterns = [
    path("", views.batches, name="list"),
    path("new/", views.upload, name="upload"),
    path("repayments/new/", repayments.upload, name="repayments"),
    path("<int:batch_id>/", views.batch, name="batch"),
    path("<int:batch_id>/brief/", views.brief, name="brief"),
    path("<int:batch_id>/problems.xlsx", views.problems_excel, name="problems-excel"),
    path("<int:batch_id>/progress/", views.progress, name="progress"),
    path("<int:batch_id>/resume/", views.resume, name="resume"),
    path("<int:batch_id>/recheck/", views.recheck, name="recheck"),
    path("<int:batch_id>/cancel/", views.cancel, name="cancel"),
    path("<int:batch_id>/reconcile/", views.reconcile, name="reconcile"),
    path("<int:batch_id>/post/", repayments.post, name="post"),
    path("<int:batch_id>/layout/", layouts.save_used, name="save-layout"),
    path("<int:batch_id>/differences/", gaps.difference_list, name="differences"),
    path("<int:batch_id>/differences.xlsx", gaps.differences_excel, name="differences-excel"),
    path("<int:batch_id>/withdraw/", gaps.withdraw, name="withdraw"),
    path("rows/<int:row_id>/", gaps.row, name="row"),
    path("rows/<int:row_id>/brief/", gaps.row_brief, name="row-brief"),
    path("rows/<int:row_id>/adjust/<str:component>/", gaps.adjust, name="adjust"),
    path("layouts/", layouts.layout_list, name="layouts"),
    path("layouts/<str:code>.json", layouts.layout_file, name="layout-file"),
    path("layouts/<str:code>/", layouts.layout, name="layout"),
    path("layouts/<str:code>/delete/", layouts.delete, name="layout-delete"),
]
