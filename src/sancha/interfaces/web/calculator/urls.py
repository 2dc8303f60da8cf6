"""利息试算的网址。"""

from django.urls import path

from sancha.interfaces.web.calculator import views

urlpatterns = [path("", views.calculator, name="calculator")]
