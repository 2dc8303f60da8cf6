"""登录与个人账户的网址。"""

from django.urls import path
from django.views.i18n import set_language

from sancha.interfaces.web.pages import public
from sancha.interfaces.web.session import views

urlpatterns = [
    path("login/", views.login, name="login"),
    path("login/code/", views.verify, name="second-factor-verify"),
    path("logout/", views.logout, name="logout"),
    path("post/", views.choose_post, name="choose-post"),
    path("post/menu/", views.posts_menu, name="posts-menu"),
    path("password/", views.password, name="password"),
    path("second-factor/", views.manage_second_factor, name="second-factor"),
    path("language/", public(set_language), name="set_language"),
]
