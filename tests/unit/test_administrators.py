"""Who administers: nobody without a line about it, and then exactly the people whom it describes, now."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.entitlements.resolve import meets_any
from bridge.settings import check_configuration, load_configuration
from tests.unit.configurations import BRIDGE, write_configuration
from tests.unit.entitlements.factories import NOW, make_identity

GROUPS_CLAIMS = {"acme-saml": "groups", "acme-oidc": "roles"}


def configure(folder, *lines):
    """Write a configuration with these conditions on administrators, and return its folder."""
    text = "".join(f"- {line}\n" for line in lines)
    return write_configuration(folder, {"bridge.yaml": f"{BRIDGE}administrators:\n{text}"})


def is_one(folder, groups_claims=None, **changes):
    administrators = load_configuration(folder).administrators
    return meets_any(make_identity(**changes), administrators, groups_claims or GROUPS_CLAIMS, NOW, "192.0.2.7")


def claim(**claims):
    return {"claims": claims}


def test_without_a_line_nobody_administers(tmp_path):
    folder = write_configuration(tmp_path)
    assert load_configuration(folder).administrators == ()
    assert not is_one(folder)


@pytest.mark.parametrize(
    ("line", "person", "another"),
    [
        ("groups: [admins]", claim(groups=["admins"]), claim(groups=["Admins", "admins2"])),
        ("claims: {department: IT}", claim(department="IT"), claim(department=["it", "ITS"])),
        ('when: claims.uid == "lin.wei"', claim(uid="lin.wei"), claim(uid="somebody")),
        ('when: claims.uid == "lin.wei"', claim(uid="lin.wei"), claim()),
        (
            "{provider: acme-oidc, groups: [admins]}",
            {"provider": "acme-oidc"} | claim(roles=["admins"]),
            {"provider": "acme-saml"} | claim(groups=["admins"], roles=["admins"]),
        ),
        (
            "{groups: [admins], require: {amr: [mfa]}}",
            {"amr": ("pwd", "mfa")} | claim(groups=["admins"]),
            {"amr": ("pwd",)} | claim(groups=["admins"]),
        ),
        (
            "{groups: [admins], require: {max_age_seconds: 600}}",
            {"authenticated_at": NOW - timedelta(seconds=600)} | claim(groups=["admins"]),
            {"authenticated_at": NOW - timedelta(seconds=601)} | claim(groups=["admins"]),
        ),
        ("groups: [admins]", claim(groups="admins"), claim(groups={"admins": True})),
        ("groups: [admins]", claim(groups=["admins"]), claim(groups=["ad\u200bmins"])),
    ],
    ids=["group", "claim", "expression", "expression in error", "provider", "strength", "age", "unreadable", "unseen"],
)
def test_all_of_a_condition_must_be_known_to_hold(tmp_path, line, person, another):
    folder = configure(tmp_path, line)
    assert check_configuration(folder) == []
    assert is_one(folder, **person)
    assert not is_one(folder, **another)


def test_auditors_are_described_like_administrators_and_are_none_by_that(tmp_path):
    lines = "administrators: [{groups: [admins]}]\nauditors: [{groups: [auditors], require: {amr: [mfa]}}]\n"
    configuration = load_configuration(write_configuration(tmp_path, {"bridge.yaml": BRIDGE + lines}))
    auditor = make_identity(amr=("mfa",), **claim(groups=["auditors"]))
    administrator = make_identity(amr=("mfa",), **claim(groups=["admins"]))
    for person, is_auditor in ((auditor, True), (administrator, False)):
        for people, expected in ((configuration.auditors, is_auditor), (configuration.administrators, not is_auditor)):
            assert meets_any(person, people, GROUPS_CLAIMS, NOW, "192.0.2.7") is expected


def test_a_mistake_about_auditors_names_them_and_its_place(tmp_path):
    lines = "auditors:\n- provider: acme-saml\n- {groups: [a], provider: acme}\n"
    problems = check_configuration(write_configuration(tmp_path, {"bridge.yaml": BRIDGE + lines}))
    assert [(problem.file.name, problem.line, problem.severity) for problem in problems] == [
        ("bridge.yaml", 3, "error")
    ]
    assert "an auditor" in problems[0].message


def test_one_of_several_conditions_is_enough(tmp_path):
    folder = configure(tmp_path, "groups: [admins]", "claims: {department: IT}")
    assert is_one(folder, **claim(groups=["admins"]))
    assert is_one(folder, **claim(department="IT"))
    assert not is_one(folder, **claim(groups=["IT"], department="admins"))


def test_a_person_of_a_provider_that_is_not_configured_any_more_administers_nothing(tmp_path):
    folder = configure(tmp_path, "groups: [admins]")
    person = claim(groups=["admins"])
    assert is_one(folder, **person)
    assert not is_one(folder, {"acme-oidc": "roles"}, **person)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("provider: acme-saml", "everybody whom the provider vouches for"),
        ("require: {amr: [mfa]}", "everybody whom the provider vouches for"),
        ("everyone: true", "`everyone` is not known here"),
        ("groups: []", "empty"),
        ("{groups: [a], provider: acme}", "there is no provider named `acme`"),
        ('when: claims.groups.matches("a")', "`when`"),
        ("{groups: [a], grant: [{account: production, role: Admin}]}", "`grant` is not known here"),
    ],
)
def test_what_would_let_in_everybody_or_means_nothing_is_an_error_with_its_place(tmp_path, line, word):
    problems = check_configuration(configure(tmp_path, "groups: [admins]", line))
    assert any(word in problem.message for problem in problems)
    for problem in problems:
        assert (problem.file.name, problem.line, problem.severity) == ("bridge.yaml", 4, "error")


def test_in_the_demo_the_platform_administrators_administer(tmp_path):
    folder = tmp_path / "config"
    shutil.copytree(Path(__file__).parents[2] / "config", folder)
    secret = tmp_path / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("a-secret-of-this-test")
    assert is_one(folder, **claim(groups=["employees", "platform", "platform-admins"]))
    assert not is_one(folder, **claim(groups=["employees", "platform"]))
