"""Trying the rows of the hostile-token corpus at the checks alone."""

import time

import pytest

from bridge.attack.oidc.corpus import TokenCase
from bridge.attack.oidc.tokens import expected
from bridge.errors import IdentityError
from bridge.identity.oidc.id_token import verify_id_token


def corpus(*tables):
    """Parametrize a test with all rows, named by threat and fault."""
    rows = [case for table in tables for case in table]
    assert len({str(case) for case in rows}) == len(rows), "two rows have the same name"
    return pytest.mark.parametrize("case", rows, ids=str)


def assert_refused_unlike_its_twin(case: TokenCase) -> None:
    """The twin is accepted; the row gets exactly its error, within a second, and a detail fit for a log."""
    twin_settings = case.settings if case.twin_settings is None else case.twin_settings
    assert verify_id_token(case.twin(), expected(**twin_settings)).subject == "ada"
    token, question = case.token(), expected(**case.settings)
    started = time.thread_time()
    with pytest.raises(IdentityError) as refused:
        verify_id_token(token, question)
    assert time.thread_time() - started < 1
    assert type(refused.value) is case.error, refused.value.detail
    assert len(refused.value.detail) < 200
