"""参数的网址。"""

from django.urls import path

from sancha.interfaces.web.rulebook import calendars, rules, views

app_name = "rulebook"
urlpatterns = [
    path("", views.parameters, name="parameters"),
    path("parameters/<str:code>/", views.parameter_page, name="parameter"),
    path("rules/", rules.rules, name="rules"),
    path("rules/<str:code>/", rules.rule_page, name="rule"),
    path("calendar/", calendars.years, name="calendar"),
    path("calendar/<int:year>/", calendars.year, name="calendar-year"),
    path("calendar/<int:year>/publish/", calendars.publish, name="publish-calendar"),
]
