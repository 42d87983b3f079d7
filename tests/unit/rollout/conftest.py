"""A roll-out on a real database, with a clock that stands and people that are counted."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import create_engine, text

from bridge.audit.database import open_database
from bridge.database import open_engine
from bridge.entitlements.rules import RuleFiles, RulesInForce
from bridge.rollout.announcement import NoAnnouncement
from bridge.rollout.author import Author
from bridge.rollout.change import Change
from bridge.rollout.follower import Follower
from bridge.rollout.nodes import Nodes
from bridge.rollout.roll_out import RollOut
from bridge.rollout.tables import Tables
from bridge.settings import compile_rule_files, load_configuration, read_rule_files
from tests.audit_log import open_log
from tests.unit.configurations import RULES, write_configuration

ALICE = Author.of_command("Alice <alice@acme.example>")
BOB = Author.of_command("bob")


class Clock:
    def __init__(self):
        self.moment = datetime(2026, 11, 29, 12, tzinfo=UTC)

    def now(self):
        return self.moment

    def advance(self, **much):
        self.moment += timedelta(**much)


class Told(NoAnnouncement):
    """What Redis would be told, and would say."""

    def __init__(self):
        self.value = None

    def tell(self, change):
        self.value = f"{change.number}".encode()
        return True

    def read(self):
        return self.value


@dataclass
class World:
    """An installation without a service, and what a test does with it."""

    configuration: object
    url: object
    audit_engine: object
    clock: Clock = field(default_factory=Clock)
    told: Told = field(default_factory=Told)
    change: object = Change(0, 100)
    """How much each change changes; None if nobody knows."""

    def __post_init__(self):
        self.engine = open_engine(self.url)
        self.tables = Tables(self.engine)
        self.log = open_log(self.audit_engine, self.clock)
        self.audit = self.log.build_log()

    @property
    def folder(self):
        return self.configuration.folder / "rules"

    def roll_out(self, share=None, configuration=None):
        return RollOut(
            self.tables,
            self.audit,
            self.clock,
            self.told,
            partial(compile_rule_files, configuration or self.configuration),
            max_changed_share=share,
            measure=(lambda _before, _after: self.change) if self.change else None,
        )

    def follower(self, mode="files", share=None, configuration=None):
        configuration = configuration or self.configuration
        settings = configuration.settings
        rules = settings.rules.model_copy(update={"rollout": mode, "max_changed_share": share})
        configuration = replace(configuration, settings=settings.model_copy(update={"rules": rules}))
        in_force = RulesInForce(configuration.rules)
        follower = Follower(
            configuration=configuration,
            rules=in_force,
            roll_out=self.roll_out(share, configuration),
            nodes=Nodes(self.tables),
            announcement=self.told,
            audit=self.audit,
            clock=self.clock,
            compile_files=partial(compile_rule_files, configuration),
        )
        follower.begin()
        return follower, in_force

    def files(self, role="Admin", **more):
        texts = {"10-platform.yaml": RULES.replace("role: Admin", f"role: {role}").encode()} | more
        return RuleFiles(self.folder, texts)

    def write(self, role):
        (self.folder / "10-platform.yaml").write_bytes(self.files(role).texts["10-platform.yaml"])
        return read_rule_files(self.folder).version

    def records(self):
        return [record for record in self.log.reader.last(1000) if record["event"].startswith("rules.")]

    def events(self):
        return [record["event"].removeprefix("rules.") for record in self.records()]


@pytest.fixture(params=["sqlite"])
def world(request, tmp_path):
    folder = write_configuration(tmp_path / "config")
    configuration = load_configuration(folder, secrets=False)
    audit_engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    url, drop = f"sqlite:///{tmp_path}/bridge.db", lambda: None
    if request.param == "postgresql":
        server, name = request.getfixturevalue("postgresql_url"), f"rollout_{uuid.uuid4().hex}"
        administration = create_engine(server, isolation_level="AUTOCOMMIT")
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = server.set(database=name)

        def drop():
            with administration.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name}"))
            administration.dispose()

    world = World(configuration, url, audit_engine)
    yield world
    world.tables.close()
    audit_engine.dispose()
    drop()


on_both_databases = pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
