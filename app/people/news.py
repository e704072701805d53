"""That who may see a patient's record changed, said to every process when the change commits.

Ids only: whoever can connect to the database can listen. Said wherever a care link or a consent
begins or ends before its time; what ends by itself, at an instant that was known from the
beginning, is not said again.
"""

from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, func, literal_column, select

from app.kernel.db import Change, Db

CHANNEL: Final = "afterglow_care"


class CareNews(NamedTuple):
    """What is said."""

    clinic_id: UUID
    patient_id: UUID


ANNOUNCE = Change(
    select(func.pg_notify(literal_column(f"'{CHANNEL}'"), bindparam("said", type_=Text)))
)


def announce_care(db: Db, patient_id: UUID) -> None:
    """Say that others may see this patient of the transaction's clinic now."""
    db.add(ANNOUNCE, said=f"{db.clinic_id}/{patient_id}")


def read(said: str) -> CareNews | None:
    """What was said; None where it was not said by `announce_care`."""
    try:
        clinic_id, patient_id = said.split("/")
        return CareNews(UUID(clinic_id), UUID(patient_id))
    except ValueError:
        return None
