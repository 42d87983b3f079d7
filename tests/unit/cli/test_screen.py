import re
import time

import click
import segno

from bridge.attack.scripted_server import wait_until
from bridge.cli.screen import Screen, draw_qr_code
from bridge.language import speaking

ADDRESS = "https://access.example.com/device?user_code=BCDF-GHJK"
DARK = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def test_the_qr_code_in_the_terminal_is_the_addresss():
    lines = [click.unstyle(line)[2:] for line in draw_qr_code(ADDRESS).splitlines()]
    rows = [[DARK[block][half] for block in line] for line in lines for half in (0, 1)]
    drawn = [list(map(int, row)) for row in segno.make(ADDRESS, error="l", micro=False).matrix_iter(border=2)]
    assert rows[: len(drawn)] == drawn
    assert len(lines[0]) <= 80


def test_progress_is_for_people_and_leaves_no_half_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Screen() as screen:
        screen.report("Asking")
        assert wait_until(lambda: screen._shown)
        screen.say("done")
    shown = capsys.readouterr().err
    assert re.search(r"Asking … [1-9]\d* s", shown)
    assert shown.endswith("done\n")


def test_progress_is_in_the_language_of_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with speaking("zh-CN"), Screen() as screen:
        screen.report("等待")
        assert wait_until(lambda: screen._shown)
    assert re.search(r"等待… [1-9]\d* 秒", capsys.readouterr().err)


def test_a_log_gets_no_progress(capsys):
    with Screen() as screen:
        screen.report("Asking")
        time.sleep(1.3)
    assert capsys.readouterr() == ("", "")
