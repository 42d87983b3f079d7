"""A trail as ActionTrail writes it, of any length, with what is hard about one; and what our log says beside it.

Everything follows from the seed. Two companies' accounts are governed, one is not ours. In it are people who fetch
credentials, people in the console, changes of role with our credentials (also through roles that nobody governs, also
several in a row), services and machines with roles of their own, RAM users; the cloud's clock is minutes away from ours
and drifts; some events come late, some twice. Planted among them are strays, of every kind that can be told.
"""

import gzip
import json
import random
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.audit.events import BACKGROUND, ConsoleOpened, DoctorExchanged, Event, ExchangeIssued, Origin
from bridge.audit.log import AuditLog
from bridge.audit.trail.governed import Governed
from bridge.audit.trail.join import SECOND, Issue

BEGINS = 1_767_225_600 * SECOND
"""2026-01-01, when the log begins."""
TOLERANCE = 600 * SECOND
SETTLING = 3_600 * SECOND
PRODUCTION, STAGING, FOREIGN = "1234567890123456", "2234567890123456", "9934567890123456"
ACCOUNTS = {PRODUCTION: "production", STAGING: "staging"}
GOVERNED = Governed(
    ACCOUNTS, (("*", "Admin"), ("*", "Developer"), ("production", "Auditor"), ("production", "Breaker*"))
)
OUR_PROVIDERS = frozenset(
    (account, action, "rambridge") for account in ACCOUNTS for action in ("AssumeRoleWithSAML", "AssumeRoleWithOIDC")
)
ROLES = ("Admin", "Developer", "Auditor")
_CALLS = (
    ("Ecs", "DescribeInstances", "Read"),
    ("Ecs", "StartInstance", "Write"),
    ("Oss", "GetBucketInfo", "Read"),
    ("Rds", "ModifyBackupPolicy", "Write"),
    ("Vpc", "DescribeVpcs", "Read"),
    ("Ram", "ListPolicies", "Read"),
    ("Kms", "Decrypt", "Write"),
)


@dataclass(frozen=True)
class Issued:
    """One record of our log by which something left."""

    time: int
    """By our clock; microseconds since 1970."""
    person: int
    account: str
    role: str
    session_name: str
    duration_seconds: int
    access_key_id: str = ""
    """Empty: a console sign-in by SAML."""
    request_id: str = ""


@dataclass
class SyntheticTrail:
    """The events in the order of their delivery, and the truth about them."""

    events: list[dict[str, Any]] = field(default_factory=list)
    log: list[Issued] = field(default_factory=list)
    strays: dict[str, str] = field(default_factory=dict)
    """By AccessKeyId, the reason."""
    chained: set[str] = field(default_factory=set)
    """What was got with our credentials by changing the role."""

    def write(self, folder: Path, *, per_file: int = 20_000) -> None:
        """Write it as an OSS export: gzip files of JSON arrays; each third has an event per line instead."""
        for number in range(0, len(self.events), per_file):
            part = self.events[number : number + per_file]
            lines = [json.dumps(event) for event in part]
            text = "\n".join(lines) if number // per_file % 3 == 2 else f"[{','.join(lines)}]"
            day = folder / "AliyunLogs" / "Actiontrail" / "cn-hangzhou" / "2026" / "01" / "01"
            day.mkdir(parents=True, exist_ok=True)
            name = f"Actiontrail_cn-hangzhou_{number:012}_1002_{len(part)}.gz"
            (day / name).write_bytes(gzip.compress(text.encode(), 1))


