"""A report in words: the sentences that commands and pages share."""

from bridge.language import list_texts, translate, translate_number
from bridge.preview.report import Report
from bridge.preview.unjudged import Unjudged


def describe_share(report: Report) -> str:
    """Return for how many people something changes."""
    if not report.people:
        return translate("No sign-in is kept for this time, so nobody can say what would change.")
    people = describe_people(report.people)
    if not report.changed_people:
        return translate("Nothing changes for any of the %(people)s who signed in.", people=people)
    return translate_number(
        "%(changed)s of %(people)s changes (%(share)s)",
        "%(changed)s of %(people)s change (%(share)s)",
        report.changed_people,
        changed=format(report.changed_people, ","),
        people=people,
        share=format(report.share, ".1%"),
    )


def describe_change(report: Report) -> str:
    """Return for how many people something changes, and how, in one sentence for the command, which is English."""
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
        return translate("may read any claim")
    return translate("reads %(claims)s", claims=list_texts(unjudged.claims))


def describe_people(number: int) -> str:
    """Return a number of people in words."""
    return translate_number("%(count)s person", "%(count)s people", number, count=format(number, ","))
