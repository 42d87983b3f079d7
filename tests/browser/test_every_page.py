"""Every page of the product, as people see it: in both languages, both schemes and both widths, with axe on each.

Pages are reached by their addresses and forms, whatever they say. A template that no page here shows fails the test.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

import pytest
from flask import template_rendered

from bridge import embedded_store
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.clock import SystemClock
from bridge.keys import KeyFolder
from bridge.language import Said
from bridge.preview.runs import Run, Runs
from bridge.sealing import Sealer
from bridge.settings import load_settings
from bridge.store_connection import connect_store
from tests.browser.conftest import LOOKS, PICTURES, find_barriers, prepare
from tests.browser.test_administration import send_old_answer
from tests.browser.test_audit_trail import STRAY, import_trail
from tests.browser.test_choose_provider import sign_in_with
from tests.browser.test_explain import CLAIMS
from tests.browser.test_preview import CHANGED
from tests.browser.test_sign_in import Mouse, sign_in_at_idp
from tests.installation import ROOT, run_installation
from tests.integration.program import listening

LAYOUTS = {
    "admin.html",
    "audit.html",
    "audit_parts.html",
    "audit_trail_parts.html",
    "base.html",
    "chart_parts.html",
    "find_box.html",
    "parts.html",
}
PAGES = {path.name for path in (ROOT / "bridge" / "web" / "templates").glob("*.html")} - LAYOUTS

DOCUMENTED = {
    ("portal", "en"): "portal",
    ("portal", "zh-CN"): "portal-zh",
    ("refusal", "en"): "refusal",
    ("admin-explain", "en"): "explain",
    ("admin-preview-result", "en"): "preview",
    ("audit-search", "en"): "audit-search",
}
"""The pictures in README.md and docs/, which are taken anew if RAMBRIDGE_TEST_PICTURES is ``docs``."""
ENLARGED = (640, 320)
"""Widths of a window of 1280 pixels at 200 and 400 %: WCAG 2.2, 1.4.4 and 1.4.10."""
BY_REDIRECT = "Rambridge (OpenID Connect)"
"""The tile that leads to us without a form, which the plain browser would have to send."""
PARTNER = """name: partner
title: Partner
protocol: oidc
issuer: {issuer}
client_id: rambridge
client_secret: file:partner-secret
logout: provider
"""


@dataclass
class Tour:
    """Somebody with a browser who looks at pages."""

    page: object
    installation: object
    partner: object
    """A provider where one can sign out."""
    language: str
    scheme: str
    widths: tuple
    shoot: object
    rendered: list
    """The templates that were rendered, in order; the last one is what the browser shows."""
    seen: set = field(default_factory=set)
    found: list = field(default_factory=list)

    def open(self, address):
        self.page.goto(self.installation.bridge + address)

    def press(self, form, button="button"):
        """Send the first form whose action begins so, and wait for the page that answers."""
        self.leave(self.page.locator(f"form[action^='{form}'] {button}").first)

    def leave(self, element):
        """Click what leads to another page, and wait for that; where it goes on by itself is another matter."""
        self.page.evaluate("document.documentElement.dataset.left = ''")
        element.click()
        self.page.locator("html:not([data-left])").wait_for()

    def look(self, name):
        """Note what axe finds and what does not fit, and take the picture."""
        self.page.locator("main").wait_for()
        self.page.wait_for_load_state()  # axe would measure colours without the style sheet
        self.seen.add(self.rendered[-1])
        if self.page.locator("html").get_attribute("lang") != self.language:
            self.found.append((name, "language"))
        for width in self.widths:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.found += [(name, width, *barrier) for barrier in find_barriers(self.page)]
            self._check_width(name, width)
            self.shoot(self.page, f"{name}-{self.language}-{self.scheme}-{width}")
        if PICTURES == "docs" and (name, self.language) in DOCUMENTED:
            self._document(DOCUMENTED[name, self.language])
        for width in ENLARGED:
            self.page.set_viewport_size({"width": width, "height": 450})
            self._check_width(name, width)
        self.page.set_viewport_size({"width": self.widths[0], "height": 900})

    def _document(self, name):
        images = ROOT / "docs" / "images"
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.screenshot(path=images / f"{name}.png")
        if name == "portal":
            self.page.emulate_media(color_scheme="dark")
            self.page.screenshot(path=images / f"{name}-dark.png")
            self.page.emulate_media(color_scheme=self.scheme)

    def _check_width(self, name, width):
        if not self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            self.found.append((name, width, "too wide"))

    @contextmanager
    def held_back(self, address):
        """Let the browser stay on pages that would go on by themselves to an address, or by a script."""
        self.page.route(address, lambda route: route.fulfill(status=204))
        yield
        self.page.unroute(address)


def configure(issuer, installation):
    """Two people for a change of the rules, a trail that is judged at once, and a sign-out that goes on elsewhere."""
    prepare(installation)
    config = installation.config
    bridge = config / "bridge.yaml"
    text = bridge.read_text().replace("[platform-admins]", "[platform-admins, security-admins]", 1)
    bridge.write_text(f"{text}\nrules: {{rollout: promote, max_changed_share: 0}}\n")
    (config / "audit.yaml").write_text("trail: {clock_tolerance_seconds: 0, settling_seconds: 0}\n")
    (config / "providers" / "partner.yaml").write_text(PARTNER.format(issuer=issuer))
    (config / "providers" / "partner-secret").write_text("s3cret+/%")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with ExitStack() as stack:
        partner = stack.enter_context(OpenIDProvider())
        partner.claims = {"groups": None}
        partner.metadata = {"end_session_endpoint": f"{partner.url}/logout"}
        installation, app = stack.enter_context(
            run_installation(tmp_path_factory.mktemp("every-page"), partial(configure, partner.issuer))
        )
        rules = installation.config / "rules" / "10-platform.yaml"
        rules.write_text(rules.read_text().replace("role: Developer", "role: SandboxDeveloper", 1) + CHANGED)
        installation.sign_in("ines.ferrand", BY_REDIRECT, mfa=False)
        yield installation, app, partner


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def tour(request, new_page, running, shoot):
    installation, app, partner = running
    language, scheme, widths = request.param
    page = new_page(viewport={"width": widths[0], "height": 900}, color_scheme=scheme, locale=language)
    rendered = []

    def note(_, template, **__):
        if template.name in PAGES:
            rendered.append(template.name)

    with template_rendered.connected_to(note, app):
        yield Tour(page, installation, partner, language, scheme, widths, shoot, rendered)


def test_every_page_has_its_picture_and_no_barrier(tour, tmp_path):
    look_at_the_way_in(tour)
    look_at_what_employees_see(tour)
    look_at_what_programs_ask(tour)
    look_at_what_administrators_see(tour)
    look_at_what_auditors_see(tour, tmp_path)
    look_at_the_way_out(tour)
    assert tour.found == []
    assert PAGES - tour.seen == set(), "no picture, and axe has not seen it"


def look_at_the_way_in(tour):
    tour.open("/")
    tour.look("sign-in")
    tour.page.locator("#address").fill("x@elsewhere.example")
    tour.press("/sign-in")
    tour.look("sign-in-unknown")
    with tour.held_back(f"{tour.installation.idp}/**"):
        tour.page.locator("#address").fill("ines.ferrand@partner.example")
        tour.press("/sign-in")
        tour.look("going-on")
    with tour.held_back("**/submit.js*"):
        tour.open("/sign-in/acme-saml")
        tour.look("hand-over")
    sign_in_at_idp(tour.page, Mouse(tour.page), tour.installation)
    tour.page.get_by_role("button", name="Alibaba Cloud", exact=True).click()
    tour.page.locator("form[action='/sign-in/confirm']").wait_for()
    tour.look("confirm")
    tour.press("/sign-in/confirm")
    tour.page.locator("[data-account]").first.wait_for()


def look_at_what_employees_see(tour):
    tour.look("portal")
    tour.press("/credentials/")
    tour.look("credentials")
    for name, address in {
        "link": "/open/acme-production/ReadOnly?to=https%3A%2F%2Fecs.console.aliyun.com%2Fserver",
        "links": "/open/acme-production",
        "own-sessions": "/my/sessions",
        "own-sign-ins": "/my/sign-ins",
        "error": "/no-such-page",
        "refusal": "/oidc/acme-oidc/callback?code=x&state=y",
    }.items():
        tour.open(address)
        tour.look(name)
    for name, pasted in {"find": "https://ecs.console.aliyun.com/server", "find-nothing": "please help"}.items():
        tour.open("/")
        tour.page.locator("details:has(#pasted) > summary").click()
        tour.page.locator("#pasted").fill(pasted)
        tour.press("/find")
        tour.look(name)
    tour.open("/")
    tour.open(tour.page.locator("a[href^='/links/']").first.get_attribute("href"))
    tour.look("link-new")
    tour.page.locator("#to").fill("https://ecs.console.aliyun.com/server")
    tour.press("/links/")
    tour.look("link-made")


def look_at_what_programs_ask(tour):
    with listening(tour.installation.bridge) as program:
        tour.page.goto(program.question())
        tour.look("program-asks")
        tour.page.goto(program.question(redirect_uri="http://evil.example/callback"))
        tour.look("program-elsewhere")
        program.start_device()
        for name, code in {"terminal-unknown": "BCDF-GHJK", "terminal-asks": program.device["user_code"]}.items():
            tour.open("/device")
            if name == "terminal-unknown":
                tour.look("terminal-code")
            tour.page.locator("#user_code").fill(code)
            tour.press("/device")
            tour.look(name)
        tour.press("/device/allow")
        tour.look("terminal-allowed")


def look_at_what_administrators_see(tour):
    page = tour.page
    used, tampered = (send_old_answer(tour.installation, tampered=tampered) for tampered in (False, True))
    for name, address in {
        "sign-ins": "/admin/sign-ins",
        "trace-used": f"/admin/sign-ins/{used}",
        "trace-tampered": f"/admin/sign-ins/{tampered}",
        "trace-nothing": "/admin/sign-ins/0000-0000-0000",
        "providers": "/admin/providers",
        "rules": "/admin/rules",
        "rules-none": "/admin/rules?text=nowhere",
        "versions": "/admin/versions",
        "version-draft": "/admin/versions/draft",
        "explain-asks": "/admin/explain",
    }.items():
        tour.open(address)
        tour.look(f"admin-{name}")
    page.locator("details", has=page.locator("#claims")).locator("summary").click()
    page.locator("#claims").fill(CLAIMS)
    tour.press("/admin/explain")
    page.locator("details:not([open]):not(:has(#claims))").first.locator("summary").click()
    tour.look("admin-explain")
    tour.open("/admin/explain")
    page.locator("#person").fill("nobody")
    tour.press("/admin/explain")
    tour.look("admin-explain-fault")
    tour.open("/admin/sign-ins")
    tour.leave(page.locator("tr", has_text="林薇").first.get_by_role("link").first)
    tour.look("admin-trace-accepted")
    tour.open("/admin/preview")
    tour.look("admin-preview")
    tour.open(f"/admin/preview/{put_running(tour.installation)}")
    tour.look("admin-preview-running")
    tour.open("/admin/preview")
    tour.press("/admin/preview")
    page.locator("svg[role=img]").wait_for()
    tour.look("admin-preview-result")


def put_running(installation):
    """Let another process have a preview under way, and return its id."""
    store = connect_store(embedded_store.start(installation.store_folder))
    clock = SystemClock()
    sealer = Sealer(*KeyFolder(load_settings(installation.config).key_folder).sealing_keys())
    told_at = datetime.now(UTC) + timedelta(hours=1)  # else it would be taken for dead while one looks
    run = Run("0" * 31 + "1", Said("config/rules"), "running", 1_234, 56_789, told_at)
    Runs(None, store, sealer, clock)._save(run)
    store.close()
    return run.id


def look_at_what_auditors_see(tour, folder):
    page = tour.page
    key, _ = import_trail(tour.installation, folder)
    tour.open("/audit/records?event=delivery.credentials")
    links = page.locator("main table a")
    issued = next(each for each in links.evaluate_all("all => all.map(each => each.getAttribute('href'))"))
    person = page.locator("main table a", has_text="林薇").first.get_attribute("href")
    tour.open("/audit/records?event=sign_in.refused")
    refused = page.locator("main table a").first.get_attribute("href")
    for name, address in {
        "overview": "/audit",
        "records": "/audit/records",
        "search": "/audit/records?text=lin&event=sign_in.accepted",
        "nothing": "/audit/records?code=nothing",
        "record": issued,
        "refused": refused,
        "people": "/audit/people",
        "person": person,
        "trail": "/audit/trail",
        "thread": f"/audit/trail/credentials/{key}",
        "stray": f"/audit/trail/credentials/{STRAY}",
    }.items():
        tour.open(address)
        tour.look(f"audit-{name}")


def look_at_the_way_out(tour):
    """Out of one session at once, out of another by way of its provider; and what a weaker sign-in leaves out."""
    tour.open("/")
    tour.press("/sign-out")
    tour.open("/signed-out")
    tour.look("signed-out")
    with tour.held_back(f"{tour.installation.bridge}/signed-out"):
        tour.press("/language")
        tour.press("/language")
        tour.look("language")
    asked = tour.page.request.get(f"{tour.installation.bridge}/sign-in/partner", max_redirects=0)
    tour.open(f"/oidc/partner/callback?{urlencode(tour.partner.authorize(asked.headers['location']))}")
    tour.look("portal-empty")
    with tour.held_back(f"{tour.partner.url}/**"):
        tour.press("/sign-out")
        tour.look("leave")
    tour.page.context.clear_cookies()
    tour.open("/sign-in/acme-oidc")
    sign_in_with(tour.page, Mouse(tour.page), "Password only")
    tour.page.locator("[data-account]").first.wait_for()
    tour.look("portal-within-reach")
    tour.page.context.clear_cookies()
    with tour.held_back(f"{tour.installation.bridge}/sign-in**"):
        tour.press("/credentials/")
        tour.look("sign-in-again")
