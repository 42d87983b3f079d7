"""The whole configuration: read once, wrong with every fault at once, right as a whole."""

import json
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.settings import build_schemas, check_configuration, load_configuration, load_settings
from tests.unit.configurations import (
    BRIDGE,
    OIDC,
    PRODUCTION,
    RULES,
    SAML,
    SANDBOX,
    write_configuration,
)

CONFIG = Path(__file__).parents[2] / "config"
DEVELOPMENT = "public_url: http://localhost:8080\ndevelopment: true\n"


def faults(folder, severity="error"):
    return [
        (str(problem.file.relative_to(folder)), problem.line, problem.message)
        for problem in check_configuration(folder)
        if problem.severity == severity
    ]


def test_a_right_configuration_is_read_as_a_whole(tmp_path):
    configuration = load_configuration(write_configuration(tmp_path))
    assert set(configuration.providers) == {"acme-saml", "acme-oidc"}
    assert set(configuration.accounts) == {"production", "sandbox"}
    assert [rule.id for rule in configuration.rules.rules] == ["10-platform.yaml:platform"]
    assert configuration.rules.groups_claims == {"acme-saml": "groups", "acme-oidc": "groups"}
    assert configuration.providers["acme-oidc"].client_secret.get_secret_value() == "s3cret"
    assert configuration.warnings == ()
    assert check_configuration(tmp_path) == []


def test_every_path_is_absolute_after_loading(tmp_path):
    folder = write_configuration(
        tmp_path / "config", {"accounts/sandbox.yaml": SANDBOX + "ca_file: ../ca.pem\n", "ca.pem": ""}
    )
    configuration = load_configuration(folder)
    settings = configuration.settings
    assert settings.audit == f"sqlite:///{tmp_path}/var/audit.db"
    assert (settings.data_folder, settings.key_folder) == (tmp_path / "var", tmp_path / "certs")
    assert configuration.providers["acme-saml"].metadata == str(folder / "providers" / "acme.xml")
    assert configuration.accounts["sandbox"].ca_file == folder / "ca.pem"


def test_nothing_can_be_changed_after_loading(tmp_path):
    configuration = load_configuration(write_configuration(tmp_path))
    with pytest.raises(AttributeError):
        configuration.settings = None
    with pytest.raises(ValueError, match="frozen"):
        configuration.settings.development = True


def test_secrets_show_in_no_repr(tmp_path):
    bridge = BRIDGE + "audit: postgresql+psycopg://u@db/n\naudit_password: file:providers/secret\n"
    configuration = load_configuration(write_configuration(tmp_path, {"bridge.yaml": bridge}))
    assert "s3cret" not in repr(configuration)
    assert configuration.settings.audit_url() == "postgresql+psycopg://u:s3cret@db/n"


