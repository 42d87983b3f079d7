"""A provider changes its certificate while people sign in: the whole service, its refresher, its records."""

import base64
import os
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import unquote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate
from lxml import etree

from bridge.attack.saml.messages import MORE, NOW, NS, SignatureOptions, build_idp_metadata, make_certificate, make_key
from bridge.attack.scripted_server import Reply, ScriptedServer, wait_until
from bridge.errors import SAMLSignatureInvalid
from bridge.identity.saml import metadata_refresher
from bridge.identity.saml.rehearsal import read_staged
from bridge.identity.saml.rehearsal_counts import read_rehearsed
from bridge.keys import create_missing, rotate
from tests.attacks.door import Visitor, begin, check_refusal, draft_response, post_response, sign_in
from tests.attacks.test_provider_down import with_metadata_at

STEP = timedelta(minutes=5)
"""As often as metadata is renewed at most, and less than a message lasts."""
SIGN_INS = 1_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_FORM = "%Y-%m-%dT%H:%M:%SZ"


def certificate(name):
    return make_certificate(name, "p256")


def thumbprint(name):
    return certificate(name).fingerprint(hashes.SHA256()).hex()


def publish(*names):
    """Return metadata with these certificates, which may be kept for five minutes."""
    xml = build_idp_metadata(*(certificate(name) for name in names))
    return xml.replace(b"<md:EntityDescriptor ", b'<md:EntityDescriptor cacheDuration="PT5M" ')


def respond(name, request_id, now, subject):
    """Return what the provider answers now, signed by the key of this name."""
    draft = draft_response("corp", request_id, subject)
    draft.options = SignatureOptions(
        key=make_key(name, "p256"), certificate=certificate(name), signature_method=f"{MORE}ecdsa-sha256"
    )

    def later(found):
        return (datetime.fromisoformat(found[0]) + (now - NOW)).strftime(_FORM)

    for element in draft.root.iter():
        for attribute, value in element.items():
            element.set(attribute, _TIME.sub(later, value))
    return draft.encode()


@pytest.fixture
def rolling(service, tmp_path, monkeypatch):
    """Yield a metadata server, and a node that looks there often and has a staged certificate; and the settings."""
    monkeypatch.setattr(metadata_refresher, "LONGEST_SLEEP_SECONDS", 0.2)
    path = tmp_path / "new.pem"
    path.write_bytes(certificate("roll-new").public_bytes(Encoding.PEM))
    os.utime(path, ((NOW - STEP).timestamp(),) * 2)
    with ScriptedServer(lambda _: Reply(body=publish("roll-old"))) as server:
        providers = with_metadata_at(service, f"{server.url}/{tmp_path.name}?secret=1")
        corp = providers["corp"].model_copy(update={"staged_certificates": (path,)})
        yield server, service.start(providers=providers | {"corp": corp}), corp


def change(service, server, *names):
    """Let the provider publish these, and the metadata be due; return when the change is noticed."""
    before = service.last()
    server.answer = lambda _: Reply(body=publish(*names))
    service.clock.moment += STEP
    assert wait_until(lambda: key_changes(service, before))


def key_changes(service, after):
    return [record for record in service.records(after) if record["event"] == "metadata.keys_changed"]


def rehearsed(service, corp):
    staged = [each.certificate for each in read_staged(corp)]
    return read_rehearsed(service.redis, "corp", staged, service.clock.now())


@pytest.mark.usefixtures("no_failures")
def test_a_roll_over_with_overlap_loses_none_of_1000_sign_ins(service, rolling):
    server, app, corp = rolling
    after, answers, signed = service.last(), Counter(), Counter()
    signing, lock = ["roll-old"] * 2, threading.Lock()

    def sign_in_once(number):
        visitor, subject = Visitor(app), f"person{number}@example.com"
        question = begin(visitor, "corp")
        key = signing[number % 2]  # the provider has two servers
        message = respond(key, question.request_id, service.clock.now(), subject)
        answer = post_response(visitor, "corp", message, question.handle)
        with lock:
            answers[answer.status_code, answer.headers.get("Location")] += 1
            signed[key] += 1

    steps = {
        SIGN_INS * 1 // 6: partial(change, service, server, "roll-old", "roll-new"),
        SIGN_INS * 2 // 6: partial(signing.__setitem__, 0, "roll-new"),
        SIGN_INS * 3 // 6: partial(signing.__setitem__, 1, "roll-new"),
        SIGN_INS * 4 // 6: partial(change, service, server, "roll-new"),
    }
    with ThreadPoolExecutor(8) as pool:
        futures = []
        for number in range(SIGN_INS):
            if number in steps:
                steps[number]()
            if number >= 16:
                futures[number - 16].result()  # no queue between the steps and the sign-ins
            futures.append(pool.submit(sign_in_once, number))

    assert [future.exception() for future in futures] == [None] * SIGN_INS
    assert answers == {(303, "/"): SIGN_INS}
    assert set(signed) == {"roll-old", "roll-new"}
    assert min(signed.values()) > SIGN_INS // 4
    events = Counter(record["event"] for record in service.records(after))
    assert (events["sign_in.accepted"], events["sign_in.refused"]) == (SIGN_INS, 0)
    added, removed = key_changes(service, after)
    assert (added["added"], added["removed"]) == ([thumbprint("roll-new")], [])
    assert (removed["removed"], removed["added"]) == ([thumbprint("roll-old")], [])
    assert wait_until(lambda: rehearsed(service, corp).seen == SIGN_INS)
    counts = rehearsed(service, corp)
    assert (counts.would_verify, counts.refused, counts.strangers) == (signed["roll-new"], 0, 0)
    assert counts.signed_by == {thumbprint(name): number for name, number in signed.items()}


