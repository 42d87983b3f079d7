"""Models whose schemas say of each field what the text below it in the source says.

Pydantic can do that too (``use_attribute_docstrings``), but reads all sources again whenever a process starts, and
only schemas want these texts: that was a sixth of the time of each start.
"""

import ast
import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler


class Described(BaseModel):
    """Knows its fields and no others, does not change, and has a schema with descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        """Return the schema, with each field's description."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _read_texts(cls).items():
            property_ = properties.get(cls.model_fields[name].alias or name)
            if property_ is not None:
                property_["description"] = text
        return schema


def _read_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field that has one, by its name in the source."""
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not issubclass(each, Described):
            continue
        [definition] = ast.parse(inspect.getsource(each)).body
        for field, text in pairwise(definition.body):  # type: ignore[attr-defined]
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(written))):
                    texts[name] = inspect.cleandoc(written)
    return {name: text for name, text in texts.items() if name in model.model_fields}
