"""DOOR: people with browsers.

This package owns pages, addresses and what protects them: sessions in cookies, cross-site checks, headers, and the
table that turns an error into a page. It decides nothing about identities or entitlements: it asks ``federation``.
"""
