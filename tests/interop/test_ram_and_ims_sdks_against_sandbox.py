"""Alibaba Cloud's own SDKs for RAM and IMS, unmodified, against the stand-in cloud: what set-up needs of them."""

import base64
import json

import pytest
from alibabacloud_ims20190815 import models as ims
from alibabacloud_ims20190815.client import Client as IMSClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RAMClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as STSClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config

from bridge.clock import SystemClock
from bridge.sandbox.cloud.app import create_cloud
from bridge.sandbox.long_requests import make_long_request_server
from tests.interop.test_official_sdks_against_sandbox import fetch, make_response, serve
from tests.ports import reserve_ports
from tests.unit.sandbox.cloud.client import role_arn
from tests.unit.sandbox.cloud.parties import ADMIN_KEY, PRODUCTION, build_metadata, build_state, make_key

READING = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]})
OTHER = "corp-by-api"


@pytest.fixture(scope="module")
def endpoint():
    (port,) = reserve_ports(1)
    state = build_state(f"http://127.0.0.1:{port}")
    server = make_long_request_server(create_cloud(state, SystemClock(), fetch), "127.0.0.1", port)
    with serve(server):
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=[None, "v2"], ids=["ACS3", "RPC"])
def signature(request):
    return request.param


def configure(endpoint, signature=None, key=ADMIN_KEY):
    return Config(
        endpoint=endpoint,
        protocol="http",
        access_key_id=key[0],
        access_key_secret=key[1],
        security_token=key[2],
        signature_algorithm=signature,
    )


@pytest.fixture
def cloud(endpoint, signature):
    return RAMClient(configure(endpoint, signature))


@pytest.fixture
def identity(endpoint, signature):
    return IMSClient(configure(endpoint, signature))


def refused(call, request):
    with pytest.raises(ClientException) as raised:
        call(request)
    assert raised.value.request_id
    return raised.value.status_code, raised.value.code


def trust(principal, condition=None):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return json.dumps({"Version": "1", "Statement": [statement | ({"Condition": condition} if condition else {})]})


def test_a_user_from_the_first_day_to_the_last(cloud, endpoint, signature):
    made = cloud.create_user(ram.CreateUserRequest(user_name="eve", display_name="Eve 李")).body.user
    again = refused(cloud.create_user, ram.CreateUserRequest(user_name="eve"))
    key = cloud.create_access_key(ram.CreateAccessKeyRequest(user_name="eve")).body.access_key
    own = (key.access_key_id, key.access_key_secret, None)
    caller = STSClient(configure(endpoint, signature, own)).get_caller_identity().body
    cloud.update_user(ram.UpdateUserRequest(user_name="eve", new_user_name="eva", new_comments="x"))
    cloud.update_access_key(ram.UpdateAccessKeyRequest(user_name="eva", user_access_key_id=own[0], status="Inactive"))
    with pytest.raises(ClientException) as inactive:
        STSClient(configure(endpoint, signature, own)).get_caller_identity()
    early = refused(cloud.delete_user, ram.DeleteUserRequest(user_name="eva"))
    (listed,) = cloud.list_access_keys(ram.ListAccessKeysRequest(user_name="eva")).body.access_keys.access_key
    cloud.delete_access_key(ram.DeleteAccessKeyRequest(user_name="eva", user_access_key_id=own[0]))
    shown = cloud.get_user(ram.GetUserRequest(user_name="eva")).body.user
    cloud.delete_user(ram.DeleteUserRequest(user_name="eva"))

    assert (made.user_name, made.display_name) == ("eve", "Eve 李")
    assert again == (409, "EntityAlreadyExists.User")
    assert (caller.arn, caller.user_id) == (f"acs:ram::{PRODUCTION}:user/eve", made.user_id)
    assert inactive.value.code == "InvalidAccessKeyId.Inactive"
    assert early == (409, "DeleteConflict.User.AccessKey")
    assert (listed.access_key_id, listed.status) == (own[0], "Inactive")
    assert (shown.user_id, shown.comments) == (made.user_id, "x")
    assert refused(cloud.get_user, ram.GetUserRequest(user_name="eva")) == (404, "EntityNotExist.User")


