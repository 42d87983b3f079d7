"""A SAML provider that goes away: the whole service, its saved copy, and what it warns of."""

import logging
from datetime import timedelta

from bridge.attack.saml.messages import IDP, NOW, build_idp_metadata, make_certificate
from bridge.attack.scripted_server import Reply, ScriptedServer, wait_until
from tests.attacks.door import Visitor, begin, find_code, sign_in


def with_metadata_at(service, url):
    """Return the settings of a provider whose metadata has an address."""
    provider = service.configuration.providers["corp"].model_copy(update={"metadata": url, "entity_id": IDP})
    return {**service.configuration.providers, "corp": provider}


def test_t_saml_29_a_restart_while_the_provider_is_down_signs_people_in_for_a_day(service):
    with ScriptedServer(lambda _: Reply(body=build_idp_metadata())) as server:
        providers = with_metadata_at(service, f"{server.url}/metadata")
        sign_in(Visitor(service.start(providers=providers)))
        assert server.paths() == ["/metadata"]
        for _ in range(3):
            sign_in(Visitor(service.start(providers=providers)))
    saved = service.configuration.settings.data_folder / "metadata" / "corp.xml"
    assert saved.is_file()

    service.clock.moment = NOW + timedelta(hours=23)
    begin(Visitor(service.start(providers=providers)), "corp")
    service.clock.moment = NOW + timedelta(hours=24)
    response = Visitor(service.start(providers=providers)).get("/sign-in/corp")
    assert (response.status_code, find_code(response)) == (503, "provider_unavailable")
    assert Visitor(service.start(providers=providers)).get("/health/ready").status_code == 200


def test_what_ends_soon_is_warned_of_at_the_start(service, caplog):
    caplog.set_level(logging.WARNING)
    ending = build_idp_metadata(make_certificate("idp"), make_certificate("ending", days=40))
    with ScriptedServer(lambda _: Reply(body=ending)) as server:
        service.start(providers=with_metadata_at(service, f"{server.url}/soon"))
        assert wait_until(lambda: "in 10 days" in caplog.text)
    assert "provider corp: certificate " in caplog.text
