"""The rules of aftercare."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from app.checkins import schedule
from app.course.aftercare.schemas import (
    AftercareIn,
    AftercareOut,
    AftercareReceiptIn,
    AftercareReceiptOut,
)
from app.course.aftercare.tables import Aftercare, AftercareReceipt
from app.journal import links
from app.journal.shelf import Kept, Shelf
from app.kernel.db import Db
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import CARE, Chart, Right
from app.treatment import service as treatment


def _given(
    db: Db, chart: Chart, sent: AftercareIn, _: Kept, before: Kept | None, __: datetime
) -> dict[str, Any]:
    """The protocol's words for what was given; of a correction, as the protocol was then."""
    if before is None:
        held = schedule.protocol_in_force(db)
    else:
        held = schedule.protocol_of_version(db, before.plain["protocol_version"])
    same = before is not None and before.plain["dosing_session_id"] == sent.dosing_session_id
    if not same and not links.is_known(db, chart, treatment.KIND, sent.dosing_session_id):
        raise invalid("/dosing_session_id", "is not one of the patient's dosing sessions")
    labels = {one.key: one.label for one in held.protocol.sections.aftercare.instructions}
    faults = [
        Fault(f"/instructions/{place}", "is not an instruction of the clinic's protocol")
        for place, key in enumerate(sent.instructions)
        if key not in labels
    ]
    faults += [
        Fault(f"/instructions/{place}", "is there twice")
        for place, key in enumerate(sent.instructions)
        if key in sent.instructions[:place]
    ]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    told = [{"key": key, "label": labels[key]} for key in sent.instructions]
    return {"told": told, "protocol_version": held.version}


AFTERCARE: Final = Shelf(
    "aftercare",
    Aftercare,
    AftercareIn,
    AftercareOut,
    created="given",
    read=Right("aftercare.read"),
    write=Right("aftercare.give", is_for_patient=False, privileges=CARE),
    derive=_given,
)


def _acknowledged(
    db: Db, chart: Chart, sent: AftercareReceiptIn, _: Kept, __: Kept | None, ___: datetime
) -> dict[str, Any]:
    given = db.first(AFTERCARE.one, patient_id=chart.patient_id, id=sent.aftercare_id)
    if given is None or given.status == ENTERED_IN_ERROR:
        raise invalid("/aftercare_id", "is nothing that you were given")
    if sent.aftercare_version > given.version:
        raise invalid("/aftercare_version", "is no version that there is")
    return {}


RECEIPTS: Final = Shelf(
    "aftercare_receipt",
    AftercareReceipt,
    AftercareReceiptIn,
    AftercareReceiptOut,
    created="acknowledged",
    read=Right("aftercare_receipts.read"),
    write=Right("aftercare_receipts.acknowledge", privileges=frozenset()),
    derive=_acknowledged,
)


class Given(NamedTuple):
    """What was given at a visit, and what the patient said they have read of it."""

    entry: AftercareOut
    receipts: list[AftercareReceiptOut]


_aftercare = columns(Aftercare)
GIVEN_AT = AFTERCARE.query(_aftercare.dosing_session_id == bindparam("visit_id"))
READ_OF = RECEIPTS.query(
    columns(AftercareReceipt).aftercare_id.in_(
        select(_aftercare.id).where(
            _aftercare.clinic_id == bindparam("clinic_id"),
            _aftercare.patient_id == bindparam("patient_id"),
            _aftercare.dosing_session_id == bindparam("visit_id"),
        )
    )
)


def given_at(db: Db, chart: Chart, visit_id: UUID) -> list[Given]:
    """What was given to take home after a visit, newest first, each with its receipts."""
    read: list[AftercareReceiptOut] = []
    if RECEIPTS.read_right.is_granted(chart):
        read = RECEIPTS.found(db, chart, READ_OF, visit_id=visit_id)
    return [
        Given(one, [receipt for receipt in read if receipt.aftercare_id == one.id])
        for one in AFTERCARE.found(db, chart, GIVEN_AT, visit_id=visit_id)
    ]
