"""The pages of versions, over HTTP: two administrators change the rules, and nobody else does."""

import re
import time
from datetime import timedelta

import pytest
import requests

from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.clock import SystemClock
from bridge.rollout.starting import open_tables
from bridge.rollout.versions import Versions
from bridge.settings import load_settings, read_rule_files
from tests.english import find_english_on
from tests.installation import run_installation

RULE = """rules:
- name: more
  everyone: true
  grant:
  - account: acme-sandbox
    role: {role}
"""
ADDRESSES = ("", "/draft", "/{version}", "/{version}/rollback", "/requests/{request}")
POSTS = ("/draft", "/{version}/rollback", "/requests/{request}/confirm", "/requests/{request}/reject")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    def configure(installation):
        bridge = installation.config / "bridge.yaml"
        written = bridge.read_text().replace("[platform-admins]", "[platform-admins, security-admins]")
        bridge.write_text(f"{written}\nrules:\n  rollout: promote\n  max_changed_share: 0\n")

    with run_installation(tmp_path_factory.mktemp("versions-pages"), configure) as running:
        yield running


class Pages:
    """The pages, for one person."""

    def __init__(self, installation, uid):
        self.browser = installation.sign_in(uid)
        self.base = f"{installation.bridge}/admin/versions"
        self.cookies = {cookie.name: cookie.value for cookie in self.browser.cookies}

    def open(self, path=""):
        return self.browser.open(self.base + path)

    def csrf_token(self):
        return re.search(r'name="csrf_token" value="([^"]+)"', self.open().html)[1]

    def post(self, path, fields, site="same-origin"):
        """Send a form as a stranger's program could, with this person's cookies."""
        return requests.post(
            self.base + path,
            fields,
            headers={"Sec-Fetch-Site": site} if site else {},
            cookies=self.cookies,
            allow_redirects=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def lin(running):
    pages = Pages(running[0], "lin.wei")
    wait_until_kept(running[0])
    return pages


@pytest.fixture(scope="module")
def siobhan(running):
    return Pages(running[0], "siobhan.oneill")


def wait_until_kept(installation):
    """A change is measured on the sign-ins that are kept, and keeping follows a sign-in."""
    deadline, now = time.monotonic() + 120, SystemClock().now()
    with open_kept_sign_ins(load_settings(installation.config)) as history:
        while not history.count(now - timedelta(days=1), now + timedelta(days=1)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def versions(installation):
    tables = open_tables(load_settings(installation.config))
    yield Versions(tables)
    tables.close()


def edit(installation, comment):
    """Write another draft, and return its version."""
    path = installation.config / "rules" / "40-more.yaml"
    path.write_text(f"# {comment}\n{RULE.format(role=f'R{abs(hash(comment))}')}")
    return read_rule_files(path.parent).version


def ask(pages, installation, comment):
    """Let somebody ask for a draft through the page; return the request's name."""
    edit(installation, comment)
    pages.open("/draft")
    page = pages.browser.submit("/admin/versions/draft", message=comment)
    return re.search(r"/admin/versions/requests/([0-9a-f]{12})", page.html)[1]


def test_one_administrator_asks_and_only_another_one_confirms(installation, lin, siobhan, versions):
    before = versions.latest()
    request = ask(lin, installation, "a first <script>alert(1)</script> comment")
    assert versions.latest() == before
    page = lin.open(f"/requests/{request}")
    assert "Another administrator has to confirm it" in page.html
    assert "<script>alert" not in page.html
    lin.browser.click("Who would gain and lose what")
    chosen = re.search(r'name="draft" value="([0-9a-f]{64})" required checked', lin.browser.page.html)
    assert chosen, "the preview begins with this change"
    token = lin.csrf_token()
    refused = lin.post(f"/requests/{request}/confirm", {"csrf_token": token})
    assert (refused.status_code, "rules_same_person" in refused.text) == (403, True)
    assert versions.latest() == before
    siobhan.open(f"/requests/{request}")
    siobhan.browser.click("Bring it into force")
    assert versions.latest().version == read_rule_files(installation.config / "rules").version
    deadline = time.monotonic() + 120
    ready = f"{installation.bridge}/health/ready"
    while requests.get(ready, timeout=60).json()["rules"]["version"] != versions.latest().version:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_was_replaced_comes_back_by_one_form_that_shows_what_changes(installation, lin, siobhan, versions):
    siobhan.open(f"/requests/{ask(lin, installation, 'to be undone')}")
    siobhan.browser.click("Bring it into force")
    replaced = versions.latest().previous
    page = lin.open(f"/{replaced}/rollback")
    assert "to be undone" in page.html
    assert versions.latest().version != replaced, "asking changes nothing"
    lin.browser.submit(f"/admin/versions/{replaced}/rollback", message="as it was")
    assert (versions.latest().version, versions.latest().message) == (replaced, "as it was")


def test_a_rejected_change_is_gone(installation, lin, siobhan, versions):
    before = versions.latest()
    request = ask(lin, installation, "not wanted")
    siobhan.open(f"/requests/{request}")
    siobhan.browser.click("Reject it")
    assert request not in lin.open().html
    token = siobhan.csrf_token()
    assert siobhan.post(f"/requests/{request}/confirm", {"csrf_token": token}).status_code == 404
    assert versions.latest() == before


def test_forms_that_name_what_is_not_so_any_more_change_nothing(installation, lin, versions):
    current, token = versions.latest(), lin.csrf_token()
    draft = edit(installation, "another draft")
    good = {"csrf_token": token, "version": draft, "in_force": current.version}
    for wrong in ({"version": "0" * 64}, {"version": ""}, {"in_force": draft}, {"in_force": ""}):
        refused = lin.post("/draft", good | wrong)
        assert (refused.status_code, "rules_request_stale" in refused.text) == (409, True)
    refused = lin.post(f"/{current.previous or current.version}/rollback", good | {"in_force": "0" * 64})
    assert refused.status_code == 409
    assert versions.latest() == current
    assert lin.post("/draft", good).status_code == 303


@pytest.mark.parametrize("name", ["0" * 64, "abc", "%25%25%25%25%25%25%25", "..%2f..%2fetc%2fpasswd", "' OR '1'='1"])
def test_addresses_of_nothing_are_not_found(lin, name):
    for path in (f"/{name}", f"/{name}/rollback", f"/requests/{name}"):
        assert lin.open(path).status == 404


def test_nobody_but_an_administrator_sees_or_changes_anything(installation, lin, versions):
    current = versions.latest()
    names = {"version": current.version, "request": ask(lin, installation, "for others to see")}
    sofia = Pages(installation, "sofia.marchetti")
    token = re.search(r'name="csrf_token" value="([^"]+)"', sofia.browser.open(f"{installation.bridge}/").html)[1]
    for path in ADDRESSES:
        page = sofia.open(path.format(**names))
        told = page.html.replace(f"/admin/versions{path.format(**names)}", "…")  # the foot leads back to this address
        assert (page.status, current.version[:12] in told) == (403, False)
    for path in POSTS:
        refused = sofia.post(path.format(**names), {"csrf_token": token, "in_force": current.version})
        assert (refused.status_code, "web_forbidden" in refused.text) == (403, True)
        assert requests.post(lin.base + path.format(**names), timeout=60, allow_redirects=False).status_code in {
            303,
            403,
        }
    assert versions.latest() == current


@pytest.mark.parametrize(
    "forged",
    [(None, "same-origin"), ("0" * 43, "same-origin"), ("own", "cross-site"), ("own", "same-site"), ("own", None)],
)
def test_a_form_of_another_site_changes_nothing(installation, siobhan, lin, versions, forged):
    token, site = forged
    current = versions.latest()
    names = {"version": current.previous or current.version, "request": ask(lin, installation, f"by {token} {site}")}
    fields = {"in_force": current.version, "version": edit(installation, f"by {token} {site}")}
    if token:
        fields["csrf_token"] = siobhan.csrf_token() if token == "own" else token
    for path in POSTS:
        refused = siobhan.post(path.format(**names), fields, site)
        assert (refused.status_code, "web_cross_site" in refused.text) == (403, True)
    assert versions.latest() == current


def test_a_draft_with_errors_is_shown_with_them_and_without_a_button(installation, lin):
    (installation.config / "rules" / "40-more.yaml").write_text("rules: nonsense\n")
    page = lin.open("/draft")
    assert "40-more.yaml:1" in page.html
    assert not [form for form in page.forms if form.action.endswith("/draft")]
    edit(installation, "good again")


def read_in(language, pages, address, but=()):
    """Return a page as this person's browser shows it in a language."""
    answer = requests.get(
        f"{pages.base.removesuffix('/admin/versions')}{address}",
        headers={"Accept-Language": language},
        cookies=pages.cookies,
        timeout=60,
    )
    assert f'<html lang="{language}"' in answer.text
    if language == "zh-CN":
        assert find_english_on(answer.text, but=but) == [], address
    return answer.text


def test_an_administrator_who_reads_chinese_has_every_page_of_a_change(installation, lin, siobhan, versions):
    request = ask(lin, installation, "为项目调整角色")
    messages = [text for change in versions.changes(50) for text in (change.message, change.author)]
    for path in ("", "/draft", f"/requests/{request}", f"/{versions.latest().version}"):
        assert "规则" in read_in("zh-CN", lin, f"/admin/versions{path}", messages)
    assert "须由另一位管理员确认" in read_in("zh-CN", lin, f"/admin/versions/requests/{request}")
    assert "要确认此变更吗？" in read_in("zh-CN", siobhan, f"/admin/versions/requests/{request}")
    siobhan.open(f"/requests/{request}")
    siobhan.browser.click("Bring it into force")
    previous = versions.changes(2)[1].version
    assert "回滚到" in read_in("zh-CN", lin, f"/admin/versions/{previous}/rollback", messages)
    broken = installation.config / "rules" / "40-more.yaml"
    whole = broken.read_text()
    broken.write_text(whole.replace("everyone: true", "everyone: maybe"))
    assert "无法生效：其中有错误" in read_in("zh-CN", lin, "/admin/versions/draft")
    broken.write_text(whole)


def test_one_preview_is_read_by_each_administrator_in_their_own_language(installation, lin, siobhan):
    ask(lin, installation, "one that both look at")
    assert "由 林薇" in read_in("zh-CN", lin, "/admin/preview")
    lin.browser.open(f"{installation.bridge}/admin/preview")
    page = lin.browser.submit("/admin/preview")
    address = "/admin/preview/" + re.search(r"/admin/preview/([0-9a-f]{32})", lin.browser.page.url + page.html)[1]
    deadline = time.monotonic() + 120
    while "progress" in read_in("en", lin, address):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    english, chinese = read_in("en", lin, address), read_in("zh-CN", siobhan, address)
    for here, there in (
        ("Groups, rules and roles, before and after", "变更前后的用户组、规则与角色"),
        ("Gain something", "获得权限"),
        ("which 林薇", "由 林薇"),
        (">added<", ">新增<"),
    ):
        assert here in english
        assert here not in chinese
        assert there in chinese
        assert there not in english
