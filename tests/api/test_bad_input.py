"""What a client should not send.

Each is answered with a 4xx problem that names the place and never the value; nothing is stored,
nothing of it reaches a log, and the next good request works.
"""

import json
from typing import Any

import pytest

from tests.api.probe import CANARY, CHECK_INS, NUMBER, Probe, with_raw
from tests.builders import a_check_in, a_dosing_session, a_goal, a_note, an_acceptance


class TestAnswers:
    @pytest.mark.parametrize(
        "raw",
        [
            "true",
            "false",
            "1.0",
            "0.0",
            "1.5",
            "1e0",
            '"1"',
            '"kakapo"',
            "4",
            "-1",
            "-0.0",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-1e999",
            "32767",
            "32768",
            "918273645",
            "2147483648",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775809",
            "1" + "0" * 400,
            "[]",
            "[1]",
            "{}",
            '{"kakapo": 1}',
        ],
    )
    @pytest.mark.parametrize("place", [0, 8])
    def test_what_is_no_answer_is_refused_by_its_place(
        self, probe: Probe, raw: str, place: int
    ) -> None:
        content = with_raw(a_check_in(), f"/answers/{place}", raw)

        probe.refused(CHECK_INS, content, status=422, pointer=f"/answers/{place}")

    @pytest.mark.parametrize("raw", ["1" + "0" * 5000, "01", "+1", ".5", "1.", "0x1", "'1'", "１"])
    def test_what_is_no_json_number_is_no_json(self, probe: Probe, raw: str) -> None:
        content = with_raw(a_check_in(), "/answers/0", raw)

        probe.refused(CHECK_INS, content, status=400, pointer="")

    @pytest.mark.parametrize(
        "raw",
        [
            "null",
            "5",
            '"kakapo"',
            "{}",
            "true",
            "[]",
            "[1]",
            json.dumps([1] * 8),
            json.dumps([1] * 10),
            json.dumps([1] * 200),
            json.dumps([1] * 201),
            json.dumps([1] * 300_000),
            json.dumps([CANARY] * 90_000),
        ],
    )
    def test_a_wrong_number_of_answers_is_refused(self, probe: Probe, raw: str) -> None:
        content = with_raw(a_check_in(), "/answers", raw)

        probe.refused(CHECK_INS, content, status=422, pointer="/answers")

    @pytest.mark.parametrize(
        ("instrument", "answers", "place"),
        [
            ("phq-9", [0, 1, 2, 3, 4, 0, 0, 0, 0], 4),
            ("gad-7", [0, 1, 2, 3, 0, 0, -1], 6),
            ("momentary", [11, 0, 0, 0, 0], 0),
            ("momentary", [0, 0, 0, 0, -1], 4),
        ],
    )
    def test_an_answer_that_is_not_offered_is_refused_by_its_place(
        self, probe: Probe, instrument: str, answers: list[int], place: int
    ) -> None:
        content = json.dumps(a_check_in(instrument=instrument, answers=answers))

        probe.refused(CHECK_INS, content, status=422, pointer=f"/answers/{place}")

    def test_every_wrong_answer_is_named(self, probe: Probe) -> None:
        content = json.dumps(a_check_in(answers=[4, 0, 5, 0, 0, 0, 0, 0, 99]))

        answer = probe.refused(CHECK_INS, content, status=422)

        assert [fault["pointer"] for fault in answer.json()["errors"]] == [
            "/answers/0",
            "/answers/2",
            "/answers/8",
        ]

    @pytest.mark.parametrize(
        ("extras", "pointer"),
        [
            ({CANARY: 1}, "/extras"),
            ({CANARY: CANARY}, "/extras"),
            ({"Kakapo Key": 1}, "/extras"),
            ({"": 1}, "/extras"),
            ({"difficulty": 4}, "/extras/difficulty"),
            ({"difficulty": NUMBER}, "/extras"),
            ({"difficulty": True}, "/extras"),
            ({"difficulty": CANARY}, "/extras"),
            ({f"key-{place}": 1 for place in range(21)}, "/extras"),
            ({f"{place}": 1 for place in range(80_000)}, "/extras"),
            ([], "/extras"),
            (None, "/extras"),
        ],
    )
    def test_extras_that_were_not_asked_for_are_refused(
        self, probe: Probe, extras: Any, pointer: str
    ) -> None:
        content = json.dumps(a_check_in(extras=extras), separators=(",", ":"))

        probe.refused(CHECK_INS, content, status=422, pointer=pointer)


