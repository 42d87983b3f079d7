"""Where the pages of auditors stand."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode


def find_records(query: Mapping[str, str | int]) -> str:
    """Return the address of the records that a query asks for, as ``Search.to_query`` writes it."""
    return f"/audit/records?{urlencode(query)}" if query else "/audit/records"


def find_export(query: Mapping[str, str]) -> str:
    """Return the address of the file with the records that a query asks for."""
    return f"/audit/records/export?{urlencode(query)}"


def find_record(position: int) -> str:
    """Return the address of one record."""
    return f"/audit/records/{position}"


def find_credentials(name: str) -> str:
    """Return the address of everything about one set of credentials."""
    return f"/audit/trail/credentials/{quote(name)}"


def find_person(subject_digest: str) -> str:
    """Return the address of everything that one person did."""
    return f"/audit/people/{subject_digest}"
