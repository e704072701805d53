"""What is due when, and which answer belongs to what."""

from uuid import UUID

import pytest

from app.clinical.protocol import HISTORY_DAYS, DueItem
from tests.clinical.courses import (
    BERLIN,
    DAY,
    DOSE,
    ENROLLED,
    HOUR,
    a_protocol,
    answers,
    at,
    items,
    states,
    windows,
)


class TestADose:
    @pytest.mark.parametrize(
        ("key", "after", "expected"),
        [
            pytest.param("4h", 2 * HOUR - 1, "next", id="4 h, before it opens"),
            pytest.param("4h", 2 * HOUR, "open", id="4 h, as it opens"),
            pytest.param("4h", 8 * HOUR - 1, "open", id="4 h, just before the end"),
            pytest.param("4h", 8 * HOUR, "missed", id="4 h, at the end"),
            pytest.param("24h", 12 * HOUR - 1, "next", id="24 h, before it opens"),
            pytest.param("24h", 12 * HOUR, "open", id="24 h, as it opens"),
            pytest.param("24h", 36 * HOUR - 1, "open", id="24 h, just before the end"),
            pytest.param("24h", 36 * HOUR, "missed", id="24 h, at the end"),
            pytest.param("72h", 48 * HOUR - 1, "next", id="72 h, before it opens"),
            pytest.param("72h", 48 * HOUR, "open", id="72 h, as it opens"),
            pytest.param("72h", 96 * HOUR - 1, "open", id="72 h, just before the end"),
            pytest.param("72h", 96 * HOUR, "missed", id="72 h, at the end"),
        ],
    )
    def test_opens_and_closes_the_momentary_windows(
        self, key: str, after: int, expected: str
    ) -> None:
        now = DOSE + after

        assert states(now=now, doses=[DOSE])[f"{key}/dose-1/momentary"] == expected

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            pytest.param(5 * DAY - 1, "next", id="before it opens"),
            pytest.param(5 * DAY, "open", id="as it opens"),
            pytest.param(10 * DAY - 1, "open", id="just before the end"),
            pytest.param(10 * DAY, "missed", id="at the end"),
        ],
    )
    def test_opens_and_closes_the_week(self, after: int, expected: str) -> None:
        assert states(now=DOSE + after, doses=[DOSE])["7d/dose-1/phq-9"] == expected

    def test_asks_each_day_for_seven_local_days(self) -> None:
        dose = at("2026-06-15T22:30", BERLIN)

        found = windows(
            now=dose + 9 * DAY, doses=[dose], zone=BERLIN, instrument="daily", horizon_days=30
        )

        assert found == {
            f"daily/dose-1/{day}/daily": (
                at(f"2026-06-{15 + day}T00:00", BERLIN),
                at(f"2026-06-{15 + day}T18:00", BERLIN),
                at(f"2026-06-{16 + day}T00:00", BERLIN),
            )
            for day in range(1, 8)
        }

    def test_moves_the_schedule(self) -> None:
        second = DOSE + 6 * DAY

        before = windows(now=second - 1, doses=[DOSE], instrument="phq-9")
        after = windows(now=second, doses=[DOSE, second], instrument="phq-9")

        assert before["7d/dose-1/phq-9"] == (DOSE + 5 * DAY, DOSE + 7 * DAY, DOSE + 10 * DAY)
        assert after["7d/dose-1/phq-9"] == (DOSE + 5 * DAY, second, second)
        assert after["7d/dose-2/phq-9"] == (second + 5 * DAY, second + 7 * DAY, second + 10 * DAY)
        assert "weekly/dose-1/1/phq-9" in before
        assert "weekly/dose-1/1/phq-9" not in after

    def test_before_a_window_opens_leaves_nothing_of_it(self) -> None:
        doses = [DOSE, DOSE + 5 * DAY]

        assert "7d/dose-1/phq-9" not in states(now=DOSE + 6 * DAY, doses=doses)

    def test_keeps_what_was_answered_before_it(self) -> None:
        doses = [DOSE, DOSE + 6 * DAY]
        answered = answers("phq-9", DOSE + 5 * DAY)

        found = states(now=DOSE + 7 * DAY, doses=doses, answered=answered)

        assert found["7d/dose-1/phq-9"] == "answered"

    def test_recorded_twice_counts_once(self) -> None:
        found = states(now=DOSE + 3 * HOUR, doses=[DOSE, DOSE], instrument="momentary")

        assert found["4h/dose-2/momentary"] == "open"
        assert not any("dose-1" in key for key in found)

    def test_counts_only_when_it_is_one_of_every_so_many(self) -> None:
        protocol = a_protocol({"hours": [2, 4, 8], "every_doses": 2})
        doses = [DOSE + place * DAY for place in range(5)]

        found = states(protocol, now=DOSE + 5 * DAY, doses=doses)

        assert list(found) == ["point-0/dose-2/momentary", "point-0/dose-4/momentary"]


