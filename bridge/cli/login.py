"""``rambridge login``, ``logout``, ``whoami``: this terminal's sign-in."""

import sys
from dataclasses import replace

import click

from bridge.cli.moments_of_people import describe_moment
from bridge.cli.person import Asked, at_screen, open_access, print_json, remember_server, takes
from bridge.client.failure import Unreachable
from bridge.client.remembered import Remembered
from bridge.client.roles import Session, read_session


@click.command()
@takes()
@click.option("--device", is_flag=True, help="Sign in with a browser elsewhere, such as a phone: shows a QR code.")
def login(asked: Asked, device: bool) -> None:  # noqa: FBT001  click passes flags
    """Sign this terminal in, in the browser.

    Remembers the service for all other commands.
    """
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=True), screen, device=device)
        access.sign_in()
        remember_server(access.service.origin)
        session = read_session(access)
        if asked.as_json:
            print_json(_describe(session, access.service.origin))
            return
        screen.say(f"Signed in as {session.person} at {access.service.origin}, {describe_moment(session.ends_at)}.")
        screen.say(_say_next(session, access.service.origin))
        access.service.check_clock()


@click.command()
@takes()
def logout(asked: Asked) -> None:
    """End this terminal's sign-in, and forget its tokens.

    Credentials that it gave work until their own end.
    """
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=False), screen)
        try:
            was_signed_in = access.sign_out()
        except Unreachable as failure:
            raise Unreachable(f"Forgotten here, but the service does not know: {failure}") from failure
        if asked.as_json:
            print_json({"server": access.service.origin, "was_signed_in": was_signed_in})
        elif was_signed_in:
            screen.say(f"Signed out of {access.service.origin}. Again: rambridge login")
        else:
            screen.say(f"This terminal was not signed in at {access.service.origin}.")


@click.command()
@takes()
def whoami(asked: Asked) -> None:
    """Say who is signed in here, and until when.

    Asks nobody to sign in.
    """
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=False), screen)
        session = read_session(access)
        chosen = Remembered.read()
        if asked.as_json:
            print_json(_describe(session, access.service.origin))
            return
        click.echo(f"{session.person}, by {session.provider}, at {access.service.origin}")
        click.echo(f"Signed in {describe_moment(session.ends_at)}; tokens in {access.store.place}")
        if chosen.role:
            click.echo(f"Chosen: {chosen.role} in {chosen.account}")
        sys.stdout.flush()
        screen.say(_say_next(session, access.service.origin))


def _describe(session: Session, origin: str) -> dict[str, object]:
    chosen = Remembered.read()
    return {
        "server": origin,
        "person": session.person,
        "provider": session.provider,
        "session_ends_at": session.ends_at,
        "roles": len(session.roles),
        "chosen": {"account": chosen.account, "role": chosen.role} if chosen.role else None,
    }


def _say_next(session: Session, origin: str) -> str:
    if not session.roles:
        return f"You have no role at the moment. What you could have, and whom to ask: {origin}"
    if Remembered.read().role:
        return "Next: rambridge exec -- CMD, rambridge console, or rambridge use for another role"
    if len(session.roles) == 1:
        return f"Your role: {session.roles[0]}. Next: rambridge exec -- CMD, or rambridge console"
    return f"You have {len(session.roles)} roles. Next: rambridge use"
