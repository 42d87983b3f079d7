"""What a person is told when the service is not there, not one, or not to be trusted (OUT-11)."""

import datetime as dt
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.cli.console import _find_address
from bridge.client import service as service_module
from bridge.client.access import Access
from bridge.client.failure import ClientError, ClockWrong, Refused, SignedOut, Unreachable, WrongService
from bridge.client.moments import describe_moment
from bridge.client.oauth import LONGEST_INTERVAL_SECONDS, AuthorizationServer, Proof, Tokens
from bridge.client.roles import LONGEST_SECONDS, Role, read_credentials, read_session
from bridge.client.service import Service
from bridge.client.turns import Turns
from bridge.language import write_length
from tests.fakes.wrong_service import wrong_service
from tests.ports import reserve_ports


@pytest.fixture
def other():
    with wrong_service() as service:
        yield service


@pytest.mark.parametrize(
    "address",
    [
        "",
        "access.example.com",
        "ftp://a.example",
        "http://a.example.com",
        "https://u@a.example",
        "http://[x",
        "https://a:b",
    ],
)
def test_a_token_goes_to_no_address_without_https(address):
    with pytest.raises(ClientError, match=r"https://"):
        Service(address)


def test_only_the_origin_of_an_address_counts():
    assert Service("https://Access.Example.com/portal?x#y").origin == "https://access.example.com"
    assert Service("http://[::1]:8080/").origin == "http://[::1]:8080"


def test_nobody_there_is_said(monkeypatch):
    [port] = reserve_ports(1)
    with pytest.raises(Unreachable, match=r"cannot be reached: Connection refused. Are you online"):
        Service(f"http://127.0.0.1:{port}").get("/")
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unreachable, match="cannot be reached"):
        Service("https://nowhere.invalid").get("/")


@pytest.mark.parametrize("answer", [(200, "<html>hello"), (404, "no"), (200, "[]"), (302, "http://127.0.0.1:1/")])
def test_what_is_no_rambridge_is_called_so(other, answer):
    other.answers["/.well-known/oauth-authorization-server"] = answer
    with pytest.raises(WrongService, match="no Rambridge"):
        AuthorizationServer(Service(other.url))


