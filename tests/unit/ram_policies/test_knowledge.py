"""What is known of roles: judged in three values, measured, put into words, and unknown where it cannot be known."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.language import speaking
from bridge.pasted.offer import MAX_ACCOUNTS, MAX_COMPARED, Stronger, find_offers, sort_by_power
from bridge.pasted.reading import read_pasted
from bridge.ram_policies import breadth
from bridge.ram_policies.breadth import measure
from bridge.ram_policies.catalogue import Harm, classify
from bridge.ram_policies.documents import PolicyUnreadable, read_policy
from bridge.ram_policies.evaluation import Answer, AttachedPolicy, Permissions, Question
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.ram_policies.patterns import compile_patterns, join, normalise, overlap
from bridge.ram_policies.shape import find_shape
from bridge.ram_policies.snapshot import ROLE_POLICIES, STALE_DAYS, RolePolicies, is_stale, write_snapshot
from bridge.sandbox.cloud.policy.patterns import matches
from bridge.settings.role_policies import read_role_policies
from bridge.web.role_words import describe_shape
from tests.factories import NOW, make_account, make_entitlement

UID = "1000000000000001"


def allow(actions, resources="*", **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions, resources="*", **more):
    return allow(actions, resources, **more) | {"Effect": "Deny"}


def document(*statements):
    return {"Version": "1", "Statement": list(statements)}


def permit(*statements):
    return Permissions(((AttachedPolicy(read_policy(document(*statements))),),))


def know(**roles):
    """Return what is known of roles of the account acme, by name their statements."""
    policies = {f"Custom/{name}": {"version": "v1", "document": document(*each)} for name, each in roles.items()}
    attached = {name: [f"Custom/{name}"] for name in roles}
    given = {"account": "acme", "account_id": UID, "read_at": NOW, "policies": policies, "roles": attached}
    return RoleKnowledge({"acme": ROLE_POLICIES.validate_python(given)})


CONDITION = {"IpAddress": {"acs:SourceIp": "192.0.2.0/24"}}
ONE, ANY = f"acs:ecs:cn-hangzhou:{UID}:instance/i-1", f"acs:ecs:*:{UID}:instance/*"


@pytest.mark.parametrize(
    ("statements", "resource", "expected"),
    [
        ([allow("ecs:*")], ONE, Answer.YES),
        ([allow("ECS:stop*")], ONE, Answer.YES),
        ([allow("ecs:Start*")], ONE, Answer.NO),
        ([allow("ecs:*"), deny("ecs:Stop*")], ONE, Answer.NO),
        ([allow("ecs:*", Condition=CONDITION)], ONE, Answer.PERHAPS),
        ([allow("ecs:*"), deny("ecs:*", Condition=CONDITION)], ONE, Answer.PERHAPS),
        ([deny("*"), allow("ecs:*", Condition=CONDITION)], ONE, Answer.NO),
        ([{"Effect": "Allow", "NotAction": "oss:*", "Resource": "*"}], ONE, Answer.YES),
        ([{"Effect": "Allow", "NotAction": "ecs:*", "Resource": "*"}], ONE, Answer.NO),
        ([{"Effect": "Allow", "Action": "ecs:*", "NotResource": ONE}], ONE, Answer.NO),
        ([{"Effect": "Allow", "Action": "ecs:*", "NotResource": ONE}], ANY, Answer.PERHAPS),
        ([allow("ecs:*", ONE)], ANY, Answer.PERHAPS),
        ([allow("ecs:*"), deny("ecs:*", ONE)], ANY, Answer.PERHAPS),
        ([allow("ecs:*", "acs:ecs:*:*:*")], ANY, Answer.YES),
        ([allow("ecs:*", "acs:oss:*:*:*")], ANY, Answer.NO),
    ],
)
def test_only_what_is_sure_is_a_yes(statements, resource, expected):
    assert permit(*statements).judge(Question("ecs:StopInstance", resource)).answer is expected


def test_a_session_policy_takes_away_and_adds_nothing():
    knowledge = know(Worker=[allow("ecs:*")])
    narrowing = json.dumps(document(allow(["ecs:Describe*", "oss:*"])))
    narrowed = knowledge.find("acme", "Worker", narrowing).permissions
    answers = [narrowed.judge(Question(each, ONE)).answer for each in ("ecs:DescribeX", "ecs:StopX", "oss:GetObject")]
    assert answers == [Answer.YES, Answer.NO, Answer.NO]


def test_a_policy_within_a_resource_group_makes_nothing_sure_and_counts_for_nothing_in_ram():
    grouped = Permissions(((AttachedPolicy(read_policy(document(allow("*"))), grouped=True),),))
    assert grouped.judge(Question("ecs:StopInstance", ONE)).grouped
    assert grouped.judge(Question("ram:GetUser", f"acs:ram::{UID}:user/x")).answer is Answer.NO


@pytest.mark.parametrize(
    "unreadable",
    [
        {"Version": "2", "Statement": [allow("*")]},
        {"Version": "1", "Statement": []},
        document(allow("*") | {"Effect": "Perhaps"}),
        document(allow("*") | {"Principal": "*"}),
        document(allow("*") | {"NotAction": "x:y"}),
        document({"Effect": "Allow", "Action": "*"}),
        document(allow([1])),
        document(allow("*", Condition=["x"])),
    ],
)
def test_of_a_role_with_a_policy_that_is_not_understood_nothing_is_known(unreadable, tmp_path):
    with pytest.raises(PolicyUnreadable):
        read_policy(unreadable)
    snapshot = {
        "account": "acme",
        "account_id": UID,
        "read_at": "2026-11-24T12:00:00Z",
        "policies": {
            "Custom/odd": {"version": "v1", "document": unreadable},
            "System/All": {"version": "v1", "document": document(allow("*"))},
        },
        "roles": {"Odd": ["System/All", "Custom/odd"], "Whole": ["System/All"]},
    }
    (tmp_path / "acme.json").write_text(json.dumps(snapshot))
    problems = []
    found = read_role_policies(tmp_path, {"acme": make_account()}, problems, None)
    assert [(each.severity, each.kind) for each in problems] == [("warning", "role-policies")]
    knowledge = RoleKnowledge(found)
    assert knowledge.find("acme", "Odd") is None
    assert knowledge.find("acme", "Whole") is not None
    assert knowledge.find("acme", "Absent") is None
    assert knowledge.find("other", "Whole") is None


def test_a_snapshot_of_another_account_is_an_error_and_an_old_one_a_warning(tmp_path):
    snapshot = RolePolicies(account="acme", account_id=UID, read_at=NOW, policies={}, roles={"Idle": ()})
    (tmp_path / "acme.json").write_text(write_snapshot(snapshot))

    def check(account, now):
        problems = []
        read_role_policies(tmp_path, {"acme": account}, problems, now)
        return [each.severity for each in problems]

    assert check(make_account(), NOW) == []
    assert check(make_account(), NOW + timedelta(days=STALE_DAYS)) == ["warning"]
    assert check(make_account(id="1000000000000009"), NOW) == ["error"]
    assert not is_stale(NOW, NOW + timedelta(days=STALE_DAYS - 1))
    problems = []
    read_role_policies(tmp_path, {}, problems, None)
    assert [each.severity for each in problems] == ["error"]


def test_a_snapshot_that_lacks_a_policy_is_refused():
    given = {
        "account": "acme",
        "account_id": UID,
        "read_at": datetime.now(UTC),
        "policies": {},
        "roles": {"R": ["System/X"]},
    }
    with pytest.raises(ValueError, match="lacks System/X"):
        ROLE_POLICIES.validate_python(given)


texts = st.text("ab?*", max_size=7)
words = st.text("ab", max_size=6)


@given(texts, words)
def test_patterns_match_what_the_sandbox_says_that_they_match(pattern, word):
    assert (compile_patterns([pattern]).fullmatch(word) is not None) == matches(pattern, word)
    assert matches(normalise(pattern), word) == matches(pattern, word)


@given(texts, texts, words)
def test_a_pattern_within_another_matches_nothing_else_and_what_both_match_overlaps(inner, outer, word):
    both = matches(inner, word), matches(outer, word)
    if compile_patterns([outer]).fullmatch(normalise(inner)):
        assert both[1] or not both[0]
    if all(both):
        assert overlap(inner, outer)
    found = join(inner, outer)
    assert found is None or (matches(inner, found) and matches(outer, found))


def ask(knowledge, text, *names, **changes):
    held = [make_entitlement(id=f"{number:016x}", name=name, **changes) for number, name in enumerate(names)]
    return find_offers(read_pasted(text), held, {"acme": make_account()}, knowledge)


def name(candidates):
    return [each.entitlement.name for each in candidates]


STOP = f"Forbidden.RAM action: ecs:StopInstance, resource: {ONE}"


def test_the_order_is_contained_then_administers_changes_reads_with_the_reason_for_each():
    knowledge = know(
        Stopper=[allow("ecs:Stop*")],
        Manager=[allow("ecs:*")],
        Keys=[allow(["ecs:Stop*", "kms:Decrypt"])],
        Sure=[allow("ecs:Stop*", Condition=CONDITION)],
        Everything=[allow("*")],
        Reader=[allow("ecs:Describe*")],
        Storage=[allow(["ecs:StopInstance", "oss:*"])],
    )
    offers = ask(knowledge, STOP, "Everything", "Keys", "Manager", "Sure", "Reader", "Stopper", "Storage", "Nameless")
    assert name(offers.sufficient) == ["Stopper", "Storage", "Manager", "Keys", "Everything"]
    assert [each.stronger for each in offers.sufficient][1:] == [
        Stronger.CHANGES,
        Stronger.CONTAINS,
        Stronger.CONTAINS,
        Stronger.CONTAINS,
    ]
    assert name(offers.perhaps) == ["Sure"]
    assert offers.perhaps[0].verdict.condition_keys == ("acs:SourceIp",)
    assert [each.name for each in offers.unknown] == ["Nameless"]


def test_of_two_that_may_do_the_same_the_less_sensitive_comes_first_then_the_shorter():
    knowledge = know(A=[allow("ecs:*")], B=[allow("ecs:*")], C=[allow("ecs:*")])
    held = [
        make_entitlement(id="1" * 16, name="A", sensitivity="high"),
        make_entitlement(id="2" * 16, name="B", sensitivity="low", duration_seconds=7200),
        make_entitlement(id="3" * 16, name="C", sensitivity="low"),
    ]
    offers = find_offers(read_pasted(STOP), held, {"acme": make_account()}, knowledge)
    assert name(offers.sufficient) == ["C", "B", "A"]
    assert [each.name for each in sort_by_power(held, {"acme": make_account()}, knowledge)] == ["C", "B", "A"]


def test_the_role_that_was_refused_is_not_offered_whatever_is_known_of_it():
    text = f"{STOP} AuthPrincipalDisplayName: A:lin.wei"
    offers = ask(know(A=[allow("ecs:*")], B=[allow("*")]), text, "A", "B")
    assert (name(offers.sufficient), [each.name for each in offers.refused]) == (["B"], ["A"])


def test_a_ram_user_and_another_account_are_never_sufficient():
    knowledge = know(A=[allow("*")])
    assert not ask(knowledge, STOP, "A", kind="user").sufficient
    assert not ask(knowledge, STOP.replace(UID, "1000000000000077"), "A").sufficient


def test_of_very_many_roles_the_smallest_are_compared_in_full():
    roles = {f"R{number:02}": [allow(["ecs:Stop*", "oss:*", f"x{number}:*"])] for number in range(MAX_COMPARED + 6)}
    knowledge = know(**roles, Small=[allow("ecs:StopInstance")])
    offers = ask(knowledge, STOP, *roles, "Small")
    assert name(offers.sufficient)[0] == "Small"
    assert len(offers.sufficient) == len(roles) + 1


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["ecs:*", "ecs:Stop*", "oss:Get*", "*:List*", "x:?y*"]), min_size=1, max_size=3))
def test_what_is_contained_never_counts_more(actions):
    smaller, larger = permit(allow(actions[:1])), permit(allow(actions))
    small, large = measure([smaller, larger], UID)
    assert small.footprint.is_within(large.footprint)
    assert small.counts <= large.counts


@pytest.mark.parametrize(
    ("before", "more"),
    [("ram:GetThing{}", "ram:GetZap"), ("ram:List{}*", "ram:AttachPolicyTo?ole")],
    ids=["whole names", "patterns, the gravest first"],
)
def test_what_sets_two_roles_apart_is_measured_whatever_stands_before_it(before, more):
    """One that comes first in the alphabet would else be offered in place of a reader that it contains."""
    reads = ["ram:GetUser", *(before.format(number) for number in range(140))]
    knowledge = know(AWriter=[allow([*reads, more])], Reader=[allow(reads)])
    offers = ask(knowledge, f"AuthAction: ram:GetUser AuthResource: acs:ram::{UID}:user/x", "AWriter", "Reader")
    assert [(each.entitlement.name, each.stronger) for each in offers.sufficient] == [
        ("Reader", None),
        ("AWriter", Stronger.CONTAINS),
    ]


def test_no_service_is_left_out_because_another_has_many_patterns(monkeypatch):
    monkeypatch.setattr(breadth, "MAX_ROWS", 400)
    work = allow([f"ecs:Start{number}" for number in range(500)] + ["ecs:StopInstance"])
    knowledge = know(AWriter=[work, allow("ram:*")], Worker=[work])
    assert name(ask(knowledge, STOP, "AWriter", "Worker").sufficient) == ["Worker", "AWriter"]


def test_statements_take_turns_so_that_each_has_examples():
    many = allow([f"x:Start{number}*" for number in range(200)] + ["ecs:StopInstance"])
    knowledge = know(AMore=[many, allow("x:Zap*")], Less=[many])
    assert name(ask(knowledge, STOP, "AMore", "Less").sufficient) == ["Less", "AMore"]


def test_where_very_many_accounts_may_be_meant_the_first_ones_are_compared_in_full():
    reads = allow("ram:Get*")
    roles = {"AWriter": [reads, allow("ram:AttachPolicyToRole")], "Reader": [reads]}
    policies = {f"Custom/{each}": {"version": "v1", "document": document(*some)} for each, some in roles.items()}
    accounts, snapshots, held = {}, {}, []
    for number in range(MAX_ACCOUNTS + 1):
        account = f"a{number}"
        accounts[account] = make_account(name=account, title=account, id=f"{int(UID) + number}")
        given = {"account": account, "account_id": accounts[account].id, "read_at": NOW, "policies": policies}
        snapshots[account] = ROLE_POLICIES.validate_python(
            given | {"roles": {each: [f"Custom/{each}"] for each in roles}}
        )
        held += [make_entitlement(id=f"{number:015x}{each}", account=account, name=each) for each in roles]
    found = find_offers(read_pasted("AuthAction: ram:GetUser"), held, accounts, RoleKnowledge(snapshots)).sufficient
    assert [each.entitlement.name for each in found[: MAX_ACCOUNTS + 1]] == ["Reader"] * MAX_ACCOUNTS + ["AWriter"]
    assert len(found) == len(held)


def test_a_role_of_the_same_name_in_another_account_was_not_refused():
    text = f"{STOP} AuthPrincipalDisplayName: A:lin.wei AuthPrincipalOwnerId: 1000000000000077"
    offers = ask(know(A=[allow("ecs:*")], B=[allow("*")]), text, "A", "B")
    assert (name(offers.sufficient), offers.refused) == (["A", "B"], ())


def test_for_an_action_that_is_not_understood_nothing_is_offered():
    offers = ask(know(A=[allow("*")]), STOP.replace("StopInstance", "Stop-Instance"), "A")
    assert not offers.sufficient
    assert not offers.perhaps


def test_a_denial_of_a_cut_off_name_makes_a_perhaps():
    knowledge = know(A=[allow("oss:*"), deny("oss:*", "acs:oss:*:*:shop/*.csv")], B=[allow("*")])
    text = f"Forbidden action: oss:GetObject, resource: acs:oss:*:{UID}:shop/q1 final.csv"
    offers = ask(knowledge, text, "A", "B")
    assert (name(offers.sufficient), name(offers.perhaps)) == (["B"], ["A"])


def test_a_comparison_is_remembered():
    compared = [permit(allow(["ecs:*", "x:Remembered"])), permit(allow("*"))]
    first, again = measure(compared, UID), measure(compared, UID)
    assert all(one is other for one, other in zip(first, again, strict=True))


class Forgetful(dict):
    """What a dictionary looks like to a thread when another one clears it at the worst moment."""

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.clear()


@pytest.mark.parametrize("kept", ["_shapes", "_shapes_of"])
def test_a_shape_is_returned_though_another_thread_forgets_all_of_them(kept):
    knowledge = know(R=[allow("oss:*")])
    setattr(knowledge, kept, Forgetful())
    assert knowledge.find_shape("acme", "R").manages == ("oss",)


measured_actions = st.lists(
    st.sampled_from(["*", "ecs:*", "ecs:Stop*", "*:List*", "x:?y*", "ECS:stopInstance", "ram:*", "e*s:De?ete*"]),
    min_size=1,
    max_size=3,
)
measured_statements = st.builds(
    lambda effect, action, actions, resource, resources, more: (
        {"Effect": effect, action: actions, resource: resources} | more
    ),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "NotAction"]),
    measured_actions,
    st.sampled_from(["Resource", "Resource", "NotResource"]),
    st.sampled_from(["*", "acs:ecs:*:*:instance/i-a*", ["acs:*:*:*:*z", "acs:ram:*:*:user/?"]]),
    st.sampled_from([{}, {}, {"Condition": CONDITION}]),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.lists(measured_statements, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=2)
)
def test_what_is_measured_for_many_points_at_once_is_what_is_judged_at_each(layers):
    permissions = Permissions(
        tuple((AttachedPolicy(read_policy(document(*some)), grouped=grouped),) for some, grouped in layers)
    )
    (found,) = measure([permissions], UID)
    counts = dict.fromkeys(reversed(Harm), 0)
    for row in breadth.find_rows([permissions], UID):
        for each in row.resources:
            counts[classify(row.action)] += permissions.judge(Question(row.action, each, literal=True)).answer
    assert found.counts == tuple(counts.values())


READING = ["*:Get*", "*:List*", "*:Describe*", "*:Query*"]
ADMINISTRATION = ["ram:*", "kms:*", "bss:*", "actiontrail:*", "resourcemanager:*"]


@pytest.mark.parametrize(
    ("statements", "english", "chinese"),
    [
        ([allow("*")], "Everything, including users and billing", "全部权限，包括用户和费用"),
        ([allow(READING), deny("kms:GetSecretValue")], "Read everything", "查看全部内容"),
        ([allow(READING)], "Read everything, and more in KMS", "查看全部内容；在 KMS 中还有更多权限"),
        (
            [allow("ecs:*"), allow("vpc:*"), allow(["oss:Get*", "oss:List*"])],
            "Manage ECS and VPC; read OSS",
            "管理 ECS 和 VPC；查看 OSS",
        ),
        ([allow("oss:GetObject", "acs:oss:*:*:shop/*")], "Some things in OSS", "OSS 的部分操作"),
        (
            [allow("ecs:*", Condition=CONDITION)],
            "Manage ECS (some of it under conditions)",
            "管理 ECS（部分操作需满足条件）",
        ),
        (
            [allow("*"), deny(ADMINISTRATION)],
            "Everything but users, keys and billing",
            "除用户、密钥和费用外的全部权限",
        ),
        ([deny("*")], "Nothing yet: it has no permissions", "尚无任何权限"),
        (
            [allow(["ecs:*", "oss:*", "rds:*", "vpc:*", "slb:*"])],
            "Manage ECS, OSS, RDS and 2 more",
            "管理 ECS、OSS、RDS 等，另有 2 项",
        ),
    ],
)
def test_what_a_role_may_do_is_a_short_sentence_in_both_languages(statements, english, chinese):
    shape = find_shape(permit(*statements), UID)
    with speaking("en"):
        assert describe_shape(shape) == english
    with speaking("zh-CN"):
        assert describe_shape(shape) == chinese


@pytest.mark.parametrize(
    ("role", "narrowing", "told"),
    [
        (
            allow(READING),
            allow(["oss:GetObject", "oss:PutObject"], "acs:oss:*:*:lake/people/lin/*"),
            "Some things in OSS",
        ),
        (allow("oss:GetObject", "acs:oss:*:*:lake/*"), allow("*"), "Some things in OSS"),
        (allow(READING), allow("oss:PutObject", "acs:oss:*:*:lake/*"), "Nothing yet: it has no permissions"),
        (allow("ecs:*"), allow("oss:GetObject", "acs:oss:*:*:lake/*"), "Nothing yet: it has no permissions"),
    ],
)
def test_of_a_narrowed_role_is_told_what_both_policies_allow_together(role, narrowing, told):
    knowledge = know(Reader=[role])
    assert describe_shape(knowledge.find_shape("acme", "Reader", json.dumps(document(narrowing)))) == told


def test_what_only_two_patterns_together_tell_apart_is_told_apart():
    """Nothing but an instance that begins and ends in certain letters sets the two roles apart."""
    resource = "acs:ecs:*:*:instance/i-a*"
    knowledge = know(
        Any=[allow("ecs:StopInstance", resource)],
        Less=[allow("ecs:StopInstance", resource), deny("ecs:StopInstance", "acs:ecs:*:*:*z")],
    )
    text = f"Forbidden.RAM action: ecs:StopInstance, resource: acs:ecs:cn-hangzhou:{UID}:instance/i-a1"
    assert name(ask(knowledge, text, "Any", "Less").sufficient) == ["Less", "Any"]
