"""``rambridge demo --once``: two sign-ins as a browser would do them and a CI job, over HTTP, told step by step."""

import json
import re
import secrets
import time
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bridge.audit.proof.verification import Scope, verify_log
from bridge.cli.audit import describe_record
from bridge.cli.job_walkthrough import REPOSITORY, ROLE, JobWalk
from bridge.cli.opened_log import open_log
from bridge.cli.printed_steps import StepPrinter
from bridge.clock import SystemClock, format_utc
from bridge.errors import DemoFailed
from bridge.outbound import Outbound
from bridge.sandbox.browser import Browser
from bridge.sandbox.cloud.state import load_cloud_state
from bridge.sandbox.idp.sessions import Method
from bridge.sandbox.idp.state import IdPState, load_state
from bridge.sts_wire.signature import sign_v3

_OK = 200


def walk_through(config: Path, public_url: str) -> None:
    """Sign somebody in by SAML and by OIDC, and let a CI job in, to credentials that STS accepts; print every step.

    Raises:
        DemoFailed: a step did not lead where it should.
    """
    cloud = load_cloud_state(config / "sandbox.yaml")
    walk = _Walk(load_state(config / "sandbox-idp.yaml"), public_url, cloud.url)
    started = time.perf_counter()
    with open_log(config) as log:
        before = log.reader.end()
        try:
            walk.sign_in("SAML 2.0, from the identity provider's tile", "saml-idp-initiated", cloud.accounts[0].id)
            walk.sign_in("OpenID Connect, from the identity provider's tile", "oidc", cloud.accounts[1].id)
            walk.run_job(cloud.accounts[1].id)
        except (LookupError, OSError) as error:  # a page without what should be on it, or a party that went away
            raise DemoFailed(str(error)) from error
        click.secho("\nAudit records written", bold=True)
        for record in log.reader.after(before):
            click.echo(describe_record(record))
        log.sequencer.catch_up()
        verified = verify_log(log.engine, Scope(log.verifier_keys, log.secrets.mac_key))
    click.echo(f"  {click.style('✓', fg='green')} {verified.end} records verified, each in the chain of its writer")
    took = f"{time.perf_counter() - started:.1f} s"
    click.secho(f"\nBoth sign-ins and the job are complete ({took}).", fg="green", bold=True)


@dataclass(frozen=True)
class _Walk:
    """The three parties of a sign-in."""

    idp: IdPState
    public_url: str
    endpoint: str

    def sign_in(self, title: str, tile_kind: str, account_id: str) -> None:
        """Go from a tile of this kind to credentials and the console of a role in this account."""
        click.secho(f"\n{title}", bold=True)
        browser = Browser()
        printer = StepPrinter(browser.trace)
        self._reach_portal(browser, printer, tile_kind)
        roles = [each for each in self._ask_entitlements(browser) if each["kind"] == "role"]
        role = next((role for role in roles if role["account_id"] == account_id), None)
        if role is None:
            raise DemoFailed(f"{self.idp.people[0].name} has no role in account {account_id}")
        browser.submit(f"/credentials/{role['id']}")
        credentials = _read_credentials(browser)
        printer.step(f"picks {role['name']} in {role['account']} and gets credentials")
        browser.open(f"{self.public_url}/")
        browser.submit(f"/console/{role['id']}")
        browser.auto_submit()
        if browser.page.status != _OK or role["name"] not in browser.page.text():
            raise DemoFailed(f"the console says {browser.page.title!r} ({browser.page.status})")
        printer.step(f"opens the console: “{browser.page.title}”")
        self._print_result(printer, f"{role['name']} in account {role['account']} ({role['account_id']})", credentials)

    def run_job(self, account_id: str) -> None:
        """Let a CI job become a role of this account, and others be refused."""
        job = JobWalk(self.public_url, f"{self.idp.url}/ci", account_id)
        credentials = job.run()
        self._print_result(
            StepPrinter(()), f"{ROLE} in account {account_id}, to a job of {REPOSITORY} on main", credentials
        )

    def _print_result(self, printer: StepPrinter, granted: str, credentials: dict[str, str]) -> None:
        caller, milliseconds = _get_caller_identity(self.endpoint, credentials)
        printer.print_line("calls GetCallerIdentity, signed with these credentials", milliseconds)
        click.echo(f"\n  Granted      {granted}")
        click.echo(f"  Credentials  {credentials['AccessKeyId']}  secret {_redact(credentials['AccessKeySecret'])}")
        click.echo(f"               token {_redact(credentials['SecurityToken'])}  until {credentials['Expiration']}")
        click.echo(f"  STS says     {caller['Arn']} ({caller['IdentityType']})")

    def _reach_portal(self, browser: Browser, printer: StepPrinter, tile_kind: str) -> None:
        person = self.idp.people[0]
        tile = next(tile for tile in self.idp.tiles if tile.kind == tile_kind)
        browser.open(self.idp.url)
        browser.submit("Sign in", user_name=person.uid, method=Method.SECURITY_KEY.value)
        printer.step(f"{person.name} signs in at {self.idp.name} with a security key")
        browser.click(tile.title)
        while any(form.auto_submit for form in browser.page.forms):
            browser.auto_submit()
        printer.step(f"clicks the tile “{tile.title}”")
        if urlsplit(browser.page.url).path.endswith("/acs"):
            browser.submit("/sign-in/confirm")
            printer.step("confirms who is signing in")
        page = browser.page
        if page.status != _OK or page.url != f"{self.public_url}/":
            raise DemoFailed(f"expected the portal, got “{page.title}” ({page.status})")

    def _ask_entitlements(self, browser: Browser) -> list[dict[str, Any]]:
        entitlements: list[dict[str, Any]] = browser.open(f"{self.public_url}/api/v1/session").json()["entitlements"]
        browser.open(f"{self.public_url}/")
        return entitlements


def _read_credentials(browser: Browser) -> dict[str, str]:
    found = re.search(r'<pre[^>]* id="json-text">(.*?)</pre>', browser.page.html, re.DOTALL)
    if found is None:
        raise DemoFailed(f"no credentials on the page “{browser.page.title}” ({browser.page.status})")
    credentials: dict[str, str] = json.loads(unescape(re.sub(r"<[^>]*>", "", found[1])))
    return credentials


def _get_caller_identity(endpoint: str, credentials: dict[str, str]) -> tuple[dict[str, Any], float]:
    headers = sign_v3(
        method="POST",
        host=urlsplit(endpoint).netloc,
        action="GetCallerIdentity",
        version="2015-04-01",
        query={},
        body=b"",
        content_type="application/x-www-form-urlencoded",
        date=format_utc(SystemClock().now()),
        nonce=secrets.token_hex(16),
        access_key_id=credentials["AccessKeyId"],
        access_key_secret=credentials["AccessKeySecret"],
        security_token=credentials["SecurityToken"],
    )
    started = time.perf_counter()
    answer = Outbound(development=True).post_form(f"{endpoint}/", {}, headers=headers)
    milliseconds = (time.perf_counter() - started) * 1000
    content: dict[str, Any] = json.loads(answer.body)
    if answer.status != _OK:
        raise DemoFailed(f"GetCallerIdentity: {answer.status} {content.get('Code')}")
    return content, milliseconds


def _redact(secret: str) -> str:
    return f"{secret[:3]}…({len(secret)} characters)"
