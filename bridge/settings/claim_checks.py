"""What rules say of claims, compared with what the providers send: kinds of groups, and types.

A rule must be right for every provider that it is for: those that it names, or all. A provider of which the file cannot
be used is passed over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bridge.entitlements.expressions import ExpressionInvalid, check_types
from bridge.entitlements.matching import ClaimSchema, is_group_id
from bridge.entitlements.rules import AdministratorEntry, RuleDocument, RuleEntry
from bridge.errors import Problem
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.yaml_documents import Loc, Positions

Providers = Mapping[str, SAMLProvider | OIDCProvider | None]
Written = Mapping[str, tuple[str, ...] | None]
"""The values of constants, by how they are written in a list; None for one that is wrong."""


def build_schemas(providers: Mapping[str, SAMLProvider | OIDCProvider]) -> dict[str, ClaimSchema]:
    """Return what is known of the claims of each provider."""
    return {
        name: ClaimSchema(provider.groups_are == "ids", provider.claim_types) for name, provider in providers.items()
    }


def find_declaration_problems(provider: SAMLProvider | OIDCProvider, positions: Positions) -> Iterator[Problem]:
    """Yield each type that a SAML attribute cannot have."""
    if isinstance(provider, OIDCProvider):
        return
    for name, declared in provider.claim_types.items():
        possible = "string" if name in provider.single_valued else "list"
        if declared != possible:
            yield positions.problem(
                ("claim_types", name),
                f"the SAML attribute `{name}` is never of the type {declared}",
                f"Write {possible}. An attribute is a list of texts, unless `single_valued` names it.",
            )


def find_claim_problems(documents: Sequence[RuleDocument], providers: Providers) -> Iterator[Problem]:
    """Yield what rules could never find, or compare wrongly."""
    constants = {f"${name}": values for document in documents for name, values in document.constants.items()}
    for document in documents:
        for number, entry in document.entries:
            yield from _find_entry_problems(entry, document.positions, ("rules", number), providers, constants)


def find_people_claim_problems(
    key: str, entries: Iterable[AdministratorEntry], positions: Positions, providers: Providers
) -> Iterator[Problem]:
    """Yield the same of what ``bridge.yaml`` says under ``administrators`` or ``auditors``."""
    for number, entry in enumerate(entries):
        yield from _find_entry_problems(entry, positions, (key, number), providers, {})


def _find_entry_problems(
    entry: RuleEntry | AdministratorEntry, positions: Positions, loc: Loc, providers: Providers, constants: Written
) -> Iterator[Problem]:
    """Yield what one list of conditions could never find, or would compare wrongly."""
    concerned = {name: providers.get(name) for name in entry.provider or providers}
    known = [provider for provider in concerned.values() if provider is not None]
    if len(known) == len(concerned) and known:
        for name, groups in (("groups", entry.groups), ("not_groups", entry.not_groups)):
            for place, group in enumerate(groups or ()):
                is_constant = group.startswith("$") and not group.startswith("$$")
                for value in (constants.get(group) or ()) if is_constant else (group.removeprefix("$"),):
                    yield from _find_group_problems(value, positions, (*loc, name, place), known)
    for provider in known:
        if provider.claim_types:
            yield from _find_type_problems(entry, positions, loc, provider)


def _find_group_problems(
    group: str, positions: Positions, loc: Loc, providers: list[SAMLProvider | OIDCProvider]
) -> Iterator[Problem]:
    """Yield that a group is of a kind which none of the providers sends (threat MAP-04)."""
    sent = {provider.groups_are for provider in providers}
    kind = "ids" if is_group_id(group) else "names"
    if kind in sent:
        return
    names = ", ".join(f"`{provider.name}`" for provider in providers)
    yield positions.problem(
        loc,
        f"nobody is ever in `{group}`: it is an ID, and the groups of {names} are names"
        if kind == "ids"
        else f"nobody is ever in `{group}`: it is a name, and the groups of {names} are IDs",
        "Set `groups_are: ids` for the provider if it sends IDs, and write groups as it sends them."
        if kind == "ids"
        else "Write the ID of the group (its object ID, SID or distinguished name) and its name in a comment.",
        kind="never-matches",
    )


def _find_type_problems(
    entry: RuleEntry | AdministratorEntry, positions: Positions, loc: Loc, provider: SAMLProvider | OIDCProvider
) -> Iterator[Problem]:
    for name in entry.claims or {}:
        declared = provider.claim_types.get(name)
        if declared not in {None, "string", "list"}:
            yield positions.problem(
                (*loc, "claims", name),
                f"`claims` compares texts, and `{name}` of {provider.name} is of the type {declared}",
                f"Compare it in `when`, such as `claims.{name} == …`.",
                at_key=True,
                kind="never-matches",
            )
    if entry.when is None:
        return
    try:
        check_types(entry.when, provider.claim_types)
    except ExpressionInvalid as error:
        mark = positions.locate_inside((*loc, "when"), error.line, error.column)
        message = f"`when`, by the claim_types of {provider.name}: {error.message}"
        fix = "Compare the claim with a value of its own type; for one provider only, add `provider`."
        yield Problem(positions.file, mark.line, mark.column, message, fix, kind="expression")
