"""What a phone uploads, in its tests."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.builders import Person, a_check_in, a_goal, a_note, an_intention
from tests.conftest import Behind

SYNC = "/v1/sync"
PATHS = {"check_in": "check-ins", "note": "notes", "goal": "goals", "intention": "intentions"}
BUILD = {
    "check_in": a_check_in,
    "note": a_note,
    "goal": a_goal,
    "intention": an_intention,
}
Json = dict[str, Any]


def a_change(kind: str = "note", op: str = "create", **changes: Any) -> Json:
    """Something new of this kind, unless told otherwise."""
    change: Json = {"kind": kind, "op": op, "id": str(uuid4()), "base_version": 0}
    if op != "withdraw":
        change["entry"] = BUILD[kind]()
    return change | changes


def upload(person: Person, *changes: Any, **others: Any) -> Json:
    """What the server said to an upload."""
    answer = person.post(SYNC, {"changes": list(changes), **others})
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def results(person: Person, *changes: Any, **others: Any) -> list[Json]:
    """What became of each change."""
    told: list[Json] = upload(person, *changes, **others)["results"]
    assert [one["index"] for one in told] == list(range(len(changes)))
    return told


def statuses(person: Person, *changes: Any) -> list[str]:
    return [one["status"] for one in results(person, *changes)]


def amended(change: Json, base_version: int, **entry: Any) -> Json:
    """The change that says an entry otherwise."""
    entry = change["entry"] | entry
    return change | {"op": "amend", "base_version": base_version, "entry": entry}


def withdrawn(change: Json, base_version: int) -> Json:
    """The change that takes an entry back."""
    rest = {name: value for name, value in change.items() if name != "entry"}
    return rest | {"op": "withdraw", "base_version": base_version}


def otherwise(change: Json, text: str = "x") -> Json:
    """A difference that a person makes; each text another."""
    if change["kind"] == "check_in":
        return {"answers": [len(text) % 4, *[1] * 8]}
    return {"words": f"Otherwise: {text}"}


def versions(person: Person, change: Json) -> list[Json]:
    """Every version of an entry, as its owner reads it."""
    path = f"/v1/patients/me/{PATHS[change['kind']]}/{change['id']}/versions"
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    told: list[Json] = answer.json()["versions"]
    return told


def ledger(behind: Behind, person: Person) -> list[tuple[str, UUID, int]]:
    """What was done to a patient's record."""
    return behind.rows(
        "SELECT action, entry_id, entry_version FROM ledger WHERE patient_id = %s ORDER BY seq",
        person.patient_id,
    )


KINDS = pytest.mark.parametrize("kind", sorted(PATHS))
