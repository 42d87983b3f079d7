"""What is understood of messages as APIs, SDKs, CLI, Terraform and consoles write them, and of hostile text."""

# ruff: noqa: E501 - messages stand here as they come

import json
import time
from xml.sax.saxutils import escape

import pytest

from bridge.delivery.links import check_destination
from bridge.pasted.offer import MOST_WILDCARDS, find_destination, find_question
from bridge.pasted.products import PRODUCTS, Place, build_page
from bridge.pasted.reading import LONGEST, read_pasted
from bridge.ram_policies.patterns import compile_patterns, normalise
from tests.factories import make_account

DETAIL = {
    "AuthAction": "ecs:StopInstance",
    "AuthPrincipalDisplayName": "ReadOnly:lin.wei",
    "AuthPrincipalOwnerId": "1000000000000001",
    "AuthPrincipalType": "AssumedRoleUser",
    "NoPermissionType": "ExplicitDeny",
    "PolicyType": "AccountLevelIdentityBasedPolicy",
    "EncodedDiagnosticMessage": "AQIBIAAAAOPdwKY2QLOvgMEc7SkkoJfj1kvZwsaRqNYMh10Tv0wTe0fCzaCdrvgazfNb0EnJKETgXyhR+3BIQjx9WAqZryej",
}
BODY = {
    "RequestId": "6B9C-1",
    "HostId": "ecs.cn-hangzhou.aliyuncs.com",
    "Code": "Forbidden.RAM",
    "Message": "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
    "AccessDeniedDetail": DETAIL,
}
GO_MAP = " ".join(f"{name}:{value}" for name, value in DETAIL.items())
INSTANCE = "acs:ecs:cn-hangzhou:1000000000000001:instance/i-bp1"

DENIALS = {
    "the body": json.dumps(BODY),
    "the body, indented": json.dumps(BODY, indent=4),
    "the body, escaped in a log": json.dumps({"log": json.dumps(BODY)}),
    "Python SDK": f"Error: Forbidden.RAM code: 403, User not authorized. request id: 6B9C-1 Response: {BODY}",
    "CLI": f"ERROR: SDK.ServerError\nErrorCode: Forbidden.RAM\nRecommend: https://api.aliyun.com/troubleshoot?q=x\nRequestId: 6B"
    f"\nMessage: User not authorized to operate on the specified resource.\nAccessDeniedDetail: map[{GO_MAP}]",
    "Terraform": "Error: [ERROR] terraform-provider-alicloud/alicloud/resource_alicloud_instance.go:1104: Resource i-bp1 "
    f"StopInstance Failed!!! [SDK alibaba-cloud-sdk-go ERROR]:\nSDKError:\n   StatusCode: 403\n   Data: {json.dumps(BODY)}",
    "Java SDK": "com.aliyun.tea.TeaException: code: 403, User not authorized to operate on the specified resource.\n\tat x.y(Z)\n"
    f"accessDeniedDetail = {DETAIL}",
    "console, Chinese": "您没有权限执行此操作。\n授权操作：ecs:StopInstance\nNoPermissionType：ExplicitDeny",
    "console, English": "You are not authorized to perform this operation: ecs:StopInstance. NoPermissionType: ExplicitDeny",
}


@pytest.mark.parametrize("form", DENIALS)
def test_the_refused_action_is_found_in_every_form(form):
    pasted = read_pasted(DENIALS[form])
    assert (pasted.form, pasted.service, pasted.action) == ("denial", "ecs", "ecs:StopInstance")
    assert pasted.explicit
    if "console" not in form:
        assert (pasted.account_id, pasted.role) == ("1000000000000001", "ReadOnly")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                '{"errorCode":"Unauthorized","errorMessage":"denied by sts or ram, action: log:GetLogStoreLogs, resource: '
                'acs:log:cn-hangzhou:1000000000000001:project/p/logstore/l"}'
            ),
            ("log:GetLogStoreLogs", "acs:log:cn-hangzhou:1000000000000001:project/p/logstore/l", True),
        ),
        (
            (
                '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>You have no right to access this object.</Message>'
                "<HostId>acme-shop.oss-cn-hangzhou.aliyuncs.com</HostId></Error>"
            ),
            ("", "acs:oss:*:*:acme-shop", False),
        ),
        (
            (
                "<Error><Code>AccessDenied</Code><HostId>acme-shop.oss-cn-hangzhou-internal.aliyuncs.com</HostId>"
                "<AccessDeniedDetail><AuthAction>oss:PutObject</AuthAction></AccessDeniedDetail></Error>"
            ),
            ("oss:PutObject", "acs:oss:*:*:acme-shop/*", False),
        ),
        (
            f"没有权限。鉴权操作：ecs:StopInstance，鉴权资源：{INSTANCE}。请联系管理员",
            ("ecs:StopInstance", INSTANCE, True),
        ),
        ("NoPermission: You are not authorized to do this action. ram.aliyuncs.com", ("", "", False)),
        (
            "https://rds.aliyuncs.com/?Action=DescribeDBInstances&AccessKeyId=x Forbidden.RAM",
            ("rds:DescribeDBInstances", "", False),
        ),
        ("alicloud_kms_key.this: Forbidden.NoPermission This operation is forbidden", ("", "", False)),
    ],
)
def test_action_and_resource_are_what_the_text_says_and_no_more(text, expected):
    pasted = read_pasted(text)
    assert (pasted.action, pasted.resource, pasted.literal) == expected


