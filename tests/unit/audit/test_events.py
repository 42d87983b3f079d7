"""Every field of every event is either personal or plain, and what is personal is nowhere in the open."""

import dataclasses
import json

import pytest

from bridge.audit import events
from bridge.audit.content import Describer, find_network
from bridge.audit.database import open_database
from bridge.audit.events import PERSONAL, PLAIN, Event, Origin, Person
from bridge.entitlements.entitlement import identify
from tests.audit_log import open_log

ORIGIN = Origin("REF", "192.0.2.7")
WHO = {"provider": "acme", "issuer": "https://idp.example", "subject": "s-4711", "person": "Lin Wei"}


def every_event():
    found, waiting = [], [Event]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "name" in vars(kind):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.name)


def make(kind):
    """Return an event each of whose fields holds a text that is nowhere else."""
    values = {}
    for each in dataclasses.fields(kind):
        text = f"<{each.name}>"
        special = {
            "of": Person("i", text, text),
            "confirmed_by": Person("i", text, text),
            "entitlement": f"role {text}",
        }
        values[each.name] = special.get(each.name, (text,) if "tuple" in str(each.type) else text)
    return kind(**values)


@pytest.fixture
def secrets(audit_database):
    return open_log(audit_database()).secrets


def test_every_field_of_every_event_is_in_exactly_one_of_the_two_sets():
    fields = {each.name for kind in every_event() for each in dataclasses.fields(kind)}
    assert len(every_event()) > 25
    assert fields == PERSONAL | PLAIN
    assert not PERSONAL & PLAIN


@pytest.mark.parametrize("kind", every_event(), ids=lambda kind: kind.name)
def test_t_aud_07_what_says_something_of_a_person_is_only_in_the_sealed_part(tmp_path, kind):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    content = Describer(open_log(engine).secrets).describe(ORIGIN, make(kind))
    engine.dispose()
    shown = json.dumps(content.plain)
    names = {each.name for each in dataclasses.fields(kind)}
    assert [name for name in names & PERSONAL if f"<{name}>" in shown] == []
    assert [name for name in names & PLAIN if f"<{name}>" not in shown] == []
    assert ORIGIN.source_address not in shown
    sealed = content.personal.decode()
    assert [name for name in names & PERSONAL - {"of", "confirmed_by"} if f"<{name}>" not in sealed] == []


def test_what_a_form_posts_is_sealed_since_the_name_of_a_ram_user_can_be_guessed_by_it(secrets):
    describe, posted = Describer(secrets).describe, identify("user", "prod", "lin.wei")
    refused = describe(ORIGIN, events.ChoiceRefused(**WHO, entitlement=posted, code="c", detail=""))
    assert posted not in json.dumps(refused.plain)
    assert json.loads(refused.personal)["entitlement"] == posted
    role = describe(ORIGIN, events.ChoiceRefused(**WHO, entitlement="role acs:ram::1:role/a", code="c", detail=""))
    assert role.plain["entitlement"] == "role acs:ram::1:role/a"


def test_the_name_of_a_ram_user_is_sealed_and_that_it_is_one_is_not(secrets):
    describe = Describer(secrets).describe
    chosen = describe(
        ORIGIN,
        events.ChoiceMade(
            **WHO, account="prod", entitlement="user lin.wei", rule="r", rules_version="v", purpose="console"
        ),
    )
    assert chosen.plain["entitlement"] == "user"
    assert json.loads(chosen.personal)["entitlement"] == "user lin.wei"
    granted = ("role prod/Admin", "user prod/lin.wei")
    resolved = describe(ORIGIN, events.EntitlementsResolved(**WHO, rules_version="v", granted=granted))
    assert resolved.plain["granted"] == ["role prod/Admin", "user prod"]
    assert json.loads(resolved.personal)["granted"] == list(granted)


@pytest.mark.parametrize(
    ("acr", "amr", "mfa"),
    [
        (None, (), None),
        ("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", (), False),
        (None, ("pwd",), False),
        (None, ("pwd", "kba"), False),
        (None, ("pwd", "otp"), True),
        (None, ("PWD", "HWK"), True),
        (None, ("hwk", "fpt"), True),
        (None, ("mfa",), True),
        ("https://refeds.org/profile/mfa", (), True),
        ("phr", ("pop",), True),
    ],
)
def test_more_than_one_factor_is_told_from_acr_and_amr(secrets, acr, amr, mfa):
    event = events.SessionEnded(**WHO, acr=acr, amr=amr)
    assert Describer(secrets).describe(ORIGIN, event).plain.get("mfa") is mfa


@pytest.mark.parametrize(
    ("account", "role", "privileged"), [("prod", "Admin", True), ("prod", "Reader", False), ("x", "y", True)]
)
def test_the_use_of_a_privileged_role_is_marked(secrets, account, role, privileged):
    event = events.CredentialsDelivered(**WHO, account=account, entitlement=f"role {role}", access_key_id="STS.a")
    described = Describer(secrets, ["*/*[Aa]dmin*", "x/y"]).describe(ORIGIN, event)
    assert described.plain["privileged"] is privileged


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("unix:", ""),
    ],
)
def test_a_network_is_coarser_than_an_address(address, network):
    assert find_network(address) == network
