"""What a person may become, worked out slowly from the texts of rules: nothing of the engine or of the preview.

It knows the part of the language that ``material.py`` writes. A rule is the mapping that stands in the file.
"""

from datetime import timedelta
from ipaddress import ip_address, ip_network

GROUPS_CLAIMS = {"acme-saml": "groups", "acme-oidc": "roles"}
WHEN = {
    "claims.level >= 3": lambda kept: _number(kept.identity.claims.get("level"), lambda level: level >= 3),
    'claims.email.endsWith("@acme.example")': lambda kept: _text(
        kept.identity.claims.get("email"), lambda email: email.endswith("@acme.example")
    ),
    "request.time.getHours() < 12": lambda kept: kept.at.hour < 12,
    'request.source_address.startsWith("10.")': lambda kept: kept.source_address.startswith("10."),
    'identity.provider == "acme-oidc"': lambda kept: kept.identity.provider == "acme-oidc",
}
"""Each condition in CEL, and in Python: true, false, or None where it cannot be decided."""


def compare(sign_ins, before, after):
    """Return each person's gains, losses and other limits, as sets of (effect, person, kind, account, name)."""
    found = set()
    for kept in sign_ins:
        found |= differ(kept, decide(kept, before), decide(kept, after))
    return found


def differ(kept, old, new):
    found = {("gains", kept.person, *what) for what in new.keys() - old.keys()}
    found |= {("loses", kept.person, *what) for what in old.keys() - new.keys()}
    return found | {("limits", kept.person, *what) for what in old.keys() & new.keys() if old[what] != new[what]}


def decide(kept, files):
    """Return the limits by (kind, account, name) of all that is granted. ``files`` has lists of rules by file name."""
    rules = [rule for name in sorted(files) for rule in files[name]]
    denied = [target for rule in rules if holds(rule, kept) is not False for target in rule.get("deny", [])]
    granted = {}
    for rule in rules:
        if "grant" not in rule or holds(rule, kept) is not True:
            continue
        for grant in rule["grant"]:
            kind = "role" if "role" in grant else "user"
            name = _expand(grant[kind], kept)
            what = (kind, grant["account"], name)
            if name is None or what in granted or _is_denied(what, denied):
                continue
            terminal = grant.get("terminal_role")
            if terminal and _is_denied(("role", grant["account"], terminal), denied):
                terminal = None
            granted[what] = (grant.get("duration_seconds", 3600), str(grant.get("session_policy")), terminal)
    return granted


def holds(rule, kept):
    """Return true, false, or None where it cannot be known."""
    identity = kept.identity
    results = []
    if "provider" in rule:
        results.append(identity.provider in rule["provider"])
    if "groups" in rule:
        results.append(_has_any(identity.claims.get(GROUPS_CLAIMS[identity.provider]), rule["groups"]))
    if "not_groups" in rule:
        results.append(_has_none(identity.claims.get(GROUPS_CLAIMS[identity.provider]), rule["not_groups"]))
    if "networks" in rule:
        results.append(any(ip_address(kept.source_address) in ip_network(each) for each in rule["networks"]))
    if "hours" in rule:
        results.append(rule["hours"]["from"] <= f"{kept.at:%H:%M}" < rule["hours"]["to"])
    if "expires" in rule:
        results.append(f"{kept.at:%Y-%m-%d}" <= rule["expires"])
    for name, values in rule.get("claims", {}).items():
        results.append(_has_any(identity.claims.get(name), values))
    if "when" in rule:
        results.append(WHEN[rule["when"]](kept))
    results += _strength(rule.get("require", {}), kept)
    return False if False in results else None if None in results else True


def _strength(require, kept):
    identity = kept.identity
    if "amr" in require or "acr" in require:
        yield bool(set(identity.amr) & set(require.get("amr", []))) or identity.acr in require.get("acr", [])
    if "max_age_seconds" in require:
        # Whole seconds count, as a person would count them.
        yield kept.at - identity.authenticated_at < timedelta(seconds=require["max_age_seconds"] + 1)


def _has_any(claim, wanted):
    if claim is None:
        return False
    values = [claim] if isinstance(claim, str) else claim
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    return any(value in wanted for value in values)


def _has_none(claim, unwanted):
    found = _has_any(claim, unwanted)
    return None if found is None or claim is None else not found


def _is_denied(what, denied):
    kind, account, name = what
    return any(
        target["account"] == account and (target.keys() == {"account"} or target.get(kind) == name) for target in denied
    )


def _expand(name, kept):
    if name == "ext-${ claims.uid }":
        uid = kept.identity.claims.get("uid")
        return f"ext-{uid}" if isinstance(uid, str) else None
    return name


def _number(value, test):
    return test(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value, test):
    return test(value) if isinstance(value, str) else None
