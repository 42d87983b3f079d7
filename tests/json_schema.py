"""As much of JSON Schema (draft 2020-12) as config/schema/ uses; a keyword that is not known is an error.

What an editor does with these files while somebody types, done by a test. Formats and annotations say nothing here, as
in the standard.
"""

import re

_ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "format", "writeOnly", "discriminator"}
_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def find_faults(value, schema, root=None, path=""):
    """Return what is wrong with a value, each fault with the path of the place."""
    root = root or schema
    faults = []
    for keyword, wanted in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        if keyword not in _CHECKS:
            raise NotImplementedError(keyword)
        faults += _CHECKS[keyword](value, wanted, schema, root, path)
    return faults


def _type(value, wanted, _schema, _root, path):
    if isinstance(wanted, list):
        return (
            [] if any(_type(value, each, _schema, _root, path) == [] for each in wanted) else [f"{path}: no {wanted}"]
        )
    fits = isinstance(value, _TYPES[wanted]) and not (isinstance(value, bool) and wanted in {"integer", "number"})
    return [] if fits else [f"{path}: not {wanted}"]


def _ref(value, wanted, _schema, root, path):
    assert wanted.startswith("#/$defs/")
    return find_faults(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, path)


def _properties(value, wanted, _schema, root, path):
    present = wanted.keys() & value.keys() if isinstance(value, dict) else ()
    return [fault for name in present for fault in find_faults(value[name], wanted[name], root, f"{path}/{name}")]


def _pattern_properties(value, wanted, _schema, root, path):
    return [
        fault
        for name, item in (value.items() if isinstance(value, dict) else ())
        for pattern, each in wanted.items()
        if re.search(pattern, name)
        for fault in find_faults(item, each, root, f"{path}/{name}")
    ]


def _additional(value, wanted, schema, root, path):
    if not isinstance(value, dict):
        return []
    patterns = schema.get("patternProperties", {})
    others = [
        name
        for name in value
        if name not in schema.get("properties", {}) and not any(re.search(pattern, name) for pattern in patterns)
    ]
    if isinstance(wanted, bool):
        return [] if wanted else [f"{path}: {name} is not known" for name in others]
    return [fault for name in others for fault in find_faults(value[name], wanted, root, f"{path}/{name}")]


def _items(value, wanted, _schema, root, path):
    items = enumerate(value) if isinstance(value, list) else ()
    return [fault for number, item in items for fault in find_faults(item, wanted, root, f"{path}/{number}")]


def _required(value, wanted, _schema, _root, path):
    return [f"{path}: {name} is missing" for name in wanted if isinstance(value, dict) and name not in value]


def _any_of(value, wanted, _schema, root, path):
    attempts = [find_faults(value, each, root, path) for each in wanted]
    return [] if [] in attempts else [f"{path}: none of these: {attempts}"]


def _one_of(value, wanted, _schema, root, path):
    attempts = [find_faults(value, each, root, path) for each in wanted]
    return [] if attempts.count([]) == 1 else [f"{path}: not exactly one of these: {attempts}"]


def _all_of(value, wanted, _schema, root, path):
    return [fault for each in wanted for fault in find_faults(value, each, root, path)]


def _bound(kinds, fits):
    def check(value, wanted, _schema, _root, path):
        applies = isinstance(value, kinds) and not isinstance(value, bool)
        return [f"{path}: {value!r} against {wanted!r}"] if applies and not fits(value, wanted) else []

    return check


_CHECKS = {
    "type": _type,
    "$ref": _ref,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "items": _items,
    "required": _required,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
    "enum": lambda value, wanted, _schema, _root, path: [] if value in wanted else [f"{path}: not in {wanted}"],
    "const": lambda value, wanted, _schema, _root, path: [] if value == wanted else [f"{path}: not {wanted}"],
    "pattern": _bound(str, lambda value, wanted: re.search(wanted, value)),
    "minLength": _bound(str, lambda value, wanted: len(value) >= wanted),
    "maxLength": _bound(str, lambda value, wanted: len(value) <= wanted),
    "minItems": _bound(list, lambda value, wanted: len(value) >= wanted),
    "maxItems": _bound(list, lambda value, wanted: len(value) <= wanted),
    "uniqueItems": _bound(list, lambda value, wanted: not wanted or len(set(map(str, value))) == len(value)),
    "minProperties": _bound(dict, lambda value, wanted: len(value) >= wanted),
    "minimum": _bound((int, float), lambda value, wanted: value >= wanted),
    "maximum": _bound((int, float), lambda value, wanted: value <= wanted),
    "exclusiveMinimum": _bound((int, float), lambda value, wanted: value > wanted),
}
