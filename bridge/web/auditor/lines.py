"""Records as lines of a list: one sentence each, and what stands out."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from bridge.language import translate
from bridge.web.auditor.addresses import find_record
from bridge.web.auditor.event_names import name_event
from bridge.web.auditor.sentences import Record, Sentences, names_erased


@dataclass(frozen=True)
class Mark:
    """Something about a record that a reader should not miss: a few words, and how grave (``bad``, ``warn``)."""

    text: str
    kind: str


@dataclass(frozen=True)
class Line:
    """One record as a list shows it."""

    position: int
    time: str
    event: str
    event_name: str
    refused: bool
    sentence: Markup
    origin: str
    reference: str
    href: str
    marks: tuple[Mark, ...]


def write_lines(records: Iterable[Record], say: Sentences) -> tuple[Line, ...]:
    """Return a line for each record, in their order."""
    return tuple(write_line(record, say) for record in records)


def write_line(record: Record, say: Sentences) -> Line:
    """Return a record's line."""
    sentence = say.tell(record)
    return Line(
        position=record["position"],
        time=record["time"],
        event=record["event"],
        event_name=name_event(record["event"]),
        refused=record["event"].endswith(".refused"),
        sentence=sentence,
        origin=record.get("source_address") or record.get("network") or "",
        reference=record["reference"],
        href=find_record(record["position"]),
        marks=tuple(_find_marks(record, sentence)),
    )


def _find_marks(record: Record, sentence: Markup) -> Iterable[Mark]:
    if record.get("privileged"):
        without = record.get("mfa") is False and record["event"] != "sign_in.refused"
        text = translate("privileged, one factor") if without else translate("privileged")
        yield Mark(text, "bad" if without else "warn")
    if record.get("erased") and not names_erased(sentence):
        yield Mark(translate("erased"), "plain")
