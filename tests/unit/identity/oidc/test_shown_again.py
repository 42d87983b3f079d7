"""A token that is shown again: its signature is not checked again, and everything else is."""

import pytest

from bridge.errors import OIDCExpiry, OIDCKeyId, OIDCReplay, OIDCSignature
from bridge.identity.oidc.key_set import parse_key_set
from bridge.identity.oidc.shown_again import MOST, ShownAgain
from bridge.identity.oidc.workload_token import WorkloadTrace, WorkloadVerifier
from bridge.identity.replay import ReplayMemory
from bridge.identity.workloads import Workload
from tests.attacks.sts.rig import AUDIENCE, Issuer
from tests.live_store import MovableClock, running_store


class Keys:
    """What an issuer publishes at this moment."""

    def __init__(self, issuer):
        self.publish(issuer)

    def publish(self, issuer):
        self._keys = parse_key_set(issuer.jwks.encode())

    def find_key(self, kid):
        return self._keys.find(kid)


class Server:
    """An address that nobody has to reach."""

    url = "https://pods.acme.example"

    def __init__(self):
        self.replies = {}


@pytest.fixture
def issuer():
    return Issuer("pods", Server())


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def token(issuer, clock):
    now = int(clock.now().timestamp())
    return issuer.token(iat=now, nbf=now, exp=now + 300)


@pytest.fixture
def build(issuer, clock):
    """Return what builds the checks, and the keys that they see."""

    def build(redis=None, *, single_use=False):
        workload = Workload(name="pods", issuer=issuer.url, audiences=(AUDIENCE,), single_use=single_use)
        keys = Keys(issuer)
        return WorkloadVerifier(workload, keys, ReplayMemory(redis, clock), clock), keys

    return build


def test_a_token_that_is_shown_again_states_the_same(build, token, clock):
    verifier, _ = build()
    first, second = verifier.verify(token, WorkloadTrace("pods")), verifier.verify(token, WorkloadTrace("pods"))
    assert first == second


def test_t_sts_10_a_token_that_was_good_a_moment_ago_ends_when_it_says(build, token, clock):
    verifier, _ = build()
    verifier.verify(token, WorkloadTrace("pods"))
    clock.advance(600)
    trace = WorkloadTrace("pods")
    with pytest.raises(OIDCExpiry):
        verifier.verify(token, trace)
    checks = {check.name: check.outcome for check in trace.describe()}
    assert (checks["signature"], checks["expires"]) == ("pass", "fail")


def test_t_sts_10_a_token_that_was_good_a_moment_ago_ends_with_its_issuers_key(build, token, issuer):
    verifier, keys = build()
    verifier.verify(token, WorkloadTrace("pods"))
    keys.publish(Issuer("pods", Server()))  # another key of the same name
    with pytest.raises(OIDCSignature):
        verifier.verify(token, WorkloadTrace("pods"))
    keys.publish(Issuer("gitlab", Server()))
    with pytest.raises(OIDCKeyId):
        verifier.verify(token, WorkloadTrace("pods"))
    keys.publish(issuer)
    assert verifier.verify(token, WorkloadTrace("pods"))


def test_t_sts_10_what_is_only_like_a_token_that_was_good_is_not_taken_for_it(build, token):
    verifier, _ = build()
    verifier.verify(token, WorkloadTrace("pods"))
    signed, _, signature = token.rpartition(".")
    with pytest.raises(OIDCSignature):
        verifier.verify(f"{signed}.{'A' * len(signature)}", WorkloadTrace("pods"))


def test_t_sts_10_a_token_that_counts_once_is_refused_the_second_time(build, token):
    with running_store() as redis:
        verifier, _ = build(redis, single_use=True)
        verifier.verify(token, WorkloadTrace("pods"))
        with pytest.raises(OIDCReplay):
            verifier.verify(token, WorkloadTrace("pods"))


def test_a_bounded_number_is_kept(build, issuer, token, clock):
    verifier, _ = build()
    kept = ShownAgain()
    kept._opened = {number.to_bytes(2): None for number in range(MOST)}
    verifier._open = kept.open
    assert verifier.verify(token, WorkloadTrace("pods"))
    assert len(kept._opened) == 1
