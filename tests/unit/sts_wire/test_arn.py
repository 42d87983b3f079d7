"""Which texts are names of RAM resources; everything almost right is not."""

import pytest

from bridge.sts_wire.arn import ARN, build_caller_arn, build_role_session_arn, parse_arn

ACCOUNT = "1234567890123456"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("role", "dev-role"),
        ("role", "a" * 64),
        ("role", "DevRole_1.2"),
        ("user", "alice"),
        ("saml-provider", "rambridge"),
        ("oidc-provider", "o" * 128),
    ],
)
def test_name_of_each_kind_is_read_and_written_back(kind, name):
    text = f"acs:ram::{ACCOUNT}:{kind}/{name}"

    arn = parse_arn(text, kind)

    assert arn == ARN(ACCOUNT, kind, name)
    assert str(arn) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/", id="no name"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/{'a' * 65}", id="name too long"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/*", id="wildcard name"),
        pytest.param("acs:ram::*:role/dev", id="wildcard account"),
        pytest.param(f"acs:ram::{ACCOUNT}:user/dev", id="user"),
        pytest.param(f"acs:ram::{ACCOUNT}:root", id="root"),
        pytest.param(f"aws:iam::{ACCOUNT}:role/dev", id="another cloud's"),
        pytest.param(f"arn:acs:ram::{ACCOUNT}:role/dev", id="prefix"),
        pytest.param(f"acs:ram:cn-hangzhou:{ACCOUNT}:role/dev", id="region"),
        pytest.param(f"acs:sts::{ACCOUNT}:role/dev", id="another service"),
        pytest.param(f"ACS:ram::{ACCOUNT}:role/dev", id="case of the partition"),
        pytest.param(f"acs:ram::{ACCOUNT}:Role/dev", id="case of the kind"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/../user/dev", id="traversal"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/dev\n", id="final newline"),
        pytest.param(f" acs:ram::{ACCOUNT}:role/dev", id="blank before"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/dev,acs:ram::{ACCOUNT}:role/b", id="list"),
        pytest.param("acs:ram::\uff11\uff12\uff13\uff14\uff15\uff16:role/dev", id="full-width digits"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/dév", id="not ASCII"),
        pytest.param("acs:ram:::role/dev", id="no account"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/dev/session", id="session"),
        pytest.param(f"acs:ram::{ACCOUNT}:role/dev\0", id="NUL"),
    ],
)
def test_anything_else_is_not_the_name_of_a_role(text):
    with pytest.raises(ValueError, match="not the ARN of a role"):
        parse_arn(text, "role")


def test_role_session_has_one_name_in_answers_and_another_as_caller():
    role = ARN(ACCOUNT, "role", "dev")

    assert build_role_session_arn(role, "alice") == f"acs:ram::{ACCOUNT}:role/dev/alice"
    assert build_caller_arn(role, "alice") == f"acs:ram::{ACCOUNT}:assumed-role/dev/alice"