def test_without_overlap_the_refusal_says_what_was_expected_and_when_the_staged_one_would_have_worked(service, rolling):
    server, app, corp = rolling
    visitor = Visitor(app)
    question = begin(visitor, "corp")
    before = service.last()
    message = respond("roll-new", question.request_id, service.clock.now(), "alice@example.com")
    refused = post_response(visitor, "corp", message, question.handle)
    detail = check_refusal(service, refused, SAMLSignatureInvalid, after=before)["detail"]
    old, new = (certificate(name) for name in ("roll-old", "roll-new"))
    assert f"expected was the metadata's certificate {thumbprint('roll-old')[:16]}" in detail
    assert f"(ends {old.not_valid_after_utc:%Y-%m-%d})" in detail
    assert f"the certificate {thumbprint('roll-new')[:16]}, staged 2026-03-02 08:55 UTC" in detail
    assert f"valid {new.not_valid_before_utc:%Y-%m-%d} to {new.not_valid_after_utc:%Y-%m-%d}" in detail
    assert detail.endswith("would have verified it from 2026-03-02 08:55 UTC on")
    assert wait_until(lambda: rehearsed(service, corp).refused == 1)

    change(service, server, "roll-new")
    assert wait_until(lambda: key_changes(service, before))
    assert wait_until(lambda: post_response(visitor, "corp", message, question.handle).status_code == 303)
    assert visitor.is_signed_in_as("alice@example.com")


def test_t_saml_29_a_change_of_keys_is_recorded_without_the_addresss_query(service, rolling):
    server, app, _ = rolling
    begin(Visitor(app), "corp")
    before = service.last()
    change(service, server, "roll-old", "stranger")
    assert wait_until(lambda: key_changes(service, before))
    (record,) = key_changes(service, before)
    assert record["provider"] == "corp"
    assert record["source"].startswith(f"{server.url}/")
    assert "secret" not in record["source"]
    assert (record["added"], record["signed"]) == ([thumbprint("stranger")], False)
    assert (record["removed"], record["held"]) == ([], [])
    assert record["reference"] == ""
    assert not record.keys() & {"source_address", "sealed", "erased"}


def test_where_nothing_is_staged_nothing_is_counted(service):
    sign_in(Visitor(service.start()))
    assert [key for key in service.memory() if b"rehears" in key] == []


# ── Our own keys ─────────────────────────────────────────────────────────────────────────────────────────────


def own_keys(app):
    """Return the keys in our metadata as a provider reads them, by use."""
    root = etree.fromstring(Visitor(app).get("/saml/corp/metadata").data)
    found = {"signing": [], "encryption": []}
    for descriptor in root.iterfind(".//md:KeyDescriptor", NS):
        text = descriptor.findtext(".//ds:X509Certificate", namespaces=NS)
        found[descriptor.get("use")].append(load_der_x509_certificate(base64.b64decode(text)).public_key())
    return found


def test_our_metadata_names_current_and_next_keys_so_a_rotation_of_ours_surprises_nobody(service, tmp_path):
    folder = tmp_path / "certs"
    create_missing(folder, service.clock)
    settings = service.configuration.settings.model_copy(
        update={"key_folder": folder, "audit": f"sqlite:///{tmp_path}/audit.db"}
    )

    def slots(purpose, *names):
        pems = [(folder / purpose / f"{name}.pem").read_bytes() for name in names]
        return [load_pem_x509_certificate(pem).public_key() for pem in pems]

    before = own_keys(service.start(settings=settings))
    assert before["signing"] == slots("saml-sp", "current", "next")
    assert before["encryption"] == slots("saml-decryption", "current", "next")
    for purpose in ("saml-sp", "saml-decryption"):
        rotate(folder, purpose, service.clock)
    app = service.start(settings=settings)
    after = own_keys(app)
    assert after["signing"] == slots("saml-sp", "current", "next", "previous")
    assert after["encryption"] == slots("saml-decryption", "current", "next")
    assert after["signing"][0] == before["signing"][1]  # who has our old metadata can verify what we sign now
    assert after["encryption"][0] == before["encryption"][1]

    url = begin(Visitor(app), "corp").url
    signed, _, signature = urlsplit(url).query.rpartition("&Signature=")
    value = base64.b64decode(unquote(signature))
    before["signing"][1].verify(value, signed.encode(), PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        before["signing"][0].verify(value, signed.encode(), PKCS1v15(), hashes.SHA256())
