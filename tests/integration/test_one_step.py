"""The events of one call are written together, and yet before anything that they are about can happen."""

from contextlib import contextmanager

import pytest
from sqlalchemy import text

from bridge.audit.events import Origin
from bridge.audit_log import open_audit_log
from bridge.clock import SystemClock
from bridge.entitlements.choice import Choice
from bridge.entitlements.reading import READS_ALL
from bridge.entitlements.rules import RulesInForce
from bridge.errors import AuditUnavailable, NotEntitled
from bridge.exchange.assume import Exchange
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.metadata import entity_id
from bridge.exchange.sts_client import STSClient
from bridge.exchange.waiting_room import WaitingRoom
from bridge.federation import AskedRole, Federation
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from bridge.sealing import Sealer
from bridge.settings import load_configuration
from tests.factories import make_identity
from tests.live_store import running_store

ORIGIN = Origin("REF-ONE-STEP", "192.0.2.1")
DECIDED = ["choice.made"]
RELEASED = [*DECIDED, "exchange.reused", "delivery.credentials"]


class WatchfulOutbound(Outbound):
    """Looks at the log whenever something is about to leave for STS."""

    def __init__(self, look):
        super().__init__(development=True)
        self.seen = []
        self._look = look

    def post_form(self, *arguments, **options):
        self.seen.append(self._look())
        return super().post_form(*arguments, **options)


class Calls:
    """Calls of AssumeRole, as the STS endpoint makes them."""

    def __init__(self, installation, redis):
        configuration, clock = load_configuration(installation.config), SystemClock()
        settings = configuration.settings
        log = open_audit_log(settings, clock)
        self.engine = log.engine
        self.outbound = WatchfulOutbound(self.events)
        self._installation, self._before = installation, len(installation.records())
        exchange = Exchange(
            configuration.accounts,
            issuer=settings.public_url,
            entity_id=entity_id(settings.public_url),
            keys=KeyFolder(settings.key_folder),
            sts=STSClient(self.outbound, clock),
            clock=clock,
        )
        self.federation = Federation(
            audit=log.build_log(),
            rules=RulesInForce(configuration.rules),
            administrators=(),
            auditors=(),
            exchange=exchange,
            credentials=CredentialsCache(exchange, redis, Sealer(bytes(32)), clock, WaitingRoom(7)),
            console=None,
            history=None,
            clock=clock,
        )
        self.identity = make_identity(subject="one-step")
        found = self.federation.look(self.identity, ORIGIN.source_address).entitlements
        self.granted = next(each for each in found if (each.account, each.name) == ("acme-production", "ReadOnly"))

    def events(self):
        """Return what is on disk of these calls."""
        return [record["event"] for record in self._installation.records()[self._before :]]

    def assume(self, narrow=Choice, role=None):
        """Make a call; return what was on disk just before its end."""
        asked = AskedRole("arn", self.granted.account, role or self.granted.name, "chaining")
        with self.federation.in_one_step(ORIGIN) as federation:
            choice = federation.choose_role(ORIGIN, self.identity, asked, narrow, READS_ALL)
            credentials = federation.exchange(ORIGIN, choice)
            federation.deliver_credentials(ORIGIN, choice, credentials)
            return self.events()

    @contextmanager
    def broken_disk(self):
        with self.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_records RENAME TO away"))
        try:
            yield
        finally:
            with self.engine.begin() as connection:
                connection.execute(text("ALTER TABLE away RENAME TO audit_records"))


@pytest.fixture
def calls(installation):
    with running_store() as redis:
        calls = Calls(installation, redis)
        yield calls
        calls.engine.dispose()


def test_t_aud_05_what_was_decided_is_on_disk_before_sts_is_asked_and_what_it_issued_before_others_get_it(calls):
    at_the_end = calls.assume()
    assert calls.outbound.seen == [DECIDED]
    assert at_the_end == [*DECIDED, "exchange.issued"]
    assert calls.events() == [*DECIDED, "exchange.issued", "delivery.credentials"]


def test_a_call_that_asks_nobody_writes_once_at_its_end(calls):
    calls.assume()
    before = calls.events()
    assert calls.assume() == before
    assert calls.events() == [*before, *RELEASED]


def test_t_aud_05_a_refusal_and_a_fault_are_on_disk_when_the_call_ends(calls):
    with pytest.raises(NotEntitled):
        calls.assume(role="NoSuchRole")
    assert calls.events() == ["choice.refused"]

    def fail(identity, entitlement):
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError):
        calls.assume(fail)
    assert calls.events() == ["choice.refused"] * 2


def test_t_aud_05_where_nothing_can_be_recorded_sts_is_not_asked_and_nothing_is_released(calls):
    with calls.broken_disk(), pytest.raises(AuditUnavailable):
        calls.assume()
    assert not calls.outbound.seen
    calls.assume()
    with calls.broken_disk(), pytest.raises(AuditUnavailable):
        calls.assume()  # from the cache
    with calls.broken_disk(), pytest.raises(AuditUnavailable):
        calls.assume(role="NoSuchRole")
    assert calls.events() == [*DECIDED, "exchange.issued", "delivery.credentials"]
