"""首页与待办的网址。"""

from django.urls import path

from sancha.interfaces.web.work import views

urlpatterns = [
    path("", views.home, name="home"),
    path("tasks/", views.tasks, name="tasks"),
    path("tasks/<int:task_id>/", views.task, name="task"),
    path("tasks/<int:task_id>/act/", views.act, name="task-act"),
    path("tasks/<int:task_id>/claim/", views.claim, name="task-claim"),
    path("tasks/<int:task_id>/release/", views.release, name="task-release"),
    path("tasks/<int:task_id>/assign/", views.assign, name="task-assign"),
    path("tasks/<int:task_id>/comment/", views.comment, name="task-comment"),
    path("tasks/<int:task_id>/sign/", views.sign, name="task-sign"),
    path("tasks/<int:task_id>/evidence/", views.attach, name="task-attach"),
    path("tasks/<int:task_id>/evidence/<int:evidence_id>/", views.evidence, name="task-evidence"),
]
