"""Somebody at a terminal who types ``rambridge …``, with a home folder and a browser of their own.

The command runs as a process, as installed. The browser that it opens is a script that notes the address; the test then
opens it in a browser that is signed in at the identity provider, and clicks.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from tests.installation import ROOT

NOTE_ADDRESS = '#!/bin/sh\necho "$1" >> "{opened}"\n'
LONGEST_SECONDS = 300


class Person:
    """One person, signed in at the identity provider."""

    def __init__(self, installation, home, uid="lin.wei", *, mfa=True, has_browser=True):
        self.url = installation.bridge
        self.home = home
        self.browser = installation.sign_in(uid, mfa=mfa)
        self.opened = home / "opened"
        self.opened.touch()
        opener = home / "open-address"
        opener.write_text(NOTE_ADDRESS.format(opened=self.opened))
        opener.chmod(0o700)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        if has_browser:
            self.environment["BROWSER"] = f"{shlex.quote(str(opener))} %s"

    def start(self, *words, **environment):
        """Start ``rambridge WORDS``."""
        return subprocess.Popen(
            [sys.executable, "-m", "bridge", *words],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )

    def run(self, *words, **environment):
        """Run ``rambridge WORDS``, and return standard output, standard error and exit code."""
        return finish(self.start(*words, **environment))

    def transcript(self, *words, **environment):
        """Run it, and return all that a person reads, with what differs from run to run replaced; and the exit code."""
        done = self.run(*words, **environment)
        return self.normalise(f"$ rambridge {' '.join(words)}\n{done.stdout}{done.stderr}"), done.returncode

    def normalise(self, text):
        """Replace addresses, codes and times."""
        text = text.replace(self.url, "https://access.example.com").replace(str(self.home), "~")
        text = re.sub(r"\?(client_id|user_code)=\S+", "?…", text)
        text = re.sub(r"(reference|参考编号) [A-Z0-9-]+", r"\1 …", text)
        text = re.sub(r"(有效期至|将在) (周. )?\d\d:\d\d", r"\1 17:00", text)
        text = re.sub(r"token-[0-9a-f]{16}", "token-…", text)
        return re.sub(r"until (\w+day )?\d\d:\d\d", "until 17:00", text)

    def wait_for_window(self, process, number=1):
        """Return the address that the command opened in the browser as the n-th."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            opened = self.opened.read_text().splitlines()
            if len(opened) >= number:
                return opened[number - 1]
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        raise AssertionError("no browser was opened")

    def allow(self, address):
        """Open the address in the browser and allow what it asks; the browser ends at the command's own page."""
        self.browser.open(address)
        self.browser.submit("/oauth/allow")
        return self.browser.page

    def login(self, *words):
        """Sign in by the browser of this machine."""
        windows = len(self.opened.read_text().splitlines())
        process = self.start("login", "--server", self.url, *words)
        self.allow(self.wait_for_window(process, windows + 1))
        return finish(process)

    @property
    def state(self) -> Path:
        """Return where tokens are."""
        return self.home / ".local/state/rambridge"

    @property
    def token_file(self) -> Path:
        """Return the file with the tokens."""
        [path] = self.state.glob("token-*.json")
        return path


def finish(process):
    """Wait for a process, and return what came of it."""
    with process:
        try:
            out, err = process.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # otherwise leaving the block waits for it for ever
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