BUCKET = "acs:oss:*:1000000000000001:shop"
NAMES = (
    "q1.csv", "q1(1).csv", "q1 final.csv", "a[1].csv", "q1,final.csv", "报表，一。.csv", "a&b<c>.csv", "x;y}.csv", 'a"b.csv', "a\\b.csv",
    "it's.csv", "q1: AuthAction: x.csv", "x" * 900 + ".csv", "q1.",
)  # fmt: skip


def write_denial(form, name):
    facts = {"AuthAction": "oss:PutObject", "AuthResource": f"{BUCKET}/{name}", "NoPermissionType": "ImplicitDeny"}
    if form.startswith("JSON"):
        text = json.dumps({"AccessDeniedDetail": facts}, ensure_ascii="ascii" in form)
        return json.dumps({"log": json.dumps({"log": text})}) if "twice" in form else text
    if form == "XML":
        return f"<Error>{''.join(f'<{each}>{escape(value)}</{each}>' for each, value in facts.items())}</Error>"
    if form == "Python":
        return f"Error: Forbidden.RAM Response: {facts}"
    if form == "Go":
        return f"AccessDeniedDetail: map[{' '.join(f'{each}:{value}' for each, value in facts.items())}]"
    return f"没有权限。授权操作：oss:PutObject，授权资源：{BUCKET}/{name}，NoPermissionType：ImplicitDeny。"


@pytest.mark.parametrize("form", ["JSON", "JSON, ascii", "JSON, twice", "JSON, ascii, twice", "XML", "Python", "Go", "sentence"])  # fmt: skip
def test_t_out_12_a_resource_is_read_whole_or_else_is_a_pattern_that_fits_it(form):
    """Taken for the whole, the beginning of a name would slip past a policy that forbids what ends in .csv."""
    whole = []
    for name in NAMES:
        pasted = read_pasted(write_denial(form, name))
        assert pasted.action == "oss:PutObject" or (form == "sentence" and pasted.unclear_action), name
        if pasted.literal:
            assert pasted.resource == f"{BUCKET}/{name}"
        else:
            assert compile_patterns([pasted.resource]).fullmatch(f"{BUCKET}/{name}"), pasted.resource
        whole += [name] * pasted.literal
    assert "q1.csv" in whole
    if form.startswith(("JSON", "XML")):
        assert len(whole) >= len(NAMES) - 1


