"""The door for our own command: an OAuth 2.0 authorization server with one public client (RFC 6749, 8252, 7636, 9700).

Owns what the client may ask (``client``, ``requests``), the page on which a person lets it in (``consent``), codes
(``codes``) and the endpoints that programs call (``endpoints``). Leaves to ``sessions`` the grants and their tokens, to
``portal_protocol`` terminals that show a code, and to ``federation`` everything that a grant may then get by API v1.

Promises: nothing is given that a signed-in person has not let in with a click; a code counts once, for a minute, and
only for the program that began; nobody is sent to an address but one on their own machine; a token that is shown twice
ends what it belongs to, and that is recorded.
"""