def test_a_password_of_any_characters_fits_into_the_database_address(tmp_path):
    bridge = BRIDGE + "audit: postgresql+psycopg://u@db/n\naudit_password: file:providers/secret\n"
    folder = write_configuration(tmp_path, {"bridge.yaml": bridge, "providers/secret": "p@s/s:%?#"})
    assert load_configuration(folder).settings.audit_url() == "postgresql+psycopg://u:p%40s%2Fs%3A%25%3F%23@db/n"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        pytest.param("public_url: https://bridge.example.com/\n", 1, "public_url", id="final slash"),
        pytest.param("public_url: https://bridge.example.com/app\n", 1, "public_url", id="path"),
        pytest.param("public_url: https://Bridge.example.com\n", 1, "public_url", id="upper case"),
        pytest.param("public_url: https://u:p@bridge.example.com\n", 1, "public_url", id="user"),
        pytest.param("public_url: https://bridge.example.com?x\n", 1, "public_url", id="query"),
        pytest.param("public_url: https://bridge.example.com:port\n", 1, "public_url", id="port"),
        pytest.param("public_url: ftp://bridge.example.com\n", 1, "public_url", id="scheme"),
        pytest.param("public_url: bridge.example.com\n", 1, "public_url", id="no scheme"),
        pytest.param("public_url: https://bridge。example.com\n", 1, "public_url", id="ideographic full stop"),
        pytest.param("public_url: http://bridge.example.com\n", 1, "plain http", id="http in production"),
        pytest.param("listen: 127.0.0.1:8080\n", 1, "`public_url` is missing", id="no public_url"),
        pytest.param(BRIDGE + "listen: '8080'\n", 2, "listen", id="listen without host"),
        pytest.param(BRIDGE + "workers: 0\n", 2, "workers", id="no workers"),
        pytest.param(BRIDGE + "store: memcached://x\n", 2, "store", id="unknown store"),
        pytest.param(BRIDGE + "store: rediss://:hunter2@x\n", 2, "password", id="password in the store's address"),
        pytest.param(BRIDGE + "store_password: hunter2\n", 2, "must not stand", id="literal password"),
        pytest.param(BRIDGE + "audit: mysql://x\n", 2, "audit", id="unknown database"),
        pytest.param(BRIDGE + "audit: postgresql+psycopg://u:hunter2@x/y\n", 2, "password", id="database password"),
        pytest.param(BRIDGE + "audit_password: file:providers/secret\n", 2, "SQLite", id="password for SQLite"),
        pytest.param(BRIDGE + "session: {idle_seconds: 7200, absolute_seconds: 3600}\n", 2, "longer", id="idle"),
        pytest.param(BRIDGE + "trusted_proxies: {count: 1}\n", 2, "addresses", id="proxies without addresses"),
        pytest.param(BRIDGE + "trusted_proxies: {addresses: [10.0.0.0/8]}\n", 2, "count", id="proxies without count"),
        pytest.param(BRIDGE + "trusted_proxies: {count: 1, addresses: [10.0.0.1/8]}\n", 2, "network", id="host bits"),
        pytest.param(BRIDGE + "outbound: {allowed_networks: [10.0.0.1/8]}\n", 2, "network", id="outbound host bits"),
        pytest.param(BRIDGE + "outbound: {allowed_networks: [100.100.100.200]}\n", 2, "never", id="metadata service"),
        pytest.param(BRIDGE + "outbound: {allowed_networks: [169.254.0.0/16]}\n", 2, "never", id="link-local"),
        pytest.param(BRIDGE + "outbound: {allowed_networks: [127.0.0.0/8]}\n", 2, "this machine", id="loopback"),
        pytest.param(BRIDGE + "outbound: {allowed_networks: ['::/0']}\n", 2, "this machine", id="everything"),
        pytest.param(BRIDGE + "outbound: {allowed_ports: [0]}\n", 2, "allowed_ports", id="port 0"),
        pytest.param(BRIDGE + "store_ca_file: absent.pem\n", 2, "does not exist", id="CA file"),
        pytest.param(BRIDGE + "rules: {max_changed_share: 0.1, keep_days: 0}\n", 2, "keep_days", id="nothing kept"),
        pytest.param(BRIDGE + "publik_url: x\n", 2, "not known", id="unknown key"),
    ],
)
def test_a_wrong_setting_is_reported_with_its_line(tmp_path, text, line, word):
    found = faults(write_configuration(tmp_path, {"bridge.yaml": text}))
    assert [fault for fault in found if fault[:2] == ("bridge.yaml", line) and word in fault[2]], found
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("store", "word"),
    [
        pytest.param("store: redis://redis.example.com", "password", id="open"),
        pytest.param("store: redis://127.0.0.1", "password", id="open on this machine"),
        pytest.param("store: rediss://redis.example.com", "password", id="TLS only"),
        pytest.param("store: redis://redis.example.com\nstore_user: u\nstore_password: {}", "TLS", id="plaintext"),
        pytest.param("store: redis+sentinel://a,b/service\nstore_user: u\nstore_password: {}", "TLS", id="sentinel"),
        pytest.param("store: redis+cluster://a,b\nstore_user: u\nstore_password: {}", "TLS", id="cluster"),
        pytest.param("store: rediss://redis.example.com\nstore_password: {}", "default user", id="default user"),
    ],
)
def test_t_redis_01_an_open_store_is_refused_in_production_only(tmp_path, store, word):
    text = store.format("file:providers/secret") + "\n"
    found = faults(write_configuration(tmp_path, {"bridge.yaml": BRIDGE + text}))
    assert [fault for fault in found if "STORE_INSECURE" in fault[2] and word in fault[2] and fault[1] == 2], found
    write_configuration(tmp_path, {"bridge.yaml": DEVELOPMENT + text})
    assert load_configuration(tmp_path)


