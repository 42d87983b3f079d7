"""An OpenID provider on a free port: honest unless told otherwise.

It checks what a real one checks (client authentication, redirect URI, PKCE, codes used once) and signs with throw-away
keys, so that a test sees a real flow. Each attribute below is one way to misbehave; ``replies`` of the server
underneath replaces any answer whole: ``/.well-known/openid-configuration``, ``/jwks``, ``/token``.
"""

import base64
import functools
import hashlib
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from bridge.attack.scripted_server import Reply, Request, ScriptedServer

DISCOVERY = "/.well-known/openid-configuration"


def make_key(kid: str | None = None, **parameters: Any) -> RSAKey:
    """Return a fresh RSA key for signatures."""
    members: Any = {"use": "sig", "alg": "RS256", **({"kid": kid} if kid else {}), **parameters}
    return RSAKey.generate_key(2048, members)


@functools.cache
def _first_key() -> RSAKey:
    return make_key("first")  # making one takes longer than most tests


class OpenIDProvider(ScriptedServer):
    """Serves discovery, keys and tokens; ``authorize`` is what its login page would do with the browser."""

    def __init__(self, client_id: str = "rambridge", client_secret: str = "s3cret+/%") -> None:
        super().__init__(self._answer)
        self.client_id = client_id
        self.client_secret = client_secret
        self.issuer = self.url
        self.keys: list[RSAKey | ECKey] = [_first_key()]
        """The last one signs; all are published."""
        self.behave()
        self.assertions: dict[str, dict[str, Any]] = {}
        """The client's assertions that were accepted, by ``jti``."""
        self.now = time.time
        self._codes: dict[str, dict[str, str]] = {}
        self._subjects: dict[str, str] = {}
        self._client_tokens: dict[str, str] = {}
        self._pushed: dict[str, dict[str, str]] = {}

    def behave(self) -> None:
        """Be honest, whatever was set before."""
        self.metadata: dict[str, Any] = {}
        """Changed members of the discovery document; None removes one."""
        self.claims: dict[str, Any] = {}
        """Changed claims of every ID token; None removes one."""
        self.header: dict[str, Any] = {}
        """Changed header members of every ID token; None removes one."""
        self.signing_key: RSAKey | ECKey | None = None
        """Sign with this key, published or not."""
        self.token_response: dict[str, Any] = {}
        """Changed members of the token response; None removes one."""
        self.client_keys: KeySet | None = None
        """What the client signs with; None: it has a secret."""
        self.userinfo: dict[str, Any] = {}
        """Changed members of every userinfo response; None removes one."""
        self.encrypt = str
        """What is done to every ID token after it is signed."""
        self.groups: dict[str, list[str]] = {}
        """The groups of each person, to whoever asks for them as the client itself."""
        self.group_pages = 1
        """In how many answers each person's groups come."""
        self.client_token_response: dict[str, Any] = {}
        """Changed members of the answer to a client that asks for itself; None removes one."""
        self.replies.clear()
        self.requests.clear()

    def rotate(self, kid: str) -> None:
        """Sign with a new key; the old one is no longer published."""
        self.keys = [make_key(kid)]

    def authorize(self, url: str, subject: str = "ada") -> list[tuple[str, str]]:
        """Return the callback's parameters for a browser that was sent to ``url`` and signed in there."""
        assert url.startswith(f"{self.url}/authorize?"), url
        asked = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        if "request_uri" in asked:
            assert asked.keys() == {"client_id", "request_uri"}, "what was pushed is not repeated"
            asked = self._pushed.pop(asked["request_uri"])
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**asked, "sub": subject}
        return [("code", code), ("state", asked["state"]), ("iss", self.issuer)]

    def sign(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """Return a token over ``claims`` as the provider would sign it."""
        key = self.signing_key or self.keys[-1]
        members = {"alg": key.alg, "kid": key.kid, "typ": "JWT", **self.header, **(header or {})}
        return jws.serialize_compact(_without_none(members), json.dumps(claims), key, ["RS256", "PS256", "ES256"])

    def _answer(self, request: Request) -> Reply:
        if request.path == DISCOVERY:
            return _json(self._discovery_document())
        if request.path == "/jwks":
            return _json({"keys": [key.as_dict(private=False) for key in self.keys]})
        if request.path.startswith("/users/"):
            return self._groups(request)
        endpoints = {
            ("POST", "/token"): self._token,
            ("POST", "/par"): self._push,
            ("GET", "/userinfo"): self._userinfo,
        }
        answer = endpoints.get((request.method, request.path))
        return answer(request) if answer else Reply(404)

    def _discovery_document(self) -> dict[str, Any]:
        return _without_none(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
                "authorization_response_iss_parameter_supported": True,
                **self.metadata,
            }
        )

    def _token(self, request: Request) -> Reply:
        form = request.form
        if not self._is_client(request):
            return _json({"error": "invalid_client"}, 401)
        if form.get("grant_type") == "client_credentials":
            return self._client_token(form)
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return _json({"error": "invalid_grant"}, 400)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return _json({"error": "invalid_grant"}, 400)
        now = int(self.now())
        claims = {
            "iss": self.issuer,
            "sub": asked["sub"],
            "aud": self.client_id,
            "exp": now + 300,
            "iat": now,
            "auth_time": now - 5,
            "nonce": asked["nonce"],
            "jti": secrets.token_urlsafe(12),
            "sid": secrets.token_urlsafe(12),
            "email": f"{asked['sub']}@corp.example",
            "groups": ["platform", "staff"],
            **self.claims,
        }
        answer = {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.encrypt(self.sign(_without_none(claims))),
            **self.token_response,
        }
        self._subjects[f"Bearer {answer['access_token']}"] = asked["sub"]
        return _json(_without_none(answer))

    def _client_token(self, form: dict[str, str]) -> Reply:
        token = secrets.token_urlsafe(16)
        self._client_tokens[f"Bearer {token}"] = form.get("scope", "")
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3599, **self.client_token_response}
        return _json(_without_none(answer))

    def revoke_client_tokens(self) -> None:
        """Know none of the tokens that clients have for themselves any more."""
        self._client_tokens.clear()

    def _groups(self, request: Request) -> Reply:
        """Answer as Microsoft Graph does: POST for everything, GET for a further page; only to the client itself."""
        if request.headers.get("Authorization", "") not in self._client_tokens:
            return _json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
        groups = self.groups.get(unquote(request.path.split("/")[2]))
        if groups is None:
            return _json({"error": {"code": "Request_ResourceNotFound"}}, 404)
        page = int(dict(request.query).get("$skiptoken", 0))
        if request.method == "POST" and json.loads(request.body) != {"securityEnabledOnly": True}:
            return _json({"error": {"code": "Request_BadRequest"}}, 400)
        answer: dict[str, Any] = {"@odata.context": "Collection(Edm.String)", "value": groups[page :: self.group_pages]}
        if page + 1 < self.group_pages:
            answer["@odata.nextLink"] = f"{self.url}{request.path}?$skiptoken={page + 1}"
        return _json(answer)

    def _push(self, request: Request) -> Reply:
        if not self._is_client(request):
            return _json({"error": "invalid_client"}, 401)
        proof = {"client_secret", "client_assertion", "client_assertion_type"}
        uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(12)}"
        self._pushed[uri] = {name: value for name, value in request.form.items() if name not in proof}
        return _json({"request_uri": uri, "expires_in": 60}, 201)

    def offer_par(self) -> None:
        """Take pushed requests, and say so."""
        self.metadata["pushed_authorization_request_endpoint"] = f"{self.url}/par"

    def _userinfo(self, request: Request) -> Reply:
        subject = self._subjects.get(request.headers.get("Authorization", ""))
        if subject is None:
            return _json({"error": "invalid_token"}, 401)
        claims = {"sub": subject, "locale": "de", "department": "Research", **self.userinfo}
        return _json(_without_none(claims))

    def _is_client(self, request: Request) -> bool:
        authorization = request.headers.get("Authorization", "")
        if authorization.startswith("Basic "):
            # RFC 6749 2.3.1: both parts are form-encoded before they are joined.
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (self.client_id, self.client_secret)
        form = request.form
        if self.client_keys is not None:
            return form.get("client_id") == self.client_id and self._accepts(form)
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)

    def _accepts(self, form: dict[str, str]) -> bool:
        """Check an assertion as RFC 7523 3 says: who signed it, for whom, for how long, and only once."""
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return False
        if self.client_keys is None:
            return False
        try:
            token = jwt.decode(form.get("client_assertion", ""), self.client_keys, algorithms=["RS256"])
        except (JoseError, ValueError):
            return False
        claims, now = token.claims, self.now()
        if token.header["alg"] != "RS256" or claims["jti"] in self.assertions:
            return False
        self.assertions[claims["jti"]] = claims
        return (
            claims["iss"] == claims["sub"] == self.client_id
            and claims["aud"] in {self.issuer, f"{self.url}/token"}
            and now - 60 <= claims["iat"] <= now + 1
            and now < claims["exp"] <= now + 61
        )


def _json(members: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(members).encode(), {"Content-Type": "application/json"})


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
