import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bridge.client.credentials import Credentials
from bridge.client.failure import ClientError
from bridge.client.renewal import PAUSE_SECONDS, Renewal

STALE = {"Python, Java, Node": 15 * 60, "ack-ram-tool": 10 * 60, "Go, External": 3 * 60}


class Service:
    """Issues credentials of one length, unless it is broken."""

    def __init__(self, seconds):
        self.time = 1_800_000_000.0
        self.seconds = seconds
        self.issued = 0
        self.asked = 0
        self.broken = False

    def fetch(self):
        self.asked += 1
        if self.broken:
            raise ClientError("out of order")
        self.issued += 1
        return Credentials(f"STS.{self.issued}", "s", "t", datetime.fromtimestamp(self.time + self.seconds, UTC))

    def now(self):
        return self.time


@pytest.mark.parametrize("client", STALE)
@pytest.mark.parametrize("seconds", [1_800, 3_600, 43_200])
def test_no_sdk_is_ever_given_what_it_takes_for_stale(client, seconds):
    service = Service(seconds)
    renewal = Renewal(service.fetch, service.now)
    for _ in range(3 * seconds // 60):
        assert renewal.get().expires_at.timestamp() - service.time >= STALE[client]
        service.time += 60
    assert service.issued <= 3 * seconds // (seconds - 1_200) + 1


def test_short_ones_are_not_asked_for_at_every_call():
    service = Service(900)
    renewal = Renewal(service.fetch, service.now)
    for _ in range(60):
        assert renewal.get().expires_at.timestamp() > service.time + 180
        service.time += 30
    assert service.issued <= 4


def test_the_old_ones_serve_while_the_service_is_away_and_it_is_left_in_peace():
    service = Service(3_600)
    renewal = Renewal(service.fetch, service.now)
    first = renewal.get()
    service.broken = True
    service.time += 3_000
    for _ in range(20):
        assert renewal.get() == first
    assert service.asked == 2
    service.time += PAUSE_SECONDS
    service.broken = False
    assert renewal.get().access_key_id == "STS.2"


def test_after_their_end_they_are_not_given_out():
    service = Service(3_600)
    renewal = Renewal(service.fetch, service.now)
    renewal.get()
    service.broken = True
    service.time += 3_600
    with pytest.raises(ClientError, match="out of order"):
        renewal.get()


def test_simultaneous_calls_fetch_once():
    service = Service(3_600)
    renewal = Renewal(service.fetch, service.now)
    gate = threading.Barrier(16)

    def call(_):
        gate.wait()
        return renewal.get().access_key_id

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(call, range(16))) == {"STS.1"}
    assert service.asked == 1
