"""The HTTP API, version 1: what a page's script or the command may ask for the signed-in person."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Response, g, jsonify, request, url_for
from pydantic import BaseModel, ValidationError

from bridge.clock import format_utc
from bridge.delivery.console import find_way
from bridge.delivery.links import Links
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.resolve import WithinReach
from bridge.errors import BadParameter, NotEntitled
from bridge.exchange.accounts import Account
from bridge.exchange.duration import Duration
from bridge.federation import Federation
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.verified import VerifiedIdentity
from bridge.web.access import Access
from bridge.web.api_types import (
    CredentialsAnswer,
    CredentialsQuestion,
    EntitlementAnswer,
    HandedOutAnswer,
    HandedOutListAnswer,
    LengthAnswer,
    LinkAnswer,
    LinkQuestion,
    OwnSessionAnswer,
    ReachAnswer,
    SessionAnswer,
    SessionsAnswer,
)
from bridge.web.handed_out import HandedOutList
from bridge.web.help import ASKED_SECONDS
from bridge.web.openapi import Operation, describe_api
from bridge.web.origin import current_origin
from bridge.web.session_list import SessionList

MAX_BODY_BYTES = 8_192
WEEK_SECONDS = 7 * 86_400

Body = TypeVar("Body", bound=BaseModel)


class API:
    """JSON answers for whoever has an access token, or the session of a page."""

    def __init__(
        self,
        *,
        federation: Federation,
        access: Access,
        session_list: SessionList,
        handed_out: HandedOutList,
        links: Links,
        accounts: Mapping[str, Account],
        public_url: str,
    ) -> None:
        """Take what the answers need."""
        self._federation = federation
        self._access = access
        self._list = session_list
        self._handed_out = handed_out
        self._links = links
        self._accounts = accounts
        self._public_url = public_url
        self._operations: Mapping[Operation, Callable[..., Response]] = {
            Operation(
                "GET", "/session", "session", "Who is signed in, and what they may become", answer=SessionAnswer
            ): self.session,
            Operation(
                "POST",
                "/credentials",
                "credentials",
                "Temporary credentials for an entitlement",
                question=CredentialsQuestion,
                answer=CredentialsAnswer,
                exchanges=True,
            ): self.credentials,
            Operation(
                "POST",
                "/links",
                "links",
                "A link to a role and a page of the console",
                question=LinkQuestion,
                answer=LinkAnswer,
            ): self.links,
            Operation(
                "GET", "/sessions", "sessions", "Every session of the person", answer=SessionsAnswer
            ): self.sessions,
            Operation("DELETE", "/sessions/{id}", "end_session", "End one session of the person"): self.end_session,
            Operation(
                "GET",
                "/handed-out",
                "handed_out",
                "What was handed out to the person and still lives",
                answer=HandedOutListAnswer,
            ): self.handed_out,
            Operation("POST", "/logout", "logout", "End the session that asks"): self.logout,
        }

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("api", __name__, url_prefix="/api/v1")
        for operation, view in self._operations.items():
            path = operation.path.replace("{", "<").replace("}", ">")
            routes.add_url_rule(path, operation.name, view, methods=[operation.method])
        routes.add_url_rule("/openapi.json", "openapi", self.openapi)
        return routes

    def openapi(self) -> Response:
        """Describe all this (OpenAPI 3.1)."""
        return jsonify(describe_api(list(self._operations), self._public_url))

    def session(self) -> Response:
        """Say who is signed in, what they may become, and until when."""
        session = self._access.require_caller()
        identity = session.identity
        resolution = self._federation.look(identity, current_origin().source_address)
        return _answer(
            SessionAnswer(
                provider=identity.provider,
                issuer=identity.issuer,
                subject=identity.subject,
                claims=dict(identity.claims),
                authenticated_at=format_utc(identity.authenticated_at),
                acr=identity.acr,
                amr=list(identity.amr),
                session_ends_at=format_utc(session.ends_at),
                rules_version=resolution.rules_version,
                entitlements=[self._describe(identity, granted) for granted in resolution.entitlements],
                within_reach=[self._describe_reach(reach) for reach in resolution.within_reach],
            )
        )

    def credentials(self) -> Response:
        """Issue credentials: the same choice, exchange and records as by the portal's button."""
        identity = self._access.require_caller().identity
        question = _read_body(CredentialsQuestion)
        setattr(g, ASKED_SECONDS, question.duration_seconds or 0)
        origin = current_origin()
        with self._federation.in_one_step(origin) as federation:
            choice = federation.choose(
                origin,
                identity,
                question.entitlement,
                purpose="terminal" if self._access.has_bearer() else "credentials",
                duration_seconds=question.duration_seconds,
            )
            credentials = federation.exchange(origin, choice)
            credentials = federation.deliver_credentials(origin, choice, credentials)
        return _answer(
            CredentialsAnswer(
                access_key_id=credentials.access_key_id,
                access_key_secret=credentials.access_key_secret,
                security_token=credentials.security_token,
                expires_at=format_utc(credentials.expires_at),
                account_id=self._accounts[choice.entitlement.account].id,
                role=choice.entitlement.terminal_role or choice.entitlement.name,
                role_session_name=credentials.role_session_name,
                duration=LengthAnswer(
                    seconds=credentials.duration_seconds,
                    decided_by=credentials.decided_by,
                    limits=dict(credentials.limits),
                ),
                reused=credentials.reused,
            )
        )

    def links(self) -> Response:
        """Make a signed link to what the person may open in the console."""
        question = _read_body(LinkQuestion)
        identity = self._access.require_caller().identity
        resolution = self._federation.look(identity, current_origin().source_address)
        for entitlement in resolution.entitlements:
            if entitlement.id == question.entitlement and find_way(entitlement, self._accounts[entitlement.account]):
                break
        else:
            raise NotEntitled("no link can be made to what is not granted, or has no console")
        life = timedelta(seconds=question.seconds or WEEK_SECONDS)
        token, ends = self._links.make(
            entitlement.account, entitlement.kind, entitlement.name, question.destination, life
        )
        return _answer(LinkAnswer(url=f"{self._public_url}/go/{token}", expires_at=format_utc(ends)))

    def sessions(self) -> Response:
        """List the person's sessions in browsers and terminals."""
        identity, current = self._access.require_caller().identity, self._access.caller_key()
        return _answer(
            SessionsAnswer(
                sessions=[
                    OwnSessionAnswer(
                        id=each.id,
                        kind=each.kind,
                        program=each.session.program,
                        opened_from=each.session.opened_from,
                        started_at=format_utc(each.session.created_at),
                        last_seen_at=format_utc(each.session.last_seen_at),
                        ends_at=format_utc(each.session.ends_at),
                        current=each.current,
                    )
                    for each in self._list.list(identity, current)
                ]
            )
        )

    def end_session(self, id: str) -> Response:  # noqa: A002  as the address calls it
        """End one session of the person's own; of anybody else's it knows nothing."""
        identity, current = self._access.require_caller().identity, self._access.caller_key()
        self._list.end(identity, current, id)
        return Response(status=HTTPStatus.NO_CONTENT)

    def handed_out(self) -> Response:
        """List the credentials and consoles that the person was given and that have not ended."""
        found, complete = self._handed_out.find(self._access.require_caller().identity)
        return _answer(
            HandedOutListAnswer(
                handed_out=[
                    HandedOutAnswer(
                        kind=each.kind,
                        account=each.account,
                        name=each.name,
                        handed_out_at=format_utc(datetime.fromisoformat(each.at)),
                        ends_at=format_utc(each.ends_at),
                        source_address=each.address,
                        reference=each.reference,
                        access_key_id=each.access_key_id or None,
                        times=each.times,
                    )
                    for each in found
                ],
                complete=complete,
            )
        )

    def logout(self) -> Response:
        """End the session that asks, and no other."""
        identity = self._access.require_caller().identity
        by_program = self._access.has_bearer()
        reason = "signed_out_terminal" if by_program else "signed_out_here"
        self._list.end_key(self._access.caller_key(), identity, reason)
        return Response(status=HTTPStatus.NO_CONTENT)

    def _describe(self, identity: VerifiedIdentity, entitlement: Entitlement) -> EntitlementAnswer:
        account = self._accounts[entitlement.account]
        return EntitlementAnswer(
            **self._name(entitlement),
            console=find_way(entitlement, account) is not None,
            narrowed=entitlement.session_policy is not None,
            terminal=entitlement.opens_terminal,
            terminal_role=entitlement.terminal_role,
            max_duration_seconds=entitlement.duration_seconds,
            credentials_duration=_describe_length(self._federation.foresee(identity, entitlement)),
        )

    def _describe_reach(self, reach: WithinReach) -> ReachAnswer:
        return ReachAnswer(
            **self._name(reach.entitlement),
            lacks=[*["strength"] * reach.too_weak, *["freshness"] * reach.too_old],
            require=reach.require.model_dump(mode="json", exclude_none=True),
            sign_in=url_for("login.step_up", entitlement_id=reach.entitlement.id),
        )

    def _name(self, entitlement: Entitlement) -> dict[str, Any]:
        """Return what it is called, and where it is: the fields that both kinds of answer share."""
        account = self._accounts[entitlement.account]
        return {
            "id": entitlement.id,
            "kind": entitlement.kind,
            "account": account.name,
            "account_id": account.id,
            "account_title": account.title,
            "name": entitlement.name,
            "title": entitlement.title,
            "purpose": entitlement.purpose,
            "owner": entitlement.owner or account.owner,
            "sensitivity": entitlement.sensitivity or account.sensitivity,
        }


def _describe_length(duration: Duration | None) -> LengthAnswer | None:
    if duration is None:
        return None
    return LengthAnswer(seconds=duration.seconds, decided_by=duration.decided_by, limits=dict(duration.limits))


def _answer(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), mimetype="application/json")


def _read_body(body: type[Body]) -> Body:
    request.max_content_length = MAX_BODY_BYTES
    if request.mimetype != "application/json":
        raise BadParameter("the body is not application/json")
    try:
        return body.model_validate(parse_object(request.get_data(cache=False)), strict=True)
    except (ValueError, ValidationError) as error:
        raise BadParameter("the body is not as the OpenAPI document says") from error
