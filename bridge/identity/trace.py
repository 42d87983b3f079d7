"""The trace of one answer of a provider: which checks were made of it, and what was measured against what.

While an answer is verified, its trace takes down which check has begun (``at``) and what was seen so far, which costs
nanoseconds. Only a refusal is put into words (:meth:`Trace.describe`): all checks before the one that had begun passed,
and that one failed. Each is explained by a row of a table that stands beside the checks of the protocol, in their order
(``saml/trace.py``, ``oidc/trace.py``). So the code that decides explains nothing, and an explanation decides nothing.

Never in a trace: a person's name, an attribute, a token, a code, a nonce or a state. Of those it says whether they
match, or how long they are. What came from outside is written in ASCII, with escapes, and cut.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bridge.language import mark

if TYPE_CHECKING:
    from bridge.identity.pending import PendingSignIn

MAX_CHARACTERS = 200
"""What is kept of one text that came from outside."""
MAX_LISTED = 10


class Skip(Exception):
    """Raised by a row: the check is not made of this answer."""


class Row(NamedTuple):
    """One check, and how to explain it."""

    name: str
    """As records have it."""
    title: str
    """What it asks for, in plain words: a message of the catalogue."""
    measured: Callable[[Any], Any]
    """Returns what there was, from the trace."""
    allowed: Callable[[Any], Any]


class Check(NamedTuple):
    """One check that was made."""

    name: str
    outcome: str
    """``pass`` or ``fail``."""
    measured: str
    allowed: str


class Trace:
    """Where the verification of one answer is, and what it has seen."""

    rows: ClassVar[tuple[Row, ...]] = ()
    """All checks, in the order in which they are made."""

    def __init__(self, provider: str = "") -> None:
        """Take the name of the provider at whose address the answer arrived."""
        self.at = ""
        """The name of the check that has begun."""
        self.provider = provider
        self.question: PendingSignIn | None = None
        self.browser: str | None = None
        """The digest of the browser's sign-in cookie."""
        self.message_id = ""
        """The identifier of a statement that passed every check of itself."""

    def describe(self) -> tuple[Check, ...]:
        """Return the checks of a refused answer in words; the last one failed. It never fails itself."""
        names = [row.name for row in self.rows]
        if self.at not in names:
            return ()
        made = self.rows[: names.index(self.at) + 1]
        found = ((row, _explain(row.measured, self)) for row in made)
        return tuple(
            Check(
                row.name, "fail" if row.name == self.at else "pass", measured or "", _explain(row.allowed, self) or ""
            )
            for row, measured in found
            if measured is not None or row.name == self.at
        )

    def describe_claimed(self) -> tuple[str, str]:
        """Return the issuer and the identifier that the message claims, in words; empty where it cannot be read."""
        try:
            issuer, message_id = self.read_claimed()
        except Exception:  # noqa: BLE001  what cannot be read must not hide that it was refused
            return "", ""
        return tuple("" if value is None else put_into_words(value) for value in (issuer, message_id))  # type: ignore[return-value]

    def read_claimed(self) -> tuple[str | None, str | None]:
        """Return what the message says about itself; any exception: it cannot be read."""
        return None, None


def _explain(explain: Callable[[Any], Any], trace: Trace) -> str | None:
    try:
        return put_into_words(explain(trace))
    except Skip:
        return None
    except Exception:  # noqa: BLE001  words that cannot be found must not hide that something was refused
        return ""


def _person(trace: Trace) -> str:
    if trace.question is None or trace.question.step_up is None:
        raise Skip
    return "differs" if trace.at == "person" else "matches"


PERSON = Row("person", mark("The person is the one whose session asked for more"), _person, lambda _: "matches")
"""Of both protocols: a stronger sign-in is by the person who was asked."""


def _step_up(trace: Trace) -> str:
    if trace.question is None or trace.question.step_up is None:
        raise Skip
    return "less" if trace.at == "step_up" else "enough"


STEP_UP = Row("step_up", mark("It shows what the role requires"), _step_up, lambda _: "enough")
"""Of both protocols: by the rules, a stronger sign-in is strong and fresh enough."""


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────


def put_into_words(value: Any) -> str:
    """Return a value in visible ASCII, whatever a stranger made it."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return _escape(value)
    if isinstance(value, bool | int | float):
        return _escape(str(value))
    if isinstance(value, Mapping) or not isinstance(value, Collection):
        return "an object"
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) < len(value):
        return "a list of other things than texts"
    more = f" and {len(texts) - MAX_LISTED} more" if len(texts) > MAX_LISTED else ""
    return (", ".join(map(_escape, texts[:MAX_LISTED])) or "none") + more


def from_now(moment: datetime | float | None, now: datetime | float) -> str | None:
    """Return how far a moment is from now, in seconds."""
    if moment is None:
        return None
    seconds = _seconds(moment) - _seconds(now)
    return f"in {_number(seconds)} s" if seconds > 0 else f"{_number(-seconds)} s ago"


def between(start: datetime | float, end: datetime | float) -> str:
    """Return the time between two moments, in seconds."""
    return f"{_number(_seconds(end) - _seconds(start))} s"


def differ(skew: timedelta | float) -> str:
    """Return how far two clocks may differ."""
    return f"clocks may differ by {_number(_seconds(skew))} s"


def recent(max_age: timedelta | float, skew: timedelta | float) -> str:
    """Return what is allowed of a moment that must be recent."""
    return f"in the last {_number(_seconds(max_age))} s; {differ(skew)}"


def characters(value: Any) -> str | None:
    """Return how long a text is that must not be shown."""
    if value is None:
        return None
    return f"{len(value)} characters" if isinstance(value, str) else "no text"


def match(value: Any, wanted: Any) -> str:
    """Return whether a value that must not be shown is the right one."""
    return "none" if value is None else "matches" if value == wanted else "differs"


def _seconds(value: datetime | timedelta | float) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return value.total_seconds() if isinstance(value, timedelta) else value


def _number(value: float) -> str:
    return f"{value + 0.0:.1f}".removesuffix(".0")  # 0.0 makes a zero of minus zero


def _escape(text: str) -> str:
    cut = text[:MAX_CHARACTERS].encode("unicode_escape").decode("ascii")
    return f"{cut}..." if len(text) > MAX_CHARACTERS else cut
