"""What of a Chinese page or sentence was left in English."""

import re

from lxml import html

_RUN = re.compile(r"[A-Za-z][A-Za-z’']*(?:,? [A-Za-z][A-Za-z’']*){2,}")
"""Three words one after the other: names of things are shorter, or are written as code."""
_NOT_OURS = (
    "//code | //*[contains(@class, 'mono')] | //*[contains(@class, 'code')] | //*[@lang='en']"
    " | //select | //textarea | //style | //script"
)


def find_english(text):
    """Return the runs of English words in a text, without what stands between backticks."""
    return _RUN.findall(re.sub(r"`[^`]*`", "`", text))


def find_english_on(page, *, but=()):
    """Return the runs of English words in the main part of a page: not in code, names of rules, and what `but` names.

    What is said in attributes is looked at as well; each piece of text by itself, since names stand side by side.
    """
    main = html.fromstring(page).xpath("//main")[0]
    for element in main.xpath(_NOT_OURS):
        element.drop_tree()
    told = [
        value for name in ("aria-label", "title", "data-label", "data-format") for value in main.xpath(f"//@{name}")
    ]
    texts = [*main.itertext(), *told]
    for known in but:
        texts = [text.replace(known, "") for text in texts]
    return [found for text in texts for found in find_english(text)]


def find_unrecorded(page, *known):
    """Return the runs of English words on a whole page, in its choices and attributes too, that no known text has.

    A command that one types has the words that it has.
    """
    document = html.fromstring(page)
    for element in document.xpath("//code | //pre | //*[contains(@class, 'mono')] | //style | //script"):
        element.drop_tree()
    read = ("aria-label", "title", "placeholder", "alt", "data-label", "data-done", "data-failed")
    texts = [*document.itertext(), *(value for name in read for value in document.xpath(f"//@{name}"))]
    runs = [run for text in texts for run in find_english(" ".join(text.split()))]
    return [run for run in runs if not run.startswith("rambridge ") and not any(run in text for text in known)]
