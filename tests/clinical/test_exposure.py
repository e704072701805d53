"""What was given so far: by drug and route, and never added across either."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.exposure import (
    PLAUSIBLE_MG,
    Administration,
    Amount,
    by_drug,
    cumulative,
    dose_fault,
    mg_per_kg,
    prompted,
    weight_fault,
)
from app.clinical.protocol import ExposurePrompt

law = settings(deadline=None)

DAY = 24 * 3_600 * 1_000_000
NOW = 1_700_000_000_000_000


def dose(days_ago: float, **changes: Any) -> Administration:
    members: dict[str, Any] = {
        "drug": "ketamine",
        "route": "im",
        "dose_mg": 50.0,
        "at": NOW - int(days_ago * DAY),
        "session": days_ago,
    }
    return Administration(**(members | changes))


def prompt(**changes: Any) -> ExposurePrompt:
    members: dict[str, Any] = {
        "key": "many",
        "label": "Many",
        "drug": None,
        "route": None,
        "measure": "sessions",
        "at_least": 3,
        "within_days": 28,
        "about": ("bladder",),
        "instruments": ("bladder",),
        "source": "Us",
        "convention": True,
    }
    return ExposurePrompt(**(members | changes))


administrations = st.lists(
    st.builds(
        dose,
        st.integers(0, 400),
        drug=st.sampled_from(["ketamine", "esketamine"]),
        route=st.sampled_from(["im", "oral"]),
        dose_mg=st.integers(1, 2_000_000).map(lambda thousandths: thousandths / 1000),
    ),
    max_size=30,
)


def test_each_drug_and_route_is_told_apart() -> None:
    told = cumulative(
        [dose(1), dose(2, route="oral"), dose(3, drug="esketamine"), dose(4, dose_mg=60.0)], NOW
    )

    assert [(one.drug, one.route, one.total) for one in told] == [
        ("esketamine", "im", Amount(1, 1, 50.0)),
        ("ketamine", "im", Amount(2, 2, 110.0)),
        ("ketamine", "oral", Amount(1, 1, 50.0)),
    ]


def test_spacing_is_between_sessions_and_not_between_doses_of_one() -> None:
    [told] = cumulative(
        [dose(10, session="a"), dose(9.99, session="a"), dose(7, session="b"), dose(1)], NOW
    )

    assert told.total == Amount(4, 3, 200.0)
    assert (told.shortest_spacing_days, told.median_spacing_days) == (3.0, 4.5)
    assert (told.first_at, told.last_at) == (NOW - 10 * DAY, NOW - DAY)


def test_one_session_has_no_spacing() -> None:
    [told] = cumulative([dose(1)], NOW)

    assert (told.median_spacing_days, told.shortest_spacing_days) == (None, None)


@pytest.mark.parametrize("days", [7, 28, 90, 365])
def test_a_dose_is_in_a_window_until_it_is_so_many_days_ago(days: int) -> None:
    [on] = cumulative([dose(days)], NOW)
    [within] = cumulative([dose(days - 0.001)], NOW)

    assert on.in_last[days].doses == 0
    assert within.in_last[days].doses == 1


def test_a_dose_that_is_still_to_come_is_no_exposure() -> None:
    assert cumulative([dose(-1)], NOW) == []
    assert cumulative([dose(0)], NOW)[0].total.doses == 1


def test_thousandths_of_a_milligram_are_added_exactly() -> None:
    [told] = cumulative([dose(day, dose_mg=0.1) for day in range(1, 11)], NOW)

    assert told.total.mg == 1.0


@given(administrations)
@law
def test_nothing_is_lost_and_nothing_is_counted_twice(given_: list[Administration]) -> None:
    told = cumulative(given_, NOW)

    assert sum(one.total.doses for one in told) == len(given_)
    for one in told:
        alike = [each for each in given_ if (each.drug, each.route) == (one.drug, one.route)]
        assert round(one.total.mg * 1000) == sum(round(each.dose_mg * 1000) for each in alike)
        amounts = [*(one.in_last[days] for days in (7, 28, 90, 365)), one.total]
        assert all(a.mg <= b.mg and a.doses <= b.doses for a, b in pairwise(amounts))
        assert one.total.sessions <= one.total.doses


@given(administrations, administrations)
@law
def test_another_route_changes_nothing_of_this_one(
    given_: list[Administration], more: list[Administration]
) -> None:
    im = [one for one in given_ if one.route == "im"]
    oral = [one for one in more if one.route == "oral"]

    def told(of: list[Administration]) -> list[Any]:
        return [one for one in cumulative(of, NOW) if one.route == "im"]

    assert told(im) == told([*im, *oral])


@pytest.mark.parametrize(("sessions", "is_reached"), [(2, False), (3, True), (4, True)])
def test_a_prompt_comes_on_its_threshold(sessions: int, is_reached: bool) -> None:
    given_ = [dose(day) for day in range(sessions)]

    assert bool(prompted(given_, [prompt()], NOW)) is is_reached


def test_sessions_of_two_routes_reach_a_threshold_together_and_no_milligrams_do() -> None:
    given_ = [dose(1), dose(2), dose(3, route="oral"), dose(4, drug="esketamine")]

    [told] = prompted(given_, [prompt()], NOW)

    assert (told.drug, told.route) == ("ketamine", None)
    assert (told.doses, told.sessions, told.mg) == (3, 3, None)


@pytest.mark.parametrize("measure", ["doses", "mg"])
def test_nothing_but_sessions_is_counted_over_routes(measure: str) -> None:
    given_ = [dose(day, route=route, dose_mg=1) for day in (1, 2) for route in ("im", "oral")]

    assert prompted(given_, [prompt(measure=measure)], NOW) == []


def test_a_session_with_two_routes_is_one() -> None:
    given_ = [dose(day, route=route, session=day) for day in (1, 2) for route in ("im", "oral")]

    assert prompted(given_, [prompt()], NOW) == []
    [told] = by_drug(given_, NOW)
    assert (told.routes, told.sessions) == (("im", "oral"), 2)


def test_sessions_of_two_drugs_are_never_counted_together() -> None:
    given_ = [dose(1), dose(2), dose(3, drug="esketamine")]

    assert prompted(given_, [prompt()], NOW) == []
    assert [(one.drug, one.sessions) for one in by_drug(given_, NOW)] == [
        ("esketamine", 1),
        ("ketamine", 2),
    ]


def test_a_prompt_of_one_route_counts_no_other() -> None:
    given_ = [dose(1), dose(2), dose(3, route="oral")]

    assert prompted(given_, [prompt(route="im")], NOW) == []


def test_by_drug_sessions_are_told_with_their_spacing_and_windows() -> None:
    [told] = by_drug([dose(40), dose(10, route="oral"), dose(4), dose(-1)], NOW)

    assert (told.first_at, told.last_at, told.sessions) == (NOW - 40 * DAY, NOW - 4 * DAY, 3)
    assert (told.median_spacing_days, told.shortest_spacing_days) == (18.0, 6.0)
    assert dict(told.in_last) == {7: 1, 28: 2, 90: 3, 365: 3}


@given(administrations)
@law
def test_by_drug_there_are_as_many_sessions_as_there_are_and_no_more(
    given_: list[Administration],
) -> None:
    for told in by_drug(given_, NOW):
        of_routes = [one for one in cumulative(given_, NOW) if one.drug == told.drug]

        assert told.routes == tuple(one.route for one in of_routes)
        assert max(one.total.sessions for one in of_routes) <= told.sessions
        assert told.sessions <= sum(one.total.sessions for one in of_routes)
        assert told.sessions == len({one.session for one in given_ if one.drug == told.drug})


@pytest.mark.parametrize(
    ("changes", "is_reached"),
    [
        ({"measure": "doses", "at_least": 4}, True),
        ({"measure": "doses", "at_least": 5}, False),
        ({"measure": "sessions", "at_least": 4}, False),
        ({"measure": "mg", "at_least": 200}, True),
        ({"measure": "mg", "at_least": 201}, False),
        ({"within_days": 2}, False),
        ({"drug": "ketamine", "route": "im"}, True),
        ({"drug": "esketamine"}, False),
        ({"route": "oral"}, False),
    ],
)
def test_a_prompt_counts_what_it_names(changes: dict[str, Any], is_reached: bool) -> None:
    given_ = [dose(1, session="a"), dose(1.01, session="a"), dose(5), dose(9)]

    found = prompted(given_, [prompt(**changes)], NOW)

    assert bool(found) is is_reached
    assert all((one.drug, one.route) == ("ketamine", "im") for one in found)


@pytest.mark.parametrize("route", PLAUSIBLE_MG)
def test_a_dose_is_refused_just_beyond_what_is_plausible_by_its_route(route: str) -> None:
    low, high = PLAUSIBLE_MG[route]

    assert dose_fault("ketamine", route, low) is None
    assert dose_fault("esketamine", route, high) is None
    for wrong in (low - 0.001, high + 0.001, 0, -1, 5000, float("nan"), float("inf")):
        assert dose_fault("ketamine", route, wrong)


def test_of_another_drug_only_nothing_and_grams_are_refused() -> None:
    assert dose_fault("midazolam", "iv", 0.001) is None
    assert dose_fault("ketamine", "rectal", 100) is None
    assert dose_fault("mdma", "oral", 4999.999) is None
    for wrong in (0, 5000):
        assert dose_fault("mdma", "oral", wrong)


def test_a_refusal_does_not_repeat_the_dose() -> None:
    assert "4321" not in str(dose_fault("ketamine", "iv", 4321))


@pytest.mark.parametrize(
    ("weight_kg", "is_refused"),
    [(24.9, True), (25, False), (400, False), (400.1, True), (float("nan"), True)],
)
def test_a_weight_is_that_of_a_person(weight_kg: float, is_refused: bool) -> None:
    assert (weight_fault(weight_kg) is not None) is is_refused


def test_a_dose_by_weight_is_told_only_where_the_weight_is_known() -> None:
    assert mg_per_kg(50, 70) == 0.714
    assert mg_per_kg(50, None) is None
    with pytest.raises(ValueError, match="kg"):
        mg_per_kg(50, 0)


@pytest.mark.parametrize("drug", ["racemic-ketamine", "ketamine-hydrochloride", "s-ketamine"])
def test_ketamine_by_another_name_is_held_to_the_same_bounds(drug: str) -> None:
    assert dose_fault(drug, "iv", 4000) is not None
    assert dose_fault(drug, "iv", 40) is None
