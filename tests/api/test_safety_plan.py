"""The safety plan: written by the patient, read by who cares for them, there when it is needed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest

from app.clinical.risk import NOT_ASSESSED
from app.kernel.db import Db, Direct
from app.people.chart import open_unattended
from app.safety.schemas import SafetyOut
from app.safety.service import safety_block
from tests.builders import Person, World, a_check_in, a_safety_plan, now, phq_9
from tests.conftest import Behind

MINE = "/v1/patients/me/safety-plan"
LISTS = (
    "signs_i_notice",
    "things_i_can_do",
    "places_and_people",
    "people_i_can_tell",
    "services_i_can_call",
    "making_home_safer",
    "reasons_to_keep_going",
)
CONTACTS = ("people_i_can_tell", "services_i_can_call")
NONE_YET = 1
"""The tag to write the first plan on."""


def written(world: World, base: int = NONE_YET, **changes: Any) -> dict[str, Any]:
    """The patient's plan, as the answer tells it. base: the number in If-Match."""
    answer = world.patient.put(MINE, a_safety_plan(**changes), base=base)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def a_change(world: World, op: str, base_version: int, **changes: Any) -> dict[str, Any]:
    """A change of the plan in an upload."""
    return {
        "kind": "safety_plan",
        "op": op,
        "id": str(world.patient.patient_id),
        "base_version": base_version,
        "entry": a_safety_plan(**changes),
    }


def synced(world: World, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of an upload of these."""
    answer = world.patient.post("/v1/sync", {"changes": list(changes)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def changes_seen(person: Person, path: str) -> list[dict[str, Any]]:
    """What of the plan is in this reader's feed."""
    answer = person.get(f"{path}/changes")
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["changes"] if one["kind"] == "safety_plan"]


