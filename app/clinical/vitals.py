"""Vital signs and states around a dose: what may be stored, what is highlighted, what they show.

A reading is what was measured at one moment; most monitors measure only some of it at a time.
Nothing here diagnoses: an alarm says that a value reached a number that the clinic chose.

Instants are microseconds since 1970, UTC, as everywhere in `clinical`; minutes are counted from
the first administration of the session, and are negative before it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from app.clinical.protocol import Alarm, Monitoring, Vital

_MINUTE: Final = 60_000_000

BLOOD_PRESSURE_PANEL: Final = "85354-9"
"""LOINC of the panel in which systolic and diastolic are components; it has no value of its own."""

# Source: ours. Where a state counts as passed on its 0-10 scale.
DISSOCIATION_PASSED: Final = 1


class Sign(StrEnum):
    """What a reading may hold."""

    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    SPO2 = "spo2"
    PULSE = "pulse"
    RESPIRATION = "respiration"
    SEDATION = "sedation"
    DISSOCIATION = "dissociation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one sign is.

    loinc: None where there is no code for it; then `code` is the local one.
    also: further LOINC codes that the profile of it asks for.
    unit: UCUM.
    lowest, highest: what can be read on a living person, generously; beyond it is a slip of the
        keyboard or a probe that fell off, and is refused. Our convention.
    """

    code: str
    label: str
    loinc: str | None
    also: tuple[str, ...] = ()
    unit: str
    lowest: int
    highest: int


KINDS: Final[Mapping[Sign, Kind]] = MappingProxyType(
    {
        # Source of the codes and units: the vital signs profiles of FHIR R4 and US Core.
        Sign.SYSTOLIC: Kind(
            code="systolic",
            label="Systolic blood pressure",
            loinc="8480-6",
            unit="mm[Hg]",
            lowest=40,
            highest=300,
        ),
        Sign.DIASTOLIC: Kind(
            code="diastolic",
            label="Diastolic blood pressure",
            loinc="8462-4",
            unit="mm[Hg]",
            lowest=20,
            highest=200,
        ),
        Sign.SPO2: Kind(
            code="spo2",
            label="Oxygen saturation by pulse oximetry",
            loinc="59408-5",
            also=("2708-6",),
            unit="%",
            lowest=50,
            highest=100,
        ),
        Sign.PULSE: Kind(
            code="pulse",
            label="Heart rate",
            loinc="8867-4",
            unit="/min",
            lowest=20,
            highest=250,
        ),
        Sign.RESPIRATION: Kind(
            code="respiration",
            label="Respiratory rate",
            loinc="9279-1",
            unit="/min",
            lowest=2,
            highest=70,
        ),
        # Our own scales, as no free instrument is quick enough; no code is invented for them.
        Sign.SEDATION: Kind(
            code="sedation",
            label="Sedation, 0 wide awake to 10 cannot be woken",
            loinc=None,
            unit="{score}",
            lowest=0,
            highest=10,
        ),
        Sign.DISSOCIATION: Kind(
            code="dissociation",
            label="Disconnected from body or surroundings, 0 not at all to 10 completely",
            loinc=None,
            unit="{score}",
            lowest=0,
            highest=10,
        ),
    }
)


class Reading(NamedTuple):
    """What was measured at one moment; None: not then. Units: see KINDS."""

    at: int
    systolic: int | None = None
    diastolic: int | None = None
    spo2: int | None = None
    pulse: int | None = None
    respiration: int | None = None
    sedation: int | None = None
    dissociation: int | None = None

    def get(self, sign: Sign | Vital) -> int | None:
        """The value of one sign."""
        value: int | None = getattr(self, sign)
        return value


@dataclass(frozen=True, slots=True)
class Raised:
    """A value that reached a threshold. threshold: the one it reached; is_high: from below."""

    at: int
    vital: Vital
    value: int
    threshold: int
    is_high: bool


