"""The flags that nobody has resolved, for those who have to see them."""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    and_,
    any_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.types import BigInteger, DateTime, Integer, Uuid

from app.kernel.db import Db, Query
from app.kernel.identity import Caller
from app.kernel.log import logger
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import DataKey, columns, table
from app.kernel.vault import DataKey as PatientsKey
from app.kernel.vault import Unsealable
from app.people.admission import find_contact
from app.people.chart import Chart, Right, cared_for, note_shown, open_panel
from app.people.tables import Patient
from app.safety.flags import URGENCY
from app.safety.schemas import EvidenceOut, FlagOut, FlagPage, ReachOut
from app.safety.tables import Flag, FlagEvidence, Notice

READ_FLAGS: Final = Right("flags.read", is_for_patient=False, is_for_administrator=True)


EVIDENCE_SHOWN: Final = 20
"""The newest so many of each flag."""


class _Listed(NamedTuple):
    id: UUID
    patient_id: UUID
    version: int
    kind: str
    level: str
    status: str
    round: int
    is_historic: bool
    raised_at: datetime
    updated_at: datetime
    urgency: int
    wrapped: bytes | None
    contact: bytes
    told_at: datetime | None


class _Evidence(NamedTuple):
    flag_id: UUID
    source_kind: str
    source_id: UUID
    level: str
    reasons: list[str]
    recorded_at: datetime
    effective_at: datetime
    received_at: datetime
    words: bytes | None


_flag = columns(Flag)
_evidence = columns(FlagEvidence)
_notice = columns(Notice)
_patient = columns(Patient)
_data_key = columns(DataKey)


def _open_flags(*conditions: object) -> Query[_Listed]:
    """Flags that are not resolved, worst first and oldest first, after a keyset."""
    return Query(
        select(
            _flag.id,
            _flag.patient_id,
            _flag.version,
            _flag.kind,
            _flag.level,
            _flag.status,
            _flag.round,
            _flag.is_historic,
            _flag.raised_at,
            _flag.updated_at,
            URGENCY,
            _data_key.wrapped,
            _patient.contact,
            select(func.max(_notice.told_at))
            .where(
                _notice.clinic_id == _flag.clinic_id,
                _notice.flag_id == _flag.id,
                _notice.round == _flag.round,
                _notice.membership_id == bindparam("membership_id"),
            )
            .scalar_subquery(),
        )
        .join_from(
            table(Flag),
            table(Patient),
            and_(_patient.clinic_id == _flag.clinic_id, _patient.id == _flag.patient_id),
        )
        .outerjoin(
            table(DataKey),
            and_(_data_key.clinic_id == _flag.clinic_id, _data_key.patient_id == _patient.id),
        )
        .where(
            _flag.clinic_id == bindparam("clinic_id"),
            _flag.status != "resolved",
            tuple_(-URGENCY, _flag.raised_at, _flag.id)
            > tuple_(
                bindparam("after_urgency", type_=Integer),
                bindparam("after_raised_at", type_=DateTime(timezone=True)),
                bindparam("after_id", type_=Uuid),
            ),
            *conditions,  # type: ignore[arg-type]
        )
        .order_by(-URGENCY, _flag.raised_at, _flag.id)
        .limit(bindparam("limit", type_=BigInteger)),
        _Listed,
    )


INBOX_OF_CLINICIAN = _open_flags(cared_for(_patient.id, _patient.clinic_id))
INBOX_OF_ADMINISTRATOR = _open_flags(literal(True))
_newest = (
    select(
        *(getattr(_evidence, name) for name in _Evidence._fields),
        _evidence.id,
        func.row_number()
        .over(
            partition_by=_evidence.flag_id,
            order_by=(_evidence.received_at.desc(), _evidence.id.desc()),
        )
        .label("age"),
    )
    .where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _evidence.flag_id == any_(bindparam("flag_ids", type_=ARRAY(Uuid))),
    )
    .subquery()
)
EVIDENCE = Query(
    select(*(_newest.c[name] for name in _Evidence._fields))
    .where(_newest.c.age <= literal_column(str(EVIDENCE_SHOWN)))
    .order_by(_newest.c.received_at, _newest.c.id),
    _Evidence,
)


