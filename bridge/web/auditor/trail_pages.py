"""What was done in Alibaba Cloud: credentials that are strays, and the thread behind any AccessKeyId."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.reader import database_errors
from bridge.audit.search.query import Search
from bridge.audit.trail.join import SECOND, Credentials
from bridge.audit.trail.strays import Stray, describe_reason
from bridge.audit.trail.threads import Call, Thread, Threads
from bridge.errors import NotFound
from bridge.language import mark, translate, translate_number
from bridge.web.auditor.addresses import find_credentials, find_person
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.figures import show_moment
from bridge.web.auditor.lines import write_lines
from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.visits import Visits

SHOWN = 100
MAX_MOMENT = 2**63 - 1
"""What a column of the database holds."""
_WAYS = {
    "issued": mark("issued here"),
    "request": mark("issued here, known by STS's RequestId"),
    "console": mark("the console, opened here; known by the session name and the time alone"),
    "chained": mark("obtained with credentials that were issued here"),
    "step": mark("this service's own step into an account that is entered through another"),
    "": mark("not explained by any record"),
}


@dataclass(frozen=True)
class Row:
    """One set of credentials as a list shows it."""

    place: str
    key: str
    href: str
    how: str
    used: str
    calls: int


class TrailPages:
    """The pages about imported ActionTrail events."""

    def __init__(  # noqa: PLR0917
        self,
        auditing: Auditing,
        threads: Threads,
        find_strays: Callable[[], Sequence[Stray]],
        say: Sentences,
        visits: Visits,
        accounts: Mapping[str, str],
    ) -> None:
        """Take the frame, what follows credentials, what finds strays, words, visits, and accounts' titles by id."""
        self._auditing = auditing
        self._threads = threads
        self._find_strays = find_strays
        self._say = say
        self._visits = visits
        self._accounts = accounts

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_trail", __name__, url_prefix="/audit/trail")
        routes.add_url_rule("", "overview", self.overview)
        routes.add_url_rule("/credentials/<path:name>", "show", self.show)
        return routes

    def overview(self) -> AnyResponse:
        """List strays and what was used last; with ``?key=``, lead to the thread of that AccessKeyId."""
        key = request.args.get("key", "").strip()
        if key:
            return redirect(find_credentials(key), 303)
        with database_errors():
            newest, strays, latest = self._threads.newest(), self._find_strays(), self._threads.latest(SHOWN)
        return self._auditing.render(
            "audit_trail.html",
            newest=show_moment(newest),
            strays=[self._describe(each.credentials, describe_reason(each)) for each in strays[:SHOWN]],
            stray_count=len(strays),
            latest=[self._describe(each, translate(_WAYS[each.way])) for each in latest],
        )

    def show(self, name: str) -> AnyResponse:
        """Show everything about one set of credentials; ``?before=`` goes on with earlier calls."""
        before = request.args.get("before", type=int)
        before = None if before is None else min(max(before, 0), MAX_MOMENT)
        with database_errors():
            thread = self._threads.follow(
                name, count=SHOWN, before=before, beyond=request.args.get("beyond", "").replace("\0", "")
            )
            if thread is None:
                raise NotFound(f"neither log knows {name[:160]}")
            found = thread.credentials
            # What a record explains is none; all that is unexplained is read only for what may be one.
            may_be = self._find_strays() if found is not None and not found.way else ()
        stray = next((each for each in may_be if each.credentials.name == name), None)
        if found is not None and found.subject:
            self._visits.record_person(found.subject)
        else:
            self._visits.record_search(Search(access_key_id=name))
        ends = len(thread.calls) < SHOWN
        return self._auditing.render(
            "audit_thread.html",
            name=name,
            thread=thread,
            role=self._place(found) if found else "",
            how=describe_reason(stray) if stray else translate(_WAYS[found.way if found else "issued"]),
            stray=stray is not None,
            facts=list(self._find_facts(thread)),
            lines=write_lines(thread.records, self._say),
            parents=[self._describe(each, translate(_WAYS[each.way])) for each in thread.parents],
            children=[self._describe(each, translate(_WAYS[each.way])) for each in thread.children],
            calls=[_show_call(each) for each in thread.calls],
            older="" if ends else _go_on(name, thread.calls[-1]),
            newest=find_credentials(name) if before is not None else "",
        )

    def _find_facts(self, thread: Thread) -> Iterator[tuple[str, str, str]]:
        """Yield name, value and address of what there is to say."""
        found = thread.credentials
        person = next((each for each in thread.records if each.get("subject_digest")), None)
        if person is not None:
            who = person.get("person") or translate("[erased person]")
            yield translate("Person"), who, find_person(person["subject_digest"])
        if thread.session_name:
            yield translate("Role session name"), thread.session_name, ""
        if found is None:
            return
        if found.caller:
            yield translate("Asked for by"), " ".join(filter(None, (found.caller, thread.caller))), ""
        if found.action:
            yield translate("Action of STS"), " ".join(filter(None, (found.action, found.provider))), ""
        if found.request_id:
            yield translate("RequestId of STS"), found.request_id, ""
        used = translate_number(
            "%(span)s UTC, 1 call",
            "%(span)s UTC, %(count)s calls",
            found.calls,
            span=show_span(show_moment(found.first), show_moment(found.last)),
            count=format(found.calls, ","),
        )
        yield translate("Used"), used, ""

    def _describe(self, each: Credentials, how: str) -> Row:
        return Row(
            place=self._place(each),
            key=translate("a console session without a key") if each.name.startswith("session/") else each.name,
            href=find_credentials(each.name),
            how=how,
            used=show_span(show_moment(each.first), show_moment(each.last)),
            calls=each.calls,
        )

    def _place(self, each: Credentials) -> str:
        account = self._accounts.get(each.account, each.account)
        return translate("%(role)s in %(account)s", role=each.role, account=account)


def show_span(first: str, last: str) -> str:
    """Return two moments as one text: the second without what it has in common with the first."""
    if first == last:
        return first
    return translate("%(first)s to %(last)s", first=first, last=last[11:] if last[:10] == first[:10] else last)


def _go_on(name: str, last: Call) -> str:
    """Return the address of the calls after the last one of a page; several are of the same second."""
    return f"{find_credentials(name)}?{urlencode({'before': last.time, 'beyond': last.event_id})}"


def _show_call(call: Call) -> dict[str, str]:
    return {
        "time": datetime.fromtimestamp(call.time // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "action": f"{call.service}:{call.name}",
        "kind": translate("write") if call.write else translate("read"),
        "region": call.region,
        "error": call.error_code,
        "from": call.source_address or call.network,
        "event": call.event_id,
    }
