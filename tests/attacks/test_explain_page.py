"""The page that explains: for administrators alone, by POST, and hostile claims stay text."""

import json
import re

import pytest

from bridge.attack.scripted_server import wait_until
from bridge.audit.events import EntitlementsResolved, SignInExplained
from bridge.entitlements.rules import Conditions, RuleFiles
from bridge.settings import compile_rule_files
from tests.attacks.door import Visitor, sign_in

ADMINISTRATORS = (Conditions(providers=frozenset(), groups=frozenset({"admins"}), claims=(), when=None, require=None),)
PAGE = "/admin/explain"


@pytest.fixture(scope="module")
def node(running_service):
    return running_service.start(administrators=ADMINISTRATORS)


@pytest.fixture
def administrator(service, node):
    visitor = Visitor(node)
    sign_in(visitor, "root@example.com", groups=("admins",))
    return visitor


def ask(administrator, **fields):
    token = administrator.get(PAGE).text.split('name="csrf_token" value="')[1].split('"')[0]
    return administrator.post(PAGE, {"csrf_token": token, **fields})


def paste(administrator, claims, **more):
    return ask(administrator, claims=json.dumps({"provider": "corp", "claims": claims, **more}))


def words(page):
    text = re.sub(r"</?code[^>]*>", "`", page.text)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split()).replace("&#39;", "'")


@pytest.mark.usefixtures("no_failures")
def test_pasted_claims_are_explained_rule_by_rule(service, administrator):
    before = service.last()
    page = paste(administrator, {"groups": ["platform", "Finance"]})
    assert page.status_code == 200
    said = words(page)
    assert "role production/ReadOnly, for at most 1 hour Granted by `platform`: `groups` has platform" in said
    assert "Near misses 1 Not granted: `finance` needs a group named `finance`; the provider sent `Finance`" in said
    assert "nobody vouches for it" in said.replace("them", "it")
    assert service.last() == before, "asking leaves no record"


@pytest.mark.usefixtures("no_failures")
def test_a_grant_to_somebody_with_almost_the_group_that_is_left_out_is_marked(running_service, tmp_path):
    rule = "{name: a, groups: [staff], not_groups: [netops], grant: [{account: sandbox, role: Auditor}]}"
    files = RuleFiles(tmp_path, {"10.yaml": f"rules:\n- {rule}\n".encode()})
    rules = compile_rule_files(running_service.configuration, files)
    administrator = Visitor(running_service.start(administrators=ADMINISTRATORS, rules=rules))
    sign_in(administrator, "root@example.com", groups=("admins",))
    warning = "But the provider sent `NetOps` (differs in case), and this rule leaves out `netops`"
    assert warning in words(paste(administrator, {"groups": ["staff", "NetOps"]}))
    assert "leaves out" not in words(paste(administrator, {"groups": ["staff", "sales"]}))


@pytest.mark.usefixtures("no_failures")
def test_a_sign_in_is_explained_from_its_reference_and_from_a_name(service, administrator):
    before = service.last()
    somebody = Visitor(administrator.app)
    sign_in(somebody, "lin@example.com", groups=("platform", "finance "))
    record = next(each for each in service.records(before) if each["event"] == EntitlementsResolved.name)
    sign_in_page = administrator.get(f"/admin/sign-ins/{record['reference']}")
    address = f"{PAGE}?reference={record['reference']}"
    assert f'href="{address}"' in sign_in_page.text
    assert wait_until(lambda: "Gets 2" in words(administrator.get(address)))
    [shown, *_] = [each for each in service.records(before) if each["event"] == SignInExplained.name]
    assert (shown["subject"], shown["of_subject"]) == ("root@example.com", "lin@example.com")
    assert shown["of_time"][:19] == record["time"][:19]
    for page in (administrator.get(address), ask(administrator, person="lin@")):
        said = words(page)
        assert "Granted by `platform`: `groups` has platform" in said
        assert "the provider sent `finance ` (has blanks around it)" in said
        assert "192.0.2.7" in said
    [only] = [each for each in _sections(ask(administrator, person="lin@", rule="platform")) if "near" in each] or [""]
    assert only == "", "rules are filtered by their names"