@pytest.mark.parametrize(
    "store",
    [
        "store: embedded",
        "store: unix:///run/redis.sock",
        "store: rediss://redis.example.com:6380/1\nstore_user: u\nstore_password: {}",
        "store: rediss+sentinel://a,b/service/0\nstore_user: u\nstore_password: {}",
        "store: redis://127.0.0.1\nstore_user: u\nstore_password: {}",
    ],
)
def test_t_redis_01_a_closed_store_is_accepted(tmp_path, store):
    bridge = BRIDGE + store.format("file:providers/secret") + "\n"
    settings = load_configuration(write_configuration(tmp_path, {"bridge.yaml": bridge})).settings
    assert settings.store_credentials()["password"] in {"", "s3cret"}


@pytest.mark.parametrize(
    ("file", "text", "line", "word"),
    [
        ("providers/acme-saml.yaml", SAML.replace("acme.xml", "http://idp.example.com/metadata"), 5, "plain http"),
        ("providers/acme-oidc.yaml", OIDC.replace("https:", "http:"), 4, "plain http"),
        ("accounts/production.yaml", PRODUCTION + "endpoint: http://sts.example.com\n", 5, "plain http"),
        (
            "accounts/production.yaml",
            PRODUCTION
            + "custom_console:\n  role_sso_url: http://c.example.com/r\n  role_sso_audience: a\n"
            + "  user_sso_url: https://c.example.com/u\n  user_sso_audience: a\n  form_action: [https://c.example.com]\n",
            6,
            "plain http",
        ),
    ],
)
def test_plain_http_is_for_development_only(tmp_path, file, text, line, word):
    folder = write_configuration(tmp_path, {file: text})
    assert [fault for fault in faults(folder) if fault[:2] == (file, line) and word in fault[2]]
    write_configuration(tmp_path, {file: text, "bridge.yaml": DEVELOPMENT})
    assert faults(folder) == []


@pytest.mark.parametrize("way", ["token", "mixed"])
def test_a_console_by_token_needs_the_addresses_for_it(tmp_path, way):
    console = (
        "custom_console:\n  role_sso_url: https://c.example.com/r\n  role_sso_audience: a\n"
        "  user_sso_url: https://c.example.com/u\n  user_sso_audience: a\n  form_action: [https://c.example.com]\n"
    )
    addresses = "  federation_url: https://c.example.com/f\n  home_url: https://c.example.com/\n"
    for text, wrong in (
        (console, True),
        (console + addresses, False),
        (console + addresses.replace("https://c.example.com/f", "ftp://c.example.com/f"), True),
        ("", False),
    ):
        account = PRODUCTION + f"console: {way}\n" + text
        folder = write_configuration(tmp_path, {"accounts/production.yaml": account, "bridge.yaml": DEVELOPMENT})
        assert bool(faults(folder)) == wrong, text


