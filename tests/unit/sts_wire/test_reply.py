"""The shapes of answers that client libraries depend on."""

import json
from xml.etree import ElementTree as ET

import pytest

from bridge.sts_wire.reply import (
    FAULTS,
    build_fault,
    build_fault_reply,
    build_malformed,
    build_missing,
    build_missing_common,
    build_reply,
)

REQUEST_ID = "6EC81B17-C97D-44A0-9618-69A72BD7A864"
FIELDS = {"AssumedRoleUser": {"Arn": "a&<b>"}, "Credentials": {"AccessKeyId": "STS.x"}}


def test_success_is_json_with_the_request_id_in_body_and_header():
    reply = build_reply("AssumeRole", REQUEST_ID, FIELDS, "JSON")

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json;charset=utf-8"
    assert reply.headers["x-acs-request-id"] == REQUEST_ID
    assert json.loads(reply.body) == {"RequestId": REQUEST_ID, **FIELDS}


def test_success_has_no_code_which_one_client_takes_for_an_error():
    assert "Code" not in json.loads(build_reply("AssumeRole", REQUEST_ID, FIELDS, "JSON").body)


def test_success_as_xml_has_the_actions_root_and_escaped_values():
    reply = build_reply("AssumeRole", REQUEST_ID, FIELDS, "XML")

    root = ET.fromstring(reply.body)
    assert reply.headers["Content-Type"] == "text/xml;charset=utf-8"
    assert root.tag == "AssumeRoleResponse"
    assert root.findtext("RequestId") == REQUEST_ID
    assert root.findtext("AssumedRoleUser/Arn") == "a&<b>"


@pytest.mark.parametrize("form", ["JSON", "XML"])
def test_answers_are_not_to_be_stored(form):
    for reply in (
        build_reply("AssumeRole", REQUEST_ID, FIELDS, form),
        build_fault_reply(build_fault("NoPermission"), REQUEST_ID, "sts.test", form),
    ):
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Pragma"] == "no-cache"


def test_refusal_is_json_with_all_five_members():
    reply = build_fault_reply(build_fault("EntityNotExist.Role"), REQUEST_ID, "sts.test", "JSON")

    body = json.loads(reply.body)
    assert reply.status == 404
    assert body == {
        "RequestId": REQUEST_ID,
        "HostId": "sts.test",
        "Code": "EntityNotExist.Role",
        "Message": "The specified Role does not exist.",
        "Recommend": body["Recommend"],
    }
    assert "EntityNotExist.Role" in body["Recommend"]


def test_refusal_as_xml_has_the_root_error_and_survives_control_characters():
    fault = build_fault("InvalidParameter", "The parameter \x01\ud800]]> is repeated.")

    root = ET.fromstring(build_fault_reply(fault, REQUEST_ID, "sts.test", "XML").body)

    assert root.tag == "Error"
    assert root.findtext("Code") == "InvalidParameter"
    assert root.findtext("Message") == "The parameter \ufffd\ufffd]]> is repeated."


def test_refusal_as_json_survives_a_lone_surrogate():
    fault = build_fault("InvalidParameter", "\ud800")

    assert json.loads(build_fault_reply(fault, REQUEST_ID, "sts.test", "JSON").body)["Message"] == "?"


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_every_code_has_an_error_status_and_a_message(code):
    fault = build_fault(code)

    assert 400 <= fault.status < 600
    assert fault.message.endswith(".")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (build_missing_common("Timestamp"), "MissingTimestamp"),
        (build_missing("SAMLAssertion"), "MissingParameter.SAMLAssertion"),
        (build_malformed("RoleArn"), "InvalidParameter.RoleArn"),
    ],
)
def test_parameter_faults_name_the_parameter(fault, code):
    assert (fault.code, fault.status) == (code, 400)
    assert code.removeprefix("Missing").rpartition(".")[2].removeprefix("Invalid") in fault.message


def test_authentication_failures_are_401():
    assert {FAULTS[code][0] for code in FAULTS if code.startswith("AuthenticationFail.")} == {401}