def test_all_users_come_in_pages(cloud):
    names, marker = [], None
    while True:
        page = cloud.list_users(ram.ListUsersRequest(max_items=2, marker=marker)).body
        names += [user.user_name for user in page.users.user]
        marker = page.marker
        if not page.is_truncated:
            break

    assert names == ["admin", "alice", "bob", "bridge", "former", "idle"]


def test_a_group_and_its_members(cloud):
    cloud.create_group(ram.CreateGroupRequest(group_name="ops", comments="on call"))
    cloud.add_user_to_group(ram.AddUserToGroupRequest(group_name="ops", user_name="bob"))
    (member,) = cloud.list_users_for_group(ram.ListUsersForGroupRequest(group_name="ops")).body.users.user
    (group,) = cloud.list_groups_for_user(ram.ListGroupsForUserRequest(user_name="bob")).body.groups.group
    full = refused(cloud.delete_group, ram.DeleteGroupRequest(group_name="ops"))
    cloud.remove_user_from_group(ram.RemoveUserFromGroupRequest(group_name="ops", user_name="bob"))
    cloud.update_group(ram.UpdateGroupRequest(group_name="ops", new_group_name="operations"))
    (listed,) = cloud.list_groups(ram.ListGroupsRequest()).body.groups.group
    cloud.delete_group(ram.DeleteGroupRequest(group_name="operations"))

    assert (member.user_name, group.group_name, group.comments) == ("bob", "ops", "on call")
    assert full == (409, "DeleteConflict.Group.User")
    assert listed.group_name == "operations"
    assert refused(cloud.get_group, ram.GetGroupRequest(group_name="ops")) == (404, "EntityNotExist.Group")


def test_a_role_and_who_may_be_it(cloud, endpoint, signature):
    document = trust({"RAM": f"acs:ram::{PRODUCTION}:user/admin"})
    made = cloud.create_role(
        ram.CreateRoleRequest(
            role_name="ByAPI",
            assume_role_policy_document=document,
            description="made by an SDK",
            max_session_duration=7200,
        )
    ).body.role
    client = STSClient(configure(endpoint, signature))
    request = sts.AssumeRoleRequest(role_arn=made.arn, role_session_name="sdk-1", duration_seconds=7200)
    session = client.assume_role(request).body
    nobody = trust({"Service": "ecs.aliyuncs.com"})
    cloud.update_role(ram.UpdateRoleRequest(role_name="ByAPI", new_assume_role_policy_document=nobody))
    shown = cloud.get_role(ram.GetRoleRequest(role_name="ByAPI")).body.role
    listed = cloud.list_roles(ram.ListRolesRequest()).body.roles.role
    untrusted = refused(client.assume_role, request)
    cloud.delete_role(ram.DeleteRoleRequest(role_name="ByAPI"))

    assert (made.arn, made.max_session_duration) == (role_arn("ByAPI"), 7200)
    assert session.assumed_role_user.assumed_role_id == f"{made.role_id}:sdk-1"
    assert json.loads(shown.assume_role_policy_document)["Statement"][0]["Principal"] == {
        "Service": ["ecs.aliyuncs.com"]
    }
    assert (shown.description, shown.allow_console_login) == ("made by an SDK", True)
    assert "ByAPI" in [role.role_name for role in listed]
    assert untrusted == (403, "NoPermission")
    assert refused(cloud.delete_role, ram.DeleteRoleRequest(role_name="ByAPI")) == (404, "EntityNotExist.Role")


