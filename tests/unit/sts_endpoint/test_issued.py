"""Whose credentials these are is remembered once (threat STS-05)."""

from datetime import timedelta

import pytest

from bridge.entitlements.choice import Choice
from bridge.entitlements.reading import READS_ALL, Reading
from bridge.errors import ExchangeMismatch
from bridge.exchange.credentials import TemporaryCredentials
from bridge.sealing import Sealer
from bridge.sts_endpoint.issued import IssuedCredentials
from tests.factories import make_entitlement, make_identity
from tests.live_store import MovableClock, running_store

READING = Reading(frozenset({"groups"}), authentication_time=False)
WITHOUT_MFA = make_identity(acr="urn:oasis:names:tc:SAML:2.0:ac:classes:Password")


@pytest.fixture(scope="module")
def store():
    with running_store() as client:
        yield client


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def memory(store, clock):
    store.flushall()
    return IssuedCredentials(store, Sealer(bytes(32)), clock)


@pytest.fixture
def remember(memory):
    credentials = TemporaryCredentials(
        access_key_id="STS.shared",
        access_key_secret="secret",
        security_token="token",
        expires_at=MovableClock().now() + timedelta(hours=1),
        assumed_role_arn="acs:ram::1000000000000001:role/ReadOnly/alice",
        assumed_role_id="3000:alice",
        role_session_name="alice",
        request_id="",
        duration_seconds=3600,
        decided_by="default",
    )

    def remember(identity, *, narrowed=False, by=memory, reading=READING):
        choice = Choice(identity, make_entitlement(), narrowed_by_caller=narrowed, reading=reading)
        by.remember(choice, credentials)

    return remember


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"acr": "urn:acme:mfa"}, id="with a second factor"),
        pytest.param({"amr": ("otp",)}, id="by other means"),
        pytest.param({"claims": WITHOUT_MFA.claims | {"groups": ["administrators"]}}, id="in another group"),
        pytest.param({"subject": "another"}, id="another person"),
        pytest.param({"provider": "another"}, id="by another provider"),
    ],
)
def test_t_sts_05_what_is_remembered_is_not_replaced_by_another_statement(memory, remember, other):
    remember(WITHOUT_MFA)

    with pytest.raises(ExchangeMismatch):
        remember(make_identity(**{"acr": WITHOUT_MFA.acr} | other))

    assert memory.find("STS.shared").identity.acr == WITHOUT_MFA.acr
    assert memory.find("STS.shared").identity.claims == WITHOUT_MFA.claims


def test_t_sts_05_the_same_statement_may_be_released_again(memory, remember):
    remember(WITHOUT_MFA)
    remember(make_identity(acr=WITHOUT_MFA.acr, message_id="_2", claims=WITHOUT_MFA.claims | {"run_id": "2"}))

    assert memory.find("STS.shared").known == READING
    assert "run_id" not in memory.find("STS.shared").identity.claims


@pytest.mark.parametrize("reading", [READS_ALL, Reading(frozenset(), authentication_time=False)])
def test_t_sts_05_where_the_rules_read_otherwise_by_now_what_was_read_then_is_compared(memory, remember, reading):
    remember(WITHOUT_MFA)
    remember(WITHOUT_MFA, reading=reading)
    with pytest.raises(ExchangeMismatch):
        remember(make_identity(acr=WITHOUT_MFA.acr, claims={"groups": ["administrators"]}), reading=reading)

    assert memory.find("STS.shared").known == READING


@pytest.mark.parametrize("narrowed", [False, True])
def test_t_sts_07_that_a_caller_narrowed_them_is_remembered_and_stays(memory, remember, narrowed):
    remember(WITHOUT_MFA, narrowed=narrowed)
    remember(WITHOUT_MFA, narrowed=narrowed)
    with pytest.raises(ExchangeMismatch):
        remember(WITHOUT_MFA, narrowed=not narrowed)

    assert memory.find("STS.shared").narrowed is narrowed


def test_t_sts_05_what_one_machine_remembers_holds_on_every_other_one(store, clock, memory, remember):
    another = IssuedCredentials(store, Sealer(bytes(32)), clock)
    remember(WITHOUT_MFA)
    for _ in range(2):  # the second time, it does not ask the store
        with pytest.raises(ExchangeMismatch):
            remember(make_identity(acr="urn:acme:mfa"), by=another)
        remember(WITHOUT_MFA, by=another)


def test_a_store_that_lost_its_memory_gets_it_back_within_a_minute(store, clock, memory, remember):
    remember(WITHOUT_MFA)
    store.flushall()
    remember(WITHOUT_MFA)
    assert memory.find("STS.shared") is None
    clock.advance(60)
    remember(WITHOUT_MFA)
    assert memory.find("STS.shared").identity.acr == WITHOUT_MFA.acr


def test_credentials_of_which_nobody_can_read_whose_they_are_stay_with_nobody(store, clock, remember):
    remember(WITHOUT_MFA)
    with pytest.raises(ExchangeMismatch, match="cannot be read"):
        remember(WITHOUT_MFA, by=IssuedCredentials(store, Sealer(bytes(31) + b"1"), clock))
