"""Every refusal has one answer at the door, and none of them tells what only the log may know."""

import pytest
from flask import Flask

from bridge.errors import BridgeError, walk_leaves
from bridge.web.errors import find_status, install_errors

SECRET = "detail-that-only-the-log-may-hold"
LEAVES = sorted(set(walk_leaves()), key=lambda leaf: leaf.__name__)


def build(leaf):
    error = leaf.__new__(leaf)
    BridgeError.__init__(error, SECRET)
    return error


@pytest.fixture
def client():
    app = Flask("bridge.web", template_folder="templates")
    app.jinja_env.globals.update(_=lambda text, **values: text % values if values else text, lang="en")
    app.jinja_env.globals["asset"] = lambda name: f"/static/{name}"
    install_errors(app)

    @app.get("/<path:name>")
    def fail(name):
        raise next(build(leaf) for leaf in LEAVES if leaf.__name__ == name.rpartition("/")[2])

    app.add_url_rule("/sign-in", "login.choose", lambda: "")
    return app.test_client()


def test_codes_are_unique_and_lower_case():
    codes = [vars(leaf)["code"] for leaf in LEAVES]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() and code.replace("_", "").isalnum() for code in codes)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_error_has_a_status_and_a_sentence(leaf):
    assert 400 <= find_status(leaf) < 600
    assert leaf.public.endswith((".", "`."))
    assert leaf.__doc__


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
@pytest.mark.parametrize("door", ["", "api/"])
def test_no_answer_shows_the_detail(client, leaf, door):
    response = client.get(f"/{door}{leaf.__name__}")
    assert SECRET not in response.get_data(as_text=True)
    assert SECRET not in str(response.headers)
    if response.status_code != 303:
        assert response.status_code == find_status(leaf)
        assert leaf.code in response.get_data(as_text=True)


def test_an_unexpected_error_says_nothing(client):
    app = client.application

    def fail():
        raise ValueError(SECRET)

    app.view_functions["fail"] = fail
    response = client.get("/anything")
    assert response.status_code == 500
    assert SECRET not in response.get_data(as_text=True)
