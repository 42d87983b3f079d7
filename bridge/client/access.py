"""Calls of the service's API in the person's name: with the tokens at hand, new ones, or those of a sign-in."""

import time
from collections.abc import Callable
from typing import Any

from bridge.client.failure import ClientError, SignedOut, clean, refusal_of
from bridge.client.oauth import AuthorizationServer, Tokens
from bridge.client.service import Answer, Service
from bridge.client.token_store import TokenStore
from bridge.client.turns import Turns
from bridge.language import translate

SPARE_SECONDS = 30
"""An access token this near its end is over already: it must last for the request."""

_UNAUTHORIZED = 401


class Access:
    """One person's access to one service, for any number of processes at once."""

    def __init__(
        self,
        service: Service,
        store: TokenStore,
        turns: Turns,
        report: Callable[[str], None],
        ask_person: Callable[[AuthorizationServer], Tokens] | None,
    ) -> None:
        """Take the service, what keeps its tokens, who else wants them, and what signs in; None where nobody looks."""
        self.service = service
        self.store = store
        self._turns = turns
        self._report = report
        self._ask_person = ask_person

    def get(self, path: str) -> Answer:
        """Ask the API. Raises ClientError; of its branches Refused is not raised here, see ``expect``."""
        return self._call(lambda token: self.service.get(path, token))

    def post(self, path: str, content: dict[str, Any]) -> Answer:
        """Post to the API. Raises as ``get``."""
        return self._call(lambda token: self.service.post(path, content, token))

    def sign_in(self) -> None:
        """Ask the person now, whatever is at hand. Raises SignInFailed, or SignedOut where nobody looks."""
        authorization = AuthorizationServer(self.service)
        with self._turns.take(self._report):
            before = self.store.read()
            self._renew_by_person(authorization, "")
        if before is not None and before.refresh:
            self._end(authorization, before)

    def sign_out(self) -> bool:
        """End what this terminal has, and forget it; return whether there was anything.

        Raises Unreachable if the service was not told: here it is forgotten all the same.
        """
        with self._turns.take(self._report):
            tokens = self.store.read()
            if tokens is None:
                return False
            self.store.forget()
        AuthorizationServer(self.service).revoke(tokens.refresh or tokens.access)
        return True

    def _call(self, ask: Callable[[str], Answer]) -> Answer:
        tokens = self.store.read()
        if tokens is None or tokens.expires_at - SPARE_SECONDS <= time.time():
            tokens = self._renew(tokens)
        self._report(translate("Asking %(service)s", service=self.service.origin))
        answer = ask(tokens.access)
        if answer.status == _UNAUTHORIZED:
            # It ended early: signed out in the browser, or the provider said so.
            tokens = self._renew(tokens)
            self._report(translate("Asking %(service)s", service=self.service.origin))
            answer = ask(tokens.access)
        if answer.status == _UNAUTHORIZED:
            raise SignedOut(
                clean(answer.content.get("message")) or translate("This terminal is not signed in any more.")
            )
        return answer

    def _renew(self, used: Tokens | None) -> Tokens:
        """Return other tokens than those that did not serve."""
        with self._turns.take(self._report):
            tokens = self.store.read()
            if tokens is not None and (used is None or tokens.access != used.access):
                return tokens  # another process did it meanwhile
            self._report(translate("Asking %(service)s", service=self.service.origin))
            authorization = AuthorizationServer(self.service)
            if tokens is None:
                return self._renew_by_person(authorization, translate("This terminal is not signed in."))
            try:
                tokens = authorization.refresh(tokens.refresh)
            except SignedOut as over:
                self.store.forget()
                return self._renew_by_person(authorization, str(over))
            self.store.write(tokens)
            return tokens

    def _renew_by_person(self, authorization: AuthorizationServer, why: str) -> Tokens:
        if self._ask_person is None:
            if "rambridge login" in why:
                raise SignedOut(why)
            raise SignedOut(
                translate(
                    "%(why)s Sign in with: rambridge login --server %(service)s", why=why, service=self.service.origin
                )
            )
        tokens = self._ask_person(authorization)
        self.store.write(tokens)
        return tokens

    def _end(self, authorization: AuthorizationServer, tokens: Tokens) -> None:
        """End what was replaced; if that does not work it ends by itself."""
        try:
            authorization.revoke(tokens.refresh)
        except ClientError:
            return


def expect(answer: Answer) -> dict[str, Any]:
    """Return what an answer holds. Raises Refused, or Unreachable if the service is in trouble."""
    if answer.ok:
        return answer.content
    message, code, reference = (clean(answer.content.get(name)) for name in ("message", "code", "reference"))
    raise refusal_of(answer.status, _read_help(answer.content.get("help")) or message, code, reference)


def _read_help(help_: object) -> str:
    """Return what would help, as the service says it; where it is another sign-in, also how it gets here."""
    if not isinstance(help_, dict):
        return ""
    message = clean(help_.get("message"))
    if not help_.get("sign_in"):
        return message
    then = translate("Do so on your page in the browser, then type: rambridge login")
    return f"{message} {then}"
