"""How requests are read: what clients really send is taken, what two programs could read differently is not."""

import hashlib
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sts_wire.reply import STSFault
from bridge.sts_wire.request import MAX_REQUEST_BYTES, RawRequest, find_format, parse_request
from bridge.sts_wire.signature import sign_v3, verify_signature

ROLE = "acs:ram::1234567890123456:role/dev"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
OIDC = {
    "Action": "AssumeRoleWithOIDC",
    "Version": "2015-04-01",
    "RoleArn": ROLE,
    "OIDCProviderArn": "acs:ram::1234567890123456:oidc-provider/corp",
    "OIDCToken": "a.b.c",
    "RoleSessionName": "ci",
}
SIGNED = {
    "Action": "AssumeRole",
    "Version": "2015-04-01",
    "Format": "JSON",
    "AccessKeyId": "testid",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureVersion": "1.0",
    "SignatureNonce": "0123456789abcdef",
    "Timestamp": "2026-01-02T03:04:05Z",
    "RoleArn": ROLE,
    "RoleSessionName": "alice",
    "Signature": "c2lnbmF0dXJl",
}


def post(form=None, *, query=None, headers=(FORM,), method="POST", body=None, raw_query=None):
    return RawRequest(
        method=method,
        query=raw_query if raw_query is not None else urlencode(query or {}).encode(),
        headers=list(headers),
        body=body if body is not None else urlencode(form or {}).encode(),
    )


def without(parameters, *names):
    return {name: value for name, value in parameters.items() if name not in names}


def refused_code(raw):
    with pytest.raises(STSFault) as refused:
        parse_request(raw)
    return refused.value.code


def acs3(*, change=(), drop=(), query=None, body=b"", secret="secret", **given):
    """Return a request signed with ACS3, whose headers are then changed."""
    arguments = {
        "method": "POST",
        "host": "sts.test:8443",
        "action": "AssumeRole",
        "version": "2015-04-01",
        "query": query or {},
        "body": body,
        "content_type": FORM[1] if body else None,
        "date": "2026-01-02T03:04:05Z",
        "nonce": "0123456789abcdef",
        "access_key_id": "testid",
        "access_key_secret": secret,
    }
    headers = sign_v3(**arguments | given) | dict(change)
    kept = [(name, value) for name, value in headers.items() if name not in drop]
    return post(query=query, headers=kept, body=body)


# ── what clients really send ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(post(OIDC), id="all in the form"),
        pytest.param(post(query=OIDC, headers=()), id="all in the query, empty body, no content type"),
        pytest.param(post(query=OIDC, headers=(), method="GET"), id="GET"),
        pytest.param(
            post(without(OIDC, "Action", "Version"), query={"Action": OIDC["Action"], "Version": OIDC["Version"]}),
            id="half and half",
        ),
        pytest.param(post(OIDC | {"AccessKeyId": "junk", "Signature": "junk"}), id="a junk signature"),
        pytest.param(post(OIDC, headers=(FORM, ("Authorization", "ACS3-HMAC-SHA256 junk"))), id="junk authorization"),
        pytest.param(
            post(OIDC, headers=(FORM, ("x-acs-action", "AssumeRoleWithOIDC"), ("x-acs-version", "2015-04-01"))),
            id="action in parameter and header",
        ),
        pytest.param(post(OIDC | {"RegionId": "cn-hangzhou", "SignatureType": ""}), id="a legacy core's extras"),
        pytest.param(
            post(OIDC, headers=(("content-type", 'Application/x-www-form-urlencoded; charset="UTF-8"'),)),
            id="content type with charset",
        ),
    ],
)
def test_anonymous_request_is_read_without_a_signature(raw):
    request = parse_request(raw)

    assert request.action == "AssumeRoleWithOIDC"
    assert request.signature is None
    assert request.parameters == without(OIDC, "Action", "Version")


def test_blank_is_read_from_plus_and_from_percent_20_and_star_stays():
    encoded = urlencode(without(OIDC, "RoleSessionName")) + "&RoleSessionName=a+b%20c*"

    assert parse_request(post(body=encoded.encode())).parameters["RoleSessionName"] == "a b c*"


