"""A small configuration that is right, for production, as files; a test changes the one thing that it is about."""

BRIDGE = "public_url: https://bridge.example.com\n"
SAML = """name: acme-saml
title: Acme
protocol: saml
entity_id: https://idp.example.com/metadata
metadata: acme.xml
"""
OIDC = """name: acme-oidc
title: Acme
protocol: oidc
issuer: https://idp.example.com/
client_id: rambridge
client_secret: file:secret
"""
PRODUCTION = """name: production
id: "1000000000000001"
title: Production
role_max_duration_seconds: {Admin: 7200}
"""
SANDBOX = """name: sandbox
id: "1000000000000002"
title: Sandbox
trust: oidc
"""
RULES = """rules:
- name: platform
  provider: acme-saml
  groups: [platform]
  grant:
  - account: production
    role: Admin
    duration_seconds: 7200
  - account: sandbox
    role: Developer
"""
FILES = {
    "bridge.yaml": BRIDGE,
    "providers/acme-saml.yaml": SAML,
    "providers/acme.xml": "<EntityDescriptor/>",
    "providers/acme-oidc.yaml": OIDC,
    "providers/secret": "s3cret\n",
    "accounts/production.yaml": PRODUCTION,
    "accounts/sandbox.yaml": SANDBOX,
    "rules/10-platform.yaml": RULES,
}


def write_configuration(folder, changes=None, *, without=()):
    """Write the configuration with some files replaced or left out, and return its folder."""
    for name, text in (FILES | (changes or {})).items():
        if name in without:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
