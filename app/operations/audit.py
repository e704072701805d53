"""Every patient's ledger against its own hashes."""

from dataclasses import dataclass, field
from uuid import UUID

from app.kernel import ledger
from app.kernel.db import Db, Direct
from app.kernel.ledger import Fault
from app.people.clinics import all_clinics


@dataclass(slots=True)
class Report:
    """What was looked at, and the first bad row of each bad ledger."""

    ledgers: int = 0
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify_all(database: Direct) -> Report:
    """Look at every ledger of every clinic."""
    report = Report()
    for clinic in database.run(all_clinics):
        database.run(lambda db, of=clinic.clinic_id: _verify_clinic(db, of, report))  # type: ignore[misc]
    return report


def _verify_clinic(db: Db, clinic_id: UUID, report: Report) -> None:
    db.enter(clinic_id)
    for head in list(ledger.heads(db)):
        report.ledgers += 1
        report.rows += head.seq
        fault = ledger.verify(db, clinic_id, head)
        if fault is not None:
            report.faults.append(fault)
