"""No migration, up or down, takes away what somebody wrote.

Taking a version back drops its tables and columns. With nothing in them that is no loss; with
rows it would be a record that is gone, or a private entry that the version before shows to
everybody. So what is about to be dropped is looked at first, and a migration that would lose
anything fails, and leaves the database as it was.

Whoever means it says so: `alembic -x lose-what-was-written=yes downgrade …`.
"""

import re
from typing import Any, Final

from sqlalchemy import Connection, event

_TABLE: Final = re.compile(r'\s*DROP TABLE "?(?P<table>\w+)"?')
_COLUMN: Final = re.compile(r'\s*ALTER TABLE "?(?P<table>\w+)"? DROP COLUMN "?(?P<column>\w+)"?')
_DEFAULT: Final = """
    SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
    JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE adrelid = '{table}'::regclass AND attname = '{column}'
"""


class WouldLose(Exception):
    """What is to be dropped has something in it."""


def keep_what_is_written(connection: Connection) -> None:
    """From now on, on this connection. Raises there: WouldLose."""
    event.listen(connection, "before_cursor_execute", _look)


def _look(
    _: Connection,
    cursor: Any,
    statement: str,
    __: Any,
    ___: Any,
    executemany: bool,
) -> None:
    if dropped := _TABLE.match(statement):
        table, condition = dropped["table"], "true"
    elif dropped := _COLUMN.match(statement):
        table, column = dropped["table"], dropped["column"]
        cursor.execute(_DEFAULT.format(table=table, column=column))
        default = cursor.fetchone()
        # What the version before writes says nothing that it would not say again.
        condition = f'"{column}" IS DISTINCT FROM {default[0] if default else "NULL"}'
    else:
        return
    cursor.execute(f"SELECT EXISTS (SELECT FROM {table} WHERE {condition})")
    if cursor.fetchone()[0]:
        raise WouldLose(statement.strip())
