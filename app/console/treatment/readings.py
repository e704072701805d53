"""Vital signs of a visit: what was read, as a chart and a table, and one more reading."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

from fastapi import Query
from markupsafe import Markup

from app.checkins import schedule
from app.clinical.protocol import Alarm
from app.clinical.vitals import KINDS, Sign, alarms
from app.console import charts
from app.console.door import Answer, Inside, Visit, page_router
from app.console.forms import Fields, read, version
from app.console.record import PATIENT
from app.console.treatment.acts import Act, at, made_with, numeric, refusing
from app.course.vital_signs import service, statements
from app.course.vital_signs.schemas import AlarmOut, VitalSeriesOut, VitalSignsIn
from app.kernel import entries
from app.kernel.clock import instant_of
from app.kernel.db import Db
from app.kernel.errors import not_found
from app.kernel.negotiation import Accept
from app.people.chart import Chart, entry_id, open_chart
from app.treatment.schemas import DosingSessionOut
from app.treatment.service import read_session
from app.trends import forms
from app.trends.charts import room
from app.trends.charts.records import Frame
from app.trends.charts.room import Read, Room, Threshold

routes = page_router()
SHOWN: Final = 60
"""Readings in the table: the newest. The chart has the extremes of all."""
_ALARMS: Final = 5
_NAMES: Final = {
    Sign.SYSTOLIC: "Systolic",
    Sign.DIASTOLIC: "Diastolic",
    Sign.SPO2: "Oxygen saturation",
    Sign.PULSE: "Heart rate",
    Sign.RESPIRATION: "Breaths",
    Sign.SEDATION: "Sedation",
    Sign.DISSOCIATION: "Dissociation",
}
UNITS: Final = {
    sign.value: {"mm[Hg]": "mm Hg", "/min": "per minute", "{score}": "of 10"}.get(
        kind.unit, kind.unit
    )
    for sign, kind in KINDS.items()
}
_LABELS: Final = {
    "at": "Read at",
    **{sign.value: f"{name}, {UNITS[sign]}" for sign, name in _NAMES.items()},
}


class Line(NamedTuple):
    """A sign in numbers. peak: the highest since the dose; of oxygen and breaths the lowest."""

    name: str
    unit: str
    baseline: int | None
    peak: int | None
    minutes: float | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read. form: None for whoever may not add to it. left_out: rows of the table.

    alarms: the newest, newest first; the series tells the first ones.
    """

    told: VitalSeriesOut
    alarms: list[AlarmOut]
    figure: Markup | None
    lines: list[Line]
    names: dict[str, str]
    left_out: int
    form: Fields | None
    form_id: str


def show(
    visit: Visit, chart: Chart, session: DosingSessionOut, typed: Fields | None
) -> Readings | None:
    """The part of a visit's page; None for whoever may not read it."""
    if not service.READ_VITAL_SIGNS.is_granted(chart):
        return None
    told = service.read_series(visit.db, chart, session.id, visit.now)
    drawn = room_of(visit.db, chart, session, told)
    figure = None
    if told.readings.at:
        path = f"/console/patients/{chart.patient_id}/treatment/{session.id}/chart"
        said = f"Vital signs of this visit: {len(told.readings.at)} readings, with the doses marked"
        figure = charts.figure(path, said, [room.table(drawn, SHOWN)])
    may = service.RECORD_VITAL_SIGNS.is_granted(chart)
    return Readings(
        told=told,
        alarms=_newest_alarms(visit.db, chart, session, told),
        figure=figure,
        lines=_lines(session),
        names={sign.value: name for sign, name in _NAMES.items()},
        left_out=max(0, len(set(told.readings.at)) - SHOWN),
        form=(typed or Fields("reading", _LABELS)) if may else None,
        form_id=made_with(visit, typed),
    )


def room_of(db: Db, chart: Chart, session: DosingSessionOut, told: VitalSeriesOut) -> Room:
    """A visit as it is drawn, with the thresholds that were held against it."""
    return Room(
        signs=[
            Read(sign.value, f"{name}, {UNITS[sign]}", _read(told, sign))
            for sign, name in _NAMES.items()
        ],
        thresholds=[
            Threshold(one.vital.value, value, is_high)
            for one in _thresholds(db, session)
            for value, is_high in ((one.low, False), (one.high, True))
            if value is not None
        ],
        doses=[one.given_at for one in session.administrations],
        time_zone=chart.clinic.time_zone,
    )


