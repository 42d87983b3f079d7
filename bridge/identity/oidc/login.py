"""The question that we send a browser with, the answer that it brings back, and the code in it traded for a token.

PKCE is always S256, whatever the provider's metadata says, so that nobody can talk us into less (RFC 9700 2.1.1). The
text of an error is never the provider's: what it says goes through a table. OpenID Connect Core 3.1.2 and 3.1.3;
RFC 6749, RFC 7636, RFC 9207; threats OIDC-11, OIDC-17, OIDC-18, OIDC-19.
"""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.client import OAuth2Client

from bridge.errors import (
    FetchFailed,
    FetchRefused,
    FetchTooLarge,
    OIDCCallback,
    OIDCCode,
    OIDCMetadata,
    OIDCMixUp,
    OIDCProviderError,
    OIDCPushedRequest,
    OIDCSize,
    OIDCState,
    OIDCTokenResponse,
    ProviderUnavailable,
)
from bridge.identity.oidc.client_authentication import ClientProof
from bridge.identity.oidc.discovery import ProviderMetadata
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.pending import PendingSignIn
from bridge.identity.providers import OIDCProvider
from bridge.outbound import Answer, Limits, Outbound

MAX_TOKEN_RESPONSE_BYTES = 100_000

_CODE = re.compile(r"[!-~]{1,4096}")
_ACCESS_TOKEN = re.compile(r"[!-~]{1,20000}")
_REQUEST_URI = re.compile(r"[!-~]{1,1024}")
_LOGIN_HINT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_ERROR_NAMES = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
_OK = 200
_CREATED = 201
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Tokens:
    """What a code was traded for. Neither is ever stored or logged; they print as nothing."""

    id_token: str = field(repr=False)
    """Not yet verified."""
    access_token: str = field(repr=False)
    """Opaque to us: for the digest in the ID token, and for the userinfo endpoint."""


def new_verifier() -> str:
    """Return a fresh PKCE verifier: 384 random bits in 64 characters (RFC 7636 4.1 asks for 43 to 128)."""
    return secrets.token_urlsafe(48)


