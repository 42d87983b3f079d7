"""A staged certificate is tried with every sign-in, counted, and never trusted."""

import os
import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.saml.messages import (
    IDP,
    MORE,
    NOW,
    Draft,
    SignatureOptions,
    build_idp_metadata,
    make_certificate,
    make_key,
    make_provider,
)
from bridge.errors import SAMLAlgorithm, SAMLMetadata, SAMLSignatureInvalid
from bridge.identity.saml.metadata import parse_idp_metadata
from bridge.identity.saml.rehearsal import Rehearsal, read_staged
from bridge.identity.saml.rehearsal_counts import KEPT_FOR, RehearsalCounter, read_rehearsed
from bridge.identity.saml.trace import SAMLTrace
from bridge.settings import check_configuration, load_configuration
from tests.live_store import MovableClock, running_store
from tests.unit.configurations import SAML, write_configuration

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock(redis):
    redis.flushall()
    clock = MovableClock()
    clock.moment = NOW
    return clock


@pytest.fixture
def counter(redis):
    return RehearsalCounter(redis)


def stage(folder, *names, kind=(), **dates):
    """Return what the administrator's files with these certificates say."""
    paths = []
    for name in names:
        path = folder / f"{name}.pem"
        path.write_bytes(make_certificate(name, *kind, **dates).public_bytes(Encoding.PEM))
        moment = (NOW - 2 * HOUR).timestamp()
        os.utime(path, (moment, moment))
        paths.append(path)
    return read_staged(make_provider(staged_certificates=paths))


def thumbprint(name):
    return make_certificate(name).fingerprint(hashes.SHA256()).hex()


def options(name, *kind, **changes):
    return SignatureOptions(key=make_key(name, *kind), certificate=make_certificate(name, *kind), **changes)


def draft(name="idp", number=0, **changes):
    """Return a message signed by the key of this name, with an assertion ID of its own."""
    message = Draft(options=options(name), **changes)
    message.assertion.set("ID", f"_{name}{number}")
    return message


class Desk:
    """A provider whose metadata has the certificates ``trusted``."""

    def __init__(self, redis, clock, counter, staged, trusted=("idp",)):
        self._redis, self._clock, self._counter = redis, clock, counter
        self._staged = staged
        self._rehearsal = Rehearsal("corp", staged, counter)
        xml = build_idp_metadata(*(make_certificate(name) for name in trusted))
        self._metadata = parse_idp_metadata(xml, IDP, NOW)

    def verify(self, message, **expected):
        asked = replace(
            message.expected, **({"keys": self._metadata.keys_at(NOW), "now": self._clock.now()} | expected)
        )
        return self._rehearsal.verify(message.encode(), asked, self._metadata.certificates, SAMLTrace())

    def refuse(self, message, error=SAMLSignatureInvalid, **expected):
        with pytest.raises(error) as caught:
            self.verify(message, **expected)
        assert caught.type is error
        return caught.value.detail

    def counts(self, **options):
        self._counter.settle()
        staged = [each.certificate for each in self._staged]
        return read_rehearsed(self._redis, "corp", staged, self._clock.now(), **options)


@pytest.fixture
def open_desk(redis, clock, counter, tmp_path):
    def open_desk(*staged, trusted=("idp",), **how):
        return Desk(redis, clock, counter, stage(tmp_path, *staged, **how), trusted)

    return open_desk


# ── Counted ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_sign_ins_are_counted_by_whose_they_are_and_whether_they_would_verify(open_desk, clock):
    desk = open_desk("next", trusted=("idp", "next"))
    for number in range(3):
        desk.verify(draft("idp", number))
    clock.advance(60)
    desk.verify(draft("next"))
    clock.advance(60)
    desk.verify(draft("idp", 3))
    counts = desk.counts()
    assert (counts.seen, counts.would_verify, counts.refused, counts.strangers) == (5, 1, 0, 0)
    assert counts.signed_by == {thumbprint("idp"): 4, thumbprint("next"): 1}
    assert (counts.last, counts.last_would_verify) == (NOW + timedelta(minutes=2), NOW + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("outer", "inner", "would"), [("idp", "idp", 0), ("idp", "next", 0), ("next", "idp", 0), ("next", "next", 1)]
)
@pytest.mark.parametrize("encryption", [None, EncryptionOptions()], ids=["plain", "encrypted"])
def test_every_signature_of_a_message_must_be_by_a_staged_key(open_desk, outer, inner, would, encryption):
    desk = open_desk("next", trusted=("idp", "next"))
    message = draft(inner, signed="both", encryption=encryption, response_options=options(outer))
    desk.verify(message)
    assert desk.counts().would_verify == would
    assert set(desk.counts().signed_by) == {thumbprint(outer), thumbprint(inner)}


