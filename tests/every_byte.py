"""Every byte of a database's files, and a search in them."""

import base64
from pathlib import Path

from sqlalchemy import text


def read_files(engine, *, with_wal):
    """Return every byte of the database's files."""
    if engine.dialect.name == "sqlite":
        files = list(Path(engine.url.database).parent.iterdir())
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
            connection.execute(text("CHECKPOINT"))
            folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            database = connection.execute(text(query)).scalar_one()
        files = [*(folder / "base" / str(database)).iterdir(), *(folder / "global").iterdir()]
        files += (folder / "pg_wal").iterdir() if with_wal else []
    return b"".join(file.read_bytes() for file in files if file.is_file())


def find(needle, haystack):
    """Tell whether bytes stand there, as they are, in base64 of any alignment, or in hexadecimal."""
    forms = [needle, needle.hex().encode()]
    forms += [base64.b64encode(bytes(shift) + needle)[4 if shift else 0 : -4] for shift in range(3)]
    return any(form in haystack for form in forms if len(form) > 5)
