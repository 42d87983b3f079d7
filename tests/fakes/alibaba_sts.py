"""An STS on a free port that issues whatever it is asked for, or answers as badly as the test says.

It checks nothing: the sandbox does that. It gives answers that no real STS gives, and remembers their secrets.
"""

import base64
import json
import secrets
import ssl
import time
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from bridge.attack.scripted_server import Reply, Request, ScriptedServer

_SESSION_NAME = (
    "//*[local-name()='Attribute'][@Name='https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName']"
    "/*[local-name()='AttributeValue']"
)


class AlibabaSTS(ScriptedServer):
    """``changes`` replaces members of every answer, by path; ``reply`` replaces it whole, ``script`` the next ones."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._answer, tls)
        self.now = time.time
        self.changes: dict[str, Any] = {}
        """``{"Credentials.Expiration": "…"}``; None removes the member."""
        self.reply: Reply | None = None
        self.script: list[Reply] = []
        """What goes out first, one for each request; then honest answers."""
        self.secrets: list[str] = []
        """Every AccessKeySecret and SecurityToken that was issued."""

    def behave(self) -> None:
        """Be honest again."""
        self.changes, self.reply, self.script = {}, None, []

    def refuse(self, code: str, message: str, status: int = 403) -> None:
        """Answer every call with an error in STS's own form."""
        content = {"RequestId": "REQUEST-OF-A-REFUSAL", "Code": code, "Message": message, "HostId": "sts"}
        self.reply = Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _answer(self, request: Request) -> Reply:
        if self.script:
            return self.script.pop(0)
        if self.reply is not None:
            return self.reply
        form = request.form
        name = form.get("RoleSessionName") or _read_session_name(form["SAMLAssertion"])
        ends = datetime.fromtimestamp(self.now() + int(form["DurationSeconds"]), UTC)
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(200)
        self.secrets += [secret, token]
        answer = {
            "RequestId": secrets.token_hex(16).upper(),
            "AssumedRoleUser": {"Arn": f"{form['RoleArn']}/{name}", "AssumedRoleId": f"3000000000000001:{name}"},
            "Credentials": {
                "AccessKeyId": f"STS.{secrets.token_hex(10)}",
                "AccessKeySecret": secret,
                "SecurityToken": token,
                "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        }
        for path, value in self.changes.items():
            _change(answer, path.split("."), value)
        return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def fault(status: int, code: str, **headers: str) -> Reply:
    """Return an error in STS's own form; ``headers`` with underscores for hyphens."""
    content = {"RequestId": "7B2A9E40-0E5C-4A8B-9D3F-1C2B3A4D5E6F", "Code": code, "Message": "no", "HostId": "sts"}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **sent})


def _read_session_name(assertion: str) -> str:
    return str(etree.fromstring(base64.b64decode(assertion)).xpath(_SESSION_NAME)[0].text)


def _change(members: dict[str, Any], path: list[str], value: Any) -> None:
    if len(path) > 1:
        _change(members[path[0]], path[1:], value)
    elif value is None:
        members.pop(path[0], None)
    else:
        members[path[0]] = value
