"""`rambridge explain`: whoever it is asked about, and how far it believes what it is shown."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from bridge.attack.saml.messages import NOW, SignatureOptions, make_certificate, make_key
from bridge.audit.events import Origin, SignInAccepted
from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.history.history import open_history
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from tests.attacks.door import draft_response
from tests.factories import make_identity

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


@pytest.fixture
def run(service):
    folder = service.configuration.folder
    return lambda *options, **more: CliRunner().invoke(main, ["--config", str(folder), "explain", *options], **more)


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "shown"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def words(result):
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return " ".join(result.output.split())


# ── Claims ───────────────────────────────────────────────────────────────────────────────────────────────────

CLAIMS = {"provider": "corp", "claims": {"groups": ["platform", "Finance"]}}


def test_claims_are_explained_as_text(run, write):
    result = run("--claims", write(json.dumps(CLAIMS)))
    assert result.exit_code == 0
    said = words(result)
    assert "made up (nobody vouches for them)" in said
    assert "Gets 2 roles role production/ReadOnly, for at most 1 hour granted by `platform`: `groups` has" in said
    assert "needs a group named `finance`; the provider sent `Finance` (differs in case) [10.yaml:7]" in said


def test_a_grant_to_somebody_with_almost_the_group_that_is_left_out_is_marked(run, tmp_path):
    rule = "- {name: draft, groups: [staff], not_groups: [netops], grant: [{account: sandbox, role: Auditor}]}"
    (tmp_path / "a.yaml").write_text(f"rules:\n{rule}\n")
    options = ("--claims", "-", "--rules", str(tmp_path))
    person = "provider: corp\nclaims: {groups: [staff, NetOps]}\n"
    warning = "but the provider sent `NetOps` (differs in case), and this rule leaves out `netops`"
    assert f"`groups` has none of: netops [a.yaml:2] {warning}" in words(run(*options, input=person))
    assert warning in words(run(*options, "--rule", "draft", input=person))
    [told] = json.loads(run(*options, "--format", "json", input=person).output)["rules"]
    assert told["caution"].startswith(warning)


def test_claims_are_explained_as_json_and_from_standard_input(run):
    result = run("--claims", "-", "--format", "json", input="provider: corp\nclaims: {groups: Finance}\n")
    told = json.loads(result.output)
    assert (told["of"]["standing"], told["gets"]) == ("made up", [])
    near = {each["rule"]: each["decided_by"] for each in told["rules"] if each["standing"] == "near"}
    assert near == {"10.yaml:finance": {"rule": "10.yaml:finance", "claim": "groups", "kind": "case"}}
    every = json.loads(run("--claims", "-", "--format", "json", "--all", input=json.dumps(CLAIMS)).output)
    assert (len(every["rules"]), every["not_listed"]) == (2, 0)


def test_claims_in_the_flow_form_of_yaml_are_read_too(run):
    assert "Gets 2 roles" in words(run("--claims", "-", input="{provider: corp, claims: {groups: [platform]}}"))


def test_somebody_who_cannot_be_is_noted(run):
    person = "{provider: %s, claims: {groups: [platform]}, amr: [mfa]}"
    assert "Note: nobody can sign in like this: SAML states no `amr`" in words(
        run("--claims", "-", input=person % "corp")
    )
    assert "nobody can sign in" not in words(run("--claims", "-", input=person % "staff"))


def test_of_one_rule_also_what_stands_behind_the_first_failing_condition_is_looked_at(run, tmp_path):
    rule = "groups: [hr], networks: [10.0.0.0/8], claims: {a: b}, require: {acr: [x], max_age_seconds: 60}"
    (tmp_path / "a.yaml").write_text(f"rules:\n- {{name: draft, {rule}, grant: [{{account: sandbox, role: A}}]}}\n")
    person = "{provider: corp, claims: {a: b}, acr: y, age_seconds: 300, source_address: 192.0.2.1}"
    options = ("--claims", "-", "--rules", str(tmp_path), "--rule", "draft")
    said = words(run(*options, input=person))
    for words_of_one in (
        "fails networks the request came from 192.0.2.1",
        "fails groups `groups` is absent or empty",
        "holds claims `a` has b",
        "fails strength signed in by y (needed: x)",
        "fails age authenticated 5 minutes ago (needed: at most 60 seconds ago)",
    ):
        assert words_of_one in said
    [told] = json.loads(run(*options, "--format", "json", input=person).output)["rules"]
    assert [each["condition"] for each in told["looked_at"]] == ["networks", "groups", "claims", "strength", "age"]


def test_one_rule_is_explained_condition_by_condition(run, write):
    path = write(json.dumps(CLAIMS))
    said = words(run("--claims", path, "--rule", "finance"))
    assert "fails groups `groups` has none of: finance" in said
    assert "ReadOnly" not in said
    missing = run("--claims", path, "--rule", "finanse")
    assert (missing.exit_code, "did you mean finance?" in words(missing)) == (2, True)


def test_other_rules_can_be_asked(run, write, tmp_path):
    (tmp_path / "draft").mkdir()
    rule = "- {name: draft, groups: [Finance], expires: 2026-06-01, grant: [{account: sandbox, role: Auditor}]}"
    (tmp_path / "draft" / "a.yaml").write_text(f"rules:\n{rule}\n")
    options = ("--claims", write(json.dumps(CLAIMS)), "--rules", str(tmp_path / "draft"))
    assert "granted by `draft`" in words(run(*options, "--at", "2026-05-01T00:00:00Z"))
    assert "expired at the end of 2026-06-01" in words(run(*options, "--at", "2026-06-02"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "standard input"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"claims": ' + b"[" * 100_000, "nested too deeply"),
        (b"claims: " + b"[" * 2_000, "not YAML"),
        (b" " * 1_000_001, "larger than 1000000 bytes"),
        (b'{"claims": {}}', "write `provider:` with one of"),
        (b'{"provider": "corp", "claims": {"a": !!python/object:os.system {}}}', "a tag"),
        (b"provider: corp\nsource_address: here\n", "is not an address"),
        (b'{"provider": "corp", "provider": "staff"}', "a member comes twice"),
        (b"{provider: corp, groups: [platform]}", "If it is a claim, put it inside `claims`."),
    ],
    ids=["json", "bytes", "deep", "deep yaml", "long", "no provider", "tag", "address", "twice", "beside"],
)
def test_claims_that_cannot_be_read_are_refused_in_words(run, content, said):
    result = run("--claims", "-", input=content)
    assert result.exit_code in {1, 2}
    assert said in words(result)
    assert "Traceback" not in result.output


@pytest.mark.parametrize("options", [(), ("--person", "a", "--claims", "-")])
def test_exactly_one_person_is_named(run, options):
    result = run(*options, input="{}")
    assert (result.exit_code, "exactly one of" in words(result)) == (2, True)


def test_what_a_stranger_wrote_moves_no_cursor(run):
    claims = {"provider": "corp", "claims": {"name": "\x1b[2Jx", "groups": ["\x1b]0;x\x07platform"]}}
    result = run("--claims", "-", input=json.dumps(claims))
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


# ── Kept sign-ins ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def keep(service):
    """Keep a sign-in of somebody as the service would."""

    def keep(subject, name, **claims):
        settings, rules = service.configuration.settings, service.configuration.rules
        identity = make_identity(provider="corp", subject=subject, claims={"name": name, **claims})
        now = datetime.now(UTC)
        engine = open_engine(settings.database_url())
        sealer = Sealer(*KeyFolder(settings.key_folder).sealing_keys())
        history = open_history(engine, sealer, SystemClock(), keep_days=30)
        history.start(RulesInForce(rules))
        history.note(identity, "203.0.113.9", now, resolve(identity, rules, now))
        assert history.flush(60)
        engine.dispose()
        accepted = SignInAccepted(
            provider="corp",
            issuer=identity.issuer,
            subject=subject,
            person=name,
            protocol="saml",
            message_id="_1",
            authenticated_at="",
            session_index=None,
            solicited=True,
        )
        with opened_audit_log(settings, SystemClock()) as log:
            log.build_log().append(Origin("AAAA-BBBB-CCCC", "203.0.113.9"), accepted)

    return keep


def test_a_person_is_found_by_a_name_that_the_history_does_not_keep(run, keep):
    keep("c0ffee-1", "Wei Lin", groups=["platform"])
    result = run("--person", "wei lin")
    said = words(result)
    assert result.exit_code == 0, said
    assert said.startswith("Wei Lin, subject c0ffee-1, provider corp sign-in of")
    assert "from 203.0.113.9" in said
    assert "granted by `platform`" in said


def test_people_of_one_name_are_listed_and_a_subject_picks_one(run, keep):
    keep("c0ffee-2", "Ann", groups=["platform"])
    keep("c0ffee-3", "Ann", groups=["finance"])
    asked = run("--person", "ann")
    assert asked.exit_code == 1
    assert "2 people may be meant" in words(asked)
    assert "Auditor" in words(run("--person", "c0ffee-3"))


def test_somebody_who_is_not_kept_is_said_to_be_unknown(run):
    result = run("--person", "nobody at all")
    assert (result.exit_code, "No sign-in of 'nobody at all' is kept" in words(result)) == (1, True)


# ── SAML responses ───────────────────────────────────────────────────────────────────────────────────────────


def draft(age=timedelta(), provider="corp", **options):
    """Return an honest response that was issued so long ago by the machine's clock."""
    made = draft_response(provider, "_asked", groups=("platform", "Finance"), **options)
    moved = datetime.now(UTC) - age - NOW
    for element in made.root.iter():
        for name, value in element.attrib.items():
            if TIME.fullmatch(value):
                element.set(name, f"{datetime.fromisoformat(value) + moved:%Y-%m-%dT%H:%M:%SZ}")
    return made


