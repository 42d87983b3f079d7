import base64
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.errors import (
    BadParameter,
    DeviceNotYetAllowed,
    DeviceOver,
    DevicePolledTooOften,
    DeviceRefused,
    UserCodeUnknown,
)
from bridge.portal_protocol.devices import LIFETIME_SECONDS, Devices, show_user_code
from bridge.sealing import Sealer
from tests.live_store import MovableClock, running_store

VERIFIER = "a-verifier-of-forty-three-or-more-characters"
CLIENT = "app-vaz16tltdxs96audqf35"


def challenge_of(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def redis():
    with running_store() as client:
        yield client


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def devices(redis, clock):
    return Devices(redis, Sealer(os.urandom(32)), clock)


@pytest.fixture
def started(devices):
    return devices.start(challenge_of(VERIFIER), CLIENT, "192.0.2.1")


def test_who_was_let_in_gets_the_session_once(devices, started):
    devices.allow(devices.take(started.user_code), "rambridge:session:x")
    assert devices.redeem(started.device_code, VERIFIER, CLIENT) == "rambridge:session:x"
    with pytest.raises(DeviceOver):
        devices.redeem(started.device_code, VERIFIER, CLIENT)


def test_of_many_programs_with_one_device_code_one_gets_the_session(devices, started):
    devices.allow(devices.take(started.user_code), "rambridge:session:x")

    def redeem(_):
        try:
            return devices.redeem(started.device_code, VERIFIER, CLIENT)
        except DeviceOver:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(map(bool, pool.map(redeem, range(16)))) == [False] * 15 + [True]


def test_nobody_gets_anything_before_a_person_decides(devices, started):
    with pytest.raises(DeviceNotYetAllowed):
        devices.redeem(started.device_code, VERIFIER, CLIENT)
    with pytest.raises(DevicePolledTooOften):
        devices.redeem(started.device_code, VERIFIER, CLIENT)


def test_a_refusal_is_final(devices, started):
    devices.refuse(devices.take(started.user_code))
    with pytest.raises(DeviceRefused):
        devices.redeem(started.device_code, VERIFIER, CLIENT)
    with pytest.raises(UserCodeUnknown):
        devices.take(started.user_code)


@pytest.mark.parametrize(("verifier", "client"), [("b" * 43, CLIENT), ("short", CLIENT), (VERIFIER, "another")])
def test_a_stolen_device_code_is_worth_nothing_without_its_proof(devices, started, verifier, client):
    devices.allow(devices.take(started.user_code), "rambridge:session:x")
    with pytest.raises(DeviceOver):
        devices.redeem(started.device_code, verifier, client)
    assert devices.redeem(started.device_code, VERIFIER, CLIENT)


def test_it_all_ends_after_eight_minutes(devices, started, clock):
    clock.advance(LIFETIME_SECONDS - 1)
    assert devices.find(started.user_code).client == CLIENT
    clock.advance(1)
    with pytest.raises(UserCodeUnknown):
        devices.find(started.user_code)
    with pytest.raises(DeviceOver):
        devices.redeem(started.device_code, VERIFIER, CLIENT)


def test_a_code_is_found_however_a_person_types_it(devices, started):
    for typed in (started.user_code.lower(), started.user_code.replace("-", ""), f" {started.user_code} "):
        assert devices.find(typed).requested_from == "192.0.2.1"


@pytest.mark.parametrize("typed", ["", "-", "BCDF", "BCDF-GHJKL", "AAAA-AAAA", "\u212aCDF-GHJK", "BCDF-GHJ\n"])
def test_what_cannot_be_a_code_is_none(devices, typed):
    assert show_user_code(typed) == ""
    with pytest.raises(UserCodeUnknown):
        devices.find(typed)


@pytest.mark.parametrize(("challenge", "client"), [("", CLIENT), ("a" * 42, CLIENT), ("a" * 43, ""), ("a" * 43, "<b>")])
def test_what_is_not_well_formed_does_not_wait(devices, challenge, client):
    with pytest.raises(BadParameter):
        devices.start(challenge, client, "192.0.2.1")


def test_the_store_holds_no_code_in_the_clear(devices, started, redis):
    codes = (started.device_code.encode(), started.user_code.encode(), started.user_code.replace("-", "").encode())
    for key in redis._client.scan_iter() if hasattr(redis, "_client") else redis.scan_iter():
        value = redis.get(key.decode()) or b""
        assert not any(code in key + value for code in codes)
