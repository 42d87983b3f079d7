"""How an account is entered: its STS's name, the proxy on the way, the role of another account, the ExternalId."""

import re
import secrets
from collections.abc import Iterator, Mapping

from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import Positions

GOOD_EXTERNAL_ID_CHARACTERS = 16
"""STS takes two. Who can guess an ExternalId has it."""

_STS_HOST = re.compile(r"(sts|sts(-vpc)?\.[a-z0-9]+(-[a-z0-9]+)+)\.aliyuncs\.com", re.ASCII)


def make_external_id() -> str:
    """Return a new ExternalId: ours to make, so that nobody can name us the one of somebody else."""
    return f"rambridge-{secrets.token_hex(16)}"


def find_way_problems(
    account: Account, accounts: Mapping[str, Account | None], positions: Positions
) -> Iterator[Problem]:
    """Yield what is wrong with the way into one account.

    ``accounts`` has None for one whose own file cannot be used.
    """
    yield from _find_endpoint_problems(account, positions)
    yield from _find_external_id_problems(account, positions)
    if account.via is not None and account.trust != "saml":
        yield positions.problem(
            ("trust",), f"with `via`, `trust: {account.trust}` is never used", "Remove `trust`.", at_key=True
        )
    if account.source_identity and not account.signs_calls:
        yield positions.problem(
            ("source_identity",),
            f"`trust: {account.trust}` has no place for it: only AssumeRole carries it",
            "Remove it, or enter the account by `via`.",
            at_key=True,
        )

    yield from _find_via_problems(account, accounts, positions)


def _find_via_problems(
    account: Account, accounts: Mapping[str, Account | None], positions: Positions
) -> Iterator[Problem]:
    if account.via is None:
        return
    other = accounts.get(account.via.account)
    if account.via.account not in accounts or account.via.account == account.name:
        names = ", ".join(sorted(set(accounts) - {account.name})) or "none"
        yield positions.problem(
            ("via", "account"),
            f"there is no other account named `{account.via.account}`",
            f"Write one of: {names}.",
            kind="unknown-account",
        )
    elif other is not None and other.via is not None:
        yield positions.problem(
            ("via", "account"),
            f"`{other.name}` is itself entered from another account, and a chain has one step",
            f"Write `{other.via.account}`, and let the roles here trust its role.",
        )
    elif other is not None and other.roles is not None and account.via.role in other.roles:
        yield positions.problem(
            ("via", "role"),
            f"rules may grant `{account.via.role}` to people as well, who could then enter this account by themselves",
            "Use a role that nobody is granted.",
            severity="warning",
            kind="role-for-chain",
        )


def _find_endpoint_problems(account: Account, positions: Positions) -> Iterator[Problem]:
    endpoint = split_web_url(account.endpoint)
    host = (endpoint.hostname or "") if endpoint else ""
    if host.endswith(".aliyuncs.com") and not _STS_HOST.fullmatch(host):
        yield positions.problem(
            ("endpoint",),
            f"{host} is not a name of Alibaba Cloud's STS",
            "Write sts.aliyuncs.com, sts.<region>.aliyuncs.com, or in a VPC sts-vpc.<region>.aliyuncs.com.",
        )
    if account.proxy is None:
        return
    proxy = split_web_url(account.proxy)
    if proxy is None or proxy.path.strip("/") or proxy.query or proxy.fragment:
        yield positions.problem(
            ("proxy",), "`proxy` is not the address of a proxy", "Write http://host:port, without a user or a path."
        )
    if endpoint is not None and endpoint.scheme != "https":
        yield positions.problem(
            ("proxy",), "a proxy could read and change what goes to an http endpoint", "Write an https `endpoint`."
        )


def _find_external_id_problems(account: Account, positions: Positions) -> Iterator[Problem]:
    made = make_external_id()
    if account.external_id is None:
        if account.via is not None:
            yield positions.problem(
                ("via",),
                "without `external_id`, whoever gets the other account's role to act for them can enter this account",
                f"Add `external_id: {made}`, just made for you, and demand it in the roles' trust policies "
                "(StringEquals, sts:ExternalId).",
                severity="warning",
                kind="external-id",
                at_key=True,
            )
    elif not account.signs_calls:
        yield positions.problem(
            ("external_id",),
            f"`trust: {account.trust}` has no place for it: only AssumeRole carries it",
            "Remove it.",
            at_key=True,
        )
    elif len(account.external_id) < GOOD_EXTERNAL_ID_CHARACTERS:
        yield positions.problem(
            ("external_id",),
            "it can be guessed: an ExternalId is made by us, and is long",
            f"Write `{made}`, just made for you, here and in the roles' trust policies.",
            severity="warning",
            kind="external-id",
        )
