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


def resolve_naively(identity, rules, groups_claims, now, schemas=None, *, address=None):
    """Return what is granted, as tuples, and the names of the rules that apply.

    ``schemas`` has, for some providers, whether groups are IDs and the types of claims.
    """
    if identity.provider not in groups_claims:
        return [], []
    schema = (schemas or {}).get(identity.provider, (False, {}))
    groups_claim, types = groups_claims[identity.provider], schema[1]
    applying = [
        rule
        for rule in rules
        if _applies(rule, identity, groups_claim, now, schema) and _allows_request(rule, now, address)
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
            name = _expand(grant[kind], _fit_for_expressions(identity.claims, types))
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


def _applies(rule, identity, groups_claim, now, schema):
    ids, types = schema
    claims, fold = identity.claims, rule.get("ignore_case", False)
    answers = [True]
    if "provider" in rule:
        wanted = rule["provider"]
        answers.append(identity.provider in ([wanted] if isinstance(wanted, str) else wanted))
    if "groups" in rule:
        answers.append(_has_one(claims, groups_claim, rule["groups"], types, fold=fold, ids=ids))
    if "not_groups" in rule:
        answers.append(_has_none(claims, groups_claim, rule["not_groups"], types, fold=fold, ids=ids))
    for name, wanted in rule.get("claims", {}).items():
        answers.append(_has_one(claims, name, [wanted] if isinstance(wanted, str) else wanted, types, fold=fold))
    if "expires" in rule:
        answers.append(now.date().isoformat() <= rule["expires"])
    if "when" in rule:
        answers.append(_is_true(rule["when"], _fit_for_expressions(claims, types)))
    require = rule.get("require", {})
    if "amr" in require or "acr" in require:
        answers.append(
            any(method in require.get("amr", ()) for method in identity.amr) or identity.acr in require.get("acr", ())
        )
    if "max_age_seconds" in require:
        age = (now - identity.authenticated_at).total_seconds()
        answers.append(identity.authentication_time_stated and age <= require["max_age_seconds"])
    return False not in answers if "deny" in rule else all(answer is True for answer in answers)


def _allows_request(rule, now, address):
    """Return whether the place and the hour let a rule apply."""
    answers = []
    if "networks" in rule:
        answers.append(_is_within(address, rule["networks"]))
    if "hours" in rule:
        answers.append(any(_spans(rule["hours"], now - timedelta(days=back), now) for back in (0, 1)))
    return False not in answers if "deny" in rule else all(answer is True for answer in answers)


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


def _has_one(claims, name, wanted, types, *, fold, ids=None):
    """Return whether a claim has one of the values; None if that cannot be known."""
    value = claims.get(name)
    if value is None:
        withheld = name in claims.get("_claim_names", {}) or (name == "groups" and claims.get("hasgroups", False))
        return None if withheld else False
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > 10_000 or not all(isinstance(each, str) for each in values):
        return None
    if not _is_of_type(value, types.get(name)):
        return None
    return bool(_compare(wanted, fold=fold) & _compare((each for each in values if _counts(each, ids)), fold=fold))


def _has_none(claims, name, unwanted, types, *, fold, ids):
    """Return whether it is stated that a claim has none of the values; None if that cannot be known."""
    found = _has_one(claims, name, unwanted, types, fold=fold, ids=ids)
    if found is not False:
        return None if found is None else False
    value = claims.get(name)
    stated = value is not None and all(_counts(each, ids) for each in ([value] if isinstance(value, str) else value))
    return True if stated else None


def _compare(texts, *, fold):
    return {unicodedata.normalize("NFC", text.lower()) if fold else text for text in texts}


def _counts(text, ids):
    """Return whether a text may be compared, and is an ID or a name as ``ids`` says; None: both will do."""
    return not _is_flawed(text) and ids in {None, re.fullmatch(r"S-1-\d+-\d+|[0-9a-f-]{36}", text) is not None}


def _is_of_type(value, declared):
    if value is True or value is False:
        return declared in {None, "bool"}
    kinds = {"string": str, "list": list, "bool": bool, "int": int, "map": dict}
    return declared is None or isinstance(value, kinds[declared])


def _is_flawed(text):
    hidden = any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for letter in text)
    return hidden or len(text) > 1024 or unicodedata.normalize("NFC", text) != text


def _fit_for_expressions(claims, types):
    kept = {}
    for name, value in claims.items():
        texts = isinstance(value, list)
        usable = [each for each in value if not (isinstance(each, str) and _is_flawed(each))] if texts else value
        if _is_fit(usable) and _count(value) <= 5_000 and _is_of_type(value, types.get(name)):
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
    value = claims.get(match[2])
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        return None
    return match[1] + value if len(match[1] + value) <= 64 else None
