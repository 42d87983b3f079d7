"""A person that an administrator makes up, to ask what the rules would give them. Nobody vouches for what it says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from bridge.described import Described
from bridge.entitlements.rules.language import Name
from bridge.errors import Problem, SettingsError
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.verified import VerifiedIdentity
from bridge.yaml_documents import Positions, read_document, refusal
from bridge.yaml_documents.problems import explain

MAX_BYTES = 1_000_000


def _read_moment(text: str) -> str:
    parse_moment(text)
    return text


def _check_address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError as error:
        raise refusal(f"{text[:60]!r} is not an address", "Write, for example, 203.0.113.7.") from error
    return text


Moment = Annotated[str, AfterValidator(_read_moment)]


class Supposed(Described):
    """Everything that a decision reads of a person, as somebody supposes it."""

    provider: Name | None = None
    """The provider, by its name in our configuration; may be absent if there is only one."""
    claims: dict[str, Any] = Field(default_factory=dict)
    """The claims by our names for them, as the provider would send them."""
    subject: str = Field(default="somebody", max_length=1024)
    issuer: str | None = Field(default=None, max_length=1024)
    acr: str | None = None
    amr: tuple[str, ...] = ()
    authenticated_at: Moment | None = None
    """When the person authenticated, such as `2026-11-24T09:00:00Z`. Absent: the provider does not say."""
    age_seconds: int | None = Field(default=None, ge=0, le=31_536_000)
    """Or how long before `time` that was."""
    source_address: Annotated[str, AfterValidator(_check_address)] | None = None
    time: Moment | None = None
    """The moment to ask for; now if absent."""

    @model_validator(mode="after")
    def _check_one_time(self) -> Self:
        if self.authenticated_at is not None and self.age_seconds is not None:
            raise refusal("this says twice when the person authenticated", "Remove `age_seconds` or the other.")
        return self

    def find_time(self) -> datetime | None:
        """Return the moment to ask for; UTC."""
        return None if self.time is None else parse_moment(self.time)

    def build(self, provider: str, protocol: Literal["saml", "oidc"], issuer: str, at: datetime) -> VerifiedIdentity:
        """Return the person as the rules see one. Never let anything but an explanation use it.

        Args:
            provider: the provider's name.
            protocol: what it speaks.
            issuer: what it calls itself.
            at: the moment that is asked for; UTC.
        """
        authenticated_at = self._find_authenticated_at(at)
        return VerifiedIdentity(
            provider=provider,
            protocol=protocol,
            issuer=self.issuer or issuer,
            subject=self.subject,
            claims=self.claims,
            authenticated_at=authenticated_at or at,
            message_id="",
            accept_until=at,
            acr=self.acr,
            amr=self.amr,
            authentication_time_stated=authenticated_at is not None,
        )

    def _find_authenticated_at(self, at: datetime) -> datetime | None:
        if self.age_seconds is not None:
            return at - timedelta(seconds=self.age_seconds)
        return None if self.authenticated_at is None else parse_moment(self.authenticated_at)


SUPPOSED: TypeAdapter[Supposed] = TypeAdapter(Supposed)


def read_supposed(path: Path, content: bytes) -> Supposed:
    """Return the person that a document describes, in YAML or JSON.

    ``path`` is what the problems call it. Raises SettingsError with every problem of it.
    """
    if len(content) > MAX_BYTES:
        raise _refuse(path, f"this is larger than {MAX_BYTES} bytes", "Leave out what no rule reads.")
    if content.lstrip().startswith(b"{"):
        try:
            return _validate(parse_object(content), Positions(path, {}, {}))
        except ValueError as error:
            if not isinstance(error.__cause__, JSONDecodeError):
                raise _refuse(path, f"this is {error}", "Write one JSON object.") from error
            # Not JSON: YAML begins so as well.
    document = read_document(path, content)
    if document.problems:
        raise SettingsError(document.problems)
    return _validate(document.data, document.positions)


def _validate(data: Any, positions: Positions) -> Supposed:
    try:
        return SUPPOSED.validate_python(data)
    except ValidationError as error:
        raise SettingsError(list(map(_point_to_claims, explain(error, positions, SUPPOSED)))) from error


def _point_to_claims(problem: Problem) -> Problem:
    """What is not known beside ``claims`` is most often a claim."""
    if not problem.message.endswith("is not known here") or not problem.fix.startswith("Remove it."):
        return problem
    return replace(problem, fix=f"If it is a claim, put it inside `claims`.{problem.fix.removeprefix('Remove it.')}")


def parse_moment(text: str) -> datetime:
    """Return a moment as people write it (ISO 8601), in UTC; without a zone it is meant in UTC.

    Raises PydanticCustomError, which is a ValueError.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusal(f"{text[:60]!r} is not a time", "Write, for example, 2026-11-24T09:00:00Z.") from error


def _refuse(path: Path, message: str, fix: str) -> SettingsError:
    return SettingsError([Problem(path, 1, 1, message, fix)])
