"""The paste box picks a sufficient and minimal role: 200 calls that the sandbox's cloud really denied.

An account has roles with generated policies. Somebody holds some of them, one call of theirs is denied over HTTP, and
what the official SDK prints of it is pasted. The portal knows what ``rambridge setup policies`` read from that cloud.
The sandbox's own evaluation, which shares no code with ours (decision 0009), is the oracle: the offered role's
credentials must succeed with the same call, and no held role that surely succeeds may do strictly less at the probes.
"""

import json
import random
import re
from itertools import product

import pytest
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from bridge.clock import SystemClock
from bridge.pasted.offer import find_offers
from bridge.pasted.reading import read_pasted
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.sandbox.cloud.policy import Grant, Question, decide, parse_permission_policy
from bridge.sandbox.cloud.system_policies import SYSTEM_POLICIES
from bridge.setup.ram import Administration, AdministratorKey
from tests.factories import make_account, make_entitlement
from tests.installation import serve
from tests.ports import reserve_ports
from tests.unit.sandbox.cloud.client import Cloud, read_key
from tests.unit.sandbox.cloud.parties import ADMIN_KEY, PRODUCTION

SEED = 20261129
CASES = 200
ROLES = 60

ACTIONS = {
    "ecs": ("DescribeInstances", "StopInstance", "StartInstance", "DeleteInstance", "RebootInstance", "DescribeDisks"),
    "oss": ("GetObject", "PutObject", "DeleteObject", "GetObjectAcl", "ListObjects", "RestoreObject"),
    "rds": ("DescribeDBInstances", "RestartDBInstance", "DeleteDBInstance", "DescribeSlowLogs"),
    "nlb": ("ListLoadBalancers", "DeleteLoadBalancer"),
    "ram": ("GetUser", "UpdateUser", "ListUsers", "GetRole", "DeleteRole"),
}
RESOURCES = {
    "ecs": ("instance/i-shop1", "instance/i-shop2", "instance/i-bank1", "instance/i-bank1z", "disk/d-1"),
    "oss": (
        "shop",
        "shop/a.txt",
        "shop/in/b.txt",
        "bank/a.txt",
        "shop-old/a.txt",
        "shop/q1 (1).txt",
        "shop/in/[a],b.txt",
    ),
    "rds": ("dbinstance/rm-shop", "dbinstance/rm-bank"),
    "nlb": ("loadbalancer/nlb-1", "loadbalancer/nlb-2"),
    "ram": ("user/alice", "user/bob", "user/*", "role/ReadOnly", "role/Chained"),
}
REAL = {
    "ram:GetUser": ("user/", "UserName"),
    "ram:UpdateUser": ("user/", "UserName"),
    "ram:GetRole": ("role/", "RoleName"),
    "ram:ListUsers": ("user/*", None),
}
"""Calls that the sandbox carries out; it decides on all others as their product would (``CheckAccess``)."""
CONTEXTS = [
    {"acs:SourceIp": (address,), "acs:MFAPresent": (mfa,), "acs:SecureTransport": ("false",)}
    for address, mfa in product(("127.0.0.1", "203.0.113.9", "198.51.100.7"), ("true", "false"))
]
CONDITIONS = (
    {"IpAddress": {"acs:SourceIp": ["127.0.0.0/8"]}},
    {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}},
    {"Bool": {"acs:MFAPresent": "true"}},
    {"NotIpAddress": {"acs:SourceIp": "198.51.100.0/24"}},
)


def arn(service, rest):
    region = {"ram": "", "oss": "*"}.get(service, "cn-hangzhou")
    return f"acs:{service}:{region}:{PRODUCTION}:{rest}"


PROBES = [
    (f"{service}:{action}", arn(service, rest))
    for service, actions in ACTIONS.items()
    for action in actions
    for rest in RESOURCES[service]
]

ELSEWHERE = [
    (action, arn(action.partition(":")[0], rest))
    for action, rest in (
        ("kms:GetSecretValue", "secret/s"),
        ("log:ListProject", "project/p"),
        ("vpc:DescribeVpcs", "vpc/v"),
    )
]
"""Nobody calls these; what reads in every service does more than what reads in one."""


def make_actions(chance, service):
    shapes = [
        lambda: f"{service}:{chance.choice(ACTIONS[service])}",
        lambda: f"{service}:{chance.choice(ACTIONS[service])}",
        lambda: f"{service}:*",
        lambda: (
            f"{service}:{chance.choice(('Describe*', 'Get*', 'List*', 'Delete*', '*Instance', '*Object', 'St?p*'))}"
        ),
        lambda: f"*:{chance.choice(('Describe*', 'Get*', 'List*'))}",
        lambda: "*",
    ]
    return [chance.choices(shapes, (6, 6, 4, 4, 2, 1))[0]() for _ in range(chance.randint(1, 3))]


