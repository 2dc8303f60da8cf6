"""日终的网址。"""

from django.urls import path

from sancha.interfaces.web.dayclose import views

app_name = "dayclose"
urlpatterns = [
    path("", views.console, name="console"),
    path("progress/", views.progress, name="progress"),
    path("run/", views.run, name="run"),
    path("rehearsal/", views.rehearsal, name="rehearsal"),
    path("invariants/", views.board, name="invariants"),
    path("invariants/check/", views.check, name="check"),
    path("invariants/check-all/", views.check_all, name="check-all"),
    path("invariants/progress/", views.check_progress, name="check-progress"),
    path("held/<int:loan_id>/release/", views.release, name="release"),
]