@pytest.mark.parametrize(
    ("file", "text", "line", "word"),
    [
        pytest.param(
            "providers/acme-saml.yaml", SAML.replace("acme.xml", "absent.xml"), 5, "does not exist", id="file"
        ),
        pytest.param("providers/acme-saml.yaml", SAML.replace("acme.xml", "ldap://x/y"), 5, "web address", id="scheme"),
        pytest.param("providers/acme-saml.yaml", SAML + "clock_skew_seconds: 3600\n", 6, "clock_skew", id="skew"),
        pytest.param("providers/acme-saml.yaml", SAML.replace("saml\n", "sanl\n", 2), 1, "", id="misspelt protocol"),
        pytest.param("providers/acme-saml.yaml", SAML + "signd: any\n", 6, "not known", id="misspelt key"),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace(".com/", ".com/?x=1"), 4, "no query", id="query"),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace(".com/", ".com/#x"), 4, "no fragment", id="fragment"),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace("https://", "https://u@"), 4, "web address", id="user"),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace("file:secret", "hunter2"), 6, "must not", id="secret"),
        pytest.param("providers/acme-oidc.yaml", OIDC + "algorithms: [none]\n", 7, "algorithms", id="algorithm"),
        pytest.param("providers/acme-oidc.yaml", OIDC + "algorithms: [HS256]\n", 7, "algorithms", id="HMAC"),
        pytest.param("providers/acme-oidc.yaml", OIDC + "scopes: [profile]\n", 7, "openid", id="scopes"),
        pytest.param(
            "providers/acme-oidc.yaml", OIDC.replace("client_secret: file:secret\n", ""), 1, "needs", id="no secret"
        ),
        pytest.param(
            "providers/acme-oidc.yaml", OIDC + "client_authentication: private_key_jwt\n", 6, "never", id="secret"
        ),
        pytest.param(
            "providers/acme-oidc.yaml",
            OIDC.replace("client_secret: file:secret", "client_authentication: federated"),
            6,
            "needs `client_assertion_file`",
            id="no assertion",
        ),
        pytest.param("providers/acme-oidc.yaml", OIDC + "client_assertion_file: x\n", 7, "never", id="assertion"),
        pytest.param(
            "providers/acme-oidc.yaml", OIDC + "client_assertion_audience: issuer\n", 7, "never", id="audience"
        ),
        pytest.param(
            "providers/acme-oidc.yaml",
            OIDC + "email_verified_required: true\nclaims: {email: upn}\n",
            8,
            "vouches",
            id="verified address of another claim",
        ),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace("acme-oidc", "acme-saml", 1), 0, "already", id="twice"),
        pytest.param("accounts/production.yaml", PRODUCTION.replace('"', ""), 2, "text is expected", id="number"),
        pytest.param("accounts/production.yaml", PRODUCTION.replace("7200", "86400"), 4, "86400", id="role duration"),
        pytest.param("accounts/production.yaml", PRODUCTION.replace("7200", "900"), 4, "900", id="short role duration"),
        pytest.param("accounts/production.yaml", PRODUCTION.replace("Admin:", "acs/x:"), 4, "acs/x", id="role name"),
        pytest.param("accounts/production.yaml", PRODUCTION + "endpoint: https://x/y\n", 5, "path", id="endpoint path"),
        pytest.param("accounts/production.yaml", PRODUCTION + "trust: access_key\n", 5, "needs", id="no keys"),
        pytest.param("accounts/production.yaml", PRODUCTION + "access_key_id: env:PATH\n", 5, "never uses", id="keys"),
        pytest.param("accounts/production.yaml", PRODUCTION + "ca_file: absent.pem\n", 5, "does not exist", id="CA"),
        pytest.param("accounts/production.yaml", PRODUCTION + "default_domain: a b\n", 5, "domain", id="domain"),
        pytest.param("accounts/sandbox.yaml", SANDBOX.replace("002", "001"), 2, "already", id="id twice"),
        pytest.param("accounts/sandbox.yml", SANDBOX, 1, "not read", id="other file ending"),
        pytest.param("rules/10-platform.yaml", RULES.replace("acme-saml", "acme-sml"), 3, "acme-sml", id="provider"),
        pytest.param("rules/10-platform.yaml", RULES.replace("production", "prod"), 6, "named `prod`", id="account"),
        pytest.param(
            "rules/20.yaml",
            "rules:\n- name: a\n  everyone: true\n  deny: [{account: x}]\n",
            4,
            "`x`",
            id="denied account",
        ),
    ],
)
def test_what_does_not_fit_together_is_reported_with_its_line(tmp_path, file, text, line, word):
    found = faults(write_configuration(tmp_path, {file: text}))
    places = {(fault[0], fault[1] if line else 0) for fault in found if word in fault[2]}
    assert (file, line) in places or (not line and places), found
    assert "hunter2" not in str(found)


def test_form_targets_that_could_smuggle_a_directive_into_the_content_security_policy_are_refused(tmp_path):
    account = (
        PRODUCTION
        + "custom_console:\n  role_sso_url: https://c.example.com/r\n  role_sso_audience: a\n"
        + "  user_sso_url: https://c.example.com/u\n  user_sso_audience: a\n  form_action:\n"
    )
    for source in ("*", "https:", "https://x; script-src *", "'self'", "https://x y"):
        text = f'{account}  - "{source}"\n'
        found = faults(write_configuration(tmp_path, {"accounts/production.yaml": text}))
        assert [fault for fault in found if fault[1] == 11 and "origin" in fault[2]], (source, found)


