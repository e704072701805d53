"""Three phones of one patient, a network that lies, and clocks that are wrong.

Whatever they do and whatever is lost on the way: when all have caught up they agree with each
other and with the server, everything that was typed can be read in exactly one entry, and every
sign of danger is before the care team.
"""

import json
import os
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

from fastapi.testclient import TestClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.kernel import ledger
from app.kernel.db import Db, Direct
from app.kernel.ledger import Fault
from tests.builders import Clinic, Person, a_clinic, a_patient
from tests.conftest import MONDAY_NOON, Behind, Clock
from tests.phone.client import Answer, Json, NoAnswer, NotNow, Phone, Transport

IS_SOAK: Final = os.environ.get("AFTERGLOW_SOAK") == "1"
EXAMPLES: Final = 1000 if IS_SOAK else 52
STEPS: Final = 50 if IS_SOAK else 40
PHONES: Final = 3
LEVELS: Final = ["none", "low", "moderate", "high"]
PATHS: Final = {"check_in": "check-ins", "note": "notes", "goal": "goals"}

FATES = st.sampled_from(["well", "request lost", "answer lost", "twice", "late", "busy"])
KINDS = st.sampled_from(sorted(PATHS))
AT = st.integers(0, PHONES - 1)
WHICH = st.integers(0, 9)
MOODS = st.integers(0, 3)


@dataclass(frozen=True)
class Stage:
    """What every example plays on. folder: for what the phones keep."""

    client: TestClient
    direct: Direct
    behind: Behind
    clock: Clock
    clinic: Clinic
    folder: Path

    def enrol(self) -> Person:
        """Another patient of the clinic, cared for by its therapist."""

        def work(db: Db) -> Person:
            db.enter(self.clinic.id)
            return a_patient(self.client, db, self.clinic.therapist, at=self.clock.at)

        return self.direct.run(work)

    def ask(self, person: Person) -> Transport:
        """Straight to the API, always signed in."""

        def transport(method: str, path: str, body: Json | None) -> Answer:
            content = {} if body is None else {"json": body}
            answer = person.again(self.clock.at).request(method, path, **content)
            return Answer(answer.status_code, answer.json())

        return transport

    def fault_in(self, patient_id: UUID) -> Fault | None:
        """The first bad row of a patient's ledger."""

        def work(db: Db) -> Fault | None:
            db.enter(self.clinic.id)
            before = UUID(int=patient_id.int - 1)
            (head,) = db.all(ledger.HEADS, after=before, limit=1)
            assert head.patient_id == patient_id
            return ledger.verify(db, self.clinic.id, head)

        return self.direct.run(work)

    def ledger_rows(self, patient_id: UUID) -> int:
        """How long a patient's ledger is."""
        ((rows,),) = self.behind.rows(
            "SELECT seq FROM ledger_head WHERE patient_id = %s", patient_id
        )
        return int(rows)


class Network:
    """Between a phone and the API. fates: what will become of the next requests."""

    def __init__(self, ask: Transport) -> None:
        self._ask = ask
        self.fates: deque[str] = deque()
        self.underway: list[str] = []
        """Uploads that will arrive later, or never."""
        self.uploads: list[str] = []
        """Every upload that was tried."""

    def __call__(self, method: str, path: str, body: Json | None) -> Answer:
        """A `Transport`."""
        said = json.dumps(body)
        if method == "POST":
            self.uploads.append(said)
        fate = self.fates.popleft() if self.fates else "well"
        if fate == "late" and method == "POST":
            self.underway.append(said)
        if fate in {"late", "request lost"}:
            raise NoAnswer
        if fate == "busy":
            return Answer(503, {})
        answer = self._ask(method, path, body)
        if fate == "twice":
            answer = self._ask(method, path, body)
        if fate == "answer lost":
            raise NoAnswer
        return answer

    def deliver(self, said: str) -> Answer:
        """What was underway arrives; nobody waits for the answer any more."""
        return self._ask("POST", "/v1/sync", json.loads(said))


class Device:
    """A phone, its network and its clock. ahead: how wrong the clock is."""

    def __init__(self, stage: Stage, person: Person, number: int) -> None:
        self._stage = stage
        self._kept = stage.folder / f"{person.patient_id}-{number}.json"
        self._ids = Random(number)
        self.network = Network(stage.ask(person))
        self.ahead = timedelta()
        self.restart()

    def restart(self) -> None:
        """What was not kept is forgotten."""
        self.phone = Phone(
            self._kept,
            self.network,
            now=lambda: self._stage.clock.at + self.ahead,
            new_id=lambda: UUID(int=self._ids.getrandbits(128), version=4),
            tries=2,
        )

    def one_of(self, kind: str, which: int) -> tuple[UUID, Json] | None:
        """One of those shown. Ids differ from run to run; when something was typed does not."""
        shown = sorted(self.phone.shown(kind).items(), key=lambda one: str(one[1]["recorded_at"]))
        return shown[which % len(shown)] if shown else None


