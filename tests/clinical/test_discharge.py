"""The gate at the door: it opens when everything is known and met, and only then."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical import instruments
from app.clinical.discharge import Gate, Known, assess
from app.clinical.instruments import Level
from app.clinical.met import Met
from app.clinical.protocol import Alarm, Criterion, CriterionKind, Discharge, Vital, shipped
from app.clinical.risk import NOT_ASSESSED, Finding
from app.clinical.vitals import Reading

law = settings(deadline=None)

MINUTE = 60_000_000
DOSE = 1_700_000_000_000_000
SHIPPED_INSTRUMENTS = [one.key for one in instruments.shipped()]
NOTHING_RAISED = Finding(Level.NONE, True, ())

NUMBERS: dict[CriterionKind, dict[str, Any]] = {
    CriterionKind.MINUTES_SINCE_DOSE: {"at_least": 120},
    CriterionKind.NEAR_BASELINE: {"systolic_within": 20, "diastolic_within": 10},
    CriterionKind.DISSOCIATION: {"at_most": 1},
    CriterionKind.SEDATION: {"at_most": 2},
    CriterionKind.SPO2: {"at_least": 94},
    CriterionKind.RISK_SCREEN: {"at_most_level": Level.LOW},
    CriterionKind.ATTESTED: {},
}


def criterion(kind: CriterionKind) -> Criterion:
    return Criterion(
        key=kind.value, label="Ours", kind=kind, source="Us", convention=True, **NUMBERS[kind]
    )


DISCHARGE = Discharge(
    reading_within_minutes=30,
    criteria=tuple(map(criterion, CriterionKind)),
    source="Us",
    convention=True,
)
ALARMS = (Alarm(vital=Vital.SYSTOLIC, low=90, high=180, source="Us", convention=True),)
BEFORE = Reading(at=DOSE - 5 * MINUTE, systolic=120, diastolic=75)


def last(minutes: float = 125, **values: int) -> Reading:
    well = {"systolic": 125, "diastolic": 80, "spo2": 97, "sedation": 0, "dissociation": 0}
    return Reading(at=DOSE + int(minutes * MINUTE), **(well | values))


def known(**changes: Any) -> Known:
    well: dict[str, Any] = {
        "now": DOSE + 130 * MINUTE,
        "first_dose_at": DOSE,
        "last_dose_at": DOSE,
        "readings": (BEFORE, last()),
        "risk": NOTHING_RAISED,
        "attested": {"attested": True},
    }
    return Known(**(well | changes))


def met(gate: Gate, kind: CriterionKind) -> Met:
    return next(one.met for one in gate.outcomes if one.criterion.kind is kind)


def held(kind: CriterionKind, **changes: Any) -> Met:
    return met(assess(DISCHARGE, known(**changes), ALARMS), kind)


def read(kind: CriterionKind, minutes: float = 125, **values: int) -> Met:
    return held(kind, readings=(BEFORE, last(minutes, **values)))


def test_somebody_may_leave_when_every_criterion_is_met() -> None:
    gate = assess(DISCHARGE, known(), ALARMS)

    assert gate.may_leave
    assert gate.open_keys == ()
    assert {one.criterion.key: dict(one.value) for one in gate.outcomes} == {
        "minutes-since-dose": {"minutes": 130.0},
        "near-baseline": {
            "systolic": 125,
            "diastolic": 80,
            "baseline_systolic": 120,
            "baseline_diastolic": 75,
        },
        "dissociation": {"dissociation": 0},
        "sedation": {"sedation": 0},
        "spo2": {"spo2": 97},
        "risk-screen": {"level": "none", "assessed": True},
        "attested": {"attested": True},
    }


def test_nobody_leaves_on_nothing_known() -> None:
    gate = assess(DISCHARGE, Known(now=DOSE, first_dose_at=None, last_dose_at=None))

    assert {one.met for one in gate.outcomes} == {Met.UNKNOWN}
    assert not any(one.value for one in gate.outcomes)
    assert not gate.may_leave


@pytest.mark.parametrize(
    ("minutes", "is_met"), [(119.9, Met.NOT_MET), (120, Met.MET), (121, Met.MET)]
)
def test_the_time_counts_from_the_last_dose(minutes: float, is_met: Met) -> None:
    second = DOSE + 20 * MINUTE

    assert is_met is held(
        CriterionKind.MINUTES_SINCE_DOSE,
        last_dose_at=second,
        now=second + int(minutes * MINUTE),
    )


@pytest.mark.parametrize(
    ("systolic", "diastolic", "is_met"),
    [
        (140, 85, Met.MET),
        (141, 85, Met.NOT_MET),
        (140, 86, Met.NOT_MET),
        (100, 60, Met.MET),
        (91, 60, Met.MET),
        # Near enough to the one before, and yet an alarm.
        (90, 60, Met.NOT_MET),
    ],
)
def test_the_pressure_is_near_the_one_before_and_no_alarm(
    systolic: int, diastolic: int, is_met: Met
) -> None:
    assert read(CriterionKind.NEAR_BASELINE, systolic=systolic, diastolic=diastolic) is is_met


def test_a_pressure_without_one_before_is_not_known_to_be_near() -> None:
    after = Reading(at=DOSE + MINUTE, systolic=120, diastolic=75)
    half = Reading(at=DOSE - MINUTE, spo2=98)

    assert held(CriterionKind.NEAR_BASELINE, readings=(after, last())) is Met.UNKNOWN
    assert held(CriterionKind.NEAR_BASELINE, readings=(half, last())) is Met.UNKNOWN
    assert held(CriterionKind.NEAR_BASELINE, readings=(half,)) is Met.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "sign", "limit", "beyond"),
    [
        (CriterionKind.DISSOCIATION, "dissociation", 1, 2),
        (CriterionKind.SEDATION, "sedation", 2, 3),
        (CriterionKind.SPO2, "spo2", 94, 93),
    ],
)
def test_a_reading_is_met_on_its_limit_and_not_beyond(
    kind: CriterionKind, sign: str, limit: int, beyond: int
) -> None:
    assert read(kind, **{sign: limit}) is Met.MET
    assert read(kind, **{sign: beyond}) is Met.NOT_MET


@pytest.mark.parametrize(
    ("minutes", "is_met"),
    [(99.9, Met.UNKNOWN), (100, Met.MET), (130, Met.MET), (130.1, Met.UNKNOWN)],
)
def test_a_reading_speaks_for_now_only_while_it_is_fresh(minutes: float, is_met: Met) -> None:
    assert read(CriterionKind.DISSOCIATION, minutes) is is_met


def test_a_reading_before_the_last_dose_says_nothing_however_fresh() -> None:
    assert is_unknown(last_dose_at=DOSE + 126 * MINUTE)
    assert not is_unknown(last_dose_at=DOSE + 125 * MINUTE)


def is_unknown(**changes: Any) -> bool:
    return held(CriterionKind.DISSOCIATION, **changes) is Met.UNKNOWN


def test_of_several_readings_the_last_counts() -> None:
    readings = (BEFORE, last(128, dissociation=4), last(120))

    assert held(CriterionKind.DISSOCIATION, readings=readings) is Met.NOT_MET


@pytest.mark.parametrize(
    ("risk", "is_met"),
    [
        (None, Met.UNKNOWN),
        (NOT_ASSESSED, Met.UNKNOWN),
        (NOTHING_RAISED, Met.MET),
        (Finding(Level.LOW, True, ()), Met.MET),
        (Finding(Level.LOW, False, ()), Met.UNKNOWN),
        (Finding(Level.MODERATE, True, ()), Met.NOT_MET),
        (Finding(Level.HIGH, False, ()), Met.NOT_MET),
    ],
)
def test_what_a_screen_raised_counts_even_unfinished_and_half_a_screen_clears_nothing(
    risk: Finding | None, is_met: Met
) -> None:
    assert held(CriterionKind.RISK_SCREEN, risk=risk) is is_met


@pytest.mark.parametrize(
    ("attested", "is_met"),
    [({}, Met.UNKNOWN), ({"attested": False}, Met.NOT_MET), ({"attested": True}, Met.MET)],
)
def test_what_nobody_was_asked_is_not_known(attested: dict[str, bool], is_met: Met) -> None:
    assert held(CriterionKind.ATTESTED, attested=attested) is is_met


def test_an_override_covers_what_it_names_and_nothing_else() -> None:
    gate = assess(DISCHARGE, known(attested={}, risk=None))

    assert gate.open_keys == ("risk-screen", "attested")
    assert gate.not_covered(["attested"]) == ("risk-screen",)
    assert gate.not_covered(["attested", "risk-screen"]) == ()


def test_the_shipped_gate_opens_for_somebody_well() -> None:
    discharge = shipped(dict.fromkeys(SHIPPED_INSTRUMENTS, 0)).sections.discharge
    attested = {one.key: True for one in discharge.criteria if one.kind is CriterionKind.ATTESTED}

    assert assess(discharge, known(attested=attested)).may_leave
    for key in attested:
        assert assess(discharge, known(attested=attested | {key: False})).open_keys == (key,)


@given(
    st.sets(st.sampled_from(["readings", "risk", "attested"])),
    st.integers(0, 400),
)
@law
def test_knowing_less_never_opens_the_gate(forgotten: set[str], minutes: int) -> None:
    nothing: dict[str, Any] = {"readings": (), "risk": None, "attested": {}}
    whole = known(now=DOSE + minutes * MINUTE)
    less = replace(whole, **{name: nothing[name] for name in forgotten})

    before, after = assess(DISCHARGE, whole, ALARMS), assess(DISCHARGE, less, ALARMS)
    assert set(before.open_keys) <= set(after.open_keys)
    assert before.may_leave or not after.may_leave
