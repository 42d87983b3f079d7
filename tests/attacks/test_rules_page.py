"""The page of rules: what an administrator reads of the rules in force and their use, and nobody else."""

import re
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from bridge.attack.scripted_server import wait_until
from bridge.database import open_engine
from bridge.entitlements.rules import RuleFiles
from bridge.rollout.starting import open_tables
from bridge.rollout.versions import InForce, add_change
from bridge.settings.configuration import compile_rule_files
from bridge.settings.service import RulesSettings
from tests.attacks.door import Visitor, find_code, sign_in
from tests.attacks.test_providers_page import ADMINISTRATORS

RULES = """rules:
- name: used
  groups: [platform, "<b>bold</b>"]
  grant: [{account: production, role: ReadOnly, duration_seconds: 5400}]
- name: picky
  provider: corp
  claims: {department: [Data, Research]}
  when: claims.level > 3
  require: {amr: [hwk], max_age_seconds: 900}
  grant: [{account: sandbox, user: "${ claims.uid }", terminal_role: Shell}]
"""
MORE = """rules:
- {name: nobody, everyone: true, deny: [{account: production, role: Root}, {account: sandbox}]}
- {name: all, everyone: true, grant: [{account: sandbox, role: Guest}]}
"""

NARROW = """rules:
- name: narrow
  groups: [Partners]
  not_groups: [interns]
  ignore_case: true
  networks: [10.0.0.0/8, "2001:db8::/32"]
  hours: {days: [mon, fri], from: "08:00", to: "18:00", time_zone: Asia/Shanghai}
  expires: 2127-03-31
  owner: cloud-team
  reason: Project Kiwi
  grant: [{account: sandbox, role: Guest}]
"""


@pytest.fixture
def start(service, tmp_path):
    """Return a function that starts a node with these rule files, else the service's, and a database of its own."""

    def start(*, keep_days=30, **texts):
        files = RuleFiles(tmp_path, {f"{name}.yaml": text.encode() for name, text in texts.items()})
        settings = service.configuration.settings.model_copy(
            update={"data_folder": tmp_path / "data", "rules": RulesSettings(keep_days=keep_days)}
        )
        rules = compile_rule_files(service.configuration, files) if texts else service.configuration.rules
        return service.start(settings=settings, rules=rules, administrators=ADMINISTRATORS), settings

    return start


@pytest.fixture
def look(start, service):
    """Return a function that starts a node, signs an administrator in and returns how to read the page's words."""

    def look(**options):
        visitor = Visitor(start(**options)[0])
        sign_in(visitor)
        return lambda query="": read_words(visitor, query)

    return look


def read_words(visitor, query=""):
    page = visitor.get(f"/admin/rules{query}")
    assert page.status_code == 200, page.text
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split())


@pytest.mark.usefixtures("no_failures")
def test_an_administrator_reads_the_rules_by_file_in_plain_words(look):
    words = look(first=RULES, second=MORE)()
    assert "4 rules in 2 files" in words
    assert words.index("first.yaml 2 rules") < words.index("used line 2") < words.index("second.yaml 2 rules")
    assert "is in the group &lt;b&gt;bold&lt;/b&gt; or platform" in words, "escaped, and in one order"
    assert "role ReadOnly in Production, for 90 minutes" in words
    assert "signs in at Corp and has as department Data or Research and meets claims.level &gt; 3" in words
    assert "and signed in by hwk and signed in at most 15 minutes ago" in words
    assert "user ${ claims.uid } in Sandbox, for 1 hour; in a terminal as role Shell" in words
    assert "everybody for whom a provider vouches denied role Root in Production everything in Sandbox" in words


@pytest.mark.usefixtures("no_failures")
def test_what_narrows_a_rule_and_who_answers_for_it_is_said(look):
    words = look(narrow=NARROW)("?text=kiwi")
    assert "Owner: cloud-team Reason: Project Kiwi Last day: 2127-03-31" in words
    assert "is in the group partners , in capitals or not and is not in the group interns , in capitals or not" in words
    assert "and comes from 10.0.0.0/8 or 2001:db8::/32" in words
    assert "and comes on mon, fri from 08:00 to 18:00, Asia/Shanghai time" in words


