"""What a person's browser does at an identity provider, up to the moment when it would turn to the bridge."""

from urllib.parse import parse_qsl, urljoin, urlsplit

import lxml.html
import requests

TIMEOUT_SECONDS = 60
MOST_REDIRECTS = 10


class ScriptedBrowser:
    """Keeps cookies, follows redirects, fills in forms; stops where a request would go to ``bridge_url``.

    ``handed_over`` is then what that request carries: the query of a redirect, or the fields of a posted form.
    """

    def __init__(self, bridge_url: str) -> None:
        self._bridge_url = bridge_url
        self._session = requests.Session()
        self._page: requests.Response | None = None
        self.handed_over: dict[str, str] | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._session.close()

    @property
    def text(self) -> str:
        """Return the page that the person sees."""
        return self._page.text

    def open(self, url: str) -> None:
        """Show the page at ``url``, wherever it leads."""
        self._show(self._session.get(url, allow_redirects=False, timeout=TIMEOUT_SECONDS))

    def post(self, url: str, fields: dict[str, str]) -> None:
        """Send a form that another site has filled in."""
        self._show(self._session.post(url, fields, allow_redirects=False, timeout=TIMEOUT_SECONDS))

    def submit(self, **fields: str) -> None:
        """Fill in the form that has these fields, and send it with its hidden ones."""
        form = next(form for form in self._forms() if fields.keys() <= set(form.fields.keys()))
        form.fields.update(fields)
        self.post(urljoin(self._page.url, form.action or ""), dict(form.form_values()))

    def _show(self, response: requests.Response) -> None:
        for _ in range(MOST_REDIRECTS):
            if not response.is_redirect:
                break
            target = urljoin(response.url, response.headers["Location"])
            if target.startswith(self._bridge_url):
                self.handed_over = dict(parse_qsl(urlsplit(target).query))
                return
            response = self._session.get(target, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        self._page = response
        for form in self._forms():
            if (form.action or "").startswith(self._bridge_url):
                self.handed_over = dict(form.form_values())

    def _forms(self) -> list[lxml.html.FormElement]:
        return lxml.html.fromstring(self._page.content).forms if self._page.content else []