class TestWrite:
    def test_there_is_none_until_the_patient_writes_it(self, world: World) -> None:
        for path in (MINE, f"{MINE}/versions", f"{MINE}/page"):
            assert world.patient.get(path).status_code == 404

    def test_it_is_read_as_it_was_written(self, world: World) -> None:
        sent = a_safety_plan()

        told = world.patient.put(MINE, sent, base=NONE_YET)
        read = world.patient.get(MINE)

        assert (told.status_code, told.json()["version"]) == (200, 1)
        assert {name: read.json()[name] for name in LISTS} == {name: sent[name] for name in LISTS}
        assert read.json()["id"] == str(world.patient.patient_id)
        assert read.headers["etag"] == told.headers["etag"] == '"2"'

    def test_the_tag_of_what_was_read_is_good_to_change_it(self, world: World) -> None:
        written(world)
        tag = world.patient.get(MINE).headers["etag"]

        answer = world.patient.put(MINE, a_safety_plan(signs_i_notice=["Less sleep."]), base=tag)

        assert (answer.json()["version"], answer.headers["etag"]) == (2, '"3"')
        assert world.patient.get(MINE).json()["signs_i_notice"] == ["Less sleep."]

    def test_what_is_left_out_is_empty(self, world: World) -> None:
        written(world)

        told = world.patient.put(MINE, {"recorded_at": now().isoformat()}, base=2).json()

        assert [told[name] for name in LISTS] == [[]] * 7

    @pytest.mark.parametrize("versions", [1, 2])
    def test_sent_again_it_changes_nothing(
        self, world: World, behind: Behind, versions: int
    ) -> None:
        sent = a_safety_plan()
        if versions == 2:
            written(world, signs_i_notice=["Another."])
        world.patient.put(MINE, sent, base=versions)
        before = behind.counts()

        again = world.patient.put(MINE, sent, base=versions)

        assert (again.status_code, again.json()["version"]) == (200, versions)
        assert behind.counts() == before

    def test_the_same_content_typed_later_is_the_same_plan(
        self, world: World, behind: Behind
    ) -> None:
        written(world)
        before = behind.counts()

        told = written(world, base=2, recorded_at="2026-01-01T00:00:00Z")

        assert told["version"] == 1
        assert behind.counts() == before

    @pytest.mark.parametrize(
        ("base", "status", "code"),
        [
            (None, 428, "precondition-required"),
            (1, 412, "precondition-failed"),
            (3, 412, "version-unknown"),
            ('"0"', 412, "precondition-failed"),
            ("*", 412, "precondition-failed"),
        ],
    )
    def test_what_was_made_on_another_version_is_refused(
        self, world: World, base: int | str | None, status: int, code: str
    ) -> None:
        written(world)

        answer = world.patient.put(MINE, a_safety_plan(signs_i_notice=["Other."]), base=base)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert world.patient.get(MINE).json()["version"] == 1

    def test_of_two_phones_at_once_one_writes_the_first(self, world: World) -> None:
        def write(number: int) -> int:
            sent = a_safety_plan(signs_i_notice=[f"Phone {number}."])
            return world.patient.put(MINE, sent, base=NONE_YET).status_code

        with ThreadPoolExecutor(4) as phones:
            statuses = sorted(phones.map(write, range(4)))

        assert statuses == [200, 412, 412, 412]
        assert len(world.patient.get(f"{MINE}/versions").json()["versions"]) == 1

    def test_a_version_that_never_was_is_unknown(self, world: World) -> None:
        answer = world.patient.put(MINE, a_safety_plan(), base=2)

        assert (answer.status_code, answer.json()["code"]) == (412, "version-unknown")

    def test_a_clock_that_is_wrong_is_corrected(self, world: World) -> None:
        told = written(world, recorded_at="2026-01-01T10:00:00Z", sent_at="2026-01-01T10:30:00Z")

        assert told["recorded_at"] == "2026-01-01T10:00:00Z"
        assert told["clock_ahead_seconds"] < 0
        assert told["effective_at"] > told["recorded_at"]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"signs_i_notice": ["x" * 501]}, "/signs_i_notice/0"),
            ({"things_i_can_do": [" "]}, "/things_i_can_do/0"),
            ({"places_and_people": ["a\0b"]}, "/places_and_people/0"),
            ({"making_home_safer": ["x"] * 21}, "/making_home_safer"),
            ({"reasons_to_keep_going": "x"}, "/reasons_to_keep_going"),
            ({"people_i_can_tell": [{"name": "x"}] * 21}, "/people_i_can_tell"),
            ({"people_i_can_tell": [{"name": "x" * 501}]}, "/people_i_can_tell/0/name"),
            ({"people_i_can_tell": [{"name": ""}]}, "/people_i_can_tell/0/name"),
            ({"people_i_can_tell": [{"name": "x", "phone": "a"}]}, "/people_i_can_tell/0/phone"),
            ({"services_i_can_call": [{"phone": "112"}]}, "/services_i_can_call/0/name"),
            ({"services_i_can_call": [{"name": "x", "url": "y"}]}, "/services_i_can_call/0"),
            ({"recorded_at": None}, "/recorded_at"),
            ({"id": str(uuid4())}, "/id"),
            ({"crisis_lines": []}, ""),
        ],
    )  # fmt: skip
    def test_what_is_out_of_bounds_is_refused(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = world.patient.put(MINE, a_safety_plan(**changes), base=NONE_YET)

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
        assert world.patient.get(MINE).status_code == 404

    def test_as_much_as_fits_is_kept(self, world: World) -> None:
        texts = ["ñ" * 500] * 20
        contacts = [{"name": "ñ" * 500, "phone": "+1 (555) 0101"}] * 20
        whole: dict[str, Any] = {name: contacts if name in CONTACTS else texts for name in LISTS}

        told = written(world, **whole)

        assert {name: told[name] for name in LISTS} == whole
        assert world.patient.get(f"{MINE}/page").text.count("ñ" * 500) == 140

    def test_the_answer_says_whom_to_call_and_that_nobody_was_alerted(self, world: World) -> None:
        block = written(world)["safety"]

        assert block["crisis_lines"]
        assert block["safety_plan"] is None
        assert "your care team was not alerted" in block["monitoring_statement"]

    def test_what_could_not_be_stored_says_whom_to_call(self, world: World) -> None:
        problem = world.patient.put(MINE, {}, base=NONE_YET).json()

        assert problem["help"]["emergency_number"] == "911"

    def test_no_word_of_it_is_stored_open(self, world: World, behind: Behind) -> None:
        written(world, signs_i_notice=["quetzal"])
        written(world, base=2, people_i_can_tell=[{"name": "quetzal", "phone": None}])

        for table in ("safety_plan", "ledger", "outbox", "access_log"):
            for row in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "quetzal" not in row[0]
                assert b"quetzal".hex() not in row[0]


class TestVersions:
    def test_every_version_stays_readable(self, world: World) -> None:
        written(world, signs_i_notice=["One."])
        written(world, base=2, signs_i_notice=["Two."])

        for person, path in (
            (world.patient, MINE),
            (world.therapist, f"{world.patient.record}/safety-plan"),
        ):
            versions = person.get(f"{path}/versions").json()["versions"]
            assert [
                (one["version"], one["action"], one["by"], one["safety_plan"]["signs_i_notice"])
                for one in versions
            ] == [
                (1, "safety_plan.written", "patient", ["One."]),
                (2, "safety_plan.amended", "patient", ["Two."]),
            ]


class TestWhoSeesIt:
    @pytest.mark.parametrize("part", ["", "/versions", "/page"])
    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("patient", 200),
            ("therapist", 200),
            ("stranger", 404),
            ("other_patient", 404),
            ("coach", 403),
            ("administrator", 403),
        ],
    )
    def test_the_patient_and_who_cares_for_them(
        self, world: World, part: str, who: str, status: int
    ) -> None:
        written(world)

        answer = getattr(world.here, who).get(f"{world.patient.record}/safety-plan{part}")

        assert answer.status_code == status

    @pytest.mark.parametrize("privilege", ["therapy", "prescribe", "monitor"])
    def test_each_privilege_of_care_is_enough_and_is_logged(
        self, world: World, behind: Behind, privilege: str
    ) -> None:
        written(world)
        carer = world.therapist.membership_id
        behind.rows("UPDATE membership SET privileges = %s WHERE id = %s", [privilege], carer)

        answer = world.therapist.get(f"{world.patient.record}/safety-plan")

        assert answer.status_code == 200
        assert behind.accesses(world.here.id) == [
            (carer, world.patient.patient_id, "safety_plan.read")
        ]

    @pytest.mark.parametrize(("hours", "status"), [(1, 200), (-1, 404)])
    def test_a_link_that_covers_is_a_link_of_care_while_it_lasts(
        self, world: World, behind: Behind, hours: int, status: int
    ) -> None:
        written(world)
        behind.rows(
            "UPDATE care_link SET kind = 'coverage', ends_at = %s WHERE patient_id = %s",
            now() + timedelta(hours=hours),
            world.patient.patient_id,
        )

        answer = world.therapist.get(f"{world.patient.record}/safety-plan")

        assert answer.status_code == status

    def test_not_from_another_clinic(self, world: World) -> None:
        written(world)

        answer = world.elsewhere.therapist.get(f"{world.patient.record}/safety-plan")

        assert answer.status_code == 404

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_nobody_else_writes_it(self, world: World, who: str) -> None:
        path = f"{world.patient.record}/safety-plan"

        answer = getattr(world.here, who).put(path, a_safety_plan(), base=NONE_YET)

        assert answer.status_code == 403
        assert world.patient.get(MINE).status_code == 404


