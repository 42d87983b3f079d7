"""What is wrong with an issuer of workload tokens, and with rules for its workloads (threat STS-10).

Platforms such as GitHub vouch for everybody's jobs with one issuer. So a rule for workloads says whose job it means, in
``sub``: as an exact value, or as a beginning that has the owner whole.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from bridge.entitlements.rules import RuleDocument, RuleEntry
from bridge.errors import Problem
from bridge.identity.workloads import OWNER_SEGMENTS, Workload
from bridge.settings.checks import find_url_problems
from bridge.yaml_documents import Loc, Positions

_EXAMPLES = {
    "github-actions": "repo:acme/app:ref:refs/heads/main",
    "gitlab": "project_path:acme/app:ref_type:branch:ref:main",
    "kubernetes": "system:serviceaccount:default:deployer",
    None: "whose:what:which",
}


def find_workload_problems(workload: Workload, positions: Positions, *, development: bool) -> Iterator[Problem]:
    """Yield what is wrong with one issuer of workload tokens."""
    if not workload.issuer:
        yield positions.problem(("name",), "`issuer` is missing", "Write it exactly as `iss` stands in the tokens.")
        return
    if workload.keys_file is None:
        yield from find_url_problems(workload.issuer, positions, ("issuer",), development=development)
    elif not (positions.file.parent / workload.keys_file).is_file():
        message = f"the file {workload.keys_file} does not exist"
        fix = "Save the issuer's JWK set there (Kubernetes: kubectl get --raw /openid/v1/jwks)."
        yield positions.problem(("keys_file",), message, fix)
    parts = urlsplit(workload.issuer)
    if parts.query or parts.fragment:
        yield positions.problem(("issuer",), "an issuer has no query and no fragment", "Write it as `iss` has it.")


def find_workload_rule_problems(document: RuleDocument, workloads: Mapping[str, Workload | None]) -> Iterator[Problem]:
    """Yield each rule for workloads that leaves open whose they are; None is an issuer whose file cannot be used."""
    for number, entry in document.entries:
        loc: Loc = ("rules", number)
        concerned = [workloads[name] for name in entry.provider or () if name in workloads]
        if entry.claims_like and len(concerned) < len(entry.provider or ()) + (not entry.provider):
            yield document.positions.problem(
                (*loc, "claims_like"),
                "`claims_like` is for workloads, and this rule is for people as well",
                "Add `provider` with issuers of workloads only, or compare whole values in `claims`.",
                at_key=True,
            )
        elif entry.grant and concerned:
            yield from _find_unbound(entry, [each for each in concerned if each], document.positions, loc)


def _find_unbound(entry: RuleEntry, workloads: list[Workload], positions: Positions, loc: Loc) -> Iterator[Problem]:
    example = _EXAMPLES[workloads[0].preset if workloads else None]
    patterns, values = (entry.claims_like or {}).get("sub", ()), (entry.claims or {}).get("sub", ())
    if not patterns and not values:
        yield positions.problem(
            (*loc, "provider"),
            f"the rule `{entry.name}` does not say whose workloads it means: `sub` is missing",
            f'Add `claims: {{sub: "{example}"}}`, or a beginning of it with `*` under `claims_like`.',
            kind="workload-unbound",
        )
    for place, value in enumerate(values):
        if "*" in value:
            yield positions.problem(
                (*loc, "claims", "sub", place),
                "`claims` compares whole values, and `*` is a letter there",
                "Write the pattern under `claims_like`.",
                kind="workload-unbound",
            )
    for place, pattern in enumerate(patterns):
        for workload in workloads:
            if not re.match(OWNER_SEGMENTS[workload.preset], pattern.removesuffix("*")):
                yield positions.problem(
                    (*loc, "claims_like", "sub", place),
                    f"`{pattern}` leaves open whose workloads of {workload.name} it means",
                    f"Write the owner in full before `*`, such as {example}.",
                    kind="workload-unbound",
                )
