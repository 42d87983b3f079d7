"""What must not decide whether a test passes: the language, terminal, keys and proxy of whoever runs it."""

import os
import re

_DECIDES = re.compile(
    r"RAMBRIDGE_(?!TEST_|BENCHMARK_|STRICT$).*|(ALIBABA|ALIYUN|ALICLOUD).*|LC_.*|LANGUAGE"
    r"|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|BROWSER|XDG_(CONFIG|STATE)_HOME"
)
_LOOPBACK = "localhost,127.0.0.1,::1"


def forget_who_runs_this() -> None:
    """Take that out of this process's environment, from which the programs that a test starts have theirs."""
    for name in filter(_DECIDES.fullmatch, list(os.environ)):
        del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
    for name in ("NO_PROXY", "no_proxy"):  # what installs packages for a test may need the proxy
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
