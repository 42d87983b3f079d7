"""Identity providers that nobody here wrote sign people in, and those people end with credentials.

Every step is made over HTTP by a scripted browser, from the provider's own sign-in form to the stand-in cloud, whose
GetCallerIdentity an unmodified official SDK calls.
"""

import re
import time
from contextlib import ExitStack
from dataclasses import replace
from html import unescape

import pytest
import yaml
from alibabacloud_sts20150401.client import Client as STSClient
from alibabacloud_tea_openapi.models import Config

from bridge.identity.oidc.client_keys import build_client_jwks
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.keys import KeyFolder
from bridge.sandbox.browser import Browser
from bridge.sandbox.servers import run_sandbox
from bridge.sessions.cookie import SESSION_COOKIE
from tests.installation import PATIENCE_SECONDS, prepare, run_bridge
from tests.integration.test_main_job import entitlements, read_credentials
from tests.interop.lemonldap.rig import LemonLDAP
from tests.interop.node_oidc_provider.rig import NodeProvider
from tests.interop.parties import SAMLSP
from tests.requirements import require

SCOPES = ["openid", "profile", "email", "groups"]


@pytest.fixture(scope="module")
def world(tmp_path_factory, people, build_client):
    """Run the bridge with LemonLDAP::NG as SAML and as OpenID provider."""
    require("lemonldap-ng")
    require("nginx")
    folder = tmp_path_factory.mktemp("world")
    installation = prepare(folder)
    client = build_client(installation.bridge, "lemonldap-oidc")
    with ExitStack() as stack:
        rig = LemonLDAP(
            tmp_path_factory.mktemp("llng"),
            saml_sp=describe_service_provider(installation, "lemonldap"),
            oidc_client=client,
            people=people,
        )
        stack.enter_context(rig)
        write_provider(installation, saml_provider(rig))
        write_provider(installation, oidc_provider("lemonldap-oidc", rig.oidc_issuer, client, installation))
        start_bridge(stack, installation)
        yield installation, rig


@pytest.fixture(scope="module")
def node_world(tmp_path_factory, people, build_client):
    """Run the bridge with the Node oidc-provider as OpenID provider."""
    require("node")
    installation = prepare(tmp_path_factory.mktemp("node-world"))
    client = build_client(installation.bridge, "node")
    with ExitStack() as stack:
        rig = stack.enter_context(NodeProvider(tmp_path_factory.mktemp("node"), oidc_client=client, people=people))
        write_provider(installation, oidc_provider("node", rig.issuer, client, installation))
        start_bridge(stack, installation)
        yield installation, rig


@pytest.fixture(scope="module")
def strict_node_world(tmp_path_factory, people, build_client):
    """Run the bridge with an oidc-provider as it comes: claims in userinfo; and as strict as it can be set."""
    require("node")
    installation = prepare(tmp_path_factory.mktemp("strict-node-world"))
    client = build_client(installation.bridge, "strict")
    policies = {"client_authentication": "private_key_jwt", "encryption": "require"}
    settings = oidc_provider("strict", "-", client, installation) | policies
    metadata = {
        "token_endpoint_auth_method": "private_key_jwt",
        "id_token_encrypted_response_alg": "RSA-OAEP-256",
        "jwks": build_client_jwks(OIDCProvider(**settings), KeyFolder(installation.folder / "certs")),
        "require_pushed_authorization_requests": True,
    }
    with ExitStack() as stack:
        rig = NodeProvider(
            tmp_path_factory.mktemp("strict-node"),
            oidc_client=client,
            people=people,
            client_metadata=metadata,
            claims_in_id_token=False,
        )
        stack.enter_context(rig)
        settings = oidc_provider("strict", rig.issuer, client, installation) | policies
        del settings["client_secret"]
        settings |= {"userinfo": "always", "par": "require"}
        settings |= {"prompt": "login", "max_age_seconds": 300, "email_verified_required": True}
        write_provider(installation, settings)
        start_bridge(stack, installation)
        yield installation, rig


