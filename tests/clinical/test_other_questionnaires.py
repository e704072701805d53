"""PHQ-8, PHQ-2, WHO-5, PEG, drug use, bladder, daily and craving against published cases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Direction, Instrument, find, shipped
from app.clinical.risk import NOT_ASSESSED, assess
from app.clinical.scoring import Score, risen, score
from app.clinical.trajectory import follow

law = settings(deadline=None)

PHQ_2, PHQ_8, PHQ_9 = find("phq-2"), find("phq-8"), find("phq-9")
WHO_5 = find("who-5")
PEG = find("peg")
BLADDER = find("bladder")
ANSWERED = [instrument for instrument in shipped() if not instrument.is_score_only]


def key_of(instrument: Instrument) -> str:
    """A name for pytest's report."""
    return instrument.key


def spread(total: int, items: int, most: int) -> list[int]:
    return [max(0, min(most, total - most * position)) for position in range(items)]


# Bands of the PHQ-9 up to 24 points: Kroenke et al. 2009.
@pytest.mark.parametrize(
    ("total", "band"),
    [
        *[(0, "minimal"), (4, "minimal"), (5, "mild"), (9, "mild")],
        *[(10, "moderate"), (14, "moderate"), (15, "moderately-severe")],
        *[(19, "moderately-severe"), (20, "severe"), (24, "severe")],
    ],
)
def test_a_phq_8_changes_band_exactly_at_each_cut_off(total: int, band: str) -> None:
    assert score(PHQ_8, spread(total, 8, 3)) == Score(total, band, True)


def test_the_phq_8_and_the_phq_2_are_the_first_items_of_the_phq_9_under_its_codes() -> None:
    for short, count in ((PHQ_8, 8), (PHQ_2, 2)):
        assert [(i.text, i.loinc, i.options) for i in short.items] == [
            (i.text, i.loinc, i.options) for i in PHQ_9.items[:count]
        ]
        assert short.lead_in == PHQ_9.lead_in
        assert assess(short, [3] * count) == NOT_ASSESSED
    assert PHQ_8.total is not None
    assert (PHQ_8.total.maximum, PHQ_8.total.loinc) == (24, None)
    assert PHQ_8.total.caseness is not None
    assert PHQ_8.total.caseness.value == 10
    assert PHQ_2.total is not None
    assert (PHQ_2.total.maximum, PHQ_2.total.loinc, PHQ_2.panel_loinc) == (6, "55758-7", "55757-9")


# Arroll et al. 2010.
@pytest.mark.parametrize(
    ("answers", "is_positive"),
    [([0, 2], False), ([1, 2], True), ([3, 1], True), ([0, None], None), ([3, None], True)],
    ids=["below", "on", "above", "open", "decided"],
)
def test_a_phq_2_is_positive_from_three(answers: list[int | None], is_positive: bool) -> None:
    assert score(PHQ_2, answers).criteria == {"positive": is_positive}


# Topp et al. 2015: raw points times 4; low up to 50, depression likely up to 28.
@pytest.mark.parametrize(
    ("answers", "total", "is_low", "is_likely"),
    [
        ([5] * 5, 100, False, False),
        ([0] * 5, 0, True, True),
        ([3, 3, 2, 2, 2], 48, True, False),
        ([3, 3, 3, 2, 2], 52, False, False),
        ([2, 2, 1, 1, 1], 28, True, True),
        ([2, 2, 2, 1, 1], 32, True, False),
    ],
    ids=["all", "none", "below-50", "above-50", "on-28", "above-28"],
)
def test_a_who_5_is_four_times_its_points_and_low_up_to_fifty(
    answers: list[int], total: int, is_low: bool, is_likely: bool
) -> None:
    assert score(WHO_5, answers) == Score(
        total, None, True, {}, {"low-wellbeing": is_low, "likely-depression": is_likely}
    )
    assert type(score(WHO_5, answers).total) is int


def test_more_is_better_on_the_who_5_which_bears_no_code_and_stands_apart() -> None:
    assert WHO_5.direction is Direction.HIGHER_IS_BETTER
    assert WHO_5.total is not None
    assert (WHO_5.total.minimum, WHO_5.total.maximum) == (0, 100)
    assert WHO_5.total.loinc is WHO_5.panel_loinc is None
    assert all(item.loinc is None for item in WHO_5.items)
    assert not WHO_5.offered_by_default
    assert "unmodified" in WHO_5.notice
    assert [(o.value, o.label) for o in WHO_5.items[0].options] == [
        (5, "All of the time"),
        (4, "Most of the time"),
        (3, "More than half of the time"),
        (2, "Less than half of the time"),
        (1, "Some of the time"),
        (0, "At no time"),
    ]


def test_a_missing_answer_leaves_the_who_5_open_or_decided_from_the_other_end() -> None:
    assert score(WHO_5, [0, 0, 0, 0, None]).criteria == {
        "low-wellbeing": True,
        "likely-depression": True,
    }
    assert score(WHO_5, [3, 3, 2, 2, None]).criteria == {
        "low-wellbeing": None,
        "likely-depression": False,
    }
    assert score(WHO_5, [5, 5, 5, 5, None]).criteria["low-wellbeing"] is False


