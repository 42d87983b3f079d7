import os
from datetime import timedelta

import pytest

from bridge.sealing import Sealer
from bridge.sessions.habits import HALF_LIFE, LIFETIME, MOST_KEPT, Habits, HabitStore
from bridge.store_connection import connect_store
from tests.live_store import make_identity

PERSON, OTHER = make_identity(), make_identity(subject="li.na@example.com")


@pytest.fixture
def store(redis, clock):
    return HabitStore(redis, Sealer(os.urandom(32)), clock)


def test_favourites_are_kept_in_the_order_in_which_they_were_marked(store):
    for each in ("a", "b", "c", "a"):
        store.mark(PERSON, each, favourite=True)
    store.mark(PERSON, "c", favourite=False)
    assert store.load(PERSON).favourites == ("b", "a")
    assert store.load(OTHER) == Habits()


def test_one_use_now_counts_as_much_as_two_of_a_fortnight_ago(store, clock):
    for _ in range(2):
        store.note_use(PERSON, "old")
    clock.advance(HALF_LIFE.total_seconds())
    store.note_use(PERSON, "new")
    habits = store.load(PERSON)
    assert habits.weigh("old", clock.now()) == pytest.approx(habits.weigh("new", clock.now()))
    store.note_use(PERSON, "new")
    assert store.load(PERSON).list_most_used(clock.now(), 5) == ("new", "old")


def test_a_role_is_remembered_for_links_to_a_place(store):
    store.note_use(PERSON, "a", "acme ecs.console.aliyun.com")
    store.note_use(PERSON, "b", "acme ecs.console.aliyun.com")
    store.note_use(PERSON, "c")
    store.note_use(PERSON, "c", "acme oss.console.aliyun.com")
    assert store.load(PERSON).chosen == {"acme ecs.console.aliyun.com": "b", "acme oss.console.aliyun.com": "c"}
    store.note_use(PERSON, "c", none_for="acme oss.console.aliyun.com")
    assert store.load(PERSON).chosen == {"acme ecs.console.aliyun.com": "b"}


def test_nobody_fills_the_store(store, clock):
    store.note_use(PERSON, "often")
    for number in range(MOST_KEPT + 5):
        clock.advance(1)
        store.mark(PERSON, f"favourite {number}", favourite=True)
        store.note_use(PERSON, f"used {number}", f"place {number}")
        store.note_use(PERSON, "often")
    habits = store.load(PERSON)
    assert {len(habits.favourites), len(habits.uses), len(habits.chosen)} == {MOST_KEPT}
    assert "often" in habits.uses
    assert habits.favourites[-1] == f"favourite {MOST_KEPT + 4}"


def test_what_is_kept_is_sealed_named_by_a_digest_and_goes_by_itself(store, redis):
    store.mark(PERSON, "a-role-id", favourite=True)
    (key,) = redis.keys()
    assert key.startswith(b"rambridge:habits:")
    assert PERSON.subject.encode() not in key
    assert b"a-role-id" not in redis.get(key)
    assert 0 < redis.pttl(key) <= LIFETIME / timedelta(milliseconds=1)


def test_what_does_not_open_is_as_if_it_were_not_there(store, redis, clock):
    store.mark(PERSON, "a", favourite=True)
    strange = HabitStore(redis, Sealer(os.urandom(32)), clock)
    assert strange.load(PERSON) == Habits()
    strange.mark(PERSON, "b", favourite=True)
    assert strange.load(PERSON).favourites == ("b",)


def test_without_a_store_a_use_is_lost_and_nothing_fails(clock, tmp_path):
    gone = connect_store(f"unix://{tmp_path}/no-store")
    HabitStore(gone, Sealer(os.urandom(32)), clock).note_use(PERSON, "a")
