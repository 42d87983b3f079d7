import pytest

from tests.attacks.sts.rig import running_rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory):
    with running_rig(tmp_path_factory.mktemp("sts")) as rig:
        yield rig
