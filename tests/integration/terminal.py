"""A program at the portal protocol, written from what the CLI sends, byte by byte, and from nothing else."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

import requests

CLIENT = "app-vaz16tltdxs96audqf35"


@dataclass
class Terminal:
    """One run of ``aliyun configure --mode CloudSSO``."""

    url: str
    verifier: str = field(default_factory=lambda: secrets.token_hex(24))
    device: dict = field(default_factory=dict)
    token: str = ""

    def post(self, path, body, **headers):
        headers = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        return requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=60, allow_redirects=False)

    def get(self, path):
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "authorization": f"Bearer {self.token}",
            "user-agent": "aliyun/CLI-3.0.300",
        }
        return requests.get(f"{self.url}{path}", headers=headers, timeout=60, allow_redirects=False)

    def start(self):
        digest = hashlib.sha256(self.verifier.encode()).digest()
        answer = self.post(
            "/device-authorization",
            {
                "PortalUrl": self.url,
                "CodeChallenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "ClientId": CLIENT,
                "CodeChallengeMethod": "S256",
            },
        )
        self.device = answer.json()
        return answer

    def poll(self, **changes):
        body = {
            "CodeVerifier": self.verifier,
            "ClientId": CLIENT,
            "DeviceCode": self.device["DeviceCode"],
            "GrantType": "urn:ietf:params:oauth:grant-type:device_code",
        }
        answer = self.post("/token", body | changes)
        if answer.status_code == 200:
            self.token = answer.json()["AccessToken"]
        return answer

    def credentials(self, account, configuration):
        body = {"AccountId": account, "AccessConfigurationId": configuration}
        return self.post("/cloud-credentials", body, authorization=f"Bearer {self.token}")


def sign_in_terminal(installation, browser):
    """Return a terminal that this browser's person has let in."""
    terminal = Terminal(installation.bridge)
    terminal.start()
    browser.open(terminal.device["VerificationUriComplete"])
    browser.submit("/device/allow")
    assert terminal.poll().status_code == 200
    return terminal
