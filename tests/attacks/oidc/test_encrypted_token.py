"""Encrypted ID tokens (OIDC-04, OIDC-16): anybody can make one for us, so it proves nothing and may cost nothing.

Each hostile token is opened at the checks alone, and its error is exactly one; the twin is the same token, not spoiled.
"""

import functools
import json
import time
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwe
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey, RSAKey

from bridge.attack.oidc.cases_logout_token import forge_logout
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.oidc.tokens import CLAIMS, CLIENT, ISSUER, PROVIDER, b64, expected, forge, keys
from bridge.errors import (
    IdentityError,
    KeyMissing,
    OIDCAlgorithm,
    OIDCDecryption,
    OIDCForm,
    OIDCHeader,
    OIDCNotEncrypted,
    OIDCSignature,
    OIDCSize,
    OIDCTyp,
)
from bridge.identity.oidc.encrypted_token import MAX_ENCRYPTED_CHARACTERS, open_content, open_token, read_form
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.keys import DecryptionKeys, SigningKey
from tests.attacks.oidc.test_flow import OUTBOUND, PUBLIC_URL, relying_party
from tests.attacks.oidc.test_flow import sign_in as run_flow
from tests.live_store import MovableClock

ALLOWING = PROVIDER.model_copy(update={"encryption": "allow"})
REQUIRING = PROVIDER.model_copy(update={"encryption": "require"})
EVERY = [*JWERegistry.algorithms["alg"], *JWERegistry.algorithms["enc"], *JWERegistry.algorithms["zip"]]


@functools.cache
def private(name):
    return RSAKey.generate_key(2048, {"kid": name, "use": "enc"})


@functools.cache
def ours():
    found = [SigningKey(name, private(name).private_key, None) for name in ("current", "next", "previous")]
    return DecryptionKeys(published=tuple(found[:2]), retired=(found[2],))


def encrypt(content, header=None, *, name="current", key=None):
    """Return what an honest provider makes of a token, with these changes of its header; None removes one."""
    members = {"alg": "RSA-OAEP-256", "enc": "A128CBC-HS256", "cty": "JWT", "kid": name} | (header or {})
    members = {name: value for name, value in members.items() if value is not None}
    content = content.encode() if isinstance(content, str) else content
    registry = JWERegistry(algorithms=EVERY, strict_check_header=False)
    return jwe.encrypt_compact(members, content, key or private(name), registry=registry)


def parts(change):
    """Return an encrypted token with one part changed by ``change``, which gets all five."""
    made = encrypt(forge()).split(".")
    change(made)
    return ".".join(made)


def sign_in(token, provider=ALLOWING):
    return verify_id_token(open_token(token, provider, ours()), expected())


def gcm(content_key, *, tag_bytes=16, iv=bytes(12)):
    """Return a token in A128GCM with this content key, this vector, and so much of its tag."""
    header = b64(json.dumps({"alg": "RSA-OAEP-256", "enc": "A128GCM", "kid": "current"}).encode())
    sealed = AESGCM(content_key).encrypt(iv, forge().encode(), header.encode())
    padding = OAEP(mgf=MGF1(algorithm=SHA256()), algorithm=SHA256(), label=None)
    wrapped = private("current").private_key.public_key().encrypt(content_key, padding)
    return ".".join([header, b64(wrapped), b64(iv), b64(sealed[:-16]), b64(sealed[-16:][:tag_bytes])])


def damaged(index, position=0):
    def change(made):
        letter = made[index][position]
        made[index] = made[index][:position] + ("A" if letter != "A" else "B") + made[index][position + 1 :]

    return lambda: parts(change)


def replaced(index, text):
    return lambda: parts(lambda made: made.__setitem__(index, text))


def with_header(**changes):
    """A header that was changed without the key: of the form, not of the content, since the content knows it."""

    def change(made):
        header = {"alg": "RSA-OAEP-256", "enc": "A128CBC-HS256", "cty": "JWT", "kid": "current"} | changes
        made[0] = b64(json.dumps({name: value for name, value in header.items() if value is not None}).encode())

    return lambda: parts(change)


# ── Honest tokens ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("provider", [ALLOWING, REQUIRING], ids=["allow", "require"])
@pytest.mark.parametrize("name", ["current", "next", "previous"])
@pytest.mark.parametrize("algorithm", ["RSA-OAEP-256", "RSA-OAEP"])
@pytest.mark.parametrize("encryption", ["A128CBC-HS256", "A128GCM", "A256GCM"])
def test_an_honest_encrypted_token_is_accepted(algorithm, encryption, name, provider):
    token = encrypt(forge(), {"alg": algorithm, "enc": encryption}, name=name)
    assert sign_in(token, provider).subject == "ada"


