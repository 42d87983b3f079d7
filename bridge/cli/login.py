"""``rambridge login``, ``logout``, ``whoami``: this terminal's sign-in."""

import sys
from dataclasses import replace

import click

from bridge.cli.person import Asked, at_screen, open_access, print_json, remember_server, say_no_role, takes
from bridge.cli.told import command, option
from bridge.client.failure import Unreachable
from bridge.client.moments import describe_moment
from bridge.client.remembered import Remembered
from bridge.client.roles import Session, find_chosen, read_session
from bridge.language import mark, translate


@command("login", mark("Sign this terminal in, in the browser."), mark("Remembers the service for all other commands."))
@takes()
@option("--device", is_flag=True, help=mark("Sign in with a browser elsewhere, such as a phone: shows a QR code."))
def login(asked: Asked, device: bool) -> None:  # noqa: FBT001  click passes flags
    """Sign this terminal in."""
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=True), screen, device=device)
        access.sign_in()
        remember_server(access.service.origin)
        session = read_session(access)
        if asked.as_json:
            print_json(_describe(session, access.service.origin))
            return
        screen.say(
            translate(
                "Signed in as %(person)s at %(service)s, until %(time)s.",
                person=session.person,
                service=access.service.origin,
                time=describe_moment(session.ends_at),
            )
        )
        screen.say(_say_next(session, access.service.origin))
        access.service.check_clock()


@command(
    "logout",
    mark("End this terminal's sign-in, and forget its tokens."),
    mark("Credentials that it gave work until their own end."),
)
@takes()
def logout(asked: Asked) -> None:
    """End this terminal's sign-in, and forget its tokens."""
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=False), screen)
        try:
            was_signed_in = access.sign_out()
        except Unreachable as failure:
            said = translate("Forgotten here, but the service does not know. %(why)s", why=failure)
            raise Unreachable(said, failure.reference) from failure
        if asked.as_json:
            print_json({"server": access.service.origin, "was_signed_in": was_signed_in})
        elif was_signed_in:
            screen.say(translate("Signed out of %(service)s. Again: rambridge login", service=access.service.origin))
        else:
            screen.say(translate("This terminal was not signed in at %(service)s.", service=access.service.origin))


@command("whoami", mark("Say who is signed in here, and until when."), mark("Asks nobody to sign in."))
@takes()
def whoami(asked: Asked) -> None:
    """Say who is signed in here, and until when."""
    with at_screen(asked) as screen:
        access = open_access(replace(asked, ask=False), screen)
        session = read_session(access)
        chosen = Remembered.read()
        if asked.as_json:
            print_json(_describe(session, access.service.origin))
            return
        person, provider, service = session.person, session.provider, access.service.origin
        click.echo(
            translate("%(person)s, by %(provider)s, at %(service)s", person=person, provider=provider, service=service)
        )
        until, place = describe_moment(session.ends_at), access.store.place
        click.echo(translate("Signed in until %(time)s; tokens in %(place)s", time=until, place=place))
        if chosen.role:
            click.echo(translate("Chosen: %(role)s", role=_name_choice(session, chosen)))
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
        return say_no_role(origin)
    chosen = Remembered.read()
    if find_chosen(session.roles, chosen):
        return translate("Next: rambridge exec -- CMD, rambridge console, or rambridge use for another role")
    if chosen.role:  # of somebody else who signed in here, or taken away
        return translate("Next: rambridge use")
    if len(session.roles) == 1:
        return translate(
            "Your role: %(role)s. Next: rambridge exec -- CMD, or rambridge console", role=session.roles[0]
        )
    return translate("You have %(number)s roles. Next: rambridge use", number=len(session.roles))


def _name_choice(session: Session, chosen: Remembered) -> str:
    """Return the chosen role as people call it; one that they do not have any more by what is remembered of it."""
    found = find_chosen(session.roles, chosen)
    if found:
        return str(found)
    return translate("%(role)s in %(account)s, which you do not have now", role=chosen.role, account=chosen.account)