class Phones(RuleBasedStateMachine):
    """Steps that people, phones and networks take; the promises are checked at the end."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        stage.clock.at = MONDAY_NOON
        self.stage = stage
        self.person = stage.enrol()
        self.devices = [Device(stage, self.person, number) for number in range(PHONES)]
        self.typed: list[tuple[str, Json]] = []
        self.typed_by: list[Device] = []
        self.rubbish = 0
        self.team = Follower(stage.ask(stage.clinic.therapist), self.person)

    @initialize()
    def begin(self) -> None:
        """All know one entry of each kind."""
        for kind in PATHS:
            self.write(0, kind, 0, told=True)
        for device in self.devices:
            device.phone.catch_up()

    @rule(at=AT, kind=KINDS, mood=MOODS, told=st.booleans())
    def write(self, at: int, kind: str, mood: int, told: bool) -> None:
        device = self.devices[at]
        device.phone.create(kind, self.type_entry(device, kind, mood, told))

    @rule(at=AT, which=WHICH, mood=MOODS)
    def answer_again(self, at: int, which: int, mood: int) -> None:
        self.edit(at, "check_in", which, mood)

    @rule(at=AT, which=WHICH, told=st.booleans(), is_same_time=st.booleans())
    def write_a_note_again(self, at: int, which: int, told: bool, is_same_time: bool) -> None:
        self.edit(at, "note", which, told=told, is_same_time=is_same_time)

    @rule(at=AT, which=WHICH, is_same_time=st.booleans())
    def say_a_goal_otherwise(self, at: int, which: int, is_same_time: bool) -> None:
        self.edit(at, "goal", which, is_same_time=is_same_time)

    @rule(kind=KINDS, which=WHICH, moods=st.permutations(range(PHONES)), told=st.booleans())
    def all_edit_the_same(self, kind: str, which: int, moods: list[int], told: bool) -> None:
        for at, mood in enumerate(moods):
            self.edit(at, kind, which, mood, told=told is (mood == 0))

    @rule(at=AT, kind=KINDS, which=WHICH)
    def withdraw(self, at: int, kind: str, which: int) -> None:
        device = self.devices[at]
        if found := device.one_of(kind, which):
            device.phone.withdraw(kind, found[0])

    @rule(at=AT, kind=KINDS, which=WHICH, mood=MOODS)
    def one_withdraws_what_the_next_edits(self, at: int, kind: str, which: int, mood: int) -> None:
        self.withdraw(at, kind, which)
        self.edit((at + 1) % PHONES, kind, which, mood)

    @precondition(lambda self: self.rubbish < 3)
    @rule(at=AT, which=WHICH, is_new=st.booleans())
    def write_what_nobody_can_take(self, at: int, which: int, is_new: bool) -> None:
        self.rubbish += 1
        phone = self.devices[at].phone
        rubbish = {"instrument": "phq-9", "answers": [9] * 9}
        found = self.devices[at].one_of("check_in", which)
        if is_new or found is None:
            phone.create("check_in", rubbish)
        else:
            phone.amend("check_in", found[0], rubbish)

    @rule(
        at=AT,
        fates=st.lists(FATES, max_size=4),
        most=st.sampled_from([1, 2, 3, 500]),
        limit=st.sampled_from([1, 2, 200]),
        is_whole=st.booleans(),
    )
    def use_the_network(
        self, at: int, fates: list[str], most: int, limit: int, is_whole: bool
    ) -> None:
        device = self.devices[at]
        device.network.fates = deque(fates)
        try:
            device.phone.push(most=most)
            device.phone.pull(limit=limit)
            if is_whole:
                device.phone.catch_up(most=most, limit=limit)
        except NotNow:
            pass
        device.network.fates.clear()

    @rule(fates=st.lists(FATES, min_size=PHONES, max_size=PHONES), most=st.sampled_from([2, 500]))
    def all_use_the_network(self, fates: list[str], most: int) -> None:
        for at, fate in enumerate(fates):
            self.use_the_network(at, [fate], most, 200, is_whole=False)

    @precondition(lambda self: any(device.network.underway for device in self.devices))
    @rule(which=st.integers(0, 99))
    def something_late_arrives(self, which: int) -> None:
        waiting = [(one, said) for one in self.devices for said in one.network.underway]
        device, said = waiting[which % len(waiting)]
        device.network.underway.remove(said)
        assert device.network.deliver(said).status == 200

    @rule(
        at=AT,
        minutes=st.sampled_from([1, 30, 600]),
        ahead=st.sampled_from([-100_000, -61, 0, 3, 1441, 9999]),
        is_restarted=st.booleans(),
    )
    def time_passes(self, at: int, minutes: int, ahead: int, is_restarted: bool) -> None:
        self.stage.clock.turn(minutes=minutes)
        self.devices[at].ahead = timedelta(minutes=ahead)
        if is_restarted:
            self.devices[at].restart()

    @rule(limit=st.sampled_from([1, 3, 200]))
    def let_the_team_look(self, limit: int) -> None:
        self.team.follow(limit)

    def edit(
        self,
        at: int,
        kind: str,
        which: int,
        mood: int = 0,
        *,
        told: bool = True,
        is_same_time: bool = False,
    ) -> None:
        """Somebody amends one of those that their phone shows."""
        device = self.devices[at]
        if found := device.one_of(kind, which):
            entry_id, before = found
            at_the_time = before["recorded_at"] if is_same_time else None
            entry = self.type_entry(device, kind, mood, told, at_the_time)
            device.phone.amend(kind, entry_id, entry)

    def type_entry(
        self, device: Device, kind: str, mood: int, told: bool, recorded_at: str | None = None
    ) -> Json:
        """Something that was never typed before."""
        number = len(self.typed) + 1
        at = self.stage.clock.at + device.ahead + timedelta(microseconds=number)
        entry: Json = {"recorded_at": recorded_at or at.isoformat()}
        if kind == "check_in":
            entry |= {"instrument": "phq-9", "answers": [number % 4, *[1] * 7, mood]}
        elif kind == "note":
            entry |= {"words": f"text {number}", "tier": "care-team" if told else "private"}
        else:
            entry |= {"words": f"text {number}", "why": f"because {number}"}
        self.typed.append((kind, dict(entry)))
        self.typed_by.append(device)
        return entry

    def teardown(self) -> None:
        """Everything arrives, all catch up, and the promises are kept."""
        for device in self.devices:
            for said in device.network.underway:
                assert device.network.deliver(said).status == 200
        for _ in range(2):  # what the last one sent is news to the first
            for device in self.devices:
                device.phone.catch_up()
        self.team.follow(200)

        versions = self.versions()
        self.assert_all_agree()
        self.assert_nothing_is_lost_or_doubled(versions)
        self.assert_each_phones_order_is_kept(versions)
        self.assert_danger_is_flagged(versions)
        self.assert_a_replay_changes_nothing()
        assert self.stage.fault_in(self.patient_id) is None

    @property
    def patient_id(self) -> UUID:
        """Whose phones they are."""
        assert self.person.patient_id is not None
        return self.person.patient_id

    def versions(self) -> dict[tuple[str, str], list[Json]]:
        """What was ever said, as the patient can read it: by kind and id, oldest first."""
        ask = self.stage.ask(self.person)
        said = {}
        for key in self.devices[0].phone.entries:
            kind, _, entry_id = key.partition("/")
            if kind in PATHS:
                answer = ask("GET", f"/v1/patients/me/{PATHS[kind]}/{entry_id}/versions", None)
                assert answer.status == 200
                said[kind, entry_id] = [one[kind] for one in answer.body["versions"]]
        return said

    def assert_all_agree(self) -> None:
        ask = self.stage.ask(self.person)
        for kind, path in PATHS.items():
            listed = everything(ask, f"/v1/patients/me/{path}")
            for device in self.devices:
                assert contents(device.phone.shown(kind)) == contents(listed)
        assert contents(self.team.notes) == contents(self.team.listed())

    def assert_nothing_is_lost_or_doubled(
        self, versions: dict[tuple[str, str], list[Json]]
    ) -> None:
        places = [
            {
                key
                for key, said in versions.items()
                if key[0] == kind and any(entry.items() <= same_time(one).items() for one in said)
            }
            for kind, entry in ((kind, text_of(entry)) for kind, entry in self.typed)
        ]
        assert [len(place) for place in places] == [1] * len(self.typed)
        refused = [one for device in self.devices for one in device.phone.refused]
        assert {one["problem"]["code"] for one in refused} <= {"invalid"}
        assert len(refused) == self.rubbish

    def assert_each_phones_order_is_kept(self, versions: dict[tuple[str, str], list[Json]]) -> None:
        """Nobody's earlier text comes to stand over their later one."""
        for (kind, _), said in versions.items():
            contents_said = [same_time(one).items() for one in said]
            for device in self.devices:
                places = [
                    next(at for at, one in enumerate(contents_said) if typed <= one)
                    for by, (of_kind, entry) in zip(self.typed_by, self.typed, strict=True)
                    if by is device and of_kind == kind
                    for typed in [text_of(entry).items()]
                    if any(typed <= one for one in contents_said)
                ]
                assert places == sorted(places)

    def assert_danger_is_flagged(self, versions: dict[tuple[str, str], list[Json]]) -> None:
        evidence: dict[str, list[str]] = {}
        for source_id, level in self.stage.behind.rows(
            "SELECT e.source_id, e.level FROM flag_evidence e JOIN flag f ON f.id = e.flag_id"
            " WHERE f.patient_id = %s AND f.status = 'open'",
            self.patient_id,
        ):
            evidence.setdefault(str(source_id), []).append(level)
        worst = "none"
        for (kind, entry_id), said in versions.items():
            if kind == "check_in":
                level = max((one["level"] for one in said), key=LEVELS.index)
                assert max(evidence.get(entry_id, ["none"]), key=LEVELS.index) == level
                worst = max(worst, level, key=LEVELS.index)
        flags = self.stage.behind.rows(
            "SELECT level FROM flag WHERE patient_id = %s", self.patient_id
        )
        assert flags == ([(worst,)] if worst != "none" else [])

    def assert_a_replay_changes_nothing(self) -> None:
        before = self.stage.ledger_rows(self.patient_id)
        for device in self.devices:
            for said in sorted(set(device.network.uploads)):
                assert device.network.deliver(said).status == 200
        assert self.stage.ledger_rows(self.patient_id) == before


