"""The gate at the door: what has to be so before somebody leaves, and whether it is.

What is not known is not met. A reading speaks for how somebody is now only while it is fresh: a
calm first minute says nothing two hours later. The clinic chooses the criteria; the gate itself
never opens by forgetting one, and an override names each criterion that it overrides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.clinical.met import Met, by_screen
from app.clinical.protocol import Alarm, Criterion, CriterionKind, Discharge
from app.clinical.risk import Finding
from app.clinical.vitals import Reading, Sign, alarms, in_order

_MINUTE: Final = 60_000_000

_READ_OFF: Final[Mapping[CriterionKind, Sign]] = MappingProxyType(
    {
        CriterionKind.DISSOCIATION: Sign.DISSOCIATION,
        CriterionKind.SEDATION: Sign.SEDATION,
        CriterionKind.SPO2: Sign.SPO2,
    }
)

Value = int | float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when somebody wants to leave.

    now, first_dose_at, last_dose_at: microseconds since 1970; None where no dose was given.
    readings: of the session, in any order.
    risk: of the screen since the dose; None: there was none.
    attested: what a clinician said, by the criterion's key; a key that is missing was not asked.
    """

    now: int
    first_dose_at: int | None
    last_dose_at: int | None
    readings: Sequence[Reading] = ()
    risk: Finding | None = None
    attested: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One criterion held against what is known. value: by name; empty where nothing is known."""

    criterion: Criterion
    met: Met
    value: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Gate:
    """Every criterion of the protocol, in its order."""

    outcomes: tuple[Outcome, ...]

    @property
    def may_leave(self) -> bool:
        """Whether every criterion is met."""
        return all(outcome.met is Met.MET for outcome in self.outcomes)

    @property
    def open_keys(self) -> tuple[str, ...]:
        """The criteria that are not met or not known."""
        return tuple(one.criterion.key for one in self.outcomes if one.met is not Met.MET)

    def not_covered(self, overridden: Collection[str]) -> tuple[str, ...]:
        """The open criteria that an override of these leaves open."""
        return tuple(key for key in self.open_keys if key not in overridden)


def assess(discharge: Discharge, known: Known, thresholds: Sequence[Alarm] = ()) -> Gate:
    """How every criterion stands.

    thresholds: the alarms of the protocol; a blood pressure that reaches one is not acceptable,
        however near it is to the one before.
    """
    fresh = _fresh(discharge, known)
    return Gate(
        tuple(_outcome(criterion, known, fresh, thresholds) for criterion in discharge.criteria)
    )


def _outcome(
    criterion: Criterion, known: Known, fresh: Mapping[Sign, int], thresholds: Sequence[Alarm]
) -> Outcome:
    met, value = _held(criterion, known, fresh, thresholds)
    return Outcome(criterion=criterion, met=met, value=value)


def _held(
    criterion: Criterion, known: Known, fresh: Mapping[Sign, int], thresholds: Sequence[Alarm]
) -> tuple[Met, Mapping[str, Value]]:
    if sign := _READ_OFF.get(criterion.kind):
        return _within(criterion, sign, fresh)
    if criterion.kind is CriterionKind.MINUTES_SINCE_DOSE:
        return _time(criterion, known)
    if criterion.kind is CriterionKind.NEAR_BASELINE:
        return _pressure(criterion, known, fresh, thresholds)
    if criterion.kind is CriterionKind.RISK_SCREEN:
        return _risk(criterion, known.risk)
    return _attested(criterion, known)


def _attested(criterion: Criterion, known: Known) -> tuple[Met, Mapping[str, Value]]:
    said = known.attested.get(criterion.key)
    return (Met.UNKNOWN, {}) if said is None else (_met(said), {"attested": said})


def _met(is_met: bool) -> Met:
    return Met.MET if is_met else Met.NOT_MET


def _fresh(discharge: Discharge, known: Known) -> dict[Sign, int]:
    """The last values after the dose that are not too old. A later one than now is none."""
    after = max(
        known.now - discharge.reading_within_minutes * _MINUTE,
        known.last_dose_at if known.last_dose_at is not None else known.now,
    )
    return {
        sign: value
        for reading in in_order(known.readings)
        if after <= reading.at <= known.now
        for sign in Sign
        if (value := reading.get(sign)) is not None
    }


def _time(criterion: Criterion, known: Known) -> tuple[Met, Mapping[str, Value]]:
    if known.last_dose_at is None:
        return Met.UNKNOWN, {}
    minutes = (known.now - known.last_dose_at) / _MINUTE
    return _met(minutes >= (criterion.at_least or 0)), {"minutes": round(minutes, 1)}


def _within(
    criterion: Criterion, sign: Sign, fresh: Mapping[Sign, int]
) -> tuple[Met, Mapping[str, Value]]:
    value = fresh.get(sign)
    if value is None:
        return Met.UNKNOWN, {}
    is_met = (criterion.at_most is None or value <= criterion.at_most) and (
        criterion.at_least is None or value >= criterion.at_least
    )
    return _met(is_met), {sign.value: value}


def _pressure(
    criterion: Criterion, known: Known, fresh: Mapping[Sign, int], thresholds: Sequence[Alarm]
) -> tuple[Met, Mapping[str, Value]]:
    before = _before_the_dose(known)
    systolic, diastolic = fresh.get(Sign.SYSTOLIC), fresh.get(Sign.DIASTOLIC)
    value: dict[str, Value] = {}
    if systolic is not None and diastolic is not None:
        value |= {"systolic": systolic, "diastolic": diastolic}
    if before is not None:
        value |= {"baseline_systolic": before[0], "baseline_diastolic": before[1]}
    if systolic is None or diastolic is None:
        return Met.UNKNOWN, value
    pressure = Reading(at=known.now, systolic=systolic, diastolic=diastolic)
    if alarms([pressure], thresholds):
        return Met.NOT_MET, value
    if before is None:
        return Met.UNKNOWN, value
    is_near = systolic - before[0] <= (criterion.systolic_within or 0) and (
        diastolic - before[1] <= (criterion.diastolic_within or 0)
    )
    return _met(is_near), value


def _before_the_dose(known: Known) -> tuple[int, int] | None:
    """The last whole blood pressure at or before the first administration."""
    before: tuple[int, int] | None = None
    for reading in in_order(known.readings):
        if known.first_dose_at is None or reading.at > known.first_dose_at:
            break
        if reading.systolic is not None and reading.diastolic is not None:
            before = reading.systolic, reading.diastolic
    return before


def _risk(criterion: Criterion, risk: Finding | None) -> tuple[Met, Mapping[str, Value]]:
    value: dict[str, Value] = {}
    if risk is not None:
        value = {"level": risk.level.value, "assessed": risk.assessed}
    return by_screen(risk, criterion.at_most_level), value