class TestWithoutADose:
    def test_the_baseline_is_open_from_enrolment(self) -> None:
        found = states(now=ENROLLED)

        assert found["baseline/enrolment/phq-9"] == "open"
        assert found["preparation/enrolment/1/phq-9"] == "next"

    def test_nothing_is_counted_from_a_dose(self) -> None:
        found = items(now=ENROLLED + 30 * DAY)

        assert {item.point for item in found} == {"baseline", "preparation"}
        assert {item.dose_number for item in found} == {None}

    def test_preparation_is_asked_about_each_week_so_many_times(self) -> None:
        now = ENROLLED + 200 * DAY

        found = states(now=now, instrument="gad-7", since=ENROLLED)

        assert found == {"baseline/enrolment/gad-7": "missed"} | {
            f"preparation/enrolment/{week}/gad-7": "missed" for week in range(1, 13)
        }


class TestTheFirstDose:
    def test_ends_the_baseline(self) -> None:
        found = {item.key: item for item in items(now=DOSE, doses=[DOSE])}

        assert found["baseline/enrolment/pcl-5"].state == "missed"
        assert found["baseline/enrolment/pcl-5"].expires_at == DOSE

    def test_keeps_a_baseline_that_was_answered_before_it(self) -> None:
        answered = answers("pcl-5", DOSE - 1)

        found = states(now=DOSE + DAY, doses=[DOSE], answered=answered)

        assert found["baseline/enrolment/pcl-5"] == "answered"

    def test_makes_a_baseline_at_its_very_instant_late(self) -> None:
        answered = answers("pcl-5", DOSE)

        found = states(now=DOSE + DAY, doses=[DOSE], answered=answered)

        assert found["baseline/enrolment/pcl-5"] == "late"

    def test_before_the_enrolment_leaves_no_baseline(self) -> None:
        found = states(now=ENROLLED + DAY, doses=[ENROLLED - DAY])

        assert not any("enrolment" in key for key in found)

    def test_is_what_the_monthly_checks_are_counted_from_whatever_follows(self) -> None:
        doses = [DOSE, DOSE + 11 * DAY]

        found = windows(now=DOSE + 20 * DAY, doses=doses, instrument="craving")

        assert found == {
            "monthly/dose-1/1/craving": (DOSE + 25 * DAY, DOSE + 28 * DAY, DOSE + 38 * DAY)
        }

    def test_still_counts_after_ten_years(self) -> None:
        now = DOSE + 3640 * DAY

        found = states(now=now, doses=[DOSE], instrument="craving")

        assert found == {"monthly/dose-1/130/craving": "open"}


class TestAPlannedSession:
    KEY = f"before-session/session-{DOSE}/c-ssrs-since-last-contact"

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            pytest.param(24 * HOUR + 1, "next", id="before it opens"),
            pytest.param(24 * HOUR, "open", id="as it opens"),
            pytest.param(1, "open", id="just before the session"),
            pytest.param(0, "missed", id="at the session"),
        ],
    )
    def test_is_asked_about_until_it_begins(self, before: int, expected: str) -> None:
        assert states(now=DOSE - before, planned=[DOSE])[self.KEY] == expected

    def test_that_was_cancelled_asks_nothing(self) -> None:
        found = states(now=DOSE - HOUR, planned=[])

        assert not any(key.startswith("before-session") for key in found)

    def test_opens_no_earlier_than_the_one_before_it(self) -> None:
        later = DOSE + 6 * HOUR

        found = windows(now=DOSE, planned=[DOSE, later], instrument="c-ssrs-since-last-contact")

        assert found[f"before-session/session-{later}/c-ssrs-since-last-contact"] == (
            DOSE,
            later - 2 * HOUR,
            later,
        )

    def test_that_stands_in_the_calendar_twice_is_asked_about_once(self) -> None:
        found = items(now=DOSE, planned=[DOSE, DOSE], instrument="c-ssrs-since-last-contact")

        assert [item.key for item in found] == [self.KEY]

    def test_only_the_next_of_many_is_announced(self) -> None:
        planned = [DOSE + days * DAY for days in range(100)]

        found = states(now=DOSE, planned=planned, instrument="c-ssrs-since-last-contact")

        assert list(found.values()) == ["missed", "open", "next"]


