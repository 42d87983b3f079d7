"""The really wired service with stand-ins for its neighbours, and visitors who use it as browsers do.

Redis and SQLite are real; so are the keys. What is made up: the identity providers' messages, their network and the
clock. Nothing here knows how the service works inside, except that a test may put a question into its memory.
"""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from lxml import etree
from markupsafe import escape
from werkzeug.test import TestResponse

from bridge import embedded_store
from bridge.app import create_app
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.saml.messages import (
    DECRYPTION_KEYS,
    IDP,
    NOW,
    NS,
    Draft,
    SignatureOptions,
    build_idp_metadata,
    make_certificate,
    make_key,
)
from bridge.audit.events import MAX_TEXT
from bridge.audit_log import OpenedLog, open_audit_log
from bridge.errors import BridgeError
from bridge.exchange.accounts import Account
from bridge.identity.oidc import key_warmer
from bridge.identity.pending import PendingSignIn, PendingSignIns
from bridge.keys import KeyFolder
from bridge.sandbox.browser import Page
from bridge.sealing import Sealer
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE, browser_digest
from bridge.settings import Configuration, load_configuration
from bridge.settings.audit import AuditSettings
from bridge.store_connection import connect_store
from tests.fakes.alibaba_sts import AlibabaSTS
from tests.live_store import MovableClock
from tests.ready_keys import put_keys

HOST = "bridge.example.com"
PUBLIC_URL = f"https://{HOST}"
ADDRESS = "192.0.2.7"
CLIENT_SECRET = "canary-client-secret+/%"

ENTITIES = {"corp": IDP, "tiles": "https://tiles.example.com/saml"}
"""The SAML providers: ``corp`` answers questions only, ``tiles`` may begin. Each signs with a key of its own."""
_KEYS = {"corp": "idp", "tiles": "tiles"}
LASTING_DAYS = 36_500
"""How long a provider is believed: commands judge its certificate by this machine's clock, not by the service's."""

_SAML = """name: {name}
title: {title}
protocol: saml
entity_id: {entity_id}
metadata: {name}.xml
idp_initiated: {idp_initiated}
claims: {{email: mail, name: displayName}}
"""
_SLO = (
    '<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{0}/slo"'
    ' ResponseLocation="{0}/slo/done"/>'
)
_OIDC = """name: {name}
title: {name}
protocol: oidc
issuer: {issuer}
client_id: rambridge
client_secret: file:secret
"""
_FILES = {
    "bridge.yaml": f"public_url: {PUBLIC_URL}\ndevelopment: true\nlog_level: debug\n",
    "accounts/production.yaml": """name: production
id: "1000000000000001"
title: Production
endpoint: {sts}
timeout_seconds: 60
""",
    "accounts/sandbox.yaml": """name: sandbox
id: "1000000000000002"
title: Sandbox
trust: oidc
endpoint: {sts}
timeout_seconds: 60
""",
    "rules/10.yaml": """rules:
- name: platform
  groups: [platform]
  grant:
  - {{account: production, role: ReadOnly}}
  - {{account: sandbox, role: Developer}}
- name: finance
  groups: [finance]
  grant:
  - {{account: production, role: Auditor}}
""",
}


