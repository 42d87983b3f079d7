"""A session policy that RAM's grammar does not know is refused when it is read, with its place and what to write."""

import json
import sys

import pytest

from bridge.entitlements.policy_templates import compile_policy
from bridge.entitlements.ram_policy import MAX_POLICY_BYTES, OPERATORS, build_policy_schema, find_policy_flaws
from bridge.entitlements.rules import RuleFiles
from bridge.entitlements.rules.session_policies import read_policy_files
from bridge.sandbox.cloud import policy as sandbox

START = 'Version: "1"\nStatement:\n'
GOOD = "- Effect: Allow\n  Action: oss:GetObject\n  Resource: acs:oss:*:*:bucket/*\n"


def statement(line, *, instead=None):
    """Return a good policy with one line more (line 6), or with a line instead of another."""
    return START + (GOOD.replace(instead, line) if instead else f"{GOOD}  {line}\n")


def condition(text):
    return statement(f"Condition: {{{text}}}")


ACTION, RESOURCE = "Action: oss:GetObject", "Resource: acs:oss:*:*:bucket/*"
WRONG = [
    pytest.param("- a\n", (1, 1), "not a RAM policy", "an object", id="list"),
    pytest.param("text\n", (1, 1), "not a RAM policy", "an object", id="text"),
    pytest.param("", (1, 1), "not a RAM policy", "an object", id="nothing"),
    pytest.param(f"Statement:\n{GOOD}", (1, 1), "`Version` is missing", '"1"', id="no version"),
    pytest.param(f'Version: "2012-10-17"\nStatement:\n{GOOD}', (1, 10), "not the text `1`", '"1"', id="version of AWS"),
    pytest.param(f"Version: 1\nStatement:\n{GOOD}", (1, 10), "not the text `1`", "in quotes", id="version as a number"),
    pytest.param('Version: "1"\n', (1, 1), "`Statement` is missing", "a list", id="no statement"),
    pytest.param(START + "  []\n", (3, 3), "`Statement` is empty", "at least one", id="empty statement list"),
    pytest.param(
        START + GOOD.replace("- ", "  "), (3, 3), "`Statement` is not a list", "even around", id="one statement alone"
    ),
    pytest.param(f"Id: x\n{START}{GOOD}", (1, 1), "`Id` is not a member", "Remove it", id="unknown member at the top"),
    pytest.param(START + GOOD + "statement: []\n", (6, 1), "`statement`", "Write `Statement`", id="top member's case"),
    pytest.param(START + GOOD + "- 5\n", (6, 3), "statement 2: this is not an object", "`Effect`", id="number"),
    pytest.param(
        statement("- Action: oss:GetObject", instead="- Effect: Allow\n  Action: oss:GetObject"),
        (3, 3),
        "`Effect` is missing",
        "`Deny`",
        id="no effect",
    ),
    pytest.param(
        statement("Effect: allow", instead="Effect: Allow"), (3, 11), "neither", "exactly", id="effect's case"
    ),
    pytest.param(
        statement("Effect: [Allow]", instead="Effect: Allow"), (3, 11), "neither", "exactly", id="effect list"
    ),
    pytest.param(statement("effect: Deny"), (6, 3), "`effect` is not", "Write `Effect`", id="member's case"),
    pytest.param(statement("Sid: x"), (6, 3), "`Sid` is not a member", "Known are", id="Sid of AWS"),
    pytest.param(statement("Principal: {RAM: ['*']}"), (6, 3), "trust policies", "Remove it", id="principal"),
    pytest.param(statement("NotAction: oss:*"), (6, 3), "exclude each other", "Remove one", id="Action and NotAction"),
    pytest.param(
        statement("NotResource: '*'"), (6, 3), "exclude each other", "Remove one", id="Resource and NotResource"
    ),
    pytest.param(
        START + "- {Effect: Deny, Resource: '*'}\n", (3, 3), "`Action` is missing", "`NotAction`", id="no action"
    ),
    pytest.param(START + "- {Effect: Deny, Action: '*'}\n", (3, 3), "`Resource` is missing", "`NotR", id="no resource"),
    pytest.param(
        statement("Action: []", instead=ACTION), (4, 11), "list is empty", "at least one", id="no action in it"
    ),
    pytest.param(
        statement("Action: 5", instead=ACTION), (4, 11), "text is expected", "quotes", id="action as a number"
    ),
    pytest.param(statement("Action: GetObject", instead=ACTION), (4, 11), "`GetObject`", "service:", id="no service"),
    pytest.param(statement("Action: 'oss:'", instead=ACTION), (4, 11), "`oss:`", "service:", id="no action after it"),
    pytest.param(statement("Action: o*:Get", instead=ACTION), (4, 11), "`o*:Get`", "service:", id="half a service"),
    pytest.param(
        statement("Action: oss Get", instead=ACTION), (4, 11), "`oss Get`", "service:", id="blank in an action"
    ),
    pytest.param(
        statement("Action: [oss:Get, s3.x]", instead=ACTION), (4, 21), "`s3.x`", "service:", id="second action"
    ),
    pytest.param(
        statement("Action: 'oss:${ claims.uid }'", instead=ACTION), (4, 11), "no placeholder", "out", id="filled action"
    ),
    pytest.param(
        statement("Resource: arn:aws:s3:::b", instead=RESOURCE), (5, 13), "`arn:", "acs:service", id="resource of AWS"
    ),
    pytest.param(statement("Resource: bucket/*", instead=RESOURCE), (5, 13), "`bucket", "acs:service", id="bare name"),
    pytest.param(statement("Resource: 'acs:oss:*:*:'", instead=RESOURCE), (5, 13), "`acs:oss", "acs:se", id="no name"),
    pytest.param(statement("Resource: acs:oss:b/*", instead=RESOURCE), (5, 13), "`acs:oss:b", "acs:se", id="too short"),
    pytest.param(statement("Resource: acs:oss:*:me:b", instead=RESOURCE), (5, 13), "me", "acs:se", id="account's name"),
    pytest.param(
        statement('Resource: "acs:oss:*:*:a\\u200bb"', instead=RESOURCE), (5, 13), "invisible", "again", id="invisible"
    ),
    pytest.param(
        statement("Resource: 'acs:oss:*:${ claims.n }:b'", instead=RESOURCE),
        (5, 13),
        "not the name",
        "acs:se",
        id="filled account",
    ),
    pytest.param(statement("Condition: []"), (6, 14), "names no operator", "IpAddress", id="condition as a list"),
    pytest.param(condition(""), (6, 14), "names no operator", "IpAddress", id="empty condition"),
    pytest.param(
        condition("StringEqual: {oss:Prefix: a}"), (6, 15), "operator", "`StringEquals`", id="operator's name"
    ),
    pytest.param(condition("'Null': {oss:Prefix: 'true'}"), (6, 15), "operator", "Write", id="Null of AWS"),
    pytest.param(
        condition("StringEqualsIfExists: {oss:Prefix: a}"), (6, 15), "operator", "`StringEquals`", id="IfExists of AWS"
    ),
    pytest.param(condition("Bool: {}"), (6, 21), "names no key", "below it", id="no key"),
    pytest.param(condition("Bool: {MFAPresent: 'true'}"), (6, 22), "key of a condition", "acs:SourceIp", id="bare key"),
    pytest.param(condition("Bool: {acs:MFAPresent: true}"), (6, 38), "text is expected", "quotes", id="unquoted true"),
    pytest.param(condition("Bool: {acs:MFAPresent: 'yes'}"), (6, 38), "neither true nor", '"true"', id="yes"),
    pytest.param(condition("NumericLessThan: {ecs:Size: big}"), (6, 43), "not a number", "quotes", id="no number"),
    pytest.param(
        condition("DateLessThan: {acs:CurrentTime: '2026-12-31'}"), (6, 47), "time zone", "8601", id="date alone"
    ),
    pytest.param(
        condition("IpAddress: {acs:SourceIp: office}"), (6, 41), "not a network", "192.0.2.0/24", id="no network"
    ),
    pytest.param(
        condition("NotIpAddress: {acs:SourceIp: 192.0.2.9/24}"),
        (6, 44),
        "not a network",
        "first address",
        id="host bits",
    ),
    pytest.param(condition("StringLike: {oss:Prefix: []}"), (6, 40), "list is empty", "at least", id="no values"),
    pytest.param(condition("StringLike: {oss:Prefix: ''}"), (6, 40), "empty", "a value", id="empty value"),
    pytest.param(
        condition("IpAddress: {acs:SourceIp: '${ claims.ip }'}"), (6, 41), "not a network", "192", id="filled network"
    ),
    pytest.param(condition("StringEquals: {'oss:${ claims.a }': a}"), (6, 30), "key of a", "acs:S", id="filled key"),
    pytest.param(START + GOOD + START, (6, 1), "a second time", "Remove one", id="member twice"),
]


