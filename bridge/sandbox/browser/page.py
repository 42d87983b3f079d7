"""What the last navigation ended at: title, text, links and forms."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from bridge.sandbox.browser.forms import Control, Form
from bridge.sandbox.browser.parser import Link, PageParser, squeeze


@dataclass(frozen=True)
class Page:
    """What the last navigation ended at."""

    status: int
    url: str
    headers: Mapping[str, str]
    html: str

    @cached_property
    def _parsed(self) -> PageParser:
        parser = PageParser(self.url)
        parser.feed(self.html)
        parser.close()
        return parser

    @property
    def title(self) -> str:
        """The text of ``title``."""
        return squeeze(self._parsed.title)

    @property
    def forms(self) -> list[Form]:
        """Every form, in the order of the page."""
        return self._parsed.forms

    @property
    def links(self) -> list[Link]:
        """Every link, in the order of the page."""
        return self._parsed.links

    def text(self) -> str:
        """Return what can be read on the page, with single blanks."""
        return squeeze(self._parsed.text)

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.html)

    def find_form(self, which: str | None) -> tuple[Form, Control | None]:
        """Return a form and the button that submits it.

        ``which`` is the text of a button, the ``id`` of a form, or the path of its address; None means the only form.
        Raises LookupError.
        """
        if which is None:
            if len(self.forms) != 1:
                raise LookupError(f"there are {len(self.forms)} forms at {self.url}")
            form = self.forms[0]
            return form, form.buttons[0] if form.buttons else None
        for form in self.forms:
            for button in form.buttons:
                if button.text == which:
                    return form, button
        for form in self.forms:
            if which in (form.id, urlsplit(form.action).path):
                return form, form.buttons[0] if form.buttons else None
        offered = [button.text for form in self.forms for button in form.buttons] + [link.text for link in self.links]
        raise LookupError(f"there is no {which!r} at {self.url} ({self.status}), only {offered}")

    def find_auto_submit_form(self) -> Form:
        """Return the form that the page's script would submit. Raises LookupError."""
        marked = [form for form in self.forms if form.auto_submit]
        messages = [form for form in self.forms if {"SAMLResponse", "SAMLRequest"} & form.fields.keys()]
        hidden = [
            form
            for form in self.forms
            if form.controls and all(control.kind in ("hidden", "submit") for control in form.controls)
        ]
        for candidates in (marked, messages, hidden):
            if len(candidates) == 1:
                return candidates[0]
        raise LookupError(f"no form at {self.url} ({self.status}) submits itself: {self.title}")
