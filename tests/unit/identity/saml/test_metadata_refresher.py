"""Metadata is a living thing: renewed in time, kept while its source is down, and found again after a restart."""

import logging
import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bridge.attack.saml.messages import IDP, NOW, at, build_idp_metadata, make_certificate, make_key, make_provider
from bridge.attack.scripted_server import wait_until
from bridge.errors import FetchFailed, ProviderUnavailable, SAMLMetadata
from bridge.identity.saml import metadata_cache
from bridge.identity.saml.metadata_cache import KEEP_AT_MOST, REFRESH_AFTER, RETRY_AFTER, KeyChange, MetadataCache
from bridge.identity.saml.metadata_refresher import MetadataRefresher, repeat_daily
from bridge.identity.saml.saved_metadata import SavedMetadata

URL = "https://idp.example.com/metadata"
PROVIDER = make_provider(metadata=URL)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class MovableClock:
    """Stands still until moved."""

    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment


class Source:
    """What the address answers, and how often it was asked."""

    def __init__(self, answer=None):
        self.answer = answer or build_idp_metadata()
        self.asked = 0
        self.let = threading.Event()
        self.let.set()

    def __call__(self):
        self.asked += 1
        assert self.let.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_attributes(attributes):
    return build_idp_metadata().replace(b"<md:EntityDescriptor ", f"<md:EntityDescriptor {attributes} ".encode())


def write_pem(folder, name):
    """Save the certificate of this name where an administrator's settings could name it."""
    path = folder / f"{name}.pem"
    path.write_bytes(make_certificate(name).public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def saved(tmp_path):
    return SavedMetadata(tmp_path / "metadata" / "corp.xml", URL)


@pytest.fixture
def clock():
    return MovableClock(NOW)


@pytest.fixture
def cache(source, saved):
    return MetadataCache(PROVIDER, source, saved=saved)


def restart(source, saved, now, provider=PROVIDER):
    """Return the cache of a new process, after it has looked for the saved copy."""
    cache = MetadataCache(provider, source, saved=saved)
    cache.restore(now)
    cache.renew_in_background(lambda: None)
    return cache


# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("attributes", "longest"),
    [
        ("", REFRESH_AFTER),
        ('cacheDuration="PT30M"', 30 * MINUTE),
        ('cacheDuration="PT6H30M"', 6.5 * HOUR),
        ('cacheDuration="P0Y0M0DT2H0M0.000S"', 2 * HOUR),
        ('cacheDuration="PT1S"', 5 * MINUTE),
        ('cacheDuration="P7D"', KEEP_AT_MOST),
        ('cacheDuration="P999999Y"', KEEP_AT_MOST),
        ('cacheDuration="P1Y2M"', KEEP_AT_MOST),
        ('cacheDuration="-PT1H"', REFRESH_AFTER),
        ('cacheDuration="an hour"', REFRESH_AFTER),
        ('cacheDuration="P"', REFRESH_AFTER),
        ('cacheDuration="PT"', REFRESH_AFTER),
        (f'validUntil="{at(3600)}"', HOUR / 2),
        (f'validUntil="{at(60)}"', 5 * MINUTE),
        (f'cacheDuration="PT20M" validUntil="{at(86_400)}"', 20 * MINUTE),
    ],
)
def test_the_next_refresh_comes_a_little_before_the_provider_wants_it(cache, source, attributes, longest):
    source.answer = with_attributes(attributes)
    waits = set()
    for _ in range(20):
        cache.refresh(NOW)
        waits.add(cache.due_at - NOW)
    assert all(max(0.75 * longest, 5 * MINUTE) <= wait <= max(0.9 * longest, 5 * MINUTE) for wait in waits)
    assert len(waits) > 1 or longest <= 5 * MINUTE, "all machines would ask at the same moment"


def test_the_shortest_duration_of_group_entity_and_role_counts(cache, source):
    group = b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" cacheDuration="PT10M">'
    source.answer = group + with_attributes('cacheDuration="PT4H"') + b"</md:EntitiesDescriptor>"
    cache.refresh(NOW)
    assert cache.due_at - NOW <= 9 * MINUTE


