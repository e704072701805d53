"""Raising flags, telling the care team, and the safety block of an answer."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from app.clinical.risk import NOT_ASSESSED, Finding, Level
from app.kernel import ledger, outbox
from app.kernel.db import Db
from app.people.chart import Chart
from app.safety import escalation, news, plan, policies
from app.safety.clinic_numbers import numbers_of
from app.safety.crisis import country_meant, help_in
from app.safety.escalation import Outcome, PlannedStep, Who
from app.safety.flags import (
    ADD_EVIDENCE,
    ADD_FLAG,
    ADMINISTRATORS,
    CALLS_SINCE,
    CARERS,
    CHANGE_FLAG,
    CHANGED,
    CLINICIANS,
    FLAG_OF_SOURCE,
    OPEN_FLAG,
    FlagRow,
)
from app.safety.monitoring import WORKER_SILENT_AFTER, Told, statement
from app.safety.schemas import FlagRef, Help, SafetyOut

TELL_TOPIC = "flag.round"
ROUND_LASTS: Final = timedelta(hours=24)
"""Evidence that joins later than this begins a round of its own: our convention."""
HISTORIC_AFTER: Final = timedelta(days=14)
"""Danger that arrives later than this is put into the inbox as past, and alarms nobody."""
SAME_CALL: Final = timedelta(seconds=60)
"""Calls for help within this, while the first is unanswered, are one call: our convention."""


class Sign(NamedTuple):
    """A sign of danger. source_kind, source_id: the entry it was found in.

    is_call: somebody asks for help, now; it begins a round whatever came before. is_sent_once: the
    entry is evidence and nothing else. words: sealed, what they wrote with it.
    """

    source_kind: str
    source_id: UUID
    recorded_at: datetime
    effective_at: datetime
    kind: str = "suicide-risk"
    is_call: bool = False
    is_sent_once: bool = False
    words: bytes | None = None


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
        id=_evidence_id(chart, sign),
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


def _evidence_id(chart: Chart, sign: Sign) -> UUID:
    """Of a call, the one that the same call has when it comes twice at once: the second finds it
    taken. An answer may be evidence again, when it is amended.
    """
    if not sign.is_sent_once:
        return uuid7()
    return uuid5(chart.patient_id, f"{sign.source_kind}/{sign.source_id}")


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
    values = {f"to_{name}": getattr(flag, name) for name in CHANGED}
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


def flag_of(
    db: Db, chart: Chart, source_kind: str, source_id: UUID, kind: str = "suicide-risk"
) -> FlagRef | None:
    """The flag that an entry raised or joined, as it is now.

    kind: of which, where it told of two: a danger to the body hides the lines for people in crisis.
    """
    found = db.first(
        FLAG_OF_SOURCE,
        patient_id=chart.patient_id,
        source_kind=source_kind,
        source_id=source_id,
        kind=kind,
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
        told = _told(db, chart, flag, now)
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
        clinic_numbers=numbers_of(chart.clinic, now),
        emergency_channels=help_here.emergency_channels,
        call_in_order=_in_order(flag, help_here, has_numbers=bool(chart.clinic.phones)),
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


def _in_order(flag: FlagRef | None, help_here: Help, *, has_numbers: bool) -> list[str]:
    """Whom to call first: names of members of the block that have something in them."""
    is_physical = flag is not None and flag.kind == "physical"
    emergency = ["emergency_number"] if help_here.emergency_number is not None else []
    others = ["clinic_numbers"] if has_numbers else []
    if help_here.crisis_lines and not is_physical:
        others.append("crisis_lines")
    is_immediate = is_physical or (flag is not None and flag.level == "high")
    return [*emergency, *others] if is_immediate else [*others, *emergency]


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


def _told(db: Db, chart: Chart, flag: FlagRef, now: datetime) -> Told:
    """Before whom a round of this patient's flag is put at once."""
    if db.all(CARERS, patient_id=chart.patient_id, now=now):
        return Told.CARE_TEAM
    has_administrators = bool(db.all(ADMINISTRATORS))
    if db.all(CLINICIANS, patient_id=chart.patient_id, now=now):
        there = {Who.NEXT, Who.ADMINISTRATORS}
    else:
        there = {Who.ADMINISTRATORS} if has_administrators else set()
    reached: set[Who] = set()

    def tell(step: PlannedStep) -> Outcome:
        if step.who not in there:
            return Outcome.NOBODY
        reached.add(step.who)
        return Outcome.TOLD

    begun = escalation.begin(
        policies.of_round(db, flag.id),
        Level(flag.level),
        now,
        chart.clinic.coverage,
        chart.clinic.time_zone,
    )
    escalation.carry_out(begun, now, tell)
    if Who.NEXT in reached or (reached and not has_administrators):
        return Told.CLINICIAN
    # They have every flag in their list, whatever they are written.
    return Told.ADMINISTRATORS if has_administrators else Told.NOBODY
