"""The whole corpus of hostile messages, delivered where providers deliver them: at the live ACS and callback.

Each gets its own code on a plain page and one record, within a second, and burns nothing: the honest twin is then
accepted in answer to the same question.
"""

import json
import time
from dataclasses import replace
from functools import cache
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc.jwk import KeySet
from werkzeug.datastructures import MultiDict

from bridge.app import MAX_REQUEST_BYTES
from bridge.attack.oidc import tokens
from bridge.attack.oidc.corpus import Row
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.oidc.tokens import ISSUER, NONCE, PROVIDER, keys
from bridge.attack.saml import cases_document, cases_encryption, cases_signature, cases_statement
from bridge.attack.saml.corpus import CASES
from bridge.attack.saml.honest import HONEST
from bridge.attack.saml.messages import build_idp_metadata, make_certificate, make_key
from bridge.attack.scripted_server import Reply
from bridge.errors import (
    OIDCMetadata,
    OIDCState,
    OIDCTokenResponse,
    ParameterTwice,
    ProviderUnavailable,
    SAMLMetadata,
    TooLarge,
    UnknownProvider,
)
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.signature import is_strong
from bridge.outbound import Outbound
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE
from tests.attacks.door import (
    PUBLIC_URL,
    Visitor,
    begin,
    call_back,
    check_refusal,
    draft_response,
    find_code,
    post_response,
    read,
    sha256,
)
from tests.attacks.oidc import (
    test_claims,
    test_flow,
    test_form,
    test_hashes,
    test_logout_token,
    test_signature,
    test_userinfo,
)

FILES = (cases_document, cases_encryption, cases_signature, cases_statement)
"""Importing them fills CASES."""
SECONDS = 1.0
BROWSER = "the-cookie-of-the-browser-that-asked".ljust(43, "_")

pytestmark = pytest.mark.usefixtures("no_failures")


# ── SAML ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def saml_nodes(running_service, tmp_path_factory):
    """Return a function that gives the node which trusts exactly this provider with exactly these keys."""
    folder = tmp_path_factory.mktemp("metadata")

    @cache
    def start(settings, keys):
        provider = SAMLProvider.model_validate_json(settings)
        path = folder / f"{sha256(f'{settings} {keys}')}.xml"
        metadata = build_idp_metadata(*map(_certify, keys), entity_id=provider.entity_id)
        path.write_bytes(metadata if keys else metadata.replace(b'use="signing"', b'use="encryption"'))
        return running_service.start(providers={"corp": provider.model_copy(update={"metadata": str(path)})})

    def find(expected):
        keys = (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in expected.keys)
        return start(expected.provider.model_dump_json(), tuple(keys))

    return find


def _certify(key):
    """Return a certificate for a public key (DER), as metadata carries it."""
    template = make_certificate("idp")
    builder = x509.CertificateBuilder(
        issuer_name=template.issuer,
        subject_name=template.subject,
        public_key=load_der_public_key(key),
        serial_number=template.serial_number,
        not_valid_before=template.not_valid_before_utc,
        not_valid_after=template.not_valid_after_utc,
    )
    return builder.sign(make_key("idp"), hashes.SHA256())


@pytest.fixture
def deliver(service, saml_nodes):
    """Return a function that posts a draft's message to the ACS of the node that expects it, as its own browser."""

    def post(draft, question=None):
        expected = draft.expected
        service.clock.moment = expected.now
        visitor = Visitor(saml_nodes(expected))
        visitor.cookies = {BROWSER_COOKIE: BROWSER}
        visitor.sent_across_sites = {BROWSER_COOKIE}
        encoded = draft.encode()
        begun = time.perf_counter()
        response = post_response(visitor, "corp", encoded, question and question.handle)
        return encoded, response, time.perf_counter() - begun

    return post


