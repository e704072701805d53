"""Days are the patient's own days, whatever the clock does; and where an answer stands."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.clinical.protocol import Answered, Protocol, Timing, timing
from app.clinical.protocol.schedule import instant
from tests.clinical.courses import (
    BERLIN,
    DAY,
    DOSE,
    ENROLLED,
    HOUR,
    LORD_HOWE,
    NEW_YORK,
    SHIPPED,
    UTC_ZONE,
    a_protocol,
    answers,
    at,
    items,
    states,
    windows,
)

APIA = ZoneInfo("Pacific/Apia")


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
