"""``rambridge configure``: profiles for the CLI, the SDKs, and what reads the same file."""

import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, print_json, takes
from bridge.cli.screen import Screen
from bridge.client.aliyun_profiles import Change, Profile, find_profiles, write_profiles
from bridge.client.failure import ClientError, Refused
from bridge.client.roles import Role, read_session

DEFAULT_REGION = "cn-hangzhou"
"""The CLI refuses a profile without one."""


@click.command()
@takes(role=True, sign_in=True)
@click.option("--all", "every", is_flag=True, help="One profile for each of your roles.")
@click.option("--profile", "name", metavar="NAME", help="The profile's name; account and role where absent.")
@click.option("--region", metavar="ID", help=f"The profile's region; {DEFAULT_REGION} for a new one.")
@click.option("--default", "default", is_flag=True, help="Let programs take this profile where none is named.")
@click.option("--replace", is_flag=True, help="Take the place of a profile of that name that is not ours.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; ~/.aliyun/config.json where absent.",
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
    """Write profiles into ~/.aliyun/config.json.

    For one role, or with --all for all of them. The CLI and the SDKs then ask this command for credentials
    whenever they need new ones. None are written here. Other profiles stay as they are, and the file as it was is
    kept beside it.
    """
    if every and (name or asked.role or asked.account or default):
        raise click.UsageError("--all is for every role; --account, --role, --profile and --default are for one.")
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        if every:
            roles = [found for found in read_session(access).roles if found.has_credentials]
        else:
            roles = [choose_role(access, asked)]
        if not roles:
            raise Refused("You have no role with credentials at the moment.", "no_roles")
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
    for what, names in (("Added", change.added), ("Written anew", change.renewed)):
        if names:
            screen.say(f"{what} in {change.path}: {', '.join(names)}")
    if change.backup:
        screen.say(f"The file as it was: {change.backup}")
    first = profiles[0].name
    screen.say(f"Next: aliyun --profile {first} sts GetCallerIdentity; for the SDKs:")
    screen.say(f"  export ALIBABA_CLOUD_PROFILE={first}")


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
        raise ClientError("This Python does not know its own path. Install the command: pipx install rambridge")
    return (sys.executable, "-m", "bridge")