@pytest.mark.parametrize(
    ("given_format", "form"), [("JSON", "JSON"), ("json", "JSON"), ("XML", "XML"), ("xml", "XML"), (None, "JSON")]
)
def test_format_is_read_without_case_and_is_json_where_absent(given_format, form):
    raw = post(OIDC | ({"Format": given_format} if given_format else {}))

    assert parse_request(raw).form == form
    assert find_format(raw) == form


def test_rpc_signature_covers_query_and_form_but_not_itself():
    split = {name: SIGNED[name] for name in ("Action", "Version", "Timestamp", "Signature")}

    whole = parse_request(post(SIGNED)).signature
    halves = parse_request(post(without(SIGNED, *split), query=split)).signature

    assert whole == halves
    assert "c2lnbmF0dXJl" not in whole.string_to_sign
    assert whole.value == "c2lnbmF0dXJl"


def test_rpc_signature_covers_the_real_method():
    by_post = parse_request(post(SIGNED)).signature
    by_get = parse_request(post(query=SIGNED, method="GET")).signature

    assert by_post.string_to_sign.startswith("POST&%2F&")
    assert by_get.string_to_sign.startswith("GET&%2F&")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(acs3(query={"RoleArn": ROLE}), id="parameters in the query"),
        pytest.param(acs3(body=urlencode({"RoleArn": ROLE}).encode()), id="parameters in the form"),
    ],
)
def test_acs3_request_that_we_sign_is_one_that_we_verify(raw):
    request = parse_request(raw)

    verify_signature(request.signature, "secret")
    assert request.action == "AssumeRole"
    assert request.parameters == {"RoleArn": ROLE}


def test_acs3_session_token_is_read_from_its_signed_header():
    request = parse_request(acs3(access_key_id="STS.key", security_token="token"))

    verify_signature(request.signature, "secret")
    assert request.signature.security_token == "token"


# ── STS-01: signatures that are not whole ────────────────────────────────────────────────────────────────────

NAMES = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"

TOKEN_NAMES = ("x-acs-accesskey-id", "x-acs-security-token")


