"""RAM, IMS and Resource Manager as they are called: what is refused and how, what changes, and what is kept."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network

import pytest

from bridge.sandbox.cloud.gateway import SERVICES
from bridge.sandbox.cloud.state import CloudState
from tests.unit.sandbox.cloud.client import Cloud, read_key, role_arn
from tests.unit.sandbox.cloud.parties import (
    KEY_SECRET,
    PARTNER_KEY,
    PRODUCTION,
    SANDBOX,
    build_metadata,
    build_state,
    make_key,
    user_response,
)

IMS, RESOURCES = "2019-08-15", "2020-03-31"
READING = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]})
NEVER = json.dumps({"Version": "1", "Statement": [{"Effect": "Deny", "Action": "oss:*", "Resource": "*"}]})


def trust(principal, **condition):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": principal}}
    return json.dumps({"Version": "1", "Statement": [statement | ({"Condition": condition} if condition else {})]})


@pytest.fixture
def cloud():
    return Cloud()


def done(answer):
    status, body = answer
    assert status == 200, body
    return body


def refused(answer):
    status, body = answer
    assert body["Message"]
    assert body["RequestId"]
    return status, body["Code"]


# ── who may manage ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_user_without_rights_manages_nothing(cloud):
    idle = ("LTAITestIdle", KEY_SECRET, None)

    assert refused(cloud.manage("CreateUser", key=idle, UserName="eve")) == (403, "NoPermission")
    assert refused(cloud.manage("GetUser", UserName="eve")) == (404, "EntityNotExist.User")


def test_rights_may_be_limited_to_some_entities(cloud):
    document = {"Effect": "Allow", "Action": "ram:GetRole", "Resource": f"acs:ram:*:{PRODUCTION}:role/Read*"}
    policy = json.dumps({"Version": "1", "Statement": [document]})
    done(cloud.manage("CreatePolicy", PolicyName="see-readers", PolicyDocument=policy))
    done(cloud.manage("AttachPolicyToUser", PolicyName="see-readers", PolicyType="Custom", UserName="idle"))
    idle = ("LTAITestIdle", KEY_SECRET, None)

    assert done(cloud.manage("GetRole", key=idle, RoleName="ReadOnly"))["Role"]["RoleName"] == "ReadOnly"
    assert refused(cloud.manage("GetRole", key=idle, RoleName="Automation")) == (403, "NoPermission")
    assert refused(cloud.manage("DeleteRole", key=idle, RoleName="ReadOnly")) == (403, "NoPermission")


def test_a_session_manages_no_more_than_its_session_policy_allows(cloud):
    done(
        cloud.manage("AttachPolicyToRole", PolicyName="AdministratorAccess", PolicyType="System", RoleName="Automation")
    )
    _, whole = cloud.assume_role()
    _, narrowed = cloud.assume_role(Policy=READING)

    assert done(cloud.manage("ListUsers", key=read_key(whole)))
    assert refused(cloud.manage("ListUsers", key=read_key(narrowed))) == (403, "NoPermission")


def with_admin_elsewhere():
    """Return a state in which the partner administers the other account."""
    state = build_state().model_dump(by_alias=True)
    state["accounts"][1]["users"][0]["policies"] = [{"policy": "AdministratorAccess"}]
    return CloudState.model_validate(state)


def test_everybody_manages_their_own_account():
    policies = {"PolicyName": "AdministratorAccess", "PolicyType": "System"}
    cloud = Cloud(state=with_admin_elsewhere())

    assert refused(cloud.manage("GetRole", key=PARTNER_KEY, RoleName="Automation")) == (404, "EntityNotExist.Role")
    assert refused(cloud.manage("AttachPolicyToUser", key=PARTNER_KEY, UserName="bob", **policies)) == (
        404,
        "EntityNotExist.User",
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Signature": "AAAA"}, "SignatureDoesNotMatch"),
        ({"Version": "2015-05-02"}, "InvalidVersion"),
        ({"Action": "CreateUsers"}, "InvalidApi.NotFound"),
        ({"Action": "CreateSAMLProvider"}, "InvalidApi.NotFound"),
        ({"Tag": "x"}, "InvalidParameter"),
    ],
)
def test_a_call_that_is_not_as_it_was_signed_is_refused(cloud, change, code):
    form = cloud.sign("ListUsers", key=("LTAITestAdmin", KEY_SECRET, None), Version="2015-05-01") | change

    answer = cloud.http.post("/", data=form)

    assert json.loads(answer.data)["Code"] == code


def test_answers_are_written_as_xml_on_demand(cloud):
    form = cloud.sign("ListUsers", key=("LTAITestAdmin", KEY_SECRET, None), Version="2015-05-01", Format="XML")

    text = cloud.http.post("/", data=form).get_data(as_text=True)

    assert re.findall("<UserName>(.*?)</UserName>", text) == ["admin", "alice", "bob", "bridge", "former", "idle"]
    assert "<ListUsersResponse>" in text
    assert "<IsTruncated>false</IsTruncated>" in text


# ── names, documents and quotas ──────────────────────────────────────────────────────────────────────────────

PROVIDER = {"OIDCProviderName": "ci", "ClientIds": "sts.aliyuncs.com", "IssuerUrl": "https://ci.example.com"}
REFUSED = [
    ("CreateUser", {}, 400, "MissingUserName"),
    ("CreateUser", {"UserName": "a b"}, 400, "InvalidParameter.UserName.InvalidChars"),
    ("CreateUser", {"UserName": "a\n"}, 400, "InvalidParameter.UserName.InvalidChars"),
    ("CreateUser", {"UserName": "ａ"}, 400, "InvalidParameter.UserName.InvalidChars"),
    ("CreateUser", {"UserName": "a" * 65}, 400, "InvalidParameter.UserName.Length"),
    ("CreateUser", {"UserName": "Alice"}, 409, "EntityAlreadyExists.User"),
    ("CreateUser", {"UserName": "x", "Comments": "x" * 129}, 400, "InvalidParameter.Comments.Length"),
    ("GetUser", {"UserName": "Alice"}, 404, "EntityNotExist.User"),
    ("UpdateUser", {"UserName": "bob", "NewUserName": "alice"}, 409, "EntityAlreadyExists.User"),
    ("DeleteUser", {"UserName": "idle"}, 409, "DeleteConflict.User.AccessKey"),
    ("ListUsers", {"MaxItems": "0"}, 400, "InvalidParameter.MaxItems"),
    ("ListUsers", {"MaxItems": "x"}, 400, "InvalidParameter.MaxItems"),
    ("GetGroup", {"GroupName": "nobody"}, 404, "EntityNotExist.Group"),
    ("AddUserToGroup", {"GroupName": "nobody", "UserName": "bob"}, 404, "EntityNotExist.Group"),
    ("GetRole", {"RoleName": "Nobody"}, 404, "EntityNotExist.Role"),
    ("CreateRole", {"RoleName": "New"}, 400, "MissingAssumeRolePolicyDocument"),
    ("CreateRole", {"RoleName": "New", "AssumeRolePolicyDocument": "{}"}, 400, "MalformedPolicyDocument"),
    ("CreateRole", {"RoleName": "New", "AssumeRolePolicyDocument": trust("*")}, 400, "MalformedPolicyDocument"),
    ("CreateRole", {"RoleName": "New", "AssumeRolePolicyDocument": READING}, 400, "MalformedPolicyDocument"),
    (
        "CreateRole",
        {"RoleName": "readonly", "AssumeRolePolicyDocument": trust(f"acs:ram::{PRODUCTION}:root")},
        409,
        "EntityAlreadyExists.Role",
    ),
    (
        "UpdateRole",
        {"RoleName": "ReadOnly", "NewMaxSessionDuration": "900"},
        400,
        "InvalidParameter.NewMaxSessionDuration",
    ),
    ("UpdateRole", {"RoleName": "ReadOnly", "NewAllowConsoleLogin": "1"}, 400, "InvalidParameter.NewAllowConsoleLogin"),
    ("DeleteRole", {"RoleName": "Automation"}, 409, "DeleteConflict.Role.Policy"),
    ("CreatePolicy", {"PolicyName": "a_b", "PolicyDocument": READING}, 400, "InvalidParameter.PolicyName.InvalidChars"),
    ("CreatePolicy", {"PolicyName": "may-assume", "PolicyDocument": READING}, 409, "EntityAlreadyExists.Policy"),
    ("CreatePolicy", {"PolicyName": "ReadOnlyAccess", "PolicyDocument": READING}, 409, "EntityAlreadyExists.Policy"),
    (
        "CreatePolicy",
        {"PolicyName": "long", "PolicyDocument": READING.replace("oss:Get*", "oss:" + "x" * 6200)},
        400,
        "InvalidParameter.PolicyDocument.Length",
    ),
    ("GetPolicy", {"PolicyName": "may-assume", "PolicyType": "System"}, 404, "EntityNotExist.Policy"),
    ("GetPolicy", {"PolicyName": "may-assume", "PolicyType": "custom"}, 400, "InvalidParameter.PolicyType"),
    ("DeletePolicy", {"PolicyName": "may-assume"}, 409, "DeleteConflict.Policy.User"),
    ("DeletePolicy", {"PolicyName": "ReadOnlyAccess"}, 404, "EntityNotExist.Policy"),
    (
        "DeletePolicyVersion",
        {"PolicyName": "may-assume", "VersionId": "v1"},
        409,
        "DeleteConflict.Policy.Version.Default",
    ),
    ("DeletePolicyVersion", {"PolicyName": "may-assume", "VersionId": "v9"}, 404, "EntityNotExist.Policy.Version"),
    (
        "AttachPolicyToUser",
        {"PolicyName": "may-assume", "PolicyType": "Custom", "UserName": "bridge"},
        409,
        "EntityAlreadyExists.User.Policy",
    ),
    (
        "DetachPolicyFromRole",
        {"PolicyName": "may-assume", "PolicyType": "Custom", "RoleName": "ReadOnly"},
        404,
        "EntityNotExist.Role.Policy",
    ),
    (
        "AttachPolicyToUser",
        {"PolicyName": "may-assume", "PolicyType": "Custom", "UserName": "bob", "ResourceGroupId": "rg-none0"},
        404,
        "EntityNotExist.ResourceGroup",
    ),
    (
        "UpdateAccessKey",
        {"UserName": "idle", "UserAccessKeyId": "LTAITestBridge", "Status": "Inactive"},
        404,
        "EntityNotExist.User.AccessKey",
    ),
    (
        "UpdateAccessKey",
        {"UserName": "idle", "UserAccessKeyId": "LTAITestIdle", "Status": "Off"},
        400,
        "InvalidParameter.Status",
    ),
    ("GetSAMLProvider", {"Version": IMS, "SAMLProviderName": "nobody"}, 404, "EntityNotExist.SAMLProvider"),
    (
        "CreateSAMLProvider",
        {"Version": IMS, "SAMLProviderName": "x", "EncodedSAMLMetadataDocument": "PHg+"},
        400,
        "InvalidParameter.EncodedSAMLMetadataDocument",
    ),
    (
        "CreateOIDCProvider",
        {"Version": IMS, **PROVIDER, "IssuerUrl": "http://ci.example.com"},
        400,
        "InvalidParameter.IssuerUrl",
    ),
    (
        "CreateOIDCProvider",
        {"Version": IMS, **PROVIDER, "IssuerUrl": "https://ci.example.com?a"},
        400,
        "InvalidParameter.IssuerUrl",
    ),
    (
        "CreateOIDCProvider",
        {"Version": IMS, **PROVIDER, "IssuanceLimitTime": "169"},
        400,
        "InvalidParameter.IssuanceLimitTime",
    ),
    ("CreateOIDCProvider", {"Version": IMS, **PROVIDER, "ClientIds": "a,,b"}, 400, "InvalidParameter.ClientIds"),
    ("GetOIDCProvider", {"Version": IMS, "OIDCProviderName": "nobody"}, 404, "EntityNotExist.OIDCProvider"),
    ("GetResourceGroup", {"Version": RESOURCES, "ResourceGroupId": "rg-none0"}, 404, "EntityNotExist.ResourceGroup"),
]


@pytest.mark.parametrize(("action", "given", "status", "code"), REFUSED)
def test_what_ram_would_refuse_is_refused_in_its_words(cloud, action, given, status, code):
    assert refused(cloud.manage(action, **given)) == (status, code)


def test_quotas_are_ram_s(cloud):
    for number in range(10):
        name = f"policy-{number}"
        done(cloud.manage("CreatePolicy", PolicyName=name, PolicyDocument=READING))
        done(cloud.manage("AttachPolicyToUser", PolicyName=name, PolicyType="Custom", UserName="bob"))
        done(cloud.manage("CreateGroup", GroupName=f"group-{number}"))
        done(cloud.manage("AddUserToGroup", GroupName=f"group-{number}", UserName="bob"))
    done(cloud.manage("CreateGroup", GroupName="group-10"))
    done(cloud.manage("CreateAccessKey", UserName="idle"))
    for _ in range(4):
        done(cloud.manage("CreatePolicyVersion", PolicyName="policy-0", PolicyDocument=NEVER))

    attached = cloud.manage("AttachPolicyToUser", PolicyName="may-assume", PolicyType="Custom", UserName="bob")
    assert refused(attached) == (409, "LimitExceeded.User.Policy")
    assert refused(cloud.manage("AddUserToGroup", GroupName="group-10", UserName="bob")) == (
        409,
        "LimitExceeded.User.Group",
    )
    assert refused(cloud.manage("CreateAccessKey", UserName="idle")) == (409, "LimitExceeded.User.AccessKey")
    version = {"PolicyName": "policy-0", "PolicyDocument": READING}
    assert refused(cloud.manage("CreatePolicyVersion", **version)) == (409, "LimitExceeded.Policy.Version")
    rotated = cloud.manage(
        "CreatePolicyVersion", **version, RotateStrategy="DeleteOldestNonDefaultVersionWhenLimitExceeded"
    )
    assert done(rotated)["PolicyVersion"]["VersionId"] == "v6"
    versions = done(cloud.manage("ListPolicyVersions", PolicyName="policy-0", PolicyType="Custom"))["PolicyVersions"]
    assert [each["VersionId"] for each in versions["PolicyVersion"]] == ["v1", "v3", "v4", "v5", "v6"]
    assert [each["IsDefaultVersion"] for each in versions["PolicyVersion"]] == [True, False, False, False, False]


def test_a_list_comes_in_pages(cloud):
    first = done(cloud.manage("ListUsers", MaxItems="4"))
    second = done(cloud.manage("ListUsers", MaxItems="4", Marker=first["Marker"]))

    assert [each["UserName"] for each in first["Users"]["User"]] == ["admin", "alice", "bob", "bridge"]
    assert [each["UserName"] for each in second["Users"]["User"]] == ["former", "idle"]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)
    assert "Marker" not in second


# ── what a change is for ─────────────────────────────────────────────────────────────────────────────────────


def check(cloud, key, action="oss:GetObject", **given):
    answer = cloud.manage(
        "CheckAccess", key=key, Version="sandbox", RequestedAction=action, Resource="acs:oss:*:*:data/x", **given
    )
    return done(answer)


def test_a_session_learns_which_statement_decides(cloud):
    document = json.loads(READING)
    document["Statement"].append({"Effect": "Deny", "Action": "oss:GetObjectAcl", "Resource": "*"})
    done(cloud.manage("CreatePolicy", PolicyName="read", PolicyDocument=json.dumps(document)))
    done(cloud.manage("AttachPolicyToRole", PolicyName="read", PolicyType="Custom", RoleName="Automation"))
    key = read_key(cloud.assume_role()[1])

    allowed, denied, silent = (check(cloud, key, f"oss:{name}") for name in ("GetObject", "GetObjectAcl", "PutObject"))

    assert (allowed["Allowed"], allowed["Decision"], allowed["PolicyName"]) == (True, "Allow", "read")
    assert json.loads(allowed["Statement"]) == {"Effect": "Allow", "Action": ["oss:Get*"], "Resource": ["*"]}
    assert (denied["Allowed"], denied["Decision"], denied["StatementIndex"]) == (False, "ExplicitDeny", 1)
    assert (silent["Allowed"], silent["Decision"]) == (False, "ImplicitDeny")
    assert "Statement" not in silent
    assert allowed["Principal"] == f"acs:ram::{PRODUCTION}:assumed-role/Automation/bridge-1"


def test_a_session_learns_that_its_session_policy_decides(cloud):
    done(
        cloud.manage("AttachPolicyToRole", PolicyName="AdministratorAccess", PolicyType="System", RoleName="Automation")
    )
    key = read_key(cloud.assume_role(Policy=NEVER)[1])

    answer = check(cloud, key)

    assert (answer["Decision"], answer["PolicyType"]) == ("ExplicitDeny", "SessionPolicy")
    assert json.loads(answer["Statement"])["Effect"] == "Deny"


def test_what_a_request_brings_with_it_can_be_said(cloud):
    tagged = json.loads(READING)
    tagged["Statement"][0]["Condition"] = {"StringEquals": {"acs:ResourceTag/team": "platform"}}
    done(cloud.manage("CreatePolicy", PolicyName="tagged", PolicyDocument=json.dumps(tagged)))
    done(cloud.manage("AttachPolicyToUser", PolicyName="tagged", PolicyType="Custom", UserName="idle"))
    idle = ("LTAITestIdle", KEY_SECRET, None)

    assert not check(cloud, idle)["Allowed"]
    assert check(cloud, idle, ConditionKeys='{"acs:ResourceTag/team": ["platform"]}')["Allowed"]
    assert not check(cloud, idle, ConditionKeys='{"acs:ResourceTag/team": "finance"}')["Allowed"]
    for wrong in ("[]", "{", '{"a": 1}', '{"a": {"b": "c"}}'):
        answer = cloud.manage(
            "CheckAccess", key=idle, Version="sandbox", RequestedAction="a:b", Resource="*", ConditionKeys=wrong
        )
        assert refused(answer) == (400, "InvalidParameter.ConditionKeys")


def test_a_group_s_policy_counts_for_its_members(cloud):
    idle = ("LTAITestIdle", KEY_SECRET, None)
    done(cloud.manage("CreateGroup", GroupName="readers"))
    done(
        cloud.manage(
            "AttachPolicyToGroup", PolicyName="AliyunOSSReadOnlyAccess", PolicyType="System", GroupName="readers"
        )
    )

    before = check(cloud, idle)["Allowed"]
    done(cloud.manage("AddUserToGroup", GroupName="readers", UserName="idle"))
    member = check(cloud, idle)
    done(cloud.manage("UpdateUser", UserName="idle", NewUserName="busy"))
    renamed = check(cloud, idle)["Allowed"]
    done(cloud.manage("RemoveUserFromGroup", GroupName="readers", UserName="busy"))

    assert (before, member["Allowed"], renamed, check(cloud, idle)["Allowed"]) == (False, True, True, False)
    assert member["PolicyName"] == "AliyunOSSReadOnlyAccess"
    assert refused(cloud.manage("DeleteGroup", GroupName="readers")) == (409, "DeleteConflict.Group.Policy")


def test_a_policy_within_a_resource_group_counts_there_alone(cloud):
    group = done(cloud.manage("CreateResourceGroup", Version=RESOURCES, Name="team-a", DisplayName="Team A"))
    group_id = group["ResourceGroup"]["Id"]
    attached = {
        "PolicyName": "AliyunOSSReadOnlyAccess",
        "PolicyType": "System",
        "PrincipalType": "IMSUser",
        "PrincipalName": "idle@acme-production.onaliyun.com",
        "ResourceGroupId": group_id,
    }
    done(cloud.manage("AttachPolicy", Version=RESOURCES, **attached))
    idle = ("LTAITestIdle", KEY_SECRET, None)

    within = check(cloud, idle, ResourceGroupId=group_id)
    assert (within["Allowed"], within["PolicyType"]) == (True, "ResourceGroupLevelIdentityBasedPolicy")
    assert not check(cloud, idle)["Allowed"]
    assert not check(cloud, idle, ResourceGroupId="rg-other")["Allowed"]
    assert done(cloud.manage("ListPoliciesForUser", UserName="idle"))["Policies"]["Policy"] == []
    deleted = cloud.manage("DeleteResourceGroup", Version=RESOURCES, ResourceGroupId=group_id)
    assert refused(deleted) == (400, "InvalidParameter.ResourceGroupId")
    done(cloud.manage("DetachPolicy", Version=RESOURCES, **attached))
    assert not check(cloud, idle, ResourceGroupId=group_id)["Allowed"]
    done(cloud.manage("DeleteResourceGroup", Version=RESOURCES, ResourceGroupId=group_id))
    listed = done(cloud.manage("ListResourceGroups", Version=RESOURCES))
    assert (listed["TotalCount"], listed["ResourceGroups"]["ResourceGroup"]) == (0, [])


@pytest.mark.parametrize("name", ["idle@acme-sandbox.onaliyun.com", "idle", "@acme-production.onaliyun.com"])
def test_a_principal_is_named_in_its_own_account(cloud, name):
    given = {
        "PolicyName": "ReadOnlyAccess", "PolicyType": "System", "PrincipalType": "IMSUser", "PrincipalName": name,
        "ResourceGroupId": PRODUCTION,
    }  # fmt: skip
    assert refused(cloud.manage("AttachPolicy", Version=RESOURCES, **given)) == (400, "InvalidParameter.PrincipalName")


def test_the_version_in_force_decides(cloud):
    idle = ("LTAITestIdle", KEY_SECRET, None)
    done(cloud.manage("CreatePolicy", PolicyName="read", PolicyDocument=READING))
    done(cloud.manage("AttachPolicyToUser", PolicyName="read", PolicyType="Custom", UserName="idle"))
    done(cloud.manage("CreatePolicyVersion", PolicyName="read", PolicyDocument=NEVER))

    staged = check(cloud, idle)["Decision"]
    done(cloud.manage("SetDefaultPolicyVersion", PolicyName="read", VersionId="v2"))

    assert (staged, check(cloud, idle)["Decision"]) == ("Allow", "ExplicitDeny")


# ── roles across accounts ────────────────────────────────────────────────────────────────────────────────────

AGREED = {"StringEquals": {"sts:ExternalId": "agreed-with-partner"}}
PARTNERS = [
    ("its account, and the agreed id", trust(f"acs:ram::{SANDBOX}:root", **AGREED), "agreed-with-partner", 200),
    ("its account, and another id", trust(f"acs:ram::{SANDBOX}:root", **AGREED), "guessed", 403),
    ("its account, and no id", trust(f"acs:ram::{SANDBOX}:root", **AGREED), None, 403),
    ("its account, in the older form", trust(f"acs:ram::{SANDBOX}:*", **AGREED), "agreed-with-partner", 200),
    ("the user itself", trust(f"acs:ram::{SANDBOX}:user/partner"), None, 200),
    ("the user, and an id nobody asked for", trust(f"acs:ram::{SANDBOX}:user/partner"), "any-id", 200),
    ("another user", trust(f"acs:ram::{SANDBOX}:user/other"), None, 403),
    ("another account", trust(f"acs:ram::{PRODUCTION}:root"), None, 403),
    ("from elsewhere", trust(f"acs:ram::{SANDBOX}:root", IpAddress={"acs:SourceIp": "10.0.0.0/8"}), None, 403),
    ("from here", trust(f"acs:ram::{SANDBOX}:root", IpAddress={"acs:SourceIp": "127.0.0.1"}), None, 200),
    ("with MFA", trust(f"acs:ram::{SANDBOX}:root", Bool={"acs:MFAPresent": "true"}), None, 403),
    (
        "by this name",
        trust(f"acs:ram::{SANDBOX}:root", StringLike={"acs:PrincipalARN": f"acs:ram::{SANDBOX}:user/*"}),
        None,
        200,
    ),
    (
        "under this session name",
        trust(f"acs:ram::{SANDBOX}:root", StringLike={"sts:RoleSessionName": "job-*"}),
        None,
        200,
    ),
    ("as nobody", trust(f"acs:ram::{SANDBOX}:root", StringLike={"sts:SourceIdentity": "*"}), None, 403),
]


@pytest.mark.parametrize(("document", "external_id", "status"), [pytest.param(*row[1:], id=row[0]) for row in PARTNERS])
def test_another_account_is_trusted_as_the_document_says(cloud, document, external_id, status):
    done(cloud.manage("CreateRole", RoleName="ForPartner", AssumeRolePolicyDocument=document))
    given = {"ExternalId": external_id} if external_id else {}

    answer = cloud.call_signed(
        "AssumeRole", key=PARTNER_KEY, RoleArn=role_arn("ForPartner"), RoleSessionName="job-1", **given
    )

    assert answer[0] == status, answer


def test_a_longer_session_needs_a_role_that_allows_it(cloud):
    hours = {"DurationSeconds": "7200"}
    document = trust(f"acs:ram::{PRODUCTION}:user/bridge")
    done(cloud.manage("CreateRole", RoleName="Long", AssumeRolePolicyDocument=document))

    before = refused(cloud.assume_role("Long", **hours))
    done(cloud.manage("UpdateRole", RoleName="Long", NewMaxSessionDuration="7200"))

    assert before == (400, "InvalidParameter.DurationSeconds")
    assert done(cloud.assume_role("Long", **hours))


def test_a_deleted_role_s_sessions_may_do_nothing_more(cloud):
    done(
        cloud.manage("AttachPolicyToRole", PolicyName="AdministratorAccess", PolicyType="System", RoleName="Automation")
    )
    key = read_key(cloud.assume_role()[1])
    assert check(cloud, key)["Allowed"]
    for name, kind in (("AdministratorAccess", "System"), ("may-assume", "Custom")):
        done(cloud.manage("DetachPolicyFromRole", PolicyName=name, PolicyType=kind, RoleName="Automation"))
    done(cloud.manage("DeleteRole", RoleName="Automation"))

    assert not check(cloud, key)["Allowed"]
    assert refused(cloud.assume_role()) == (404, "EntityNotExist.Role")


def test_a_role_made_again_is_another_one_for_old_sessions(cloud):
    policy = {"PolicyName": "AliyunOSSReadOnlyAccess", "PolicyType": "System"}
    document = trust(f"acs:ram::{PRODUCTION}:user/bridge")

    def make():
        done(cloud.manage("CreateRole", RoleName="Again", AssumeRolePolicyDocument=document))
        done(cloud.manage("AttachPolicyToRole", RoleName="Again", **policy))

    make()
    old = read_key(cloud.assume_role("Again")[1])
    assert check(cloud, old)["Allowed"]
    done(cloud.manage("DetachPolicyFromRole", RoleName="Again", **policy))
    done(cloud.manage("DeleteRole", RoleName="Again"))
    make()

    assert not check(cloud, old)["Allowed"]
    assert check(cloud, read_key(cloud.assume_role("Again")[1]))["Allowed"]


def test_a_refusal_names_the_layer_that_refuses(cloud):
    def explain(answer):
        status, body = answer
        assert (status, body["Code"]) == (403, "NoPermission")
        return body["AccessDeniedDetail"]

    idle = ("LTAITestIdle", KEY_SECRET, None)
    assert explain(cloud.manage("ListUsers", key=idle)) == {
        "AuthAction": "ram:ListUsers",
        "AuthResource": f"acs:ram::{PRODUCTION}:user/*",
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": "idle",
        "AuthPrincipalOwnerId": PRODUCTION,
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }
    narrowed = read_key(cloud.assume_role(Policy=NEVER)[1])
    detail = explain(cloud.manage("ListUsers", key=narrowed))
    assert (detail["AuthPrincipalDisplayName"], detail["PolicyType"]) == ("Automation:bridge-1", "SessionPolicy")
    assert explain(cloud.assume_role("PlatformAdmin"))["PolicyType"] == "AssumeRolePolicy"


def test_a_source_identity_stays_along_a_chain(cloud):
    document = trust(f"acs:ram::{PRODUCTION}:role/Automation", StringEquals={"sts:SourceIdentity": "lin.wei"})
    done(cloud.manage("CreateRole", RoleName="Further", AssumeRolePolicyDocument=document))

    def go_on(first, **given):
        return cloud.call_signed(
            "AssumeRole", key=read_key(first[1]), RoleArn=role_arn("Further"), RoleSessionName="job-1", **given
        )

    known, unknown = cloud.assume_role(SourceIdentity="lin.wei"), cloud.assume_role()
    assert done(go_on(known))["SourceIdentity"] == "lin.wei"
    assert refused(go_on(unknown)) == (403, "NoPermission")
    assert refused(go_on(known, SourceIdentity="someone.else")) == (403, "NoPermission")


# ── access keys ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_works_from_its_networks_alone():
    state = build_state()
    account = state.accounts[0]
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    users = tuple(
        user.model_copy(update={"access_keys": (user.access_keys[0].model_copy(update={"networks": networks}),)})
        if user.name == "admin"
        else user
        for user in account.users
    )
    limited = state.model_copy(update={"accounts": (account.model_copy(update={"users": users}), *state.accounts[1:])})
    cloud = Cloud(state=limited)

    for address in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"):
        assert done(cloud.manage("ListUsers", source_ip=address))
    for address in ("127.0.0.1", "11.0.0.1", "2001:db9::1", ""):
        assert refused(cloud.manage("ListUsers", source_ip=address)) == (403, "NoPermission")


def test_temporary_credentials_have_no_network(cloud):
    key = read_key(cloud.assume_role()[1])

    assert cloud.manage("GetCallerIdentity", key=key, source_ip="203.0.113.9", Version="2015-04-01")[0] == 200


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────


def test_changes_outlive_a_restart_and_end_with_an_edited_file(tmp_path):
    saved = tmp_path / "keys" / "cloud-changes.json"
    first = Cloud(saved=saved)
    done(first.manage("CreateUser", UserName="eve"))
    key = done(first.manage("CreateAccessKey", UserName="eve"))["AccessKey"]
    done(first.manage("DeleteRole", RoleName="ReadOnly"))

    second = Cloud(saved=saved)

    assert done(second.manage("GetUser", UserName="eve"))
    caller = second.call_signed("GetCallerIdentity", key=(key["AccessKeyId"], key["AccessKeySecret"], None))
    assert done(caller)["Arn"] == f"acs:ram::{PRODUCTION}:user/eve"
    assert refused(second.manage("GetRole", RoleName="ReadOnly")) == (404, "EntityNotExist.Role")
    assert saved.stat().st_mode & 0o777 == 0o600
    edited = Cloud(saved=saved, state=build_state(issuer="https://elsewhere.example.com"))
    assert refused(edited.manage("GetUser", UserName="eve")) == (404, "EntityNotExist.User")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"declared": 1}', "\x00"])
def test_a_file_of_changes_that_cannot_be_read_is_no_reason_to_stop(tmp_path, text):
    saved = tmp_path / "cloud-changes.json"
    saved.write_text(text)

    assert done(Cloud(saved=saved).manage("ListUsers"))


def test_a_refused_change_changes_nothing(cloud, tmp_path):
    saved = tmp_path / "cloud-changes.json"
    cloud = Cloud(saved=saved)

    assert refused(cloud.manage("CreateUser", UserName="alice")) == (409, "EntityAlreadyExists.User")
    assert done(cloud.manage("ListUsers"))
    assert not saved.exists()


# ── sign-in of users ─────────────────────────────────────────────────────────────────────────────────────────


def sign_in(cloud, **changes):
    form = {"SAMLResponse": user_response(**changes).encode()}
    return cloud.http.post("/saml/SSO", data=form).status_code


def test_users_sign_in_as_the_account_s_settings_say(cloud):
    metadata = base64.b64encode(build_metadata(make_key("new"))).decode()
    shown = done(cloud.manage("GetUserSsoSettings", Version=IMS))["UserSsoSettings"]
    assert base64.b64decode(shown["MetadataDocument"]) == build_metadata()
    assert (shown["SsoEnabled"], shown["AuxiliaryDomain"]) == (True, "acme.example")
    assert sign_in(cloud) == 303

    done(cloud.manage("SetUserSsoSettings", Version=IMS, SsoEnabled="false"))
    assert sign_in(cloud) == 401
    done(cloud.manage("SetUserSsoSettings", Version=IMS, SsoEnabled="true", MetadataDocument=metadata))
    assert sign_in(cloud) == 401
    assert sign_in(cloud, key=make_key("new")) == 303
    done(cloud.manage("SetUserSsoSettings", Version=IMS, SsoLoginWithDomain="false"))
    assert sign_in(cloud, key=make_key("new")) == 403
    assert sign_in(cloud, key=make_key("new"), subject="alice") == 303
    assert sign_in(cloud, key=make_key("new"), subject="nobody") == 403


def test_user_sign_in_needs_metadata_and_has_a_default_domain():
    cloud = Cloud(state=with_admin_elsewhere())

    missing = cloud.manage("SetUserSsoSettings", key=PARTNER_KEY, Version=IMS, SsoEnabled="true")
    assert refused(missing) == (400, "MissingMetadataDocument")
    settings = done(cloud.manage("GetUserSsoSettings", key=PARTNER_KEY, Version=IMS))["UserSsoSettings"]
    assert settings["SsoEnabled"] is False
    domain = done(cloud.manage("GetDefaultDomain", key=PARTNER_KEY, Version=IMS))
    assert domain["DefaultDomainName"] == "acme-sandbox.onaliyun.com"


# ── whatever is sent ─────────────────────────────────────────────────────────────────────────────────────────

ODD = ["", " ", "*", "x" * 5000, "0", "-1", "null", "[]", "{}", "{{", "ｘ", "\u202e", "alice", PRODUCTION, "%s", "{0}"]
MANAGED_ACTIONS = [
    pytest.param(version, action, sorted(parameters), id=action)
    for version, actions in SERVICES.items()
    if version != "2015-04-01"
    for action, parameters in actions.items()
]


@pytest.mark.parametrize(("version", "action", "parameters"), MANAGED_ACTIONS)
def test_no_odd_value_is_an_internal_error(cloud, version, action, parameters):
    for value in ODD:
        status, body = cloud.manage(action, **{"Version": version, **dict.fromkeys(parameters, value)})
        assert status < 500, (action, value, body)
        assert body["RequestId"]


def test_simultaneous_changes_are_all_kept(cloud):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: cloud.manage("CreateUser", UserName=f"user-{n}"), range(40)))

    assert {status for status, _ in answers} == {200}
    names = {user["UserName"] for user in done(cloud.manage("ListUsers", MaxItems="1000"))["Users"]["User"]}
    assert names >= {f"user-{number}" for number in range(40)}
