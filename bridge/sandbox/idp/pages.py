"""What a person sees: sign-in, the portal of tiles, sign-out."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from bridge.sandbox.idp.browser_checks import check_same_origin, set_policy
from bridge.sandbox.idp.pending import Pending, PendingQuestions
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.sessions import Method, Session, Sessions
from bridge.sandbox.idp.state import IdPState, OIDCTile, Person, SPInitiatedTile, Tile


def build_pages(pages: "Pages") -> Blueprint:
    """Return the pages of the provider."""
    blueprint = Blueprint("pages", __name__)
    blueprint.get("/")(pages.show_portal)
    blueprint.get("/sign-in")(pages.show_sign_in)
    blueprint.post("/sign-in")(pages.sign_in)
    blueprint.post("/sign-out")(pages.sign_out)
    return blueprint


@dataclass(frozen=True)
class Pages:
    """The views, and what they work with."""

    state: IdPState
    sessions: Sessions
    pending: PendingQuestions

    def show_portal(self) -> BaseResponse:
        """Show the tiles."""
        session = self.sessions.find_current()
        if session is None:
            return redirect(url_for("pages.show_sign_in"))
        links = {tile.name: _find_link(self.state, tile, session) for tile in self.state.tiles}
        return make_response(render_template("portal.html", session=session, links=links))

    def show_sign_in(self) -> Response:
        """Ask who it is."""
        pending = self._find_pending()
        return self._render_sign_in(pending, user_name=pending.login_hint if pending else "")

    def sign_in(self) -> BaseResponse:
        """Start a session, and go on with what the person came for."""
        check_same_origin(self.state.url)
        pending = self._find_pending()
        picked = request.form.get("person")
        user_name = (picked or request.form.get("user_name", "")).strip()
        person, method = _find_person(self.state, user_name), _parse_method(request.form.get("method", ""))
        if person is None:
            return self._render_sign_in(pending, user_name, method, "There is nobody of this name here.")
        if method is Method.SECURITY_KEY and not person.mfa:
            fault = f"{person.name} has no security key. Choose “Password only”."
            return self._render_sign_in(pending, user_name, method, fault)
        if not picked and not request.form.get("password"):
            return self._render_sign_in(pending, user_name, method, "Type a password; any will do.")
        target = url_for("pages.show_portal")
        if pending:
            target = url_for(f"{pending.protocol}.answer", handle=request.args["request"])
        response = make_response(redirect(target, code=303))
        self.sessions.start(response, person, method)
        return response

    def sign_out(self) -> Response:
        """End the session here; applications keep theirs."""
        check_same_origin(self.state.url)
        response = make_response(render_template("signed_out.html"))
        self.sessions.end(response)
        return response

    def _find_pending(self) -> Pending | None:
        handle = request.args.get("request")
        pending = self.pending.find(handle) if handle else None
        if handle and pending is None:
            raise Refused("idp_question_over", "This sign-in took too long, or was finished before. Start again.")
        return pending

    def _render_sign_in(
        self, pending: Pending | None, user_name: str = "", method: Method = Method.PASSWORD, fault: str = ""
    ) -> Response:
        page = render_template(
            "sign_in.html",
            pending=pending,
            handle=request.args.get("request"),
            user_name=user_name,
            method=method,
            methods=Method,
            fault=fault,
        )
        redirect_uris = (uri for client in self.state.oidc_clients for uri in client.redirect_uris)
        return set_policy(make_response(page, 422 if fault else 200), redirect_uris)


def _find_person(state: IdPState, user_name: str) -> Person | None:
    by_mail = (person for person in state.people if person.mail == user_name)
    return state.find_person(user_name) or next(by_mail, None)


def _parse_method(text: str) -> Method:
    try:
        return Method(text)
    except ValueError as error:
        raise Refused("idp_method", "There is no such way to sign in.") from error


def _find_link(state: IdPState, tile: Tile, session: Session) -> str | None:
    """Return where the tile's link leads, or None if the tile is a form of ours."""
    if isinstance(tile, SPInitiatedTile):
        return tile.link
    client = state.find_client(tile.client) if isinstance(tile, OIDCTile) else None
    if client is None:
        return None
    hints = urlencode({"iss": state.url, "login_hint": session.person.mail})
    return f"{client.initiate_login_uri}?{hints}"
