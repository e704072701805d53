"""What is due when, and which answer belongs to what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.protocol import (
    HISTORY_DAYS,
    NO_LONG_RECALL_HOURS,
    Answered,
    DueItem,
    Protocol,
    Timing,
    due,
    read,
    shipped,
    timing,
)
from app.clinical.protocol.schedule import instant

law = settings(deadline=None)

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RECALL_DAYS = {
    "phq-9": 14,
    "gad-7": 14,
    "pcl-5": 30,
    "momentary": 0,
    "aftercare": 0,
    "daily": 1,
    "bladder": 7,
    "craving": 0,
    "use-outside": 0,
    "c-ssrs-since-last-contact": 0,
}
SHIPPED = shipped(RECALL_DAYS)

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")

ENROLLED = (datetime(2026, 6, 1, 10, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # a Monday
DOSE = ENROLLED + 14 * DAY


def at(text: str, zone: ZoneInfo = UTC_ZONE) -> int:
    """The instant of a text that carries its own offset, or that is the wall's in `zone`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def a_protocol(*points: dict[str, Any], late_days: int = 14) -> Protocol:
    """Points that say only what matters to a test."""
    filled = [
        {
            "key": f"point-{place}",
            "label": "A point",
            "anchor": "dose",
            "instruments": ["momentary"],
            "source": "Us",
            "convention": True,
            **point,
        }
        for place, point in enumerate(points)
    ]
    content = {"title": "Ours", "source": "Us", "convention": True, "late_days": late_days}
    return read({**content, "points": filled}, RECALL_DAYS)


def answers(instrument: str, *instants: int) -> list[Answered]:
    return [Answered(instrument, moment, UUID(int=moment)) for moment in sorted(instants)]


def items(
    protocol: Protocol = SHIPPED,
    *,
    now: int,
    doses: Sequence[int] = (),
    planned: Sequence[int] = (),
    answered: Sequence[Answered] = (),
    zone: ZoneInfo = UTC_ZONE,
    instrument: str | None = None,
    enrolled_at: int = ENROLLED,
    **more: int,
) -> list[DueItem]:
    return due(
        protocol,
        enrolled_at=enrolled_at,
        doses=doses,
        planned=planned,
        answered=answered,
        zone=zone,
        now=now,
        switched_on=RECALL_DAYS if instrument is None else (instrument,),
        **more,
    )


def states(*args: Any, **kwargs: Any) -> dict[str, str]:
    return {item.key: item.state for item in items(*args, **kwargs)}


def windows(*args: Any, **kwargs: Any) -> dict[str, tuple[int, int, int]]:
    return {
        item.key: (item.opens_at, item.due_at, item.expires_at) for item in items(*args, **kwargs)
    }


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


