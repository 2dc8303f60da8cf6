"""签约放款的网址。"""

from django.urls import path

from sancha.interfaces.web.agreements import papers, views

app_name = "agreements"
urlpatterns = [
    path("", views.files, name="list"),
    path("<int:file_id>/", views.file, name="detail"),
    path("<int:file_id>/papers/<int:paper_id>/sign/", views.sign, name="sign"),
    path("<int:file_id>/papers/<int:paper_id>/redraw/", views.redraw, name="redraw"),
    path("<int:file_id>/papers/<int:paper_id>/print/", papers.paper, name="print"),
    path("<int:file_id>/conditions/<int:condition_id>/meet/", views.meet, name="meet"),
    path("<int:file_id>/lend/", views.lend, name="lend"),
]
