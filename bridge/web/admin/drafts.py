"""What a preview can try: changes that wait, the files in the folder of rules, and what was in force before."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bridge.clock import Clock
from bridge.entitlements.rules import RulesInForce
from bridge.language import phrase
from bridge.preview.drafts import Draft
from bridge.rollout.roll_out import RollOut
from bridge.settings import read_rule_files

FILES = "files"
"""The key of the files; every other draft has its version as key."""
EARLIER = 10
"""How many of the latest changes are looked through for earlier versions."""


def find_drafts(folder: Path, rules: RulesInForce, roll_out: RollOut, clock: Clock) -> tuple[Draft, ...]:
    """Return what there is to try at this moment, each version once, without the one in force.

    Raises:
        RolloutUnavailable: the database does not answer.
    """
    found: dict[str, Draft] = {}
    for draft in _iterate_drafts(folder, rules.current.version, roll_out, clock):
        found.setdefault(draft.key, draft)
    found.pop(rules.current.version, None)
    return tuple(found.values())


def _iterate_drafts(folder: Path, in_force: str, roll_out: RollOut, clock: Clock) -> Iterator[Draft]:
    for request in roll_out.requests.waiting(in_force, clock.now()):
        title = phrase(
            "%(version)s, which %(author)s asked for and nobody has confirmed",
            version=request.version[:12],
            author=request.author.name,
        )
        yield Draft(request.version, title, partial(roll_out.versions.read, request.version))
    yield Draft(FILES, phrase("The files in %(folder)s/", folder=folder.name), partial(read_rule_files, folder))
    for change in roll_out.versions.changes(EARLIER):
        title = phrase(
            "%(version)s, in force from %(time)s UTC",
            version=change.version[:12],
            time=format(change.at, "%Y-%m-%d %H:%M"),
        )
        yield Draft(change.version, title, partial(roll_out.versions.read, change.version))
