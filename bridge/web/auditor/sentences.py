"""One record in one plain sentence: who, what, where to, and why not.

Whatever a record holds came from outside once: every value is escaped, and names stand apart from the sentence's own
direction of writing. What was erased says so in the place of the name.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from markupsafe import Markup

from bridge.advice import find_advice
from bridge.entitlements.spans import describe_span
from bridge.web.auditor.filter_words import describe_asked
from bridge.web.auditor.strength import describe_strength

Record: TypeAlias = Mapping[str, Any]
"""The contents of a record, opened: personal fields are there, or ``erased`` is."""

PROTOCOLS = {"saml": "SAML", "oidc": "OpenID Connect", "workload": "a workload token"}
PURPOSES = {
    "console": "to open the console",
    "credentials": "to get credentials",
    "terminal": "for a program at their terminal",
    "workload": "for a workload",
    "saml": "with a SAML response at the STS endpoint",
    "chaining": "by changing from another role",
}
DECIDED_BY = {
    "default": "the default session length",
    "asked": "what was asked for",
    "rule": "the rule that grants it",
    "account": "the account's limit",
    "role": "the role's own limit in RAM",
    "api": "the limit of Alibaba Cloud's token service",
    "identity provider": "the end of the sign-in at the identity provider",
}
"""What limited a duration: the names are those of ``bridge.exchange.duration``."""


ERASED = Markup('<em class="erased">[erased person]</em>')


class Sentences:
    """Says what happened, with the titles that people know."""

    def __init__(
        self,
        provider_titles: Mapping[str, str],
        account_titles: Mapping[str, str],
        *,
        person_href: Callable[[str], str] | None = None,
    ) -> None:
        """Take titles by name; ``person_href`` gives the address of a person's page by the digest of the subject."""
        self._providers = provider_titles
        self._accounts = account_titles
        self._person_href = person_href

    def without_links(self) -> "Sentences":
        """Return the same for a page that is about one person already."""
        return Sentences(self._providers, self._accounts)

    def tell(self, record: Record) -> Markup:
        """Return what happened, as HTML. An event that nobody gave a sentence stands with its name."""
        write = _SENTENCES.get(record["event"])
        if write is None:
            return Markup("The event {} was recorded.").format(code(record["event"]))
        return write(self, record)

    def person(self, record: Record, stands_in: str = "Somebody") -> Markup:
        """Return who it was, with the way to everything of theirs."""
        known = record.get("person") or record.get("subject")
        digest = record.get("subject_digest")
        if known:
            name = bold(known)
        elif digest is not None and record.get("erased"):
            name = ERASED
        else:
            return Markup("{}").format(stands_in)
        if digest is None or self._person_href is None:
            return name
        return Markup('<a href="{}">{}</a>').format(self._person_href(digest), name)

    def other(self, record: Record, field: str) -> Markup:
        """Return somebody else whom the record names in ``field``, with the way to everything of theirs."""
        label = record.get(field)
        called = label.get("person") or label.get("subject") if isinstance(label, Mapping) else label
        digest = record.get(f"{field}_digest")
        name = bold(called) if called else ERASED if digest else Markup("somebody")
        if digest is None or self._person_href is None:
            return name
        return Markup('<a href="{}">{}</a>').format(self._person_href(digest), name)

    def provider(self, record: Record) -> Markup:
        """Return what the provider is called."""
        name = record.get("provider", "")
        return Markup("<bdi>{}</bdi>").format(self._providers.get(name, name) or "an unknown provider")

    def target(self, record: Record) -> Markup:
        """Return the role or user and its account: **role Admin** in Acme Production."""
        account = record.get("account", "")
        kind, _, name = str(record.get("entitlement") or "").partition(" ")
        if not name:
            name = str(record.get("role") or "")
            kind = kind or "role"
        what = Markup("the {} {}").format(kind, bold(name)) if name else Markup("a RAM user")
        if not account:
            return what
        return Markup("{} in <bdi>{}</bdi>").format(what, self._accounts.get(account, account))


def bold(value: object) -> Markup:
    """Return a name that stands out, apart from the direction of what is around it."""
    return Markup("<strong><bdi>{}</bdi></strong>").format(value)


