"""Hostile logout messages (SAML-30), each beside its honest twin, by both bindings."""

import base64
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from lxml import etree

from bridge.attack.saml.messages import IDP, MORE, NOW, NS, RSA_SHA256, SP, at, element, make_key, make_provider
from bridge.errors import (
    SAMLDTD,
    IdentityError,
    SAMLAlgorithm,
    SAMLBase64,
    SAMLCommentOrPI,
    SAMLDestination,
    SAMLEncoding,
    SAMLExpired,
    SAMLId,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLLogoutBinding,
    SAMLLogoutSession,
    SAMLNameID,
    SAMLNotXML,
    SAMLNotYet,
    SAMLSchema,
    SAMLSignatureForm,
    SAMLSignatureInvalid,
    SAMLSignatureReference,
    SAMLStale,
    SAMLTimeFormat,
    SAMLTooComplex,
    SAMLTooLarge,
    SAMLTransform,
    SAMLUnsigned,
    SAMLVersion,
)
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.logout import verify_logout_request, verify_logout_response
from bridge.identity.saml.logout_binding import LogoutMessage, read_form, read_query
from tests.attacks.saml.logout_messages import SLO, Logout, deflate

DS = NS["ds"]


def expect(request_id=None, now=NOW, keys=None, **settings):
    keys = keys or (make_key("idp").public_key(),)
    return Expected(make_provider(**settings), keys, SP, SLO, request_id, now)


def verify(message: LogoutMessage, expected=None):
    if message.parameter == "SAMLResponse":
        return verify_logout_response(message, expected or expect("_ours"))
    return verify_logout_request(message, expected or expect())


def by_query(query):
    return read_query(query.encode("utf-8"))


def by_form(form):
    return read_form(list(form.items()) if isinstance(form, dict) else form)


CASES: dict[str, tuple[type[IdentityError], Callable[[], Any]]] = {}
"""What makes the message: a query, or the fields of a form. ``test_logout.py`` delivers them at the running service."""


def query_case(name, error, build):
    CASES[f"redirect: {name}"] = (error, build)


def form_case(name, error, build):
    CASES[f"post: {name}"] = (error, build)


def message_case(name, error, change, **options):
    """One fault in the message itself, signed by the provider: refused by both bindings."""

    def build():
        message = Logout(**options)
        changed = change(message)
        return changed if isinstance(changed, Logout) else message

    query_case(name, error, lambda: build().query())
    form_case(name, error, lambda: build().form())


def without(query, name):
    return "&".join(part for part in query.split("&") if not part.startswith(f"{name}="))


def evil(subject="mallory@example.com"):
    return dict(part.split("=", 1) for part in Logout(subject=subject, key=make_key("stranger")).query("r").split("&"))


def _response(**options):
    return Logout(kind="LogoutResponse", **options)


def _swap(name, value):
    parts = [part.partition("=") for part in Logout().query("r").split("&")]
    return "&".join(f"{found}={value if found == name else own}" for found, _, own in parts)


def _twice(name, *, behind):
    other = f"{name}={evil()[name]}"
    own = Logout().query("r")
    return f"{own}&{other}" if behind else f"{other}&{own}"


def _rewritten(change):
    query = Logout().query("a/b")
    rewritten = (
        re.sub("%2F", lambda found: change(found[0]), query) if change is str.lower else query.replace("a%2F", "%61%2F")
    )
    assert rewritten != query
    assert dict(parse_qsl(rewritten)) == dict(parse_qsl(query))
    return rewritten


def _relabelled(message):
    other = {"SAMLRequest": "SAMLResponse", "SAMLResponse": "SAMLRequest"}[message.parameter]
    return message.query(parameter=other)


def _stranger_s_bomb():
    return Logout(key=make_key("stranger")).query(deflated=deflate(b"<" * 9_000_000))


def _changed(old, new):
    signed = Logout().signed_xml()
    assert old in signed
    return Logout().unsigned_form(xml=signed.replace(old, new, 1))


def _emptied():
    root = etree.fromstring(Logout().signed_xml())
    root.find("ds:Signature", NS).clear()
    return Logout().unsigned_form(xml=etree.tostring(root))


