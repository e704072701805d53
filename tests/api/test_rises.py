"""A rise between two bladder checks is put before somebody, in whatever order the checks come."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from app.checkins.rises import Check, Rises, look
from app.clinical import instruments
from tests.api import uploads
from tests.api.test_clinic_instruments import added
from tests.api.uploads import a_change, upload
from tests.builders import World, a_check_in, amended, now, withdrawn
from tests.clinical.test_definition_rules import HEAD
from tests.conftest import Behind

CHECK_INS = "/v1/patients/me/check-ins"
NONE = [0, 0, 0, 0, 0]
ONE = [1, 0, 0, 0, 0]
TWO = [2, 0, 0, 0, 0]
OFTEN = "bladder.frequency.rise"
Json = dict[str, Any]


def a_check(answers: Sequence[int | None], days: int, **changes: Any) -> Json:
    """A bladder check of so many days ago."""
    # The same instant whenever a test asks, so that it is no other content when it is sent again.
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    at = (midnight - timedelta(days=days)).isoformat()
    return a_check_in(instrument="bladder", answers=answers, recorded_at=at, **changes)


def sent(world: World, answers: Sequence[int | None], days: int) -> Json:
    """The answer to a check of so many days ago."""
    answer = world.patient.post(CHECK_INS, a_check(answers, days))
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def evidence(behind: Behind, world: World) -> list[tuple[UUID, str, list[str]]]:
    """What was put before somebody: of which check, how gravely, and why."""
    return behind.rows(
        "SELECT source_id, e.level, reasons FROM flag_evidence e JOIN flag f"
        " ON f.clinic_id = e.clinic_id AND f.id = e.flag_id"
        " WHERE patient_id = %s AND kind = 'physical' ORDER BY e.received_at, e.id",
        world.patient.patient_id,
    )


class TestSubmit:
    def test_a_rise_of_two_raises_a_low_flag_of_the_body(self, world: World) -> None:
        sent(world, NONE, 10)

        block = sent(world, TWO, 3)["safety"]

        flag = block["flag"]
        assert (flag["kind"], flag["level"], flag["round"]) == ("physical", "low", 1)
        assert (block["level"], block["reasons"], block["assessed"]) == ("low", [OFTEN], False)
        assert (block["crisis_lines"], block["next_instrument"]) == ([], None)
        assert "has been put in front of your care team" in block["monitoring_statement"]
        (shown,) = world.therapist.get("/v1/flags").json()["flags"]
        assert (shown["id"], shown["level"]) == (flag["id"], "low")

    def test_less_than_two_and_what_stays_raise_nothing(self, world: World) -> None:
        for days, answers in ((12, NONE), (9, ONE), (6, TWO), (3, TWO)):
            assert sent(world, answers, days)["safety"]["flag"] is None

    def test_what_stays_after_a_rise_is_not_told_again(self, world: World, behind: Behind) -> None:
        sent(world, NONE, 12)
        risen = sent(world, TWO, 6)

        assert sent(world, TWO, 3)["safety"]["flag"] is None
        assert evidence(behind, world) == [(UUID(risen["id"]), "low", [OFTEN])]

    def test_a_rise_to_three_is_one_sign_with_both_reasons(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)

        risen = sent(world, [3, 0, 0, 0, 0], 3)

        assert risen["safety"]["level"] == "moderate"
        assert evidence(behind, world) == [
            (UUID(risen["id"]), "moderate", ["bladder.clinician-task", OFTEN])
        ]

    def test_an_answer_that_was_left_out_is_not_compared(self, world: World) -> None:
        sent(world, [None, 0, 0, 0, 0], 10)

        assert sent(world, TWO, 3)["safety"]["flag"] is None

    def test_sent_again_it_is_told_the_same_and_raised_once(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)
        check = a_check(TWO, 3, id=str(uuid4()))

        first, again = (world.patient.post(CHECK_INS, check) for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["safety"] == first.json()["safety"]
        assert len(evidence(behind, world)) == 1

    def test_another_patients_check_is_none_of_theirs(self, world: World) -> None:
        answer = world.here.other_patient.post(CHECK_INS, a_check(NONE, 10))
        assert answer.status_code == 201

        assert sent(world, TWO, 3)["safety"]["flag"] is None


class TestLate:
    def test_a_check_that_arrives_late_shows_that_the_one_after_it_rose(
        self, world: World, behind: Behind
    ) -> None:
        risen = sent(world, TWO, 3)

        check = a_check(NONE, 10, id=str(uuid4()))
        first, again = (world.patient.post(CHECK_INS, check) for _ in range(2))

        assert evidence(behind, world) == [(UUID(risen["id"]), "low", [OFTEN])]
        assert first.json()["safety"]["flag"]["kind"] == "physical"
        assert again.json()["safety"] == first.json()["safety"]

    def test_a_check_between_two_does_not_tell_of_the_rise_again(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)
        sent(world, TWO, 3)

        assert sent(world, NONE, 6)["safety"]["flag"] is None
        assert len(evidence(behind, world)) == 1

    def test_a_rise_of_long_ago_is_kept_as_past(self, world: World) -> None:
        sent(world, TWO, 20)

        flag = sent(world, NONE, 30)["safety"]["flag"]

        assert flag["is_historic"]


class TestAmend:
    def test_an_amendment_that_makes_a_rise_raises_it_once(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)
        check = sent(world, ONE, 3)
        path = f"{CHECK_INS}/{check['id']}"

        told = amended(world.patient, path, a_check(TWO, 3), 1)
        again = world.patient.put(path, a_check(TWO, 3), base=1).json()
        other = amended(world.patient, path, a_check([2, 1, 0, 0, 0], 3), 2)

        flag = told["safety"]["flag"]
        assert (flag["level"], told["safety"]["reasons"]) == ("low", [OFTEN])
        assert again["safety"] == told["safety"] == other["safety"]
        assert len(evidence(behind, world)) == 1

    def test_amending_the_check_before_shows_the_rise_of_the_one_after(
        self, world: World, behind: Behind
    ) -> None:
        before = sent(world, TWO, 10)
        after = sent(world, TWO, 3)

        told = amended(world.patient, f"{CHECK_INS}/{before['id']}", a_check(NONE, 10), 1)

        assert told["safety"]["flag"]["kind"] == "physical"
        assert evidence(behind, world) == [(UUID(after["id"]), "low", [OFTEN])]

    def test_a_check_that_moves_in_time_is_compared_where_it_stands_now(
        self, world: World, behind: Behind
    ) -> None:
        moved = sent(world, TWO, 12)
        sent(world, NONE, 9)
        last = sent(world, ONE, 3)

        told = amended(world.patient, f"{CHECK_INS}/{moved['id']}", a_check(TWO, 6), 1)

        assert told["safety"]["reasons"] == [OFTEN]
        assert [source for source, _, _ in evidence(behind, world)] == [UUID(moved["id"])]
        assert last["safety"]["flag"] is None

    def test_one_that_came_too_late_for_its_version_flags_all_the_same(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)
        check = sent(world, NONE, 3)
        path = f"{CHECK_INS}/{check['id']}"
        amended(world.patient, path, a_check(ONE, 3), 1)

        assert world.patient.put(path, a_check(TWO, 3), base=1).status_code == 412

        ((_, level, reasons),) = evidence(behind, world)
        assert (level, reasons) == ("low", [OFTEN])


class TestWithdraw:
    def test_a_withdrawn_check_is_nothing_to_rise_from(self, world: World) -> None:
        before = sent(world, NONE, 10)
        withdrawn(world.patient, f"{CHECK_INS}/{before['id']}", 1)

        assert sent(world, TWO, 3)["safety"]["flag"] is None

    def test_without_the_one_between_two_checks_may_show_a_rise(
        self, world: World, behind: Behind
    ) -> None:
        sent(world, NONE, 10)
        between = sent(world, ONE, 6)
        risen = sent(world, TWO, 3)
        assert risen["safety"]["flag"] is None

        withdrawn(world.patient, f"{CHECK_INS}/{between['id']}", 1)

        assert evidence(behind, world) == [(UUID(risen["id"]), "low", [OFTEN])]

    def test_its_flag_stays(self, world: World, behind: Behind) -> None:
        sent(world, NONE, 10)
        risen = sent(world, TWO, 3)

        withdrawn(world.patient, f"{CHECK_INS}/{risen['id']}", 1)

        (flag,) = world.patient.get("/v1/patients/me/flags").json()["flags"]
        assert flag["status"] == "open"
        assert len(evidence(behind, world)) == 1


class TestUpload:
    def test_checks_of_one_upload_are_compared_with_each_other(
        self, world: World, behind: Behind
    ) -> None:
        late, early = (
            a_change("check_in", entry=entry) for entry in (a_check(TWO, 3), a_check(NONE, 10))
        )

        block = upload(world.patient, late, early)["safety"]

        assert (block["level"], block["reasons"]) == ("low", [OFTEN])
        assert evidence(behind, world) == [(UUID(late["id"]), "low", [OFTEN])]
        again = upload(world.patient, late, early)
        assert [one["status"] for one in again["results"]] == ["unchanged", "unchanged"]
        assert again["safety"]["flag"] == block["flag"]
        assert len(evidence(behind, world)) == 1

    def test_amendments_and_withdrawals_of_an_upload_show_rises(
        self, world: World, behind: Behind
    ) -> None:
        first, between, last = (
            a_change("check_in", entry=entry)
            for entry in (a_check(ONE, 10), a_check(ONE, 6), a_check(TWO, 3))
        )
        assert upload(world.patient, first, between, last)["safety"]["flag"] is None

        lower = a_check(NONE, 10)
        told = upload(
            world.patient,
            uploads.amended(first, 1, **lower),
            uploads.withdrawn(between, 1),
        )

        assert told["safety"]["flag"]["kind"] == "physical"
        assert evidence(behind, world) == [(UUID(last["id"]), "low", [OFTEN])]


class TestOtherQuestionnaires:
    def test_without_such_a_rule_nothing_is_asked(self) -> None:
        check = Check(uuid4(), "1", now(), now(), [3] * 9)
        no_database: Any = None

        found = look(no_database, no_database, instruments.find("phq-9"), None, check)

        assert found == Rises()

    def test_a_rise_that_a_clinic_calls_no_danger_raises_nothing(self, world: World) -> None:
        added(world, own("pain", "itch", raises=""))
        self.send(world, [0, 0], 10)

        assert self.send(world, [4, 4], 3)["safety"]["flag"] is None

    def test_a_clinics_own_is_compared_item_by_item_when_its_version_changed(
        self, world: World
    ) -> None:
        added(world, own("pain", "itch"))
        self.send(world, [0, 3], 10)
        added(world, own("itch", "pain", version="2"))

        told = self.send(world, [3, 2], 3)["safety"]

        assert (told["level"], told["reasons"]) == ("moderate", ["own.pain.rise"])

    def send(self, world: World, answers: list[int], days: int) -> Json:
        body = a_check(answers, days) | {"instrument": "own"}
        answer = world.patient.post(CHECK_INS, body)
        assert answer.status_code == 201, answer.text
        told: Json = answer.json()
        return told


def own(*items: str, version: str = "1", raises: str = 'raises = "moderate"') -> str:
    """A clinic's own definition with these items, and the rise of two on any."""
    scale = 'scale = { low = 0, high = 4, low_label = "None", high_label = "All" }'
    said = "".join(f'[[items]]\nkey = "{item}"\ntext = "{item}"\n{scale}\n' for item in items)
    head = HEAD.replace('version = "1"', f'version = "{version}"')
    return f"""{head}
direction = "lower-is-better"
missing = "items-stand-alone"
{said}
[rise]
{raises}
items = ["pain", "itch"]
points = 2
source = "Own"
convention = true
"""
