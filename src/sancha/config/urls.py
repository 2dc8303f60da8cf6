"""网址总表：页面、静态之外的一切入口都从这里进。"""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("sancha.interfaces.api.urls")),
    path("", include("sancha.interfaces.web.urls")),
]
