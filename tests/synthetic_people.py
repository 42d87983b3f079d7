"""A company that never was: who signs in, from where, as what, and what goes wrong. For ``synthetic_log``."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from bridge.audit import events
from bridge.audit.events import Event, Person

SECOND = 1_000_000
PRIVILEGED = ("*/*Admin*", "*/Security*", "production/Database*")
"""Which roles are privileged, as ``AuditSettings.privileged`` has it."""

_GIVEN = (
    "Wei Lin Min Sofia Jonas Amina Carlos Ines Oluwaseun Priya Kenji Zoë Marta Ivan Chloé Ahmed Noor Lucas Mei Tomás"
)
_FAMILY = (
    "Zhang Wang Müller Rossi Silva Okafor Tanaka Haddad Novak Svensson Patel García Dubois Kowalski Costa Nguyen Lin"
)
_CHINESE = "张敏 林薇 王伟 李娜 刘洋 陈静 杨光 赵磊 黄婷 周杰 吴倩 徐强"
_STAGES = ("production", "staging", "development", "sandbox")
_UNITS = ("retail", "payments", "logistics", "data", "search", "mobile")
_ROLES = (
    *("ReadOnly", "Developer", "PlatformAdmin", "DatabaseOperator", "BillingViewer", "SecurityAuditor", "NetworkAdmin"),
    *("LogReader", "Deployer", "DataScientist", "SupportEngineer", "BackupOperator", "IncidentResponder", "KmsAdmin"),
)
_OFFICES = ("203.0.113.", "198.51.100.", "192.0.2.")
_PWD, _OTP, _KEY = ("pwd",), ("pwd", "otp", "mfa"), ("hwk", "user", "mfa")
_PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
_TWO_FACTORS = "https://refeds.org/profile/mfa"
_REFUSALS = (
    *(("signature_invalid", 20), ("outside_validity", 30), ("replayed", 12), ("wrong_audience", 10)),
    *(("not_our_question", 18), ("issuer_unknown", 6), ("missing_claim", 4)),
)
_FAILURES = (("exchange_refused", "NoPermission"), ("exchange_unavailable", "ServiceUnavailable"))
_SHOWN = {
    "signature_invalid": "the signature does not match",
    "outside_validity": "expired 412 s ago",
}


@dataclass(frozen=True)
class Happening:
    """One event. Events with equal keys differ in ``values``, in who and from where, and in nothing else."""

    key: Any
    make: Callable[[], Event]
    """The event; what differs is ``~~name of the field~~``."""
    values: dict[str, Any]
    person: "Somebody | None"
    address: str
    process: int


@dataclass(frozen=True)
class _Provider:
    name: str
    protocol: str
    issuer: str


@dataclass(frozen=True)
class _Grant:
    account: str
    role: str
    rule: str


@dataclass(eq=False)
class Somebody:
    """A person, or a job."""

    number: int
    provider: _Provider
    subject: str
    name: str
    grants: tuple[_Grant, ...]
    rules: tuple[str, ...]
    addresses: tuple[str, ...]
    amr: tuple[str, ...]
    acr: str | None
    style: Any = None
    """Whoever has the same one has the same texts."""
    session: str = ""

    def __post_init__(self) -> None:
        self.style = (self.provider.name, self.acr, self.amr)
        self.session = f"{self.subject[:40]}@{self.provider.name}"

    @property
    def issuer(self) -> str:
        return self.provider.issuer

    @property
    def label(self) -> Mapping[str, str]:
        return {"issuer": self.issuer, "subject": self.subject, "person": self.name}

    @property
    def who(self) -> dict[str, Any]:
        return {
            "provider": self.provider.name,
            "issuer": self.issuer,
            "subject": "~~subject~~",
            "person": "~~person~~",
            "acr": self.acr,
            "amr": self.amr,
        }


_PROVIDERS = (
    _Provider("acme-entra", "oidc", "https://login.microsoftonline.com/6f0c41de-0d0a-4a9c-9f0e-2f4c15b6a001/v2.0"),
    _Provider("acme-okta", "saml", "http://www.okta.com/exk1fcia6d6EMsf331d8"),
    _Provider("acme-adfs", "saml", "http://adfs.acme.example/adfs/services/trust"),
    _Provider("partners", "oidc", "https://sso.partners.example/realms/partners"),
)
_JOBS = _Provider("gitlab-ci", "oidc", "https://gitlab.acme.example")


@dataclass
class Company:
    """Everybody, and what they do next."""

    random: random.Random
    size: int
    people: list[Somebody] = field(default_factory=list)
    jobs: list[Somebody] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hire people."""
        draw = self.random
        accounts = [f"{unit}-{stage}" if unit != "retail" else stage for unit in _UNITS for stage in _STAGES]
        teams = [_make_team(draw, accounts, number) for number in range(max(3, min(200, self.size // 20)))]
        self.people = [self._hire(number, teams) for number in range(self.size)]
        self.jobs = [self._make_job(number, accounts) for number in range(max(2, self.size // 100))]
        self.strangers = [draw.choice(draw.choice(self.people).addresses) for _ in range(self.size // 20)]
        self.strangers += [
            f"{draw.randrange(5, 200)}.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
            for _ in range(max(5, self.size // 50))
        ]
        # The busiest signs in some thousand times as often as the least busy one.
        self._busy = [1.0 / (1 + number) ** 0.7 for number in range(self.size)]
        self._job_busy = [1.0 / (1 + number) for number in range(len(self.jobs))]
        self._drawn: dict[str, list[Any]] = {}
        self._version = _hex(draw, 32)

    @property
    def everybody(self) -> list[Somebody]:
        """Return all people and jobs."""
        return [*self.people, *self.jobs]

    def visit(self, start: int) -> Iterator[tuple[int, Happening]]:
        """Yield what comes of one visit that begins at ``start``: moments (microseconds) and events."""
        chance = self.random.random()
        process = self.random.randrange(4)
        if chance < 0.24:
            yield from self._job(start, process)
        elif chance < 0.28:
            yield self._refused(start, process)
        elif chance < 0.2805:
            yield from self._rare(start, process)
        else:
            yield from self._session(start, process)

    def _session(self, start: int, process: int) -> Iterator[tuple[int, Happening]]:
        draw = self.random
        person = self._pick("people", self.people, self._busy)
        address = person.addresses[0] if draw.random() < 0.7 else draw.choice(person.addresses)
        reference = _reference(draw)
        yield from self._sign_in(start, process, person, address, reference)
        moment = start
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
            moment += draw.randrange(5 * SECOND, 1_500 * SECOND)
            yield from self._use(moment, process, person, address, self._grant(person))
        if draw.random() < 0.15:
            event = (lambda: events.SessionEnded(**person.who), "ended")
            yield moment + 900 * SECOND, self._happen(event, person, address, process, {"reference": _reference(draw)})

    def _sign_in(
        self, moment: int, process: int, person: Somebody, address: str, reference: str
    ) -> Iterator[tuple[int, Happening]]:
        draw = self.random
        values = {
            "reference": reference,
            "message_id": f"_{_hex(draw, 20)}",
            "authenticated_at": format_second(moment // SECOND) + "Z",
        }
        accepted = (
            lambda: events.SignInAccepted(
                **person.who,
                protocol=person.provider.protocol,
                message_id="~~message_id~~",
                authenticated_at="~~authenticated_at~~",
                session_index=None,
                solicited=True,
            ),
            "accepted",
        )
        yield moment, self._happen(accepted, person, address, process, values)
        granted = tuple(f"role {grant.account}/{grant.role}" for grant in person.grants)
        resolved = (
            lambda: events.EntitlementsResolved(
                **person.who,
                rules_version="~~rules_version~~",
                granted=granted,
                rules=tuple(f"grants {rule}" for rule in person.rules),
                because=tuple(f"groups: {rule}" for rule in person.rules),
            ),
            ("resolved", person.rules, granted),
        )
        yield moment + 41, self._happen(resolved, person, address, process, {"reference": reference})

    def _use(  # noqa: PLR0917  who becomes what, when and from where
        self,
        moment: int,
        process: int,
        person: Somebody,
        address: str,
        grant: _Grant,
        purpose: str = "",
        reference: str = "",
    ) -> Iterator[tuple[int, Happening]]:
        draw = self.random
        reference = reference or _reference(draw)
        chance = draw.random()
        console = not purpose and chance < 0.45
        purpose = purpose or ("console" if console else "credentials")
        if chance > 0.985:
            refused = (
                lambda: events.ChoiceRefused(
                    **person.who,
                    entitlement=f"role {grant.account}/{grant.role}",
                    code="not_entitled",
                    detail="no rule grants it now",
                ),
                ("not entitled", grant),
            )
            yield moment, self._happen(refused, person, address, process, {"reference": reference})
            return
        what = {"account": grant.account, "entitlement": f"role {grant.role}"}
        why = {"rule": grant.rule, "rules_version": "~~rules_version~~"}
        made = (lambda: events.ChoiceMade(**person.who, **what, **why, purpose=purpose), ("made", grant, purpose))
        yield moment, self._happen(made, person, address, process, {"reference": reference})
        moment += draw.randrange(60_000, 300_000)
        if chance > 0.97:
            code, sts_code = _FAILURES[draw.random() < 0.3]
            failed = (
                lambda: events.ExchangeFailed(
                    **person.who,
                    **what,
                    code=code,
                    detail="STS refused",
                    sts_code=sts_code,
                    sts_request_id="~~sts_request_id~~",
                ),
                ("failed", grant, code),
            )
            values = {"reference": reference, "sts_request_id": _request_id(draw)}
            yield moment, self._happen(failed, person, address, process, values)
            return
        issued = {
            "reference": reference,
            "access_key_id": f"STS.N{_hex(draw, 12)}",
            "sts_request_id": _request_id(draw),
            "expires_at": format_second(moment // SECOND + 3_600) + "Z",
        }
        if console:
            opened = (
                lambda: events.ConsoleOpened(
                    **person.who,
                    **what,
                    **why,
                    way="saml",
                    assertion_id="~~assertion_id~~",
                    role_session_name="~~role_session_name~~",
                    duration_seconds=3_600,
                    decided_by="rule",
                ),
                ("console", grant),
            )
            values = {"reference": reference, "assertion_id": f"_{_hex(draw, 16)}"}
            yield moment, self._happen(opened, person, address, process, values)
            return
        exchange = (
            lambda: events.ExchangeIssued(
                **person.who,
                **what,
                **why,
                trust="saml",
                role_session_name="~~role_session_name~~",
                access_key_id="~~access_key_id~~",
                expires_at="~~expires_at~~",
                duration_seconds=3_600,
                decided_by="rule",
                sts_request_id="~~sts_request_id~~",
                source_identity="~~source_identity~~",
            ),
            ("issued", grant),
        )
        yield moment, self._happen(exchange, person, address, process, issued)
        delivered = (
            lambda: events.CredentialsDelivered(**person.who, **what, access_key_id="~~access_key_id~~"),
            ("delivered", grant),
        )
        values = {"reference": reference, "access_key_id": issued["access_key_id"]}
        yield moment + 57, self._happen(delivered, person, address, process, values)

    def _job(self, start: int, process: int) -> Iterator[tuple[int, Happening]]:
        draw = self.random
        job = self._pick("jobs", self.jobs, self._job_busy)
        reference = _request_id(draw)
        yield from self._sign_in(start, process, job, job.addresses[0], reference)
        yield from self._use(start + 83, process, job, job.addresses[0], job.grants[0], "workload", reference)

    def _refused(self, start: int, process: int) -> tuple[int, Happening]:
        draw = self.random
        address = draw.choice(self.strangers)
        values = {
            "reference": _reference(draw),
            "message_digest": _hex(draw, 32),
            "claimed_id": f"_{_hex(draw, 16)}",
        }
        chance = draw.random()
        if chance < 0.15:
            make = (
                lambda: events.SignedCallRefused(
                    action="AssumeRole",
                    access_key_id="~~access_key_id~~",
                    code="SignatureDoesNotMatch",
                    request_digest="~~request_digest~~",
                ),
                "call",
            )
            values = {
                "reference": _request_id(draw),
                "request_digest": values["message_digest"],
                "access_key_id": f"STS.N{_hex(draw, 12)}",
            }
            return start, self._happen(make, None, address, process, values)
        provider = draw.choice(_PROVIDERS)
        code = draw.choices([code for code, _ in _REFUSALS], [weight for _, weight in _REFUSALS])[0]
        make = (
            lambda: events.SignInRefused(
                provider=provider.name,
                protocol=provider.protocol,
                code=code,
                detail=_SHOWN.get(code, "the check failed"),
                message_digest="~~message_digest~~",
                claimed_issuer=provider.issuer,
                claimed_id="~~claimed_id~~",
                checks=(("issuer", "yes", provider.issuer, "the provider's"), (code, "no", "1", "0")),
            ),
            (provider.name, code),
        )
        return start, self._happen(make, None, address, process, values)

    def _rare(self, start: int, process: int) -> Iterator[tuple[int, Happening]]:
        """Administration: a few times a week."""
        draw = self.random
        admin = self.people[draw.randrange(min(5, self.size))]
        address = admin.addresses[0]
        reference = _reference(draw)
        if draw.random() < 0.5:
            version, previous = _hex(draw, 32), self._version
            self._version = version if draw.random() < 0.2 else previous
            promoted = (
                lambda: events.RulesPromoted(
                    version="~~version~~",
                    previous="~~previous~~",
                    author="~~person~~",
                    issuer=admin.issuer,
                    subject="~~subject~~",
                    message="quarterly review",
                    diff_digest="~~diff_digest~~",
                    diff=("-  groups: [platform]", "+  groups: [platform, sre]"),
                    changed=3,
                    people=self.size,
                ),
                "promoted",
            )
            values = {"reference": reference, "version": version, "previous": previous, "diff_digest": _hex(draw, 32)}
            yield start, self._happen(promoted, admin, address, process, values)
            return
        other = draw.choice(self.people)
        explained = (
            lambda: events.SignInExplained(
                **admin.who, of=Person(other.issuer, other.subject, other.name), of_time="~~of_time~~"
            ),
            ("explained", other.number),
        )
        values = {"reference": reference, "of_time": format_second(start // SECOND - 3_600) + "Z"}
        yield start, self._happen(explained, admin, address, process, values)

    def _happen(
        self,
        event: tuple[Callable[[], Event], Any],
        person: Somebody | None,
        address: str,
        process: int,
        values: dict[str, Any],
    ) -> Happening:
        make, key = event
        values["rules_version"] = self._version
        return Happening((person.style if person else None, key), make, values, person, address, process)

    def _grant(self, person: Somebody) -> _Grant:
        return person.grants[0] if self.random.random() < 0.7 else self.random.choice(person.grants)

    def _pick(self, name: str, among: list[Somebody], busy: list[float]) -> Somebody:
        drawn = self._drawn.get(name)
        if not drawn:
            drawn = self._drawn[name] = self.random.choices(among, busy, k=10_000)
        return drawn.pop()

    def _hire(self, number: int, teams: list[tuple[tuple[_Grant, ...], tuple[str, ...]]]) -> Somebody:
        draw = self.random
        name = f"{draw.choice(_GIVEN.split())} {draw.choice(_FAMILY.split())}"
        if draw.random() < 0.2:
            name = draw.choice(_CHINESE.split())
        provider = draw.choices(_PROVIDERS, (50, 30, 12, 8))[0]
        grants, rules = draw.choice(teams)
        strong = draw.random() < 0.9
        office = f"{draw.choice(_OFFICES)}{draw.randrange(1, 255)}"
        home = f"{draw.randrange(60, 120)}.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
        away = f"2001:db8:{draw.randrange(1, 400):x}::{draw.randrange(1, 9_000):x}"
        saml = provider.protocol == "saml"
        return Somebody(
            number,
            provider,
            f"{_hex(draw, 8)}-{number}" if not saml else f"u{number}@acme.example",
            f"{name} {number}",
            grants,
            rules,
            (office, home, away),
            () if saml else draw.choice((_OTP, _KEY)) if strong else _PWD,
            (_TWO_FACTORS if strong else _PASSWORD) if saml else None,
        )

    def _make_job(self, number: int, accounts: list[str]) -> Somebody:
        draw = self.random
        grant = _Grant(draw.choice(accounts), "Deployer", f"deploy-{number}")
        subject = f"project_path:acme/service-{number}:ref_type:branch:ref:main"
        addresses = (f"10.20.{number % 256}.{draw.randrange(1, 255)}",)
        return Somebody(number, _JOBS, subject, f"acme/service-{number}", (grant,), (grant.rule,), addresses, (), None)


def _make_team(draw: random.Random, accounts: list[str], number: int) -> tuple[tuple[_Grant, ...], tuple[str, ...]]:
    rules = tuple(f"team-{number}-{each}" for each in range(draw.randrange(1, 4)))
    grants = {(draw.choice(accounts), draw.choice(_ROLES)): draw.choice(rules) for _ in range(draw.randrange(2, 7))}
    return tuple(_Grant(account, role, rule) for (account, role), rule in sorted(grants.items())), rules


def _hex(draw: random.Random, octets: int) -> str:
    return f"{draw.getrandbits(octets * 8):0{octets * 2}x}"


def _reference(draw: random.Random) -> str:
    digits = f"{draw.getrandbits(48):012X}"
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def _request_id(draw: random.Random) -> str:
    digits = f"{draw.getrandbits(128):032X}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_OF_DAY = tuple(f"T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}" for second in range(86_400))


@lru_cache(4_096)
def _format_day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def format_second(second: int) -> str:
    """Return a second since 1970 without the zone, as fast as it goes."""
    return _format_day(second // 86_400) + _OF_DAY[second % 86_400]
