"""What a run found: as a table for a terminal, as Markdown, as JSON."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.attack.run import Outcome, Run
from bridge.attack.threats import ELSEWHERE, IN_WORDS
from bridge.clock import format_utc

MOST_NOT_APPLICABLE = 0.05
"""The share of cases whose twin was not accepted, above which a run has proved too little."""
_LIBRARIES = ("lxml", "xmlsec", "cryptography", "joserfc")


@dataclass(frozen=True)
class Row:
    """What became of the cases of one threat."""

    threat: str
    sends: str
    cases: int
    refused: int
    slowest_milliseconds: float
    verdict: str


@dataclass(frozen=True)
class Report:
    """Everything that a report says."""

    runs: Sequence[Run]
    rules_version: str
    """The digest of the rules that were in force."""
    providers: Mapping[str, str]
    """The digest of each provider's settings, by its name."""
    began_at: datetime
    seconds: float

    @property
    def is_passed(self) -> bool:
        """Whether every provider refused everything, and was asked enough."""
        return bool(self.runs) and all(is_passed(run) for run in self.runs)


def is_passed(run: Run) -> bool:
    """Tell whether everything was refused as it must be, by cases enough that proved something."""
    others = run.count("accepted", "server error", "flawed")
    few = run.count("not applicable") <= MOST_NOT_APPLICABLE * len(run.outcomes)
    return bool(run.outcomes) and not others and few and not run.left_the_machine


def build_rows(run: Run) -> list[Row]:
    """Return one row for each threat, in the order of the catalogue."""
    by_threat: dict[str, list[Outcome]] = {}
    for outcome in run.outcomes:
        by_threat.setdefault(outcome.case.threat, []).append(outcome)
    return [
        Row(
            threat,
            IN_WORDS.get(threat, ""),
            len(outcomes),
            sum(outcome.verdict == "refused" for outcome in outcomes),
            max(outcome.milliseconds for outcome in outcomes),
            _judge(outcomes),
        )
        for threat, outcomes in by_threat.items()
    ]


def _judge(outcomes: Sequence[Outcome]) -> str:
    verdicts = [outcome.verdict for outcome in outcomes]
    for worst in ("accepted", "server error", "flawed"):
        if worst in verdicts:
            return worst.upper()
    without = verdicts.count("not applicable")
    return f"refused; {without} not applicable" if without else "refused"


def summarize(run: Run) -> str:
    """Return the whole run in one sentence."""
    twins = sum(outcome.twin_accepted for outcome in run.outcomes)
    slowest = max((outcome.milliseconds for outcome in run.outcomes), default=0.0)
    flawed, without = run.count("flawed"), run.count("not applicable")
    return (
        f"{len(run.outcomes)} hostile messages, {run.count('accepted')} accepted,"
        f" {run.count('server error')} server errors,"
        + (f" {flawed} refused in a wrong way," if flawed else "")
        + f" slowest {slowest:.0f} ms; {twins} honest twins accepted"
        + (f", {without} cases not applicable" if without else "")
    )


def find_remarks(run: Run) -> Iterator[str]:
    """Yield what a reader has to know beside the table."""
    if run.left_the_machine:
        hosts = ", ".join(sorted(set(run.left_the_machine)))
        yield f"Something wanted to leave this machine, and was stopped: {hosts}."
    without = run.count("not applicable")
    if without > MOST_NOT_APPLICABLE * len(run.outcomes):
        yield f"{without} cases proved nothing, since their twins are not accepted: too many to call it a success."
    for changed, number in _count_changes(run).items():
        yield f"Tried with other settings, which {_count(number)} about: {changed}."
    earlier = sum(bool(outcome.fault) for outcome in run.outcomes if outcome.verdict == "refused")
    if earlier:
        yield f"Under these settings {earlier} of the messages met another check first."
    elsewhere = (f"{threat} ({what})" for threat, what in ELSEWHERE[run.provider.protocol].items())
    yield f"Covered by the test suite alone: {'; '.join(elsewhere)}."


