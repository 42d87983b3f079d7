"""Hand the browser over to the console, for a choice that the person made or that was the only one."""

from collections.abc import Mapping

from flask import Response, make_response, render_template

from bridge.exchange.accounts import Account
from bridge.federation import Federation
from bridge.identity.verified import VerifiedIdentity
from bridge.web.headers import allow_form_action
from bridge.web.origin import current_origin


def open_console(
    federation: Federation,
    accounts: Mapping[str, Account],
    identity: VerifiedIdentity,
    entitlement_id: str,
    destination: str = "",
) -> Response:
    """Return the page that sends the browser to the console with what opens it for this entitlement.

    It opens on the page of ``destination``, checked before; where that is empty, on the console's home page.

    Raises:
        NotEntitled: the rules of this moment do not grant it.
        ExchangeError: no session that is long enough can be opened.
        AuditUnavailable: it cannot be recorded.
    """
    origin = current_origin()
    with federation.in_one_step(origin) as one_step:
        choice = one_step.choose(origin, identity, entitlement_id, purpose="console")
        form = one_step.deliver_console(origin, choice, destination)
    allow_form_action(form.form_action)
    what = f"{choice.entitlement.title or choice.entitlement.name} · {accounts[choice.entitlement.account].title}"
    page = render_template(
        "hand_over.html",
        action=form.action,
        method=form.method,
        fields=form.fields,
        what=what,
        narrowed=choice.entitlement.session_policy is not None,
        half_a_minute=form.way == "token",
    )
    return make_response(page)
