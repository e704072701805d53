"""Migrations on databases that are in use: what was stored is read as it was, and goes on.

`filled_at_0003` was written by the application as it was at that revision, through its own API and
by its own worker: `rows.txt` is what stood in its tables (as COPY writes it), `told.json` what it
answered about them, who asked, and its keys, which are of this test and open nothing else.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from psycopg import sql
from sqlalchemy import create_engine, text

from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.operations import audit
from app.operations.stack import ROOT
from migrations.keeping import WouldLose, keep_what_is_written
from tests.builders import PASSWORD, Person, a_check_in, a_goal, a_note, amended, now, withdrawn
from tests.conftest import KEYRING, SIGNING_KEYS, Postgres, a_database
from tests.contract.stage import a_stage

FILLED: Final = Path(__file__).parent / "filled_at_0003"
Told = dict[str, Any]


@cache
def told() -> Told:
    found: Told = json.loads((FILLED / "told.json").read_text())
    return found


def fill(url: str) -> None:
    """Put the rows into tables of that revision."""
    lines = (FILLED / "rows.txt").read_text().splitlines(keepends=True)
    starts = [at for at, line in enumerate(lines) if line.startswith("\\copy ")]
    with psycopg.connect(libpq(url)) as connection:
        connection.execute("SET session_replication_role = replica")  # in whatever order they come
        for start, end in pairwise([*starts, len(lines)]):
            name, *columns = lines[start].split()[1:]
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with connection.cursor().copy(statement) as copy:
                copy.write("".join(lines[start + 1 : end]))


class People(dict[str, Person]):
    """Who was there, by what they are called in what was told; signed in once they are asked for,
    with the password of then.
    """

    def __init__(self, client: TestClient) -> None:
        super().__init__()
        self._client = client

    def __missing__(self, who: str) -> Person:
        one = told()["people"][who]
        sent = {"grant_type": "password", "username": one["username"], "password": PASSWORD}
        answer = self._client.post("/v1/auth/token", data=sent)
        assert answer.status_code == 200, answer.text
        self[who] = Person(
            self._client,
            one["username"],
            UUID(one["clinic_id"]),
            UUID(one["membership_id"]),
            one["role"],
            one["patient_id"] and UUID(one["patient_id"]),
            answer.json()["access_token"],
        )
        return self[who]


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[str]:
    """The name of a database to copy: at head, with rows that were there at 0003."""
    name = f"afterglow_filled_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name}")
    url = postgres.superuser_url(name)
    command.upgrade(alembic(url), "0003")
    fill(url)
    command.upgrade(alembic(url), "head")
    yield name
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


def alembic(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


THEN: Final = datetime(2026, 11, 22, 9, 59, tzinfo=UTC)
"""When it was told; what an answer reckons from the present day would be another every day."""


@contextmanager
def serving(settings: Settings, clock: Callable[[], datetime] = now) -> Iterator[People]:
    """The application as it is now, and who was there then, signed in."""
    keyring = Keyring.parse(told()["keyring"])
    application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS), now=clock)
    with TestClient(application, raise_server_exceptions=False) as client:
        yield People(client)


@pytest.fixture(scope="module")
def readers(
    postgres: Postgres, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[People]:
    """Everybody, on a database that nobody changes."""
    folder = tmp_path_factory.mktemp("read")
    with (
        a_database(postgres, filled, folder) as settings,
        serving(settings, lambda: THEN) as people,
    ):
        yield people


@pytest.fixture
def copied(postgres: Postgres, filled: str, tmp_path: Path) -> Iterator[Settings]:
    """A database to change."""
    with a_database(postgres, filled, tmp_path) as settings:
        yield settings


@pytest.fixture
def people(copied: Settings) -> Iterator[People]:
    """Everybody, on that."""
    with serving(copied) as people:
        yield people


def record_of(people: People) -> str:
    """The path of the record that was filled."""
    return people["patient"].record


_DEFINITIONS: Final = {"sources", "conventions"}
"""How the numbers are explained, which may be said better."""


def lost(before: Any, now: Any, at: str = "") -> Iterator[str]:
    """Where an answer of before is not in that of now; what came besides is none."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            if name not in now:
                yield f"{at}/{name} is gone"
            elif name not in _DEFINITIONS:
                yield from lost(value, now[name], f"{at}/{name}")
    elif isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            yield f"{at} has {len(now)} entries of {len(before)}"
        for place, (one, other) in enumerate(zip(before, now, strict=False)):
            yield from lost(one, other, f"{at}/{place}")
    elif before != now:
        yield f"{at} was {before!r} and is {now!r}"


ASKED: Final = [(who, path) for who, paths in told()["told"].items() for path in paths]
KINDS: Final = ("check-ins", "notes", "goals", "dosing-sessions")
# What came later, computed from what was there.
SINCE: Final = (
    "due",
    "eligibility",
    "exposure",
    "goal-attainment",
    "practices/adherence",
    "coping/helpfulness",
    "integration-sessions/proposal",
    "medications",
    "intentions",
    "report",
    "suicidal-ideation",
    "thread",
    "week",
    "trajectories?instruments=phq-9",
    "trajectories/phq-9/doses",
)


