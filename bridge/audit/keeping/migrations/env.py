"""What Alembic runs: versions on the connection that it was given."""

from alembic import context

from bridge.audit.keeping.layout import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True
)
context.run_migrations()