def _ask(service, draft):
    service.clock.moment = draft.expected.now
    if not draft.request_id:
        return None
    return service.ask(BROWSER, request_id=draft.request_id, asked_at=draft.expected.asked_at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_hostile_response_is_refused_at_the_acs_and_its_twin_accepted(service, deliver, case):
    draft, twin = case.draft(), case.draft()
    case.spoil(draft)
    question = _ask(service, draft)
    before, last = service.memory(), service.last()

    encoded, response, seconds = deliver(draft, question)

    assert seconds < SECONDS
    error, status = case.error, 400
    if not draft.expected.keys or not all(is_strong(key) for key in draft.expected.keys):
        error, status = SAMLMetadata, 503  # such a key does not even get into the metadata
    if len(encoded) > MAX_REQUEST_BYTES:
        error, status = TooLarge, 413
    record = check_refusal(service, response, error, after=last, status=status)
    assert (record["provider"], record["protocol"]) == ("corp", "saml")
    assert record.get("message_digest") == (sha256(encoded) if error is not TooLarge else None)
    assert encoded[:40] not in json.dumps(record) or not encoded
    assert service.memory() == before, "a refused message burns nothing and begins nothing"

    if draft.expected != twin.expected:
        question = _ask(service, twin)
    _, response, _ = deliver(twin, question)
    assert_accepted(response, solicited=question is not None)


@pytest.mark.parametrize("build", HONEST.values(), ids=HONEST)
def test_honest_response_is_accepted_at_the_acs(service, deliver, build):
    draft = build()
    question = _ask(service, draft)
    _, response, _ = deliver(draft, question)
    assert_accepted(response, solicited=question is not None)


def assert_accepted(response, *, solicited=True):
    """A solicited answer opens a session; any other one leads to a page that asks first."""
    if solicited:
        assert (response.status_code, response.location) == (303, "/")
        assert response.headers["Set-Cookie"].startswith(f"{SESSION_COOKIE}=")
    else:
        assert [form.action for form in read(response).forms] == [f"{PUBLIC_URL}/sign-in/confirm"]
        assert SESSION_COOKIE + "=" not in str(response.headers)


@pytest.mark.parametrize(
    "form",
    [[], [("RelayState", "x")], [("SAMLResponse", "PA=="), ("SAMLResponse", "PA==")], [("SAMLresponse", "PA==")]],
    ids=["nothing", "no response", "response twice", "another case"],
)
def test_t_saml_17_a_form_without_exactly_one_response_is_refused(service, visitor, form):
    last = service.last()
    response = visitor.post("/saml/corp/acs", MultiDict(form), site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)


def test_t_saml_17_a_second_relay_state_is_refused(service, visitor):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    twice = MultiDict([("SAMLResponse", encoded), ("RelayState", question.handle), ("RelayState", question.handle)])
    last = service.last()
    response = visitor.post("/saml/corp/acs", twice, site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


def test_t_saml_17_a_response_by_get_is_not_taken(service, visitor):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    query = urlencode({"SAMLResponse": encoded, "RelayState": question.handle})
    assert visitor.get(f"/saml/corp/acs?{query}").status_code == 405
    last = service.last()
    response = visitor.post(f"/saml/corp/acs?{query}", site="cross-site")
    check_refusal(service, response, ParameterTwice, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


@pytest.mark.parametrize("provider", ["nobody", "staff", "corp%00", "%3Cscript%3E", "corp%0d%0aSet-Cookie:a=b", "CORP"])
def test_an_acs_of_no_saml_provider_refuses(service, visitor, provider):
    question = begin(visitor, "corp")
    encoded = draft_response("corp", question.request_id).encode()
    last = service.last()
    response = post_response(visitor, provider, encoded, question.handle)
    check_refusal(service, response, UnknownProvider, after=last)
    assert_accepted(post_response(visitor, "corp", encoded, question.handle))


# ── OIDC ─────────────────────────────────────────────────────────────────────────────────────────────────────

ROWS = [
    row
    for module in (test_claims, test_form, test_hashes, test_signature)
    for table in vars(module).values()
    if isinstance(table, list)
    for row in table
    if isinstance(row, Row)
]


class Rerouted(Outbound):
    """Sends what is meant for the corpus' provider, which has an address that nobody serves, to the one that runs."""

    target = ""

    def _send(self, request, limits, ca_file):
        return super()._send(replace(request, url=request.url.replace(ISSUER, self.target)), limits, ca_file)


class CorpusProvider:
    """The OIDC corpus' provider at a real server, and nodes that trust it."""

    def __init__(self, service, server):
        self._service = service
        self.server = server
        server.issuer = ISSUER
        server.metadata = {
            name: f"{ISSUER}/{path}"
            for name, path in {"authorization_endpoint": "a", "token_endpoint": "token", "jwks_uri": "jwks"}.items()
        }
        self._nodes = {}

    def find_node(self, *, algorithms=None, alone=False, nonce=NONCE, **settings):
        """Return the node for these settings, with the provider's documents as they have to be for it."""
        published = [keys().rsa] if alone else [key for name, key in vars(keys()).items() if name not in UNPUBLISHED]
        documents = [{**key.as_dict(private=False), **tokens._parameters(key)} for key in published]
        self.server.replies["/jwks"] = Reply(body=json.dumps({"keys": documents}).encode())
        self.server.metadata["id_token_signing_alg_values_supported"] = algorithms
        name = repr((algorithms, alone, settings))
        if name not in self._nodes:
            self._nodes[name] = self.start_node(**settings)
        return self._nodes[name]

    def start_node(self, **settings):
        return self._service.start(providers={"corp": PROVIDER.model_copy(update=settings)})


UNPUBLISHED = {"stranger", "shared_secret"}


@pytest.fixture(scope="session")
def corpus_provider(running_service):
    with OpenIDProvider() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rerouted, "target", server.url)
        patch.setattr("bridge.app.Outbound", Rerouted)
        yield CorpusProvider(running_service, server)


@pytest.fixture
def bring(service, corpus_provider):
    """Return a function that comes back from the provider with a code, for which this token is then given."""

    def come_back(token, question, settings):
        service.clock.moment = tokens.NOW
        answer = {"access_token": tokens.ACCESS_TOKEN, "token_type": "Bearer", "id_token": token}
        corpus_provider.server.replies["/token"] = Reply(body=json.dumps(answer).encode())
        visitor = Visitor(corpus_provider.find_node(**settings))
        visitor.cookies = {BROWSER_COOKIE: BROWSER}
        query = [("code", tokens.CODE), ("state", question.handle), ("iss", ISSUER)]
        begun = time.perf_counter()
        response = call_back(visitor, "corp", query)
        return urlencode(query), response, time.perf_counter() - begun

    return come_back


BEFORE_THE_TOKEN = {"T-OIDC-04[empty]": OIDCTokenResponse}
"""What is refused before anybody looks for a token in it."""


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_hostile_token_is_refused_at_the_callback_and_its_twin_accepted(service, bring, case):
    service.clock.moment = tokens.NOW
    question = service.ask(BROWSER, protocol="oidc", nonce=case.settings.get("nonce", NONCE), code_verifier="v" * 43)
    before, last = service.memory(), service.last()

    query, response, seconds = bring(case.token(), question, case.settings)

    assert seconds < SECONDS
    record = check_refusal(service, response, BEFORE_THE_TOKEN.get(str(case), case.error), after=last)
    assert (record["provider"], record["protocol"]) == ("corp", "oidc")
    assert record["message_digest"] == sha256(query)
    assert service.memory() == before, "a refused token burns nothing and begins nothing"

    twin_settings = case.settings if case.twin_settings is None else case.twin_settings
    if twin_settings.get("nonce") != case.settings.get("nonce"):
        question = service.ask(BROWSER, protocol="oidc", nonce=NONCE, code_verifier="v" * 43)
    _, response, _ = bring(case.twin(), question, twin_settings)
    assert_accepted(response)


@pytest.mark.parametrize("name", test_logout_token.HOSTILE, ids=[f"T-OIDC-15[{n}]" for n in test_logout_token.HOSTILE])
def test_hostile_logout_token_is_refused_at_its_address_and_its_twin_accepted(service, corpus_provider, name):
    error, make = test_logout_token.HOSTILE[name]
    service.clock.moment = tokens.NOW
    node = corpus_provider.find_node()
    token, last, before = make(), service.last(), service.memory()
    begun = time.perf_counter()
    response = node.test_client().post(
        "/oidc/corp/backchannel-logout", data={"logout_token": token}, base_url=PUBLIC_URL
    )
    assert time.perf_counter() - begun < SECONDS
    assert (response.status_code, response.mimetype, response.json["code"]) == (400, "application/json", error.code)
    assert response.headers["Cache-Control"] == "no-store"
    [record] = service.records(last)
    assert (record["event"], record["code"], record["message_digest"]) == ("logout.refused", error.code, sha256(token))
    assert service.memory() == before
    form = {"logout_token": test_logout_token.forge_logout()}
    assert node.test_client().post("/oidc/corp/backchannel-logout", data=form, base_url=PUBLIC_URL).status_code == 200


WITHOUT_A_QUESTION = {"OIDC-17[nothing]": OIDCState}
"""Here the question is looked for first, by ``state``; the relying party's own tests begin behind that."""


@pytest.mark.parametrize("name", test_flow.CALLBACKS)
def test_hostile_callback_is_refused_and_the_honest_one_then_accepted(service, visitor, name):
    error, change = test_flow.CALLBACKS[name]
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    before, last = service.memory(), service.last()
    begun = time.perf_counter()
    response = call_back(visitor, "staff", change(honest))
    assert time.perf_counter() - begun < SECONDS
    record = check_refusal(service, response, WITHOUT_A_QUESTION.get(name, error), after=last)
    assert record["message_digest"] == sha256(urlencode(change(honest)))
    assert "/token" not in service.staff.paths()
    assert service.memory() == before
    assert_accepted(call_back(visitor, "staff", honest))


@pytest.mark.parametrize("name", test_flow.TOKEN_RESPONSES)
def test_hostile_token_response_is_refused_and_the_honest_one_then_accepted(service, visitor, name):
    error, body = test_flow.TOKEN_RESPONSES[name]
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    service.staff.replies["/token"] = test_flow._answer(body)
    before, last = service.memory(), service.last()
    begun = time.perf_counter()
    response = call_back(visitor, "staff", honest)
    assert time.perf_counter() - begun < SECONDS
    check_refusal(service, response, error, after=last)
    assert service.memory() == before
    service.staff.replies.clear()
    assert_accepted(call_back(visitor, "staff", honest))


@pytest.fixture(scope="session")
def asking_node(running_service):
    """Return a node that asks ``staff`` for userinfo."""
    providers = dict(running_service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update={"userinfo": "always"})
    return running_service.start(providers=providers)


@pytest.mark.parametrize("name", test_userinfo.USERINFO)
def test_hostile_userinfo_is_refused_and_the_honest_one_then_accepted(service, asking_node, name):
    error, reply = test_userinfo.USERINFO[name]
    visitor = Visitor(asking_node)
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    service.staff.replies["/userinfo"] = reply
    before, last = service.memory(), service.last()
    response = call_back(visitor, "staff", honest)
    check_refusal(service, response, error, after=last, status=503 if error is ProviderUnavailable else 400)
    assert service.memory() == before, "a refused answer burns nothing and begins nothing"
    service.staff.replies.clear()
    assert_accepted(call_back(visitor, "staff", service.staff.authorize(question.url)))


def test_a_client_with_a_key_of_its_own_signs_in_and_publishes_no_private_part(service):
    settings = {"client_authentication": "private_key_jwt", "client_secret": None}
    providers = dict(service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update=settings)
    visitor = Visitor(service.start(providers=providers))
    published = visitor.get("/oidc/staff/jwks").json
    assert [set(key) for key in published["keys"]] == [{"kty", "n", "e", "kid", "use", "alg"}] * 2
    service.staff.client_keys = KeySet.import_key_set(published)
    question = begin(visitor, "staff")
    assert_accepted(call_back(visitor, "staff", service.staff.authorize(question.url)))
    for other in ("guests", "corp", "nobody"):
        response = visitor.get(f"/oidc/{other}/jwks")
        assert (response.status_code, find_code(response)) == (400, UnknownProvider.code)


@pytest.mark.parametrize("change", test_flow.METADATA.values(), ids=test_flow.METADATA)
def test_hostile_metadata_sends_no_browser_anywhere(service, change):
    service.staff.metadata = change
    visitor = Visitor(service.start())
    response = visitor.get("/sign-in/staff")
    assert (response.status_code, find_code(response)) == (400, OIDCMetadata.code)
    assert not {"Location", "Set-Cookie"} & {*response.headers.keys()}
    assert service.memory() == {}
    service.staff.metadata = {}
    assert begin(Visitor(service.start()), "staff").url.startswith(service.staff.url)


@pytest.mark.parametrize("reply", [Reply(500), Reply(302, headers={"Location": "/"}), Reply(raw=b"")], ids=str)
def test_a_provider_that_cannot_be_asked_is_a_503_and_the_sign_in_stays_usable(service, visitor, reply):
    question = begin(visitor, "staff")
    honest = service.staff.authorize(question.url)
    service.staff.replies["/token"] = reply
    last = service.last()
    response = call_back(visitor, "staff", honest)
    check_refusal(service, response, ProviderUnavailable, after=last, status=503)
    assert response.headers["Retry-After"]
    service.staff.replies.clear()
    assert_accepted(call_back(visitor, "staff", honest))
