"""A program on somebody's machine that signs in by OAuth, written from RFC 8252 and 7636 alone."""

import base64
import hashlib
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

CLIENT = "rambridge-cli"


def challenge_of(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Program:
    """One ``rambridge login``."""

    url: str
    redirect_uri: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    answers: list = field(default_factory=list)
    """What the browser brought to the loopback address, one query for each time."""
    tokens: dict = field(default_factory=dict)
    device: dict = field(default_factory=dict)

    def question(self, **changes):
        """Return the address to open; a change to None leaves a parameter out."""
        parameters = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "resource": f"{self.url}/api/v1",
        } | changes
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return f"{self.url}/oauth/authorize?{query}"

    def post(self, path, form, **options):
        return requests.post(f"{self.url}{path}", data=form, timeout=60, allow_redirects=False, **options)

    def redeem(self, code=None, **changes):
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT,
            "code": code or self.answers[-1]["code"],
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        } | changes
        return self._keep(self.post("/oauth/token", form))

    def push(self, **changes):
        parameters = dict(parse_qsl(urlsplit(self.question()).query)) | changes
        return self.post("/oauth/par", parameters)

    def start_device(self, **changes):
        form = {
            "client_id": CLIENT,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        answer = self.post("/oauth/device_authorization", form)
        self.device = answer.json()
        return answer

    def poll(self, **changes):
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": CLIENT,
            "device_code": self.device["device_code"],
            "code_verifier": self.verifier,
        } | changes
        return self._keep(self.post("/oauth/token", form))

    def revoke(self, token):
        return self.post("/oauth/revoke", {"client_id": CLIENT, "token": token})

    def refresh(self, token=None, **changes):
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            "refresh_token": token or self.tokens["refresh_token"],
        }
        return self._keep(self.post("/oauth/token", form | changes))

    def call(self, method, path, token=None, **options):
        headers = {"Authorization": f"Bearer {self.tokens['access_token'] if token is None else token}"} | options.pop(
            "headers", {}
        )
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=60, **options)

    def session(self, token=None):
        return self.call("GET", "/api/v1/session", token)

    def _keep(self, answer):
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer


@contextmanager
def listening(url):
    """Yield a program that waits on loopback for its answer."""
    program = Program(url)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            address = urlsplit(self.path)
            if address.path == "/callback":
                program.answers.append(dict(parse_qsl(address.query)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'<title>Back in the terminal</title><link rel="icon" href="data:,">')

        def log_message(self, *_):
            pass

    # With threads, since a browser may open a connection that it then does not use.
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        program.redirect_uri = f"http://127.0.0.1:{server.server_port}/callback"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield program
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def signed_in(installation, browser=None):
    """Yield a program that this browser's person has let in."""
    browser = browser or installation.sign_in()
    with listening(installation.bridge) as program:
        browser.open(program.question())
        browser.submit("/oauth/allow")
        assert program.redeem().status_code == 200
        yield program
