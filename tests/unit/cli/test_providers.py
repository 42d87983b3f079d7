"""``rambridge providers``, as a transcript: what an administrator reads, and the exit code for a nightly job."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bridge import embedded_store
from bridge.attack.saml.messages import build_idp_metadata, make_certificate
from bridge.cli.main import main
from bridge.identity.saml.rehearsal import read_staged
from bridge.identity.saml.rehearsal_counts import Sighting
from bridge.identity.saml.saved_metadata import SavedMetadata
from bridge.settings import check_configuration, load_configuration
from bridge.store_connection import connect_store
from tests.ready_keys import put_keys
from tests.unit.configurations import BRIDGE, SAML, write_configuration

ENTITY = "https://idp.example.com/metadata"
URL = "https://idp.example.com/metadata.xml"
SETTINGS = BRIDGE + "data_folder: var\nkey_folder: certs\n"
TODAY = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def metadata(*days, validity=""):
    """Return metadata with a certificate for each number of days that it is still valid."""
    certificates = [
        make_certificate(f"days{left}", not_before=TODAY - 100 * DAY, days=100 + left) for left in days or (365,)
    ]
    xml = build_idp_metadata(*certificates, entity_id=ENTITY)
    return xml.replace(b"<md:EntityDescriptor ", f"<md:EntityDescriptor {validity} ".encode())


@pytest.fixture
def config(tmp_path):
    put_keys(tmp_path / "certs")
    changes = {"bridge.yaml": SETTINGS, "providers/acme-saml.yaml": SAML.replace("acme.xml", URL)}
    return write_configuration(tmp_path, changes)


@pytest.fixture
def run(config):
    return lambda *options: CliRunner().invoke(main, ["--config", str(config), "providers", *options])


def save(config, document, age=timedelta(minutes=12)):
    SavedMetadata(config / "var" / "metadata" / "acme-saml.xml", URL).write(document, datetime.now(UTC) - age)


def test_a_fresh_copy_with_lasting_certificates_is_well(run, config):
    save(config, metadata())
    result = run()
    assert result.exit_code == 0, result.output
    assert f"acme-saml (SAML, {ENTITY})" in result.output
    assert "metadata fetched 12 minutes ago" in result.output
    assert "acme-oidc (OpenID Connect" in result.output
    assert "saml-issuer current" in result.output
    assert "!" not in result.output


@pytest.mark.parametrize(("days", "mark", "code"), [(20, 30, 0), (10, 14, 0), (2, 3, 1)])
def test_what_ends_soon_is_marked_and_within_three_days_it_is_a_failure(run, config, days, mark, code):
    save(config, metadata(365, days))
    result = run()
    (line,) = [line for line in result.output.splitlines() if "!" in line]
    assert line.endswith(f"! within {mark} days")
    assert result.exit_code == code


def test_a_copy_of_yesterday_is_too_old_to_be_used(run, config):
    save(config, metadata(), age=25 * timedelta(hours=1))
    result = run()
    assert "25 hours ago, which is too old to be used" in result.output
    assert result.exit_code == 1


def test_a_provider_of_which_nothing_is_known_is_a_failure(run):
    result = run()
    assert "no copy of its metadata is saved yet" in result.output
    assert result.exit_code == 1


def test_a_saved_copy_that_does_not_verify_is_a_failure(run, config):
    save(config, b"<x/>")
    result = run()
    assert "saml_metadata: 0 entities" in result.output
    assert result.exit_code == 1


def test_a_file_of_the_administrator_is_read_with_its_age_and_its_end(run, config):
    (config / "providers" / "acme-saml.yaml").write_text(SAML)
    path = config / "providers" / "acme.xml"
    path.write_bytes(metadata())
    result = run()
    assert result.exit_code == 0, result.output
    assert "metadata from a file, written 0 minutes ago" in result.output
    end = (TODAY + 2 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_bytes(metadata(validity=f'validUntil="{end}"'))
    result = run()
    assert "! within 3 days" in result.output
    assert result.exit_code == 1


def test_what_a_provider_wrote_cannot_move_the_cursor(run, config):
    text = SAML.replace("https://idp.example.com/metadata", '"https://idp\\e[2J"').replace("acme.xml", URL)
    (config / "providers" / "acme-saml.yaml").write_text(text)
    assert "\x1b[2J" not in run().output


def test_a_configuration_with_an_error_is_a_failure(run, config):
    (config / "bridge.yaml").write_text("public_url: nonsense\n")
    assert run().exit_code == 1


# ── Rehearsal ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stage(config):
    """Stage a certificate for the provider, and return what the settings then say."""

    def stage(days=365):
        save(config, metadata())
        certificate = make_certificate(f"staged{days}", not_before=TODAY - 100 * DAY, days=100 + days)
        (config / "providers" / "next.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        text = SAML.replace("acme.xml", URL) + "staged_certificates: [next.pem]\n"
        (config / "providers" / "acme-saml.yaml").write_text(text)
        return load_configuration(config).providers["acme-saml"]

    return stage


@pytest.fixture
def redis(config):
    client = connect_store(embedded_store.start(config / "var" / "store"))
    yield client
    client.close()
    embedded_store.stop(config / "var" / "store")


def test_a_staged_certificate_stands_with_its_end_and_a_hint(run, stage):
    staged = read_staged(stage())[0]
    result = run()
    assert result.exit_code == 0, result.output
    assert f"staged certificate {staged.certificate.short} ends on" in result.output
    assert "rambridge providers --rehearsal" in result.output


def test_a_staged_certificate_that_ends_soon_is_a_failure(run, stage):
    stage(days=2)
    assert run().exit_code == 1


def test_the_rehearsal_says_what_share_would_verify_and_what_to_do(run, stage, redis):
    provider = stage()
    staged = tuple(each.certificate for each in read_staged(provider))
    assert "no sign-in of the last 24 hours was tried: nothing is known yet" in run("--rehearsal").output
    key = Sighting(provider.name, staged, datetime.now(UTC)).bucket
    for name, number in {"seen": 412, "would": 0, "by:0123456789abcdefff": 412}.items():
        redis.hset(key, name, number)
    result = run("--rehearsal")
    assert result.exit_code == 0, result.output
    assert (
        "rehearsal: 0 of 412 sign-ins of the last 24 hours would verify; 412 signed by 0123456789abcdef: "
        "do not cut over yet\n"
    ) in result.output
    redis.hset(key, "would", 412)
    redis.hset(key, "refused", 1)
    assert "would verify; 1 of them is refused" in run("--rehearsal").output
    assert "the cut-over would lose none" in run("--rehearsal").output


def test_without_the_service_the_rehearsal_is_unknown_and_starts_nothing(run, stage, config):
    stage()
    result = run("--rehearsal")
    assert result.exit_code == 1
    assert "the service's own store does not run here" in result.output
    assert not (config / "var" / "store").exists()


def test_where_nothing_is_staged_the_rehearsal_says_so(run, config, redis):
    save(config, metadata())
    redis.ping()
    assert "no provider has staged_certificates" in run("--rehearsal").output
    assert "staged" not in run().output


def test_a_certificate_that_nobody_approved_is_shown_as_held(run, config):
    save(config, metadata(300, 365))
    pem = make_certificate("days365", not_before=TODAY - 100 * DAY, days=465).public_bytes(Encoding.PEM)
    (config / "providers" / "idp.pem").write_bytes(pem)
    text = SAML.replace("acme.xml", URL) + "approved_certificates: [idp.pem]\n"
    (config / "providers" / "acme-saml.yaml").write_text(text)
    held = make_certificate("days300", not_before=TODAY - 100 * DAY, days=400).fingerprint(hashes.SHA256()).hex()
    result = run()
    assert f"certificate {held[:16]} is held: it is not in approved_certificates" in result.output
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("line", ["approved_certificates: [idp.pem]", "metadata_max_validity_days: 14"])
def test_conditions_for_an_address_are_not_for_a_file(config, line):
    (config / "providers" / "idp.pem").write_bytes(make_certificate("idp").public_bytes(Encoding.PEM))
    path = config / "providers" / "acme-saml.yaml"
    path.write_text(f"{SAML}{line}\n")
    (problem,) = check_configuration(config)
    assert (problem.file.name, problem.line) == ("acme-saml.yaml", 6)
    path.write_text(f"{SAML.replace('acme.xml', URL)}{line}\n")
    assert check_configuration(config) == []