@dataclass
class LogInMemory:
    """Our log as the join asks it, and no credentials from before. Session names are their own digests."""

    log: Sequence[Issued]

    def __post_init__(self) -> None:
        """Index what is looked for."""
        self._keys: dict[str, Issue] = {}
        self._requests: dict[str, Issue] = {}
        self._consoles: dict[tuple[str, str, str], list[Issue]] = {}
        for position, each in enumerate(self.log):
            closes = each.time + each.duration_seconds * SECOND
            issue = Issue(position, f"person-{each.person}", each.time, closes)
            if each.access_key_id:
                self._keys[each.access_key_id] = issue
                self._requests[each.request_id] = issue
            else:
                place = (each.account, each.role.casefold(), each.session_name)
                self._consoles.setdefault(place, []).append(issue)

    def find_keys(self, names: Collection[str]) -> Mapping[str, Issue]:
        """See ``Log``."""
        return {name: self._keys[name] for name in names if name in self._keys}

    def find_requests(self, request_ids: Collection[str]) -> Mapping[str, Issue]:
        """See ``Log``."""
        return {name: self._requests[name] for name in request_ids if name in self._requests}

    def find_console_sign_ins(
        self, places: Collection[tuple[str, str, str]]
    ) -> Mapping[tuple[str, str, str], Sequence[Issue]]:
        """See ``Log``."""
        return {place: self._consoles[place] for place in places if place in self._consoles}

    def find_ways(self, names: Collection[str]) -> Mapping[str, tuple[str, int | None, str | None]]:
        """See ``Parents``."""
        return {}

    def find_steps(self, names: Collection[str]) -> Collection[str]:
        """See ``Parents``."""
        return ()

    def find_used(self, positions: Collection[int]) -> Collection[int]:
        """See ``Parents``."""
        return ()


def synthesize(count: int, *, seed: int = 1, hours: int = 72) -> SyntheticTrail:
    """Return a trail of about ``count`` events over ``hours`` after the log's begin."""
    return _Writer(count, seed, hours).write()


