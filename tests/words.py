"""Keep the catalogues: find each message in the code, keep what is translated, compile. ``python -m tests.words``."""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bridge.advice import read_advice
from bridge.language import ENGLISH, LANGUAGES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bridge" / "words"
VERIFIER = "audit/proof/verifier/verify_bundle.py"
"""Goes out alone, without the catalogues."""
_WITH_MARKUP = {"translate_markup": None, "translate_number_markup": (1, 2)}
WAYS = [
    ("jinja2", "**/templates/**.html", {"_": None, "number": (1, 2)}),
    (
        "python",
        "**.py",
        {"translate": None, "phrase": None, "mark": None, "translate_number": (1, 2)} | _WITH_MARKUP,
    ),
]


class _Timeless(Catalog):
    """A catalogue that says neither when nor by what it was made."""

    @property
    def mime_headers(self):
        plural = f"nplurals={self.num_plurals}; plural={self.plural_expr};"
        return [("Content-Type", "text/plain; charset=utf-8"), ("Plural-Forms", plural)]


def find_messages():
    """Return the messages of code and templates: texts, or pairs of texts where a number decides."""
    found = {}
    for method, files, keywords in WAYS:
        methods = [(VERIFIER, "ignore"), (files, method)]
        for _, _, message, comments, _ in extract_from_dir(
            str(ROOT / "bridge"), methods, keywords=keywords, comment_tags=("For translators:",)
        ):
            found.setdefault(message, comments)
    for advice in read_advice().values():  # docs/errors.md is shown as well
        found |= {text: [] for text in advice if text not in found}
    return found


def read_catalogue(language):
    """Return a language's catalogue as it is kept."""
    path = FOLDER / f"{language}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language.replace("-", "_"), charset="utf-8")


def renew(catalogue):
    """Return a catalogue of today's messages in their order, with what was translated."""
    new = Catalog(locale=catalogue.locale, fuzzy=False, charset="utf-8")
    for message, comments in sorted(find_messages().items(), key=lambda item: str(item[0])):
        kept = catalogue.get(message[0] if isinstance(message, tuple) else message)
        same = kept is not None and isinstance(kept.id, tuple) == isinstance(message, tuple)
        new.add(message, kept.string if same else None, auto_comments=comments)
    return new


def write(catalogue):
    """Return a catalogue as text for people, with nothing in it that differs from machine to machine."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, no_location=True, omit_header=True, width=120)
    plural = f"nplurals={catalogue.num_plurals}; plural={catalogue.plural_expr};"
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n' + f'"Plural-Forms: {plural}\\n"\n\n'
    return head + buffer.getvalue().decode().strip() + "\n"


def texts_of(message):
    """Return a message's translations: one, or one for each form of the plural."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def find_missing(catalogue):
    """Return the messages without a translation."""
    return [message for message in catalogue if message.id and not all(texts_of(message))]


def compile_catalogue(catalogue):
    """Return what the service reads."""
    same = _Timeless(locale=catalogue.locale, charset="utf-8")
    for message in catalogue:
        if message.id:
            same.add(message.id, message.string)
    buffer = io.BytesIO()
    write_mo(buffer, same)
    return buffer.getvalue()


def main():
    """Renew and compile each catalogue; say what has no translation."""
    missing = 0
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        catalogue = renew(read_catalogue(language))
        (FOLDER / f"{language}.po").write_text(write(catalogue), encoding="utf-8")
        (FOLDER / f"{language}.mo").write_bytes(compile_catalogue(catalogue))
        left = find_missing(catalogue)
        missing += len(left)
        print(f"{language}: {len(catalogue)} messages, {len(left)} without a translation")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
