"""How a length of time is written, for pages and the command alike."""

import pytest

from bridge.language import speaking, write_length


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 s", "0 秒"),
        (59.9, "59 s", "59 秒"),
        (60, "1 min", "1 分钟"),
        (3599, "59 min", "59 分钟"),
        (3600, "1 h", "1 小时"),
        (5400, "1 h 30 min", "1 小时 30 分钟"),
        (86_399, "23 h 59 min", "23 小时 59 分钟"),
        (86_400, "1 d", "1 天"),
        (183_600, "2 d 3 h", "2 天 3 小时"),
    ],
)
def test_a_length_of_time_is_written_in_whole_minutes_and_from_a_day_on_in_hours(seconds, english, chinese):
    assert write_length(seconds) == english
    with speaking("zh-CN"):
        assert write_length(seconds) == chinese