def code(value: object) -> Markup:
    """Return something that is read letter by letter."""
    return Markup('<span class="mono">{}</span>').format(value)


def show_time(time: str) -> str:
    """Return a recorded time as pages have it: ``2026-11-29 14:30:05``, UTC."""
    return time[:19].replace("T", " ")


def _refused_because(record: Record) -> Markup:
    """Return what the code means, the first sentence of docs/errors.md; else the code."""
    refusal = record.get("code", "")
    advice = find_advice(refusal)
    if advice is None:
        return Markup(" The code is {}.").format(code(refusal))
    return Markup(" {}.").format(advice.meaning.partition(". ")[0].rstrip("."))


def _sign_in_accepted(say: Sentences, record: Record) -> Markup:
    return Markup("{} signed in at {} by {}, {}.").format(
        say.person(record),
        say.provider(record),
        PROTOCOLS.get(record.get("protocol", ""), record.get("protocol", "")),
        describe_strength(several_factors=record.get("mfa")),
    )


def _sign_in_refused(say: Sentences, record: Record) -> Markup:
    return Markup("A sign-in from {} was refused.{}").format(say.provider(record), _refused_because(record))


def _session_ended(say: Sentences, record: Record) -> Markup:
    reasons = {
        "signed_out_here": "they signed out here",
        "signed_out_at_provider": "their provider says that they signed out",
        "signed_out_meanwhile": "they had signed out before their terminal was let in",
        "shown_again": "a code or token of their program was shown twice",
        "signed_out_terminal": "they signed out in their terminal",
        "ended_from_list": "they ended it from another session",
    }
    reason = record.get("reason", "")
    return Markup("The session of {} ended: {}.").format(say.person(record), reasons.get(reason, reason))


def _logout_accepted(say: Sentences, record: Record) -> Markup:
    ended = record.get("ended", 0)
    count = {0: "None of our sessions was its", 1: "One of our sessions ended"}.get(ended, f"{ended} sessions ended")
    return Markup("{} told us that somebody signed out there. {}.").format(say.provider(record), count)


def _logout_refused(say: Sentences, record: Record) -> Markup:
    return Markup("A message of {} about signing out was refused.{}").format(
        say.provider(record), _refused_because(record)
    )


def _resolved(say: Sentences, record: Record) -> Markup:
    granted = len(record.get("granted") or ())
    what = {0: "nothing", 1: "one role or user"}.get(granted, f"{granted} roles or users")
    return Markup("The rules give {} {}.").format(say.person(record), what)


def _choice_made(say: Sentences, record: Record) -> Markup:
    purpose = record.get("purpose", "")
    return Markup("{} asked for {} {}, and the rule {} grants it.").format(
        say.person(record), say.target(record), PURPOSES.get(purpose, purpose), code(record.get("rule", ""))
    )


def _choice_refused(say: Sentences, record: Record) -> Markup:
    asked = record.get("entitlement")
    what = bold(asked) if asked else Markup("something")
    return Markup("{} asked for {} and did not get it.{}").format(say.person(record), what, _refused_because(record))


def _call_refused(_: Sentences, record: Record) -> Markup:
    return Markup("A signed call of {} with the AccessKeyId {} was refused: {}.").format(
        code(record.get("action", "")), _key(record), code(record.get("code", ""))
    )


def _device_authorized(say: Sentences, record: Record) -> Markup:
    return Markup("{} let the program {} act for them.").format(say.person(record), code(record.get("client", "")))


def _device_refused(say: Sentences, record: Record) -> Markup:
    return Markup("{} said that the program {} is not theirs.").format(
        say.person(record), code(record.get("client", ""))
    )


def _grant_refused(say: Sentences, record: Record) -> Markup:
    return Markup("A code or token that belongs to {} was refused.{}").format(
        say.person(record), _refused_because(record)
    )


def _terminal_opened(say: Sentences, record: Record) -> Markup:
    return Markup("The program {} got a token that acts for {} until {} UTC.").format(
        code(record.get("client", "")), say.person(record), show_time(record.get("ends_at", ""))
    )


