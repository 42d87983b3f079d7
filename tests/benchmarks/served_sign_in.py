"""What one sign-in costs the service, as ratios to floors that the same server serves in the same run.

    python -m tests.benchmarks.served_sign_in

One gunicorn worker with threads serves the bridge and, beside it, the floors: Flask views that do what cannot be
avoided and nothing else. They check nothing, remember nothing and record nothing.

=================  ======================================================================================
SAML floor         read the form, parse the document, verify one signature with xmlsec, redirect
encrypted floor    the same after decrypting the assertion with xmlsec, its keys loaded once
python3-saml       its strict checks with settings that were built once; no memory, no record
OIDC floor         ask the token endpoint over a kept connection, split, check RS256, load JSON, redirect
=================  ======================================================================================

Ours does the whole job: strict verification, the question consumed, the replay mark, rules, durable audit records on
SQLite, a sealed session in a real Redis. Two figures count: CPU time of the worker's process for each request (all of
its threads), and requests in a second with eight connections. The messages are made before the clock runs.
The goal for CPU is at most 1.5 times the SAML floor, and at least 3.5 times the rate of python3-saml.
"""

import base64
import hashlib
import http.client
import json
import multiprocessing
import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

import urllib3
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask, Response, redirect, request
from gunicorn.app.base import BaseApplication
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.saml.messages import DECRYPTION_KEYS, IDP, NOW, NS, certificate_base64, make_certificate, make_key
from bridge.attack.scripted_server import Reply
from tests.attacks.door import CLIENT_SECRET, HOST, PUBLIC_URL, Service, add_attribute, draft_response, run_service
from tests.benchmarks.saml_verification import CLAIMS

REQUESTS = 480
ROUNDS = 3
CONNECTIONS = 8
BROWSER = "b" * 43
GROUPS = ("platform", *(f"group-{index:04}-of-the-company" for index in range(9)))
HEADERS = {
    "Host": HOST,
    "Content-Type": "application/x-www-form-urlencoded",
    "Cookie": f"__Host-rambridge-signin={BROWSER}",
    "Sec-Fetch-Site": "cross-site",
}
_SIGNATURE = f"{{{NS['ds']}}}Signature"
_ENCRYPTED_DATA = "{http://www.w3.org/2001/04/xmlenc#}EncryptedData"

Call = tuple[str, str, bytes | None]
"""Method, path with query, body."""


# ── The floors ───────────────────────────────────────────────────────────────────────────────────────────────


def build_floors(provider: OpenIDProvider) -> Flask:
    """Return the views that the bridge is compared with, and one that tells the process's CPU time."""
    app = Flask(__name__)
    pem = make_key("idp").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM)
    decrypting = threading.local()
    settings = _python3_saml_settings()
    pool = urllib3.PoolManager(maxsize=CONNECTIONS)
    public, scheme = provider.keys[-1].public_key, PKCS1v15()

    def verify(root: etree.ElementBase) -> None:
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = key
        context.verify(next(root.iter(_SIGNATURE)))

    @app.get("/cpu")
    def cpu() -> Response:
        return Response(str(time.process_time_ns()))

    @app.post("/saml")
    def saml() -> Response:
        verify(etree.fromstring(base64.b64decode(request.form["SAMLResponse"])))
        return redirect("/", 303)

    @app.post("/encrypted")
    def encrypted() -> Response:
        if not hasattr(decrypting, "manager"):
            decrypting.manager = xmlsec.KeysManager()
            private = make_key(DECRYPTION_KEYS[0]).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            decrypting.manager.add_key(xmlsec.Key.from_memory(private, xmlsec.KeyFormat.PEM))
        root = etree.fromstring(base64.b64decode(request.form["SAMLResponse"]))
        xmlsec.EncryptionContext(decrypting.manager).decrypt(next(root.iter(_ENCRYPTED_DATA)))
        verify(root)
        return redirect("/", 303)

    @app.post("/python3-saml")
    def python3_saml() -> Response:
        response = OneLogin_Saml2_Response(settings, request.form["SAMLResponse"])
        http_request = {"https": "on", "http_host": HOST, "script_name": "/saml/corp/acs", "get_data": {}}
        response.is_valid(http_request, request.form["RelayState"], raise_exceptions=True)
        response.get_attributes()
        response.get_nameid()
        return redirect("/", 303)

    @app.get("/oidc")
    def oidc() -> Response:
        fields = {"grant_type": "authorization_code", "code": request.args["code"], "client_id": "rambridge"}
        answer = pool.request_encode_body(
            "POST", f"{provider.url}/floor-token", {**fields, "client_secret": CLIENT_SECRET}, encode_multipart=False
        )
        header, payload, signature = json.loads(answer.data)["id_token"].split(".")
        signed = f"{header}.{payload}".encode()
        public.verify(base64.urlsafe_b64decode(signature + "=="), signed, scheme, hashes.SHA256())
        json.loads(base64.urlsafe_b64decode(payload + "=="))
        return redirect("/", 303)

    return app


def _python3_saml_settings() -> OneLogin_Saml2_Settings:
    acs = f"{PUBLIC_URL}/saml/corp/acs"
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": f"{PUBLIC_URL}/saml/corp/metadata",
                "assertionConsumerService": {"url": acs},
            },
            "idp": {
                "entityId": IDP,
                "singleSignOnService": {"url": f"{IDP}/sso"},
                "x509cert": certificate_base64(make_certificate("idp")),
            },
        }
    )


# ── The server ───────────────────────────────────────────────────────────────────────────────────────────────