def list_flags(db: Db, caller: Caller, *, after: str | None, limit: int, now: datetime) -> FlagPage:
    """Flags that nobody has resolved, worst and oldest first.

    Raises: Problem FORBIDDEN, MALFORMED_REQUEST.
    """
    open_panel(db, caller, READ_FLAGS, now)
    keyset = _keyset(db, caller, after)
    if caller.role == "administrator":
        listed = db.all(
            INBOX_OF_ADMINISTRATOR, membership_id=caller.membership_id, limit=limit + 1, **keyset
        )
        evidence: dict[UUID, list[EvidenceOut]] = {}
    else:
        listed = db.all(
            INBOX_OF_CLINICIAN,
            membership_id=caller.membership_id,
            now=now,
            limit=limit + 1,
            **keyset,
        )
        evidence = _evidence_of(db, caller, listed[:limit])
    page = listed[:limit]
    note_shown(db, caller, READ_FLAGS, {flag.patient_id for flag in page}, now)
    more = len(listed) > limit
    last = page[-1] if page else None
    return FlagPage(
        flags=[_flag_out(db, caller, flag, evidence.get(flag.id, [])) for flag in page],
        next_cursor=cursor(
            db.vault, _cursor_name(caller), -last.urgency, last.raised_at.isoformat(), last.id
        )
        if more and last
        else None,
    )


def _flag_out(db: Db, caller: Caller, flag: _Listed, evidence: list[EvidenceOut]) -> FlagOut:
    contact = (
        find_contact(db.vault, caller.clinic_id, flag.patient_id, flag.wrapped, flag.contact) or {}
    )
    return FlagOut(
        id=flag.id,
        patient_id=flag.patient_id,
        patient_name=contact.get("name"),
        patient_phone=contact.get("phone"),
        emergency_contacts=[
            ReachOut.model_validate(one) for one in contact.get("emergency_contacts", [])
        ],
        kind=flag.kind,
        version=flag.version,
        level=flag.level,
        status=flag.status,
        round=flag.round,
        is_historic=flag.is_historic,
        raised_at=flag.raised_at,
        updated_at=flag.updated_at,
        told_at=flag.told_at,
        evidence=evidence,
    )


def _keyset(db: Db, caller: Caller, after: str | None) -> dict[str, object]:
    if after is None:
        return {
            "after_urgency": -9,
            "after_raised_at": datetime.fromisoformat("2000-01-01T00:00:00+00:00"),
            "after_id": UUID(int=0),
        }
    urgency, raised_at, flag_id = read_cursor(db.vault, _cursor_name(caller), after, 3)
    return {
        "after_urgency": int(urgency),
        "after_raised_at": instant_of(raised_at),
        "after_id": UUID(flag_id),
    }


def _cursor_name(caller: Caller) -> str:
    return f"flags/{caller.membership_id}"


def evidence(db: Db, chart: Chart, flag_id: UUID) -> list[EvidenceOut]:
    """What a flag of this patient rests on, the newest twenty, oldest of them first."""
    key = chart.data_key
    return [_evidence_out(one, _words(key, one)) for one in db.all(EVIDENCE, flag_ids=[flag_id])]


def _evidence_of(db: Db, caller: Caller, flags: list[_Listed]) -> dict[UUID, list[EvidenceOut]]:
    found: dict[UUID, list[EvidenceOut]] = {}
    if not flags:
        return found
    by_id = {flag.id: flag for flag in flags}
    for one in db.all(EVIDENCE, flag_ids=list(by_id)):
        key = _data_key_of(db, caller, by_id[one.flag_id]) if one.words is not None else None
        found.setdefault(one.flag_id, []).append(_evidence_out(one, _words(key, one)))
    return found


def _evidence_out(one: _Evidence, said: dict[str, Any]) -> EvidenceOut:
    return EvidenceOut(
        source_kind=one.source_kind,
        source_id=one.source_id,
        level=one.level,
        reasons=one.reasons,
        recorded_at=one.recorded_at,
        effective_at=one.effective_at,
        received_at=one.received_at,
        seconds_late=max(0, int((one.received_at - one.effective_at).total_seconds())),
        note=said.get("note"),
        place=said.get("place"),
    )


def _data_key_of(db: Db, caller: Caller, flag: _Listed) -> PatientsKey | None:
    try:
        return db.vault.open_data_key(flag.wrapped or b"", caller.clinic_id, flag.patient_id)
    except Unsealable:
        return None


def _words(key: PatientsKey | None, one: _Evidence) -> dict[str, Any]:
    """What was written with a sign of danger; one damaged cell must not hide everybody's flags."""
    if one.words is None:
        return {}
    try:
        if key is None:
            raise Unsealable
        opened = key.open(one.words, table="flag_evidence", column="words", row=one.source_id)
        return dict(json.loads(opened))
    except Unsealable:
        logger().error("flag_evidence.unsealable", flag=str(one.flag_id))
        return {}
