"""The checks of a recorded refusal, for people: each with its title, and those that were not reached any more."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.oidc.workload_token import WorkloadTrace
from bridge.identity.recorded_words import read_recorded
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.trace import Row
from bridge.language import translate

_ROWS: Mapping[str, tuple[Row, ...]] = {
    "saml": SAMLTrace.rows,
    "oidc": OIDCTrace.rows,
    "workload": WorkloadTrace.rows,
}


class Line(NamedTuple):
    """One check."""

    name: str
    title: str
    outcome: str
    """``pass``, ``fail`` or ``not reached``."""
    measured: str
    allowed: str


def explain_checks(protocol: str, checks: Sequence[Sequence[str]]) -> tuple[Line, ...]:
    """Return the lines of a trace, from the ``protocol`` and ``checks`` of the record of a refused sign-in.

    They are in the language that is spoken, as far as their words are ours.
    A record stays readable after checks have been renamed: then the name stands in for the title.
    """
    rows = _ROWS.get(protocol, ())
    names = [row.name for row in rows]
    titles = {row.name: translate(row.title) for row in rows}
    made = [Line(name, titles.get(name, name), outcome, *map(read_recorded, words)) for name, outcome, *words in checks]
    if not made or made[-1].name not in names:
        return tuple(made)
    rest = rows[names.index(made[-1].name) + 1 :]
    return (*made, *(Line(row.name, titles[row.name], "not reached", "", "") for row in rest))