def test_a_response_is_verified_in_whatever_way_it_was_copied(run, write):
    fresh = draft()
    encoded = fresh.encode()
    for content in (encoded, fresh.write(), "SAMLResponse=" + encoded.replace("+", "%2B").replace("=", "%3D")):
        result = run("--saml-response", write(content))
        said = words(result)
        assert result.exit_code == 0, said
        assert "SAML response: verified as of" in said
        assert "granted by `platform`" in said
        assert "the provider sent `Finance` (differs in case)" in said


def test_an_old_response_is_verified_but_for_its_age(run, write):
    result = run("--saml-response", write(draft(timedelta(days=2)).encode()))
    assert result.exit_code == 0
    assert "SAML response: verified but for its age (saml_stale:" in words(result)


def tampered():
    made = draft()
    made.after_writing(lambda document: document.replace(b">staff<", b">admin<").replace(b">Finance<", b">finance<"))
    return made


def by_a_stranger():
    made = draft()
    made.options = SignatureOptions(key=make_key("stranger"), certificate=make_certificate("stranger"))
    return made


def old_and_tampered():
    made = draft(timedelta(days=2))
    made.after_writing(lambda document: document.replace(b">Finance<", b">finance<"))
    return made


def for_another_service():
    made = draft()
    made.find("//saml:Audience").text = "https://other.example.com"
    return made


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (tampered, "saml_signature_invalid"),
        (by_a_stranger, "saml_signature"),
        (old_and_tampered, "saml_signature_invalid"),
        (for_another_service, "saml_audience"),
        (lambda: draft(signed="none"), "saml_unsigned"),
    ],
)
def test_a_response_that_fails_a_check_is_marked_unverified(run, write, make, code):
    result = run("--saml-response", write(make().encode()))
    said = words(result)
    assert result.exit_code == 1
    assert said.startswith(f"UNVERIFIED: {code}"), said
    assert "SAML response: UNVERIFIED" in said
    assert "granted by `platform`" in said, "what it would give is explained all the same"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<a/>", "saml_issuer"),
        (b"<a", "saml_"),
        (b"\xff\xfe\xfd", "saml_"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "saml_"),
        (b"<a>" * 50_000, "saml_"),
        (b"A" * 900_000, "saml_"),
    ],
)
def test_what_is_no_response_is_refused_and_not_quoted(run, write, content, code):
    result = run("--saml-response", write(content))
    assert (result.exit_code, code in words(result)) == (1, True), result.output
    assert len(result.output) < 1_000


