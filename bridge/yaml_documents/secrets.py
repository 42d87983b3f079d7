"""Secret references: ``env:NAME`` and ``file:PATH``."""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticCustomError

from bridge.errors import Problem
from bridge.yaml_documents.positions import Loc, Positions
from bridge.yaml_documents.problems import refusal

MAX_SECRET_BYTES = 65_536

Model = TypeVar("Model")


def resolve_secrets(loaded: Model, positions: Positions, loc: Loc, problems: list[Problem]) -> Model:
    """Return ``loaded`` with every secret reference replaced by the secret."""
    if not isinstance(loaded, BaseModel):
        return loaded
    resolved: dict[str, Any] = {}
    for name in type(loaded).model_fields:
        value = getattr(loaded, name)
        if isinstance(value, SecretStr):
            try:
                resolved[name] = SecretStr(_read_secret(value.get_secret_value(), positions.file.parent))
            except PydanticCustomError as error:
                context = error.context or {}
                fix = str(context.get("fix"))
                problems.append(positions.problem((*loc, name), f"`{name}`: {error}", fix, kind="secret"))
        elif isinstance(value, BaseModel):
            resolved[name] = resolve_secrets(value, positions, (*loc, name), problems)
        elif isinstance(value, tuple) and any(isinstance(each, BaseModel) for each in value):
            resolved[name] = tuple(
                resolve_secrets(each, positions, (*loc, name, number), problems) for number, each in enumerate(value)
            )
    return loaded.model_copy(update=resolved)


def _read_secret(reference: str, folder: Path) -> str:
    """Return the secret behind ``env:NAME`` or ``file:PATH``, without the newline that ends a file."""
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        secret = os.environ.get(place, "")
        if not secret:
            raise refusal(f"the environment variable {place} is not set", f"Set {place} before starting.")
        return secret
    if kind != "file" or not place:
        raise refusal(
            "a secret must not stand in this file",
            "Write `env:NAME` or `file:PATH`; whoever could read this file should get a new secret.",
        )
    try:
        with (folder / place).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        secret = content.decode("utf-8").replace("\r\n", "\n").removesuffix("\n")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with NUL
        raise refusal(
            f"the file {place} cannot be read",
            "Create it, or correct the path, which is relative to the file that names it.",
        ) from error
    if len(content) > MAX_SECRET_BYTES:
        raise refusal(f"the file {place} is larger than {MAX_SECRET_BYTES} bytes", "Put only the secret into it.")
    if not secret:
        raise refusal(f"the file {place} is empty", "Put the secret into it, and nothing else.")
    return secret
