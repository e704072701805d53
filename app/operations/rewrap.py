"""After a rotation: every data key, and every cell that belongs to no patient, under the newest
key-encryption key. No word of a patient is encrypted again, and servers go on serving.
"""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update

from app.kernel.db import Change, Db, Direct, Query
from app.kernel.tables import Account, DataKey, Membership, SecondFactor, columns
from app.people.clinics import all_clinics


class _Wrapped(NamedTuple):
    patient_id: UUID
    wrapped: bytes


class _Cell(NamedTuple):
    id: UUID
    cell: bytes


_key = columns(DataKey)
_member = columns(Membership)
_account = columns(Account)
_factor = columns(SecondFactor)
DATA_KEYS = Query(
    select(_key.patient_id, _key.wrapped).where(_key.clinic_id == bindparam("clinic_id")), _Wrapped
)
REWRAP = Change(
    update(DataKey)
    .where(
        _key.clinic_id == bindparam("clinic_id"),
        _key.patient_id == bindparam("patient"),
        _key.wrapped == bindparam("seen"),
    )
    .values(wrapped=bindparam("to_wrapped"))
)
NAMES = Query(
    select(_member.id, _member.name).where(_member.clinic_id == bindparam("clinic_id")), _Cell
)
RENAME = Change(
    update(Membership)
    .where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == bindparam("row_id"),
        _member.name == bindparam("seen"),
    )
    .values(name=bindparam("to_cell"))
)
USERNAMES = Query(select(_account.id, _account.username), _Cell)
RESEAL_USERNAME = Change(
    update(Account)
    .where(_account.id == bindparam("row_id"), _account.username == bindparam("seen"))
    .values(username=bindparam("to_cell"))
)

SECRETS = Query(select(_factor.account_id, _factor.secret), _Cell)
RESEAL_SECRET = Change(
    update(SecondFactor)
    .where(_factor.account_id == bindparam("row_id"), _factor.secret == bindparam("seen"))
    .values(secret=bindparam("to_cell"))
)


def rewrap_all(database: Direct) -> int:
    """Returns: how many keys and cells are under the newest key now."""
    count = database.run(
        lambda db: _cells(db, None, USERNAMES, RESEAL_USERNAME, "account", "username")
    )
    count += database.run(
        lambda db: _cells(db, None, SECRETS, RESEAL_SECRET, "second_factor", "secret")
    )
    for clinic in database.run(all_clinics):

        def one_clinic(db: Db, clinic_id: UUID = clinic.clinic_id) -> int:
            db.enter(clinic_id)
            wrapped = db.all(DATA_KEYS)
            for row in wrapped:
                anew = db.vault.rewrap(row.wrapped, clinic_id, row.patient_id)
                db.add(REWRAP, patient=row.patient_id, seen=row.wrapped, to_wrapped=anew)
            return len(wrapped) + _cells(db, clinic_id, NAMES, RENAME, "membership", "name")

        count += database.run(one_clinic)
    return count


def _cells(
    db: Db, clinic_id: UUID | None, cells: Query[_Cell], change: Change, table: str, column: str
) -> int:
    rows = db.all(cells)
    for row in rows:
        place: dict[str, Any] = {"table": table, "column": column, "row": row.id}
        anew = db.vault.reseal_for_clinic(clinic_id, row.cell, **place)
        db.add(change, row_id=row.id, seen=row.cell, to_cell=anew)
    return len(rows)
