"""Reads an STS request as it arrived, once: what is verified and what is acted on are the same parameters.

Clients put parameters into the query, into a form body, or half and half; sign in two schemes; and send junk
signatures with the two anonymous actions, which are ignored there. Everything that two programs could read
differently is refused: a name that comes twice (in any case, in either place), other encodings than a form,
a broken escape, a raw ``;``, a parameter that the action does not have (threats STS-01, STS-04, STS-12).

Whether a signature is *right* is not decided here; see :mod:`bridge.sts_wire.signature`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from bridge.sts_wire.reply import Format, STSFault, build_fault, build_missing_common
from bridge.sts_wire.signature import (
    ALGORITHM_V3,
    Signature,
    build_string_to_sign_v1,
    build_string_to_sign_v3,
)

Action = Literal["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithOIDC", "GetCallerIdentity"]

VERSION = "2015-04-01"
MAX_REQUEST_BYTES = 256 * 1024
"""Query and body together. A SAML assertion of 100,000 characters is at most 140 kB when escaped."""
MAX_PARAMETERS = 200

PARAMETERS: dict[Action, frozenset[str]] = {
    "AssumeRole": frozenset(
        {"RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", "SourceIdentity"}
    ),
    "AssumeRoleWithSAML": frozenset({"SAMLProviderArn", "RoleArn", "SAMLAssertion", "Policy", "DurationSeconds"}),
    "AssumeRoleWithOIDC": frozenset(
        {"OIDCProviderArn", "RoleArn", "OIDCToken", "RoleSessionName", "Policy", "DurationSeconds"}
    ),
    "GetCallerIdentity": frozenset(),
}
ANONYMOUS_ACTIONS: frozenset[Action] = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithOIDC"})

Services: TypeAlias = Mapping[str, Mapping[str, frozenset[str]]]
"""RPC services at one address: for each version, its actions with the parameters that they have."""

STS_ACTIONS: Services = {VERSION: {str(action): names for action, names in PARAMETERS.items()}}

_COMMON = frozenset(
    {
        "Action", "Version", "Format", "AccessKeyId", "SecurityToken", "Signature", "SignatureMethod",
        "SignatureVersion", "SignatureNonce", "SignatureType", "Timestamp", "RegionId",
    }
)  # fmt: skip
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NONCE = re.compile(r"[\x21-\x7e]{8,128}")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9._-]{4,128}")
_AUTHORIZATION_V3 = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([A-Za-z0-9._-]{4,128}),SignedHeaders=([a-z0-9;-]{1,2000}),"
    r"Signature=([0-9a-f]{64})"
)
_FORM_TYPE = re.compile(r'application/x-www-form-urlencoded(;\s*charset="?utf-8"?)?', re.IGNORECASE)


@dataclass(frozen=True)
class RawRequest:
    """An HTTP request to STS as it arrived."""

    method: str
    query: bytes = field(repr=False)
    """What stands after the ``?``, still encoded."""
    headers: Iterable[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class STSRequest:
    """A well-formed request for an action that exists."""

    action: Action
    parameters: Mapping[str, str] = field(repr=False)
    """The action's own parameters, decoded; all of them are parameters that the action has."""
    signature: Signature | None
    """None for an anonymous action, whatever was sent."""
    form: Format


@dataclass(frozen=True)
class RPCRequest:
    """A well-formed request for an action of one of several RPC services, such as RAM's."""

    version: str
    action: str
    parameters: Mapping[str, str] = field(repr=False)
    """The action's own parameters, as in :class:`STSRequest`."""
    signature: Signature | None
    form: Format


def parse_request(raw: RawRequest) -> STSRequest:
    """Read a request; it has one action, known parameters, each once, and for a signed action one signature.

    Raises :class:`STSFault` with the vendor's code for everything else.
    """
    request = parse_rpc_request(raw, STS_ACTIONS)
    return STSRequest(cast("Action", request.action), request.parameters, request.signature, request.form)


