"""What the rules grant, decided in the plainest way: every rule is tried, one after another.

Written from the description of the language in ``config/README.md``, not from the engine, so that the two can be
compared. It shares nothing with the engine but the shape of an identity. Rules are what a YAML file holds, except that
``when`` is a tree of tuples, such as ``("and", ("eq", "department", "Data"), ("has", "level"))``.
"""

import json
import re
import unicodedata
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network


def write(rules):
    """Return the text of a rule file."""
    written = [rule | {"when": write_expression(rule["when"])} if "when" in rule else rule for rule in rules]
    return json.dumps({"rules": written}, ensure_ascii=False)


def write_expression(tree):
    """Return a tree as CEL."""
    kind, *arguments = tree
    form = {
        "eq": "claims.{} == {}",
        "in": "claims.{} in {}",
        "holds": "{1} in claims.{0}",
        "over": "claims.{} > {}",
        "has": "has(claims.{})",
        "not": "!({})",
        "and": "({}) && ({})",
        "or": "({}) || ({})",
    }[kind]
    if kind in {"not", "and", "or"}:
        return form.format(*map(write_expression, arguments))
    return form.format(arguments[0], *map(json.dumps, arguments[1:]))


def resolve_naively(identity, rules, groups_claims, now, address=None):
    """Return what is granted, as tuples, and the names of the rules that apply."""
    if identity.provider not in groups_claims:
        return [], []
    applying = [
        rule
        for rule in rules
        if _applies(rule, identity, groups_claims[identity.provider], now)
        and _allows_request(rule, identity.claims, groups_claims[identity.provider], now, address)
    ]
    denied = {
        (target["account"], *next(((kind, target[kind]) for kind in ("role", "user") if kind in target), ("all", "")))
        for rule in applying
        for target in rule.get("deny", ())
    }
    granted = {}
    for rule in applying:
        for grant in rule.get("grant", ()):
            kind = "role" if "role" in grant else "user"
            name = _expand(grant[kind], identity.claims)
            target = (grant["account"], kind, name)
            if name is None or target in granted or _is_denied(target, denied):
                continue
            terminal = grant.get("terminal_role")
            if terminal and _is_denied((grant["account"], "role", terminal), denied):
                terminal = None
            granted[target] = (*target, rule["name"], terminal)
    return list(granted.values()), [rule["name"] for rule in applying]


def _is_denied(target, denied):
    return target in denied or (target[0], "all", "") in denied


def _applies(rule, identity, groups_claim, now):
    claims = identity.claims
    answers = [True]
    if "provider" in rule:
        wanted = rule["provider"]
        answers.append(identity.provider in ([wanted] if isinstance(wanted, str) else wanted))
    if "groups" in rule:
        answers.append(_has_one(claims, groups_claim, rule["groups"], rule.get("ignore_case")))
    for name, wanted in rule.get("claims", {}).items():
        answers.append(_has_one(claims, name, [wanted] if isinstance(wanted, str) else wanted, rule.get("ignore_case")))
    if "when" in rule:
        answers.append(_is_true(rule["when"], _fit_for_expressions(claims)))
    require = rule.get("require", {})
    if "amr" in require or "acr" in require:
        answers.append(
            any(method in require.get("amr", ()) for method in identity.amr) or identity.acr in require.get("acr", ())
        )
    if "max_age_seconds" in require:
        age = (now - identity.authenticated_at).total_seconds()
        answers.append(identity.authentication_time_stated and age <= require["max_age_seconds"])
    return False not in answers if "deny" in rule else all(answer is True for answer in answers)


def _allows_request(rule, claims, groups_claim, now, address):
    """Return whether what narrows a rule lets it apply: where the person is not, from where, when, and until when."""
    answers = []
    if "not_groups" in rule:
        answers.append(_is_outside(claims, groups_claim, rule["not_groups"], rule.get("ignore_case")))
    if "networks" in rule:
        answers.append(_is_within(address, rule["networks"]))
    if "hours" in rule:
        answers.append(any(_spans(rule["hours"], now - timedelta(days=back), now) for back in (0, 1)))
    if "expires" in rule:
        answers.append(f"{now:%Y-%m-%d}" <= rule["expires"])
    return False not in answers if "deny" in rule else all(answer is True for answer in answers)


