"""``rambridge configure``: profiles for the CLI, the SDKs, and what reads the same file."""

import re
import shlex
import shutil
import sys
from collections import Counter
from pathlib import Path

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, print_json, takes
from bridge.cli.screen import Screen
from bridge.cli.told import command, option
from bridge.client.aliyun_profiles import Change, Profile, find_profiles, write_profiles
from bridge.client.failure import ClientError, Refused
from bridge.client.roles import Role, read_session
from bridge.language import list_texts, mark, translate

DEFAULT_REGION = "cn-hangzhou"
"""The CLI refuses a profile without one."""


@command(
    "configure",
    mark("Write profiles into ~/.aliyun/config.json."),
    mark(
        "For one role, or with --all for all of them. The CLI and the SDKs then ask this command for credentials "
        "whenever they need new ones. None are written here. Other profiles stay as they are, and the file as it was "
        "is kept beside it."
    ),
)
@takes(role=True, sign_in=True)
@option("--all", "every", is_flag=True, help=mark("One profile for each of your roles."))
@option("--profile", "name", metavar="NAME", help=mark("The profile's name; account and role where absent."))
@option("--region", metavar="ID", help=mark("The profile's region; cn-hangzhou for a new one."))
@option("--default", "default", is_flag=True, help=mark("Let programs take this profile where none is named."))
@option("--replace", is_flag=True, help=mark("Take the place of a profile of that name that is not ours."))
@option(
    "--file",
    "path",
    metavar="PATH",
    type=click.Path(path_type=Path, dir_okay=False),
    help=mark("The file; ~/.aliyun/config.json where absent."),
)
def configure(  # noqa: PLR0917  as on the command line
    asked: Asked,
    every: bool,  # noqa: FBT001  click passes flags
    name: str | None,
    region: str | None,
    default: bool,  # noqa: FBT001
    replace: bool,  # noqa: FBT001
    path: Path | None,
) -> None:
    """Write profiles into the CLI's configuration file."""
    if every and (name or asked.role or asked.account or default):
        raise click.UsageError(
            translate("--all is for every role; --account, --role, --profile and --default are for one.")
        )
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        if every:
            roles = [found for found in read_session(access).roles if found.has_credentials]
        else:
            roles = [choose_role(access, asked)]
        if not roles:
            raise Refused(translate("You have no role with credentials at the moment."), "no_roles")
        names = Counter(_name(one) for one in roles)
        profiles = [
            Profile(
                name or (_name(one) if names[_name(one)] == 1 else f"{_name(one)}-{one.entitlement[:6]}"),
                _command(access.service.origin, one, twice=names[_name(one)] > 1),
                region or "",
                DEFAULT_REGION,
            )
            for one in roles
        ]
        change = write_profiles(
            path or find_profiles(), profiles, make_default=profiles[0].name if default else "", replace=replace
        )
        if asked.as_json:
            print_json(
                {
                    "file": str(change.path),
                    "added": change.added,
                    "renewed": change.renewed,
                    "backup": str(change.backup) if change.backup else None,
                }
            )
        else:
            _tell(screen, change, profiles)


def _tell(screen: Screen, change: Change, profiles: list[Profile]) -> None:
    if change.added:
        names = list_texts(change.added)
        screen.say(translate("Added in %(file)s: %(names)s", file=change.path, names=names))
    if change.renewed:
        names = list_texts(change.renewed)
        screen.say(translate("Written anew in %(file)s: %(names)s", file=change.path, names=names))
    if change.backup:
        screen.say(translate("The file as it was: %(file)s", file=change.backup))
    first = shlex.quote(profiles[0].name)
    for title, line in (
        (translate("Next, for the CLI:"), f"aliyun --profile {first} sts GetCallerIdentity"),
        (translate("For the SDKs:"), f"export ALIBABA_CLOUD_PROFILE={first}"),
    ):
        screen.say(title)
        screen.say(f"  {line}")


def _name(role: Role) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{role.account}-{role.name}")


def _command(origin: str, role: Role, *, twice: bool) -> tuple[str, ...]:
    """Return the words that ask for a role; a name that a role and a user share is not enough."""
    meant = role.entitlement if twice else role.name
    words = ("credentials", "--server", origin, "--account", role.account_id, "--role", meant)
    return (*_find_ourselves(), *words)


def _find_ourselves() -> tuple[str, ...]:
    """Return how a program starts this command: by its path, since programs have other search paths than shells."""
    started = Path(sys.argv[0])
    if started.name == "rambridge":
        found = shutil.which("rambridge") if len(started.parts) == 1 else str(started.absolute())
        if found:
            return (found,)
    if not sys.executable:
        raise ClientError(
            translate("This Python does not know its own path. Install the command: pipx install rambridge")
        )
    # Programs start this wherever they are, and a folder there that is named bridge must not be taken for it.
    found_here = Path(__file__).resolve().parents[2] == Path.cwd()
    return (sys.executable, *(() if found_here else ("-P",)), "-m", "bridge")
