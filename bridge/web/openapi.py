"""The OpenAPI 3.1 document of API v1, made from the types of its questions and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bridge import __version__
from bridge.web.api_types import ErrorAnswer

_ERRORS = {
    HTTPStatus.BAD_REQUEST: "The request is not as this document says.",
    HTTPStatus.UNAUTHORIZED: "There is no access token, or it opens nothing (RFC 6750).",
    HTTPStatus.FORBIDDEN: "The person may not, or the request does not come from a page of ours.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The address knows no such method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.MISDIRECTED_REQUEST: "This service has another name.",
    HTTPStatus.TOO_MANY_REQUESTS: "The person asks too often. Try again after the seconds in Retry-After.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of ours.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that we need does not answer. Try again.",
}
_OF_EXCHANGES = {HTTPStatus.BAD_GATEWAY: "Alibaba Cloud's token service answered something else than was asked."}
"""What only those answer that ask the token service."""


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked."""

    method: str
    path: str
    """Below ``/api/v1``, with ``{names}``."""
    name: str
    summary: str
    question: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    """None: 204, without a body."""
    exchanges: bool = False


def describe_api(operations: Sequence[Operation], public_url: str) -> dict[str, Any]:
    """Return the document."""
    models: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [(ErrorAnswer, "serialization")]
    for operation in operations:
        if operation.question:
            models.append((operation.question, "validation"))
        if operation.answer:
            models.append((operation.answer, "serialization"))
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rambridge", "version": f"1 ({__version__})"},
        "servers": [{"url": f"{public_url}/api/v1"}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "bearer": {
                    "type": "oauth2",
                    "flows": {
                        "authorizationCode": {
                            "authorizationUrl": f"{public_url}/oauth/authorize",
                            "tokenUrl": f"{public_url}/oauth/token",
                            "scopes": {},
                        }
                    },
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-rambridge",
                    "description": "For our own pages; what changes something needs X-CSRF-Token as well.",
                },
            },
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        done: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        done = {"200": {"description": operation.summary, "content": _refer(operation.answer)}}
    errors = _ERRORS | (_OF_EXCHANGES if operation.exchanges else {})
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": done
        | {str(int(status)): {"description": text, "content": _refer(ErrorAnswer)} for status, text in errors.items()},
    }
    if operation.question:
        described["requestBody"] = {"required": True, "content": _refer(operation.question)}
    if "{id}" in operation.path:
        described["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return described


def _refer(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