def parse_rpc_request(raw: RawRequest, services: Services) -> RPCRequest:
    """Read a request to any of these services, as strictly as :func:`parse_request` does; only STS has anonymous ones.

    Raises :class:`STSFault` with the vendor's code for everything else.
    """
    if raw.method not in {"GET", "POST"}:
        raise build_fault("UnsupportedHTTPMethod")
    if len(raw.query) + len(raw.body) > MAX_REQUEST_BYTES:
        raise build_fault("RequestTooLarge")
    headers = _read_headers(raw.headers)
    if raw.body:
        _check_content_type(headers)
    query = _decode(raw.query)
    body = _decode(raw.body)
    _check_names([*query, *body])
    query_parameters, parameters = dict(query), dict([*query, *body])
    form = _read_format(parameters)
    version, action = _read_action(parameters, headers, services)
    known = services[version][action]
    _check_known(known, parameters)
    if version == VERSION and action in ANONYMOUS_ACTIONS:
        signature = None
    elif "authorization" in headers:
        signature = _read_signature_v3(raw, headers, query_parameters, parameters)
    else:
        signature = _read_signature_v1(raw.method, parameters)
    own = {name: value for name, value in parameters.items() if name in known}
    return RPCRequest(version, action, own, signature, form)


def find_format(raw: RawRequest) -> Format:
    """Return the form in which a refusal of this request should be written; JSON where that cannot be told."""
    try:
        return _read_format(dict([*_decode(raw.query), *_decode(raw.body)]))
    except STSFault:
        return "JSON"


def _read_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Index the headers by lower-case name; one that comes twice could be signed once and read once."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.lower() in found:
            raise build_fault("InvalidParameter", f"The header {name.lower()[:64]} is repeated.")
        found[name.lower()] = value
    return found


def _check_content_type(headers: Mapping[str, str]) -> None:
    """The body is a plain form, the one encoding that the signature covers."""
    plain = headers.get("content-encoding", "identity").lower() == "identity"
    if not plain or not _FORM_TYPE.fullmatch(headers.get("content-type", "").strip()):
        raise build_fault("InvalidParameter.ContentType")


