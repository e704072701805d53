"""Whether to begin: screenings and their stops, what was tried, what is taken."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.clinical import eligibility
from tests.builders import (
    Person,
    World,
    a_medication,
    a_past_treatment,
    a_resolution,
    a_screening,
    amended,
    now,
    withdrawn,
)
from tests.conftest import Behind

Told = dict[str, Any]


def sent(person: Person, world: World, many: str, body: Told) -> Told:
    """An entry that was stored, as the answer tells it."""
    answer = person.post(f"{world.patient.record}/{many}", body)
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def summary(world: World) -> Told:
    answer = world.therapist.get(f"{world.patient.record}/eligibility")
    assert answer.status_code == 200, answer.text
    told: Told = answer.json()
    return told


def standing(world: World) -> Told:
    told: Told = summary(world)["standing"]
    return told


def let(behind: Behind, person: Person, *privileges: str) -> None:
    """From now on this clinician has these privileges and no others."""
    behind.rows(
        "UPDATE membership SET privileges = %s WHERE id = %s RETURNING id",
        list(privileges),
        person.membership_id,
    )


class TestConditions:
    def test_the_catalogue_is_anybody_s_to_read_with_sources_and_a_version(
        self, client: TestClient
    ) -> None:
        told = client.get("/v1/eligibility-conditions").json()

        assert told["catalogue_version"] == eligibility.catalogue_version()
        assert len(told["conditions"]) == len(eligibility.conditions())
        assert told["conditions"][0]["severity"] == "hard-stop"
        assert all(one["source"] for one in told["conditions"])


class TestScreening:
    def test_without_one_every_condition_is_open(self, world: World) -> None:
        told = standing(world)

        assert (told["state"], told["screening_id"]) == ("not-screened", None)
        assert told["open"] == [one.key for one in eligibility.conditions()]

    def test_all_no_is_clear_and_what_is_left_out_is_open(self, world: World) -> None:
        sent(world.therapist, world, "screenings", a_screening())
        assert standing(world)["state"] == "clear"

        sent(
            world.therapist,
            world,
            "screenings",
            {"answers": {"psychosis": "no"}, "recorded_at": now().isoformat()},
        )

        told = standing(world)
        assert told["state"] == "open"
        assert "psychosis" not in told["open"]
        assert "pregnancy" in told["open"]

    def test_its_notes_are_sealed_and_come_back(self, world: World, behind: Behind) -> None:
        body = a_screening(substance_use="yes") | {"notes": {"substance-use": "axolotl"}}

        told = sent(world.therapist, world, "screenings", body)

        assert told["notes"] == {"substance-use": "axolotl"}
        assert "axolotl" not in str(behind.rows("SELECT screening::text FROM screening"))
        assert standing(world)["cautions"] == ["substance-use"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"answers": {"pregnant": "no"}}, "/answers"),
            ({"answers": {}}, "/answers"),
            ({"answers": {"pregnancy": "maybe"}}, "/answers"),
            ({"notes": {"psychosis": "x"}, "answers": {"pregnancy": "no"}}, "/notes"),
        ],
    )
    def test_what_the_catalogue_does_not_have_is_refused_by_place(
        self, world: World, change: Told, pointer: str
    ) -> None:
        answer = world.therapist.post(f"{world.patient.record}/screenings", a_screening() | change)

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
        assert "pregnant" not in answer.text

    def test_a_patient_reads_it_and_does_not_write_it(self, world: World) -> None:
        screening = sent(world.therapist, world, "screenings", a_screening())

        one = f"/v1/patients/me/screenings/{screening['id']}"
        assert world.patient.get(one).status_code == 200
        assert world.patient.post("/v1/patients/me/screenings", a_screening()).status_code == 403
        assert world.patient.get("/v1/patients/me/eligibility").status_code == 403


class TestResolve:
    def test_a_hard_stop_stands_until_a_prescriber_resolves_it(self, world: World) -> None:
        screening = sent(
            world.therapist, world, "screenings", a_screening(uncontrolled_hypertension="yes")
        )
        before = standing(world)

        told = sent(
            world.therapist,
            world,
            "stop-resolutions",
            a_resolution(screening["id"], "uncontrolled-hypertension"),
        )

        assert (before["state"], before["stops"]) == ("stopped", ["uncontrolled-hypertension"])
        after = standing(world)
        assert (after["state"], after["stops"]) == ("cautions", [])
        assert after["resolved"] == ["uncontrolled-hypertension"]
        assert told["reason"].startswith("Stable")

    @pytest.mark.parametrize("privileges", [("therapy",), ("monitor",), ("therapy", "monitor")])
    def test_whoever_may_not_prescribe_resolves_nothing(
        self, world: World, behind: Behind, privileges: tuple[str, ...]
    ) -> None:
        screening = sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        path = f"{world.patient.record}/stop-resolutions"
        let(behind, world.therapist, *privileges)

        refused = world.therapist.post(path, a_resolution(screening["id"], "mania"))

        assert refused.status_code == 403
        assert standing(world)["stops"] == ["mania"]
        let(behind, world.therapist, "prescribe")
        assert world.therapist.post(path, a_resolution(screening["id"], "mania")).status_code == 201

    @pytest.mark.parametrize("meanwhile", ["no", "unknown"])
    def test_an_answer_that_changed_is_open_again_also_when_it_changes_back(
        self, world: World, meanwhile: str
    ) -> None:
        first = a_screening(mania="yes")
        screening = sent(world.therapist, world, "screenings", first)
        sent(world.therapist, world, "stop-resolutions", a_resolution(screening["id"], "mania"))
        path = f"{world.patient.record}/screenings/{screening['id']}"

        amended(world.therapist, path, a_screening(mania=meanwhile), 1)
        amended(world.therapist, path, first, 2)

        assert standing(world)["stops"] == ["mania"]

    def test_another_note_to_the_answer_opens_it_again(self, world: World) -> None:
        first = a_screening(mania="yes")
        screening = sent(world.therapist, world, "screenings", first)
        sent(world.therapist, world, "stop-resolutions", a_resolution(screening["id"], "mania"))
        path = f"{world.patient.record}/screenings/{screening['id']}"

        amended(world.therapist, path, first | {"notes": {"mania": "Again last month."}}, 1)

        assert standing(world)["stops"] == ["mania"]

    def test_another_answer_changes_and_what_was_resolved_stays_so(self, world: World) -> None:
        first = a_screening(mania="yes")
        screening = sent(world.therapist, world, "screenings", first)
        sent(world.therapist, world, "stop-resolutions", a_resolution(screening["id"], "mania"))
        body = first | {"answers": first["answers"] | {"substance-use": "yes"}}

        told = amended(
            world.therapist, f"{world.patient.record}/screenings/{screening['id']}", body, 1
        )

        assert (told["answered_in"]["mania"], told["answered_in"]["substance-use"]) == (1, 2)
        assert standing(world)["resolved"] == ["mania"]

    def test_a_new_screening_is_resolved_from_the_start(self, world: World) -> None:
        screening = sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        sent(world.therapist, world, "stop-resolutions", a_resolution(screening["id"], "mania"))

        sent(world.therapist, world, "screenings", a_screening(mania="yes"))

        assert standing(world)["stops"] == ["mania"]

    def test_withdrawn_it_stands_again(self, world: World) -> None:
        screening = sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        told = sent(
            world.therapist, world, "stop-resolutions", a_resolution(screening["id"], "mania")
        )

        withdrawn(world.therapist, f"{world.patient.record}/stop-resolutions/{told['id']}", 1)

        assert standing(world)["stops"] == ["mania"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"screening_id": str(uuid4())}, "/screening_id"),
            ({"screening_version": 2}, "/screening_version"),
            ({"condition": "substance-use"}, "/condition"),
            ({"condition": "psychosis"}, "/condition"),
            ({"condition": "nothing"}, "/condition"),
            ({"reason": " "}, "/reason"),
        ],
    )
    def test_only_what_stops_in_the_version_that_was_read_is_resolved(
        self, world: World, change: Told, pointer: str
    ) -> None:
        screening = sent(
            world.therapist, world, "screenings", a_screening(mania="yes", substance_use="yes")
        )

        answer = world.therapist.post(
            f"{world.patient.record}/stop-resolutions",
            a_resolution(screening["id"], "mania") | change,
        )

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


class TestStopsAreThePrescribers:
    """Whoever may not resolve a stop does not make it go in another way."""

    @pytest.fixture
    def screening(self, world: World, behind: Behind) -> Told:
        told = sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        let(behind, world.therapist, "therapy")
        return told

    def refused(self, answer: Any) -> bool:
        return (answer.status_code, answer.json().get("code"), answer.json().get("stops")) == (
            409,
            "hard-stop",
            ["mania"],
        )

    @pytest.mark.parametrize("answer", ["no", "unknown"])
    def test_not_by_another_answer(self, world: World, screening: Told, answer: str) -> None:
        path = f"{world.patient.record}/screenings"
        body = a_screening(mania=answer)

        assert self.refused(world.therapist.put(f"{path}/{screening['id']}", body, base=1))
        assert self.refused(world.therapist.post(path, body))
        assert self.refused(world.therapist.post(path, body | {"answers": {"psychosis": "no"}}))
        assert standing(world)["stops"] == ["mania"]

    def test_not_by_withdrawing_it_nor_by_moving_it_in_time(
        self, world: World, screening: Told
    ) -> None:
        path = f"{world.patient.record}/screenings/{screening['id']}"
        earlier = a_screening(mania="yes") | {
            "recorded_at": (now() - timedelta(days=1)).isoformat()
        }

        assert self.refused(world.therapist.delete(path, base=1))
        assert self.refused(world.therapist.put(path, earlier, base=1))

    def test_not_by_moving_an_older_one_past_it(self, world: World, screening: Told) -> None:
        path = f"{world.patient.record}/screenings"
        earlier = a_screening() | {"recorded_at": (now() - timedelta(days=1)).isoformat()}
        old = sent(world.therapist, world, "screenings", earlier)
        later = earlier | {"recorded_at": (now() + timedelta(seconds=5)).isoformat()}

        assert self.refused(world.therapist.put(f"{path}/{old['id']}", later, base=1))
        assert standing(world)["stops"] == ["mania"]

    def test_everything_else_may_be_answered(
        self, world: World, behind: Behind, screening: Told
    ) -> None:
        path = f"{world.patient.record}/screenings"
        body = a_screening(mania="yes", substance_use="yes")
        earlier = a_screening() | {"recorded_at": (now() - timedelta(days=1)).isoformat()}

        amended(world.therapist, f"{path}/{screening['id']}", body, 1)
        old = sent(world.therapist, world, "screenings", earlier)
        amended(
            world.therapist,
            f"{path}/{old['id']}",
            earlier | {"notes": {"mania": "Of another clinic."}},
            1,
        )
        withdrawn(world.therapist, f"{path}/{old['id']}", 2)
        sent(world.therapist, world, "screenings", body)

        assert standing(world)["stops"] == ["mania"]
        let(behind, world.therapist, "prescribe")
        sent(world.therapist, world, "screenings", a_screening())
        assert standing(world)["stops"] == []

    def test_what_was_resolved_may_be_withdrawn(
        self, world: World, behind: Behind, screening: Told
    ) -> None:
        let(behind, world.therapist, "prescribe")
        resolution = a_resolution(screening["id"], "mania")
        sent(world.therapist, world, "stop-resolutions", resolution)
        let(behind, world.therapist, "therapy")

        withdrawn(world.therapist, f"{world.patient.record}/screenings/{screening['id']}", 1)

        assert standing(world)["state"] == "not-screened"


class TestHistory:
    def test_the_stratum_follows_the_history(self, world: World, behind: Behind) -> None:
        stratum = (
            "SELECT stratum, is_certain, is_resistant FROM treatment_resistance"
            " WHERE patient_id = %s"
        )
        assert summary(world)["history"]["stratum"] is None

        first = sent(world.therapist, world, "trial-history", a_past_treatment())
        assert behind.rows(stratum, world.patient.patient_id) == [("0-1", True, False)]
        sent(world.therapist, world, "trial-history", a_past_treatment(drug="Venlafaxine"))

        assert behind.rows(stratum, world.patient.patient_id) == [("2", True, True)]
        told = summary(world)["history"]
        assert (told["failed"], told["stratum"], told["is_resistant"]) == (2, "2", True)
        assert "EMA" in told["definition"]
        one = f"{world.patient.record}/trial-history/{first['id']}"
        withdrawn(world.therapist, one, 1)
        assert behind.rows(stratum, world.patient.patient_id) == [("0-1", True, False)]

    def test_what_is_unknown_leaves_the_stratum_uncertain(self, world: World) -> None:
        sent(world.therapist, world, "trial-history", a_past_treatment())
        sent(
            world.therapist,
            world,
            "trial-history",
            a_past_treatment(drug="Bupropion", dose_adequate="unknown", weeks=None),
        )

        told = summary(world)["history"]

        assert (told["stratum"], told["stratum_is_certain"]) == ("0-1", False)
        assert (told["undecided"], told["is_resistant"]) == (1, None)

    def test_only_antidepressants_count(self, world: World) -> None:
        for kind in ("psychotherapy", "neurostimulation", "augmentation", "other"):
            sent(world.therapist, world, "trial-history", a_past_treatment(kind=kind, drug=kind))

        assert summary(world)["history"]["failed"] == 0

    def test_the_last_one_withdrawn_leaves_no_stratum(self, world: World, behind: Behind) -> None:
        told = sent(world.therapist, world, "trial-history", a_past_treatment())

        withdrawn(world.therapist, f"{world.patient.record}/trial-history/{told['id']}", 1)

        [row] = behind.rows(
            "SELECT stratum FROM treatment_resistance WHERE patient_id = %s",
            world.patient.patient_id,
        )
        assert row == (None,)

    def test_its_words_are_sealed(self, world: World, behind: Behind) -> None:
        sent(world.therapist, world, "trial-history", a_past_treatment(drug="axolotl"))

        assert "axolotl" not in str(behind.rows("SELECT trial_history::text FROM trial_history"))


class TestMedications:
    def test_patient_and_clinician_write_one_list(self, world: World) -> None:
        sent(world.patient, world, "medications", a_medication(name="Lorazepam 1 mg"))
        sent(world.therapist, world, "medications", a_medication(name="Vitamin D"))

        told = world.patient.get("/v1/patients/me/medications").json()["medications"]

        assert {one["name"] for one in told} == {"Lorazepam 1 mg", "Vitamin D"}

    def test_an_interaction_warns_with_its_reason_and_source(self, world: World) -> None:
        told = sent(world.patient, world, "medications", a_medication(name="Lorazepam 1 mg"))
        sent(world.patient, world, "medications", a_medication(name="X", rxnorm="3322"))

        found = summary(world)

        assert found["medications"] == 2
        by_id = {one["medication_id"]: one for one in found["interactions"]}
        warned = by_id[told["id"]]
        assert (warned["drug"], warned["matched_by"]) == ("lorazepam", "name")
        assert warned["reason"]
        assert warned["source"]
        assert {one["matched_by"] for one in found["interactions"]} == {"name", "code"}

    def test_what_is_stopped_warns_no_more(self, world: World) -> None:
        body = a_medication(name="Lorazepam")
        told = sent(world.patient, world, "medications", body)

        amended(
            world.therapist,
            f"{world.patient.record}/medications/{told['id']}",
            body | {"status": "stopped"},
            1,
        )

        assert (summary(world)["medications"], summary(world)["interactions"]) == (0, [])

    def test_a_phone_s_entry_is_answered_with_whom_to_call_and_a_clinician_s_is_not(
        self, world: World
    ) -> None:
        own = sent(world.patient, world, "medications", a_medication())
        theirs = sent(world.therapist, world, "medications", a_medication())

        assert own["safety"]["crisis_lines"]
        assert theirs["safety"] is None

    def test_it_may_be_sent_by_a_phone_that_was_away(self, world: World) -> None:
        change = {
            "kind": "medication",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_medication(name="Diazepam"),
        }

        [result] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert (result["status"], result["entry"]["name"]) == ("created", "Diazepam")
        assert summary(world)["interactions"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [({"name": " "}, "/name"), ({"rxnorm": "0x12"}, "/rxnorm"), ({"status": "x"}, "/status")],
    )
    def test_what_is_no_medicine_is_refused_by_place(
        self, world: World, change: Told, pointer: str
    ) -> None:
        answer = world.patient.post("/v1/patients/me/medications", a_medication(**change))

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("kind", ["screening", "trial_history", "course", "preparation_check"])
    def test_what_is_a_clinician_s_is_not_taken_from_a_phone(self, world: World, kind: str) -> None:
        change = {"kind": kind, "op": "create", "id": str(uuid4()), "entry": a_screening()}

        [result] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert (result["status"], result["problem"]["errors"][0]["pointer"]) == ("refused", "/kind")