@pytest.mark.parametrize(
    ("text", "resource", "literal"),
    [
        (f"{BUCKET}/q1(1).csv", f"{BUCKET}/q1(1).csv", False),
        (f"Forbidden on {BUCKET}/q1 final.csv", f"{BUCKET}/q1*", False),
        (f"Forbidden action: oss:GetObject, resource: {BUCKET}/q1的副本.csv", f"{BUCKET}/q1*", False),
        (f"Forbidden action: oss:GetObject, resource: {BUCKET}/q1.", f"{BUCKET}/q1*", False),
        (f"Forbidden action: oss:GetObject, resource: {BUCKET}/wrap-\nped.csv", f"{BUCKET}/wrap-*", False),
        (
            f"Forbidden action: oss:GetObject, resource: {BUCKET}/{'x' * 2000}",
            f"{BUCKET}/{'x' * 2000}"[:1200] + "*",
            False,
        ),
        (f'{{"AuthAction": "oss:GetObject", "AuthResource": "{BUCKET}/\\ud800.csv"}}', f"{BUCKET}/*", False),
        (f"Forbidden action: oss:GetObject, resource: {BUCKET}/q1.csv", f"{BUCKET}/q1.csv", True),
        ("Forbidden action: oss:GetObject, resource: acs:oss:::....", "", False),
    ],
)
def test_what_is_cut_off_is_a_pattern(text, resource, literal):
    pasted = read_pasted(text)
    assert (pasted.resource, pasted.literal) == (resource, literal)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("AuthAction: oss:deleteObject", "oss:deleteObject"),
        ('"AuthAction": "OSS:DeleteObject"', "oss:DeleteObject"),
        ("Forbidden, action: oss:deleteObject, try again", "oss:deleteObject"),
        ("Forbidden oss:deleteObject", "oss:deleteObject"),
        ("AuthAction: oss:Put-Object-Acl", None),
        ("AuthAction: oss:Put(Object)", None),
        ("Forbidden, action: oss:Put-Object-Acl", None),
        ('"AuthAction": "oss:删除"', None),
        (f"AuthAction: oss:{'Put' * 40}", None),
    ],
)
def test_an_action_is_read_whole_or_said_to_be_unclear_and_never_taken_for_reading(text, action):
    pasted = read_pasted(f"{text} AuthResource: {BUCKET}/q1.csv")
    assert (pasted.action, pasted.unclear_action) == ((action, False) if action else ("", True))
    assert read_pasted("AuthAction: oss:Put-Object-Acl").unclear_action


@pytest.mark.parametrize(
    "text",
    [
        f"AuthAction: oss:GetObject NoPermissionType: ImplicitDeny ... AuthAction: oss:PutObject AuthResource: {BUCKET}/y",
        f'[{{"AuthAction": "oss:GetObject"}}, {{"AuthResource": "{BUCKET}/y", "AuthAction": "oss:PutObject"}}]'.replace(
            '"}, {', '", "PolicyType": "X"}, {'
        ),
    ],
)
def test_of_two_denials_the_first_is_read_and_nothing_of_the_second(text):
    pasted = read_pasted(text)
    assert (pasted.action, pasted.resource) == ("oss:GetObject", "")


@pytest.mark.parametrize(
    ("text", "service", "region", "kind", "name"),
    [
        (INSTANCE, "ecs", "cn-hangzhou", "instance", "i-bp1"),
        ("acs:oss:*:1000000000000001:acme-shop/folder/x", "oss", "", "", "acme-shop"),
        ("acs:ram::1000000000000001:user/lin.wei", "ram", "", "user", "lin.wei"),
        ("https://ecs.console.aliyun.com/server/i-bp1/detail?regionId=cn-hangzhou", "ecs", "cn-hangzhou", "instance", "i-bp1"),
        ("https://ecs.console.aliyun.com/?spm=1#/server/i-bp1/detail?regionId=ap-southeast-1", "ecs", "ap-southeast-1", "instance", "i-bp1"),
        ("https://oss.console.aliyun.com/bucket/oss-cn-hangzhou/acme-shop/object", "oss", "cn-hangzhou", "", "acme-shop"),
        ("https://rdsnext.console.aliyun.com/detail/rm-bp1/basicInfo?region=cn-hangzhou", "rds", "cn-hangzhou", "dbinstance", "rm-bp1"),
        ("https://ram.console.aliyun.com/roles/detail?roleName=ReadOnly", "ram", "", "role", "ReadOnly"),
        ("https://vpc.console.aliyun.com/vpc/cn-hangzhou/vpcs/vpc-bp1", "vpc", "cn-hangzhou", "vpc", "vpc-bp1"),
        ("https://slb.console.aliyun.com/slb/cn-hangzhou/slbs/lb-bp1", "slb", "cn-hangzhou", "loadbalancer", "lb-bp1"),
        ("https://sls.console.aliyun.com/lognext/project/acme/logsearch/web", "log", "", "project", "acme"),
        ("https://kms.console.aliyun.com/cn-hangzhou/key/detail/key-hzz1", "kms", "cn-hangzhou", "key", "key-hzz1"),
        ("https://actiontrail.console.aliyun.com/cn-hangzhou/event-list", "actiontrail", "cn-hangzhou", None, ""),
        ("https://usercenter2.aliyun.com/home", "bss", "", None, ""),
        ("https://ecs.console.alibabacloud.com/server/region/eu-central-1", "ecs", "eu-central-1", None, ""),
    ],
)  # fmt: skip
def test_arns_and_pages_say_what_they_show_and_lead_back_to_it(text, service, region, kind, name):
    pasted = read_pasted(text)
    place = pasted.place
    assert (place.product.service, pasted.region, place.kind.name if place.kind else None, place.name) == (
        service,
        region,
        kind,
        name,
    )
    account = make_account()
    question = find_question(pasted, account)
    assert question.action.startswith(f"{service}:")
    assert name in question.resource
    destination = find_destination(pasted, account)
    assert name in destination or not region
    assert check_destination(destination)


