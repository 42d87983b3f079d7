import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.identity.home_realm import find_home, normalize_domain
from bridge.settings import check_configuration
from tests.unit.configurations import OIDC, SAML, write_configuration

HOMES = {"acme.example": "acme", "xn--bcher-kva.example": "books"}


@pytest.mark.parametrize("name", ["lin.wei", "nobody", "a@b", '"x y"', "林薇", "' OR 1=1"])
def test_everybody_with_an_address_of_a_domain_is_led_to_its_provider(name):
    assert find_home(f"{name}@acme.example", HOMES) == "acme"


@pytest.mark.parametrize(
    ("address", "home"),
    [
        ("lin@acme.example", "acme"),
        ("  lin@ACME.Example ", "acme"),
        ("lin@bücher.example", "books"),
        ("lin@BÜCHER.example", "books"),
        ("lin@xn--bcher-kva.example", "books"),
        ("lin@mail.acme.example", None),
        ("lin@notacme.example", None),
        ("lin@acme.example.evil.example", None),
        ("lin@acme.exampl", None),
        ("lin@acme.example.", None),
        ("lin@.acme.example", None),
        ("lin@acme..example", None),
        ("acme.example", None),
        ("@acme.example", None),
        ("lin@", None),
        ("", None),
        ("lin@acme.example\n", "acme"),
        ("lin\n@acme.example", None),
        ("lin@acme.example\x00", None),
        ("x" * 250 + "@acme.example", None),
        ("\ud800@acme.example", None),
    ],
)
def test_the_whole_domain_counts_in_any_case(address, home):
    assert find_home(address, HOMES) == home


@given(st.text())
def test_no_text_fails(text):
    assert find_home(text, HOMES) in {None, "acme", "books"}
    assert normalize_domain(text) is None or normalize_domain(normalize_domain(text)) == normalize_domain(text)


def problems(folder):
    return [(problem.file.name, problem.line, problem.message) for problem in check_configuration(folder)]


def test_a_domain_belongs_to_one_provider(tmp_path):
    files = {
        "providers/acme-oidc.yaml": OIDC + "email_domains: [other.example, Acme.Example]\n",
        "providers/acme-saml.yaml": SAML + "email_domains:\n- acme.example\n",
    }
    assert problems(write_configuration(tmp_path, files)) == [
        ("acme-saml.yaml", 7, "the domain `acme.example` stands in acme-oidc.yaml already")
    ]
    files["providers/acme-saml.yaml"] = SAML + "email_domains: [mail.acme.example]\n"
    assert problems(write_configuration(tmp_path, files)) == []


@pytest.mark.parametrize("text", ["acme", "'@acme.example'", "'*.acme.example'", "acme.example/x", "'a b.example'"])
def test_what_is_no_domain_is_a_fault(tmp_path, text):
    folder = write_configuration(tmp_path, {"providers/acme-saml.yaml": SAML + f"email_domains: [{text}]\n"})
    [(file, line, message)] = problems(folder)
    assert (file, line) == ("acme-saml.yaml", 6)
    assert "not a domain" in message
