"""The pages of auditors, under ``/audit``.

Each group of pages is a class with a blueprint of its own, and renders through ``Auditing``, which shows nothing to
anybody else. A new page needs a row in ``bridge.web.access.LEVELS``, and a group of pages a place in the navigation of
``audit.html``. Nothing here changes anything but what an auditor saves for themselves; that personal data was looked at
is recorded (docs/decisions/0126).

``sentences`` puts one record into words, ``story`` several that belong together; ``charts`` makes pictures of figures.
"""