class TestLocalTime:
    @pytest.mark.parametrize(
        ("zone", "wall", "expected"),
        [
            pytest.param(BERLIN, "2026-03-29T01:59", "2026-03-29T01:59+01:00", id="Berlin, before"),
            pytest.param(BERLIN, "2026-03-29T02:00", "2026-03-29T03:00+02:00", id="Berlin, first"),
            pytest.param(BERLIN, "2026-03-29T02:30", "2026-03-29T03:00+02:00", id="Berlin, gap"),
            pytest.param(BERLIN, "2026-03-29T03:00", "2026-03-29T03:00+02:00", id="Berlin, after"),
            pytest.param(BERLIN, "2026-10-25T02:30", "2026-10-25T02:30+02:00", id="Berlin, fold"),
            pytest.param(BERLIN, "2026-10-25T03:00", "2026-10-25T03:00+01:00", id="Berlin, over"),
            pytest.param(
                NEW_YORK, "2026-03-08T02:30", "2026-03-08T03:00-04:00", id="New York, gap"
            ),
            pytest.param(
                NEW_YORK, "2026-11-01T01:30", "2026-11-01T01:30-04:00", id="New York, fold"
            ),
            pytest.param(
                LORD_HOWE, "2026-10-04T02:15", "2026-10-04T02:30+11:00", id="Lord Howe, gap"
            ),
            pytest.param(
                LORD_HOWE, "2026-04-05T01:45", "2026-04-05T01:45+11:00", id="Lord Howe, fold"
            ),
            pytest.param(
                APIA, "2011-12-30T12:00", "2011-12-31T00:00+14:00", id="Apia, no such day"
            ),
            pytest.param(APIA, "2011-12-29T23:59", "2011-12-29T23:59-10:00", id="Apia, before"),
        ],
    )
    def test_shows_a_time_first_or_first_a_later_one(
        self, zone: ZoneInfo, wall: str, expected: str
    ) -> None:
        assert instant(datetime.fromisoformat(wall), zone) == at(expected)

    @pytest.mark.parametrize(
        ("zone", "dose", "due_at"),
        [
            pytest.param(BERLIN, "2026-03-25T09:00", "2026-04-01T09:00+02:00", id="spring, Berlin"),
            pytest.param(BERLIN, "2026-10-21T09:00", "2026-10-28T09:00+01:00", id="autumn, Berlin"),
            pytest.param(
                BERLIN, "2026-03-22T02:30", "2026-03-29T03:00+02:00", id="into the gap, Berlin"
            ),
            pytest.param(
                BERLIN, "2026-10-18T02:30", "2026-10-25T02:30+02:00", id="into the fold, Berlin"
            ),
            pytest.param(
                NEW_YORK, "2026-03-04T09:00", "2026-03-11T09:00-04:00", id="spring, New York"
            ),
            pytest.param(
                NEW_YORK, "2026-10-28T09:00", "2026-11-04T09:00-05:00", id="autumn, New York"
            ),
            pytest.param(
                LORD_HOWE, "2026-10-01T09:00", "2026-10-08T09:00+11:00", id="spring, Lord Howe"
            ),
            pytest.param(
                LORD_HOWE, "2026-04-01T09:00", "2026-04-08T09:00+10:30", id="autumn, Lord Howe"
            ),
            pytest.param(APIA, "2011-12-23T09:00", "2011-12-31T00:00+14:00", id="no day, Apia"),
            pytest.param(APIA, "2011-12-27T09:00", "2012-01-03T09:00+14:00", id="over it, Apia"),
        ],
    )
    def test_keeps_the_hour_of_the_dose_over_days(
        self, zone: ZoneInfo, dose: str, due_at: str
    ) -> None:
        given = at(dose, zone)

        found = windows(now=given, doses=[given], zone=zone, instrument="phq-9")

        assert found["7d/dose-1/phq-9"][1] == at(due_at)

    def test_does_not_touch_offsets_in_hours(self) -> None:
        dose = at("2026-03-28T18:00", BERLIN)

        found = windows(now=dose, doses=[dose], zone=BERLIN, instrument="momentary")

        assert found["24h/dose-1/momentary"][1] == dose + 24 * HOUR

    def test_starts_at_the_anchor_itself_where_the_wall_shows_its_time_twice(self) -> None:
        enrolled_at = at("2026-10-25T02:30+01:00")

        found = windows(now=enrolled_at, zone=BERLIN, enrolled_at=enrolled_at, instrument="pcl-5")

        assert found["baseline/enrolment/pcl-5"][0] == enrolled_at

    def test_ends_at_the_session_itself_where_the_wall_shows_its_time_twice(self) -> None:
        protocol = a_protocol({"anchor": "planned-session", "days": [-2, -1, 0]})
        session = at("2026-10-25T02:30+01:00")

        (item,) = items(protocol, now=session - HOUR, planned=[session], zone=BERLIN)

        assert (item.state, item.expires_at) == ("open", session)

    def test_does_not_hide_a_window_that_ends_later_in_the_day_than_the_dose(self) -> None:
        protocol = a_protocol(
            {"days": [1, 1, 1], "at_local": ["00:00", "12:00", "23:00"], "every": 1}
        )
        dose = at("2026-06-15T01:00", BERLIN)
        now = at("2026-06-18T11:00", BERLIN)

        found = states(protocol, now=now, since=now, doses=[dose], zone=BERLIN)

        assert found["point-0/dose-1/3/momentary"] == "open"

    @pytest.mark.parametrize(
        ("first", "expected"),
        [
            pytest.param("2026-03-28T12:00", 23, id="23 hours"),
            pytest.param("2026-10-24T12:00", 25, id="25 hours"),
        ],
    )
    def test_gives_a_day_the_hours_it_has(self, first: str, expected: int) -> None:
        dose = at(first, BERLIN)

        found = windows(now=dose, doses=[dose], zone=BERLIN, instrument="daily")

        opens, _, expires = found["daily/dose-1/1/daily"]
        assert expires - opens == expected * HOUR

    def test_has_no_daily_check_on_a_day_that_was_skipped(self) -> None:
        dose = at("2011-12-28T12:00", APIA)

        found = items(
            now=dose + 8 * DAY, doses=[dose], zone=APIA, instrument="daily", enrolled_at=dose - DAY
        )

        assert [item.key.split("/")[2] for item in found] == ["1", "3", "4", "5", "6", "7"]

    def test_clips_a_clock_time_of_the_day_itself_to_the_dose(self) -> None:
        protocol = a_protocol({"days": [0, 0, 1], "at_local": ["08:00", "18:00", "08:00"]})
        dose = at("2026-06-15T20:00", BERLIN)

        found = windows(protocol, now=dose, doses=[dose], zone=BERLIN)

        assert found["point-0/dose-1/momentary"] == (dose, dose, at("2026-06-16T08:00", BERLIN))

    def test_counts_back_from_a_planned_session(self) -> None:
        protocol = a_protocol(
            {
                "anchor": "planned-session",
                "days": [-1, -1, 0],
                "at_local": ["18:00", "20:00", "09:00"],
            }
        )
        session = at("2026-03-29T08:00", BERLIN)

        found = windows(protocol, now=session - DAY, planned=[session], zone=BERLIN)

        assert list(found.values()) == [
            (at("2026-03-28T18:00", BERLIN), at("2026-03-28T20:00", BERLIN), session)
        ]


