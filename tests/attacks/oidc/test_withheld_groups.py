"""Groups that a token leaves out because they are many (MAP-06): asked for where the settings say, or refused.

Each case changes one thing in a lookup that works; ``test_withheld_groups_are_fetched`` is the twin of them all.
"""

import json
from datetime import timedelta

import pytest
from joserfc.jwk import KeySet, RSAKey

from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.oidc.tokens import PROVIDER
from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.errors import GroupsNotFetched, GroupsUnknown, IdentityError, ProviderUnavailable
from bridge.identity.oidc.client_token import ClientToken
from bridge.identity.oidc.groups_endpoint import MAX_GROUPS, MAX_PAGES, GroupLookup, read_page
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.providers import GroupsEndpoint
from bridge.outbound import USUAL, Answer, Outbound
from tests.attacks.oidc.test_flow import OUTBOUND, PUBLIC_URL, relying_party, sign_in
from tests.live_store import MovableClock

OID = "6d2e3f1c-9a70-4c86-8e1a-0d9c3f2b7a55"
OVERAGE = {"groups": None, "oid": OID, "_claim_names": {"groups": "src1"}}
PATH = f"/users/{OID}/getMemberObjects"


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        running.claims = OVERAGE | {"_claim_sources": {"src1": {"endpoint": f"{running.url}/elsewhere"}}}
        running.groups = {OID: ["g1", "g2", "g3"]}
        yield running


def endpoint(op, **changes):
    settings = {
        "url": f"{op.url}/users/{{person}}/getMemberObjects",
        "person_claim": "oid",
        "body": {"securityEnabledOnly": True},
        "scope": "https://graph.example/.default",
    }
    return settings | changes


def party(op, clock=None, *, changes=None, **settings):
    return relying_party(op, clock, **{"groups_endpoint": endpoint(op, **(changes or {})), **settings})


def refusal(op, relying=None):
    with pytest.raises(IdentityError) as refused:
        sign_in(op, relying or party(op))
    assert len(refused.value.detail) < 300
    return type(refused.value)


@pytest.mark.parametrize("pages", [1, 3])
def test_withheld_groups_are_fetched(op, pages):
    op.group_pages = pages
    claims = sign_in(op, party(op)).claims
    assert sorted(claims["groups"]) == ["g1", "g2", "g3"]
    assert claims["oid"] == OID, "what else the token says stays"
    assert not {"_claim_names", "_claim_sources"} & claims.keys(), "the rules take the groups for known"
    asked = [request for request in op.requests if request.path == PATH]
    assert [request.method for request in asked] == ["POST", *["GET"] * (pages - 1)]
    assert {request.headers["Accept"] for request in asked} == {"application/json"}
    assert json.loads(asked[0].body) == {"securityEnabledOnly": True}
    assert "/elsewhere" not in op.paths()
    token_request = op.requests[op.paths().index("/token", 2)]
    assert token_request.form["grant_type"] == "client_credentials"
    assert token_request.form["scope"] == "https://graph.example/.default"
    assert token_request.query == []


def test_t_map_06_all_pages_together_get_eight_seconds(op, monkeypatch):
    seconds = []
    for name, original in (("post_json", Outbound.post_json), ("get", Outbound.get)):

        def ask(self, url, *arguments, limits=USUAL, original=original, **options):
            if "/users/" in url:
                seconds.append(limits.total_seconds)
            return original(self, url, *arguments, limits=limits, **options)

        monkeypatch.setattr(Outbound, name, ask)
    op.group_pages = 3
    assert sign_in(op, party(op)).claims["groups"]
    assert 8 > seconds[0] > seconds[1] > seconds[2] > 0


def test_nobody_is_asked_while_the_groups_are_in_the_token(op):
    op.claims = {"oid": OID}
    assert sign_in(op, party(op)).claims["groups"] == ["platform", "staff"]
    assert PATH not in op.paths()
    assert op.paths().count("/token") == 1


def test_without_an_endpoint_they_stay_unknown(op):
    assert refusal(op, relying_party(op)) is GroupsUnknown
    assert op.paths().count("/token") == 1


def test_t_map_06_an_access_token_in_a_reference_to_other_claims_goes_no_further(op):
    sources = {"src1": {"endpoint": "https://idp.example/photo", "access_token": "a-secret-of-the-provider"}}
    op.claims = {"_claim_names": {"photo": "src1"}, "_claim_sources": sources}
    claims = sign_in(op).claims
    assert claims["_claim_names"] == {"photo": "src1"}
    assert "a-secret-of-the-provider" not in str(claims)


