"""The SAML 2.0 service provider: who is this, according to a SAML identity provider?

``service_provider.py`` is the door: one object per provider, which publishes our metadata, starts sign-ins and
verifies the answers. ``response.py`` decides whether an answer is acceptable and lists its checks in order.
``document.py`` is the only module that parses XML; ``signature.py`` turns a signed element into a new one that
was parsed from exactly the bytes that were signed, and everything about the person is read from that.

What this package leaves to others: remembering the question (``identity/pending.py``), accepting each assertion
once (``identity/replay.py``), and fetching metadata (``load_metadata`` is handed in).
"""