def authorization(names=NAMES, algorithm="ACS3-HMAC-SHA256", key="testid", value="0" * 64):
    return {"authorization": f"{algorithm} Credential={key},SignedHeaders={names},Signature={value}"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(acs3(change=authorization(NAMES.replace("host;", ""))), "IncompleteSignature", id="no host"),
        pytest.param(
            acs3(change=authorization(NAMES.replace("x-acs-action;", ""))), "IncompleteSignature", id="no action"
        ),
        pytest.param(acs3(change=authorization(NAMES.replace("x-acs-date;", ""))), "IncompleteSignature", id="no date"),
        pytest.param(
            acs3(change=authorization(NAMES.replace("x-acs-signature-nonce;", ""))),
            "IncompleteSignature",
            id="no nonce",
        ),
        pytest.param(
            acs3(change={"x-acs-security-token": "injected"}), "IncompleteSignature", id="token added unsigned"
        ),
        pytest.param(acs3(change=authorization(f"{NAMES};x-acs-version")), "IncompleteSignature", id="name repeated"),
        pytest.param(
            acs3(change=authorization(";".join(reversed(NAMES.split(";"))))), "IncompleteSignature", id="unsorted"
        ),
        pytest.param(acs3(change=authorization(f"absent;{NAMES}")), "IncompleteSignature", id="names an absent header"),
        pytest.param(acs3(change=authorization("")), "IncompleteSignature", id="no signed headers"),
        pytest.param(acs3(change=authorization(value="0" * 63)), "IncompleteSignature", id="truncated"),
        pytest.param(acs3(change=authorization(value="A" * 64)), "IncompleteSignature", id="upper case"),
        pytest.param(acs3(change={"authorization": "ACS3-HMAC-SHA256 "}), "IncompleteSignature", id="empty"),
        pytest.param(
            acs3(change=authorization(algorithm="ACS3-HMAC-SM3")), "InvalidSignatureMethod", id="another algorithm"
        ),
        pytest.param(
            acs3(change=authorization(algorithm="ACS3-RSA-SHA256")), "InvalidSignatureMethod", id="RSA algorithm"
        ),
        pytest.param(acs3(change={"authorization": "Bearer x"}), "InvalidSignatureMethod", id="bearer"),
        pytest.param(
            acs3(
                security_token="t",
                change=authorization(";".join(sorted([*NAMES.split(";"), *TOKEN_NAMES])), key="other"),
            ),
            "IncompleteSignature",
            id="signed key id is another",
        ),
        pytest.param(acs3(change={"x-acs-accesskey-id": "other"}), "IncompleteSignature", id="two key ids"),
        pytest.param(
            acs3(change={"x-acs-content-sha256": hashlib.sha256(b"other").hexdigest()}),
            "IncompleteSignature",
            id="body digest of another body",
        ),
        pytest.param(
            acs3(change={"x-acs-content-sha256": "UNSIGNED-PAYLOAD"}), "IncompleteSignature", id="unsigned payload"
        ),
        pytest.param(acs3(query={"Signature": "x"}), "IncompleteSignature", id="both schemes at once"),
        pytest.param(acs3(query={"SecurityToken": "x"}), "IncompleteSignature", id="token in the query"),
        pytest.param(acs3(drop=("x-acs-date",)), "MissingTimestamp", id="date header missing"),
        pytest.param(acs3(drop=("x-acs-signature-nonce",)), "MissingSignatureNonce", id="nonce header missing"),
        pytest.param(acs3(drop=("x-acs-content-sha256",)), "IncompleteSignature", id="digest header missing"),
        pytest.param(post(SIGNED | {"SignatureMethod": "HMAC-MD5"}), "InvalidSignatureMethod", id="v1: MD5"),
        pytest.param(post(SIGNED | {"SignatureMethod": "hmac-sha1"}), "InvalidSignatureMethod", id="v1: case"),
        pytest.param(post(SIGNED | {"SignatureVersion": "2.0"}), "IncompleteSignature", id="v1: version"),
        pytest.param(post(SIGNED | {"SignatureType": "BEARERTOKEN"}), "IncompleteSignature", id="v1: bearer type"),
        pytest.param(post(SIGNED | {"AccessKeyId": "x' or 1=1"}), "InvalidAccessKeyId.NotFound", id="v1: odd key id"),
        *[
            pytest.param(post(without(SIGNED, name)), f"Missing{name}", id=f"v1: no {name}")
            for name in (
                "Action", "Version", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce",
                "Timestamp", "Signature",
            )
        ],
        pytest.param(post(SIGNED | {"Signature": ""}), "MissingSignature", id="v1: empty signature"),
        pytest.param(
            post(
                without(SIGNED, "Action"), headers=(FORM, ("x-acs-action", "AssumeRole"))
            ),
            "MissingAction",
            id="v1: action only in an unsigned header",
        ),
    ],
)  # fmt: skip
def test_signature_that_is_not_whole_is_refused(raw, code):
    assert refused_code(raw) == code


# ── STS-02: nonces ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nonce", ["12345678", "n" * 128, "~!visible"])
def test_nonce_of_8_to_128_visible_characters_is_accepted(nonce):
    assert parse_request(post(SIGNED | {"SignatureNonce": nonce})).signature.nonce == nonce


@pytest.mark.parametrize("nonce", ["1234567", "n" * 129, "n" * 10_000, "with blank", "line\nbreak", "nönce-nönce"])
def test_other_nonces_are_refused(nonce):
    assert refused_code(post(SIGNED | {"SignatureNonce": nonce})) == "InvalidParameter.SignatureNonce"