@pytest.mark.parametrize(
    ("file", "text", "line", "word"),
    [
        pytest.param(
            "accounts/production.yaml",
            PRODUCTION + "trust: access_key\naccess_key_id: env:PATH\naccess_key_secret: file:../providers/secret\n",
            5,
            "long-term",
            id="access key",
        ),
        pytest.param("rules/10-platform.yaml", RULES.replace("7200", "900"), 8, "short", id="short sessions"),
        pytest.param("rules/10-platform.yaml", RULES.replace("7200", "7201"), 8, "role Admin", id="beyond the role"),
        pytest.param(
            "accounts/production.yaml",
            PRODUCTION + "max_duration_seconds: 3600\n",
            8,
            "the account",
            id="beyond the account",
        ),
        pytest.param(
            "bridge.yaml",
            "public_url: http://bridge.example.com\ndevelopment: true\n",
            2,
            "reachable",
            id="development",
        ),
    ],
)
def test_what_is_unwise_is_a_warning_and_not_an_error(tmp_path, file, text, line, word):
    folder = write_configuration(tmp_path, {file: text})
    warnings = faults(folder, "warning")
    assert [warning for warning in warnings if warning[1] == line and word in warning[2]], warnings
    assert len(load_configuration(folder).warnings) == len(warnings)


def test_t_map_07_a_configuration_without_rules_grants_nothing_and_says_so(tmp_path):
    folder = write_configuration(tmp_path, without=["rules/10-platform.yaml"])
    assert [warning for warning in faults(folder, "warning") if "nobody" in warning[2]]
    assert load_configuration(folder).rules.rules == ()


def test_t_map_07_rules_with_one_mistake_take_no_effect_at_all(tmp_path):
    second = "rules:\n- name: bad\n  when: nonsense\n  grant: [{account: production, role: Admin}]\n"
    with pytest.raises(SettingsError):
        load_configuration(write_configuration(tmp_path, {"rules/20.yaml": second}))


def test_a_broken_account_file_does_not_make_rules_look_wrong(tmp_path):
    for broken in (PRODUCTION + "nonsense: 1\n", "name: [production\n"):
        found = faults(write_configuration(tmp_path, {"accounts/production.yaml": broken}))
        assert {fault[0] for fault in found} == {"accounts/production.yaml"}


@pytest.mark.parametrize(
    ("file", "text", "lines"),
    [
        pytest.param(
            "rules/10-platform.yaml",
            "rules:\n- name: a\n  grop: [x]\n  groups: [x]\n  grant: [{account: absent, role: R}]\n"
            "- name: b\n  groups: []\n  grant: [{account: production, role: R}]\n"
            "- name: c\n  when: nonsense\n  grant: [{account: production, role: R}]\n",
            [3, 5, 7, 10],
            id="rules",
        ),
        pytest.param("providers/acme-oidc.yaml", OIDC.replace("https", "http") + "scpes: []\n", [4, 7], id="provider"),
        pytest.param(
            "providers/acme-saml.yaml", SAML.replace("acme.xml", "no.xml") + "signed: maybe\n", [5, 6], id="SAML"
        ),
        pytest.param("accounts/sandbox.yaml", SANDBOX + "ca_file: no.pem\nsit: china\n", [5, 6], id="account"),
        pytest.param("bridge.yaml", "public_url: http://b.example.com\nworkers: 0\n", [1, 2], id="bridge"),
    ],
)
def test_one_mistake_in_a_file_does_not_hide_another(tmp_path, file, text, lines):
    folder = write_configuration(tmp_path, {file: text})
    assert [fault[:2] for fault in faults(folder)] == [(file, line) for line in lines]


def test_a_mistake_about_development_does_not_make_addresses_look_wrong(tmp_path):
    folder = write_configuration(
        tmp_path,
        {
            "bridge.yaml": "public_url: http://localhost:8080\ndevelopment: maybe\n",
            "providers/acme-oidc.yaml": OIDC.replace("https", "http"),
        },
    )
    assert [fault[:2] for fault in faults(folder)] == [("bridge.yaml", 2)]


