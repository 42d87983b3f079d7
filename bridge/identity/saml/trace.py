"""The checks of a SAML response, in the order in which ``response.py`` makes them, and how each is explained.

What is read here is read again, from the same elements that the check looked at, only to be shown; see
:mod:`bridge.identity.trace`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.identity.saml.document import MESSAGE, Element
from bridge.identity.saml.elements import (
    ASSERTION,
    ATTRIBUTE,
    AUDIENCE,
    AUTHN_CONTEXT_CLASS_REF,
    AUTHN_STATEMENT,
    CONDITIONS,
    ENCRYPTED_ASSERTION,
    ISSUER,
    NAME_ID,
    PROXY_RESTRICTION,
    RESPONSE,
    STATUS_CODE,
    SUBJECT,
    SUBJECT_CONFIRMATION,
    SUBJECT_CONFIRMATION_DATA,
    find_all,
    find_first,
    read_time,
)
from bridge.identity.saml.signature import (
    KNOWN_METHODS,
    SIGNATURE,
    CheckedValue,
    PublicKey,
    list_methods,
    name_method,
)
from bridge.identity.saml.validity import MAX_AGE, MAX_LIFETIME
from bridge.identity.trace import PERSON, STEP_UP, Row, Skip, Trace, between, differ, from_now, match, recent
from bridge.language import mark

if TYPE_CHECKING:
    from bridge.identity.saml.expected import Expected
    from bridge.identity.saml.metadata import IdPMetadata


class SAMLTrace(Trace):
    """Where the verification of one response is, and what it has seen."""

    expected: "Expected"
    metadata: "IdPMetadata | None" = None
    encoded: str
    xml: bytes
    document: Element
    response: Element
    """The one that is believed: parsed from signed bytes where it is signed."""
    assertion: Element
    signatures: dict[str, CheckedValue]
    """Each signature whose value was compared, by the name of its check."""

    def __init__(self, provider: str = "") -> None:
        """Begin with nothing."""
        super().__init__(provider)
        self.signatures = {}

    def read_claimed(self) -> tuple[str | None, str | None]:
        """Return the issuer and the ID of the response, of which nothing is known to be true."""
        issuer = find_first(self.document, ISSUER)
        return None if issuer is None else issuer.text, self.document.get("ID")


# ── What there was ───────────────────────────────────────────────────────────────────────────────────────────


def _question(trace: SAMLTrace) -> str:
    return "none" if trace.question is None else "found"


def _question_provider(trace: SAMLTrace) -> str:
    if trace.question is None:
        raise Skip
    return trace.question.provider


def _browser(trace: SAMLTrace) -> str:
    if trace.question is None:
        raise Skip
    return match(trace.browser, trace.question.browser)


def _certificates(trace: SAMLTrace) -> list[str] | None:
    if trace.metadata is None:
        return None
    return [f"certificate {certificate.thumbprint}" for certificate in trace.metadata.certificates]


def _assertions(trace: SAMLTrace) -> list[str]:
    found = trace.document.iter("{*}Assertion", "{*}EncryptedAssertion")
    kinds = {ASSERTION: "one in plain text", ENCRYPTED_ASSERTION: "one that is encrypted"}
    return [kinds.get(each.tag, "one in another namespace") for each in found]


def _signed(trace: SAMLTrace) -> list[str]:
    assertion = find_first(trace.document, ASSERTION)
    parts = {"response": trace.document, "assertion": assertion} | (
        {"assertion": trace.assertion} if assertion is None and hasattr(trace, "assertion") else {}
    )
    # A signature that was verified has been taken out of its element.
    return [
        name
        for name, part in parts.items()
        if f"{name}_signature" in trace.signatures or (part is not None and find_first(part, SIGNATURE) is not None)
    ]


def _is_encrypted(trace: SAMLTrace) -> bool:
    return find_first(trace.document, ENCRYPTED_ASSERTION) is not None


def _signature(trace: SAMLTrace, check: str) -> str | list[str]:
    value = trace.signatures.get(check)
    if value is not None and value.key is not None:
        changed = "; the content is not what was signed" if trace.at == check else ""
        return f"{name_method(value.method)}, {_name_key(trace, value.key)}{changed}"
    if trace.at != check:
        raise Skip
    part = trace.document if check == "response_signature" else find_first(trace.document, ASSERTION)
    signature = None if part is None else find_first(part, SIGNATURE)
    return "none" if signature is None else list_methods(signature)


def _pinned(trace: SAMLTrace, check: str) -> list[str]:
    value = trace.signatures.get(check)
    methods = KNOWN_METHODS if value is None or value.key is None else ()
    return [*methods, *(_name_key(trace, key) for key in trace.expected.keys)]


def _name_key(trace: SAMLTrace, key: PublicKey) -> str:
    certificates = () if trace.metadata is None else trace.metadata.certificates
    found = next((each.thumbprint for each in certificates if each.key is key), None)
    return f"certificate {found}" if found else "a key of the provider"


def _decryption(trace: SAMLTrace) -> str:
    if not _is_encrypted(trace):
        raise Skip
    return "not opened" if trace.at == "decryption" else "opened"


def _inner(trace: SAMLTrace) -> str:
    if not _is_encrypted(trace):
        raise Skip
    return "found in the encrypted assertion"


def _status(trace: SAMLTrace) -> str | None:
    found = getattr(trace, "response", trace.document).iter(STATUS_CODE)
    return next((code.get("Value", "").rpartition(":")[2] for code in found), None)


def _issuers(trace: SAMLTrace) -> list[str]:
    found = [issuer.text or "" for part in (trace.response, trace.assertion) for issuer in find_all(part, ISSUER)]
    return list(dict.fromkeys(found))


def _issued(trace: SAMLTrace, part: Element) -> str | None:
    return from_now(read_time(part, "IssueInstant"), trace.expected.now)


def _audiences(trace: SAMLTrace) -> list[str | None]:
    return [audience.text or "" for audience in _conditions(trace).iter(AUDIENCE)]


def _conditions(trace: SAMLTrace) -> Element:
    return find_all(trace.assertion, CONDITIONS)[0]


def _condition_time(trace: SAMLTrace, name: str) -> str | None:
    moment = read_time(_conditions(trace), name)
    if moment is None and name == "NotBefore":
        raise Skip
    return from_now(moment, trace.expected.now)


def _lifetime(trace: SAMLTrace, end: datetime | None) -> str | None:
    issued = read_time(trace.assertion, "IssueInstant")
    return None if end is None or issued is None else between(issued, end)


def _proxy_restriction(trace: SAMLTrace) -> str:
    found = [(each.get("Count"), len(each)) for each in find_all(_conditions(trace), PROXY_RESTRICTION)]
    return ", ".join(f"count {count}, {audiences} audiences" for count, audiences in found) or "none"


def _name_id_format(trace: SAMLTrace) -> str | None:
    name_id = find_first(find_all(trace.assertion, SUBJECT)[0], NAME_ID)
    if name_id is None:
        return None
    return f"format {name_id.get('Format', 'unspecified')}, {len(name_id.text or '')} characters"


def _bearers(trace: SAMLTrace) -> list[Element]:
    return find_all(find_all(trace.assertion, SUBJECT)[0], SUBJECT_CONFIRMATION)


def _bearer_data(trace: SAMLTrace, attribute: str) -> list[str]:
    found = (find_first(confirmation, SUBJECT_CONFIRMATION_DATA) for confirmation in _bearers(trace))
    return ["none" if data is None else data.get(attribute, "none") for data in found]


def _bearer_ends(trace: SAMLTrace) -> list[datetime | None]:
    found = (find_first(confirmation, SUBJECT_CONFIRMATION_DATA) for confirmation in _bearers(trace))
    return [None if data is None else read_time(data, "NotOnOrAfter") for data in found]


def _statement_time(trace: SAMLTrace, name: str) -> datetime | None:
    return read_time(find_all(trace.assertion, AUTHN_STATEMENT)[0], name)


def _session_end(trace: SAMLTrace) -> str:
    end = _statement_time(trace, "SessionNotOnOrAfter")
    return "none" if end is None else str(from_now(end, trace.expected.now))


def _fresh(trace: SAMLTrace) -> str:
    if not trace.expected.provider.force_authn:
        raise Skip
    at, asked_at = _statement_time(trace, "AuthnInstant"), trace.expected.asked_at
    return "nobody asked" if asked_at is None or at is None else f"{between(asked_at, at)} after our question"


def _class_ref(trace: SAMLTrace) -> str | None:
    found = trace.assertion.iter(AUTHN_CONTEXT_CLASS_REF)
    return next((each.text for each in found), None)


def _words(texts: Sequence[str]) -> str | Sequence[str]:
    return texts or "any"


SAMLTrace.rows = (
    Row("parameters", mark("The form has one SAMLResponse"), lambda _: "", lambda _: "each field once"),
    Row(
        "question",
        mark("A question of ours waits for this answer"),
        _question,
        lambda _: "found; none where the provider may begin",
    ),
    Row(
        "question_provider",
        mark("The question went to this provider"),
        _question_provider,
        lambda trace: trace.provider,
    ),
    Row("browser", mark("The same browser asked"), _browser, lambda _: "matches"),
    Row(
        "provider_metadata",
        mark("The provider's metadata is at hand"),
        _certificates,
        lambda _: "a certificate in force",
    ),
    Row(
        "base64",
        mark("The message is base64"),
        lambda trace: f"{len(trace.encoded)} characters",
        lambda _: f"at most {MESSAGE.document_bytes * 3 // 2} characters",
    ),
    Row(
        "document",
        mark("It is XML that can be read in one way only"),
        lambda trace: f"{len(trace.xml)} bytes",
        lambda _: f"at most {MESSAGE.document_bytes} bytes",
    ),
    Row("root", mark("It is a response"), lambda trace: trace.document.tag, lambda _: RESPONSE),
    Row(
        "one_assertion",
        mark("It has one assertion, encrypted as the settings say"),
        _assertions,
        lambda trace: f"one; encryption: {trace.expected.provider.encryption}",
    ),
    Row(
        "signature_places",
        mark("Signatures stand where they belong"),
        lambda _: "",
        lambda _: "after the issuer of response or assertion, once each",
    ),
    Row("signed", mark("What must be signed is"), _signed, lambda trace: f"signed: {trace.expected.provider.signed}"),
    Row(
        "response_signature",
        mark("The response is signed by the provider"),
        lambda trace: _signature(trace, "response_signature"),
        lambda trace: _pinned(trace, "response_signature"),
    ),
    Row(
        "decryption",
        mark("The assertion can be opened"),
        _decryption,
        lambda trace: f"{len(trace.expected.decryption_keys)} keys of ours",
    ),
    Row("inner_places", mark("Signatures inside stand where they belong"), _inner, lambda _: "after the issuer, once"),
    Row(
        "inner_signed",
        mark("What must be signed inside is"),
        _inner,
        lambda trace: f"signed: {trace.expected.provider.signed}",
    ),
    Row(
        "assertion_signature",
        mark("The assertion is signed by the provider"),
        lambda trace: _signature(trace, "assertion_signature"),
        lambda trace: _pinned(trace, "assertion_signature"),
    ),
    Row("children", mark("The response has no unknown parts"), lambda _: "", lambda _: "those of SAML, in their order"),
    Row(
        "versions",
        mark("Both are SAML 2.0, with an ID"),
        lambda trace: list(dict.fromkeys(part.get("Version", "none") for part in (trace.response, trace.assertion))),
        lambda _: "2.0",
    ),
    Row("status", mark("The provider reports success"), _status, lambda _: "Success"),
    Row("issuer", mark("The issuer is this provider"), _issuers, lambda trace: trace.expected.provider.entity_id),
    Row(
        "destination",
        mark("The response was sent to our address"),
        lambda trace: trace.response.get("Destination"),
        lambda trace: trace.expected.acs_url,
    ),
    Row(
        "in_response_to",
        mark("The response answers our question"),
        lambda trace: trace.response.get("InResponseTo"),
        lambda trace: trace.expected.request_id or "none, where idp_initiated is true",
    ),
    Row(
        "response_issued",
        mark("The response is recent"),
        lambda trace: _issued(trace, trace.response),
        lambda trace: recent(MAX_AGE, trace.expected.skew),
    ),
    Row(
        "assertion_issued",
        mark("The assertion is recent"),
        lambda trace: _issued(trace, trace.assertion),
        lambda trace: recent(MAX_AGE, trace.expected.skew),
    ),
    Row(
        "conditions",
        mark("The assertion has conditions that we know"),
        lambda _: "",
        lambda _: "AudienceRestriction, and no unknown ones",
    ),
    Row("audience", mark("The assertion is meant for us"), _audiences, lambda trace: trace.expected.sp_entity_id),
    Row(
        "proxy_restriction",
        mark("We may issue something on its basis"),
        _proxy_restriction,
        lambda _: "none that forbids it",
    ),
    Row(
        "valid_from",
        mark("Its validity has begun"),
        lambda trace: _condition_time(trace, "NotBefore"),
        lambda trace: f"not in the future; {differ(trace.expected.skew)}",
    ),
    Row(
        "valid_until",
        mark("Its validity has not ended"),
        lambda trace: _condition_time(trace, "NotOnOrAfter"),
        lambda trace: f"in the future; {differ(trace.expected.skew)}",
    ),
    Row(
        "lifetime",
        mark("Its validity is short"),
        lambda trace: _lifetime(trace, read_time(_conditions(trace), "NotOnOrAfter")),
        lambda _: f"more than 0 s, at most {MAX_LIFETIME.total_seconds():.0f} s",
    ),
    Row(
        "opened_parts",
        mark("What is encrypted in it can be opened"),
        lambda trace: "not opened" if trace.at == "opened_parts" else "",
        lambda trace: f"encryption: {trace.expected.provider.encryption}",
    ),
    Row("subject", mark("It is about one person"), lambda trace: len(find_all(trace.assertion, SUBJECT)), lambda _: 1),
    Row(
        "name_id",
        mark("The person's name is a lasting one"),
        _name_id_format,
        lambda trace: trace.expected.provider.name_id_format or "any format but transient, 1 to 256 characters",
    ),
    Row(
        "confirmation",
        mark("Whoever brings it counts as the person"),
        lambda trace: [each.get("Method", "").rpartition(":")[2] for each in _bearers(trace)],
        lambda _: "bearer",
    ),
    Row(
        "recipient",
        mark("It may be delivered at our address"),
        lambda trace: _bearer_data(trace, "Recipient"),
        lambda trace: trace.expected.acs_url,
    ),
    Row(
        "confirmation_in_response_to",
        mark("The confirmation answers our question"),
        lambda trace: _bearer_data(trace, "InResponseTo"),
        lambda trace: trace.expected.request_id or "none",
    ),
    Row(
        "confirmation_until",
        mark("The time to deliver it has not ended"),
        lambda trace: [str(from_now(end, trace.expected.now) or "none") for end in _bearer_ends(trace)],
        lambda trace: f"in the future; {differ(trace.expected.skew)}",
    ),
    Row(
        "confirmation_lifetime",
        mark("The time to deliver it is short"),
        lambda trace: [str(_lifetime(trace, end) or "none") for end in _bearer_ends(trace)],
        lambda _: f"more than 0 s, at most {MAX_LIFETIME.total_seconds():.0f} s",
    ),
    Row(
        "authentication",
        mark("It states one authentication"),
        lambda trace: len(find_all(trace.assertion, AUTHN_STATEMENT)),
        lambda _: 1,
    ),
    Row(
        "authenticated",
        mark("The person authenticated recently enough"),
        lambda trace: from_now(_statement_time(trace, "AuthnInstant"), trace.expected.now),
        lambda trace: recent(trace.expected.provider.max_authentication_age_seconds, trace.expected.skew),
    ),
    Row(
        "fresh",
        mark("The person authenticated anew, for our question"),
        _fresh,
        lambda trace: f"after our question; {differ(trace.expected.skew)}",
    ),
    Row(
        "session_end",
        mark("The provider's own session has not ended"),
        _session_end,
        lambda trace: f"none, or in the future; {differ(trace.expected.skew)}",
    ),
    Row(
        "authn_context",
        mark("The way of authenticating is a required one"),
        _class_ref,
        lambda trace: _words(trace.expected.provider.requested_authn_contexts),
    ),
    Row(
        "attributes",
        mark("Each attribute has one meaning"),
        lambda trace: f"{sum(1 for _ in trace.assertion.iter(ATTRIBUTE))} attributes",
        lambda _: "each once, in plain text, groups not left out",
    ),
    Row("schema", mark("Nothing in the assertion is unknown to SAML"), lambda _: "", lambda _: "the SAML schema"),
    PERSON,
    Row(
        "first_use",
        mark("The assertion was never accepted before"),
        lambda trace: trace.message_id,
        lambda _: "an identifier that was not used yet",
    ),
    Row("question_unused", mark("The question was not answered yet"), _question, lambda _: "unanswered"),
    STEP_UP,
)
