"""A question that is left at the provider (RFC 9126), and a provider that answers strangely (OIDC-19)."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.attack.oidc.cases_pushed import GOOD, PUSHED
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.attack.scripted_server import Reply
from bridge.errors import IdentityError, OIDCMetadata
from tests.attacks.oidc.test_flow import PUBLIC_URL, begin, question, relying_party, sign_in


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        running.offer_par()
        yield running


@pytest.mark.parametrize("par", ["auto", "require"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_browser_carries_nothing_of_the_question(op, par, method):
    party = relying_party(op, par=par, client_authentication=method, acr_values=("urn:mfa",))
    pending = question()
    url = begin(party, pending, login_hint="ada@corp.example")
    assert parse_qs(urlsplit(url).query).keys() == {"client_id", "request_uri"}
    pushed = op.requests[-1].form
    assert pushed["redirect_uri"] == f"{PUBLIC_URL}/oidc/corp/callback"
    assert (pushed["state"], pushed["nonce"]) == (pending.handle, pending.nonce)
    assert (pushed["login_hint"], pushed["acr_values"]) == ("ada@corp.example", "urn:mfa")
    assert pending.code_verifier not in str(pushed)
    assert party.finish(op.authorize(url), pending).subject == "ada"


def test_what_is_not_offered_is_used_only_where_it_is_required(op):
    assert "request_uri" not in begin(relying_party(op, par="never"), question())
    op.metadata.clear()
    assert sign_in(op, relying_party(op)).subject == "ada"
    with pytest.raises(OIDCMetadata):
        begin(relying_party(op, par="require"), question())
    assert "/par" not in op.paths()


@pytest.mark.parametrize("case", PUSHED, ids=str)
def test_a_question_that_was_not_taken_sends_no_browser_anywhere(op, case):
    op.replies["/par"] = case.reply
    with pytest.raises(IdentityError) as refused:
        begin(relying_party(op), question())
    assert type(refused.value) is case.error
    assert "script" not in refused.value.detail
    op.replies["/par"] = Reply(201, json.dumps(GOOD).encode())
    assert "request_uri=urn" in begin(relying_party(op), question())


def test_a_request_uri_is_encoded(op):
    op.replies["/par"] = Reply(201, json.dumps(GOOD | {"request_uri": "urn:x&redirect_uri=https://evil"}).encode())
    asked = parse_qs(urlsplit(begin(relying_party(op), question())).query)
    assert asked == {"client_id": ["rambridge"], "request_uri": ["urn:x&redirect_uri=https://evil"]}
