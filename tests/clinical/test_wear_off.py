"""What each dose did, and how long it lasted."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Direction, Scale, find
from app.clinical.wear_off import MARKS, DoseCourse, after_each_dose

law = settings(deadline=None)
HOUR = 3_600_000_000
DAY = 24 * HOUR
LATER = 4000 * DAY


def item(key: str) -> Scale:
    scale = find("momentary").item(key).scale
    assert scale is not None
    return scale


def total(key: str) -> Scale:
    scale = find(key).total
    assert scale is not None
    return scale


ANXIETY, MOOD = item("anxiety"), item("mood")


def after_one(
    *points: tuple[float, int | None],
    scale: Scale = ANXIETY,
    start: float | None = 8,
    doses: tuple[float, ...] = (0,),
    now: int = LATER,
) -> DoseCourse:
    """(hours, score); what came of the first dose."""
    at = [round(hours * HOUR) for hours, _ in points]
    given_at = [round(hours * HOUR) for hours in doses]
    return after_each_dose(scale, at, [score for _, score in points], given_at, start, now)[0]


def rapid(*points: tuple[float, int | None], **how: object) -> dict[str, object]:
    found = after_one(*points, **how)  # type: ignore[arg-type]
    return {one.mark: one.response if one.why_not is None else one.why_not for one in found.rapid}


class TestRapid:
    def test_it_is_looked_for_at_four_times(self) -> None:
        assert rapid((4, 4), (24, 5), (72, 3), (168, 8)) == {
            "4h": True, "24h": False, "72h": True, "7d": False,
        }  # fmt: skip

    def test_the_nearest_complete_score_counts(self) -> None:
        found = after_one((2, 9), (3.9, None), (4.5, 1), (7.9, 9))

        assert found.rapid[0].index == 2

    @pytest.mark.parametrize(
        ("hours", "mark"),
        [(1.99, None), (2, "4h"), (7.99, "4h"), (8, None), (12, "24h"), (36, None), (48, "72h"),
         (96, None), (120, "7d"), (240, None)],
    )  # fmt: skip
    def test_a_score_too_far_from_the_time_is_not_taken(
        self, hours: float, mark: str | None
    ) -> None:
        taken = [one for one, told in rapid((hours, 0)).items() if told is True]

        assert taken == ([] if mark is None else [mark])

    def test_two_weeks_cannot_show_hours_nor_a_week(self) -> None:
        told = rapid((4, 0), (24, 0), (72, 0), (168, 0), scale=total("phq-9"), start=20)

        assert set(told.values()) == {"recall-too-long"}

    def test_a_week_shows_the_seventh_day_only_from_its_very_end_on(self) -> None:
        madrs = total("madrs") if find("madrs").total else None
        scale = madrs or replace(ANXIETY, recall=find("madrs").recall)

        assert rapid((167, 0), scale=scale) == {
            "4h": "recall-too-long",
            "24h": "recall-too-long",
            "72h": "recall-too-long",
            "7d": "not-measured",
        }
        assert rapid((168, 0), scale=scale)["7d"] is True

    def test_the_last_24_hours_must_have_come_after_the_dose(self) -> None:
        scale = find("daily").items[0].scale
        assert scale is not None

        assert rapid((23, 10), scale=scale, start=0)["24h"] == "not-measured"
        assert rapid((24, 10), scale=scale, start=0)["24h"] is True

    def test_where_more_is_better_half_of_what_there_was_to_gain_is_a_response(self) -> None:
        assert rapid((4, 5), scale=MOOD, start=2)["4h"] is False
        assert rapid((4, 6), scale=MOOD, start=2)["4h"] is True

    def test_a_dose_that_follows_soon_ends_the_looking(self) -> None:
        assert rapid((30, 0), doses=(0, 26)) == {
            "4h": "not-measured",
            "24h": "next-dose",
            "72h": "next-dose",
            "7d": "next-dose",
        }

    def test_what_has_not_come_yet_is_not_missing(self) -> None:
        told = rapid((4, 4), now=20 * HOUR)

        assert told == {"4h": True, "24h": "not-yet", "72h": "not-yet", "7d": "not-yet"}

    def test_a_published_response_and_its_baseline_hold_here_too(self) -> None:
        right_now = replace(total("phq-9"), recall=ANXIETY.recall)

        assert rapid((4, 10), scale=right_now, start=20)["4h"] is True
        assert rapid((4, 11), scale=right_now, start=20)["4h"] is False
        assert rapid((4, 0), scale=right_now, start=9)["4h"] is None

    def test_where_neither_end_is_better_there_is_no_response(self) -> None:
        assert rapid((4, 0), scale=replace(ANXIETY, direction=None))["4h"] is None

    @pytest.mark.parametrize("start", [None, 0])
    def test_without_anything_to_gain_there_is_no_response(self, start: int | None) -> None:
        assert rapid((4, 0), start=start)["4h"] is (None if start is None else False)


class TestWearOff:
    def test_half_of_the_gain_is_gone_on_the_line_between_two_scores(self) -> None:
        # Best 2, so the gain is 6 and half of it gone at 5: two thirds of the way from 3 to 6.
        off = after_one((24, 2), (48, 3), (96, 6)).wear_off

        assert (off.best, off.gain, off.why, off.is_censored) == (0, 6, "half-gone", False)
        assert off.half_gone_at == 80 * HOUR
        assert off.days == round((80 - 24) / 24, 2)

    def test_a_score_that_was_left_out_is_passed_over(self) -> None:
        off = after_one((24, 2), (60, None), (96, 8)).wear_off

        assert off.half_gone_at == 60 * HOUR

    def test_what_was_not_seen_lasted_at_least_so_long(self) -> None:
        off = after_one((24, 2), (96, 4)).wear_off

        assert (off.half_gone_at, off.days, off.is_censored, off.why) == (
            None, 3.0, True, "last-score",
        )  # fmt: skip

    @pytest.mark.parametrize(("hours", "why"), [(24 * 31, "half-gone"), (24 * 31 + 1, "gap")])
    def test_no_line_is_drawn_through_more_than_thirty_days_of_silence(
        self, hours: int, why: str
    ) -> None:
        off = after_one((24, 2), (hours, 8)).wear_off

        assert (off.why, off.is_censored) == (why, why == "gap")
        assert (off.half_gone_at is None) is (why == "gap")
        assert off.days == (0.0 if why == "gap" else 15.0)

    def test_a_silence_ends_the_looking_whatever_was_answered_after_it(self) -> None:
        off = after_one((24, 2), (24 * 60, 3), (24 * 70, 8)).wear_off

        assert (off.why, off.is_censored) == ("gap", True)

    def test_the_next_dose_ends_it(self) -> None:
        off = after_one((24, 2), (40, 3), (96, 8), doses=(0, 48)).wear_off

        assert (off.days, off.is_censored, off.why) == (0.67, True, "next-dose")

    def test_one_score_is_followed_for_no_time(self) -> None:
        assert after_one((24, 2)).wear_off.days == 0.0

    @pytest.mark.parametrize(
        ("points", "start", "why"),
        [
            ([], 8, "no-score"),
            ([(24, None)], 8, "no-score"),
            ([(24, 8), (48, 9)], 8, "no-gain"),
            ([(24, 2)], None, "no-baseline"),
            ([(24, 0)], 0, "no-gain"),
            ([(30 * 24 + 1, 2)], 8, "no-score"),
        ],
    )
    def test_what_cannot_be_said_says_why(
        self, points: list[tuple[float, int | None]], start: int | None, why: str
    ) -> None:
        off = after_one(*points, start=start).wear_off

        assert (off.why, off.half_gone_at, off.days, off.is_censored) == (why, None, None, False)

    def test_noise_does_not_wear_off(self) -> None:
        depression, weeks = total("phq-9"), (7 * 24, 14 * 24)
        noise = after_one((weeks[0], 14), (weeks[1], 15), scale=depression, start=15).wear_off
        least = after_one((weeks[0], 9), (weeks[1], 15), scale=depression, start=15).wear_off

        assert (noise.why, noise.gain, noise.days) == ("no-reliable-gain", 1, None)
        assert (least.why, least.gain, least.days) == ("half-gone", 6, 3.5)

    def test_on_a_scale_without_a_reliable_change_a_fifth_of_it_is_a_gain(self) -> None:
        assert after_one((24, 6), (48, 8)).wear_off.why == "half-gone"
        assert after_one((24, 7), (48, 8)).wear_off.why == "no-reliable-gain"

    def test_ten_years_of_silence_tell_nothing_of_when_it_was_gone(self) -> None:
        """3 after 3 days, and 20 ten years later."""
        off = after_one((72, 3), (96, 4), (3653 * 24, 20), scale=total("phq-9"), start=20).wear_off

        assert (off.why, off.is_censored, off.half_gone_at, off.days) == ("gap", True, None, 1.0)
        assert off.last == 1

    def test_what_is_seen_again_after_a_long_pause_was_not_followed_in_it(self) -> None:
        late = after_one((24, 2), (24 * 40, 1), (24 * 47, 8)).wear_off
        there = after_one((24, 2), (24 * 31, 1), (24 * 38, 8)).wear_off

        assert (late.best, late.why, late.days) == (0, "gap", 0.0)
        assert (there.best, there.why) == (1, "half-gone")


class TestDoses:
    def test_two_doses_in_an_hour_share_no_score(self) -> None:
        first, second = after_each_dose(ANXIETY, [2 * HOUR], [3], [0, HOUR], 8, LATER)

        assert (first.first, first.end) == (0, 0)
        assert (second.first, second.end) == (0, 1)
        assert first.wear_off.why == "no-score"

    def test_it_knows_the_last_complete_score_before_it(self) -> None:
        (found,) = after_each_dose(ANXIETY, [0, HOUR, 3 * HOUR], [7, None, 2], [2 * HOUR], 7, LATER)

        assert found.before == 0

    @law
    @given(
        st.lists(st.tuples(st.integers(0, 4000), st.none() | st.integers(0, 10)), max_size=25),
        st.lists(st.integers(0, 2000), max_size=5),
        st.integers(0, 10),
    )
    def test_a_scale_and_its_mirror_image_agree(
        self, points: list[tuple[int, int | None]], hours: list[int], start: int
    ) -> None:
        points.sort(key=lambda point: point[0])
        at, scores = [hour * HOUR for hour, _ in points], [score for _, score in points]
        doses = sorted(hour * HOUR for hour in hours)
        mirror = replace(ANXIETY, direction=Direction.HIGHER_IS_BETTER)
        mirrored = [None if one is None else 10 - one for one in scores]

        here = after_each_dose(ANXIETY, at, scores, doses, start, LATER)
        there = after_each_dose(mirror, at, mirrored, doses, 10 - start, LATER)

        assert here == there
        assert [one.end for one in here] == sorted(one.end for one in here)
        for one, following in pairwise(here):
            assert one.end == following.first or one.at == following.at
        for one in here:
            off = one.wear_off
            if off.half_gone_at is not None:
                assert off.best is not None
                assert off.gain is not None
                assert off.gain >= 2
                assert at[off.best] <= off.half_gone_at <= at[one.end - 1]
            if off.last is not None:
                assert off.best in range(one.first, off.last + 1)
                own = [at[i] for i in range(one.first, off.last + 1) if scores[i] is not None]
                assert all(after - before <= 30 * DAY for before, after in pairwise([one.at, *own]))


def test_the_marks_are_in_order_and_do_not_overlap() -> None:
    assert [mark.code for mark in MARKS] == ["4h", "24h", "72h", "7d"]
    assert all(one.until_hours <= after.from_hours for one, after in pairwise(MARKS))
