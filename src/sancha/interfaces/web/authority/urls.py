"""授权的网址。"""

from django.urls import path

from sancha.interfaces.web.authority import mandates, officers

app_name = "authority"
urlpatterns = [
    path("", mandates.mandate_list, name="mandates"),
    path("propose/", mandates.propose, name="propose"),
    path("board/", mandates.board, name="board"),
    path("mandates/<int:mandate_id>/revoke/", mandates.revoke, name="revoke"),
    path("drafts/<int:draft_id>/brief/", mandates.draft_brief, name="draft-brief"),
    path("drafts/<int:draft_id>/", mandates.draft, name="draft"),
    path("officers/", officers.roll, name="officers"),
    path("officers/<int:person_id>/certify/", officers.certify, name="certify"),
    path("officers/<int:person_id>/suspend/", officers.suspend, name="suspend"),
    path("officers/suspensions/<int:suspension_id>/resume/", officers.resume, name="resume"),
]
