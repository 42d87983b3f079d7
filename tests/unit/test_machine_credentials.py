import subprocess
import sys
from pathlib import Path

from tests.ports import reserve_ports

SCRIPT = """
from bridge.machine_credentials import Client
try:
    Client().get_credential()
except Exception as error:
    print(type(error).__name__)
"""


def test_what_the_sdk_does_not_find_it_raises_and_prints_nowhere(tmp_path):
    (closed,) = reserve_ports(1)
    nowhere = {"HOME": str(tmp_path), "http_proxy": f"http://127.0.0.1:{closed}"}
    command = [sys.executable, "-c", SCRIPT]
    run = subprocess.run(
        command, env=nowhere, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("CredentialException\n", "")
