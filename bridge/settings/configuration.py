"""The whole configuration: every file read, every problem found, then all of it or none of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import TypeAdapter

from bridge.destinations import Destinations
from bridge.entitlements.matching import ClaimSchema
from bridge.entitlements.rules import (
    Conditions,
    RuleDocument,
    RuleFiles,
    RuleSet,
    compile_people,
    compile_rules,
    find_unused_constants,
    find_unused_policies,
    read_rules,
)
from bridge.errors import Problem, SettingsError
from bridge.exchange.accounts import Account
from bridge.identity.providers import OIDCProvider, Provider, SAMLProvider
from bridge.identity.workloads import Workload
from bridge.ram_policies.snapshot import RolePolicies
from bridge.settings.audit import AUDIT, AuditSettings
from bridge.settings.audit_checks import find_audit_problems, resolve_audit_paths
from bridge.settings.ceilings import find_wide_grants
from bridge.settings.checks import (
    find_account_problems,
    find_people_problems,
    find_provider_problems,
    find_rule_problems,
)
from bridge.settings.claim_checks import (
    build_schemas,
    find_claim_problems,
    find_declaration_problems,
    find_people_claim_problems,
)
from bridge.settings.collector import paused_collector
from bridge.settings.reach import find_reach_problems
from bridge.settings.review import PlacedRule, place_rules, review_rules
from bridge.settings.role_policies import FOLDER, read_role_policies
from bridge.settings.rule_files import read_rule_files
from bridge.settings.service import SETTINGS, Settings, find_settings_problems, resolve_paths
from bridge.settings.way_checks import find_way_problems
from bridge.settings.workload_checks import find_workload_problems, find_workload_rule_problems
from bridge.yaml_documents import Positions, Reading, read_model, sort_problems

WORKLOAD: TypeAdapter[Workload] = TypeAdapter(Workload)
PROVIDER: TypeAdapter[SAMLProvider | OIDCProvider] = TypeAdapter(Provider)
ACCOUNT: TypeAdapter[Account] = TypeAdapter(Account)


@dataclass(frozen=True)
class Configuration:
    """Everything that an operator has written, good as a whole. Every path in it is absolute."""

    folder: Path
    settings: Settings
    providers: Mapping[str, SAMLProvider | OIDCProvider]
    accounts: Mapping[str, Account]
    rules: RuleSet
    rule_files: RuleFiles
    """What the rules were compiled from."""
    administrators: tuple[Conditions, ...]
    """An administrator meets one of these."""
    warnings: tuple[Problem, ...]
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    """The issuers of tokens for workloads."""
    audit: AuditSettings = field(default_factory=AuditSettings)
    auditors: tuple[Conditions, ...] = ()
    """An auditor meets one of these."""
    role_policies: Mapping[str, RolePolicies] = field(default_factory=dict)
    """What roles may do, by account, as it was read from RAM."""


def load_configuration(folder: Path, *, secrets: bool = True, rules: Path | RuleFiles | None = None) -> Configuration:
    """Return the configuration in a folder; without ``secrets``, references to secrets stand in their places.

    ``rules`` is another folder to take the rules from, or other files in memory.

    Raises:
        SettingsError: with every error of every file, in the order of files and lines.
    """
    configuration, problems = _read(folder, secrets=secrets, rules=rules)
    errors = tuple(problem for problem in problems if problem.severity == "error")
    if configuration is None or errors:
        raise SettingsError(errors)
    return configuration


SeenClaims: TypeAlias = Callable[[Settings], Mapping[str, frozenset[str]] | None]
"""Tells, for each provider, the names of the claims in its sign-ins that are kept; None: nobody knows."""


def check_configuration(
    folder: Path,
    *,
    now: datetime | None = None,
    secrets: bool = True,
    rules: Path | None = None,
    seen_claims: SeenClaims = lambda _: None,
) -> list[Problem]:
    """Return everything that is wrong (errors) or unwise (warnings) in a folder; empty if nothing is.

    With ``now`` (UTC) it has also what is unwise about rules that are valid, at this moment. ``secrets`` and ``rules``
    are those of :func:`load_configuration`.
    """
    review = _Review(now, seen_claims) if now else None
    _, problems = _read(folder, secrets=secrets, rules=rules, review=review)
    return list(problems)


@paused_collector()
def compile_rule_files(configuration: Configuration, files: RuleFiles) -> RuleSet:
    """Return other rules, compiled against the providers and accounts of a configuration.

    Raises:
        SettingsError: with every error of every file.
    """
    problems: list[Problem] = []
    documents = _read_documents(files, problems)
    providers = configuration.providers
    workloads = configuration.workloads
    for document in documents:
        problems += find_rule_problems(document, {*providers, *workloads}, configuration.accounts)
        problems += find_workload_rule_problems(document, workloads)
    problems += find_claim_problems(documents, providers)
    rules = _compile(documents, {**providers, **workloads}, files, problems, configuration.accounts)
    if rules is not None:
        problems += find_wide_grants(place_rules(documents, rules), configuration.settings.rules.ceilings)
    errors = sort_problems(problem for problem in problems if problem.severity == "error")
    if rules is None or errors:
        raise SettingsError(errors)
    return rules


Content = TypeVar("Content", bound=SAMLProvider | OIDCProvider | Account | Workload)


@dataclass(frozen=True)
class _File(Generic[Content]):
    """A file of which there is something to look into."""

    content: Content
    positions: Positions


@dataclass(frozen=True)
class _Folder(Generic[Content]):
    """The files of one kind."""

    files: tuple[_File[Content], ...]
    unusable: frozenset[str]
    """The names in files that cannot be looked into: known, so that one mistake does not look like many."""

    @property
    def by_name(self) -> dict[str, _File[Content]]:
        return {file.content.name: file for file in self.files}

    @property
    def known(self) -> dict[str, Content | None]:
        """What each name stands for; None: a file that cannot be looked into."""
        return {**dict.fromkeys(self.unusable), **{file.content.name: file.content for file in self.files}}


@dataclass(frozen=True)
class _Review:
    """What is needed to look for what is unwise in rules that are valid."""

    now: datetime
    seen_claims: SeenClaims


@paused_collector()
def _read(
    folder: Path, *, secrets: bool = True, rules: Path | RuleFiles | None = None, review: _Review | None = None
) -> tuple[Configuration | None, tuple[Problem, ...]]:
    """Return the configuration, None if it has errors, and all problems."""
    folder = folder.resolve()
    problems: list[Problem] = []
    bridge = read_model(folder / "bridge.yaml", SETTINGS, secrets=secrets)
    problems += bridge.problems
    development = _is_development(bridge)
    providers = _read_folder(folder / "providers", PROVIDER, problems, secrets=secrets)
    accounts = _read_folder(folder / "accounts", ACCOUNT, problems, secrets=secrets)
    workloads = _read_workloads(folder / "workloads", problems, secrets=secrets)
    files = rules if isinstance(rules, RuleFiles) else _read_rule_files((rules or folder / "rules").resolve(), problems)
    documents = _read_documents(files, problems)

    audit = AuditSettings()
    if bridge.content:
        problems += find_settings_problems(bridge.content, bridge.document.positions, development=development)
        destinations = bridge.content.model_copy(update={"development": development}).destinations()
        audit = _read_audit(folder / "audit.yaml", problems, destinations, secrets=secrets)
        files_asked: tuple[_File[Any], ...] = (*providers.files, *accounts.files, *workloads.files)
        for file in files_asked:
            problems += find_reach_problems(file.content, file.positions, destinations)
    problems += _find_repetitions(providers, accounts, workloads)
    problems += _look_at_files(providers, accounts, workloads, development=development)
    known_accounts: dict[str, Account | None] = dict.fromkeys(accounts.unusable)
    known_accounts |= {name: file.content for name, file in accounts.by_name.items()}
    for account in accounts.files:
        problems += find_way_problems(account.content, known_accounts, account.positions)
    known_providers: dict[str, SAMLProvider | OIDCProvider | None] = dict.fromkeys(providers.unusable)
    known_providers |= {name: file.content for name, file in providers.by_name.items()}
    role_policies = read_role_policies(folder / FOLDER, known_accounts, problems, review.now if review else None)
    misread = {problem.file for problem in problems}
    for document in documents:
        problems += find_rule_problems(document, {*known_providers, *workloads.known}, known_accounts)
        if document.positions.file not in misread:  # what could not be read there would look like it is missing
            problems += find_workload_rule_problems(document, workloads.known)
    problems += find_claim_problems(documents, known_providers)
    problems += find_unused_policies((entry for document in documents for _, entry in document.entries), files)
    usable: dict[str, SAMLProvider | OIDCProvider | Workload] = {}
    usable |= {name: file.content for name, file in providers.by_name.items()}
    usable |= {name: file.content for name, file in workloads.by_name.items()}
    compiled = _compile(documents, usable, files, problems, known_accounts)
    people: dict[str, tuple[Conditions, ...]] = {}
    if bridge.content:
        positions = bridge.document.positions
        for key, entries in (
            ("administrators", bridge.content.administrators),
            ("auditors", bridge.content.auditors),
        ):
            problems += find_people_problems(key, entries, positions, known_providers)
            problems += find_people_claim_problems(key, entries, positions, known_providers)
            people[key], found = compile_people(key, entries, positions)
            problems += found
        if compiled is not None:
            problems += _find_idle_constants(documents, problems)
            settings = resolve_paths(bridge.content, folder)
            problems += _look_at_rules(place_rules(documents, compiled), settings, providers, review)

    found_problems = sort_problems(problems)
    if bridge.content is None or compiled is None or any(each.severity == "error" for each in found_problems):
        return None, found_problems
    configuration = Configuration(
        folder=folder,
        settings=resolve_paths(bridge.content, folder),
        providers={name: _resolve_files(file) for name, file in providers.by_name.items()},
        accounts={name: _resolve_ca_file(file) for name, file in accounts.by_name.items()},
        rules=compiled,
        rule_files=files,
        administrators=people["administrators"],
        auditors=people["auditors"],
        role_policies=role_policies,
        warnings=found_problems,
        workloads={name: _resolve_keys_file(file) for name, file in workloads.by_name.items()},
        audit=audit,
    )
    return configuration, found_problems


def _read_workloads(folder: Path, problems: list[Problem], *, secrets: bool) -> _Folder[Workload]:
    """Return the issuers of workload tokens; nobody needs to have any."""
    if not folder.is_dir():
        return _Folder((), frozenset())
    return _read_folder(folder, WORKLOAD, problems, secrets=secrets)


def _read_audit(path: Path, problems: list[Problem], destinations: Destinations, *, secrets: bool) -> AuditSettings:
    """Return what the file says, the defaults without it or beside an error in it."""
    if not path.exists():
        return AuditSettings()
    reading = read_model(path, AUDIT, secrets=secrets)
    problems += reading.problems
    if reading.content is None:
        return AuditSettings()
    problems += find_audit_problems(reading.content, reading.document.positions, destinations)
    return resolve_audit_paths(reading.content, path.parent)


def _find_repetitions(
    providers: _Folder[SAMLProvider | OIDCProvider], accounts: _Folder[Account], workloads: _Folder[Workload]
) -> Iterator[Problem]:
    yield from _find_repeated((*providers.files, *workloads.files), "name")
    yield from _find_shared_domains(providers.files)
    for name in ("name", "id", "alias", "external_id"):
        yield from _find_repeated(accounts.files, name)


def _look_at_files(
    providers: _Folder[SAMLProvider | OIDCProvider],
    accounts: _Folder[Account],
    workloads: _Folder[Workload],
    *,
    development: bool,
) -> Iterator[Problem]:
    for provider in providers.files:
        yield from find_provider_problems(provider.content, provider.positions, development=development)
        yield from find_declaration_problems(provider.content, provider.positions)
    for account in accounts.files:
        yield from find_account_problems(account.content, account.positions, development=development)
    for workload in workloads.files:
        yield from find_workload_problems(workload.content, workload.positions, development=development)


def _find_idle_constants(documents: Sequence[RuleDocument], problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the constants that no rule names. Beside an error nothing is said: rules may be missing for it."""
    if any(problem.severity == "error" for problem in problems):
        return ()
    written = [(each.positions, each.constants) for each in documents]
    return tuple(find_unused_constants(written, (entry for each in documents for _, entry in each.entries)))


