"""How a request is signed with an AccessKey, in both schemes that STS takes, and how a signature is verified.

``v1`` is the RPC signature (HMAC-SHA1 over all parameters); ``v3`` is ACS3-HMAC-SHA256 over a canonical request.
Both sides use the same functions, so what we send is what we would accept. Verification compares in constant time.

References: Alibaba Cloud, "Request syntax and signature method V3" and "RPC signature".
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from bridge.sts_wire.reply import build_fault

ALGORITHM_V3 = "ACS3-HMAC-SHA256"
TIME_WINDOW = timedelta(minutes=15)
"""How far a signed request's time may be from ours, either way."""

_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MISMATCH = "Specified signature is not matched with our calculation. server string to sign is:"


@dataclass(frozen=True)
class Signature:
    """What a request says about who signed it; nothing of it is verified yet."""

    scheme: Literal["v1", "v3"]
    access_key_id: str
    security_token: str | None = field(repr=False)
    nonce: str
    timestamp: str
    string_to_sign: str = field(repr=False)
    """Computed by us from the request as it arrived."""
    value: str = field(repr=False)
    """The signature as sent."""


def percent_encode(text: str) -> str:
    """Encode as RFC 3986 does: only letters, digits, ``-``, ``_``, ``.`` and ``~`` stay."""
    return quote(text, safe="-_.~")


def encode_query(parameters: Mapping[str, str]) -> str:
    """Return the canonical query: sorted by name, both sides encoded."""
    return "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in sorted(parameters.items()))


def build_string_to_sign_v1(method: str, parameters: Mapping[str, str]) -> str:
    """Return what the RPC signature covers: the method, and every parameter of query and form.

    ``parameters`` are decoded; ``Signature`` itself must not be among them.
    """
    return f"{method}&%2F&{percent_encode(encode_query(parameters))}"


def build_string_to_sign_v3(
    method: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    signed_headers: Sequence[str],
    body: bytes,
) -> str:
    """Return what ACS3 covers: method, query, the named headers, and the digest of the body.

    ``query`` is decoded; ``headers`` have lower-case names and hold every name of ``signed_headers``.
    """
    canonical_headers = "".join(f"{name}:{headers[name].strip()}\n" for name in signed_headers)
    canonical_request = "\n".join(
        [
            method,
            "/",
            encode_query(query),
            canonical_headers,
            ";".join(signed_headers),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    return f"{ALGORITHM_V3}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"


def compute_signature(scheme: Literal["v1", "v3"], string_to_sign: str, access_key_secret: str) -> str:
    """Return the signature: base64 of HMAC-SHA1 (``v1``) or lower-case hex of HMAC-SHA256 (``v3``)."""
    message = string_to_sign.encode()
    if scheme == "v1":
        return b64encode(hmac.digest(f"{access_key_secret}&".encode(), message, "sha1")).decode()
    return hmac.digest(access_key_secret.encode(), message, "sha256").hex()


def verify_signature(signature: Signature, access_key_secret: str) -> None:
    """The request was signed with this secret, exactly as it arrived.

    Without it, whoever knows an AccessKey ID could act as its owner. Raises ``SignatureDoesNotMatch``, whose message
    ends with our string to sign directly after the colon, because clients compare that tail with their own.
    """
    expected = compute_signature(signature.scheme, signature.string_to_sign, access_key_secret)
    if not hmac.compare_digest(expected.encode(), signature.value.encode()):
        raise build_fault("SignatureDoesNotMatch", _MISMATCH + signature.string_to_sign)


def check_timestamp(signature: Signature, now: datetime) -> None:
    """The request was signed within 15 minutes of ``now``, so a recorded one is not usable for long.

    Only ``YYYY-MM-DDThh:mm:ssZ`` is a time. Raises ``InvalidTimeStamp.Format`` or ``InvalidTimeStamp.Expired``.
    """
    if not _TIMESTAMP.fullmatch(signature.timestamp):
        raise build_fault("InvalidTimeStamp.Format")
    try:
        moment = datetime.strptime(signature.timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise build_fault("InvalidTimeStamp.Format") from error
    if abs(now - moment) > TIME_WINDOW:
        raise build_fault("InvalidTimeStamp.Expired")


def sign_v3(
    *,
    method: str,
    host: str,
    action: str,
    version: str,
    query: Mapping[str, str],
    body: bytes,
    content_type: str | None,
    date: str,
    nonce: str,
    access_key_id: str,
    access_key_secret: str,
    security_token: str | None = None,
) -> dict[str, str]:
    """Return the headers, ``authorization`` included, that make this a signed ACS3 request.

    ``host`` is exactly the ``Host`` header that will be sent, with its port if it has one. ``date`` is UTC in the
    form ``YYYY-MM-DDThh:mm:ssZ``; ``nonce`` is different in each call. A form body needs its ``content_type``.
    Every returned header is signed and must be sent as it is.
    """
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    if content_type is not None:
        headers["content-type"] = content_type
    if security_token is not None:
        headers["x-acs-accesskey-id"] = access_key_id
        headers["x-acs-security-token"] = security_token
    names = sorted(headers)
    signature = compute_signature("v3", build_string_to_sign_v3(method, query, headers, names, body), access_key_secret)
    headers["authorization"] = (
        f"{ALGORITHM_V3} Credential={access_key_id},SignedHeaders={';'.join(names)},Signature={signature}"
    )
    return headers
