"""``rambridge serve``: the service on its production server."""

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http import message
from gunicorn.http.errors import ParseException

from bridge.cli.output import errors_to_exit_code, print_problems
from bridge.cli.sequencing import SequencingProcess, sequence
from bridge.embedded_store import start
from bridge.errors import BridgeError, SettingsError
from bridge.parties import check_keys
from bridge.rollout.starting import load_configuration_in_force
from bridge.settings import Configuration, Settings
from bridge.sts_endpoint.door import MAX_REQUEST_LINE_BYTES, is_sts_call

if TYPE_CHECKING:
    from wsgiref.types import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

_logger = logging.getLogger(__name__)

REQUEST_LINE_BYTES = 8_190
"""For pages. The STS endpoint's line may be longer, since SDKs write tokens and assertions into it."""
GRACE_SECONDS = 10


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Instead of the address in the settings.")
@click.pass_obj
def serve(folder: Path, listen: str | None) -> None:
    """Serve people and programs until the process is told to stop.

    SIGHUP reads the configuration again and replaces the workers; one with an error changes nothing. SIGTERM
    finishes what is under way.
    """
    # Workers are copies of this process: what it has imported, none of them imports while people wait for a reload.
    from bridge.app import create_app  # noqa: PLC0415  no other command needs so much

    with errors_to_exit_code():
        configuration = load_configuration_in_force(folder)
        if configuration.warnings:
            print_problems(configuration.warnings)
        check_keys(configuration)
        store_url = find_store(configuration)
    logging.basicConfig(
        stream=sys.stderr,
        level=configuration.settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    Server(folder, store_url, configuration, listen, create_app).run()


def find_store(configuration: Configuration) -> str:
    """Return the address of Redis; starts the embedded one, or finds it running, where that is configured."""
    settings = configuration.settings
    return start(settings.data_folder / "store") if settings.store == "embedded" else settings.store


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads; each worker builds the application for itself, after the fork."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        configuration: Configuration,
        listen: str | None,
        create_app: Callable[..., Any],
    ) -> None:
        """Take a configuration that is good as a whole, its folder, to read it again from, and what builds the app."""
        self._create_app = create_app
        self._folder = folder
        self._store_url = store_url
        self._configuration = configuration
        self._listen = listen
        self.sequencing = SequencingProcess()
        super().__init__()

    @property
    def settings(self) -> Settings:
        """What ``bridge.yaml`` says by now."""
        return self._configuration.settings

    def run(self) -> None:
        """Serve until the process is told to stop."""
        _Supervisor(self).run()

    def load_config(self) -> None:
        """Set the server's options.

        gunicorn takes a limit above 8190 for 8190, and 0 for none at all, where one client could fill the memory with
        a line that never ends. So the bound itself is raised.
        """
        message.MAX_REQUEST_LINE = MAX_REQUEST_LINE_BYTES
        settings = self._configuration.settings
        options: dict[str, Any] = {
            "bind": self._listen or settings.listen,
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_class": "gthread",
            "graceful_timeout": GRACE_SECONDS,
            "limit_request_line": MAX_REQUEST_LINE_BYTES,
            "control_socket_disable": True,
            "errorlog": "-",
            "loglevel": settings.log_level,
            "proc_name": "rambridge",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """Take over the configuration as it stands now, or keep the old one if the new one has an error."""
        try:
            configuration = load_configuration_in_force(self._folder)
            check_keys(configuration)
            self._store_url, self._configuration = find_store(configuration), configuration
        except SettingsError as error:
            _logger.error("the configuration was not read again: it has errors")  # noqa: TRY400  they follow
            print_problems(error.problems)
        except BridgeError as error:
            _logger.error("the configuration was not read again: %s", error.detail)  # noqa: TRY400
        self.sequencing.stop()  # and it starts again with what was read
        super().reload()

    def load(self) -> Any:
        """Return the application: called in each worker."""
        application = self._create_app(self._configuration, self._store_url, sequences=False)
        return _bound_pages(_blame_the_sender(application))


class _Supervisor(Arbiter):  # type: ignore[misc]
    """gunicorn's own, which looks after one more process."""

    def manage_workers(self) -> None:
        """Start what does not run: called every second, and when a child has ended."""
        super().manage_workers()
        if self.app.sequencing.keep_running():
            for listener in self.LISTENERS:
                listener.sock.close()
            sequence(self.app.settings, self.pid)

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002  gunicorn's signature
        """End all of them."""
        self.app.sequencing.stop()
        super().stop(graceful)


def _bound_pages(application: "WSGIApplication") -> "WSGIApplication":
    """Refuse a long request line for everything but the STS endpoint."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        line = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}"
        if len(line) > REQUEST_LINE_BYTES and not is_sts_call(environ):
            start_response("414 URI Too Long", [("Content-Type", "text/plain"), ("Connection", "close")])
            return [b"The address is too long.\n"]
        return application(environ, start_response)

    return answer


def _blame_the_sender(application: "WSGIApplication") -> "WSGIApplication":
    """Let a body in broken chunks be a bad request, which the server notices only while the body is read.

    It raises errors of its own then; werkzeug takes an OSError for a client that went away, and nothing else.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["wsgi.input"] = _Body(environ["wsgi.input"])
        return application(environ, start_response)

    return answer


class _Body:
    """The body of a request; reading it raises an OSError if it is not well-formed."""

    def __init__(self, stream: "InputStream") -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except ParseException as error:
            raise OSError(type(error).__name__) from error