class Follower:
    """Somebody of the care team who keeps a copy of the notes that they may see."""

    def __init__(self, ask: Transport, person: Person) -> None:
        self._ask = ask
        self._record = person.record
        self._cursor = 0
        self.notes: dict[UUID, Json] = {}

    def follow(self, limit: int) -> None:
        """Read on."""
        has_more = True
        while has_more:
            path = f"{self._record}/changes?after={self._cursor}&limit={limit}"
            body = self._ask("GET", path, None).body
            self._cursor, has_more = body["next_after"], body["has_more"]
            for change in body["changes"]:
                if change["kind"] == "note":
                    self._note(UUID(change["id"]), change)

    def _note(self, note_id: UUID, change: Json) -> None:
        if change["is_tombstone"]:
            self.notes.pop(note_id, None)
        else:
            assert change["entry"]["tier"] == "care-team"
            self.notes[note_id] = change["entry"]

    def listed(self) -> dict[UUID, Json]:
        """What they may see now."""
        return everything(self._ask, f"{self._record}/notes")


def everything(ask: Transport, path: str) -> dict[UUID, Json]:
    """A list, page by page."""
    found: dict[UUID, Json] = {}
    cursor = ""
    while True:
        answer = ask("GET", f"{path}?limit=100{cursor}", None)
        assert answer.status == 200
        (entries,) = (one for one in answer.body.values() if isinstance(one, list))
        found |= {UUID(entry["id"]): entry for entry in entries}
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


SAID: Final = ("instrument", "answers", "words", "why", "tier")


def same_time(entry: Json) -> Json:
    """With its instant written in one way."""
    return entry | {"recorded_at": datetime.fromisoformat(str(entry["recorded_at"])).timestamp()}


def text_of(entry: Json) -> Json:
    """What was typed. A tier may have been tightened since."""
    return {name: value for name, value in same_time(entry).items() if name != "tier"}


def contents(entries: dict[UUID, Json]) -> dict[UUID, Json]:
    """What people typed, without what the server added."""
    return {
        entry_id: {name: same_time(entry).get(name) for name in (*SAID, "recorded_at", "version")}
        for entry_id, entry in entries.items()
    }


def test_whatever_phones_and_networks_do_everybody_agrees_in_the_end_and_nothing_is_lost(
    timed_client: TestClient, direct: Direct, behind: Behind, clock: Clock, tmp_path: Path
) -> None:
    clinic = a_clinic(timed_client, direct, at=clock.at)
    stage = Stage(timed_client, direct, behind, clock, clinic, tmp_path)

    class Here(Phones):
        def __init__(self) -> None:
            super().__init__(stage)

    # The same games every time, however long they take.
    run_state_machine_as_test(
        Here,
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
