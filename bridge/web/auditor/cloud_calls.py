"""What was done in Alibaba Cloud with what we released, as the imported trail tells it, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from bridge.audit.trail.threads import Call
from bridge.web.auditor.sentences import bold, code
from bridge.web.markup import list_all, translate_markup, translate_number_markup

_ACTIONS = 6
"""How many different actions one sentence names."""


def tell_calls(calls: Sequence[Call]) -> Markup:
    """Return what was done in calls with the same credentials; there is one at least."""
    counts = Counter(f"{call.service}:{call.name}" for call in calls)
    named = list_all(_name(action, count) for action, count in counts.most_common(_ACTIONS))
    told = translate_number_markup(
        "As %(role)s, one call of Alibaba Cloud: %(actions)s.",
        "As %(role)s, %(count)s calls of Alibaba Cloud: %(actions)s.",
        len(calls),
        role=bold(calls[0].role),
        count=format(len(calls), ","),
        actions=named,
    )
    more = len(counts) - _ACTIONS
    failed = sum(bool(call.error_code) for call in calls)
    if more > 0:
        another = translate_number_markup(
            "Another action is not named.", "%(number)s other actions are not named.", more
        )
        told = translate_markup("%(told)s %(further)s", told=told, further=another)
    if failed:
        count = translate_number_markup("1 failed.", "%(count)s failed.", failed, count=format(failed, ","))
        told = translate_markup("%(told)s %(further)s", told=told, further=count)
    return told


def _name(action: str, count: int) -> Markup:
    if count == 1:
        return code(action)
    return translate_markup("%(action)s (%(count)s times)", action=code(action), count=format(count, ","))


def list_calls(calls: Iterable[Call]) -> Iterator[tuple[int, Markup]]:
    """Yield the moment (microseconds since 1970, UTC) of each call, and the call in words."""
    for call in calls:
        action, error = code(f"{call.service}:{call.name}"), code(call.error_code)
        if call.region and call.error_code:
            words = translate_markup(
                "%(action)s in %(region)s failed: %(error)s", action=action, region=code(call.region), error=error
            )
        elif call.region:
            words = translate_markup("%(action)s in %(region)s", action=action, region=code(call.region))
        elif call.error_code:
            words = translate_markup("%(action)s failed: %(error)s", action=action, error=error)
        else:
            words = action
        yield call.time, words
