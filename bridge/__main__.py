"""``python -m bridge`` is the command ``rambridge``."""

from bridge.cli.main import main

main(prog_name="rambridge")
