"""Integration sessions: when, what became of them, and what was agreed there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, literal_column, or_, select

from app.checkins import schedule
from app.clinical import integration
from app.clinical.integration import Session, State
from app.integration.schemas import (
    AgreedSummaryOut,
    IntegrationProposalOut,
    IntegrationSessionIn,
    IntegrationSessionOut,
    MissedWindowOut,
    ProposedSessionOut,
    SessionSummaryIn,
    SessionSummaryOut,
    SummaryAgreementIn,
    SummaryAgreementOut,
)
from app.integration.tables import IntegrationSession, SessionSummary, SummaryAgreement
from app.journal.shelf import Kept, Shelf
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, illegal_move
from app.kernel.errors import invalid
from app.kernel.tables import columns
from app.people.chart import Chart, Right
from app.treatment import service as treatment

READ: Final = Right("integration_sessions.read")
_THERAPY: Final = frozenset({"therapy"})
_AHEAD: Final = timedelta(days=1)
"""What took place is recorded, not foretold; a clinic's clock may be wrong by less than this."""

_session = columns(IntegrationSession)
_summary = columns(SessionSummary)
_agreement = columns(SummaryAgreement)
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")

SUMMARY_OF: Final = Query(
    select(_summary.id)
    .where(
        _summary.clinic_id == bindparam("clinic_id"),
        _summary.patient_id == bindparam("patient_id"),
        _summary.integration_session_id == bindparam("integration_session_id"),
        _summary.status != _WITHDRAWN,
    )
    .order_by(_summary.effective_at.desc(), _summary.id.desc())
    .limit(literal_column("1")),
    itself,
)
# Of what was said to the newest version that anything was said to, the last word.
SAID_TO: Final = Query(
    select(_agreement.id)
    .where(
        _agreement.clinic_id == bindparam("clinic_id"),
        _agreement.patient_id == bindparam("patient_id"),
        _agreement.session_summary_id == bindparam("summary_id"),
        _agreement.status != _WITHDRAWN,
    )
    .order_by(
        _agreement.summary_version.desc(), _agreement.effective_at.desc(), _agreement.id.desc()
    )
    .limit(literal_column("1")),
    itself,
)


def _check_session(
    db: Db,
    chart: Chart,
    sent: IntegrationSessionIn,
    row: Kept,
    before: Kept | None,
    now: datetime,
) -> dict[str, Any]:
    """Raises: Problem INVALID, ILLEGAL_MOVE."""
    state = State(sent.status)
    if before is not None and before.status != state:
        was = State(before.status)
        if not integration.may_move(was, state):
            raise illegal_move(was, sorted(integration.MOVES[was]))
    if state in integration.TOOK_ITS_TIME and sent.scheduled_at > now + _AHEAD:
        raise invalid("/scheduled_at", "must not lie in the future of what was attended or missed")
    if sent.reason is not None and state not in {State.MISSED, State.CANCELLED}:
        raise invalid("/reason", "belongs to what was missed or cancelled")
    return {}


def _check_summary(
    db: Db,
    chart: Chart,
    sent: SessionSummaryIn,
    row: Kept,
    before: Kept | None,
    now: datetime,
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    of = sent.integration_session_id
    if before is not None and before.plain["integration_session_id"] != of:
        raise invalid("/integration_session_id", "cannot change")
    # Held, so that of two that are written at once the second sees the first.
    db.first(SESSIONS.to_change, patient_id=chart.patient_id, id=of)
    others = db.all(SUMMARY_OF, patient_id=chart.patient_id, integration_session_id=of)
    if before is None and row.id in others:
        return {}  # sent a second time; storing it finds that out, also where the session moved on
    if before is None and others:
        raise invalid("/integration_session_id", "has a summary already, which can be amended")
    if before is None and SESSIONS.read(db, chart, of).status != State.ATTENDED:
        raise invalid("/integration_session_id", "was not attended")
    return {}


def _check_agreement(
    db: Db,
    chart: Chart,
    sent: SummaryAgreementIn,
    row: Kept,
    before: Kept | None,
    now: datetime,
) -> dict[str, Any]:
    """Raises: Problem INVALID. An earlier version may be agreed to: it was what was read."""
    if sent.summary_version > SUMMARIES.read(db, chart, sent.session_summary_id).version:
        raise invalid("/summary_version", "is no version of it")
    return {}


SESSIONS: Final = Shelf(
    "integration_session",
    IntegrationSession,
    IntegrationSessionIn,
    IntegrationSessionOut,
    created="planned",
    read=READ,
    write=Right("integration_sessions.write", is_for_patient=False, privileges=_THERAPY),
    derive=_check_session,
)
SUMMARIES: Final = Shelf(
    "session_summary",
    SessionSummary,
    SessionSummaryIn,
    SessionSummaryOut,
    created="written",
    read=READ,
    write=Right("session_summaries.write", is_for_patient=False, privileges=_THERAPY),
    derive=_check_summary,
    part_of=(SESSIONS, "integration_session_id"),
)
AGREEMENTS: Final = Shelf(
    "summary_agreement",
    SummaryAgreement,
    SummaryAgreementIn,
    SummaryAgreementOut,
    created="given",
    read=READ,
    write=Right("summary_agreements.write", privileges=frozenset()),
    derive=_check_agreement,
    part_of=(SUMMARIES, "session_summary_id"),
)


SUMMARIES_OF: Final = SUMMARIES.query(
    _summary.integration_session_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)
SAID: Final = AGREEMENTS.query(_agreement.session_summary_id == bindparam("summary_id"), newest=100)


def read_summaries(
    db: Db, chart: Chart, session_ids: Sequence[UUID]
) -> dict[UUID, SessionSummaryOut]:
    """The summaries of these sessions, by session."""
    if not session_ids:
        return {}
    found = SUMMARIES.found(db, chart, SUMMARIES_OF, ids=list(session_ids))
    return {one.integration_session_id: one for one in reversed(found)}


def read_agreements(db: Db, chart: Chart, summary_id: UUID) -> list[SummaryAgreementOut]:
    """What the patient said to a summary, to any version of it; newest first, at most 100."""
    return AGREEMENTS.found(db, chart, SAID, summary_id=summary_id)


class _Dated(NamedTuple):
    id: UUID
    status: str
    scheduled_at: datetime


DOSES_LOOKED_AT: Final = 20
"""The newest doses that are looked at for a talk. Source: our convention."""
TALKS_SINCE: Final = Query(
    select(_session.id, _session.status, _session.scheduled_at)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.scheduled_at >= bindparam("since"),
        or_(
            _session.status == literal_column("'scheduled'"),
            _session.status == literal_column("'attended'"),
        ),
    )
    .order_by(_session.scheduled_at.desc(), _session.id)
    .limit(literal_column("1000")),
    _Dated,
)


