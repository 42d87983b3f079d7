"""Alibaba Cloud's SDKs for Node in a process of their own, for as long as a ``with`` block lasts."""

import json
import os
import selectors
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.npm import ROOT, install

HERE = Path(__file__).parent
INSTALLATION = ROOT / "node-sdks"
ANSWERS_WITHIN_SECONDS = 300
ENDS_WITHIN_SECONDS = 60


class Refused(Exception):
    """The SDK threw."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('name')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = str(error.get("message"))
        self.status = error.get("statusCode")
        self.name = error.get("name")
        self.retry_after = error.get("retryAfter")
        self.request_id = error.get("requestId")


class NodeSDKs:
    """Makes calls, one after another; ``home`` is where the SDKs look for the CLI's profiles."""

    def __init__(self, folder: Path, ca_file: Path | None = None) -> None:
        self.home = folder
        self._ca_file = ca_file
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        install(HERE, INSTALLATION, "caller.mjs", "Alibaba Cloud's SDKs")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALIBABA", "NODE_"))}
        ours = {"HOME": str(self.home)} | ({"NODE_EXTRA_CA_CERTS": str(self._ca_file)} if self._ca_file else {})
        with (self.home / "node.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["node", "caller.mjs"],
                cwd=INSTALLATION,
                env=kept | ours,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDS_WITHIN_SECONDS)
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def call(self, sdk: str, **call: Any) -> Any:
        """Return what the SDK returned. Raises Refused with what it threw."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"sdk": sdk, **call}) + "\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            ready = selector.select(ANSWERS_WITHIN_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        assert line, (self.home / "node.log").read_text()
        outcome = json.loads(line)
        if "error" in outcome:
            raise Refused(outcome["error"])
        return outcome["result"]