@dataclass(frozen=True, slots=True)
class Peak:
    """An extreme, and when it came first."""

    value: int
    at: int
    minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a series shows, for one line of a list.

    readings: how many; those that hold nothing do not count.
    baseline: by sign, the last value at or before the dose. A session that has none before it has
        no baseline: the first value under the drug is none.
    peak: by sign, the highest value after the dose; of oxygen saturation and respiration the
        lowest, which is what one looks for.
    last: by sign, the last value of all.
    dissociation_passed_minutes: minutes from the dose until dissociation was first read as 1 or
        less and stayed so; None where it was never read after the dose, or has not passed. Known
        only as finely as it was asked.
    alarms: how many values reached a threshold.
    """

    readings: int
    baseline: Mapping[Sign, int]
    peak: Mapping[Sign, Peak]
    last: Mapping[Sign, int]
    dissociation_passed_minutes: float | None
    alarms: int


_NOTHING: Final = (None,) * len(Sign)
_LOWEST_MATTERS: Final = frozenset({Sign.SPO2, Sign.RESPIRATION})


def faults(reading: Reading) -> tuple[tuple[str, str], ...]:
    """What cannot be so in one reading: (member, reason), which repeats no value.

    A pressure has both numbers or none; and the diastolic is below the systolic.
    """
    found: list[tuple[str, str]] = []
    values = {sign: reading.get(sign) for sign in Sign}
    if all(value is None for value in values.values()):
        return (("", "must have at least one value"),)
    for sign, value in values.items():
        kind = KINDS[sign]
        if value is not None and not kind.lowest <= value <= kind.highest:
            found.append((sign.value, f"must be from {kind.lowest} to {kind.highest}"))
    systolic, diastolic = reading.systolic, reading.diastolic
    if (systolic is None) is not (diastolic is None):
        missing = Sign.SYSTOLIC if systolic is None else Sign.DIASTOLIC
        found.append((missing.value, "must be given with the other of the two pressures"))
    elif systolic is not None and diastolic is not None and diastolic >= systolic:
        found.append((Sign.DIASTOLIC.value, "must be below the systolic pressure"))
    return tuple(found)


def alarms(readings: Iterable[Reading], thresholds: Sequence[Alarm]) -> list[Raised]:
    """Every value that reached a threshold, in the order of the readings.

    A threshold is reached on it: a saturation of 93 with a low of 93 is highlighted.
    """
    series = list(readings)
    raised: list[tuple[int, int, Raised]] = []
    for order, alarm in enumerate(thresholds):
        for place, (at, value) in _read(series, alarm.vital):
            if alarm.high is not None and value >= alarm.high:
                raised.append((place, order, Raised(at, alarm.vital, value, alarm.high, True)))
            elif alarm.low is not None and value <= alarm.low:
                raised.append((place, order, Raised(at, alarm.vital, value, alarm.low, False)))
    raised.sort(key=lambda one: one[:2])
    return [one for _, _, one in raised]


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    """By time; of two of one moment the one that was sent later comes last."""
    return sorted(readings, key=lambda reading: reading.at)


def summary(
    readings: Iterable[Reading], dose_at: int | None, thresholds: Sequence[Alarm] = ()
) -> Summary:
    """What a series shows.

    dose_at: the first administration; None for a visit without a dose: then everything is before.
    """
    series = in_order(readings)
    baseline: dict[Sign, int] = {}
    last: dict[Sign, int] = {}
    peak: dict[Sign, Peak] = {}
    for sign in Sign:  # a monitor sends thousands of readings: sign by sign is several times faster
        read = [one for _, one in _read(series, sign)]
        if not read:
            continue
        last[sign] = read[-1][1]
        since = len(read) if dose_at is None else bisect_right(read, dose_at, key=_at)
        if since:
            baseline[sign] = read[since - 1][1]
        if dose_at is not None and since < len(read):
            furthest = min if sign in _LOWEST_MATTERS else max
            at, value = furthest(read[since:], key=_value)  # the first of them
            peak[sign] = Peak(value, at, _minutes(at, dose_at))
    return Summary(
        readings=sum(one[1:] != _NOTHING for one in series),
        baseline=baseline,
        peak=peak,
        last=last,
        dissociation_passed_minutes=_passed(series, dose_at),
        alarms=len(alarms(series, thresholds)),
    )


def gaps(
    readings: Iterable[Reading],
    dose_at: int,
    monitoring: Monitoring,
    *,
    until: int,
    needed: Sequence[Sign] = (Sign.SYSTOLIC, Sign.SPO2),
) -> tuple[int, ...]:
    """The record points, in minutes from the dose, at which what is needed was not taken.

    A reading may count for two points, where they are close.

    until: now, or the end of the session. A point counts only once its time is over, tolerance
        included; one that is still to come is no gap.
    needed: each of these has to be read within the tolerance, in one reading or in several.
    """
    tolerance = monitoring.tolerance_minutes * _MINUTE
    series = list(readings)
    missed: list[int] = []
    for minutes in monitoring.record_minutes:
        point = dose_at + minutes * _MINUTE
        if point + tolerance >= until:
            continue
        near = [one for one in series if abs(one.at - point) <= tolerance]
        if any(all(one.get(sign) is None for one in near) for sign in needed):
            missed.append(minutes)
    return tuple(missed)


def _minutes(at: int, dose_at: int) -> float:
    return (at - dose_at) / _MINUTE


def _read(series: Sequence[Reading], sign: Sign | Vital) -> list[tuple[int, tuple[int, int]]]:
    """Where in the series a sign was read: (place, (at, value))."""
    column = Reading._fields.index(sign)
    return [
        (place, (one.at, value))
        for place, one in enumerate(series)
        if (value := one[column]) is not None
    ]


def _at(read: tuple[int, int]) -> int:
    return read[0]


def _value(read: tuple[int, int]) -> int:
    return read[1]


def _passed(series: Sequence[Reading], dose_at: int | None) -> float | None:
    if dose_at is None:
        return None
    passed: int | None = None
    for reading in series:
        value = reading.dissociation
        if value is None or reading.at <= dose_at:
            continue
        if value > DISSOCIATION_PASSED:
            passed = None
        elif passed is None:
            passed = reading.at
    return None if passed is None else _minutes(passed, dose_at)
