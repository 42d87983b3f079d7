"""The provider's SAML 2.0 side: metadata out and in, requests verified, responses signed."""
