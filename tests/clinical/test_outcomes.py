"""Many patients added up, and who on a list is looked at first."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.attention import is_worsening, lately, reasons
from app.clinical.change import ResponseCourse, yardstick
from app.clinical.instruments import Scale, find
from app.clinical.outcomes import (
    LEVELS,
    VISITS,
    Group,
    Tally,
    levels,
    looks_back,
    straddles_first_dose,
)

law = settings(deadline=None)
DAY = 86_400_000_000
NOW = 1000 * DAY


def scale_of(key: str) -> Scale:
    total = find(key).total
    assert total is not None
    return total


PHQ_9 = scale_of("phq-9")


def one(
    *points: tuple[float, int | None],
    dose_day: float = 0,
    heard: float | None = None,
    key: str = "phq-9",
    now: int = NOW,
) -> Group:
    """A clinic of one: (days from the dose, score)."""
    tally = Tally(scale_of(key), now)
    at = [round((dose_day + day) * DAY) for day, _ in points]
    last = points[-1][0] if points else dose_day
    heard_at = round((dose_day + (last if heard is None else heard)) * DAY)
    scores = [score for _, score in points]
    tally.add("all", at, scores, [round(dose_day * DAY)], None, heard_at)
    return tally.groups["all"]


def level(group: Group, visit: str) -> str:
    """How far along the chain the one patient gets."""
    place = [visit.code for visit in VISITS].index(visit)
    reached = group.reaching[place].index(1)
    return "not reached" if reached == 0 else LEVELS[reached - 1]


class TestVisit:
    @pytest.mark.parametrize(
        ("points", "reached"),
        [
            ([(-1, 20), (28, 4)], "remitted"),
            ([(-1, 20), (28, 5)], "responded"),
            ([(-1, 20), (28, 10)], "responded"),
            ([(-1, 20), (28, 11)], "assessed"),
            ([(-1, 20), (28, None)], "in_touch"),
            ([(-1, 20), (100, 4)], "in_touch"),
            ([(-1, 20), (14, 4)], "eligible"),
            ([(-1, 9), (28, 0)], "reached"),  # too mild a baseline
            ([(1, 20), (28, 0)], "reached"),  # a baseline from after the dose
            ([(-15, 20), (28, 4)], "reached"),  # a provisional one
            ([(-14, 20), (28, 4)], "remitted"),
            ([], "reached"),
            ([(-1, 20), (22, 4), (30, 18)], "assessed"),  # the nearest counts, not the best
            ([(-1, 20), (28, None), (30, 4)], "remitted"),
        ],
    )
    def test_each_gets_as_far_as_the_scores_say(
        self, points: list[tuple[float, int | None]], reached: str
    ) -> None:
        assert level(one(*points), "4w") == reached

    def test_a_visit_that_is_not_over_counts_for_nobody(self) -> None:
        assert level(one((-1, 20), (28, 4), now=42 * DAY - 1), "4w") == "not reached"
        assert level(one((-1, 20), (28, 4), now=42 * DAY), "4w") == "remitted"

    def test_a_dose_in_the_future_reaches_nothing(self) -> None:
        group = one((-1, 20), dose_day=2000)

        assert {level(group, visit.code) for visit in VISITS} == {"not reached"}

    def test_a_scale_without_a_response_ends_at_who_was_assessed(self) -> None:
        assert LEVELS[levels(scale_of("gad-7")) - 1] == "assessed"
        assert LEVELS[levels(PHQ_9) - 1] == "remitted"

    def test_remission_is_counted_only_where_it_is_a_part_of_response(self) -> None:
        no_remission = replace(PHQ_9, remission_below=None)
        from_anywhere = replace(PHQ_9, eligible_from=None)
        assert PHQ_9.remission_below is not None
        higher = replace(PHQ_9, remission_below=replace(PHQ_9.remission_below, value=9))

        for scale in (no_remission, from_anywhere, higher):
            assert LEVELS[levels(scale) - 1] == "responded"

    def test_two_patients_from_one_baseline_are_read_by_one_yardstick(self) -> None:
        tally = Tally(PHQ_9, NOW)
        for total in (4, 11):
            tally.add("all", [-DAY, 28 * DAY], [20, total], [0], None, 28 * DAY)

        group = tally.groups["all"]

        assert group.patients == 2
        assert group.chain([visit.code for visit in VISITS].index("4w"), 6) == [2, 2, 2, 2, 1, 1]

    @law
    @given(
        st.lists(st.tuples(st.integers(-20, 430), st.none() | st.integers(0, 27)), max_size=12).map(
            lambda points: sorted(points, key=lambda point: point[0])
        )
    )
    def test_each_count_is_a_part_of_the_one_before(
        self, points: list[tuple[int, int | None]]
    ) -> None:
        group = one(*points)

        for place in range(len(VISITS)):
            chain = group.chain(place, len(LEVELS))
            assert chain == sorted(chain, reverse=True)
            assert sum(group.reaching[place]) == 1


class TestLookingBack:
    @pytest.mark.parametrize(
        ("key", "day", "is_mixed"),
        [("phq-9", 5, True), ("phq-9", 13, True), ("phq-9", 14, False), ("pcl-5", 29, True),
         ("pcl-5", 30, False), ("phq-9", -1, False)],
    )  # fmt: skip
    def test_a_score_sooner_than_the_questions_look_back_straddles_the_dose(
        self, key: str, day: int, is_mixed: bool
    ) -> None:
        assert straddles_first_dose(scale_of(key).recall, day) is is_mixed

    def test_what_asks_about_right_now_does_not(self) -> None:
        scale = find("momentary").item("anxiety").scale
        assert scale is not None

        assert not straddles_first_dose(scale.recall, 0)
        assert "sooner than 30 days" in looks_back(scale_of("pcl-5").recall)
        assert looks_back(scale.recall) == ""


class TestTimes:
    def test_response_and_loss_are_timed_from_the_dose_and_from_the_response(self) -> None:
        group = one((-1, 20), (7, 15), (14, 8), (28, 16))

        assert group.response == [(14.0, True)]
        assert group.loss == [(14.0, True)]

    def test_who_never_responded_is_censored_at_the_last_score(self) -> None:
        group = one((-1, 20), (7, 15), (30, 14), (40, None))

        assert (group.response, group.loss) == ([(30.0, False)], [])

    def test_who_never_answered_after_the_dose_was_followed_for_no_time(self) -> None:
        assert one((-1, 20)).response == [(0.0, False)]

    def test_a_response_that_lasts_is_censored(self) -> None:
        assert one((-1, 20), (7, 4), (21, 5)).loss == [(14.0, False)]

    @pytest.mark.parametrize("points", [[(-1, 9), (7, 0)], [(1, 20), (7, 0)], []])
    def test_without_an_eligible_baseline_nobody_is_timed(
        self, points: list[tuple[float, int | None]]
    ) -> None:
        assert one(*points).response == []

    def test_check_ins_are_counted_from_the_dose_on(self) -> None:
        group = one((-1, 20), (7, 15), (14, None))

        assert (group.patients, group.check_ins, group.complete) == (1, 2, 1)


class TestAttention:
    @pytest.mark.parametrize(
        ("totals", "worse"),
        [
            ([12, 18], True),
            ([12, 17], False),
            ([20, 8, 14], True),  # still better than the baseline, and worse than last time
            ([20, 8, 13], False),
            ([12, 11, None, 18], True),
            ([12, 18, 12], False),
            ([12], False),
            ([], False),
            ([None, None], False),
            ([20, 6, 9, 12], True),  # 6 from the best, into caseness, and never more than 3 at once
            ([20, 2, 6, 9], False),  # 7 from the best, and mild
            ([20, 7, 10, 12], False),
        ],
    )
    def test_worse_is_by_the_reliable_change(self, totals: list[int | None], worse: bool) -> None:
        assert is_worsening(yardstick(PHQ_9, 12 if not totals else totals[0] or 12),
                            totals, 0) is worse  # fmt: skip

    def test_a_slow_return_is_seen_on_scales_without_a_response(self) -> None:
        """39 points worse than the best, and never 15 at once; the PCL-5 has no caseness."""
        pcl_5, gad_7 = scale_of("pcl-5"), scale_of("gad-7")

        assert is_worsening(yardstick(pcl_5, 60), [60, 20, 34, 48, 59], 0)
        assert not is_worsening(yardstick(pcl_5, 60), [60, 20, 27, 34], 0)
        assert is_worsening(yardstick(gad_7, 18), [18, 5, 7, 9], 0)
        assert not is_worsening(yardstick(gad_7, 18), [18, 3, 5, 7], 0)

    def test_the_best_one_before_the_baseline_is_not_what_somebody_falls_from(self) -> None:
        assert not is_worsening(yardstick(PHQ_9, 20), [2, 20, 19, 20], 1)

    def test_without_a_baseline_the_whole_series_is_looked_at(self) -> None:
        by = yardstick(PHQ_9, 5)

        assert is_worsening(by, [5, 9, 12], None)
        assert not is_worsening(by, [5], None)
        assert not is_worsening(by, [12, 5, 9], None)

    @law
    @given(st.lists(st.none() | st.integers(0, 80), max_size=10), st.integers(0, 9))
    def test_nobody_is_worse_whose_last_score_is_the_best(
        self, totals: list[int | None], start: int
    ) -> None:
        there = [total for total in totals if total is not None]
        if start >= len(totals) or totals[start] is None:
            return

        is_worse = is_worsening(yardstick(scale_of("pcl-5"), totals[start] or 0), totals, start)

        since = [total for total in totals[start:] if total is not None]
        rises = [since[-1] - min(since), since[-1] - there[-2] if len(there) > 1 else 0]
        assert is_worse is (len(since) > 1 and max(rises) >= 15)

    def test_a_score_of_years_ago_hides_no_other_scale(self) -> None:
        assert lately({"phq-9": 0, "gad-7": 910 * DAY, "pcl-5": NOW}) == ["gad-7", "pcl-5"]
        assert lately({"phq-9": 0}) == ["phq-9"]
        assert lately({}) == []

    def test_without_a_reliable_change_nothing_is_called_worse(self) -> None:
        assert not is_worsening(yardstick(scale_of("peg"), 1), [1, 10], 0)

    def test_every_reason_is_told_in_the_order_of_the_list(self) -> None:
        told = reasons(
            is_flagged=True,
            is_worse=True,
            course=ResponseCourse("lost"),
            is_overdue=True,
            last_heard_at=0,
            now=NOW,
        )

        assert told == ["flag", "worsening", "loss-of-response", "overdue", "silent"]

    @pytest.mark.parametrize(("days", "told"), [(13.99, "nothing-noted"), (14, "silent")])
    def test_silence_begins_after_two_weeks(self, days: float, told: str) -> None:
        assert reasons(
            is_flagged=False,
            is_worse=False,
            course=None,
            is_overdue=False,
            last_heard_at=NOW - round(days * DAY),
            now=NOW,
        ) == [told]
