"""What the rest of the OpenID collection sends, where it arrives: addresses, pushed questions, groups, keys.

As in ``test_at_the_door.py``: each case gets its own code on a plain page and one record, and burns nothing; the honest
twin is then accepted.
"""

import json
from urllib.parse import urlencode

import pytest
from joserfc.jwk import KeySet

from bridge.attack.oidc.openid_provider import make_key
from bridge.attack.oidc.tokens import ABSENT
from bridge.attack.scripted_server import Reply
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.errors import GroupsUnknown, OIDCKeyLeaked, OIDCKeySet, OIDCSize, ProviderUnavailable
from bridge.identity.providers import GroupsEndpoint
from bridge.keys import KeyFolder
from tests.attacks.door import Visitor, begin, call_back, check_refusal, find_code, sha256
from tests.attacks.oidc import test_email, test_encrypted_token, test_withheld_groups
from tests.attacks.oidc.test_encrypted_token import encrypt
from tests.attacks.oidc.test_withheld_groups import OID, OVERAGE, PATH

pytestmark = pytest.mark.usefixtures("no_failures")


def start(service, **settings):
    """Return a node at which ``staff`` has other settings."""
    providers = dict(service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update=settings)
    return service.start(providers=providers)


def come_back(service, visitor, server=None, name="staff"):
    """Begin to sign in, and return what the provider then sends the browser back with."""
    return (server or getattr(service, name)).authorize(begin(visitor, name).url)


def assert_accepted(visitor, response):
    assert (response.status_code, response.location) == (303, "/"), find_code(response)
    assert visitor.is_signed_in_as("ada")


# ── OIDC-14: addresses ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def addressed_node(running_service, tmp_path_factory):
    """Return a node where an address decides, of providers that must have verified it."""
    text = "rules:\n- name: boss\n  claims: {email: ada@corp.example}\n  grant: [{account: production, role: Boss}]\n"
    files = RuleFiles(tmp_path_factory.mktemp("rules"), {"10.yaml": text.encode()})
    providers = dict(running_service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update={"email_verified_required": True})
    documents = [read_rules(path, content)[0] for path, content in files.iterate_rules()]
    rules = compile_rules(documents, dict.fromkeys(providers, "groups"), files)
    return running_service.start(providers=providers, rules=rules)


@pytest.mark.parametrize("name", test_email.UNVERIFIED, ids=[f"T-OIDC-14[{name}]" for name in test_email.UNVERIFIED])
def test_an_unverified_address_grants_nothing_and_a_verified_one_does(service, addressed_node, name):
    value = test_email.UNVERIFIED[name]
    for verified in (None if value is ABSENT else value, True):
        service.staff.claims = {"email": "ada@corp.example", "email_verified": verified}
        visitor = Visitor(addressed_node)
        call_back(visitor, "staff", come_back(service, visitor))
        session = visitor.get("/api/v1/session").json
        is_boss = [each["name"] for each in session["entitlements"]] == ["Boss"]
        assert is_boss == ("email" in session["claims"]) == (verified is True)


@pytest.mark.parametrize("claim", ["email", "preferred_username", "upn", "name"])
def test_t_oidc_14_a_strangers_token_with_somebodys_address_does_not_become_them(service, app, claim):
    service.staff.claims = {claim: "ada@corp.example", "email_verified": True}
    ada, mallory = Visitor(app), Visitor(app)
    call_back(ada, "staff", come_back(service, ada))
    service.staff.claims |= {"sub": "mallory"}
    call_back(mallory, "staff", come_back(service, mallory))
    assert mallory.is_signed_in_as("mallory")
    assert ada.is_signed_in_as("ada")
    page = call_back(ada, "staff", come_back(service, ada))
    assert [b"confirm" in page.data, ada.is_signed_in_as("ada")] == [True, True], "nobody is replaced without a click"


# ── OIDC-19: pushed questions ────────────────────────────────────────────────────────────────────────────────────