class TestTiming:
    def when(
        self,
        instrument: str,
        moment: int,
        protocol: Protocol = SHIPPED,
        doses: Sequence[int] = (DOSE,),
        answered: Sequence[Answered] = (),
    ) -> Timing | None:
        return timing(
            protocol,
            enrolled_at=ENROLLED,
            doses=doses,
            planned=(),
            answered=answered,
            zone=UTC_ZONE,
            instrument=instrument,
            at=moment,
        )

    def test_of_an_answer_in_time_names_its_point_and_dose(self) -> None:
        assert self.when("momentary", DOSE + 25 * HOUR) == Timing(
            "24h/dose-1/momentary", "24h", "The day after the dose", 1, is_late=False
        )

    def test_of_a_late_answer_says_so(self) -> None:
        assert self.when("momentary", DOSE + 36 * HOUR) == Timing(
            "24h/dose-1/momentary", "24h", "The day after the dose", 1, is_late=True
        )

    def test_of_a_second_answer_in_time_is_the_same(self) -> None:
        answered = answers("momentary", DOSE + 24 * HOUR)

        found = self.when("momentary", DOSE + 25 * HOUR, answered=answered)

        assert found == self.when("momentary", DOSE + 25 * HOUR)

    @pytest.mark.parametrize("earlier", [24, 36], ids=["in time", "late"])
    def test_of_an_answer_after_one_that_counted_is_none(self, earlier: int) -> None:
        answered = answers("momentary", DOSE + earlier * HOUR)

        assert self.when("momentary", DOSE + 37 * HOUR, answered=answered) is None

    def test_does_not_change_when_the_answer_itself_is_known(self) -> None:
        moment = DOSE + 37 * HOUR

        known = self.when("momentary", moment, answered=answers("momentary", moment))

        assert known is not None
        assert known == self.when("momentary", moment)

    def test_of_an_answer_before_anything_was_asked_is_none(self) -> None:
        assert self.when("momentary", DOSE + HOUR) is None

    def test_of_an_instrument_that_is_nowhere_asked_is_none(self) -> None:
        assert self.when("audit-c", DOSE + 25 * HOUR) is None

    def test_among_several_points_is_of_the_one_due_nearest(self) -> None:
        protocol = a_protocol({"hours": [2, 4, 20]}, {"hours": [4, 12, 20]}, {"hours": [4, 12, 24]})

        nearest = [
            found.point
            for hours in (5, 8, 9)
            if (found := self.when("momentary", DOSE + hours * HOUR, protocol))
        ]

        assert nearest == ["point-0", "point-0", "point-1"]