def test_a_failure_is_tried_again_soon_and_then_less_and_less_often(cache, source):
    cache.refresh(NOW)
    source.answer = FetchFailed("down")
    now, waits = NOW + HOUR, []
    for _ in range(8):
        cache.refresh(now)
        waits.append((cache.due_at - now).total_seconds())
        now = cache.due_at
    assert waits == [15, 30, 60, 120, 240, 300, 300, 300]
    source.answer = build_idp_metadata()
    cache.refresh(now)
    assert cache.due_at > now + 40 * MINUTE


def test_without_a_copy_it_is_tried_every_minute(cache, source):
    source.answer = FetchFailed("down")
    for _ in range(30):
        cache.refresh(NOW)
    assert cache.due_at == NOW + MINUTE


def test_only_what_is_due_is_refreshed(source, saved, clock):
    cache = MetadataCache(PROVIDER, source, saved=saved)
    refresher = MetadataRefresher(cache, clock)
    refresher.run_due()
    refresher.run_due()
    assert source.asked == 1
    clock.moment = NOW + HOUR
    refresher.run_due()
    assert source.asked == 2
    cache.refresh(NOW + HOUR)
    refresher.run_due()
    assert source.asked == 3


# ── Never on the sign-in path ────────────────────────────────────────────────────────────────────────────────


def test_a_sign_in_never_fetches_but_wakes_those_who_do(cache, source):
    source.answer = FetchFailed("down")
    woken = []
    cache.renew_in_background(lambda: woken.append(threading.get_ident()))
    cache.refresh(NOW)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            cache.load(NOW + MINUTE)
    assert source.asked == 1
    assert woken


def test_a_sign_in_at_the_start_waits_for_the_first_attempt(source, saved, clock):
    go_on = threading.Event()

    def slow():
        assert go_on.wait(10)
        return source()

    cache = MetadataCache(PROVIDER, slow, saved=saved)
    MetadataRefresher(cache, clock).start()
    found = []
    thread = threading.Thread(target=lambda: found.append(cache.load(NOW)))
    thread.start()
    go_on.set()
    thread.join(10)
    assert found[0].entity_id == IDP
    assert source.asked == 1


def test_a_sign_in_waits_for_the_first_attempt_where_the_saved_copy_is_too_old(cache, source, saved):
    cache.refresh(NOW)
    later = NOW + KEEP_AT_MOST
    restarted = restart(source, saved, later)
    threading.Timer(0.05, restarted.refresh, (later,)).start()
    assert restarted.load(later).entity_id == IDP


def test_a_first_attempt_that_hangs_keeps_nobody_for_ever(cache, monkeypatch):
    monkeypatch.setattr(metadata_cache, "FIRST_ATTEMPT_SECONDS", 0.05)
    cache.renew_in_background(lambda: None)
    with pytest.raises(ProviderUnavailable):
        cache.load(NOW)


def test_a_person_who_needs_metadata_brings_the_next_attempt_forward(source, saved, clock):
    source.answer = FetchFailed("down")
    cache = MetadataCache(PROVIDER, source, saved=saved)
    MetadataRefresher(cache, clock).start()
    assert wait_until(lambda: cache.last_failure() is not None)
    source.answer = build_idp_metadata()
    source.let.clear()
    with pytest.raises(ProviderUnavailable):
        cache.load(NOW)  # an attempt has just failed: nobody can make us ask with every click
    clock.moment = NOW + RETRY_AFTER
    with pytest.raises(ProviderUnavailable):
        cache.load(clock.moment)
    source.let.set()
    assert wait_until(lambda: cache.current() is not None)
    assert cache.load(clock.moment).entity_id == IDP


def test_the_thread_survives_whatever_happens_in_it(source, saved, clock, caplog):
    def fail():
        raise RuntimeError("secret")

    cache = MetadataCache(PROVIDER, source, saved=saved)
    MetadataRefresher(cache, clock).start()
    repeat_daily(fail, [cache], clock)
    assert wait_until(lambda: "RuntimeError" in caplog.text)
    assert "secret" not in caplog.text
    clock.moment = NOW + HOUR
    cache.hurry(clock.moment)
    assert cache.load(clock.moment)
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "metadata"]


def test_a_file_of_the_administrator_is_read_before_anybody_comes(source, clock):
    cache = MetadataCache(PROVIDER, source)
    MetadataRefresher(cache, clock).start()
    assert cache.current() is not None


