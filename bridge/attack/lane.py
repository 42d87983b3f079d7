"""The sealed lane: the application as one provider's settings make it, with nothing of the operator's within reach.

The settings that decide what is accepted are the operator's. Everything else is thrown away afterwards: keys, the
store, the audit log, the provider with its names, keys and metadata, our own address. There are no accounts and no
rules, so nothing could be exchanged; requests to the provider go to this machine, whatever address they name.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from werkzeug.test import Client

from bridge import embedded_store
from bridge.app import create_app
from bridge.attack.saml.messages import DECRYPTION_KEYS, NOW, make_certificate, make_key
from bridge.attack.seal import Seal, sealed
from bridge.audit_log import OpenedLog, open_audit_log
from bridge.entitlements.rules import RuleFiles, compile_rules
from bridge.errors import FetchRefused
from bridge.identity.oidc.discovery import WELL_KNOWN
from bridge.identity.pending import PendingSignIn, PendingSignIns
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.keys import KeyFolder, create_missing
from bridge.outbound import Answer, Outbound
from bridge.sealing import Sealer
from bridge.sessions.cookie import BROWSER_COOKIE, browser_digest
from bridge.settings import Configuration, Settings
from bridge.settings.audit import AuditSettings
from bridge.settings.service import OutboundLimits, RulesSettings, TrustedProxies
from bridge.store_connection import connect_store

PUBLIC_URL = "https://bridge.example.com"
NAME = "corp"
"""What the provider is called here, whatever it is called outside."""
ADDRESS = "192.0.2.7"
BROWSER = "the-cookie-of-the-browser-that-asked".ljust(43, "_")

_NO_LIMITS = AuditSettings(refusals_per_minute=1_000_000, max_clock_step_seconds=1_000_000_000)
"""Each case is refused at a moment of its own, and has to leave its record."""
_ENDPOINTS = {"token", "jwks", "userinfo"}


@dataclass
class Clock:
    """Stands at the moment for which the messages are made."""

    moment: datetime = NOW

    def now(self) -> datetime:
        """Return that moment."""
        return self.moment


class ToThisMachine(Outbound):
    """Leads requests for the provider, which has an address that nobody serves, to the one that is thrown away."""

    def __init__(self, target: str = "") -> None:
        """Take the address of that one; without it nothing is reached."""
        super().__init__(development=True)
        self._target = target
        self._judge = Outbound(development=False)

    def get(self, url: str, **options: Any) -> Answer:
        """Ask the provider that is thrown away."""
        return super().get(self._lead(url), **options)

    def post_form(self, url: str, fields: Mapping[str, str] | Iterable[tuple[str, str]], **options: Any) -> Answer:
        """Post to the provider that is thrown away."""
        return super().post_form(self._lead(url), fields, **options)

    def post_json(self, url: str, members: Mapping[str, Any], **options: Any) -> Answer:
        """Post JSON to the provider that is thrown away."""
        return super().post_json(self._lead(url), members, **options)

    def check_url(self, url: str) -> None:
        """Judge an address as production would."""
        self._judge.check_url(url)

    def _lead(self, url: str) -> str:
        path = WELL_KNOWN.lstrip("/") if url.endswith(WELL_KNOWN) else url.rpartition("/")[2]
        if not self._target or path not in {WELL_KNOWN.lstrip("/"), *_ENDPOINTS}:
            raise FetchRefused(f"the lane does not lead to {url}")
        return f"{self._target}/{path}"


@dataclass
class Lane:
    """What all nodes of a lane share."""

    folder: Path
    settings: Settings
    provider: SAMLProvider | OIDCProvider
    """As the operator configured it."""
    store_url: str
    seal: Seal
    clock: Clock = field(default_factory=Clock)
    plain_pages: dict[int, str] = field(default_factory=dict)
    """What refusals of each status have in common."""
    redis: Any = field(init=False)
    _nowhere: Outbound = field(default_factory=ToThisMachine)
    _log: OpenedLog = field(init=False)
    _sealer: Sealer = field(init=False)

    def __post_init__(self) -> None:
        """Connect to what the nodes write."""
        self.redis = connect_store(self.store_url)
        self._log = open_audit_log(self.settings, self.clock)
        self._sealer = Sealer(*KeyFolder(self.settings.key_folder).sealing_keys())

    def start(self, provider: SAMLProvider | OIDCProvider, outbound: Outbound | None = None) -> Flask:
        """Return a node that trusts this provider and no other."""
        no_files = RuleFiles(self.folder, {})
        rules = compile_rules([], {provider.name: provider.groups_claim}, no_files)
        configuration = Configuration(
            self.folder, self.settings, {provider.name: provider}, {}, rules, no_files, (), (), audit=_NO_LIMITS
        )
        return create_app(configuration, self.store_url, self.clock, outbound or self._nowhere, follow_rules=False)

    def ask(self, **question: Any) -> PendingSignIn:
        """Put a question into the memory, as if the browser that all cases use had begun to sign in."""
        pending = PendingSignIn(
            **{
                "handle": secrets.token_urlsafe(32),
                "provider": NAME,
                "browser": browser_digest(BROWSER),
                "expires_at": self.clock.now() + timedelta(minutes=10),
                **question,
            }
        )
        PendingSignIns(self.redis, self._sealer, self.clock).save(pending)
        return pending

    def forget(self) -> None:
        """Empty the memory, as if nobody had come yet."""
        self.redis.flushall()

    def memory(self) -> dict[bytes, bytes | None]:
        """Return what the store holds: the values of strings, the names of the rest."""
        return {key: self.redis.get(key) if self.redis.type(key) == b"string" else None for key in self.redis.keys("*")}

    def last(self) -> int:
        """Return the position of the newest record."""
        return self._log.reader.end()

    def records(self, after: int) -> list[dict[str, Any]]:
        """Return the records after this position."""
        return self._log.reader.after(after)

    def close(self) -> None:
        """Let go of store and records."""
        self.redis.close()
        self._log.engine.dispose()


def open_browser(node: Flask) -> Client:
    """Return the browser that asked: it has the cookie that its question names."""
    client = node.test_client()
    client.set_cookie(BROWSER_COOKIE, BROWSER, domain=PUBLIC_URL.partition("//")[2])
    return client


@contextmanager
def open_lane(settings: Settings, provider: SAMLProvider | OIDCProvider) -> Iterator[Lane]:
    """Run a store, and make keys and an audit log, for as long as the block runs; nothing of it is left behind.

    Raises StoreUnavailable where there is no embedded store for this platform.
    """
    folder = Path(tempfile.mkdtemp(prefix="rambridge-attack-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        create_missing(folder / "certs", Clock())
        _write_decryption_keys(folder / "certs" / "saml-decryption")
        stack.callback(embedded_store.stop, folder / "store")
        store_url = embedded_store.start(folder / "store")
        lane = Lane(folder, _throw_away(settings, folder), provider, store_url, stack.enter_context(sealed()))
        stack.callback(lane.close)
        yield lane


def _throw_away(settings: Settings, folder: Path) -> Settings:
    """Return the settings without anything that leads to what the operator's service uses."""
    return settings.model_copy(
        update={
            "public_url": PUBLIC_URL,
            "development": False,
            "store": "embedded",
            "store_user": "",
            "store_password": None,
            "store_ca_file": None,
            "audit": f"sqlite:///{folder / 'audit.db'}",
            "audit_password": None,
            "data_folder": folder,
            "key_folder": folder / "certs",
            "trusted_proxies": TrustedProxies(),
            "outbound": OutboundLimits(),
            "rules": RulesSettings(keep_days=0),
        }
    )


def _write_decryption_keys(folder: Path) -> None:
    """Let the service have the keys for which the messages are encrypted."""
    for slot, name in zip(("current", "next", "previous"), DECRYPTION_KEYS, strict=True):
        private_key = make_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = folder / f"{slot}.pem"
        path.touch(0o600)
        path.write_bytes(private_key + make_certificate(name).public_bytes(Encoding.PEM))
