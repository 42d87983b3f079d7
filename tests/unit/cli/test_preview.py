"""``rambridge preview`` as somebody types it, on a history of real rows."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.history.history import History
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.settings import load_configuration
from tests.factories import make_identity
from tests.ready_keys import put_keys

CONFIG = Path(__file__).parents[3] / "config"
FINANCE = "rules: [{name: finance, groups: [finance], grant: [{account: acme-sandbox, role: Finance}]}]"


@pytest.fixture
def config(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    secret = tmp_path / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.write_text("a secret")
    secret.chmod(0o600)
    put_keys(tmp_path / "certs")
    return tmp_path / "config"


@pytest.fixture
def draft(tmp_path):
    shutil.copytree(CONFIG / "rules", tmp_path / "draft")
    return tmp_path / "draft"


@pytest.fixture
def run(config, draft):
    def run(*arguments):
        command = ["--config", str(config), "preview", "--rules", str(draft), *arguments]
        return CliRunner().invoke(main, command)

    return run


@pytest.fixture
def signed_in(config):
    """Three people of finance signed in an hour ago, one ten days ago."""
    configuration = load_configuration(config)
    sealer = Sealer(*KeyFolder(configuration.settings.key_folder).sealing_keys())
    engine = open_engine(configuration.settings.database_url())
    history = History(engine, sealer, SystemClock(), keep_days=30)
    history.start(RulesInForce(configuration.rules))
    for subject, hours in (("ana", 1), ("ben", 1), ("<b>cy</b>", 1), ("dee", 240)):
        at = SystemClock().now() - timedelta(hours=hours)
        identity = make_identity(subject=subject, claims={"groups": ["finance"]})
        history.note(identity, "10.1.2.3", at, resolve(identity, configuration.rules, at, "10.1.2.3"))
    assert history.flush()
    engine.dispose()


@pytest.mark.usefixtures("signed_in")
def test_it_says_how_many_people_gain_and_lose_what_by_which_rule(run, draft):
    (draft / "20-departments.yaml").write_text(FINANCE)
    result = run()
    assert result.exit_code == 0, result.output
    assert "4 of 4 people change (100.0%): 4 gain something, 4 lose something." in result.output
    assert "- role FinanceAuditor   4 people lose it" in result.output
    assert "+ role Finance   4 people gain it" in result.output
    assert "by 20-departments.yaml:finance: <b>cy</b>, ana, ben, dee" in result.output
    assert "4 of 4 sign-ins replayed" in result.stderr
    assert "replayed" not in result.stdout


@pytest.mark.usefixtures("signed_in")
def test_since_looks_no_further_back_and_what_is_no_period_is_refused(run, draft):
    (draft / "20-departments.yaml").write_text(FINANCE)
    assert "3 of 3 people" in run("--since", "2d").output
    refused = run("--since", "yesterday")
    assert refused.exit_code == 2
    assert "such as 30d or 12h" in refused.output


@pytest.mark.usefixtures("signed_in")
def test_the_exit_code_is_1_only_if_asked_for_and_more_change(run, draft):
    assert run("--fail-over", "0").exit_code == 0
    (draft / "20-departments.yaml").write_text(FINANCE)
    assert run("--fail-over", "1").exit_code == 0
    refused = run("--fail-over", "0.5")
    assert refused.exit_code == 1
    assert "100.0% of the people change: more than 50.0%." in refused.stderr


@pytest.mark.usefixtures("signed_in")
def test_a_rule_that_reads_what_was_not_kept_is_named_loudly(run, draft):
    text = 'rules: [{name: cost, claims: {cost_center: "7"}, grant: [{account: acme-sandbox, role: Finance}]}]'
    (draft / "30-cost.yaml").write_text(text)
    output = run().output
    assert "NOT JUDGED, since these rules read what is not kept:\n  30-cost.yaml:cost reads cost_center" in output
    assert "Nothing changes for any of the 4 people who signed in." in output


@pytest.mark.usefixtures("signed_in")
def test_markdown_takes_no_name_for_markup_and_json_is_complete(run, draft):
    (draft / "20-departments.yaml").write_text(FINANCE)
    assert "\\<b\\>cy\\</b\\>" in run("--format", "markdown").stdout
    found = json.loads(run("--format", "json").stdout)
    assert (found["people"], found["changed_people"], len(found["rows"])) == (4, 4, 2)


@pytest.mark.usefixtures("signed_in")
def test_the_picture_is_written_where_one_says(run, draft, tmp_path):
    (draft / "20-departments.yaml").write_text(FINANCE)
    assert run("--picture", str(tmp_path / "picture.svg")).exit_code == 0
    assert "prefers-color-scheme: dark" in ET.parse(tmp_path / "picture.svg").getroot()[2].text


def test_without_a_sign_in_it_says_that_nobody_can_tell(run):
    result = run()
    assert result.exit_code == 0, result.output
    assert "No sign-in is kept for this time" in result.output


def test_rules_that_cannot_be_used_are_refused_with_their_problems(run, draft):
    (draft / "20-departments.yaml").write_text("rules: 7\n")
    result = run()
    assert result.exit_code == 1
    assert "20-departments.yaml:1:" in result.stderr
