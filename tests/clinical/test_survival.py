"""Kaplan-Meier: a published example, and what holds for every curve."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.survival import Curve, kaplan_meier

law = settings(deadline=None)

# Weeks to relapse of acute leukaemia, True where it was seen (Freireich et al. 1963, Blood
# 21:699-716), as textbooks print them. Shares, standard errors and intervals below were worked out
# a second time, in exact fractions, from the definitions and not from the code that is tested.
SIX_MP = [(6, True), (6, True), (6, True), (7, True), (10, True), (13, True), (16, True),
          (22, True), (23, True), (6, False), (9, False), (10, False), (11, False), (17, False),
          (19, False), (20, False), (25, False), (32, False), (32, False), (34, False),
          (35, False)]  # fmt: skip
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]

followed = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=40)


def curve(people: list[tuple[int, bool]]) -> Curve:
    return kaplan_meier([time for time, _ in people], [had for _, had in people])


class TestPublished:
    def test_the_6_mp_arm_as_printed(self) -> None:
        found = curve(SIX_MP)

        assert found.at == [6, 7, 10, 13, 16, 22, 23]
        assert found.at_risk == [21, 17, 15, 12, 11, 7, 6]
        assert found.events == [3, 1, 1, 1, 1, 1, 1]
        assert [round(share, 4) for share in found.share] == [
            0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482,
        ]  # fmt: skip
        assert [round(error, 4) for error in found.std_error] == [
            0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346,
        ]  # fmt: skip
        assert found.median == 23

    def test_its_intervals_are_those_of_log_minus_log(self) -> None:
        found = curve(SIX_MP)

        assert [round(low or 0, 4) for low in found.low] == [
            0.6197, 0.5631, 0.5032, 0.4316, 0.3675, 0.2678, 0.1881,
        ]  # fmt: skip
        assert [round(high or 0, 4) for high in found.high] == [
            0.9516, 0.9228, 0.8894, 0.8491, 0.8049, 0.7468, 0.6801,
        ]  # fmt: skip

    def test_it_is_the_product_and_the_sum_of_their_definitions(self) -> None:
        share, variance = Fraction(1), Fraction(0)
        found = curve(SIX_MP)

        for row, week in enumerate(sorted({week for week, had in SIX_MP if had})):
            at_risk = sum(time >= week for time, _ in SIX_MP)
            failed = sum(time == week and had for time, had in SIX_MP)
            share *= Fraction(at_risk - failed, at_risk)
            variance += Fraction(failed, at_risk * (at_risk - failed))
            assert math.isclose(found.share[row], share)
            assert math.isclose(found.std_error[row], share * math.sqrt(variance))

    def test_the_placebo_arm_ends_at_nobody(self) -> None:
        found = kaplan_meier(PLACEBO, [True] * len(PLACEBO))

        assert [round(found.share_at(week), 4) for week in (1, 5, 8, 12, 23)] == [
            0.9048, 0.5714, 0.381, 0.1905, 0.0,
        ]  # fmt: skip
        assert found.median == 8
        assert found.interval_at(23) == (None, None)

    def test_between_two_events_nothing_changes(self) -> None:
        found = curve(SIX_MP)

        assert (found.share_at(5.9), found.interval_at(5.9)) == (1.0, (1.0, 1.0))
        assert found.share_at(8) == found.share_at(7)
        assert found.interval_at(8) == found.interval_at(7)
        assert [found.at_risk_after(week) for week in (0, 6, 10, 35)] == [21, 17, 13, 0]
        assert [found.events_by(week) for week in (5, 6, 35)] == [0, 3, 9]


class TestLaws:
    @law
    @given(followed)
    def test_it_only_falls_and_stays_between_all_and_none(
        self, people: list[tuple[int, bool]]
    ) -> None:
        found = curve(people)

        assert found.share == sorted(found.share, reverse=True)
        assert all(-1e-12 <= share <= 1 for share in found.share)
        for share, low, high in zip(found.share, found.low, found.high, strict=True):
            assert (low is None) == (high is None)
            if low is not None and high is not None:
                assert 0 <= low <= share + 1e-9
                assert share - 1e-9 <= high <= 1

    @law
    @given(followed)
    def test_without_censoring_it_is_the_plain_share(self, people: list[tuple[int, bool]]) -> None:
        times = [time for time, _ in people]

        found = kaplan_meier(times, [True] * len(times))

        for at, share in zip(found.at, found.share, strict=True):
            assert math.isclose(share, sum(time > at for time in times) / len(times), abs_tol=1e-9)

    @law
    @given(followed, st.data())
    def test_following_somebody_longer_never_lowers_it(
        self, people: list[tuple[int, bool]], data: st.DataObject
    ) -> None:
        place = data.draw(st.integers(0, len(people) - 1))
        time, _ = people[place]
        shorter = [*people[:place], (time, False), *people[place + 1 :]]
        longer = [*people[:place], (time + data.draw(st.integers(0, 20)), False),
                  *people[place + 1 :]]  # fmt: skip

        before, after = curve(shorter), curve(longer)

        for at in before.at:
            assert after.share_at(at) >= before.share_at(at) - 1e-12

    @law
    @given(followed)
    def test_everybody_is_somewhere(self, people: list[tuple[int, bool]]) -> None:
        found = curve(people)

        for at in range(42):
            censored = sum(time <= at and not had for time, had in people)
            assert found.events_by(at) + censored + found.at_risk_after(at) == len(people)


class TestBadInput:
    def test_nobody_is_a_curve_without_steps(self) -> None:
        found = kaplan_meier([], [])

        assert (found.started, found.at, found.median, found.share_at(5)) == (0, [], None, 1.0)

    @pytest.mark.parametrize(
        ("durations", "had_event"),
        [([1.0], []), ([-1.0], [True]), ([math.nan], [True]), ([math.inf], [False])],
    )
    def test_what_is_no_duration_is_refused(
        self, durations: list[float], had_event: list[bool]
    ) -> None:
        with pytest.raises(ValueError, match="duration"):
            kaplan_meier(durations, had_event)