class TestTheSeventyTwoHours:
    LONG = {"days": [2, 4, 6], "instruments": ["phq-9", "momentary"]}

    def test_are_not_asked_about_by_a_long_recall(self) -> None:
        found = windows(a_protocol(self.LONG), now=DOSE, doses=[DOSE])

        assert found["point-0/dose-1/momentary"][0] == DOSE + 2 * DAY
        assert found["point-0/dose-1/phq-9"] == (DOSE + 3 * DAY, DOSE + 4 * DAY, DOSE + 6 * DAY)

    def test_move_the_due_time_with_the_opening(self) -> None:
        protocol = a_protocol({"days": [1, 2, 6], "instruments": ["phq-9"]})

        found = windows(protocol, now=DOSE, doses=[DOSE])

        assert found["point-0/dose-1/phq-9"] == (DOSE + 3 * DAY, DOSE + 3 * DAY, DOSE + 6 * DAY)

    @pytest.mark.parametrize(
        ("after_hours", "expected"),
        [
            pytest.param(72 + 48 - 1, {"point-0/dose-1/phq-9"}, id="an hour is left"),
            pytest.param(72 + 48, set(), id="nothing is left"),
        ],
    )
    def test_that_leave_nothing_of_a_window_leave_it_out(
        self, after_hours: int, expected: set[str]
    ) -> None:
        protocol = a_protocol(
            {"anchor": "first-dose", "days": [7, 8, 10], "instruments": ["phq-9"]}
        )
        second = DOSE + 10 * DAY - after_hours * HOUR + 48 * HOUR

        found = states(protocol, now=second, doses=[DOSE, second])

        assert set(found) == expected

    def test_interrupt_a_window_that_later_doses_do_not_end(self) -> None:
        protocol = a_protocol(
            {"anchor": "first-dose", "days": [10, 14, 21], "instruments": ["bladder"]}
        )
        second = DOSE + 12 * DAY
        doses = [DOSE, second]
        first_part = (DOSE + 10 * DAY, second, second)
        second_part = (second + 3 * DAY, second + 3 * DAY, DOSE + 21 * DAY)

        def found(now: int, *answered: int) -> tuple[str, tuple[int, int, int]]:
            (item,) = items(protocol, now=now, doses=doses, answered=answers("bladder", *answered))
            return item.state, (item.opens_at, item.due_at, item.expires_at)

        assert found(second - 1) == ("open", first_part)
        assert found(second) == ("next", second_part)
        assert found(second, second - 1) == ("answered", first_part)
        assert found(second + DAY, second + 1) == ("next", second_part)
        assert found(second + 3 * DAY) == ("open", second_part)
        assert found(second + 4 * DAY, second + 3 * DAY) == ("answered", second_part)
        assert found(DOSE + 21 * DAY) == ("missed", second_part)

    def test_hold_before_a_planned_session_too(self) -> None:
        protocol = a_protocol(
            {"anchor": "planned-session", "hours": [-24, -2, 0], "instruments": ["phq-9"]}
        )
        session = DOSE + 84 * HOUR

        found = windows(protocol, now=DOSE, doses=[DOSE], planned=[session])

        assert list(found.values()) == [(DOSE + 72 * HOUR, session - 2 * HOUR, session)]


