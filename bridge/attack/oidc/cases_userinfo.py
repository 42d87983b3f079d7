"""Hostile answers of the userinfo endpoint (OIDC-20): about somebody else, in another form, or none."""

import json

from bridge.attack.oidc.corpus import AnswerCase
from bridge.attack.scripted_server import Reply
from bridge.errors import GroupsUnknown, OIDCSize, OIDCUserInfo, ProviderUnavailable

ADA = {"sub": "ada", "groups": ["platform"]}


def answer(body: object, status: int = 200, kind: str = "application/json", **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, {"Content-Type": kind, **headers})


_HOSTILE = {
    "sub of another": (OIDCUserInfo, answer(ADA | {"sub": "bob"})),
    "sub missing": (OIDCUserInfo, answer({"groups": ["platform"]})),
    "sub null": (OIDCUserInfo, answer(ADA | {"sub": None})),
    "sub empty": (OIDCUserInfo, answer(ADA | {"sub": ""})),
    "sub an array": (OIDCUserInfo, answer(ADA | {"sub": ["ada"]})),
    "sub in another case": (OIDCUserInfo, answer(ADA | {"sub": "Ada"})),
    "sub with a blank": (OIDCUserInfo, answer(ADA | {"sub": "ada "})),
    "sub twice": (OIDCUserInfo, answer(b'{"sub":"bob","sub":"ada"}')),
    "array": (OIDCUserInfo, answer([ADA])),
    "null": (OIDCUserInfo, answer(b"null")),
    "empty": (OIDCUserInfo, answer(b"")),
    "not UTF-8": (OIDCUserInfo, answer(json.dumps(ADA).encode("utf-16"))),
    "HTML": (OIDCUserInfo, answer(b"<html>", kind="text/html")),
    "JSON as text": (OIDCUserInfo, answer(ADA, kind="text/plain")),
    "JSON without a type": (OIDCUserInfo, Reply(200, json.dumps(ADA).encode())),
    "unsigned JWT": (OIDCUserInfo, answer(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", kind="application/jwt")),
    "JSON said to be a JWT": (OIDCUserInfo, answer(ADA, kind="application/jwt; charset=utf-8")),
    "JWT said to be JSON": (OIDCUserInfo, answer(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.")),
    "refused": (OIDCUserInfo, answer({"error": "invalid_token"}, 401)),
    "claims in an error": (OIDCUserInfo, answer(ADA, 403)),
    "created": (OIDCUserInfo, answer(ADA, 201)),
    "no content": (OIDCUserInfo, answer(b"", 204)),
    "redirect": (ProviderUnavailable, answer(b"", 302, Location="http://127.0.0.1:9/")),
    "too many requests": (ProviderUnavailable, answer(ADA, 429)),
    "server error": (ProviderUnavailable, answer(ADA, 500)),
    "cut short": (ProviderUnavailable, Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")),
    "larger than 100 kB": (OIDCSize, answer(ADA | {"x": "x" * 100_000})),
    "groups elsewhere": (GroupsUnknown, answer({"sub": "ada", "_claim_names": {"groups": "src1"}})),
    "groups too many": (GroupsUnknown, answer({"sub": "ada", "hasgroups": True})),
}

USERINFO = [
    AnswerCase("OIDC-20", name, error, "/userinfo", reply, {"userinfo": "always"})
    for name, (error, reply) in _HOSTILE.items()
]
