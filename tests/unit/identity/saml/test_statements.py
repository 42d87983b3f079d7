import pytest

from bridge.attack.saml.messages import NS, Draft, element, make_provider
from bridge.errors import ClaimNotSingle, GroupsUnknown, SAMLTooComplex
from bridge.identity.saml.statements import read_claims


def claims(draft, **settings):
    return read_claims(draft.assertion, make_provider(**settings))


def add(draft, name, *values):
    attribute = element("saml:Attribute", Name=name)
    attribute.extend(element("saml:AttributeValue", value) for value in values)
    draft.find("//saml:AttributeStatement").append(attribute)
    return attribute


def test_attributes_are_lists_under_their_own_names():
    assert claims(Draft()) == {"mail": ["alice@example.com"], "groups": ["platform", "staff"]}


def test_configured_claim_is_renamed():
    assert claims(Draft(), claims={"email": "mail"}) == {
        "email": ["alice@example.com"],
        "groups": ["platform", "staff"],
    }


def test_one_attribute_can_fill_two_claims():
    assert claims(Draft(), claims={"email": "mail", "upn": "mail"})["upn"] == ["alice@example.com"]


def test_attribute_called_like_a_configured_claim_does_not_fill_it():
    draft = Draft()
    add(draft, "memberOf", "developers")

    assert claims(draft, claims={"groups": "memberOf"})["groups"] == ["developers"]
    assert "groups" not in claims(Draft(), claims={"groups": "memberOf"})


def test_claims_can_be_exchanged():
    exchanged = claims(Draft(), claims={"groups": "mail", "mail": "groups"})

    assert exchanged == {"groups": ["alice@example.com"], "mail": ["platform", "staff"]}


def test_single_valued_claim_is_a_string():
    assert claims(Draft(), claims={"email": "mail"}, single_valued=["email"])["email"] == "alice@example.com"


def test_single_valued_claim_with_two_values_is_refused():
    with pytest.raises(ClaimNotSingle):
        claims(Draft(), single_valued=["groups"])


def test_single_valued_claim_without_value_is_absent():
    draft = Draft()
    add(draft, "department")

    assert "department" not in claims(draft, single_valued=["department"])
    assert claims(draft)["department"] == []


def test_friendly_name_means_nothing():
    draft = Draft()
    add(draft, "urn:oid:1", "x").set("FriendlyName", "admin")

    assert "admin" not in claims(draft)
    assert claims(draft, claims={"admin": "FriendlyName"}).get("admin") is None


def test_values_are_kept_exactly():
    draft = Draft()
    add(draft, "exact", " a ", "", "a,b", "A")

    assert claims(draft)["exact"] == [" a ", "", "a,b", "A"]


@pytest.mark.parametrize("null", ["true", "1"])
def test_null_value_is_no_value(null):
    draft = Draft()
    add(draft, "department", None, "Finance")[0].set(f"{{{NS['xsi']}}}nil", null)

    assert claims(draft)["department"] == ["Finance"]


@pytest.mark.parametrize("null", ["false", "true"])
def test_value_with_text_is_a_value(null):
    draft = Draft()
    add(draft, "department", "Finance")[0].set(f"{{{NS['xsi']}}}nil", null)

    assert claims(draft)["department"] == ["Finance"]


@pytest.mark.parametrize("mapped", [{}, {"groups": "http://schemas.example/claims/groups"}])
def test_groups_that_were_too_many_to_send_are_unknown_not_empty(mapped):
    draft = Draft()
    add(draft, f"{mapped.get('groups', 'groups')}.link", "https://graph.example/users/1/getMemberObjects")

    with pytest.raises(GroupsUnknown):
        claims(draft, claims=mapped)


def test_null_values_are_counted_as_well():
    def read(number):
        draft = Draft()
        for value in add(draft, "department", *[None] * number):
            value.set(f"{{{NS['xsi']}}}nil", "true")
        return claims(draft)["department"]

    assert read(1_000) == []
    with pytest.raises(SAMLTooComplex):
        read(1_001)
