"""One record in one plain sentence: who, what, where to, and why not.

Whatever a record holds came from outside once: every value is escaped, and names stand apart from the sentence's own
direction of writing. What was erased says so in the place of the name.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from markupsafe import Markup

from bridge.advice import find_advice
from bridge.entitlements.spans import describe_span
from bridge.language import mark, translate, translate_number
from bridge.web.auditor.filter_words import describe_asked
from bridge.web.markup import list_all, translate_markup, translate_number_markup

Record: TypeAlias = Mapping[str, Any]
"""The contents of a record, opened: personal fields are there, or ``erased`` is."""

_PROTOCOLS: Mapping[str, str] = {"saml": "SAML", "oidc": "OpenID Connect", "workload": mark("a workload token")}
_PURPOSES: Mapping[str, str] = {
    "console": mark("to open the console"),
    "credentials": mark("to get credentials"),
    "terminal": mark("for a program at their terminal"),
    "workload": mark("for a workload"),
    "saml": mark("with a SAML response at the STS endpoint"),
    "chaining": mark("by changing from another role"),
}
_DECIDED_BY: Mapping[str, str] = {
    "default": mark("the default session length"),
    "asked": mark("what was asked for"),
    "rule": mark("the rule that grants it"),
    "account": mark("the account's limit"),
    "role": mark("the role's own limit in RAM"),
    "api": mark("the limit of Alibaba Cloud's token service"),
    "identity provider": mark("the end of the sign-in at the identity provider"),
}
"""What limited a duration: the names are those of ``bridge.exchange.duration``."""


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
            return translate_markup("The event %(event)s was recorded.", event=code(record["event"]))
        return write(self, record)

    def person(self, record: Record) -> Markup:
        """Return who it was, with the way to everything of theirs."""
        known = record.get("person") or record.get("subject")
        digest = record.get("subject_digest")
        if known:
            name = bold(known)
        elif digest is not None and record.get("erased"):
            name = show_erased()
        else:
            return translate_markup("Somebody")
        return self._link(name, digest)

    def other(self, record: Record, field: str) -> Markup:
        """Return somebody else whom the record names in ``field``, with the way to everything of theirs."""
        label = record.get(field)
        called = label.get("person") or label.get("subject") if isinstance(label, Mapping) else label
        digest = record.get(f"{field}_digest")
        name = bold(called) if called else show_erased() if digest else translate_markup("somebody")
        return self._link(name, digest)

    def provider(self, record: Record) -> Markup:
        """Return what the provider is called."""
        name = record.get("provider", "")
        return Markup("<bdi>{}</bdi>").format(self._providers.get(name, name) or translate("an unknown provider"))

    def target(self, record: Record) -> Markup:
        """Return the role or user and its account: the role **Admin** in Acme Production."""
        account = record.get("account", "")
        kind, _, name = str(record.get("entitlement") or "").partition(" ")
        name = name or str(record.get("role") or "")
        place = Markup("<bdi>{}</bdi>").format(self._accounts.get(account, account))
        if not name:
            return translate_markup("a RAM user in %(account)s", account=place) if account else _find_user()
        in_account, alone = _TARGETS["user" if kind == "user" else "role"]
        if account:
            return translate_markup(in_account, name=bold(name), account=place)
        return translate_markup(alone, name=bold(name))

    def _link(self, name: Markup, digest: str | None) -> Markup:
        if digest is None or self._person_href is None:
            return name
        return Markup('<a href="{}">{}</a>').format(self._person_href(digest), name)


_TARGETS: Mapping[str, tuple[str, str]] = {
    "role": (mark("the role %(name)s in %(account)s"), mark("the role %(name)s")),
    "user": (mark("the user %(name)s in %(account)s"), mark("the user %(name)s")),
}


def _find_user() -> Markup:
    return translate_markup("a RAM user")


def bold(value: object) -> Markup:
    """Return a name that stands out, apart from the direction of what is around it."""
    return Markup("<strong><bdi>{}</bdi></strong>").format(value)


def code(value: object) -> Markup:
    """Return something that is read letter by letter, apart from the direction of what is around it."""
    return Markup('<bdi class="mono">{}</bdi>').format(value)


def show_erased() -> Markup:
    """Return what stands in the place of the name of somebody who was erased."""
    return Markup("{}{}</em>").format(_ERASED, translate("[erased person]"))


def names_erased(sentence: Markup) -> bool:
    """Tell whether a sentence says of somebody in it that they were erased."""
    return _ERASED in sentence


_ERASED = Markup('<em class="erased">')


def show_time(time: str) -> str:
    """Return a recorded time as pages have it: ``2026-11-29 14:30:05``, UTC."""
    return time[:19].replace("T", " ")


def name_protocol(record: Record) -> str:
    """Return by which protocol a sign-in came."""
    return _name(_PROTOCOLS, record.get("protocol", ""))


def name_purpose(record: Record) -> str:
    """Return what somebody wanted a role for: ``to open the console``."""
    return _name(_PURPOSES, record.get("purpose", ""))


def name_limit(record: Record) -> str:
    """Return what limited a duration."""
    return _name(_DECIDED_BY, record.get("decided_by", ""))


def _name(names: Mapping[str, str], value: str) -> str:
    return translate(names[value]) if value in names else value


def _why(record: Record) -> Markup:
    """Return what the code means, the first sentence of docs/errors.md; else the code."""
    refusal = record.get("code", "")
    advice = find_advice(refusal)
    if advice is None:
        return translate_markup("The code is %(code)s.", code=code(refusal))
    return Markup("{}").format(advice.in_short)


_SIGNED_IN: Mapping[bool | None, str] = {
    None: mark("%(person)s signed in at %(provider)s by %(protocol)s, the provider does not say how strongly."),
    True: mark("%(person)s signed in at %(provider)s by %(protocol)s, with more than one factor."),
    False: mark("%(person)s signed in at %(provider)s by %(protocol)s, with one factor."),
}


def _sign_in_accepted(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        _SIGNED_IN[record.get("mfa")],
        person=say.person(record),
        provider=say.provider(record),
        protocol=name_protocol(record),
    )


def _sign_in_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "A sign-in from %(provider)s was refused. %(why)s", provider=say.provider(record), why=_why(record)
    )


_ENDED: Mapping[str, str] = {
    "signed_out_here": mark("The session of %(person)s ended: they signed out here."),
    "signed_out_at_provider": mark("The session of %(person)s ended: their provider says that they signed out."),
    "signed_out_meanwhile": mark(
        "The session of %(person)s ended: they had signed out before their terminal was let in."
    ),
    "shown_again": mark("The session of %(person)s ended: a code or token of their program was shown twice."),
    "signed_out_terminal": mark("The session of %(person)s ended: they signed out in their terminal."),
    "ended_from_list": mark("The session of %(person)s ended: they ended it from another session."),
}


def _session_ended(say: Sentences, record: Record) -> Markup:
    reason = record.get("reason", "")
    sentence = _ENDED.get(reason)
    if sentence is not None:
        return translate_markup(sentence, person=say.person(record))
    return translate_markup("The session of %(person)s ended: %(reason)s.", person=say.person(record), reason=reason)


def _logout_accepted(say: Sentences, record: Record) -> Markup:
    ended, provider = record.get("ended", 0), say.provider(record)
    if not ended:
        return translate_markup(
            "%(provider)s told us that somebody signed out there. None of our sessions was its.", provider=provider
        )
    return translate_number_markup(
        "%(provider)s told us that somebody signed out there. One of our sessions ended.",
        "%(provider)s told us that somebody signed out there. %(number)s sessions ended.",
        ended,
        provider=provider,
    )


def _logout_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "A message of %(provider)s about signing out was refused. %(why)s",
        provider=say.provider(record),
        why=_why(record),
    )


def _resolved(say: Sentences, record: Record) -> Markup:
    granted = len(record.get("granted") or ())
    if not granted:
        return translate_markup("The rules give %(person)s nothing.", person=say.person(record))
    return translate_number_markup(
        "The rules give %(person)s one role or user.",
        "The rules give %(person)s %(number)s roles or users.",
        granted,
        person=say.person(record),
    )


def _choice_made(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s asked for %(target)s %(purpose)s, and the rule %(rule)s grants it.",
        person=say.person(record),
        target=say.target(record),
        purpose=name_purpose(record),
        rule=code(record.get("rule", "")),
    )


def _choice_refused(say: Sentences, record: Record) -> Markup:
    asked = record.get("entitlement")
    if not asked:
        return translate_markup(
            "%(person)s asked for something and did not get it. %(why)s", person=say.person(record), why=_why(record)
        )
    return translate_markup(
        "%(person)s asked for %(asked)s and did not get it. %(why)s",
        person=say.person(record),
        asked=bold(asked),
        why=_why(record),
    )


def _call_refused(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "A signed call of %(action)s with the AccessKeyId %(key)s was refused: %(code)s.",
        action=code(record.get("action", "")),
        key=_key(record),
        code=code(record.get("code", "")),
    )


def _device_authorized(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s let the program %(program)s act for them.", person=say.person(record), program=_program(record)
    )


def _device_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s said that the program %(program)s is not theirs.",
        person=say.person(record),
        program=_program(record),
    )


def _grant_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "A code or token that belongs to %(person)s was refused. %(why)s", person=say.person(record), why=_why(record)
    )


def _terminal_opened(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "The program %(program)s got a token that acts for %(person)s until %(time)s UTC.",
        program=_program(record),
        person=say.person(record),
        time=show_time(record.get("ends_at", "")),
    )


def _administration_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s asked for %(page)s and may not see it.",
        person=say.person(record),
        page=code(record.get("page", "")),
    )


def _sign_in_explained(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s was shown why %(other)s got their roles at the sign-in of %(time)s UTC.",
        person=say.person(record),
        other=say.other(record, "of"),
        time=show_time(record.get("of_time", "")),
    )


def _exchange_issued(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "STS issued %(key)s for %(target)s to %(person)s, for %(span)s.",
        key=_key(record),
        target=say.target(record),
        person=say.person(record),
        span=describe_span(record.get("duration_seconds", 0)),
    )


def _exchange_reused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s got %(key)s for %(target)s once more: enough of its time was left.",
        person=say.person(record),
        key=_key(record),
        target=say.target(record),
    )


def _exchange_refused(say: Sentences, record: Record) -> Markup:
    said = record.get("sts_code")
    if said:
        return translate_markup(
            "Nothing was issued to %(person)s for %(target)s. STS said %(code)s.",
            person=say.person(record),
            target=say.target(record),
            code=code(said),
        )
    return translate_markup(
        "Nothing was issued to %(person)s for %(target)s. %(why)s",
        person=say.person(record),
        target=say.target(record),
        why=_why(record),
    )


def _doctor_exchanged(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "The doctor tried the way to %(target)s; the credentials may do nothing and were thrown away.",
        target=say.target(record),
    )


def _doctor_refused(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "The doctor tried the way to %(target)s and did not get there. %(why)s",
        target=say.target(record),
        why=_why(record),
    )


def _delivered(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s was handed %(key)s for %(target)s.",
        person=say.person(record),
        key=_key(record),
        target=say.target(record),
    )


def _console(say: Sentences, record: Record) -> Markup:
    sentence = _CONSOLES[bool(record.get("narrowed"))]
    return translate_markup(
        sentence,
        person=say.person(record),
        target=say.target(record),
        span=describe_span(record.get("duration_seconds", 0)),
    )


_CONSOLES: Mapping[bool, str] = {
    False: mark("%(person)s opened the console as %(target)s for %(span)s."),
    True: mark("%(person)s opened the console as %(target)s for %(span)s, narrowed by a session policy."),
}


def _keys_changed(say: Sentences, record: Record) -> Markup:
    added, removed, held = (len(record.get(name) or ()) for name in ("added", "removed", "held"))
    if not held:
        return translate_markup(
            "%(provider)s publishes other signing certificates: %(added)s new, %(removed)s gone.",
            provider=say.provider(record),
            added=added,
            removed=removed,
        )
    return translate_markup(
        "%(provider)s publishes other signing certificates: %(added)s new, %(removed)s gone; "
        "%(held)s of them verify nothing until somebody approves them.",
        provider=say.provider(record),
        added=added,
        removed=removed,
        held=held,
    )


_PROMOTED = (
    mark("%(author)s brought into force the rules %(version)s."),
    mark("%(author)s brought into force the rules %(version)s, confirmed by %(other)s."),
)
_ROLLED_BACK = (
    mark("%(author)s brought back the rules %(version)s."),
    mark("%(author)s brought back the rules %(version)s, confirmed by %(other)s."),
)
_HELD = (
    mark("%(author)s asked a second administrator for the rules %(version)s."),
    mark("%(author)s asked a second administrator for the rules %(version)s, confirmed by %(other)s."),
)


def _rules_changed(sentences: tuple[str, str]) -> Callable[[Sentences, Record], Markup]:
    by_one, by_two = sentences

    def write(say: Sentences, record: Record) -> Markup:
        author, version = _author(record), _version(record, "version")
        if record.get("confirmed_by") or record.get("confirmed_by_digest"):
            other = say.other(record, "confirmed_by")
            told = translate_markup(by_two, author=author, version=version, other=other)
        else:
            told = translate_markup(by_one, author=author, version=version)
        return Markup("{} “{}”").format(told, record["message"]) if record.get("message") else told

    return write


def _rules_taken(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "The rule files on a machine changed, and their version %(version)s is in force.",
        version=_version(record, "version"),
    )


def _rules_refused(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(author)s could not bring the rules %(version)s into force. %(why)s",
        author=_author(record),
        version=_version(record, "version"),
        why=_why(record),
    )


def _rules_not_loaded(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(process)s could not take over the rules %(version)s and goes on with %(kept)s. %(why)s",
        process=bold(record["node"]) if record.get("node") else translate("A process"),
        version=_version(record, "version"),
        kept=_version(record, "kept"),
        why=_why(record),
    )


def _searched(say: Sentences, record: Record) -> Markup:
    asked = record.get("asked") or ()
    if not asked:
        return translate_markup("%(person)s searched the records.", person=say.person(record))
    return translate_markup(
        "%(person)s searched the records: %(asked)s.",
        person=say.person(record),
        asked=list_all(map(describe_asked, asked)),
    )


def _person_opened(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(person)s was shown records of %(other)s.", person=say.person(record), other=say.other(record, "of")
    )


def _erased(say: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(author)s made unreadable, for good, what the log says of %(other)s.",
        author=_author(record),
        other=say.other(record, "of_subject"),
    )


def _retired(_: Sentences, record: Record) -> Markup:
    month = str(record.get("month", ""))
    return translate_markup(
        "%(author)s let %(count)s records of %(month)s go, since their time was over; their hashes stay.",
        author=_author(record),
        count=format(record.get("count", 0), ","),
        month="-".join((month[:4], month[4:])),
    )


def _search_rebuilt(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(author)s had what searches go by computed again from the records; it was otherwise in %(tables)s.",
        author=_author(record),
        tables=", ".join(record.get("mended", ())),
    )


def _stepped_back(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "The clock of %(machine)s was set back by %(span)s; nobody could sign in there until it had caught up.",
        machine=bold(record["node"]) if record.get("node") else translate("a machine"),
        span=describe_span(record.get("seconds", 0)),
    )


def _repeated(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "%(count)s more refusals like %(event)s came from the same source within a minute. %(why)s",
        count=format(record.get("times", 0), ","),
        event=code(record.get("of_event", "")),
        why=_why(record),
    )


def _key_changed(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        "From here on %(new)s signs the checkpoints of the log, and no more %(old)s; both signed that.",
        new=code(record.get("new_key", "")),
        old=code(record.get("old_key", "")),
    )


_EXPORTS: Mapping[bool, str] = {
    False: mark("%(author)s took %(count)s records away as %(form)s, with names and addresses."),
    True: mark("%(author)s took %(count)s records away as %(form)s, sealed."),
}


def _exported(_: Sentences, record: Record) -> Markup:
    return translate_markup(
        _EXPORTS[record.get("contents") == "sealed"],
        author=_author(record),
        count=format(record.get("records", 0), ","),
        form=record.get("form") or translate("a file"),
    )


def _trail_imported(_: Sentences, record: Record) -> Markup:
    files, events, strays = (record.get(name, 0) for name in ("files", "events", "stray_count"))
    found = translate("no stray")
    if strays:
        found = translate_number(
            "one set of credentials that nobody here issued",
            "%(count)s sets of credentials that nobody here issued",
            strays,
            count=format(strays, ","),
        )
    return translate_markup(
        "The import of %(files)s with %(events)s of ActionTrail shows %(found)s.",
        files=translate_number("one file", "%(count)s files", files, count=format(files, ",")),
        events=translate_number("one event", "%(count)s events", events, count=format(events, ",")),
        found=found,
    )


def _author(record: Record) -> Markup:
    if record.get("author"):
        return bold(record["author"])
    return show_erased() if record.get("erased") else translate_markup("Somebody")


def _version(record: Record, field: str) -> Markup:
    return code(record.get(field, "")[:12])


def _program(record: Record) -> Markup:
    return code(record.get("client", ""))


def _key(record: Record) -> Markup:
    return code(record.get("access_key_id") or translate("credentials"))


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
    "rules.promoted": _rules_changed(_PROMOTED),
    "rules.rolled_back": _rules_changed(_ROLLED_BACK),
    "rules.held": _rules_changed(_HELD),
    "rules.files_taken": _rules_taken,
    "rules.refused": _rules_refused,
    "rules.not_loaded": _rules_not_loaded,
    "audit.erased": _erased,
    "audit.exported": _exported,
    "audit.key_changed": _key_changed,
    "audit.retired": _retired,
    "audit.search_rebuilt": _search_rebuilt,
    "audit.searched": _searched,
    "audit.person_opened": _person_opened,
    "clock.stepped_back": _stepped_back,
    "repeated.refused": _repeated,
    "trail.imported": _trail_imported,
}