def _decode(encoded: bytes) -> list[tuple[str, str]]:
    """Decode ``a=b&c=d`` strictly: UTF-8, whole escapes, no raw ``;``, no NUL, a bounded number of pairs."""
    pieces = [piece for piece in encoded.replace(b"+", b" ").split(b"&") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise build_fault("InvalidParameter", "The request holds too many parameters.")
    if b";" in encoded or _BROKEN_ESCAPE.search(encoded):
        raise build_fault("InvalidParameter", "The parameters are not form-encoded.")
    if b"\0" in encoded or b"%00" in encoded:
        raise build_fault("InvalidParameter", "The parameters hold a NUL character.")
    try:
        return [(_unescape(name), _unescape(value)) for name, _, value in (piece.partition(b"=") for piece in pieces)]
    except UnicodeDecodeError as error:
        raise build_fault("InvalidParameter", "The parameters are not UTF-8.") from error


def _unescape(text: bytes) -> str:
    return (unquote_to_bytes(text) if b"%" in text else text).decode()


def _check_names(pairs: list[tuple[str, str]]) -> None:
    """No name comes twice, not even in another case or once in the query and once in the body.

    Without it, the signature could cover one value and the action use the other (CVE-2022-2385, CWE-235).
    """
    seen: set[str] = set()
    for name, _ in pairs:
        if name.lower() in seen:
            raise build_fault("InvalidParameter", f"The parameter {name[:64]} is repeated.")
        seen.add(name.lower())


def _read_format(parameters: Mapping[str, str]) -> Format:
    """Return the asked form; ``Format`` is compared without case, and JSON where it is absent."""
    match parameters.get("Format", "JSON").upper():
        case "JSON":
            return "JSON"
        case "XML":
            return "XML"
        case _:
            raise build_fault("InvalidParameter.Format")


def _read_action(parameters: Mapping[str, str], headers: Mapping[str, str], services: Services) -> tuple[str, str]:
    """Return version and action; parameter and header may both name it (SDKs do) but must then agree."""
    names = _list_given(parameters.get("Action"), headers.get("x-acs-action"))
    versions = _list_given(parameters.get("Version"), headers.get("x-acs-version"))
    if not names:
        raise build_missing_common("Action")
    if not versions:
        raise build_missing_common("Version")
    version, action = versions.pop(), names.pop()
    if versions or version not in services:
        raise build_fault("InvalidVersion")
    if names or action not in services[version]:
        raise build_fault("InvalidApi.NotFound")
    return version, action


def _list_given(*values: str | None) -> set[str]:
    return {value for value in values if value is not None}


def _check_known(known: frozenset[str], parameters: Mapping[str, str]) -> None:
    """Every parameter is one that the action has; a misspelt limit must not be ignored silently."""
    for name in parameters:
        if name not in _COMMON and name not in known:
            raise build_fault("InvalidParameter", f"The parameter {name[:64]} is not supported.")


def _read_signature_v1(method: str, parameters: Mapping[str, str]) -> Signature:
    """Read an RPC signature; the action and its version are among what it covers."""
    for name in (
        "Action", "Version", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce",
        "Timestamp", "Signature",
    ):  # fmt: skip
        if not parameters.get(name):
            raise build_missing_common(name)
    if parameters["SignatureMethod"] != "HMAC-SHA1":
        raise build_fault("InvalidSignatureMethod")
    if parameters["SignatureVersion"] != "1.0" or parameters.get("SignatureType"):
        raise build_fault("IncompleteSignature")
    if not _ACCESS_KEY_ID.fullmatch(parameters["AccessKeyId"]):
        raise build_fault("InvalidAccessKeyId.NotFound")
    covered = {name: value for name, value in parameters.items() if name != "Signature"}
    return Signature(
        scheme="v1",
        access_key_id=parameters["AccessKeyId"],
        security_token=parameters.get("SecurityToken"),
        nonce=_read_nonce(parameters["SignatureNonce"]),
        timestamp=parameters["Timestamp"],
        string_to_sign=build_string_to_sign_v1(method, covered),
        value=parameters["Signature"],
    )


def _read_signature_v3(
    raw: RawRequest, headers: Mapping[str, str], query: Mapping[str, str], parameters: Mapping[str, str]
) -> Signature:
    """Read an ACS3 signature; it covers the host, the body and every ``x-acs-`` header, and stands alone.

    Without it, a header that was not signed could name another action, time or session (threat STS-01).
    """
    if not headers["authorization"].startswith(f"{ALGORITHM_V3} "):
        raise build_fault("InvalidSignatureMethod")
    match = _AUTHORIZATION_V3.fullmatch(headers["authorization"])
    if match is None or {"Signature", "AccessKeyId", "SecurityToken"} & parameters.keys():
        raise build_fault("IncompleteSignature")
    for name, header in {"Timestamp": "x-acs-date", "SignatureNonce": "x-acs-signature-nonce"}.items():
        if not headers.get(header):
            raise build_missing_common(name)
    access_key_id, names, value = match[1], match[2].split(";"), match[3]
    needed = {"host", "x-acs-action", "x-acs-version", "x-acs-content-sha256"}
    needed |= {name for name in headers if name.startswith("x-acs-")}
    whole = needed <= set(names) <= headers.keys() and names == sorted(set(names))
    honest = headers.get("x-acs-content-sha256") == hashlib.sha256(raw.body).hexdigest()
    if not whole or not honest or headers.get("x-acs-accesskey-id", access_key_id) != access_key_id:
        raise build_fault("IncompleteSignature")
    return Signature(
        scheme="v3",
        access_key_id=access_key_id,
        security_token=headers.get("x-acs-security-token"),
        nonce=_read_nonce(headers["x-acs-signature-nonce"]),
        timestamp=headers["x-acs-date"],
        string_to_sign=build_string_to_sign_v3(raw.method, query, headers, names, raw.body),
        value=value,
    )


def _read_nonce(nonce: str) -> str:
    """Return the nonce if it is one that can be remembered: 8 to 128 visible characters."""
    if not _NONCE.fullmatch(nonce):
        raise build_fault("InvalidParameter.SignatureNonce")
    return nonce