def test_hasgroups_is_a_reference_too(op):
    op.claims = {"groups": None, "oid": OID, "hasgroups": True}
    claims = sign_in(op, party(op)).claims
    assert claims["groups"] == ["g1", "g2", "g3"]
    assert "hasgroups" not in claims


def test_a_plain_list_by_get_is_enough(op):
    op.claims = {"groups": None, "hasgroups": True}
    op.replies["/people/ada/groups"] = Reply(body=b'["g1","g2"]')
    changes = {"url": f"{op.url}/people/{{person}}/groups", "person_claim": "sub", "body": None, "scope": None}
    assert sign_in(op, party(op, changes=changes)).claims["groups"] == ["g1", "g2"]
    assert op.requests[-1].method == "GET"
    assert "scope" not in op.requests[-2].form


def test_our_names_for_person_and_groups_are_used(op):
    op.claims = {"groups": None, "roles": None, "object": OID, "_claim_names": {"roles": "src1"}}
    changes = {"person_claim": "id"}
    claims = sign_in(op, party(op, changes=changes, claims={"groups": "roles", "id": "object"})).claims
    assert claims["groups"] == ["g1", "g2", "g3"]


def test_a_client_with_a_key_asks_with_its_key(op):
    settings = {"client_authentication": "private_key_jwt", "client_secret": None}
    provider = party(op, **settings).provider
    key = RSAKey.generate_key(2048, {"kid": "ours"})
    op.client_keys = KeySet([RSAKey.import_key(key.as_dict(private=False))])
    signing = type("Key", (), {"id": "ours", "private_key": key.private_key})()
    relying = RelyingParty(provider, PUBLIC_URL, OUTBOUND, MovableClock(), client_key=signing)
    op.now = relying._clock.now().timestamp
    assert sign_in(op, relying).claims["groups"] == ["g1", "g2", "g3"]
    assert len(op.assertions) == 2


def test_our_token_is_kept_for_its_lifetime_and_no_longer(op):
    clock = MovableClock()
    op.now = lambda: clock.now().timestamp()
    relying = party(op, clock)
    for _ in range(3):
        sign_in(op, relying)
    assert [request.form["grant_type"] for request in op.requests if request.path == "/token"].count(
        "client_credentials"
    ) == 1
    clock.moment += timedelta(seconds=3599 - 60)
    sign_in(op, relying)
    assert [request.form["grant_type"] for request in op.requests if request.path == "/token"].count(
        "client_credentials"
    ) == 2


def test_a_token_that_is_refused_is_not_used_again(op):
    relying = party(op)
    sign_in(op, relying)
    op.revoke_client_tokens()
    assert refusal(op, relying) is GroupsNotFetched
    assert sign_in(op, relying).claims["groups"] == ["g1", "g2", "g3"]


def test_our_token_is_printed_nowhere(op):
    token = ClientToken(party(op)._find_token_endpoint, None, OUTBOUND, MovableClock())
    value = token.get()
    assert value not in repr(vars(token))


# ── Hostile tokens ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("groups", [["platform"], [], "platform"], ids=["some", "none", "a text"])
@pytest.mark.parametrize("elsewhere", [{"_claim_names": {"groups": "src1"}}, {"hasgroups": True}], ids=str)
def test_t_map_06_groups_in_the_token_and_elsewhere_at_once_are_refused(op, groups, elsewhere):
    op.claims = {"oid": OID, "groups": groups, **elsewhere}
    assert refusal(op) is GroupsUnknown
    assert PATH not in op.paths()


@pytest.mark.parametrize("names", [["groups"], "groups", 1])
def test_t_map_06_claim_names_of_another_shape_are_refused(op, names):
    op.claims = {"oid": OID, "groups": None, "_claim_names": names}
    assert refusal(op) is GroupsUnknown


def test_t_map_06_the_address_in_the_token_is_never_asked(op):
    with ScriptedServer(lambda _: Reply(body=b'["administrators"]')) as stranger:
        sources = {"src1": {"endpoint": f"{stranger.url}/groups", "access_token": "t"}}
        op.claims = OVERAGE | {"_claim_sources": sources}
        assert sign_in(op, party(op)).claims["groups"] == ["g1", "g2", "g3"]
        assert stranger.requests == []


