"""An administrator who reads Chinese has every page in Chinese; what is recorded of them stays English."""

import json
import re

import pytest

from bridge.attack.oidc.tokens import expected, forge
from bridge.attack.saml.honest import HONEST
from bridge.attack.scripted_server import wait_until
from bridge.audit.events import SignInExplained
from bridge.entitlements.rules import RuleFiles
from bridge.identity.checks import explain_checks
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.recorded_words import read_recorded
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.trace import SAMLTrace
from bridge.language import speaking
from bridge.settings.configuration import compile_rule_files
from tests.attacks.door import Visitor, begin, draft_response, post_response, read_reference, sign_in
from tests.attacks.test_languages import CHINESE
from tests.attacks.test_providers_page import ADMINISTRATORS
from tests.attacks.test_rules_page import MORE, NARROW, RULES
from tests.english import find_english, find_english_on

READER = "lian@example.com"
"""Signs in here alone: nobody else of this name is kept."""
NAMES = ("Alice Example", "alice@example.com", READER, "cloud-team", "Project Kiwi")
CLAIMS = {"groups": ["Platform", "partners", "data "], "department": "data", "level": "4"}


@pytest.fixture(scope="module")
def node(running_service, tmp_path_factory):
    texts = {"first": RULES, "more": MORE, "narrow": NARROW}
    files = RuleFiles(tmp_path_factory.mktemp("rules"), {f"{name}.yaml": text.encode() for name, text in texts.items()})
    rules = compile_rule_files(running_service.configuration, files)
    return running_service.start(rules=rules, administrators=ADMINISTRATORS)


@pytest.fixture
def administrator(service, node):
    visitor = Visitor(node)
    sign_in(visitor, READER)
    return visitor


def look(administrator, path):
    """Return a page in Chinese; it has no English but names, code and what was recorded."""
    page = administrator.get(path, headers=CHINESE)
    check(page)
    return page.text


def check(page):
    assert '<html lang="zh-CN"' in page.text, page.status_code
    assert find_english_on(page.text, but=NAMES) == []


def ask(administrator, **fields):
    token = administrator.get("/admin/explain").text.split('name="csrf_token" value="')[1].split('"')[0]
    return administrator.post("/admin/explain", {"csrf_token": token, **fields}, headers=CHINESE)


@pytest.mark.usefixtures("no_failures")
def test_sign_ins_and_the_trace_of_one_that_was_refused(service, node, administrator):
    visitor = Visitor(node)
    question = begin(visitor, "corp")
    draft = draft_response("corp", question.request_id)
    draft.find("//saml:Conditions").set("NotBefore", "2026-11-24T12:30:00Z")
    before = service.last()
    reference = read_reference(post_response(visitor, "corp", draft.encode(), question.handle))
    trace = look(administrator, f"/admin/sign-ins/{reference}")
    assert "不在将来；时钟可相差 60 秒" in trace
    assert "此登录被拒绝" in trace
    [record] = service.records(before)
    assert record["checks"][-1][-1] == "not in the future; clocks may differ by 60 s"
    page = look(administrator, "/admin/sign-ins")
    accepted = re.search(r'已接受</span>.*?href="(/admin/sign-ins/[^"]+)"', page, re.DOTALL)[1]
    assert "授予 first.yaml:used：`groups` 含有 platform" in look(administrator, accepted)
    assert "参考编号由十二个数字" in look(administrator, "/admin/sign-ins?reference=none")
    look(administrator, "/admin/sign-ins/0000-0000-0000")


@pytest.mark.usefixtures("no_failures")
def test_the_rules_the_providers_and_the_previews_that_one_can_begin(administrator):
    rules = look(administrator, "/admin/rules")
    for sentence in ("3 个文件，共 5 条规则", "经身份提供商确认的所有人", "（不区分大小写）", "Asia/Shanghai 时间"):
        assert sentence in rules
    look(administrator, "/admin/rules?text=nowhere")
    assert "本服务的密钥" in look(administrator, "/admin/providers")
    for path in ("/admin/preview", "/admin/versions"):
        look(administrator, path)


@pytest.mark.usefixtures("no_failures")
def test_explanations_are_chinese_and_the_record_of_a_look_is_not(service, administrator):
    asked = ask(administrator, claims=json.dumps({"provider": "corp", "claims": CLAIMS}))
    check(asked)
    assert "差一点匹配" in asked.text
    assert wait_until(lambda: "依据" in ask(administrator, person=READER).text)
    before = service.last()
    page = ask(administrator, person=READER)
    check(page)
    assert "仅含允许保存的声明" in page.text
    [record] = [each for each in service.records(before) if each["event"] == SignInExplained.name]
    assert json.dumps(record).isascii()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "请填写姓名"),
        ({"person": "nobody"}, "没有保存名为“nobody”的人的登录。"),
        ({"person": "alice", "at": "soon"}, "“soon”不是时间"),
        ({"person": "alice", "address": "here"}, "“here”不是 IP 地址。"),
        ({"claims": "{}"}, "请写上 `provider`"),
        ({"claims": "a: b: c"}, '无法读取这些声明。 <span lang="en">Line 1'),
    ],
)
def test_whoever_fills_the_form_in_wrong_is_told_so_in_chinese(administrator, fields, said):
    page = ask(administrator, **fields)
    assert page.status_code == 400
    assert said in page.text
    check(page)


def test_every_check_is_put_into_chinese_with_all_that_is_measured_and_allowed():
    draft, saml, oidc = HONEST["both_signed"](), SAMLTrace(), OIDCTrace()
    verify_response(draft.encode(), draft.expected, saml)
    verify_id_token(forge(), expected(), oidc)
    for protocol, trace in (("saml", saml), ("oidc", oidc)):
        trace.at = trace.rows[-1].name
        made = trace.describe()
        assert len(made) > len(trace.rows) / 2
        assert all("".join(check).isascii() for check in made), "a record is English"
        with speaking("zh-CN"):
            for line in explain_checks(protocol, made):
                texts = (line.title, read_recorded(line.measured), read_recorded(line.allowed))
                assert [found for text in texts for found in find_english(text)] == []
