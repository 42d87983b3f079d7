"""Signing a terminal in: it shows an address and a code, the person allows it in the browser, it gets a token."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable

from bridge.client.failure import ClientError
from bridge.client.portal import Portal
from bridge.client.token_file import TokenFile

SLOWER_SECONDS = 5
"""How much longer to wait after each ``slow_down`` (RFC 8628 3.5)."""


def sign_in(
    portal: Portal, kept: TokenFile, show: Callable[[str, str], None], sleep: Callable[[float], None] = time.sleep
) -> str:
    """Return a new token, and keep it.

    Args:
        portal: the service.
        kept: where the token is kept.
        show: takes the address to open and the code to compare, for the person to see.
        sleep: waits for so many seconds.

    Raises:
        ClientError: the person refused it, or did not decide in time, or the service cannot be reached.
    """
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    device = portal.start_device(base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
    try:
        code, address, user_code = device["DeviceCode"], device["VerificationUriComplete"], device["UserCode"]
        interval, ends_at = max(1, int(device["Interval"])), time.monotonic() + float(device.get("ExpiresIn", 480))
    except (KeyError, TypeError, ValueError) as error:
        raise ClientError("The service's answer names no code.") from error
    show(str(address), str(user_code))
    while time.monotonic() < ends_at:
        sleep(interval)
        answer, why_not = portal.ask_for_token(code, verifier)
        if not why_not:
            token = str(answer["AccessToken"])
            kept.write(token, float(answer["ExpiresIn"]))
            return token
        if why_not == "slow_down":
            interval += SLOWER_SECONDS
    raise ClientError("Nobody allowed this in the browser in time. Start again.")
