"""Profiles in the CLI's configuration file, which every SDK reads as well: ours are written, others stay."""

import json
import math
import os
import shlex
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bridge.client.failure import ClientError, clean, name_reason
from bridge.language import translate

BACKUP_SUFFIX = ".before-rambridge"
_KEPT = ("region_id", "output_format", "language", "site", "endpoint_type")
"""What people set themselves in a profile of ours. The rest is written anew: SDKs leave credentials in it."""
_DEFAULTS = {"output_format": "json", "language": "en"}


@dataclass(frozen=True)
class Profile:
    """One profile to be written."""

    name: str
    command: tuple[str, ...]
    """The words of the command that prints credentials; SDKs start it without a shell."""
    region: str = ""
    """The region to set; empty: the one that it has, or else the next."""
    default_region: str = ""


@dataclass(frozen=True)
class Change:
    """What writing would do, or did."""

    path: Path
    added: tuple[str, ...]
    renewed: tuple[str, ...]
    backup: Path | None
    """The file as it was before, where there was one."""


def write_profiles(path: Path, profiles: list[Profile], *, make_default: str = "", replace: bool = False) -> Change:
    """Write profiles into the file, in one step, readable for its owner alone.

    Args:
        path: the file; it need not exist.
        profiles: what to write.
        make_default: the profile that programs take where none is named; a new file needs one, and gets the first.
        replace: take the place of a profile of that name even if it is not one of ours, or asks another service.

    Raises:
        ClientError: the file is not one that the CLI wrote, a name is taken, or the file cannot be written. Nothing was
            changed then.
    """
    path = path.resolve()  # a link stays a link: people keep such files elsewhere
    before = _read_bytes(path)
    content = _parse(path, before) if before is not None else _new()
    existing = content["profiles"]
    places = {profile.get("name"): place for place, profile in enumerate(existing)}
    added, renewed = [], []
    for profile in profiles:
        place = places.get(profile.name)
        old = {} if place is None else existing[place]
        if place is None:
            added.append(profile.name)
            places[profile.name] = len(existing)
            existing.append(_build(profile, old))
            continue
        if not replace and not is_ours(old):
            raise ClientError(
                translate(
                    "%(file)s has a profile '%(name)s' that is not ours (mode %(mode)s). Another name: --profile NAME. "
                    "In its place: --replace",
                    file=path,
                    name=clean(profile.name),
                    mode=clean(old.get("mode")) or "?",
                )
            )
        fresh = _build(profile, old)
        if not replace and find_server(old) != find_server(fresh):
            # What one service calls its accounts and roles must not take the place of another one's.
            raise ClientError(
                translate(
                    "%(file)s has a profile '%(name)s' that asks another service (%(service)s). Another name: "
                    "--profile NAME. In its place: --replace",
                    file=path,
                    name=clean(profile.name),
                    service=clean(find_server(old)),
                )
            )
        renewed.append(profile.name)
        existing[place] = fresh
    if make_default or not content.get("current"):
        content["current"] = make_default or profiles[0].name
    backup = path.with_name(path.name + BACKUP_SUFFIX) if before is not None else None
    try:
        if backup is not None and before is not None and not _has_what_is_theirs(backup, before):
            _write(backup, before)
        if _read_bytes(path) != before:
            raise ClientError(
                translate("%(file)s was changed by another program at this moment. Try again.", file=path)
            )
        _write(path, (json.dumps(content, indent="\t", ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise ClientError(
            translate("%(file)s cannot be written: %(why)s.", file=path, why=name_reason(error))
        ) from error
    return Change(path, tuple(added), tuple(renewed), backup)


def _new() -> dict[str, Any]:
    return {"current": "", "profiles": []}


def find_profiles() -> Path:
    """Return where the CLI and the SDKs look."""
    return Path.home() / ".aliyun" / "config.json"


def is_ours(profile: dict[str, Any]) -> bool:
    """Return whether this command wrote a profile."""
    return bool(find_server(profile))


def find_server(profile: dict[str, Any]) -> str:
    """Return the service that a profile of ours asks; empty: it is none of ours."""
    try:
        words = shlex.split(str(profile.get("process_command", "")))
    except ValueError:
        return ""
    if profile.get("mode") != "External" or "credentials" not in words:
        return ""
    return next((after for word, after in pairwise(words) if word == "--server"), "")


def _build(profile: Profile, old: dict[str, Any]) -> dict[str, Any]:
    kept = {name: old[name] for name in _KEPT if name in old}
    region = {"region_id": profile.region or old.get("region_id") or profile.default_region}
    command = {"name": profile.name, "mode": "External", "process_command": shlex.join(profile.command)}
    return command | _DEFAULTS | kept | region


def _read_bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClientError(translate("%(file)s cannot be read: %(why)s.", file=path, why=name_reason(error))) from error


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(translate("'%(name)s' stands twice", name=clean(min(twice))))
        return dict(pairs)

    try:
        content = json.loads(
            text.decode("utf-8"), object_pairs_hook=unique, parse_constant=_read_float, parse_float=_read_float
        )
        json.dumps(content, ensure_ascii=False).encode()  # what cannot be written again
    except (ValueError, RecursionError) as error:
        raise ClientError(
            translate(
                "%(file)s is not JSON that this command can keep (%(why)s). It was left as it is.", file=path, why=error
            )
        ) from error
    profiles = content.get("profiles") if isinstance(content, dict) else None
    if not isinstance(profiles, list) or not all(isinstance(profile, dict) for profile in profiles):
        raise ClientError(
            translate("%(file)s has no list of profiles, so it is not the CLI's. It was left as it is.", file=path)
        )
    names = [profile.get("name") for profile in profiles]
    if len(names) != len(set(map(str, names))):
        raise ClientError(translate("%(file)s has two profiles of one name. It was left as it is.", file=path))
    return dict(content)


def _has_what_is_theirs(backup: Path, before: bytes) -> bool:
    """Return whether a backup is as good as a new one: writing twice must not push out what was there before us."""
    kept = _read_bytes(backup)
    try:
        return kept is not None and _without_ours(_parse(backup, kept)) == _without_ours(_parse(backup, before))
    except ClientError:
        return False


def _without_ours(content: dict[str, Any]) -> dict[str, Any]:
    return content | {"profiles": [profile for profile in content["profiles"] if not is_ours(profile)]}


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(translate("%(text)s is no number that can be kept", text=text))
    return number


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