# Krebs et al. 2009: the mean of the three.
@pytest.mark.parametrize(
    ("answers", "mean"),
    [
        ([5, 4, 4], 4.333333333333333),
        ([5, 5, 4], 4.666666666666667),
        ([4, 4, 4], 4),
        ([0, 0, 0], 0),
        ([10, 10, 10], 10),
        ([0, 0, 1], 0.3333333333333333),
    ],
    ids=["13/3", "14/3", "whole", "least", "most", "1/3"],
)
def test_a_peg_is_a_mean_and_whole_where_it_can_be(answers: list[int], mean: float) -> None:
    total = score(PEG, answers).total

    assert total == mean
    assert type(total) is type(mean)


def test_the_peg_bears_its_codes_and_needs_all_three_answers() -> None:
    assert PEG.total is not None
    assert (PEG.panel_loinc, PEG.total.loinc) == ("91148-7", "91147-9")
    assert (PEG.total.minimum, PEG.total.maximum, PEG.total.method) == (0, 10, "mean")
    assert score(PEG, [5, None, 4]) == Score(None, None, False)


def test_a_change_between_two_means_is_exact() -> None:
    totals = [score(PEG, answers).total for answers in ([6, 5, 5], [3, 2, 3], [6, 6, 5])]

    trajectory = follow(PEG, [0, 1, 2], totals, [])

    assert trajectory.change == [0, -2.6666666666666665, 0.3333333333333333]
    assert trajectory.percent_change == [0, -50.0, 6.3]


@pytest.mark.parametrize(
    ("answers", "is_met"),
    [
        ([0, 0, 0, 0, 0], False),
        ([2, 2, 2, 2, 0], False),
        ([3, 0, 0, 0, 0], True),
        ([0, 3, 0, 0, 0], True),
        ([0, 0, 3, 0, 0], True),
        ([0, 0, 0, 3, 0], True),
        ([0, 0, 0, 4, 0], True),
        ([0, 0, 0, 0, 1], True),
        ([None, None, None, None, 1], True),
        ([2, None, 2, 2, 0], None),
    ],
    ids=["none", "below", "often", "urge", "night", "pain", "more", "blood", "only-blood", "open"],
)
def test_blood_or_any_item_from_three_is_for_a_clinician(
    answers: list[int | None], is_met: bool | None
) -> None:
    result = score(BLADDER, answers)

    assert result.criteria == {"clinician-task": is_met}
    assert result.total is None
    assert assess(BLADDER, answers) == NOT_ASSESSED


@pytest.mark.parametrize(
    ("earlier", "later", "items"),
    [
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 0], []),
        ([0, 0, 0, 0, 0], [2, 1, 1, 1, 0], ["frequency"]),
        ([0, 0, 0, 0, 0], [2, 2, 2, 2, 1], ["frequency", "urgency", "night", "pain-or-burning"]),
        ([0, 0, 4, 0, 0], [0, 0, 9, 0, 0], ["night"]),
        ([4, 4, 4, 4, 1], [0, 0, 0, 0, 0], []),
        ([None, 0, 0, 0, 0], [4, None, 0, 0, 0], []),
        ([], [4, 4, 4, 4, 1], []),
        ([0, 0], [2, 2, 2], ["frequency", "urgency"]),
    ],
    ids=["below", "on", "all", "nights", "fall", "missing", "first-check", "short"],
)
def test_a_rise_of_two_from_one_bladder_check_to_the_next_is_named(
    earlier: list[int | None], later: list[int | None], items: list[str]
) -> None:
    assert risen(BLADDER, earlier, later) == tuple(f"bladder.{item}" for item in items)


def test_a_questionnaire_without_such_a_rule_names_no_rise() -> None:
    assert risen(PHQ_9, [0] * 9, [3] * 9) == ()


def test_the_bladder_check_says_that_it_is_not_validated_and_how_it_is_read() -> None:
    assert "unvalidated" in BLADDER.title
    assert "unvalidated" in BLADDER.notice
    assert BLADDER.convention
    as_dict = BLADDER.as_dict()
    assert as_dict["rise"] == {
        "items": ["frequency", "urgency", "night", "pain-or-burning"],
        "points": 2,
        "raises": "low",
        "source": "Our own rule",
        "convention": True,
    }
    criterion = as_dict["criteria"][0]  # type: ignore[index]  # a dict of objects
    assert criterion["kind"] == "any-item"
    assert criterion["items"] == {
        **dict.fromkeys(["frequency", "urgency", "night", "pain-or-burning"], 3),
        "blood": 1,
    }


# Smith et al. 2010: positive from once or twice.
@pytest.mark.parametrize(
    ("answer", "is_positive"),
    [(0, False), (1, True), (4, True), (None, None)],
    ids=["never", "once", "daily", "open"],
)
def test_any_use_of_drugs_is_a_positive_screen(
    answer: int | None, is_positive: bool | None
) -> None:
    result = score(find("drug-use"), [answer])

    assert result.total is None
    assert result.criteria == {"positive": is_positive}


