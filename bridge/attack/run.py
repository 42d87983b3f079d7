"""Running the corpus in a lane, and judging each case: what was sent, what came back, what was left behind.

A case counts as refused if the message got a refusal that is one (never a server error), within a second, with one
record of it, and without using anything up, and if its twin was then accepted at the same place. A case whose twin the
settings do not accept proves nothing, and is counted apart.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from werkzeug.test import TestResponse

from bridge.attack.case import Case
from bridge.attack.lane import Lane, open_lane
from bridge.attack.oidc.cases import CASES as OIDC_CASES
from bridge.attack.oidc.trial import openid_trials
from bridge.attack.saml.cases import CASES as SAML_CASES
from bridge.attack.saml.trial import ResponseTrials
from bridge.attack.trial import Delivery, Trial, is_accepted
from bridge.errors import IdentityError, walk_leaves
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.settings import Settings
from bridge.web.errors import find_status

SECONDS = 1.0
"""How much work a refusal may be."""
WAITING_SECONDS = 10.0
"""How long it may take in all; more than a request of ours to a provider may."""

Verdict = Literal["refused", "accepted", "server error", "flawed", "not applicable"]

_STATUSES = {vars(leaf)["code"]: find_status(leaf) for leaf in walk_leaves()}
_SENTENCES = {vars(leaf)["code"]: leaf.public for leaf in walk_leaves()}
_REFERENCE = re.compile(r'id="reference">([0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4})<')
_CODE = re.compile(r'<dd class="mono">([a-z0-9_]+) ')


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    case: Case
    verdict: Verdict
    code: str
    """The code of the refusal; empty if there was none."""
    milliseconds: float
    twin_accepted: bool
    changed: Mapping[str, Any] = field(default_factory=dict)
    """Settings that were not the operator's, because the case is about others."""
    fault: str = ""
    """What was wrong, where something was."""

    @property
    def is_expected(self) -> bool:
        """Whether the refusal has the code that it has where nothing else could be wrong."""
        return self.verdict == "refused" and not self.fault


@dataclass(frozen=True)
class Run:
    """The outcomes of one provider."""

    provider: SAMLProvider | OIDCProvider
    outcomes: tuple[Outcome, ...]
    left_the_machine: tuple[str, ...]
    """What wanted to be reached beyond this machine; nothing was."""

    def count(self, *verdicts: Verdict) -> int:
        """Return how many cases ended so."""
        return sum(outcome.verdict in verdicts for outcome in self.outcomes)


def find_cases(provider: SAMLProvider | OIDCProvider, threats: Sequence[str] = ()) -> list[Case]:
    """Return the cases of a provider's protocol, in the order of the catalogue; ``threats`` names those wanted."""
    cases: Sequence[Case] = SAML_CASES if isinstance(provider, SAMLProvider) else OIDC_CASES
    chosen = [case for case in cases if not threats or case.threat in threats]
    return sorted(chosen, key=lambda case: case.threat)


def attack(
    settings: Settings,
    provider: SAMLProvider | OIDCProvider,
    cases: Sequence[Case],
    report: Callable[[Outcome], None] = lambda _: None,
) -> Run:
    """Try all cases in a lane of their own; ``report`` hears of each outcome at once.

    Raises StoreUnavailable where no store can be run.
    """
    outcomes = []
    with open_lane(settings, provider) as lane, _open_trials(lane) as prepare:
        for case in cases:
            outcome = try_case(lane, prepare, case)
            outcomes.append(outcome)
            report(outcome)
        return Run(provider, tuple(outcomes), tuple(lane.seal.attempts))


@contextmanager
def _open_trials(lane: Lane) -> Iterator[Callable[[Any], Trial]]:
    if isinstance(lane.provider, SAMLProvider):
        yield ResponseTrials(lane).prepare
    else:
        with openid_trials(lane) as trials:
            yield trials.prepare


def try_case(lane: Lane, prepare: Callable[[Any], Trial], case: Case) -> Outcome:
    """Return what becomes of a case."""
    lane.forget()
    try:
        trial = prepare(case)
    except Exception as error:  # noqa: BLE001  a case looks for what these settings may not put there
        fault = f"the message cannot be made under these settings: {type(error).__name__}"
        return Outcome(case, "not applicable", "", 0.0, twin_accepted=False, fault=fault)
    before, last = lane.memory(), lane.last()
    delivery = trial.attack()
    code = _find_code(delivery)
    after, records = lane.memory(), lane.records(last)
    twin = trial.honest()
    twin_accepted = is_accepted(twin.response)

    verdict: Verdict = "refused"
    fault = ""
    if is_accepted(delivery.response):
        verdict, fault = "accepted", "the hostile message was accepted"
    elif delivery.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and code != trial.error.code:
        verdict, fault = "server error", f"status {delivery.response.status_code}, code {code or 'none'}"
    elif found := _find_flaw(lane, trial, delivery, code, records, is_unchanged=before == after):
        verdict, fault = "flawed", found
    elif not twin_accepted:
        verdict, fault = "not applicable", f"the twin was not accepted: {_find_code(twin) or twin.response.status}"
    elif code != trial.error.code:
        fault = f"refused with {code}, before {trial.error.code} could be"
    return Outcome(case, verdict, code, delivery.seconds * 1000, twin_accepted, trial.changed, fault)


def _find_flaw(  # noqa: PLR0911  one for each way of being wrong
    lane: Lane,
    trial: Trial,
    delivery: Delivery,
    code: str,
    records: Sequence[Mapping[str, Any]],
    *,
    is_unchanged: bool,
) -> str:
    """Return what is wrong with a refusal; nothing if it is one as each must be."""
    response = delivery.response
    if response.status_code != _STATUSES.get(code):
        return f"status {response.status_code} with code {code or 'none'}"
    if code not in _REFUSALS and code != trial.error.code:
        return f"{code} is no refusal of a message"
    if delivery.seconds > SECONDS or delivery.waited_seconds > WAITING_SECONDS:
        return f"it took {delivery.seconds:.1f} s of work, and {delivery.waited_seconds:.1f} s in all"
    if not is_unchanged:
        return "it used something up, or left something behind"
    if {"Set-Cookie", "Location"} & {*response.headers.keys()} or response.headers["Cache-Control"] != "no-store":
        return "the answer sets a cookie, leads elsewhere or may be stored"
    plain = _take_out(response, code)
    if plain and plain != lane.plain_pages.setdefault(response.status_code, plain):
        return "the page says more than code, sentence and reference"
    expected = [] if trial.event is None else [(trial.event, code, delivery.digest)]
    if [(record["event"], record["code"], record.get("message_digest")) for record in records] != expected:
        return f"it left {len(records)} records, or another one than it should"
    return ""


def _take_out(response: TestResponse, code: str) -> str:
    """Return a page without its code, sentence and reference: what is left is the same for every refusal."""
    if response.mimetype == "application/json":
        return ""
    text = html.unescape(response.text)
    reference = "".join(_REFERENCE.findall(text)[:1])
    shown_again = (f'name="error" value="{code}"', f'name="reference" value="{reference}"')
    for own in (*shown_again, reference, f'mono">{code} ', f"<p>{_SENTENCES.get(code, '')}</p>"):
        text = text.replace(own, "", 1)
    return text


_REFUSALS = {vars(leaf)["code"] for leaf in walk_leaves(IdentityError)}


def _find_code(delivery: Delivery) -> str:
    response = delivery.response
    if response.mimetype == "application/json":
        return str((response.json or {}).get("code", ""))
    found = _CODE.search(response.text)
    return found[1] if found else ""
