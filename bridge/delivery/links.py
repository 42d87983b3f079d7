"""Links to a role, and to a page of the console: where they may lead, and what a signed one says.

A link gives nothing: whoever opens it signs in as themself, the rules are asked, and one click of theirs opens the
console. It could still lead somebody astray, so it leads to pages of Alibaba Cloud's console alone (threats OUT-06,
WEB-10), and a signed one is sealed: nobody changes it, and it is over when it says so.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from bridge.clock import Clock
from bridge.errors import DestinationRefused, LinkUnusable, Unsealable
from bridge.sealing import Sealer

LONGEST_DESTINATION = 1000
"""In characters."""
LONGEST_LIFE = timedelta(days=30)
CONSOLE_DOMAINS = ("console.aliyun.com", "console.alibabacloud.com")

_SEALED_AS = "rambridge:link"
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.ASCII)


@dataclass(frozen=True)
class Link:
    """A role or RAM user in an account, and a page of the console; empty: its home page."""

    account: str
    """The account's name in our configuration."""
    kind: str
    """``role`` or ``user``."""
    name: str
    destination: str
    expires_at: datetime


def check_destination(url: str) -> str:
    """Return an address of a page of the console as it was given.

    Compared as it is written and never mended: only https at the usual port, a plain host name below the console's
    domains, no user name, and nothing that one parser reads in another way than the next.

    Raises:
        DestinationRefused: it is not one.
    """
    try:
        parts = urlsplit(url)
        host, netloc = parts.hostname or "", parts.netloc
    except ValueError as error:
        raise DestinationRefused("no address at all") from error
    plain = len(url) <= LONGEST_DESTINATION and url.isascii() and url.isprintable() and not set(url) & set('\\ "<>')
    if not plain or not url.startswith("https://") or netloc != host or not _HOST.fullmatch(host):
        raise DestinationRefused("not a plain https address at the usual port")
    if not any(host == domain or host.endswith(f".{domain}") for domain in CONSOLE_DOMAINS):
        raise DestinationRefused(f"{host[:100]} is no host of the console")
    return url


def name_place(account: str, destination: str) -> str:
    """Return what links to one service of the console in one account have in common."""
    return f"{account} {urlsplit(destination).hostname or ''}".strip()


def name_page(destination: str) -> str:
    """Return the host and path of a page of the console: queries and fragments may hold what no record should."""
    parts = urlsplit(destination)
    return f"{parts.hostname or ''}{parts.path}"


class Links:
    """Makes and reads signed links, without a memory: none can be taken back before its end, and none gives a right."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        """Take what seals them."""
        self._sealer = sealer
        self._clock = clock

    def make(self, account: str, kind: str, name: str, destination: str, life: timedelta) -> tuple[str, datetime]:
        """Return the token of a link, and when it ends (UTC), at most :data:`LONGEST_LIFE` from now.

        Raises:
            DestinationRefused: it would lead elsewhere than to the console.
        """
        if destination:
            check_destination(destination)
        ends = (self._clock.now() + min(life, LONGEST_LIFE)).replace(microsecond=0)
        sealed = self._sealer.seal_json(_SEALED_AS, [account, kind, name, destination, int(ends.timestamp())])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), ends

    def read(self, token: str) -> Link:
        """Return what a token says.

        Raises:
            LinkUnusable: it is none of ours, was changed, or is over.
            DestinationRefused: it leads where links may no longer lead.
        """
        try:
            sealed = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
            link = _unpack(self._sealer.open_json(_SEALED_AS, sealed))
        except (Unsealable, binascii.Error, UnicodeEncodeError) as error:
            raise LinkUnusable("not sealed by us, or changed") from error
        if self._clock.now() >= link.expires_at:
            raise LinkUnusable("it is over")
        if link.destination:
            check_destination(link.destination)
        return link


def _unpack(value: Any) -> Link:
    try:
        account, kind, name, destination, ends = value
        return Link(str(account), str(kind), str(name), str(destination), datetime.fromtimestamp(ends, UTC))
    except (ValueError, TypeError, OverflowError) as error:
        raise Unsealable("not a link in the form that this version writes") from error
