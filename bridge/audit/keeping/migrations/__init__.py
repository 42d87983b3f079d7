"""How an older audit database becomes one of the newest layout: Alembic's versions, in ``versions/``.

Whoever changes a table, a guard or an index of the log adds a version here, raises ``layout.NEWEST``, and writes into
the version before whatever of today's code it called: a version must do for ever what it does today.
"""
