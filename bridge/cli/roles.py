"""``rambridge roles`` and ``rambridge use``: what one may become, and the choice that other commands take."""

import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict

import click

from bridge.cli.moments_of_people import describe_length
from bridge.cli.person import Asked, at_screen, open_access, print_json, takes
from bridge.client.failure import ClientError, Refused
from bridge.client.remembered import Remembered
from bridge.client.roles import Role, find_role, read_session, search
from bridge.language import translate

MOST_OFFERED = 15


@click.command()
@click.argument("words", nargs=-1)
@takes(sign_in=True)
def roles(asked: Asked, words: tuple[str, ...]) -> None:
    """List your roles, or those that WORDS find.

    Words are looked for in account, role and purpose; parts of them are enough.
    """
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        session = read_session(access)
        found = search(session.roles, " ".join(words))
        chosen = Remembered.read()
        if asked.as_json:
            print_json([asdict(role) for role in found])
            return
        if not session.roles:
            screen.say(f"You have no role at the moment. What you could have, and whom to ask: {access.service.origin}")
        elif not found:
            screen.say(f"None of your {len(session.roles)} roles has {' '.join(words)!r} in it.")
        else:
            click.echo(draw_table(found, chosen))
            sys.stdout.flush()
            screen.say("\nNext: rambridge use, or rambridge console --account ID --role NAME")


@click.command()
@click.argument("words", nargs=-1)
@takes(role=True, sign_in=True)
def use(asked: Asked, words: tuple[str, ...]) -> None:
    """Choose the role that other commands take.

    It is the one that WORDS find, else the one that you pick from a list.

    Parts of words are enough: `rambridge use prod admin`, or `rambridge use pdadm`.
    """
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        offered = [role for role in read_session(access).roles if role.has_credentials or role.has_console]
        if asked.account or asked.role:
            role = find_role(offered, asked.account, asked.role)
        else:
            screen.report("")
            role = _pick(offered, " ".join(words), ask=sys.stdin.isatty() and not asked.as_json)
        Remembered(server=access.service.origin, account=role.account_id, role=role.name).write()
        if asked.as_json:
            print_json(asdict(role))
        else:
            screen.say(f'Chosen: {role}. Next: rambridge exec -- CMD, rambridge console, or eval "$(rambridge env)"')


def _pick(offered: Sequence[Role], words: str, *, ask: bool) -> Role:
    """Return the one role that is found, asking for more words until there is one, or a number is given."""
    if not offered:
        raise Refused("You have no role at the moment.", "no_roles")
    while True:
        found = search(offered, words)
        if len(found) == 1 and (words or len(offered) == 1):
            return found[0]
        if not ask:
            some = "; ".join(str(role) for role in (found or offered)[:MOST_OFFERED])
            reason = f"{len(found)} of your roles have" if found else "None of your roles has"
            raise ClientError(f"{reason} {words!r} in it: {some}. Say more, or --account ID --role NAME.")
        if found:
            click.echo(draw_table(found[:MOST_OFFERED], Remembered.read(), numbered=True), err=True)
            if len(found) > MOST_OFFERED:
                click.echo(f"   and {len(found) - MOST_OFFERED} more", err=True)
        else:
            click.echo(f"None has {words!r} in it.", err=True)
        answer = click.prompt("Number, or part of account or role", err=True, default="1" if found else None)
        if answer.isdecimal() and 1 <= int(answer) <= min(len(found), MOST_OFFERED):
            return found[int(answer) - 1]
        words = answer


def draw_table(shown: Sequence[Role], chosen: Remembered, *, numbered: bool = False) -> str:
    """Return a table whose columns stand below one another in Chinese as well."""
    rows: list[tuple[str, ...]] = [("", "ACCOUNT", "NUMBER", "ROLE", "LASTS", "FOR")]
    for number, role in enumerate(shown, 1):
        mark = "*" if (role.account_id, role.name) == (chosen.account, chosen.role) else ""
        first = f"{number:>2}{mark}" if numbered else mark
        lasts = describe_length(role.seconds) if role.has_credentials else "console"
        rows.append((first, role.account_title, role.account_id, role.name, lasts, role.purpose))
    rows = _add_care(rows, shown)
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join([click.style(lines[0], bold=True), *lines[1:]])


def _add_care(rows: list[tuple[str, ...]], shown: Sequence[Role]) -> list[tuple[str, ...]]:
    """Return the rows with sensitivity and owner before the purpose, where the terminal has room for all of it."""
    sensitivities = {"low": translate("low"), "medium": translate("medium"), "high": translate("high")}
    care = [
        (translate("SENSITIVITY"), translate("ASK")),
        *((sensitivities.get(role.sensitivity, ""), role.owner) for role in shown),
    ]
    if not any(any(cells) for cells in care[1:]):
        return rows
    wider = [(*row[:-1], *cells, row[-1]) for row, cells in zip(rows, care, strict=True)]
    needed = sum(max(_width(cell) for cell in column) + 2 for column in zip(*wider, strict=True)) - 2
    return wider if needed <= shutil.get_terminal_size().columns else rows


def _width(text: str) -> int:
    """Return how many columns a text takes in a terminal (Unicode TR 11)."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
