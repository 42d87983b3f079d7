"""The pages of administrators, under ``/admin``.

Each group of pages is a class with a blueprint of its own, and renders through ``Administration``, which shows nothing
to anybody else. A new page needs a row in ``bridge.web.access.LEVELS``, and a group of pages a place in the navigation
of ``admin.html``. ``GET`` changes nothing.
"""