@pytest.mark.parametrize("rest", ["a*" * 500, "?" * 1_000, "instance/" + "*a" * 500, "*?" * 300])
def test_t_out_12_of_a_pattern_made_to_be_slow_one_is_asked_about_that_all_of_it_fits(rest):
    """Roles are compared with it for milliseconds each; one that suffices for more suffices for this."""
    asked = find_question(read_pasted(f"acs:ecs:*:*:{rest}"), make_account())
    assert sum(map(asked.resource.count, "*?")) <= MOST_WILDCARDS + 1  # and that of the region
    whole = f"acs:ecs:*:{make_account().id}:{rest}"
    assert compile_patterns([asked.resource]).fullmatch(normalise(whole))
    assert not asked.literal


def test_t_out_12_twin_a_pattern_that_people_paste_is_asked_about_as_it_is():
    rest = "instance/i-*-prod-?*/*/*"
    assert find_question(read_pasted(f"acs:ecs:*:*:{rest}"), make_account()).resource.endswith(f":{rest}")


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.service)
def test_each_page_that_the_table_can_build_is_one_that_links_may_lead_to(product):
    for place in (Place(product), Place(product, "cn-hangzhou"), *(Place(product, "eu-central-1", each, "x-1") for each in product.kinds)):  # fmt: skip
        for international in (False, True):
            page = build_page(place, international=international)
            assert check_destination(page)
            assert "{" not in page


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "https://evil.example/server/i-1",
        "https://ecs.console.aliyun.com.evil.example/server/i-1",
        "https://ecs.console.aliyun.com@evil.example/server/i-1",
        "https://ecs.console.aliyun.com:444@evil.example/",
        "https://[::1/server",
        "javascript:alert(1)",
        "acs:ecs",
        "Forbidden",
        "{" * 1000,
        "AuthAction" * 500,
        "\x00" * 100,
        "a" * (LONGEST + 1),
    ],
)
def test_what_says_nothing_is_not_understood(text):
    assert read_pasted(text) is None


def test_t_out_12_facts_that_have_not_their_form_are_left_out():
    hostile = dict(DETAIL, AuthAction="ecs:StopInstance", PolicyType="<script>", AuthPrincipalOwnerId="1 OR 1=1")
    hostile["AuthPrincipalDisplayName"] = "<b>:x"
    pasted = read_pasted(json.dumps({"AccessDeniedDetail": hostile}))
    assert (pasted.action, pasted.layer, pasted.account_id, pasted.role) == ("ecs:StopInstance", "", "", "")


PIECES = (
    'AuthAction:"x', "AuthResource: acs:oss:*:1:a/", "AuthResource: acs:oss:*:1:" + "a" * 300, '"AuthAction":"oss:Get' + "\\" * 50, "<PolicyType>",
    "acs:", "a:", "A", "AuthAction", "AuthResource:", "https://", "https://a.", ".aliyuncs.com", "oss-cn-", "cn-a-", "-", ".",
    "action: ", "资源：", '\\"', "x:Get", "Describe", "&Action=", "alicloud_", "{", "(", "*", "/server/", "无", "没有", "a.b-", "é",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_t_out_12_no_text_takes_long(piece):
    """Each pattern is bounded: a text of the largest size takes at most some tenths of a second, whatever repeats in it."""
    for text in (piece * (LONGEST // len(piece)), "Forbidden " + piece * (LONGEST // len(piece) - 20), "https://ecs.console.aliyun.com/" + piece * 300):  # fmt: skip
        began = time.process_time()
        read_pasted(text)
        assert time.process_time() - began < 0.5


def test_what_was_understood_of_secrets_around_it_is_none_of_them():
    secret = "CAISsecretToken0123456789"
    text = f"SecurityToken={secret}&AccessKeyId=STS.{secret} {json.dumps(BODY)} Authorization: {secret} {secret}:Get"
    assert secret not in repr(read_pasted(text))
