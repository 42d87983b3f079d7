"""Who may import whom. Arrows point down only, so no stage knows a door and no door knows another."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "bridge"

OPEN_TO_ALL = {"bridge.__version__", "bridge.language", "bridge.described"}
"""Whatever says something to people says it in their language; whatever is written in files is described there."""

ALLOWED = {
    "advice": set(),
    "addresses": set(),
    "clock": set(),
    "errors": set(),
    "language": set(),
    "described": set(),
    "machine_credentials": set(),
    "yaml_documents": {"errors"},
    "sealing": {"errors"},
    "keys": {"errors", "clock"},
    "destinations": set(),
    "outbound": {"errors", "destinations"},
    "store_address": set(),
    "store_connection": {"errors", "store_address"},
    "embedded_store": {"errors"},
    "sts_wire": set(),
    "database": set(),
    "audit": {"addresses", "errors", "clock", "database", "machine_credentials", "outbound", "sealing"},
    "audit_tasks": {"errors", "audit", "audit_log", "outbound", "settings"},
    "audit_log": {"errors", "clock", "audit", "keys", "sealing", "settings"},
    "governed_roles": {"audit.trail", "entitlements.rules", "exchange.accounts", "settings"},
    "identity": {"errors", "addresses", "clock", "keys", "sealing", "outbound", "store_connection"},
    "entitlements": {"errors", "addresses", "yaml_documents", "identity.verified", "identity.oidc.strict_json"},
    "history": {"errors", "clock", "sealing", "database", "identity.verified", "identity.stored", "entitlements"},
    "preview": {"clock", "entitlements", "errors", "history", "rollout", "sealing", "store_connection"},
    "exchange": {
        "errors",
        "clock",
        "keys",
        "outbound",
        "sealing",
        "store_connection",
        "sts_wire",
        "identity.verified",
        "entitlements",
    },
    "delivery": {"errors", "clock", "keys", "outbound", "sealing", "exchange", "entitlements"},
    "ram_policies": {"exchange.accounts"},
    "pasted": {"delivery", "entitlements", "errors", "exchange", "ram_policies"},
    "sessions": {"errors", "clock", "sealing", "store_connection", "identity.verified", "identity.stored"},
    "settings": {
        "addresses",
        "destinations",
        "errors",
        "yaml_documents",
        "store_address",
        "identity.providers",
        "identity.workloads",
        "identity.verified",
        "exchange.accounts",
        "entitlements.expressions",
        "entitlements.limits",
        "entitlements.matching",
        "entitlements.rules",
        "entitlements.rule_tests",
        "ram_policies",
    },
    "rollout": {
        "errors",
        "clock",
        "audit",
        "database",
        "identity.verified",
        "entitlements.rules",
        "settings",
        "store_connection",
    },
    "federation": {"errors", "clock", "audit", "identity", "entitlements", "exchange", "delivery", "history"},
    "sts_endpoint": {
        "addresses",
        "errors",
        "clock",
        "audit.events",
        "sealing",
        "store_connection",
        "identity",
        "entitlements",
        "exchange",
        "federation",
        "sts_wire",
    },
    "web": {
        "addresses",
        "advice",
        "errors",
        "clock",
        "keys",
        "settings",
        "federation",
        "audit",
        "sessions",
        "identity",
        "entitlements",
        "exchange",
        "delivery",
        "history",
        "pasted",
        "ram_policies",
        "rollout",
        "preview",
    },
    "setup": {
        "errors",
        "clock",
        "keys",
        "outbound",
        "entitlements",
        "exchange",
        "identity",
        "audit",
        "machine_credentials",
        "ram_policies",
        "store_connection",
    },
    "portal_protocol": {
        "errors",
        "clock",
        "federation",
        "audit",
        "sealing",
        "sessions",
        "store_connection",
        "identity",
        "entitlements",
        "exchange",
        "web",
    },
    "authorization": {
        "addresses",
        "errors",
        "clock",
        "audit",
        "sealing",
        "sessions",
        "store_connection",
        "identity",
        "portal_protocol",
        "web",
    },
    "client": set(),
    "sandbox": {"errors", "clock", "sts_wire"},
    "attack": {
        "app",
        "audit_log",
        "clock",
        "embedded_store",
        "entitlements.rules",
        "errors",
        "identity",
        "keys",
        "outbound",
        "sealing",
        "sessions",
        "settings",
        "store_connection",
        "web.errors",
    },
    "cli": {
        "advice",
        "app",
        "attack",
        "audit",
        "audit_log",
        "audit_tasks",
        "client",
        "clock",
        "database",
        "embedded_store",
        "entitlements",
        "errors",
        "exchange",
        "governed_roles",
        "history",
        "identity",
        "keys",
        "parties",
        "ram_policies",
        "rollout",
        "preview",
        "sandbox",
        "sealing",
        "sessions.habits",
        "settings",
        "setup",
        "store_connection",
        "sts_wire",
        "sts_endpoint.door",
        "outbound",
    },
    "parties": {"errors", "clock", "keys", "outbound", "store_connection", "settings", "audit", "identity"},
    "wiring": None,
    "app": None,
    "__main__": {"cli"},
}
"""What a module or package may import from ``bridge`` besides itself; None: everything but ``attack``."""

LIBRARIES = {
    "flask": {"web", "portal_protocol", "authorization", "app", "wiring", "sandbox", "attack"},
    "werkzeug": {"web", "portal_protocol", "authorization", "app", "wiring", "sandbox", "attack"},
    "redis": {"store_connection"},
    "sqlalchemy": {"database", "audit", "audit_log", "audit_tasks", "history", "rollout", "app", "cli", "attack"},
    "cel_expr_python": {"entitlements"},
    "yaml": {"yaml_documents", "sandbox"},
    "gunicorn": {"cli"},
    "click": {"cli"},
    "keyring": {"client"},
    "segno": {"cli"},
    "onelogin": {"identity"},
    "xmlsec": {"exchange", "sandbox", "attack"},
    "alembic": {"audit"},
    "requests": {"sandbox"},
    "urllib3": {"outbound"},
    "alibabacloud_ram20150501": {"setup"},
    "alibabacloud_ims20190815": {"setup"},
    "alibabacloud_credentials": {"machine_credentials"},
    "aliyun": {"audit"},
    "alibabacloud_tea_openapi": {"setup"},
}
"""Which parts may import a library."""


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield pytest.param(name, path, id=name)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "bridge")


def is_within(name, package):
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_imports_point_down(name, path):
    part = name.split(".")[0]
    assert part in ALLOWED, f"{part} has no row in the table"
    allowed = ALLOWED[part]
    for target in imported(path):
        if not target.startswith("bridge.") or target in OPEN_TO_ALL or allowed is None:
            continue
        inside = target.removeprefix("bridge.")
        assert is_within(inside, part) or any(is_within(inside, row) for row in allowed), f"{name} imports {target}"


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_libraries_stay_in_their_place(name, path):
    part = name.split(".")[0]
    for target in imported(path):
        allowed = LIBRARIES.get(target.split(".")[0])
        assert allowed is None or part in allowed, f"{name} imports {target}"


def test_the_hostile_corpus_is_loaded_by_its_command_alone():
    """Nothing that serves people has it in memory, and the command's own module loads it when it runs."""
    loaded = "import sys; import bridge.app, bridge.cli.main; print([m for m in sys.modules if 'bridge.attack' in m])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]"
    users = {
        path.relative_to(ROOT).as_posix()
        for parameters in modules()
        for _, path in [parameters.values]
        if any(is_within(target, "bridge.attack") for target in imported(path))
    }
    assert {user for user in users if not user.startswith("attack/")} == {"cli/attack.py"}


def test_only_the_document_module_parses_saml_xml():
    parsers = ("etree.fromstring", "etree.parse(", "etree.XML(", "ElementTree", "minidom")
    for path in sorted((ROOT / "identity").rglob("*.py")):
        if path.name == "document.py":
            continue
        text = path.read_text()
        assert not [parser for parser in parsers if parser in text], path


def test_the_table_has_no_cycles():
    everything = set(ALLOWED) - {"app", "wiring", "attack", "cli", "parties", "__main__"}
    arrows = {
        part: {row.split(".")[0] for row in (everything if rows is None else rows)} for part, rows in ALLOWED.items()
    }

    def visit(part, trail):
        assert part not in trail, f"cycle: {' → '.join([*trail, part])}"
        for target in arrows[part] - {part}:
            visit(target, [*trail, part])

    for part in arrows:
        visit(part, [])


def test_every_module_says_what_it_is():
    for parameters in modules():
        _, path = parameters.values
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
