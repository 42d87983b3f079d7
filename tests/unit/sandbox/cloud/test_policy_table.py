"""What policies decide, as a table: each row is one documented rule of RAM's policy language, and what follows from it.

A row has the statements that are attached in the whole account, the question, and the answer: ``Allow``,
``ExplicitDeny`` or ``ImplicitDeny``. Where a row is about session policies or resource groups, it says so by name.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox.cloud.policy import Grant, PermissionPolicy, Question, decide

BUCKET = "acs:oss:*:*:acme-data"
OBJECT = f"{BUCKET}/finance/2026/report.csv"
INSTANCE = "acs:ecs:cn-hangzhou:1000000000000001:instance/i-abc123"
ROLE = "acs:ram::1000000000000001:role/Automation"
GROUP, OTHER_GROUP = "rg-acme01", "rg-acme02"
ALLOW, DENIED, SILENT = "Allow", "ExplicitDeny", "ImplicitDeny"


def allow(action="oss:GetObject", resource="*", **rest):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def deny(action="oss:GetObject", resource="*", **rest):
    return {**allow(action, resource, **rest), "Effect": "Deny"}


def when(operator, key, *values):
    return allow(Condition={operator: {key: list(values)}})


def build(statements):
    return PermissionPolicy.model_validate({"Version": "1", "Statement": statements})


def without(statement, *names, **rest):
    return {name: value for name, value in statement.items() if name not in names} | rest


# ── effect ───────────────────────────────────────────────────────────────────────────────────────────────────
EFFECTS = [
    ("nothing is attached", [], SILENT),
    ("an Allow", [allow()], ALLOW),
    ("an Allow of something else", [allow("oss:PutObject")], SILENT),
    ("a Deny alone", [deny()], DENIED),
    ("a Deny of something else", [allow(), deny("oss:PutObject")], ALLOW),
    ("Deny wins over Allow", [allow(), deny()], DENIED),
    ("Deny wins before Allow too", [deny(), allow()], DENIED),
    ("a narrow Deny wins over a wide Allow", [allow("*"), deny("oss:GetObject", OBJECT)], DENIED),
    ("a wide Deny wins over a narrow Allow", [allow("oss:GetObject", OBJECT), deny("*")], DENIED),
    ("two Allows of other things", [allow("oss:PutObject"), allow("oss:ListObjects")], SILENT),
    ("one of two Allows", [allow("oss:PutObject"), allow()], ALLOW),
    (
        "a Deny whose condition is not met",
        [allow(), deny(Condition={"StringEquals": {"acs:SourceIp": "1.1.1.1"}})],
        ALLOW,
    ),
    (
        "a Deny whose condition is met",
        [allow(), deny(Condition={"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}})],
        DENIED,
    ),
    ("a Deny for another resource", [allow(), deny(resource=BUCKET)], ALLOW),
]

# ── action ───────────────────────────────────────────────────────────────────────────────────────────────────
ACTIONS = [
    ("the action itself", "oss:GetObject", ALLOW),
    ("a list with it", ["oss:PutObject", "oss:GetObject"], ALLOW),
    ("a list without it", ["oss:PutObject", "oss:ListObjects"], SILENT),
    ("everything", "*", ALLOW),
    ("everything of the service", "oss:*", ALLOW),
    ("everything of another service", "ecs:*", SILENT),
    ("a beginning", "oss:Get*", ALLOW),
    ("another beginning", "oss:Put*", SILENT),
    ("an end", "oss:*Object", ALLOW),
    ("a middle", "oss:*etObj*", ALLOW),
    ("the same action of every service", "*:GetObject", ALLOW),
    ("one character each", "oss:?etObjec?", ALLOW),
    ("one character too many", "oss:GetObject?", SILENT),
    ("a question mark is exactly one", "oss:GetObj??t", ALLOW),
    ("a question mark is not none", "oss:Get?Object", SILENT),
    ("lower case", "oss:getobject", ALLOW),
    ("upper case", "OSS:GETOBJECT", ALLOW),
    ("lower case with a wildcard", "OSS:get*", ALLOW),
    ("a shorter name", "oss:GetObjec", SILENT),
    ("a longer name", "oss:GetObjectAcl", SILENT),
    ("a dot is a dot", "oss.GetObject", SILENT),
    ("a bracket is a bracket", "oss:[G]etObject", SILENT),
]
NOT_ACTIONS = [
    ("all but another", "oss:PutObject", ALLOW),
    ("all but this", "oss:GetObject", SILENT),
    ("all but this, in another case", "OSS:getobject", SILENT),
    ("all but its service", "oss:*", SILENT),
    ("all but another service", "ram:*", ALLOW),
    ("all but several with it", ["ram:*", "oss:Get*"], SILENT),
    ("all but several without it", ["ram:*", "ecs:*"], ALLOW),
    ("all but everything", "*", SILENT),
]

# ── resource ─────────────────────────────────────────────────────────────────────────────────────────────────
RESOURCES = [
    ("the object", OBJECT, ALLOW),
    ("everything", "*", ALLOW),
    ("the bucket alone", BUCKET, SILENT),
    ("what is in the bucket", f"{BUCKET}/*", ALLOW),
    ("a folder", f"{BUCKET}/finance/*", ALLOW),
    ("another folder", f"{BUCKET}/legal/*", SILENT),
    ("a star crosses slashes", f"{BUCKET}/*.csv", ALLOW),
    ("another end", f"{BUCKET}/*.txt", SILENT),
    ("several stars", "acs:oss:*:*:*-data/*/report.*", ALLOW),
    ("one character each", f"{BUCKET}/finance/20??/report.csv", ALLOW),
    ("one character too few", f"{BUCKET}/finance/20?/report.csv", SILENT),
    ("upper case", OBJECT.upper(), SILENT),
    ("another bucket that begins alike", "acs:oss:*:*:acme-data2/*", SILENT),
    ("a list with it", [f"{BUCKET}/legal/*", OBJECT], ALLOW),
    ("a list without it", [f"{BUCKET}/legal/*", BUCKET], SILENT),
    ("another service", "acs:ecs:*:*:*", SILENT),
    ("a dot is a dot", f"{BUCKET}/finance/2026/report?csv", ALLOW),
    ("a plus is a plus", f"{BUCKET}/finance/2026/report+csv", SILENT),
]
NOT_RESOURCES = [
    ("all but another folder", f"{BUCKET}/legal/*", ALLOW),
    ("all but this folder", f"{BUCKET}/finance/*", SILENT),
    ("all but the object", OBJECT, SILENT),
    ("all but everything", "*", SILENT),
    ("all but several with it", ["acs:ecs:*:*:*", f"{BUCKET}/*"], SILENT),
    ("all but several without it", ["acs:ecs:*:*:*", f"{BUCKET}/legal/*"], ALLOW),
]
ARNS = [
    ("region and account as written", "acs:ecs:cn-hangzhou:1000000000000001:instance/i-abc123", ALLOW),
    ("any region", "acs:ecs:*:1000000000000001:instance/*", ALLOW),
    ("another region", "acs:ecs:cn-beijing:*:instance/*", SILENT),
    ("another account", "acs:ecs:*:1000000000000002:instance/*", SILENT),
    ("any kind", "acs:ecs:cn-*:*:*", ALLOW),
    ("another kind", "acs:ecs:*:*:disk/*", SILENT),
]

# ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────
CONTEXT = {
    "acs:SourceIp": ("10.1.2.3",),
    "acs:CurrentTime": ("2026-03-04T05:06:07Z",),
    "acs:SecureTransport": ("true",),
    "acs:MFAPresent": ("false",),
    "acs:PrincipalARN": ("acs:ram::1000000000000001:assumed-role/Automation/lin.wei",),
    "acs:ResourceTag/team": ("platform",),
    "acs:RequestTag/cost-centre": ("4711",),
    "acs:SourceVpc": ("vpc-1a2b",),
    "acs:SourceIdentity": ("lin.wei@acme.example",),
    "ecs:Count": ("10",),
    "ecs:Tags": ("red", "green"),
}
NETWORK6 = {**CONTEXT, "acs:SourceIp": ("2001:db8::5",)}
CONDITIONS = [
    ("StringEquals", "acs:ResourceTag/team", ["platform"], ALLOW),
    ("StringEquals", "acs:ResourceTag/team", ["Platform"], SILENT),
    ("StringEquals", "acs:ResourceTag/team", ["platform "], SILENT),
    ("StringEquals", "acs:ResourceTag/team", ["plat*"], SILENT),
    ("StringEquals", "acs:ResourceTag/team", ["finance", "platform"], ALLOW),
    ("StringEquals", "acs:ResourceTag/owner", ["platform"], SILENT),
    ("StringEquals", "acs:resourcetag/team", ["platform"], SILENT),
    ("StringEquals", "acs:RequestTag/cost-centre", ["4711"], ALLOW),
    ("StringEquals", "acs:RequestTag/cost-centre", [4711], ALLOW),
    ("StringEquals", "acs:SourceVpc", ["vpc-1a2b"], ALLOW),
    ("StringEquals", "acs:SourceIdentity", ["lin.wei@acme.example"], ALLOW),
    ("StringEquals", "ecs:Tags", ["green"], ALLOW),
    ("StringEquals", "ecs:Tags", ["blue"], SILENT),
    ("StringNotEquals", "acs:ResourceTag/team", ["finance"], ALLOW),
    ("StringNotEquals", "acs:ResourceTag/team", ["platform"], SILENT),
    ("StringNotEquals", "acs:ResourceTag/team", ["finance", "platform"], SILENT),
    ("StringNotEquals", "acs:ResourceTag/team", ["finance", "legal"], ALLOW),
    ("StringNotEquals", "acs:ResourceTag/owner", ["finance"], SILENT),
    ("StringNotEquals", "ecs:Tags", ["red"], SILENT),
    ("StringEqualsIgnoreCase", "acs:ResourceTag/team", ["PLATFORM"], ALLOW),
    ("StringEqualsIgnoreCase", "acs:ResourceTag/team", ["FINANCE"], SILENT),
    ("StringNotEqualsIgnoreCase", "acs:ResourceTag/team", ["PLATFORM"], SILENT),
    ("StringNotEqualsIgnoreCase", "acs:ResourceTag/team", ["FINANCE"], ALLOW),
    ("StringLike", "acs:PrincipalARN", ["acs:ram::1000000000000001:assumed-role/Automation/*"], ALLOW),
    ("StringLike", "acs:PrincipalARN", ["acs:ram::*:assumed-role/*/lin.wei"], ALLOW),
    ("StringLike", "acs:PrincipalARN", ["acs:ram::*:user/*"], SILENT),
    ("StringLike", "acs:ResourceTag/team", ["plat????"], ALLOW),
    ("StringLike", "acs:ResourceTag/team", ["plat???"], SILENT),
    ("StringLike", "acs:ResourceTag/team", ["PLAT*"], SILENT),
    ("StringLike", "acs:ResourceTag/team", ["fin*", "plat*"], ALLOW),
    ("StringLike", "acs:ResourceTag/team", ["platform*"], ALLOW),
    ("StringNotLike", "acs:ResourceTag/team", ["plat*"], SILENT),
    ("StringNotLike", "acs:ResourceTag/team", ["fin*"], ALLOW),
    ("StringNotLike", "acs:ResourceTag/team", ["fin*", "*form"], SILENT),
    ("NumericEquals", "ecs:Count", ["10"], ALLOW),
    ("NumericEquals", "ecs:Count", ["10.00"], ALLOW),
    ("NumericEquals", "ecs:Count", [10], ALLOW),
    ("NumericEquals", "ecs:Count", ["11", "10"], ALLOW),
    ("NumericEquals", "ecs:Count", ["1_0"], SILENT),
    ("NumericEquals", "acs:ResourceTag/team", ["10"], SILENT),
    ("NumericNotEquals", "ecs:Count", ["10"], SILENT),
    ("NumericNotEquals", "ecs:Count", ["9"], ALLOW),
    ("NumericLessThan", "ecs:Count", ["10"], SILENT),
    ("NumericLessThan", "ecs:Count", ["11"], ALLOW),
    ("NumericLessThan", "ecs:Count", ["9"], SILENT),
    ("NumericLessThan", "ecs:Count", ["Infinity"], SILENT),
    ("NumericLessThanEquals", "ecs:Count", ["10"], ALLOW),
    ("NumericLessThanEquals", "ecs:Count", ["9"], SILENT),
    ("NumericGreaterThan", "ecs:Count", ["9"], ALLOW),
    ("NumericGreaterThan", "ecs:Count", ["10"], SILENT),
    ("NumericGreaterThan", "ecs:Count", ["-1"], ALLOW),
    ("NumericGreaterThanEquals", "ecs:Count", ["10"], ALLOW),
    ("NumericGreaterThanEquals", "ecs:Count", ["11"], SILENT),
    ("DateEquals", "acs:CurrentTime", ["2026-03-04T05:06:07Z"], ALLOW),
    ("DateEquals", "acs:CurrentTime", ["2026-03-04T13:06:07+08:00"], ALLOW),
    ("DateEquals", "acs:CurrentTime", ["2026-03-04T05:06:08Z"], SILENT),
    ("DateNotEquals", "acs:CurrentTime", ["2026-03-04T05:06:08Z"], ALLOW),
    ("DateNotEquals", "acs:CurrentTime", ["2026-03-04T13:06:07+08:00"], SILENT),
    ("DateLessThan", "acs:CurrentTime", ["2026-03-04T05:06:08Z"], ALLOW),
    ("DateLessThan", "acs:CurrentTime", ["2026-03-04T05:06:07Z"], SILENT),
    ("DateLessThan", "acs:CurrentTime", ["2026-03-04T13:06:08+08:00"], ALLOW),
    ("DateLessThan", "acs:CurrentTime", ["soon"], SILENT),
    ("DateLessThanEquals", "acs:CurrentTime", ["2026-03-04T05:06:07Z"], ALLOW),
    ("DateLessThanEquals", "acs:CurrentTime", ["2026-03-04T05:06:06Z"], SILENT),
    ("DateGreaterThan", "acs:CurrentTime", ["2026-01-01T00:00:00+08:00"], ALLOW),
    ("DateGreaterThan", "acs:CurrentTime", ["2027-01-01T00:00:00+08:00"], SILENT),
    ("DateGreaterThanEquals", "acs:CurrentTime", ["2026-03-04T05:06:07Z"], ALLOW),
    ("DateGreaterThanEquals", "acs:CurrentTime", ["2026-03-04T05:06:08Z"], SILENT),
    ("Bool", "acs:SecureTransport", ["true"], ALLOW),
    ("Bool", "acs:SecureTransport", [True], ALLOW),
    ("Bool", "acs:SecureTransport", ["false"], SILENT),
    ("Bool", "acs:MFAPresent", ["true"], SILENT),
    ("Bool", "acs:MFAPresent", [False], ALLOW),
    ("Bool", "acs:Absent", ["false"], SILENT),
    ("IpAddress", "acs:SourceIp", ["10.1.2.3"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["10.0.0.0/8"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["10.1.2.0/24"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["10.1.2.4"], SILENT),
    ("IpAddress", "acs:SourceIp", ["192.168.0.0/16"], SILENT),
    ("IpAddress", "acs:SourceIp", ["192.168.0.0/16", "10.0.0.0/8"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["2001:db8::/32"], SILENT),
    ("IpAddress", "acs:SourceIp", ["10.1.2.3/24"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["10.1.2"], SILENT),
    ("NotIpAddress", "acs:SourceIp", ["192.168.0.0/16"], ALLOW),
    ("NotIpAddress", "acs:SourceIp", ["10.0.0.0/8"], SILENT),
    ("NotIpAddress", "acs:SourceIp", ["192.168.0.0/16", "10.0.0.0/8"], SILENT),
    ("NotIpAddress", "acs:Absent", ["10.0.0.0/8"], SILENT),
]
ADDRESSES_6 = [
    ("IpAddress", "acs:SourceIp", ["2001:db8::/32"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["2001:0db8:0::5"], ALLOW),
    ("IpAddress", "acs:SourceIp", ["10.0.0.0/8"], SILENT),
    ("NotIpAddress", "acs:SourceIp", ["2001:db8::/64"], SILENT),
]
SECURE = {"Bool": {"acs:SecureTransport": "true"}}
INSIDE = {"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}
OUTSIDE = {"IpAddress": {"acs:SourceIp": "192.168.0.0/16"}}
SEVERAL = [
    ("both operators are met", {**SECURE, **INSIDE}, ALLOW),
    ("one of two operators is met", {**SECURE, **OUTSIDE}, SILENT),
    (
        "both keys of one operator are met",
        {"StringEquals": {"acs:ResourceTag/team": "platform", "acs:SourceVpc": "vpc-1a2b"}},
        ALLOW,
    ),
    (
        "one of two keys is met",
        {"StringEquals": {"acs:ResourceTag/team": "platform", "acs:SourceVpc": "vpc-other"}},
        SILENT,
    ),
    (
        "one of two keys is absent",
        {"StringEquals": {"acs:ResourceTag/team": "platform", "acs:Absent": "x"}},
        SILENT,
    ),
    ("no operator at all", {}, ALLOW),
    (
        "a range of numbers",
        {"NumericGreaterThan": {"ecs:Count": "5"}, "NumericLessThan": {"ecs:Count": "15"}},
        ALLOW,
    ),
    (
        "a time outside of a range",
        {
            "DateGreaterThan": {"acs:CurrentTime": "2026-03-04T06:00:00Z"},
            "DateLessThan": {"acs:CurrentTime": "2026-03-04T18:00:00Z"},
        },
        SILENT,
    ),
]

# ── session policies ─────────────────────────────────────────────────────────────────────────────────────────
SESSIONS = [
    ("both allow", [allow()], [allow()], ALLOW, "AccountLevelIdentityBasedPolicy"),
    ("the session does not", [allow()], [allow("oss:PutObject")], SILENT, "SessionPolicy"),
    ("the role does not", [allow("oss:PutObject")], [allow()], SILENT, "AccountLevelIdentityBasedPolicy"),
    ("nothing is attached to the role", [], [allow("*")], SILENT, "AccountLevelIdentityBasedPolicy"),
    ("the session denies", [allow("*")], [allow("*"), deny()], DENIED, "SessionPolicy"),
    ("the session only denies", [allow("*")], [deny("oss:PutObject")], SILENT, "SessionPolicy"),
    ("the role denies", [allow(), deny()], [allow("*")], DENIED, "AccountLevelIdentityBasedPolicy"),
    ("the wider of two is the role", [allow("*")], [allow()], ALLOW, "AccountLevelIdentityBasedPolicy"),
    ("the wider of two is the session", [allow()], [allow("*")], ALLOW, "AccountLevelIdentityBasedPolicy"),
    ("its folder is narrower", [allow()], [allow(resource=f"{BUCKET}/legal/*")], SILENT, "SessionPolicy"),
    (
        "its condition is met",
        [allow()],
        [allow(Condition=INSIDE)],
        ALLOW,
        "AccountLevelIdentityBasedPolicy",
    ),
    ("its condition is not met", [allow()], [allow(Condition=OUTSIDE)], SILENT, "SessionPolicy"),
]

# ── resource groups ──────────────────────────────────────────────────────────────────────────────────────────
ECS, ASSUME = ("ecs:StopInstance", INSTANCE), ("sts:AssumeRole", ROLE)
IN_GROUP, IN_ACCOUNT = "ResourceGroupLevelIdentityBasedPolicy", "AccountLevelIdentityBasedPolicy"
SCOPES = [
    ("in its group", [(allow("ecs:*"), GROUP)], ECS, GROUP, ALLOW, IN_GROUP),
    ("in another group", [(allow("ecs:*"), GROUP)], ECS, OTHER_GROUP, SILENT, IN_ACCOUNT),
    ("in no group", [(allow("ecs:*"), GROUP)], ECS, None, SILENT, IN_ACCOUNT),
    ("the whole account takes every group in", [(allow("ecs:*"), None)], ECS, GROUP, ALLOW, IN_ACCOUNT),
    ("a Deny of its group", [(allow("*"), None), (deny("ecs:*"), GROUP)], ECS, GROUP, DENIED, IN_GROUP),
    ("a Deny of another group", [(allow("*"), None), (deny("ecs:*"), OTHER_GROUP)], ECS, GROUP, ALLOW, IN_ACCOUNT),
    ("a Deny of the account", [(allow("*"), GROUP), (deny("ecs:*"), None)], ECS, GROUP, DENIED, IN_ACCOUNT),
    ("another action in its group", [(allow("ecs:StartInstance"), GROUP)], ECS, GROUP, SILENT, IN_GROUP),
    ("a service without groups", [(allow("*"), GROUP)], ASSUME, GROUP, SILENT, IN_ACCOUNT),
    ("one of two groups", [(allow("ecs:*"), OTHER_GROUP), (allow("ecs:*"), GROUP)], ECS, GROUP, ALLOW, IN_GROUP),
]


def ask(statements, action="oss:GetObject", resource=OBJECT, context=CONTEXT):
    grants = [Grant("attached", build(statements))] if statements else []
    return decide(Question(action, resource, context), grants).outcome


@pytest.mark.parametrize(("statements", "expected"), [pytest.param(*row[1:], id=row[0]) for row in EFFECTS])
def test_effects(statements, expected):
    assert ask(statements) == expected


@pytest.mark.parametrize(("action", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ACTIONS])
def test_actions(action, expected):
    assert ask([allow(action)]) == expected


@pytest.mark.parametrize(("action", "expected"), [pytest.param(*row[1:], id=row[0]) for row in NOT_ACTIONS])
def test_not_actions(action, expected):
    assert ask([without(allow(), "Action", NotAction=action)]) == expected


@pytest.mark.parametrize(("resource", "expected"), [pytest.param(*row[1:], id=row[0]) for row in RESOURCES])
def test_resources(resource, expected):
    assert ask([allow(resource=resource)]) == expected


@pytest.mark.parametrize(("resource", "expected"), [pytest.param(*row[1:], id=row[0]) for row in NOT_RESOURCES])
def test_not_resources(resource, expected):
    assert ask([without(allow(), "Resource", NotResource=resource)]) == expected


@pytest.mark.parametrize(("resource", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ARNS])
def test_names_of_resources(resource, expected):
    assert ask([allow("ecs:*", resource)], *ECS) == expected


@pytest.mark.parametrize(("operator", "key", "values", "expected"), CONDITIONS)
def test_conditions(operator, key, values, expected):
    assert ask([when(operator, key, *values)]) == expected


@pytest.mark.parametrize(("operator", "key", "values", "expected"), ADDRESSES_6)
def test_conditions_on_addresses_of_version_6(operator, key, values, expected):
    assert ask([when(operator, key, *values)], context=NETWORK6) == expected


@pytest.mark.parametrize(("condition", "expected"), [pytest.param(*row[1:], id=row[0]) for row in SEVERAL])
def test_several_conditions(condition, expected):
    assert ask([allow(Condition=condition)]) == expected


@pytest.mark.parametrize(
    ("role", "session", "expected", "layer"), [pytest.param(*row[1:], id=row[0]) for row in SESSIONS]
)
def test_session_policies(role, session, expected, layer):
    grants = [Grant("attached", build(role))] if role else []

    decision = decide(Question("oss:GetObject", OBJECT, CONTEXT), grants, build(session))

    assert (decision.outcome, decision.layer) == (expected, layer)


@pytest.mark.parametrize(
    ("attached", "question", "group", "expected", "layer"), [pytest.param(*row[1:], id=row[0]) for row in SCOPES]
)
def test_resource_groups(attached, question, group, expected, layer):
    grants = [Grant(f"policy-{scope}", build([statement]), scope) for statement, scope in attached]

    decision = decide(Question(*question, CONTEXT, group), grants)

    assert (decision.outcome, decision.layer) == (expected, layer)


@pytest.mark.parametrize(
    "operator", ["Null", "StringEqualsIfExists", "ForAnyValue:StringEquals", "ForAllValues:Bool", ""]
)
def test_operators_of_other_clouds_are_refused(operator):
    with pytest.raises(ValueError, match="unknown operator"):
        build([when(operator, "acs:SourceIp", "true")])


def test_the_table_has_at_least_150_rows():
    tables = (
        EFFECTS, ACTIONS, NOT_ACTIONS, RESOURCES, NOT_RESOURCES, ARNS,
        CONDITIONS, ADDRESSES_6, SEVERAL, SESSIONS, SCOPES,
    )  # fmt: skip
    assert sum(map(len, tables)) >= 150


def test_the_deciding_statement_is_named():
    grants = [
        Grant("reading", build([allow("oss:List*"), allow()])),
        Grant("never", build([allow("ecs:*"), allow("rds:*"), deny("oss:Get*", OBJECT)])),
    ]

    denied = decide(Question("oss:GetObject", OBJECT), grants)
    allowed = decide(Question("oss:GetObject", f"{BUCKET}/x"), grants)

    assert (denied.policy, denied.statement) == ("never", 2)
    assert (allowed.policy, allowed.statement) == ("reading", 1)


# ── a session policy never adds a right ──────────────────────────────────────────────────────────────────────
SOME_ACTIONS = ["oss:GetObject", "oss:PutObject", "ecs:StopInstance", "sts:AssumeRole", "oss:*", "*:Get*", "*"]
SOME_RESOURCES = [OBJECT, f"{BUCKET}/legal/x", f"{BUCKET}/finance/*", INSTANCE, ROLE, "*"]
some_conditions = st.sampled_from([{}, SECURE, INSIDE, OUTSIDE, {"StringNotLike": {"acs:Absent": "x"}}])


@st.composite
def some_statement(draw):
    statement = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])), "Condition": draw(some_conditions)}
    statement[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(
        st.lists(st.sampled_from(SOME_ACTIONS), min_size=1, max_size=3)
    )
    statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(
        st.lists(st.sampled_from(SOME_RESOURCES), min_size=1, max_size=3)
    )
    return statement


some_policy = st.lists(some_statement(), min_size=1, max_size=4).map(build)
some_grant = st.builds(Grant, st.just("attached"), some_policy, st.sampled_from([None, None, GROUP]))
some_question = st.builds(
    Question,
    st.sampled_from(SOME_ACTIONS[:4]),
    st.sampled_from(SOME_RESOURCES[:2] + SOME_RESOURCES[3:5]),
    st.just(CONTEXT),
    st.sampled_from([None, GROUP, OTHER_GROUP]),
)


@settings(max_examples=200, deadline=None)
@given(some_question, st.lists(some_grant, max_size=3), some_policy)
def test_a_session_policy_never_adds_a_right(question, grants, session_policy):
    narrowed = decide(question, grants, session_policy).allowed
    in_full = decide(question, grants).allowed
    alone = decide(question, [Grant("session", session_policy)]).allowed

    assert narrowed == (in_full and alone)
