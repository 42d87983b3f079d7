"""Parameters of a request, each at most once (RFC 6749 3.1, 3.2)."""

from flask import request
from werkzeug.datastructures import MultiDict

from bridge.errors import BadParameter

MAX_BODY_BYTES = 16_384
_FORM = "application/x-www-form-urlencoded"


def read_query() -> dict[str, str]:
    """Return the parameters of the query. Raises BadParameter if one comes twice."""
    return _read_once(request.args)


def read_form() -> dict[str, str]:
    """Return the parameters of the posted form. Raises BadParameter for what is no form, or if one comes twice.

    A query beside it is refused: secrets would be in logs (RFC 6749 2.3.1, 3.2).
    """
    request.max_content_length = MAX_BODY_BYTES
    if request.mimetype != _FORM:
        raise BadParameter("the body is not a form")
    if request.args:
        raise BadParameter("parameters in the query")
    return _read_once(request.form)


def _read_once(parameters: MultiDict[str, str]) -> dict[str, str]:
    found = {}
    for name, values in parameters.lists():
        if len(values) > 1:
            raise BadParameter("a parameter came twice")
        found[name] = values[0]
    return found