def test_two_staged_certificates_are_tried_together(open_desk):
    desk = open_desk("next", "after-next", trusted=("idp", "next", "after-next"))
    desk.verify(draft("next", signed="both", response_options=options("after-next")))
    desk.verify(draft("idp"))
    assert (desk.counts().seen, desk.counts().would_verify) == (2, 1)


def test_a_message_that_is_posted_again_counts_once(open_desk):
    desk = open_desk("next", trusted=("idp", "next"))
    encoded = draft("next")
    for _ in range(5):
        desk.verify(encoded)
    assert (desk.counts().seen, desk.counts().would_verify) == (1, 1)
    desk.verify(draft("next", 1))
    assert desk.counts().seen == 2


def test_the_last_24_hours_count_and_a_week_is_kept(open_desk, clock, redis):
    desk = open_desk("next")
    desk.verify(draft("idp"))
    desk.counts()
    kept = [redis.pttl(key) for key in redis.keys("rambridge:rehearsal:*")]
    assert all(KEPT_FOR.total_seconds() * 1000 - 60_000 < left <= KEPT_FOR.total_seconds() * 1000 for left in kept)
    clock.advance(23 * 3600)
    assert desk.counts().seen == 1
    clock.advance(3600)
    assert desk.counts().seen == 0
    assert desk.counts(hours=48).seen == 1


def test_what_was_tried_with_another_certificate_says_nothing_of_this_one(open_desk):
    first = open_desk("next", trusted=("idp", "next"))
    first.verify(draft("next"))
    assert first.counts().would_verify == 1
    second = open_desk("after-next", trusted=("idp", "next"))
    assert second.counts().seen == 0
    second.verify(draft("next"))
    assert (second.counts().seen, second.counts().would_verify) == (1, 0)
    assert first.counts().seen == 1


def test_nothing_is_counted_where_nothing_is_staged(open_desk, redis):
    desk = open_desk()
    desk.verify(draft("idp"))
    assert desk.counts().seen == 0
    assert redis.keys("*") == []


def test_nothing_in_the_store_names_provider_or_person(open_desk, redis):
    desk = open_desk("next", trusted=("idp", "next"))
    desk.verify(draft("idp"))
    desk.counts()
    for key in redis.keys("*"):
        assert re.fullmatch(rb"rambridge:rehears(al|ed):[A-Za-z0-9_-]{43}", key)
        assert redis.pttl(key) > 0
    (counts,) = [redis.hgetall(key) for key in redis.keys("rambridge:rehearsal:*")]
    assert set(counts) == {b"seen", b"would", b"refused", b"last-seen", f"by:{thumbprint('idp')}".encode()}


def test_a_store_that_is_down_refuses_nobody(clock, tmp_path, caplog):
    with running_store() as client:
        counter = RehearsalCounter(client)
        desk = Desk(client, clock, counter, stage(tmp_path, "next"))
        client.shutdown(nosave=True)
        assert desk.verify(draft("idp")).subject == "alice@example.com"
        counter.settle()
        assert "were not counted" in caplog.text


def test_a_foreign_value_under_a_key_stops_no_later_count(open_desk, redis, counter):
    desk = open_desk("next")
    desk.verify(draft("idp"))
    desk.counts()
    (key,) = redis.keys("rambridge:rehearsal:*")
    redis.set(key, b"foreign")
    desk.verify(draft("idp", 1))
    counter.settle()
    redis.delete(key)
    desk.verify(draft("idp", 2))
    assert desk.counts().seen == 1


