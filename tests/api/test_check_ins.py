"""Submitting and reading check-ins."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from tests.api.checking_in import CHECK_INS, gave_a_dose, submitted
from tests.builders import Person, World, a_check_in, now, phq_9
from tests.conftest import Behind


class TestSubmit:
    def test_a_check_in_comes_back_scored_with_its_band(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in())

        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert (told["total"], told["band"], told["complete"]) == (12, "moderate", True)
        assert (told["instrument"], told["instrument_version"]) == ("phq-9", "1")
        assert told["status"] == "final"
        assert answer.headers["ETag"] == f'"{told["version"]}"' == '"1"'

    # Kroenke, Spitzer & Williams 2001: 0-4, 5-9, 10-14, 15-19, 20-27.
    @pytest.mark.parametrize(
        ("total", "band"),
        [
            (0, "minimal"),
            (4, "minimal"),
            (5, "mild"),
            (9, "mild"),
            (10, "moderate"),
            (14, "moderate"),
            (15, "moderately-severe"),
            (19, "moderately-severe"),
            (20, "severe"),
            (24, "severe"),
        ],
    )
    def test_a_phq_9_lies_in_its_published_band(self, world: World, total: int, band: str) -> None:
        told = submitted(world.patient, answers=phq_9(total))

        assert (told["total"], told["band"]) == (total, band)

    # Spitzer et al. 2006: 0-4, 5-9, 10-14, 15-21.
    @pytest.mark.parametrize(
        ("answers", "total", "band"),
        [
            ([1, 1, 1, 1, 0, 0, 0], 4, "minimal"),
            ([1, 1, 1, 1, 1, 0, 0], 5, "mild"),
            ([2, 2, 2, 2, 2, 0, 0], 10, "moderate"),
            ([3, 3, 3, 3, 3, 0, 0], 15, "severe"),
            ([3, 3, 3, 3, 3, 3, 3], 21, "severe"),
        ],
    )
    def test_a_gad_7_lies_in_its_published_band(
        self, world: World, answers: list[int], total: int, band: str
    ) -> None:
        told = submitted(world.patient, instrument="gad-7", answers=answers)

        assert (told["total"], told["band"]) == (total, band)

    def test_momentary_answers_stand_alone_and_have_no_total(self, world: World) -> None:
        told = submitted(world.patient, instrument="momentary", answers=[7, 2, 5, 0, 10])

        assert (told["total"], told["band"], told["complete"]) == (None, None, True)
        assert told["answers"] == [7, 2, 5, 0, 10]

    def test_a_missing_answer_makes_the_total_null_and_is_kept_as_missing(
        self, world: World
    ) -> None:
        told = submitted(world.patient, answers=[3, None, 1, 2, 1, 2, 1, 1, 0])

        assert (told["total"], told["band"], told["complete"]) == (None, None, False)
        assert told["answers"] == [3, None, 1, 2, 1, 2, 1, 1, 0]

    def test_unscored_extras_are_kept_and_not_counted(self, world: World) -> None:
        told = submitted(world.patient, extras={"difficulty": 3})

        assert (told["extras"], told["total"]) == ({"difficulty": 3}, 12)

    def test_a_version_that_is_offered_can_be_named(self, world: World) -> None:
        assert submitted(world.patient, instrument_version="1")["instrument_version"] == "1"

    def test_the_server_makes_an_id_when_none_is_sent(self, world: World) -> None:
        first, second = submitted(world.patient), submitted(world.patient)

        assert UUID(first["id"]) != UUID(second["id"])

    def test_any_uuid_of_the_clients_is_its_id(self, world: World) -> None:
        check_in_id = str(uuid4())

        assert submitted(world.patient, id=check_in_id)["id"] == check_in_id

    def test_a_check_in_is_one_row_of_the_patients_ledger(
        self, world: World, behind: Behind
    ) -> None:
        told = submitted(world.patient)

        rows = behind.rows(
            "SELECT action, entry_kind, entry_version, actor_id, actor_role FROM ledger"
            " WHERE patient_id = %s AND entry_id = %s",
            world.patient.patient_id,
            told["id"],
        )
        assert rows == [
            ("check_in.submitted", "check_in", 1, world.patient.membership_id, "patient")
        ]

    @pytest.mark.parametrize("who", ["therapist", "stranger", "coach", "administrator"])
    def test_only_the_patient_answers_for_themselves(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        answer = person.post(f"{world.patient.record}/check-ins", a_check_in())

        assert answer.status_code == 403
        assert world.patient.get(CHECK_INS).json()["check_ins"] == []

    def test_another_patients_record_is_not_there_to_write_in(self, world: World) -> None:
        answer = world.patient.post(f"{world.here.other_patient.record}/check-ins", a_check_in())

        assert answer.status_code == 404

    def test_one_id_may_be_used_by_two_patients(self, world: World) -> None:
        check_in_id = str(uuid4())
        submitted(world.patient, id=check_in_id)

        # A collision would reveal that somebody else has an entry of this id.
        told = submitted(world.here.other_patient, id=check_in_id, answers=phq_9(3))

        assert told["total"] == 3


class TestRetry:
    def test_the_same_check_in_sent_again_is_answered_and_not_stored_again(
        self, world: World
    ) -> None:
        sent = a_check_in(id=str(uuid4()))
        first = world.patient.post(CHECK_INS, sent)

        again = world.patient.post(CHECK_INS, sent)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert again.headers["ETag"] == first.headers["ETag"]
        assert len(world.patient.get(CHECK_INS).json()["check_ins"]) == 1

    def test_when_the_phone_sent_is_not_part_of_the_content(self, world: World) -> None:
        sent = a_check_in(id=str(uuid4()), sent_at=now().isoformat())
        first = world.patient.post(CHECK_INS, sent).json()

        later = (now() + timedelta(minutes=20)).isoformat()
        again = world.patient.post(CHECK_INS, sent | {"sent_at": later})

        assert again.status_code == 200, again.text
        assert again.json() == first

    def test_the_same_instant_in_another_offset_is_the_same_content(self, world: World) -> None:
        sent = a_check_in(id=str(uuid4()), recorded_at="2026-03-01T20:15:00+01:00")
        world.patient.post(CHECK_INS, sent)

        again = world.patient.post(CHECK_INS, sent | {"recorded_at": "2026-03-01T19:15:00Z"})

        assert again.status_code == 200, again.text

    def test_naming_the_version_that_was_meant_is_the_same_content(self, world: World) -> None:
        sent = a_check_in(id=str(uuid4()))
        world.patient.post(CHECK_INS, sent)

        assert world.patient.post(CHECK_INS, sent | {"instrument_version": "1"}).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [
            {"answers": [2, 2, 1, 2, 1, 2, 1, 2, 0]},
            {"answers": [2, 2, 1, 2, 1, 2, 1, None, 0]},
            {"instrument": "gad-7", "answers": [1] * 7},
            {"extras": {"difficulty": 1}},
            {"recorded_at": "2026-01-01T00:00:00Z"},
        ],
    )
    def test_other_content_under_a_used_id_is_refused_and_changes_nothing(
        self, world: World, change: dict[str, Any]
    ) -> None:
        sent = a_check_in(id=str(uuid4()))
        first = world.patient.post(CHECK_INS, sent).json()

        answer = world.patient.post(CHECK_INS, sent | change)

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")
        kept = world.patient.get(f"{CHECK_INS}/{sent['id']}").json()
        assert kept["answers"] == first["answers"]

    def test_safety_is_told_as_it_is_at_the_retry(self, world: World) -> None:
        sent = a_check_in(id=str(uuid4()), answers=phq_9(9, item_nine=1))
        first = world.patient.post(CHECK_INS, sent).json()["safety"]
        submitted(world.patient, answers=phq_9(9, item_nine=3))

        again = world.patient.post(f"{CHECK_INS}?country=DE", sent).json()["safety"]

        assert (first["flag"]["level"], first["flag"]["round"]) == ("low", 1)
        assert (again["flag"]["level"], again["flag"]["round"]) == ("high", 2)
        assert again["flag"]["id"] == first["flag"]["id"]
        # What this check-in itself said has not changed; where the patient is has.
        assert again["level"] == "low"
        assert (first["country"], again["country"]) == ("US", "DE")

    def test_the_position_is_told_as_it_is_at_the_retry(self, world: World) -> None:
        recorded_at = now() - timedelta(hours=30)
        sent = a_check_in(id=str(uuid4()), recorded_at=recorded_at.isoformat())
        first = world.patient.post(CHECK_INS, sent).json()
        gave_a_dose(world.therapist, world.patient, recorded_at - timedelta(hours=2))

        again = world.patient.post(CHECK_INS, sent).json()

        assert first["position"]["window"] == "baseline"
        assert again["position"] == {
            "dose_number": 1,
            "hours_since_dose": 2.0,
            "window": "0-4h",
        }

    def test_a_flagged_check_in_sent_again_raises_nothing_new(
        self, world: World, behind: Behind
    ) -> None:
        sent = a_check_in(id=str(uuid4()), answers=phq_9(9, item_nine=3))
        world.patient.post(CHECK_INS, sent)
        before = behind.counts()

        again = world.patient.post(CHECK_INS, sent)

        assert again.json()["safety"]["flag"]["round"] == 1
        assert behind.counts() == before

    @pytest.mark.parametrize("item_nine", [0, 2])
    def test_fifty_sendings_at_once_are_stored_once(
        self, world: World, behind: Behind, item_nine: int
    ) -> None:
        sent = a_check_in(id=str(uuid4()), answers=phq_9(9, item_nine=item_nine))

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: world.patient.post(CHECK_INS, sent), range(50)))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}
        assert {answer.json()["id"] for answer in answers} == {sent["id"]}
        for table in ("check_in", "ledger"):
            column = "id" if table == "check_in" else "entry_id"
            assert behind.rows(
                f"SELECT count(*) FROM {table} WHERE patient_id = %s AND {column} = %s",
                world.patient.patient_id,
                sent["id"],
            ) == [(1,)]
        assert behind.rows(
            "SELECT count(*) FROM flag_evidence WHERE source_id = %s", sent["id"]
        ) == [(1 if item_nine else 0,)]

    def test_different_check_ins_sent_at_once_are_all_stored(
        self, world: World, behind: Behind
    ) -> None:
        sent = [
            a_check_in(id=str(uuid4()), answers=phq_9(9, item_nine=place % 4))
            for place in range(12)
        ]

        # Each of them twice, as phones do on a bad line.
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda one: world.patient.post(CHECK_INS, one), sent * 2))

        assert Counter(answer.status_code for answer in answers) == {201: 12, 200: 12}
        seqs = behind.rows(
            "SELECT seq FROM ledger WHERE patient_id = %s ORDER BY seq", world.patient.patient_id
        )
        assert [seq for (seq,) in seqs] == list(range(1, len(seqs) + 1))
        flags = behind.rows(
            "SELECT level FROM flag WHERE patient_id = %s", world.patient.patient_id
        )
        assert flags == [("high",)]


class TestRead:
    def test_it_reads_as_it_was_stored(self, world: World) -> None:
        told = submitted(world.patient, extras={"difficulty": 2})

        answer = world.patient.get(f"{CHECK_INS}/{told['id']}")

        told.pop("safety")
        read = answer.json()
        assert read.pop("timing")["point"] == "baseline"
        assert (answer.status_code, read) == (200, told)
        assert answer.headers["ETag"] == '"1"'

    def test_the_therapist_reads_the_same(self, world: World) -> None:
        told = submitted(world.patient)

        answer = world.therapist.get(f"{world.patient.record}/check-ins/{told['id']}")

        assert answer.json() == world.patient.get(f"{CHECK_INS}/{told['id']}").json()

    def test_what_is_not_there_is_not_found(self, world: World) -> None:
        answer = world.patient.get(f"{CHECK_INS}/{uuid4()}")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_another_patients_check_in_is_not_there(self, world: World) -> None:
        told = submitted(world.patient)

        for path in (CHECK_INS, f"{world.patient.record}/check-ins"):
            assert world.here.other_patient.get(f"{path}/{told['id']}").status_code == 404

    def test_me_is_no_patient_for_a_clinician(self, world: World) -> None:
        answer = world.therapist.get(CHECK_INS)

        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-patient")


class TestList:
    @pytest.fixture
    def seven(self, world: World) -> list[str]:
        """Ids of seven check-ins, newest first; the last three at the very same instant."""
        hours = [1, 2, 3, 4, 9, 9, 9]
        made = [
            (recorded_at, submitted(world.patient, recorded_at=recorded_at)["id"])
            for recorded_at in ((now() - timedelta(hours=hour)).isoformat() for hour in hours)
        ]
        return [check_in_id for _, check_in_id in sorted(made, reverse=True)]

    def test_it_is_empty_at_first(self, world: World) -> None:
        answer = world.patient.get(CHECK_INS)

        assert answer.json() == {"check_ins": [], "next_cursor": None}
        assert "Link" not in answer.headers

    def test_it_is_newest_first(self, world: World, seven: list[str]) -> None:
        listed = world.patient.get(CHECK_INS).json()["check_ins"]

        assert [one["id"] for one in listed] == seven
        assert "safety" not in listed[0]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_its_pages_make_up_the_whole(self, world: World, seven: list[str], limit: int) -> None:
        path: str | None = f"{CHECK_INS}?limit={limit}"
        found: list[str] = []
        while path is not None:
            answer = world.patient.get(path)
            page = answer.json()
            assert len(page["check_ins"]) <= limit
            found += [one["id"] for one in page["check_ins"]]
            path = next_page(answer.headers.get("Link"))
            assert (path is None) == (page["next_cursor"] is None)

        assert found == seven

    def test_the_cursor_of_a_page_is_the_one_in_its_link(
        self, world: World, seven: list[str]
    ) -> None:
        answer = world.patient.get(f"{CHECK_INS}?limit=2")

        path = next_page(answer.headers["Link"])

        assert path is not None
        query = parse_qs(urlsplit(path).query)
        assert query == {"cursor": [answer.json()["next_cursor"]], "limit": ["2"]}
        assert urlsplit(path).path == CHECK_INS

    def test_what_arrives_meanwhile_moves_no_page(self, world: World, seven: list[str]) -> None:
        first = world.patient.get(f"{CHECK_INS}?limit=3").json()
        submitted(world.patient)

        second = world.patient.get(
            CHECK_INS, params={"limit": 3, "cursor": first["next_cursor"]}
        ).json()

        assert [one["id"] for one in second["check_ins"]] == seven[3:6]

    def test_it_can_be_of_one_instrument_page_by_page(self, world: World, seven: list[str]) -> None:
        anxious = [
            submitted(
                world.patient,
                instrument="gad-7",
                answers=[1] * 7,
                recorded_at=(now() - timedelta(hours=hour)).isoformat(),
            )["id"]
            for hour in (5, 6, 7)
        ]

        first = world.patient.get(f"{CHECK_INS}?instrument=gad-7&limit=2")
        path = next_page(first.headers["Link"])
        assert path is not None
        second = world.patient.get(path)

        listed = first.json()["check_ins"] + second.json()["check_ins"]
        assert [one["id"] for one in listed] == anxious

    def test_an_instrument_nobody_answered_gives_an_empty_list(self, world: World) -> None:
        assert world.patient.get(f"{CHECK_INS}?instrument=other").json()["check_ins"] == []

    def test_a_cursor_is_good_for_its_own_list_only(self, world: World, seven: list[str]) -> None:
        mine = world.patient.get(f"{CHECK_INS}?limit=2").json()["next_cursor"]
        for _ in range(2):
            submitted(world.here.other_patient)
        theirs = world.here.other_patient.get(f"{CHECK_INS}?limit=1").json()["next_cursor"]
        forged = "A" * len(mine)
        turned = mine[:-1] + ("A" if mine[-1] != "A" else "B")

        for path, cursor in (
            (CHECK_INS, theirs),
            (CHECK_INS, forged),
            (CHECK_INS, turned),
            (CHECK_INS, mine[:-4]),
            (CHECK_INS, mine + "AAAA"),
            (f"{CHECK_INS}?instrument=phq-9", mine),
            ("/v1/patients/me/goals", mine),
            ("/v1/patients/me/notes", mine),
            ("/v1/patients/me/dosing-sessions", mine),
        ):
            joint = "&" if "?" in path else "?"
            answer = world.patient.get(f"{path}{joint}cursor={cursor}")
            assert answer.status_code == 400, (path, cursor)
            assert answer.json()["errors"] == [
                {"pointer": "query:cursor", "reason": "is not one of this list"}
            ]


def next_page(link: str | None) -> str | None:
    """The address in a Link header of the form `<…>; rel="next"` (RFC 8288)."""
    if link is None:
        return None
    address, _, relation = link.partition(">; ")
    assert relation == 'rel="next"'
    return address.removeprefix("<")