def begin_pushed(visitor):
    response = visitor.get("/sign-in/staff")
    assert response.status_code == 303
    assert "request_uri=urn" in response.location
    assert "state=" not in response.location
    return response.location


def test_t_oidc_19_a_pushed_question_is_answered_in_the_browser_that_asked_it(service):
    service.staff.offer_par()
    node = service.start()
    visitor, stranger = Visitor(node), Visitor(node)
    begin_pushed(stranger)
    query = service.staff.authorize(begin_pushed(visitor))
    assert find_code(call_back(stranger, "staff", query)) == "oidc_state"
    assert_accepted(visitor, call_back(visitor, "staff", query))


# ── MAP-06: groups that the token leaves out ─────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def asking_node(running_service):
    """Return a node that asks ``staff`` for the groups that its tokens leave out."""
    endpoint = GroupsEndpoint(
        url=f"{running_service.staff.url}/users/{{person}}/getMemberObjects",
        person_claim="oid",
        body={"securityEnabledOnly": True},
    )
    return start(running_service, groups_endpoint=endpoint)


HOSTILE_GROUPS = {
    f"groups: {name}": (error, {}, reply) for name, (error, reply) in test_withheld_groups.ANSWERS.items()
}
HOSTILE_GROUPS |= {
    f"person: {name}": (GroupsUnknown, {"oid": person}, None) for name, person in test_withheld_groups.PEOPLE.items()
}
HOSTILE_GROUPS |= {"groups as well": (GroupsUnknown, {"groups": ["platform"]}, None)}


@pytest.mark.parametrize("name", HOSTILE_GROUPS, ids=[f"T-MAP-06[{name}]" for name in HOSTILE_GROUPS])
def test_hostile_groups_are_refused_at_the_callback_and_the_honest_ones_accepted(service, asking_node, name):
    error, claims, reply = HOSTILE_GROUPS[name]
    visitor = Visitor(asking_node)
    query = come_back(service, visitor)
    service.staff.claims, service.staff.groups = OVERAGE | claims, {OID: ["platform", "staff"]}
    if reply is not None:
        service.staff.replies[PATH] = reply
    before, last = service.memory(), service.last()
    response = call_back(visitor, "staff", query)
    status = 503 if issubclass(error, ProviderUnavailable) else 400
    check_refusal(service, response, error, after=last, status=status)
    assert service.memory() == before, "a refused answer burns nothing and begins nothing"
    service.staff.claims = dict(OVERAGE)
    service.staff.replies.clear()
    visitor = Visitor(asking_node)
    assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))
    names = [each["name"] for each in visitor.get("/api/v1/session").json["entitlements"]]
    assert names == ["ReadOnly", "Developer"], "the rules know the groups that were fetched"


def test_t_map_06_without_an_endpoint_withheld_groups_are_refused(service, visitor):
    query = come_back(service, visitor)
    service.staff.claims = dict(OVERAGE)
    last = service.last()
    check_refusal(service, call_back(visitor, "staff", query), GroupsUnknown, after=last)


# ── OIDC-04: encrypted tokens ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def opening_node(running_service, tmp_path_factory):
    """Return a node that has the keys for which the collection encrypts."""
    source, folder = running_service.configuration.settings.key_folder, tmp_path_factory.mktemp("certs")
    for path in source.rglob("*.*"):
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        copy.touch(0o600)
        copy.write_bytes(path.read_bytes())
    settings = running_service.configuration.settings.model_copy(update={"key_folder": folder})
    providers = dict(running_service.configuration.providers)
    providers["staff"] = providers["staff"].model_copy(update={"encryption": "require"})
    return running_service.start(providers=providers, settings=settings)


