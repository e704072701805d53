"""What holds for every kind of entry that is amended or withdrawn, whatever it says."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.kernel import ledger
from app.kernel.db import Db, Direct
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    amended,
    an_administration,
    now,
    phq_9,
    withdrawn,
)
from tests.conftest import Behind, Clock


def with_doses(*doses_mg: float) -> list[dict[str, Any]]:
    """Administrations at one instant, which the second before last is not."""
    given_at = (now() - timedelta(hours=1)).replace(minute=0, second=0).isoformat()
    return [an_administration(dose_mg=dose_mg, given_at=given_at) for dose_mg in doses_mg]


@dataclass(frozen=True)
class Kind:
    """A kind of entry. name: in the address. contents: three that differ. by: who keeps them."""

    name: str
    entry_kind: str
    build: Callable[..., dict[str, Any]]
    contents: tuple[dict[str, Any], ...]
    by: str = "patient"

    def keeper(self, world: World) -> Person:
        """Who sends it."""
        person: Person = getattr(world, self.by)
        return person


CHECK_INS = Kind(
    "check-ins",
    "check_in",
    a_check_in,
    tuple({"answers": phq_9(total)} for total in (12, 5, 20)),
)
NOTES = Kind(
    "notes",
    "note",
    a_note,
    ({"words": "Sea."}, {"words": "Sea, and light."}, {"words": "Sea.", "tier": "private"}),
)
GOALS = Kind(
    "goals",
    "goal",
    a_goal,
    ({"life_area": "body"}, {"why": None}, {"words": "Call my brother."}),
)
SESSIONS = Kind(
    "dosing-sessions",
    "dosing_session",
    a_dosing_session,
    (
        {"administrations": with_doses(40)},
        {"administrations": with_doses(40, 10)},
        {"administrations": [], "status": "not-done"},
    ),
    by="therapist",
)
KINDS = [CHECK_INS, NOTES, GOALS, SESSIONS]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


@dataclass(frozen=True)
class Kept:
    """An entry that was stored. contents: its own first, and others to put in its place."""

    person: Person
    path: str
    contents: list[dict[str, Any]]
    told: dict[str, Any]

    @property
    def id(self) -> str:
        """The client's."""
        return str(self.told["id"])

    @property
    def list_path(self) -> str:
        """Where it was sent."""
        return self.path.rpartition("/")[0]

    def now(self) -> dict[str, Any]:
        """As it is read."""
        answer = self.person.get(self.path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
        return alone(answer.json())

    def versions(self) -> list[dict[str, Any]]:
        """What was ever done to it."""
        versions: list[dict[str, Any]] = self.person.get(f"{self.path}/versions").json()["versions"]
        return versions

    def listed(self) -> list[str]:
        """The ids of its kind that are listed."""
        page = self.person.get(self.list_path).json()
        [entries] = [value for value in page.values() if isinstance(value, list)]
        return [entry["id"] for entry in entries]


def keep(world: World, kind: Kind) -> Kept:
    """Store the first content."""
    person = kind.keeper(world)
    common = {"id": str(uuid4())} | kind.build()
    contents = [common | content for content in kind.contents]
    path = f"{world.patient.record}/{kind.name}"
    answer = person.post(path, contents[0])
    assert answer.status_code == 201, answer.text
    return Kept(person, f"{path}/{contents[0]['id']}", contents, answer.json())


def alone(answer: dict[str, Any]) -> dict[str, Any]:
    """An entry without what only some answers say of it: help, and what a check-in was due for."""
    return {name: value for name, value in answer.items() if name not in {"safety", "timing"}}


def of_kind(version: dict[str, Any]) -> dict[str, Any]:
    """The entry in one of its versions."""
    [entry] = [value for value in version.values() if isinstance(value, dict)]
    return entry


def code(answer: Response) -> tuple[int, str]:
    """What a refusal says."""
    return answer.status_code, answer.json()["code"]


def but_access(counts: dict[str, int]) -> dict[str, int]:
    """Rows by table; that a clinician looked is noted each time."""
    return {table: count for table, count in counts.items() if table != "access_log"}


@EVERY_KIND
class TestBase:
    def test_a_change_says_which_version_it_was_made_on(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        before = behind.counts()

        answers = [
            kept.person.put(kept.path, kept.contents[1], base=None),
            kept.person.delete(kept.path, base=None),
        ]

        assert [code(answer) for answer in answers] == [(428, "precondition-required")] * 2
        assert behind.counts() == before

    def test_an_amendment_is_told_and_kept(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)

        told = amended(kept.person, kept.path, kept.contents[1], 1)

        assert kept.now() == alone(told)
        assert (told["id"], told["version"]) == (kept.id, 2)
        assert alone(told) != alone(kept.told)
        assert kept.listed() == [kept.id]

    def test_its_id_need_not_be_repeated(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        content = {name: value for name, value in kept.contents[1].items() if name != "id"}

        assert amended(kept.person, kept.path, content, 1)["id"] == kept.id

    def test_the_answer_carries_the_new_tag(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)

        tags = [
            kept.person.put(kept.path, kept.contents[1], base=1).headers["ETag"],
            kept.person.delete(kept.path, base=2).headers["ETag"],
        ]

        assert tags == ['"2"', '"3"']

    def test_a_version_that_was_overtaken_is_changed_no_more(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        told = amended(kept.person, kept.path, kept.contents[1], 1)
        before = but_access(behind.counts())

        answers = [
            kept.person.put(kept.path, kept.contents[2], base=1),
            kept.person.delete(kept.path, base=1),
        ]

        assert [code(answer) for answer in answers] == [(412, "precondition-failed")] * 2
        assert but_access(behind.counts()) == before
        assert kept.now() == alone(told)

    @pytest.mark.parametrize("base", [2, 3, 999_999_999])
    def test_a_version_that_is_yet_to_come_cannot_be_changed(
        self, world: World, kind: Kind, base: int
    ) -> None:
        kept = keep(world, kind)

        answers = [
            kept.person.put(kept.path, kept.contents[1], base=base),
            kept.person.put(kept.path, kept.contents[0], base=base),
            kept.person.delete(kept.path, base=base),
        ]

        assert [code(answer) for answer in answers] == [(412, "version-unknown")] * 3
        assert kept.now()["version"] == 1

    @pytest.mark.parametrize(
        "tag",
        ["*", "1", '""', '"0"', '"01"', '"-1"', '"1.0"', '"x"', 'W/"1"', '"1", "2"', '"1"x', "",
         '"9999999999"'],
    )  # fmt: skip
    def test_what_is_no_tag_of_ours_matches_no_version(
        self, world: World, kind: Kind, tag: str
    ) -> None:
        kept = keep(world, kind)

        answers = [
            kept.person.put(kept.path, kept.contents[1], base=tag),
            kept.person.delete(kept.path, base=tag),
        ]

        assert [code(answer) for answer in answers] == [(412, "precondition-failed")] * 2
        assert kept.now()["version"] == 1

    def test_what_is_not_there_and_what_is_anothers_look_the_same(
        self, world: World, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        other = world.here.other_patient
        ids = [kept.id, str(uuid4()), "nothing"]
        # Asked by a patient about their own record, in which there is no such entry.
        paths = [f"{other.record}/{kind.name}/{one}" for one in ids]
        content = {name: value for name, value in kept.contents[1].items() if name != "id"}

        answers = [other.get(f"{path}/versions") for path in paths]
        if kind.by == "patient":
            answers += [other.put(path, content, base=1) for path in paths]
            answers += [other.delete(path, base=1) for path in paths]
        answers += [
            world.here.stranger.get(f"{kept.path}/versions"),
            world.elsewhere.therapist.get(f"{kept.path}/versions"),
        ]

        assert {(answer.status_code, answer.content) for answer in answers} == {
            (404, world.here.other_patient.get(paths[1]).content)
        }
        assert kept.now()["version"] == 1

    def test_the_id_in_the_body_is_the_one_in_the_address(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)

        answer = kept.person.put(kept.path, kept.contents[1] | {"id": str(uuid4())}, base=1)

        assert code(answer) == (422, "invalid")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/id"]
        assert kept.now()["version"] == 1

    def test_what_was_withdrawn_is_changed_no_more(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        told = withdrawn(kept.person, kept.path, 1)

        answers = [
            kept.person.put(kept.path, content, base=2)
            for content in (kept.contents[0], kept.contents[1])
        ]

        assert [code(answer) for answer in answers] == [(409, "withdrawn")] * 2
        assert kept.now() == alone(told)

    def test_of_many_at_once_on_one_version_exactly_one_is_made(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)

        def change(place: int) -> Response:
            if place % 3 == 0:
                return kept.person.delete(kept.path, base=1)
            return kept.person.put(kept.path, kept.contents[place % 3], base=1)

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(change, range(12)))

        # Four of each: whoever sent what won is told so, and everybody else that it is too late.
        assert Counter(answer.status_code for answer in answers) == {200: 4, 412: 8}
        assert len({answers.index(answer) % 3 for answer in answers if answer.is_success}) == 1
        assert [version["version"] for version in kept.versions()] == [1, 2]
        assert behind.rows(
            "SELECT entry_version FROM ledger WHERE entry_id = %s ORDER BY seq", kept.id
        ) == [(1,), (2,)]


@EVERY_KIND
class TestRetry:
    def test_an_amendment_whose_reply_was_lost_is_answered_and_not_made_again(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        told = amended(kept.person, kept.path, kept.contents[1], 1)
        before = but_access(behind.counts())

        again = kept.person.put(kept.path, kept.contents[1], base=1)

        assert (again.status_code, alone(again.json())) == (200, alone(told))
        assert again.headers["ETag"] == '"2"'
        assert but_access(behind.counts()) == before

    def test_a_withdrawal_whose_reply_was_lost_too(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        told = withdrawn(kept.person, kept.path, 1)
        before = but_access(behind.counts())

        answers = [kept.person.delete(kept.path, base=base) for base in (1, 2)]

        assert [(answer.status_code, answer.json()) for answer in answers] == [(200, told)] * 2
        assert but_access(behind.counts()) == before

    def test_what_says_the_same_is_no_new_version(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        before = but_access(behind.counts())

        answer = kept.person.put(kept.path, kept.contents[0], base=1)

        assert (answer.status_code, alone(answer.json())) == (200, alone(kept.told))
        assert but_access(behind.counts()) == before

    def test_what_was_said_before_may_be_said_again(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        amended(kept.person, kept.path, kept.contents[1], 1)

        told = amended(kept.person, kept.path, kept.contents[0], 2)

        same = {name: value for name, value in alone(kept.told).items() if name != "version"}
        assert alone(told) == same | {"version": 3}

    def test_a_late_retry_is_told_what_it_has_become_since(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        amended(kept.person, kept.path, kept.contents[1], 1)
        newest = amended(kept.person, kept.path, kept.contents[2], 2)
        before = but_access(behind.counts())

        again = kept.person.put(kept.path, kept.contents[1], base=1)

        assert (again.status_code, alone(again.json())) == (200, alone(newest))
        assert but_access(behind.counts()) == before

    def test_sending_it_once_more_as_new_is_told_so_too(
        self, world: World, behind: Behind, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        newest = amended(kept.person, kept.path, kept.contents[1], 1)
        before = but_access(behind.counts())

        again = kept.person.post(kept.list_path, kept.contents[0])
        other = kept.person.post(kept.list_path, kept.contents[1])

        assert (again.status_code, alone(again.json())) == (200, alone(newest))
        assert again.headers["ETag"] == '"2"'
        # Not what was sent first under this id, even if it is what stands there now.
        assert code(other) == (409, "id-reused")
        assert but_access(behind.counts()) == before

    def test_sending_it_as_new_does_not_bring_back_what_was_withdrawn(
        self, world: World, kind: Kind
    ) -> None:
        kept = keep(world, kind)
        told = withdrawn(kept.person, kept.path, 1)

        again = kept.person.post(kept.list_path, kept.contents[0])

        assert (again.status_code, alone(again.json())) == (200, alone(told))
        assert kept.listed() == []


@EVERY_KIND
class TestVersions:
    def test_every_version_stays_readable_with_who_and_when(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        told = [
            alone(kept.told),
            alone(amended(kept.person, kept.path, kept.contents[1], 1)),
            alone(amended(kept.person, kept.path, kept.contents[2], 2)),
            alone(withdrawn(kept.person, kept.path, 3)),
        ]

        versions = kept.versions()

        assert [version["version"] for version in versions] == [1, 2, 3, 4]
        assert [version["by"] for version in versions] == [kept.person.role] * 4
        instants = [datetime.fromisoformat(version["at"]) for version in versions]
        assert instants == sorted(instants)
        assert all(abs(at - now()) < timedelta(minutes=5) for at in instants)
        for version, then in zip(versions, told, strict=True):
            entry = of_kind(version)
            # Where it stands among the doses is said as it is now.
            moves = {"position", "doses_in_recall_window", "number"}
            assert {name: value for name, value in entry.items() if name not in moves} == {
                name: value for name, value in then.items() if name not in moves
            }

    def test_each_is_named_by_what_was_done(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        amended(kept.person, kept.path, kept.contents[1], 1)
        withdrawn(kept.person, kept.path, 2)

        kinds, verbs = zip(
            *(version["action"].split(".") for version in kept.versions()), strict=True
        )

        assert set(kinds) == {kind.entry_kind}
        assert verbs[0] in {"submitted", "written", "set", "recorded"}
        assert verbs[1:] == ("amended", "withdrawn")

    def test_an_entry_that_was_never_changed_has_one(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)

        [version] = kept.versions()

        assert of_kind(version) == alone(kept.told)

    def test_another_entry_of_the_same_id_is_not_among_them(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        for other in KINDS:
            if other is not kind:
                body = other.build() | {"id": kept.id} | other.contents[0]
                path = f"{world.patient.record}/{other.name}"
                person = other.keeper(world)
                assert person.post(path, body).status_code == 201
                amended(person, f"{path}/{kept.id}", body | other.contents[1], 1)

        told = amended(kept.person, kept.path, kept.contents[1], 1)

        assert kept.person.put(kept.path, kept.contents[1], base=1).json()["version"] == 2
        assert kept.person.post(kept.list_path, kept.contents[0]).status_code == 200
        assert [version["version"] for version in kept.versions()] == [1, 2]
        assert kept.now()["version"] == told["version"] == 2


@EVERY_KIND
class TestWithdraw:
    def test_it_leaves_the_list_and_stays_readable(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)
        assert kept.listed() == [kept.id]

        told = withdrawn(kept.person, kept.path, 1)

        assert kept.listed() == []
        assert kept.now() == alone(told)
        assert told["status"] == "entered-in-error"

    def test_its_words_and_numbers_are_as_they_were(self, world: World, kind: Kind) -> None:
        kept = keep(world, kind)

        told = withdrawn(kept.person, kept.path, 1)

        changed = {name for name, value in alone(kept.told).items() if value != told[name]}
        # A dose that counts no more has no number.
        assert changed - {"number"} == {"version", "status"}


class TestTime:
    @pytest.mark.parametrize("kind", [CHECK_INS, NOTES, GOALS], ids=lambda kind: kind.name)
    def test_when_it_happened_was_settled_by_the_phone_that_sent_it_first(
        self, timed_world: World, clock: Clock, kind: Kind
    ) -> None:
        path = f"{timed_world.patient.record}/{kind.name}"
        sent = kind.build() | {"recorded_at": clock.said(days=1, hours=-1)}
        # This phone's clock is a day ahead, and it recorded an hour ago.
        first = timed_world.patient.post(path, sent | {"sent_at": clock.said(days=1)}).json()
        clock.turn(minutes=5)

        told = amended(timed_world.patient, f"{path}/{first['id']}", sent | kind.contents[1], 1)

        assert first["clock_ahead_seconds"] == 86_400
        for name in ("effective_at", "clock_ahead_seconds", "recorded_at", "received_at"):
            assert told[name] == first[name]

    @pytest.mark.parametrize("kind", [CHECK_INS, NOTES, GOALS], ids=lambda kind: kind.name)
    def test_another_time_moves_it_and_not_when_it_came(
        self, timed_world: World, clock: Clock, kind: Kind
    ) -> None:
        path = f"{timed_world.patient.record}/{kind.name}"
        sent = kind.build() | {"recorded_at": clock.said(hours=-1)}
        first = timed_world.patient.post(path, sent).json()
        clock.turn(minutes=5)
        moved = sent | {
            "recorded_at": clock.said(days=-1, hours=-3),
            "sent_at": clock.said(days=-1),
        }

        told = amended(timed_world.patient, f"{path}/{first['id']}", moved, 1)

        assert datetime.fromisoformat(told["effective_at"]) == clock.at - timedelta(hours=3)
        assert told["clock_ahead_seconds"] == -86_400
        assert alone(timed_world.patient.get(f"{path}/{first['id']}").json()) == alone(told)
        assert told["received_at"] == first["received_at"]

    def test_a_visit_keeps_when_it_came_and_when_it_began(
        self, timed_world: World, clock: Clock
    ) -> None:
        path = f"{timed_world.patient.record}/dosing-sessions"
        not_done = {"status": "not-done"}
        first = timed_world.therapist.post(path, not_done).json()
        clock.turn(minutes=5)

        told = amended(
            timed_world.therapist,
            f"{path}/{first['id']}",
            not_done | {"ended_at": clock.said()},
            1,
        )

        assert (told["started_at"], told["received_at"]) == (
            first["started_at"],
            first["received_at"],
        )


STEPS = st.lists(
    st.tuples(st.sampled_from(["amend", "withdraw"]), st.integers(0, 2), st.integers(-2, 1)),
    max_size=7,
)


# By step: what is done, with which content, and on which version as counted from the newest.
@EVERY_KIND
@given(steps=STEPS)
@hypothesis_settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_tried_a_version_is_one_accepted_change(
    world: World, direct: Direct, kind: Kind, steps: list[tuple[str, int, int]]
) -> None:
    kept = keep(world, kind)
    accepted: list[int | None] = [0]  # by version, which content it has; None once withdrawn

    for verb, place, distance in steps:
        newest = len(accepted)
        base = max(1, newest + distance)
        wanted = place if verb == "amend" else None
        if wanted is None:
            answer = kept.person.delete(kept.path, base=base)
        else:
            answer = kept.person.put(kept.path, kept.contents[place], base=base)
        if answer.is_success:
            if answer.json()["version"] > newest:
                assert base == newest
                assert accepted[-1] is not None
                accepted.append(wanted)
            else:
                # It is so already: in this version, or in the one that was made of it.
                assert wanted in accepted[base - 1 : base + 1]
        elif answer.status_code == 409:
            assert accepted[-1] is None
        else:
            assert answer.status_code == 412
            assert base != newest
        assert kept.now()["version"] == len(accepted)

    versions = kept.versions()
    assert [version["version"] for version in versions] == list(range(1, len(accepted) + 1))
    for version, accepted_place in zip(versions, accepted, strict=True):
        entry = of_kind(version)
        assert (entry["status"] == "entered-in-error") is (accepted_place is None)
        if accepted_place is not None:
            assert says(kind, entry, kept.contents[accepted_place])
    assert faults(direct, world.here.id) == []


def says(kind: Kind, entry: dict[str, Any], content: dict[str, Any]) -> bool:
    """Whether an entry has what this content sets apart."""
    if kind is SESSIONS:
        return len(entry["administrations"]) == len(content["administrations"])
    return all(entry[name] == content.get(name) for one in kind.contents for name in one)


def faults(direct: Direct, clinic_id: UUID) -> list[ledger.Fault]:
    """What is wrong with the ledgers of a clinic."""

    def verify(db: Db) -> list[ledger.Fault]:
        db.enter(clinic_id)
        found = [ledger.verify(db, clinic_id, head) for head in list(ledger.heads(db))]
        return [fault for fault in found if fault is not None]

    return direct.run(verify)