def test_changed_certificates_are_logged_with_their_thumbprints(cache, source, caplog):
    caplog.set_level(logging.WARNING)
    cache.refresh(NOW)
    cache.refresh(NOW)
    assert caplog.text == ""
    old = cache.current()[0].certificates[0].thumbprint
    source.answer = build_idp_metadata(make_certificate("next"), sso="https://idp.example.com/new")
    cache.refresh(NOW)
    assert f"gone: {old}; new: {cache.current()[0].certificates[0].thumbprint}" in caplog.text
    assert "sign-in addresses" in caplog.text


# ── After a restart ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_good_copy_signs_people_in_after_a_restart_while_the_provider_is_down(cache, source, saved):
    cache.refresh(NOW)
    source.answer = FetchFailed("down")
    later = restart(source, saved, NOW + 23 * HOUR)
    later.refresh(NOW + 23 * HOUR)
    assert later.load(NOW + 23 * HOUR).keys_at(NOW) == (make_key("idp").public_key(),)
    assert later.current()[1] == NOW
    with pytest.raises(ProviderUnavailable):
        later.load(NOW + KEEP_AT_MOST)


def test_a_restart_does_not_make_the_copy_younger(cache, source, saved):
    cache.refresh(NOW)
    for hours in (10, 20):
        restart(source, saved, NOW + hours * HOUR)
    down = restart(Source(FetchFailed("down")), saved, NOW + KEEP_AT_MOST)
    down.refresh(NOW + KEEP_AT_MOST)
    with pytest.raises(ProviderUnavailable):
        down.load(NOW + KEEP_AT_MOST)


def test_a_saved_copy_past_its_valid_until_is_not_used(source, saved):
    source.answer = with_attributes(f'validUntil="{at(3600)}"')
    MetadataCache(PROVIDER, source, saved=saved).refresh(NOW)
    assert restart(source, saved, NOW + 59 * MINUTE).current() is not None
    assert restart(source, saved, NOW + 60 * MINUTE).current() is None


def test_a_failed_refresh_does_not_touch_the_saved_copy(cache, source, saved):
    cache.refresh(NOW)
    before = saved.path.read_bytes()
    source.answer = build_idp_metadata(entity_id="https://other.example.com")
    cache.refresh(NOW + HOUR)
    assert saved.path.read_bytes() == before
    assert [path.name for path in saved.path.parent.iterdir()] == ["corp.xml"]


def test_the_saved_copy_is_closed_to_others(cache, saved):
    cache.refresh(NOW)
    assert saved.path.stat().st_mode & 0o777 == 0o600
    assert saved.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("spoil", ["writable", "link", "other source", "no note", "other entity", "folder", "future"])
def test_t_saml_29_a_saved_copy_that_somebody_else_could_have_made_is_not_used(cache, source, saved, spoil):
    cache.refresh(NOW)
    assert restart(source, saved, NOW).current() is not None
    content = saved.path.read_bytes()
    if spoil == "writable":
        saved.path.chmod(0o666)
    elif spoil == "link":
        saved.path.rename(saved.path.with_name("elsewhere"))
        saved.path.symlink_to(saved.path.with_name("elsewhere"))
    elif spoil == "other source":
        saved = SavedMetadata(saved.path, "https://idp.example.com/other")
    elif spoil == "no note":
        saved.path.write_bytes(build_idp_metadata())
    elif spoil == "other entity":
        saved.path.write_bytes(content.replace(IDP.encode(), b"https://other.example.com"))
    elif spoil == "folder":
        saved.path.unlink()
        saved.path.mkdir()
    else:
        saved.path.write_bytes(content.replace(b"2026-03-02T", b"2099-03-02T"))
        assert restart(source, saved, NOW).current()[1] == NOW  # from tomorrow is no younger than from now
        return
    assert restart(source, saved, NOW).current() is None


def test_a_folder_that_cannot_be_written_costs_no_sign_in(source, tmp_path, caplog):
    (tmp_path / "metadata").write_text("a file where a folder should be")
    cache = MetadataCache(PROVIDER, source, saved=SavedMetadata(tmp_path / "metadata" / "corp.xml", URL))
    cache.refresh(NOW)
    assert cache.load(NOW)
    assert "could not be saved" in caplog.text


