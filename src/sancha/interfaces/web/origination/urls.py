"""申请的网址。"""

from django.urls import path

from sancha.interfaces.web.origination import acting, case, intake, register

app_name = "origination"
urlpatterns = [
    path("", register.applications, name="list"),
    path("export/", register.export, name="export"),
    path("new/", intake.choose, name="new"),
    path("<int:application_id>/", case.detail, name="detail"),
    path("<int:application_id>/brief/", case.brief, name="brief"),
    path("<int:application_id>/save/", intake.save, name="save"),
    path("<int:application_id>/refuse/", intake.refuse, name="refuse"),
    path("<int:application_id>/withdraw/", intake.withdraw, name="withdraw"),
    path("<int:application_id>/refusal-notice/", intake.refusal_notice, name="refusal-notice"),
    path("<int:application_id>/assign/", acting.assign, name="assign"),
    path("<int:application_id>/facts/", acting.facts, name="facts"),
    path("<int:application_id>/guarantors/", acting.add_guarantor, name="add-guarantor"),
    path(
        "<int:application_id>/guarantors/<int:guarantor_id>/remove/", acting.remove_guarantor, name="remove-guarantor"
    ),
    path("<int:application_id>/materials/receive/", acting.receive_material, name="receive-material"),
    path("<int:application_id>/materials/compare/", acting.compare_material, name="compare-material"),
    path("<int:application_id>/materials/return/", acting.return_material, name="return-material"),
    path("<int:application_id>/finish/", acting.finish, name="finish"),
    path("<int:application_id>/review/", acting.review, name="review"),
    path("<int:application_id>/approve/", acting.approve, name="approve"),
    path("<int:application_id>/turn-back/", acting.turn_back, name="turn-back"),
    path("<int:application_id>/refer/", acting.refer, name="refer"),
]
