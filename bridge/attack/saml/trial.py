"""Hostile responses at the assertion consumer service."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from flask import Flask

from bridge.app import MAX_REQUEST_BYTES
from bridge.attack.lane import ADDRESS, NAME, PUBLIC_URL, Lane, open_browser
from bridge.attack.saml.corpus import ResponseCase
from bridge.attack.saml.messages import Draft, build_idp_metadata, make_certificate, make_key
from bridge.attack.trial import Delivery, Trial, deliver, find_changes
from bridge.errors import BridgeError, SAMLMetadata, TooLarge
from bridge.identity.pending import PendingSignIn
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.signature import is_strong


class ResponseTrials:
    """Posts responses to the node that expects them."""

    def __init__(self, lane: Lane) -> None:
        """Take the lane of a SAML provider."""
        self._lane = lane
        self._start = cache(self._start_node)

    def prepare(self, case: ResponseCase) -> Trial:
        """Return the case, ready to be tried under the lane's settings."""
        configured = self._lane.provider
        if not isinstance(configured, SAMLProvider):
            raise TypeError("a response needs a SAML provider")
        hostile, twin = case.draft(configured), case.draft(configured)
        case.spoil(hostile)
        encoded = hostile.encode()
        question = self._ask(hostile)

        def send_twin() -> Delivery:
            again = question if hostile.expected == twin.expected else self._ask(twin)
            return self._post(twin, twin.encode(), again)

        return Trial(
            attack=lambda: self._post(hostile, encoded, question),
            honest=send_twin,
            error=_find_error(case, hostile, encoded),
            changed=find_changes(configured, twin.expected.provider, case.needs(configured)),
        )

    def bring(self, draft: Draft) -> Delivery:
        """Deliver an honest response, in answer to its question if it has one."""
        return self._post(draft, draft.encode(), self._ask(draft))

    def _ask(self, draft: Draft) -> PendingSignIn | None:
        self._lane.clock.moment = draft.expected.now
        if not draft.request_id:
            return None
        return self._lane.ask(protocol="saml", request_id=draft.request_id, asked_at=draft.expected.asked_at)

    def _post(self, draft: Draft, encoded: str, question: PendingSignIn | None) -> Delivery:
        self._lane.clock.moment = draft.expected.now
        browser = open_browser(self._find_node(draft.expected))
        form = {"SAMLResponse": encoded} | ({"RelayState": question.handle} if question else {})
        body = urlencode(form)
        return deliver(
            lambda: browser.post(
                f"/saml/{NAME}/acs",
                data=body,
                content_type="application/x-www-form-urlencoded",
                base_url=PUBLIC_URL,
                environ_overrides={"REMOTE_ADDR": ADDRESS},
                buffered=True,
            ),
            None if len(encoded) > MAX_REQUEST_BYTES else encoded,
        )

    def _find_node(self, expected: Expected) -> Flask:
        """Return the node that trusts exactly this provider with exactly these keys."""
        keys = (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in expected.keys)
        return self._start(expected.provider.model_dump_json(), tuple(keys))

    def _start_node(self, settings: str, keys: tuple[bytes, ...]) -> Flask:
        provider = SAMLProvider.model_validate_json(settings)
        path = Path(self._lane.folder, f"metadata-{abs(hash((settings, keys)))}.xml")
        metadata = build_idp_metadata(*map(_certify, keys), entity_id=provider.entity_id)
        path.write_bytes(metadata if keys else metadata.replace(b'use="signing"', b'use="encryption"'))
        used = {"metadata": str(path), "metadata_signing_certificate": None}
        return self._lane.start(provider.model_copy(update=used))


def _find_error(case: ResponseCase, draft: Draft, encoded: str) -> type[BridgeError]:
    """Return the refusal at the door, which sees some faults before the message is looked at."""
    if len(encoded) > MAX_REQUEST_BYTES:
        return TooLarge
    if not draft.expected.keys or not all(is_strong(key) for key in draft.expected.keys):
        return SAMLMetadata  # such a key does not even get into the metadata
    return case.error


def _certify(key: bytes) -> x509.Certificate:
    """Return a certificate for a public key (DER), as metadata carries it."""
    template = make_certificate("idp")
    public_key: Any = load_der_public_key(key)
    builder = x509.CertificateBuilder(
        issuer_name=template.issuer,
        subject_name=template.subject,
        public_key=public_key,
        serial_number=template.serial_number,
        not_valid_before=template.not_valid_before_utc,
        not_valid_after=template.not_valid_after_utc,
    )
    return builder.sign(make_key("idp"), hashes.SHA256())
