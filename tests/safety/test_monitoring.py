"""The honest sentence, at every hour: on duty, off duty, on holidays, when clocks are changed."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.coverage import DAYS, UNDECLARED, CoverageRefused, Duty, check, duty
from app.safety.monitoring import Told, statement

OFFICE = json.dumps(WEEKDAYS_NINE_TO_FIVE)
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def hours(*, holidays: tuple[str, ...] = (), **by_day: list[list[str]]) -> str:
    return json.dumps({"hours": by_day, "holidays": list(holidays)})


def on(days: tuple[str, ...], *shifts: tuple[str, str], holidays: tuple[str, ...] = ()) -> str:
    """Coverage with the same shifts on several days."""
    return hours(holidays=holidays, **{day: [list(shift) for shift in shifts] for day in days})


def every_day(begins: str, ends: str) -> str:
    return on(DAYS, (begins, ends))


ALWAYS = every_day("00:00", "24:00")


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(found: Duty) -> str:
    """When it changes, as the wall clock of the clinic shows it."""
    assert found.changes_at is not None
    return f"{found.changes_at:%a %d %b %H:%M %Z}"


def say(coverage: str, zone: str, now: datetime, **changes: Any) -> str:
    facts: dict[str, Any] = {
        "clinic_name": "Lantern Clinic",
        "told": Told.CARE_TEAM,
        "is_worker_silent": False,
        "locale": "en",
        "own": "{}",
    }
    return statement(coverage=coverage, time_zone=zone, now=now, **(facts | changes))


class TestDuty:
    @pytest.mark.parametrize(
        ("now", "is_on", "changes"),
        [
            ("2026-03-04T07:59", False, "Wed 04 Mar 09:00 CET"),
            ("2026-03-04T08:00", True, "Wed 04 Mar 17:00 CET"),
            ("2026-03-04T15:59", True, "Wed 04 Mar 17:00 CET"),
            ("2026-03-04T16:00", False, "Thu 05 Mar 09:00 CET"),
            ("2026-03-06T16:00", False, "Mon 09 Mar 09:00 CET"),
            ("2026-03-08T12:00", False, "Mon 09 Mar 09:00 CET"),
        ],
    )
    def test_on_the_minute_it_begins_and_ends(self, now: str, is_on: bool, changes: str) -> None:
        found = duty(OFFICE, BERLIN, at(now))

        assert (found.is_on, local(found)) == (is_on, changes)

    @pytest.mark.parametrize(
        ("now", "is_on", "changes"),
        [
            # Clocks go forward in the night to Sunday 29 March and back to Sunday 25 October.
            ("2026-03-27T08:00", True, "Fri 27 Mar 17:00 CET"),
            ("2026-03-27T16:30", False, "Mon 30 Mar 09:00 CEST"),
            ("2026-03-30T07:00", True, "Mon 30 Mar 17:00 CEST"),
            ("2026-03-30T06:59", False, "Mon 30 Mar 09:00 CEST"),
            ("2026-10-23T07:00", True, "Fri 23 Oct 17:00 CEST"),
            ("2026-10-23T15:00", False, "Mon 26 Oct 09:00 CET"),
            ("2026-10-26T07:59", False, "Mon 26 Oct 09:00 CET"),
            ("2026-10-26T08:00", True, "Mon 26 Oct 17:00 CET"),
        ],
    )
    def test_it_goes_by_the_clock_on_the_clinic_s_wall(
        self, now: str, is_on: bool, changes: str
    ) -> None:
        found = duty(OFFICE, BERLIN, at(now))

        assert (found.is_on, local(found)) == (is_on, changes)

    @pytest.mark.parametrize(
        ("now", "is_on"),
        [
            ("2026-03-28T20:59", False),
            ("2026-03-28T21:00", True),
            ("2026-03-29T00:59", True),
            ("2026-03-29T01:00", True),
            ("2026-03-29T03:59", True),
            ("2026-03-29T04:00", False),
            ("2026-10-24T20:00", True),
            ("2026-10-25T00:30", True),
            ("2026-10-25T01:30", True),
            ("2026-10-25T04:59", True),
            ("2026-10-25T05:00", False),
        ],
    )
    def test_a_night_shift_is_an_hour_shorter_or_longer_when_clocks_are_changed(
        self, now: str, is_on: bool
    ) -> None:
        assert duty(every_day("22:00", "06:00"), BERLIN, at(now)).is_on == is_on

    def test_an_hour_that_the_clocks_skip_is_named_as_the_wall_shows_it(self) -> None:
        found = duty(every_day("02:30", "12:00"), NEW_YORK, at("2026-03-08T06:00"))

        # 02:30 does not exist on this day; the wall goes from 02:00 to 03:00.
        assert (found.is_on, local(found)) == (False, "Sun 08 Mar 03:30 EDT")

    def test_a_night_shift_that_began_yesterday_still_counts(self) -> None:
        found = duty(hours(sun=[["22:00", "06:00"]]), BERLIN, at("2026-03-09T04:00"))

        assert (found.is_on, local(found)) == (True, "Mon 09 Mar 06:00 CET")

    def test_a_day_off_duty_between_two_shifts(self) -> None:
        split = hours(wed=[["09:00", "12:00"], ["14:00", "18:00"]])

        assert local(duty(split, "UTC", at("2026-03-04T12:30"))) == "Wed 04 Mar 14:00 UTC"
        assert local(duty(split, "UTC", at("2026-03-04T14:30"))) == "Wed 04 Mar 18:00 UTC"

    @pytest.mark.parametrize(
        "shifts",
        [
            [["09:00", "12:00"], ["12:00", "17:00"]],
            [["09:00", "13:00"], ["12:00", "17:00"]],
            [["09:00", "17:00"], ["10:00", "11:00"]],
            [["12:00", "17:00"], ["09:00", "13:00"], ["09:00", "10:00"]],
        ],
    )
    def test_shifts_that_touch_or_overlap_are_one_stretch(self, shifts: list[list[str]]) -> None:
        coverage = hours(wed=shifts)

        for now in ("2026-03-04T09:00", "2026-03-04T11:59", "2026-03-04T12:00"):
            found = duty(coverage, "UTC", at(now))
            assert (found.is_on, local(found)) == (True, "Wed 04 Mar 17:00 UTC")

    def test_a_day_until_midnight_goes_on_in_a_day_from_midnight(self) -> None:
        coverage = hours(wed=[["09:00", "24:00"]], thu=[["00:00", "05:00"]])

        found = duty(coverage, BERLIN, at("2026-03-04T12:00"))

        assert (found.is_on, local(found)) == (True, "Thu 05 Mar 05:00 CET")

    def test_a_day_until_midnight_ends_there(self) -> None:
        coverage = hours(wed=[["09:00", "24:00"]])

        assert local(duty(coverage, BERLIN, at("2026-03-04T12:00"))) == "Thu 05 Mar 00:00 CET"
        assert not duty(coverage, BERLIN, at("2026-03-04T23:00")).is_on

    @pytest.mark.parametrize(
        "coverage", [ALWAYS, every_day("12:00", "24:00"), every_day("20:00", "20:01")]
    )
    def test_only_who_is_always_on_duty_has_no_end_of_it(self, coverage: str) -> None:
        found = duty(coverage, BERLIN, at("2026-03-04T19:00"))

        assert found.is_on == (found != Duty(False, found.changes_at))
        assert (found == Duty(True, None)) == (coverage == ALWAYS)

    def test_a_holiday_interrupts_who_is_always_on_duty(self) -> None:
        coverage = on(DAYS, ("00:00", "24:00"), holidays=("2026-12-25",))

        before = duty(coverage, BERLIN, at("2026-12-24T12:00"))
        on_it = duty(coverage, BERLIN, at("2026-12-25T12:00"))

        assert (before.is_on, local(before)) == (True, "Fri 25 Dec 00:00 CET")
        assert (on_it.is_on, local(on_it)) == (False, "Sat 26 Dec 00:00 CET")

    def test_a_shift_that_the_clocks_skip_is_none(self) -> None:
        # On 8 March the wall goes from 02:00 to 03:00: this shift has no time that day.
        skipped = every_day("02:30", "03:00")

        found = duty(skipped, NEW_YORK, at("2026-03-08T06:00"))

        assert (found.is_on, local(found)) == (False, "Mon 09 Mar 02:30 EDT")

    def test_the_order_in_which_hours_were_entered_does_not_matter(self) -> None:
        turned = hours(wed=[["14:00", "18:00"], ["09:00", "12:00"]])

        assert local(duty(turned, "UTC", at("2026-03-04T08:00"))) == "Wed 04 Mar 09:00 UTC"

    def test_a_holiday_is_off_duty_from_midnight_to_midnight_of_the_clinic(self) -> None:
        coverage = on(DAYS, ("00:00", "12:00"), ("12:00", "00:00"), holidays=("2026-12-25",))

        assert duty(coverage, NEW_YORK, at("2026-12-25T04:59")).is_on
        assert not duty(coverage, NEW_YORK, at("2026-12-25T05:00")).is_on
        assert not duty(coverage, NEW_YORK, at("2026-12-26T04:59")).is_on
        assert duty(coverage, NEW_YORK, at("2026-12-26T05:00")).is_on

    def test_days_that_follow_each_other_off_duty_are_passed_over(self) -> None:
        closed = tuple(f"2026-12-{day}" for day in range(21, 32))
        coverage = on(DAYS[:5], ("09:00", "17:00"), holidays=closed)

        found = duty(coverage, BERLIN, at("2026-12-20T12:00"))

        assert (found.is_on, local(found)) == (False, "Fri 01 Jan 09:00 CET")

    @pytest.mark.parametrize("coverage", ["{}", hours(), '{"hours": {}}', hours(mon=[])])
    def test_a_clinic_without_hours_is_never_on_duty_and_says_no_more(self, coverage: str) -> None:
        assert duty(coverage, BERLIN, at("2026-03-04T12:00")) == UNDECLARED == (False, None, False)

    @pytest.mark.parametrize(
        ("coverage", "zone"),
        [
            ("", BERLIN),
            ("null", BERLIN),
            ("[]", BERLIN),
            ("{", BERLIN),
            ('{"hours": {"mon": "09:00-17:00"}}', BERLIN),
            ('{"hours": {"mon": [["9", "17"]]}}', BERLIN),
            ('{"hours": {"mon": [["09:00", "17:00"]]}, "holidays": ["Christmas"]}', BERLIN),
            (OFFICE, "Mars/Olympus"),
            (OFFICE, "../../etc/passwd"),
            (OFFICE, "Europe"),
            (OFFICE, ""),
        ],
    )
    def test_what_cannot_be_read_was_not_declared_and_is_logged(
        self, coverage: str, zone: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        duty.cache_clear()

        assert duty(coverage, zone, at("2026-03-04T12:00")) == UNDECLARED

        said = "".join(capfd.readouterr())
        assert "coverage.unreadable" in said

    @given(
        minutes=st.integers(0, 60 * 24 * 366),
        zone=st.sampled_from([BERLIN, NEW_YORK, "Pacific/Apia", "Asia/Kathmandu", "UTC"]),
        shift=st.sampled_from(
            [
                ("09:00", "17:00"),
                ("22:00", "06:00"),
                ("00:00", "24:00"),
                ("12:00", "00:00"),
                ("02:30", "03:00"),
            ]
        ),
    )
    def test_what_it_says_of_when_it_changes_comes_true(
        self, minutes: int, zone: str, shift: tuple[str, str]
    ) -> None:
        coverage = on(("mon", "wed", "sat"), shift)
        now = at("2026-01-01T00:00") + timedelta(minutes=minutes)

        found = duty(coverage, zone, now)

        assert found.changes_at is not None
        change = found.changes_at.astimezone(UTC)
        assert now < change < now + timedelta(days=5)
        assert duty(coverage, zone, change - timedelta(minutes=1)).is_on == found.is_on
        assert duty(coverage, zone, change).is_on != found.is_on


class TestCheck:
    @pytest.mark.parametrize(
        "coverage",
        [
            {},
            {"hours": {}},
            {"holidays": ["2026-12-25", "2028-02-29"]},
            {"hours": {"mon": [], "sun": [["22:00", "06:00"], ["00:00", "24:00"]]}},
            WEEKDAYS_NINE_TO_FIVE,
        ],
    )
    def test_hours_and_holidays_are_coverage(self, coverage: dict[str, Any]) -> None:
        check(coverage)

    @pytest.mark.parametrize(
        ("coverage", "reason"),
        [
            (None, "an object of hours and holidays"),
            ([], "an object of hours and holidays"),
            ({"hour": {}}, "an object of hours and holidays"),
            ({"hours": []}, "hours are by day"),
            ({"hours": None}, "hours are by day"),
            ({"hours": {"monday": []}}, "hours are by day"),
            ({"hours": {"Mon": []}}, "hours are by day"),
            *(
                ({"hours": {"tue": shifts}}, "the hours of tue are a list")
                for shifts in (
                    None,
                    "09:00-17:00",
                    ["09:00", "17:00"],
                    [["09:00"]],
                    [["09:00", "12:00", "17:00"]],
                    [[9, 17]],
                    [["9:00", "17:00"]],
                    [["09", "17"]],
                    [["09:00:00", "17:00:00"]],
                    [["09:00", "17:60"]],
                    [["09:00", "25:00"]],
                    [["24:00", "06:00"]],
                    [["09:00", "24:01"]],
                    [["09:00", "09:00"]],
                    [["00:00", "00:00"]],
                    [["09:00+01:00", "17:00+01:00"]],
                    [{"from": "09:00", "to": "17:00"}],
                )
            ),
            *(
                ({"holidays": holidays}, "holidays are dates")
                for holidays in (
                    None,
                    "2026-12-25",
                    ["25.12.2026"],
                    ["2026-13-01"],
                    ["20261225"],
                    ["2026-02-29"],
                    [20261225],
                )
            ),
        ],
    )
    def test_what_cannot_be_read_is_refused_with_a_reason(self, coverage: Any, reason: str) -> None:
        with pytest.raises(CoverageRefused, match=reason):
            check(coverage)


class TestStatement:
    def test_on_duty_it_says_until_when_on_which_clock(self) -> None:
        assert say(OFFICE, NEW_YORK, at("2026-07-08T15:30:59.9")) == (
            "This has been put in front of your care team at Lantern Clinic."
            " The clinic is on duty until 17:00 (EDT). The journal is not an emergency service."
        )

    def test_the_end_of_duty_on_another_day_is_named_with_its_day(self) -> None:
        nights = every_day("22:00", "06:00")

        before_midnight = say(nights, BERLIN, at("2026-03-06T22:30"))
        after_midnight = say(nights, BERLIN, at("2026-03-06T23:30"))

        assert " The clinic is on duty until Saturday 7 March, 06:00 (CET). " in before_midnight
        assert " The clinic is on duty until 06:00 (CET). " in after_midnight

    def test_the_day_is_the_clinic_s_and_not_the_server_s(self) -> None:
        evenings = every_day("17:00", "23:00")

        # Ten in the evening of the 8th there is the 9th in UTC.
        assert " until 23:00 (EDT). " in say(evenings, NEW_YORK, at("2026-07-09T02:00"))

    @pytest.mark.parametrize(
        ("now", "until"),
        [
            ("2026-03-28T23:00", "06:00 (CEST)"),
            ("2026-10-24T22:30", "06:00 (CET)"),
        ],
    )
    def test_in_the_night_the_clocks_are_changed_it_names_the_time_there_will_be(
        self, now: str, until: str
    ) -> None:
        assert f" on duty until {until}. " in say(every_day("22:00", "06:00"), BERLIN, at(now))

    def test_who_is_always_on_duty_is_said_to_be_on_duty(self) -> None:
        assert " The clinic is on duty. The journal " in say(ALWAYS, BERLIN, at("2026-03-06T20:00"))

    def test_off_duty_it_says_until_which_day(self) -> None:
        assert say(OFFICE, BERLIN, at("2026-03-06T20:00")) == (
            "This has been put in front of your care team at Lantern Clinic."
            " The clinic is off duty until Monday 9 March, 09:00 (CET) and may not see it before"
            " then. The journal is not an emergency service."
        )

    def test_what_alerted_nobody_says_so(self) -> None:
        now = at("2026-03-06T12:00")
        said = say(OFFICE, BERLIN, now, told=Told.NOBODY_NEEDED, is_worker_silent=True)

        assert said.startswith(
            "This is now in your journal at Lantern Clinic; your care team was not alerted."
            " The clinic is on duty"
        )

    def test_where_only_administrators_are_told_it_says_so(self) -> None:
        said = say(OFFICE, BERLIN, at("2026-03-06T12:00"), told=Told.ADMINISTRATORS)

        assert said.startswith(
            "This has been put in front of the administrators of Lantern Clinic, because no"
            " clinician there can see your journal now. The clinic is on duty"
        )

    def test_where_nobody_can_be_told_it_says_so_and_whom_to_call(self) -> None:
        now = at("2026-03-06T12:00")
        said = say(OFFICE, BERLIN, now, told=Told.NOBODY, is_worker_silent=True)

        # What reaches nobody is not said to be late.
        assert said.startswith(
            "Nobody at Lantern Clinic can see this yet. Please call them. The clinic is on duty"
        )

    @pytest.mark.parametrize("told", [Told.CARE_TEAM, Told.ADMINISTRATORS])
    def test_when_telling_may_take_longer_it_says_so(self, told: Told) -> None:
        said = say(OFFICE, BERLIN, at("2026-03-06T12:00"), told=told, is_worker_silent=True)

        assert " Telling them may be delayed right now. " in said

    def test_a_clinic_that_said_nothing_is_said_to_have_said_nothing(self) -> None:
        for coverage in ("{}", "unreadable"):
            said = say(coverage, BERLIN, at("2026-03-06T12:00"))

            assert " The clinic has not said when it is on duty. " in said

    def test_a_clinic_that_is_closed_for_weeks_is_not_said_to_have_said_nothing(self) -> None:
        weeks = tuple(
            f"{datetime(2026, 7, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%d}"
            for day in range(40)
        )
        coverage = on(DAYS, ("09:00", "17:00"), holidays=weeks)

        said = say(coverage, BERLIN, at("2026-07-02T12:00"))

        assert "has not said" not in said
        assert " The clinic is off duty for the next two weeks and may not see it before" in said

    def test_it_never_says_that_anyone_is_watching_or_that_all_is_well(self) -> None:
        said = " ".join(
            say(coverage, BERLIN, now, told=told, is_worker_silent=is_silent)
            for coverage, now, told, is_silent in itertools.product(
                [OFFICE, ALWAYS, "{}"],
                [at("2026-03-06T12:00"), at("2026-03-06T22:00")],
                Told,
                [True, False],
            )
        ).lower()

        for word in ("watch", "monitor", "no risk", "safe", "immediately", "24/7"):
            assert word not in said
        assert said.count("not an emergency service") == 3 * 2 * len(Told) * 2

    def test_in_a_language_that_the_clinic_supplies_every_part_is_said_in_it(self) -> None:
        german = {
            "monitoring.care-team": "Ihr Team bei {clinic} hat dies vor sich.",
            "monitoring.may-be-delayed": "Das kann gerade dauern.",
            "monitoring.off-duty-until": "Bis {when} ist niemand da.",
            "monitoring.no-emergency-service": "Das Tagebuch ist kein Notdienst.",
            "date.day-and-hour": "{weekday}, {day}. {month}, {hour} Uhr ({zone})",
            "date.monday": "Montag",
            "date.march": "März",
        }
        in_german = {"locale": "de-CH", "own": json.dumps({"de": german})}

        said = say(OFFICE, BERLIN, at("2026-03-06T20:00"), is_worker_silent=True, **in_german)

        assert said == (
            "Ihr Team bei Lantern Clinic hat dies vor sich. Das kann gerade dauern."
            " Bis Montag, 9. März, 09:00 Uhr (CET) ist niemand da."
            " Das Tagebuch ist kein Notdienst."
        )

    def test_what_the_clinic_did_not_translate_is_said_in_english(self) -> None:
        own = json.dumps({"de": {"date.monday": "Montag"}})

        said = say(OFFICE, BERLIN, at("2026-03-06T20:00"), locale="de", own=own)

        assert " off duty until Montag 9 March, 09:00 (CET) " in said

    def test_a_clinic_cannot_have_it_say_otherwise_in_english(self) -> None:
        own = json.dumps(
            {
                locale: {
                    "monitoring.care-team": "{clinic} is watching.",
                    "monitoring.no-emergency-service": "We come at once.",
                    "date.monday": "Friday",
                }
                for locale in ("en", "en-GB", "EN")
            }
        )
        now = at("2026-03-06T20:00")

        for locale in ("en", "en-GB", "EN", "fr"):
            assert say(OFFICE, BERLIN, now, locale=locale, own=own) == say(OFFICE, BERLIN, now)

    def test_readers_of_one_minute_each_read_their_own_language(self) -> None:
        now = at("2026-03-06T12:00")
        own = [
            json.dumps({"de": {"monitoring.no-emergency-service": text}})
            for text in ("Eins", "Zwei")
        ]

        said = [
            say(OFFICE, BERLIN, now, locale=locale, own=texts).rpartition("). ")[2]
            for locale, texts in (("de", own[0]), ("en", own[0]), ("de", own[1]))
        ]

        assert said == ["Eins", "The journal is not an emergency service.", "Zwei"]

    def test_every_answer_of_a_minute_is_the_same(self) -> None:
        said = {
            say(OFFICE, BERLIN, at("2026-03-06T12:00") + timedelta(milliseconds=ms))
            for ms in range(0, 60_000, 1500)
        }

        assert len(said) == 1