def _look_at_rules(
    placed: Sequence[PlacedRule],
    settings: Settings,
    providers: _Folder[SAMLProvider | OIDCProvider],
    review: _Review | None,
) -> Iterator[Problem]:
    yield from find_wide_grants(placed, settings.rules.ceilings)
    if review:
        contents = {name: file.content for name, file in providers.by_name.items()}
        yield from review_rules(placed, contents, review.now, review.seen_claims(settings))


def _is_development(bridge: Reading[Settings]) -> bool:
    """Return what the file means, in doubt true: a file with a mistake should not make others look wrong."""
    data = bridge.document.data
    written = data.get("development", False) if isinstance(data, dict) else True
    return bridge.content.development if bridge.content and not bridge.problems else written is not False


def _read_rule_files(folder: Path, problems: list[Problem]) -> RuleFiles:
    list(_find_files(folder, problems))
    try:
        return read_rule_files(folder)
    except SettingsError as error:
        problems += error.problems
        return RuleFiles(folder, {})


def _read_documents(files: RuleFiles, problems: list[Problem]) -> list[RuleDocument]:
    documents: list[RuleDocument] = []
    for path, content in files.iterate_rules():
        document, found = read_rules(path, content)
        documents.append(document)
        problems += found
    return documents


def _compile(
    documents: list[RuleDocument],
    providers: Mapping[str, SAMLProvider | OIDCProvider | Workload],
    files: RuleFiles,
    problems: list[Problem],
    accounts: Mapping[str, Account | None],
) -> RuleSet | None:
    people = {name: provider for name, provider in providers.items() if not isinstance(provider, Workload)}
    workloads = providers.keys() - people.keys()
    groups_claims = dict.fromkeys(workloads, "groups")
    groups_claims |= {name: provider.groups_claim for name, provider in people.items()}
    schemas = build_schemas(people) | dict.fromkeys(workloads, ClaimSchema(workload=True))
    try:
        return compile_rules(documents, groups_claims, files, accounts, schemas=schemas)
    except SettingsError as error:
        problems += error.problems
        return None


