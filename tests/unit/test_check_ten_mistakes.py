"""`rambridge check` on ten different mistakes in eight files: all ten in one run, each in its line."""

import pytest

from bridge.errors import SettingsError
from bridge.settings import check_configuration, load_configuration
from tests.unit.configurations import BRIDGE, OIDC, PRODUCTION, RULES, SAML, SANDBOX, write_configuration

MISTAKES = {
    "bridge.yaml": BRIDGE + "trusted_proxis: {count: 1}\n",  # 1: a misspelt key
    "providers/acme-saml.yaml": SAML.replace("acme.xml", "missing.xml"),  # 2: a file that does not exist
    "providers/acme-oidc.yaml": OIDC.replace("https://", "http://").replace(  # 3: plain http in production
        "file:secret", "hunter2"
    ),  # 4: a secret in the file
    "accounts/production.yaml": PRODUCTION.replace("7200", "90000"),  # 5: more than RAM allows
    "accounts/sandbox.yaml": SANDBOX + 'id: "1000000000000003"\n',  # 6: a key that comes twice
    "rules/10-platform.yaml": RULES.replace(
        "[platform]", "[platform]\n  when: claims.mail.endswith('@acme.example')"
    ),  # 7
    "rules/20-unknown.yaml": RULES.replace("account: production", "account: produktion"),  # 8: an unknown account
    "rules/30-everybody.yaml": RULES.replace("  provider: acme-saml\n  groups: [platform]\n", "")  # 9: no condition
    + "- name: twice\n  groups: [a]\n  grant: []\n",  # 10: a rule that does nothing
}
EXPECTED = [
    ("accounts/production.yaml", 4, "90000"),
    ("accounts/sandbox.yaml", 5, "second time"),
    ("bridge.yaml", 2, "trusted_proxis"),
    ("providers/acme-oidc.yaml", 4, "plain http"),
    ("providers/acme-oidc.yaml", 6, "must not stand in this file"),
    ("providers/acme-saml.yaml", 5, "missing.xml"),
    ("rules/10-platform.yaml", 5, "endswith"),
    ("rules/20-unknown.yaml", 6, "produktion"),
    ("rules/30-everybody.yaml", 2, "would match everybody"),
    ("rules/30-everybody.yaml", 11, "empty"),
]


def test_ten_mistakes_are_reported_in_one_run_each_with_its_line(tmp_path):
    folder = write_configuration(tmp_path, MISTAKES)
    problems = check_configuration(folder)
    found = [(str(problem.file.relative_to(folder)), problem.line, problem.message) for problem in problems]
    assert [fault[:2] for fault in found] == [place[:2] for place in EXPECTED], "\n".join(map(str, problems))
    assert all(word in fault[2] for fault, (_, _, word) in zip(found, EXPECTED, strict=True)), found
    assert all(problem.fix and problem.severity == "error" for problem in problems)
    assert "hunter2" not in "\n".join(map(str, problems))


def test_the_same_ten_stop_the_service(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load_configuration(write_configuration(tmp_path, MISTAKES))
    assert len(caught.value.problems) == 10


def test_the_same_configuration_without_mistakes_is_accepted(tmp_path):
    assert check_configuration(write_configuration(tmp_path)) == []
