"""A scripted browser over HTTP: what ``rambridge demo --once`` and tests click with.

It keeps to what Chromium does where federation depends on it: which cookies go along (SameSite, Secure, prefixes),
what ``Origin``, ``Referer`` and ``Sec-Fetch-*`` say, and how redirects change all of that. It runs no script; a page
that submits itself has a form, and :meth:`Browser.auto_submit` does what the script would do.

It differs from Chromium in three ways. A site is scheme and host without a list of public suffixes, so that two hosts
of one domain are two sites. A cookie without SameSite is Lax from its first second. Nothing of a page's
Content-Security-Policy is enforced.
"""

from bridge.sandbox.browser.browser import Browser, Step
from bridge.sandbox.browser.page import Page

__all__ = ["Browser", "Page", "Step"]
