"""What the commands for people with roles share: their options, the way to the service, and how they fail."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TextIO

import click

from bridge.cli.screen import Screen
from bridge.cli.told import option
from bridge.client.access import Access
from bridge.client.failure import ClientError, NotSaid
from bridge.client.oauth import AuthorizationServer, Tokens
from bridge.client.remembered import Remembered
from bridge.client.roles import Role, find_role, read_session
from bridge.client.service import Service
from bridge.client.sign_in import sign_in
from bridge.client.token_store import open_token_store
from bridge.client.turns import Turns
from bridge.language import mark, translate

INTERRUPTED = 130

_SERVER = option(
    "--server",
    metavar="URL",
    envvar="RAMBRIDGE_SERVER",
    show_envvar=True,
    help=mark("The service's address; the one of the last login where absent."),
)
_ACCOUNT = option(
    "--account",
    metavar="ID",
    default="",
    envvar="RAMBRIDGE_ACCOUNT",
    show_envvar=True,
    help=mark("The account's number, name or title."),
)
_ROLE = option(
    "--role",
    metavar="NAME",
    default="",
    envvar="RAMBRIDGE_ROLE",
    show_envvar=True,
    help=mark("The role, as `rambridge roles` names it; the one of `rambridge use` where absent."),
)
_SIGN_IN = option(
    "--sign-in/--no-sign-in",
    "ask",
    default=None,
    help=mark("Whether to ask for a sign-in where one is needed; by default where a terminal is attached."),
)
_JSON = option("--json", "as_json", is_flag=True, help=mark("Print JSON, errors too."))


@dataclass(frozen=True)
class Asked:
    """What the options that all of these commands share say."""

    server: str | None
    as_json: bool
    account: str = ""
    role: str = ""
    ask: bool | None = None
    """Whether somebody is there to sign in; None: where standard error is a terminal."""


def takes(*, role: bool = False, sign_in: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the shared options, and hands them to the command as its first argument."""
    options = [_SERVER, *([_ACCOUNT, _ROLE] if role else ()), *([_SIGN_IN] if sign_in else ()), _JSON]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            shared = {field.name: given.pop(field.name) for field in fields(Asked) if field.name in given}
            command(Asked(**shared), **given)

        for add in reversed(options):
            add(run)
        return run

    return decorate


def find_server(asked: Asked) -> str:
    """Return the address of the service that is meant. Raises NotSaid."""
    found = asked.server or Remembered.read().server
    if not found:
        raise NotSaid(
            translate(
                "Which service? Say it once: rambridge login --server https://access.example.com (your company's "
                "address)"
            )
        )
    return found


def open_access(asked: Asked, screen: Screen, *, device: bool = False) -> Access:
    """Return the way to the service. Raises ClientError."""
    service = Service(find_server(asked))

    def ask_person(authorization: AuthorizationServer) -> Tokens:
        return sign_in(authorization, screen, device=device)

    somebody = sys.stderr.isatty() if asked.ask is None else asked.ask
    return Access(
        service,
        open_token_store(service.origin),
        Turns(service.origin),
        screen.report,
        ask_person if somebody else None,
    )


def choose_role(access: Access, asked: Asked, is_usable: Callable[[Role], bool] | None = None) -> Role:
    """Return the role that is meant: by the options, else by the last choice, else the only one that is usable.

    Raises NotSaid if nothing says which of several, Refused if there is none, and ClientError.
    """
    account, name, chosen = asked.account, asked.role, Remembered.read()
    if not account and not name and chosen.role and Service(chosen.server).origin == access.service.origin:
        account, name = chosen.account, chosen.role
    roles = [role for role in read_session(access).roles if (is_usable(role) if is_usable else role.has_credentials)]
    if not name and not account and len(roles) > 1:
        raise NotSaid(translate("Which role? Choose one: rambridge use; or say it: --account ID --role NAME"))
    return find_role(roles, account, name)


def say_no_role(origin: str) -> str:
    """Return what somebody without roles reads; ``origin`` is the service's."""
    return translate(
        "You have no role at the moment. What you could have, and whom to ask: %(service)s", service=origin
    )


def remember_server(origin: str) -> None:
    """Remember the service of a sign-in; a choice at another one is forgotten. Raises ClientError."""
    before = Remembered.read()
    if before.server != origin:
        Remembered(server=origin).write()


@contextmanager
def at_screen(asked: Asked) -> Iterator[Screen]:
    """Yield what people see; what goes wrong becomes a sentence (or JSON) on standard error, and an exit code."""
    try:
        with Screen() as screen:
            yield screen
    except ClientError as failure:
        if asked.as_json:
            _print_failure(failure.kind, str(failure), failure.exit_code, failure.code, failure.reference)
        else:
            click.echo(str(failure), err=True)
        sys.exit(failure.exit_code)
    except click.UsageError as failure:
        if not asked.as_json:
            raise
        _print_failure("usage", failure.message, failure.exit_code)
        sys.exit(failure.exit_code)
    except (KeyboardInterrupt, click.Abort):
        # The terminal has written ^C, and stands behind it.
        click.echo("\n" * sys.stderr.isatty() + translate("Stopped."), err=True)
        sys.exit(INTERRUPTED)


def print_json(content: Any) -> None:
    """Print what programs read."""
    click.echo(_write_json(content, sys.stdout, indent=2))


def _print_failure(kind: str, message: str, exit_code: int, code: str = "", reference: str = "") -> None:
    told = {"error": kind, "message": message, "exit_code": exit_code, "code": code, "reference": reference}
    click.echo(_write_json({name: value for name, value in told.items() if value != ""}, sys.stderr), err=True)


def _write_json(content: Any, stream: TextIO, indent: int | None = None) -> str:
    """Return JSON that a stream can write: escapes where it cannot write each character."""
    return json.dumps(content, ensure_ascii=stream.encoding.lower() != "utf-8", indent=indent)
