"""The options by which commands reach RAM, and what they open."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.errors import SetupFailed
from bridge.exchange.accounts import Account

if TYPE_CHECKING:
    from bridge.setup.ram import Administration

_OPTIONS = (
    click.option(
        "--access-key-id",
        help="What may read RAM, as env:NAME or file:PATH; without it what the official SDKs find: environment, "
        "~/.alibabacloud, ~/.aliyun, the machine's own role.",
    ),
    click.option("--access-key-secret", help="Its secret, as env:NAME or file:PATH."),
    click.option("--endpoint", help="Where RAM and IMS are, if not at Alibaba Cloud: for the sandbox."),
)


def ram_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for access to RAM to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_ram(
    account: Account, access_key_id: str | None, access_key_secret: str | None, endpoint: str | None
) -> "Administration":
    """Return the account's RAM; an account of the sandbox has it where its STS is.

    Raises:
        SetupFailed: the extra is not installed, or there are no credentials.
    """
    try:
        from bridge.setup.ram import Administration, AdministratorKey  # noqa: PLC0415 - the extra `setup` has its SDKs
    except ImportError as error:
        raise SetupFailed(
            f"{error.name} is not installed: the official SDKs come with `pip install 'rambridge[setup]'`",
            "Install them where you type this; the service needs none. No other check needs them.",
        ) from error
    if (access_key_id is None) != (access_key_secret is None):
        raise SetupFailed("--access-key-id and --access-key-secret belong together")
    key = None
    if access_key_id is not None and access_key_secret is not None:
        key = AdministratorKey(_read(access_key_id), _read(access_key_secret))
    at = endpoint or (account.endpoint if account.custom_console else None)
    return Administration(account, key, at)


def _read(reference: str) -> str:
    """Return what a reference stands for; a secret itself would stay in the shell's history and in `ps`."""
    kind, _, place = reference.partition(":")
    value = ""
    if kind == "env":
        value = os.environ.get(place, "")
    elif kind == "file":
        try:
            value = Path(place).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SetupFailed(f"{place} cannot be read: {type(error).__name__}") from error
    else:
        raise SetupFailed("a key is said as env:NAME or file:PATH, never itself")
    if not value:
        raise SetupFailed(f"{reference} is empty, or not set")
    return value
