"""What the care team does about a flag: see to it, hand it over, record contact, close it.

Whoever acts is named. A round is acknowledged by one person: the same person again is told so,
somebody else is told who was first. Nothing but a clinician closes a flag, and what was written
about it is sealed with the patient's key and shown to clinicians only.

What was sent before is answered as it was then (200), whatever became of the flag since.
"""

import json
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, select
from uuid_utils.compat import uuid7

from app.kernel import identity
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.identity import Caller
from app.kernel.tables import Membership, columns
from app.kernel.wire import as_json
from app.people.admission import end_coverage
from app.people.chart import CARE, Chart, Right, note_shown, open_chart, open_covering
from app.safety import alerts, service
from app.safety.flags import FLAG, FLAG_TO_CHANGE, WHOSE_FLAG, FlagRow
from app.safety.schemas import (
    CommentIn,
    ContactIn,
    FlagEventOut,
    FlagState,
    FlagStatePage,
    HandOverIn,
    ResolveIn,
)
from app.safety.tables import Flag, FlagEvent

ACT_ON_FLAGS: Final = Right("flags.act", is_for_patient=False)
READ_STATE: Final = Right("flags.state")
_STATES: Final = 100


class _Event(NamedTuple):
    id: UUID
    round: int
    action: str
    by_member: UUID
    to_member: UUID | None
    disposition: str | None
    words: bytes | None
    at: datetime


class _Member(NamedTuple):
    id: UUID
    role: str
    privileges: list[str]
    name: bytes


_flag = columns(Flag)
_event = columns(FlagEvent)
_member = columns(Membership)
_FLAG = tuple(getattr(_flag, name) for name in FlagRow._fields)

FLAGS_OF_PATIENT = Query(
    select(*_FLAG)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.patient_id == bindparam("patient_id"))
    .order_by(_flag.raised_at.desc(), _flag.id)
    .limit(_STATES),
    FlagRow,
)
ADD_EVENT = Change(insert(FlagEvent))
EVENTS = Query(
    select(*(getattr(_event, name) for name in _Event._fields))
    .where(_event.clinic_id == bindparam("clinic_id"), _event.flag_id == bindparam("flag_id"))
    .order_by(_event.at, _event.id),
    _Event,
)
NAMES = Query(
    select(_member.id, _member.name).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == any_(bindparam("membership_ids", type_=ARRAY(Uuid))),
    ),
    lambda membership_id, name: (membership_id, name),
)
MEMBER = Query(
    select(_member.id, _member.role, _member.privileges, _member.name).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == bindparam("membership_id"),
        _member.is_active,
    ),
    _Member,
)


class _Case(NamedTuple):
    """A flag that somebody may act on."""

    chart: Chart
    flag: FlagRow


def acknowledge(db: Db, caller: Caller, flag_id: UUID, now: datetime) -> FlagState:
    """Say: I am seeing to this round. The same person again changes nothing.

    Raises: Problem NOT_FOUND, FORBIDDEN, ALREADY_ACKNOWLEDGED (and by whom), FLAG_CLOSED.
    """
    chart, flag = _open(db, caller, flag_id, now)
    if flag.status == "acknowledged":
        if flag.acknowledged_by == caller.membership_id:
            return state(db, chart, flag)
        assert flag.acknowledged_by is not None
        first = db.one(MEMBER_NAME, membership_id=flag.acknowledged_by)
        raise Problem(
            Kind.ALREADY_ACKNOWLEDGED,
            extra={
                "acknowledged_by": _name(db, chart.clinic_id, flag.acknowledged_by, first),
                "acknowledged_at": _instant(flag.acknowledged_at),
            },
        )
    alerts.cancel(db, flag, now)
    flag = _acknowledged(flag, caller, now)
    return _changed(db, chart, flag, "flag.acknowledged", "acknowledged", now)


def hand_over(db: Db, caller: Caller, flag_id: UUID, sent: HandOverIn, now: datetime) -> FlagState:
    """Give it to another clinician, who is told in a round of their own.

    Raises: Problem NOT_FOUND, FORBIDDEN, INVALID (nobody who could), FLAG_CLOSED.
    """
    chart, flag = _open(db, caller, flag_id, now)
    to = db.first(MEMBER, membership_id=sent.to)
    if to is None or to.role != "clinician" or CARE.isdisjoint(to.privileges):
        raise invalid("/to", "is no clinician of this clinic who sees clinical content")
    alerts.cancel(db, flag, now)
    flag = flag._replace(
        version=flag.version + 1,
        status="open",
        round=flag.round + 1,
        assigned_to=to.id,
        acknowledged_by=None,
        acknowledged_at=None,
        round_began_at=now,
    )
    handed = _changed(
        db, chart, flag, "flag.handed_over", "handed-over", now, to=to.id, note=sent.note
    )
    service.promise_round(db, flag, now)
    return handed