class Server(BaseApplication):
    """gunicorn as ``rambridge serve`` runs it, with one worker."""

    def __init__(self, service: Service, listener: int) -> None:
        """Take the service and the file descriptor of a listening socket."""
        self._service = service
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Set the server's options."""
        options = {
            "bind": f"fd://{self._listener}",
            "workers": 1,
            "threads": CONNECTIONS,
            "worker_class": "gthread",
            "control_socket_disable": True,
            "loglevel": "error",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> DispatcherMiddleware:
        """Return the bridge with the floors beside it: called in the worker."""
        return DispatcherMiddleware(self._service.start(), {"/floor": build_floors(self._service.staff)})


def _serve(service: Service, listener: socket.socket) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    clock = mock.patch.object(OneLogin_Saml2_Utils, "now", staticmethod(lambda: int(NOW.timestamp())))
    with clock:
        Server(service, listener.fileno()).run()


@contextmanager
def run_server(service: Service) -> Iterator[int]:
    """Serve in another process; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(service, listener))
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()


# ── The messages ─────────────────────────────────────────────────────────────────────────────────────────────


def make_saml_calls(service: Service, path: str, *, encrypted: bool = False) -> list[Call]:
    """Return answers to questions that the service has asked, each of its own."""
    calls = []
    for _ in range(REQUESTS):
        request_id = f"_{secrets.token_hex(16)}"
        question = service.ask(BROWSER, request_id=request_id)
        draft = draft_response("corp", request_id, groups=GROUPS)
        for name in CLAIMS:
            add_attribute(draft, name, f"value of {name.rpartition('/')[2]} for alice@example.com")
        if encrypted:
            draft.encryption = EncryptionOptions()
        relay_state = request_id if path.startswith("/floor") else question.handle
        form = {"SAMLResponse": draft.encode(), "RelayState": relay_state}
        calls.append(("POST", path, urlencode(form).encode()))
    return calls


def make_oidc_calls(service: Service, path: str) -> list[Call]:
    """Return callbacks with codes that the provider will take."""
    calls = []
    for _ in range(REQUESTS):
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        question = service.ask(BROWSER, provider="staff", protocol="oidc", nonce=nonce, code_verifier=verifier)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "rambridge",
            "scope": "openid",
            "redirect_uri": f"{PUBLIC_URL}/oidc/staff/callback",
            "state": question.handle,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        answer = service.staff.authorize(f"{service.staff.url}/authorize?{urlencode(asked)}")
        calls.append(("GET", f"{path}?{urlencode(answer)}", None))
    return calls


# ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────


def measure(port: int, calls: list[Call]) -> tuple[float, float]:
    """Send the calls over eight connections; return microseconds of CPU for each, and calls in a second."""
    shares = [calls[index::CONNECTIONS] for index in range(CONNECTIONS)]
    threads = [threading.Thread(target=_send, args=(port, share)) for share in shares]
    cpu, started = _cpu(port), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    return (_cpu(port) - cpu) / len(calls) / 1000, len(calls) / seconds


def _send(port: int, calls: list[Call]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for method, path, body in calls:
        connection.request(method, path, body, HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.SEE_OTHER:
            raise AssertionError(f"{path}: {answer.status} {text[:2000]!r}")
    connection.close()


def _cpu(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/floor/cpu", headers={"Host": HOST})
    return int(connection.getresponse().read())


def main() -> None:
    """Print CPU time and rate of each, and their ratios to the floor."""
    with tempfile.TemporaryDirectory() as folder, run_service(Path(folder)) as service:
        service.staff.replies["/floor-token"] = _floor_token(service.staff)
        cases: dict[str, Callable[[], list[Call]]] = {
            "SAML floor": lambda: make_saml_calls(service, "/floor/saml"),
            "SAML ours": lambda: make_saml_calls(service, "/saml/corp/acs"),
            "python3-saml": lambda: make_saml_calls(service, "/floor/python3-saml"),
            "encrypted floor": lambda: make_saml_calls(service, "/floor/encrypted", encrypted=True),
            "encrypted ours": lambda: make_saml_calls(service, "/saml/corp/acs", encrypted=True),
            "OIDC floor": lambda: make_oidc_calls(service, "/floor/oidc"),
            "OIDC ours": lambda: make_oidc_calls(service, "/oidc/staff/callback"),
        }
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        with run_server(service) as port:
            for _ in range(ROUNDS):
                for name, make in cases.items():
                    figures[name].append(measure(port, make()))
    best = {name: (min(cpu for cpu, _ in runs), max(rate for _, rate in runs)) for name, runs in figures.items()}
    floors = {"SAML": "SAML floor", "pyth": "SAML floor", "encr": "encrypted floor", "OIDC": "OIDC floor"}
    for name, (cpu, rate) in best.items():
        floor_cpu, floor_rate = best[floors[name[:4]]]
        print(f"{name:16}{cpu:7.0f} µs of CPU {cpu / floor_cpu:5.2f}  {rate:6.0f} a second {floor_rate / rate:5.2f}")
    print(f"SAML, ours against python3-saml: {best['SAML ours'][1] / best['python3-saml'][1]:.2f} × its rate")


def _floor_token(provider: OpenIDProvider) -> Reply:
    now = int(provider.now())
    claims = {"iss": provider.issuer, "sub": "ada", "aud": "rambridge", "exp": now + 300, "groups": ["platform"]}
    return Reply(200, json.dumps({"id_token": provider.sign(claims)}).encode(), {"Content-Type": "application/json"})


if __name__ == "__main__":
    main()
