"""The language of tests for mappings, as somebody writes them: strict, every key known."""

from ipaddress import ip_address
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter, model_validator

from bridge.described import Described
from bridge.yaml_documents import refusal

Text = Annotated[str, Field(min_length=1)]


def _check_address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError as error:
        raise refusal(f"{text!r} is not an IP address", "Write, for example, 192.0.2.7.") from error
    return text


class Given(Described):
    """Who signs in, how, and when."""

    provider: Text | None = None
    """The provider that vouches for the person, by its name in config/providers/."""
    issuer: Text | None = None
    """What expressions read as `identity.issuer`; where it is absent, what the provider's file says."""
    subject: Text = "somebody"
    """What expressions read as `identity.subject`."""
    claims: dict[str, Any] = Field(default_factory=dict)
    """The claims, by our names for them: texts, numbers, true, false, lists and maps."""
    acr: Text | None = None
    """The authentication context of the sign-in."""
    amr: tuple[Text, ...] = ()
    """The authentication methods of the sign-in; SAML has none."""
    age_seconds: int | None = Field(default=None, ge=0, le=864_000)
    """How long ago, in seconds, the person authenticated. Without it and `authenticated_at`, nobody says when."""
    authenticated_at: AwareDatetime | None = None
    """When the person authenticated, such as `2026-11-24T08:45:00Z`."""
    source_address: Annotated[str, AfterValidator(_check_address)] | None = None
    """From where the request comes; absent: unknown."""
    time: AwareDatetime | None = None
    """When the rules are asked, such as `2026-11-24T09:00:00+08:00`; absent: when the tests run."""

    @model_validator(mode="after")
    def _check_one_moment(self) -> Self:
        if self.age_seconds is not None and self.authenticated_at is not None:
            raise refusal("`age_seconds` and `authenticated_at` say the same", "Write one of them.")
        return self

    def override(self, other: "Given") -> "Given":
        """Return these values with those that ``other`` sets in their places."""
        changes = {name: getattr(other, name) for name in other.model_fields_set}
        for name, instead in (("age_seconds", "authenticated_at"), ("authenticated_at", "age_seconds")):
            if name in changes:
                changes.setdefault(instead, None)
        return self.model_copy(update=changes)


class _Entitled(Described):
    account: Text
    """The account's name in config/accounts/."""
    role: Text | None = None
    """The RAM role's name; or `user`."""
    user: Text | None = None
    """The RAM user's name, with every claim put in; or `role`."""
    rule: Text | None = None
    """The rule that must have decided this, as `file.yaml:name`; absent: any."""

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.role is None) == (self.user is None):
            raise refusal("this names a role or a user, and exactly one of them", "Write `role: …` or `user: …`.")
        return self

    @property
    def target(self) -> tuple[str, str, str]:
        """Return kind, account and name."""
        return ("role", self.account, self.role) if self.role is not None else ("user", self.account, self.user or "")


class Expected(_Entitled):
    """One entitlement that the person must have."""

    duration_seconds: int | None = None
    """The limit that the rule must give it, in seconds; absent: any."""


class Denied(_Entitled):
    """Something that a rule grants the person and that another one must deny."""


class RuleTestEntry(Described):
    """One test: exactly what is expected must come of what is given."""

    name: Text
    """What the test says, in a few words."""
    given: Given = Given()
    """Each value here replaces the one of the file's own `given`."""
    expect: tuple[Expected, ...]
    """Everything that the person may become, and nothing else; `[]`: nothing at all."""
    denied: tuple[Denied, ...] = ()
    """What the person would have, if no rule denied it."""


class RuleTestFile(Described):
    """One file in config/rules/tests/."""

    given: Given = Given()
    """What all tests of this file share."""
    tests: tuple[RuleTestEntry, ...] = Field(min_length=1)


RULE_TEST_FILE: TypeAdapter[RuleTestFile] = TypeAdapter(RuleTestFile)