@pytest.mark.parametrize(
    ("answers", "is_outside"),
    [([0, 0], False), ([1, 0], True), ([0, 1], True), ([None, 0], None), ([None, 1], True)],
    ids=["never", "ketamine", "take-home", "open", "half-open"],
)
def test_any_ketamine_outside_the_treatment_is_a_reason_to_talk(
    answers: list[int | None], is_outside: bool | None
) -> None:
    result = score(find("ketamine-use"), answers)

    assert result.total is None
    assert result.criteria == {"ketamine-outside-treatment": is_outside}


@pytest.mark.parametrize(
    ("answers", "is_outside", "is_other"),
    [
        ([0, 0, 0, 0, 4], False, False),
        ([1, 0, 0, 0, 0], True, False),
        ([0, 1, 0, 0, 0], True, False),
        ([0, 0, 1, 0, 0], True, False),
        ([0, 0, 0, 1, 0], False, True),
        ([0, None, 0, None, 0], None, None),
        ([None, 1, None, 0, None], True, False),
    ],
)
def test_use_outside_the_sessions_is_a_reason_to_talk_item_by_item(
    answers: list[int | None], is_outside: bool | None, is_other: bool | None
) -> None:
    result = score(find("use-outside"), answers)

    assert result.total is None
    assert result.criteria == {
        "ketamine-outside-treatment": is_outside,
        "other-drugs-outside-treatment": is_other,
    }


def test_use_outside_the_sessions_may_be_asked_on_any_day() -> None:
    recall = find("use-outside").recall

    assert (recall.days, recall.minimum_days_from_dose) == (14, 0)


def test_the_single_question_bears_its_codes_and_ours_bear_none() -> None:
    items = find("drug-use").items

    assert [item.loinc for item in items] == ["68524-8"]
    assert {item.loinc for item in find("ketamine-use").items} == {None}
    assert [(o.value, o.loinc) for o in items[0].options] == [
        (0, "LA6270-8"),
        (1, "LA26460-8"),
        (2, "LA18876-5"),
        (3, "LA18891-4"),
        (4, "LA18934-2"),
    ]


def test_the_daily_check_asks_about_a_day_and_each_item_says_which_end_is_better() -> None:
    daily = find("daily")

    assert daily.recall.days == 1
    assert not daily.recall.measures_hours
    assert [(item.key, item.minimum, item.maximum) for item in daily.items] == [
        ("sleep-quality", 0, 10),
        ("appetite", 0, 10),
        ("flexible-thinking", 0, 10),
        ("handling-feelings", 0, 10),
        ("activity", 0, 10),
    ]
    assert {item.direction for item in daily.items} == {Direction.HIGHER_IS_BETTER}
    assert daily.total is None


def test_neither_more_nor_fewer_hours_of_sleep_are_called_better() -> None:
    (hours,) = find("daily").extras

    assert (hours.key, hours.minimum, hours.maximum) == ("sleep-hours", 0, 24)
    assert hours.direction is None
    assert hours.scale is None


def test_craving_is_asked_right_now() -> None:
    craving = find("craving")

    assert craving.recall.measures_hours
    assert craving.total is None
    assert {(item.minimum, item.maximum, item.direction) for item in craving.items} == {
        (0, 10, Direction.LOWER_IS_BETTER)
    }


@pytest.mark.parametrize("instrument", ANSWERED, ids=key_of)
def test_nothing_answered_is_no_total_no_criterion_and_not_assessed(instrument: Instrument) -> None:
    nothing = [None] * len(instrument.items)

    result = score(instrument, nothing)

    assert (result.total, result.band, result.complete) == (None, None, False)
    assert set(result.subscales.values()) <= {None}
    assert set(result.criteria.values()) <= {None}
    assert assess(instrument, nothing) == NOT_ASSESSED


@law
@given(st.data())
def test_criteria_decided_with_answers_missing_are_what_any_full_answers_say(
    data: st.DataObject,
) -> None:
    instrument = data.draw(st.sampled_from(ANSWERED))
    whole = [data.draw(st.sampled_from(sorted(item.values))) for item in instrument.items]
    partial = [data.draw(st.sampled_from([answer, None])) for answer in whole]
    # What may be left out is not merely missing: its points are known.
    for skip in instrument.skips:
        if partial[skip.position] == skip.answer:
            whole = [skip.scored_as if at in skip.skipped else a for at, a in enumerate(whole)]
            partial = [a if a is None else whole[at] for at, a in enumerate(partial)]

    full, part = score(instrument, whole), score(instrument, partial)

    assert part.total in (None, full.total)
    assert all(met in (None, full.criteria[key]) for key, met in part.criteria.items())
    assert all(points in (None, full.subscales[key]) for key, points in part.subscales.items())


@law
@given(st.data())
def test_the_order_of_alike_items_does_not_change_a_total(data: st.DataObject) -> None:
    instrument = data.draw(st.sampled_from([PHQ_2, PHQ_8, WHO_5, PEG, find("gad-7")]))
    values = sorted(instrument.items[0].values)
    answers = [data.draw(st.sampled_from(values)) for _ in instrument.items]

    assert score(instrument, data.draw(st.permutations(answers))) == score(instrument, answers)
