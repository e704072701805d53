"""Raising flags, telling the care team, and the safety block of an answer."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    and_,
    any_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import BigInteger, DateTime, Integer, Uuid
from uuid_utils.compat import uuid7

from app.clinical.risk import Finding, Level
from app.kernel import ledger, outbox
from app.kernel.db import Change, Db, Query, itself
from app.kernel.identity import Caller
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import DataKey, Membership, columns, table
from app.people.chart import CARE, Chart, Right, cared_for, has_consented, open_panel
from app.people.service import open_name
from app.people.tables import CareLink, Patient
from app.safety.crisis import help_in
from app.safety.monitoring import WORKER_SILENT_AFTER, statement
from app.safety.schemas import EvidenceOut, FlagOut, FlagPage, FlagRef, SafetyOut
from app.safety.tables import Flag, FlagEvidence, Notice

READ_FLAGS = Right("flags.read", is_for_patient=False, is_for_administrator=True)
TELL_TOPIC = "flag.round"


class NobodyToTell(Exception):
    """A clinic without a clinician for this patient and without an administrator."""


class _OpenFlag(NamedTuple):
    id: UUID
    version: int
    level: str
    status: str
    round: int


class _Listed(NamedTuple):
    id: UUID
    patient_id: UUID
    version: int
    level: str
    status: str
    round: int
    raised_at: datetime
    updated_at: datetime
    urgency: int
    wrapped: bytes
    contact: bytes
    told_at: datetime | None


class _Evidence(NamedTuple):
    flag_id: UUID
    source_kind: str
    source_id: UUID
    level: str
    reasons: list[str]
    recorded_at: datetime
    received_at: datetime


_flag = columns(Flag)
_evidence = columns(FlagEvidence)
_notice = columns(Notice)
_member = columns(Membership)
_link = columns(CareLink)
_patient = columns(Patient)
_data_key = columns(DataKey)

URGENCY = case({"high": 3, "moderate": 2, "low": 1}, value=_flag.level, else_=0)

OPEN_FLAG = Query(
    select(_flag.id, _flag.version, _flag.level, _flag.status, _flag.round)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.status != "resolved",
    )
    .with_for_update(),
    _OpenFlag,
)
FLAG_OF_SOURCE = Query(
    select(_flag.id, _flag.version, _flag.level, _flag.status, _flag.round)
    .join_from(
        table(FlagEvidence),
        table(Flag),
        and_(_flag.clinic_id == _evidence.clinic_id, _flag.id == _evidence.flag_id),
    )
    .where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _evidence.source_kind == bindparam("source_kind"),
        _evidence.source_id == bindparam("source_id"),
    ),
    _OpenFlag,
)
ADD_FLAG = Change(insert(Flag))
JOIN_FLAG = Change(
    update(Flag)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id"))
    .values(
        version=bindparam("to_version"),
        level=bindparam("to_level"),
        status=bindparam("to_status"),
        round=bindparam("to_round"),
        updated_at=bindparam("now"),
    )
)
ADD_EVIDENCE = Change(insert(FlagEvidence))
ADD_NOTICE = Change(upsert(Notice).on_conflict_do_nothing())
CARERS = Query(
    select(_member.id)
    .join_from(
        table(CareLink),
        table(Membership),
        and_(_member.clinic_id == _link.clinic_id, _member.id == _link.membership_id),
    )
    .where(
        _link.clinic_id == bindparam("clinic_id"),
        _link.patient_id == bindparam("patient_id"),
        _link.began_at <= bindparam("now"),
        or_(_link.ends_at.is_(None), _link.ends_at > bindparam("now")),
        has_consented(_link.patient_id, _link.clinic_id),
        _member.is_active,
        _member.privileges.overlap(sorted(CARE)),
    )
    .distinct(),
    itself,
)
ADMINISTRATORS = Query(
    select(_member.id).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.role == "administrator",
        _member.is_active,
    ),
    itself,
)


def _inbox(*conditions: object) -> Query[_Listed]:
    """Flags that are not resolved, worst first and oldest first, after a keyset."""
    return Query(
        select(
            _flag.id,
            _flag.patient_id,
            _flag.version,
            _flag.level,
            _flag.status,
            _flag.round,
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
        .join(
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


INBOX_OF_CLINICIAN = _inbox(cared_for(_patient.id, _patient.clinic_id))
INBOX_OF_ADMINISTRATOR = _inbox(literal(True))
EVIDENCE = Query(
    select(
        _evidence.flag_id,
        _evidence.source_kind,
        _evidence.source_id,
        _evidence.level,
        _evidence.reasons,
        _evidence.recorded_at,
        _evidence.received_at,
    )
    .where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _evidence.flag_id == any_(bindparam("flag_ids", type_=ARRAY(Uuid))),
    )
    .order_by(_evidence.received_at, _evidence.id),
    _Evidence,
)


def raise_flag(
    db: Db,
    chart: Chart,
    finding: Finding,
    *,
    source_kind: str,
    source_id: UUID,
    recorded_at: datetime,
    now: datetime,
) -> FlagRef:
    """Put a sign of danger before the care team: flag, evidence, ledger and promise together.

    Joins the patient's open flag if there is one; see the package for what that does.
    """
    level = finding.level.value
    earlier = db.first(OPEN_FLAG, patient_id=chart.patient_id)
    if earlier is None:
        flag = FlagRef(id=uuid7(), level=level, status="open", round=1)
        version, action, is_new_round = 1, "flag.raised", True
        db.add(
            ADD_FLAG,
            **flag.model_dump(),
            patient_id=chart.patient_id,
            version=version,
            raised_at=now,
            updated_at=now,
        )
    else:
        joined_level = max(Level(earlier.level), finding.level).value
        is_new_round = joined_level != earlier.level or finding.level is Level.HIGH
        flag = FlagRef(
            id=earlier.id,
            level=joined_level,
            # A new round needs its own acknowledgement.
            status="open" if is_new_round else earlier.status,
            round=earlier.round + is_new_round,
        )
        version, action = earlier.version + 1, "flag.joined"
        db.add(
            JOIN_FLAG,
            flag_id=flag.id,
            to_version=version,
            to_level=flag.level,
            to_status=flag.status,
            to_round=flag.round,
            now=now,
        )
    db.add(
        ADD_EVIDENCE,
        id=uuid7(),
        flag_id=flag.id,
        source_kind=source_kind,
        source_id=source_id,
        level=level,
        reasons=list(finding.reasons),
        recorded_at=recorded_at,
        received_at=now,
    )
    ledger.record(
        db,
        chart,
        action,
        kind="flag",
        id=flag.id,
        version=version,
        entry={
            "level": flag.level,
            "status": flag.status,
            "round": flag.round,
            "evidence": {
                "source_kind": source_kind,
                "source_id": str(source_id),
                "level": level,
                "reasons": list(finding.reasons),
            },
        },
        now=now,
    )
    if is_new_round:
        outbox.promise(
            db,
            TELL_TOPIC,
            body={
                "flag_id": str(flag.id),
                "patient_id": str(chart.patient_id),
                "round": flag.round,
            },
            dedupe_key=f"{TELL_TOPIC}/{flag.id}/{flag.round}",
            now=now,
        )
    return flag


def flag_of(db: Db, chart: Chart, source_kind: str, source_id: UUID) -> FlagRef | None:
    """The flag that an entry raised or joined, as it is now."""
    found = db.first(
        FLAG_OF_SOURCE, patient_id=chart.patient_id, source_kind=source_kind, source_id=source_id
    )
    if found is None:
        return None
    return FlagRef(id=found.id, level=found.level, status=found.status, round=found.round)


def safety_block(
    db: Db,
    chart: Chart,
    finding: Finding,
    flag: FlagRef | None,
    *,
    country: str | None,
    now: datetime,
) -> SafetyOut:
    """What a patient is told in the same answer. country: the one the app sends, if any."""
    help_here = help_in(country or chart.country or chart.clinic.country)
    is_worker_silent = False
    if flag is not None:
        seen_at = outbox.worker_seen_at(db)
        is_worker_silent = seen_at is None or now - seen_at > WORKER_SILENT_AFTER
    return SafetyOut(
        assessed=finding.assessed,
        level=finding.level.value,
        reasons=list(finding.reasons),
        flag=flag,
        country=help_here.country,
        emergency_number=help_here.emergency_number,
        crisis_lines=help_here.crisis_lines,
        clinic_phone=chart.clinic.phone,
        advice=help_here.advice,
        monitoring_statement=statement(
            clinic_name=chart.clinic.name,
            coverage=chart.clinic.coverage,
            time_zone=chart.clinic.time_zone,
            now=now,
            is_flagged=flag is not None,
            is_worker_silent=is_worker_silent,
        ),
    )


def tell(db: Db, *, flag_id: UUID, patient_id: UUID, round_: int, now: datetime) -> None:
    """Keep the promise of `raise_flag`: put a round before everyone who must see it.

    Without a clinician who may see the patient's record now, the administrators are told.
    Raises: NobodyToTell, so that the promise stays and somebody who joins later hears of it.
    """
    told: list[UUID] = db.all(CARERS, patient_id=patient_id, now=now) or db.all(ADMINISTRATORS)
    if not told:
        raise NobodyToTell
    for membership_id in told:
        db.add(
            ADD_NOTICE,
            id=uuid7(),
            flag_id=flag_id,
            round=round_,
            membership_id=membership_id,
            channel="inbox",
            told_at=now,
        )


def inbox(db: Db, caller: Caller, *, after: str | None, limit: int, now: datetime) -> FlagPage:
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
        evidence = _evidence_of(db, [flag.id for flag in listed[:limit]])
    page = listed[:limit]
    more = len(listed) > limit
    last = page[-1] if page else None
    return FlagPage(
        flags=[
            FlagOut(
                id=flag.id,
                patient_id=flag.patient_id,
                patient_name=open_name(
                    db.vault, caller.clinic_id, flag.patient_id, flag.wrapped, flag.contact
                ),
                version=flag.version,
                level=flag.level,
                status=flag.status,
                round=flag.round,
                raised_at=flag.raised_at,
                updated_at=flag.updated_at,
                told_at=flag.told_at,
                evidence=evidence.get(flag.id, []),
            )
            for flag in page
        ],
        next_cursor=cursor(
            db.vault, _cursor_name(caller), -last.urgency, last.raised_at.isoformat(), last.id
        )
        if more and last
        else None,
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


def _evidence_of(db: Db, flag_ids: list[UUID]) -> dict[UUID, list[EvidenceOut]]:
    found: dict[UUID, list[EvidenceOut]] = {}
    for one in db.all(EVIDENCE, flag_ids=flag_ids) if flag_ids else []:
        found.setdefault(one.flag_id, []).append(
            EvidenceOut(
                source_kind=one.source_kind,
                source_id=one.source_id,
                level=one.level,
                reasons=one.reasons,
                recorded_at=one.recorded_at,
                received_at=one.received_at,
                seconds_late=max(0, int((one.received_at - one.recorded_at).total_seconds())),
            )
        )
    return found