def _count(cases: int) -> str:
    return f"{cases} case is" if cases == 1 else f"{cases} cases are"


def _count_changes(run: Run) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in run.outcomes:
        if outcome.changed:
            name = ", ".join(f"{name}: {_write(value)}" for name, value in outcome.changed.items())
            counts[name] = counts.get(name, 0) + 1
    return counts


def _write(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple | frozenset) else value, ensure_ascii=False)


def find_troubles(run: Run) -> list[Outcome]:
    """Return the outcomes that are no refusals, the worst first."""
    order = ("accepted", "server error", "flawed", "not applicable")
    troubles = [outcome for outcome in run.outcomes if outcome.verdict in order]
    return sorted(troubles, key=lambda outcome: order.index(outcome.verdict))


def format_table(run: Run) -> Iterator[str]:
    """Yield the lines of a table for a terminal."""
    yield f"{'threat':8} {'the attacker sends':48} {'cases':>5} {'refused':>7} {'slowest':>8}  verdict"
    for row in build_rows(run):
        slowest = f"{row.slowest_milliseconds:.0f} ms"
        yield f"{row.threat:8} {row.sends:48} {row.cases:5} {row.refused:7} {slowest:>8}  {row.verdict}"


def write_report(report: Report, path: Path) -> None:
    """Write the report as JSON if the path ends in ``.json``, else as Markdown."""
    text = to_json(report) if path.suffix == ".json" else to_markdown(report)
    path.write_text(text, encoding="utf-8")


def to_json(report: Report) -> str:
    """Return the report for programs."""
    document = {
        "passed": report.is_passed,
        "began_at": format_utc(report.began_at),
        "seconds": round(report.seconds, 1),
        "versions": _versions(),
        "rules_version": report.rules_version,
        "providers": [
            {
                "name": run.provider.name,
                "protocol": run.provider.protocol,
                "settings_digest": report.providers[run.provider.name],
                "passed": is_passed(run),
                "summary": summarize(run),
                "remarks": list(find_remarks(run)),
                "cases": [_describe(outcome) for outcome in run.outcomes],
            }
            for run in report.runs
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _describe(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {
        "threat": outcome.case.threat,
        "case": outcome.case.name,
        "verdict": outcome.verdict,
        "code": outcome.code,
        "milliseconds": round(outcome.milliseconds, 1),
        "twin_accepted": outcome.twin_accepted,
    }
    if outcome.changed:
        described["changed"] = {name: json.loads(_write(value)) for name, value in outcome.changed.items()}
    if outcome.fault:
        described["fault"] = outcome.fault
    return described


def to_markdown(report: Report) -> str:
    """Return the report for people."""
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    lines = [
        "# Attack report",
        "",
        f"{'Passed' if report.is_passed else 'FAILED'}. Begun {format_utc(report.began_at)}, {report.seconds:.0f} s.",
        f"With {versions}. Rules {report.rules_version}.",
    ]
    for run in report.runs:
        lines += ["", f"## {run.provider.name}", "", f"Settings {report.providers[run.provider.name]}.", ""]
        lines += [f"{summarize(run)}.", ""]
        lines += ["| Threat | The attacker sends | Cases | Refused | Slowest | Verdict |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {row.threat} | {row.sends} | {row.cases} | {row.refused} | {row.slowest_milliseconds:.0f} ms"
            f" | {row.verdict} |"
            for row in build_rows(run)
        ]
        lines += [""] + [f"- {_escape(remark)}" for remark in find_remarks(run)]
        lines += ["", "### Each case", "", "| Case | Verdict | Code | Time | Remark |", "|---|---|---|---|---|"]
        lines += [
            f"| {_escape(outcome.case.id)} | {outcome.verdict} | {outcome.code} | {outcome.milliseconds:.0f} ms"
            f" | {_escape(outcome.fault)} |"
            for outcome in run.outcomes
        ]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Return text that is no markup."""
    return "".join(f"\\{letter}" if letter in "|<>*_`[]{}\\" else letter for letter in text)


def _versions() -> dict[str, str]:
    return {
        "rambridge": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }
