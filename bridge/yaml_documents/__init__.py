"""YAML files as checked data, in which every key and value still knows its line and column.

YAML 1.1 without its traps. Only mappings, lists, text, whole numbers, decimals, ``true``, ``false`` and ``null``
exist: ``NO``, ``on``, ``012``, ``1_000`` and ``2026-01-01`` are text. A key that comes twice would silently replace
the first one, and an alias would let ten lines stand for a billion values, so both are refused, and with them
anchors, merge keys, tags and second documents.

A secret is never written into a file: a ``SecretStr`` field holds ``env:NAME`` or ``file:PATH`` (relative to the
file that says so), and reading replaces the reference by what it points to.
"""

from bridge.yaml_documents.models import Reading, load_document, read_model, salvage
from bridge.yaml_documents.positions import Loc, Mark, Positions
from bridge.yaml_documents.problems import refusal, sort_problems
from bridge.yaml_documents.reader import MAX_BYTES, read_document

__all__ = [
    "MAX_BYTES",
    "Loc",
    "Mark",
    "Positions",
    "Reading",
    "load_document",
    "read_document",
    "read_model",
    "refusal",
    "salvage",
    "sort_problems",
]