def record_contact(
    db: Db, caller: Caller, flag_id: UUID, sent: ContactIn, now: datetime
) -> FlagState:
    """Keep that somebody was spoken to, or could not be reached.

    Raises: Problem NOT_FOUND, FORBIDDEN, ID_REUSED, FLAG_CLOSED.
    """
    chart, flag = _find(db, caller, flag_id, now)
    if _was_sent(db, chart, flag, sent.id, "contacted", sent.note, sent.outcome):
        return state(db, chart, flag)
    _require_open(flag)
    flag = flag._replace(version=flag.version + 1)
    return _changed(
        db,
        chart,
        flag,
        "flag.contacted",
        "contacted",
        now,
        sent_id=sent.id,
        disposition=sent.outcome,
        note=sent.note,
    )


def comment(db: Db, caller: Caller, flag_id: UUID, sent: CommentIn, now: datetime) -> FlagState:
    """A note for one's colleagues; the patient never sees it.

    Raises: Problem NOT_FOUND, FORBIDDEN, ID_REUSED, FLAG_CLOSED.
    """
    chart, flag = _find(db, caller, flag_id, now)
    if _was_sent(db, chart, flag, sent.id, "commented", sent.note, None):
        return state(db, chart, flag)
    _require_open(flag)
    flag = flag._replace(version=flag.version + 1)
    return _changed(
        db, chart, flag, "flag.commented", "commented", now, sent_id=sent.id, note=sent.note
    )


def resolve(db: Db, caller: Caller, flag_id: UUID, sent: ResolveIn, now: datetime) -> FlagState:
    """Close it, with what was decided and why. The care links that telling gave end with it. The
    same person again, with the same words, changes nothing.

    Raises: Problem NOT_FOUND, FORBIDDEN, FLAG_CLOSED.
    """
    if (closed := _resolved_before(db, caller, flag_id, sent, now)) is not None:
        return closed
    chart, flag = _open(db, caller, flag_id, now)
    flag = flag._replace(version=flag.version + 1, status="resolved")
    alerts.cancel(db, flag, now)
    end_coverage(db, chart, flag.id, now)
    return _changed(
        db,
        chart,
        flag,
        "flag.resolved",
        "resolved",
        now,
        disposition=sent.disposition,
        note=sent.note,
    )


def states(db: Db, chart: Chart) -> FlagStatePage:
    """The patient's flags, newest first, as far as this reader may see what was done."""
    rows = db.all(FLAGS_OF_PATIENT, patient_id=chart.patient_id)
    return FlagStatePage(flags=[state(db, chart, row) for row in rows])


def state(db: Db, chart: Chart, flag: FlagRow) -> FlagState:
    """A flag, and what was done about it; a patient sees who and when, and nobody's notes."""
    done = [
        one
        for one in db.all(EVENTS, flag_id=flag.id)
        if not (chart.is_own and one.action == "commented")
    ]
    names = _names(db, chart.clinic_id, done)
    events = [
        FlagEventOut(
            id=one.id,
            round=one.round,
            action=one.action,
            by=names[one.by_member],
            to=None if one.to_member is None else names[one.to_member],
            at=one.at,
            disposition=None if chart.is_own else one.disposition,
            note=None if chart.is_own else _note(chart, one),
        )
        for one in done
    ]
    acknowledged = next((one for one in reversed(events) if one.action == "acknowledged"), None)
    is_acknowledged = flag.acknowledged_by is not None and acknowledged is not None
    return FlagState(
        **flag.ref().model_dump(),
        version=flag.version,
        raised_at=flag.raised_at,
        round_began_at=flag.round_began_at,
        acknowledged_by=acknowledged.by if is_acknowledged and acknowledged else None,
        acknowledged_at=flag.acknowledged_at,
        events=events,
    )


MEMBER_NAME = Query(
    select(_member.name).where(
        _member.clinic_id == bindparam("clinic_id"), _member.id == bindparam("membership_id")
    ),
    lambda name: name,
)


def _open(db: Db, caller: Caller, flag_id: UUID, now: datetime) -> _Case:
    """The flag, locked, if the caller may act on it and nobody closed it. Raises: Problem."""
    case = _find(db, caller, flag_id, now)
    _require_open(case.flag)
    return case


