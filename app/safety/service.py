"""Raising flags, telling the care team, and the safety block of an answer."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    and_,
    bindparam,
    case,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from app.clinical.risk import NOT_ASSESSED, Finding, Level
from app.kernel import ledger, outbox
from app.kernel.db import Change, Db, Query, itself
from app.kernel.tables import DataKey, Membership, columns, table
from app.people.chart import CARE, Chart, has_consented
from app.people.tables import CareLink, Patient
from app.safety.crisis import country_meant, help_in
from app.safety.monitoring import WORKER_SILENT_AFTER, Told, statement
from app.safety.schemas import FlagRef, SafetyOut
from app.safety.tables import Flag, FlagEvidence, Notice

TELL_TOPIC = "flag.round"
ROUND_LASTS: Final = timedelta(hours=24)
"""Evidence that joins later than this begins a round of its own: our convention."""


class NobodyToTell(Exception):
    """A clinic without a clinician for this patient and without an administrator."""


class _OpenFlag(NamedTuple):
    id: UUID
    version: int
    level: str
    status: str
    round: int
    round_began_at: datetime


_flag = columns(Flag)
_evidence = columns(FlagEvidence)
_notice = columns(Notice)
_member = columns(Membership)
_link = columns(CareLink)
_patient = columns(Patient)
_data_key = columns(DataKey)

URGENCY = case({"high": 3, "moderate": 2, "low": 1}, value=_flag.level, else_=0)

_OPEN_FLAG = tuple(getattr(_flag, name) for name in _OpenFlag._fields)
OPEN_FLAG = Query(
    select(*_OPEN_FLAG)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.status != "resolved",
    )
    .with_for_update(),
    _OpenFlag,
)
FLAG_OF_SOURCE = Query(
    select(*_OPEN_FLAG)
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
    )
    # The newest: an amendment may have begun another after the first was resolved.
    .order_by(_flag.raised_at.desc()),
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
        round_began_at=bindparam("to_round_began_at"),
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


def raise_flag(
    db: Db,
    chart: Chart,
    finding: Finding,
    *,
    source_kind: str,
    source_id: UUID,
    recorded_at: datetime,
    effective_at: datetime,
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
            round_began_at=now,
            updated_at=now,
        )
    else:
        joined_level = max(Level(earlier.level), finding.level).value
        is_new_round = (
            joined_level != earlier.level
            or finding.level is Level.HIGH
            or earlier.status != "open"
            or now - earlier.round_began_at > ROUND_LASTS
        )
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
            to_round_began_at=now if is_new_round else earlier.round_began_at,
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
        effective_at=effective_at,
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
    otherwise: Told = Told.NOBODY_NEEDED,
) -> SafetyOut:
    """What a patient is told in the same answer. country: what the app sends, if anything.

    otherwise: what is true where nothing was flagged.
    """
    where = country_meant(country) or chart.country or chart.clinic.country
    help_here = help_in(where, chart.locale, chart.clinic.texts)
    is_worker_silent = False
    told = otherwise
    if flag is not None:
        told = _told(db, chart.patient_id, now)
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
            told=told,
            is_worker_silent=is_worker_silent,
            locale=chart.locale,
            own=chart.clinic.texts,
        ),
    )


def unasked_block(
    db: Db,
    chart: Chart,
    now: datetime,
    *,
    country: str | None = None,
    otherwise: Told = Told.NOBODY_NEEDED,
) -> SafetyOut:
    """For what a patient sends that asks no question about danger, such as a note."""
    return safety_block(
        db, chart, NOT_ASSESSED, None, country=country, now=now, otherwise=otherwise
    )


def _told(db: Db, patient_id: UUID, now: datetime) -> Told:
    """Before whom `tell` puts a round of this patient's flag."""
    if db.all(CARERS, patient_id=patient_id, now=now):
        return Told.CARE_TEAM
    return Told.ADMINISTRATORS if db.all(ADMINISTRATORS) else Told.NOBODY


def tell(db: Db, *, flag_id: UUID, patient_id: UUID, round_: int, now: datetime) -> None:
    """Keep the promise of `raise_flag`: put a round before everyone who must see it.

    Without a clinician who may see the patient's record now, the administrators are told.
    Raises: NobodyToTell, so that the promise stays and somebody who joins later hears of it.
    """
    carers: list[UUID] = db.all(CARERS, patient_id=patient_id, now=now)
    recipients = carers or db.all(ADMINISTRATORS)
    if not recipients:
        raise NobodyToTell
    for membership_id in recipients:
        db.add(
            ADD_NOTICE,
            id=uuid7(),
            flag_id=flag_id,
            round=round_,
            membership_id=membership_id,
            channel="inbox",
            told_at=now,
        )
