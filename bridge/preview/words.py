"""A report in words: the sentences that commands and pages share."""

from bridge.preview.report import Report
from bridge.preview.unjudged import Unjudged


def describe_change(report: Report) -> str:
    """Return for how many people something changes, in one or two sentences."""
    if not report.people:
        return "No sign-in is kept for this time, so nobody can say what would change."
    if not report.changed_people:
        return f"Nothing changes for any of the {describe_people(report.people)} who signed in."
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (report.gain, "gain something"),
            (report.lose, "lose something"),
            (report.other_limits, "keep something with other limits"),
        )
        if number
    ]
    verb = "changes" if report.changed_people == 1 else "change"
    who = f"{report.changed_people:,} of {describe_people(report.people)}"
    return f"{who} {verb} ({report.share:.1%}): {', '.join(parts)}."


def describe_unjudged(unjudged: Unjudged) -> str:
    """Return what a rule reads that was not kept."""
    if not unjudged.claims:
        return "may read any claim"
    return f"reads {', '.join(unjudged.claims)}"


def describe_people(number: int) -> str:
    """Return a number of people in words."""
    return "1 person" if number == 1 else f"{number:,} people"
