"""Who is explained by which rules, and what decided: the table that the tests of the explanation share."""

from datetime import timedelta
from typing import NamedTuple

from tests.unit.entitlements.factories import NOW, make_identity

MFA = "https://refeds.org/profile/mfa"
OVERAGE = {"_claim_names": {"groups": "src1"}}


class Case(NamedTuple):
    """One rule, one person, and what has to be named."""

    id: str
    asks: str
    """The conditions of the rule `asked`, which grants the role Admin, as YAML within braces."""
    person: dict
    """What is changed in the person; `claims` replaces all of them."""
    kind: str
    claim: str
    words: str
    """What the sentence has to contain."""
    standing: str = "near"
    by: str = "asked"
    """The name of the rule that decided."""
    others: tuple[str, ...] = ()
    """Further rules, before it."""
    grant: str = "role: Admin"
    deny: bool = False
    """Whether `asked` denies instead."""


def write_rules(case):
    effect = "deny: [{account: prod}]" if case.deny else f"grant: [{{account: prod, {case.grant}}}]"
    lines = [*case.others, f"name: asked, {case.asks}, {effect}"]
    return "rules:\n" + "".join(f"- {{{line}}}\n" for line in lines)


def make_person(case):
    return make_identity(**case.person)


def groups(*values):
    return {"claims": {"groups": list(values)}}


def claims(**values):
    return {"claims": values}


def ago(**time):
    return {"authenticated_at": NOW - timedelta(**time)}


OIDC = {"protocol": "oidc"}
PLATFORM = "groups: [platform]"
FINANCE = "claims: {department: Finance}"
STRONG = f"{PLATFORM}, require: {{amr: [mfa, hwk]}}"
STRONG_SAML = f'{PLATFORM}, require: {{acr: ["{MFA}"]}}'
FRESH = f"{PLATFORM}, require: {{max_age_seconds: 900}}"
NIGHT = "hours: {days: [mon, tue], from: '20:00', to: '22:00', time_zone: UTC}"
OFFICE = f"{PLATFORM}, networks: [10.0.0.0/8]"
ADDRESS = "192.0.2.7"
FIRST = "name: first, groups: [employees], grant: [{account: prod, role: Admin}]"
NO_CONTRACTORS = "name: no-contractors, groups: [contractors], deny: [{account: prod}]"
NO_ADMIN = "name: no-admin, claims: {kind: external}, deny: [{account: prod, role: Admin}]"
NO_STRANGERS = "name: no-strangers, when: 'claims.kind == \"external\"', deny: [{account: prod}]"


def when(text):
    return f"{PLATFORM}, when: '{text}'"


