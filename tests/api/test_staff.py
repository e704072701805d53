"""Who works in a clinic and when it is on duty, over the API."""

from typing import Any

import pytest

from tests.builders import World

HOURS = "/v1/clinic/hours"
MEMBERS = "/v1/clinic/members"


class TestMembers:
    def test_everybody_who_works_there_is_listed_and_no_patient(self, world: World) -> None:
        members = world.therapist.get(MEMBERS).json()["members"]

        here = world.here
        staff = {here.therapist, here.stranger, here.coach, here.administrator}
        assert {one["membership_id"] for one in members} == {
            str(one.membership_id) for one in staff
        }
        cares_for = {one["membership_id"]: one["cares_for"] for one in members}
        assert cares_for[str(here.therapist.membership_id)] == 1
        assert cares_for[str(here.stranger.membership_id)] == 0

    def test_privileges_are_changed_on_a_version_and_hold_at_once(self, world: World) -> None:
        path = f"{MEMBERS}/{world.here.coach.membership_id}"

        changed = world.administrator.put(path, {"privileges": ["monitor", "coach"]}, base=1)
        late = world.administrator.put(path, {"privileges": ["coach"]}, base=1)

        assert changed.json()["privileges"] == ["coach", "monitor"]
        assert changed.headers["etag"] == '"2"'
        assert late.status_code == 412
        assert world.here.coach.get("/v1/caseload").status_code == 200

    @pytest.mark.parametrize("privileges", [[], ["fly"], ["coach"] * 5])
    def test_what_is_no_set_of_privileges_is_refused(
        self, world: World, privileges: list[str]
    ) -> None:
        path = f"{MEMBERS}/{world.here.coach.membership_id}"

        answer = world.administrator.put(path, {"privileges": privileges}, base=1)

        assert answer.status_code == 422

    def test_whoever_leaves_is_out_at_once_and_leaving_twice_is_leaving_once(
        self, world: World
    ) -> None:
        path = f"{MEMBERS}/{world.therapist.membership_id}"

        answers = [world.administrator.delete(path, base=None) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert world.therapist.get("/v1/caseload").status_code == 401
        listed = world.administrator.get(MEMBERS).json()["members"]
        assert str(world.therapist.membership_id) not in str(listed)

    def test_a_patient_is_not_put_out_this_way_nor_oneself(self, world: World) -> None:
        patient = world.administrator.delete(f"{MEMBERS}/{world.patient.membership_id}", base=None)
        oneself = world.administrator.delete(
            f"{MEMBERS}/{world.administrator.membership_id}", base=None
        )

        assert (patient.status_code, oneself.status_code) == (404, 422)
        assert world.patient.get("/v1/me").status_code == 200


class TestHours:
    def declared(self, world: World, sent: Any) -> Any:
        """As an administrator, on what holds now."""
        base = world.administrator.get(HOURS).headers["etag"]
        return world.administrator.put(HOURS, sent, base=base)

    def test_hours_are_declared_and_patients_are_told_by_them(self, world: World) -> None:
        sent = {"hours": {"mon": [["08:00", "12:00"], ["22:00", "06:00"]]}, "holidays": []}

        answer = self.declared(world, sent)

        assert answer.status_code == 200
        assert world.therapist.get(HOURS).json()["hours"] == sent["hours"]
        assert answer.headers["etag"] == world.therapist.get(HOURS).headers["etag"]

    def test_the_time_zone_changes_with_them_and_stays_where_it_is_left_out(
        self, world: World
    ) -> None:
        moved = self.declared(world, {"hours": {}, "time_zone": "Asia/Tokyo"})
        stayed = self.declared(world, {"hours": {"mon": [["09:00", "17:00"]]}})
        nowhere = self.declared(world, {"hours": {}, "time_zone": "Middle/Earth"})

        assert moved.json()["time_zone"] == stayed.json()["time_zone"] == "Asia/Tokyo"
        assert nowhere.status_code == 422
        assert nowhere.json()["errors"][0]["pointer"] == "/time_zone"

    def test_a_change_that_comes_second_is_told_so(self, world: World) -> None:
        base = world.administrator.get(HOURS).headers["etag"]
        first = world.administrator.put(HOURS, {"hours": {}}, base=base)

        second = world.administrator.put(HOURS, {"hours": {}}, base=base)
        without = world.administrator.put(HOURS, {"hours": {}}, base=None)

        assert [one.status_code for one in (first, second, without)] == [200, 412, 428]

    @pytest.mark.parametrize(
        ("sent", "pointer"),
        [
            ({"hours": {"mon": [["9", "17:00"]]}}, "/hours/mon"),
            ({"hours": {"mon": [["09:00", "09:00"]]}}, "/hours/mon"),
            ({"hours": {"mon": [["09:00", "10:00"]] * 7}}, "/hours/mon"),
            ({"hours": {"day": [["09:00", "10:00"]]}}, "/hours"),
            ({"hours": {}, "holidays": ["2026-02-30"]}, "/holidays"),
            ({"hours": {}, "holidays": ["25.12.2026"]}, "/holidays"),
            (
                {
                    "hours": {},
                    "holidays": [f"20{n // 12:02}-{n % 12 + 1:02}-01" for n in range(401)],
                },
                "/holidays",
            ),
        ],
    )
    def test_what_is_no_hour_is_refused_by_place_and_not_repeated(
        self, world: World, sent: Any, pointer: str
    ) -> None:
        answer = self.declared(world, sent)

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
        assert "2026-02-30" not in answer.text

    def test_they_are_for_those_who_work_there_and_administrators_to_declare(
        self, world: World
    ) -> None:
        base = world.administrator.get(HOURS).headers["etag"]

        assert world.patient.get(HOURS).status_code == 403
        assert world.therapist.put(HOURS, {"hours": {}}, base=base).status_code == 403
