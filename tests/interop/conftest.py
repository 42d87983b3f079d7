import pytest

from tests.interop.parties import OIDCClient, Person

SECRET = "a-secret-of-the-client"


@pytest.fixture(scope="session")
def people():
    """Return employees whose groups the demo's rules know."""
    return [
        Person("lin.wei", "林薇", "lin.wei@acme.example", ("platform", "on call"), "Platform"),
        Person("sofia", "Sofia Marchetti", "sofia@acme.example", ("finance",), "Finance"),
        Person("cy", "Cy O'Neill", "cy@acme.example", (), "Sales & Marketing"),
    ]


@pytest.fixture(scope="session")
def build_client():
    """Return a function that describes the bridge as a client of one provider."""
    return lambda bridge, provider: OIDCClient("rambridge", SECRET, f"{bridge}/oidc/{provider}/callback")