# ── The service ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Service:
    """Everything that outlives one application: configuration, keys, memory, records, neighbours, time."""

    configuration: Configuration
    store_url: str
    sts: AlibabaSTS
    staff: OpenIDProvider
    guests: OpenIDProvider
    clock: MovableClock = field(default_factory=MovableClock)
    plain_pages: dict[tuple[int, str | None], str] = field(default_factory=dict)
    """What refusals of each status have in common."""
    redis: Any = field(init=False)
    _log: OpenedLog = field(init=False)

    def __post_init__(self) -> None:
        self.redis = connect_store(self.store_url)
        self._log = open_audit_log(self.configuration.settings, self.clock)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the records; everybody is honest again, and it is the morning of ``NOW``."""
        self.redis.flushall()
        self.clock.moment = NOW
        self.sts.behave()
        self.sts.requests.clear()
        self.sts.now = self.staff.now = self.guests.now = lambda: self.clock.now().timestamp()
        for provider in (self.staff, self.guests):
            provider.behave()

    def start(self, **changes: Any) -> Flask:
        """Return a new node; ``changes`` are of the configuration."""
        with patch.object(key_warmer.KeyWarmer, "start", _warm_at_once):
            return create_app(replace(self.configuration, **changes), self.store_url, self.clock, follow_rules=False)

    def start_impatient(self, accounts: Mapping[str, Account] | None = None) -> Flask:
        """Return a new node that waits two seconds for an STS, since the others wait as long as they may."""
        accounts = self.configuration.accounts if accounts is None else accounts
        update = {"timeout_seconds": 2}
        return self.start(accounts={name: account.model_copy(update=update) for name, account in accounts.items()})

    def ask(self, browser: str, **changes: Any) -> PendingSignIn:
        """Put a question into the memory as if the browser with this cookie had begun to sign in."""
        settings = {
            "handle": secrets.token_urlsafe(32),
            "provider": "corp",
            "protocol": "saml",
            "browser": browser_digest(browser),
            "expires_at": self.clock.now() + timedelta(minutes=10),
        }
        question = PendingSignIn(**(settings | changes))
        sealer = Sealer(*KeyFolder(self.configuration.settings.key_folder).sealing_keys())
        PendingSignIns(self.redis, sealer, self.clock).save(question)
        return question

    def memory(self) -> dict[bytes, bytes | None]:
        """Return what Redis holds: values of strings, names of the rest; but how often people asked (WEB-21)."""
        keys = [key for key in self.redis.keys("*") if not key.startswith(b"rambridge:asked:")]
        return {key: self.redis.get(key) if self.redis.type(key) == b"string" else None for key in keys}

    def last(self) -> int:
        """Return the position of the newest record."""
        return self._log.reader.end()

    def records(self, after: int = -1) -> list[dict[str, Any]]:
        return self._log.reader.after(after, limit=100_000)

    def close(self) -> None:
        self.redis.close()
        self._log.engine.dispose()


def _warm_at_once(warmer: key_warmer.KeyWarmer) -> None:
    """Have the providers' keys ready when the node is: a thread of its own would ask for them at any time later."""
    for party in warmer._parties:
        key_warmer._warm(party)


@contextmanager
def run_service(folder: Path) -> Iterator[Service]:
    """Run the neighbours and the embedded store; nodes are the tests' to start."""
    with ExitStack() as stack:
        sts = stack.enter_context(AlibabaSTS())
        staff, guests = (stack.enter_context(OpenIDProvider(client_secret=CLIENT_SECRET)) for _ in range(2))
        config = _write_configuration(folder / "config", sts, {"staff": staff, "guests": guests})
        put_keys(folder / "certs")
        _write_decryption_keys(folder / "certs" / "saml-decryption")
        stack.callback(embedded_store.stop, folder / "store")
        # Each test has its own moment, and most send more from one address than anybody would.
        records = AuditSettings(refusals_per_minute=1_000_000, max_clock_step_seconds=1_000_000_000)
        configuration = replace(load_configuration(config), audit=records)
        service = Service(configuration, embedded_store.start(folder / "store"), sts, staff, guests)
        stack.callback(service.close)
        yield service


def _write_decryption_keys(folder: Path) -> None:
    """Let the service have the keys for which the tests encrypt."""
    for slot, name in zip(("current", "next", "previous"), DECRYPTION_KEYS, strict=True):
        private_key = make_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{slot}.pem").touch(0o600)
        (folder / f"{slot}.pem").write_bytes(private_key + make_certificate(name).public_bytes(Encoding.PEM))


def _write_configuration(folder: Path, sts: AlibabaSTS, openid: dict[str, OpenIDProvider]) -> Path:
    files = {name: text.format(sts=sts.url) for name, text in _FILES.items()}
    files["providers/secret"] = CLIENT_SECRET
    for name, entity_id in ENTITIES.items():
        initiated = str(name == "tiles").lower()
        files[f"providers/{name}.yaml"] = _SAML.format(
            name=name, title=name.title(), entity_id=entity_id, idp_initiated=initiated
        )
        files[f"providers/{name}.xml"] = build_idp_metadata(
            make_certificate(_KEYS[name], days=LASTING_DAYS),
            entity_id=entity_id,
            sso=f"{entity_id}/sso",
            slo=_SLO.format(entity_id),
        ).decode()
    for name, provider in openid.items():
        files[f"providers/{name}.yaml"] = _OIDC.format(name=name, issuer=provider.issuer)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


# ── Visitors ─────────────────────────────────────────────────────────────────────────────────────────────────


