"""The language of rules, as an administrator writes it: strict, every key known."""

import re
import unicodedata
from datetime import date
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from bridge.described import Described
from bridge.entitlements.entitlement import Sensitivity
from bridge.entitlements.limits import DAYS, MIDNIGHT, NetworkInvalid, find_zone, read_network, read_time
from bridge.entitlements.matching import find_flaw
from bridge.entitlements.ram_policy import build_policy_schema
from bridge.entitlements.templates import MAX_PURPOSE_CHARACTERS, MAX_TITLE_CHARACTERS, PLACEHOLDER
from bridge.yaml_documents import Loc, refusal

_WHOLE_SEGMENT = re.compile(r"[^:/]+[:/]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _check_comparable(text: str) -> str:
    flaw = find_flaw(text)
    if flaw:
        raise refusal(f"no claim can ever equal this text: {flaw}", "Type it again, without what one cannot see.")
    return text


def _check_plain(text: str, limit: int) -> str:
    """Texts for the card are one line of plain text; what ``${ … }`` puts in is checked when it is known."""
    text = text.strip()
    written = PLACEHOLDER.sub("", text)
    if len(written) > limit:
        raise refusal(f"this is longer than {limit} characters", "Shorten it.")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in written):
        raise refusal("this holds a control character or goes over several lines", "Write one line of plain text.")
    return text


def _wrap(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _check_network(text: str) -> str:
    if not text.startswith("$"):
        try:
            read_network(text)
        except NetworkInvalid as error:
            raise refusal(str(error), error.fix) from error
    return text


def _check_time(text: str) -> str:
    try:
        read_time(text)
    except ValueError as error:
        raise refusal(f"{text!r} is not a time of day", 'Write it with two digits each, such as "08:00".') from error
    return text


def _check_zone(name: str) -> str:
    try:
        find_zone(name)
    except LookupError as error:
        fix = "Write an IANA name, such as Asia/Shanghai, or UTC."
        raise refusal(f"there is no time zone named {name!r} on this machine", fix) from error
    return name


def _read_date(text: Any) -> Any:
    if isinstance(text, date):
        return text
    try:
        if isinstance(text, str) and _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise refusal(f"{text!r} is not a date", "Write year, month and day, such as 2027-03-31.")


def _check_pattern(text: str) -> str:
    """A pattern is a beginning that holds one whole segment at least, and a `*` as its last character."""
    beginning = text.removesuffix("*")
    if "*" in beginning or beginning == text:
        raise refusal(
            f"{text!r} must have one `*`, as its last character",
            "Write what comes before in full, such as repo:acme/app:ref:refs/heads/*; an exact value belongs in "
            "`claims`.",
        )
    if not _WHOLE_SEGMENT.match(beginning):
        raise refusal(
            f"{text!r} would match values of anybody: before `*` there is no whole segment",
            "Write at least whose it is, up to the `:` or `/` behind it, such as repo:acme/*.",
        )
    return text


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
RoleName = Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9._-]|\$\{[^{}]*\}){1,64}$")]
Title = Annotated[str, Field(max_length=500), AfterValidator(partial(_check_plain, limit=MAX_TITLE_CHARACTERS))]
Purpose = Annotated[str, Field(max_length=1000), AfterValidator(partial(_check_plain, limit=MAX_PURPOSE_CHARACTERS))]
Owner = Annotated[str, Field(max_length=80), AfterValidator(partial(_check_plain, limit=80))]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_comparable)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
OneOrMoreWords = Annotated[Words, BeforeValidator(_wrap, json_schema_input_type=str | list[str])]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_check_comparable), AfterValidator(_check_pattern)]
OneOrMorePatterns = Annotated[
    tuple[Pattern, ...], Field(min_length=1), BeforeValidator(_wrap, json_schema_input_type=str | list[str])
]
ConstantName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
OneOrMoreNames = Annotated[
    tuple[Name, ...], Field(min_length=1), BeforeValidator(_wrap, json_schema_input_type=str | list[str])
]
Network = Annotated[
    str,
    AfterValidator(_check_network),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?"
            r"|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:/[0-9]{1,3})?|\$[a-z][a-z0-9_-]*)$",
        }
    ),
]
"""The pattern is loose: an editor marks what cannot be one, and `check` what is not."""
Seconds = Annotated[int, Field(strict=True)]
"""No text in quotes, which editors mark as wrong."""
TimeOfDay = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]$"), AfterValidator(_check_time)]
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$"), AfterValidator(_check_zone)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Date = Annotated[
    date,
    BeforeValidator(_read_date, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DATE.pattern}$")]),
]
Policy = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, build_policy_schema()]})]
"""As it is written: what is wrong with it is found with the places of its members, when the rules are compiled."""
PolicyFileName = Annotated[str, Field(pattern=r"^policies/[A-Za-z0-9][A-Za-z0-9._-]*\.(?:json|yaml)$")]