@routes.get(PATIENT + "/treatment/{dosing_session_id}/chart")
def readings_chart(
    visit: Inside,
    patient_id: str,
    dosing_session_id: str,
    width: Annotated[int, Query(ge=forms.NARROWEST, le=forms.WIDEST)] = 640,
    theme: Annotated[Literal["light", "dark"], Query()] = "light",
    accept: Accept = None,
) -> Answer:
    """The vital signs of one visit."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_VITAL_SIGNS, visit.now)
    session = read_session(visit.db, chart, entry_id(dosing_session_id), visit.now)
    told = service.read_series(visit.db, chart, session.id, visit.now)
    if not told.readings.at:
        raise not_found()
    drawn = room_of(visit.db, chart, session, told)
    # One above the other comes out five pixels wider than asked for, which would be cut off.
    frame = Frame(width - 5, theme == "dark")
    return charts.answer(visit, accept, lambda: room.chart(drawn, frame))


def record(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """One reading by hand. Raises: Refused."""
    fields = Fields("reading", _LABELS).typed(visit.form)
    batch = entry_id(visit.form["id"])
    known = entries.known_before(visit.db, chart, service.KIND, statements.BATCH, batch)
    first = visit.now.isoformat()
    if known.row is not None:
        first = str(known.said(1)["readings"]["at"][0])
    reading = {sign.value: numeric(fields.value(sign.value)) for sign in Sign}
    reading = {name: value for name, value in reading.items() if value is not None}
    members = {"at": at(fields, "at", chart, first), **reading}
    with refusing(fields):
        sent = read(VitalSignsIn, {"id": str(batch), "source": "by-hand", "readings": [members]})
        service.record(visit.db, chart, session_id, sent, known, visit.now)


def withdraw(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """A batch was entered in error. Raises: Refused."""
    batch = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, service.KIND, statements.BATCH_TO_CHANGE, batch)
    with refusing(Fields(f"withdraw-{batch}", {})):
        base = version(visit.form["version"])
        service.withdraw(visit.db, chart, session_id, known, base, visit.now)


ACTS: Final = {
    "read": Act(service.RECORD_VITAL_SIGNS, "read-signs", record),
    "withdraw-reading": Act(service.RECORD_VITAL_SIGNS, "in-error", withdraw),
}


def _read(told: VitalSeriesOut, sign: Sign) -> list[tuple[datetime, int]]:
    column: list[int | None] = getattr(told.readings, sign.value)
    pairs = zip(told.readings.at, column, strict=True)
    return [(when, value) for when, value in pairs if value is not None]


def _thresholds(db: Db, session: DosingSessionOut) -> tuple[Alarm, ...]:
    """That were held against what was read."""
    if session.vitals is None:
        return ()
    held = schedule.protocol_of_version(db, session.vitals.protocol_version)
    return held.protocol.sections.monitoring.alarms


def _newest_alarms(
    db: Db, chart: Chart, session: DosingSessionOut, told: VitalSeriesOut
) -> list[AlarmOut]:
    """Newest first: how somebody is now, and not how a monitor's long series began."""
    if told.alarm_count == len(told.alarms):
        return told.alarms[: -_ALARMS - 1 : -1]
    raised = alarms(service.series_of(db, chart, session.id), _thresholds(db, session))
    return [
        AlarmOut(
            at=instant_of(one.at),
            vital=one.vital.value,
            value=one.value,
            threshold=one.threshold,
            is_high=one.is_high,
        )
        for one in raised[: -_ALARMS - 1 : -1]
    ]


def _lines(session: DosingSessionOut) -> list[Line]:
    told = session.vitals
    if told is None:
        return []
    lines = []
    for sign, name in _NAMES.items():
        if sign.value not in told.last:
            continue
        peak = told.peak.get(sign.value)
        lines.append(
            Line(
                name,
                UNITS[sign],
                told.baseline.get(sign.value),
                peak.value if peak else None,
                peak.minutes if peak else None,
                told.last.get(sign.value),
            )
        )
    return lines
