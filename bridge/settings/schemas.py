"""JSON Schemas of every file in ``config/``, so that editors complete and check while one types."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.entitlements.rule_tests import RULE_TEST_FILE
from bridge.entitlements.rules import RULE_FILE, SESSION_POLICY
from bridge.ram_policies.snapshot import ROLE_POLICIES
from bridge.settings.audit import AUDIT
from bridge.settings.configuration import ACCOUNT, PROVIDER, WORKLOAD
from bridge.settings.service import SETTINGS

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def write_schemas(folder: Path) -> None:
    """Write the JSON Schema of each kind of file, so that editors can complete and check while one types."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in build_schemas().items():
        (folder / name).write_text(schema, encoding="utf-8")


def build_schemas() -> dict[str, str]:
    """Return the text of each schema by file name."""
    adapters: dict[str, TypeAdapter[Any]] = {
        "bridge.json": SETTINGS,
        "audit.json": AUDIT,
        "provider.json": PROVIDER,
        "account.json": ACCOUNT,
        "workload.json": WORKLOAD,
        "rules.json": RULE_FILE,
        "rule-tests.json": RULE_TEST_FILE,
        "policy.json": SESSION_POLICY,
        "role-policies.json": ROLE_POLICIES,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        name: json.dumps(dialect | _rename(_tidy(adapter.json_schema())), indent=2, ensure_ascii=False) + "\n"
        for name, adapter in adapters.items()
    }


def _tidy(schema: Any) -> Any:
    """Return a part of a schema as a person should meet it: no names of our classes, no ``null`` that nobody writes."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not _is_noise(key, value)}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = tidy["description"].replace("``", "`")
    alternatives = tidy.get("anyOf")
    if isinstance(alternatives, list) and {"type": "null"} in alternatives:
        kept = [each for each in alternatives if each != {"type": "null"}]
        del tidy["anyOf"]
        tidy = (kept[0] if len(kept) == 1 else {"anyOf": kept}) | tidy
    return tidy


def _is_noise(key: str, value: Any) -> bool:
    """Return whether a keyword says nothing to people. Under ``properties``, these keys hold objects."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _rename(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with words in place of the names of our classes, which editors show where they complete."""
    names = {name: _split_words(name) for name in schema.get("$defs", {})}
    text = json.dumps(schema, ensure_ascii=False)
    for name, words in names.items():
        text = text.replace(f'"#/$defs/{name}"', f'"#/$defs/{words}"')
    renamed: dict[str, Any] = json.loads(text)
    if names:
        renamed["$defs"] = {names[name]: definition for name, definition in renamed["$defs"].items()}
    return renamed


def _split_words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower().removesuffix("-entry")