class TestPage:
    def test_it_is_html_that_may_show_its_own_style_and_nothing_else(self, world: World) -> None:
        written(world)

        answer = world.patient.get(f"{MINE}/page")

        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        [policy] = answer.headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_it_has_the_plan_and_the_clinic(self, world: World) -> None:
        written(world)

        text = world.patient.get(f"{MINE}/page").text

        for said in ("Walk to the river.", "Ana", "+1 555 0199", "Test Clinic", "Version 1, "):
            assert said in text
        assert "Dr Okafor's practice" in unescape(text)

    @pytest.mark.parametrize(
        ("query", "number"), [("", "911"), ("?country=DE", "112"), ("?country=?", "911")]
    )
    def test_it_has_the_lines_of_where_the_patient_is(
        self, world: World, query: str, number: str
    ) -> None:
        written(world)

        assert f'href="tel:{number}"' in world.patient.get(f"{MINE}/page{query}").text

    def test_markup_in_every_list_stays_text(self, world: World) -> None:
        attack = "<script>alert(1)</script>"
        contact = [{"name": attack, "phone": "112"}]
        whole: dict[str, Any] = {name: contact if name in CONTACTS else [attack] for name in LISTS}
        written(world, **whole)

        text = world.patient.get(f"{MINE}/page").text

        assert "<script" not in text
        assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 7

    def test_a_clinics_own_headings_are_used_and_stay_text(self, world: World) -> None:
        written(world)
        path = "/v1/clinic/texts/en"
        tag = world.administrator.get("/v1/clinic/texts").headers["etag"]
        texts = {"texts": {"plan.title": "<script>My</script>", "plan.my-clinic": "Your clinic"}}
        set_to = world.administrator.put(path, texts, base=tag)

        text = world.patient.get(f"{MINE}/page").text

        assert set_to.status_code == 200
        assert "<script" not in text
        assert "Your clinic" in text


