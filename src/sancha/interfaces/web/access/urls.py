"""机构与岗位的网址。"""

from django.urls import path

from sancha.interfaces.web.access import institutions, views

app_name = "access"
urlpatterns = [
    path("institutions/", views.institutions, name="institutions"),
    path("institutions/new/", institutions.open_institution, name="open-institution"),
    path("institutions/<int:institution_id>/", institutions.institution, name="institution"),
    path("institutions/<int:institution_id>/edit/", institutions.edit_institution, name="edit-institution"),
    path("institutions/<int:institution_id>/move/", institutions.move_institution, name="move-institution"),
    path("institutions/<int:institution_id>/close/", institutions.close_institution, name="close-institution"),
    path("posts/", views.post_catalog, name="posts"),
    path("people/new/", views.add_person, name="add-person"),
    path("people/<int:person_id>/", views.person, name="person"),
    path("people/<int:person_id>/posts/", views.grant, name="grant"),
    path("people/<int:person_id>/posts/<int:holding_id>/end/", views.end, name="end"),
    path("people/<int:person_id>/password/", views.reset_password, name="reset-password"),
    path("people/<int:person_id>/deactivate/", views.deactivate, name="deactivate"),
    path("people/<int:person_id>/reactivate/", views.reactivate, name="reactivate"),
    path("people/<int:person_id>/second-factor/", views.clear_second_factor, name="clear-second-factor"),
]
