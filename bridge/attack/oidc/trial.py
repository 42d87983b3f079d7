"""Hostile tokens and flows, where a provider's answers, browsers and back channels come in."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import singledispatchmethod
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from joserfc.jwk import KeySet
from pydantic import SecretStr
from werkzeug.test import Client, TestResponse

from bridge.attack.case import Case
from bridge.attack.lane import ADDRESS, NAME, PUBLIC_URL, Lane, ToThisMachine, open_browser
from bridge.attack.oidc import cases_tenants, tokens
from bridge.attack.oidc.cases_logout_token import forge_logout
from bridge.attack.oidc.corpus import AnswerCase, CallbackCase, LogoutTokenCase, MemberCase, Query, TokenCase
from bridge.attack.oidc.openid_provider import DISCOVERY, OpenIDProvider
from bridge.attack.scripted_server import Reply
from bridge.attack.trial import Delivery, Trial, deliver, find_changes
from bridge.errors import BridgeError, OIDCState, OIDCTokenResponse
from bridge.identity.pending import PendingSignIn
from bridge.identity.providers import OIDCProvider
from bridge.outbound import Outbound

_AT_THE_DOOR: dict[str, type[BridgeError]] = {
    "T-OIDC-04[empty]": OIDCTokenResponse,  # refused before anybody looks for a token in it
    "T-OIDC-17[nothing]": OIDCState,  # the question is looked for first, by ``state``
}
"""The refusals at the door that are not those of the checks alone."""
_OF_THE_TOKEN = {"algorithms", "alone", "nonce"}
"""What a token case may expect that is no setting of the provider."""
FORGOTTEN = timedelta(seconds=10)
"""How long after a failure to ask a provider we ask again, and a little more."""
_ABOUT_ALGORITHMS = "OIDC-02"
"""Its cases take one algorithm for another, so all of them have to be there."""
_UNPUBLISHED = {"stranger", "shared_secret"}

_SIGNING = ("RS256", "PS256", "ES256")
"""What the provider of the flows can sign with, the first that the settings allow."""


class OpenIDTrials:
    """Two throw-away providers: one for whose tokens the tokens are forged, and one that is asked in earnest."""

    def __init__(self, lane: Lane, forged: OpenIDProvider, asked: OpenIDProvider) -> None:
        """Take the lane of an OpenID provider, and servers that run."""
        if not isinstance(lane.provider, OIDCProvider):
            raise TypeError("a token needs an OpenID provider")
        self._lane = lane
        self._configured = lane.provider
        self._forged = forged
        self._asked = asked
        self._to_forged = ToThisMachine(forged.url)
        self._outbound = Outbound(development=True)
        self._nodes: dict[str, Flask] = {}

    @singledispatchmethod
    def prepare(self, case: Case) -> Trial:
        """Return the case, ready to be tried under the lane's settings."""
        raise TypeError(f"nobody knows how to deliver {case}")

    # ── Tokens ───────────────────────────────────────────────────────────────────────────────────────────────

    @prepare.register
    def _(self, case: TokenCase) -> Trial:
        expected = case.settings
        twin_expected = case.settings if case.twin_settings is None else case.twin_settings
        needs = {name: value for name, value in expected.items() if name not in _OF_THE_TOKEN}
        if case.threat == _ABOUT_ALGORITHMS:
            needs["algorithms"] = tokens.PROVIDER.algorithms
        provider = self._as_forged(needs)
        self._lane.clock.moment = tokens.NOW
        with tokens.honest_for(provider):
            token = case.token()
        question = self._ask(expected.get("nonce", tokens.NONCE))
        # What is refused before the question is answered can be sent again with the same question.
        again = question if expected.get("nonce") == twin_expected.get("nonce") else None

        def send_twin() -> Delivery:
            with tokens.honest_for(provider):
                twin = case.twin()
            return self._bring(provider, twin, again or self._ask(tokens.NONCE), twin_expected)

        return Trial(
            attack=lambda: self._bring(provider, token, question, expected),
            honest=send_twin,
            error=_AT_THE_DOOR.get(case.id, case.error),
            changed=find_changes(self._configured, provider, needs),
        )

    @prepare.register
    def _(self, case: LogoutTokenCase) -> Trial:
        needs = {**case.settings}
        if self._configured.tenants:  # the cases write the issuer out
            needs |= {"issuer": tokens.ISSUER, "tenants": ()}
        provider = self._as_forged(needs)
        self._lane.clock.moment = tokens.NOW
        node = self._find_forged_node(provider, {})
        with tokens.honest_for(provider):
            token, twin = case.token(), forge_logout()

        def send(logout_token: str) -> Delivery:
            form = {"logout_token": logout_token}
            return deliver(lambda: _post(node.test_client(), f"/oidc/{NAME}/backchannel-logout", form), logout_token)

        return Trial(
            attack=lambda: send(token),
            honest=lambda: send(twin),
            error=case.error,
            changed=find_changes(self._configured, provider, needs),
            event="logout.refused",
        )

    def _as_forged(self, needs: Mapping[str, Any]) -> OIDCProvider:
        """Return the configured provider under the names for which the tokens are forged."""
        has_tenants = bool(self._configured.tenants)
        names = {
            "name": NAME,
            "groups_endpoint": None,  # somebody else's server, which is not asked here
            "issuer": cases_tenants.TEMPLATE if has_tenants else tokens.ISSUER,
            "client_id": tokens.CLIENT,
            "client_secret": tokens.PROVIDER.client_secret,
        }
        return self._configured.model_copy(update={**names, **self._without_a_file(), **needs})

    def _without_a_file(self) -> dict[str, Any]:
        """Let what somebody else says about us in a file be made here as well."""
        if self._configured.client_authentication != "federated":
            return {}
        path = self._lane.folder / "client-assertion"
        path.write_text(tokens.forge())
        return {"client_assertion_file": str(path)}

    def _ask(self, nonce: str) -> PendingSignIn:
        return self._lane.ask(protocol="oidc", nonce=nonce, code_verifier="v" * 43)

    def _bring(
        self, provider: OIDCProvider, token: str, question: PendingSignIn, expected: Mapping[str, Any]
    ) -> Delivery:
        """Come back from the provider with a code, for which this token is then given."""
        node = self._find_forged_node(provider, expected)
        answer = {"access_token": tokens.ACCESS_TOKEN, "token_type": "Bearer", "id_token": token}
        self._forged.replies["/token"] = _json(answer)
        issuer = next(iter(sorted(provider.issuers)))
        return self._come_back(open_browser(node), [("code", tokens.CODE), ("state", question.handle), ("iss", issuer)])

    def _find_forged_node(self, provider: OIDCProvider, expected: Mapping[str, Any]) -> Flask:
        """Return the node for these settings, with the provider's documents as they have to be for it."""
        algorithms, alone = expected.get("algorithms"), expected.get("alone", False)
        every = vars(tokens.keys())
        published = [every["rsa"]] if alone else [key for name, key in every.items() if name not in _UNPUBLISHED]
        self._forged.replies["/jwks"] = _json(
            {"keys": [{**key.as_dict(private=False), **tokens.parameters_of(key)} for key in published]}
        )
        self._forged.replies["/userinfo"] = _json({"sub": "ada"})
        self._forged.issuer = provider.issuer
        base = tokens.ISSUER
        self._forged.metadata = {
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "userinfo_endpoint": f"{base}/userinfo",
            "id_token_signing_alg_values_supported": None if algorithms is None else list(algorithms),
        }
        name = repr((algorithms, alone, provider.model_dump_json()))
        if name not in self._nodes:
            self._nodes[name] = self._lane.start(provider, self._to_forged)
        return self._nodes[name]

    # ── Flows ────────────────────────────────────────────────────────────────────────────────────────────────

    @prepare.register
    def _(self, case: CallbackCase) -> Trial:
        node, changed = self._find_asked_node({})
        browser, honest = self._begin(node)
        return Trial(
            attack=lambda: self._come_back(browser, case.change(honest)),
            honest=lambda: self._come_back(browser, honest),
            error=_AT_THE_DOOR.get(case.id, case.error),
            changed=changed,
        )

    @prepare.register
    def _(self, case: AnswerCase) -> Trial:
        at_the_start = case.path in {"/par", DISCOVERY}
        remembered = case.path in {"/jwks", DISCOVERY}

        def spoil() -> None:
            self._asked.replies[case.path] = case.reply

        return self._spoil(case, case.settings, spoil, at_the_start=at_the_start, remembered=remembered)

    @prepare.register
    def _(self, case: MemberCase) -> Trial:
        of_metadata = case.document == "metadata"

        def spoil() -> None:
            if of_metadata:
                self._asked.metadata = dict(case.changes)
            else:
                self._asked.token_response = dict(case.changes)

        return self._spoil(case, {}, spoil, at_the_start=of_metadata, remembered=of_metadata)

    def _spoil(
        self,
        case: Case,
        needs: Mapping[str, Any],
        spoil: Callable[[], None],
        *,
        at_the_start: bool,
        remembered: bool,
    ) -> Trial:
        """Return a flow in which the provider answers wrongly: at the start, or when the browser comes back.

        What a node remembers needs a node of its own, which asks for it at its start. It meets the twin a little later.
        """
        node, changed = self._find_asked_node(needs, spoil if remembered else None)
        browser, honest = (node.test_client(), None) if at_the_start else self._begin(node)

        def attack() -> Delivery:
            spoil()
            if honest is None:
                return deliver(lambda: _get(browser, f"/sign-in/{NAME}"))
            return self._come_back(browser, honest)

        def send_twin() -> Delivery:
            good, _ = self._find_asked_node(needs)
            self._lane.clock.moment += FORGOTTEN  # a failure is not believed for ever
            return self._come_back(*self._begin(good))

        return Trial(
            attack=attack,
            honest=send_twin,
            error=case.error,
            changed=changed,
            event=None if at_the_start else "sign_in.refused",
        )

    def _find_asked_node(
        self, needs: Mapping[str, Any], spoil: Callable[[], None] | None = None
    ) -> tuple[Flask, Mapping[str, Any]]:
        """Return a node that trusts the provider that is asked in earnest, which is honest again.

        With ``spoil`` it is not, and the node is a new one.
        """
        server, configured = self._asked, self._configured
        self._lane.clock.moment = tokens.NOW
        needs = {**needs}
        if configured.client_authentication == "federated":
            needs["client_authentication"] = "client_secret_basic"
        algorithm = next((name for name in _SIGNING if name in configured.algorithms), None)
        if algorithm is None:
            needs["algorithms"], algorithm = ("RS256",), "RS256"
        names = {
            "name": NAME,
            "groups_endpoint": None,  # somebody else's server, which is not asked here
            "issuer": server.issuer,
            "tenants": (),
            "client_id": server.client_id,
            "client_secret": SecretStr(server.client_secret),
        }
        provider = configured.model_copy(update={**names, **needs})
        server.behave()
        server.keys = [tokens.key_for(algorithm)]
        server.now = lambda: self._lane.clock.now().timestamp()
        server.claims = {"acr": provider.required_acr[0]} if provider.required_acr else {}
        if provider.par == "require":
            server.offer_par()
        name = provider.model_dump_json()
        if spoil is not None:
            spoil()
        if spoil is not None or name not in self._nodes:
            self._nodes[name] = self._lane.start(provider, self._outbound)
        node = self._nodes[name]
        if provider.client_authentication == "private_key_jwt":
            published: Any = _get(node.test_client(), f"/oidc/{NAME}/jwks").json
            server.client_keys = KeySet.import_key_set(published)
        return node, find_changes(configured, provider, needs)

    def _begin(self, node: Flask) -> tuple[Client, Query]:
        """Return a browser that was sent to the provider, and what it is to come back with."""
        browser = node.test_client()
        sent = _get(browser, f"/sign-in/{NAME}")
        return browser, self._asked.authorize(sent.headers["Location"])

    def _come_back(self, browser: Client, query: Query) -> Delivery:
        text = urlencode(query)
        return deliver(lambda: _get(browser, f"/oidc/{NAME}/callback?{text}"), text)


@contextmanager
def openid_trials(lane: Lane) -> Iterator[OpenIDTrials]:
    """Run the two providers for as long as the block runs."""
    with ExitStack() as stack:
        servers = (stack.enter_context(OpenIDProvider(client_secret=secrets.token_urlsafe(24))) for _ in range(2))
        yield OpenIDTrials(lane, *servers)


def _json(members: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(members).encode(), {"Content-Type": "application/json"})


def _get(browser: Client, path: str) -> TestResponse:
    return browser.get(path, base_url=PUBLIC_URL, environ_overrides={"REMOTE_ADDR": ADDRESS}, buffered=True)


def _post(browser: Client, path: str, form: Mapping[str, str]) -> TestResponse:
    return browser.post(path, data=form, base_url=PUBLIC_URL, environ_overrides={"REMOTE_ADDR": ADDRESS}, buffered=True)
