"""Opens an encrypted ID or logout token, whose content is a signed one like any other: anybody can encrypt for us.

1. ``read_form``: five canonical parts, a header in which nothing else stands than how the token is encrypted and for
   which of our keys, RSA-OAEP, authenticated content encryption. Nothing is computed before this; compression, keys of
   the token's own, passwords with a million rounds and RSA 1.5 are not known here at all.
2. ``open_content``: a key that does not unwrap gives a random content key, so that the content is always tried as well:
   of what does not open, neither answer nor time says which step failed (RFC 7516 11.5; Bleichenbacher 1998, Manger
   2001).

What comes out must be three parts with a signature; ``id_token.py`` sees to that, and to the rest. Every failure here
is OIDCDecryption; why stands in its ``detail`` alone. RFC 7516, RFC 7518 4.3 and 5; OpenID Connect Core 10.2; threats
OIDC-04, OIDC-16.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry

from bridge.errors import OIDCDecryption, OIDCForm, OIDCNotEncrypted, OIDCSize
from bridge.identity.oidc.id_token import decode_base64url
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.providers import OIDCProvider
from bridge.keys import DecryptionKeys, SigningKey

MAX_ENCRYPTED_CHARACTERS = 30_000
"""A token of 20,000 characters, encrypted: a third more, and the keys."""

_PARTS = 5
_HEADERS = frozenset({"alg", "enc", "kid", "typ", "cty", "iss", "aud"})
# SHA-1 is no weakness in OAEP, and is all that some providers know; in signatures it is refused.
_OAEP = {
    name: OAEP(mgf=MGF1(algorithm=digest), algorithm=digest, label=None)
    for name, digest in (("RSA-OAEP", hashes.SHA1()), ("RSA-OAEP-256", hashes.SHA256()))  # noqa: S303
}
_CONTENT = {name: JWERegistry.algorithms["enc"][name] for name in ("A128CBC-HS256", "A128GCM", "A256GCM")}
"""The first is the default of OpenID Connect Registration; all three notice a changed ciphertext."""


@dataclass(frozen=True)
class EncryptedForm:
    """What a well-formed encrypted token says, and nobody vouches for."""

    padding: OAEP
    encryption: str
    """The name of the content encryption."""
    key_id: str | None
    """Which of our keys it is for; None: it does not say."""
    associated: bytes
    wrapped_key: bytes
    iv: bytes
    ciphertext: bytes
    tag: bytes


def open_token(token: str, provider: OIDCProvider, keys: DecryptionKeys, *, is_id_token: bool = True) -> str:
    """Return the signed token inside an encrypted one, or the token itself where it is not encrypted.

    A logout token is encrypted where the provider likes, since it tells nobody anything.

    Raises:
        OIDCNotEncrypted: the provider must encrypt its ID tokens, and did not.
        OIDCSize: more than 30,000 characters.
        OIDCDecryption: it is encrypted in a form that is not accepted, or not for us, or was changed.
        OIDCForm: what was encrypted is no token.
    """
    if provider.encryption == "refuse":
        return token
    if token.count(".") != _PARTS - 1:
        if provider.encryption == "require" and is_id_token:
            raise OIDCNotEncrypted("the token is not encrypted")
        return token
    if len(token) > MAX_ENCRYPTED_CHARACTERS:
        raise OIDCSize(f"the encrypted token has {len(token)} characters")
    plaintext = open_content(read_form(token, provider), keys)
    try:
        return plaintext.decode("ascii")
    except UnicodeDecodeError as error:
        raise OIDCForm("what was encrypted is not a token") from error


def read_form(token: str, provider: OIDCProvider) -> EncryptedForm:
    """Take an encrypted token of five parts apart (RFC 7516 7.1).

    ``iss`` and ``aud``, which some providers repeat in the header (RFC 7519 5.3), are what they must be in the claims.

    Raises:
        OIDCDecryption: its form, its header or an algorithm is not one that we accept.
    """
    try:
        first, *others = token.encode("ascii").split(b".")
        header = parse_object(decode_base64url(first))
        wrapped_key, iv, ciphertext, tag = map(decode_base64url, others)
    except (ValueError, OIDCForm) as error:
        raise OIDCDecryption("not five parts in canonical base64url, the first a JSON object") from error
    check_other_members(header, provider)
    algorithm, encryption, key_id = header.get("alg"), header.get("enc"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _OAEP:
        raise OIDCDecryption("alg is missing, or is not RSA-OAEP-256 or RSA-OAEP")
    if not isinstance(encryption, str) or encryption not in _CONTENT:
        raise OIDCDecryption("enc is missing, or is not A128CBC-HS256, A128GCM or A256GCM")
    if "kid" in header and not isinstance(key_id, str):
        raise OIDCDecryption("kid is not a string")
    return EncryptedForm(_OAEP[algorithm], encryption, key_id, first, wrapped_key, iv, ciphertext, tag)


def check_other_members(header: Mapping[str, Any], provider: OIDCProvider) -> None:
    """The header asks for nothing, and says nothing else than the claims may. Raises OIDCDecryption."""
    if not _HEADERS.issuperset(header):
        raise OIDCDecryption("the header has a member that is not one of those that we know")
    if header.get("typ", "JWT") != "JWT" or header.get("cty", "JWT") != "JWT":
        raise OIDCDecryption("typ or cty is not JWT")
    if "iss" in header and header["iss"] not in list(provider.issuers):
        raise OIDCDecryption("iss in the header is another issuer")
    if header.get("aud", provider.client_id) not in (provider.client_id, [provider.client_id]):
        raise OIDCDecryption("aud in the header is not our client ID")


def open_content(form: EncryptedForm, keys: DecryptionKeys) -> bytes:
    """Return what was encrypted for one of our keys: the one that is named, else any.

    Raises:
        OIDCDecryption: none of them opens it.
    """
    ours = [key for key in (*keys.published, *keys.retired) if form.key_id in {None, key.id}]
    model = _CONTENT[form.encryption]
    for key in ours:
        content_key = _unwrap(form, key, model.cek_size // 8)
        try:
            return model.decrypt(form.ciphertext, form.tag, content_key, form.iv, form.associated)
        except (JoseError, ValueError):
            continue
    raise OIDCDecryption("none of our keys opens it")


def _unwrap(form: EncryptedForm, key: SigningKey, length: int) -> bytes:
    replacement = secrets.token_bytes(length)
    try:
        content_key = key.private_key.decrypt(form.wrapped_key, form.padding)
    except ValueError:
        return replacement
    return content_key if len(content_key) == length else replacement
