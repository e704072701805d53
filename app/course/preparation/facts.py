"""What the record knows about an item of the checklist, whoever says what of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from app.clinical import vitals
from app.clinical.instruments import Level
from app.clinical.met import Met, by_screen
from app.clinical.preparation import Fact
from app.clinical.protocol import Sections
from app.course import risk_screen
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db
from app.people.chart import Chart
from app.people.consents import Holds, treatment_consent
from app.treatment import service as treatment

OUT_OF_DATE: Final = "out-of-date"
SCREEN_FRESH: Final = timedelta(hours=24)
"""How long before a visit its risk screen may have been answered. Source: ours, the window in which
the protocol that ships asks for it."""


def consent(db: Db, chart: Chart, at: datetime, now: datetime) -> Fact:
    """Whether the consent to treatment holds at the time of the visit."""
    given = treatment_consent(db, chart, at, now)
    is_current = given.holds is Holds.CURRENT
    return Fact(
        met=Met.MET if is_current else Met.NOT_MET,
        at=None if given.given_at is None else microseconds(given.given_at),
        reasons=() if is_current else (given.holds,),
    )


def risk(db: Db, chart: Chart, sections: Sections, started_at: datetime, until: datetime) -> Fact:
    """The screens since the last dose, none older than a day before the visit.

    It is held against the lowest level that the gate at the door lets through.
    """
    begins = min(until, started_at)
    before = [at for at in treatment.doses(db, chart) if at < microseconds(begins)]
    since = begins - SCREEN_FRESH
    if before:
        since = max(since, instant_of(before[-1]))
    screened = risk_screen.found(db, chart, since=since, until=until)
    if screened is None:
        return Fact(met=Met.UNKNOWN, at=None, reasons=("not-answered",))
    finding = screened.finding
    lines = [one.at_most_level for one in sections.discharge.criteria if one.at_most_level]
    met = by_screen(finding, min(lines, default=Level.LOW))
    raised = () if finding.level is Level.NONE else (f"risk-{finding.level}",)
    reasons = ("incomplete",) if met is Met.UNKNOWN else raised
    return Fact(met=met, at=microseconds(screened.at), reasons=reasons)


def pressure(
    readings: Sequence[vitals.Reading], sections: Sections, until: datetime
) -> Fact | None:
    """What was measured last, sign by sign, against the clinic's alarms.

    A monitor measures oxygen in every second and blood pressure seldom: the last pressure stands
    until the next one, or until it is older than the protocol lets it be. Then only another one
    helps, and no tick. None: nothing was measured. Readings without a pressure say nothing of it.

    until: the dose, or now while there was none.
    """
    last = vitals.summary(readings, dose_at=None).last
    if not last:
        return None
    at = max(
        one.at for one in readings if one.systolic is not None or vitals.Sign.SYSTOLIC not in last
    )
    raised = vitals.alarms(
        [vitals.Reading(at=at, **{sign.value: value for sign, value in last.items()})],
        sections.monitoring.alarms,
    )
    within = timedelta(minutes=sections.preparation.reading_within_minutes)
    is_old = vitals.Sign.SYSTOLIC in last and at < microseconds(until - within)
    if raised or is_old:
        reasons = [f"alarm-{one.vital}" for one in raised] + [OUT_OF_DATE] * is_old
        return Fact(met=Met.NOT_MET, at=at, reasons=tuple(reasons))
    if vitals.Sign.SYSTOLIC not in last:
        return Fact(met=Met.UNKNOWN, at=at, reasons=("incomplete",))
    return Fact(met=Met.MET, at=at)
