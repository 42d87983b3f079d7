"""From the data of one file to a validated model, its secrets resolved."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from bridge.errors import Problem, SettingsError
from bridge.yaml_documents.positions import Loc, Positions
from bridge.yaml_documents.problems import explain
from bridge.yaml_documents.reader import Document, Value, read_document
from bridge.yaml_documents.secrets import resolve_secrets

Model = TypeVar("Model")


@dataclass(frozen=True)
class Reading(Generic[Model]):
    """One file, read as far as it goes."""

    content: Model | None
    """With problems beside it: a part that is good only for finding more of them. None: nothing is usable."""
    document: Document

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return every problem of the file; empty if ``content`` is all of it and right."""
        return self.document.problems


def read_model(
    path: Path, model: TypeAdapter[Model], *, secrets: bool = True, content: bytes | None = None
) -> Reading[Model]:
    """Read one file and validate it; collect every problem instead of raising.

    Its secret references are resolved, or with ``secrets`` false left as they are, for readers that use no secret.
    ``content`` is what the file holds, where that was read already.
    """
    try:
        document = read_document(path, content)
    except SettingsError as error:
        return Reading(None, Document(None, Positions(path, {}, {}), error.problems))
    problems = list(document.problems)
    try:
        validated: Model | None = model.validate_python(document.data)
    except ValidationError as error:
        problems += explain(error, document.positions, model)
        validated = salvage(document.data, model)
    if validated is not None and secrets:
        validated = resolve_secrets(validated, document.positions, (), problems)
    return Reading(validated, replace(document, problems=tuple(problems)))


def load_document(path: Path, model: TypeAdapter[Model], *, secrets: bool = True) -> tuple[Model, Positions]:
    """Read one file, validate it and resolve its secret references, or with ``secrets`` false leave them as they are.

    Raises:
        SettingsError: with every problem of the file.
    """
    reading = read_model(path, model, secrets=secrets)
    if reading.content is None or reading.problems:
        raise SettingsError(reading.problems)
    return reading.content, reading.document.positions


def salvage(data: Value, model: TypeAdapter[Model]) -> Model | None:
    """Return what is left of ``data`` without its faulty optional values, to look for further problems in it.

    None where it cannot be used even so. Never let anything but a search for problems use it.
    """
    data = copy.deepcopy(data)
    for _ in range(2):  # without a faulty value, a fault of the whole may show
        try:
            return model.validate_python(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                _remove(data, detail["loc"])
    return None


def _remove(data: Value, loc: Loc) -> None:
    """Remove the key at ``loc``; steps that are not in the data (names of union members) are passed over."""
    parent: Value = None
    for step in loc:
        if isinstance(data, dict) and step in data:
            parent, key, data = data, str(step), data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
    if isinstance(parent, dict):
        parent.pop(key, None)