class TestInstrument:
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("instrument", CANARY),
            ("instrument", "PHQ-9"),
            ("instrument", "phq-9 "),
            ("instrument", "phq-9\x00kakapo"),
            ("instrument", "../kakapo"),
            ("instrument", "'; DROP TABLE check_in; -- kakapo"),
            ("instrument", ""),
            ("instrument", CANARY * 20),
            ("instrument", 9),
            ("instrument", None),
            ("instrument", ["phq-9"]),
            ("instrument_version", CANARY),
            ("instrument_version", "2"),
            ("instrument_version", ""),
            ("instrument_version", 1),
        ],
    )
    def test_one_that_is_not_offered_is_refused(
        self, probe: Probe, member: str, value: Any
    ) -> None:
        content = json.dumps(a_check_in(**{member: value}))

        probe.refused(CHECK_INS, content, status=422, pointer=f"/{member}")


class TestInstants:
    @pytest.mark.parametrize(
        "raw",
        [
            '"2026-03-01T10:00:00"',
            '"2026-03-01T10:00"',
            '"2026-03-01"',
            '"10:00:00Z"',
            "1700000000",
            "1700000000.5",
            '"1700000000"',
            '"1700000000.5"',
            '"1700000000000"',
            '"-1"',
            '"0001-01-01T00:00:00Z"',
            '"0001-01-01T00:00:00+14:00"',
            '"9999-12-31T23:59:59Z"',
            '"9999-12-31T23:59:59-14:00"',
            '"10000-01-01T00:00:00Z"',
            '"0000-01-01T00:00:00Z"',
            '"1999-12-31T23:59:59Z"',
            '"2000-01-01T00:59:59+01:00"',
            '"2100-01-01T00:00:00Z"',
            '"2101-01-01T00:00:00Z"',
            '"2026-02-30T00:00:00Z"',
            '"2026-13-01T00:00:00Z"',
            '"2026-03-01T24:00:01Z"',
            '"2026-03-01T10:00:00+24:00"',
            '"2026-03-01T10:00:00Z kakapo"',
            '"2026-03-01T10:00:00[Europe/Berlin]"',
            '"٢٠٢٦-03-01T10:00:00Z"',
            '"kakapo"',
            '""',
            "null",
            "true",
            "[]",
            "{}",
            "NaN",
            "1e999",
        ],
    )
    def test_what_is_no_instant_of_this_century_is_refused(self, probe: Probe, raw: str) -> None:
        content = with_raw(a_check_in(), "/recorded_at", raw)

        probe.refused(CHECK_INS, content, status=422, pointer="/recorded_at")

    @pytest.mark.parametrize(
        ("path", "by", "body", "pointer"),
        [
            (CHECK_INS, "patient", a_check_in(sent_at=""), "/sent_at"),
            ("/v1/patients/me/notes", "patient", a_note(), "/recorded_at"),
            ("/v1/patients/me/notes", "patient", a_note(sent_at=""), "/sent_at"),
            ("/v1/patients/me/goals", "patient", a_goal(), "/recorded_at"),
            (
                "/v1/patients/{}/dosing-sessions",
                "therapist",
                a_dosing_session(),
                "/administrations/0/given_at",
            ),
            (
                "/v1/patients/{}/dosing-sessions",
                "therapist",
                a_dosing_session(started_at=""),
                "/started_at",
            ),
        ],
    )
    @pytest.mark.parametrize(
        "raw", ['"2026-03-01T10:00:00"', "1700000000", '"1700000000"', '"1999-12-31T23:59:59Z"']
    )
    def test_so_it_is_wherever_an_instant_belongs(
        self, probe: Probe, path: str, by: str, body: dict[str, Any], pointer: str, raw: str
    ) -> None:
        path = path.format(probe.clinic.patient.patient_id)

        probe.refused(path, with_raw(body, pointer, raw), status=422, pointer=pointer, by=by)

    @pytest.mark.parametrize(
        "recorded_at",
        [
            "2026-03-01T10:00:00Z",
            "2026-03-01t10:00:00z",
            "2026-03-01 10:00:00+00:00",
            "2026-03-01T10:00:00.123456789+05:45",
            "2026-03-01T23:59:59-12:00",
            "2000-01-01T00:00:00Z",
            "2099-12-31T23:59:59.999999Z",
        ],
    )
    def test_every_spelling_of_rfc_3339_is_accepted(self, probe: Probe, recorded_at: str) -> None:
        answer = probe.clinic.patient.post(CHECK_INS, a_check_in(recorded_at=recorded_at))

        assert answer.status_code == 201


