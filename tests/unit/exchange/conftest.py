"""An exchange that asks a scripted STS."""

import pytest

from bridge.clock import SystemClock
from bridge.exchange.assume import Exchange
from bridge.exchange.sts_client import STSClient
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from tests.factories import make_account
from tests.fakes.alibaba_sts import AlibabaSTS
from tests.ready_keys import put_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    put_keys(folder)
    return KeyFolder(folder)


@pytest.fixture
def sts():
    with AlibabaSTS() as server:
        yield server


@pytest.fixture
def build_exchange(keys, sts):
    """Return what builds an exchange for one account, or for those that are handed in."""

    def build(*accounts, **settings):
        accounts = accounts or (make_account(**{"endpoint": sts.url, "timeout_seconds": 10} | settings),)
        return Exchange(
            {account.name: account for account in accounts},
            issuer="https://bridge.example.com",
            entity_id="https://bridge.example.com/cloud/saml/metadata",
            keys=keys,
            sts=STSClient(Outbound(development=True), SystemClock()),
            clock=SystemClock(),
        )

    return build
