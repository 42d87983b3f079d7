"""The door for terminals: what the CLI and the SDKs in their mode CloudSSO ask of a sign-in portal.

Owns the waiting terminals (``devices``), the page on which a person lets one in (``device_page``) and the protocol's
five answers (``protocol``). Leaves to ``federation`` what the person may become and every credential.

Promises: nothing is released to a terminal that a signed-in person has not let in with a click; the rules are asked
again at each call; what a terminal holds ends with the person's sign-out, here or at the provider.
"""