def test_the_settings_alone_are_read_whatever_other_files_hold(tmp_path):
    folder = write_configuration(tmp_path, {"rules/10-platform.yaml": "nonsense"})
    assert load_settings(folder).public_url == "https://bridge.example.com"


def test_hidden_files_of_a_mounted_configuration_are_passed_over(tmp_path):
    folder = write_configuration(tmp_path, {"rules/..data.yaml": "nonsense", "rules/README.md": "text"})
    assert check_configuration(folder) == []


def test_a_folder_without_configuration_is_a_problem_not_a_crash(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load_configuration(tmp_path)
    assert caught.value.problems[0].file.name == "bridge.yaml"


def test_every_problem_says_what_to_do(tmp_path):
    folder = write_configuration(
        tmp_path,
        {
            "bridge.yaml": "store: x\nlisten: [1]\nworkers: many\nsession: 5\nlog_level: loud\n",
            "providers/acme-saml.yaml": SAML + "signed: maybe\nclaims: []\nsingle_valued: x\n",
            "accounts/production.yaml": "name: 5\nid: 5\ntitle: ''\nrole_max_duration_seconds: {Admin: x}\n",
        },
    )
    problems = check_configuration(folder)
    assert len(problems) >= 12
    for problem in problems:
        assert len(problem.fix) > 3, problem
        assert "{" not in problem.fix, problem
        assert "instance of" not in problem.message, problem


def test_the_committed_schemas_are_up_to_date():
    for name, schema in build_schemas().items():
        committed = (CONFIG / "schema" / name).read_text(encoding="utf-8")
        assert committed == schema, f"{name} is stale: run bridge.settings.write_schemas"


def test_the_schemas_know_every_setting_and_no_other():
    schema = json.loads(build_schemas()["bridge.json"])
    assert schema["additionalProperties"] is False
    assert {"public_url", "development", "store", "audit"} <= set(schema["properties"])
    assert all("description" in setting for name, setting in schema["properties"].items() if name.startswith("store"))


def test_a_provider_cannot_have_the_name_of_another_page(tmp_path):
    folder = write_configuration(tmp_path, {"providers/acme-oidc.yaml": OIDC.replace("acme-oidc", "confirm")})
    assert [message for _, _, message in faults(folder) if "part of an address of ours" in message]


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ("client_authentication: private_key_jwt\nclient_assertion_audience: token_endpoint\n", 0),
        ("client_authentication: federated\nclient_assertion_file: secret\n", 0),
        ("client_authentication: federated\nclient_assertion_file: not-there-yet\n", 1),
        ("client_authentication: client_secret_post\nclient_secret: file:secret\n", 0),
    ],
)
def test_each_way_to_prove_who_we_are_is_complete(tmp_path, settings, warnings):
    text = OIDC.replace("client_secret: file:secret\n", settings)
    folder = write_configuration(tmp_path, {"providers/acme-oidc.yaml": text})
    configuration = load_configuration(folder)
    assert len(configuration.warnings) == warnings
    file = configuration.providers["acme-oidc"].client_assertion_file
    assert file is None or Path(file).is_absolute()


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("providers/acme-saml.yaml", SAML.replace("acme.xml", "https://10.1.2.3/metadata"), 5),
        ("providers/acme-saml.yaml", SAML.replace("acme.xml", "https://idp.example.com:8443/metadata"), 5),
        ("providers/acme-oidc.yaml", OIDC.replace("idp.example.com/", "idp.example.com:8443/"), 4),
        ("accounts/production.yaml", PRODUCTION + "endpoint: https://100.64.0.9\n", 5),
    ],
)
def test_t_web_09_an_address_that_could_never_be_reached_is_reported_unless_it_is_allowed(tmp_path, file, text, line):
    found = faults(write_configuration(tmp_path, {file: text}))
    assert [fault for fault in found if fault[:2] == (file, line) and "cannot be asked" in fault[2]], found
    allowed = BRIDGE + "outbound: {allowed_networks: [10.0.0.0/8, 100.64.0.0/10], allowed_ports: [8443]}\n"
    assert faults(write_configuration(tmp_path, {file: text, "bridge.yaml": allowed})) == []


