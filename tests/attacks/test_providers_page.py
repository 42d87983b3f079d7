"""The page of providers: what an administrator sees of metadata, keys and a rehearsal, and nobody else."""

import re
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.attack.saml.messages import NOW, build_idp_metadata, make_certificate
from bridge.attack.scripted_server import Reply, ScriptedServer, wait_until
from bridge.entitlements.rules import Conditions
from bridge.identity.saml.rehearsal import read_staged
from bridge.identity.saml.rehearsal_counts import Sighting
from tests.attacks.door import Visitor, sign_in
from tests.attacks.test_provider_down import with_metadata_at

ADMINISTRATORS = (
    Conditions(providers=frozenset(), groups=frozenset({"platform"}), claims=(), when=None, require=None),
)


def short(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


@pytest.fixture
def write_pem(tmp_path):
    def write_pem(name, certificate):
        path = tmp_path / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return path

    return write_pem


@pytest.fixture
def start(service):
    """Return a function that starts a node with these settings of ``corp``."""

    def start(url, **settings):
        providers = with_metadata_at(service, url)
        corp = providers["corp"].model_copy(update=settings)
        return service.start(providers=providers | {"corp": corp}, administrators=ADMINISTRATORS), corp

    return start


def look(visitor):
    """Return the words of the page."""
    page = visitor.get("/admin/providers")
    assert page.status_code == 200, page.text
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


@pytest.mark.usefixtures("no_failures")
def test_an_administrator_sees_metadata_certificates_keys_and_rehearsal(service, start, write_pem):
    idp, stranger = make_certificate("idp"), make_certificate("stranger")
    ending, staged = make_certificate("ending-page", days=40), make_certificate("staged-page", days=42)
    with ScriptedServer(lambda _: Reply(body=build_idp_metadata(idp, ending, stranger))) as server:
        app, corp = start(
            f"{server.url}/page?token=secret",
            staged_certificates=(write_pem("staged", staged),),
            approved_certificates=(write_pem("idp", idp), write_pem("ending", ending)),
        )
        administrator = Visitor(app)
        sign_in(administrator)
    key = Sighting("corp", tuple(each.certificate for each in read_staged(corp)), NOW).bucket
    assert wait_until(lambda: service.redis.hget(key, "seen") == b"1")
    text = look(administrator)
    assert "Corp corp · SAML" in text
    assert f"fetched 0 minutes ago Source {server.url}/page Held certificate {short(stranger)} It is in" in text
    assert f"certificate {short(ending)} ends on 2026-03-12, in 10 days within 14 days" in text
    assert f"staged certificate {short(staged)} ends on 2026-03-14, in 12 days within 14 days" in text
    assert "saml-sp next ends on" in text
    assert "saml-decryption previous ends on" in text
    assert "secret" not in text
    assert f"0 % 0 of 1 sign-ins of the last 24 hours would verify; 1 signed by {short(idp)}: do not" in text

    for seen, would, words in ((300, 299, "99 % 299 of 300 sign-ins"), (300, 300, "the cut-over would lose none")):
        service.redis.hset(key, "seen", seen)
        service.redis.hset(key, "would", would)
        assert words in look(administrator)
    service.redis.hset(key, "strangers", 7)
    assert "7 messages were signed by a key that is neither trusted nor staged" in look(administrator)


def test_a_provider_that_is_down_is_shown_with_the_age_of_its_copy_and_why(service, start):
    with ScriptedServer(lambda _: Reply(body=build_idp_metadata())) as server:
        url = f"{server.url}/down"
        administrator = Visitor(start(url)[0])
        sign_in(administrator)
    service.clock.moment = NOW + timedelta(minutes=20)
    later = administrator.copy(app=start(url)[0])
    assert wait_until(lambda: "Last attempt Failed provider_unavailable" in look(later))
    assert "fetched 20 minutes ago" in look(later)
