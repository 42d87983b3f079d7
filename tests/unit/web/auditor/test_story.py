"""The story behind a record is told from several, in the order in which things happened."""

import pytest

from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.story import Related, tell_story
from bridge.web.auditor.strength import describe_methods

WHO = {
    "provider": "acme",
    "issuer": "https://idp.example",
    "subject": "lin.wei",
    "person": "林薇",
    "subject_digest": "ab" * 16,
    "mfa": True,
    "amr": ["pwd", "hwk"],
    "source_address": "203.0.113.7",
}
WHY = {"account": "production", "entitlement": "role Admin", "rule": "10.yaml:admins", "rules_version": "f" * 64}
KEY = {"access_key_id": "STS.ABCDEFGHIJ"}


def record(position, event, reference="AAAA-AAAA-AAAA", **fields):
    time = f"2026-11-29T14:30:{position:02}.000000Z"
    return {"position": position, "event": event, "reference": reference, "time": time, **fields}


SIGN_IN = record(
    1, "sign_in.accepted", **WHO, protocol="saml", authenticated_at="2026-11-29T14:00:01Z", acr="https://refeds.org/mfa"
)
RESOLVED = record(
    2,
    "entitlements.resolved",
    **WHO,
    granted=["role production/Admin"],
    rules=["denies 90.yaml:contractors", "grants 10.yaml:admins"],
    because=["claims employment contractor", "groups admins; networks; strength; when (email)"],
    left_out=3,
)
CHOICE = record(3, "choice.made", "BBBB-BBBB-BBBB", **WHO, **WHY, purpose="credentials")
ISSUED = record(
    4,
    "exchange.issued",
    "BBBB-BBBB-BBBB",
    **WHO,
    **WHY,
    **KEY,
    role_session_name="lin.wei",
    duration_seconds=3600,
    decided_by="rule",
    expires_at="2026-11-29T15:30:04Z",
    sts_request_id="7F3C2A10-1111-2222-3333-ABCDEFABCDEF",
    session_policy_digest="c" * 64,
)
DELIVERED = record(5, "delivery.credentials", "BBBB-BBBB-BBBB", **WHO, **WHY, **KEY)
REUSED = record(
    6, "exchange.reused", "CCCC-CCCC-CCCC", **WHO, **WHY, **KEY, original_reference="BBBB-BBBB-BBBB", expires_at="x"
)
DELIVERED_AGAIN = record(7, "delivery.credentials", "CCCC-CCCC-CCCC", **WHO, **WHY, **KEY)


@pytest.fixture
def tell():
    say = Sentences({"acme": "Acme"}, {"production": "Acme Production"})

    def tell(shown, **related):
        chapters = tell_story(shown, Related(**related), say)
        return {chapter.title: " ".join(map(str, chapter.sentences)) for chapter in chapters}, chapters

    return tell


def test_credentials_have_the_whole_story_and_each_chapter_its_record(tell):
    told, chapters = tell(
        ISSUED,
        same_request=[CHOICE, ISSUED, DELIVERED],
        sign_in=SIGN_IN,
        resolved=RESOLVED,
        same_key=[ISSUED, DELIVERED, REUSED, DELIVERED_AGAIN],
    )
    assert list(told) == [
        "How they authenticated",
        "Which rule decided, and why",
        "What was asked",
        "What limited the duration",
        "What was issued",
        "What became of it",
    ]
    assert [chapter.position for chapter in chapters] == [1, 2, 3, 4, 4, 5]
    assert "a password and a hardware-secured key" in told["How they authenticated"]
    assert "30 minutes after the provider had authenticated them" in told["How they authenticated"]
    why = "groups admins; the network; the strength of the sign-in; an expression on email"
    assert f"because of: {why}" in told["Which rule decided, and why"]
    assert "3 more rules applied" in told["Which rule decided, and why"]
    assert "to get credentials" in told["What was asked"]
    assert "1 hour" in told["What limited the duration"]
    assert "the rule that grants it" in told["What limited the duration"]
    for text in ("STS.ABCDEFGHIJ", "lin.wei", "7F3C2A10", "narrows the role", "15:30:04 UTC"):
        assert text in told["What was issued"]
    assert told["What became of it"].count("was handed") == 2


def test_the_page_of_the_console_that_a_link_led_to_is_told(tell):
    opened = record(4, "delivery.console", "BBBB-BBBB-BBBB", **WHO, **WHY, decided_by="rule", duration_seconds=3600)
    told, _ = tell(opened | {"destination": "ecs.console.aliyun.com/server"}, same_request=[CHOICE, opened])
    assert "A link led to" not in told["What became of it"]
    opened["destination"] = "ecs.console.aliyun.com/server"
    told, _ = tell(opened, same_request=[CHOICE, opened])
    assert "A link led to the page" in told["What became of it"]
    assert "ecs.console.aliyun.com/server" in told["What became of it"]


def test_a_later_release_of_the_same_credentials_leads_back_to_the_first(tell):
    told, _ = tell(
        REUSED,
        same_request=[REUSED, DELIVERED_AGAIN],
        sign_in=SIGN_IN,
        resolved=RESOLVED,
        same_key=[ISSUED, DELIVERED, REUSED, DELIVERED_AGAIN],
    )
    assert "first issued in the request" in told["What was issued"]
    assert "BBBB-BBBB-BBBB" in told["What was issued"]


def test_a_refused_sign_in_says_which_check_failed_and_what_to_do(tell):
    refused = record(
        9,
        "sign_in.refused",
        provider="acme",
        protocol="saml",
        code="saml_expired",
        detail="NotOnOrAfter was 09:00",
        source_address="203.0.113.9",
        checks=[["signature", "pass", "rsa-sha256", "rsa-sha256"], ["audience", "fail", "other", "ours"]],
    )
    told, [chapter] = tell(refused, same_request=[refused])
    assert chapter.failed
    assert [line.outcome for line in chapter.checks] == ["pass", "fail"]
    assert chapter.not_reached > 0
    assert "NotOnOrAfter was 09:00" in told["Why it was refused"]
    assert "What to do:" in told["Why it was refused"]


def test_a_refusal_by_sts_comes_after_what_was_asked(tell):
    failed = record(
        4,
        "exchange.refused",
        "BBBB-BBBB-BBBB",
        **WHO,
        **WHY,
        code="sts_no_permission",
        detail="no",
        sts_code="NoPermission",
    )
    told, chapters = tell(failed, same_request=[CHOICE, failed], sign_in=SIGN_IN, resolved=RESOLVED)
    assert list(told)[-2:] == ["What was asked", "Why it was refused"]
    assert "NoPermission" in told["Why it was refused"]
    assert chapters[-1].failed


def test_a_record_that_is_no_part_of_a_sign_in_tells_what_happened(tell):
    promoted = record(8, "rules.promoted", author="林薇", version="a" * 64, previous="b" * 64, changed=3, people=40)
    told, _ = tell(promoted, same_request=[promoted])
    assert "3 of 40 people" in told["What happened"]
    assert "b" * 12 in told["What happened"]


@pytest.mark.parametrize(
    ("amr", "words"),
    [
        ([], ""),
        (["mfa"], ""),
        (["pwd"], "a password"),
        (["pwd", "otp", "mfa"], "a password and a one-time code"),
        (["pwd", "otp", "fpt"], "a password, a one-time code and a fingerprint"),
        (["acme-badge"], "acme-badge"),
    ],
)
def test_methods_are_told_in_words_and_unknown_ones_as_they_are(amr, words):
    assert describe_methods(amr) == words