def test_a_redirect_is_not_followed(other):
    other.answers["/from"] = (302, f"{other.url}/to")
    with pytest.raises(WrongService):
        Service(other.url).get("/from", "secret")
    assert [path for _, path, _ in other.asked] == ["/from"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_whose_service_is_away_is_no_wrong_service(other, status):
    other.answers["/"] = (status, "<html>Bad gateway")
    with pytest.raises(Unreachable, match="Try again"):
        Service(other.url).get("/")


def test_a_service_that_calls_itself_otherwise_is_not_used(other):
    other.describe_itself(issuer="https://other.example.com")
    with pytest.raises(WrongService, match=r"calls itself https://other\.example\.com"):
        AuthorizationServer(Service(other.url))


@pytest.mark.parametrize("elsewhere", ["https://evil.example/token", "@evil.example/", ".evil.example/", " /x", 7])
def test_an_endpoint_elsewhere_gets_no_token(other, elsewhere):
    address = elsewhere if isinstance(elsewhere, int) or "://" in elsewhere else other.url + elsewhere
    other.describe_itself(token_endpoint=address)
    with pytest.raises(WrongService):
        AuthorizationServer(Service(other.url)).refresh("secret")
    assert len(other.asked) == 1


def test_the_request_goes_ahead_of_the_browser(other):
    other.describe_itself()
    other.answers["/oauth/par"] = (201, {"request_uri": "urn:one", "expires_in": 60})
    proof = Proof()
    address = AuthorizationServer(Service(other.url)).build_address("http://127.0.0.1:1/callback", "a state", proof)
    assert address == f"{other.url}/oauth/authorize?client_id=rambridge-cli&request_uri=urn%3Aone"
    [pushed] = [form for _, path, form in other.asked if path == "/oauth/par"]
    assert pushed["code_challenge"] == proof.challenge
    assert pushed["code_challenge_method"] == "S256"
    assert pushed["resource"] == f"{other.url}/api/v1"


def test_what_is_over_is_told_from_what_is_in_trouble(other):
    other.describe_itself()
    authorization = AuthorizationServer(Service(other.url))
    other.answers["/oauth/token"] = (400, {"error": "invalid_grant", "error_description": "It has \x1b[31mended."})
    with pytest.raises(SignedOut, match=r"^It has \[31mended\.$"):
        authorization.refresh("secret")
    other.answers["/oauth/token"] = (503, {"error": "temporarily_unavailable", "error_description": "Away."})
    with pytest.raises(Unreachable, match="Away"):
        authorization.refresh("secret")
    other.answers["/oauth/token"] = (400, {"error": "invalid_client", "code": "client_unknown", "reference": "R"})
    with pytest.raises(Refused, match=r"\[client_unknown, reference R\]"):
        authorization.refresh("secret")


ENTITLEMENT = {"id": "e", "account": "production", "account_id": "1", "name": "Admin"}
CREDENTIALS = {"access_key_id": "i", "access_key_secret": "s", "security_token": "t"}
INFINITE, LARGEST = float("inf"), 10**400


def session_with(**changes):
    session = {"provider": "p", "subject": "s", "session_ends_at": "2026-11-30T12:00:00Z"}
    return session | {"entitlements": [ENTITLEMENT | changes]}


def device_with(**changes):
    return lambda url: {"device_code": "d", "user_code": "U", "verification_uri": f"{url}/d", "expires_in": 9} | changes


def tokens_with(**changes):
    return {"token_type": "bearer", "access_token": "a", "refresh_token": "r", "expires_in": 900} | changes


def credentials_with(**changes):
    return CREDENTIALS | {"expires_at": "2026-11-30T12:00:00Z"} | changes


class Kept:
    place = "memory"

    def __init__(self, tokens):
        self.tokens = tokens

    def read(self):
        return self.tokens

    def write(self, tokens):
        self.tokens = tokens


@pytest.fixture
def access(other, tmp_path):
    other.describe_itself()
    kept = Kept(Tokens("access", "refresh", time.time() + 900))
    return Access(Service(other.url), kept, Turns(other.url, tmp_path), lambda _: None, None)


ROLE = Role("e", "production", "1", "Production", "Admin", "Admin", "", 3600, has_credentials=True, has_console=True)
ASKING = {
    "/api/v1/session": read_session,
    "/api/v1/credentials": lambda access: read_credentials(access, ROLE),
    "/api/v1/links": lambda access: _find_address(access, ROLE, None),
    "/oauth/device_authorization": lambda access: AuthorizationServer(access.service).start_device(Proof()),
    "/oauth/token": lambda access: AuthorizationServer(access.service).refresh("secret"),
}


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/session", "[" * 200_000),
        ("/api/v1/session", '{"a":' * 200_000),
        ("/api/v1/session", session_with(max_duration_seconds=INFINITE)),
        ("/api/v1/credentials", credentials_with(access_key_id="\x1b[2J")),
        ("/api/v1/credentials", credentials_with(access_key_secret="a\0b")),
        ("/api/v1/credentials", credentials_with(security_token="\ud800")),
        ("/api/v1/credentials", credentials_with(security_token=["t"])),
        ("/api/v1/credentials", credentials_with(expires_at="0001-01-01T00:00:00+14:00")),
        ("/api/v1/links", lambda url: {"url": f"{url}/go/\x1b[2J"}),
        ("/api/v1/links", lambda url: {"url": f"{url}/go/\u202e"}),
        ("/oauth/device_authorization", device_with(interval=INFINITE)),
        ("/oauth/device_authorization", lambda url: device_with(verification_uri=f"{url}/{'d' * 3_000}")(url)),
        ("/oauth/device_authorization", device_with(expires_in=LARGEST)),
        ("/oauth/device_authorization", device_with(device_code="\ud800")),
        ("/oauth/token", tokens_with(access_token="a\nb")),
        ("/oauth/token", tokens_with(refresh_token="\u4e2d")),
        ("/oauth/token", tokens_with(expires_in=LARGEST)),
    ],
)
def test_t_out_11_an_answer_that_is_made_to_break_the_command_is_said_to_be_none(other, access, path, answer):
    other.answers[path] = (200, answer(other.url) if callable(answer) else answer)
    with pytest.raises(WrongService) as refused:
        ASKING[path](access)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/session", session_with(max_duration_seconds=LARGEST)),
        ("/api/v1/session", session_with(max_duration_seconds=-LARGEST)),
        ("/api/v1/credentials", credentials_with()),
        ("/api/v1/links", lambda url: {"url": f"{url}/go/x"}),
        ("/oauth/device_authorization", device_with()),
        ("/oauth/device_authorization", device_with(interval=LARGEST, expires_in=INFINITE)),
        ("/oauth/token", tokens_with()),
    ],
)
def test_t_out_11_twin_what_can_be_understood_is_taken(other, access, path, answer):
    other.answers[path] = (200, answer(other.url) if callable(answer) else answer)
    found = ASKING[path](access)
    if path == "/api/v1/session":
        assert 0 <= found.roles[0].seconds <= LONGEST_SECONDS
        assert write_length(found.roles[0].seconds)
    if path == "/oauth/device_authorization":
        assert found.interval_seconds <= LONGEST_INTERVAL_SECONDS


