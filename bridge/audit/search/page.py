"""What a search finds."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Page:
    """Some of the records that were looked for, newest first: by position, from the greatest to the least."""

    records: tuple[dict[str, Any], ...]
    """Opened contents, as :meth:`bridge.audit.reader.AuditReader.open_rows` returns them."""
    older: int | None = None
    """What to give as ``before`` for the next page; None: there is nothing older."""
    searched_to: int | None = None
    """How far the search came, where it gave up for now (microseconds since 1970): nothing else lies between the last
    record of the page and this moment. The next page goes on from there. None: the page is complete."""
    total: int | None = None
    """How many records there are in all, where that is known without counting them; counted at the last catching up."""
