"""The checks of one account: its STS and our clock, and what RAM has of what it must have."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

from bridge.clock import Clock
from bridge.errors import FetchFailed, FetchRefused
from bridge.exchange.accounts import Account
from bridge.exchange.sts_client import VERSION
from bridge.outbound import Limits, Outbound
from bridge.setup.desired import Desired, OIDCProvider, Role, SAMLProvider
from bridge.setup.doctor.finding import Finding
from bridge.setup.existing import Existing
from bridge.setup.metadata import read_metadata, same_metadata, shorten
from bridge.setup.trust import find_refusal

CLOCK_SECONDS = 60
"""How far the clocks may differ. Our assertions allow two minutes one way and three the other."""
_MAX_BYTES = 64_000


def check_sts(outbound: Outbound, account: Account, clock: Clock) -> Iterator[Finding]:
    """Yield whether STS answers, and by its ``Date`` header, how far our clock is from its.

    What it answers does not matter: the request names no action.
    """
    limits = Limits(account.connect_timeout_seconds, account.timeout_seconds, _MAX_BYTES)
    before = clock.now()
    try:
        answer = outbound.post_form(
            f"{account.endpoint}/", {"Version": VERSION}, limits=limits, ca_file=account.ca_file, proxy=account.proxy
        )
    except (FetchFailed, FetchRefused) as error:
        advice = (
            "Correct `endpoint` in the account's file, or let this machine reach it: the name, the port, a proxy. "
            "SSLError means another authority: name it as `ca_file`."
        )
        yield Finding("sts", account.name, "failed", error.detail, advice)
        return
    middle = before + (clock.now() - before) / 2
    yield Finding("sts", account.name, "ok", f"{account.endpoint} answers")
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        yield Finding("clock", account.name, "skipped", "the answer has no date")
        return
    # A date has whole seconds, so half of one is added: the error is at most that.
    ahead = (middle - theirs - timedelta(seconds=0.5)).total_seconds()
    found = f"our clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of STS"
    if abs(ahead) > CLOCK_SECONDS:
        yield Finding(
            "clock", account.name, "failed", found, "Let NTP set this machine's clock, and see that it keeps on."
        )
    else:
        yield Finding("clock", account.name, "ok", found)


def check_ram(desired: Desired, existing: Existing, *, issuer_fingerprint: str | None) -> Iterator[Finding]:
    """Yield for each thing that RAM must have whether it is there, and as we need it.

    ``issuer_fingerprint`` is that of the chain which our address serves now; None where nobody knows.
    """
    name = desired.account.name
    apply = f"Run `rambridge setup plan --account {name}`, then `apply`."
    if desired.saml_provider:
        yield _check_saml_provider(name, desired.saml_provider, existing.saml_provider, apply)
    if desired.oidc_provider:
        yield _check_oidc_provider(name, desired.oidc_provider, existing.oidc_provider, issuer_fingerprint, apply)
    for role in desired.roles:
        found = existing.roles.get(role.name)
        subject = f"{name}/{role.name}"
        if found is None:
            advice = f"{apply} Or remove it from the rules {', '.join(role.rules)}."
            yield Finding("role", subject, "failed", "RAM has no role of this name", advice)
            continue
        yield _check_trust(subject, role, found, apply)
        yield _check_duration(subject, desired.account, role, found)
    for user in desired.users:
        if user not in existing.users:
            yield Finding("user", f"{name}/{user}", "failed", "RAM has no user of this name", apply)
    for each in desired.decided_at_sign_in:
        advice = "See that RAM has what claims can make of it: set-up does not know those names."
        yield Finding("role", f"{name}/{each}", "skipped", "its name is decided at sign-in", advice)


def _check_saml_provider(account: str, wanted: SAMLProvider, found: SAMLProvider | None, apply: str) -> Finding:
    subject = f"{account}/{wanted.name}"
    if found is None:
        return Finding("saml-provider", subject, "failed", "RAM has no SAML provider of this name", apply)
    if same_metadata(wanted.metadata, found.metadata):
        return Finding("saml-provider", subject, "ok", "RAM has our metadata")
    ours, theirs = read_metadata(wanted.metadata), read_metadata(found.metadata)
    if ours is None or theirs is None:
        return Finding("saml-provider", subject, "failed", "what RAM has is no readable metadata", apply)
    if theirs.entity_id != ours.entity_id:
        said = f"RAM has the metadata of {theirs.entity_id}, and we are {ours.entity_id}"
        return Finding("saml-provider", subject, "failed", said, apply)
    if ours.certificates[0] not in theirs.certificates:
        said = f"RAM does not have the certificate that signs now, {shorten(ours.certificates[0])}"
        return Finding("saml-provider", subject, "failed", said, apply)
    said = "RAM has the certificate that signs now, and otherwise not our metadata of today: rotate no key yet"
    return Finding("saml-provider", subject, "warning", said, apply)


def _check_oidc_provider(
    account: str, wanted: OIDCProvider, found: OIDCProvider | None, fingerprint: str | None, apply: str
) -> Finding:
    subject = f"{account}/{wanted.name}"
    if found is None:
        return Finding("oidc-provider", subject, "failed", "RAM has no OIDC provider of this name", apply)
    if found.issuer != wanted.issuer:
        said = f"RAM has the issuer {found.issuer}, and ours is {wanted.issuer}"
        advice = "Delete the provider and run `setup apply`, or name another one as `oidc_provider`."
        return Finding("oidc-provider", subject, "failed", said, advice)
    lacking = [each for each in wanted.client_ids if each not in found.client_ids]
    if lacking:
        said = f"its client IDs are {', '.join(found.client_ids)}; our tokens are for {lacking[0]}"
        return Finding("oidc-provider", subject, "failed", said, f"{apply} Or correct `oidc_audience`.")
    if fingerprint and fingerprint not in {each.lower() for each in found.fingerprints}:
        said = f"RAM does not have the fingerprint of the chain that our address serves, {fingerprint}"
        return Finding("oidc-provider", subject, "failed", said, apply)
    return Finding("oidc-provider", subject, "ok", "issuer and audience are ours")


def _check_trust(subject: str, wanted: Role, found: Role, apply: str) -> Finding:
    for statement in wanted.statements:
        refusal = find_refusal(found.trust, statement)
        if refusal:
            return Finding("trust", subject, "failed", f"the trust policy does not admit us: {refusal}", apply)
    if found.trust != wanted.trust:
        said = "it admits us, in other words than set-up would write, or others as well"
        return Finding("trust", subject, "ok", said)
    return Finding("trust", subject, "ok", "it admits exactly us")


def _check_duration(subject: str, account: Account, wanted: Role, found: Role) -> Finding:
    """Compare the limits in the order in which they count; RAM's is the one that STS refuses to go beyond."""
    allowed = min(wanted.max_session_seconds, account.max_duration_seconds)
    asked = min(wanted.rule_seconds, allowed)
    if asked > found.max_session_seconds:
        said = (
            f"we would ask for {asked} s, and MaxSessionDuration in RAM is {found.max_session_seconds} s: STS refuses"
        )
        advice = f"Raise it (`setup apply`), or correct `role_max_duration_seconds` of {account.name}."
        return Finding("duration", subject, "failed", said, advice)
    if wanted.rule_seconds > allowed:
        said = f"a rule grants {wanted.rule_seconds} s, and the account's file allows {allowed} s: sessions are shorter"
        advice = "Nothing, if that is meant; otherwise `role_max_duration_seconds`, and MaxSessionDuration in RAM."
        return Finding("duration", subject, "warning", said, advice)
    said = f"rules grant {wanted.rule_seconds} s, RAM allows {found.max_session_seconds} s"
    return Finding("duration", subject, "ok", said)