def test_what_was_used_at_sign_ins_says_by_how_many_people_and_the_rest_is_marked(start, service):
    node, _ = start(first=RULES, second=MORE)
    visitor = Visitor(node)
    sign_in(Visitor(node), subject="ada")
    sign_in(visitor, subject="grace")

    def is_counted():
        time.sleep(0.2)
        service.clock.advance(61)
        return "2 people" in read_words(visitor)

    assert wait_until(is_counted)
    words = read_words(visitor)
    assert re.search(r"used line 2 .*? 2 people picky", words)
    assert re.search(r"picky line 5 .*? not used second.yaml", words)
    assert re.search(r"nobody line 2 .*? 2 people", words), "a rule that denies is used as well"
    assert "Unused only (1)" in words
    assert "The oldest that is kept" in words
    unused = read_words(visitor, "?unused=1")
    assert "picky" in unused
    assert "ReadOnly" not in unused


QUERIES = {
    "?text=READONLY": {"used"},
    "?text=sandbox+everyone": set(),
    "?text=research+corp": {"picky"},
    "?text=%3Cb%3E": {"used"},
    "?text=%22%27+%26%3C/script%3E%C3%A4%00": set(),
    "?file=second.yaml": {"nobody", "all"},
    "?file=second.yaml&text=guest": {"all"},
    "?file=none": set(),
    "?page=99999999999999999999": {"used", "picky", "nobody", "all"},
    "?page=-1": {"used", "picky", "nobody", "all"},
    "?page=x": {"used", "picky", "nobody", "all"},
}


@pytest.mark.usefixtures("no_failures")
def test_words_and_a_file_leave_the_others_out(look):
    read = look(first=RULES, second=MORE)
    for query, names in QUERIES.items():
        words = read(query)
        assert set(re.findall(r"(\w+) line \d", words)) == names, query
        assert ("No rule is like this" in words) == (not names), query


def test_many_rules_come_in_pages_that_keep_the_filter(start):
    rule = "- {{name: r{0}, groups: [g{0}], grant: [{{account: sandbox, role: R{0}}}]}}"
    rules = [rule.format(number) for number in range(600)]
    texts = {"f0": "\n".join(["rules:", *rules[:300]]), "f1": "\n".join(["rules:", *rules[300:]])}
    visitor = Visitor(start(**texts)[0])
    sign_in(visitor)
    seen, address = [], "/admin/rules?text=sandbox&page=1"
    while address:
        page = visitor.get(address).text
        seen += re.findall(r">(r\d+)</span>", page)
        following = re.search(r'href="([^"]*)">Next<', page)
        address = following and following[1].replace("&amp;", "&")
        assert address is None or "text=sandbox" in address
    assert seen == [f"r{number}" for number in range(600)]


def test_without_kept_sign_ins_the_page_says_so_and_marks_nothing(look):
    words = look(first=RULES, keep_days=0)()
    assert "Sign-ins are not kept" in words
    assert "not used" not in words


def test_a_database_that_does_not_answer_takes_nothing_but_the_use(service, start):
    node, settings = start()
    with closing(open_tables(settings)) as tables, tables.writing() as connection:
        change = InForce(
            1, service.configuration.rules.version, None, "files", service.clock.now(), "files", "", "", 1, 0
        )
        add_change(connection, change)
    visitor = Visitor(node)
    sign_in(visitor)
    assert wait_until(lambda: "Use at sign-ins" in read_words(visitor))
    assert "in force since 20" in read_words(visitor)
    other = Visitor(start()[0])
    sign_in(other)
    engine = open_engine(settings.database_url())
    with engine.begin() as connection:
        for table in ("history_rule_uses", "rule_changes"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_away"))
    engine.dispose()
    words = read_words(other)
    assert "in force since" not in words
    assert "Use is not known The database of kept sign-ins does not answer" in words
    assert "ReadOnly" in words
    assert "not used" not in words


def test_nobody_else_sees_the_rules(service, start):
    visitor = Visitor(start(first=RULES)[0])
    sign_in(visitor, groups=("finance",))
    answer = visitor.get("/admin/rules")
    assert (answer.status_code, find_code(answer)) == (403, "web_forbidden")
    assert "ReadOnly" not in answer.text