def read(folder, name, text):
    files = RuleFiles(folder, {f"policies/{name}": text.encode()})
    policies, problems = read_policy_files(files)
    return policies[f"policies/{name}"], problems


@pytest.mark.parametrize(("text", "place", "message", "fix"), WRONG)
def test_a_policy_that_ram_would_refuse_has_a_place_a_reason_and_a_remedy(tmp_path, text, place, message, fix):
    policy, problems = read(tmp_path, "p.yaml", text)
    assert policy is None
    found = [(each.line, each.column) for each in problems if message in each.message and fix in each.fix]
    assert place in found, [str(each) for each in problems]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(START + GOOD, id="the policy that the wrong ones are made of"),
        pytest.param(START + GOOD + GOOD, id="two statements"),
        pytest.param(statement("Effect: Deny", instead="Effect: Allow"), id="Deny"),
        pytest.param(statement("NotAction: oss:PutObject", instead=ACTION), id="NotAction"),
        pytest.param(statement("NotResource: acs:oss:*:*:secret/*", instead=RESOURCE), id="NotResource"),
        pytest.param(statement("Action: '*'", instead=ACTION), id="every action"),
        pytest.param(statement("Action: '*:Describe*'", instead=ACTION), id="every service"),
        pytest.param(statement("Action: [ecs:Describe*, oss:Get?bject]", instead=ACTION), id="list of patterns"),
        pytest.param(statement("Resource: '*'", instead=RESOURCE), id="every resource"),
        pytest.param(statement("Resource: acs:ram::1000000000000001:role/*", instead=RESOURCE), id="no region"),
        pytest.param(statement("Resource: acs:ecs:cn-hangzhou:*:instance/i-001", instead=RESOURCE), id="region"),
        pytest.param(
            statement("Resource: acs:oss:*:*:bucket/文件 1/*", instead=RESOURCE), id="a name of other letters"
        ),
        pytest.param(condition("StringEquals: {acs:ResourceTag/team: [a, b]}"), id="tag"),
        pytest.param(condition("Bool: {acs:MFAPresent: 'true'}"), id="Bool"),
        pytest.param(condition("NumericLessThanEquals: {ecs:Size: '-1.5'}"), id="Numeric"),
        pytest.param(condition("DateLessThan: {acs:CurrentTime: '2026-12-31T23:59:59Z'}"), id="Date"),
        pytest.param(condition("DateLessThan: {acs:CurrentTime: '2026-12-31T23:59:59+08:00'}"), id="time zone"),
        pytest.param(condition("NotIpAddress: {acs:SourceIp: [192.0.2.0/24, '2001:db8::/32']}"), id="networks"),
    ],
)
def test_a_policy_of_the_documented_grammar_is_accepted_by_us_and_by_the_stand_in_for_sts(tmp_path, text):
    policy, problems = read(tmp_path, "p.yaml", text)
    assert problems == ()
    assert sandbox.parse_session_policy(policy.text).version == "1"