class _Writer:
    def __init__(self, count: int, seed: int, hours: int) -> None:
        self._count = count
        self._random = random.Random(seed)
        self._span = hours * 3_600 * SECOND
        self._number = 0
        self._trail = SyntheticTrail()
        self._timed: list[tuple[int, dict[str, Any]]] = []

    def write(self) -> SyntheticTrail:
        kinds = (
            (self._fetch, 40),
            (self._open_console, 12),
            (self._change_role, 8),
            (self._change_role_thrice, 2),
            (self._run_service, 20),
            (self._foreign, 6),
            (self._ram_user, 10),
            (self._stray, 2),
        )
        actions, weights = zip(*kinds, strict=True)
        while len(self._timed) < self._count:
            self._random.choices(actions, weights)[0]()
        after = BEGINS + self._span + SETTLING  # so that nothing before is waiting
        self._deliver(
            self._event({"type": "root-account", "accountId": STAGING}, after, "Bss", "QueryBill", "Read"), after
        )
        self._timed.sort(key=lambda pair: pair[0])
        self._trail.events = [event for _, event in self._timed]
        self._trail.log.sort(key=lambda each: each.time)
        return self._trail

    # What happens ────────────────────────────────────────────────────────────────────────────────────────────

    def _fetch(self) -> None:
        """Somebody fetches credentials here, and uses them."""
        issued = self._issue(self._moment())
        self._exchange(issued)
        self._use(issued.access_key_id, issued.account, issued.role, issued.session_name, issued.time)

    def _open_console(self) -> None:
        """Somebody opens the console by SAML: the AccessKeyId is the cloud's own affair, and some calls have none."""
        issued = self._issue(self._moment(), key=False)
        name, later = self._key(), issued.time + self._random.randrange(2, 250) * SECOND
        place = (issued.account, issued.role, issued.session_name)
        if self._random.random() < 0.8:
            self._birth("AssumeRoleWithSAML", name, *place, later, provider="rambridge")
        self._use(name, *place, later)
        if self._random.random() < 0.5:
            self._use("", *place, later)

    def _change_role(self) -> None:
        """Our credentials take another governed role."""
        issued = self._issue(self._moment())
        self._exchange(issued)
        self._chain(issued.access_key_id, issued.account, issued.role, issued.session_name, issued.time, ("Auditor",))

    def _change_role_thrice(self) -> None:
        """They do so through roles that nobody governs; events of the steps come late, and in any order."""
        issued = self._issue(self._moment())
        self._exchange(issued)
        path = ("Deploy", "Build", "Breaker1")
        self._chain(issued.access_key_id, issued.account, issued.role, issued.session_name, issued.time, path)

    def _run_service(self) -> None:
        """A machine or a service has a role of its own, which no rule grants."""
        moment, name = self._moment(), self._key()
        role = self._random.choice(("AliyunServiceRoleForLog", "Backup", "Deploy"))
        self._birth("AssumeRole", name, PRODUCTION, role, "ecs", moment, caller={"type": "system"})
        self._use(name, PRODUCTION, role, "ecs", moment)

    def _foreign(self) -> None:
        """Another company's account, where a role has the name of one of ours."""
        moment, name = self._moment(), self._key()
        self._birth("AssumeRoleWithSAML", name, FOREIGN, "Admin", "them", moment, provider="rambridge")
        self._use(name, FOREIGN, "Admin", "them", moment)

    def _ram_user(self) -> None:
        user = {"type": "ram-user", "accountId": PRODUCTION, "userName": "build", "accessKeyId": "LTAI5tBuild"}
        self._calls(user, self._moment())

    def _stray(self) -> None:
        """Credentials of a governed role that never were ours, in one of the ways in which that comes about."""
        kind = self._random.randrange(8)
        moment, name = self._moment(), self._key()
        account, role = self._random.choice((PRODUCTION, STAGING)), self._random.choice(("Admin", "Developer"))
        person = f"p{self._random.randrange(500)}@example.com"
        caller = {"type": "ram-user", "accountId": account, "userName": "build", "accessKeyId": "LTAI5tBuild"}
        reason = "asked_with_key"
        if kind == 0:  # a RAM user's key, also under a name that people of ours have
            self._birth("AssumeRole", name, account, role, person, moment, caller=caller)
        elif kind == 1:  # from another company
            self._birth("AssumeRole", name, account, role, "x", moment, caller=caller | {"accountId": FOREIGN})
        elif kind == 2:  # whoever holds a copy of our key signs what they like
            self._birth("AssumeRoleWithSAML", name, account, role, "nobody-here", moment, provider="rambridge")
            reason = "our_provider"
        elif kind == 3:
            self._birth("AssumeRoleWithSAML", name, account, role, person, moment, provider="another")
            reason = "other_provider"
        elif kind == 4:
            self._birth("AssumeRoleWithOIDC", name, account, role, person, moment, provider="rambridge")
            reason = "our_provider"
        elif kind == 5:  # the trail does not have where it came from, and the log is older than any session
            moment = max(moment, BEGINS + 13 * 3_600 * SECOND)
            person, reason = "nobody-here", "unknown"
        elif kind == 6:  # the response of a console sign-in is used, and used again
            issued = self._issue(moment, key=False, person=100_000 + self._number)
            account, role, person = issued.account, issued.role, issued.session_name
            self._birth("AssumeRoleWithSAML", self._key(), account, role, person, moment, provider="rambridge")
            moment += 20 * SECOND
            self._birth("AssumeRoleWithSAML", name, account, role, person, moment, provider="rambridge")
            reason = "our_provider"
        else:  # through a role of a machine, which is not ours either
            first = self._key()
            self._birth("AssumeRole", first, account, "Backup", "ecs", moment, caller={"type": "system"})
            path = ("Breaker9",) if account == PRODUCTION else ("Admin",)
            last = self._chain(first, account, "Backup", "ecs", moment, path, ours=False)
            self._trail.strays[last] = "chained_from_unknown"
            return
        self._trail.strays[name] = reason
        self._use(name, account, role, person, moment, at_least=1)

    # How it is written ───────────────────────────────────────────────────────────────────────────────────────

    def _moment(self) -> int:
        return BEGINS + 1_200 * SECOND + self._random.randrange(self._span // SECOND - 12_000) * SECOND

    def _key(self) -> str:
        self._number += 1
        return f"STS.NT{self._number:08}{self._random.getrandbits(48):012x}"

    def _issue(self, moment: int, *, key: bool = True, person: int | None = None) -> Issued:
        number = self._random.randrange(500) if person is None else person
        account = self._random.choice((PRODUCTION, STAGING))
        role = self._random.choice(ROLES[:2])
        name = f"p{number}@example.com"
        issued = Issued(moment, number, account, role, name, 3_600)
        if key:
            issued = Issued(moment, number, account, role, name, 3_600, self._key(), self._uuid())
        self._trail.log.append(issued)
        return issued

    def _exchange(self, issued: Issued) -> None:
        place = (issued.account, issued.role, issued.session_name)
        if self._random.random() < 0.05:  # a trail that hides part of the AccessKeyId: the RequestId remains
            hidden = issued.access_key_id[:-4] + "****"
            self._birth(
                "AssumeRoleWithSAML", hidden, *place, issued.time, provider="rambridge", request_id=issued.request_id
            )
        elif self._random.random() < 0.95:  # else the trail lost it
            self._birth("AssumeRoleWithSAML", issued.access_key_id, *place, issued.time, provider="rambridge")

    def _chain(  # noqa: PLR0917
        self,
        name: str,
        account: str,
        role: str,
        session_name: str,
        moment: int,
        path: Sequence[str],
        *,
        ours: bool = True,
    ) -> str:
        for further in path:
            child = self._key()
            target = PRODUCTION if further.startswith(("Auditor", "Breaker")) else account
            caller = _identity(name, account, role, session_name, moment)
            moment += self._random.randrange(1, 600) * SECOND
            self._birth("AssumeRole", child, target, further, session_name, moment, caller=caller)
            self._use(child, target, further, session_name, moment, at_least=1)
            if ours:
                self._trail.chained.add(child)
            name, account, role = child, target, further
        return name

    def _birth(  # noqa: PLR0917
        self,
        action: str,
        name: str,
        account: str,
        role: str,
        session_name: str,
        moment: int,
        *,
        provider: str = "",
        caller: dict[str, Any] | None = None,
        request_id: str = "",
    ) -> None:
        asked = {"RoleArn": f"acs:ram::{account}:role/{role}", "DurationSeconds": 3600}
        if provider:
            asked["SAMLProviderArn" if action.endswith("SAML") else "OIDCProviderArn"] = (
                f"acs:ram::{account}:{'saml' if action.endswith('SAML') else 'oidc'}-provider/{provider}"
            )
        lower = self._random.random() < 0.5
        answer = {
            "AssumedRoleUser": {"Arn": f"acs:ram::{account}:role/{role.lower()}/{session_name}"},
            "Credentials": {"AccessKeyId": name, "Expiration": _utc(moment + 3_600 * SECOND)},
        }
        if lower:
            answer = {
                key[0].lower() + key[1:]: {inner[0].lower() + inner[1:]: value for inner, value in each.items()}
                for key, each in answer.items()
            }
        usual = {"type": "saml-user", "accountId": account, "userName": session_name}
        event = self._event(caller or usual, moment, "Sts", action, "Write")
        event |= {"requestParameters": asked, "responseElements": answer, "eventSource": "sts.aliyuncs.com"}
        event["requestId"] = request_id or event["requestId"]
        event["referencedResources"] = {"ACS::RAM::AccessKey": [name]}
        self._deliver(event, moment)

    def _use(  # noqa: PLR0917
        self, name: str, account: str, role: str, session_name: str, moment: int, at_least: int = 0
    ) -> None:
        self._calls(_identity(name, account, role, session_name, moment + self._drift(moment)), moment, at_least)

    def _calls(self, identity: dict[str, Any], moment: int, at_least: int = 0) -> None:
        address = f"203.0.113.{self._random.randrange(1, 250)}"
        for _ in range(max(at_least, int(self._random.expovariate(1 / 12)))):
            service, name, rw = self._random.choice(_CALLS)
            then = moment + self._random.randrange(1, 3_500) * SECOND
            event = self._event(identity, then, service, name, rw) | {"sourceIpAddress": address}
            if self._random.random() < 0.03:
                event |= {"errorCode": "Forbidden.RAM", "errorMessage": "no permission"}
            self._deliver(event, then)

    def _event(self, identity: dict[str, Any], moment: int, service: str, name: str, rw: str) -> dict[str, Any]:
        return {
            "eventId": self._uuid(),
            "eventVersion": "1",
            "eventName": name,
            "eventSource": f"{service.lower()}.cn-hangzhou.aliyuncs.com",
            "eventTime": _utc(moment + self._drift(moment)),
            "eventType": "ApiCall",
            "eventCategory": "Management",
            "eventRW": rw,
            "acsRegion": "cn-hangzhou",
            "apiVersion": "2014-05-26",
            "requestId": self._uuid(),
            "sourceIpAddress": f"203.0.113.{self._random.randrange(1, 250)}",
            "userAgent": "AlibabaCloud (linux; amd64) Python/3.12 Core/0.4.6 TeaDSL/1",
            "serviceName": service,
            "userIdentity": identity,
            "additionalEventData": {"Scheme": "https"},
            "isGlobal": False,
        }

    def _drift(self, moment: int) -> int:
        """Their clock is five minutes ahead at first, and three behind at the end."""
        return (300 - 480 * (moment - BEGINS) // self._span) * SECOND

    def _deliver(self, event: dict[str, Any], moment: int) -> None:
        delay = self._random.randrange(60, 600)
        if self._random.random() < 0.02:
            delay += self._random.randrange(3_000)
        self._timed.append((moment + delay * SECOND, event))
        if self._random.random() < 0.01:
            self._timed.append((moment + (delay + self._random.randrange(600)) * SECOND, event))

    def _uuid(self) -> str:
        digits = f"{self._random.getrandbits(128):032X}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _identity(name: str, account: str, role: str, session_name: str, created: int) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": "assumed-role",
        "accountId": account,
        "principalId": f"3014{zlib.crc32(role.encode()):012}:{session_name}",
        "userName": f"{role}:{session_name}",
        "sessionContext": {"attributes": {"mfaAuthenticated": "false", "creationDate": _utc(created)}},
    }
    return identity | ({"accessKeyId": name} if name else {})


def _utc(moment: int) -> str:
    return datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LogClock:
    """Stands where it is put."""

    def __init__(self, moment: int = BEGINS) -> None:
        """Take microseconds since 1970."""
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment."""
        return datetime.fromtimestamp(self.moment // SECOND, UTC)


def record(issued: Sequence[Issued], log: AuditLog, clock: LogClock) -> None:
    """Record what left, each at its time; before it, that the log begins."""
    clock.moment = BEGINS
    log.append(BACKGROUND, DoctorExchanged("production", "Admin", "saml", "STS.first", "", "R-first"))
    for each in issued:
        clock.moment = each.time
        who = {
            "provider": "acme",
            "issuer": "https://idp.example",
            "subject": f"s{each.person}",
            "person": f"P {each.person}",
        }
        what = {
            "account": ACCOUNTS[each.account],
            "entitlement": f"role {each.role}",
            "rule": "r",
            "rules_version": "v",
        }
        shared = {"duration_seconds": each.duration_seconds, "decided_by": "rule"}
        shared["role_session_name"] = each.session_name
        event: Event = (
            ExchangeIssued(
                **who,
                **what,
                **shared,
                trust="saml",
                access_key_id=each.access_key_id,
                expires_at=_utc(each.time + each.duration_seconds * SECOND),
                sts_request_id=each.request_id,
            )
            if each.access_key_id
            else ConsoleOpened(**who, **what, **shared, way="saml", assertion_id="_1")
        )
        log.append(Origin(f"{each.time % 10**12:012}", "192.0.2.9"), event)
