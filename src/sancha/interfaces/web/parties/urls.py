"""客户的网址。"""

from django.urls import path

from sancha.interfaces.web.parties import departing, views

app_name = "parties"
urlpatterns = [
    path("", views.parties, name="list"),
    path("new/", views.register, name="register"),
    path("<int:party_id>/", views.party, name="detail"),
    path("<int:party_id>/reveal/", views.reveal, name="reveal"),
    path("<int:party_id>/amend/", views.amend, name="amend"),
    path("<int:party_id>/contacts/", views.add_contact, name="add-contact"),
    path("<int:party_id>/relations/", views.add_relation, name="add-relation"),
    path("<int:party_id>/erase/", departing.erase, name="erase"),
    path("<int:party_id>/merge/", departing.merge, name="merge"),
    path("erasures/<int:request_id>/brief/", departing.erasure_brief, name="erasure-brief"),
    path("merges/<int:request_id>/brief/", departing.merge_brief, name="merge-brief"),
    path("<int:party_id>/entries/", views.add_entry, name="add-entry"),
]
