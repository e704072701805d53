"""Phones against a server that is killed under them, again and again.

Whatever was typed arrives, once; a sign of danger is flagged. AFTERGLOW_SOAK=1 plays it longer.
"""

import os
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from fastapi.testclient import TestClient

from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from app.operations.audit import verify_all
from tests.builders import Clinic, Person, a_clinic
from tests.phone.client import NotNow, Phone, over_http
from tests.stories.servers import LiveServer

IS_SOAK: Final = os.environ.get("AFTERGLOW_SOAK") == "1"
KILLS: Final = 100 if IS_SOAK else 3
PHONES: Final = 3
AT_LEAST: Final = 2000 if IS_SOAK else 40
CATCH_UP_SECONDS: Final = 60.0


class Owner(threading.Thread):
    """Types on one phone, and lets it send and read; until told to stop. mine: what was typed."""

    def __init__(self, phone: Phone, number: int) -> None:
        super().__init__(daemon=True)
        self.phone = phone
        self.mine: list[tuple[str, str]] = []
        self.in_danger: list[str] = []
        self.is_over = threading.Event()
        self.went_wrong: list[BaseException] = []
        self._number = number
        self._chance = random.Random(number)

    def run(self) -> None:
        """Until it is over."""
        try:
            while not self.is_over.is_set():
                self.type()
                try:
                    self.phone.push(most=self._chance.choice([1, 5, 500]))
                    self.phone.pull(limit=self._chance.choice([1, 200]))
                except NotNow:
                    self.is_over.wait(0.05)
        except BaseException as error:
            self.went_wrong.append(error)

    def type(self) -> None:
        """Something new, or an entry of any phone said otherwise."""
        at = datetime.now(UTC).isoformat()
        text = f"phone {self._number}, text {len(self.mine)}"
        kind = self._chance.choice(["check_in", "note", "goal"])
        if kind == "check_in":
            danger = self._chance.choice([0, 0, 3])
            entry: dict[str, Any] = {"instrument": "phq-9", "answers": [*[1] * 8, danger]}
            text = at
            if danger:
                self.in_danger.append(at)
        else:
            entry = {"words": text}
        entry["recorded_at"] = at
        self.mine.append((kind, text))
        shown = self.phone.shown(kind)
        if shown and self._chance.random() < 0.5:
            self.phone.amend(kind, self._chance.choice(sorted(shown)), entry)
        else:
            self.phone.create(kind, entry)


def a_patient_of(server: LiveServer) -> Person:
    """Somebody whose tokens the server takes; cared for."""
    keyring = stack.keyring(server.settings)
    application = create_app(server.settings, keyring, stack.signing_keys(server.settings))
    database = Direct(str(server.settings.migration_url), keyring)
    clinic: Clinic = a_clinic(TestClient(application), database)
    database.close()
    return clinic.patient


def catch_up(phone: Phone) -> None:
    """However often it takes."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while True:
        try:
            phone.catch_up()
            return
        except NotNow:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def versions_of(person: Person, server: LiveServer, phone: Phone) -> list[tuple[str, str, str]]:
    """Everything that was ever said: kind, entry, and its text; each text of an entry once."""
    paths = {"check_in": "check-ins", "note": "notes", "goal": "goals"}
    ask = over_http(server.base_url, lambda: person.again(datetime.now(UTC)).token)
    said = set()
    for key in phone.entries:
        kind, _, entry_id = key.partition("/")
        if kind in paths:
            answer = ask("GET", f"/v1/patients/me/{paths[kind]}/{entry_id}/versions", None)
            for one in answer.body["versions"]:
                at = datetime.fromisoformat(one[kind]["recorded_at"]).isoformat()
                said.add((kind, entry_id, at if kind == "check_in" else one[kind]["words"]))
    return sorted(said)


def test_all_that_was_typed_arrives_once_however_often_the_server_dies(
    fresh_database: Settings, tmp_path: Path
) -> None:
    with LiveServer(fresh_database) as server:
        person = a_patient_of(server)

        def phone(number: int) -> Phone:
            return Phone(
                tmp_path / f"phone-{number}.json",
                over_http(
                    server.base_url, lambda: person.again(datetime.now(UTC)).token, timeout=10
                ),
                now=lambda: datetime.now(UTC),
                pause=time.sleep,
                tries=3,
            )

        owners = [Owner(phone(number), number) for number in range(PHONES)]
        chance = random.Random(7)

        for owner in owners:
            owner.start()
        kills = 0
        while kills < KILLS or sum(len(owner.mine) for owner in owners) < AT_LEAST:
            time.sleep(0.2 + 0.5 * chance.random())
            server.kill("serve")
            server.start("serve")
            kills += 1
        for owner in owners:
            owner.is_over.set()
        for owner in owners:
            owner.join()

        assert [owner.went_wrong for owner in owners] == [[]] * PHONES
        for number, owner in enumerate(owners):
            owner.phone = phone(number)  # restarted: it knows what it kept
        for _ in range(2):  # what the last one sends is news to the first
            for owner in owners:
                catch_up(owner.phone)
        said = versions_of(person, server, owners[0].phone)

        assert [owner.phone.refused for owner in owners] == [[]] * PHONES
        assert all(owner.phone.entries.keys() == owners[0].phone.entries.keys() for owner in owners)
        for kind in ("check_in", "note", "goal"):
            versions = [
                {entry_id: one["version"] for entry_id, one in owner.phone.shown(kind).items()}
                for owner in owners
            ]
            assert versions == [versions[0]] * PHONES
        typed = Counter(one for owner in owners for one in owner.mine)
        assert Counter((kind, text) for kind, _, text in said) == typed
        in_danger = {at for owner in owners for at in owner.in_danger}
        assert_danger_is_flagged(fresh_database, said, in_danger)
        assert_ledgers_hold(server)


def assert_danger_is_flagged(
    settings: Settings, said: list[tuple[str, str, str]], in_danger: set[str]
) -> None:
    """Every check-in that ever told of danger is what a flag rests on, and no other."""
    with psycopg.connect(libpq(str(settings.migration_url))) as connection:
        # What came too late for its version flagged too, and was then sent on top of another.
        evidence = connection.execute(
            "SELECT DISTINCT source_id FROM flag_evidence WHERE source_kind = 'check_in'"
        ).fetchall()
    flagged = {str(source_id) for (source_id,) in evidence}
    assert flagged == {entry_id for _, entry_id, text in said if text in in_danger}


def assert_ledgers_hold(server: LiveServer) -> None:
    """Nothing in them was altered, nothing is missing."""
    database = Direct(str(server.settings.database_url), stack.keyring(server.settings))
    assert verify_all(database).faults == []
    database.close()