def test_many_processes_write_and_none_reads_half_a_copy(saved):
    documents = [build_idp_metadata(sso=f"https://idp.example.com/{number}/" + "x" * 5_000) for number in range(8)]
    saved.write(documents[0], NOW)
    threads = [
        threading.Thread(target=lambda document=document: [saved.write(document, NOW) for _ in range(20)])
        for document in documents
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found = saved.read()
        assert found is not None
        assert found[0] in documents
    assert [path.name for path in saved.path.parent.iterdir()] == ["corp.xml"]


def test_the_copy_of_signed_metadata_is_verified_again(source, saved, tmp_path):
    MetadataCache(PROVIDER, source, saved=saved).refresh(NOW)
    pinned = make_provider(metadata=URL, metadata_signing_certificate=write_pem(tmp_path, "federation"))
    with_signer = restart(source, saved, NOW, pinned)
    assert with_signer.current() is None
    with_signer.refresh(NOW)
    with pytest.raises(SAMLMetadata):
        with_signer.load(NOW)


# ── One provider does not wait for another ───────────────────────────────────────────────────────────────────


def test_a_provider_that_does_not_answer_keeps_nobody_elses_metadata_waiting(saved, clock):
    answer = threading.Event()
    others = [Source() for _ in range(5)]

    def hang():
        answer.wait(30)
        raise FetchFailed("down")

    caches = [
        MetadataCache(PROVIDER, each, saved=SavedMetadata(saved.path.with_name(f"{number}.xml"), URL))
        for number, each in enumerate([hang, hang, *others])
    ]
    daily = threading.Event()
    for cache in caches:
        MetadataRefresher(cache, clock).start()
    repeat_daily(daily.set, caches[2:], clock)
    try:
        assert wait_until(lambda: all(other.asked == 1 for other in others))
        assert daily.wait(5)
        clock.moment = NOW + HOUR
        for cache in caches[2:]:
            cache._wake()
        assert wait_until(lambda: all(other.asked == 2 for other in others))
        assert caches[0].current() is None
    finally:
        answer.set()


# ── Keys that come and go ────────────────────────────────────────────────────────────────────────────────────


def fingerprints(*names):
    return tuple(sorted(make_certificate(name).fingerprint(hashes.SHA256()).hex() for name in names))


def publish(*names):
    return build_idp_metadata(*(make_certificate(name) for name in names))


@pytest.fixture
def watch(source, saved, tmp_path):
    """Return the cache of a provider with approved certificates, and the changes of keys that it reports."""

    def watch(*approved, seen=("idp",)):
        provider = make_provider(metadata=URL, approved_certificates=[write_pem(tmp_path, name) for name in approved])
        source.answer = publish(*seen)
        cache, changes = MetadataCache(provider, source, saved=saved), []
        cache.report_key_changes(changes.append)
        cache.refresh(NOW)
        assert changes == []
        return cache, changes

    return watch


def keys(*names):
    return tuple(make_key(name).public_key() for name in names)


def test_t_saml_29_keys_that_come_and_go_are_reported_before_they_count(watch, source):
    cache, changes = watch()
    in_force = []
    cache.report_key_changes(lambda change: in_force.append(cache.load(NOW).keys_at(NOW)) or changes.append(change))
    for names in (("idp", "next"), ("idp", "next"), ("next",)):
        source.answer = publish(*names)
        cache.refresh(NOW)
    assert changes == [
        KeyChange(added=fingerprints("next"), removed=(), held=()),
        KeyChange(added=(), removed=fingerprints("idp"), held=()),
    ]
    assert in_force == [keys("idp"), keys("idp", "next")]
    assert cache.load(NOW).keys_at(NOW) == keys("next")


def test_t_saml_29_a_key_that_nobody_approved_is_held_and_the_others_count(watch, source):
    cache, changes = watch("idp")
    source.answer = publish("stranger", "idp")
    cache.refresh(NOW)
    assert cache.load(NOW).keys_at(NOW) == keys("idp")
    assert [each.thumbprint for each in cache.load(NOW).held] == list(fingerprints("stranger"))
    assert changes == [KeyChange(added=fingerprints("stranger"), removed=(), held=fingerprints("stranger"))]
    twin, changes = watch("idp", "stranger")
    source.answer = publish("stranger", "idp")
    twin.refresh(NOW)
    assert twin.load(NOW).keys_at(NOW) == keys("stranger", "idp")
    assert changes == [KeyChange(added=fingerprints("stranger"), removed=(), held=())]


def test_t_saml_29_metadata_with_nothing_but_unapproved_keys_leaves_the_last_good_keys_for_a_day(watch, source, saved):
    cache, changes = watch("idp")
    before = saved.path.read_bytes()
    source.answer = publish("stranger")
    for _ in range(3):
        cache.refresh(NOW)
    assert changes == [
        KeyChange(added=fingerprints("stranger"), removed=fingerprints("idp"), held=fingerprints("stranger"))
    ]
    assert cache.load(NOW + 23 * HOUR).keys_at(NOW) == keys("idp")
    assert saved.path.read_bytes() == before
    with pytest.raises(SAMLMetadata, match="nobody has approved"):
        cache.load(NOW + KEEP_AT_MOST)
    source.answer = publish("idp")
    cache.refresh(NOW + KEEP_AT_MOST)
    assert cache.load(NOW + KEEP_AT_MOST).keys_at(NOW) == keys("idp")


def test_t_saml_29_the_first_metadata_of_all_is_not_believed_either(watch, tmp_path):
    cache, _ = watch("idp", seen=("stranger",))
    with pytest.raises(SAMLMetadata):
        cache.load(NOW)


def test_t_saml_29_a_withdrawn_key_is_out_at_once_approved_or_not(watch, source):
    cache, _ = watch("idp", "next", seen=("idp", "next"))
    source.answer = publish("next")
    cache.refresh(NOW)
    assert cache.load(NOW).keys_at(NOW) == keys("next")


def test_t_saml_29_the_saved_copy_needs_approval_as_well(watch, source, saved, tmp_path):
    watch("idp", "stranger", seen=("idp", "stranger"))
    approved = make_provider(metadata=URL, approved_certificates=[write_pem(tmp_path, "idp")])
    restarted = restart(source, saved, NOW, approved)
    assert restarted.load(NOW).keys_at(NOW) == keys("idp")
    other = make_provider(metadata=URL, approved_certificates=[write_pem(tmp_path, "other")])
    assert restart(source, saved, NOW, other).current() is None


def test_a_change_while_we_were_down_is_reported_at_the_start(watch, source, saved):
    watch()
    source.answer = publish("next")
    restarted, changes = restart(source, saved, NOW), []
    restarted.report_key_changes(changes.append)
    restarted.refresh(NOW)
    assert changes == [KeyChange(added=fingerprints("next"), removed=fingerprints("idp"), held=())]


def test_a_renewed_certificate_of_an_approved_key_is_approved(watch, source):
    cache, _ = watch("idp")
    source.answer = build_idp_metadata(make_certificate("idp", days=800))
    cache.refresh(NOW)
    assert cache.load(NOW).keys_at(NOW) == keys("idp")


# ── Until when ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("attributes", "detail"),
    [
        ("", "has no validUntil"),
        (f'validUntil="{at(7 * 86_400 + 1)}"', "longer than 7 days"),
        (f'validUntil="{at(400 * 86_400)}"', "longer than 7 days"),
        (f'validUntil="{at(7 * 86_400)}"', None),
        (f'validUntil="{at(3600)}"', None),
    ],
)
def test_t_saml_29_metadata_that_would_be_good_for_ever_is_refused_where_the_settings_say_so(
    source, saved, attributes, detail
):
    source.answer = with_attributes(attributes)
    bounded = MetadataCache(make_provider(metadata=URL, metadata_max_validity_days=7), source, saved=saved)
    bounded.refresh(NOW)
    if detail is None:
        assert bounded.load(NOW).keys_at(NOW) == keys("idp")
    else:
        with pytest.raises(SAMLMetadata, match=detail):
            bounded.load(NOW)
    unbounded = MetadataCache(PROVIDER, source, saved=saved)
    unbounded.refresh(NOW)
    assert unbounded.load(NOW).keys_at(NOW) == keys("idp")


def test_a_fault_that_nobody_foresaw_is_a_failure_like_any_other(saved, clock):
    source = Source(RuntimeError("secret"))
    cache = MetadataCache(PROVIDER, source, saved=saved)
    cache.refresh(clock.now())
    failure, _ = cache.last_failure()
    assert isinstance(failure, SAMLMetadata)
    assert "secret" not in failure.detail
    assert cache.due_at > clock.now(), "it is not asked again at once"
