"""Hostile SAML messages, and the honest ones that they spoil."""