def _is_outside(claims, name, unwanted, ignore_case):
    """Return whether a claim is stated and has none of the values; None if that cannot be known."""
    inside = _has_one(claims, name, unwanted, ignore_case)
    if inside is not False:
        return None if inside is None else False
    values = claims.get(name)
    if values is None or any(_is_flawed(each) for each in ([values] if isinstance(values, str) else values)):
        return None
    return True


def _is_within(address, networks):
    """Return whether an address is in one of the networks; None if it is none."""
    try:
        number = ip_address((address or "").removeprefix("::ffff:"))
    except ValueError:
        return None
    return any(number in ip_network(network) for network in networks)


def _spans(hours, day, now):
    """Return whether ``now`` is in the span that begins on ``day``; everything in UTC."""
    begin = datetime.fromisoformat(f"{day:%Y-%m-%d}T{hours['from']}:00+00:00")
    end = datetime.fromisoformat(f"{day:%Y-%m-%d}T{hours['to']}:00+00:00")
    end += timedelta(days=1) if end <= begin else timedelta()
    return f"{day:%a}".lower() in hours["days"] and begin <= now < end


def _has_one(claims, name, wanted, ignore_case=None):
    """Return whether a claim has one of the values; None if that cannot be known."""
    value = claims.get(name)
    if value is None:
        withheld = name in claims.get("_claim_names", {}) or (name == "groups" and claims.get("hasgroups", False))
        return None if withheld else False
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > 10_000 or not all(isinstance(each, str) for each in values):
        return None
    texts = [each for each in values if not _is_flawed(each)]
    if ignore_case:
        texts, wanted = [each.lower() for each in texts], [each.lower() for each in wanted]
    return any(each in wanted for each in texts)


def _is_flawed(text):
    hidden = any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for letter in text)
    return hidden or len(text) > 1024 or unicodedata.normalize("NFC", text) != text


def _fit_for_expressions(claims):
    kept = {}
    for name, value in claims.items():
        texts = isinstance(value, list)
        usable = [each for each in value if not (isinstance(each, str) and _is_flawed(each))] if texts else value
        if _is_fit(usable) and _count(value) <= 5_000:
            kept[name] = usable
    return kept


def _is_fit(value):
    if isinstance(value, str):
        return not _is_flawed(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, list):
        return all(map(_is_fit, value))
    if isinstance(value, dict):
        return all(_is_fit(part) for item in value.items() for part in item)
    return True


def _count(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inside))


def _is_true(tree, claims):  # noqa: PLR0911 - one for each kind of tree
    """Return what CEL says of a tree: true, false, or None for an error."""
    match tree:
        case ("and" | "or" as joint, left, right):
            answers = {_is_true(left, claims), _is_true(right, claims)}
            decisive = joint == "or"
            return decisive if decisive in answers else None if None in answers else not decisive
        case ("not", inner):
            answer = _is_true(inner, claims)
            return None if answer is None else not answer
        case ("has", claim):
            return claim in claims
        case (_, claim, _) if claim not in claims:
            return None
        case ("eq", claim, text):
            return claims[claim] == text
        case ("in", claim, texts):
            return claims[claim] in list(texts)
        case ("holds", claim, text):
            return text in claims[claim] if isinstance(claims[claim], list | dict) else None
        case ("over", claim, number):
            is_number = isinstance(claims[claim], int | float) and not isinstance(claims[claim], bool)
            return claims[claim] > number if is_number else None


def _expand(written, claims):
    """Return a name with the claim that it mentions put in; None where no plain name comes of it."""
    match = re.fullmatch(r"([A-Za-z-]*)\$\{ claims\.([a-z]+) \}", written)
    if not match:
        return written
    value = _fit_for_expressions(claims).get(match[2])
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        return None
    return match[1] + value if len(match[1] + value) <= 64 else None
