"""WEB-21: nobody wears the service out alone, and nobody who types is refused."""

from datetime import timedelta

import pytest

from bridge.web import access
from tests.attacks.door import Visitor, begin, draft_response, find_code, post_response, sign_in

PAGE = "https://ecs.console.aliyun.com/server/i-bp1shop/detail?regionId=cn-hangzhou"


def test_t_web_21_who_pastes_faster_than_anybody_types_waits_for_the_next_minute(service, visitor, app):
    sign_in(visitor)
    form = {"csrf_token": csrf_token(visitor), "pasted": PAGE}
    service.clock.moment += timedelta(seconds=-service.clock.moment.second)
    answers = [visitor.post("/find", form).status_code for _ in range(access.FORMS_PER_MINUTE)]
    assert set(answers) == {200}
    refused = visitor.post("/find", form)
    assert (refused.status_code, find_code(refused)) == (429, "web_too_often")
    assert refused.headers["Retry-After"] == "60"
    assert 'href="/find"' in refused.text, "where the form stands, one tries again"
    chinese = visitor.post("/find", form, headers={"Accept-Language": "zh-CN"})
    assert "您在一分钟内" in chinese.text

    other = Visitor(app)
    sign_in(other, "bob@example.com")
    assert other.post("/find", form | {"csrf_token": csrf_token(other)}).status_code == 200
    again = Visitor(app, "198.51.100.9")
    sign_in(again)
    assert again.post("/find", form | {"csrf_token": csrf_token(again)}).status_code == 429, "it is the same person"
    assert visitor.get("/").status_code == 200
    service.clock.moment += timedelta(minutes=1)
    assert visitor.post("/find", form).status_code == 200


def test_t_web_21_a_program_that_calls_without_end_is_told_when_to_come_again(service, visitor, monkeypatch):
    monkeypatch.setitem(access.PER_MINUTE, "api.session", 3)
    service.clock.moment += timedelta(seconds=20 - service.clock.moment.second)
    question = begin(visitor, "corp")
    post_response(visitor, "corp", draft_response("corp", question.request_id).encode(), question.handle)
    assert [visitor.get("/api/v1/session").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = visitor.get("/api/v1/session", headers={"Accept-Language": "zh-CN"})
    assert refused.json["code"] == "web_too_often"
    assert refused.json["message"].startswith("您在一分钟内")
    assert refused.headers["Retry-After"] == "40"
    assert visitor.get("/api/v1/sessions").status_code == 200


@pytest.mark.parametrize("endpoint", sorted(access.PER_MINUTE))
def test_what_is_limited_asks_who_it_is(endpoint):
    assert access.LEVELS[endpoint] != "public"


def csrf_token(visitor):
    page = visitor.get("/find").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]