def test_a_policy_its_versions_and_where_it_is_attached(cloud):
    named = {"policy_name": "by-api", "policy_type": "Custom"}
    cloud.create_policy(ram.CreatePolicyRequest(policy_name="by-api", policy_document=READING, description="reads"))
    version = cloud.create_policy_version(
        ram.CreatePolicyVersionRequest(
            policy_name="by-api", policy_document=READING.replace("Get", "List"), set_as_default=True
        )
    ).body.policy_version
    cloud.attach_policy_to_role(ram.AttachPolicyToRoleRequest(role_name="ReadOnly", **named))
    cloud.attach_policy_to_user(ram.AttachPolicyToUserRequest(user_name="bob", **named))
    twice = refused(cloud.attach_policy_to_role, ram.AttachPolicyToRoleRequest(role_name="ReadOnly", **named))
    shown = cloud.get_policy(ram.GetPolicyRequest(**named)).body
    (attached,) = cloud.list_policies_for_role(
        ram.ListPoliciesForRoleRequest(role_name="ReadOnly")
    ).body.policies.policy
    entities = cloud.list_entities_for_policy(ram.ListEntitiesForPolicyRequest(**named)).body
    in_use = refused(cloud.delete_policy, ram.DeletePolicyRequest(policy_name="by-api"))
    cloud.detach_policy_from_role(ram.DetachPolicyFromRoleRequest(role_name="ReadOnly", **named))
    cloud.detach_policy_from_user(ram.DetachPolicyFromUserRequest(user_name="bob", **named))
    versions = refused(cloud.delete_policy, ram.DeletePolicyRequest(policy_name="by-api"))
    cloud.delete_policy_version(ram.DeletePolicyVersionRequest(policy_name="by-api", version_id="v1"))
    cloud.delete_policy(ram.DeletePolicyRequest(policy_name="by-api"))

    assert (version.version_id, version.is_default_version) == ("v2", True)
    assert twice == (409, "EntityAlreadyExists.Role.Policy")
    assert (shown.policy.default_version, shown.policy.attachment_count) == ("v2", 2)
    assert json.loads(shown.default_policy_version.policy_document)["Statement"][0]["Action"] == ["oss:List*"]
    assert (attached.policy_name, attached.policy_type, attached.description) == ("by-api", "Custom", "reads")
    assert [each.role_name for each in entities.roles.role] == ["ReadOnly"]
    assert [each.user_name for each in entities.users.user] == ["bob"]
    assert (in_use, versions) == ((409, "DeleteConflict.Policy.User"), (409, "DeleteConflict.Policy.Version"))


def test_system_policies_are_there_to_be_read(cloud):
    system = cloud.list_policies(ram.ListPoliciesRequest(policy_type="System")).body.policies.policy
    shown = cloud.get_policy(ram.GetPolicyRequest(policy_name="AliyunSTSAssumeRoleAccess", policy_type="System")).body

    assert {"AdministratorAccess", "AliyunSTSAssumeRoleAccess"} <= {policy.policy_name for policy in system}
    assert json.loads(shown.default_policy_version.policy_document)["Statement"] == [
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": ["*"]}
    ]


def test_a_saml_provider_signs_in_with_the_metadata_that_was_uploaded(cloud, identity, endpoint, signature):
    first, second = (base64.b64encode(build_metadata(make_key(name))).decode() for name in ("old", "new"))
    made = identity.create_samlprovider(
        ims.CreateSAMLProviderRequest(
            samlprovider_name=OTHER, encoded_samlmetadata_document=first, description="x", authn_sign_algo="rsa-sha256"
        )
    ).body.samlprovider
    again = refused(
        identity.create_samlprovider,
        ims.CreateSAMLProviderRequest(samlprovider_name=OTHER, encoded_samlmetadata_document=first),
    )
    acs = f"http://{endpoint}/saml-role/sso"
    document = trust({"Federated": made.arn}, {"StringEquals": {"saml:recipient": acs}})
    cloud.create_role(ram.CreateRoleRequest(role_name="BySAML", assume_role_policy_document=document))
    attributes = {
        "https://www.aliyun.com/SAML-Role/Attributes/Role": [f"{role_arn('BySAML')},{made.arn}"],
        "https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName": ["alice@example.com"],
    }

    def sign_in(key):
        response = make_response(endpoint, key=make_key(key), attributes=attributes).encode()
        request = sts.AssumeRoleWithSAMLRequest(
            role_arn=role_arn("BySAML"), samlprovider_arn=made.arn, samlassertion=response
        )
        return STSClient(configure(endpoint, signature)).assume_role_with_saml(request).body.assumed_role_user.arn

    with_old = sign_in("old")
    identity.update_samlprovider(
        ims.UpdateSAMLProviderRequest(samlprovider_name=OTHER, new_encoded_samlmetadata_document=second)
    )
    with pytest.raises(ClientException, match=r"AuthenticationFail\.SAMLAssertion\.Invalid"):
        sign_in("old")
    with_new = sign_in("new")
    shown = identity.get_samlprovider(ims.GetSAMLProviderRequest(samlprovider_name=OTHER)).body.samlprovider
    listed = identity.list_samlproviders(ims.ListSAMLProvidersRequest()).body.samlproviders.samlprovider
    cloud.delete_role(ram.DeleteRoleRequest(role_name="BySAML"))
    identity.delete_samlprovider(ims.DeleteSAMLProviderRequest(samlprovider_name=OTHER))

    assert made.arn == f"acs:ram::{PRODUCTION}:saml-provider/{OTHER}"
    assert again == (409, "EntityAlreadyExists.SAMLProvider")
    assert with_old == with_new == f"{role_arn('BySAML')}/alice@example.com"
    assert (shown.encoded_samlmetadata_document, shown.authn_sign_algo) == (second, "rsa-sha256")
    assert [each.samlprovider_name for each in listed] == ["corp", OTHER]