class TestInDanger:
    def test_a_flagged_answer_brings_it(self, world: World) -> None:
        written(world, signs_i_notice=["Now."])

        told = world.patient.post(
            "/v1/patients/me/check-ins", a_check_in(answers=phq_9(12, item_nine=2))
        ).json()

        assert told["safety"]["flag"] is not None
        assert told["safety"]["safety_plan"]["signs_i_notice"] == ["Now."]
        assert told["safety"]["safety_plan"]["version"] == 1

    def test_an_unflagged_one_does_not(self, world: World) -> None:
        written(world)

        told = world.patient.post("/v1/patients/me/check-ins", a_check_in()).json()

        assert told["safety"]["flag"] is None
        assert told["safety"]["safety_plan"] is None

    def test_an_answer_without_a_flag_asks_the_database_nothing(
        self, world: World, direct: Direct
    ) -> None:
        written(world)
        nothing: Any = object()

        def answer(db: Db) -> SafetyOut:
            assert world.patient.patient_id is not None
            db.enter(world.here.id)
            chart = open_unattended(db, world.patient.patient_id, now())
            assert chart is not None
            return safety_block(nothing, chart, NOT_ASSESSED, None, country=None, now=now())

        assert direct.run(answer).safety_plan is None

    def test_without_one_there_is_none(self, world: World) -> None:
        told = world.patient.post("/v1/patients/me/flags", {}).json()

        assert told["safety"]["flag"] is not None
        assert told["safety"]["safety_plan"] is None

    def test_a_call_for_help_brings_it(self, world: World) -> None:
        written(world)

        told = world.patient.post("/v1/patients/me/flags", {}).json()

        assert told["safety"]["safety_plan"]["things_i_can_do"][0] == "Walk to the river."

    def test_it_is_no_answer_to_a_body_in_danger(self, world: World) -> None:
        written(world)

        told = world.patient.post("/v1/patients/me/flags", {"kind": "physical"}).json()

        assert told["safety"]["flag"]["kind"] == "physical"
        assert told["safety"]["safety_plan"] is None

    def test_a_clinician_who_is_worried_is_shown_it(self, world: World) -> None:
        written(world)

        told = world.therapist.post(f"{world.patient.record}/flags", {}).json()

        assert told["safety"]["safety_plan"]["version"] == 1

    def test_written_in_the_same_upload_it_is_there(self, world: World) -> None:
        check_in = {
            "kind": "check_in",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_check_in(answers=phq_9(12, item_nine=2)),
        }

        told = world.patient.post(
            "/v1/sync", {"changes": [a_change(world, "create", 0), check_in]}
        ).json()

        assert told["safety"]["flag"] is not None
        assert told["safety"]["safety_plan"]["version"] == 1

    def test_a_plan_that_cannot_be_read_keeps_no_call_back(
        self, world: World, behind: Behind
    ) -> None:
        written(world)
        behind.rows(
            "UPDATE safety_plan SET words = '\\x00' WHERE patient_id = %s",
            world.patient.patient_id,
        )

        told = world.patient.post("/v1/patients/me/flags", {})

        assert told.status_code == 201
        assert told.json()["safety"]["safety_plan"] is None
        assert len(world.therapist.get("/v1/flags").json()["flags"]) == 1