class TestDosingOnMondaysAndThursdays:
    DOSES = tuple(DOSE + days * DAY for days in (0, 3, 7, 10, 14, 17))

    def test_asks_two_week_questions_on_a_sunday_and_after_the_last_dose(self) -> None:
        last = self.DOSES[-1]
        second_sunday = DOSE + 13 * DAY

        found = windows(
            now=last + 6 * DAY, doses=self.DOSES, instrument="gad-7", since=DOSE, horizon_days=30
        )

        assert found == {
            "mid-course/dose-1/gad-7": (DOSE + 20 * DAY, DOSE + 20 * DAY, DOSE + 21 * DAY),
            "7d/dose-6/gad-7": (last + 5 * DAY, last + 7 * DAY, last + 10 * DAY),
            "weekly/dose-6/1/gad-7": (last + 12 * DAY, last + 14 * DAY, last + 17 * DAY),
            "maintenance/dose-6/1/gad-7": (last + 26 * DAY, last + 28 * DAY, last + 35 * DAY),
        }
        for now, state in ((second_sunday - 1, "next"), (second_sunday, "open")):
            found_then = states(now=now, doses=self.DOSES[:4], instrument="gad-7")
            assert found_then["mid-course/dose-1/gad-7"] == state

    def test_asks_the_momentary_scale_until_the_next_dose(self) -> None:
        thursday = self.DOSES[1]

        found = windows(now=thursday, doses=self.DOSES[:2], instrument="momentary")

        assert found["72h/dose-1/momentary"] == (DOSE + 2 * DAY, DOSE + 3 * DAY, thursday)
        assert found["4h/dose-2/momentary"] == (
            thursday + 2 * HOUR,
            thursday + 4 * HOUR,
            thursday + 8 * HOUR,
        )

    def test_asks_about_suicide_before_each_session(self) -> None:
        found = [
            states(now=session - 1, doses=self.DOSES[:place], planned=self.DOSES, zone=BERLIN)[
                f"before-session/session-{session}/c-ssrs-since-last-contact"
            ]
            for place, session in enumerate(self.DOSES)
        ]

        assert found == ["open"] * 6

    def test_asks_once_a_day(self) -> None:
        found = items(now=self.DOSES[-1], doses=self.DOSES, instrument="daily", since=DOSE)

        days = [(item.opens_at - DOSE) // DAY for item in found]
        assert days == [*range(18)]


class TestAnAnswer:
    def test_says_which_and_when(self) -> None:
        answered = answers("momentary", DOSE + 3 * HOUR)

        (item,) = (
            item
            for item in items(now=DOSE + DAY, doses=[DOSE], answered=answered)
            if (item.point, item.instrument) == ("4h", "momentary")
        )

        assert item == DueItem(
            key="4h/dose-1/momentary",
            point="4h",
            label="4 hours after the dose",
            instrument="momentary",
            dose_number=1,
            opens_at=DOSE + 2 * HOUR,
            due_at=DOSE + 4 * HOUR,
            expires_at=DOSE + 8 * HOUR,
            state="answered",
            answered_by=UUID(int=DOSE + 3 * HOUR),
            answered_at=DOSE + 3 * HOUR,
        )

    @pytest.mark.parametrize(
        ("hours", "nearest"),
        [
            pytest.param([13, 23], 23, id="before"),
            pytest.param([13, 25, 35], 25, id="after"),
            pytest.param([23, 25], 23, id="as near on both sides"),
            pytest.param([11, 35, 37], 35, id="only one inside"),
        ],
    )
    def test_nearest_to_the_due_time_is_the_one(self, hours: list[int], nearest: int) -> None:
        answered = answers("momentary", *(DOSE + hour * HOUR for hour in hours))

        found = {
            item.key: item for item in items(now=DOSE + 40 * HOUR, doses=[DOSE], answered=answered)
        }

        assert found["24h/dose-1/momentary"].answered_at == DOSE + nearest * HOUR

    def test_counts_for_every_point_in_whose_window_it_lies(self) -> None:
        answered = answers("phq-9", DOSE + 14 * DAY)

        found = states(now=DOSE + 15 * DAY, doses=[DOSE], answered=answered)

        assert found["weekly/dose-1/1/phq-9"] == "answered"
        assert found["mid-course/dose-1/phq-9"] == "answered"

    def test_to_another_instrument_counts_for_nothing(self) -> None:
        answered = answers("daily", DOSE + 3 * HOUR)

        found = states(now=DOSE + 4 * HOUR, doses=[DOSE], answered=answered)

        assert found["4h/dose-1/momentary"] == "open"

    def test_from_after_now_counts_for_nothing(self) -> None:
        answered = answers("momentary", DOSE + 4 * HOUR)

        found = states(now=DOSE + 3 * HOUR, doses=[DOSE], answered=answered)

        assert found["4h/dose-1/momentary"] == "open"


class TestALateAnswer:
    @pytest.mark.parametrize(
        ("hours", "expected"),
        [
            pytest.param(8, ("late", "missed"), id="as the window closes"),
            pytest.param(11, ("late", "missed"), id="before the next opens"),
            pytest.param(12, ("missed", "answered"), id="as the next opens"),
            pytest.param(36, ("missed", "late"), id="after the next"),
        ],
    )
    def test_belongs_to_the_window_that_closed_last(
        self, hours: int, expected: tuple[str, str]
    ) -> None:
        answered = answers("momentary", DOSE + hours * HOUR)

        found = states(now=DOSE + 47 * HOUR, doses=[DOSE], answered=answered)

        assert (found["4h/dose-1/momentary"], found["24h/dose-1/momentary"]) == expected

    def test_is_not_late_for_what_was_answered_in_time(self) -> None:
        answered = answers("momentary", DOSE + 4 * HOUR, DOSE + 9 * HOUR)

        found = {
            item.key: item for item in items(now=DOSE + 10 * HOUR, doses=[DOSE], answered=answered)
        }

        assert found["4h/dose-1/momentary"].answered_at == DOSE + 4 * HOUR

    def test_is_the_first_of_several(self) -> None:
        answered = answers("momentary", DOSE + 9 * HOUR, DOSE + 10 * HOUR)

        found = {
            item.key: item for item in items(now=DOSE + 11 * HOUR, doses=[DOSE], answered=answered)
        }

        assert found["4h/dose-1/momentary"].answered_at == DOSE + 9 * HOUR

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            pytest.param(2 * DAY - 1, "late", id="within the days of the protocol"),
            pytest.param(2 * DAY, "missed", id="after them"),
        ],
    )
    def test_counts_for_so_many_days(self, after: int, expected: str) -> None:
        protocol = a_protocol({"hours": [2, 4, 8]}, late_days=2)
        answered = answers("momentary", DOSE + 8 * HOUR + after)

        found = states(protocol, now=DOSE + 5 * DAY, doses=[DOSE], answered=answered)

        assert found == {"point-0/dose-1/momentary": expected}

    def test_counts_for_every_point_that_closed_with_the_last(self) -> None:
        second = DOSE + 14 * DAY
        answered = answers("phq-9", second + DAY)
        protocol = a_protocol(
            {"days": [10, 14, 20], "instruments": ["phq-9"]},
            {"days": [12, 14, 17], "instruments": ["phq-9"]},
        )

        found = states(protocol, now=second + 2 * DAY, doses=[DOSE, second], answered=answered)

        assert found["point-0/dose-1/phq-9"] == "late"
        assert found["point-1/dose-1/phq-9"] == "late"

    def test_is_not_late_for_one_point_while_another_is_open(self) -> None:
        protocol = a_protocol({"hours": [2, 3, 4]}, {"hours": [3, 9, 20]}, {"hours": [10, 11, 12]})
        answered = answers("momentary", DOSE + 5 * HOUR)

        found = states(protocol, now=DOSE + 13 * HOUR, doses=[DOSE], answered=answered)

        assert found == {
            "point-0/dose-1/momentary": "missed",
            "point-1/dose-1/momentary": "answered",
            "point-2/dose-1/momentary": "missed",
        }


