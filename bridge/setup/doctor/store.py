"""What Redis forgets by itself: a used identifier that is forgotten is a message that can be used a second time."""

from collections.abc import Callable, Iterator, Sequence

from bridge.errors import StoreUnavailable
from bridge.setup.doctor.finding import Finding
from bridge.store_connection import StoreKeeping

_CHECK = "store-keeps"
_KEEPS_ALL = "noeviction"


def check_keeping(read: Callable[[], Sequence[StoreKeeping]]) -> Iterator[Finding]:
    """Yield what full memory and a restart leave; ``read`` is :func:`bridge.store_connection.read_keeping`."""
    try:
        servers = read()
    except StoreUnavailable as error:
        advice = "Allow the command to the store's user: +info."
        yield Finding(_CHECK, "Redis", "skipped", f"it does not tell: {error.detail}", advice)
        return
    policies = sorted({each.eviction for each in servers} - {_KEEPS_ALL})
    if policies:
        found = f"when its memory is full it forgets what was used ({', '.join(policies)})"
        advice = "Set `maxmemory-policy` to `noeviction`. Tair has another by default."
        yield Finding(_CHECK, "memory", "failed", found, advice)
    else:
        yield Finding(_CHECK, "memory", "ok", "when it is full it refuses, and forgets nothing")
    if all(each.appends for each in servers):
        yield Finding(_CHECK, "restart", "ok", "it writes each change to a file")
    else:
        found = "a restart forgets who is signed in, and which messages were used"
        yield Finding(_CHECK, "restart", "warning", found, "Set `appendonly` to `yes`.")