@pytest.mark.parametrize("letter", ["a", "é", "文"])
def test_a_policy_is_bounded_in_bytes_as_sts_gets_it(letter):
    def policy(count):
        resource = "acs:oss:*:*:" + letter * count
        resources = [resource[start : start + 900] for start in range(0, len(resource), 900)]
        resources = [resources[0], *(f"acs:oss:*:*:{rest}" for rest in resources[1:])]
        return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": resources}]}

    def size(count):
        return len(json.dumps(policy(count), separators=(",", ":"), ensure_ascii=False).encode())

    fitting = max(count for count in range(600, 2048) if size(count) <= MAX_POLICY_BYTES)
    assert compile_policy(policy(fitting))[1] == ()
    (flaw,) = compile_policy(policy(fitting + 1))[1]
    assert str(MAX_POLICY_BYTES) in flaw.message


def test_our_operators_are_those_of_the_stand_in_for_sts():
    for operator in OPERATORS:
        values = {"Bool": "true", "Nume": "1", "Date": "2026-12-31T23:59:59Z"}
        value = next((value for start, value in values.items() if operator.startswith(start)), "192.0.2.1")
        policy = {
            "Version": "1",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"acs:SourceIp": value}}}
            ],
        }
        assert list(find_policy_flaws(policy)) == []
        sandbox.parse_session_policy(json.dumps(policy))