# ── Refused ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_t_saml_29_a_staged_certificate_signs_nobody_in_and_the_refusal_says_so(open_desk):
    desk = open_desk("next")
    expected = f"expected was the metadata's certificate {thumbprint('idp')[:16]} (ends 2027-03-07)"
    detail = desk.refuse(draft("next"))
    assert detail == (
        f"not by a key of the provider; {expected}; "
        f"the certificate {thumbprint('next')[:16]}, staged 2026-03-02 07:00 UTC, "
        "valid 2026-01-31 to 2027-03-07, would have verified it from 2026-03-02 07:00 UTC on"
    )
    counts = desk.counts()
    assert (counts.seen, counts.would_verify, counts.refused) == (1, 1, 1)
    assert counts.signed_by == {thumbprint("next"): 1}
    assert open_desk("next", trusted=("next",)).verify(draft("next", 1))


def test_a_staged_certificate_would_verify_from_its_own_beginning_on(open_desk):
    desk = open_desk("soon", not_before=NOW + 5 * HOUR)
    message = Draft(options=SignatureOptions(key=make_key("soon"), certificate=make_certificate("idp")))
    assert "would have verified it from 2026-03-02 14:00 UTC on" in desk.refuse(message)


def test_a_change_from_rsa_to_ecdsa_is_a_roll_over_too(open_desk):
    desk = open_desk("ec", kind=("p256",))
    message = Draft(options=options("ec", "p256", signature_method=f"{MORE}ecdsa-sha256"))
    assert "would have verified it" in desk.refuse(message, SAMLAlgorithm)
    assert desk.counts().refused == 1


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_a_message_that_would_be_refused_anyway_is_no_sign_in(open_desk, signed):
    desk = open_desk("next")
    late = {"now": NOW + HOUR}
    detail = desk.refuse(draft("next", signed=signed), **late)
    assert "would then be refused as saml_" in detail
    assert "would have verified" not in detail
    assert "would have verified" in desk.refuse(draft("next", 1, signed=signed))
    assert desk.counts().seen == 1


def test_a_message_that_needs_the_old_key_as_well_would_not_survive_the_cut_over(open_desk):
    desk = open_desk("next")
    message = draft("next", signed="both", response_options=options("idp"))
    assert "would then be refused as saml_signature_invalid" in desk.refuse(message)
    assert desk.counts().seen == 0


def test_a_strangers_message_changes_no_share(open_desk):
    desk = open_desk("next")
    detail = desk.refuse(draft("stranger"))
    assert detail.endswith("; nor was it signed by a staged one")
    desk.verify(draft("idp"))
    counts = desk.counts()
    assert (counts.seen, counts.would_verify, counts.strangers) == (1, 0, 1)


def test_content_that_was_changed_afterwards_is_not_about_keys(open_desk):
    desk = open_desk("next")
    for name in ("idp", "next"):
        message = draft(name)
        message.after_writing(lambda xml: xml.replace(b"alice@", b"admin@"))
        detail = desk.refuse(message)
        assert ("expected was" in detail) == (name == "next")
        assert "would have verified" not in detail
    assert desk.counts().seen == 0


def test_without_a_staged_certificate_the_refusal_names_those_that_were_expected(open_desk):
    desk = open_desk(trusted=("idp", "second"))
    detail = desk.refuse(draft("stranger"))
    assert f"{thumbprint('idp')[:16]} (ends 2027-03-07) or {thumbprint('second')[:16]}" in detail
    assert "staged" not in detail


def test_many_certificates_fit_into_a_record(open_desk):
    desk = open_desk("next", trusted=[f"many{number}" for number in range(9)])
    detail = desk.refuse(draft("next"))
    assert "and 5 more" in detail
    assert "would have verified" in detail
    assert len(detail) <= 512


def test_a_staged_certificate_with_a_short_key_is_not_used(tmp_path):
    with pytest.raises(SAMLMetadata):
        stage(tmp_path, "weak", kind=("rsa1024",))
    assert stage(tmp_path, "next")[0].since == (NOW - 2 * HOUR).astimezone(UTC)


def test_a_staged_certificate_that_is_none_is_found_by_check(tmp_path):
    folder = write_configuration(tmp_path, {"providers/acme-saml.yaml": f"{SAML}staged_certificates: [next.pem]\n"})
    (problem,) = check_configuration(folder)
    assert (problem.file.name, problem.line, "next.pem" in problem.message) == ("acme-saml.yaml", 6, True)
    pem = make_certificate("next").public_bytes(Encoding.PEM)
    (folder / "providers" / "next.pem").write_bytes(pem)
    assert check_configuration(folder) == []
    provider = load_configuration(folder).providers["acme-saml"]
    assert read_staged(provider)[0].certificate.thumbprint == thumbprint("next")
