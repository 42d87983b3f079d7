import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.audit.database import open_database
from bridge.audit.events import ChoiceMade, Origin, SignInAccepted, SignInRefused
from bridge.audit.export.exporter import Exporter
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.sequencer import Sequencer
from tests.audit_log import open_log
from tests.live_store import MovableClock

LOG_NAME = "bridge.example.com/audit"
ORIGIN = Origin("1A2B-3C4D-5E6F", "203.0.113.7")


class Exports:
    """A log with some records in it, and what exports them."""

    def __init__(self, engine):
        self.clock = MovableClock()
        self.log = open_log(engine, self.clock)
        self.audit = self.log.build_log()
        signer = Signer(LOG_NAME, Ed25519PrivateKey.generate())
        self.key = str(signer.verifier_keys[0])
        self.exporter = Exporter(
            engine,
            self.log.secrets,
            Sequencer(engine, signer, self.clock, mac_key=self.log.secrets.mac_key),
            self.audit,
            log_name=LOG_NAME,
            keys=signer.verifier_keys,
        )

    def sign_in(self, subject, person, *, hours=0):
        self.clock.advance(hours * 3600)
        who = {"provider": "acme", "issuer": "https://idp.example", "subject": subject, "person": person}
        self.audit.append(
            ORIGIN,
            SignInAccepted(
                **who,
                protocol="saml",
                message_id="_9f2b",
                authenticated_at="2026-11-29T12:00:00Z",
                session_index=f"session-of-{subject}",
                solicited=True,
            ),
            ChoiceMade(
                **who,
                account="production",
                entitlement="role PlatformAdmin",
                rule="admins",
                rules_version="ab" * 32,
                purpose="console",
            ),
        )

    def refuse(self, detail):
        self.audit.append(ORIGIN, SignInRefused("acme", "saml", "saml_expired", detail))

    def records(self):
        return self.log.reader.last(1_000)


@pytest.fixture
def exports(tmp_path_factory):
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('log')}/audit.db")
    yield Exports(engine)
    engine.dispose()


@pytest.fixture
def either_exports(audit_database):
    """The same on both databases."""
    return Exports(audit_database())