def test_the_schema_for_editors_knows_the_same_members_and_operators():
    members = build_policy_schema()["properties"]["Statement"]["items"]["properties"]
    assert set(members) == {"Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    assert set(members["Condition"]["properties"]) == set(OPERATORS)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────

JSON = (
    '{\n  "Version": "1",\n  "Statement": [\n    {"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}\n  ]\n}\n'
)


def test_a_json_file_means_the_same_as_a_yaml_file(tmp_path):
    policy, problems = read(tmp_path, "p.json", JSON)
    assert problems == ()
    assert policy.text == '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:Get*","Resource":"*"}]}'
    assert policy == read(tmp_path, "p.yaml", JSON)[0]


AFTER_THE_COMMA = (5, 3) if sys.version_info < (3, 13) else (4, 63)
"""Where Python's parser sees that nothing follows, or the comma itself."""


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param(JSON.replace("Allow", "allow"), (4, 16), "statement 1: `Effect`", id="place of a member"),
        pytest.param(JSON.replace("}\n  ]", "},\n  ]"), AFTER_THE_COMMA, "not JSON", id="comma at the end of a list"),
        pytest.param(JSON.replace('"1",', '"1", "Version": "1",'), (2, 19), "a second time", id="member twice"),
        pytest.param(f"# a comment\n{JSON}", (1, 1), "not JSON", id="comment"),
        pytest.param(JSON.replace('"1"', "NaN"), (1, 1), "NaN is not JSON", id="NaN"),
        pytest.param(JSON + JSON, (7, 1), "not JSON", id="two documents"),
        pytest.param(JSON.replace("oss:Get*", "\\ud800"), (1, 1), "half of a character", id="half of a character"),
        pytest.param("[" * 100_000 + "]" * 100_000, (1, 1), "nested too deeply", id="nested"),
        pytest.param("", (1, 1), "not JSON", id="empty"),
    ],
)
def test_a_json_file_is_strict_json(tmp_path, text, place, message):
    policy, problems = read(tmp_path, "p.json", text)
    assert policy is None
    assert [each for each in problems if (each.line, each.column) == place and message in each.message], [
        str(each) for each in problems
    ]


def test_a_policy_that_yaml_cannot_place_is_read_all_the_same(tmp_path):
    policy, problems = read(tmp_path, "p.json", JSON.replace('"*"', '"acs:oss:*:*:\\ud83d\\ude00"'))
    assert problems == ()
    assert "😀" in policy.text


def test_a_file_in_another_encoding_is_refused(tmp_path):
    bad = RuleFiles(tmp_path, {"policies/p.json": b"\xff"})
    assert "UTF-8" in read_policy_files(bad)[1][0].message
