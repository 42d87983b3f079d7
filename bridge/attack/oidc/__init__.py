"""Hostile tokens and flows of OpenID Connect, and the honest ones that they spoil."""
