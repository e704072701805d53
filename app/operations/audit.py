"""Every patient's ledger against its own hashes, and against heads kept outside the database.

The chain shows what was altered inside it. That a whole database was rolled back, or a ledger
was cut together with its head, only shows against an anchor: the heads as they once were, kept
where whoever has the database does not reach.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from app.kernel import ledger
from app.kernel.db import Db, Direct
from app.kernel.ledger import Fault, Head
from app.people.clinics import all_clinics


class AnchorUnreadable(Exception):
    """The file is not one that `afterglow audit anchor` wrote. `line`: the first bad one."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(slots=True)
class Report:
    """What was looked at, and the first bad row of each bad ledger."""

    ledgers: int = 0
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)


Anchors = dict[UUID, dict[UUID, Head]]
"""By clinic and patient."""


def verify_all(database: Direct, anchors: Anchors | None = None) -> Report:
    """Look at every ledger of every clinic, and of every clinic that an anchor names."""
    report = Report()
    known = {clinic.clinic_id for clinic in database.run(all_clinics)}
    for clinic_id in sorted(known | set(anchors or {})):
        anchored = (anchors or {}).get(clinic_id, {})
        database.run(lambda db, of=clinic_id, heads=anchored: _verify_clinic(db, of, heads, report))  # type: ignore[misc]
    return report


def anchor_lines(database: Direct) -> Iterator[str]:
    """Every head as a line of JSON, to be kept outside the database."""
    for clinic in database.run(all_clinics):
        for head in database.run(lambda db, of=clinic.clinic_id: _heads(db, of)):  # type: ignore[misc]
            yield json.dumps(
                {
                    "clinic_id": str(clinic.clinic_id),
                    "patient_id": str(head.patient_id),
                    "seq": head.seq,
                    "hash": (head.hash or b"").hex(),
                }
            )


def read_anchors(lines: Iterable[str]) -> Anchors:
    """The other way round. Raises: AnchorUnreadable."""
    anchors: Anchors = {}
    for number, line in enumerate(lines, 1):
        try:
            kept = json.loads(line)
            head = Head(UUID(kept["patient_id"]), int(kept["seq"]), bytes.fromhex(kept["hash"]))
            anchors.setdefault(UUID(kept["clinic_id"]), {})[head.patient_id] = head
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AnchorUnreadable(number) from None
    return anchors


def _heads(db: Db, clinic_id: UUID) -> list[Head]:
    ledger.stand_still(db)
    db.enter(clinic_id)
    return list(ledger.heads(db))


def _verify_clinic(db: Db, clinic_id: UUID, anchored: dict[UUID, Head], report: Report) -> None:
    heads = {head.patient_id: head for head in _heads(db, clinic_id)}
    for patient_id in sorted({*heads, *anchored}):
        head = heads.get(patient_id)
        if head is None:
            report.faults.append(Fault(clinic_id, patient_id, 1, "the whole ledger is missing"))
            continue
        report.ledgers += 1
        report.rows += head.seq
        fault = ledger.verify(db, clinic_id, head, anchored.get(patient_id))
        if fault is not None:
            report.faults.append(fault)
