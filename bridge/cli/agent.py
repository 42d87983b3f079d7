"""``rambridge agent``: a server on loopback that programs take credentials from, always fresh."""

import json
import shlex
import signal
import sys
import threading
from contextvars import copy_context
from dataclasses import replace
from functools import partial

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, takes
from bridge.cli.told import command, option
from bridge.client.agent import METADATA_ADDRESS, AgentServer, Metadata, SecretPath
from bridge.client.failure import ClientError
from bridge.client.moments import describe_moment
from bridge.client.renewal import Renewal
from bridge.client.roles import read_credentials
from bridge.language import mark, translate


class _Port(click.IntRange):
    @property
    def name(self) -> str:  # type: ignore[override]
        return translate("port")


@command(
    "agent",
    mark("Serve credentials for programs on this machine."),
    mark(
        "Renews them before any SDK takes them for stale. Prints the lines that programs need in their environment. "
        "Runs until it is stopped."
    ),
)
@takes(role=True, sign_in=True)
@option(
    "--port",
    metavar="PORT",
    type=_Port(0, 65_535),
    default=0,
    help=mark("Where to listen on 127.0.0.1; a free port if 0."),
)
@option(
    "--metadata",
    metavar="HOST:PORT",
    help=mark(
        "Also serve the shape of ECS metadata there, such as 100.100.100.200:80. Every program on this machine can "
        "ask it: use it only where all of them are yours."
    ),
)
def agent(asked: Asked, port: int, metadata: str | None) -> None:
    """Serve credentials until it is stopped."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        chosen = choose_role(access, asked)
        renewal = Renewal(lambda: read_credentials(access, chosen))
        shape = Metadata(renewal, chosen.name)
        secret = SecretPath(renewal, shape)
        servers = [AgentServer("127.0.0.1", port, secret.answer)]
        if metadata:
            servers.append(_open_metadata(metadata, shape))
        ends_at = renewal.get().expires_at
        # From here on nobody is asked: a page that opens by itself would teach people to allow what they did not start.
        alone = open_access(replace(asked, ask=False), screen)
        renewal.fetch_with(lambda: read_credentials(alone, chosen))
        environment = {"ALIBABA_CLOUD_CREDENTIALS_URI": f"http://127.0.0.1:{servers[0].server_port}{secret.path}"}
        if metadata:
            environment |= {"ALIBABA_CLOUD_ECS_METADATA": chosen.name, "ALIBABA_CLOUD_IMDSV1_DISABLED": "true"}
        click.echo(
            json.dumps(environment)
            if asked.as_json
            else "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
        )
        sys.stdout.flush()
        screen.report("")
        screen.say(
            translate(
                "Credentials for %(role)s. They are renewed before %(time)s, and so on. Ctrl-C ends it.",
                role=chosen,
                time=describe_moment(ends_at.isoformat()),
            )
        )
    _run(servers, renewal)


def _open_metadata(address: str, shape: Metadata) -> AgentServer:
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit():
        raise ClientError(translate("'%(address)s' is not of the form HOST:PORT.", address=address))
    server = AgentServer(host, int(port), shape.answer)
    server.also_answers_to(METADATA_ADDRESS)
    return server


def _run(servers: list[AgentServer], renewal: Renewal) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    # A thread of its own speaks the language of this one.
    renew = partial(copy_context().run, renewal.keep_fresh, stop, partial(click.echo, err=True))
    threading.Thread(target=renew, daemon=True).start()
    try:
        stop.wait()
    except KeyboardInterrupt:
        stop.set()
    for server in servers:
        server.shutdown()
        server.server_close()
