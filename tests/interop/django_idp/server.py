"""One djangosaml2idp2 on a loopback port: python server.py CONFIGURATION.json

The protocol is all djangosaml2idp2's and pysaml2's. Ours are the people, the sign-in form, and what is signed for whom.
"""

import json
import socketserver
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
import saml2
from django.conf import settings
from saml2 import saml, xmldsig

configuration = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[1]).parent
url = configuration["url"]

SIGN_IN_FORM = """<!doctype html>
<title>Sign in</title>
<form method="post">{% csrf_token %}{{ form }}<button>Sign in</button></form>"""

settings.configure(
    SECRET_KEY=configuration["cookie_key"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="urls",
    LOGIN_URL="/sign-in/",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "djangosaml2idp",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "idp.sqlite"}},
    # Tables as the models are now; their history takes two seconds.
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "djangosaml2idp")),
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"registration/login.html": SIGN_IN_FORM}),
                    "django.template.loaders.app_directories.Loader",
                ]
            },
        }
    ],
    PEOPLE={person["uid"]: person for person in configuration["people"]},
    SAML_IDP_CONFIG={
        "entityid": configuration["entity_id"],
        "key_file": str(folder / "signing.key"),
        "cert_file": str(folder / "signing.crt"),
        "xmlsec_binary": configuration["xmlsec1"],
        "service": {
            "idp": {
                "endpoints": {
                    "single_sign_on_service": [
                        (f"{url}/idp/sso/post/", saml2.BINDING_HTTP_POST),
                        (f"{url}/idp/sso/redirect/", saml2.BINDING_HTTP_REDIRECT),
                    ],
                    "single_logout_service": [
                        (f"{url}/idp/slo/post/", saml2.BINDING_HTTP_POST),
                        (f"{url}/idp/slo/redirect/", saml2.BINDING_HTTP_REDIRECT),
                    ],
                },
                "name_id_format": [saml.NAMEID_FORMAT_EMAILADDRESS, saml.NAMEID_FORMAT_UNSPECIFIED],
                **configuration["idp_section"],
            }
        },
    },
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  these need the settings
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from djangosaml2idp.models import ServiceProvider  # noqa: E402


def write_people():
    for person in configuration["people"]:
        get_user_model().objects.create_user(person["uid"], person["mail"], person["password"])


def write_service_providers():
    for each in configuration["service_providers"]:
        ServiceProvider.objects.create(
            id=each["id"],
            entity_id=each["entity_id"],
            local_metadata=each["metadata"],
            _processor="directory.DirectoryProcessor",
            _nameid_field="email",
            _sign_response=each["sign_response"],
            _sign_assertion=each["sign_assertion"],
            _signing_algorithm=xmldsig.SIG_RSA_SHA256,
            _digest_algorithm=xmldsig.DIGEST_SHA256,
            _encrypt_saml_responses=each["encrypt"],
        )


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]


call_command("migrate", run_syncdb=True, verbosity=0)
write_people()
write_service_providers()
make_server("127.0.0.1", configuration["port"], get_wsgi_application(), Server, Handler).serve_forever()
