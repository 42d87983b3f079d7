"""Credentials that equal requests share never speak for somebody else (threat STS-05)."""

import secrets

import pytest

from tests.attacks.sts.rig import Credentials, code_of

WORKFLOWS = "acme/app/.github/workflows"


@pytest.fixture
def ask(rig):
    """Return what gets credentials for a job of one workflow, under a session name that no other test has."""
    name = secrets.token_hex(8)

    def ask(workflow, **claims):
        token = rig.issuers["github"].token(job_workflow_ref=f"{WORKFLOWS}/{workflow}@refs/heads/main", **claims)
        answer = rig.assume(token, "ReadOnly", RoleSessionName=name)
        assert answer.status_code == 200, answer.text
        issued = answer.json()["Credentials"]
        return Credentials(issued["AccessKeyId"], issued["AccessKeySecret"], issued["SecurityToken"])

    return ask


@pytest.fixture
def chain(rig):
    def chain(credentials):
        asked = {"Action": "AssumeRole", "RoleArn": rig.role("DataScientist"), "RoleSessionName": "next"}
        return rig.post(rig.sign_v1(credentials, **asked))

    return chain


def test_t_sts_05_a_job_with_the_same_subject_gains_nothing_by_another_ones_request(ask, chain):
    lint = ask("lint.yml")
    assert code_of(chain(lint)) == "NoPermission"

    analyse = ask("analyse.yml")

    assert analyse.id != lint.id
    assert chain(analyse).status_code == 200
    assert code_of(chain(lint)) == "NoPermission"


def test_t_sts_05_jobs_that_no_rule_tells_apart_share_and_keep_what_they_may(rig, ask, chain):
    first = ask("analyse.yml", run_id="1")

    second = ask("analyse.yml", run_id="2")

    assert second == first
    assert rig.records("exchange.reused")[-1]["access_key_id"] == first.id
    assert chain(second).status_code == 200
