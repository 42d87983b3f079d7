"""What must not decide whether a test passes: the language, terminal, keys and proxy of whoever runs it."""

import os
import re

_DECIDES = re.compile(
    r"RAMBRIDGE_(?!TEST_|BENCHMARK_|STRICT$).*|(ALIBABA|ALIYUN|ALICLOUD).*|LC_.*|LANGUAGE"
    r"|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|BROWSER|XDG_(CONFIG|STATE)_HOME"
)
_PROXY = re.compile(r"(HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
PROXIES: dict[str, str] = {}
"""What installs packages for a test may need them. Some SDKs would ask a proxy for a loopback address too."""


def forget_who_runs_this() -> None:
    """Take that out of this process's environment, from which the programs that a test starts have theirs."""
    PROXIES.update({name: os.environ.pop(name) for name in list(os.environ) if _PROXY.fullmatch(name)})
    for name in filter(_DECIDES.fullmatch, list(os.environ)):
        del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
