"""IMS 2019-08-15: an account's SAML and OIDC identity providers, and how its users sign in."""

from bridge.sandbox.cloud.ims import oidc_providers, saml_providers, user_sso

VERSION = "2019-08-15"
OPERATIONS = {**saml_providers.OPERATIONS, **oidc_providers.OPERATIONS, **user_sso.OPERATIONS}
