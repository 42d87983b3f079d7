"""How long the strict verification of a signed response takes, as ratios to baselines measured in the same run.

The baseline is what cannot be avoided with the usual libraries: lxml parses, xmlsec verifies one signature with a key
that is loaded already, and nothing is checked or read. python3-saml verifies the same document in strict mode. All
figures are CPU time, and the candidates take turns.

Run it with ``python -m tests.benchmarks.saml_verification``; the goals stand in the last column.
"""

import base64
import statistics
import time
from collections.abc import Callable
from unittest import mock

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from bridge.attack.saml.messages import (
    ACS,
    IDP,
    NOW,
    NS,
    SP,
    Draft,
    certificate_base64,
    element,
    make_certificate,
    make_key,
)
from bridge.errors import IdentityError
from bridge.identity.saml.response import verify_response

ROUNDS = 60
SECONDS_PER_ROUND = 0.05
URI_FORMAT = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
CLAIMS = [
    *(
        f"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/{name}"
        for name in ("givenname", "surname", "name", "emailaddress", "upn", "country", "locality", "mobilephone")
    ),
    *(
        f"http://schemas.microsoft.com/identity/claims/{name}"
        for name in ("tenantid", "objectidentifier", "displayname", "identityprovider", "department", "companyname")
    ),
]
REQUEST = {"https": "on", "http_host": "bridge.example.com", "script_name": "/saml/corp/acs", "get_data": {}}

_SIGNATURE = f"{{{NS['ds']}}}Signature"


def build_raw(encoded: str) -> Callable[[], None]:
    """Return the baseline: parse and verify one signature, with the key loaded once."""
    pem = make_key("idp").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = xmlsec.Key.from_memory(pem, xmlsec.KeyFormat.PEM)

    def verify() -> None:
        root = etree.fromstring(base64.b64decode(encoded))
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = key
        context.verify(next(root.iter(_SIGNATURE)))

    return verify


def build_ours(draft: Draft, encoded: str) -> Callable[[], None]:
    """Return our whole verification, claims included."""

    def verify() -> None:
        verify_response(encoded, draft.expected)

    return verify


def build_python3_saml(draft: Draft, encoded: str) -> Callable[[], None]:
    """Return python3-saml's verification in strict mode, with the settings built once, and what it reads."""
    settings = OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {"entityId": SP, "assertionConsumerService": {"url": ACS}},
            "idp": {
                "entityId": IDP,
                "singleSignOnService": {"url": "https://idp.example.com/sso"},
                "x509cert": certificate_base64(make_certificate("idp")),
            },
        }
    )

    def verify() -> None:
        response = OneLogin_Saml2_Response(settings, encoded)
        response.is_valid(REQUEST, draft.request_id, raise_exceptions=True)
        response.get_attributes()
        response.get_nameid()

    return verify


def build_refusal(draft: Draft, encoded: str) -> Callable[[], None]:
    """Return our verification of a message that must be refused."""

    def verify() -> None:
        try:
            verify_response(encoded, draft.expected)
        except IdentityError:
            return
        raise AssertionError("a hostile message was accepted")

    return verify


def measure(candidates: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median time of each candidate in microseconds; the candidates take turns, so that drift hits all."""
    repeats = {}
    for name, candidate in candidates.items():
        candidate()
        started = time.process_time()
        candidate()
        repeats[name] = max(1, int(SECONDS_PER_ROUND / len(candidates) / (time.process_time() - started)))
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, candidate in candidates.items():
            started = time.process_time()
            for _ in range(repeats[name]):
                candidate()
            times[name].append((time.process_time() - started) / repeats[name] * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def build_draft(groups: int) -> Draft:
    """Return a message as the usual cloud providers write it: 9 kB with ten groups."""
    draft = Draft(groups=tuple(f"group-{index:04}-of-the-company" for index in range(groups)))
    statement = draft.find("//saml:AttributeStatement")
    for name in CLAIMS:
        attribute = element("saml:Attribute", Name=name, NameFormat=URI_FORMAT)
        attribute.append(element("saml:AttributeValue", f"value of {name.rpartition('/')[2]} for alice@example.com"))
        statement.append(attribute)
    return draft


def forge(draft: Draft) -> str:
    """Return the same message with another name in it."""
    forged = build_draft(len(draft.groups))

    @forged.after_signing
    def change(root: etree.ElementBase) -> None:
        root.find("saml:Assertion/saml:Subject/saml:NameID", NS).text = "admin@example.com"

    return forged.encode()


def main() -> None:
    """Print one table per number of groups."""
    for number, goals in ((10, ("≤ 1.0", "≥ 7")), (100, ("", "")), (900, ("≤ 0.9 at 1,000", ""))):
        draft = build_draft(number)
        encoded = draft.encode()
        with mock.patch.object(OneLogin_Saml2_Utils, "now", staticmethod(lambda: int(NOW.timestamp()))):
            times = measure(
                {
                    "raw": build_raw(encoded),
                    "ours": build_ours(draft, encoded),
                    "python3-saml": build_python3_saml(draft, encoded),
                    "forged": build_refusal(draft, forge(draft)),
                }
            )
        print(f"\n{number} groups, {len(base64.b64decode(encoded)):,} bytes of XML, assertion signed")
        print_row("lxml + xmlsec, unchecked", times["raw"], times["raw"])
        print_row("ours", times["ours"], times["raw"], goals[0])
        print_row("ours, forged message", times["forged"], times["raw"], "not above the line before")
        print_row("python3-saml", times["python3-saml"], times["raw"])
        print_row("python3-saml by ours", times["python3-saml"], times["ours"], goals[1])


def print_row(name: str, microseconds: float, baseline: float, goal: str = "") -> None:
    """Print a time and its ratio to a baseline."""
    print(f"  {name:26}{microseconds:9.0f} µs {microseconds / baseline:7.2f}   {goal and 'goal: ' + goal}")


if __name__ == "__main__":
    main()
