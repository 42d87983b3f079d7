"""Everything that an operator can set, read once, checked as a whole, then frozen.

::

    config/
    ├── bridge.yaml      this service: service.py
    ├── providers/       one file for each identity provider: identity/providers.py
    ├── accounts/        one file for each Alibaba Cloud account: exchange/accounts.py
    ├── rules/           who may become what: entitlements/rules.py
    │   └── tests/       what must come of whose claims: entitlements/rule_tests/
    └── schema/          JSON Schemas of these files for editors: schemas.py

One reading (configuration.py) finds every problem of every file, those between files too (checks.py), and for
``rambridge check`` what is unwise about rules that are valid (review/). Nothing is ever used in part: either all of it
is good, or none of it takes effect. Reading changes nothing and needs no network.
"""

from bridge.settings.configuration import (
    Configuration,
    check_configuration,
    compile_rule_files,
    load_configuration,
)
from bridge.settings.finding_kinds import FINDING_KINDS
from bridge.settings.rule_files import list_rule_files, read_rule_files
from bridge.settings.rule_tests import run_rule_tests
from bridge.settings.schemas import build_schemas, write_schemas
from bridge.settings.service import Settings, load_settings

__all__ = [
    "FINDING_KINDS",
    "Configuration",
    "Settings",
    "build_schemas",
    "check_configuration",
    "compile_rule_files",
    "list_rule_files",
    "load_configuration",
    "load_settings",
    "read_rule_files",
    "run_rule_tests",
    "write_schemas",
]