HEADERS = [{"kid": None}, {"cty": None}, {"typ": "JWT"}, {"iss": ISSUER, "aud": CLIENT}, {"aud": [CLIENT]}]


@pytest.mark.parametrize("header", HEADERS, ids=str)
@pytest.mark.parametrize("name", ["current", "previous"])
def test_what_a_header_may_leave_out_or_add(header, name):
    assert sign_in(encrypt(forge(), header, name=name)).subject == "ada"


def test_a_token_that_was_made_by_hand_is_accepted():
    assert sign_in(gcm(bytes(16))).subject == "ada"


def test_a_plain_token_is_accepted_unless_it_must_be_encrypted():
    assert sign_in(forge()).subject == "ada"
    with pytest.raises(OIDCNotEncrypted):
        sign_in(forge(), REQUIRING)
    assert sign_in(encrypt(forge()), REQUIRING).subject == "ada"


def test_an_encrypted_token_is_refused_unless_the_settings_allow_it():
    with pytest.raises(OIDCForm):
        sign_in(encrypt(forge()), PROVIDER)
    assert sign_in(encrypt(forge())).subject == "ada"


def test_the_longest_token_still_fits():
    padding = "x" * 13_000
    assert sign_in(encrypt(forge({"padding": padding}))).claims["padding"] == padding


# ── Hostile tokens: what is not opened ───────────────────────────────────────────────────────────────────────────────

