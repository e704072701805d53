"""Raising flags, telling the care team, and the safety block of an answer."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    and_,
    bindparam,
    case,
    insert,
    literal_column,
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
from app.safety import news, plan
from app.safety.crisis import country_meant, help_in
from app.safety.monitoring import WORKER_SILENT_AFTER, Told, statement
from app.safety.schemas import FlagRef, SafetyOut
from app.safety.tables import Flag, FlagEvidence, Notice

TELL_TOPIC = "flag.round"
ROUND_LASTS: Final = timedelta(hours=24)
"""Evidence that joins later than this begins a round of its own: our convention."""
HISTORIC_AFTER: Final = timedelta(days=14)
"""Danger that arrives later than this is put into the inbox as past, and alarms nobody."""
SAME_CALL: Final = timedelta(seconds=60)
"""Calls for help within this, while the first is unanswered, are one call: our convention."""


class FlagRow(NamedTuple):
    """A flag as it is stored."""

    id: UUID
    patient_id: UUID
    kind: str
    version: int
    level: str
    status: str
    round: int
    is_historic: bool
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    raised_at: datetime
    round_began_at: datetime

    def ref(self) -> FlagRef:
        """What is told of it."""
        return FlagRef(
            id=self.id,
            kind=self.kind,
            level=self.level,
            status=self.status,
            round=self.round,
            is_historic=self.is_historic,
        )

    def entry(self, **more: Any) -> dict[str, Any]:
        """The flag as the ledger keeps it: its state, and what just happened."""
        return {
            "kind": self.kind,
            "level": self.level,
            "status": self.status,
            "round": self.round,
            "is_historic": self.is_historic,
            **more,
        }


class Sign(NamedTuple):
    """A sign of danger. source_kind, source_id: the entry it was found in.

    is_call: somebody asks for help, now; it begins a round whatever came before.
    words: sealed, what they wrote with it.
    """

    source_kind: str
    source_id: UUID
    recorded_at: datetime
    effective_at: datetime
    kind: str = "suicide-risk"
    is_call: bool = False
    words: bytes | None = None


_flag = columns(Flag)
_evidence = columns(FlagEvidence)
_notice = columns(Notice)
_member = columns(Membership)
_link = columns(CareLink)
_patient = columns(Patient)
_data_key = columns(DataKey)


def urgency_of(flag: Any) -> Any:
    """SQL: how far up a flag stands, by its columns; what is past stands below all else."""
    by_level = case({"high": 3, "moderate": 2, "low": 1}, value=flag.level, else_=0)
    return case((flag.is_historic, literal_column("0")), else_=by_level)


URGENCY = urgency_of(_flag)

_FLAG = tuple(getattr(_flag, name) for name in FlagRow._fields)
OPEN_FLAG = Query(
    select(*_FLAG)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.kind == bindparam("kind"),
        _flag.status != "resolved",
    )
    .with_for_update(),
    FlagRow,
)
FLAG = Query(
    select(*_FLAG).where(
        _flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id")
    ),
    FlagRow,
)
FLAG_TO_CHANGE = Query(
    select(*_FLAG)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id"))
    .with_for_update(),
    FlagRow,
)
FLAG_OF_SOURCE = Query(
    select(*_FLAG)
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
    FlagRow,
)
CALLS_SINCE = Query(
    select(_evidence.id).where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _evidence.flag_id == bindparam("flag_id"),
        _evidence.source_kind == "call",
        _evidence.received_at >= bindparam("since"),
    ),
    itself,
)
ADD_FLAG = Change(insert(Flag))
_CHANGED = (
    "version", "level", "status", "round", "is_historic", "acknowledged_by", "acknowledged_at",
    "assigned_to", "round_began_at",
)  # fmt: skip
CHANGE_FLAG = Change(
    update(Flag)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id"))
    .values(
        {**{name: bindparam(f"to_{name}") for name in _CHANGED}, "updated_at": bindparam("now")}
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


def raise_flag(db: Db, chart: Chart, finding: Finding, sign: Sign, now: datetime) -> FlagRef:
    """Put a sign of danger before the care team: flag, evidence, ledger and promise together.

    Joins the patient's open flag of this kind if there is one; see the package for what that does.
    """
    level = finding.level.value
    is_historic = not sign.is_call and now - sign.effective_at > HISTORIC_AFTER
    earlier = db.first(OPEN_FLAG, patient_id=chart.patient_id, kind=sign.kind)
    if earlier is None:
        flag = FlagRow(
            id=uuid7(),
            patient_id=chart.patient_id,
            kind=sign.kind,
            version=1,
            level=level,
            status="open",
            round=1,
            is_historic=is_historic,
            acknowledged_by=None,
            acknowledged_at=None,
            assigned_to=None,
            raised_at=now,
            round_began_at=now,
        )
        db.add(ADD_FLAG, **flag._asdict(), updated_at=now)
        action, begins_round = "flag.raised", not is_historic
    else:
        action, begins_round = "flag.joined", _begins_round(db, earlier, finding, sign, now)
        flag = earlier._replace(version=earlier.version + 1)
        if begins_round:
            flag = flag._replace(
                level=max(Level(earlier.level), finding.level).value,
                # A new round needs its own acknowledgement.
                status="open",
                round=earlier.round + 1,
                is_historic=False,
                acknowledged_by=None,
                acknowledged_at=None,
                # It was handed over for what was known then; this is told to everybody again.
                assigned_to=None,
                round_began_at=now,
            )
        change_flag(db, flag, now)
    db.add(
        ADD_EVIDENCE,
        id=uuid7(),
        flag_id=flag.id,
        source_kind=sign.source_kind,
        source_id=sign.source_id,
        level=level,
        reasons=list(finding.reasons),
        is_historic=is_historic,
        words=sign.words,
        recorded_at=sign.recorded_at,
        effective_at=sign.effective_at,
        received_at=now,
    )
    evidence = {
        "source_kind": sign.source_kind,
        "source_id": str(sign.source_id),
        "level": level,
        "reasons": list(finding.reasons),
        "is_historic": is_historic,
    }
    record(db, chart, action, flag, now, evidence=evidence)
    if begins_round:
        promise_round(db, flag, now)
    return flag.ref()


def _begins_round(db: Db, earlier: FlagRow, finding: Finding, sign: Sign, now: datetime) -> bool:
    """Whether evidence that joins a flag is told again; it never joins in silence, unless it was
    recorded long ago, or is the same call again while the first one still rings.
    """
    age = now - earlier.round_began_at
    if sign.is_call:
        rings = earlier.status == "open" and age <= SAME_CALL
        return not (rings and db.all(CALLS_SINCE, flag_id=earlier.id, since=earlier.round_began_at))
    if now - sign.effective_at > HISTORIC_AFTER:
        return False
    return (
        finding.level > Level(earlier.level)
        or finding.level is Level.HIGH
        or earlier.status != "open"
        or earlier.is_historic
        or age > ROUND_LASTS
    )


def change_flag(db: Db, flag: FlagRow, now: datetime) -> None:
    """Store a flag as it now is."""
    values = {f"to_{name}": getattr(flag, name) for name in _CHANGED}
    db.add(CHANGE_FLAG, flag_id=flag.id, now=now, **values)


def record(
    db: Db, page: ledger.Page, action: str, flag: FlagRow, now: datetime, **more: Any
) -> None:
    """One row of the patient's ledger about a flag."""
    ledger.record(
        db,
        page,
        action,
        kind="flag",
        id=flag.id,
        version=flag.version,
        entry=flag.entry(**more),
        now=now,
    )
    news.announce(db, flag.id, flag.version)