def _require_one(*names: str) -> dict[str, Any]:
    """Return what tells an editor that exactly one of these keys is needed."""
    return {"oneOf": [{"required": [name]} for name in names]}


class Requirement(Described):
    """How strongly and how recently the person must have authenticated."""

    amr: Words | None = None
    """Authentication methods, any of which is enough. OIDC sends them; SAML has ``acr`` only."""
    acr: Words | None = None
    """Authentication contexts, any of which is enough. With ``amr`` beside it, one of the two is enough."""
    max_age_seconds: Seconds | None = Field(default=None, ge=60, le=86_400)
    """How long ago, in seconds, the person may have authenticated, as the provider states it."""

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.amr is None and self.acr is None and self.max_age_seconds is None:
            raise refusal("`require` asks for nothing", "Write `amr`, `acr` or `max_age_seconds`, or remove it.")
        return self

    def can_be_met_by(self, protocol: Literal["saml", "oidc"]) -> bool:
        """Return whether any sign-in by this protocol could ever show it: SAML states no ``amr``."""
        return protocol != "saml" or self.amr is None or self.acr is not None


class HoursEntry(Described):
    """At what hours of which days, by the clock on the wall in one time zone."""

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    """On these days. A time span over midnight belongs to the day on which it begins."""
    start: TimeOfDay = Field(default=MIDNIGHT, alias="from")
    """From this time on, such as ``08:00``."""
    end: TimeOfDay = Field(default="24:00", alias="to")
    """Until just before this time, such as ``18:00``; one that is earlier than ``from`` is on the next day."""
    time_zone: TimeZone
    """An IANA time zone, such as ``Asia/Shanghai``, or ``UTC``."""

    @model_validator(mode="after")
    def _check_span(self) -> Self:
        if self.start in {self.end, "24:00"}:
            raise refusal("no time is between `from` and `to`", "For the whole day leave out both.")
        return self


class AccountChoice(Described):
    """Which account, or which accounts."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_require_one("account", "account_alias", "account_tags")]})

    account: Name | None = None
    """The account's name in config/accounts/."""
    account_alias: Name | None = None
    """In place of ``account``: the account's ``alias``."""
    account_tags: dict[str, str] | None = Field(default=None, min_length=1)
    """In place of ``account``: every account that has all of these ``tags``, such as ``{env: production}``."""

    @model_validator(mode="after")
    def _check_one_choice(self) -> Self:
        ways = [self.account, self.account_alias, self.account_tags]
        if all(way is None for way in ways):
            raise refusal("`account` is missing", "Add `account: …`, `account_alias: …` or `account_tags: {…: …}`.")
        if sum(way is not None for way in ways) > 1:
            fix = "Keep one of `account`, `account_alias` and `account_tags`."
            raise refusal("this says in two ways which account is meant", fix)
        return self


class _Grant(AccountChoice):
    title: Title = ""
    """What the card says; ``${ claims.team }`` takes a part of it from a claim."""
    purpose: Purpose = ""
    """What the card explains: one sentence. ``${ … }`` as in ``title``."""
    owner: Owner = ""
    """Whom to ask about it, such as a team or an address; the account's ``owner`` where this is absent."""
    sensitivity: Sensitivity | None = None
    """``low``, ``medium`` or ``high``: the card's colour; the account's ``sensitivity`` where this is absent."""
    duration_seconds: Seconds = Field(default=3600, ge=900, le=43_200)
    """This rule's limit on a session, in seconds; the account's and the role's own limits come on top."""