def _administration_refused(say: Sentences, record: Record) -> Markup:
    return Markup("{} asked for {} and may not see it.").format(say.person(record), code(record.get("page", "")))


def _sign_in_explained(say: Sentences, record: Record) -> Markup:
    return Markup("{} was shown why {} got their roles at the sign-in of {} UTC.").format(
        say.person(record), say.other(record, "of"), show_time(record.get("of_time", ""))
    )


def _exchange_issued(say: Sentences, record: Record) -> Markup:
    return Markup("STS issued {} for {} to {}, for {}.").format(
        _key(record), say.target(record), say.person(record), describe_span(record.get("duration_seconds", 0))
    )


def _exchange_reused(say: Sentences, record: Record) -> Markup:
    return Markup("{} got {} for {} once more: enough of its time was left.").format(
        say.person(record), _key(record), say.target(record)
    )


def _exchange_refused(say: Sentences, record: Record) -> Markup:
    said = record.get("sts_code")
    because = Markup(" STS said {}.").format(code(said)) if said else _refused_because(record)
    return Markup("Nothing was issued to {} for {}.{}").format(say.person(record), say.target(record), because)


def _doctor_exchanged(say: Sentences, record: Record) -> Markup:
    return Markup("The doctor tried the way to {}; the credentials may do nothing and were thrown away.").format(
        say.target(record)
    )


def _doctor_refused(say: Sentences, record: Record) -> Markup:
    return Markup("The doctor tried the way to {} and did not get there.{}").format(
        say.target(record), _refused_because(record)
    )


def _delivered(say: Sentences, record: Record) -> Markup:
    return Markup("{} was handed {} for {}.").format(say.person(record), _key(record), say.target(record))


def _console(say: Sentences, record: Record) -> Markup:
    narrowed = ", narrowed by a session policy" if record.get("narrowed") else ""
    return Markup("{} opened the console as {} for {}{}.").format(
        say.person(record), say.target(record), describe_span(record.get("duration_seconds", 0)), narrowed
    )


def _keys_changed(say: Sentences, record: Record) -> Markup:
    added, removed, held = (len(record.get(name) or ()) for name in ("added", "removed", "held"))
    waits = f"; {held} of them verify nothing until somebody approves them" if held else ""
    return Markup("{} publishes other signing certificates: {} new, {} gone{}.").format(
        say.provider(record), added, removed, waits
    )


def _rules_changed(what: str) -> Callable[[Sentences, Record], Markup]:
    def write(say: Sentences, record: Record) -> Markup:
        by_two = record.get("confirmed_by") or record.get("confirmed_by_digest")
        confirmed = Markup(", confirmed by {}").format(say.other(record, "confirmed_by")) if by_two else ""
        return Markup("{} {} the rules {}{}.{}").format(
            _author(record),
            what,
            code(record.get("version", "")[:12]),
            confirmed,
            Markup(" “{}”").format(record["message"]) if record.get("message") else "",
        )

    return write


def _rules_taken(_: Sentences, record: Record) -> Markup:
    return Markup("The rule files on a machine changed, and their version {} is in force.").format(
        code(record.get("version", "")[:12])
    )


def _rules_refused(_: Sentences, record: Record) -> Markup:
    return Markup("{} could not bring the rules {} into force.{}").format(
        _author(record), code(record.get("version", "")[:12]), _refused_because(record)
    )


def _author(record: Record) -> Markup:
    return bold(record["author"]) if record.get("author") else ERASED if record.get("erased") else Markup("Somebody")


def _rules_not_loaded(_: Sentences, record: Record) -> Markup:
    return Markup("{} could not take over the rules {} and goes on with {}.{}").format(
        bold(record.get("node", "A process")),
        code(record.get("version", "")[:12]),
        code(record.get("kept", "")[:12]),
        _refused_because(record),
    )


def _searched(say: Sentences, record: Record) -> Markup:
    asked = record.get("asked") or ()
    by = Markup(": {}").format(", ".join(describe_asked(each) for each in asked)) if asked else ""
    return Markup("{} searched the records{}.").format(say.person(record), by)


