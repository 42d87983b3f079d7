"""A real LemonLDAP::NG on a loopback port, for as long as a ``with`` block lasts."""

import getpass
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from tests.interop.lemonldap.configuration import build_configuration, write_people
from tests.interop.parties import SAMLSP, OIDCClient, Person
from tests.interop.processes import Server
from tests.ports import reserve_ports
from tests.requirements import LEMONLDAP_PORTAL

HERE = Path(__file__).parent
FASTCGI_SOCKET = "llng.sock"  # relative: a test's folder can be longer than a socket's path may be
WORKERS = "2"


class LemonLDAP:
    """SAML identity provider and OpenID provider of one enterprise.

    The addresses are known before the start, so that the bridge can be configured first.
    """

    def __init__(self, folder: Path, *, saml_sp: SAMLSP, oidc_client: OIDCClient, people: Iterable[Person]) -> None:
        [port] = reserve_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.saml_entity_id = f"{self.url}/saml/metadata"
        self.saml_metadata_url = f"{self.url}/saml/metadata"
        self.oidc_issuer = f"{self.url}/"
        self._folder = folder
        self._saml_sp = saml_sp
        self._servers: list[Server] = []
        self._write_files(port, saml_sp, oidc_client, people)

    def idp_initiated_url(self, relay_state: str | None = None) -> str:
        """Return the address behind the bridge's tile: it signs the person in and posts an unasked response."""
        query = {"IDPInitiated": "1", "sp": self._saml_sp.entity_id}
        if relay_state is not None:
            query["RelayState"] = relay_state
        return f"{self.url}/saml/singleSignOn?{urlencode(query)}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        # Not llng-fastcgi-server, which refuses root and wants its own user to reach the folder.
        portal = ["plackup", "-s", "FCGI", "-E", "deployment", "--listen", FASTCGI_SOCKET, "--nproc", WORKERS]
        settings = {"LLNG_DEFAULTCONFFILE": str(self._folder / "lemonldap-ng.ini")}
        self._servers.append(
            Server(
                [*portal, str(LEMONLDAP_PORTAL)],
                folder=self._folder,
                log=self._folder / "llng.log",
                environment=settings,
            )
        )
        nginx = ["nginx", "-p", f"{self._folder}/", "-c", "nginx.conf", "-e", "stderr"]
        self._servers.append(Server(nginx, folder=self._folder, log=self._folder / "nginx.log"))
        for server in self._servers:
            server.wait_until_it_answers(self.saml_metadata_url)

    def _stop(self) -> None:
        while self._servers:
            self._servers.pop().stop()

    def _write_files(self, port: int, saml_sp: SAMLSP, oidc_client: OIDCClient, people: Iterable[Person]) -> None:
        for name in ("conf", "cache", "sessions/lock", "psessions/lock", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        write_people(self._folder / "people.sqlite", people)
        configuration = build_configuration(self._folder, portal=self.url, saml_sp=saml_sp, oidc_client=oidc_client)
        (self._folder / "conf" / "lmConf-1.json").write_text(json.dumps(configuration))
        is_root = os.geteuid() == 0
        values = {
            "FOLDER": str(self._folder),
            "PORT": str(port),
            "SOCKET": FASTCGI_SOCKET,
            "USER": f"user {getpass.getuser()};" if is_root else "",
        }
        for name in ("nginx.conf", "lemonldap-ng.ini"):
            text = (HERE / name).read_text()
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
            (self._folder / name).write_text(text)
