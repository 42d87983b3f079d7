"""Open the database of the audit log."""

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.tables import metadata
from bridge.database import open_engine


def open_database(url: str | URL) -> Engine:
    """Return an engine for the log; makes its tables where they are missing.

    A connection with the execution option ``read_only`` takes no write lock.

    Args:
        url: ``sqlite:///path`` (its folder is created) or ``postgresql+psycopg://…``.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: when the database cannot be opened.
    """
    engine = open_engine(url)
    try:
        metadata.create_all(engine)
    except SQLAlchemyError:
        engine.dispose()
        raise
    return engine