# Whole hours, so that answers, doses and windows often meet exactly.
moments = st.integers(0, 24 * 80).map(lambda hours: ENROLLED + hours * HOUR)
courses = st.fixed_dictionaries(
    {
        "doses": st.lists(moments, max_size=9).map(sorted),
        "planned": st.lists(moments, max_size=4).map(sorted),
        "now": moments,
        "zone": st.sampled_from([UTC_ZONE, BERLIN, NEW_YORK, LORD_HOWE]),
        "since": moments,
    }
)
given_answers = st.lists(st.tuples(st.sampled_from(sorted(RECALL_DAYS)), moments), max_size=25).map(
    lambda pairs: [
        Answered(instrument, moment, UUID(int=number))
        for number, (instrument, moment) in enumerate(sorted(pairs, key=lambda pair: pair[1]))
    ]
)


@st.composite
def protocols(draw: st.DrawFn) -> Protocol:
    """Any protocol of up to four points that can be read, or the shipped one."""
    if draw(st.booleans()):
        return SHIPPED
    points = []
    for _ in range(draw(st.integers(1, 4))):
        anchor = draw(st.sampled_from(["enrolment", "dose", "first-dose", "planned-session"]))
        offsets = sorted(draw(st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True)))
        opens, expires = offsets
        window = [opens, draw(st.integers(opens, expires)), expires]
        point: dict[str, Any] = {
            "anchor": anchor,
            "days": [-number for number in reversed(window)]
            if anchor == "planned-session"
            else window,
            "instruments": ["momentary"] if expires <= 3 else ["phq-9", "momentary"],
        }
        if anchor != "planned-session" and draw(st.booleans()):
            point["every"] = draw(st.integers(expires - opens, 20))
            point["times"] = draw(st.integers(1, 5))
        if anchor == "dose":
            point["every_doses"] = draw(st.integers(1, 3))
        points.append(point)
    return a_protocol(*points, late_days=draw(st.integers(0, 20)))


