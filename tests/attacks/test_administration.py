"""Our own pages are for those for whom they are meant, whoever asks (WEB-16)."""

import re

import pytest

from bridge.entitlements.rules import Conditions
from bridge.web.access import LEVELS
from tests.attacks.door import ADDRESS, Visitor, find_code, read, read_reference, sign_in

GROUP = "platform-admins"
BY_GROUP = Conditions(providers=frozenset(), groups=frozenset({GROUP}), claims=(), when=None, require=None)


@pytest.fixture(scope="module")
def governed(running_service):
    """Return a node that has administrators."""
    return running_service.start(administrators=(BY_GROUP,))


@pytest.fixture(scope="module")
def audited(running_service):
    """Return a node that has auditors, who are no administrators, and a page for them alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LEVELS, "for_auditors", "auditor")
        app = running_service.start(auditors=(BY_GROUP,))
        app.add_url_rule("/audit-of-this-test", "for_auditors", lambda: "inside", methods=["GET", "POST"])
        yield app


@pytest.fixture
def nobody(service, governed):
    return Visitor(governed)


@pytest.fixture
def person(nobody):
    """Return somebody who is signed in and no administrator."""
    return sign_in_with(nobody, "platform")


def sign_in_with(visitor, *groups):
    sign_in(visitor, groups=groups)
    return visitor


def routes(app, *levels):
    """Yield the methods and addresses of what is open to these levels."""
    for rule in app.url_map.iter_rules():
        if LEVELS.get(rule.endpoint) in levels:
            address = re.sub(r"<[^>]+>", "x", rule.rule)
            yield from ((method, address) for method in sorted(rule.methods - {"HEAD", "OPTIONS"}))


# ── Every route ──────────────────────────────────────────────────────────────────────────────────────────────


def test_t_web_16_every_route_says_who_may_ask_and_nothing_else_does(app):
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == LEVELS.keys()
    assert {"public", "session", "caller", "administrator", "auditor"} >= set(LEVELS.values())
    below = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")}
    assert {LEVELS[endpoint] for endpoint in below} == {"administrator"}
    assert {endpoint for endpoint, level in LEVELS.items() if level == "administrator"} == below


def test_t_web_16_a_route_that_does_not_say_who_may_ask_is_open_to_nobody(service):
    app = service.start(administrators=(BY_GROUP,))
    app.add_url_rule("/undeclared", "undeclared", lambda: "inside")
    administrator = sign_in_with(Visitor(app), GROUP)
    answer = administrator.get("/undeclared")
    assert (answer.status_code, find_code(answer)) == (404, "web_not_found")
    assert "inside" not in answer.text


def test_t_web_16_a_view_that_forgets_its_guard_is_guarded_all_the_same(service, nobody):
    app = service.start(administrators=(BY_GROUP,))
    app.view_functions |= dict.fromkeys(LEVELS, lambda **_: "inside")
    for method, address in routes(app, "session", "administrator"):
        answer = Visitor(app).request(method, address)
        assert "inside" not in answer.text, address
        assert find_code(answer) in {None, "session_missing", "web_cross_site"}, address
    assert Visitor(app).get("/signed-out").text == "inside"


@pytest.mark.usefixtures("no_failures")
def test_t_web_16_nobody_is_asked_to_sign_in_first(governed, nobody):
    asked = list(routes(governed, "session", "administrator"))
    assert ("GET", "/admin/sign-ins") in asked
    for method, address in asked:
        answer = nobody.request(method, address)
        if method == "GET" and not address.startswith("/api/"):
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/sign-in"), address
        else:
            assert answer.status_code == 401, address


@pytest.mark.usefixtures("no_failures")
def test_t_web_16_a_person_without_the_right_gets_no_page_of_administrators(service, governed, person):
    for method, address in routes(governed, "administrator"):
        before = service.last()
        data = {"csrf_token": person.get("/").text.split('name="csrf_token" value="')[1].split('"')[0]}
        answer = person.request(method, address, data=data if method == "POST" else None)
        assert (answer.status_code, find_code(answer)) == (403, "web_forbidden"), address
        assert answer.headers["Cache-Control"] == "no-store"
        [record] = service.records(before)
        assert record["event"] == "administration.refused"
        assert (record["subject"], record["page"], record["code"]) == ("alice@example.com", address, "web_forbidden")
        assert (record["reference"], record["source_address"]) == (read_reference(answer), ADDRESS)


@pytest.mark.usefixtures("no_failures")
def test_t_web_16_a_post_to_any_page_for_signed_in_people_needs_the_sessions_own_token(governed, nobody):
    administrator = sign_in_with(nobody, GROUP)
    posts = [address for method, address in routes(governed, "session", "administrator") if method == "POST"]
    assert "/sign-out" in posts
    for address in posts:
        answer = administrator.post(address, {"csrf_token": "another"})
        assert (answer.status_code, find_code(answer)) == (403, "web_cross_site"), address
    assert administrator.is_signed_in_as("alice@example.com")


# ── The right ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("no_failures")
def test_t_web_16_an_administrator_sees_the_pages_and_where_they_are(service, governed, nobody, person):
    assert "/admin" not in person.get("/").text
    administrator = sign_in_with(Visitor(governed), GROUP)
    assert 'href="/admin/sign-ins"' in administrator.get("/").text
    start = administrator.get("/admin/")
    assert (start.status_code, start.location) == (303, "/admin/sign-ins")
    before = service.last()
    page = administrator.get(start.location)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "alice@example.com" in page.text
    assert service.last() == before


def test_t_web_16_without_a_condition_nobody_is_administrator(service, app):
    visitor = sign_in_with(Visitor(app), GROUP)
    assert find_code(visitor.get("/admin/sign-ins")) == "web_forbidden"


def test_t_web_16_a_right_that_was_taken_away_is_gone_at_the_next_page(service, governed, nobody):
    administrator = sign_in_with(nobody, GROUP)
    assert administrator.get("/admin/sign-ins").status_code == 200
    later = administrator.copy(app=service.start(administrators=()))
    assert later.is_signed_in_as("alice@example.com")
    assert find_code(later.get("/admin/sign-ins")) == "web_forbidden"


# ── Auditors ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_t_web_16_an_auditor_reads_and_administers_nothing(audited):
    auditor = sign_in_with(Visitor(audited), GROUP)
    assert auditor.get("/audit-of-this-test").text == "inside"
    for method, address in routes(audited, "administrator"):
        data = {"csrf_token": auditor.get("/").text.split('name="csrf_token" value="')[1].split('"')[0]}
        answer = auditor.request(method, address, data=data if method == "POST" else None)
        assert (answer.status_code, find_code(answer)) == (403, "web_forbidden"), address


def test_t_web_16_an_administrator_is_no_auditor_and_the_refusal_is_recorded(service, audited):
    administrator = sign_in_with(Visitor(audited), "platform")
    before = service.last()
    answer = administrator.get("/audit-of-this-test")
    assert (answer.status_code, find_code(answer)) == (403, "web_not_auditor")
    [record] = service.records(before)
    assert (record["event"], record["subject"], record["page"], record["code"]) == (
        "audit.refused",
        "alice@example.com",
        "/audit-of-this-test",
        "web_not_auditor",
    )
    assert Visitor(audited).get("/audit-of-this-test").location.startswith("/sign-in")


def test_t_web_16_what_an_auditor_sends_needs_the_sessions_own_token(audited):
    auditor = sign_in_with(Visitor(audited), GROUP)
    answer = auditor.post("/audit-of-this-test", {"csrf_token": "another"})
    assert (answer.status_code, find_code(answer)) == (403, "web_cross_site")


@pytest.mark.parametrize(
    "address", ["/audit/records?event=sign_in", "/admin/explain?rule=platform", "/admin/preview?draft=files"]
)
def test_the_forms_of_a_page_whose_address_says_more_bring_it_along(service, audited, governed, address):
    visitor = sign_in_with(Visitor(audited if address.startswith("/audit") else governed), GROUP)
    area = address[: address.index("/", 1)]
    forms = [form for form in read(visitor.get(address)).forms if area in form.action and "csrf_token" in form.fields]
    assert {form.fields["back"] for form in forms} == {address}