def test_an_oidc_provider_its_clients_and_fingerprints(identity):
    made = identity.create_oidcprovider(
        ims.CreateOIDCProviderRequest(
            oidcprovider_name="ci",
            issuer_url="https://ci.example.com",
            client_ids="sts.aliyuncs.com,other",
            fingerprints="902ef2deeb3c5b13ea4c3d5193629309e231ae55",
            issuance_limit_time=24,
        )
    ).body.oidcprovider
    again = refused(
        identity.create_oidcprovider,
        ims.CreateOIDCProviderRequest(
            oidcprovider_name="ci-2", issuer_url="https://ci.example.com", client_ids="sts.aliyuncs.com"
        ),
    )
    named = {"oidcprovider_name": "ci"}
    identity.add_client_id_to_oidcprovider(ims.AddClientIdToOIDCProviderRequest(client_id="third", **named))
    identity.remove_client_id_from_oidcprovider(ims.RemoveClientIdFromOIDCProviderRequest(client_id="other", **named))
    identity.add_fingerprint_to_oidcprovider(ims.AddFingerprintToOIDCProviderRequest(fingerprint="a" * 40, **named))
    identity.remove_fingerprint_from_oidcprovider(
        ims.RemoveFingerprintFromOIDCProviderRequest(fingerprint="902ef2deeb3c5b13ea4c3d5193629309e231ae55", **named)
    )
    identity.update_oidcprovider(ims.UpdateOIDCProviderRequest(new_description="CI", issuance_limit_time=1, **named))
    shown = identity.get_oidcprovider(ims.GetOIDCProviderRequest(**named)).body.oidcprovider
    (listed,) = identity.list_oidcproviders(ims.ListOIDCProvidersRequest()).body.oidcproviders.oidcprovider
    identity.delete_oidcprovider(ims.DeleteOIDCProviderRequest(**named))

    assert (made.arn, made.issuance_limit_time) == (f"acs:ram::{PRODUCTION}:oidc-provider/ci", 24)
    assert again == (409, "EntityAlreadyExists.OIDCProvider")
    assert (shown.client_ids, shown.fingerprints) == ("sts.aliyuncs.com,third", "a" * 40)
    assert (shown.description, shown.issuance_limit_time) == ("CI", 1)
    assert listed.oidcprovider_name == "ci"
    gone = refused(identity.get_oidcprovider, ims.GetOIDCProviderRequest(**named))
    assert gone == (404, "EntityNotExist.OIDCProvider")


def test_an_sdk_without_rights_sees_the_refusal(endpoint, signature):
    idle = RAMClient(configure(endpoint, signature, ("LTAITestIdle", ADMIN_KEY[1], None)))

    assert refused(idle.create_user, ram.CreateUserRequest(user_name="x")) == (403, "NoPermission")
