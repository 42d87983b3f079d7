"""The SAML addresses: metadata, single sign-on, and the tiles that start here."""

from base64 import b64encode
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from bridge.clock import Clock
from bridge.sandbox.idp.browser_checks import check_same_origin, set_policy
from bridge.sandbox.idp.pending import Pending, PendingQuestions
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.answered import AnsweredRequests
from bridge.sandbox.idp.saml.authn_context import find_context
from bridge.sandbox.idp.saml.authn_request import AuthnRequest, verify_post, verify_redirect
from bridge.sandbox.idp.saml.metadata import build_metadata
from bridge.sandbox.idp.saml.names import (
    AUTHN_FAILED,
    EMAIL_FORMAT,
    INVALID_NAME_ID_POLICY,
    NO_AUTHN_CONTEXT,
    NO_PASSIVE,
    PERSISTENT_FORMAT,
    REQUESTER,
    RESPONDER,
    UNSPECIFIED_FORMAT,
)
from bridge.sandbox.idp.saml.response import Addressee, ResponseIssuer
from bridge.sandbox.idp.saml.service_providers import KnownServiceProvider, ServiceProviders
from bridge.sandbox.idp.sessions import Sessions
from bridge.sandbox.idp.state import IdPInitiatedTile, IdPState

_NAME_ID_FORMATS = {"persistent": PERSISTENT_FORMAT, "emailAddress": EMAIL_FORMAT}


def build_saml(views: "SAMLViews") -> Blueprint:
    """Return the SAML part of the provider."""
    blueprint = Blueprint("saml", __name__)
    blueprint.get("/saml/metadata")(views.show_metadata)
    blueprint.get("/saml/sso")(views.receive_redirect)
    blueprint.post("/saml/sso")(views.receive_post)
    blueprint.get("/saml/answer/<handle>")(views.answer)
    blueprint.post("/saml/decline/<handle>")(views.decline)
    blueprint.post("/launch/<name>")(views.launch)
    return blueprint


@dataclass(frozen=True)
class SAMLViews:
    """The views, and what they work with."""

    state: IdPState
    certificate: bytes
    clock: Clock
    sessions: Sessions
    pending: PendingQuestions
    answered: AnsweredRequests
    providers: ServiceProviders
    issuer: ResponseIssuer

    @property
    def _sso_url(self) -> str:
        return f"{self.state.url}/saml/sso"

    def show_metadata(self) -> Response:
        """Publish our metadata."""
        entity_id, now = self.state.saml_entity_id, self.clock.now()
        document = build_metadata(entity_id, self._sso_url, self.certificate, now)
        return Response(document, mimetype="application/samlmetadata+xml")

    def receive_redirect(self) -> BaseResponse:
        """Receive a request by the HTTP-Redirect binding."""
        query = request.query_string.decode("ascii", "replace")
        return self.answer(self._remember(verify_redirect(query, self._sso_url, self.providers, self.clock.now())))

    def receive_post(self) -> BaseResponse:
        """Receive a request by the HTTP-POST binding.

        Another site's POST comes without our Lax cookie. The GET that we redirect to brings it.
        """
        saml_request, relay_state = request.form.getlist("SAMLRequest"), request.form.getlist("RelayState")
        if len(saml_request) != 1 or len(relay_state) > 1:
            raise Refused("idp_parameter_twice", "A parameter is missing or came twice.")
        asked = verify_post(
            saml_request[0], relay_state[0] if relay_state else None, self._sso_url, self.providers, self.clock.now()
        )
        return redirect(url_for("saml.answer", handle=self._remember(asked)), code=303)

    def answer(self, handle: str) -> BaseResponse:
        """Answer the question now, or let the person sign in first."""
        pending, asked = self._load(handle)
        session, now = self.sessions.find_current(), self.clock.now()
        registered = _NAME_ID_FORMATS[asked.service_provider.registration.name_id_format]
        if asked.name_id_format not in (None, UNSPECIFIED_FORMAT, registered):
            return self._finish_with_failure(handle, REQUESTER, INVALID_NAME_ID_POLICY)
        if session is None or not pending.is_answered_by(session, now):
            return self._ask_person(handle, asked, NO_PASSIVE)
        context = find_context(asked, session.method)
        if context is None:
            if session.authenticated_at < pending.asked_at:
                return self._ask_person(handle, asked, NO_AUTHN_CONTEXT)
            return self._finish_with_failure(handle, RESPONDER, NO_AUTHN_CONTEXT)
        document = self.issuer.issue_success(self._use_up(handle), session, context, now)
        return _post_to(asked.service_provider, asked.acs_url, document, asked.relay_state)

    def decline(self, handle: str) -> BaseResponse:
        """Tell the application that the person did not want to sign in."""
        check_same_origin(self.state.url)
        return self._finish_with_failure(handle, RESPONDER, AUTHN_FAILED)

    def launch(self, name: str) -> BaseResponse:
        """Send a response that nobody asked for: the person clicked a tile."""
        check_same_origin(self.state.url)
        tile = self.state.find_tile(name)
        registration = self.state.find_service_provider(getattr(tile, "service_provider", ""))
        if not isinstance(tile, IdPInitiatedTile) or registration is None:
            raise Refused("idp_no_tile", "There is no such tile.", 404)
        session = self.sessions.find_current()
        if session is None:
            return redirect(url_for("pages.show_sign_in"), code=303)
        provider = self.providers.load(registration)
        addressee = Addressee(provider, provider.default_acs_url, None)
        document = self.issuer.issue_success(addressee, session, session.method.acr, self.clock.now())
        return _post_to(provider, addressee.acs_url, document, tile.relay_state)

    def _ask_person(self, handle: str, asked: AuthnRequest, passive_subcode: str) -> BaseResponse:
        """Show the sign-in page, unless the request forbids to show anything (``IsPassive``)."""
        if asked.is_passive:
            return self._finish_with_failure(handle, RESPONDER, passive_subcode)
        return redirect(url_for("pages.show_sign_in", request=handle))

    def _finish_with_failure(self, handle: str, code: str, subcode: str) -> BaseResponse:
        _, asked = self._load(handle)
        document = self.issuer.issue_failure(self._use_up(handle), (code, subcode), self.clock.now())
        return _post_to(asked.service_provider, asked.acs_url, document, asked.relay_state)

    def _remember(self, asked: AuthnRequest) -> str:
        title = asked.service_provider.registration.title
        return self.pending.put(Pending(asked, title, "", self.clock.now()))

    def _load(self, handle: str) -> tuple[Pending, AuthnRequest]:
        pending = self.pending.find(handle)
        if pending is None or not isinstance(pending.question, AuthnRequest):
            raise Refused("idp_question_over", "This sign-in took too long, or was finished before. Start again.")
        return pending, pending.question

    def _use_up(self, handle: str) -> Addressee:
        """The question is answered now: neither this handle nor this request gets a second response."""
        _, asked = self._load(handle)
        entity_id = asked.service_provider.registration.entity_id
        if self.pending.take(handle) is None or not self.answered.claim(entity_id, asked.id):
            raise Refused("idp_request_replayed", "This request was answered before. Start again.")
        return Addressee(asked.service_provider, asked.acs_url, asked.id)


def _post_to(provider: KnownServiceProvider, acs_url: str, document: bytes, relay_state: str | None) -> Response:
    fields = {"SAMLResponse": b64encode(document).decode()}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    page = render_template("post_response.html", action=acs_url, fields=fields, application=provider.registration.title)
    return set_policy(make_response(page), [acs_url])
