"""The stand-in enterprise identity provider: people, a portal of tiles, SAML 2.0 and OpenID Connect.

It takes the place of the party that we do not have in a demo or a test. It is small, but it is not lenient: every
check that a careful provider makes is made here, so that a wrong request fails here first. Anybody may sign in as
anybody, which is why it belongs on a loopback address and nowhere else.

``state`` says who exists, ``app`` puts the parts together, ``saml/`` and ``oidc/`` are the two protocols, ``pages``
is what a person sees. Nothing outside ``bridge.sandbox`` may depend on it.
"""
