"""JSON Schemas of every file in ``config/``, so that editors complete and check while one types."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.entitlements.rule_tests import RULE_TEST_FILE
from bridge.entitlements.rules import RULE_FILE, SESSION_POLICY
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
        "provider.json": PROVIDER,
        "account.json": ACCOUNT,
        "workload.json": WORKLOAD,
        "rules.json": RULE_FILE,
        "rule-tests.json": RULE_TEST_FILE,
        "policy.json": SESSION_POLICY,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        name: json.dumps(dialect | adapter.json_schema(), indent=2, ensure_ascii=False) + "\n"
        for name, adapter in adapters.items()
    }