def test_an_encrypted_token_signs_somebody_in_and_our_keys_for_it_are_published(service, opening_node):
    visitor = Visitor(opening_node)
    published = visitor.get("/oidc/staff/jwks").json["keys"]
    assert [set(key) for key in published] == [{"kty", "n", "e", "kid", "use"}] * 2
    assert {key["use"] for key in published} == {"enc"}
    signing = {key.id for key in KeyFolder(service.configuration.settings.key_folder).published("oidc-client")}
    assert not signing & {key["kid"] for key in published}
    for key in KeySet.import_key_set({"keys": published}).keys:
        visitor = Visitor(opening_node)
        service.staff.encrypt = lambda token, key=key: encrypt(token, {"kid": key.kid}, key=key)
        assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))


SPOILED = ["RSA 1.5", "dir", "zip", "zip bomb", "kid of a key that is not ours", "for a stranger", "content changed"]


@pytest.mark.parametrize("name", SPOILED, ids=[f"T-OIDC-04[{name}]" for name in SPOILED])
@pytest.mark.filterwarnings("ignore:.*:joserfc.errors.SecurityWarning")
def test_hostile_encrypted_token_is_refused_at_the_callback_and_its_twin_accepted(service, opening_node, name):
    visitor = Visitor(opening_node)
    key = KeySet.import_key_set(visitor.get("/oidc/staff/jwks").json).keys[0]
    query = come_back(service, visitor)
    service.staff.encrypt = lambda _: test_encrypted_token.NOT_OPENED[name]()
    before, last = service.memory(), service.last()
    response = call_back(visitor, "staff", query)
    check_refusal(service, response, test_encrypted_token.OIDCDecryption, after=last)
    assert service.memory() == before
    service.staff.encrypt = lambda token: encrypt(token, {"kid": key.kid}, key=key)
    visitor = Visitor(opening_node)
    assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))


def test_t_oidc_04_a_token_in_the_clear_is_refused_where_it_must_be_encrypted(service, opening_node):
    visitor = Visitor(opening_node)
    query = come_back(service, visitor)
    last = service.last()
    check_refusal(service, call_back(visitor, "staff", query), test_encrypted_token.OIDCNotEncrypted, after=last)


# ── OIDC-16, OIDC-21: documents ──────────────────────────────────────────────────────────────────────────────────

KEY_SETS = {
    "a private key": (OIDCKeyLeaked, lambda: {"keys": [make_key("a").as_dict(private=True)]}),
    "only for encryption": (OIDCKeySet, lambda: {"keys": [{**make_key("e").as_dict(private=False), "use": "enc"}]}),
    "no keys": (OIDCKeySet, lambda: {"keys": []}),
    "10,000 keys": (OIDCKeySet, lambda: {"keys": [{"kty": "RSA"}] * 10_000}),
    "megabytes": (OIDCSize, lambda: {"keys": [], "x": "x" * 1_100_000}),
}


@pytest.mark.parametrize("name", KEY_SETS, ids=[f"T-OIDC-21[{name}]" for name in KEY_SETS])
def test_hostile_key_set_is_refused_at_the_callback_and_the_honest_one_accepted(service, name):
    error, make = KEY_SETS[name]
    service.staff.replies["/jwks"] = Reply(body=json.dumps(make()).encode())
    visitor = Visitor(service.start())
    query = come_back(service, visitor)
    before, last = service.memory(), service.last()
    record = check_refusal(service, call_back(visitor, "staff", query), error, after=last)
    assert record["message_digest"] == sha256(urlencode(query))
    assert service.memory() == before
    service.staff.replies.clear()
    visitor = Visitor(service.start())
    assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))


def test_t_oidc_16_callbacks_with_unknown_keys_cause_one_fetch(service):
    visitor = Visitor(service.start())
    assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))
    service.staff.requests.clear()
    for number in range(10):
        service.staff.header = {"kid": f"stranger-{number}"}
        visitor = Visitor(visitor.app)
        assert find_code(call_back(visitor, "staff", come_back(service, visitor))) == "oidc_kid"
    assert service.staff.paths().count("/jwks") <= 1
    service.staff.header = {}
    visitor = Visitor(visitor.app)
    assert_accepted(visitor, call_back(visitor, "staff", come_back(service, visitor)))