def make_resources(chance, service):
    def narrow():
        rest = chance.choice(RESOURCES[service])
        if "*" not in rest and chance.random() < 0.6:
            rest = chance.choice((rest[: len(rest) * 2 // 3] + "*", rest.partition("/")[0] + "/*", "*" + rest[-2:]))
        return f"acs:{service}:{chance.choice(('*', '*', 'cn-hangzhou'))}:{chance.choice(('*', PRODUCTION))}:{rest}"

    return ["*"] if chance.random() < 0.45 else [narrow() for _ in range(chance.randint(1, 2))]


def make_statement(chance, effect):
    service = chance.choice(list(ACTIONS))
    name = "NotAction" if chance.random() < 0.05 else "Action"
    resource = "NotResource" if chance.random() < 0.05 else "Resource"
    actions, resources = make_actions(chance, service), make_resources(chance, service)
    statement = {"Effect": effect, name: actions, resource: resources}
    if chance.random() < 0.15:
        statement["Condition"] = chance.choice(CONDITIONS)
    return statement


def make_long_list(chance):
    """Return more patterns of one service than it takes to fill up what is compared of it."""
    service = chance.choice(list(ACTIONS))
    names = [f"Get{number}{chance.choice(('', '*'))}" for number in range(140)]
    actions = [*names, *chance.sample(ACTIONS[service], 2)]
    return {"Effect": "Allow", "Action": [f"{service}:{each}" for each in actions], "Resource": "*"}


def make_policy(chance):
    statements = [make_statement(chance, "Allow") for _ in range(chance.randint(1, 3))]
    statements += [make_long_list(chance)] * (chance.random() < 0.1)
    statements += [make_statement(chance, "Deny")] * (chance.random() < 0.35)
    return {"Version": "1", "Statement": statements}


class World:
    """The account, its cloud on a port, and what the oracle says of each role."""

    def __init__(self, address, held):
        self.address = address
        self.policies = held
        self.keys = {}
        self.allowed = {role: self._probe(role) for role in held}

    def _probe(self, role):
        return frozenset(
            (action, resource, number)
            for action, resource in PROBES + ELSEWHERE
            for number, context in enumerate(CONTEXTS)
            if self.decide(role, action, resource, context)
        )

    def decide(self, role, action, resource, context):
        grants = [Grant(name, policy) for name, policy in self.policies[role]]
        return decide(Question(action, resource, context), grants).allowed

    def surely(self, role, call):
        return all((*call, number) in self.allowed[role] for number in range(len(CONTEXTS)))

    def call(self, role, call):
        """Make the call with credentials of the role. Raises what the SDK raises."""
        action, resource = call
        if action in REAL:
            kind, parameter = REAL[action]
            name = resource.rpartition(":")[2].removeprefix(kind)
            self._send(role, action.partition(":")[2], "2015-05-01", {parameter: name} if parameter else {})
        else:
            query = {"RequestedAction": action, "Resource": resource, "Enforce": "true"}
            self._send(role, "CheckAccess", "sandbox", query)

    def _send(self, role, action, version, query):
        key_id, secret, token = self.keys[role]
        config = Config(
            endpoint=self.address, protocol="http", access_key_id=key_id, access_key_secret=secret, security_token=token
        )
        params = Params(
            action=action, version=version, protocol="HTTP", pathname="/", method="POST", auth_type="AK", style="RPC",
            req_body_type="formData", body_type="json",
        )  # fmt: skip
        Client(config).call_api(params, OpenApiRequest(query=query), RuntimeOptions(autoretry=False))


def build_roles(chance):
    """Return roles with their policies: documents of their own, and now and then a system policy."""
    roles = {}
    for number in range(ROLES):
        own = [(f"p{number}-{each}", make_policy(chance)) for each in range(chance.randint(1, 2))]
        system = [chance.choice(list(SYSTEM_POLICIES))] if chance.random() < 0.15 else []
        roles[f"R{number:02}"] = (own, system)
    return roles


@pytest.fixture(scope="module")
def world():
    chance = random.Random(SEED)
    roles = build_roles(chance)
    trust = {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": f"acs:ram::{PRODUCTION}:user/bridge"}}
        ],
    }
    cloud = Cloud(clock=SystemClock())
    for role, (own, system) in roles.items():
        for name, document in own:
            must(cloud.manage("CreatePolicy", PolicyName=name, PolicyDocument=json.dumps(document)))
        must(cloud.manage("CreateRole", RoleName=role, AssumeRolePolicyDocument=json.dumps(trust)))
        for kind, name in [*(("Custom", name) for name, _ in own), *(("System", name) for name in system)]:
            must(cloud.manage("AttachPolicyToRole", RoleName=role, PolicyName=name, PolicyType=kind))
    (port,) = reserve_ports(1)
    url = f"http://127.0.0.1:{port}"
    held = {
        role: [
            *((name, parse_permission_policy(json.dumps(document))) for name, document in own),
            *((name, SYSTEM_POLICIES[name][1]) for name in system),
        ]
        for role, (own, system) in roles.items()
    }
    world = World(f"127.0.0.1:{port}", held)
    world.keys = {role: read_key(must(cloud.assume_role(role))) for role in roles}
    with serve(cloud.app, url):
        ram = Administration(
            make_account(id=PRODUCTION, endpoint=url), AdministratorKey(ADMIN_KEY[0], ADMIN_KEY[1]), url
        )
        snapshot = ram.read_role_policies(list(roles), SystemClock().now())
        world.knowledge = RoleKnowledge({"acme": snapshot})
        yield world


def must(answer):
    status, body = answer
    assert status == 200, body
    return body


FORMS = (
    str,
    lambda error: json.dumps(error.data),
    lambda error: json.dumps(json.dumps(error.data)),
    lambda error: (
        f"ERROR: SDK.ServerError\nErrorCode: {error.code}\nRequestId: {error.request_id}\n"
        f"Message: {error.message}\nAccessDeniedDetail: map["
        + " ".join(f"{name}:{value}" for name, value in error.data["AccessDeniedDetail"].items())
        + "]"
    ),
    lambda error: (
        "<Error><Code>AccessDenied</Code><AccessDeniedDetail>"
        + "".join(f"<{name}>{value}</{name}>" for name, value in error.data["AccessDeniedDetail"].items())
        + "</AccessDeniedDetail></Error>"
    ),
    lambda error: (
        "Error: [ERROR] terraform-provider-alicloud/alicloud/resource.go:1: Failed!!!\nSDKError:\n   StatusCode: "
        f"403\n   Code: {error.code}\n   Message: {error.message}\n   Data: {json.dumps(error.data)}\n"
    ),
    lambda error: (
        "抱歉，您没有权限执行此操作。授权操作：{AuthAction}，授权资源：{AuthResource}，NoPermissionType：{NoPermissionType}。".format(
            **error.data["AccessDeniedDetail"]
        )
    ),
)
"""The same refusal in the SDK, as JSON, escaped in a log, in the CLI, in OSS's XML, in Terraform, on a page."""
UNQUOTED = (FORMS[3], FORMS[6])
"""Where a name with blanks and brackets ends, these do not tell."""


def draw(world, chance):
    """Return a call, the roles that somebody holds, the one that is denied, and those that surely succeed."""
    call = chance.choice([each for each in PROBES if each[0] in REAL or not each[0].startswith("ram:")])
    if call[0] in REAL and not call[1].rpartition(":")[2].startswith(REAL[call[0]][0].rstrip("*")):
        return None
    if (call[0] == "ram:ListUsers") != call[1].endswith("*"):
        return None
    held = chance.sample(list(world.policies), chance.randint(3, 14))
    denied = [each for each in held if not world.decide(each, *call, CONTEXTS[1])]
    if not denied:
        return None
    return call, held, chance.choice(denied), [each for each in held if world.surely(each, call)]


def deny(world, role, call):
    with pytest.raises(AlibabaCloudException) as caught:
        world.call(role, call)
    return caught.value


def ask(world, text, held):
    entitlements = [make_entitlement(id=f"{number:016x}", name=role) for number, role in enumerate(held)]
    return find_offers(read_pasted(text), entitlements, {"acme": make_account(id=PRODUCTION)}, world.knowledge)


def test_the_offered_role_suffices_and_no_held_one_that_does_is_less_powerful(world):
    chance = random.Random(SEED)
    cases, compared, without, odd = 0, 0, 0, 0
    while cases < CASES:
        drawn = draw(world, chance)
        if drawn is None:
            continue
        call, held, denied, sure = drawn
        if not sure and without >= CASES // 10:
            continue
        form = FORMS[(cases + without) % len(FORMS)]
        text = form(deny(world, denied, call))
        offers = ask(world, text, held)
        if form in UNQUOTED and re.search(r"[ (\[]", call[1]):
            assert {each.entitlement.name for each in offers.sufficient} <= set(sure), (call, text)
            odd += 1
            without += not sure
            cases += bool(sure)
            continue
        assert {each.entitlement.name for each in offers.sufficient} == set(sure), (call, text)
        if not sure:
            without += 1
            continue
        offered = offers.sufficient[0].entitlement.name
        world.call(offered, call)
        smaller = [each for each in sure if world.allowed[each] < world.allowed[offered]]
        assert not smaller, f"{call}: {offered} was offered, and {smaller} may do less"
        cases += 1
        compared += len(sure) > 1
    assert compared > CASES // 2
    assert odd


def test_without_the_resource_in_the_message_what_is_offered_succeeds_all_the_same(world):
    chance = random.Random(SEED + 1)
    offered = 0
    while offered < 20:
        drawn = draw(world, chance)
        if drawn is None:
            continue
        call, held, denied, sure = drawn
        text = re.sub(r"'AuthResource': '[^']*', ", "", str(deny(world, denied, call)))
        assert "AuthResource" not in text
        offers = ask(world, text, held)
        if offers.sufficient:
            assert offers.sufficient[0].entitlement.name in sure
            world.call(offers.sufficient[0].entitlement.name, call)
            offered += 1
