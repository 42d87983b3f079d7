"""One role, asked for by a terminal that stays signed in: what the commands do."""

from collections.abc import Callable

from bridge.client.credentials import Credentials
from bridge.client.device_flow import sign_in
from bridge.client.failure import Refused, SignedOut
from bridge.client.portal import Portal
from bridge.client.token_file import TokenFile


class Terminal:
    """Asks one service for one role."""

    def __init__(
        self, portal: Portal, kept: TokenFile, account: str, role: str, show: Callable[[str, str], None] | None
    ) -> None:
        """Take what to ask for, and what shows the person an address and a code; None where nobody is looking."""
        self._portal = portal
        self._kept = kept
        self._account = account
        self._role = role
        self._show = show

    def get_credentials(self) -> Credentials:
        """Return new credentials; the person is asked to sign in where that is needed and somebody is looking.

        Raises:
            SignedOut: it is needed, and nobody is looking.
            Refused: this role is not one of the person's; what is, stands in the text.
            ClientError: the service cannot be reached, or the sign-in did not come about.
        """
        token = self._kept.read() or self._sign_in("This terminal is not signed in.")
        try:
            return self._ask(token)
        except SignedOut as over:
            self._kept.forget()
            return self._ask(self._sign_in(str(over)))

    def _sign_in(self, why: str) -> str:
        if self._show is None:
            which = f"--server {self._portal.origin} --account {self._account!r} --role {self._role!r}"
            raise SignedOut(f"{why} Sign in with: rambridge credentials {which} --sign-in")
        return sign_in(self._portal, self._kept, self._show)

    def _ask(self, token: str) -> Credentials:
        account = self._account if self._account.isdigit() else self._find_account(token)
        try:
            return self._portal.get_credentials(token, account, self._role)
        except Refused as refusal:
            if refusal.code != "not_entitled":
                raise
            raise self._explain(token, refusal) from refusal

    def _find_account(self, token: str) -> str:
        accounts = self._portal.list_accounts(token)
        found = [account["AccountId"] for account in accounts if account["DisplayName"] == self._account]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{account['DisplayName']} ({account['AccountId']})" for account in accounts) or "none"
        raise Refused(f"No account of yours is called {self._account}. Yours: {names}.", "no_such_account", "")

    def _explain(self, token: str, refusal: Refused) -> Refused:
        offered = [
            f"{role['AccessConfigurationName']} in {account['DisplayName']} ({account['AccountId']})"
            for account in self._portal.list_accounts(token)
            for role in self._portal.list_roles(token, account["AccountId"])
        ]
        text = f"You may not use {self._role} there. Yours: {'; '.join(offered) or 'none'}."
        return Refused(text, refusal.code, refusal.reference)
