"""What was done in Alibaba Cloud with what we released, as the imported trail tells it, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from bridge.audit.trail.threads import Call
from bridge.web.auditor.sentences import bold, code

_ACTIONS = 6
"""How many different actions one sentence names."""


def tell_calls(calls: Sequence[Call]) -> Markup:
    """Return one sentence about calls with the same credentials; there is one at least."""
    counts = Counter(f"{call.service}:{call.name}" for call in calls)
    named = counts.most_common(_ACTIONS)
    actions = Markup(", ").join(
        Markup("{}{}").format(code(action), f" ({count:,} times)" if count > 1 else "") for action, count in named
    )
    more = len(counts) - len(named)
    failed = sum(bool(call.error_code) for call in calls)
    return Markup("As {}, {}: {}{}{}.").format(
        bold(calls[0].role),
        "one call of Alibaba Cloud" if len(calls) == 1 else f"{len(calls):,} calls of Alibaba Cloud",
        actions,
        f" and {more} other actions" if more else "",
        f"; {failed:,} failed" if failed else "",
    )


def list_calls(calls: Iterable[Call]) -> Iterator[tuple[int, Markup]]:
    """Yield the moment (microseconds since 1970, UTC) of each call, and the call in words."""
    for call in calls:
        where = Markup(" in {}").format(code(call.region)) if call.region else ""
        failed = Markup(" failed: {}").format(code(call.error_code)) if call.error_code else ""
        yield call.time, Markup("{}{}{}").format(code(f"{call.service}:{call.name}"), where, failed)