def _read_folder(
    folder: Path, kind: TypeAdapter[Content], problems: list[Problem], *, secrets: bool
) -> _Folder[Content]:
    files: list[_File[Content]] = []
    unusable: set[str] = set()
    for path in _find_files(folder, problems):
        reading = read_model(path, kind, secrets=secrets)
        problems += reading.problems
        if reading.content is not None:
            files.append(_File(reading.content, reading.document.positions))
        else:
            data = reading.document.data
            name = data.get("name") if isinstance(data, dict) else None
            unusable.add(name if isinstance(name, str) else path.stem)
    return _Folder(tuple(files), frozenset(unusable))


def _find_files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """Yield the files to read, in the order of their names."""
    paths = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    problems += (
        Problem(path, 1, 1, "this file is not read", "Give it a name that ends in .yaml.", kind="file-not-read")
        for path in paths
        if path.suffix.lower() in {".yaml", ".yml"} and path.suffix != ".yaml"
    )
    chosen = [path for path in paths if path.suffix == ".yaml"]
    if not chosen:
        effect = f"there is no file in {folder.name}/, so nobody can be given anything"
        problems.append(
            Problem(folder, 1, 1, effect, "Add one; config/README.md shows how.", "warning", "empty-folder")
        )
    yield from chosen


def _find_repeated(files: tuple[_File[Any], ...], name: str) -> Iterator[Problem]:
    counts = Counter(getattr(file.content, name) for file in files)
    first: dict[str, str] = {}
    for file in files:
        value = getattr(file.content, name)
        if value is not None and counts[value] > 1 and value in first:
            message = f"the {name} `{value}` stands in {first[value]} already"
            yield file.positions.problem((name,), message, "Give each its own.", kind="duplicate")
        first.setdefault(value, file.positions.file.name)


