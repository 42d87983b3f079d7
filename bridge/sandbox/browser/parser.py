"""Reading HTML: title, text, links and forms; lenient about everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

from bridge.sandbox.browser.forms import Control, Form


@dataclass(frozen=True)
class Link:
    """One link of a page."""

    text: str
    """The visible text, or the accessible name."""
    url: str
    """Absolute."""


class PageParser(HTMLParser):
    """Collects what a :class:`~bridge.sandbox.browser.page.Page` tells."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.text = ""
        self.forms: list[Form] = []
        self.links: list[Link] = []
        self._url = url
        self._silent = 0
        self._form: Form | None = None
        self._select: Control | None = None
        # What is being collected: where its text began, its accessible name, and what to do at its end.
        self._open: dict[str, tuple[int, str, Callable[[str], None]]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an opening tag."""
        attributes = {name: value or "" for name, value in attrs}
        self.text += " " if tag not in ("a", "b", "strong", "em", "code", "span") else ""
        if tag in ("script", "style", "template", "title"):
            self._silent += 1
        starter = getattr(self, f"_start_{tag}", None)
        if starter is not None:
            starter(attributes)

    def handle_endtag(self, tag: str) -> None:
        """Take a closing tag: what it closes is complete."""
        if tag in ("script", "style", "template", "title"):
            self._silent -= 1
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag in self._open:
            start, name, finish = self._open.pop(tag)
            finish(squeeze(name or self.text[start:]))
        self.text += " " if tag not in ("a", "b", "strong", "em", "code", "span") else ""

    def handle_data(self, data: str) -> None:
        """Take text, if it is not that of a script or style."""
        if self.lasttag == "title" and self._silent:
            self.title += data
        elif not self._silent:
            self.text += data

    def _collect(self, tag: str, attributes: dict[str, str], finish: Callable[[str], None]) -> None:
        self._open[tag] = (len(self.text), attributes.get("aria-label", ""), finish)

    def _start_a(self, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            url = urljoin(self._url, attributes["href"])
            self._collect("a", attributes, lambda text: self.links.append(Link(text, url)))

    def _start_form(self, attributes: dict[str, str]) -> None:
        self._form = Form(
            id=attributes.get("id", ""),
            method=attributes.get("method", "get").upper(),
            action=urljoin(self._url, attributes.get("action") or self._url),
            auto_submit="data-auto-submit" in attributes,
        )
        self.forms.append(self._form)

    def _start_input(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text").lower()
        checkable = kind in ("radio", "checkbox")
        value = attributes.get("value", "on" if checkable else "")
        control = self._add(kind, attributes, value, chosen=not checkable or "checked" in attributes)
        control.text = attributes.get("aria-label", value)

    def _start_button(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "submit").lower()
        control = self._add(kind, attributes, attributes.get("value", ""), chosen=False)
        if "formaction" in attributes:
            control.action = urljoin(self._url, attributes["formaction"])
        self._collect("button", attributes, lambda text: setattr(control, "text", text))

    def _start_textarea(self, attributes: dict[str, str]) -> None:
        control = self._add("textarea", attributes, "", chosen=True)
        self._collect("textarea", {}, lambda text: setattr(control, "value", text))

    def _start_select(self, attributes: dict[str, str]) -> None:
        self._select = self._add("select", attributes, "", chosen=False)

    def _start_option(self, attributes: dict[str, str]) -> None:
        # The first option is chosen until one says that it is.
        if self._select is not None and (not self._select.chosen or "selected" in attributes):
            self._select.value, self._select.chosen = attributes.get("value", ""), True

    def _add(self, kind: str, attributes: dict[str, str], value: str, *, chosen: bool) -> Control:
        chosen = chosen and "disabled" not in attributes and kind not in ("button", "reset")
        control = Control(kind, attributes.get("name", ""), value, chosen)
        owner = self._form
        if "form" in attributes:
            owner = next((form for form in self.forms if form.id == attributes["form"]), None)
        if owner is not None and "disabled" not in attributes:
            owner.controls.append(control)
        return control


def squeeze(text: str) -> str:
    """Return the text with single blanks, and none around it."""
    return " ".join(text.split())