class RoleGrant(_Grant):
    """The right to assume a RAM role."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [_require_one("account", "account_alias", "account_tags"), _require_one("role", "roles")]
        }
    )

    role: RoleName | None = None
    """The RAM role's name; ``app-${ claims.team }`` takes a part of it from a claim."""
    roles: Annotated[tuple[RoleName, ...], Field(min_length=1)] | None = None
    """In place of ``role``: several of them, each with the same limits."""
    session_policy: Policy = None
    """A RAM policy, as JSON text or as YAML, that narrows the role for this session. Its resources and the values of
    its conditions on text may hold ``${ claims.uid }``."""
    session_policy_file: PolicyFileName | None = None
    """Instead: a file of such a policy, ``policies/NAME.yaml`` or ``policies/NAME.json`` beside the rules."""

    @model_validator(mode="after")
    def _check_policy(self) -> Self:
        written = self.model_fields_set & {"session_policy", "session_policy_file"}
        if any(getattr(self, name) is None for name in written):
            raise refusal("this session policy is empty, so it narrows nothing", "Write the policy, or remove the key.")
        if len(written) > 1:
            raise refusal("this role has a session policy and the file of one", "Remove one or the other.")
        return self

    @model_validator(mode="after")
    def _check_one_role(self) -> Self:
        if self.role is not None and self.roles is not None:
            raise refusal("this has `role` and `roles`", "Keep one of them.")
        return self

    @property
    def role_names(self) -> tuple[tuple[Loc, str], ...]:
        """Return each role as it is written, with its place within the grant."""
        if self.role is not None:
            return ((("role",), self.role),)
        return tuple((("roles", number), role) for number, role in enumerate(self.roles or ()))


class UserGrant(_Grant):
    """The right to sign in to the console as a RAM user."""

    user: str = Field(min_length=1, max_length=500)
    """The RAM user's name; ``${ claims.uid }`` takes it, or a part of it, from a claim."""
    terminal_role: RoleName | None = None
    """The role that a terminal gets, since STS has no credentials for a RAM user. ``${ … }`` as in ``user``."""

    @property
    def role_names(self) -> tuple[tuple[Loc, str], ...]:
        """Return the role as it is written, with its place within the grant."""
        return ((("terminal_role",), self.terminal_role),) if self.terminal_role is not None else ()


class TargetEntry(AccountChoice):
    """What a rule denies: some roles, one user, or with neither everything in the account."""

    role: RAMName | None = None
    """The RAM role's name."""
    roles: Annotated[tuple[RAMName, ...], Field(min_length=1)] | None = None
    """In place of ``role``: several of them."""
    user: RAMName | None = None
    """The RAM user's name."""

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(each is not None for each in (self.role, self.roles, self.user)) > 1:
            raise refusal("this names a role and a user, or roles twice", "Write one target for each.")
        return self


def _tell_kind(value: Any) -> str | None:
    names = value if isinstance(value, dict) else vars(value) if isinstance(value, BaseModel) else {}
    kinds = {"user" if name == "user" else "role" for name in ("role", "roles", "user") if name in names}
    # In brackets, since a tag that is a key as well would lead the place of a problem to that key.
    return f"[{kinds.pop()}]" if len(kinds) == 1 else None


GrantEntry = Annotated[
    Annotated[RoleGrant, Tag("[role]")] | Annotated[UserGrant, Tag("[user]")],
    Discriminator(
        _tell_kind,
        custom_error_type="refused",
        custom_error_message="a grant names a role or a user, and exactly one of them",
        custom_error_context={"fix": "Write `account: …` and `role: …`, or `account: …` and `user: …`."},
    ),
]


class ConditionsEntry(Described):
    """What must hold of a person, all of it."""

    provider: OneOrMoreNames | None = None
    """Only for identities of this provider, or of one of these."""
    groups: Words | None = None
    """Only for members of at least one of these groups, as the provider's ``groups_claim`` lists them."""
    not_groups: Words | None = None
    """Only for people of whom the provider says that they are in none of these groups."""
    claims: dict[str, OneOrMoreWords] | None = Field(default=None, min_length=1)
    """Only where each of these claims has the value, or one of the values. Compared exactly."""
    claims_like: dict[str, OneOrMorePatterns] | None = Field(default=None, min_length=1)
    """Only where each of these claims begins as a pattern says, such as ``{sub: "repo:acme/app:ref:refs/heads/*"}``.
    For workloads, in place of an exact value in ``claims``."""
    ignore_case: Literal[True] | None = None
    """Compare ``groups``, ``not_groups`` and ``claims`` of this rule without regard to upper and lower case."""
    when: str | None = None
    """Only where this CEL expression is true."""
    require: Requirement | None = None
    """Only after a sign-in that was strong or recent enough."""
    networks: Annotated[tuple[Network, ...], Field(min_length=1)] | None = None
    """Only for requests from these addresses or networks, such as ``10.0.0.0/8``."""
    hours: HoursEntry | None = None
    """Only at these hours."""
    expires: Date | None = None
    """The last day (UTC) on which this holds, such as ``2027-03-31``."""

    @model_validator(mode="after")
    def _check_case(self) -> Self:
        if self.ignore_case and self.groups is None and self.not_groups is None and self.claims is None:
            raise refusal(
                "`ignore_case` is about `groups`, `not_groups` and `claims`, and there are none", "Remove it."
            )
        return self


