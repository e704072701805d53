"""A phone sends what cannot be kept: it is told which change, and the others are kept."""

import json
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.api.uploads import (
    BUILD,
    KINDS,
    SYNC,
    a_change,
    amended,
    ledger,
    otherwise,
    results,
    statuses,
    versions,
    withdrawn,
)
from tests.builders import Person, World, a_check_in, now
from tests.conftest import Behind

CANARY = "kakapo"


def uploaded_as_written(person: Person, *changes: str) -> Response:
    """An upload of changes that are JSON text already, well-formed or not."""
    content = b'{"changes":[%s]}' % ",".join(changes).encode()
    return person.request(
        "POST", SYNC, content=content, headers={"Content-Type": "application/json"}
    )


LONG = "x" * 65_537
# What is wrong, the code of the refusal, and where in the change.
BAD: dict[str, tuple[str, str, str]] = {
    "null": ("null", "invalid", ""),
    "a number": ("7", "invalid", ""),
    "a text": ('"kakapo"', "invalid", ""),
    "a list": ("[]", "invalid", ""),
    "an empty object": ("{}", "invalid", "/kind /op /id"),
    "no number": ("NaN", "invalid", ""),
}


def bad_change(**changes: Any) -> str:
    return json.dumps(a_change("goal") | changes)


def bad_entry(kind: str, **members: Any) -> str:
    return json.dumps(a_change(kind, entry=BUILD[kind](**members)))


def bad_answer(raw: str) -> str:
    return bad_entry("check_in", answers=["@", *[1] * 8]).replace('"@"', raw)


