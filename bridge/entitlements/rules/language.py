"""The language of rules, as an administrator writes it: strict, every key known."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

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

from bridge.entitlements.limits import DAYS, MIDNIGHT, find_zone, read_network, read_time
from bridge.entitlements.matching import find_flaw
from bridge.entitlements.ram_policy import build_policy_schema
from bridge.yaml_documents import refusal

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _check_comparable(text: str) -> str:
    flaw = find_flaw(text)
    if flaw:
        raise refusal(f"no claim can ever equal this text: {flaw}", "Type it again, without what one cannot see.")
    return text


def _wrap(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _check_network(text: str) -> str:
    if not text.startswith("$"):
        try:
            read_network(text)
        except ValueError as error:
            raise refusal(str(error), "Write an address or network, such as 10.0.0.0/8, or `$name`.") from error
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


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
RAMName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Word = Annotated[str, Field(min_length=1), AfterValidator(_check_comparable)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
OneOrMoreWords = Annotated[Words, BeforeValidator(_wrap, json_schema_input_type=str | list[str])]
OneOrMoreNames = Annotated[
    tuple[Name, ...], Field(min_length=1), BeforeValidator(_wrap, json_schema_input_type=str | list[str])
]
Network = Annotated[str, AfterValidator(_check_network)]
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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Requirement(_Strict):
    """How strongly and how recently the person must have authenticated."""

    amr: Words | None = None
    """Authentication methods, any of which is enough. OIDC sends them; SAML has ``acr`` only."""
    acr: Words | None = None
    """Authentication contexts, any of which is enough. With ``amr`` beside it, one of the two is enough."""
    max_age_seconds: int | None = Field(default=None, ge=60, le=86_400)
    """How long ago the person may have authenticated at the provider."""

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.amr is None and self.acr is None and self.max_age_seconds is None:
            raise refusal("`require` asks for nothing", "Write `amr`, `acr` or `max_age_seconds`, or remove it.")
        return self


class HoursEntry(_Strict):
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


class _Grant(_Strict):
    account: Name
    """The account's name in config/accounts/."""
    title: str = Field(default="", max_length=80)
    """What the card says."""
    purpose: str = Field(default="", max_length=200)
    """What the card explains: one sentence."""
    duration_seconds: int = Field(default=3600, ge=900, le=43_200)
    """This rule's limit on a session; the account's and the role's own limits come on top."""


class RoleGrant(_Grant):
    """The right to assume a RAM role."""

    role: RAMName
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


class UserGrant(_Grant):
    """The right to sign in to the console as a RAM user."""

    user: str = Field(min_length=1, max_length=500)
    """The RAM user's name; ``${ claims.uid }`` takes it, or a part of it, from a claim."""
    terminal_role: RAMName | None = None
    """The role that a terminal gets, since STS has no credentials for a RAM user."""


class Target(_Strict):
    """What a rule denies: one role, one user, or with neither everything in the account."""

    account: Name
    role: RAMName | None = None
    user: RAMName | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if self.role is not None and self.user is not None:
            raise refusal("this names a role and a user", "Write one target for each.")
        return self


def _tell_kind(value: Any) -> str | None:
    names = value if isinstance(value, dict) else vars(value) if isinstance(value, BaseModel) else {}
    kinds = [kind for kind in ("role", "user") if kind in names]
    # In brackets, since a tag that is a key as well would lead the place of a problem to that key.
    return f"[{kinds[0]}]" if len(kinds) == 1 else None


GrantEntry = Annotated[
    Annotated[RoleGrant, Tag("[role]")] | Annotated[UserGrant, Tag("[user]")],
    Discriminator(
        _tell_kind,
        custom_error_type="refused",
        custom_error_message="a grant names a role or a user, and exactly one of them",
        custom_error_context={"fix": "Write `account: …` and `role: …`, or `account: …` and `user: …`."},
    ),
]


class ConditionsEntry(_Strict):
    """What must hold of a person, all of it."""

    provider: OneOrMoreNames | None = None
    """Only for identities of this provider, or of one of these."""
    groups: Words | None = None
    """Only for members of at least one of these groups, as the provider's ``groups_claim`` lists them."""
    not_groups: Words | None = None
    """Only for people of whom the provider says that they are in none of these groups."""
    claims: dict[str, OneOrMoreWords] | None = Field(default=None, min_length=1)
    """Only where each of these claims has the value, or one of the values. Compared exactly."""
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

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        if self.groups is None and self.claims is None and self.when is None:
            raise refusal(
                "this would make everybody whom the provider vouches for an administrator",
                "Add `groups`, `claims` or `when`.",
            )
        return self


class RuleEntry(ConditionsEntry):
    """One rule. All its conditions must hold; then it grants, or denies."""

    name: Name
    """How records and explanations name this rule."""
    owner: str = Field(default="", max_length=200)
    """Who answers for this rule: a team or an address. Shown where the rule is explained."""
    reason: str = Field(default="", max_length=500)
    """Why the rule is there, such as the number of a ticket. Shown where the rule is explained."""
    everyone: Literal[True] | None = None
    """For everybody whom any provider vouches for. In place of conditions, so that nobody writes it by accident."""
    grant: tuple[GrantEntry, ...] | None = Field(default=None, min_length=1)
    deny: tuple[Target, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        conditions = (self.provider, self.groups, self.claims, self.when)
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
        if (self.grant is None) == (self.deny is None):
            raise refusal(f"the rule `{self.name}` must either grant or deny", "Write `grant:` or `deny:`, not both.")
        if self.deny is not None and self.require is not None:
            raise refusal(
                f"the rule `{self.name}` denies, and `require` would make it deny the strong sign-ins only",
                "Move `require` to the rules that grant.",
            )
        return self


class RuleFile(_Strict):
    """One file in config/rules/."""

    rules: tuple[RuleEntry, ...] = Field(min_length=1)


RULE_FILE: TypeAdapter[RuleFile] = TypeAdapter(RuleFile)
RULE_ENTRY: TypeAdapter[RuleEntry] = TypeAdapter(RuleEntry)
SESSION_POLICY: TypeAdapter[Any] = TypeAdapter(Annotated[Any, WithJsonSchema(build_policy_schema())])
"""One file in config/rules/policies/."""