def missed_windows(
    chart: Chart,
    doses: Sequence[int],
    talks: Sequence[_Dated],
    within_hours: tuple[int, int],
    *,
    since: datetime,
    now: datetime,
) -> list[MissedWindowOut]:
    """The doses since then whose hours have passed without a talk, newest first.

    talks: `TALKS_SINCE` then.
    """
    zone = schedule.zone_of(chart.time_zone)
    found = integration.missed_windows(
        doses, _sessions(talks), within_hours=within_hours, now=microseconds(now)
    )
    return [
        MissedWindowOut(
            dose_number=one.dose_number,
            given_at=instant_of(one.given_at).astimezone(zone),
            from_at=instant_of(one.from_at).astimezone(zone),
            until_at=instant_of(one.until_at).astimezone(zone),
        )
        for one in found
        if one.given_at >= microseconds(since)
    ]


def read_missed_windows(db: Db, chart: Chart, now: datetime) -> list[MissedWindowOut]:
    """The same of the newest doses, by the protocol that holds."""
    hours = schedule.protocol_in_force(db).protocol.sections.integration.within_hours
    doses = treatment.doses(db, chart)
    since = _looked_at_since(doses)
    talks = db.all(TALKS_SINCE, patient_id=chart.patient_id, since=since)
    return missed_windows(chart, doses, talks, hours, since=since, now=now)


def _looked_at_since(doses: Sequence[int]) -> datetime:
    return instant_of(doses[-DOSES_LOOKED_AT:][0] if doses else 0)


def _sessions(talks: Sequence[_Dated]) -> list[Session]:
    return [
        Session(str(one.id), microseconds(one.scheduled_at), State(one.status)) for one in talks
    ]


def read_proposal(db: Db, chart: Chart, now: datetime) -> IntegrationProposalOut:
    """When to talk about the last dose, by the protocol that holds."""
    in_force = schedule.protocol_in_force(db)
    section = in_force.protocol.sections.integration
    doses = treatment.doses(db, chart)
    since = _looked_at_since(doses)
    talks = db.all(TALKS_SINCE, patient_id=chart.patient_id, since=since)
    by_key = {str(one.id): one for one in talks}
    found = integration.proposal(
        doses,
        _sessions(talks),
        within_hours=section.within_hours,
        open_days=section.open_days,
        now=microseconds(now),
    )
    missed = missed_windows(chart, doses, talks, section.within_hours, since=since, now=now)
    zone = schedule.zone_of(chart.time_zone)

    def local(instant: int | None) -> datetime | None:
        return None if instant is None else instant_of(instant).astimezone(zone)

    its_own = by_key[found.session.key] if found and found.session else None
    return IntegrationProposalOut(
        dose_number=found.dose_number if found else None,
        given_at=local(found.given_at if found else None),
        from_at=local(found.from_at if found else None),
        until_at=local(found.until_at if found else None),
        counts_until=local(found.counts_until if found else None),
        is_over=microseconds(now) >= found.until_at if found else None,
        session=ProposedSessionOut(**its_own._asdict()) if its_own else None,
        missed_window=found.dose_number in {one.dose_number for one in missed} if found else None,
        missed_windows=missed,
        time_zone=chart.time_zone,
        protocol_version=in_force.version,
        source=section.source,
        is_convention=section.convention,
    )


def read_summary(db: Db, chart: Chart, session_id: UUID) -> AgreedSummaryOut:
    """The summary of a session, and whether both agree to it as it stands.

    Raises: Problem NOT_FOUND.
    """
    session = SESSIONS.read(db, chart, session_id)
    summary_id = db.first(
        SUMMARY_OF, patient_id=chart.patient_id, integration_session_id=session.id
    )
    if summary_id is None:
        return AgreedSummaryOut(
            integration_session_id=session.id, summary=None, said=None, is_agreed=False
        )
    said_id = db.first(SAID_TO, patient_id=chart.patient_id, summary_id=summary_id)
    summary = SUMMARIES.read(db, chart, summary_id)
    said = AGREEMENTS.read(db, chart, said_id) if said_id else None
    return AgreedSummaryOut(
        integration_session_id=session.id,
        summary=summary,
        said=said,
        is_agreed=_is_agreed(summary, said),
    )


def _is_agreed(summary: SessionSummaryOut, said: SummaryAgreementOut | None) -> bool:
    return said is not None and said.status == "agreed" and said.summary_version == summary.version
