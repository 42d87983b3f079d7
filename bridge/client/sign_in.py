"""The two ways to sign a terminal in: the browser of this machine, or that of another one."""

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from bridge.client.failure import SignInFailed
from bridge.client.loopback import Loopback
from bridge.client.machine import has_browser, open_browser
from bridge.client.oauth import AuthorizationServer, Proof, Tokens
from bridge.language import translate

WAIT_SECONDS = 300
SLOWER_SECONDS = 5
"""How much longer to wait after each ``slow_down`` (RFC 8628 3.5)."""


class Screen(Protocol):
    """What the person sees while they sign in."""

    def show_browser(self, address: str) -> None:
        """Say that the browser opens, and where."""

    def show_device(self, address: str, plain_address: str, code: str) -> None:
        """Show the page to open anywhere, and the code that it must show."""

    def report(self, what: str) -> None:
        """Say what is being waited for."""


def sign_in(
    authorization: AuthorizationServer,
    screen: Screen,
    *,
    device: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Tokens:
    """Return tokens for this terminal.

    Args:
        authorization: the service.
        screen: what the person sees.
        device: use no browser of this machine, even if there is one.
        sleep: waits for so many seconds.

    Raises:
        SignInFailed: the person refused it, or did not decide in time.
        ClientError: the service cannot be reached, or refused it.
    """
    if device or not has_browser():
        return _by_device(authorization, screen, sleep)
    return _by_browser(authorization, screen)


def _by_browser(authorization: AuthorizationServer, screen: Screen) -> Tokens:
    proof, state = Proof(), secrets.token_urlsafe(24)
    with Loopback(authorization, state) as loopback:
        address = authorization.build_address(loopback.redirect_uri, state, proof)
        screen.show_browser(address)
        open_browser(address)  # if nothing takes it, the person can: the address is on their screen
        screen.report(translate("Waiting for the browser"))
        code = loopback.wait(WAIT_SECONDS)
    screen.report(translate("Fetching the tokens"))
    return authorization.redeem(code, loopback.redirect_uri, proof)


def _by_device(authorization: AuthorizationServer, screen: Screen, sleep: Callable[[float], None]) -> Tokens:
    proof = Proof()
    device = authorization.start_device(proof)
    screen.show_device(device.address, device.plain_address, device.user_code)
    screen.report(translate("Waiting until it is allowed in the browser"))
    interval = device.interval_seconds
    while time.monotonic() < device.ends_at:
        sleep(interval)
        tokens, why_not = authorization.ask_device(device, proof)
        if tokens is not None:
            return tokens
        if why_not == "slow_down":
            interval += SLOWER_SECONDS
    raise SignInFailed(translate("Nobody allowed this in the browser in time. Once more: rambridge login"))
