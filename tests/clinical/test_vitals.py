"""Vital signs around a dose: what is refused, what is highlighted, what they show."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import has_valid_check_digit
from app.clinical.protocol import Alarm, Monitoring, Vital
from app.clinical.vitals import (
    BLOOD_PRESSURE_PANEL,
    KINDS,
    Peak,
    Raised,
    Reading,
    Sign,
    alarms,
    faults,
    gaps,
    summary,
)

law = settings(deadline=None)

MINUTE = 60_000_000
DOSE = 1_700_000_000_000_000


def alarm(vital: Vital, low: int | None = None, high: int | None = None) -> Alarm:
    return Alarm(vital=vital, low=low, high=high, source="Us", convention=True)


ALARMS = (alarm(Vital.SYSTOLIC, 90, 180), alarm(Vital.DIASTOLIC, None, 110), alarm(Vital.SPO2, 93))
MONITORING = Monitoring(
    record_minutes=(-15, 0, 40, 120),
    tolerance_minutes=10,
    alarms=ALARMS,
    source="Us",
    convention=True,
)


def reading(minutes: float, **values: int) -> Reading:
    return Reading(at=DOSE + int(minutes * MINUTE), **values)


def pressure(minutes: float, systolic: int, diastolic: int = 70) -> Reading:
    return reading(minutes, systolic=systolic, diastolic=diastolic)


readings = st.lists(
    st.builds(
        reading,
        st.integers(-60, 240),
        systolic=st.integers(60, 200),
        spo2=st.integers(80, 100),
        dissociation=st.integers(0, 10),
    ),
    max_size=20,
    unique_by=lambda one: one.at,
)


def test_every_sign_has_a_kind_and_its_code_is_well_formed() -> None:
    assert set(KINDS) == set(Sign)
    assert all(kind.code == sign.value for sign, kind in KINDS.items())
    codes = [code for kind in KINDS.values() if kind.loinc for code in (kind.loinc, *kind.also)]
    assert len(set(codes)) == len(codes) == 6
    assert all(map(has_valid_check_digit, [*codes, BLOOD_PRESSURE_PANEL]))


def test_what_can_have_an_alarm_is_a_sign() -> None:
    assert {vital.value for vital in Vital} < {sign.value for sign in Sign}


@pytest.mark.parametrize("sign", [sign for sign in Sign if sign not in {"systolic", "diastolic"}])
def test_a_value_is_refused_just_beyond_its_bounds_and_taken_on_them(sign: Sign) -> None:
    kind = KINDS[sign]

    def told(value: int) -> tuple[tuple[str, str], ...]:
        return faults(reading(0, **{sign.value: value}))

    assert told(kind.lowest) == told(kind.highest) == ()
    for beyond in (kind.lowest - 1, kind.highest + 1):
        assert told(beyond) == ((sign.value, f"must be from {kind.lowest} to {kind.highest}"),)


@pytest.mark.parametrize(
    ("values", "member"),
    [
        ({"systolic": 120, "diastolic": 120}, "diastolic"),
        ({"systolic": 80, "diastolic": 120}, "diastolic"),
        ({"systolic": 120}, "diastolic"),
        ({"diastolic": 80}, "systolic"),
        ({"systolic": 301, "diastolic": 80}, "systolic"),
        ({"systolic": 39, "diastolic": 30}, "systolic"),
        ({"systolic": 120, "diastolic": 19}, "diastolic"),
        ({}, ""),
    ],
)
def test_a_pressure_is_two_numbers_and_the_diastolic_is_the_lower(
    values: dict[str, int], member: str
) -> None:
    assert [pointer for pointer, _ in faults(reading(0, **values))] == [member]


def test_a_pressure_is_taken_as_soon_as_the_diastolic_is_below() -> None:
    assert faults(pressure(0, 120, 119)) == ()
    assert faults(pressure(0, 300, 200)) == ()


@pytest.mark.parametrize(
    ("systolic", "threshold", "is_high"),
    [(179, None, None), (180, 180, True), (181, 180, True), (91, None, None), (90, 90, False)],
)
def test_an_alarm_is_reached_on_the_threshold(
    systolic: int, threshold: int | None, is_high: bool | None
) -> None:
    raised = alarms([pressure(5, systolic, 50)], ALARMS)

    told = [] if threshold is None or is_high is None else [(threshold, is_high)]
    assert [(one.threshold, one.is_high) for one in raised] == told


def test_one_reading_may_reach_several_and_what_was_not_taken_reaches_none() -> None:
    raised = alarms([pressure(5, 185, 112), reading(6, pulse=200)], ALARMS)

    assert raised == [
        Raised(DOSE + 5 * MINUTE, Vital.SYSTOLIC, 185, 180, True),
        Raised(DOSE + 5 * MINUTE, Vital.DIASTOLIC, 112, 110, True),
    ]


def test_a_series_shows_baseline_peak_lowest_saturation_and_last() -> None:
    series = [
        pressure(-20, 130),
        pressure(-5, 120),
        reading(0, spo2=98, dissociation=0),
        pressure(20, 150),
        reading(20, spo2=95, respiration=14, dissociation=7),
        pressure(40, 181, 100),
        reading(45, spo2=91, respiration=9),
        pressure(60, 181, 95),
        reading(90, spo2=97, respiration=12, dissociation=1),
        pressure(120, 125),
    ]

    shown = summary(series, DOSE, ALARMS)

    assert shown.readings == 10
    assert shown.baseline[Sign.SYSTOLIC] == 120
    assert shown.peak[Sign.SYSTOLIC] == Peak(181, DOSE + 40 * MINUTE, 40.0)
    assert shown.peak[Sign.SPO2].value == 91
    assert shown.peak[Sign.RESPIRATION] == Peak(9, DOSE + 45 * MINUTE, 45.0)
    assert shown.peak[Sign.DISSOCIATION].value == 7
    assert (shown.last[Sign.SYSTOLIC], shown.last[Sign.SPO2]) == (125, 97)
    assert shown.dissociation_passed_minutes == 90
    assert shown.alarms == 3


def test_the_first_value_under_the_drug_is_no_baseline() -> None:
    shown = summary([pressure(1, 150)], DOSE)

    assert Sign.SYSTOLIC not in shown.baseline
    assert Sign.SYSTOLIC in summary([pressure(0, 150)], DOSE).baseline


def test_without_a_dose_there_is_no_peak() -> None:
    shown = summary([pressure(1, 150), reading(2, dissociation=5), reading(3)], None, ALARMS)

    assert (shown.peak, shown.dissociation_passed_minutes, shown.readings) == ({}, None, 2)
    assert shown.baseline == shown.last


@pytest.mark.parametrize(
    ("asked", "minutes"),
    [
        ([(0, 0)], None),
        ([(20, 5)], None),
        ([(20, 5), (40, 2)], None),
        ([(20, 5), (40, 1)], 40.0),
        ([(20, 1), (40, 6), (60, 2), (80, 0), (100, 0)], 80.0),
        ([(20, 5), (40, 1), (60, 2)], None),
        ([(20, 0)], 20.0),
    ],
)
def test_dissociation_has_passed_when_it_was_read_low_and_stayed_so(
    asked: list[tuple[int, int]], minutes: float | None
) -> None:
    series = [reading(at, dissociation=value) for at, value in asked]

    assert summary(series, DOSE).dissociation_passed_minutes == minutes


@given(readings, st.randoms())
@law
def test_a_summary_does_not_depend_on_the_order_in_which_readings_arrive(
    series: list[Reading], random: Any
) -> None:
    mixed = list(series)
    random.shuffle(mixed)

    assert summary(mixed, DOSE, ALARMS) == summary(series, DOSE, ALARMS)


@given(readings)
@law
def test_no_value_after_the_dose_lies_beyond_the_peak(series: list[Reading]) -> None:
    shown = summary(series, DOSE)

    for one in series:
        if one.at > DOSE and one.systolic is not None and one.spo2 is not None:
            assert one.systolic <= shown.peak[Sign.SYSTOLIC].value
            assert one.spo2 >= shown.peak[Sign.SPO2].value


@given(readings, readings)
@law
def test_more_readings_never_make_fewer_alarms(one: list[Reading], more: list[Reading]) -> None:
    assert summary([*one, *more], DOSE, ALARMS).alarms >= summary(one, DOSE, ALARMS).alarms


def whole(minutes: float) -> Reading:
    return reading(minutes, systolic=120, diastolic=70, spo2=98)


@pytest.mark.parametrize(
    ("taken", "until", "missed"),
    [
        ([], 0, (-15,)),
        ([-15], 0, ()),
        ([-15, 0, 40, 120], 200, ()),
        # One reading may count for two points that are close.
        ([-5], 20, ()),
        ([-6], 40, ()),
        ([-4], 40, (-15,)),
        ([-10.1], 40, (0,)),
        ([-15, 0, 30], 60, ()),
        ([-15, 0, 29.9], 60, (40,)),
        ([-15, 0, 50.1], 60, (40,)),
        ([-15, 0], 50, ()),
        ([-15, 0], 50.1, (40,)),
    ],
)
def test_a_record_point_is_missed_once_its_tolerance_is_over(
    taken: list[float], until: float, missed: tuple[int, ...]
) -> None:
    series = [whole(minutes) for minutes in taken]
    monitoring = replace(MONITORING, tolerance_minutes=10)

    assert gaps(series, DOSE, monitoring, until=DOSE + int(until * MINUTE)) == missed


def test_what_is_needed_may_be_read_apart_and_has_to_be_read_all() -> None:
    apart = [pressure(-15, 120), reading(-14, spo2=98)]
    half = [pressure(-15, 120)]

    assert gaps(apart, DOSE, MONITORING, until=DOSE) == ()
    assert gaps(half, DOSE, MONITORING, until=DOSE) == (-15,)
    assert gaps(half, DOSE, MONITORING, until=DOSE, needed=(Sign.SYSTOLIC,)) == ()
