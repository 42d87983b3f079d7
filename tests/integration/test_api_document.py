"""What API v1 answers is what its OpenAPI document says, for requests that fit the document and for others.

``RAMBRIDGE_TEST_EXAMPLES`` is how many requests of each kind are tried; in the suite they are few, and always the same.
"""

import os

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode

from tests.integration.program import signed_in

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "5"))
OPERATIONS = [
    "GET /session",
    "POST /credentials",
    "POST /links",
    "GET /sessions",
    "DELETE /sessions/{id}",
    "GET /handed-out",
    "POST /logout",
]


@pytest.fixture(scope="module")
def browser(running):
    return running[0].sign_in()


@pytest.fixture
def document(installation):
    return schemathesis.openapi.from_url(f"{installation.bridge}/api/v1/openapi.json")


def test_the_document_has_every_route_of_the_api(running, document):
    installation, app = running
    assert document.raw_schema["openapi"].startswith("3.1.")
    assert document.raw_schema["servers"] == [{"url": f"{installation.bridge}/api/v1"}]
    described = {
        f"{method.upper()} {path}" for path, methods in document.raw_schema["paths"].items() for method in methods
    }
    routes = {
        f"{method} {rule.rule.removeprefix('/api/v1').replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and not rule.rule.endswith("openapi.json")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routes == set(OPERATIONS)


@pytest.mark.parametrize(
    ("name", "mode"),
    [*((name, GenerationMode.POSITIVE) for name in OPERATIONS), ("POST /credentials", GenerationMode.NEGATIVE)],
)
def test_no_answer_is_undocumented_or_a_fault_of_ours(installation, browser, document, name, mode):
    method, path = name.split()
    operation = document[path][method]
    with signed_in(installation, browser) as program:
        authorization = {"Authorization": f"Bearer {program.tokens['access_token']}"}
        granted = [each["id"] for each in program.session().json()["entitlements"]]

        @hypothesis.settings(
            max_examples=EXAMPLES,
            derandomize=EXAMPLES < 100,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(data=strategies.data())
        def try_one(data):
            case = data.draw(operation.as_strategy(generation_mode=mode))
            if path in {"/credentials", "/links"} and mode is GenerationMode.POSITIVE:
                case.body["entitlement"] = data.draw(strategies.sampled_from([case.body["entitlement"], *granted]))
            response = case.call(headers=authorization)
            assert response.status_code < 500
            case.validate_response(response)

        try_one()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_other_method_and_a_missing_token_are_answered_as_documented(installation, document, name):
    method, path = name.split()
    address = f"{installation.bridge}/api/v1{path.replace('{id}', 'x')}"
    for other in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = requests.request(other, address, timeout=60)
        assert answer.status_code == (401 if other == method else 405)
        assert set(answer.json()) == {"code", "message", "reference"}
    operation = document[path][method]
    operation.validate_response(requests.request(method, address, timeout=60))
