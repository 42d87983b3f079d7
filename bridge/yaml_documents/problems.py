"""What is wrong with a file, in words for the person who wrote it: what, where, and what to write instead."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from bridge.errors import Problem
from bridge.yaml_documents.positions import Loc, Positions

_MESSAGES = {
    "model_type": "`name: value` lines are expected here",
    "model_attributes_type": "`name: value` lines are expected here",
    "dict_type": "`name: value` lines are expected here",
    "tuple_type": "a list is expected here",
    "list_type": "a list is expected here",
    "string_type": "text is expected here",
    "int_type": "a whole number is expected here",
    "too_short": "this is empty",
}
_FIXES = {
    "refused": "{fix}",
    "string_type": "Write text; put a number or `true` in quotes.",
    "string_pattern_mismatch": "Write something that matches {pattern} as a whole.",
    "string_too_short": "Write at least {min_length} characters.",
    "string_too_long": "Write at most {max_length} characters.",
    "too_short": "Write at least {min_length}, or remove the key.",
    "too_long": "Write at most {max_length}.",
    "greater_than": "Write a number greater than {gt}.",
    "greater_than_equal": "Write a number of at least {ge}.",
    "less_than": "Write a number smaller than {lt}.",
    "less_than_equal": "Write a number of at most {le}.",
    "literal_error": "Write {expected}.",
    "union_tag_not_found": "Add {discriminator}.",
    "union_tag_invalid": "Write {expected_tags}.",
    "int_parsing": "Write a whole number.",
    "int_type": "Write a whole number, without quotes.",
    "bool_parsing": "Write true or false.",
    "bool_type": "Write true or false.",
    "dict_type": "Write `name: value` lines below it.",
    "model_type": "Write `name: value` lines below it.",
    "model_attributes_type": "Write `name: value` lines below it.",
    "tuple_type": "Write a list: one `- value` line for each.",
    "list_type": "Write a list: one `- value` line for each.",
}


def refusal(message: str, fix: str) -> PydanticCustomError:
    """Return what a validator raises: what is wrong, and what to write instead."""
    return PydanticCustomError("refused", "{message}", {"message": message, "fix": fix})


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems in the order of files and lines, each once."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.column)))


def explain(error: ValidationError, positions: Positions, model: TypeAdapter[Any]) -> Iterator[Problem]:
    """Yield a problem with its place for each thing that pydantic found."""
    details = error.errors(include_url=False, include_input=False)
    faulty = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    for detail in details:
        loc, kind = detail["loc"], detail["type"]
        if kind == "too_short" and loc in faulty:
            continue  # it is not empty: pydantic does not count items that are wrong by themselves
        if kind == "extra_forbidden":
            message = f"`{loc[-1]}` is not known here"
            yield positions.problem(loc, message, _suggest(str(loc[-1]), model, loc), at_key=True)
        elif kind == "missing":
            yield positions.problem(loc[:-1], f"`{loc[-1]}` is missing", f"Add `{loc[-1]}: …`.")
        else:
            yield positions.problem(loc, _describe(detail), _fix(detail))


def _describe(detail: ErrorDetails) -> str:
    named = [step for step in detail["loc"] if isinstance(step, str) and not step.startswith("[")]
    message = _MESSAGES.get(detail["type"]) or detail["msg"][:1].lower() + detail["msg"][1:]
    if detail["type"] == "refused" or not named:
        return message
    return f"`{named[-1]}`: {message}"


def _fix(detail: ErrorDetails) -> str:
    template = _FIXES.get(detail["type"], "Correct it; config/README.md describes every setting.")
    return template.format_map({name: str(value) for name, value in detail.get("ctx", {}).items()})


def _suggest(unknown: str, model: TypeAdapter[Any], loc: Loc) -> str:
    names = _find_names(model._type, loc[:-1])  # noqa: SLF001 - the adapter has no public name for it
    close = difflib.get_close_matches(unknown, names, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Remove it. Known are: {', '.join(sorted(names))}." if names else "Remove it."


def _find_names(kind: Any, loc: Loc) -> set[str]:
    """Return the field names that are allowed at ``loc`` in a value of type ``kind``."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        if not loc:
            return {field.alias or name for name, field in fields.items()}
        if loc[0] in fields:
            return _find_names(fields[str(loc[0])].annotation, loc[1:])
        return _find_names(kind, loc[1:])  # the name of a union member
    if get_origin(kind) is Annotated:
        return _find_names(get_args(kind)[0], loc)
    rest = loc[1:] if loc and isinstance(loc[0], int) else loc
    return set().union(*(_find_names(argument, rest) for argument in get_args(kind)))
