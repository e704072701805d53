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
FURTHEST: Final = 1000
"""Entries that are followed upwards, one statement each. A thread is a handful long; a link to what
comes after more of them is refused, because nobody looked whether it closes a circle. Source: our
convention.
"""

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

    is_new: nothing can have come from it yet, so it closes no circle. Nor does a link that stands
    already: what is said besides is never refused for it.
    """
    if came_from is None:
        return
    if kind not in set(Kind):
        raise invalid(_POINTER, "is not said of this kind of entry")
    entry = Ref(Kind(kind), str(entry_id))
    source = Ref(Kind(came_from.kind), str(came_from.id))
    if not is_known(db, chart, came_from.kind, came_from.id):
        raise invalid(_POINTER, "is not one of the patient's entries")
    above = [] if is_new or _source_of(db, chart, entry) == source else _above(db, chart, source)
    if (fault := first_fault(above, entry, [source])) is not None:
        raise invalid(_POINTER, fault.reason)


def is_known(db: Db, chart: Chart, kind: str, entry_id: UUID) -> bool:
    """Whether the patient ever had such an entry, whichever feature keeps it."""
    said: int = db.one(TIMES_SAID, patient_id=chart.patient_id, kind=kind, entry_id=entry_id)
    return said > 0


def _above(db: Db, chart: Chart, entry: Ref) -> list[Link]:
    """What an entry came from, and what that came from, and so on, as it is said now.

    To the end, or once round a circle that is stored all the same. A step ends it: what comes from
    one leads to nothing that a step's goal could have come from.
    Raises: Problem INVALID where the end is further than anybody looks.
    """
    links: list[Link] = []
    met = {entry}
    while (source := _source_of(db, chart, entry)) is not None:
        if len(links) == FURTHEST:
            raise invalid(_POINTER, "has too many entries before it")
        links.append(Link(source, entry))
        if source in met:
            break
        met.add(source)
        entry = source
    return links


def _source_of(db: Db, chart: Chart, entry: Ref) -> Ref | None:
    """What an entry came from, as it is said now."""
    *_, newest = ledger.said_of(db, chart, entry.kind.value, [UUID(entry.id)])
    said = newest.entry(chart.data_key).get("came_from")
    return None if said is None else Ref(Kind(said["kind"]), said["id"])