def _require_open(flag: FlagRow) -> None:
    if flag.status == "resolved":
        raise Problem(Kind.FLAG_CLOSED)


def _find(db: Db, caller: Caller, flag_id: UUID, now: datetime) -> _Case:
    """The flag, locked, if the caller may act on what is open of it. Raises: Problem."""
    if caller.role != "clinician":
        raise Problem(Kind.FORBIDDEN)
    patient_id = db.first(WHOSE_FLAG, flag_id=flag_id)
    if patient_id is None:
        identity.require_standing(db, caller)
        raise not_found()
    chart = open_chart(db, caller, str(patient_id), ACT_ON_FLAGS, now)
    return _Case(chart, db.one(FLAG_TO_CHANGE, flag_id=flag_id))


def _was_sent(
    db: Db,
    chart: Chart,
    flag: FlagRow,
    sent_id: UUID | None,
    action: str,
    note: str | None,
    disposition: str | None,
) -> bool:
    """Whether this was done before, under this id. Raises: Problem ID_REUSED."""
    if sent_id is None:
        return False
    done = next((one for one in db.all(EVENTS, flag_id=flag.id) if one.id == sent_id), None)
    if done is None:
        return False
    said = done.by_member, done.action, done.disposition, _note(chart, done)
    if said != (chart.actor_id, action, disposition, note):
        raise Problem(Kind.ID_REUSED)
    return True


def _resolved_before(
    db: Db, caller: Caller, flag_id: UUID, sent: ResolveIn, now: datetime
) -> FlagState | None:
    """The flag, if this very person closed it with these very words.

    Closing it may have ended the care link by which they saw it, so the chart is not opened as
    theirs: they read again what they were answered. It is in the access log all the same.
    """
    if caller.role != "clinician":
        return None
    flag = db.first(FLAG, flag_id=flag_id)
    if flag is None or flag.status != "resolved":
        return None
    identity.require_standing(db, caller)
    chart = open_covering(db, flag.patient_id)
    closed = next(
        (one for one in db.all(EVENTS, flag_id=flag.id) if one.action == "resolved"), None
    )
    if chart is None or closed is None or closed.by_member != caller.membership_id:
        return None
    if (closed.disposition, _note(chart, closed)) != (sent.disposition, sent.note):
        return None
    note_shown(db, caller, ACT_ON_FLAGS, {flag.patient_id}, now)
    return state(db, chart, flag)


def _acknowledged(flag: FlagRow, caller: Caller, now: datetime) -> FlagRow:
    return flag._replace(
        version=flag.version + 1,
        status="acknowledged",
        acknowledged_by=caller.membership_id,
        acknowledged_at=now,
    )


def _changed(
    db: Db,
    chart: Chart,
    flag: FlagRow,
    action: str,
    event: str,
    now: datetime,
    *,
    sent_id: UUID | None = None,
    to: UUID | None = None,
    disposition: str | None = None,
    note: str | None = None,
) -> FlagState:
    """Store the flag, what was done, and the ledger's row."""
    service.change_flag(db, flag, now)
    event_id = sent_id or uuid7()
    words = None
    if note is not None:
        words = chart.data_key.seal(
            as_json({"note": note}), table="flag_event", column="words", row=event_id
        )
    db.add(
        ADD_EVENT,
        id=event_id,
        flag_id=flag.id,
        round=flag.round,
        action=event,
        by_member=chart.actor_id,
        to_member=to,
        disposition=disposition,
        words=words,
        at=now,
    )
    # Notes stay out of the ledger's entry: a patient reads it in the changes feed.
    service.record(
        db,
        chart,
        action,
        flag,
        now,
        event={"action": event, "by": str(chart.actor_id), "to": None if to is None else str(to)},
    )
    return state(db, chart, flag)


def _names(db: Db, clinic_id: UUID, events: list[_Event]) -> dict[UUID, str]:
    """Who acted, and to whom it was handed."""
    ids = sorted({id_ for one in events for id_ in (one.by_member, one.to_member) if id_})
    if not ids:
        return {}
    return {
        member_id: _name(db, clinic_id, member_id, sealed)
        for member_id, sealed in db.all(NAMES, membership_ids=ids)
    }


def _note(chart: Chart, one: _Event) -> str | None:
    if one.words is None:
        return None
    opened = chart.data_key.open(one.words, table="flag_event", column="words", row=one.id)
    return str(json.loads(opened)["note"])


def _name(db: Db, clinic_id: UUID, membership_id: UUID, sealed: bytes) -> str:
    return identity.member_name(db.vault, clinic_id, membership_id, sealed)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
