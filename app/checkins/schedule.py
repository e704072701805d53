"""A clinic's protocol, and what is due for a patient by it."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, bindparam, cast, literal_column, select
from sqlalchemy import func as sql

from app.checkins import packs, service
from app.checkins.protocol_schemas import ProtocolIn, ProtocolOut
from app.checkins.schemas import (
    CheckInPage,
    DueItemOut,
    DueOut,
    PlacedCheckInOut,
    TimingOut,
)
from app.checkins.service import CheckInRow
from app.checkins.tables import IS_FINAL, CheckIn, ClinicProtocol
from app.clinical import instruments, protocol
from app.clinical.instruments import Instrument
from app.clinical.protocol import (
    LONG_RECALL_DAYS,
    Answered,
    DueItem,
    Protocol,
    ProtocolRefused,
)
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Ahead, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.identity import Caller, require_standing
from app.kernel.tables import columns
from app.people.chart import Chart, Right
from app.people.published import SHIPPED_VERSION, Documents, Version, require_publisher
from app.treatment import service as treatment
from app.treatment.service import AskedDoses

READ_DUE: Final = Right("due.read")
LOOK_BACK: Final = timedelta(days=500)
"""As far back as an answer can matter: a window of a protocol lasts 400 days at most, and an answer
counts as late for 90 more."""

PROTOCOLS: Final = Documents("protocol", ClinicProtocol)


class _Answers(NamedTuple):
    instruments: list[str]
    at: list[int]
    ids: list[UUID]


_check_in = columns(CheckIn)
_recent = (
    select(_check_in.instrument, _check_in.effective_at, _check_in.id)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.effective_at >= bindparam("since"),
        IS_FINAL,
    )
    .order_by(_check_in.effective_at, _check_in.id)
    .subquery()
)
ANSWERS = Query(
    select(
        sql.coalesce(sql.array_agg(_recent.c.instrument), literal_column("'{}'")),
        sql.coalesce(
            sql.array_agg(
                cast(
                    sql.date_part(literal_column("'epoch'"), _recent.c.effective_at)
                    * literal_column("1000000"),
                    BigInteger,
                )
            ),
            literal_column("'{}'"),
        ),
        sql.coalesce(sql.array_agg(_recent.c.id), literal_column("'{}'")),
    ),
    _Answers,
)


class AskedDue(NamedTuple):
    """What `due` goes by, asked for before it is known whether the caller may hear of it."""

    doses: AskedDoses
    planned: Ahead[datetime]
    published: Ahead[Version]
    answers: Ahead[_Answers]


class Course(NamedTuple):
    """What a protocol is held against."""

    protocol: Protocol
    version: int
    doses: list[int]
    planned: list[int]
    answered: list[Answered]


def ask_due(db: Db, patient_id: UUID, since: datetime) -> AskedDue:
    """Let the questions travel with the chart's. since: of the answers."""
    return AskedDue(
        treatment.ask_doses(db, patient_id),
        db.ahead(treatment.PLANNED, patient_id=patient_id, after=since),
        PROTOCOLS.ask(db),
        db.ahead(ANSWERS, patient_id=patient_id, since=since),
    )


def course(db: Db, chart: Chart, asked: AskedDue) -> Course:
    """What was asked, now that the chart is open."""
    doses = asked.doses.of(chart)
    published = asked.published.all()
    answers = asked.answers.one()
    held, version = _held(db, published[0] if published else None)
    return Course(
        held,
        version,
        doses,
        [microseconds(at) for at in asked.planned.all()],
        list(map(Answered, answers.instruments, answers.at, answers.ids)),
    )


def due(chart: Chart, known: Course, now: datetime) -> list[DueItem]:
    """What is open, what comes next, and what became of what was asked lately."""
    return protocol.due(
        known.protocol,
        enrolled_at=microseconds(chart.enrolled_at),
        doses=known.doses,
        planned=known.planned,
        answered=known.answered,
        zone=zone_of(chart.time_zone),
        now=microseconds(now),
        switched_on=_switched_on(chart, known.protocol),
    )


def asked_since(
    chart: Chart, known: Course, instruments_asked: Collection[str], since: datetime, now: datetime
) -> list[DueItem]:
    """What became of everything that these instruments were asked for, from `since` to now, by the
    protocol that holds now.
    """
    return protocol.due(
        known.protocol,
        enrolled_at=microseconds(chart.enrolled_at),
        doses=known.doses,
        planned=known.planned,
        answered=known.answered,
        zone=zone_of(chart.time_zone),
        now=microseconds(now),
        switched_on=_switched_on(chart, known.protocol) & set(instruments_asked),
        horizon_days=0,
        since=microseconds(since),
    )