class Visitor:
    """A browser: it keeps cookies, withholds Lax ones from another site's POST, and says where a request is from."""

    def __init__(self, app: Flask, address: str = ADDRESS) -> None:
        self._client = app.test_client(use_cookies=False)
        self._address = address
        self.cookies: dict[str, str] = {}
        self.sent_across_sites: set[str] = set()
        """The names of the cookies that are ``SameSite=None``."""

    def copy(self, *, session: str | None = None, app: Flask | None = None) -> "Visitor":
        """Return somebody with the same cookies: with another ``session``, or at another node."""
        other = Visitor(app or self._client.application, self._address)
        other.cookies = self.cookies | ({SESSION_COOKIE: session} if session else {})
        other.sent_across_sites = set(self.sent_across_sites)
        return other

    def get(self, url: str, **options: Any) -> TestResponse:
        """Follow a bookmark, or with ``site`` a link."""
        return self.request("GET", url, **({"site": "none"} | options))

    def post(self, url: str, data: Any = None, **options: Any) -> TestResponse:
        """Send a form of our own page, or with ``site="cross-site"`` of another one."""
        return self.request("POST", url, data=data, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        site: str | None = "same-origin",
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> TestResponse:
        held = {
            name: value
            for name, value in self.cookies.items()
            if method == "GET" or site != "cross-site" or name in self.sent_across_sites
        }
        sent = {"Sec-Fetch-Site": site} if site else {}
        if held:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in held.items())
        response = self._client.open(
            url,
            method=method,
            headers={**sent, **(headers or {})},
            buffered=True,
            **({"base_url": PUBLIC_URL, "environ_overrides": {"REMOTE_ADDR": self._address}} | options),
        )
        for header in response.headers.getlist("Set-Cookie"):
            self._keep(header)
        return response

    def submit(self, page: TestResponse, action: str, **options: Any) -> TestResponse:
        """Send the form of our page that goes to ``action``."""
        form = next(form for form in read(page).forms if urlsplit(form.action).path.startswith(action))
        return self.post(form.action, form.fields, **options)

    @property
    def app(self) -> Flask:
        return self._client.application

    @property
    def session(self) -> str | None:
        return self.cookies.get(SESSION_COOKIE)

    @property
    def browser(self) -> str | None:
        return self.cookies.get(BROWSER_COOKIE)

    def is_signed_in_as(self, subject: str) -> bool:
        answer = self.get("/api/v1/session")
        return answer.status_code == 200 and answer.json["subject"] == subject

    def _keep(self, header: str) -> None:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
            return
        self.cookies[name] = value
        if "SameSite=None" in attributes:
            self.sent_across_sites.add(name)


def read(response: TestResponse) -> Page:
    """Return a page's forms, links and text."""
    return Page(response.status_code, response.request.url, response.headers, response.text)


# ── Signing in ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Question:
    """What a browser carried to a provider."""

    url: str
    handle: str
    """RelayState or ``state``."""
    request_id: str | None = None
    """SAML: the ``ID`` of the AuthnRequest."""


def begin(visitor: Visitor, provider: str, return_to: str | None = None) -> Question:
    """Begin to sign in, and return what the browser was sent away with."""
    query = f"?{urlencode({'return_to': return_to})}" if return_to else ""
    response = visitor.get(f"/sign-in/{provider}{query}")
    assert response.status_code == 303, response.text
    return read_question(response.location)


def read_question(url: str) -> Question:
    """Return what stands in the address of a provider."""
    asked = dict(parse_qsl(urlsplit(url).query))
    if "SAMLRequest" not in asked:
        return Question(url, asked["state"])
    request = etree.fromstring(zlib.decompress(base64.b64decode(asked["SAMLRequest"]), wbits=-15))
    return Question(url, asked["RelayState"], request.get("ID"))


def draft_response(provider: str, request_id: str | None, subject: str = "alice@example.com", **options: Any) -> Draft:
    """Return an honest response of one of our providers, not yet signed, with an assertion ID of its own."""
    key = _KEYS[provider]
    signing = SignatureOptions(key=make_key(key), certificate=make_certificate(key))
    draft = Draft(request_id=request_id, options=signing, **options)
    for issuer in draft.root.iter(f"{{{NS['saml']}}}Issuer"):
        issuer.text = ENTITIES[provider]
    draft.find("//saml:Audience").text = f"{PUBLIC_URL}/saml/{provider}/metadata"
    address_to(draft, f"{PUBLIC_URL}/saml/{provider}/acs")
    for place in ("//saml:NameID", "//saml:Attribute[@Name='mail']/saml:AttributeValue"):
        draft.find(place).text = subject
    draft.assertion.set("ID", f"_{secrets.token_hex(16)}")
    return draft