def _person_opened(say: Sentences, record: Record) -> Markup:
    return Markup("{} was shown records of {}.").format(say.person(record), say.other(record, "of"))


def _erased(say: Sentences, record: Record) -> Markup:
    return Markup("{} made unreadable, for good, what the log says of {}.").format(
        _author(record), say.other(record, "of_subject")
    )


def _retired(_: Sentences, record: Record) -> Markup:
    month = str(record.get("month", ""))
    return Markup("{} let {} records of {} go, since their time was over; their hashes stay.").format(
        _author(record), f"{record.get('count', 0):,}", f"{month[:4]}-{month[4:]}"
    )


def _stepped_back(_: Sentences, record: Record) -> Markup:
    return Markup("The clock of {} was set back by {}; nobody could sign in there until it had caught up.").format(
        bold(record.get("node") or "a machine"), describe_span(record.get("seconds", 0))
    )


def _repeated(_: Sentences, record: Record) -> Markup:
    return Markup("{} more refusals like {} came from the same source within a minute.{}").format(
        f"{record.get('times', 0):,}", code(record.get("of_event", "")), _refused_because(record)
    )


def _key_changed(_: Sentences, record: Record) -> Markup:
    return Markup("From here on {} signs the checkpoints of the log, and no more {}; both signed that.").format(
        code(record.get("new_key", "")), code(record.get("old_key", ""))
    )


def _exported(_: Sentences, record: Record) -> Markup:
    sealed = "sealed" if record.get("contents") == "sealed" else "with names and addresses"
    return Markup("{} took {} records away as {}, {}.").format(
        _author(record), f"{record.get('records', 0):,}", record.get("form", "a file"), sealed
    )


def _trail_imported(_: Sentences, record: Record) -> Markup:
    strays = record.get("stray_count", 0)
    sets = "one set" if strays == 1 else f"{strays:,} sets"
    found = f"{sets} of credentials that nobody here issued" if strays else "no stray"
    files, events = record.get("files", 0), record.get("events", 0)
    return Markup("The import of {} with {} of ActionTrail shows {}.").format(
        "one file" if files == 1 else f"{files:,} files", "one event" if events == 1 else f"{events:,} events", found
    )


def _key(record: Record) -> Markup:
    return code(record.get("access_key_id", "") or "credentials")


_SENTENCES: Mapping[str, Callable[[Sentences, Record], Markup]] = {
    "sign_in.accepted": _sign_in_accepted,
    "sign_in.refused": _sign_in_refused,
    "session.ended": _session_ended,
    "logout.accepted": _logout_accepted,
    "logout.refused": _logout_refused,
    "entitlements.resolved": _resolved,
    "choice.made": _choice_made,
    "choice.refused": _choice_refused,
    "call.refused": _call_refused,
    "device.authorized": _device_authorized,
    "device.refused": _device_refused,
    "authorization.granted": _device_authorized,
    "authorization.refused": _device_refused,
    "grant.refused": _grant_refused,
    "terminal.opened": _terminal_opened,
    "administration.refused": _administration_refused,
    "audit.refused": _administration_refused,
    "sign_in.explained": _sign_in_explained,
    "exchange.issued": _exchange_issued,
    "exchange.reused": _exchange_reused,
    "exchange.refused": _exchange_refused,
    "doctor.exchanged": _doctor_exchanged,
    "doctor.refused": _doctor_refused,
    "delivery.credentials": _delivered,
    "delivery.console": _console,
    "metadata.keys_changed": _keys_changed,
    "rules.promoted": _rules_changed("brought into force"),
    "rules.rolled_back": _rules_changed("brought back"),
    "rules.held": _rules_changed("asked a second administrator for"),
    "rules.files_taken": _rules_taken,
    "rules.refused": _rules_refused,
    "rules.not_loaded": _rules_not_loaded,
    "audit.erased": _erased,
    "audit.exported": _exported,
    "audit.key_changed": _key_changed,
    "audit.retired": _retired,
    "audit.searched": _searched,
    "audit.person_opened": _person_opened,
    "clock.stepped_back": _stepped_back,
    "repeated.refused": _repeated,
    "trail.imported": _trail_imported,
}