class TestBundle:
    def test_a_phone_keeps_it_for_when_there_is_no_network(self, world: World) -> None:
        before = world.patient.get("/v1/patients/me/bundle").json()
        written(world)
        after = world.patient.get("/v1/patients/me/bundle").json()

        assert before["safety_plan"] is None
        assert after["safety_plan"] == world.patient.get(MINE).json()


class TestChanges:
    def test_the_patient_and_who_cares_for_them_see_every_version(self, world: World) -> None:
        written(world)
        written(world, base=2, signs_i_notice=["Two."])

        for person, path in (
            (world.patient, "/v1/patients/me"),
            (world.therapist, world.patient.record),
        ):
            seen = changes_seen(person, path)
            assert [(one["version"], one["id"], one["is_tombstone"]) for one in seen] == [
                (1, str(world.patient.patient_id), False),
                (2, str(world.patient.patient_id), False),
            ]
            assert seen[1]["entry"]["signs_i_notice"] == ["Two."]


class TestSync:
    def test_it_is_written_and_amended_offline(self, world: World) -> None:
        results = synced(
            world,
            a_change(world, "create", 0),
            a_change(world, "amend", 1, signs_i_notice=["Two."]),
        )

        assert [(one["status"], one["version"]) for one in results] == [
            ("created", 1),
            ("amended", 2),
        ]
        assert results[1]["entry"] == world.patient.get(MINE).json()

    def test_sent_again_everything_is_unchanged(self, world: World, behind: Behind) -> None:
        upload = (
            a_change(world, "create", 0),
            a_change(world, "amend", 1, signs_i_notice=["Two."]),
        )
        synced(world, *upload)
        before = behind.counts()

        again = synced(world, *upload)

        assert [(one["status"], one["version"]) for one in again] == [("unchanged", 2)] * 2
        assert behind.counts() == before

    @pytest.mark.parametrize(("op", "base_version"), [("create", 0), ("amend", 1)])
    def test_what_another_phone_wrote_first_comes_back(
        self, world: World, op: str, base_version: int
    ) -> None:
        written(world)
        if op == "amend":
            written(world, base=2, signs_i_notice=["Theirs."])

        [result] = synced(world, a_change(world, op, base_version, signs_i_notice=["Mine."]))

        assert (result["status"], result["problem"]["code"]) == ("conflict", "precondition-failed")
        assert result["entry"] == world.patient.get(MINE).json()
        assert result["kept_as"] is None

    def test_the_phone_may_send_its_own_on_top_of_that(self, world: World) -> None:
        written(world)
        [result] = synced(world, a_change(world, "create", 0, signs_i_notice=["Mine."]))

        [again] = synced(
            world, a_change(world, "amend", result["version"], signs_i_notice=["Mine."])
        )

        assert (again["status"], again["version"]) == ("amended", 2)

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"op": "withdraw", "base_version": 1, "entry": None}, "/op"),
            ({"id": str(uuid4())}, "/entry/id"),
            ({"entry": a_safety_plan(signs_i_notice=["x" * 501])}, "/entry/signs_i_notice/0"),
        ],
    )
    def test_what_cannot_be_is_refused_and_stands_in_no_others_way(
        self, world: World, change: dict[str, Any], pointer: str
    ) -> None:
        results = synced(world, a_change(world, "create", 0) | change, a_change(world, "create", 0))

        assert [one["status"] for one in results] == ["refused", "created"]
        assert [one["pointer"] for one in results[0]["problem"]["errors"]] == [pointer]

    def test_an_amendment_of_what_is_not_there_is_refused(self, world: World) -> None:
        [result] = synced(world, a_change(world, "amend", 1))

        assert (result["status"], result["problem"]["code"]) == ("refused", "version-unknown")
        assert world.patient.get(MINE).status_code == 404
