from pathlib import Path

import pytest
import yaml

from bridge.errors import SettingsError
from bridge.sandbox.idp.state import load_state

SHIPPED = Path(__file__).parents[4] / "config" / "sandbox-idp.yaml"


def test_shipped_file_describes_a_dozen_people_with_and_without_a_second_factor():
    state = load_state(SHIPPED)
    assert len(state.people) == 12
    assert {person.mfa for person in state.people} == {True, False}
    assert len({person.department for person in state.people}) >= 6
    assert {tile.kind for tile in state.tiles} == {"saml-idp-initiated", "saml-sp-initiated", "oidc"}


def test_secret_is_found_relative_to_the_file():
    (client,) = load_state(SHIPPED).oidc_clients
    assert client.client_secret.resolve() == SHIPPED.parents[1] / "certs" / "sandbox" / "oidc-client-secret"


@pytest.mark.parametrize(
    ("old", "new", "message", "line_holds"),
    [
        pytest.param("mfa: true", "mfa: perhaps", "boolean", "perhaps", id="not-a-boolean"),
        pytest.param("kind: oidc", "kind: kerberos", "kerberos", "rambridge-openid", id="unknown-kind"),
        pytest.param("uid: lin.wei", "uid: lin wei", "pattern", "lin wei", id="uid"),
        pytest.param("uid: lin.wei", "colour: red", "people.0.uid: Field required", "colour", id="missing-and-unknown"),
        pytest.param("file:../certs", "certs", "file:PATH", "certs", id="secret-itself"),
    ],
)
def test_problem_is_reported_with_its_line(tmp_path, old, new, message, line_holds):
    file = tmp_path / "idp.yaml"
    file.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        load_state(file)
    problem = next(each for each in caught.value.problems if message in each.message)
    assert line_holds in file.read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("uid: amara.okafor", "uid: lin.wei", "uid given twice: lin.wei"),
        ("service_provider: acme-saml", "service_provider: other", "names no known service provider"),
        ("client: rambridge", "client: other", "names no client with initiate_login_uri"),
        ("name: rambridge-openid", "name: rambridge", "tile given twice: rambridge"),
    ],
    ids=["uid-twice", "unknown-sp", "unknown-client", "tile-twice"],
)
def test_names_must_be_unique_and_lead_somewhere(tmp_path, old, new, message):
    file = tmp_path / "idp.yaml"
    file.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError, match=message):
        load_state(file)


def test_broken_yaml_is_reported_with_its_line(tmp_path):
    file = tmp_path / "idp.yaml"
    file.write_text("url: http://127.0.0.1\npeople: [\n")
    with pytest.raises(SettingsError) as caught:
        load_state(file)
    assert caught.value.problems[0].line >= 2


def test_initials_fit_every_name():
    initials = {person.name: person.initials for person in load_state(SHIPPED).people}
    assert initials["林薇"] == "林"
    assert initials["Inès Ferrand"] == "IF"


def test_shipped_file_is_plain_yaml():
    assert yaml.safe_load(SHIPPED.read_text())["url"] == "http://127.0.0.1:8081"