PEOPLE = {
    "missing": None,
    "no text": 7,
    "a list": [OID],
    "empty": "",
    "a slash": f"{OID}/../admin",
    "an encoded slash": f"{OID}%2Fadmin",
    "a backslash": f"{OID}\\admin",
    "the folder above": "..",
    "this folder": ".",
    "a query": f"{OID}?x=",
    "a fragment": f"{OID}#",
    "a semicolon": f"{OID};x",
    "a blank": f"{OID} ",
    "a newline": f"{OID}\n",
    "a quote": "x')/admin('",
    "not ASCII": "\u0430da",
    "256 characters": "a" * 256,
}


@pytest.mark.parametrize("person", PEOPLE.values(), ids=[f"T-MAP-06[{name}]" for name in PEOPLE])
def test_a_person_who_does_not_fit_into_an_address_is_refused(op, person):
    op.claims = OVERAGE | {"oid": person}
    assert refusal(op) is GroupsUnknown
    assert op.paths().count("/token") == 1


@pytest.mark.parametrize(
    ("people", "error"),
    [
        ([*"AMZamz059", *(f"a{mark}" for mark in "AMZamz059._@+-"), "a" * 255], ProviderUnavailable),
        (["", *"-._@+[`{/:~é", *(f"a{mark}" for mark in "/:[`{%?# ~é"), "a" * 256, "a\n"], GroupsUnknown),
    ],
)
def test_t_map_06_who_fits_into_an_address_is_asked_about_and_nobody_else(people, error):
    class NoToken:
        def get(self):
            raise ProviderUnavailable("this is where somebody would be asked")

    asked = GroupsEndpoint(url="https://graph.example/users/{person}/groups", person_claim="oid", scope="s")
    lookup = GroupLookup(PROVIDER, asked, NoToken(), OUTBOUND)
    for person in people:
        with pytest.raises(error):
            lookup.fetch({"oid": person})


def test_a_person_is_encoded(op):
    op.claims = OVERAGE | {"oid": "ada+x@corp.example"}
    op.groups = {"ada+x@corp.example": ["g1"]}
    assert sign_in(op, party(op)).claims["groups"] == ["g1"]
    assert op.requests[-1].path == "/users/ada%2Bx%40corp.example/getMemberObjects"


# ── Hostile answers ──────────────────────────────────────────────────────────────────────────────────────────────────


def answer(body, status=200, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, {"Content-Type": "application/json", **headers})


