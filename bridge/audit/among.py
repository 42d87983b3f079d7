"""The condition that a column is one of very many values."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Integer, Text, any_, bindparam, func, literal, select


def among(column: ColumnElement[Any], values: Collection[str] | Collection[int], dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column is one of many values, as one parameter however many there are."""
    if dialect == "sqlite":
        listed = func.json_each(bindparam(None, json.dumps(list(values)))).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(literal(list(values), ARRAY(BigInteger if isinstance(column.type, Integer) else Text)))
