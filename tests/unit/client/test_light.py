import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_what_runs_beside_peoples_programs_needs_nothing_of_the_service():
    """Neither its parts nor its libraries, so that the light install stays light and the command starts at once."""
    program = (
        "import sys; import bridge.cli.agent, bridge.cli.credentials; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'__main__'})); "
        "print(sorted(m for m in sys.modules if m.startswith('bridge.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    libraries, parts = map(eval, done.stdout.splitlines())
    assert {name for name in libraries if not name.startswith("_")} <= {"bridge", "click", "sitecustomize"}
    assert {part.split(".")[1] for part in parts} == {"cli", "client"}