def entry(kind: str, meant_for: str = "") -> str:
    """The id of one."""
    found: str = told()["entries"][f"{kind} {meant_for}".strip()]
    return found


def said(kind: str) -> dict[str, Any]:
    """What is put in an entry's place."""
    given = {"drug": "ketamine", "route": "im", "dose_mg": 45, "given_at": "2026-11-20T10:00:00Z"}
    return {
        "check-ins": a_check_in(answers=[0] * 9),
        "notes": a_note(words="Said since.", themes=["rest"]),
        "goals": a_goal(words="Said since."),
        "dosing-sessions": {"administrations": [given], "weight_kg": 70},
    }[kind]


def by(people: People, kind: str) -> Person:
    """Who writes entries of this kind."""
    return people["therapist" if kind == "dosing-sessions" else "patient"]


class TestAsItWas:
    @pytest.mark.parametrize(("who", "path"), ASKED)
    def test_what_was_told_before_is_told_still(self, readers: People, who: str, path: str) -> None:
        answer = readers[who].get(path)

        assert answer.status_code == 200, answer.text
        assert list(lost(told()["told"][who][path], answer.json())) == []

    @pytest.mark.parametrize("path", SINCE)
    def test_what_came_since_answers_about_what_was_there(self, readers: People, path: str) -> None:
        reader = readers["therapist"]

        assert reader.get(f"{record_of(readers)}/{path}").status_code in {200, 204}

    def test_a_loss_is_seen(self) -> None:
        before = {"a": [{"b": 1}, {"c": None}], "d": "x"}

        assert list(lost(before, {"a": [{"b": 1, "z": 2}, {"c": None}], "d": "x", "e": 1})) == []
        assert list(lost(before, {"a": [{"b": 2}], "d": "x"})) == [
            "/a has 1 entries of 2",
            "/a/0/b was 1 and is 2",
        ]
        assert list(lost(before, {"a": before["a"]})) == ["/d is gone"]

    def test_what_others_may_not_see_stays_hidden(self, readers: People) -> None:
        record, private = record_of(readers), entry("notes", "private")

        assert readers["therapist"].get(f"{record}/notes/{private}").status_code == 404
        for who in ("stranger", "foreign therapist", "other patient"):
            assert readers[who].get(f"{record}/notes").status_code == 404

    def test_nobody_has_to_set_up_what_their_clinic_never_required(self, readers: People) -> None:
        told = readers["therapist"].get("/v1/me/second-factor").json()

        assert not told["is_required"]

    def test_every_ledger_verifies(self, copied: Settings) -> None:
        assert copied.database_url is not None
        direct = Direct(copied.database_url, Keyring.parse(told()["keyring"]))
        try:
            report = audit.verify_all(direct)
        finally:
            direct.close()

        assert (report.faults, report.rows > 20) == ([], True)


class TestGoingOn:
    def test_entries_of_before_are_amended_and_withdrawn_and_every_version_stays(
        self, people: People
    ) -> None:
        for kind in KINDS:
            path = f"{record_of(people)}/{kind}/{entry(kind, 'to amend')}"

            amended(by(people, kind), path, said(kind), 2)
            withdrawn(by(people, kind), path, 3)

            versions = by(people, kind).get(f"{path}/versions").json()["versions"]
            before = told()["told"]["patient"][f"{path}/versions"]["versions"]
            assert [one["version"] for one in versions] == [1, 2, 3, 4], kind
            assert list(lost(before, versions[:2])) == [], kind

    def test_what_was_sent_before_and_is_sent_again_is_the_same_entry(self, people: People) -> None:
        for kind, sent in told()["resent"].items():
            again = people[sent["by"]].post(f"{record_of(people)}/{kind}", sent["body"])

            assert (again.status_code, again.json()["id"]) == (200, sent["body"]["id"]), kind

    def test_a_change_made_offline_before_is_taken_after(self, people: People) -> None:
        note = entry("notes")
        change = {
            "kind": "note",
            "op": "amend",
            "id": note,
            "base_version": 1,
            "entry": a_note(words="Written on a train."),
        }

        [result] = people["patient"].post("/v1/sync", {"changes": [change]}).json()["results"]

        assert (result["status"], result["version"]) == ("amended", 2)

    def test_a_flag_of_before_is_closed_and_a_new_sign_raises_another(self, people: People) -> None:
        flag = entry("flag")
        why = {"disposition": "plan-agreed", "note": "We spoke."}
        closed = people["therapist"].post(f"/v1/flags/{flag}/resolve", why)
        assert closed.status_code == 200, closed.text

        grave = people["patient"].post(
            "/v1/patients/me/check-ins", a_check_in(answers=[2] * 8 + [3])
        )

        assert grave.json()["safety"]["flag"]["id"] != flag

    def test_what_was_planned_before_is_given_after(self, people: People) -> None:
        path = f"{record_of(people)}/dosing-sessions/{entry('dosing-sessions', 'planned')}"

        visit = amended(people["therapist"], path, said("dosing-sessions"), 1)

        assert visit["open_at_dose"]["warnings"]


