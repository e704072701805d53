"""The worker looks for what is due: everything is prompted once, when its patient wants it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from app.reminders.service import LOOK_EVERY
from tests.builders import a_patient
from tests.conftest import Clock
from tests.reminders.ward import DEVICES, REMINDERS, Ward, a_ward

NEW_YORK = "America/New_York"
DAWN = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def bodies(messages: list[Any]) -> list[object]:
    return [message.said["body"] for message in messages]


ONE = "There is something to fill in when you have a moment."


def several(count: int) -> str:
    return f"There are {count} things to fill in when you have a moment."


class TestPrompting:
    def test_what_opens_is_prompted_once_on_each_device(self, ward: Ward) -> None:
        phone, laptop = ward.device(), ward.device()
        ward.dose(hours_ago=1)

        nothing = ward.later(minutes=30)
        sent = ward.later(minutes=31)
        again = [*ward.later(minutes=1), *ward.later(hours=1), *ward.later(hours=1)]

        assert nothing == again == []
        assert {message.to for message in sent} == {phone, laptop}
        assert bodies(sent) == [ONE, ONE]
        assert ward.due() == ["4h/dose-1/momentary"]

    def test_several_things_are_one_message_that_counts_them(self, ward: Ward) -> None:
        phone = ward.device()
        ward.dose(hours_ago=1)
        ward.later(hours=2)

        ward.clock.at = DAWN
        sent = ward.later()

        assert ward.due() == ["24h/dose-1/momentary", "daily/dose-1/1/daily"]
        assert [(message.to, message.said["body"]) for message in sent] == [(phone, several(2))]

    def test_one_questionnaire_that_two_points_ask_for_is_counted_once(self, ward: Ward) -> None:
        ward.device()
        point = {
            "anchor": "dose",
            "instruments": ["momentary"],
            "source": "A test",
            "convention": True,
        }
        protocol = {
            "title": "Twice",
            "source": "A test",
            "convention": True,
            "late_days": 1,
            "points": [
                {**point, "key": "one", "label": "One", "hours": [2, 3, 9]},
                {**point, "key": "two", "label": "Two", "hours": [2, 4, 9]},
            ],
        }
        administrator = ward.clinic.administrator.again(ward.clock())
        assert administrator.put("/v1/clinic/protocol", protocol, base=1).status_code == 200
        ward.dose(hours_ago=2)

        assert bodies(ward.later()) == [ONE]
        assert len(ward.due()) == 2

    def test_a_dose_that_moves_everything_is_noticed_within_the_hour(self, ward: Ward) -> None:
        ward.device()
        assert ward.later() == []

        ward.dose(hours_ago=3)

        assert ward.later(minutes=59) == []
        assert bodies(ward.later(minutes=1)) == [ONE]

    def test_what_opens_later_is_prompted_when_it_opens(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=1)
        ward.later()

        assert ward.later(minutes=59) == []
        assert bodies(ward.later(minutes=1)) == [ONE]

    def test_what_is_over_is_never_prompted(self, ward: Ward) -> None:
        phone = ward.device()
        ward.dose(hours_ago=1)

        ward.clock.turn(days=1, hours=21)  # the worker was away, and it is nine in the morning
        sent = ward.later()

        assert ward.due() == ["daily/dose-1/2/daily"]
        assert [(message.to, message.said["body"]) for message in sent] == [(phone, ONE)]

    def test_what_was_answered_is_not_prompted(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        ward.answer()

        assert ward.later() == []

    def test_nobody_else_is_reminded(self, ward: Ward) -> None:
        mine = ward.device()
        other = ward.device(ward.clinic.other_patient.again(ward.clock()))
        ward.dose(hours_ago=3)

        assert {message.to for message in ward.later()} == {mine}
        assert ward.post.sent_to(other) == []

    def test_clinics_do_not_know_of_each_other(
        self, ward: Ward, fresh_database: Settings, keyring: Keyring
    ) -> None:
        with a_ward(fresh_database, keyring, ward.clock) as elsewhere:
            here, there = ward.device(), elsewhere.device()
            elsewhere.dose(hours_ago=3)

            sent = ward.later()

            assert [message.to for message in sent] == [there]
            assert ward.post.sent_to(here) == []
            assert ward.patient.get(REMINDERS).json()["reminders"] == []
            assert len(elsewhere.patient.get(REMINDERS).json()["reminders"]) == 1


class TestLooking:
    def state(self, ward: Ward) -> list[tuple[Any, ...]]:
        return [
            *ward.behind("SELECT patient_id, look_at, xmin::text FROM reminder_plan"),
            *ward.behind("SELECT id, xmin::text FROM outbox"),
            *ward.behind("SELECT due_key, xmin::text FROM reminder"),
        ]

    @pytest.mark.parametrize("hour", [12, 23])
    def test_the_same_instant_is_looked_at_once(self, ward: Ward, hour: int) -> None:
        for patient in (ward.clinic.patient, ward.clinic.other_patient):
            ward.device(patient.again(ward.clock()))
        ward.dose(hours_ago=3)
        ward.clock.at = ward.clock.at.replace(hour=hour)
        ward.look()

        before = self.state(ward)
        ward.look()

        assert self.state(ward) == before
        looks = ward.behind("SELECT look_at FROM reminder_plan")
        assert len(looks) == 2
        now = ward.clock()
        assert all(now < look_at <= now + LOOK_EVERY for (look_at,) in looks)

    def test_who_has_no_device_is_not_looked_for(self, ward: Ward) -> None:
        device = ward.device()
        (listed,) = ward.patient.get(DEVICES).json()["devices"]
        ward.patient.delete(f"{DEVICES}/{listed['id']}", base=None)
        ward.dose(hours_ago=3)

        assert ward.later() == []
        assert ward.post.sent_to(device) == []
        assert ward.behind("SELECT look_at FROM reminder_plan") == [(None,)]

    def test_one_record_that_cannot_be_read_does_not_hold_up_the_others(self, ward: Ward) -> None:
        other = ward.clinic.other_patient.again(ward.clock())
        ward.device(other)
        phone = ward.device()
        ward.dose(hours_ago=3)
        damage = "UPDATE patient SET time_zone = 'No/Where' WHERE id = %s"
        ward.behind(damage, other.patient_id)

        sent = ward.later()

        assert [message.to for message in sent] == [phone]
        looks = ward.behind("SELECT look_at FROM reminder_plan")
        assert [at for (at,) in looks if at <= ward.clock()] == []

    def test_many_patients_are_all_reminded(self, ward: Ward) -> None:
        at = ward.clock()

        def admitted(db: Any) -> list[Any]:
            db.enter(ward.clinic.id)
            therapist = ward.clinic.therapist
            return [a_patient(ward.client, db, therapist, at=at) for _ in range(12)]

        people = ward.database.run(admitted)
        phones = [ward.device(person) for person in people]
        for person in people:
            ward.dose(person, hours_ago=3)

        assert sorted(message.to for message in ward.later()) == sorted(phones)

    def test_consent_that_ended_ends_reminders_until_it_is_given_again(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        ward.behind("UPDATE consent SET revoked_at = %s", ward.clock())

        assert [*ward.later(), *ward.later(hours=1)] == []
        assert ward.behind("SELECT count(*) FROM outbox") == [(0,)]

        ward.behind("UPDATE consent SET revoked_at = NULL")
        ward.clock.at = DAWN
        assert bodies(ward.later(hours=8)) == [several(2)]

    def test_what_was_answered_is_noted_with_its_answer(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        ward.later()
        ward.clock.turn(minutes=20)
        check_in_id = ward.answer()
        answered_at = ward.clock()
        ward.later(hours=1)

        (reminder,) = ward.patient.get(REMINDERS).json()["reminders"]

        assert reminder["due_key"] == "4h/dose-1/momentary"
        assert reminder["check_in_id"] == check_in_id
        assert datetime.fromisoformat(reminder["answered_at"]) == answered_at
        prompted_at = datetime.fromisoformat(reminder["prompted_at"])
        assert prompted_at == answered_at - timedelta(minutes=20)

    def test_what_a_phone_prompted_by_itself_is_noted_with_its_answer_too(self, ward: Ward) -> None:
        ward.dose(hours_ago=3)
        said = {"due_key": "4h/dose-1/momentary", "event": "prompted"}
        noted = ward.patient.post(REMINDERS, said | {"recorded_at": ward.clock.said()})
        assert noted.status_code == 200, noted.text
        ward.later()
        ward.clock.turn(hours=1)
        check_in_id = ward.answer()
        ward.later(minutes=30)

        (reminder,) = ward.patient.get(REMINDERS).json()["reminders"]

        assert reminder["check_in_id"] == check_in_id
        assert ward.post.messages == []
        assert ward.behind("SELECT look_at FROM reminder_plan") == [(None,)]


class TestQuietHours:
    @pytest.mark.parametrize(
        ("time_zone", "expected"),
        [
            ("UTC", "2026-03-03T08:00:00+00:00"),
            ("Europe/Berlin", "2026-03-03T08:00:00+01:00"),
            ("Asia/Kathmandu", "2026-03-03T08:00:00+05:45"),
            # There it is evening, or morning, when this opens: eleven at night in UTC.
            (NEW_YORK, "2026-03-02T18:00:00-05:00"),
            ("Pacific/Auckland", "2026-03-03T12:00:00+13:00"),
        ],
    )
    def test_nobody_is_woken_wherever_they_live(
        self,
        fresh_database: Settings,
        keyring: Keyring,
        clock: Clock,
        time_zone: str,
        expected: str,
    ) -> None:
        with a_ward(fresh_database, keyring, clock, time_zone) as ward:
            ward.device()
            ward.dose(hours_ago=1)
            ward.clock.turn(hours=10, minutes=30)  # the 4 hours are over
            ward.look()

            sent = ward.until(DAWN + timedelta(hours=1))

            assert sent[0].at == datetime.fromisoformat(expected)

    @pytest.mark.parametrize(
        ("sunday", "expected"),
        [("2026-03-08", "T08:00:00-04:00"), ("2026-11-01", "T08:00:00-05:00")],
    )
    def test_a_night_that_changes_the_clocks_ends_in_the_morning(
        self,
        fresh_database: Settings,
        keyring: Keyring,
        clock: Clock,
        sunday: str,
        expected: str,
    ) -> None:
        clock.at = datetime.fromisoformat(f"{sunday}T00:00:00+00:00")
        with a_ward(fresh_database, keyring, clock, NEW_YORK) as ward:
            ward.device()
            ward.dose(hours_ago=1)
            ward.clock.turn(hours=8)

            sent = ward.until(ward.clock() + timedelta(hours=7))

            assert [message.at for message in sent] == [
                datetime.fromisoformat(f"{sunday}{expected}")
            ]
            assert bodies(sent) == [several(2)]

    def test_an_hour_that_comes_twice_keeps_nobody_busy(
        self, fresh_database: Settings, keyring: Keyring, clock: Clock
    ) -> None:
        clock.at = datetime(2026, 11, 1, 4, 15, tzinfo=UTC)
        with a_ward(fresh_database, keyring, clock, NEW_YORK) as ward:
            ward.device()
            ward.plan(quiet_from="21:00", quiet_until="01:30")
            ward.clock.at = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)  # one o'clock again
            ward.look()

            assert ward.behind("SELECT look_at FROM reminder_plan") == [
                (datetime(2026, 11, 1, 6, 30, tzinfo=UTC),)
            ]

    def test_other_quiet_hours_hold_from_now_on(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        ward.plan(quiet_from="12:00", quiet_until="12:30")

        assert ward.later() == []
        assert bodies(ward.later(minutes=30)) == [ONE]

    def test_without_any_a_night_is_as_good_as_a_day(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=1)
        ward.plan(quiet_from="00:00", quiet_until="00:00")
        ward.clock.turn(hours=10)
        ward.later()

        assert bodies(ward.later(hours=1)) == [ONE]


class TestSnoozing:
    def put_off(self, ward: Ward, due_key: str, until: str) -> None:
        said = {
            "due_key": due_key,
            "event": "snoozed",
            "recorded_at": ward.clock.said(),
            "snoozed_until": until,
        }
        answer = ward.patient.post(REMINDERS, said)
        assert answer.status_code == 200, answer.text

    def test_what_was_put_off_is_prompted_again_then_and_the_rest_is_not(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=1)
        ward.clock.at = DAWN
        assert bodies(ward.later()) == [several(2)]

        self.put_off(ward, "daily/dose-1/1/daily", ward.clock.said(minutes=90))

        assert [*ward.later(), *ward.later(minutes=89)] == []
        assert bodies(ward.later(minutes=1)) == [ONE]
        assert [*ward.later(minutes=1), *ward.later(hours=3)] == []
        told = {
            reminder["due_key"]: reminder["snoozes"]
            for reminder in ward.patient.get(REMINDERS).json()["reminders"]
        }
        assert told == {"24h/dose-1/momentary": 0, "daily/dose-1/1/daily": 1}

    def test_what_was_put_off_before_it_was_prompted_waits_too(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        self.put_off(ward, "4h/dose-1/momentary", ward.clock.said(hours=1))

        assert ward.later(minutes=59) == []
        assert bodies(ward.later(minutes=1)) == [ONE]

    def test_who_puts_it_off_beyond_its_end_is_not_reminded_of_it(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        self.put_off(ward, "4h/dose-1/momentary", ward.clock.said(hours=6))

        assert ward.until(ward.clock() + timedelta(hours=8)) == []

    def test_a_phone_that_prompts_at_the_end_of_a_snooze_is_not_repeated(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        self.put_off(ward, "4h/dose-1/momentary", ward.clock.said(hours=1))
        ward.clock.turn(hours=1)
        said = {"due_key": "4h/dose-1/momentary", "event": "prompted"}
        noted = ward.patient.post(REMINDERS, said | {"recorded_at": ward.clock.said()})

        assert datetime.fromisoformat(noted.json()["prompted_at"]) == ward.clock()
        assert noted.json()["snoozed_until"] is None
        assert [*ward.later(), *ward.later(hours=1)] == []

    def test_everything_can_be_put_off(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=3)
        ward.plan(snoozed_until=ward.clock.said(hours=2))

        assert [*ward.later(), *ward.later(minutes=119)] == []
        assert bodies(ward.later(minutes=1)) == [ONE]

    def test_who_stops_reminders_gets_none_until_they_start_them_again(self, ward: Ward) -> None:
        phone = ward.device()
        ward.dose(hours_ago=3)
        ward.plan(is_stopped=True)

        assert [*ward.later(), *ward.later(hours=1)] == []
        assert ward.behind("SELECT look_at FROM reminder_plan") == [(None,)]

        ward.plan(is_stopped=False)
        assert [message.to for message in ward.later()] == [phone]
