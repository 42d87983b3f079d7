import pytest

from tests.unit.entitlements.factories import Rules


@pytest.fixture
def rules(tmp_path):
    """Compiles rule files from text."""
    return Rules(tmp_path)
