"""What kinds of findings there are: stable names that programs key on, each with a sentence for people.

``rambridge check`` hands them out with every finding, as SARIF's ``ruleId`` too. A name is never reused for something
else. config/README.md has the same table.
"""

from collections.abc import Mapping

FINDING_KINDS: Mapping[str, str] = {
    "invalid": "A file, key or value that is not as the schema wants it.",
    "secret": "A secret that stands in a file, or a reference to one that cannot be read.",
    "duplicate": "A name, number or domain that must be unique stands twice.",
    "file-not-read": "A file whose name keeps it from being read.",
    "empty-folder": "A folder without files, so that nobody can be given anything.",
    "insecure": "An address or setting that is fit for a trial on one machine only.",
    "unreachable": "An address that `outbound` does not allow our own requests to reach.",
    "long-term-key": "An account that is entered with a long-term AccessKey.",
    "external-id": "A role of another account lets us in without an ExternalId, or with one that can be guessed.",
    "role-policies": "What roles may do, as read from RAM, is of another account, not understood, or old.",
    "role-for-chain": "A role from which another account is entered can be granted to people as well.",
    "expression": "A CEL expression or a `${ … }` placeholder that cannot be compiled.",
    "policy-refused": "A session policy that RAM would refuse.",
    "unused-policy": "A file in `rules/policies/` that no rule names.",
    "unused-constant": "A constant that no rule names.",
    "unknown-provider": "A provider that no file in `providers/` describes.",
    "unknown-account": "An account, alias or tag that no file in `accounts/` has.",
    "unknown-role": "A role that is not among the roles which the account's file lists.",
    "role-from-claim": "A role whose name a claim decides, in an account whose file does not list its roles.",
    "unknown-constant": "A constant, such as `$office`, that no file in `rules/` defines.",
    "unknown-policy": "A session policy that no file in `rules/policies/` holds.",
    "unknown-rule": "A rule that no file in `rules/` holds.",
    "wider-than-ceiling": "A grant that allows more than `rules.ceilings` in `bridge.yaml` does.",
    "duration-never-reached": "A duration that is longer than the account or the role allows.",
    "short-session": "Sessions so short that SDKs ask for new ones on each call.",
    "workload-unbound": "A rule for workloads that does not say whose: `sub` is missing, or a wildcard leaves it open.",
    "never-matches": "A rule whose conditions exclude one another, so that it never applies.",
    "never-by-saml": "A rule that asks for `amr` alone, which SAML never states, and not for OpenID Connect only.",
    "any-address": "Networks that hold every address, so that they keep nobody out.",
    "shadowed": "A grant or denial that changes nothing, since another rule always says the same before.",
    "always-denied": "A grant that another rule denies to everybody who could have it.",
    "limits-differ": "Two rules grant the same with different limits, and one person can meet both.",
    "claim-never-sent": "A claim that no provider has sent in any sign-in that is kept.",
    "expired": "A rule whose expiry date has passed.",
    "expires-soon": "A rule that ends within 30 days.",
}
