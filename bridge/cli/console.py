"""``rambridge console``: the console of one role, in the browser."""

import shlex
from urllib.parse import quote, urlencode

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, print_json, takes
from bridge.cli.screen import Screen
from bridge.cli.told import command, option
from bridge.client.access import Access, expect
from bridge.client.failure import Refused, WrongService, clean
from bridge.client.machine import has_browser, open_browser
from bridge.client.private_window import Attempt, open_private
from bridge.client.roles import Role
from bridge.language import mark, translate

_NOT_FOUND = 404


@command(
    "console", mark("Open the console as one role. The browser signs in by itself: the address works for you alone.")
)
@takes(role=True, sign_in=True)
@option("--to", "destination", metavar="URL", help=mark("The page of the console to arrive at."))
@option(
    "--private",
    is_flag=True,
    help=mark("In a private window, which signs in by itself: for a second role beside the first."),
)
@option("--print", "only_print", is_flag=True, help=mark("Print the address instead of opening it."))
def console(asked: Asked, destination: str | None, *, private: bool, only_print: bool) -> None:
    """Open the console as one role."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        chosen = choose_role(access, asked, lambda role: role.has_console)
        address = _find_address(access, chosen, destination)
        if asked.as_json:
            print_json({"url": address, "account_id": chosen.account_id, "role": chosen.name})
        elif private and not only_print:
            _open_privately(screen, chosen, address)
        elif only_print or not has_browser() or not open_browser(address):
            click.echo(address)
        else:
            screen.say(translate("Your browser opens the console as %(role)s.", role=chosen))


def _open_privately(screen: Screen, role: Role, address: str) -> None:
    told = False

    def say_started() -> None:
        nonlocal told
        if not told:
            screen.say(translate("A private window opens the console as %(role)s. Sign in there.", role=role))
        told = True

    attempt = open_private(address, say_started) if has_browser() else Attempt(is_open=False)
    if attempt.is_open:
        return
    click.echo(address)
    if attempt.failed:
        command = shlex.join(attempt.failed)
        screen.say(
            translate(
                "The browser ended with an error, and no private window opened. Open this address in one. To see why, "
                "type: %(command)s",
                command=command,
            )
        )
        return
    screen.say(translate("No browser was found here that opens a private window. Open this address in one."))


def _find_address(access: Access, role: Role, destination: str | None) -> str:
    wanted = {"entitlement": role.entitlement} | ({"destination": destination} if destination else {})
    answer = access.post("/api/v1/links", wanted)
    if destination and answer.content.get("code") == "bad_parameter":
        said = translate(
            "The service leads to pages of the console alone, such as https://ecs.console.aliyun.com/, and not to "
            "%(page)s",
            page=clean(destination),
        )
        raise Refused(said, "bad_parameter", clean(answer.content.get("reference")))
    if answer.status != _NOT_FOUND:
        return _check_address(access, str(expect(answer).get("url")))
    query = f"?{urlencode({'to': destination})}" if destination else ""
    return f"{access.service.origin}/open/{quote(role.account_id)}/{quote(role.name)}{query}"


def _check_address(access: Access, address: str) -> str:
    """Return the address of a page of the service; it goes to a browser's command line, where others are options."""
    is_plain = address.isascii() and address.isprintable()
    if not address.startswith(f"{access.service.origin}/") or not is_plain:
        raise WrongService(
            translate(
                "%(service)s names an address of another place, which is not opened: %(address)s",
                service=access.service.origin,
                address=clean(address),
            )
        )
    return address
