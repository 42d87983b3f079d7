"""What people see while a command for them waits: progress after a second, addresses and codes, what to type next."""

import sys
import threading
import time
from contextvars import copy_context
from types import TracebackType
from typing import Self

import click

from bridge.language import translate

QUIET_SECONDS = 1.0
"""Shorter waits show nothing."""
_TICK_SECONDS = 0.25
_ERASE = "\r\x1b[K"


class Screen:
    """Standard error, for as long as a ``with`` block lasts. Standard output is for what was asked for."""

    def __init__(self) -> None:
        """Show progress only to people: a log gets none."""
        self._terminal = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._what = ""
        self._since = time.monotonic()
        self._shown = ""
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Begin."""
        if self._terminal:
            # A thread of its own speaks the language of this one.
            threading.Thread(target=copy_context().run, args=(self._tick,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no half line."""
        self._stop.set()
        with self._lock:
            self._erase()

    def report(self, what: str) -> None:
        """Say what is being waited for from now on."""
        with self._lock:
            if what != self._what:
                self._what, self._since = what, time.monotonic()

    def say(self, text: str = "") -> None:
        """Write a line."""
        with self._lock:
            self._erase()
            click.echo(text, err=True)

    def show_browser(self, address: str) -> None:
        """Say that the browser opens, and where."""
        self.say(translate("Your browser opens to sign in. If it does not, open this address on this machine:"))
        self.say(f"\n  {address}\n")
        self.say(translate("Without a browser here: Ctrl-C, then rambridge login --device"))
        self.say()

    def show_device(self, address: str, plain_address: str, code: str) -> None:
        """Show the page to open anywhere, as a QR code too, and the code that it must show."""
        self.say(translate("Sign in to go on. Open this address in any browser, on a phone too:"))
        self.say(f"\n  {address}\n")
        if self._terminal and sys.stderr.encoding.lower().startswith("utf"):
            self.say(draw_qr_code(address))
        shown = click.style(code, bold=True)
        self.say(translate("Allow it only if the page shows the same code:  %(code)s", code=shown))
        self.say(translate("(By hand: %(address)s)", address=plain_address))
        self.say()

    def _tick(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            with self._lock:
                seconds = time.monotonic() - self._since
                if not self._what or seconds < QUIET_SECONDS:
                    continue
                text = translate("%(what)s … %(seconds)s s", what=self._what, seconds=int(seconds))
                if text != self._shown and not self._stop.is_set():
                    click.echo(f"{_ERASE}{text}", err=True, nl=False)
                    self._shown = text

    def _erase(self) -> None:
        if self._shown:
            click.echo(_ERASE, err=True, nl=False)
            self._shown = ""


def draw_qr_code(text: str) -> str:
    """Return a QR code of half blocks, dark on light whatever the terminal's colours are."""
    import segno  # noqa: PLC0415  for those who see one

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    blocks = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    lines = (
        "".join(blocks[bool(upper), bool(lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"  {click.style(line, fg='black', bg='bright_white')}" for line in lines) + "\n"
