"""Opening somebody's record: what it takes, when it ends, and that it is noted."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    now,
    phq_9,
)
from tests.conftest import Behind, Clock

KINDS = ("check-ins", "dosing-sessions", "notes", "goals")
LISTS = (*KINDS, "trajectories/phq-9", "trajectories/phq-9?item=item-9")
CONSENT = "UPDATE consent SET {} WHERE patient_id = %s"
CARE = "UPDATE care_link SET {} WHERE patient_id = %s"


@pytest.fixture
def entries(world: World) -> dict[str, str]:
    """One entry of each kind of the patient: its path below the record."""
    made = {
        "check-ins": world.patient.post(
            f"{world.patient.record}/check-ins", a_check_in(answers=phq_9(9, item_nine=1))
        ),
        "dosing-sessions": world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ),
        "notes": world.patient.post(f"{world.patient.record}/notes", a_note()),
        "goals": world.patient.post(f"{world.patient.record}/goals", a_goal()),
    }
    return {kind: f"{kind}/{answer.json()['id']}" for kind, answer in made.items()}


class TestEnd:
    """Consent and care are asked at every request, never remembered from the last."""

    @pytest.mark.parametrize(
        "statement",
        [
            CONSENT.format("revoked_at = now()"),
            CONSENT.format("expires_at = now()"),
            CONSENT.format("given_at = now() + interval '1 hour'"),
            CARE.format("ends_at = now()"),
            CARE.format("began_at = now() + interval '1 hour'"),
        ],
    )
    def test_after_it_the_record_is_not_there_at_the_next_request(
        self, world: World, behind: Behind, entries: dict[str, str], statement: str
    ) -> None:
        paths = [*LISTS, *entries.values()]
        for path in paths:
            assert world.therapist.get(f"{world.patient.record}/{path}").status_code == 200
        missing = world.therapist.get(f"/v1/patients/{uuid4()}/check-ins")

        behind.rows(statement, world.patient.patient_id)

        for path in paths:
            answer = world.therapist.get(f"{world.patient.record}/{path}")
            assert (answer.status_code, answer.content) == (404, missing.content), path
        answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())
        assert answer.status_code == 404
        assert world.therapist.get("/v1/caseload").json()["patients"] == []
        assert world.therapist.get("/v1/flags").json()["flags"] == []

    @pytest.mark.parametrize(
        "statement", [CONSENT.format("revoked_at = now()"), CARE.format("ends_at = now()")]
    )
    def test_the_patient_keeps_their_own_record(
        self, world: World, behind: Behind, entries: dict[str, str], statement: str
    ) -> None:
        behind.rows(statement, world.patient.patient_id)

        for path in (*LISTS, *entries.values()):
            assert world.patient.get(f"/v1/patients/me/{path}").status_code == 200
        sent = world.patient.post("/v1/patients/me/check-ins", a_check_in())
        assert sent.status_code == 201

    @pytest.mark.parametrize("column", ["consent SET expires_at", "care_link SET ends_at"])
    def test_it_ends_at_its_instant(
        self, timed_world: World, clock: Clock, behind: Behind, column: str
    ) -> None:
        behind.rows(
            f"UPDATE {column} = %s WHERE patient_id = %s",
            clock.at + timedelta(minutes=5),
            timed_world.patient.patient_id,
        )
        path = f"{timed_world.patient.record}/check-ins"

        clock.turn(minutes=5, seconds=-1)
        just_before = timed_world.therapist.get(path)
        clock.turn(seconds=1)

        assert just_before.status_code == 200
        assert timed_world.therapist.get(path).status_code == 404

    def test_a_new_consent_opens_it_again(
        self, world: World, behind: Behind, entries: dict[str, str]
    ) -> None:
        behind.rows(CONSENT.format("revoked_at = now()"), world.patient.patient_id)
        behind.rows(
            "INSERT INTO consent (clinic_id, id, patient_id, kind, notice_version, given_at)"
            " VALUES (%s, %s, %s, 'treatment', '2', now())",
            world.here.id,
            uuid4(),
            world.patient.patient_id,
        )

        answer = world.therapist.get(f"{world.patient.record}/{entries['check-ins']}")

        assert answer.status_code == 200


class TestAccessLog:
    @pytest.mark.parametrize(
        ("path", "what"),
        [
            ("check-ins", "check_ins.read"),
            ("check-ins/{check-ins}", "check_ins.read"),
            ("dosing-sessions", "dosing_sessions.read"),
            ("dosing-sessions/{dosing-sessions}", "dosing_sessions.read"),
            ("notes", "notes.read"),
            ("notes/{notes}", "notes.read"),
            ("goals", "goals.read"),
            ("goals/{goals}", "goals.read"),
            ("trajectories/phq-9", "trajectories.read"),
            ("trajectories/phq-9?item=item-9", "trajectories.read"),
        ],
    )
    def test_every_reading_by_a_clinician_is_noted_before_it_is_answered(
        self,
        world: World,
        behind: Behind,
        entries: dict[str, str],
        path: str,
        what: str,
    ) -> None:
        for kind, entry in entries.items():
            path = path.replace(f"{kind}/{{{kind}}}", entry)
        before = behind.accesses(world.here.id)

        assert world.therapist.get(f"{world.patient.record}/{path}").status_code == 200

        assert behind.accesses(world.here.id) == [
            *before,
            (world.therapist.membership_id, world.patient.patient_id, what),
        ]

    def test_so_is_every_recording(self, world: World, behind: Behind) -> None:
        world.therapist.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())

        assert behind.accesses(world.here.id) == [
            (world.therapist.membership_id, world.patient.patient_id, "dosing_sessions.record")
        ]

    @pytest.mark.parametrize(
        ("who", "path", "members", "what"),
        [
            ("therapist", "/v1/caseload", "patients", "caseload.read"),
            ("therapist", "/v1/flags", "flags", "flags.read"),
            # An administrator's list of flags names patients too.
            ("administrator", "/v1/flags", "flags", "flags.read"),
        ],
    )
    def test_so_is_every_list_that_shows_several_and_whom_it_showed(
        self, world: World, behind: Behind, who: str, path: str, members: str, what: str
    ) -> None:
        person: Person = getattr(world.here, who)
        for patient in (world.patient, world.here.other_patient):
            sent = a_check_in(answers=[0] * 8 + [1])
            patient.post("/v1/patients/me/check-ins", sent)

        answer = person.get(path)

        shown = {one["patient_id"] for one in answer.json()[members]}
        noted = behind.accesses(world.here.id)
        assert len(shown) == (2 if who == "administrator" else 1)
        assert noted[0] == (person.membership_id, None, what)
        assert sorted(map(str, noted[1:])) == sorted(
            str((person.membership_id, UUID(patient_id), what)) for patient_id in shown
        )

    @pytest.mark.parametrize("path", ["/v1/caseload", "/v1/flags"])
    def test_a_page_notes_only_whom_it_showed(
        self, world: World, behind: Behind, path: str
    ) -> None:
        for patient in (world.patient, world.here.other_patient):
            patient.post("/v1/patients/me/check-ins", a_check_in(answers=[0] * 8 + [1]))
        behind.rows(
            "INSERT INTO care_link (clinic_id, id, patient_id, membership_id, kind, began_at)"
            " VALUES (%s, %s, %s, %s, 'assigned', %s)",
            world.here.id,
            uuid4(),
            world.here.other_patient.patient_id,
            world.therapist.membership_id,
            now() - timedelta(days=1),
        )

        assert world.therapist.get(f"{path}?limit=1").json()["next_cursor"]

        noted = [patient_id for _, patient_id, _ in behind.accesses(world.here.id)]
        assert noted == [None, world.patient.patient_id]

    def test_a_coach_reading_goals_is_noted(self, world: World, behind: Behind) -> None:
        world.here.coach.get(f"{world.patient.record}/goals")

        assert behind.accesses(world.here.id) == [
            (world.here.coach.membership_id, world.patient.patient_id, "goals.read")
        ]

    def test_of_ones_own_record_nothing_is_noted(
        self, world: World, behind: Behind, entries: dict[str, str]
    ) -> None:
        before = behind.accesses(world.here.id)

        for path in (*LISTS, *entries.values()):
            assert world.patient.get(f"/v1/patients/me/{path}").status_code == 200
        world.patient.get("/v1/me")

        assert behind.accesses(world.here.id) == before

    def test_what_was_refused_is_no_access(self, world: World, behind: Behind) -> None:
        for person in (world.here.stranger, world.here.coach, world.administrator):
            for path in ("check-ins", "trajectories/phq-9"):
                answer = person.get(f"{world.patient.record}/{path}")
                assert answer.status_code in (403, 404)

        assert behind.accesses(world.here.id) == []


class TestMissing:
    def test_not_there_and_not_yours_are_byte_for_byte_the_same(
        self, world: World, entries: dict[str, str]
    ) -> None:
        reader = world.here.stranger
        answers = [
            reader.get(f"/v1/patients/{uuid4()}/check-ins"),
            reader.get("/v1/patients/nonsense/check-ins"),
            reader.get(f"{world.patient.record}/check-ins"),
            reader.get(f"{world.patient.record}/{entries['check-ins']}"),
            reader.get(f"{world.elsewhere.patient.record}/check-ins"),
            world.therapist.get(f"{world.patient.record}/check-ins/{uuid4()}"),
            world.therapist.get(f"{world.patient.record}/notes/{uuid4()}"),
            world.patient.get(f"{world.here.other_patient.record}/goals"),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1

    def test_an_entry_is_read_under_its_own_patient_only(
        self, world: World, behind: Behind, entries: dict[str, str]
    ) -> None:
        """A clinician of both patients asks for one's entry under the other's name."""
        behind.rows(
            "INSERT INTO care_link (clinic_id, id, patient_id, membership_id, kind, began_at)"
            " VALUES (%s, %s, %s, %s, 'assigned', %s)",
            world.here.id,
            uuid4(),
            world.here.other_patient.patient_id,
            world.therapist.membership_id,
            now() - timedelta(days=1),
        )

        for entry in entries.values():
            answer = world.therapist.get(f"{world.here.other_patient.record}/{entry}")
            assert answer.status_code == 404