BAD |= {
    "an unknown kind": (bad_change(kind=CANARY), "invalid", "/kind"),
    "a kind that is no text": (bad_change(kind=[CANARY]), "invalid", "/kind"),
    "a kind of the clinic's": (bad_change(kind="dosing_session"), "invalid", "/kind"),
    "an unknown op": (bad_change(op=CANARY), "invalid", "/op"),
    "an unknown member": (bad_change(kakapo=1), "invalid", ""),
    "an id that is none": (bad_change(id=CANARY), "invalid", "/id"),
    "an id that is a number": (bad_change(id=7), "invalid", "/id"),
    "no entry": (json.dumps(a_change("goal", "create", entry=None)), "invalid", "/entry"),
    "an entry that is a text": (bad_change(entry=CANARY), "invalid", "/entry"),
    "an entry of another kind": (
        bad_change(entry=a_check_in()),
        "invalid",
        "/entry /entry/words",
    ),
    "an entry with a member of its own": (bad_entry("goal", kakapo=1), "invalid", "/entry"),
    "an entry with another id": (bad_entry("goal", id=str(uuid4())), "invalid", "/entry/id"),
    "a base_version for something new": (bad_change(base_version=1), "invalid", "/base_version"),
    "a base_version below zero": (bad_change(base_version=-1), "invalid", "/base_version"),
    "a base_version that is true": (bad_change(base_version=True), "invalid", "/base_version"),
    "a base_version that is a text": (bad_change(base_version="1"), "invalid", "/base_version"),
    "a base_version beyond all": (bad_change(base_version=10**30), "invalid", "/base_version"),
    "an amendment of no version": (bad_change(op="amend"), "invalid", "/base_version"),
    "an amendment of what is not there": (
        bad_change(op="amend", base_version=1),
        "not-found",
        "",
    ),
    "a withdrawal of what is not there": (
        json.dumps(a_change("goal", "withdraw", base_version=1)),
        "not-found",
        "",
    ),
    "a withdrawal with an entry": (
        bad_change(op="withdraw", base_version=1),
        "invalid",
        "/entry",
    ),
    "another patient's": (bad_change(patient_id=str(uuid4())), "not-found", ""),
    "an answer of 1.0": (bad_answer("1.0"), "invalid", "/entry/answers/0"),
    "an answer of true": (bad_answer("true"), "invalid", "/entry/answers/0"),
    "an answer that is no number": (bad_answer("NaN"), "invalid", "/entry/answers/0"),
    "an answer beyond all": (bad_answer("1e999"), "invalid", "/entry/answers/0"),
    "an answer below all": (bad_answer("-Infinity"), "invalid", "/entry/answers/0"),
    "an answer of many digits": (bad_answer("1" * 4000), "invalid", "/entry/answers/0"),
    "an answer that is a text": (bad_answer('"1"'), "invalid", "/entry/answers/0"),
    "an answer that is not offered": (bad_answer("4"), "invalid", "/entry/answers/0"),
    "too few answers": (bad_entry("check_in", answers=[1]), "invalid", "/entry/answers"),
    "more answers than can be told": (
        bad_entry("check_in", answers=[CANARY] * 100),
        "invalid",
        "/entry",
    ),
    "an unknown instrument": (
        bad_entry("check_in", instrument=CANARY),
        "invalid",
        "/entry/instrument",
    ),
    "scores of one's own": (
        bad_entry("check_in", scores={"total": 3}),
        "invalid",
        "/entry/scores",
    ),
    "an unknown extra": (bad_entry("check_in", extras={CANARY: 1}), "invalid", "/entry/extras"),
    "words with a NUL": (bad_entry("note", words=f"{CANARY}\x00"), "invalid", "/entry/words"),
    "words that are too long": (bad_entry("note", words=LONG), "invalid", "/entry/words"),
    "words of too many bytes": (bad_entry("note", words="é" * 40_000), "invalid", "/entry/words"),
    "words that are blank": (bad_entry("goal", words=" \n"), "invalid", "/entry/words"),
    "a tier that is none": (bad_entry("note", tier=CANARY), "invalid", "/entry/tier"),
    "a session that is none": (
        bad_entry("note", dosing_session_id=str(uuid4())),
        "invalid",
        "/entry/dosing_session_id",
    ),
    "an instant without an offset": (
        bad_entry("note", recorded_at="2026-03-01T20:15:00"),
        "invalid",
        "/entry/recorded_at",
    ),
    "an instant of another age": (
        bad_entry("note", recorded_at="1999-03-01T20:15:00Z"),
        "invalid",
        "/entry/recorded_at",
    ),
    "something nested deeply": (
        bad_change(entry={"words": json.loads("[" * 60 + "]" * 60)}),
        "invalid",
        "/entry/recorded_at /entry/words",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("what", list(BAD))
    def test_a_bad_change_stands_in_no_others_way(
        self, world: World, behind: Behind, what: str
    ) -> None:
        bad, code, pointers = BAD[what]
        before, after = a_change("note"), a_change("check_in")
        rows = ledger(behind, world.patient)

        answer = uploaded_as_written(world.patient, json.dumps(before), bad, json.dumps(after))

        assert answer.status_code == 200, answer.text
        told = answer.json()["results"]
        assert [one["status"] for one in told] == ["created", "refused", "created"]
        problem = told[1]["problem"]
        assert problem["code"] == code
        places = {one["pointer"] for one in problem["errors"]}
        assert places == (set(pointers.split() or [""]) if code == "invalid" else set())
        assert CANARY not in answer.text
        assert (told[1]["version"], told[1]["entry"]) == (None, None)
        assert len(ledger(behind, world.patient)) == len(rows) + 2

    def test_a_refused_change_is_named_as_far_as_it_named_itself(self, world: World) -> None:
        entry_id = uuid4()

        told = results(
            world.patient,
            a_change("goal", op="no such", id=str(entry_id)),
            a_change("note", id=str(entry_id).upper()) | {"kind": "no such"},
            a_change("note", id="no such"),
            7,
        )

        assert [(one["kind"], one["id"]) for one in told] == [
            ("goal", str(entry_id)),
            (None, str(entry_id)),
            ("note", None),
            (None, None),
        ]

    @KINDS
    def test_a_version_from_the_future_is_refused(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.patient, change)

        told = results(world.patient, amended(change, 2, **otherwise(change)), withdrawn(change, 9))

        assert {(one["status"], one["problem"]["code"]) for one in told} == {
            ("refused", "version-unknown")
        }

    @KINDS
    def test_another_patients_entry_is_not_there(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.here.other_patient, change)

        told = results(world.patient, amended(change, 1, **otherwise(change)), withdrawn(change, 1))

        assert {(one["status"], one["problem"]["code"]) for one in told} == {
            ("refused", "not-found")
        }
        assert len(versions(world.here.other_patient, change)) == 1

    def test_ones_own_patient_id_may_be_named(self, world: World) -> None:
        change = a_change(patient_id=str(world.patient.patient_id))

        assert statuses(world.patient, change) == ["created"]

    def test_the_instrument_of_a_check_in_cannot_be_changed(self, world: World) -> None:
        change = a_change("check_in")
        results(world.patient, change)

        (told,) = results(world.patient, amended(change, 1, instrument="gad-7", answers=[0] * 7))

        assert told["status"] == "refused"
        assert told["problem"]["errors"][0]["pointer"] == "/entry/instrument"

    def test_scores_that_a_clinician_recorded_are_not_the_patients_to_withdraw(
        self, world: World
    ) -> None:
        sent = {"instrument": "madrs", "scores": {"total": 27}, "recorded_at": now().isoformat()}
        recorded = world.therapist.post(f"{world.patient.record}/check-ins", sent)
        assert recorded.status_code == 201, recorded.text
        change = a_change("check_in", id=recorded.json()["id"])

        (told,) = results(world.patient, withdrawn(change, 1))

        assert (told["status"], told["problem"]["code"]) == ("refused", "forbidden")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b'{"changes": {}}',
            b'{"changes": [], "kakapo": 1}',
            b'{"changes": [{"kind": "note"]}',
            b'{"changes": [], "sent_at": "kakapo"}',
            b'{"changes": [], "country": 7}',
        ],
    )
    def test_an_upload_that_cannot_be_read_is_refused_as_a_whole(
        self, world: World, body: bytes
    ) -> None:
        answer = world.patient.request(
            "POST", SYNC, content=body, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code in (400, 422)
        assert CANARY not in answer.text
