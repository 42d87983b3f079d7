"""Weakens one thing at a time in the modules that verify messages, and sees whether a test notices.

``python -m tests.mutation [MODULE …]``, with parts of the modules' paths to run only those. A file with everything
that survived is written; the answer is 1 if something did that ``docs/mutation.md`` does not list.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import pytest

from tests.mutation.run import MutationRun

IDENTITY = Path("bridge/identity")
MODULES = [
    *(
        IDENTITY / "saml" / f"{name}.py"
        for name in (
            "document",
            "elements",
            "signature",
            "decryption",
            "response",
            "conditions",
            "subject",
            "statements",
            "validity",
            "logout_binding",
            "logout",
            "metadata",
        )
    ),
    *(
        IDENTITY / "oidc" / f"{name}.py"
        for name in (
            "id_token",
            "key_set",
            "strict_json",
            "logout_token",
            "userinfo",
            "encrypted_token",
            "groups_endpoint",
        )
    ),
    *(IDENTITY / f"{name}.py" for name in ("sign_in", "replay", "pending", "step_up")),
]
TESTS = {
    "saml": ["tests/unit/identity/saml", "tests/attacks/saml"],
    "oidc": ["tests/unit/identity/oidc", "tests/attacks/oidc"],
    "identity": [
        "tests/unit/identity/test_sign_in.py",
        "tests/unit/identity/test_replay.py",
        "tests/unit/identity/test_pending.py",
        "tests/unit/identity/test_step_up.py",
        "tests/attacks/test_sign_in_binding.py",
    ],
}
"""What is asked about the modules of each folder: the checks alone, where they can be had alone."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="parts of paths: only these modules")
    parser.add_argument("--output", type=Path, default=Path("survivors.txt"), help="where the survivors are written")
    parser.add_argument("--again", type=Path, help="only what survived in an earlier run, which wrote this file")
    parser.add_argument("--workers", type=int, default=1, help="how many mutants are tried at once")
    parser.add_argument(
        "--most", type=int, help="at most so many tests for one mutant: quicker, and some that survive should not"
    )
    chosen = parser.parse_args()
    modules = [path for path in MODULES if not chosen.modules or any(part in str(path) for part in chosen.modules)]
    tests = [test for folder in dict.fromkeys(path.parent.name for path in modules) for test in TESTS[folder]]
    run = MutationRun(modules, Path("docs/mutation.md"), chosen.again, workers=chosen.workers, most=chosen.most)
    started = time.monotonic()
    code = pytest.main(
        ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *filter(os.path.exists, tests)], plugins=[run]
    )
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} or not run.results:
        return 2
    run.report(chosen.output, time.monotonic() - started)
    return 1 if run.unexplained() else 0


if __name__ == "__main__":
    sys.exit(main())
