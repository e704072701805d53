"""That a flag changed, said to every process in the transaction that changed it.

Ids only: whoever can connect to the database can listen. It is heard when the transaction
commits, and not at all when it does not.
"""

from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, func, literal_column, select

from app.kernel.db import Change, Db

CHANNEL: Final = "afterglow_flags"


class News(NamedTuple):
    """What is said."""

    clinic_id: UUID
    flag_id: UUID
    version: int


ANNOUNCE = Change(
    select(func.pg_notify(literal_column(f"'{CHANNEL}'"), bindparam("said", type_=Text)))
)


def announce(db: Db, flag_id: UUID, version: int) -> None:
    """Say that this flag of the transaction's clinic has this version now."""
    db.add(ANNOUNCE, said=f"{db.clinic_id}/{flag_id}/{version}")


def read(said: str) -> News | None:
    """What was said; None where it was not said by `announce`."""
    try:
        clinic_id, flag_id, version = said.split("/")
        return News(UUID(clinic_id), UUID(flag_id), int(version))
    except ValueError:
        return None
