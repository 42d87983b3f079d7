"""Signatures: theirs on requests, ours on responses."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

import xmlsec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.names import (
    ENVELOPED,
    EXCLUSIVE_C14N,
    RSA_SHA256,
    RSA_SHA384,
    RSA_SHA512,
    SHA256,
    SHA384,
    SHA512,
    XMLDSIG,
)

_HASHES: dict[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    RSA_SHA384: hashes.SHA384(),
    RSA_SHA512: hashes.SHA512(),
}
_DIGESTS = (SHA256, SHA384, SHA512)
_UNSIGNED = "The request is not signed, and this application's requests must be."
_INVALID = "The request's signature does not verify with a certificate of the application's metadata."


def verify_query(parameters: dict[str, str], certificates: Sequence[x509.Certificate]) -> None:
    """The request in the query string is signed by one of ``certificates`` (SAML Bindings 3.4.4.1).

    ``parameters`` holds the values as they were sent, still URL-encoded: another program may encode the same value
    in another way, and the signature is over the sender's bytes.
    """
    if "Signature" not in parameters or "SigAlg" not in parameters:
        raise Refused("idp_request_unsigned", _UNSIGNED)
    algorithm = _HASHES.get(unquote_plus(parameters["SigAlg"]))
    if algorithm is None:
        raise Refused("idp_request_algorithm", "The request's signature algorithm is not accepted.")
    names = ("SAMLRequest", "RelayState", "SigAlg")
    signed = "&".join(f"{name}={parameters[name]}" for name in names if name in parameters).encode()
    try:
        signature = b64decode(unquote_plus(parameters["Signature"]), validate=True)
    except ValueError as error:
        raise Refused("idp_request_signature", "The request's signature is not base64.") from error
    for certificate in certificates:
        key = certificate.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, signed, padding.PKCS1v15(), algorithm)
                return
        except InvalidSignature:
            continue
    raise Refused("idp_request_signature", _INVALID)


def verify_enveloped(root: Any, certificates: Sequence[x509.Certificate]) -> None:
    """The whole document is signed by one of ``certificates`` with one enveloped signature (SAML Core 5.4).

    The form of the signature is checked before xmlsec sees it, because xmlsec runs a stranger's transforms first.
    """
    signatures = list(root.iter(f"{{{XMLDSIG}}}Signature"))
    if not signatures:
        raise Refused("idp_request_unsigned", _UNSIGNED)
    if len(signatures) > 1 or signatures[0].getparent() is not root:
        raise Refused("idp_request_signature_form", "The request must have one signature, as a child of its root.")
    signature = signatures[0]
    _check_form(root, signature)
    for certificate in certificates:
        context = xmlsec.SignatureContext()
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
        context.register_id(root, "ID")
        try:
            context.verify(signature)
        except xmlsec.Error:
            continue
        return
    raise Refused("idp_request_signature", _INVALID)


def _check_form(root: Any, signature: Any) -> None:
    info = f"{{{XMLDSIG}}}SignedInfo"
    methods = {
        "CanonicalizationMethod": (EXCLUSIVE_C14N,),
        "SignatureMethod": tuple(_HASHES),
        "Reference/{*}DigestMethod": _DIGESTS,
    }
    for path, accepted in methods.items():
        found = [each.get("Algorithm") for each in signature.iterfind(f"{info}/{{*}}{path}")]
        if len(found) != 1 or found[0] not in accepted:
            raise Refused("idp_request_algorithm", "The request's signature uses an algorithm that is not accepted.")
    references = signature.findall(f"{info}/{{{XMLDSIG}}}Reference")
    identified = [node for node in root.iter() if root.get("ID") in (node.get("ID"), node.get("Id"), node.get("id"))]
    if len(references) != 1 or references[0].get("URI") != f"#{root.get('ID')}" or identified != [root]:
        raise Refused("idp_request_signature_form", "The request's signature does not cover the whole request.")
    transforms = [each.get("Algorithm") for each in signature.iter(f"{{{XMLDSIG}}}Transform")]
    if transforms != [ENVELOPED, EXCLUSIVE_C14N]:
        raise Refused("idp_request_signature_form", "The request's signature has unexpected transforms.")


class Signer:
    """Signs what we say with the provider's SAML key."""

    def __init__(self, private_key: bytes, certificate: bytes) -> None:
        """Take the key and the certificate as PEM; both are loaded once."""
        self._key = xmlsec.Key.from_memory(private_key, xmlsec.constants.KeyDataFormatPem)
        self._key.load_cert_from_memory(certificate, xmlsec.constants.KeyDataFormatCertPem)

    def sign(self, element: Any) -> None:
        """``element`` has an enveloped signature, directly after its ``Issuer`` as the schema demands.

        ``xs`` is listed as an inclusive prefix: it stands only in ``xsi:type`` values, which exclusive
        canonicalization cannot see, so that the signed bytes would lose its declaration.
        """
        signature = xmlsec.template.create(
            element, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256, ns="ds"
        )
        element.insert(1, signature)
        reference = xmlsec.template.add_reference(
            signature, xmlsec.constants.TransformSha256, uri=f"#{element.get('ID')}"
        )
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        canonicalization = xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        xmlsec.template.transform_add_c14n_inclusive_namespaces(canonicalization, ["xs"])
        key_info = xmlsec.template.ensure_key_info(signature)
        xmlsec.template.x509_data_add_certificate(xmlsec.template.add_x509_data(key_info))
        context = xmlsec.SignatureContext()
        context.key = self._key
        context.register_id(element, "ID")
        context.sign(signature)
