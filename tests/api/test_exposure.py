"""What was given so far: by drug and route, never added across; and what to ask after."""

from datetime import timedelta
from typing import Any

from tests.builders import (
    World,
    a_check_in,
    a_dosing_session,
    amended,
    an_administration,
    now,
    withdrawn,
)

Told = dict[str, Any]


def dose(world: World, days_ago: float, **changes: Any) -> Told:
    """A visit with one dose, so many days ago."""
    at = (now() - timedelta(days=days_ago)).isoformat()
    body = a_dosing_session(administrations=[an_administration(given_at=at, **changes)])
    answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", body)
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def exposure(world: World) -> Told:
    answer = world.therapist.get(f"{world.patient.record}/exposure")
    assert answer.status_code == 200, answer.text
    told: Told = answer.json()
    return told


class TestGiven:
    def test_before_any_dose_there_is_nothing(self, world: World) -> None:
        told = exposure(world)

        assert (told["given"], told["prompts"], told["use_outside"]) == ([], [], [])
        assert told["protocol_version"] == 0

    def test_two_routes_and_two_drugs_are_never_added(self, world: World) -> None:
        for days_ago, changes in (
            (20, {}),
            (12, {"dose_mg": 60.5}),
            (5, {"route": "sublingual", "dose_mg": 200}),
            (2, {"drug": "esketamine", "route": "intranasal", "dose_mg": 56}),
        ):
            dose(world, days_ago, **changes)

        told = exposure(world)["given"]

        assert [(one["drug"], one["route"], one["total"]["mg"]) for one in told] == [
            ("esketamine", "intranasal", 56),
            ("ketamine", "im", 100.5),
            ("ketamine", "sublingual", 200),
        ]
        im = told[1]
        assert (im["total"]["doses"], im["total"]["sessions"]) == (2, 2)
        assert (im["median_spacing_days"], im["shortest_spacing_days"]) == (8, 8)
        assert [im["in_last"][days]["doses"] for days in ("7", "28", "90", "365")] == [0, 2, 2, 2]

    def test_a_correction_and_a_withdrawal_change_it(self, world: World) -> None:
        first, second = dose(world, 3), dose(world, 2)
        path = f"{world.patient.record}/dosing-sessions"
        given = an_administration(dose_mg=50, given_at=first["administrations"][0]["given_at"])

        amended(world.therapist, f"{path}/{first['id']}", {"administrations": [given]}, 1)
        withdrawn(world.therapist, f"{path}/{second['id']}", 1)

        [told] = exposure(world)["given"]
        assert (told["total"]["doses"], told["total"]["mg"]) == (1, 50)

    def test_a_visit_that_is_planned_or_was_not_done_counts_for_nothing(self, world: World) -> None:
        for body in (
            {"status": "not-done"},
            {"status": "preparation", "started_at": (now() + timedelta(days=1)).isoformat()},
        ):
            world.therapist.post(f"{world.patient.record}/dosing-sessions", body)

        assert exposure(world)["given"] == []

    def test_its_patient_reads_it_and_another_does_not(self, world: World) -> None:
        dose(world, 1)

        assert world.patient.get("/v1/patients/me/exposure").json()["given"]
        path = f"{world.patient.record}/exposure"
        assert world.here.other_patient.get(path).status_code == 404


class TestPrompts:
    def test_on_a_threshold_of_the_clinic_it_is_told_what_to_ask_after(self, world: World) -> None:
        for days_ago in range(1, 6):
            dose(world, days_ago)
        assert exposure(world)["prompts"] == []
        world.patient.post(
            "/v1/patients/me/check-ins", a_check_in(instrument="craving", answers=[0, 0])
        )

        dose(world, 7)

        [told] = exposure(world)["prompts"]
        assert (told["key"], told["drug"], told["route"]) == ("course-complete", "ketamine", "im")
        assert told["amount"] == {"doses": 6, "sessions": 6, "mg": 240}
        assert told["about"] == ["bladder", "cravings"]
        asked = {one["instrument"]: one for one in told["instruments"]}
        assert asked["bladder"]["last_answered_at"] is None
        assert asked["craving"]["last_answered_at"] is not None
        assert all(one["is_on"] for one in told["instruments"])
        assert told["source"]

    def test_sessions_of_two_routes_reach_a_threshold_together_without_milligrams(
        self, world: World
    ) -> None:
        for days_ago in range(1, 7):
            dose(world, days_ago, route="im" if days_ago % 2 else "iv")

        told = exposure(world)

        [reached] = told["prompts"]
        assert (reached["key"], reached["drug"], reached["route"]) == (
            "course-complete",
            "ketamine",
            None,
        )
        assert reached["amount"] == {"doses": 6, "sessions": 6, "mg": None}
        [of_drug] = told["by_drug"]
        assert (of_drug["routes"], of_drug["sessions"]) == (["im", "iv"], 6)
        assert of_drug["sessions_in_last"] == {"7": 6, "28": 6, "90": 6, "365": 6}

    def test_the_thresholds_are_the_clinic_s_own(self, world: World) -> None:
        held = world.administrator.get("/v1/clinic/protocol").json()
        own = {name: held[name] for name in held if name not in {"version", "published_at"}}
        prompt = own["exposure"]["prompts"][0] | {"key": "two", "at_least": 2, "measure": "doses"}
        own["exposure"] = own["exposure"] | {"prompts": [prompt]}
        published = world.administrator.put("/v1/clinic/protocol", own, base=1)
        assert published.status_code == 200, published.text
        dose(world, 2)
        dose(world, 1)

        told = exposure(world)

        assert ([one["key"] for one in told["prompts"]], told["protocol_version"]) == (["two"], 1)


class TestUseOutside:
    def test_it_is_told_beside_what_was_given_and_added_to_nothing(self, world: World) -> None:
        dose(world, 1)
        told_of = [
            world.patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(instrument="use-outside", answers=answers),
            ).json()["id"]
            for answers in ([0, 0, 0, 0, 1], [0, 2, 0, None, 1])
        ]

        told = exposure(world)

        [outside] = told["use_outside"]
        assert (outside["instrument"], outside["check_in_id"]) == (
            "use-outside",
            told_of[-1],
        )
        assert outside["criteria"] == {
            "ketamine-outside-treatment": True,
            "other-drugs-outside-treatment": None,
        }
        assert told["given"][0]["total"]["doses"] == 1