CASES = (
    # what is granted
    Case("group", PLATFORM, {}, "", "groups", "granted by `asked`: `groups` has platform", "grants"),
    Case("claim", FINANCE, claims(department="Finance"), "", "department", "`department` has Finance", "grants"),
    Case("everybody", "everyone: true", {}, "", "", "it is for everybody", "grants"),
    Case("expression", "when: claims.level > 2", claims(level=3), "", "level", "`when` is true", "grants"),
    # a group that is written in another way
    Case(
        "case",
        PLATFORM,
        groups("Platform"),
        "case",
        "groups",
        "a group named `platform`; the provider sent `Platform` (differs in case)",
    ),
    Case("upper case", PLATFORM, groups("x", "PLATFORM"), "case", "groups", "`PLATFORM` (differs in case)"),
    Case("blank behind", PLATFORM, groups("platform "), "blanks", "groups", "sent `platform ` (has blanks around it"),
    Case("two blanks", "groups: [on call]", groups("on  call"), "blanks", "groups", "`on  call` (has other blanks)"),
    Case(
        "zero width",
        PLATFORM,
        groups("plat\u200bform"),
        "invisible",
        "groups",
        "`plat<U+200B>form` (holds an invisible character, U+200B",
    ),
    Case("soft hyphen", PLATFORM, groups("plat\u00adform"), "invisible", "groups", "U+00AD SOFT HYPHEN"),
    Case("right to left", PLATFORM, groups("\u202eplatform"), "invisible", "groups", "<U+202E>"),
    Case("cyrillic", PLATFORM, groups("pl\u0430tform"), "look-alike", "groups", "U+0430 CYRILLIC SMALL LETTER A"),
    Case("greek", "groups: [Ops]", groups("\u039fps"), "look-alike", "groups", "GREEK CAPITAL LETTER OMICRON"),
    Case("full width", PLATFORM, groups("\uff50latform"), "look-alike", "groups", "FULLWIDTH LATIN SMALL LETTER P"),
    Case(
        "not nfc", "groups: [caf\u00e9]", groups("cafe\u0301"), "unicode form", "groups", "not in Unicode normal form C"
    ),
    Case("two ways", PLATFORM, groups(" Platform"), "blanks", "groups", "blanks around it, differs in case"),
    Case("misspelled", PLATFORM, groups("platfrom"), "spelling", "groups", "`platfrom` (one letter differs)"),
    Case("plural", PLATFORM, groups("platforms"), "spelling", "groups", "`platforms`"),
    Case(
        "path", PLATFORM, groups("/acme/platform"), "path", "groups", "`/acme/platform`, which is a path or full name"
    ),
    Case("windows", PLATFORM, groups("ACME\\platform"), "path", "groups", "`ACME\\platform`"),
    Case("ldap", PLATFORM, groups("CN=Platform,OU=Groups,DC=acme"), "path", "groups", "full name"),
    Case(
        "object id",
        PLATFORM,
        groups("0f8fad5b-d9cb-469f-a165-70867728950e"),
        "identifier",
        "groups",
        "sends identifiers such as",
    ),
    Case(
        "one of many",
        "groups: [a, b, c, d, platform]",
        groups("Platform"),
        "case",
        "groups",
        "one of the groups `platform`, `a`, `b` and 2 more",
    ),
    # a claim of another type
    Case(
        "commas",
        PLATFORM,
        claims(groups="employees,platform"),
        "one text",
        "groups",
        "one text with several values in it",
    ),
    Case("number", PLATFORM, claims(groups=7), "type", "groups", "the number 7, which is not a list of texts"),
    Case("object", PLATFORM, claims(groups={"platform": True}), "type", "groups", "an object"),
    Case("true", PLATFORM, claims(groups=True), "type", "groups", "sent `true`"),
    Case("mixed", PLATFORM, claims(groups=["platform", 7]), "type", "groups", "a list that holds the number 7"),
    Case("claim number", "claims: {level: '3'}", claims(level=3), "type", "level", "the number 3"),
    # a claim that is not there
    Case(
        "absent", PLATFORM, claims(department="Finance"), "absent", "groups", "the provider sent no `groups`", "missed"
    ),
    Case("null", PLATFORM, claims(groups=None), "absent", "groups", "sent no `groups`", "missed"),
    Case("empty", PLATFORM, groups(), "empty", "groups", "an empty `groups`", "missed"),
    Case("overage", PLATFORM, claims(**OVERAGE), "overage", "groups", "did not send `groups`: too many values"),
    Case("hasgroups", PLATFORM, claims(hasgroups=True), "overage", "groups", "too many values"),
    Case("claim absent", FINANCE, groups("x"), "absent", "department", "sent no `department`", "missed"),
    Case(
        "claim in capitals",
        PLATFORM,
        claims(Groups=["x"]),
        "claim name",
        "Groups",
        "no claim `groups`, but one called `Groups`",
    ),
    Case(
        "claim by address",
        FINANCE,
        {"claims": {"http://acme.example/department": ["x"]}},
        "claim name",
        "http://acme.example/department",
        "one called",
    ),
    Case(
        "in another claim",
        PLATFORM,
        claims(roles=["platform"]),
        "other claim",
        "roles",
        "`roles` has it, and this rule reads `groups`",
    ),
    Case(
        "in another claim too",
        PLATFORM,
        claims(groups=["x"], department="platform"),
        "other claim",
        "department",
        "`department` has it",
    ),
    Case("other groups", PLATFORM, groups("sales", "hr"), "value", "groups", "sent `sales`, `hr`", "missed"),
    Case("other number", "groups: [team-1]", groups("team-2"), "value", "groups", "sent `team-2`", "missed"),
    Case(
        "other claim value",
        FINANCE,
        claims(department="Sales"),
        "value",
        "department",
        "`department` to be `Finance`; the provider sent `Sales`",
        "missed",
    ),
    Case("claim in another case", FINANCE, claims(department=["FINANCE"]), "case", "department", "differs in case"),
    # the provider and the sign-in
    Case(
        "other provider",
        f"provider: acme-oidc, {PLATFORM}",
        {},
        "provider",
        "provider",
        "is for the provider `acme-oidc`; this one is `acme-saml`",
    ),
    Case(
        "wrong amr",
        STRONG,
        {"protocol": "oidc", "amr": ("pwd",)},
        "strength",
        "amr",
        "by `mfa`, `hwk` (amr); this one was by `pwd`",
        "reach",
    ),
    Case(
        "amr in capitals",
        STRONG,
        {"protocol": "oidc", "amr": ("MFA",)},
        "case",
        "amr",
        "`MFA` (differs in case)",
        "reach",
    ),
    Case("no amr", STRONG, OIDC, "strength not stated", "amr", "the provider did not state how (amr)", "reach"),
    Case("amr by saml", STRONG, {}, "strength never stated", "amr", "SAML states no `amr`, so write `acr` as well"),
    Case("wrong acr", STRONG_SAML, {}, "strength", "acr", "PasswordProtectedTransport", "reach"),
    Case("no acr", STRONG_SAML, {"acr": None}, "strength not stated", "acr", "did not state how", "reach"),
    Case(
        "too old",
        FRESH,
        ago(minutes=20),
        "age",
        "authenticated_at",
        "at most 15 minutes ago; this one was 20 minutes ago",
        "reach",
    ),
    Case(
        "no time",
        FRESH,
        {"authentication_time_stated": False},
        "age not stated",
        "authenticated_at",
        "did not state when",
        "reach",
    ),
    Case(
        "weak and old",
        f"{PLATFORM}, require: {{amr: [mfa], max_age_seconds: 900}}",
        OIDC | ago(hours=1),
        "strength not stated",
        "amr",
        "and needs a sign-in at most 15 minutes ago; this one was 1 hour ago",
        "reach",
    ),
    Case(
        "weak, and not meant",
        "groups: [hr], require: {amr: [mfa]}",
        {},
        "value",
        "groups",
        "a group named `hr`",
        "missed",
    ),
    # expressions
    Case(
        "first part false",
        when("claims.level > 2 && has(claims.uid)"),
        {"claims": {"groups": ["platform"], "level": 1}},
        "when",
        "level",
        "needs `claims.level > 2`, which is false: `level` is `1`",
    ),
    Case(
        "second part false",
        when('has(claims.groups) && claims.department == "Data"'),
        {},
        "when",
        "department",
        '`claims.department == "Data"`',
    ),
    Case(
        "part in another case",
        when('claims.department == "platform"'),
        {},
        "case",
        "department",
        "sent `Platform` (differs in case)",
    ),
    Case(
        "part absent",
        when("claims.level > 2"),
        {},
        "absent",
        "level",
        "cannot be decided: the provider sent no `level`",
    ),
    Case(
        "part of another type",
        when("claims.uid > 2"),
        {},
        "undecided",
        "uid",
        "`claims.uid > 2`, which cannot be decided",
    ),
    Case(
        "brackets",
        when('(has(claims.uid) && claims.uid == "x") && has(claims.groups)'),
        {},
        "when",
        "uid",
        '`claims.uid == "x"`',
    ),
    Case("in a list", when('"ops" in claims.groups'), {}, "when", "groups", '`"ops" in claims.groups`, which is false'),
    Case(
        "one of a list", when('claims.department in ["platform", "data"]'), {}, "case", "department", "differs in case"
    ),
    Case("has", when("has(claims.badge)"), {}, "absent", "badge", "which is false: there is no `badge`"),
    Case("time", when('request.time < timestamp("2026-01-01T00:00:00Z")'), {}, "when", "time", "which is false"),
    Case(
        "acr not stated",
        when('identity.acr == "x"'),
        {"acr": None},
        "absent",
        "acr",
        "cannot be decided: nothing states `identity.acr`",
    ),
    # where, when, and whom it leaves out
    Case("expired", f"{PLATFORM}, expires: 2026-11-01", {}, "expires", "time", "expired at the end of 2026-11-01"),
    Case("outside hours", f"{PLATFORM}, {NIGHT}", {}, "hours", "time", "it is tue 09:00 in UTC; the hours are"),
    Case("other network", OFFICE, {}, "networks", "source_address", "192.0.2.7, which is in none of: 10.0.0.0/8"),
    Case("left out", f"{PLATFORM}, not_groups: [employees]", {}, "not_groups", "groups", "`groups` has employees"),
    Case("expired, not meant", "groups: [hr], expires: 2026-11-01", {}, "expires", "time", "expired", "missed"),
    Case("any case", f"{PLATFORM}, ignore_case: true", groups("PlatForm"), "", "groups", "has platform", "grants"),
    Case("any case, blank", f"{PLATFORM}, ignore_case: true", groups("PlatForm "), "blanks", "groups", "`PlatForm `"),
    # what other rules take
    Case(
        "denied",
        PLATFORM,
        groups("platform", "contractors"),
        "denied",
        "groups",
        "role prod/Admin is denied by `no-contractors`: `groups` has contractors",
        "withheld",
        "no-contractors",
        (NO_CONTRACTORS,),
    ),
    Case(
        "role denied",
        PLATFORM,
        {"claims": {"groups": ["platform"], "kind": "external"}},
        "denied",
        "kind",
        "`no-admin`: `kind` has external",
        "withheld",
        "no-admin",
        (NO_ADMIN,),
    ),
    Case(
        "denied, not ruled out",
        PLATFORM,
        {},
        "denied",
        "kind",
        "`no-strangers`: it cannot be ruled out",
        "withheld",
        "no-strangers",
        (NO_STRANGERS,),
    ),
    Case(
        "granted already", PLATFORM, {}, "taken", "groups", "granted already, by `first`", "withheld", "first", (FIRST,)
    ),
    Case(
        "name refused",
        PLATFORM,
        {"claims": {"groups": ["platform"], "uid": "a/../b"}},
        "name",
        "uid",
        "${ claims.uid } is not a plain name",
        "withheld",
        grant='user: "${ claims.uid }"',
    ),
    Case(
        "name absent",
        PLATFORM,
        groups("platform"),
        "name",
        "uid",
        "has no value",
        "withheld",
        grant='user: "${ claims.uid }"',
    ),
    # rules that deny
    Case(
        "denies",
        PLATFORM,
        {},
        "",
        "groups",
        "`asked` denies everything in prod: `groups` has platform",
        "denies",
        deny=True,
    ),
    Case(
        "denies unreadable",
        PLATFORM,
        claims(groups=7),
        "undecided",
        "groups",
        "cannot be ruled out",
        "denies",
        deny=True,
    ),
    Case("denies overage", PLATFORM, claims(**OVERAGE), "undecided", "groups", "too many values", "denies", deny=True),
    Case(
        "denies in another case",
        PLATFORM,
        groups("Platform"),
        "case",
        "groups",
        "does not deny: `asked` needs a group named `platform`; the provider sent `Platform`",
        deny=True,
    ),
)
