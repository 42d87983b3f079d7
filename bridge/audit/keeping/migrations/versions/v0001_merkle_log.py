"""The log as writers' chains under one tree of hashes."""

from alembic import op

from bridge.audit.keeping.layout import create

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything. What it calls becomes this version's own when the layout changes."""
    create(op.get_bind())
