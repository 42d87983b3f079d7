"""A person, a rule set, a moment: valid, so that a test changes the one thing that it is about."""

from datetime import UTC, datetime, timedelta

from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.errors import SettingsError
from bridge.identity.verified import VerifiedIdentity

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def make_identity(**changes):
    values = {
        "provider": "acme-saml",
        "protocol": "saml",
        "issuer": "https://idp.example/metadata",
        "subject": "lin.wei",
        "claims": {"groups": ["employees", "platform"], "department": "Platform", "uid": "lin.wei"},
        "authenticated_at": NOW - timedelta(minutes=5),
        "message_id": "_1",
        "accept_until": NOW + timedelta(minutes=5),
        "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    }
    return VerifiedIdentity(**(values | changes))


class Rules:
    """Writes rule files into a folder and compiles them."""

    def __init__(self, folder):
        self._folder = folder

    def compile(self, *texts, policies=None, schemas=None, **named):
        files = {f"{number}.yaml": text for number, text in enumerate(texts)}
        files |= {f"policies/{name}": text for name, text in (policies or {}).items()}
        files |= {f"{name}.yaml": text for name, text in named.items()}
        rule_files = RuleFiles(self._folder, {name: text.encode() for name, text in files.items()})
        readings = [read_rules(path, content) for path, content in rule_files.iterate_rules()]
        problems = [problem for _, found in readings for problem in found]
        if problems:
            raise SettingsError(problems)
        documents = [document for document, _ in readings]
        return compile_rules(documents, {"acme-saml": "groups", "acme-oidc": "roles"}, rule_files, schemas=schemas)


def granted(rules, identity=None, **changes):
    """Return what the rules grant, as short texts."""
    resolution = resolve(identity or make_identity(**changes), rules, NOW)
    return [f"{each.account}/{each.name}" for each in resolution.entitlements]