def test_a_response_of_a_stranger_is_said_to_be_one(run, write):
    made = draft()
    for issuer in made.root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"):
        issuer.text = "https://elsewhere.example.com"
    result = run("--saml-response", write(made.encode()))
    assert (result.exit_code, "no SAML provider in the settings" in words(result)) == (1, True)


# ── ID tokens ────────────────────────────────────────────────────────────────────────────────────────────────


def sign(service, age=0, **claims):
    issued = int(time.time()) - age
    honest = {
        "iss": service.staff.issuer,
        "aud": "rambridge",
        "sub": "ada",
        "iat": issued,
        "exp": issued + 300,
        "auth_time": issued,
        "nonce": "n",
        "at_hash": "of-a-token-that-is-gone",
        "amr": ["pwd"],
        "groups": ["platform", "Finance"],
    }
    return service.staff.sign(honest | claims)


def test_a_token_is_verified_and_the_answer_quotes_no_part_of_it(service, run, write):
    token = sign(service)
    result = run("--id-token", write(f"{token}\n"))
    said = words(result)
    assert result.exit_code == 0, said
    assert "ID token: verified as of" in said
    assert "granted by `platform`" in said
    assert not [part for part in token.split(".") if part in result.output]


def test_an_old_token_is_verified_but_for_its_age(service, run, write):
    result = run("--id-token", write(sign(service, age=86_400)))
    assert result.exit_code == 0
    assert "ID token: verified but for its age (oidc_exp: expired" in words(result)


