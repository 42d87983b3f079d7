"""``rambridge demo``: everything on this machine, with a company and a cloud that stand in for the real ones."""

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from bridge import embedded_store
from bridge.cli.output import errors_to_exit_code, short_path
from bridge.cli.processes import run_demo, signals_held_back
from bridge.cli.walkthrough import walk_through
from bridge.clock import SystemClock
from bridge.errors import DemoFailed
from bridge.keys import create_missing
from bridge.sandbox.cloud.state import load_cloud_state
from bridge.sandbox.idp.state import load_state
from bridge.sandbox.workspace import DEFAULT_PORTS, copy_configuration, find_free_ports, is_free
from bridge.settings import load_settings

_TERMINATED = 128 + signal.SIGTERM


@click.command(short_help="Start a company, a cloud and the bridge here.")
@click.option(
    "--once",
    is_flag=True,
    help="Sign in by SAML and by OIDC and run a CI job, print each step, and end.",
)
@click.pass_obj
def demo(folder: Path, once: bool) -> None:  # noqa: FBT001  click passes flags
    """Start the bridge, a stand-in company identity provider and a stand-in Alibaba Cloud on this machine.

    Keys are made beside the configuration where they are missing. Everything listens on loopback only.
    """
    # What SIGTERM does by itself would leave the children behind, at whatever step it comes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    with errors_to_exit_code():
        config = _prepare(folder)
        settings = load_settings(config)
        for path in create_missing(settings.key_folder, SystemClock()):
            click.echo(f"made {short_path(path)}")
        try:
            with run_demo(config, settings.public_url, settings.data_folder / "logs"):
                if once:
                    walk_through(config, settings.public_url)
                else:
                    _wait(config, settings.public_url, settings.data_folder / "logs")
        finally:
            with signals_held_back():
                embedded_store.stop(settings.data_folder / "store")


def _prepare(folder: Path) -> Path:
    if not (folder / "sandbox.yaml").is_file():
        raise DemoFailed(f"{folder} has no sandbox.yaml: start the demo where the project's config folder is")
    taken = [port for port in _read_ports(folder) if not is_free(port)]
    if not taken:
        return folder
    ports = find_free_ports(len(DEFAULT_PORTS))
    target = folder.resolve().parent / "var" / "demo"
    click.echo(
        f"Port {taken[0]} is taken: using {', '.join(map(str, ports))} and a copy of {folder} in {short_path(target)}."
    )
    return copy_configuration(folder, target, ports)


def _this_command(config: Path) -> str:
    program = Path(sys.argv[0])
    name = short_path(program) if program.name == "rambridge" else "rambridge"
    return name if config == Path("config") else f"{name} --config {short_path(config)}"


def _read_ports(folder: Path) -> list[int]:
    urls = (
        load_settings(folder).public_url,
        load_state(folder / "sandbox-idp.yaml").url,
        load_cloud_state(folder / "sandbox.yaml").url,
    )
    return [urlsplit(url).port or 80 for url in urls]


def _wait(config: Path, public_url: str, logs: Path) -> None:
    idp = load_state(config / "sandbox-idp.yaml")
    someone = idp.people[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    click.secho("\nEverything is running.\n", fg="green", bold=True)
    click.echo(f"  1. Open   {click.style(idp.url, bold=True)}   the portal of a company called {idp.name.split()[0]}")
    click.echo(f"  2. Sign in as {someone.name} (any password), with the security key or without")
    click.echo("  3. Click a tile, pick a role, open the console or get credentials\n")
    click.echo(f"  Your access   {public_url}")
    click.echo(f"  Records       {_this_command(config)} audit tail --follow")
    click.echo(f"  Logs          {short_path(logs)}\n")
    click.echo("Ctrl-C ends it.")
    sys.stdout.flush()
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo("\nStopped.")
