"""One record: the whole story in plain words, the record itself beside it, and the proof that it is in the log."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.proof.record_proofs import RecordProofs
from bridge.audit.reader import database_errors
from bridge.audit.search.query import Search
from bridge.audit.search.search import AuditSearch
from bridge.audit.trail.threads import Threads
from bridge.errors import NotFound
from bridge.language import translate
from bridge.web.auditor.addresses import find_credentials, find_person, find_records
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.cloud_calls import list_calls
from bridge.web.auditor.figures import show_moment
from bridge.web.auditor.lines import write_lines
from bridge.web.auditor.sentences import Record, Sentences
from bridge.web.auditor.story import Related, tell_story
from bridge.web.auditor.visits import Visits
from bridge.web.markup import translate_markup

MAX_POSITION = 2**63 - 1
"""What a column of the database holds."""
_ASKED_FOR = 50
_CALLS = 30


class RecordPage:
    """The page of one record."""

    def __init__(  # noqa: PLR0917
        self,
        auditing: Auditing,
        search: AuditSearch,
        proofs: RecordProofs,
        threads: Threads,
        say: Sentences,
        visits: Visits,
    ) -> None:
        """Take the frame, what finds, proves and follows records, tells of them, and records that they are shown."""
        self._auditing = auditing
        self._search = search
        self._proofs = proofs
        self._threads = threads
        self._say = say
        self._visits = visits

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_record", __name__, url_prefix="/audit/records")
        routes.add_url_rule("/<int:position>", "show", self.show)
        routes.add_url_rule("/<int:position>/proof", "prove", self.prove)
        return routes

    def show(self, position: int) -> AnyResponse:
        """Tell the story that the record is part of."""
        if position > MAX_POSITION:
            raise NotFound(f"there is no record {position}")
        around = self._search.around(position)
        record = next((each for each in around if each["position"] == position), None)
        proof = self._proofs.describe(position)
        if record is None or proof is None:
            raise NotFound(f"there is no record {position}")
        if "subject_digest" in record:
            self._visits.record_person(record["subject_digest"])
        else:
            self._visits.record_search(Search(reference=record["reference"]))
        return self._auditing.render(
            "audit_record.html",
            record=record,
            headline=self._say.tell(record),
            chapters=tell_story(record, self._find_related(record, around), self._say),
            lines=write_lines(around, self._say),
            ways=_find_ways(record),
            opened=write_opened(record),
            calls=self._read_calls(record, around),
            proof=proof,
            signed_at=show_moment(proof.time),
        )

    def prove(self, position: int) -> AnyResponse:
        """Give the record away with its proof: sealed, as it is in the log, so that it says nothing of a person."""
        if position > MAX_POSITION or self._proofs.describe(position) is None:
            raise NotFound(f"there is no record {position}")
        answer = Response(self._proofs.write(position), content_type="application/zip")
        answer.headers["Content-Disposition"] = f"attachment; filename=record-{position}-proof.zip"
        return answer

    def _read_calls(self, record: Record, around: Sequence[Record]) -> list[Markup]:
        """Return the last calls in the cloud with the credentials of the request, each with its moment."""
        key = record.get("access_key_id") or next(
            (each["access_key_id"] for each in around if "access_key_id" in each), ""
        )
        with database_errors():
            thread = self._threads.follow(key, count=_CALLS) if key else None
        return [
            translate_markup("%(time)s UTC: %(what)s", time=show_moment(time), what=words)
            for time, words in list_calls(thread.calls if thread else ())
        ]

    def _find_related(self, record: Record, around: tuple[dict[str, Any], ...]) -> Related:
        digest, key = record.get("subject_digest"), record.get("access_key_id")
        here = {each["event"] for each in around}

        def find(event: str) -> Record | None:
            return None if digest is None or event in here else self._find_before(record, event)

        return Related(
            same_request=around,
            sign_in=find("sign_in.accepted"),
            resolved=find("entitlements.resolved"),
            same_key=self._search.find(Search(access_key_id=key), count=_ASKED_FOR).records[::-1] if key else (),
        )

    def _find_before(self, record: Record, event: str) -> Record | None:
        """Return the person's last record of this event before the one that is shown."""
        search = Search(person=record["subject_digest"], event=event)
        found = self._search.find(search, before=record["position"], count=1).records
        return found[0] if found else None


def write_opened(record: Record) -> str:
    """Return the record as JSON for people. What one cannot see, or what turns a line round, is an escape (WEB-12)."""
    text = json.dumps(record, indent=2, ensure_ascii=False, sort_keys=True)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def _find_ways(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return where to go on from here: everything that has something in common with the record."""
    ways = []
    if digest := record.get("subject_digest"):
        ways.append((translate("Everything of this person"), find_person(digest)))
    if key := record.get("access_key_id"):
        ways.append((translate("From the sign-in to each call"), find_credentials(key)))
    for field, title in (
        ("access_key_id", translate("Everything with this AccessKeyId")),
        ("sts_request_id", translate("This RequestId of STS")),
        ("code", translate("Every refusal with this code")),
    ):
        if value := record.get(field):
            ways.append((title, find_records({"request_id" if field == "sts_request_id" else field: value})))
    if record.get("source_address"):
        ways.append((translate("Everything from this address"), find_records({"address": record["source_address"]})))
    if record.get("network"):
        ways.append((translate("Everything from this network"), find_records({"address": record["network"]})))
    kind, _, name = str(record.get("entitlement") or "").partition(" ")
    if kind == "role" and record.get("account"):
        ways.append((translate("Every use of this role"), find_records({"account": record["account"], "role": name})))
    return ways
