"""A real djangosaml2idp2, and so pysaml2, on a loopback port, for as long as a ``with`` block lasts."""

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

from tests.interop.parties import SAMLSP, Person
from tests.interop.processes import Server
from tests.interop.signing_key import make_signing_key
from tests.ports import reserve_ports
from tests.requirements import skip_or_fail
from tests.whoever_runs_this import PROXIES

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[2] / "var" / "interop" / "django"
INSTALL_WITHIN_SECONDS = 600
METADATA_COPIES = Path("/tmp/djangosaml2idp")
"""Where djangosaml2idp2 puts the metadata of each service provider, whatever it is told."""
Signed = Literal["none", "assertion", "response", "both"]


@dataclass(frozen=True)
class Registration:
    """One service provider, and what djangosaml2idp2 signs for it: nothing, unless it is told to."""

    sp: SAMLSP
    signed: Signed = "none"


class DjangoIdP:
    """SAML identity provider of one enterprise, and the awkward peer of the suite.

    The addresses are known before the start, so that the bridge can be configured first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        people: Iterable[Person],
        registrations: Iterable[Registration],
        idp_section: Mapping[str, Any] | None = None,
    ) -> None:
        """Take whom it knows, and further settings for the ``idp`` section of pysaml2's configuration.

        There ``sign_response`` decides whether logout messages are signed, and ``signing_algorithm`` how.
        """
        [port] = reserve_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.entity_id = f"{self.url}/idp/metadata/"
        self.metadata_url = self.entity_id
        self._folder = folder
        self._server: Server | None = None
        # It names a file after this number in a folder that all of its processes share.
        first_id = secrets.randbits(48)
        self._configuration = {
            "port": port,
            "url": self.url,
            "entity_id": self.entity_id,
            "cookie_key": secrets.token_urlsafe(48),
            "xmlsec1": shutil.which("xmlsec1"),
            "people": [
                {
                    "uid": person.uid,
                    "name": person.name,
                    "mail": person.mail,
                    "department": person.department,
                    "groups": person.groups,
                    "password": person.password,
                }
                for person in people
            ],
            "service_providers": [
                {
                    "id": number,
                    "entity_id": each.sp.entity_id,
                    "metadata": each.sp.metadata_xml,
                    "sign_response": each.signed in {"response", "both"},
                    "sign_assertion": each.signed in {"assertion", "both"},
                    "encrypt": each.sp.encryption == "assertion",
                }
                for number, each in enumerate(registrations, first_id)
            ],
            "idp_section": dict(idp_section or {}),
        }

    def idp_initiated_url(self, sp: SAMLSP) -> str:
        """Return the address that signs the person in and posts a response that nobody asked for."""
        return f"{self.url}/idp/sso/init/?{urlencode({'sp': sp.entity_id})}"

    def __enter__(self) -> Self:
        install()
        self._folder.mkdir(parents=True, exist_ok=True)
        private_key, certificate = make_signing_key("djangosaml2idp2 of the test suite")
        (self._folder / "signing.key").write_text(private_key)
        (self._folder / "signing.crt").write_text(certificate)
        configuration = self._folder / "idp.json"
        configuration.write_text(json.dumps(self._configuration))
        self._server = Server(
            [str(ENVIRONMENT / "bin" / "python"), str(HERE / "server.py"), str(configuration)],
            folder=self._folder,
            log=self._folder / "idp.log",
        )
        try:
            self._server.wait_until_it_answers(self.metadata_url)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._server:
            self._server.stop()
        for each in self._configuration["service_providers"]:
            (METADATA_COPIES / f"{each['id']}.xml").unlink(missing_ok=True)


def install() -> None:
    """Leave an environment of its own in a git-ignored folder; end the test if pip cannot bring the packages.

    Test processes take turns.
    """
    ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENT.parent / "django.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = ENVIRONMENT / "installed.txt"
        wanted = f"{sys.version}\n{(HERE / 'requirements.txt').read_text()}"
        if installed.exists() and installed.read_text() == wanted:
            return
        _run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
        pip = (str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet")
        _run(*pip, "install", "--require-hashes", "-r", str(HERE / "requirements.txt"))
        installed.write_text(wanted)


def _run(*command: str) -> None:
    try:
        subprocess.run(
            command,
            env=os.environ | PROXIES,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_WITHIN_SECONDS,
        )
    except subprocess.CalledProcessError as failure:
        first_line = (failure.stderr.strip() or "pip install failed").splitlines()[0]
        skip_or_fail(f"needs the package index for djangosaml2idp2: {first_line}")
    except subprocess.TimeoutExpired:
        skip_or_fail(f"needs the package index for djangosaml2idp2: no answer in {INSTALL_WITHIN_SECONDS} s")
