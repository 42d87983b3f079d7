import os
import re
from datetime import timedelta

import pytest

from bridge.errors import AccessTokenUnknown, RefreshTokenOver, Unsealable
from bridge.sealing import Sealer
from bridge.sessions.grants import ACCESS_SECONDS, REPEAT_SECONDS, Grants
from bridge.sessions.store import SessionStore
from bridge.sessions.tickets import Tickets
from tests.live_store import make_identity

ABSOLUTE = 28_800
NETWORK = "192.0.2.7/32"


@pytest.fixture
def sealer():
    return Sealer(os.urandom(32))


@pytest.fixture
def terminals(redis, sealer, clock):
    return SessionStore(redis, sealer, clock, ABSOLUTE, ABSOLUTE, kind="terminal")


@pytest.fixture
def grants(terminals, redis, sealer, clock):
    return Grants(terminals, redis, sealer, clock)


@pytest.fixture
def tokens(grants, terminals):
    return grants.issue(*terminals.create(make_identity()))


def test_an_access_token_opens_the_session_for_fifteen_minutes(grants, terminals, clock):
    terminal, session = terminals.create(make_identity())
    tokens = grants.issue(terminal, session)
    assert tokens.expires_in == ACCESS_SECONDS == 900
    clock.advance(ACCESS_SECONDS - 1)
    assert grants.load(tokens.access_token).identity == session.identity
    clock.advance(1)
    with pytest.raises(AccessTokenUnknown):
        grants.load(tokens.access_token)


def test_no_token_outlasts_the_grant(grants, terminals, clock):
    terminal, session = terminals.create(make_identity(), ends_by=clock.now() + timedelta(seconds=100))
    tokens = grants.issue(terminal, session)
    assert tokens.expires_in == 100
    clock.advance(100)
    with pytest.raises(AccessTokenUnknown):
        grants.load(tokens.access_token)
    with pytest.raises(RefreshTokenOver):
        grants.refresh(tokens.refresh_token, NETWORK)


@pytest.mark.parametrize(("seconds", "network", "again"), [
    (0, NETWORK, True),
    (REPEAT_SECONDS, NETWORK, True),
    (REPEAT_SECONDS + 1, NETWORK, False),
    (0, "192.0.2.8/32", False),
    (0, "", False),
])  # fmt: skip
def test_t_out_08_a_repeat_gets_the_same_next_token_only_soon_and_from_the_same_network(
    grants, tokens, clock, *, seconds, network, again
):
    following = grants.refresh(tokens.refresh_token, NETWORK).tokens
    clock.advance(seconds)
    repeated = grants.refresh(tokens.refresh_token, network).tokens
    assert (repeated is not None) == again
    if repeated:
        grants.refresh(following.refresh_token, NETWORK)
        clock.advance(REPEAT_SECONDS + 1)
        # of two who have the next one, the second is found
        assert grants.refresh(repeated.refresh_token, NETWORK).tokens is None


def test_t_out_08_each_refresh_token_of_a_chain_counts_once(grants, tokens, clock):
    chain = [tokens]
    for _ in range(3):
        clock.advance(ACCESS_SECONDS)
        chain.append(grants.refresh(chain[-1].refresh_token, NETWORK).tokens)
    assert len({each.refresh_token for each in chain}) == 4
    clock.advance(REPEAT_SECONDS + 1)
    for used in chain[:-1]:
        assert grants.refresh(used.refresh_token, NETWORK).tokens is None


def test_a_mark_that_somebody_changed_in_the_store_is_a_use(grants, tokens, redis):
    grants.refresh(tokens.refresh_token, NETWORK)
    [mark] = redis.keys("rambridge:refreshed:*")
    redis.set(mark, b"changed")
    assert grants.refresh(tokens.refresh_token, NETWORK).tokens is None


def test_a_sign_out_ends_the_grant(grants, terminals, tokens):
    identity = grants.load(tokens.access_token).identity
    terminals.end_own(identity.issuer, identity.subject)
    with pytest.raises(AccessTokenUnknown):
        grants.load(tokens.access_token)
    with pytest.raises(RefreshTokenOver):
        grants.refresh(tokens.refresh_token, NETWORK)
    assert grants.end(tokens.access_token) is None


def test_the_store_has_nothing_of_a_token(grants, tokens, redis):
    """T-OUT-05."""
    grants.refresh(tokens.refresh_token, NETWORK)
    kept = b"".join(redis.get(key) or b"" for key in redis.keys("*") if redis.type(key) == b"string")
    kept += b"".join(redis.keys("*"))
    for token in (tokens.access_token, tokens.refresh_token):
        assert token.encode() not in kept
    assert b"example.com" not in kept


@pytest.fixture
def tickets(sealer):
    return Tickets(sealer)


def test_t_out_05_a_ticket_is_of_one_kind_one_form_and_one_sealer(tickets, clock):
    ends_at = clock.now().replace(microsecond=0)
    text = tickets.write("consent", ["a", "b"], ends_at)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert tickets.read("consent", text, parts=2).values == ["a", "b"]
    assert tickets.read("consent", text, parts=2).ends_at == ends_at
    for kind, changed, parts in (
        ("access-token", text, 2),
        ("consent", text, 3),
        ("consent", text, 1),
        ("consent", text[:-4], 2),
        ("consent", text + "AAAA", 2),
        ("consent", "", 2),
        ("consent", f"{text}\u00fc", 2),
        ("consent", text.replace(text[30], "+"), 2),
        ("consent", "A" * 5_000, 2),
    ):
        with pytest.raises(Unsealable):
            tickets.read(kind, changed, parts=parts)
    with pytest.raises(Unsealable):
        Tickets(Sealer(os.urandom(32))).read("consent", text, parts=2)