# ── STS-04: parameter pollution ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["RoleArn", "Action", "OIDCToken", "Format"])
@pytest.mark.parametrize("where", ["query and body", "body twice", "query twice", "other case"])
def test_parameter_that_comes_twice_is_refused(name, where):
    extra = urlencode({name.lower() if where == "other case" else name: "x"}).encode()
    whole = urlencode(OIDC | {"Format": "JSON"}).encode()
    raw = {
        "query and body": post(body=whole, raw_query=extra),
        "body twice": post(body=whole + b"&" + extra),
        "query twice": post(raw_query=whole + b"&" + extra, headers=()),
        "other case": post(body=whole + b"&" + extra),
    }[where]

    assert refused_code(raw) == "InvalidParameter"


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(b"RoleArn[]=x", id="array syntax"),
        pytest.param(b"Unknown=x", id="unknown"),
        pytest.param(b"ExternalId=abc", id="another action's"),
        pytest.param(b"SAMLAssertion=abc", id="another action's assertion"),
        pytest.param(b"=x", id="no name"),
        pytest.param(b"RegionId=a;RoleArn=b", id="semicolon as separator"),
        pytest.param(b"RegionId=%zz", id="broken escape"),
        pytest.param(b"RegionId=%", id="cut escape"),
        pytest.param(b"RegionId=%ff%fe", id="not UTF-8"),
        pytest.param(b"RegionId=%00", id="NUL"),
        pytest.param(b"&".join(b"p%d=" % number for number in range(201)), id="too many"),
    ],
)
def test_ambiguous_or_unknown_parameter_is_refused(extra):
    assert refused_code(post(body=urlencode(OIDC).encode() + b"&" + extra)) == "InvalidParameter"


def test_misspelt_parameter_is_refused_rather_than_ignored():
    assert refused_code(post(without(OIDC, "RoleArn") | {"rolearn": ROLE})) == "InvalidParameter"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((("Content-Type", "application/json"),), id="JSON"),
        pytest.param((("Content-Type", "multipart/form-data; boundary=x"),), id="multipart"),
        pytest.param((("Content-Type", "application/x-www-form-urlencoded; charset=utf-7"),), id="another charset"),
        pytest.param((FORM, ("Content-Encoding", "gzip")), id="compressed"),
        pytest.param((), id="none"),
    ],
)
def test_body_that_is_not_a_plain_form_is_refused(headers):
    assert refused_code(post(OIDC, headers=headers)) == "InvalidParameter.ContentType"


def test_header_that_comes_twice_is_refused():
    raw = post(OIDC, headers=(FORM, ("x-acs-action", "AssumeRoleWithOIDC"), ("X-Acs-Action", "AssumeRole")))

    assert refused_code(raw) == "InvalidParameter"


# ── STS-08: action and version; STS-12: size ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Action": "assumeRoleWithOIDC"}, "InvalidApi.NotFound"),
        ({"Action": "AssumeRoleWithOIDC "}, "InvalidApi.NotFound"),
        ({"Action": "GenerateSessionAccessKey"}, "InvalidApi.NotFound"),
        ({"Action": ""}, "InvalidApi.NotFound"),
        ({"Version": "2014-05-26"}, "InvalidVersion"),
        ({"Format": "YAML"}, "InvalidParameter.Format"),
    ],
)
def test_unknown_action_version_or_format_is_refused(changes, code):
    assert refused_code(post(OIDC | changes)) == code


def test_header_and_parameter_that_name_different_actions_are_refused():
    raw = post(OIDC, headers=(FORM, ("x-acs-action", "AssumeRole")))

    assert refused_code(raw) == "InvalidApi.NotFound"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "get"])
def test_other_methods_are_refused(method):
    assert refused_code(post(OIDC, method=method)) == "UnsupportedHTTPMethod"


def test_an_assertion_of_100_000_characters_fits():
    assertion = "+" * 100_000
    raw_query = f"Action=AssumeRoleWithSAML&Version=2015-04-01&SAMLAssertion={quote(assertion[:60_000])}".encode()

    assert len(parse_request(post(raw_query=raw_query, headers=())).parameters["SAMLAssertion"]) == 60_000
    assert len(quote("A+/=" * 2 + "A" * 99_000)) < MAX_REQUEST_BYTES


def test_larger_request_is_refused():
    assert refused_code(post(body=b"a" * (MAX_REQUEST_BYTES + 1))) == "RequestTooLarge"


@given(query=st.binary(max_size=60), body=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_nothing_else(query, body):
    raw = post(raw_query=query, body=body)

    find_format(raw)
    with pytest.raises(STSFault):
        parse_request(raw)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=80))
def test_any_text_survives_the_form(text):
    assert parse_request(post(OIDC | {"OIDCToken": text})).parameters["OIDCToken"] == text