class TestTheLaws:
    @given(protocols(), courses, given_answers)
    @law
    def test_what_opens_is_due_and_expires_in_this_order_under_one_key(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        found = items(protocol, answered=answered, **course)

        assert all(item.opens_at <= item.due_at <= item.expires_at for item in found)
        assert all(item.opens_at < item.expires_at for item in found)
        assert len({item.key for item in found}) == len(found)

    @given(protocols(), courses, given_answers)
    @law
    def test_a_state_says_where_now_and_the_answer_lie(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        now = course["now"]
        holds = {
            "next": lambda item: now < item.opens_at,
            "open": lambda item: item.opens_at <= now < item.expires_at,
            "missed": lambda item: item.expires_at <= now,
            "answered": lambda item: item.opens_at <= item.answered_at < item.expires_at,
            "late": lambda item: item.expires_at <= item.answered_at <= now,
        }

        for item in items(protocol, answered=answered, **course):
            assert holds[item.state](item)
            assert (item.answered_by is not None) is (item.state in {"answered", "late"})

    @given(protocols(), courses)
    @law
    def test_a_point_has_one_open_and_one_next_occurrence_at_most(
        self, protocol: Protocol, course: dict[str, Any]
    ) -> None:
        found = [
            (item.state, item.point, item.instrument)
            for item in items(protocol, **course)
            if item.state in {"open", "next"}
        ]

        assert len(set(found)) == len(found)

    @given(protocols(), courses, given_answers)
    @law
    def test_no_long_recall_is_asked_within_72_hours_after_a_dose(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        for item in items(protocol, answered=answered, **course):
            if RECALL_DAYS[item.instrument] >= 7:
                for dose in course["doses"]:
                    quiet_until = dose + NO_LONG_RECALL_HOURS * HOUR
                    assert item.expires_at <= dose or quiet_until <= item.opens_at

    @given(protocols(), courses, given_answers)
    @law
    def test_an_answer_belongs_to_the_same_in_both(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        found = items(protocol, answered=answered, **course)
        where = {key: course[key] for key in ("doses", "planned", "zone")}

        for answer in answered:
            placed = timing(
                protocol,
                enrolled_at=ENROLLED,
                answered=answered,
                instrument=answer.instrument,
                at=answer.effective_at,
                **where,
            )
            of_it = {item.key: item.state for item in found if item.answered_by == answer.id}
            assert len(set(of_it.values())) <= 1
            if "answered" in of_it.values():
                assert placed is not None
                assert not placed.is_late
            if "late" in of_it.values():
                assert placed is not None
                assert placed.is_late
                assert placed.key in of_it
            for item in found:
                if (
                    placed is not None
                    and item.key == placed.key
                    and answer.effective_at <= course["now"]
                ):
                    assert item.state == ("late" if placed.is_late else "answered")

    @given(protocols(), courses, given_answers, st.integers(0, 24))
    @law
    def test_one_answer_more_opens_nothing(
        self,
        protocol: Protocol,
        course: dict[str, Any],
        answered: list[Answered],
        left_out: int,
    ) -> None:
        fewer = [answer for place, answer in enumerate(answered) if place != left_out]

        def opened(given: list[Answered]) -> set[str]:
            found = items(protocol, answered=given, **course)
            return {item.key for item in found if item.state == "open"}

        assert opened(answered) <= opened(fewer)

    @given(protocols(), courses, given_answers, st.integers(-5000, 5000))
    @law
    def test_in_utc_everything_moves_together(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered], days: int
    ) -> None:
        by = days * DAY
        course = {**course, "zone": UTC_ZONE}
        moved = {
            **course,
            "doses": [dose + by for dose in course["doses"]],
            "planned": [session + by for session in course["planned"]],
            "now": course["now"] + by,
            "since": course["since"] + by,
            "enrolled_at": ENROLLED + by,
        }
        later = [answer._replace(effective_at=answer.effective_at + by) for answer in answered]

        here = items(protocol, answered=answered, **course)
        there = items(protocol, answered=later, **moved)

        assert [
            (item.point, item.state, item.opens_at + by, item.due_at + by, item.expires_at + by)
            for item in here
        ] == [
            (item.point, item.state, item.opens_at, item.due_at, item.expires_at) for item in there
        ]
        assert [item.answered_by for item in here] == [item.answered_by for item in there]

    @given(protocols(), courses, given_answers)
    @law
    def test_a_longer_history_changes_nothing_in_a_shorter_one(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        short = items(protocol, answered=answered, **course)
        long = items(protocol, answered=answered, **{**course, "since": ENROLLED - DAY})

        assert [item for item in long if item in short] == short


def test_a_patient_of_ten_years_gets_a_bounded_list() -> None:
    doses = [DOSE + place * 12 * DAY for place in range(300)]
    now = doses[-1] + 6 * DAY
    instruments = sorted(RECALL_DAYS)
    answered = [
        Answered(instruments[place % len(instruments)], DOSE + place * 17 * HOUR, UUID(int=place))
        for place in range(5000)
    ]

    found = items(now=now, doses=doses, answered=answered)

    assert len(found) < 60
    assert {item.dose_number for item in found} == {1, 299, 300}
