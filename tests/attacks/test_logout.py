"""Signing out, at the running service: what a provider may end, what a stranger may not, and what is recorded."""

import base64
import json
import secrets
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from markupsafe import escape
from werkzeug.datastructures import MultiDict

from bridge.attack.oidc.openid_provider import make_key
from bridge.attack.saml.messages import EMAIL, NS, SUCCESS, build_idp_metadata
from bridge.errors import (
    LogoutReplay,
    OIDCAudience,
    OIDCIssuedAt,
    OIDCIssuer,
    OIDCLogoutEvent,
    OIDCLogoutRequest,
    OIDCLogoutTarget,
    OIDCSignature,
    OIDCTyp,
    SAMLDestination,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLSignatureInvalid,
    StoreUnavailable,
    TooLarge,
    UnknownProvider,
)
from bridge.identity.oidc.logout_token import EVENT
from tests.attacks.door import (
    ADDRESS,
    ENTITIES,
    HOST,
    PUBLIC_URL,
    Visitor,
    begin,
    call_back,
    draft_response,
    find_code,
    post_response,
    read,
    read_reference,
    sha256,
)
from tests.attacks.saml.logout_messages import Logout
from tests.attacks.saml.test_logout_messages import CASES

pytestmark = pytest.mark.usefixtures("no_failures")


# ── OpenID Connect back-channel logout ───────────────────────────────────────────────────────────────────────────


def sign_in_at(service, visitor, provider="staff", subject="ada", sid="sid-1"):
    party = getattr(service, provider)
    party.claims = {"sid": sid}
    call_back(visitor, provider, party.authorize(begin(visitor, provider).url, subject))
    assert visitor.is_signed_in_as(subject)
    return visitor


def logout_token(service, provider="staff", *, header=None, **claims):
    """Return a logout token of one of our providers; None leaves a claim out."""
    party = getattr(service, provider)
    now = int(service.clock.now().timestamp())
    honest = {
        "iss": party.issuer,
        "aud": party.client_id,
        "iat": now,
        "exp": now + 120,
        "jti": f"logout-{service.last()}",
        "sub": "ada",
        "sid": "sid-1",
        "events": {EVENT: {}},
    }
    members = {name: value for name, value in (honest | claims).items() if value is not None}
    return party.sign(members, {"typ": "logout+jwt", **(header or {})})


def send(app, form, provider="staff"):
    """Send what the provider's server sends: no cookie, no Origin, no Sec-Fetch-Site."""
    return app.test_client().post(
        f"/oidc/{provider}/backchannel-logout",
        data=form,
        base_url=PUBLIC_URL,
        headers={"Host": HOST},
        environ_overrides={"REMOTE_ADDR": ADDRESS},
    )


def check_refused(service, response, error, *, after, message=None, provider="staff"):
    """It is 400 and never a page, and leaves one record."""
    assert response.status_code == 400
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert response.json.keys() == {"error", "code", "reference"}
    assert (response.json["error"], response.json["code"]) == ("invalid_request", error.code)
    [record] = service.records(after)
    assert (record["event"], record["code"], record["provider"]) == ("logout.refused", error.code, provider)
    assert record["reference"] == response.json["reference"]
    if message is not None:
        assert record["message_digest"] == sha256(message)
        assert message not in json.dumps(record)


def test_t_oidc_15_a_logout_token_ends_the_session_it_names_and_is_recorded(service, app):
    laptop = sign_in_at(service, Visitor(app))
    phone = sign_in_at(service, Visitor(app), sid="sid-2")
    colleague = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    after = service.last()
    response = send(app, {"logout_token": logout_token(service)})
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert not laptop.is_signed_in_as("ada")
    assert phone.is_signed_in_as("ada")
    assert colleague.is_signed_in_as("eve")
    accepted, ended = service.records(after)
    assert accepted["event"] == "logout.accepted"
    assert (accepted["subject"], accepted["session_indexes"], accepted["ended"]) == ("ada", ["sid-1"], 1)
    assert (ended["event"], ended["subject"], ended["reason"]) == ("session.ended", "ada", "signed_out_at_provider")


def test_t_oidc_15_without_a_session_all_of_the_person_end(service, app):
    ours = [sign_in_at(service, Visitor(app), sid=sid) for sid in ("sid-1", "sid-2")]
    colleague = sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    assert send(app, {"logout_token": logout_token(service, sid=None)}).status_code == 200
    assert not any(visitor.is_signed_in_as("ada") for visitor in ours)
    assert colleague.is_signed_in_as("eve")


