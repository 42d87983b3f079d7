"""What we remember about a signed-in person between requests.

Owns the session, where it is kept and the cookie that names it. Leaves to ``identity`` who the person is, and to
``entitlements`` what they may become: neither a right nor a credential is kept here, so a rule that is taken away
works at the next request.

Promises: the cookie is a random number and Redis knows only its digest; what Redis holds is sealed under its own
name; a session ends when it is idle, at its absolute end, with the provider's own session, or when told to.
"""