def _find_shared_domains(files: tuple[_File[SAMLProvider | OIDCProvider], ...]) -> Iterator[Problem]:
    """Yield each e-mail domain that stands twice: nobody could tell where its people sign in."""
    first: dict[str, str] = {}
    for file in files:
        for number, domain in enumerate(file.content.email_domains):
            if domain in first:
                message = f"the domain `{domain}` stands in {first[domain]} already"
                loc = ("email_domains", number)
                yield file.positions.problem(loc, message, "Leave it to one provider.", kind="duplicate")
            first.setdefault(domain, file.positions.file.name)


def _resolve_keys_file(file: _File[Workload]) -> Workload:
    workload = file.content
    if workload.keys_file is None:
        return workload
    path = (file.positions.file.parent / workload.keys_file).resolve()
    return workload.model_copy(update={"keys_file": path})


def _resolve_files(file: _File[SAMLProvider | OIDCProvider]) -> SAMLProvider | OIDCProvider:
    provider, folder = file.content, file.positions.file.parent
    if isinstance(provider, OIDCProvider):
        if provider.client_assertion_file is not None:
            path = str((folder / provider.client_assertion_file).resolve())
            return provider.model_copy(update={"client_assertion_file": path})
        return provider
    paths: dict[str, Any] = {}
    if "://" not in provider.metadata:
        paths["metadata"] = str((folder / provider.metadata).resolve())
    if provider.metadata_signing_certificate is not None:
        paths["metadata_signing_certificate"] = (folder / provider.metadata_signing_certificate).resolve()
    for name in ("approved_certificates", "staged_certificates"):
        paths[name] = tuple((folder / path).resolve() for path in getattr(provider, name))
    return provider.model_copy(update=paths)


def _resolve_ca_file(file: _File[Account]) -> Account:
    account = file.content
    if account.ca_file is None:
        return account
    return account.model_copy(update={"ca_file": (file.positions.file.parent / account.ca_file).resolve()})