def other_payload(service):
    first, second = sign(service), sign(service, groups=["finance"])
    head, _, signature = first.split(".")
    return ".".join((head, second.split(".")[1], signature))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (other_payload, "oidc_signature"),
        (lambda service: sign(service, aud="another"), "oidc_aud"),
        (lambda service: sign(service, age=86_400, aud="another"), "oidc_aud"),
        (lambda service: sign(service, exp=int(time.time()) + 10**6), "oidc_exp"),
    ],
)
def test_a_token_that_fails_a_check_is_marked_unverified(service, run, write, make, code):
    result = run("--id-token", write(make(service)))
    said = words(result)
    assert result.exit_code == 1
    assert said.startswith(f"UNVERIFIED: {code}"), said


@pytest.mark.parametrize("content", [b"", b"a.b.c", b"\xff.\xff.\xff", b"e30.e30.e30", b"a" * 900_000])
def test_what_is_no_token_is_refused_and_not_quoted(run, write, content):
    result = run("--id-token", write(content))
    assert (result.exit_code, "oidc_" in words(result)) == (1, True), result.output
    assert len(result.output) < 1_000


def test_without_our_keys_a_message_is_read_and_marked_unverified(service, run, write, tmp_path):
    keys = service.configuration.settings.key_folder / "saml-sp"
    hidden = tmp_path / "hidden"
    keys.rename(hidden)
    try:
        result = run("--saml-response", write(draft().encode()))
    finally:
        hidden.rename(keys)
    assert result.exit_code == 1
    assert words(result).startswith("UNVERIFIED: key_missing")