class TestHistory:
    def test_reaches_back_fourteen_days(self) -> None:
        closed = DOSE + 8 * HOUR

        inside = states(now=closed + HISTORY_DAYS * DAY - 1, doses=[DOSE])
        outside = states(now=closed + HISTORY_DAYS * DAY, doses=[DOSE])

        assert inside["4h/dose-1/momentary"] == "missed"
        assert "4h/dose-1/momentary" not in outside

    def test_reaches_back_as_far_as_asked(self) -> None:
        found = states(now=DOSE + 365 * DAY, doses=[DOSE], since=ENROLLED)

        assert found["4h/dose-1/momentary"] == "missed"
        assert found["baseline/enrolment/phq-9"] == "missed"


class TestTheHorizon:
    @pytest.mark.parametrize(
        ("ahead", "is_announced"),
        [
            pytest.param(14 * DAY + 1, False, id="beyond"),
            pytest.param(14 * DAY, True, id="on"),
            pytest.param(14 * DAY - 1, True, id="within"),
        ],
    )
    def test_is_fourteen_days(self, ahead: int, is_announced: bool) -> None:
        now = DOSE + 26 * DAY - ahead

        found = states(now=now, doses=[DOSE], instrument="gad-7")

        assert ("maintenance/dose-1/1/gad-7" in found) is is_announced

    def test_can_be_nearer(self) -> None:
        assert "24h/dose-1/momentary" not in states(now=DOSE, doses=[DOSE], horizon_days=0)

    def test_shows_one_occurrence_of_each_point(self) -> None:
        found = states(now=DOSE, doses=[DOSE], instrument="daily")

        assert found == {"daily/dose-1/1/daily": "next"}


class TestTheClinic:
    def test_is_only_asked_for_what_it_switched_on(self) -> None:
        found = items(now=DOSE + 3 * HOUR, doses=[DOSE], instrument="gad-7")

        assert {item.instrument for item in found} == {"gad-7"}

    def test_that_switched_on_nothing_has_nothing_due(self) -> None:
        assert items(now=DOSE + 3 * HOUR, doses=[DOSE], instrument="another") == []

    def test_reads_what_is_due_first_first(self) -> None:
        found = [item.due_at for item in items(now=DOSE + 6 * DAY, doses=[DOSE])]

        assert found == sorted(found)
        assert len(found) > 10
