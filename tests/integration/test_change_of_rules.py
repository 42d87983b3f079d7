"""Two nodes on one Redis and one PostgreSQL change their rules while people sign in: nobody notices, and both obey.

The nodes stand behind one address, as machines behind a load balancer do. What is promoted comes from a third
configuration, as a build server's would.
"""

import itertools
import shutil
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest
import requests
from click.testing import CliRunner

from bridge import embedded_store
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.rollout.nodes import Nodes
from bridge.rollout.starting import open_tables
from bridge.rollout.versions import Versions
from bridge.sandbox.servers import run_sandbox
from bridge.settings import load_settings
from tests.installation import BridgeProcess, prepare
from tests.new_database import new_postgresql_database
from tests.ports import reserve_ports

LONGEST_SECONDS = 120
WORKERS = 2
PEOPLE = 3


class BothNodes:
    """One address; each connection goes to the next node."""

    def __init__(self, port, nodes):
        self._nodes = nodes
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client, number), daemon=True).start()
            number += 1

    def _connect(self, client, number):
        address = ("127.0.0.1", self._nodes[number % len(self._nodes)])
        with suppress(OSError), client, socket.create_connection(address) as node:
            back = threading.Thread(target=self._pass_on, args=(node, client), daemon=True)
            back.start()
            self._pass_on(client, node)
            back.join()

    def _pass_on(self, source, target):
        try:
            while content := source.recv(65_536):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for the next connection
        self._listener.close()


