"""A CI job of the demo: it becomes a role with its platform's token, and what is only like it becomes nothing."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import click

from bridge.cli.printed_steps import StepPrinter
from bridge.errors import DemoFailed
from bridge.outbound import Answer, Outbound
from bridge.sandbox.browser.addresses import hide_query
from bridge.sandbox.browser.browser import Step
from bridge.sts_wire.request import VERSION

REPOSITORY, FORK = "acme/app", "mallory/app"
MAIN, BRANCH = "refs/heads/main", "refs/heads/dev"
ISSUER, ROLE = "acme-ci", "Developer"
_OK = 200


@dataclass
class JobWalk:
    """The bridge and the platform, seen by a job: two addresses, and what it asked for there."""

    public_url: str
    platform: str
    account_id: str
    trace: list[Step] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        """Return the credentials that a job on the main branch got; print how, and how others are refused.

        Raises:
            DemoFailed: somebody got what is not theirs, or nothing.
        """
        click.secho("\nA CI job, with the token that its platform gives it", bold=True)
        printer = StepPrinter(self.trace)
        status, answer = self._assume(REPOSITORY, MAIN)
        if status != _OK:
            raise DemoFailed(f"AssumeRoleWithOIDC: {status} {answer.get('Code')}")
        printer.step(f"a job of {REPOSITORY} on main calls AssumeRoleWithOIDC, as any SDK does")
        for whose, repository, ref in (("a job on another branch", REPOSITORY, BRANCH), ("a fork's job", FORK, MAIN)):
            status, refusal = self._assume(repository, ref)
            if status == _OK:
                raise DemoFailed(f"a job of {repository} on {ref} got credentials")
            printer.step(f"{whose} is refused: {refusal['Code']}")
        credentials: dict[str, str] = answer["Credentials"]
        return credentials

    def _assume(self, repository: str, ref: str) -> tuple[int, dict[str, Any]]:
        """Let a job get its token, and show it to the bridge; return the status and what was answered."""
        query = urlencode({"audience": self.public_url, "ref": ref})
        outbound, url = Outbound(development=True), f"{self.platform}/{repository}/id-token?{query}"
        token = json.loads(self._time("GET", url, lambda: outbound.get(url)).body)["value"]
        parameters = {
            "Action": "AssumeRoleWithOIDC",
            "Version": VERSION,
            "Format": "JSON",
            "OIDCProviderArn": f"acs:ram::{self.account_id}:oidc-provider/{ISSUER}",
            "RoleArn": f"acs:ram::{self.account_id}:role/{ROLE}",
            "RoleSessionName": "deploy",
            "OIDCToken": token,
        }
        url = f"{self.public_url}/"
        answer = self._time("POST", url, lambda: outbound.post_form(url, parameters))
        return answer.status, json.loads(answer.body)

    def _time(self, method: str, url: str, send: Callable[[], Answer]) -> Answer:
        started = time.perf_counter()
        answer = send()
        milliseconds = (time.perf_counter() - started) * 1000
        self.trace.append(Step(method, hide_query(url), answer.status, milliseconds))
        return answer
