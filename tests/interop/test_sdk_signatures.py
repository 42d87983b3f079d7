"""Random requests, signed by the official SDK's own code, verify here; and what we sign, its code signs the same.

``RAMBRIDGE_TEST_EXAMPLES=5000`` tries that many of each kind, and different ones each time.
"""

import hashlib
import os
import random
from urllib.parse import quote, urlencode

import pytest

from bridge.sts_wire.reply import STSFault
from bridge.sts_wire.request import RawRequest, parse_request
from bridge.sts_wire.signature import build_string_to_sign_v1, compute_signature, sign_v3, verify_signature

sdk = pytest.importorskip("alibabacloud_tea_openapi.utils", reason="the official SDK is not installed")

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
LETTERS = "abcXYZ019 -_.~*+/=&?%#:;,@!'()[]{}\"<>|\\^`$\t\néß林薇🔑"
FORM = "application/x-www-form-urlencoded"


class Request:
    """What the SDK's signer looks at."""

    def __init__(self, method, query, headers):
        self.method, self.pathname, self.query, self.headers = method, "/", query, headers


@pytest.fixture
def chance():
    seed = os.environ.get("RAMBRIDGE_TEST_SEED") or (str(random.randrange(2**32)) if EXAMPLES else "20261129")
    print(f"seed {seed}")  # noqa: T201  pytest shows it with a failure
    return random.Random(seed)


def text(chance, longest=60):
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(0, longest)))


def draw_parameters(chance):
    own = ["RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", "SourceIdentity"]
    return {name: text(chance) for name in chance.sample(own, chance.randint(0, len(own)))}


def draw_nonce(chance):
    return f"{chance.getrandbits(128):032x}"


def encode(chance, parameters):
    """As one client or another writes it on the wire: ``+`` or ``%20``, some letters plain or escaped."""
    items = list(parameters.items())
    chance.shuffle(items)
    if chance.random() < 0.5:
        return urlencode(items).encode()
    return urlencode(items, safe=chance.choice(["", "~*", "/:@"]), quote_via=quote).encode()


def test_rpc_requests_signed_by_the_sdk_verify_here_and_ours_are_the_same(chance):
    for _ in range(EXAMPLES or 150):
        secret, method = text(chance) + "s", chance.choice(["GET", "POST"])
        parameters = {
            "Action": "AssumeRole",
            "Version": "2015-04-01",
            "Format": chance.choice(["JSON", "json", "XML"]),
            "AccessKeyId": "STS." + draw_nonce(chance)[:20],
            "SecurityToken": text(chance) + "t",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": draw_nonce(chance),
            "Timestamp": "2026-01-02T03:04:05Z",
            **draw_parameters(chance),
        }
        theirs = sdk.Utils.get_rpcsignature(parameters, method, secret)

        assert compute_signature("v1", build_string_to_sign_v1(method, parameters), secret) == theirs
        signed = parameters | {"Signature": theirs}
        in_body = chance.sample(sorted(signed), chance.randint(0, len(signed))) if method == "POST" else []
        body = encode(chance, {name: signed[name] for name in in_body})
        raw = RawRequest(
            method=method,
            query=encode(chance, {name: value for name, value in signed.items() if name not in in_body}),
            headers=[("Content-Type", FORM)] if body else [],
            body=body,
        )
        read = parse_request(raw)
        verify_signature(read.signature, secret)
        assert read.parameters == {name: parameters[name] for name in read.parameters}
        with pytest.raises(STSFault):
            verify_signature(read.signature, secret + "x")


def test_acs3_requests_signed_by_the_sdk_verify_here_and_ours_are_the_same(chance):
    for _ in range(EXAMPLES or 150):
        secret, method = text(chance) + "s", chance.choice(["GET", "POST"])
        everything = draw_parameters(chance)
        in_body = chance.sample(sorted(everything), chance.randint(0, len(everything))) if method == "POST" else []
        body = encode(chance, {name: everything[name] for name in in_body})
        query = {name: value for name, value in everything.items() if name not in in_body}
        key_id, nonce = "STS." + draw_nonce(chance)[:20], draw_nonce(chance)
        token = f"CAIS{draw_nonce(chance)}"
        headers = {
            "host": chance.choice(["sts.example.test:8443", "sts.example.test"]),
            "x-acs-action": "AssumeRole",
            "x-acs-version": "2015-04-01",
            "x-acs-date": "2026-01-02T03:04:05Z",
            "x-acs-signature-nonce": nonce,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-acs-accesskey-id": key_id,
            "x-acs-security-token": token,
        }
        if body:
            headers["content-type"] = FORM
        ours = sign_v3(
            method=method,
            host=headers["host"],
            action="AssumeRole",
            version="2015-04-01",
            query=query,
            body=body,
            content_type=headers.get("content-type"),
            date=headers["x-acs-date"],
            nonce=nonce,
            access_key_id=key_id,
            access_key_secret=secret,
            security_token=token,
        )
        payload = headers["x-acs-content-sha256"]
        sign = sdk.Utils.get_authorization
        assert (
            sign(Request(method, query, headers), "ACS3-HMAC-SHA256", payload, key_id, secret)
            == (ours["authorization"])
        )
        # The Python SDK signs every header that it has at that time.
        headers |= {"accept": "application/json", "user-agent": f"  AlibabaCloud ({draw_nonce(chance)}) "}
        theirs = sign(Request(method, query, headers), "ACS3-HMAC-SHA256", payload, key_id, secret)
        raw = RawRequest(
            method=method,
            query=encode(chance, query),
            headers=[*headers.items(), ("Authorization", theirs), ("Accept-Encoding", "gzip")],
            body=body,
        )
        read = parse_request(raw)
        verify_signature(read.signature, secret)
        assert (read.signature.access_key_id, read.signature.security_token) == (key_id, token)
        with pytest.raises(STSFault):
            verify_signature(read.signature, secret + "x")
