"""We are the relying party of OpenID providers: a question out, an authorization code back, an ID token verified.

``relying_party`` is what others call. It asks ``discovery`` where the provider is and which keys it has (``key_set``),
lets ``login`` write the question and redeem the code, and ``id_token`` decide about the token; ``strict_json`` reads
every JSON text on the way. ``client_authentication`` proves who asks, ``userinfo`` adds what a token leaves out. Which
browser asked, and that a token is accepted only once, is checked beside this package, in ``identity/sign_in.py``.

Nothing that a token says is ever fetched, and no metadata can widen what the provider's settings allow.
"""