class SafetyChecks(NamedTuple):
    """What of a protocol is a check on somebody's safety. points: by key; whatever they ask.

    instruments: those that triage for suicide, whenever they are asked.
    """

    points: frozenset[str]
    instruments: frozenset[str]

    def has(self, point: str, instrument: str) -> bool:
        """Whether a questionnaire that is asked at this point is one."""
        return point in self.points or instrument in self.instruments


def safety_checks(db: Db, held: Protocol, asked: Collection[str]) -> SafetyChecks:
    """What comes first in a list, and what a caseload counts when it was missed: one rule.

    asked: the instruments that it may be about.
    """
    return SafetyChecks(
        frozenset(point.key for point in held.points if point.checks_after_dose),
        frozenset(packs.triaging(db, set(asked))),
    )


def told(chart: Chart, known: Course, found: Sequence[DueItem], now: datetime) -> DueOut:
    """What the protocol asks, in the patient's time zone."""
    zone = zone_of(chart.time_zone)
    items: dict[str, list[DueItemOut]] = {"open": [], "next": [], "recent": []}
    local = _on_the_wall(zone)
    for item in found:
        items.get(item.state, items["recent"]).append(_out(item, local))
    return DueOut(
        protocol_version=known.version,
        time_zone=chart.time_zone,
        as_of=now.astimezone(zone),
        open=items["open"],
        next=items["next"],
        recent=items["recent"],
    )


def _timing(chart: Chart, row: CheckInRow, known: Course) -> TimingOut | None:
    """To which time point a check-in belongs, and whether it came too late for it."""
    if row.status == ENTERED_IN_ERROR:
        return None
    belongs = protocol.timing(
        known.protocol,
        enrolled_at=microseconds(chart.enrolled_at),
        doses=known.doses,
        planned=known.planned,
        answered=known.answered,
        zone=zone_of(chart.time_zone),
        instrument=row.instrument,
        at=microseconds(row.effective_at),
    )
    if belongs is None:
        return None
    return TimingOut(
        due_key=belongs.key, point=belongs.point, label=belongs.label, is_late=belongs.is_late
    )


def read_check_in(db: Db, chart: Chart, check_in_id: UUID) -> PlacedCheckInOut:
    """One check-in, also a withdrawn one. Raises: Problem NOT_FOUND."""
    return _placed(db, chart, [service.find(db, chart, check_in_id)])[0]


def list_check_ins(
    db: Db, chart: Chart, *, instrument: str | None, cursor: str | None, limit: int
) -> CheckInPage:
    """The patient's check-ins, of one instrument if it is named, newest first."""
    page = service.newest(db, chart, instrument=instrument, cursor=cursor, limit=limit)
    return CheckInPage(check_ins=_placed(db, chart, page.rows), next_cursor=page.next_cursor)


def _placed(db: Db, chart: Chart, rows: Sequence[CheckInRow]) -> list[PlacedCheckInOut]:
    if not rows:
        return []
    oldest = min(row.effective_at for row in rows)
    known = course(db, chart, ask_due(db, chart.patient_id, oldest - LOOK_BACK))
    return [
        PlacedCheckInOut(**service.members(db, row, known.doses), timing=_timing(chart, row, known))
        for row in rows
    ]


def protocol_held(db: Db) -> Protocol:
    """The protocol that holds in the transaction's clinic."""
    return _held(db, PROTOCOLS.newest(db))[0]


def read_protocol(db: Db, caller: Caller) -> ProtocolOut:
    """The protocol that holds; version 0 is the one that ships. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    return _protocol_out(db, PROTOCOLS.newest(db))


def read_earlier(db: Db, caller: Caller, version: int) -> ProtocolOut:
    """A protocol as it once held. Raises: Problem NOT_SIGNED_IN, NOT_FOUND."""
    require_standing(db, caller)
    published = PROTOCOLS.numbered(db, version)
    if published is None and version != SHIPPED_VERSION:
        raise not_found()
    return _protocol_out(db, published)


def _protocol_out(db: Db, published: Version | None) -> ProtocolOut:
    held, version = _held(db, published)
    return ProtocolOut.model_validate(
        {
            **protocol.as_dict(held),
            "version": version,
            "published_at": published.published_at if published else None,
        }
    )


class InForce(NamedTuple):
    """A protocol, and which of the clinic's versions it is."""

    protocol: Protocol
    version: int


def protocol_in_force(db: Db) -> InForce:
    """What the transaction's clinic goes by now."""
    return InForce(*_held(db, PROTOCOLS.newest(db)))


def protocol_of_version(db: Db, version: int) -> InForce:
    """What the transaction's clinic went by when something was recorded under this version.

    Version 0 is what ships, as it is today.
    """
    published = PROTOCOLS.numbered(db, version)
    assert published is not None or version == SHIPPED_VERSION
    return InForce(*_held(db, published))


def protocol_at(db: Db, at: datetime) -> InForce:
    """What the transaction's clinic went by at that instant."""
    return InForce(*_held(db, PROTOCOLS.held_at(db, at)))


