"""Which entry another one came from, and whether it can have."""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.types import BigInteger

from app.journal.schemas import LinkIn
from app.kernel.db import Db, Query, itself
from app.kernel.errors import invalid
from app.kernel.tables import LedgerRow, columns
from app.people.chart import Chart

_row = columns(LedgerRow)
_POINTER: Final = "/came_from"

# Every entry there ever was has a row in its patient's ledger, whichever feature keeps it.
TIMES_SAID = Query(
    select(func.count(literal_column("1"), type_=BigInteger)).where(
        _row.clinic_id == bindparam("clinic_id"),
        _row.patient_id == bindparam("patient_id"),
        _row.entry_kind == bindparam("kind"),
        _row.entry_id == bindparam("entry_id"),
    ),
    itself,
)


def check(db: Db, chart: Chart, kind: str, entry_id: UUID, came_from: LinkIn | None) -> None:
    """Raises: Problem INVALID if an entry cannot have come from there."""
    if came_from is None:
        return
    if (came_from.kind, came_from.id) == (kind, entry_id):
        raise invalid(_POINTER, "is the entry itself")
    if not is_known(db, chart, came_from.kind, came_from.id):
        raise invalid(_POINTER, "is not one of the patient's entries")


def is_known(db: Db, chart: Chart, kind: str, entry_id: UUID) -> bool:
    """Whether the patient ever had such an entry, whichever feature keeps it."""
    said: int = db.one(TIMES_SAID, patient_id=chart.patient_id, kind=kind, entry_id=entry_id)
    return said > 0
