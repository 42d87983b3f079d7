"""One file for each layout, in the order of their numbers; Alembic loads them by their place."""