class SignIns:
    """People who sign in again and again until the block ends; what went wrong is in ``failures``."""

    def __init__(self, installation):
        self._installation = installation
        self._stop = threading.Event()
        self.failures = []
        self.count = 0
        self._threads = [threading.Thread(target=self._go_on) for _ in range(PEOPLE)]

    def _go_on(self):
        while not self._stop.wait(0.1):
            try:
                browser = self._installation.sign_in()
                if browser.page.url != f"{self._installation.bridge}/" or "acme-production" not in browser.page.html:
                    self.failures.append(browser.page.html)
                self.count += 1
            except Exception as error:  # noqa: BLE001  whatever it is, somebody could not sign in
                self.failures.append(repr(error))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Company:
    """What an administrator has at hand."""

    def __init__(self, installation, ports):
        self.installation = installation
        self.ports = ports
        self.draft = installation.folder / "build-server"
        self.tables = open_tables(load_settings(installation.config))
        self.versions = Versions(self.tables)

    def begin_anew(self):
        """Have a draft that is as the first version; return the position of the newest record."""
        shutil.rmtree(self.draft, ignore_errors=True)
        shutil.copytree(self.installation.config, self.draft)
        return len(self.installation.records()) - 1

    def rewrite(self, file, old, new):
        path = self.draft / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def rules(self, *arguments):
        return CliRunner().invoke(main, ["--config", str(self.draft), "rules", *arguments])

    def promote(self, *arguments):
        """Promote the draft; the tests for mappings beside it are about the rules that we ship."""
        return self.rules("promote", "--without-tests", *arguments)

    def nodes(self):
        return Nodes(self.tables).list(SystemClock().now())

    def wait_for_nodes(self, is_so):
        """Return when every process of both nodes says so."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while not (len(nodes := self.nodes()) == WORKERS * len(self.ports) and all(map(is_so, nodes))):
            assert time.monotonic() < deadline, nodes
            time.sleep(0.05)

    def granted(self, port, cookies):
        """Ask one node what a signed-in person may become; several times, for each of its processes decides alone."""
        answers = [
            requests.get(
                f"http://127.0.0.1:{port}/api/v1/session",
                headers={"Host": self.installation.bridge.removeprefix("http://"), "Cookie": cookies},
                timeout=60,
            ).json()["entitlements"]
            for _ in range(3)
        ]
        [names] = {tuple(sorted(each["name"] for each in answer)) for answer in answers}
        return names


@pytest.fixture(scope="module")
def company(tmp_path_factory, postgresql_url):
    installation = prepare(tmp_path_factory.mktemp("change-of-rules"))
    bridge = installation.config / "bridge.yaml"
    secret = installation.folder / "database.secret"
    secret.write_text(postgresql_url.password or "the server asks for none")
    secret.chmod(0o600)
    written = bridge.read_text()
    shutil.rmtree(installation.config / "rules" / "tests")  # they are about the rules that these tests change
    ports = reserve_ports(2)
    with new_postgresql_database(postgresql_url) as database, ExitStack() as stack:
        url = database._replace(password=None).render_as_string()
        settings = written.replace("audit: sqlite:///../var/audit.db", f"audit: {url}\naudit_password: file:{secret}")
        bridge.write_text(f"{settings}\nrules:\n  rollout: promote\n")
        stack.enter_context(run_sandbox(installation.config, installation.folder / "certs" / "sandbox"))
        stack.callback(embedded_store.stop, installation.store_folder)
        for port in ports:
            stack.enter_context(BridgeProcess(installation, listen=f"127.0.0.1:{port}"))
        balancer = BothNodes(int(installation.bridge.rpartition(":")[2]), ports)
        stack.callback(balancer.close)
        company = Company(installation, ports)
        stack.callback(company.tables.close)
        yield company


def rules_events(events):
    return [event for event in events if event.startswith("rules.")]


def test_two_nodes_under_load_change_to_each_new_version_and_nobody_fails_to_sign_in(company):
    last = company.begin_anew()
    browser = company.installation.sign_in()
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies if "rambridge" in cookie.name)
    first = company.versions.latest().version
    roles = ["PlatformAdmin", "DatabaseOperator", "FinanceAuditor"]
    with SignIns(company.installation) as people:
        for old, new in itertools.pairwise(roles):
            company.rewrite("rules/10-platform.yaml", f"role: {old}", f"role: {new}")
            done = company.promote("--message", f"{old} becomes {new}", "--author", "ci@acme.example")
            assert done.exit_code == 0, done.output
            promoted = company.versions.latest().version
            company.wait_for_nodes(lambda node, promoted=promoted: node.version == promoted and not node.fault)
            for port in company.ports:
                assert new in company.granted(port, cookies)
                assert old not in company.granted(port, cookies)
        assert company.rules("rollback", first[:7]).exit_code == 0
        company.wait_for_nodes(lambda node: node.version == first)
        for port in company.ports:
            assert "PlatformAdmin" in company.granted(port, cookies)
    assert people.failures == []
    assert people.count >= PEOPLE
    events = [record["event"] for record in company.installation.records(last)]
    assert "sign_in.refused" not in events
    assert rules_events(events) == ["rules.promoted", "rules.promoted", "rules.rolled_back"]
    events = [record["event"] for record in company.installation.records()]
    assert rules_events(events)[0] == "rules.files_taken"
    assert events.count("rules.files_taken") == 1, "by the process that was the first"


def test_a_version_that_no_node_can_load_changes_nothing_and_each_says_so(company):
    """The build server knows an account that the nodes' configuration lacks."""
    last = company.begin_anew()
    before = company.versions.latest().version
    company.wait_for_nodes(lambda node: node.version == before)
    account = (company.draft / "accounts" / "acme-sandbox.yaml").read_text()
    (company.draft / "accounts" / "acme-lab.yaml").write_text(
        account.replace("name: acme-sandbox", "name: acme-lab").replace('id: "', 'id: "9')
    )
    company.rewrite("rules/20-departments.yaml", "account: acme-sandbox", "account: acme-lab")
    with SignIns(company.installation) as people:
        assert company.promote().exit_code == 0
        broken = company.versions.latest().version
        company.wait_for_nodes(lambda node: node.version == before and node.wanted == broken)
        for node in company.nodes():
            assert "acme-lab" in node.fault
        for port in company.ports:
            answer = requests.get(
                f"http://127.0.0.1:{port}/health/ready",
                headers={"Host": company.installation.bridge.removeprefix("http://")},
                timeout=60,
            )
            assert answer.status_code == 200
            assert answer.json()["rules"] == {"state": "settings_invalid", "version": before}
        listed = company.rules("list").output
        assert listed.count(f"and cannot load {broken[:12]}") == WORKERS * len(company.ports)
        assert company.rules("rollback", "previous").exit_code == 0
        company.wait_for_nodes(lambda node: node.version == before and not node.fault)
    assert people.failures == []
    records = [record for record in company.installation.records(last) if record["event"] == "rules.not_loaded"]
    assert len(records) == WORKERS * len(company.ports)
    assert {record["kept"] for record in records} == {before}


def test_a_draft_with_an_error_is_refused_before_any_node_hears_of_it(company):
    last = company.begin_anew()
    before = company.versions.latest()
    (company.draft / "rules" / "90-draft.yaml").write_text("rules:\n- nonsense\n")
    done = company.promote()
    assert done.exit_code == 1
    assert "90-draft.yaml:2:3" in done.output
    assert company.versions.latest() == before
    events = [record["event"] for record in company.installation.records(last)]
    assert rules_events(events) == ["rules.refused"]
