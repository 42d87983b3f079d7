"""Everything that employees see, read by a Chinese browser: nothing in English is left on it."""

import re
from html.parser import HTMLParser

import pytest

from bridge.sandbox.browser import Browser
from bridge.sandbox.idp.sessions import Method
from tests.integration.program import listening
from tests.integration.test_links import PAGE, find_id

ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,;:]+[A-Za-z]{2,}){2,}")
HAN = re.compile(r"[\u4e00-\u9fff]")
TYPED = {"mono", "code"}
FOR_PROGRAMS = {"script", "style", "code", "pre", "kbd"}
WRITTEN = re.compile(r"(?:title|purpose|owner): *(.+)")
WRITTEN_BY_DEPLOYERS = {"data-more", "data-account"}
SPOKEN = re.compile(r"title|placeholder|alt|aria-(label|description|valuetext)|data-.*")
EMPTY = {"meta", "link", "input", "br", "hr", "img", "use"}


class Reader(HTMLParser):
    """Collects what is read on a page, what a script would show later included, without names and code."""

    def __init__(self):
        super().__init__()
        self.language = ""
        self.texts = []
        self._open = []

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = attributes["lang"]
        skipped = (
            tag in FOR_PROGRAMS or attributes.get("lang") == "en" or TYPED & {*attributes.get("class", "").split()}
        )
        if not skipped:
            self.texts += [
                text for name, text in attributes.items() if SPOKEN.fullmatch(name) and name not in WRITTEN_BY_DEPLOYERS
            ]
        if tag not in EMPTY:
            self._open.append((tag, skipped))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not any(skipped for _, skipped in self._open):
            self.texts.append(" ".join(data.split()))


@pytest.fixture(scope="module")
def configured(running):
    """What deployers wrote, which stays as it is."""
    files = running[0].config.rglob("*.yaml")
    return {text.strip(" \"'") for file in files for text in WRITTEN.findall(file.read_text())}


@pytest.fixture
def check(configured):
    """Return a function that reads a page."""

    def read(page, expected=""):
        reader = Reader()
        reader.feed(page.html)
        text = "\n".join(reader.texts)
        assert reader.language == page.headers["Content-Language"] == "zh-CN", page.url
        assert expected in text, (page.url, text)
        for each in sorted(configured, key=len, reverse=True):
            text = text.replace(each, "")
        assert ENGLISH.findall(text) == [], page.url
        assert len(HAN.findall(text)) > 10
        return page

    return read


def come(installation, uid="lin.wei", method=Method.SECURITY_KEY):
    """Return a Chinese browser that is signed in at the identity provider."""
    browser = Browser(language="zh-CN,zh;q=0.9,en;q=0.8")
    browser.open(installation.idp)
    browser.submit("Sign in", user_name=uid, method=method.value)
    return browser


def test_signing_in_and_out_is_in_chinese(installation, check):
    stranger = Browser(language="zh-CN")
    check(stranger.open(f"{installation.bridge}/sign-in?choose=1&return_to=/device"), "请输入您的工作邮箱")
    check(stranger.submit("/sign-in", address="x@elsewhere.example"), "此处不支持使用该域名的邮箱登录")
    check(stranger.open(f"{installation.bridge}/signed-out"), "您已在此处退出登录")
    stranger.submit("English")
    check(stranger.submit("简体中文"), "页面已切换为简体中文")
    check(stranger.open(f"{installation.bridge}/nowhere"))
    browser = come(installation)
    browser.click("Alibaba Cloud")
    check(browser.auto_submit(), "这是您本人吗？")
    check(browser.submit("/sign-in/confirm"), "您的访问权限")
    browser.submit("/sign-out")
    check(browser.page)


def test_the_portal_and_what_it_leads_to_is_in_chinese(installation, check):
    browser = come(installation)
    browser.click("Rambridge")
    installation.go_on(browser)
    role = find_id(installation, browser, "ReadOnly")
    bridge = installation.bridge
    check(browser.open(f"{bridge}/"), "敏感级别：高")
    check(browser.submit(f"/credentials/{role}"), "有效时长为 1 小时，由默认会话时长决定。")
    check(browser.open(f"{bridge}/links/{role}"), "长期有效")
    check(browser.submit(f"/links/{role}", to="https://evil.example/"))
    check(browser.submit(f"/links/{role}", to=PAGE), "链接已生成")
    check(browser.open(f"{bridge}/open/acme-production/ReadOnly?to={PAGE}"), "打开控制台？")
    check(browser.submit(f"/console/{role}"), "请稍候")
    check(browser.open(f"{bridge}/open/acme-production"), "您有多个角色适用")
    check(browser.open(f"{bridge}/find"))
    check(browser.submit("/find", pasted="acs:ecs:cn-hangzhou:1000000000000001:instance/i-1"))
    check(browser.open(f"{bridge}/my/sign-ins"), "年")
    check(browser.open(f"{bridge}/my/sessions"))


def test_a_role_that_needs_more_says_so_in_chinese(installation, check):
    browser = come(installation, method=Method.PASSWORD)
    browser.click("Rambridge (OpenID Connect)")
    check(browser.open(f"{installation.bridge}/"), "例如第二重验证")
    nobody = come(installation, uid="zhang.min")
    nobody.click("Rambridge (OpenID Connect)")
    check(nobody.open(f"{installation.bridge}/"))


def test_programs_ask_in_chinese(installation, check):
    browser = come(installation)
    browser.click("Rambridge")
    installation.go_on(browser)
    with listening(installation.bridge) as program:
        check(browser.open(program.question()), "是您启动了 rambridge 命令吗？")
        check(browser.open(program.question(redirect_uri="http://evil.example/callback")))
        check(browser.open(f"{installation.bridge}/device"), "请输入终端中显示的验证码")
        check(browser.open(f"{installation.bridge}/device?user_code=BCDF-GHJK"), "验证码有效期为 8 分钟")
        for answer, expected in (("/device/allow", "终端已登录"), ("/device/refuse", "已拒绝该终端")):
            program.start_device()
            address = f"{installation.bridge}/device?user_code={program.device['user_code']}"
            token = check(browser.open(address), "这是您的终端吗？").forms[1].fields
            button = {"/device/allow": "以 林薇 的身份允许", "/device/refuse": "这不是我的操作"}[answer]
            assert token["csrf_token"]
            check(browser.submit(button), expected)


def test_a_switch_at_the_foot_of_a_page_wins_over_the_browser(installation):
    browser = Browser(language="zh-CN")
    browser.open(f"{installation.bridge}/signed-out")
    browser.submit("English")
    assert "You are signed out here" in browser.open(f"{installation.bridge}/signed-out").text()
    browser.submit("简体中文")
    assert "您已在此处退出登录" in browser.open(f"{installation.bridge}/signed-out").text()