@pytest.mark.usefixtures("no_failures")
def test_rules_and_their_explanations_lead_to_each_other(administrator):
    page = paste(administrator, {"groups": ["platform"]})
    assert 'href="/admin/rules?text=platform&amp;file=10.yaml"' in page.text
    link = 'href="/admin/explain?rule=platform"'
    assert link in administrator.get("/admin/rules?text=platform&file=10.yaml").text
    assert 'name="rule" value="platform"' in administrator.get("/admin/explain?rule=platform").text


@pytest.mark.usefixtures("no_failures")
def test_whoever_could_be_several_people_is_asked_about(service, administrator):
    for name in ("ann.one@example.com", "ann.two@example.com"):
        sign_in(Visitor(administrator.app), name, groups=("platform",))
    assert wait_until(lambda: "Whom do you mean?" in ask(administrator, person="ann.").text)
    page = ask(administrator, person="ann.")
    assert "ann.one@example.com · " in words(page)
    chosen = administrator.post(PAGE, _fields(page, "ann.two@example.com"))
    assert "ann.two@example.com" in words(chosen)
    assert "Gets 2" in words(chosen)


@pytest.mark.usefixtures("no_failures")
def test_hostile_claims_are_shown_as_text_and_stand_in_no_address(administrator):
    script = "<script>alert(1)</script>"
    page = paste(administrator, {"groups": [script, 'x"><img src=x>', "\u202eplatform"], "name": script})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "\u202e" not in page.text.replace("\\u202e", "").split("</textarea>")[1]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert all('method="post"' in form for form in re.findall(r"<form[^>]*/admin/explain[^>]*>", page.text))


DEEP = '{"provider": "corp", "claims": {"a": ' + "[" * 5000 + "]" * 5000 + "}}"


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ("{", "not YAML"),
        ("a: [", "not YAML"),
        ("just words", "expected here"),
        (DEEP, "nested too deeply"),
        ("provider: corp\nclaims: " + "[" * 3000, "not YAML"),
        ("x" * 100_001, "longer than"),
        ('{"provider": "corp", "claims": {"a": 1, "a": 2}}', "comes twice"),
        ('{"provider": "corp", "claims": {"a": "\\ud800"}}', "cannot be encoded"),
        ('{"provider": "nobody", "claims": {}}', "Write `provider` with one of corp"),
        ('{"provider": "corp", "clams": {}}', "clams"),
        ('{"provider": "corp", "time": "soon"}', "is not a time"),
        ('{"provider": "corp", "authenticated_at": "2026-01-01", "age_seconds": 3}', "twice"),
    ],
    ids=["json", "yaml", "text", "deep", "deep yaml", "long", "twice", "half", "stranger", "key", "time", "two times"],
)
@pytest.mark.usefixtures("no_failures")
def test_what_cannot_be_read_is_named(administrator, claims, fault):
    page = ask(administrator, claims=claims)
    assert page.status_code == 400
    assert fault in words(page)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "Write a name"),
        ({"person": "nobody-at-all"}, "No sign-in of anybody called"),
        ({"person": "x", "at": "yesterday"}, "is not a time"),
        ({"person": "x", "address": "here"}, "is not an address"),
    ],
)
def test_a_form_that_cannot_be_answered_says_why(administrator, fields, fault):
    page = ask(administrator, **fields)
    assert (page.status_code, fault in words(page)) == (400, True)


@pytest.mark.parametrize("reference", ["AAAA-AAAA-AAAA", "x", "<script>"])
def test_an_unknown_reference_is_said_to_be_unknown(administrator, reference):
    page = administrator.get(f"{PAGE}?reference={reference}")
    assert (page.status_code, "No sign-in has this reference" in page.text) == (400, True)
    assert "<script>" not in page.text


def test_bytes_that_are_not_utf_8_are_refused_or_read_as_text(administrator):
    token = administrator.get(PAGE).text.split('name="csrf_token" value="')[1].split('"')[0]
    body = f"csrf_token={token}&claims=%ff%fe%7b".encode()
    page = administrator.post(PAGE, body, content_type="application/x-www-form-urlencoded")
    assert page.status_code == 400


def _sections(page):
    return re.findall(r'<section class="verdicts ([a-z]+)"', page.text)


def _fields(page, subject):
    form = next(form for form in page.text.split("<form ") if f'value="{subject}"' in form)
    return dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form))
