"""Which entry another one came from, and whether it can have."""

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, literal_column, select
from sqlalchemy.types import BigInteger

from app.clinical.thread import Kind, Link, Ref, first_fault
from app.journal.schemas import LinkIn
from app.kernel import ledger
from app.kernel.db import Db, Query, itself
from app.kernel.errors import invalid
from app.kernel.tables import LedgerRow, columns
from app.people.chart import Chart

_row = columns(LedgerRow)
_POINTER: Final = "/came_from"
_FURTHEST: Final = 100
"""Entries that are followed upwards; a thread is a handful long."""

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


def check(
    db: Db, chart: Chart, kind: str, entry_id: UUID, came_from: LinkIn | None, *, is_new: bool
) -> None:
    """Raises: Problem INVALID if an entry cannot have come from there.

    is_new: nothing can have come from it yet, so it closes no circle.
    """
    if came_from is None:
        return
    if kind not in set(Kind):
        raise invalid(_POINTER, "is not said of this kind of entry")
    entry = Ref(Kind(kind), str(entry_id))
    source = Ref(Kind(came_from.kind), str(came_from.id))
    if not is_known(db, chart, came_from.kind, came_from.id):
        raise invalid(_POINTER, "is not one of the patient's entries")
    above = [] if is_new else _above(db, chart, source)
    if (fault := first_fault(above, entry, [source])) is not None:
        raise invalid(_POINTER, fault.reason)


def is_known(db: Db, chart: Chart, kind: str, entry_id: UUID) -> bool:
    """Whether the patient ever had such an entry, whichever feature keeps it."""
    said: int = db.one(TIMES_SAID, patient_id=chart.patient_id, kind=kind, entry_id=entry_id)
    return said > 0


def _above(db: Db, chart: Chart, entry: Ref) -> list[Link]:
    """What an entry came from, and what that came from, and so on, as it is said now."""
    links: list[Link] = []
    while len(links) < _FURTHEST:
        *_, newest = ledger.said_of(db, chart, entry.kind.value, [UUID(entry.id)])
        said = newest.entry(chart.data_key).get("came_from")
        if said is None:
            break
        source = Ref(Kind(said["kind"]), said["id"])
        links.append(Link(source, entry))
        entry = source
    return links