def promise_round(db: Db, flag: FlagRow, now: datetime, at: datetime | None = None) -> None:
    """That a round will be told; looked at again at this instant, if one is named."""
    outbox.promise(
        db,
        TELL_TOPIC,
        body={
            "flag_id": str(flag.id),
            "patient_id": str(flag.patient_id),
            "round": flag.round,
        },
        dedupe_key=f"{TELL_TOPIC}/{flag.id}/{flag.round}/{at.isoformat() if at else 'begins'}",
        now=now,
        at=at,
    )


def flag_of(db: Db, chart: Chart, source_kind: str, source_id: UUID) -> FlagRef | None:
    """The flag that an entry raised or joined, as it is now."""
    found = db.first(
        FLAG_OF_SOURCE, patient_id=chart.patient_id, source_kind=source_kind, source_id=source_id
    )
    if found is None:
        return None
    return found.ref()


def safety_block(
    db: Db,
    chart: Chart,
    finding: Finding,
    flag: FlagRef | None,
    *,
    country: str | None,
    now: datetime,
    next_instrument: str | None = None,
    otherwise: Told = Told.NOBODY_NEEDED,
) -> SafetyOut:
    """What a patient is told in the same answer. country: what the app sends, if anything.

    next_instrument: what to ask at once. otherwise: what is true where nothing was flagged.
    """
    where = country_meant(country) or chart.country or chart.clinic.country
    help_here = help_in(where, chart.locale, chart.clinic.texts)
    is_physical = flag is not None and flag.kind == "physical"
    # The plan is no answer to a body in danger either, and unflagged nobody waits for it.
    asked = None if flag is None or is_physical else plan.ask_plan(db, chart)
    is_worker_silent = False
    told = otherwise
    if flag is not None and flag.is_historic:
        told = Told.HISTORIC
    elif flag is not None:
        told = _told(db, chart.patient_id, now)
        seen_at = outbox.worker_seen_at(db)
        is_worker_silent = seen_at is None or now - seen_at > WORKER_SILENT_AFTER
    return SafetyOut(
        assessed=finding.assessed,
        level=finding.level.value,
        reasons=list(finding.reasons),
        flag=flag,
        next_instrument=next_instrument,
        safety_plan=None if asked is None else plan.told(chart, asked),
        country=help_here.country,
        emergency_number=help_here.emergency_number,
        # A line for people who think of suicide is no answer to a body in danger.
        crisis_lines=[] if is_physical else help_here.crisis_lines,
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