def test_t_web_09_the_metadata_service_is_reported_even_where_its_network_is_allowed(tmp_path):
    files = {
        "bridge.yaml": BRIDGE + "outbound: {allowed_networks: [100.64.0.0/10]}\n",
        "accounts/production.yaml": PRODUCTION + "endpoint: https://100.100.100.200\n",
    }
    assert "metadata service" in faults(write_configuration(tmp_path, files))[0][2]


ENTRA = OIDC.replace("https://idp.example.com/", "https://login.microsoftonline.com/{tenantid}/v2.0")
TENANTS = "tenants: [11111111-2222-3333-4444-5555aaaabbbb]\n"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        pytest.param(ENTRA, 4, "every tenant", id="no list"),
        pytest.param(ENTRA + "tenants: []\n", 4, "every tenant", id="empty list"),
        pytest.param(ENTRA + "tenants: [contoso.com]\n", 7, "tenants", id="a domain"),
        pytest.param(ENTRA + TENANTS.replace("aaaa", "AAAA"), 7, "tenants", id="capitals"),
        pytest.param(OIDC + TENANTS, 7, "is for an issuer", id="no place"),
        pytest.param(ENTRA.replace("{tenantid}", "common"), 4, "every tenant", id="common"),
        pytest.param(ENTRA.replace("{tenantid}", "organizations"), 4, "every tenant", id="organizations"),
        pytest.param(ENTRA.replace("{tenantid}", "t-{tenantid}") + TENANTS, 4, "whole part", id="a part of a part"),
        pytest.param(
            ENTRA.replace("client_secret: file:secret", "client_authentication: private_key_jwt") + TENANTS,
            6,
            "nobody",
            id="assertion for the placeholder",
        ),
    ],
)
def test_t_oidc_13_an_issuer_for_every_tenant_is_refused(tmp_path, text, line, word):
    file = "providers/acme-oidc.yaml"
    found = faults(write_configuration(tmp_path, {file: text}))
    assert [fault for fault in found if fault[:2] == (file, line) and word in fault[2]], found
    write_configuration(tmp_path, {file: ENTRA + TENANTS})
    assert faults(tmp_path) == []


GROUPS_ENDPOINT = "groups_endpoint: {{url: {}, person_claim: oid, body: {{securityEnabledOnly: true}}}}\n"
GRAPH = "https://graph.example.com/v1.0/users/{person}/getMemberGroups"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        pytest.param(GRAPH.replace("{person}", "me"), "whole part", id="nobody"),
        pytest.param(GRAPH.replace("{person}", "u-{person}"), "whole part", id="a part of a part"),
        pytest.param(GRAPH + "/{person}", "whole part", id="twice"),
        pytest.param("https://graph.example.com/users?id={person}", "whole part", id="in the query"),
        pytest.param("https://{person}.example.com/users/{person}", "whole part", id="in the host"),
        pytest.param(GRAPH.replace("https", "http"), "plain http", id="no TLS"),
        pytest.param(GRAPH.replace("https", "file"), "web address", id="a file"),
        pytest.param(GRAPH.replace("graph.example.com", "127.0.0.1"), "cannot be asked", id="this machine"),
    ],
)
def test_a_groups_endpoint_is_an_address_in_which_the_person_is_one_part(tmp_path, url, word):
    file = "providers/acme-oidc.yaml"
    found = faults(write_configuration(tmp_path, {file: OIDC + GROUPS_ENDPOINT.format(f'"{url}"')}))
    assert [fault for fault in found if fault[:2] == (file, 7) and word in fault[2]], found
    write_configuration(tmp_path, {file: OIDC + GROUPS_ENDPOINT.format(f'"{GRAPH}"')})
    assert faults(tmp_path) == []


def test_a_groups_endpoint_belongs_to_one_tenant(tmp_path):
    file = "providers/acme-oidc.yaml"
    text = ENTRA + TENANTS + GROUPS_ENDPOINT.format(f'"{GRAPH}"')
    found = faults(write_configuration(tmp_path, {file: text}))
    assert [fault for fault in found if fault[:2] == (file, 8) and "tenant" in fault[2]], found
