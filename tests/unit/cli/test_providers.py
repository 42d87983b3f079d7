"""``rambridge providers``, as a transcript: what an administrator reads, and the exit code for a nightly job."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from bridge.attack.saml.messages import build_idp_metadata, make_certificate
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.identity.saml.saved_metadata import SavedMetadata
from bridge.keys import create_missing
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
    create_missing(tmp_path / "certs", SystemClock())
    changes = {"bridge.yaml": SETTINGS, "providers/acme-saml.yaml": SAML.replace("acme.xml", URL)}
    return write_configuration(tmp_path, changes)


@pytest.fixture
def run(config):
    return lambda: CliRunner().invoke(main, ["--config", str(config), "providers"])


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
