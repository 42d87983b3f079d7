"""Credentials that are released once more: recorded, for the same person, and gone with the sign-out."""

import threading
from dataclasses import replace

import pytest

from bridge.audit.events import Origin
from bridge.audit_log import open_audit_log
from bridge.clock import SystemClock
from bridge.entitlements.choice import Choice
from bridge.entitlements.reading import READS_ALL, find_reading
from bridge.entitlements.rules import RulesInForce
from bridge.errors import NotEntitled
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
from tests.factories import make_choice, make_entitlement, make_identity
from tests.integration.test_main_job import entitlements, read_credentials
from tests.live_store import running_store

TARGET = "role acme-production/ReadOnly"


def get_credentials(installation, browser):
    chosen = entitlements(installation, browser)[TARGET]
    page = browser.submit(f"/credentials/{chosen['id']}")
    return read_credentials(page), page


def test_asking_twice_is_one_exchange_and_two_recorded_releases(installation):
    browser = installation.sign_in()
    first, _ = get_credentials(installation, browser)
    before = len(installation.records())
    second, page = get_credentials(installation, browser)
    assert second["AccessKeyId"] == first["AccessKeyId"]
    assert "those that you got a while ago" in page.text()
    chosen, reused, delivered = installation.records()[before:]
    assert [chosen["event"], reused["event"], delivered["event"]] == [
        "choice.made",
        "exchange.reused",
        "delivery.credentials",
    ]
    issued = [
        record
        for record in installation.records()
        if record["event"] == "exchange.issued" and record["access_key_id"] == first["AccessKeyId"]
    ]
    assert [record["reference"] for record in issued] == [reused["original_reference"]]
    assert reused["sts_request_id"] == issued[0]["sts_request_id"]
    assert reused["reference"] != reused["original_reference"]
    assert second["AccessKeySecret"] not in str(installation.records())


def test_signing_out_ends_what_is_kept(installation):
    browser = installation.sign_in()
    first, _ = get_credentials(installation, browser)
    browser.open(f"{installation.bridge}/")
    browser.submit("/sign-out")
    second, _ = get_credentials(installation, installation.sign_in())
    assert second["AccessKeyId"] != first["AccessKeyId"]


def test_the_page_says_every_limit_and_which_one_decided(installation):
    browser = installation.sign_in()
    _, page = get_credentials(installation, browser)
    assert "They last 1 h, because of the default session length." in page.text()
    assert "The limits: usual session 1 h, rule " in page.text()
    assert "Alibaba Cloud 12 h" in page.text()


def test_the_api_says_how_long_credentials_would_last_and_which_limit_decides(installation):
    listed = entitlements(installation, installation.sign_in())
    foreseen = listed[TARGET]["credentials_duration"]
    assert (foreseen["seconds"], foreseen["decided_by"]) == (3600, "default")
    assert foreseen["limits"].keys() >= {"default", "rule", "account", "role", "api"}
    assert min(foreseen["limits"].values()) == foreseen["seconds"]


class CountingOutbound(Outbound):
    """Counts the calls of STS, which all leave by this door."""

    calls = 0

    def post_form(self, *arguments, **options):
        self.calls += 1
        return super().post_form(*arguments, **options)


def test_500_at_once_are_one_exchange_at_the_sandbox_and_500_records(installation):
    configuration, clock = load_configuration(installation.config), SystemClock()
    settings, outbound = configuration.settings, CountingOutbound(development=True)
    log = open_audit_log(settings, clock)
    patient = {"timeout_seconds": 60}
    exchange = Exchange(
        {name: account.model_copy(update=patient) for name, account in configuration.accounts.items()},
        issuer=settings.public_url,
        entity_id=entity_id(settings.public_url),
        keys=KeyFolder(settings.key_folder),
        sts=STSClient(outbound, clock),
        clock=clock,
    )
    choice = make_choice(
        identity=make_identity(subject="build-farm"),
        entitlement=make_entitlement(account="acme-production", name="ReadOnly"),
    )
    before, released, start = len(installation.records()), [], threading.Barrier(500)
    with running_store() as redis:
        federation = Federation(
            audit=log.build_log(),
            rules=RulesInForce(configuration.rules),
            administrators=(),
            auditors=(),
            exchange=exchange,
            credentials=CredentialsCache(exchange, redis, Sealer(bytes(32)), clock, WaitingRoom(1000)),
            console=None,
            history=None,
            clock=clock,
        )

        def ask(number):
            start.wait()
            released.append(federation.exchange(Origin(f"REF-{number}", "192.0.2.1"), choice))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(500)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = installation.records()[before:]
    log.engine.dispose()
    assert outbound.calls == 1
    assert len(released) == 500
    assert {each.access_key_id for each in released} == {record["access_key_id"] for record in records}
    events = [record["event"] for record in records]
    assert (events[0], events.count("exchange.issued"), events.count("exchange.reused")) == ("exchange.issued", 1, 499)
    assert {record["reference"] for record in records} == {f"REF-{number}" for number in range(500)}
    assert {record["original_reference"] for record in records[1:]} == {records[0]["reference"]}


def test_t_sts_05_rules_that_read_more_than_was_compared_end_a_chain_of_roles(installation):
    configuration, clock = load_configuration(installation.config), SystemClock()
    log, rules = open_audit_log(configuration.settings, clock), RulesInForce(configuration.rules)
    federation = Federation(
        audit=log.build_log(),
        rules=rules,
        administrators=(),
        auditors=(),
        exchange=None,
        credentials=None,
        console=None,
        history=None,
        clock=clock,
    )
    origin, identity = Origin("REF-CHAIN", "192.0.2.1"), make_identity()
    granted = next(each for each in federation.look(identity, "192.0.2.1").entitlements if each.kind == "role")
    asked = AskedRole("arn", granted.account, granted.name, "chaining")

    def chain(known):
        return federation.choose_role(origin, identity, asked, Choice, known)

    reading = find_reading(rules.current)
    assert chain(reading).reading == chain(READS_ALL).reading == reading
    less = replace(reading, claims=frozenset()), replace(reading, authentication_time=False)
    for known in less[: 1 + reading.authentication_time]:
        with pytest.raises(NotEntitled):
            chain(known)
        assert installation.records()[-1]["detail"].startswith("the rules read more of an identity")
    log.engine.dispose()
