"""Asks for the groups that a token leaves out because they are many (threat MAP-06).

Asked is the address in our settings, never the one in the token (``_claim_sources``): that one is for others, or gone,
or anybody's. The person is one part of its path, and cannot become more. Whatever goes wrong, somebody whose groups
were withheld is refused, never signed in as a member of none. Microsoft Graph ``getMemberObjects``; OData 4.01 JSON
4.5.5 (``@odata.nextLink``).
"""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from bridge.errors import (
    FetchFailed,
    FetchRefused,
    FetchTooLarge,
    GroupsNotFetched,
    GroupsUnknown,
    ProviderUnavailable,
)
from bridge.identity.oidc.client_token import ClientToken
from bridge.identity.oidc.strict_json import parse_value
from bridge.identity.providers import PERSON, GroupsEndpoint, OIDCProvider
from bridge.outbound import Answer, Limits, Outbound

MAX_GROUPS = 5_000
MAX_PAGES = 20
MAX_GROUP_CHARACTERS = 1_024
TOTAL_SECONDS = 8.0
"""How long all pages together may take."""

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,254}")
"""Nothing that divides a path, or that another program decodes to something that does."""
_OK = 200
_UNAUTHORIZED = 401
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def are_groups_withheld(claims: Mapping[str, Any], provider: OIDCProvider) -> bool:
    """Return whether a token, or userinfo, says that groups are not in it but somewhere else.

    ``_claim_names`` (OIDC Core 5.6.2), which is an object here, names them, or there is ``hasgroups``.
    """
    return groups_name(provider) in claims.get("_claim_names", {}) or claims.get("hasgroups", False) is not False


def groups_name(provider: OIDCProvider) -> str:
    """Return what the provider calls the groups."""
    return provider.claims.get(provider.groups_claim, provider.groups_claim)


def complete_groups(claims: Mapping[str, Any], provider: OIDCProvider, groups: list[str]) -> dict[str, Any]:
    """Return the claims with these groups in place of the reference to them, and of what userinfo has of them."""
    name = groups_name(provider)
    kept = {key: value for key, value in claims.items() if key not in {"hasgroups", "_claim_names"}}
    elsewhere = {key: value for key, value in claims.get("_claim_names", {}).items() if key != name}
    return kept | {name: groups} | ({"_claim_names": elsewhere} if elsewhere else {})


class GroupLookup:
    """Asks one provider's groups endpoint as ourselves; shared by all threads."""

    def __init__(
        self, provider: OIDCProvider, endpoint: GroupsEndpoint, token: ClientToken, outbound: Outbound
    ) -> None:
        """Take where to ask, and with which token."""
        self._endpoint = endpoint
        self._groups_name = groups_name(provider)
        self._person_claim = provider.claims.get(endpoint.person_claim, endpoint.person_claim)
        self._token = token
        self._outbound = outbound

    def fetch(self, claims: Mapping[str, Any]) -> list[str]:
        """Return all groups of the person whom these verified claims are about.

        Raises:
            GroupsUnknown: there are groups as well, or no claim names the person in a way that fits into an address.
            GroupsNotFetched: the endpoint refuses, or answers with something else than all of the groups.
            ProviderUnavailable: no answer in time, or one that asks for patience.
        """
        if self._groups_name in claims:
            raise GroupsUnknown("the token has groups, and says that they are somewhere else")
        person = claims.get(self._person_claim)
        if not isinstance(person, str) or not _PERSON.fullmatch(person):
            raise GroupsUnknown(f"{self._person_claim} is missing, or cannot stand in an address")
        first = self._endpoint.url.replace(PERSON, quote(person, safe=""))
        deadline = time.monotonic() + TOTAL_SECONDS
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._token.get()}"}
        groups: list[str] = []
        url = first
        for number in range(MAX_PAGES):
            limits = Limits(total_seconds=max(deadline - time.monotonic(), 0.001))
            page, following = read_page(self._ask(url, headers, limits, is_first=number == 0))
            groups += page
            if len(groups) > MAX_GROUPS:
                raise GroupsNotFetched(f"more than {MAX_GROUPS} groups")
            if following is None:
                return groups
            url = _check_next(first, following)
        raise GroupsNotFetched(f"more than {MAX_PAGES} pages")

    def _ask(self, url: str, headers: Mapping[str, str], limits: Limits, *, is_first: bool) -> Answer:
        body = self._endpoint.body
        try:
            if is_first and body is not None:
                answer = self._outbound.post_json(url, body, headers=headers, limits=limits)
            else:
                answer = self._outbound.get(url, headers=headers, limits=limits)
        except FetchTooLarge as error:
            raise GroupsNotFetched(error.detail) from error
        except (FetchFailed, FetchRefused) as error:
            raise ProviderUnavailable(error.detail) from error
        if answer.status == _UNAUTHORIZED:
            self._token.forget()
        return answer


def read_page(answer: Answer) -> tuple[list[str], str | None]:
    """Return the groups of one answer, and where the next ones are: a JSON list, or an object with ``value``.

    Raises:
        GroupsNotFetched: the answer is an error, or not such a document.
        ProviderUnavailable: status 429 or 5xx.
    """
    if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
        raise ProviderUnavailable(f"the groups endpoint answered {answer.status}")
    if answer.status != _OK:
        raise GroupsNotFetched(f"the groups endpoint answered {answer.status}")
    try:
        document = parse_value(answer.body)
    except ValueError as error:
        raise GroupsNotFetched(f"the groups endpoint's answer is {error}") from error
    following = None
    if isinstance(document, dict):
        if "error" in document:
            raise GroupsNotFetched("the groups endpoint answered an error")
        following = document.get("@odata.nextLink")
        document = document.get("value")
    if not isinstance(document, list) or not all(_is_group(entry) for entry in document):
        raise GroupsNotFetched("the groups endpoint's answer is not a list of texts")
    if following is not None and not isinstance(following, str):
        raise GroupsNotFetched("@odata.nextLink is not an address")
    return document, following


def _is_group(entry: Any) -> bool:
    return isinstance(entry, str) and 0 < len(entry) <= MAX_GROUP_CHARACTERS


def _check_next(first: str, following: str) -> str:
    """Return the address of the next page, which is at the same host: our token is for nobody else."""
    try:
        url = urljoin(first, following)
        is_same_host = urlsplit(url)[:2] == urlsplit(first)[:2]
    except ValueError as error:
        raise GroupsNotFetched("@odata.nextLink is not an address") from error
    if not is_same_host:
        raise GroupsNotFetched("@odata.nextLink leads to another host")
    return url
