"""Stage 1: who is this?

This package owns the enterprise providers that we trust, the two protocols they speak, and the memory that makes every
answer belong to one question and count once. It promises that a :class:`~bridge.identity.verified.VerifiedIdentity`
comes out only after every check has passed. What the person may become is not its business.
"""
