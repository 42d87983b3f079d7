"""``rambridge roles`` and ``rambridge use``: what one may become, and the choice that other commands take."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from bridge.cli.columns import fill, find_columns, pad, width
from bridge.cli.person import Asked, at_screen, open_access, print_json, say_no_role, takes
from bridge.cli.told import command
from bridge.client.failure import NotSaid, Refused
from bridge.client.remembered import Remembered
from bridge.client.roles import Role, find_chosen, find_role, name_each, read_session, search
from bridge.language import mark, translate, translate_number, write_length

MOST_OFFERED = 15
LEAST_COLUMNS = 16


@command(
    "roles",
    mark("List your roles, or those that WORDS find."),
    mark("Words are looked for in account, role and purpose; parts of them are enough."),
)
@click.argument("words", nargs=-1)
@takes(sign_in=True)
def roles(asked: Asked, words: tuple[str, ...]) -> None:
    """List roles."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        session = read_session(access)
        found = search(session.roles, " ".join(words))
        chosen = Remembered.read()
        if asked.as_json:
            print_json([asdict(role) for role in found])
            return
        if not session.roles:
            screen.say(say_no_role(access.service.origin))
        elif not found:
            screen.say(
                translate_number(
                    "Your only role does not have '%(words)s' in it.",
                    "None of your %(number)s roles has '%(words)s' in it.",
                    len(session.roles),
                    words=" ".join(words),
                )
            )
        else:
            click.echo(draw_table(found, chosen, find_columns(sys.stdout)))
            sys.stdout.flush()
            screen.say()
            screen.say(translate("Next: rambridge use, or rambridge console --account ID --role NAME"))


@command(
    "use",
    mark("Choose the role that other commands take."),
    mark("It is the one that WORDS find, else the one that you pick from a list."),
    mark("Parts of words are enough: `rambridge use prod admin`, or `rambridge use pdadm`."),
)
@click.argument("words", nargs=-1)
@takes(role=True, sign_in=True)
def use(asked: Asked, words: tuple[str, ...]) -> None:
    """Choose the role that other commands take."""
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
            screen.say(
                translate(
                    'Chosen: %(role)s. Next: rambridge exec -- CMD, rambridge console, or eval "$(rambridge env)"',
                    role=role,
                )
            )


def _pick(offered: Sequence[Role], words: str, *, ask: bool) -> Role:
    """Return the one role that is found, asking for more words until there is one, or a number is given."""
    if not offered:
        raise Refused(translate("You have no role at the moment."), "no_roles")
    remembered = Remembered.read()
    while True:
        found = search(offered, words)
        if len(found) == 1 and (words or len(offered) == 1):
            return found[0]
        if not ask:
            raise NotSaid(_ask_for_more(found, offered, words))
        if found:
            click.echo(draw_table(found[:MOST_OFFERED], remembered, find_columns(sys.stderr), numbered=True), err=True)
            if len(found) > MOST_OFFERED:
                click.echo(translate("   and %(number)s more", number=len(found) - MOST_OFFERED), err=True)
        else:
            click.echo(translate("None has '%(words)s' in it.", words=words), err=True)
        question = translate("Number, or part of account or role")
        answer = click.prompt(question, err=True, default=_find_default(found[:MOST_OFFERED], words, remembered))
        if answer.isdecimal() and 1 <= int(answer) <= min(len(found), MOST_OFFERED):
            return found[int(answer) - 1]
        words = answer


def _find_default(shown: Sequence[Role], words: str, remembered: Remembered) -> str | None:
    """Return the number that Enter takes: the role that is chosen already, or the best one for what was typed."""
    if not shown:
        return None
    chosen = None if words else find_chosen(shown, remembered)
    return str(shown.index(chosen) + 1) if chosen else "1"


def _ask_for_more(found: Sequence[Role], offered: Sequence[Role], words: str) -> str:
    some = name_each(found or offered)
    if not words:
        return translate(
            "Which of your roles? Say a part of it, or --account ID --role NAME. There are:%(roles)s", roles=some
        )
    if not found:
        return translate(
            "None of your roles has '%(words)s' in it. Say another part, or --account ID --role NAME. There are:"
            "%(roles)s",
            words=words,
            roles=some,
        )
    return translate(
        "%(number)s of your roles have '%(words)s' in it. Say more, or --account ID --role NAME. There are:%(roles)s",
        number=len(found),
        words=words,
        roles=some,
    )


def draw_table(shown: Sequence[Role], remembered: Remembered, columns: int | None, *, numbered: bool = False) -> str:
    """Return a table whose columns stand below one another in Chinese as well.

    What a role is for goes on in the next line where the line would be longer than ``columns``.
    """
    titles = (mark("ACCOUNT"), mark("NUMBER"), mark("ROLE"), mark("LASTS"), mark("FOR"))
    rows: list[tuple[str, ...]] = [("", *map(translate, titles))]
    chosen = find_chosen(shown, remembered)
    for number, role in enumerate(shown, 1):
        star = "*" if role == chosen else ""
        first = f"{number:>2}{star}" if numbered else star
        lasts = write_length(role.seconds) if role.has_credentials else translate("console")
        rows.append((first, role.account_title, role.account_id, role.name, lasts, role.purpose))
    rows = _add_care(rows, shown)
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    begin = sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        cells = [pad(cell, wide) for cell, wide in zip(row, widths, strict=False)]
        parts = [row[-1]] if columns is None else fill(row[-1], max(columns - begin, LEAST_COLUMNS)).split("\n")
        lines.append("  ".join([*cells, parts[0]]).rstrip())
        lines += [" " * begin + part for part in parts[1:]]
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
    needed = sum(max(width(cell) for cell in column) + 2 for column in zip(*wider, strict=True)) - 2
    return wider if needed <= shutil.get_terminal_size().columns else rows
