"""A terminal whose token is on its way while its person signs out, here or at the provider."""

import base64
import hashlib
import secrets

import pytest

from bridge.sessions.store import SessionStore
from tests.attacks.door import Visitor, sign_in

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


class Terminal:
    """A terminal that the visitor has let in, and that has not fetched its token yet."""

    def __init__(self, visitor):
        self._programs = Visitor(visitor.app)
        self._proof = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self._proof.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        device = self._programs.request(
            "POST",
            "/device-authorization",
            json={"CodeChallenge": challenge, "CodeChallengeMethod": "S256", "ClientId": "cli"},
        ).json
        self._code = device["DeviceCode"]
        visitor.submit(visitor.get(f"/device?user_code={device['UserCode']}"), "/device/allow")

    def fetch_token(self):
        body = {"GrantType": GRANT_TYPE, "ClientId": "cli", "DeviceCode": self._code, "CodeVerifier": self._proof}
        return self._programs.request("POST", "/token", json=body)

    def fetch_credentials(self, token):
        return self._programs.request(
            "POST",
            "/cloud-credentials",
            json={"AccountId": "1000000000000001", "AccessConfigurationId": "ReadOnly"},
            headers={"Authorization": f"Bearer {token}"},
        )


@pytest.fixture
def interrupt(monkeypatch):
    """Return what lets something happen once, before or after a terminal's session is written."""

    def arrange(act, *, when):
        create, done = SessionStore.create, []

        def create_with_interruption(store, *arguments, **options):
            if done:
                return create(store, *arguments, **options)
            done.append(True)
            if when == "before":
                act()
            made = create(store, *arguments, **options)
            done.append(made[0])
            if when == "after":
                act()
            return made

        monkeypatch.setattr(SessionStore, "create", create_with_interruption)
        return done

    return arrange


def test_a_terminal_of_a_person_who_stays_gets_credentials(service, visitor, interrupt):
    sign_in(visitor, groups=("platform",))
    terminal = Terminal(visitor)
    after = service.last()
    interrupt(lambda: visitor.get("/"), when="before")
    token = terminal.fetch_token()
    assert token.status_code == 200
    assert terminal.fetch_credentials(token.json["AccessToken"]).status_code == 200
    assert "session.ended" not in [record["event"] for record in service.records(after)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sign_out_while_the_token_is_made_leaves_no_terminal(service, visitor, interrupt, when):
    sign_in(visitor, groups=("platform",))
    terminal = Terminal(visitor)
    after = service.last()
    made = interrupt(lambda: visitor.submit(visitor.get("/"), "/sign-out"), when=when)
    answer = terminal.fetch_token()
    assert (answer.status_code, answer.json["ErrorCode"]) == (400, "InvalidDeviceCodeError")
    assert "AccessToken" not in answer.json
    assert terminal.fetch_credentials(made[1]).status_code == 401
    recorded = [record["event"] for record in service.records(after)]
    assert recorded.count("session.ended") == 2, "the browser's and the terminal's"