def address_to(draft: Draft, acs: str) -> None:
    """Let the response be meant for this address."""
    draft.root.set("Destination", acs)
    draft.find("//saml:SubjectConfirmationData").set("Recipient", acs)


def add_attribute(draft: Draft, name: str, *values: str) -> None:
    """State something more about the person."""
    attribute = etree.SubElement(draft.find("//saml:AttributeStatement"), f"{{{NS['saml']}}}Attribute", Name=name)
    for value in values:
        etree.SubElement(attribute, f"{{{NS['saml']}}}AttributeValue").text = value


def post_response(
    visitor: Visitor, provider: str, encoded: str, relay_state: str | None = None, **options: Any
) -> TestResponse:
    """Let the provider's page post a response from the visitor's browser."""
    form = {"SAMLResponse": encoded} | ({} if relay_state is None else {"RelayState": relay_state})
    return visitor.post(f"/saml/{provider}/acs", form, **({"site": "cross-site"} | options))


def call_back(visitor: Visitor, provider: str, query: list[tuple[str, str]], **options: Any) -> TestResponse:
    """Let the provider send the visitor's browser back."""
    return visitor.get(f"/oidc/{provider}/callback?{urlencode(query)}", **({"site": "cross-site"} | options))


def sign_in(visitor: Visitor, subject: str = "alice@example.com", **options: Any) -> TestResponse:
    """Sign the visitor in at ``corp``, and return where that leads."""
    question = begin(visitor, "corp")
    response = post_response(
        visitor, "corp", draft_response("corp", question.request_id, subject, **options).encode(), question.handle
    )
    assert visitor.is_signed_in_as(subject), response.text
    return response


def sign_in_by_tile(visitor: Visitor, encoded: str) -> TestResponse:
    """Sign the visitor in with a response of ``tiles`` that nobody asked for, and return where that leads."""
    return visitor.submit(post_response(visitor, "tiles", encoded), "/sign-in/confirm")


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────

_REFERENCE = re.compile(r'id="reference">([0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4})<')


_OFFERS = re.compile(r'<div class="actions">.*?</div>|<p class="to-do".*?</p>', re.DOTALL)
_SHOWN = re.compile(r'\n *<input type="hidden" name="(error|reference|entitlement)" value="([^"]*)">')
"""By what the page is shown again in another language."""
_OFFERED = re.compile(r"/|/\?choose=1|/step-up/[0-9a-f]{16}")


def check_refusal(
    service: Service, response: TestResponse, error: type[BridgeError], *, after: int, status: int = 400
) -> dict[str, Any]:
    """The answer to a provider's message is a refusal as each must be; return the one record that it left.

    Pages of one title differ in code, sentence, number and the buttons alone. So nothing on them is from what was sent.
    """
    assert (response.status_code, find_code(response)) == (status, error.code)
    assert response.mimetype == "text/html"
    assert response.headers["Cache-Control"] == "no-store"
    assert not {"Set-Cookie", "Location"} & {*response.headers.keys()}
    reference = read_reference(response)
    shown = dict(_SHOWN.findall(response.text))
    assert re.fullmatch(r"([0-9a-f]{16})?", shown.pop("entitlement", ""))
    assert shown == {"error": error.code, "reference": reference}
    plain = _SHOWN.sub("", response.text)
    for own in (reference, f'mono">{error.code} ', f"<p>{escape(error.public)}</p>"):
        assert plain.count(own) == 1
        plain = plain.replace(own, "…")
    for offer in _OFFERS.finditer(plain):
        assert all(_OFFERED.fullmatch(href) for href in re.findall(r'href="([^"]*)"', offer[0])), offer[0]
    plain, title = _OFFERS.sub("…", plain), read(response).title
    assert plain == service.plain_pages.setdefault((status, title), plain)
    assert "Traceback" not in plain

    [record] = service.records(after)
    assert (record["event"], record["code"], record["reference"]) == ("sign_in.refused", error.code, reference)
    assert record["source_address"] == ADDRESS
    assert len(record["detail"]) <= MAX_TEXT
    return record


def find_code(response: TestResponse) -> str | None:
    """Return the code on an error page or in a JSON answer of the API, None on any other."""
    if response.is_json:
        return response.json.get("code")
    found = re.search(r'<dd class="mono">([a-z0-9_]+) ', response.text)
    return found[1] if found else None


def read_reference(response: TestResponse) -> str:
    """Return the number on an error page."""
    found = _REFERENCE.search(response.text)
    assert found, response.text
    return found[1]


def sha256(message: str) -> str:
    return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