class AdministratorEntry(ConditionsEntry):
    """Some of the people who administer this service: those of whom all of it holds."""

    _makes: ClassVar[str] = "an administrator"

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        if self.groups is None and self.claims is None and self.when is None:
            raise refusal(
                f"this would make everybody whom the provider vouches for {self._makes}",
                "Add `groups`, `claims` or `when`.",
            )
        return self


class AuditorEntry(AdministratorEntry):
    """Some of the people who may read the whole audit log: those of whom all of it holds."""

    _makes: ClassVar[str] = "an auditor"


class RuleEntry(ConditionsEntry):
    """One rule. All its conditions must hold; then it grants, or denies."""

    model_config = ConfigDict(json_schema_extra=_require_one("grant", "deny"))

    name: Name
    """How records and explanations name this rule."""
    owner: str = Field(default="", max_length=200)
    """Who answers for this rule: a team or an address. Shown where the rule is explained."""
    reason: str = Field(default="", max_length=500)
    """Why the rule is there, such as the number of a ticket. Shown where the rule is explained."""
    everyone: Literal[True] | None = None
    """For everybody whom any provider vouches for. In place of conditions, so that nobody writes it by accident."""
    grant: tuple[GrantEntry, ...] | None = Field(default=None, min_length=1)
    """What the rule grants. Each entry names one account or several, and a role, several roles or a user."""
    deny: tuple[TargetEntry, ...] | None = Field(default=None, min_length=1)
    """What the rule denies, whichever rules grant it."""

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        conditions = (self.provider, self.groups, self.claims, self.claims_like, self.when)
        if self.everyone is None and all(condition is None for condition in conditions):
            raise refusal(
                f"the rule `{self.name}` has no condition, so it would match everybody",
                "Add `groups`, `claims`, `when` or `provider`; if everybody is meant, write `everyone: true`.",
            )
        if self.everyone and any(condition is not None for condition in conditions):
            raise refusal(f"the rule `{self.name}` has conditions and `everyone: true`", "Remove one or the other.")
        return self

    @model_validator(mode="after")
    def _check_effect(self) -> Self:
        if self.grant is None and self.deny is None:
            raise refusal(f"the rule `{self.name}` must grant or deny", "Add `grant:` or `deny:`.")
        if self.grant is not None and self.deny is not None:
            raise refusal(f"the rule `{self.name}` grants and denies", "Make two rules of it.")
        if self.deny is not None and self.require is not None:
            raise refusal(
                f"the rule `{self.name}` denies, and `require` would make it deny the strong sign-ins only",
                "Move `require` to the rules that grant.",
            )
        return self


class RuleFile(Described):
    """One file in config/rules/."""

    constants: dict[ConstantName, OneOrMoreWords] | None = Field(default=None, min_length=1)
    """Lists of values with a name, such as ``office: [203.0.113.0/24]``. Every rule of the folder may write ``$office``
    in a list of groups, networks, claim values, ``amr`` or ``acr``."""
    rules: tuple[RuleEntry, ...] = Field(default=(), min_length=1)
    """The rules. Their order matters only where two of them grant the same thing: the first one decides its limits."""

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.rules and not self.constants:
            raise refusal("there are no rules in this file", "Add `rules:`, or remove the file.")
        return self


RULE_FILE: TypeAdapter[RuleFile] = TypeAdapter(RuleFile)
CONSTANTS: TypeAdapter[dict[str, tuple[str, ...]]] = TypeAdapter(dict[ConstantName, OneOrMoreWords])
RULE_ENTRY: TypeAdapter[RuleEntry] = TypeAdapter(RuleEntry)
SESSION_POLICY: TypeAdapter[Any] = TypeAdapter(Annotated[Any, WithJsonSchema(build_policy_schema())])
"""One file in config/rules/policies/."""