def _wrapped():
    """XSW: a forged request that carries the provider's own one in its Extensions."""
    forged = Logout(subject="mallory@example.com", id="_forged")
    extensions = element("samlp:Extensions")
    extensions.append(etree.fromstring(Logout().signed_xml()))
    forged.root.insert(1, extensions)
    return forged.unsigned_form()


def _signed_twice():
    root = etree.fromstring(Logout().signed_xml())
    root.insert(2, etree.fromstring(etree.tostring(root.find("ds:Signature", NS))))
    return Logout().unsigned_form(xml=etree.tostring(root))


# ── Who signed what, by redirect (Bindings 3.4.4.1; CVE-2025-27773) ──────────────────────────────────────────────

query_case("unsigned", SAMLUnsigned, lambda: without(without(Logout().query(), "Signature"), "SigAlg"))
query_case("no signature", SAMLUnsigned, lambda: without(Logout().query(), "Signature"))
query_case("no algorithm", SAMLUnsigned, lambda: without(Logout().query(), "SigAlg"))
query_case("signature empty", SAMLUnsigned, lambda: without(Logout().query(), "Signature") + "&Signature=")
query_case("signature no base64", SAMLBase64, lambda: without(Logout().query(), "Signature") + "&Signature=%21")
query_case("a stranger's signature", SAMLSignatureInvalid, lambda: Logout(key=make_key("stranger")).query())
query_case("the message exchanged", SAMLSignatureInvalid, lambda: _swap("SAMLRequest", evil()["SAMLRequest"]))
query_case("the RelayState exchanged", SAMLSignatureInvalid, lambda: _swap("RelayState", "another"))
query_case("the RelayState added", SAMLSignatureInvalid, lambda: Logout().query() + "&RelayState=another")
query_case("the RelayState left out", SAMLSignatureInvalid, lambda: without(Logout().query("r"), "RelayState"))
query_case("written anew, in small letters", SAMLSignatureInvalid, lambda: _rewritten(str.lower))
query_case("written anew, with slashes as they are", SAMLSignatureInvalid, lambda: _rewritten(lambda _: "/"))
query_case("SHA-1", SAMLAlgorithm, lambda: Logout().query(algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"))
query_case("HMAC", SAMLAlgorithm, lambda: _swap("SigAlg", quote(f"{MORE}hmac-sha256", safe="")))
query_case("an algorithm of another kind of key", SAMLAlgorithm, lambda: _swap("SigAlg", quote(f"{MORE}ecdsa-sha256")))
query_case("no algorithm that exists", SAMLAlgorithm, lambda: _swap("SigAlg", "none"))
query_case("the message twice, ours first", SAMLLogoutBinding, lambda: _twice("SAMLRequest", behind=True))
query_case("the message twice, ours last", SAMLLogoutBinding, lambda: _twice("SAMLRequest", behind=False))
query_case("RelayState twice", SAMLLogoutBinding, lambda: Logout().query("r") + "&RelayState=r")
query_case("SigAlg twice", SAMLLogoutBinding, lambda: _twice("SigAlg", behind=True))
query_case("Signature twice", SAMLLogoutBinding, lambda: _twice("Signature", behind=True))
query_case("a request and a response", SAMLLogoutBinding, lambda: Logout().query() + "&SAMLResponse=x")
query_case("a request and an empty response", SAMLLogoutBinding, lambda: Logout().query() + "&SAMLResponse=")
query_case("an empty request and a response", SAMLLogoutBinding, lambda: "SAMLRequest=&" + _response().query())
query_case(
    "the message a second time, its name in percent",
    SAMLLogoutBinding,
    lambda: f"SAML%52equest={evil()['SAMLRequest']}&{Logout().query()}",
)
query_case("its name in percent", SAMLLogoutBinding, lambda: Logout().query().replace("SAMLRequest", "SAML%52equest"))
query_case("a second signature, in percent", SAMLLogoutBinding, lambda: Logout().query() + "&%53ignature=x")
query_case("a response as request", SAMLLogoutBinding, lambda: _relabelled(_response()))
query_case("a request as response", SAMLLogoutBinding, lambda: _relabelled(Logout()))
query_case("nothing", SAMLLogoutBinding, lambda: "")
query_case("another encoding", SAMLLogoutBinding, lambda: Logout().query() + "&SAMLEncoding=urn:x")
query_case("not ASCII", SAMLEncoding, lambda: Logout().query() + "&x=\u4f60")
query_case("a name that is not UTF-8", SAMLEncoding, lambda: Logout().query() + "&%ff=x")
query_case("endless", SAMLTooLarge, lambda: Logout().query() + "&x=" + "y" * 20_000)
query_case("a bomb", SAMLTooLarge, lambda: Logout().query(deflated=deflate(b"<" * 9_000_000)))
query_case("a stranger's bomb is not inflated", SAMLSignatureInvalid, _stranger_s_bomb)
query_case("not deflated", SAMLNotXML, lambda: Logout().query(deflated=b"\xff\xff\xff\xff"))
query_case("deflated with a header", SAMLNotXML, lambda: Logout().query(deflated=b"\x78\x9c" + deflate(b"<x/>")))
query_case("cut short", SAMLNotXML, lambda: Logout().query(deflated=deflate(etree.tostring(Logout().root))[:-8]))
query_case("with something behind", SAMLNotXML, lambda: Logout().query(deflated=deflate(b"<x/>") + b"<y/>"))
query_case("nothing inside", SAMLNotXML, lambda: Logout().query(xml=b""))
query_case("a second signature, within", SAMLLogoutBinding, lambda: Logout().query(xml=Logout().signed_xml()))


# ── Who signed what, by POST ─────────────────────────────────────────────────────────────────────────────────────

form_case("unsigned", SAMLUnsigned, lambda: Logout().unsigned_form())
form_case("a stranger's signature", SAMLSignatureInvalid, lambda: Logout(key=make_key("stranger")).form())
form_case("changed after it was signed", SAMLSignatureInvalid, lambda: _changed(b"alice@", b"mallory@"))
form_case("a SessionIndex taken out", SAMLSignatureInvalid, lambda: _changed(b"_session1", b"_session2"))
form_case("SHA-1", SAMLAlgorithm, lambda: Logout().form(signature_method=f"{DS}rsa-sha1"))
form_case("a digest with SHA-1", SAMLAlgorithm, lambda: Logout().form(digest_method=f"{DS}sha1"))
form_case("a signature over nothing in particular", SAMLSignatureReference, lambda: Logout().form(uri=""))
form_case(
    "a transform", SAMLTransform, lambda: Logout().form(transforms=("http://www.w3.org/TR/1999/REC-xslt-19991116",))
)
form_case("the signature emptied", SAMLSignatureForm, _emptied)
form_case("a signed request within a forged one", SAMLLogoutBinding, _wrapped)
form_case("two signatures", SAMLLogoutBinding, _signed_twice)
form_case(
    "a query's signature beside it",
    SAMLUnsigned,
    lambda: Logout().unsigned_form() | {"Signature": "x", "SigAlg": RSA_SHA256},
)
form_case("the message twice", SAMLLogoutBinding, lambda: [*Logout().form().items(), *Logout().form().items()])
form_case("a request and a response", SAMLLogoutBinding, lambda: Logout().form() | _response().form())
form_case("RelayState twice", SAMLLogoutBinding, lambda: [*Logout().form("r").items(), ("RelayState", "r")])
form_case("nothing", SAMLLogoutBinding, dict)
form_case("no base64", SAMLBase64, lambda: {"SAMLRequest": "!"})
form_case("deflated", SAMLEncoding, lambda: {"SAMLRequest": base64.b64encode(deflate(Logout().signed_xml())).decode()})
form_case("a response as request", SAMLLogoutBinding, lambda: {"SAMLRequest": _response().form()["SAMLResponse"]})
form_case("too large", SAMLTooLarge, lambda: {"SAMLRequest": "A" * 395_000})


# ── Whose message it is, when, and about whom ────────────────────────────────────────────────────────────────────

message_case("another issuer", SAMLIssuer, lambda message: None, issuer="https://other.example.com")
message_case("an issuer with a slash", SAMLIssuer, lambda message: None, issuer=f"{IDP}/")
message_case("no issuer", SAMLIssuer, lambda message: message.root.remove(message.find("saml:Issuer")))
message_case("an issuer of another format", SAMLIssuer, lambda message: message.find("saml:Issuer").set("Format", "x"))
message_case("another service's address", SAMLDestination, lambda message: None, slo="https://app.example.com/slo")
message_case("our ACS", SAMLDestination, lambda message: None, slo=SLO.replace("slo", "acs"))
message_case("no destination", SAMLDestination, lambda message: message.root.attrib.pop("Destination"))
message_case("old", SAMLStale, lambda message: message.root.set("IssueInstant", at(-661)))
message_case("of the future", SAMLNotYet, lambda message: message.root.set("IssueInstant", at(61)))
message_case("over", SAMLExpired, lambda message: message.root.set("NotOnOrAfter", at(-60)))
message_case("no time", SAMLTimeFormat, lambda message: message.root.attrib.pop("IssueInstant"))
message_case("local time", SAMLTimeFormat, lambda message: message.root.set("IssueInstant", "2026-03-02T09:00:00"))
message_case(
    "an end in local time", SAMLTimeFormat, lambda message: message.root.set("NotOnOrAfter", "2026-03-02T09:05")
)
message_case("another version", SAMLVersion, lambda message: message.root.set("Version", "1.1"))
message_case("no version", SAMLVersion, lambda message: message.root.attrib.pop("Version"))
message_case("an ID that is no name", SAMLId, lambda message: None, id="1")
message_case("an unknown attribute", SAMLSchema, lambda message: message.root.set("Subject", "mallory"))
message_case("an answer's attribute", SAMLSchema, lambda message: message.root.set("InResponseTo", "_ours"))
message_case("an unknown child", SAMLSchema, lambda message: message.root.append(element("saml:Subject")))
message_case("two issuers", SAMLSchema, lambda message: message.root.insert(1, element("saml:Issuer", IDP)))
message_case("two names", SAMLSchema, lambda message: message.root.insert(2, element("saml:NameID", "mallory")))
message_case(
    "the session before the name", SAMLSchema, lambda message: message.root.append(message.find("saml:NameID"))
)
message_case("text between", SAMLSchema, lambda message: setattr(message.find("saml:Issuer"), "tail", "x"))
message_case("no name", SAMLNameID, lambda message: message.root.remove(message.find("saml:NameID")))
message_case("an empty name", SAMLNameID, lambda message: None, subject="")
message_case("a name with a blank", SAMLNameID, lambda message: None, subject="alice@example.com ")
message_case("a name of two lines", SAMLNameID, lambda message: None, subject="alice@example.com\neve")
message_case(
    "a name in pieces", SAMLNameID, lambda message: message.find("saml:NameID").append(element("saml:Issuer", "x"))
)
message_case(
    "a transient name",
    SAMLNameID,
    lambda message: message.find("saml:NameID").set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
)
message_case(
    "another provider's name",
    SAMLNameID,
    lambda message: message.find("saml:NameID").set("NameQualifier", "https://other.example.com"),
)
message_case(
    "a name for another service",
    SAMLNameID,
    lambda message: message.find("saml:NameID").set("SPNameQualifier", "https://app.example.com"),
)
message_case("an empty session", SAMLLogoutSession, lambda message: None, indexes=("",))
message_case("an empty session beside one", SAMLLogoutSession, lambda message: None, indexes=("_session1", ""))
message_case("endless sessions", SAMLLogoutSession, lambda message: None, indexes=[f"_{n}" for n in range(21)])
message_case("an endless session", SAMLLogoutSession, lambda message: None, indexes=("x" * 1_025,))
message_case(
    "a session in pieces",
    SAMLLogoutSession,
    lambda message: message.find("samlp:SessionIndex").append(element("saml:Issuer", "x")),
)


def xml_case(name, error, old, new):
    query_case(name, error, lambda: Logout().query(xml=_replaced(etree.tostring(Logout().root), old, new)))
    form_case(name, error, lambda: Logout().unsigned_form(xml=_replaced(Logout().signed_xml(), old, new)))


def _replaced(document, old, new):
    assert old in document
    return document.replace(old, new, 1)


xml_case("a DOCTYPE", SAMLDTD, b"<samlp:", b"<!DOCTYPE x><samlp:")
xml_case("a comment in the name", SAMLCommentOrPI, b"alice@", b"alice<!-- -->@")
xml_case("an ID twice", SAMLId, b"<saml:NameID", b'<saml:NameID ID="_logout1"')
xml_case("deep", SAMLTooComplex, b"<saml:NameID", b"<x>" * 50 + b"</x>" * 50 + b"<saml:NameID")


def response_case(name, error, change=lambda message: None, **options):
    def build():
        message = _response(**options)
        change(message)
        return message

    query_case(f"response: {name}", error, lambda: build().query("handle"))
    form_case(f"response: {name}", error, lambda: build().form("handle"))


response_case("to another request", SAMLInResponseTo, in_response_to="_another")
response_case("to nothing", SAMLInResponseTo, lambda message: message.root.attrib.pop("InResponseTo"))
response_case("another issuer", SAMLIssuer, issuer="https://other.example.com")
response_case("another address", SAMLDestination, slo="https://app.example.com/slo")
response_case("old", SAMLStale, lambda message: message.root.set("IssueInstant", at(-661)))
response_case("a request's attribute", SAMLSchema, lambda message: message.root.set("NotOnOrAfter", at(300)))
response_case("an assertion in it", SAMLSchema, lambda message: message.root.append(element("saml:Assertion")))


@pytest.mark.parametrize("name", CASES, ids=[f"T-SAML-30[{name}]" for name in CASES])
def test_a_hostile_logout_message_is_refused_and_its_twin_is_not(name):
    for twin in (by_query(Logout().query()), by_form(Logout().form())):
        assert verify(twin).subject == "alice@example.com"
    for twin in (by_query(_response().query("handle")), by_form(_response().form("handle"))):
        assert verify(twin) is None
    error, build = CASES[name]
    message = build()
    started = time.thread_time()
    with pytest.raises(IdentityError) as refused:
        verify(by_query(message) if isinstance(message, str) else by_form(message))
    assert time.thread_time() - started < 1
    assert type(refused.value) is error, refused.value.detail
    assert len(refused.value.detail) < 400


# ── What honest providers send ───────────────────────────────────────────────────────────────────────────────────


def test_it_says_whose_sessions_are_over():
    over = verify(by_query(Logout(indexes=("_a", "_b")).query("r")))
    assert (over.issuer, over.subject, over.session_indexes) == (IDP, "alice@example.com", ("_a", "_b"))
    assert over.message_id == "_logout1"
    assert verify(by_query(Logout(indexes=()).query())).session_indexes == ()


@pytest.mark.parametrize(("end", "seconds"), [(None, 660), (at(300), 360), (at(7200), 660)])
def test_it_is_remembered_for_as_long_as_it_would_be_accepted(end, seconds):
    message = Logout()
    if end:
        message.root.set("NotOnOrAfter", end)
    else:
        del message.root.attrib["NotOnOrAfter"]
    over = verify(by_query(message.query()))
    assert (over.accept_until - NOW).total_seconds() == seconds


ENCODERS = {
    "letters in percent in small letters": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "slashes as they are": lambda value: quote(value, safe="/:"),
    "nothing but what must be": lambda value: value.replace("+", "%2B").replace("#", "%23").replace("=", "%3D"),
}


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_however_the_sender_wrote_it_the_signature_is_over_that(encode):
    message = Logout()
    for query in (message.query("a/b", encode=encode), message.query(encode=encode)):
        assert verify(by_query(query)).subject == "alice@example.com"


@pytest.mark.parametrize(
    "order", ["SAMLRequest SigAlg RelayState Signature", "Signature SigAlg RelayState SAMLRequest"]
)
def test_the_order_in_the_query_is_not_the_order_of_the_signature(order):
    parts = dict(part.partition("=")[::2] for part in Logout().query("r").split("&"))
    query = "&".join(f"{name}={parts[name]}" for name in order.split())
    assert verify(by_query(f"lang=en&{query}")).subject == "alice@example.com"


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_elliptic_curves_verify(kind):
    key = make_key("curve", kind)
    query = Logout(key=key).query(algorithm=f"{MORE}ecdsa-sha256")
    assert verify(by_query(query), expect(keys=(key.public_key(),))).subject == "alice@example.com"


def test_the_status_of_an_answer_is_not_read():
    message = _response()
    message.find("samlp:Status/samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
    assert verify(by_query(message.query("handle"))) is None