def test_t_out_11_what_a_role_is_called_moves_no_cursor_in_json(other, access):
    other.answers["/api/v1/session"] = (200, session_with(id="e\x9b2J\u202e"))
    assert read_session(access).roles[0].entitlement == "e2J"


def test_t_out_11_an_endpoint_whose_address_no_request_can_have_is_one_elsewhere(other):
    other.describe_itself(token_endpoint=f"{other.url}/\u4e2d")
    with pytest.raises(WrongService, match="elsewhere"):
        AuthorizationServer(Service(other.url)).refresh("secret")


@pytest.mark.parametrize("date", ["Mon, 01 Jan 2026 00:00:00 +99999999999999", f"Mon, 01 Jan {'9' * 20} 00:00:00"])
def test_t_out_11_a_date_that_no_calendar_has_says_nothing_of_the_clock(other, date):
    other.says_date = date
    service = Service(other.url)
    service.get("/")
    service.check_clock()


def test_t_out_11_a_refusal_that_breaks_off_is_a_service_that_cannot_be_reached(other):
    other.answers["/"] = (400, {"code": "bad_parameter"})
    other.breaks_off = True
    with pytest.raises(Unreachable):
        Service(other.url).get("/")
    other.breaks_off = False
    assert Service(other.url).get("/").content == {"code": "bad_parameter"}


def test_t_out_11_an_answer_that_comes_in_drops_is_not_waited_for(other, monkeypatch):
    other.answers["/"] = (200, {})
    other.drips = True
    monkeypatch.setattr(service_module, "LONGEST_ANSWER_SECONDS", 0.1)
    with pytest.raises(Unreachable, match="does not answer"):
        Service(other.url).get("/")
    monkeypatch.undo()
    other.drips = False
    assert Service(other.url).get("/").ok


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_t_out_11_a_moment_that_is_none_here_is_shown_as_it_is(moment):
    assert describe_moment(moment) == moment


@pytest.mark.parametrize(("seconds", "said"), [(7_500, "2 h 5 min behind"), (-90_000, "1 d 1 h ahead of")])
def test_a_clock_that_is_far_off_is_said(other, seconds, said):
    other.seconds_ahead = seconds
    service = Service(other.url)
    service.get("/")
    with pytest.raises(ClockWrong, match=said):
        service.check_clock()
    other.seconds_ahead = 600
    service.get("/")
    service.check_clock()


@pytest.mark.parametrize(
    ("days", "kind", "said"),
    [
        ((-9, -2), ClockWrong, "not valid at this machine's time"),
        ((2, 9), ClockWrong, "set the clock"),
        ((-1, 9), WrongService, "not trusted here"),
    ],
)
def test_a_certificate_that_is_not_valid_now_points_to_the_clock(tmp_path, monkeypatch, days, kind, said):
    certificate = make_certificate(tmp_path, *days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if kind is ClockWrong:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with wrong_service(tls=context) as service, pytest.raises(kind, match=said):
        Service(service.url).get("/")


def make_certificate(folder, first_day, last_day):
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + dt.timedelta(days=first_day))
        .not_valid_after(now + dt.timedelta(days=last_day))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    no_password = serialization.NoEncryption()
    path = folder / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    )
    return path