def publish_protocol(
    db: Db, caller: Caller, sent: ProtocolIn, base_version: int, now: datetime
) -> ProtocolOut:
    """Put a new version in force, for every patient of the clinic, from now on.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, PRECONDITION_FAILED, INVALID.
    """
    require_publisher(db, caller)
    # A section that is left out stays as it is: a client from before there were sections would
    # otherwise put back a clinic's own alarms without a word.
    holds = protocol.as_dict(_held(db, PROTOCOLS.newest(db))[0])
    content = {name: holds[name] for name in protocol.SECTIONS} | sent.model_dump(exclude_none=True)
    try:
        own = {one.key: _recall_days(one) for one in packs.added(db)}
        held = protocol.read(content, {**_shipped_recall_days(), **own})
    except ProtocolRefused as refused:
        faults = [Fault(pointer, reason) for pointer, reason in refused.errors]
        raise Problem(Kind.INVALID, faults=faults) from None
    if faults := _recorded_by_clinicians(db, held):
        raise Problem(Kind.INVALID, faults=faults)
    version = PROTOCOLS.publish(db, caller, protocol.as_dict(held), base_version, now)
    return ProtocolOut.model_validate(
        {**protocol.as_dict(held), "version": version, "published_at": now}
    )


@lru_cache(256)
def zone_of(name: str) -> ZoneInfo:
    """An IANA time zone; it was checked when it was set."""
    return ZoneInfo(name)


def _recorded_by_clinicians(db: Db, held: Protocol) -> list[Fault]:
    """What no patient can be asked: instruments of which only scores are kept."""
    return [
        Fault(
            f"/points/{place}/instruments/{index}",
            "has scores that a clinician records, and cannot be asked of a patient",
        )
        for place, point in enumerate(held.points)
        for index, key in enumerate(point.instruments)
        if packs.find(db, key).is_score_only
    ]


def _held(db: Db, published: Version | None) -> tuple[Protocol, int]:
    """The protocol that holds, and its version."""
    if published is None:
        return _shipped(), SHIPPED_VERSION
    own = frozenset(
        key
        for key in _named(published.content) - _shipped_recall_days().keys()
        if _recall_days(packs.find(db, key)) >= LONG_RECALL_DAYS
    )
    return _read(published.content, own), published.version


@lru_cache(1)
def _shipped() -> Protocol:
    return protocol.shipped(_shipped_recall_days())


@lru_cache(1)
def _shipped_recall_days() -> dict[str, int]:
    return {one.key: _recall_days(one) for one in instruments.shipped()}


def _recall_days(instrument: Instrument) -> int:
    """For the rule about long recall: 0 for what may be asked on any day, such as a risk screen
    since the last contact, however far that is back.
    """
    return instrument.recall.days if instrument.recall.minimum_days_from_dose else 0


@lru_cache(256)
def _read(content: str, own: frozenset[str]) -> Protocol:
    """A published protocol. own: the clinic's own instruments in it that have a long recall."""
    named = _named(content)
    # It was checked when it was published. A version of an instrument that was added since may
    # look back further: then it is no longer asked too early, and the rest of the protocol holds.
    held = protocol.read(json.loads(content), dict.fromkeys(named, 0))
    days = _shipped_recall_days()
    shipped = {key for key in named if days.get(key, 0) >= LONG_RECALL_DAYS}
    return replace(held, long_recall=own | shipped)


@lru_cache(256)
def _named(content: str) -> frozenset[str]:
    """Every instrument in it. The sections are not there in what was published before them."""
    held = json.loads(content)
    prompts = held.get("exposure", {}).get("prompts", [])
    return frozenset(
        key for asked in (*held["points"], *prompts) for key in asked.get("instruments", [])
    )


def _switched_on(chart: Chart, held: Protocol) -> set[str]:
    switches = chart.clinic.instruments
    return {
        key for point in held.points for key in point.instruments if packs.is_key_on(key, switches)
    }


def _on_the_wall(zone: ZoneInfo) -> Callable[[int], datetime]:
    """From microseconds since 1970 to the patient's clock; questionnaires share their windows."""
    known: dict[int, datetime] = {}

    def local(instant: int) -> datetime:
        found = known.get(instant)
        if found is None:
            found = known[instant] = instant_of(instant).astimezone(zone)
        return found

    return local


def _out(item: DueItem, local: Callable[[int], datetime]) -> DueItemOut:
    return DueItemOut.model_construct(
        key=item.key,
        point=item.point,
        label=item.label,
        instrument=item.instrument,
        dose_number=item.dose_number,
        opens_at=local(item.opens_at),
        due_at=local(item.due_at),
        expires_at=local(item.expires_at),
        state=item.state,
        check_in_id=item.answered_by,
    )
