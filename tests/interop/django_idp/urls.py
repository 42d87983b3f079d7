"""The pages of the identity provider: its own, and Django's sign-in form."""

from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [
    path("idp/", include("djangosaml2idp.urls")),
    path("sign-in/", LoginView.as_view()),
]