class TestText:
    @pytest.mark.parametrize(
        ("path", "body", "pointer"),
        [
            ("/v1/patients/me/notes", a_note(), "/words"),
            ("/v1/patients/me/goals", a_goal(), "/words"),
            ("/v1/patients/me/goals", a_goal(), "/why"),
            ("/v1/invitations/accept", an_acceptance("0" * 16), "/name"),
            ("/v1/invitations/accept", an_acceptance("0" * 16), "/username"),
        ],
    )
    @pytest.mark.parametrize(
        ("raw", "is_json"),
        [
            ('"kakapo \\u0000"', True),
            ('"\\ud800 kakapo"', False),
            ('"kakapo \\udc00\\ud800"', False),
            ('"kakapo \ud800"', False),
            ('"kakapo \\x41"', False),
            ('"kakapo \n"', False),
            ('"kakapo', False),
            ('"' + CANARY * 20_000 + '"', True),
            ('"  "', True),
            ('""', True),
            ("918273645", True),
            ('["kakapo"]', True),
        ],
    )
    def test_what_cannot_be_kept_is_refused(
        self, probe: Probe, path: str, body: dict[str, Any], pointer: str, raw: str, is_json: bool
    ) -> None:
        content = with_raw(body, pointer, raw)

        probe.refused(
            path, content, status=422 if is_json else 400, pointer=pointer if is_json else ""
        )

    def test_bytes_that_are_no_utf_8_are_refused(self, probe: Probe) -> None:
        content = json.dumps(a_note(words=CANARY)).encode().replace(b"kakapo", b"kakapo \xff\xfe")

        probe.refused("/v1/patients/me/notes", content, status=400, pointer="")


class TestDoses:
    @pytest.mark.parametrize(
        "raw",
        ["0", "-1", "0.0001", "1e-400", "5000.01", "918273645", "NaN", "Infinity", "1e999",
         "true", '"40"', '"kakapo"', "null", "[]"],
    )  # fmt: skip
    def test_a_dose_that_cannot_be_is_refused(self, probe: Probe, raw: str) -> None:
        pointer = "/administrations/0/dose_mg"

        probe.refused(
            f"{probe.clinic.patient.record}/dosing-sessions",
            with_raw(a_dosing_session(), pointer, raw),
            status=422,
            pointer=pointer,
            by="therapist",
        )

    @pytest.mark.parametrize(
        ("pointer", "raw"),
        [
            ("/administrations", "null"),
            ("/administrations", "{}"),
            ("/administrations/0", "null"),
            ("/administrations/0", '"kakapo"'),
            ("/administrations/0/drug", '"Kakapo Juice"'),
            ("/administrations/0/drug", '"' + "x" * 65 + '"'),
            ("/administrations/0/route", '"kakapo"'),
            ("/status", '"kakapo"'),
            ("/id", '"kakapo"'),
            ("/id", "918273645"),
        ],
    )
    def test_so_is_what_belongs_to_it(self, probe: Probe, pointer: str, raw: str) -> None:
        probe.refused(
            f"{probe.clinic.patient.record}/dosing-sessions",
            with_raw(a_dosing_session(), pointer, raw),
            status=422,
            pointer=pointer,
            by="therapist",
        )