BOMB = zlib.compress(b" " * 50_000_000, level=9)
NOT_OPENED = {
    "RSA 1.5": lambda: encrypt(forge(), {"alg": "RSA1_5"}),
    "RSA 1.5 in the header alone": with_header(alg="RSA1_5"),
    "dir": lambda: encrypt(forge(), {"alg": "dir"}, key=OctKey.generate_key(256)),
    "dir in the header alone": with_header(alg="dir"),
    "key wrapping with the client secret": lambda: encrypt(forge(), {"alg": "A128KW"}, key=OctKey.generate_key(128)),
    "PBES2 with a count of 2 billion": with_header(alg="PBES2-HS256+A128KW", p2c=2_000_000_000, p2s="AAAA"),
    "ECDH-ES": with_header(alg="ECDH-ES", epk={"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
    "alg none": with_header(alg="none"),
    "alg missing": with_header(alg=None),
    "alg a list": with_header(alg=["RSA-OAEP-256"]),
    "alg in small letters": with_header(alg="rsa-oaep-256"),
    "a signature's alg": with_header(alg="RS256"),
    "RSA-OAEP said to be RSA-OAEP-256": with_header(alg="RSA-OAEP"),
    "A192GCM": lambda: encrypt(forge(), {"enc": "A192GCM"}),
    "A256CBC-HS512": lambda: encrypt(forge(), {"enc": "A256CBC-HS512"}),
    "enc missing": with_header(enc=None),
    "enc a list": with_header(enc=["A128GCM"]),
    "enc of another key length": with_header(enc="A256GCM"),
    "zip": lambda: encrypt(forge(), {"zip": "DEF"}),
    "zip bomb": lambda: encrypt(BOMB[:15_000], {"zip": "DEF"}),
    "crit": with_header(crit=["exp"], exp=1),
    "crit empty": with_header(crit=[]),
    "a key of its own": lambda: encrypt(forge(), {"jwk": private("stranger").as_dict(private=False)}),
    "an address of keys": with_header(jku="https://evil.example/jwks"),
    "a certificate": with_header(x5c=["AAAA"]),
    "iss of another": lambda: encrypt(forge(), {"iss": "https://evil.example"}),
    "iss a list": lambda: encrypt(forge(), {"iss": [ISSUER]}),
    "aud of another": lambda: encrypt(forge(), {"aud": "another"}),
    "aud of another as well": lambda: encrypt(forge(), {"aud": [CLIENT, "another"]}),
    "sub": lambda: encrypt(forge(), {"sub": "ada"}),
    "typ of an access token": lambda: encrypt(forge(), {"typ": "at+jwt"}),
    "cty of another kind": lambda: encrypt(forge(), {"cty": "application/json"}),
    "kid of a key that is not ours": lambda: encrypt(forge(), {"kid": "stranger"}),
    "kid of another key of ours": lambda: encrypt(forge(), {"kid": "next"}),
    "kid empty": lambda: encrypt(forge(), {"kid": ""}),
    "kid null": with_header(kid=[None]),
    "kid a path": lambda: encrypt(forge(), {"kid": "../current"}),
    "for a stranger": lambda: encrypt(forge(), {"kid": None}, key=private("stranger")),
    "header twice": replaced(0, b64(b'{"alg":"RSA1_5","alg":"RSA-OAEP-256","enc":"A128GCM"}')),
    "header no object": replaced(0, b64(b'["RSA-OAEP-256"]')),
    "header empty": replaced(0, ""),
    "header of 5 kB": replaced(0, b64(json.dumps({"alg": "RSA-OAEP", "kid": "k" * 5_000}).encode())),
    "header with padding": lambda: parts(lambda made: made.__setitem__(0, made[0] + "=")),
    "key empty": replaced(1, ""),
    "key short": replaced(1, "AAAA"),
    "key of zeros": replaced(1, b64(bytes(256))),
    "key larger than the modulus": replaced(1, b64(b"\xff" * 256)),
    "key changed": damaged(1),
    "key of another token": lambda: parts(lambda made: made.__setitem__(1, encrypt(forge()).split(".")[1])),
    "vector changed": damaged(2),
    "vector empty": replaced(2, ""),
    "vector short": replaced(2, b64(bytes(12))),
    "content changed": damaged(3, 5),
    "content empty": replaced(3, ""),
    "content cut": lambda: parts(lambda made: made.__setitem__(3, made[3][:64])),
    "tag changed": damaged(4),
    "tag empty": replaced(4, ""),
    "tag short": replaced(4, b64(bytes(4))),
    "tag long": replaced(4, b64(bytes(32))),
    "tag of AES-GCM short": lambda: gcm(bytes(16), tag_bytes=12),
    "tag of AES-GCM empty": lambda: gcm(bytes(16), tag_bytes=0),
    "content key of another length": lambda: gcm(bytes(32)),
    "not ASCII": replaced(3, "\u0430" * 8),
    "white space": lambda: encrypt(forge()) + "\n",
}


@pytest.mark.parametrize("make", NOT_OPENED.values(), ids=[f"T-OIDC-04[{name}]" for name in NOT_OPENED])
@pytest.mark.filterwarnings("ignore:.*:joserfc.errors.SecurityWarning")
def test_hostile_encrypted_token_is_not_opened_unlike_its_twin(make):
    token = make()
    begun = time.thread_time()
    with pytest.raises(IdentityError) as refused:
        sign_in(token)
    assert time.thread_time() - begun < 0.5
    assert type(refused.value) is OIDCDecryption
    assert len(refused.value.detail) < 200
    assert sign_in(encrypt(forge())).subject == "ada"


@pytest.mark.parametrize("dots", [3, 5, 100_000])
def test_t_oidc_04_another_number_of_parts_is_no_token(dots):
    with pytest.raises((OIDCForm, OIDCSize)):
        sign_in("A" + ".A" * dots)


def test_t_oidc_04_many_recipients_are_no_token():
    compact = encrypt(forge()).split(".")
    members = {"protected": compact[0], "iv": compact[2], "ciphertext": compact[3], "tag": compact[4]}
    recipients = [{"encrypted_key": compact[1]}] * 20
    with pytest.raises(OIDCForm):
        sign_in(json.dumps(members | {"recipients": recipients}))


def test_t_oidc_16_a_token_of_a_megabyte_is_refused_before_anything_is_computed():
    token = encrypt("x" * 60_000)
    begun = time.thread_time()
    with pytest.raises(OIDCSize, match="the encrypted token has"):
        sign_in(token)
    assert time.thread_time() - begun < 0.5
    assert len(encrypt(forge({"padding": "x" * 13_000}))) < MAX_ENCRYPTED_CHARACTERS


def test_t_oidc_16_the_longest_encrypted_token_is_looked_at_and_a_longer_one_is_not():
    longest = "A" * (MAX_ENCRYPTED_CHARACTERS - 4) + "...."
    with pytest.raises(OIDCDecryption):
        sign_in(longest)
    with pytest.raises(OIDCSize):
        sign_in(f"A{longest}")


# ── Hostile tokens: what was opened, and proves nothing ──────────────────────────────────────────────────────────────


def unsigned():
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(json.dumps(CLAIMS).encode())}."


INSIDE = {
    "claims without a signature": (OIDCForm, lambda: json.dumps(CLAIMS)),
    "alg none": (OIDCAlgorithm, unsigned),
    "signed by a stranger": (OIDCSignature, lambda: forge(key=keys().stranger)),
    "signed with the public key": (OIDCAlgorithm, lambda: forge(header={"alg": "HS256"})),
    "encrypted once more": (OIDCForm, lambda: encrypt(forge())),
    "nested by cty": (OIDCHeader, lambda: forge(header={"cty": "JWT"})),
    "a logout token": (OIDCTyp, forge_logout),
    "nothing": (OIDCForm, lambda: ""),
    "no text": (OIDCForm, lambda: b"\xff\xfe"),
    "longer than a token": (OIDCSize, lambda: "a." * 10_001),
}


@pytest.mark.parametrize(("error", "make"), INSIDE.values(), ids=[f"T-OIDC-01[{name} inside]" for name in INSIDE])
def test_hostile_token_inside_an_encrypted_one_is_refused_unlike_its_twin(error, make):
    token = encrypt(make())
    with pytest.raises(IdentityError) as refused:
        sign_in(token)
    assert type(refused.value) is error
    assert sign_in(encrypt(forge())).subject == "ada"


# ── No oracle ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["key of zeros", "key changed", "content changed", "tag changed", "key short"])
def test_t_oidc_04_of_what_does_not_open_even_the_record_does_not_say_why(name):
    with pytest.raises(OIDCDecryption) as refused:
        sign_in(NOT_OPENED[name]())
    assert refused.value.detail == "none of our keys opens it"


def test_t_oidc_04_the_content_is_tried_whether_or_not_the_key_unwraps(monkeypatch):
    tried = []
    model = JWERegistry.algorithms["enc"]["A128CBC-HS256"]
    decrypt = type(model).decrypt

    def count(self, ciphertext, tag, content_key, *others):
        tried.append(content_key)
        return decrypt(self, ciphertext, tag, content_key, *others)

    monkeypatch.setattr(type(model), "decrypt", count)
    forms = [read_form(NOT_OPENED[name](), ALLOWING) for name in ("key of zeros", "key short", "content changed")]
    for form in forms:
        with pytest.raises(OIDCDecryption):
            open_content(form, ours())
    assert [len(content_key) for content_key in tried] == [32] * 3
    assert len(set(tried)) == 3, "and with a fresh key each time"


# ── The whole flow ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_encrypted_token_comes_through_the_whole_flow():
    with OpenIDProvider() as op:
        op.encrypt = encrypt
        settings = relying_party(op).provider.model_copy(update={"encryption": "require"})
        clock = MovableClock()
        party = RelyingParty(settings, PUBLIC_URL, OUTBOUND, clock, decryption=ours())
        assert run_flow(op, party).subject == "ada"
        op.encrypt = lambda token: encrypt(token, {"kid": "stranger"})
        with pytest.raises(OIDCDecryption):
            run_flow(op, party)


@pytest.mark.parametrize("wanted", ["refuse", "allow", "require"])
def test_t_oidc_15_a_logout_token_may_be_encrypted_where_an_id_token_may(wanted):
    with OpenIDProvider() as op:
        settings = relying_party(op).provider.model_copy(update={"encryption": wanted})
        clock = MovableClock()
        party = RelyingParty(settings, PUBLIC_URL, OUTBOUND, clock, decryption=ours())
        now = int(clock.now().timestamp())
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {"iss": op.issuer, "aud": op.client_id, "iat": now, "jti": "x", "sid": "s", "events": events}
        plain = op.sign(claims, {"typ": "logout+jwt"})
        assert party.verify_logout(plain).session_indexes == ("s",)
        if wanted == "refuse":
            with pytest.raises(OIDCForm):
                party.verify_logout(encrypt(plain))
        else:
            assert party.verify_logout(encrypt(plain)).session_indexes == ("s",)
            with pytest.raises(OIDCTyp):
                party.verify_logout(encrypt(op.sign(claims)))


@pytest.mark.parametrize("wanted", ["allow", "require"])
def test_a_provider_that_may_encrypt_needs_a_key_of_ours(wanted):
    settings = PROVIDER.model_copy(update={"encryption": wanted})
    with pytest.raises(KeyMissing):
        RelyingParty(settings, PUBLIC_URL, OUTBOUND, MovableClock())
    assert RelyingParty(settings, PUBLIC_URL, OUTBOUND, MovableClock(), decryption=ours())
