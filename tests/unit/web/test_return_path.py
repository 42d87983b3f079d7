from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.web.return_path import local_path, local_target

SITE = "https://bridge.example.com"


def read_as_a_browser(location):
    """Browsers drop tabs and line breaks from an address and take a backslash for a slash (WHATWG URL 4.4)."""
    cleaned = location.strip("".join(map(chr, range(33)))).translate(dict.fromkeys(map(ord, "\t\r\n")))
    return urljoin(f"{SITE}/sign-in", cleaned.replace("\\", "/"))


@given(st.text(alphabet=st.one_of(st.sampled_from("/\\.:@?#\t\r\n\x00 %e"), st.characters())))
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("https://evil.example")
def test_no_text_leads_a_browser_elsewhere(text):
    for path in (
        local_path(text),
        local_target(text, "bridge.example.com"),
        local_target(SITE + text, urlsplit(SITE).netloc),
    ):
        assert path.startswith("/")
        assert path.isascii()
        assert path.isprintable()
        assert urlsplit(read_as_a_browser(path)).netloc == "bridge.example.com"


@pytest.mark.parametrize("path", ["/", "/x", "/x/y?z=1&u=https://other.example", "/%2f%2fother.example", "/x//y"])
def test_a_path_of_ours_is_kept(path):
    assert local_path(path) == path


def test_an_address_of_ours_becomes_its_path():
    assert local_target("https://bridge.example.com/x/y", "bridge.example.com") == "/x/y"
    assert local_target("http://localhost:8080/x", "localhost:8080") == "/x"
    assert local_target("/x", "bridge.example.com") == "/x"
