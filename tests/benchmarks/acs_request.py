"""What one audited SAML sign-in costs at the ACS, as a ratio to a floor measured in the same run.

The floor is a Flask view that parses the same form and document, verifies one signature with xmlsec and redirects; it
checks nothing, remembers nothing and records nothing. Ours does all of it: strict verification, replay mark, question
consumed, rules, sealed session in a real Redis, two durable audit commits on SQLite. Both are called in process, so no
server is part of the figures; wall time, in turns, one request at a time.

Run it with ``python -m tests.benchmarks.acs_request``. The goal is a ratio of at most 1.5.
"""

import base64
import statistics
import tempfile
import time
from pathlib import Path

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask, redirect, request
from lxml import etree

from bridge.attack.saml.messages import make_key
from tests.attacks.door import Visitor, draft_response, post_response, run_service

REQUESTS = 400
BROWSER = "b" * 43


def build_floor():
    """Return the floor's application."""
    app = Flask(__name__)

    @app.post("/saml/corp/acs")
    def acs():
        verify(request.form["SAMLResponse"])
        return redirect("/", 303)

    return app


def verify(encoded: str) -> None:
    """Do what cannot be avoided."""
    root = etree.fromstring(base64.b64decode(encoded))
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = KEY
    context.verify(next(root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature")))


KEY = xmlsec.Key.from_memory(
    make_key("idp").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), xmlsec.KeyFormat.PEM
)


def measure():
    """Return the times of both in microseconds, request by request."""
    with tempfile.TemporaryDirectory() as folder, run_service(Path(folder)) as service:
        ours, floor = Visitor(service.start()), Visitor(build_floor())
        ours.cookies["__Host-rambridge-signin"] = BROWSER
        ours.sent_across_sites.add("__Host-rambridge-signin")
        times = {"floor": [], "ours": []}
        for _ in range(REQUESTS):
            request_id = f"_{time.monotonic_ns():x}"
            question = service.ask(BROWSER, request_id=request_id)
            encoded = draft_response("corp", request_id).encode()
            for name, visitor in (("floor", floor), ("ours", ours)):
                started = time.perf_counter_ns()
                answer = post_response(visitor, "corp", encoded, question.handle)
                times[name].append((time.perf_counter_ns() - started) / 1000)
                assert answer.status_code == 303, answer.text
        return times


def main():
    """Print the ratio."""
    times = measure()
    floor, ours = (statistics.median(times[name]) for name in ("floor", "ours"))
    print(f"floor: form, parse, xmlsec verify, redirect   {floor:7.0f} µs")
    print(f"ours: verified, mapped, recorded, session      {ours:7.0f} µs   {ours / floor:.2f} × the floor")


if __name__ == "__main__":
    main()
