"""Runs the tests against each mutant, in a child that the mutant cannot outlive.

The tests are collected once, and each is run once with a note of the lines that it runs. Then each mutant gets a fork
of this process. There the module's own code objects are exchanged for the mutant's, so that every ``from … import``
that was done before sees the change, and the tests that run the changed line are run until one fails.
"""

import ast
import contextlib
import gc
import inspect
import os
import pickle
import re
import signal
import sys
import threading
import types
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.mutants import Mutant, find_functions, find_mutants, find_uses

SECONDS_FOR_ONE_TEST = 10
"""Of the processor. On a busy machine, a test may take ten times as long by the clock."""
_ALIKE = 2
KILLED, SURVIVED, TIMED_OUT, UNTESTED = "killed", "survived", "timed out", "no test"
_MUTANT_NOTICED, _ALL_PASSED = 10, 11
_IN_A_CHILD = "tests/attacks/test_"
"""The tests at the door start threads, which a fork would lose: they never run in the parent."""


class MutationRun:
    """A pytest plugin in place of its loop over the tests."""

    def __init__(
        self, modules: list[Path], explained: Path, again: Path | None, *, workers: int, most: int | None
    ) -> None:
        self.modules = modules
        self.results: list[tuple[Mutant, str]] = []
        self._explanations = explained.read_text(encoding="utf-8") if explained.exists() else ""
        self._again = _read_names(again) if again else None
        self._workers = workers
        self._most = most
        self._failed = False
        self._items: list[pytest.Item] = []
        self._lines: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._uses: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self._functions: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self._last: dict[int, tuple[str, int]] = {}
        self._ways: dict[int, frozenset[tuple[str, int]]] = {}
        self._killers: dict[str, Counter[int]] = defaultdict(Counter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        session.config.pluginmanager.unregister(name="terminalreporter")  # else each mutant's failure is told
        # What a search by chance finds today, it may not find tomorrow.
        self._items = [item for item in session.items if not getattr(item.obj, "is_hypothesis_test", False)]
        self._observe()
        for path in self.modules:
            file = str(path.resolve())
            for name, lines in find_functions(path):
                self._functions[name] |= {(file, line) for line in lines}
            for name, found in find_uses(ast.parse(path.read_text(encoding="utf-8")))[0].items():
                self._uses[name] |= {(file, line) for line in found}
        mutants = [mutant for path in self.modules for mutant in find_mutants(path)]
        mutants.sort(key=lambda mutant: mutant.names != frozenset())  # tables and patterns come last
        if self._again is not None:
            mutants = [mutant for mutant in mutants if mutant.is_named_in(self._again)]
        ways = len(set(self._ways.values()))
        print(f"\n{len(self._items)} tests pass; {len(self._ways)} run the modules, in {ways} ways")
        print(f"{len(mutants)} mutants", flush=True)
        gc.collect()
        gc.freeze()
        self._share(mutants)
        return True

    def _share(self, mutants: list[Mutant]) -> None:
        """Let each worker take every so manieth mutant, and gather what they say."""
        reading, writing = os.pipe()
        workers = []
        for first in range(self._workers):
            worker = os.fork()
            if worker == 0:
                os.close(reading)
                for number in range(first, len(mutants), self._workers):
                    os.write(writing, f"{number} {self._try(mutants[number])}\n".encode())
                os._exit(0)
            workers.append(worker)
        os.close(writing)
        outcomes: dict[int, str] = {}
        with os.fdopen(reading) as pipe:
            for line in pipe:
                number, _, outcome = line.rstrip().partition(" ")
                outcomes[int(number)] = outcome
                if outcome != KILLED:
                    print(f"{len(outcomes)}/{len(mutants)} {outcome}: {mutants[int(number)].name}", flush=True)
        for worker in workers:
            os.waitpid(worker, 0)
        self.results = [(mutant, outcomes[number]) for number, mutant in enumerate(mutants)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> bool | None:
        self._failed = self._failed or report.failed
        return None

    def unexplained(self) -> list[Mutant]:
        """Return what survived and is not listed, with its reason, in the document."""
        return [
            mutant
            for mutant, outcome in self.results
            if outcome in {SURVIVED, UNTESTED} and f"`{escape(mutant.change)}`" not in self._explanations
        ]

    def report(self, output: Path, seconds: float) -> None:
        """Print the score by module, and write what survived."""
        survivors = []
        for path in self.modules:
            outcomes = Counter(outcome for mutant, outcome in self.results if mutant.path == path)
            caught = outcomes[KILLED] + outcomes[TIMED_OUT]
            print(f"| {path.name} | {outcomes.total()} | {caught} | {outcomes.total() - caught} |")
            survivors += [
                f"{outcome}: {mutant.name}"
                for mutant, outcome in self.results
                if mutant.path == path and outcome in {SURVIVED, UNTESTED}
            ]
        total = len(self.results)
        caught = total - len(survivors)
        print(f"{caught} of {total} mutants noticed, {caught / total:.1%}, in {seconds / 60:.0f} minutes")
        print(f"{len(self.unexplained())} survivors have no reason in the document; all stand in {output}")
        output.write_text("".join(f"{line}\n" for line in survivors), encoding="utf-8")

    def _observe(self) -> None:
        """Run every test once, and note which lines of the modules each one runs."""
        at_the_door = [number for number, item in enumerate(self._items) if item.nodeid.startswith(_IN_A_CHILD)]
        rest = [number for number in range(len(self._items)) if number not in set(at_the_door)]
        self._run_observed(rest)
        if at_the_door:
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reading)
                self._lines.clear()
                self._run_observed(at_the_door)
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump((dict(self._lines), self._last), pipe)
                os._exit(0)
            os.close(writing)
            with os.fdopen(reading, "rb") as pipe:
                lines, last = pickle.load(pipe)
            self._last |= last
            os.waitpid(child, 0)
            for place, numbers in lines.items():
                self._lines[place] |= numbers
        ways: dict[int, set[tuple[str, int]]] = defaultdict(set)
        for place, numbers in self._lines.items():
            for number in numbers:
                ways[number].add(place)
        self._ways = {number: frozenset(places) for number, places in ways.items()}

    def _run_observed(self, numbers: list[int]) -> None:
        files = {str(path.resolve()) for path in self.modules}
        current = -1

        def trace(frame: types.FrameType, event: str, _: Any) -> Any:
            if frame.f_code.co_filename not in files:
                return None
            place = (frame.f_code.co_filename, frame.f_lineno)
            self._lines[place].add(current)
            if event == "line":
                self._last[current] = place
            return trace

        for position, number in enumerate(numbers):
            current = number
            following = self._items[numbers[position + 1]] if position + 1 < len(numbers) else None
            sys.settrace(trace)
            threading.settrace(trace)
            try:
                self._run_one(self._items[number], following)
            finally:
                sys.settrace(None)
                threading.settrace(None)
            if self._failed:
                pytest.exit(f"{self._items[number].nodeid} fails without any mutant", returncode=3)

    def _run_one(self, item: pytest.Item, following: pytest.Item | None) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _try(self, mutant: Mutant) -> str:
        tests = self._choose(mutant)
        if not tests:
            return UNTESTED
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._attack(mutant, tests, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return TIMED_OUT if os.WTERMSIG(status) in {signal.SIGALRM, signal.SIGPROF} else KILLED
        if os.WEXITSTATUS(status) == _ALL_PASSED:
            return SURVIVED
        if said.isdigit():
            self._killers[f"{mutant.path}:{mutant.scope}"][int(said)] += 1
        return KILLED

    def _choose(self, mutant: Mutant) -> list[int]:
        """Return the tests that could notice: those that run a line of the statement, or one that uses what it defines.

        First come those whose message goes no further than a function that the statement calls, then those that
        noticed something else in the function, then the module's own and those whose message goes no further than this
        function, then those that run the fewest lines. Of others that run exactly the same lines, all but two come
        last.
        """
        file = str(mutant.path.resolve())
        places = {(file, line) for line in (*mutant.lines, *mutant.used_at)}
        places.update(*(self._uses[name] for name in mutant.names))
        found = set().union(*(self._lines.get(place, set()) for place in places))
        if not found and mutant.names:
            found = set().union(*(numbers for (where, _), numbers in self._lines.items() if where == file))
        killers = self._killers[f"{mutant.path}:{mutant.scope}"]
        called = set().union(*(self._functions[name] for name in mutant.calls))
        here = {(file, line) for line in mutant.block}
        ends_in_called = {number for number in found if self._last.get(number) in called}
        near = ends_in_called | {
            number
            for number in found
            if self._last.get(number) in here or self._items[number].path.name.startswith(f"test_{mutant.path.stem}")
        }

        def rank(number: int) -> tuple[bool, int, bool, int, int]:
            return (
                number not in ends_in_called,
                -killers[number],
                number not in near,
                len(self._ways[number]),
                number,
            )

        ways: Counter[frozenset[tuple[str, int]]] = Counter()
        first, later = [], []
        for number in sorted(found, key=rank):
            ways[self._ways[number]] += 1
            likely = killers[number] or number in near or ways[self._ways[number]] <= _ALIKE
            (first if likely else later).append(number)
        return [*first, *later][: self._most]

    def _attack(self, mutant: Mutant, tests: list[int], writing: int) -> None:
        """Run the tests against the mutant, and end this process with the answer."""
        code = _MUTANT_NOTICED
        try:
            _limit_time()
            exchange(mutant)
            for position, number in enumerate(tests):
                _limit_time()
                following = self._items[tests[position + 1]] if position + 1 < len(tests) else None
                self._run_one(self._items[number], following)
                if self._failed:
                    os.write(writing, str(number).encode())
                    break
            else:
                code = _ALL_PASSED
            _limit_time()
            self._items[0].session._setupstate.teardown_exact(None)
        except BaseException:  # noqa: BLE001  a mutant may raise anything
            code = _MUTANT_NOTICED
        os._exit(code)


def _read_names(survivors: Path) -> frozenset[str]:
    """Return paths and changes from the file that an earlier run wrote."""
    lines = survivors.read_text(encoding="utf-8").splitlines()
    return frozenset(re.sub(r"^[^:]*: ([^:]*):\d+ ", r"\1 ", line) for line in lines)


def _limit_time() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_FOR_ONE_TEST)
    signal.alarm(10 * SECONDS_FOR_ONE_TEST)


def exchange(mutant: Mutant) -> None:
    """Make the mutant of a loaded module what everybody has who imported from it."""
    module = sys.modules[".".join(mutant.path.with_suffix("").parts)]
    before = dict(vars(module))
    exec(mutant.compile(), vars(module))
    after = dict(vars(module))
    for name, old in before.items():
        new = after.get(name)
        if getattr(old, "__module__", None) != module.__name__ and not _is_constant(name, old, new):
            continue
        if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
            _exchange_function(old, new)
            setattr(module, name, old)
        elif isinstance(old, type) and isinstance(new, type):
            _exchange_class(old, new)
            setattr(module, name, old)
        elif old is not new:
            _exchange_constant(name, old, new)


def _is_constant(name: str, old: object, new: object) -> bool:
    return not name.startswith("__") and old is not new and not isinstance(old, type | types.FunctionType)


def _exchange_function(old: types.FunctionType, new: types.FunctionType) -> None:
    old, new = inspect.unwrap(old), inspect.unwrap(new)  # a decorator's own code is the same before and after
    if old.__code__.co_freevars == new.__code__.co_freevars:
        old.__code__ = new.__code__
        old.__defaults__ = new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__


def _exchange_class(old: type, new: type) -> None:
    for name, member in vars(new).items():
        present = vars(old).get(name)
        if isinstance(member, types.FunctionType) and isinstance(present, types.FunctionType):
            if member.__closure__:  # what a dataclass generates holds its defaults there
                setattr(old, name, member)
            else:
                _exchange_function(present, member)
        elif isinstance(member, property) and isinstance(present, property):
            _exchange_function(present.fget, member.fget)
        elif name in getattr(old, "__annotations__", {}):
            with contextlib.suppress(AttributeError, TypeError):
                setattr(old, name, member)


def _exchange_constant(name: str, old: object, new: object) -> None:
    for other in list(sys.modules.values()):
        namespace = getattr(other, "__dict__", None)
        if namespace and getattr(other, "__name__", "").startswith("bridge.") and namespace.get(name) is old:
            namespace[name] = new


def escape(change: str) -> str:
    """Write a change as it stands in a table of the document."""
    return change.replace("|", "\\|").replace("`", "'")