def test_t_oidc_15_without_a_person_the_session_at_the_provider_counts(service, app):
    visitor = sign_in_at(service, Visitor(app))
    assert send(app, {"logout_token": logout_token(service, sub=None)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


@pytest.mark.parametrize("claims", [{"sub": "eve"}, {"sid": "sid-2"}, {"sub": None, "sid": "sid-2"}])
def test_t_oidc_15_person_and_session_must_both_fit(service, app, claims):
    visitor = sign_in_at(service, Visitor(app))
    sign_in_at(service, Visitor(app), subject="eve", sid="sid-3")
    after = service.last()
    assert send(app, {"logout_token": logout_token(service, **claims)}).status_code == 200
    [record] = service.records(after)
    assert (record["event"], record["ended"]) == ("logout.accepted", 0)
    assert visitor.is_signed_in_as("ada")


def test_t_oidc_15_one_provider_cannot_end_the_sessions_of_another(service, app):
    visitor = sign_in_at(service, Visitor(app))
    guest = sign_in_at(service, Visitor(app), "guests")
    assert send(app, {"logout_token": logout_token(service, "guests")}, "guests").status_code == 200
    assert visitor.is_signed_in_as("ada")
    assert not guest.is_signed_in_as("ada")
    service.guests.signing_key = make_key("first")
    after = service.last()
    token = logout_token(service, "guests", iss=service.staff.issuer)
    check_refused(service, send(app, {"logout_token": token}), OIDCSignature, after=after, message=token)
    after = service.last()
    own = logout_token(service, "staff", iss=service.guests.issuer)
    check_refused(service, send(app, {"logout_token": own}), OIDCIssuer, after=after, message=own)
    assert visitor.is_signed_in_as("ada")


FAULTS = {
    "another audience": (OIDCAudience, {"aud": "another"}),
    "another event": (OIDCLogoutEvent, {"events": {"https://schemas.example/other": {}}}),
    "old": (OIDCIssuedAt, {"iat": 1_700_000_000}),
    "of nobody": (OIDCLogoutTarget, {"sub": None, "sid": None}),
    "typ JWT": (OIDCTyp, {"header": {"typ": "JWT"}}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_t_oidc_15_a_live_session_survives_a_bad_token(service, app, name):
    error, changes = FAULTS[name]
    visitor = sign_in_at(service, Visitor(app))
    after = service.last()
    token = logout_token(service, **changes)
    check_refused(service, send(app, {"logout_token": token}), error, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": logout_token(service)}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_a_token_counts_once(service, app):
    token = logout_token(service, jti="the-only-one")
    assert send(app, {"logout_token": token}).status_code == 200
    visitor = sign_in_at(service, Visitor(app))
    after = service.last()
    check_refused(service, send(app, {"logout_token": token}), LogoutReplay, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    service.clock.moment += timedelta(seconds=179)
    assert send(app, {"logout_token": token}).json["code"] == "logout_replay"
    service.clock.moment += timedelta(seconds=2)
    assert send(app, {"logout_token": token}).json["code"] == "oidc_iat"


def test_t_oidc_15_of_twenty_equal_tokens_at_two_machines_one_wins(service, app):
    nodes = [app, service.start()]
    sign_in_at(service, Visitor(app))
    token = logout_token(service)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: send(nodes[number % 2], {"logout_token": token}).status_code, range(20)))
    assert sorted(answers) == [200] + [400] * 19


def test_t_oidc_15_jwt_as_typ_is_an_exception_of_one_provider(service):
    providers = service.configuration.providers
    tolerant = providers["staff"].model_copy(update={"logout_token_typ_jwt": True})
    node = service.start(providers={**providers, "staff": tolerant})
    visitor = sign_in_at(service, Visitor(node))
    after = service.last()
    token = logout_token(service, "guests", header={"typ": "JWT"})
    check_refused(
        service, send(node, {"logout_token": token}, "guests"), OIDCTyp, after=after, provider="guests", message=token
    )
    assert send(node, {"logout_token": logout_token(service, header={"typ": "JWT"})}).status_code == 200
    assert not visitor.is_signed_in_as("ada")


def test_t_oidc_15_the_request_is_a_form_with_one_token(service, app):
    visitor = sign_in_at(service, Visitor(app))
    token = logout_token(service)
    for form in ({}, {"logout_token": [token, token]}, {"id_token": token}, token.encode()):
        after = service.last()
        check_refused(service, send(app, form), OIDCLogoutRequest, after=after)
    after = service.last()
    check_refused(service, send(app, {"logout_token": token, "x": "y" * 64_000}), TooLarge, after=after)
    for provider in ("nobody", "corp"):
        after = service.last()
        answer = send(app, {"logout_token": token}, provider)
        check_refused(service, answer, UnknownProvider, after=after, message=token, provider=provider)
    answer = app.test_client().get(f"/oidc/staff/backchannel-logout?logout_token={token}", base_url=PUBLIC_URL)
    assert (answer.status_code, answer.mimetype) == (405, "application/json")
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": token}).status_code == 200


def test_t_oidc_15_tokens_with_unknown_keys_cause_one_fetch(service):
    node = service.start()
    assert send(node, {"logout_token": logout_token(service)}).status_code == 200
    service.staff.requests.clear()
    for number in range(20):
        token = logout_token(service, header={"kid": f"stranger-{number}"})
        assert send(node, {"logout_token": token}).json["code"] == "oidc_kid"
    assert len(service.staff.requests) <= 1


def test_t_oidc_15_a_logout_that_cannot_be_remembered_is_not_confirmed(service, app, monkeypatch):
    visitor = sign_in_at(service, Visitor(app))
    token = logout_token(service)
    after = service.last()

    def refuse(*_, **__):
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("bridge.identity.replay.ReplayMemory.claim", refuse)
        check_refused(service, send(app, {"logout_token": token}), StoreUnavailable, after=after, message=token)
    assert visitor.is_signed_in_as("ada")
    assert send(app, {"logout_token": token}).status_code == 200


def test_t_oidc_15_a_rolled_over_key_is_found(service, app):
    visitor = sign_in_at(service, Visitor(app))
    service.clock.moment += timedelta(minutes=2)
    old = service.staff.keys
    try:
        service.staff.keys = [*old, make_key("rolled")]
        assert send(app, {"logout_token": logout_token(service)}).status_code == 200
    finally:
        service.staff.keys = old
    assert not visitor.is_signed_in_as("ada")


# ── SAML single logout, the provider begins ──────────────────────────────────────────────────────────────────────


def sign_in_by_saml(visitor, provider="corp", subject="alice@example.com", index="_session1"):
    question = begin(visitor, provider)
    draft = draft_response(provider, question.request_id, subject)
    draft.find("//saml:AuthnStatement").set("SessionIndex", index)
    post_response(visitor, provider, draft.encode(), question.handle)
    assert visitor.is_signed_in_as(subject)
    return visitor


def logout_of(provider="corp", **options):
    keys = {"corp": "idp", "tiles": "tiles"}
    settings = {"issuer": ENTITIES[provider], "key_name": keys[provider], "slo": f"{PUBLIC_URL}/saml/{provider}/slo"}
    return Logout(**{**settings, "id": f"_{secrets.token_hex(8)}", **options})


def frame(app, query, provider="corp"):
    """Load our logout address as the provider's page does: in a frame, without any cookie."""
    return Visitor(app).get(f"/saml/{provider}/slo?{query}", site="cross-site")


def post(app, form, provider="corp"):
    return Visitor(app).post(f"/saml/{provider}/slo", form, site="cross-site")


def read_answer(response, address="https://idp.example.com/saml/slo/done"):
    """Return the message in an answer that went to the provider's published address, and its RelayState."""
    assert response.status_code == 303
    assert response.location.startswith(f"{address}?")
    asked = dict(parse_qsl(urlsplit(response.location).query))
    name = "SAMLResponse" if "SAMLResponse" in asked else "SAMLRequest"
    return etree.fromstring(zlib.decompress(base64.b64decode(asked[name]), wbits=-15)), asked.get("RelayState")


def refused_page(service, response, error, *, after, digest=None):
    assert (response.status_code, find_code(response)) == (400, error.code)
    assert read(response).title == "The sign-out could not be confirmed · Rambridge"
    assert response.headers["Cache-Control"] == "no-store"
    assert not {"Set-Cookie", "Location"} & {*response.headers.keys()}
    [record] = service.records(after)
    assert (record["event"], record["code"]) == ("logout.refused", error.code)
    assert record["reference"] == read_reference(response)
    if digest is not None:
        assert record["message_digest"] == digest


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_t_saml_30_a_request_ends_the_session_it_names_without_a_cookie(service, app, binding):
    laptop = sign_in_by_saml(Visitor(app))
    phone = sign_in_by_saml(Visitor(app), index="_session2")
    colleague = sign_in_by_saml(Visitor(app), subject="bob@example.com")
    after = service.last()
    message = logout_of()
    response = (
        frame(app, message.query("their/state")) if binding == "redirect" else post(app, message.form("their/state"))
    )
    assert not laptop.is_signed_in_as("alice@example.com")
    assert phone.is_signed_in_as("alice@example.com")
    assert colleague.is_signed_in_as("bob@example.com"), "one SessionIndex is shared by nobody else's session"
    answer, relay_state = read_answer(response)
    assert answer.tag == f"{{{NS['samlp']}}}LogoutResponse"
    assert answer.get("InResponseTo") == message.id
    assert answer.get("Destination") == "https://idp.example.com/saml/slo/done"
    assert answer.findtext("saml:Issuer", namespaces=NS) == f"{PUBLIC_URL}/saml/corp/metadata"
    assert answer.find("samlp:Status/samlp:StatusCode", NS).get("Value") == SUCCESS
    assert relay_state == "their/state"
    accepted, ended = service.records(after)
    assert (accepted["event"], accepted["ended"], accepted["session_indexes"]) == ("logout.accepted", 1, ["_session1"])
    assert (ended["event"], ended["subject"], ended["reason"]) == (
        "session.ended",
        "alice@example.com",
        "signed_out_at_provider",
    )


def test_t_saml_30_our_answer_verifies_with_our_published_key(service, app):
    location = frame(app, logout_of().query("r")).location
    signed, _, signature = urlsplit(location).query.rpartition("&Signature=")
    metadata = etree.fromstring(Visitor(app).get("/saml/corp/metadata").data)
    certificate = metadata.findtext(".//ds:X509Certificate", namespaces=NS)
    key = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    key.verify(base64.b64decode(unquote(signature)), signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_t_saml_30_without_a_session_index_all_of_the_person_end(service, app):
    ours = [sign_in_by_saml(Visitor(app), index=index) for index in ("_a", "_b")]
    colleague = sign_in_by_saml(Visitor(app), subject="bob@example.com")
    frame(app, logout_of(indexes=()).query())
    assert not any(visitor.is_signed_in_as("alice@example.com") for visitor in ours)
    assert colleague.is_signed_in_as("bob@example.com")


def test_t_saml_30_several_session_indexes(service, app):
    ours = [sign_in_by_saml(Visitor(app), index=index) for index in ("_a", "_b", "_c")]
    frame(app, logout_of(indexes=("_a", "_c", "_unknown")).query())
    assert [visitor.is_signed_in_as("alice@example.com") for visitor in ours] == [False, True, False]


def test_t_saml_30_one_provider_cannot_end_the_sessions_of_another(service, app):
    visitor = sign_in_by_saml(Visitor(app))
    after = service.last()
    own = logout_of("tiles").query()
    assert frame(app, own, "tiles").status_code == 303
    assert service.records(after)[0]["ended"] == 0
    for message, error in {
        logout_of("tiles", slo=f"{PUBLIC_URL}/saml/corp/slo").query(): SAMLSignatureInvalid,
        logout_of("corp", issuer=ENTITIES["tiles"]).query(): SAMLIssuer,
        logout_of("corp", slo=f"{PUBLIC_URL}/saml/tiles/slo").query(): SAMLDestination,
        own: SAMLSignatureInvalid,
    }.items():
        after = service.last()
        refused_page(service, frame(app, message), error, after=after, digest=sha256(message))
    assert visitor.is_signed_in_as("alice@example.com")


def test_t_saml_30_a_request_counts_once_by_whatever_binding(service, app):
    message = logout_of()
    assert frame(app, message.query("r")).status_code == 303
    visitor = sign_in_by_saml(Visitor(app))
    for again in (
        lambda: frame(app, message.query("r")),
        lambda: frame(app, message.query()),
        lambda: post(app, message.form()),
    ):
        after = service.last()
        refused_page(service, again(), LogoutReplay, after=after)
    assert visitor.is_signed_in_as("alice@example.com")
    assert frame(app, logout_of().query()).status_code == 303
    assert not visitor.is_signed_in_as("alice@example.com")


@pytest.mark.parametrize("name", CASES, ids=[f"T-SAML-30[{name}]" for name in CASES])
def test_a_hostile_logout_message_ends_nothing_at_the_door_and_its_twin_does(service, app, name):
    error, build = CASES[name]
    message = build()
    visitor = sign_in_by_saml(Visitor(app))
    after, memory = service.last(), service.memory()
    begun = time.thread_time()
    if isinstance(message, str):
        response = Visitor(app).request("GET", "/saml/corp/slo", query_string=message, site="cross-site")
    else:
        response = post(app, MultiDict(message))
    assert time.thread_time() - begun < 1
    refused_page(service, response, error, after=after)
    assert service.memory() == memory
    assert visitor.is_signed_in_as("alice@example.com")
    assert frame(app, logout_of().query()).status_code == 303
    assert not visitor.is_signed_in_as("alice@example.com")


@pytest.mark.parametrize("provider", ["nobody", "staff"])
def test_t_saml_30_only_saml_providers_have_an_address_for_it(service, app, provider):
    after = service.last()
    refused_page(service, frame(app, logout_of().query(), provider), UnknownProvider, after=after)


@pytest.mark.parametrize(
    "relay_state", ["https://evil.example/", "//evil.example", "<script>", "a b+c&d=é", "x" * 5_000]
)
def test_t_saml_30_a_relay_state_goes_back_or_is_dropped_and_leads_nowhere(service, app, relay_state):
    answer, returned = read_answer(frame(app, logout_of().query(relay_state)))
    assert answer.get("InResponseTo")
    assert returned == (relay_state if len(relay_state) <= 80 else None)


def test_t_saml_30_the_answer_goes_by_post_where_the_provider_wants_it_so(service, tmp_path):
    slo = '<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://x.example/"/>'
    node = start_with_metadata(service, tmp_path, slo)
    response = frame(node, logout_of().query("r"))
    [form] = read(response).forms
    assert form.action == "https://x.example/"
    assert form.fields.keys() >= {"SAMLResponse", "RelayState"}
    assert "form-action 'self' https://x.example;" in response.headers["Content-Security-Policy"]


def test_t_saml_30_a_provider_that_publishes_no_address_gets_no_answer(service, tmp_path):
    node = start_with_metadata(service, tmp_path, "")
    visitor = sign_in_by_saml(Visitor(node))
    assert frame(node, logout_of().query("https://evil.example/")).location == "/signed-out"
    assert not visitor.is_signed_in_as("alice@example.com")


def test_t_saml_30_an_address_for_logout_that_is_not_https_is_not_used(service, tmp_path):
    slo = '<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{}"/>'
    for place in ("http://idp.example.com/slo", "javascript:alert(1)", ""):
        node = start_with_metadata(service, tmp_path, slo.format(place))
        assert find_code(frame(node, logout_of().query())) == "saml_metadata"


def start_with_metadata(service, folder, slo, **changes):
    path = folder / f"{secrets.token_hex(4)}.xml"
    path.write_bytes(build_idp_metadata(slo=slo))
    providers = service.configuration.providers
    changed = providers["corp"].model_copy(update={"metadata": str(path), **changes})
    return service.start(providers={**providers, "corp": changed})


# ── Signing out here, and then at the provider ───────────────────────────────────────────────────────────────────


def start_with_logout_at_provider(service, *names):
    providers = service.configuration.providers
    changed = {name: providers[name].model_copy(update={"logout": "provider"}) for name in names}
    return service.start(providers={**providers, **changed})


def sign_out(visitor):
    return visitor.submit(visitor.get("/"), "/sign-out")


def onward(response):
    """Return where the page leads: its button and its refresh say the same."""
    assert response.status_code == 200
    [link] = [link for link in read(response).links if not link.url.startswith(PUBLIC_URL)]
    assert f'content="0; url={escape(link.url)}"' in response.text
    return link.url


def test_signing_out_stays_here_unless_the_provider_s_settings_say_otherwise(service, app):
    for visitor in (sign_in_at(service, Visitor(app)), sign_in_by_saml(Visitor(app))):
        assert sign_out(visitor).location == "/signed-out"
        assert visitor.session is None


def test_signing_out_leads_to_the_openid_provider(service):
    service.staff.metadata = {"end_session_endpoint": f"{service.staff.url}/logout?tenant=a"}
    visitor = sign_in_at(service, Visitor(start_with_logout_at_provider(service, "staff")))
    after = service.last()
    url = onward(sign_out(visitor))
    assert url.startswith(f"{service.staff.url}/logout?tenant=a&")
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked.keys() == {"tenant", "client_id", "post_logout_redirect_uri", "state"}
    assert asked["client_id"] == "rambridge"
    assert asked["post_logout_redirect_uri"] == f"{PUBLIC_URL}/signed-out"
    assert visitor.session is None
    assert [record["reason"] for record in service.records(after)] == ["signed_out_here"]
    assert not visitor.is_signed_in_as("ada")


def test_a_return_from_the_provider_proves_and_changes_nothing(service, app):
    visitor = sign_in_at(service, Visitor(app))
    after, memory = service.last(), service.memory()
    for query in ("", "?state=x", "?state=x&sid=sid-1&iss=y", "?return_to=https://evil.example"):
        plain = visitor.get("/signed-out")
        assert visitor.get(f"/signed-out{query}").text == plain.text
    assert visitor.is_signed_in_as("ada")
    assert (service.last(), service.memory()) == (after, memory)


@pytest.mark.parametrize("endpoint", [None, "http://idp.example.com/logout", "javascript:alert(1)", 7])
def test_an_openid_provider_without_a_usable_place_is_left_alone(service, endpoint):
    node = start_with_logout_at_provider(service, "staff")
    visitor = sign_in_at(service, Visitor(node))
    service.staff.metadata = {} if endpoint is None else {"end_session_endpoint": endpoint}
    service.clock.moment += timedelta(seconds=1)
    assert sign_out(visitor).location == "/signed-out"
    assert visitor.session is None


def test_signing_out_leads_to_the_saml_provider_and_its_answer_back(service):
    node = start_with_logout_at_provider(service, "corp")
    visitor = sign_in_by_saml(Visitor(node))
    url = onward(sign_out(visitor))
    assert visitor.session is None
    request, handle = read_answer(Answered(url), "https://idp.example.com/saml/slo")
    assert request.tag == f"{{{NS['samlp']}}}LogoutRequest"
    name = request.find("saml:NameID", NS)
    assert (name.text, name.get("Format")) == ("alice@example.com", EMAIL)
    assert request.findtext("samlp:SessionIndex", namespaces=NS) == "_session1"
    for binding in ("redirect", "post"):
        answer = logout_of(kind="LogoutResponse", in_response_to=request.get("ID"))
        address = "/saml/corp/slo"
        if binding == "redirect":
            response = visitor.get(f"{address}?{answer.query(handle)}", site="cross-site")
        else:
            response = visitor.post(address, answer.form(handle), site="cross-site")
        assert response.location == "/signed-out"


class Answered:
    """An address that a page led to, to be read like a redirect."""

    status_code = 303

    def __init__(self, location):
        self.location = location


def test_t_saml_30_an_answer_is_of_the_browser_that_asked(service):
    node = start_with_logout_at_provider(service, "corp")
    visitor = sign_in_by_saml(Visitor(node))
    request, handle = read_answer(Answered(onward(sign_out(visitor))), "https://idp.example.com/saml/slo")
    answer = logout_of(kind="LogoutResponse", in_response_to=request.get("ID"))
    stranger = Visitor(node)
    begin(stranger, "corp")
    attempts = [
        (stranger, answer.query(handle)),
        (Visitor(node), answer.query(handle)),
        (visitor, answer.query("https://evil.example/")),
        (visitor, answer.query()),
        (visitor, logout_of(kind="LogoutResponse", in_response_to="_another").query(handle)),
    ]
    for browser, query in attempts:
        after = service.last()
        response = browser.get(f"/saml/corp/slo?{query}", site="cross-site")
        refused_page(service, response, SAMLInResponseTo, after=after)
        assert "evil" not in response.text
    assert visitor.get(f"/saml/corp/slo?{answer.query(handle)}", site="cross-site").location == "/signed-out"


def test_t_saml_30_an_answer_ends_no_session(service):
    node = start_with_logout_at_provider(service, "corp")
    visitor = sign_in_by_saml(Visitor(node))
    request, handle = read_answer(Answered(onward(sign_out(visitor))), "https://idp.example.com/saml/slo")
    sign_in_by_saml(visitor)
    after = service.last()
    answer = logout_of(kind="LogoutResponse", in_response_to=request.get("ID"))
    assert visitor.get(f"/saml/corp/slo?{answer.query(handle)}", site="cross-site").location == "/signed-out"
    assert visitor.is_signed_in_as("alice@example.com")
    assert service.last() == after