ANSWERS = {
    "refused": (GroupsNotFetched, answer({"error": {"code": "Authorization_RequestDenied"}}, 403)),
    "unknown person": (GroupsNotFetched, answer({"error": {}}, 404)),
    "groups in an error": (GroupsNotFetched, answer({"value": ["g1"]}, 400)),
    "an error in a 200": (GroupsNotFetched, answer({"value": ["g1"], "error": {}})),
    "no content": (GroupsNotFetched, answer(b"", 204)),
    "empty": (GroupsNotFetched, answer(b"")),
    "HTML": (GroupsNotFetched, answer(b"<html>")),
    "no list": (GroupsNotFetched, answer({"value": "g1"})),
    "no value": (GroupsNotFetched, answer({"groups": ["g1"]})),
    "null": (GroupsNotFetched, answer(b"null")),
    "value null": (GroupsNotFetched, answer({"value": None})),
    "a text": (GroupsNotFetched, answer('"g1"')),
    "objects": (GroupsNotFetched, answer({"value": [{"id": "g1"}]})),
    "one number": (GroupsNotFetched, answer(["g1", 2])),
    "an empty text": (GroupsNotFetched, answer([""])),
    "a text of 2 kB": (GroupsNotFetched, answer(["g" * 2_000])),
    "value twice": (GroupsNotFetched, answer(b'{"value":["g1"],"value":[]}')),
    "UTF-16": (GroupsNotFetched, answer(json.dumps(["g1"]).encode("utf-16"))),
    "deep": (GroupsNotFetched, answer(b"[" * 50_000)),
    "too many": (GroupsNotFetched, answer([f"g{number}" for number in range(MAX_GROUPS + 1)])),
    "megabytes": (GroupsNotFetched, answer(b'["' + b"g" * 1_100_000 + b'"]')),
    "next at another host": (GroupsNotFetched, answer({"value": [], "@odata.nextLink": "https://evil.example/x"})),
    "next without a scheme": (GroupsNotFetched, answer({"value": [], "@odata.nextLink": "//evil.example/x"})),
    "next no text": (GroupsNotFetched, answer({"value": [], "@odata.nextLink": 7})),
    "next no address": (GroupsNotFetched, answer({"value": [], "@odata.nextLink": "http://[x"})),
    "next is a script": (GroupsNotFetched, answer({"value": [], "@odata.nextLink": "javascript:alert(1)"})),
    "next without end": (GroupsNotFetched, answer({"value": ["g"], "@odata.nextLink": "?"})),
    "redirect": (ProviderUnavailable, answer(b"", 302, Location="/elsewhere")),
    "too many requests": (ProviderUnavailable, answer(["g1"], 429)),
    "server error": (ProviderUnavailable, answer(["g1"], 500)),
    "an error of ours": (GroupsNotFetched, answer(["g1"], 499)),
    "cut short": (ProviderUnavailable, Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")),
}


@pytest.mark.parametrize(("error", "reply"), ANSWERS.values(), ids=[f"T-MAP-06[{name}]" for name in ANSWERS])
def test_hostile_groups_are_refused_unlike_their_twin(op, error, reply):
    op.replies[PATH] = reply
    assert refusal(op) is error
    assert op.paths().count(PATH) <= MAX_PAGES
    assert "/elsewhere" not in op.paths()
    op.replies[PATH] = answer({"value": ["g1"], "@odata.nextLink": None})
    assert sign_in(op, party(op)).claims["groups"] == ["g1"]


def test_t_map_06_a_next_page_with_a_user_name_does_not_get_our_token(op):
    with ScriptedServer(lambda _: Reply(body=b'["administrators"]')) as stranger:
        host = stranger.url.removeprefix("http://")
        op.replies[PATH] = answer({"value": [], "@odata.nextLink": f"{op.url}@{host}/x"})
        assert refusal(op) is GroupsNotFetched
        assert stranger.requests == []


def test_t_map_06_5000_groups_are_accepted_and_none_are_none(op):
    op.groups = {OID: [f"g{number}" for number in range(MAX_GROUPS)]}
    assert len(sign_in(op, party(op)).claims["groups"]) == MAX_GROUPS
    op.groups = {OID: []}
    assert sign_in(op, party(op)).claims["groups"] == []


def test_t_map_06_20_pages_are_asked_for(op):
    op.groups, op.group_pages = {OID: [f"g{number}" for number in range(20)]}, 20
    assert len(sign_in(op, party(op)).claims["groups"]) == op.paths().count(PATH) == 20


def test_t_map_06_a_group_has_1_to_1024_characters():
    def read(*groups):
        return read_page(Answer(200, {}, json.dumps(groups).encode()))

    assert read("g", "g" * 1024) == (["g", "g" * 1024], None)
    for group in ("", "g" * 1025):
        with pytest.raises(GroupsNotFetched):
            read("g", group)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"access_token": "two words"},
        {"access_token": "a\r\nX-Injected: b"},
        {"token_type": "mac"},
        {"error": "unauthorized_client"},
        {"error": "invalid_grant"},
        {"expires_in": "3600"},
        {"expires_in": True},
    ],
    ids=str,
)
def test_t_map_06_without_a_token_of_our_own_nobody_is_asked(op, change):
    op.client_token_response = change
    assert refusal(op) is GroupsNotFetched
    assert PATH not in op.paths()


@pytest.mark.parametrize("lifetime", [None, 0, -5, -1e300, 30, 10**9, 1e18])
def test_a_token_may_say_any_lifetime(op, lifetime):
    op.client_token_response = {"expires_in": lifetime}
    assert sign_in(op, party(op)).claims["groups"] == ["g1", "g2", "g3"]


# ── Userinfo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_t_map_06_userinfo_does_not_stand_in_for_withheld_groups(op):
    op.userinfo = {"groups": ["administrators"]}
    assert sign_in(op, party(op, userinfo="always")).claims["groups"] == ["g1", "g2", "g3"]


def test_t_map_06_a_reference_in_userinfo_counts_beside_another_one_in_the_token(op):
    op.claims = {"groups": None, "oid": OID, "_claim_names": {"photo": "src1"}}
    op.userinfo = {"_claim_names": {"groups": "src1"}}
    claims = sign_in(op, party(op, userinfo="always")).claims
    assert (claims["groups"], claims["_claim_names"]) == (["g1", "g2", "g3"], {"photo": "src1"})


def test_t_map_06_a_reference_in_userinfo_does_not_replace_groups_of_the_token(op):
    op.claims = {"oid": OID}
    op.userinfo = {"_claim_names": {"groups": "src1"}}
    assert refusal(op, party(op, userinfo="always")) is GroupsUnknown
    assert PATH not in op.paths()


def test_t_map_06_the_person_is_the_one_of_the_token(op):
    op.claims = OVERAGE | {"oid": None}
    op.userinfo = {"oid": OID}
    assert refusal(op, party(op, userinfo="always")) is GroupsUnknown