Rows = dict[str, list[dict[str, Any]]]


def rows(url: str) -> Rows:
    """Everything that is stored, by table."""
    with psycopg.connect(libpq(url)) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).fetchall()
        return {
            name: [
                row
                for (row,) in connection.execute(
                    sql.SQL("SELECT to_jsonb(one) FROM {} one ORDER BY one::text").format(
                        sql.Identifier(name)
                    )
                )
            ]
            for (name,) in names
        }


def as_known(now: Rows, before: Rows) -> Rows:
    """Of these rows what a version before knows of."""
    return {
        name: sorted(
            ({column: row[column] for column in known[0]} for row in now[name]) if known else [],
            key=str,
        )
        for name, known in before.items()
    }


@pytest.fixture(scope="module")
def staged(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database to copy: at head, with a row in every table."""
    name = f"afterglow_staged_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    settings = postgres.settings(name, tmp_path_factory.mktemp("staged"))
    assert settings.database_url is not None
    keyring = Keyring.parse(KEYRING)
    direct = Direct(settings.database_url, keyring)
    application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
    with TestClient(application, raise_server_exceptions=False) as client:
        a_stage(client, direct)
    direct.close()
    return name


class TestTakingBack:
    """A version is taken back, and comes again, on a database with rows in every table."""

    @pytest.fixture
    def url(self, postgres: Postgres, staged: str, tmp_path: Path) -> Iterator[str]:
        with a_database(postgres, staged, tmp_path) as settings:
            assert settings.migration_url is not None
            yield settings.migration_url

    def test_what_would_lose_what_somebody_wrote_is_refused_and_nothing_is_changed(
        self, url: str
    ) -> None:
        before = rows(url)

        with pytest.raises(WouldLose):
            command.downgrade(alembic(url), "0003")

        # Versions whose columns say nothing are taken back, until one would lose something.
        kept = rows(url)
        assert as_known(before, kept) == as_known(kept, kept)
        assert kept.keys() == before.keys()

    def test_a_private_goal_is_not_shown_to_everybody_by_a_version_that_knows_no_tiers(
        self, copied: Settings, people: People
    ) -> None:
        patient, url = people["patient"], copied.migration_url
        assert url is not None
        path = f"{record_of(people)}/goals/{entry('goals')}"
        amended(patient, path, a_goal(tier="private"), 1)

        with pytest.raises(WouldLose, match="tier"):
            command.downgrade(alembic(url), "0004")
        command.upgrade(alembic(url), "head")

        assert patient.get(path).status_code == 200
        assert people["therapist"].get(path).status_code == 404

    def test_told_to_lose_what_is_newer_it_keeps_what_the_version_before_knew(
        self, url: str
    ) -> None:
        before = rows(url)
        config = alembic(url)
        config.attributes["may_lose"] = True

        command.downgrade(config, "0003")
        known = rows(url)
        command.upgrade(config, "head")

        assert sum(map(len, known.values())) > 100
        assert as_known(before, known) == as_known(known, known)
        assert as_known(rows(url), known) == as_known(known, known)

    def test_who_listed_a_medicine_is_known_again_from_the_ledger(self, url: str) -> None:
        with psycopg.connect(libpq(url)) as connection:
            made = connection.execute("SELECT id, listed_by FROM medication").fetchall()
            # As if the version before had kept one that a clinician listed.
            connection.execute(
                "UPDATE ledger SET actor_role = 'clinician'"
                " WHERE entry_kind = 'medication' AND entry_id = %s",
                [made[0][0]],
            )
        config = alembic(url)
        config.attributes["may_lose"] = True

        command.downgrade(config, "0014")
        command.upgrade(config, "head")

        with psycopg.connect(libpq(url)) as connection:
            again = connection.execute("SELECT id, listed_by FROM medication").fetchall()
        assert set(again) == {*made[1:], (made[0][0], "clinician")}

    @pytest.mark.parametrize(
        ("statement", "is_kept"),
        [
            ("DROP TABLE kept", True),
            ('DROP TABLE "kept"', True),
            ('ALTER TABLE kept DROP COLUMN "on"', True),
            ("ALTER TABLE kept DROP COLUMN said", True),
            ("ALTER TABLE kept DROP COLUMN as_before", False),
            ("ALTER TABLE kept DROP COLUMN nothing", False),
            ("DROP TABLE empty", False),
        ],
    )
    def test_only_what_somebody_wrote_is_kept(
        self, url: str, statement: str, is_kept: bool
    ) -> None:
        engine = create_engine(url)
        with engine.connect() as connection:
            connection.execute(
                text(
                    "CREATE TABLE kept (\"on\" date, said text DEFAULT 'yes',"
                    " as_before text DEFAULT 'yes', nothing text); CREATE TABLE empty (said text);"
                    " INSERT INTO kept VALUES ('2026-01-01', 'no', DEFAULT, NULL)"
                )
            )
            keep_what_is_written(connection)

            with pytest.raises(WouldLose) if is_kept else nullcontext():
                connection.execute(text(statement))
        engine.dispose()
