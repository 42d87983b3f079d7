"""A report in words: the sentences that commands and pages share."""

from bridge.preview.report import Report
from bridge.preview.unjudged import Unjudged


def describe_share(report: Report) -> str:
    """Return for how many people something changes."""
    if not report.people:
        return "No sign-in is kept for this time, so nobody can say what would change."
    if not report.changed_people:
        return f"Nothing changes for any of the {describe_people(report.people)} who signed in."
    verb = "changes" if report.changed_people == 1 else "change"
    return f"{report.changed_people:,} of {describe_people(report.people)} {verb} ({report.share:.1%})"


def describe_change(report: Report) -> str:
    """Return for how many people something changes, and how, in one sentence."""
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (report.gain, "gain something"),
            (report.lose, "lose something"),
            (report.other_limits, "keep something with other limits"),
        )
        if number
    ]
    return f"{describe_share(report)}: {', '.join(parts)}." if parts else describe_share(report)


def describe_unjudged(unjudged: Unjudged) -> str:
    """Return what a rule reads that was not kept."""
    if not unjudged.claims:
        return "may read any claim"
    return f"reads {', '.join(unjudged.claims)}"


def describe_people(number: int) -> str:
    """Return a number of people in words."""
    return "1 person" if number == 1 else f"{number:,} people"