@pytest.fixture(scope="module")
def encrypting_world(tmp_path_factory, people, build_client):
    """Run the bridge with LemonLDAP::NG: SAML encrypted, and asked to authenticate anew; OpenID Connect with frames."""
    require("lemonldap-ng")
    require("nginx")
    installation = prepare(tmp_path_factory.mktemp("encrypting-world"))
    client = replace(build_client(installation.bridge, "lemonldap-oidc"), logout_channel="front")
    with ExitStack() as stack:
        rig = LemonLDAP(
            tmp_path_factory.mktemp("llng"),
            saml_sp=describe_service_provider(installation, "lemonldap", encryption="assertion"),
            oidc_client=client,
            people=people,
        )
        stack.enter_context(rig)
        # Its library encrypts with AES-CBC and nothing else, and signs the response around it.
        policies = {"encryption": "require", "encryption_cbc": True}
        policies |= {"idp_initiated": False, "force_authn": True, "clock_skew_seconds": 0}
        write_provider(installation, saml_provider(rig) | policies)
        in_front = oidc_provider("lemonldap-oidc", rig.oidc_issuer, client, installation)
        write_provider(installation, in_front | {"frontchannel_logout": True})
        start_bridge(stack, installation)
        yield installation, rig


def describe_service_provider(installation, name, encryption="none"):
    """Return what an administrator of the provider registers: the bridge's own metadata."""
    settings = SAMLProvider(protocol="saml", name=name, title="-", entity_id="-", metadata="-")
    keys = KeyFolder(installation.folder / "certs")
    party = ServiceProvider(
        settings, installation.bridge, keys.signing("saml-sp"), lambda: b"", decryption=keys.decryption()
    )
    return SAMLSP(party.entity_id, party.acs_url, party.metadata_xml().decode(), encryption)


def saml_provider(rig):
    return {
        "name": "lemonldap",
        "title": "LemonLDAP::NG",
        "protocol": "saml",
        "entity_id": rig.saml_entity_id,
        "metadata": rig.saml_metadata_url,
        "idp_initiated": True,
        "signed": "both",
        "logout": "provider",
        "claims": {"email": "mail", "name": "displayName"},
        "single_valued": ["email", "name", "uid", "department"],
    }


def oidc_provider(name, issuer, client, installation):
    secret = installation.config / "providers" / f"{name}.secret"
    secret.write_text(client.client_secret)
    secret.chmod(0o600)
    return {
        "name": name,
        "title": name,
        "protocol": "oidc",
        "issuer": issuer,
        "client_id": client.client_id,
        "client_secret": f"file:{secret.name}",
        "scopes": SCOPES,
        "claims": {"uid": "sub"},
        "logout_token_typ_jwt": name == "lemonldap-oidc",
        "logout": "local" if name == "strict" else "provider",
    }


def write_provider(installation, settings):
    (installation.config / "providers" / f"{settings['name']}.yaml").write_text(yaml.safe_dump(settings))


def start_bridge(stack, installation):
    stack.enter_context(run_sandbox(installation.config, installation.folder / "certs" / "sandbox"))
    stack.enter_context(run_bridge(installation))


def sign_in_at_lemonldap(browser, person):
    browser.submit("lform", user=person.uid, password=person.password)


def sign_in_at_node(browser, person):
    browser.submit(None, login=person.uid, password=person.password)


def check_they_get_credentials(installation, browser):
    """The person gets credentials, and an unmodified official SDK becomes the assumed role with them."""
    chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
    credentials = read_credentials(browser.submit(f"/credentials/{chosen['id']}"))
    client = STSClient(
        Config(
            access_key_id=credentials["AccessKeyId"],
            access_key_secret=credentials["AccessKeySecret"],
            security_token=credentials["SecurityToken"],
            endpoint=installation.cloud.removeprefix("http://"),
            protocol="http",
        )
    )
    caller = client.get_caller_identity().body
    assert caller.identity_type == "AssumedRoleUser"
    assert caller.arn.startswith("acs:ram::1000000000000001:assumed-role/ReadOnly/lin.wei")


def test_lemonldap_signs_a_person_in_over_saml_when_the_bridge_asks(world, people):
    installation, _ = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    assert browser.page.url == f"{installation.bridge}/"
    check_they_get_credentials(installation, browser)
    accepted = [record for record in installation.records() if record["event"] == "sign_in.accepted"][-1]
    assert accepted["solicited"] is True
    assert accepted["protocol"] == "saml"
    assert accepted["person"] == "林薇"


def test_lemonldap_signs_a_person_in_over_saml_by_itself(world, people):
    installation, rig = world
    browser = Browser()
    browser.open(rig.idp_initiated_url())
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    assert browser.page.url == f"{installation.bridge}/"
    check_they_get_credentials(installation, browser)
    accepted = [record for record in installation.records() if record["event"] == "sign_in.accepted"][-1]
    assert accepted["solicited"] is False


def test_lemonldap_signs_a_person_in_with_an_encrypted_assertion(encrypting_world, people):
    installation, _ = encrypting_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    assert browser.page.url == f"{installation.bridge}/", browser.page.text()
    check_they_get_credentials(installation, browser)


def test_lemonldap_does_not_ask_again_within_five_minutes_and_the_old_authentication_is_refused(
    encrypting_world, people
):
    """``ForceAuthn`` is a wish: this provider has an interval in which it does not grant it."""
    installation, _ = encrypting_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    assert is_signed_in(installation, browser)
    time.sleep(1.1)  # authentications are dated by the second
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    assert "lform" not in browser.page.html, "nobody was asked for a password"
    installation.go_on(browser)
    assert (browser.page.status, last_record(installation, "sign_in.refused")["code"]) == (400, "saml_stale")


def test_lemonldap_signs_a_person_in_over_openid_connect(world, people):
    installation, _ = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap-oidc")
    sign_in_at_lemonldap(browser, people[0])
    assert browser.page.url == f"{installation.bridge}/"
    check_they_get_credentials(installation, browser)
    accepted = [record for record in installation.records() if record["event"] == "sign_in.accepted"][-1]
    assert accepted["protocol"] == "oidc"


def test_an_empty_group_attribute_of_lemonldap_means_no_group(world, people):
    installation, _ = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[2])
    installation.go_on(browser)
    assert "Nothing is assigned to you yet" in browser.page.text()


def test_the_node_provider_signs_a_person_in_over_openid_connect(node_world, people):
    installation, _ = node_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/node")
    sign_in_at_node(browser, people[0])
    assert browser.page.url == f"{installation.bridge}/"
    check_they_get_credentials(installation, browser)


def test_a_strict_node_provider_signs_a_person_in_by_key_pushed_question_encrypted_token_and_userinfo(
    strict_node_world, people
):
    installation, rig = strict_node_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/strict")
    sign_in_at_node(browser, people[0])
    assert browser.page.url == f"{installation.bridge}/"
    check_they_get_credentials(installation, browser)
    accepted = [record for record in installation.records() if record["event"] == "sign_in.accepted"][-1]
    assert (accepted["issuer"], accepted["subject"], accepted["person"]) == (rig.issuer, "lin.wei", "林薇")


# ── Signing out ──────────────────────────────────────────────────────────────────────────────────────────────────


def is_signed_in(installation, browser):
    return browser.open(f"{installation.bridge}/api/v1/session").status == 200


def last_record(installation, event):
    return [record for record in installation.records() if record["event"] == event][-1]


@pytest.mark.parametrize(("world_of", "name"), [("node_world", "node"), ("strict_node_world", "strict")])
def test_a_sign_out_at_the_node_provider_ends_the_session_here(request, people, world_of, name):
    """Its server calls ours with a logout token; the person's browser takes no part in that."""
    installation, rig = request.getfixturevalue(world_of)
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/{name}")
    sign_in_at_node(browser, people[0])
    assert is_signed_in(installation, browser)
    browser.open(f"{rig.issuer}/session/end")
    browser.submit("op.logoutForm")
    assert not is_signed_in(installation, browser)
    accepted = last_record(installation, "logout.accepted")
    assert (accepted["protocol"], accepted["provider"], accepted["ended"]) == ("oidc", name, 1)
    assert last_record(installation, "session.ended")["reason"] == "signed_out_at_provider"


def test_a_sign_out_here_leads_to_the_node_provider_and_back(node_world, people):
    installation, rig = node_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/node")
    sign_in_at_node(browser, people[0])
    browser.submit("/sign-out")
    page = browser.click("Continue")
    assert page.url.startswith(f"{rig.issuer}/session/end?")
    page = browser.submit("op.logoutForm")
    assert page.url.startswith(f"{installation.bridge}/signed-out?state=")
    assert "You are signed out here" in page.text()


def test_a_sign_out_at_lemonldap_ends_the_openid_session_here(world, people):
    installation, rig = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap-oidc")
    sign_in_at_lemonldap(browser, people[0])
    assert is_signed_in(installation, browser)
    browser.open(f"{rig.url}/?logout=1")
    assert not is_signed_in(installation, browser)
    accepted = last_record(installation, "logout.accepted")
    assert (accepted["protocol"], accepted["ended"]) == ("oidc", 1)


def test_a_sign_out_at_lemonldap_ends_the_openid_session_here_by_a_frame_without_cookies(encrypting_world, people):
    installation, rig = encrypting_world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap-oidc")
    sign_in_at_lemonldap(browser, people[0])
    assert is_signed_in(installation, browser)
    page = browser.open(f"{rig.url}/?logout=1")
    [frame] = re.findall(r'<iframe[^>]* src="([^"]+)"', page.html)
    assert frame.startswith(f"{installation.bridge}/oidc/lemonldap-oidc/frontchannel-logout?")
    assert Browser().open(unescape(frame)).status == 200
    assert not is_signed_in(installation, browser)
    accepted = last_record(installation, "logout.accepted")
    assert (accepted["protocol"], accepted["ended"]) == ("oidc", 1)
    assert "message_id" not in accepted


def test_chromium_loads_that_frame_without_the_cookie_of_the_session_and_shows_it(encrypting_world, people, chromium):
    installation, rig = encrypting_world
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1_000)
    refused, answers = [], []
    page.on("console", lambda message: refused.append(message.text) if "frame-ancestors" in message.text else None)
    page.on("response", lambda answer: answers.append(answer) if "frontchannel-logout" in answer.url else None)
    page.goto(f"{installation.bridge}/sign-in/lemonldap-oidc")
    page.fill("input[name=user]", people[0].uid)
    page.fill("input[name=password]", people[0].password)
    page.click("button[type=submit]")
    page.wait_for_url(f"{installation.bridge}/")
    with page.expect_response(lambda answer: "frontchannel-logout" in answer.url):
        page.goto(f"{rig.url}/?logout=1")
    [answer] = answers
    assert answer.status == 200
    assert f"{SESSION_COOKIE}=" not in answer.request.all_headers().get("cookie", "")
    page.wait_for_function("() => document.querySelectorAll('iframe').length > 0")
    [frame] = [frame for frame in page.frames if "frontchannel-logout" in frame.url]
    assert frame.title() == "Rambridge"
    assert refused == []
    assert page.request.get(f"{installation.bridge}/api/v1/session").status == 401
    context.close()


def test_a_sign_out_at_lemonldap_ends_the_saml_session_here_by_a_frame_without_cookies(world, people):
    installation, rig = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    assert is_signed_in(installation, browser)
    page = browser.open(f"{rig.url}/?logout=1")
    [frame] = re.findall(r'<iframe[^>]* src="([^"]+)"', page.html)
    assert frame.startswith(f"{installation.bridge}/saml/lemonldap/slo?SAMLRequest=")
    answered = Browser().open(unescape(frame))
    assert answered.url == f"{rig.url}/static/common/icons/ok.png", "it accepts our signed answer"
    assert not is_signed_in(installation, browser)
    accepted = last_record(installation, "logout.accepted")
    assert (accepted["protocol"], accepted["subject"], accepted["ended"]) == ("saml", people[0].mail, 1)


def test_a_sign_out_here_leads_to_lemonldap_and_back(world, people):
    installation, rig = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    sign_in_at_lemonldap(browser, people[0])
    installation.go_on(browser)
    browser.submit("/sign-out")
    page = browser.click("Continue")
    assert page.url == f"{installation.bridge}/signed-out"
    assert f"{rig.url}/saml/singleLogout" in {step.url.partition("?")[0] for step in browser.trace}
    browser.open(f"{installation.bridge}/sign-in/lemonldap")
    assert "lform" in browser.page.html, "the provider does not know the person any more"


@pytest.mark.parametrize("button", ["Accept", "Refuse"])
def test_a_sign_out_here_leads_to_lemonldap_over_openid_connect_and_back_whatever_is_clicked(world, people, button):
    """Whoever comes back may have said "no" there, so coming back proves nothing; our own session is over before."""
    installation, rig = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/lemonldap-oidc")
    sign_in_at_lemonldap(browser, people[0])
    browser.submit("/sign-out")
    page = browser.click("Continue")
    assert page.url.startswith(f"{rig.url}/oauth2/logout?")
    confirm = page.find_form(button)[0].fields["confirm"]
    page = browser.submit(button, confirm=confirm if button == "Accept" else f"-{confirm}")  # as its script does
    assert page.url.startswith(f"{installation.bridge}/signed-out?state=")
    assert "You are signed out here" in page.text()
    assert not is_signed_in(installation, browser)
    browser.open(f"{installation.bridge}/sign-in/lemonldap-oidc")
    assert ("lform" in browser.page.html) == (button == "Accept")