def build_question(
    provider: OIDCProvider,
    *,
    redirect_uri: str,
    state: str,
    nonce: str,
    code_verifier: str,
    login_hint: str | None,
) -> dict[str, str]:
    """Return the parameters of an authorization request (OIDC Core 3.1.2.1).

    A ``login_hint`` may come from a stranger (third-party initiated login): one that is longer than 255 characters
    or has control characters is left out.
    """
    client = OAuth2Client(
        session=None,
        client_id=provider.client_id,
        scope=" ".join(provider.scopes),
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    url, _ = client.create_authorization_url(
        "",
        state=state,
        code_verifier=code_verifier,
        nonce=nonce,
        max_age=None if provider.max_age_seconds is None else str(provider.max_age_seconds),
        acr_values=" ".join(provider.acr_values) or None,
        prompt=provider.prompt,
        login_hint=login_hint if login_hint and _LOGIN_HINT.fullmatch(login_hint) else None,
    )
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def build_authorization_url(metadata: ProviderMetadata, question: Mapping[str, str]) -> str:
    """Return where to send the browser with the question, or with what stands for it."""
    return str(add_params_to_uri(metadata.authorization_endpoint, list(question.items())))


def push_question(
    metadata: ProviderMetadata, outbound: Outbound, proof: ClientProof, question: Mapping[str, str]
) -> dict[str, str]:
    """Leave the question at the provider itself and return what stands for it in the browser (RFC 9126).

    Nobody between us and the provider can then read or change it, and the provider knows who asks.

    Raises:
        OIDCMetadata: the provider takes no pushed requests.
        OIDCPushedRequest: it did not take this one.
        OIDCSize: its answer is too long.
        ProviderUnavailable: no answer, or one that asks for patience.
    """
    endpoint = metadata.pushed_authorization_request_endpoint
    if endpoint is None:
        raise OIDCMetadata("the discovery document has no pushed_authorization_request_endpoint")
    answer = _post(outbound, endpoint, question, proof)
    return {"client_id": question["client_id"], "request_uri": parse_pushed(answer)}


def parse_pushed(answer: Answer) -> str:
    """Return the ``request_uri`` of a successful answer to a pushed request (RFC 9126 2.2).

    Raises:
        OIDCPushedRequest: an error, or not the JSON object that it must be.
        ProviderUnavailable: status 429 or 5xx.
    """
    if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
        raise ProviderUnavailable(f"the endpoint for pushed requests answered {answer.status}")
    try:
        members = parse_object(answer.body)
    except ValueError as error:
        raise OIDCPushedRequest(f"the answer (status {answer.status}) is {error}") from error
    if "error" in members or answer.status != _CREATED:
        raise OIDCPushedRequest(f"the provider answered {_error_name(members.get('error'))}")
    uri, lifetime = members.get("request_uri"), members.get("expires_in")
    if not isinstance(uri, str) or not _REQUEST_URI.fullmatch(uri):
        raise OIDCPushedRequest("request_uri is not there, too long or not visible ASCII")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or lifetime <= 0:
        raise OIDCPushedRequest("expires_in is not a number of seconds to come")
    return uri


def parse_callback(
    query: Sequence[tuple[str, str]],
    pending: PendingSignIn,
    metadata: ProviderMetadata,
    issuers: Collection[str],
    trace: OIDCTrace | None = None,
) -> str:
    """Return the authorization code of a callback that answers our question.

    The issuer is compared before anything else is believed, an error included: an answer of another provider must
    not reach the first one's token endpoint, nor end a sign-in there.

    Raises:
        OIDCCallback: a parameter is repeated, or there is not exactly one of ``code`` and ``error``, or a token.
        OIDCMixUp: ``iss`` is another issuer, or is missing where the provider promises it.
        OIDCState: ``state`` is not the one of the question.
        OIDCProviderError: the provider refused.
    """
    trace = trace or OIDCTrace()
    trace.at = "callback_parameters"
    trace.parameters = parameters = dict(query)
    if len(parameters) != len(query):
        raise OIDCCallback("a parameter comes twice")
    trace.at = "callback_issuer"
    if parameters["iss"] not in issuers if "iss" in parameters else metadata.promises_issuer:
        raise OIDCMixUp("iss is missing, or is another issuer")
    trace.at = "callback_state"
    if parameters.get("state") != pending.handle:
        raise OIDCState("state is not the one of the question")
    trace.at = "callback_code"
    if ("code" in parameters) == ("error" in parameters) or parameters.keys() & {"id_token", "access_token"}:
        raise OIDCCallback("not exactly one of code and error")
    if "error" in parameters:
        raise OIDCProviderError(f"the provider answered {_error_name(parameters['error'])}")
    if not _CODE.fullmatch(parameters["code"]):
        raise OIDCCallback("the code is empty, too long or not visible ASCII")
    return parameters["code"]


def redeem_code(
    metadata: ProviderMetadata,
    outbound: Outbound,
    proof: ClientProof,
    *,
    code: str,
    code_verifier: str,
    redirect_uri: str,
) -> Tokens:
    """Return the tokens that the provider gave for a code, unverified.

    The code is redeemed once and never again: the provider may have used it up before its answer was lost.

    Raises:
        OIDCCode: the provider did not accept the code, its verifier or its redirect URI.
        OIDCTokenResponse: the answer is another error, or no token response.
        OIDCSize: the answer is too long.
        ProviderUnavailable: no answer, or one that asks for patience.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": code_verifier,
    }
    return parse_token_response(_post(outbound, metadata.token_endpoint, fields, proof))


def parse_token_response(answer: Answer) -> Tokens:
    """Return the tokens of a successful token response (OIDC Core 3.1.3.3); an error in it wins over tokens.

    Raises:
        OIDCCode: the error is ``invalid_grant``.
        OIDCTokenResponse: another error, no Bearer token, or not the JSON object that it must be.
        ProviderUnavailable: status 429 or 5xx.
    """
    if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
        raise ProviderUnavailable(f"the token endpoint answered {answer.status}")
    try:
        members = parse_object(answer.body)
    except ValueError as error:
        raise OIDCTokenResponse(f"the answer (status {answer.status}) is {error}") from error
    if members.get("error") == "invalid_grant":
        raise OIDCCode("the provider answered invalid_grant")
    if "error" in members or answer.status != _OK:
        raise OIDCTokenResponse(f"the provider answered {_error_name(members.get('error'))}")
    token_type = members.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise OIDCTokenResponse("token_type is not Bearer")
    for name in ("access_token", "id_token"):
        if not isinstance(members.get(name), str) or not members[name]:
            raise OIDCTokenResponse(f"{name} is not there")
    if not _ACCESS_TOKEN.fullmatch(members["access_token"]):
        raise OIDCTokenResponse("access_token is too long, or not visible ASCII")
    return Tokens(members["id_token"], members["access_token"])


def _post(outbound: Outbound, url: str, fields: Mapping[str, str], proof: ClientProof) -> Answer:
    """Return the answer of one of the provider's endpoints that are for clients."""
    headers = {"Accept": "application/json", **proof.headers}
    limits = Limits(max_bytes=MAX_TOKEN_RESPONSE_BYTES)
    try:
        return outbound.post_form(url, {**fields, **proof.fields}, headers=headers, limits=limits)
    except FetchTooLarge as error:
        raise OIDCSize(error.detail) from error
    except (FetchFailed, FetchRefused) as error:
        raise ProviderUnavailable(error.detail) from error


def _error_name(value: Any) -> str:
    return value if isinstance(value, str) and value in _ERROR_NAMES else "an error without a known name"
