"""A stranger's client, generated from the specification, lives the main journey on a live server.

The people are the demo's: Rosa's PHQ-9 fell from a baseline of 17 to 3 over four doses.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.clinical import instruments
from app.kernel.settings import Settings
from app.operations import demo, stack
from tests.stories import generated
from tests.stories.generated import answer_of, client, models, operation, untyped
from tests.stories.servers import LiveServer

TOLD_WITHIN_SECONDS = 10.0
# The operations of the journey, by tag.
JOURNEY = {
    "people": ["create_token", "read_me", "update_me", "read_limits"],
    "check_ins": [
        "list_instruments",
        "read_instrument",
        "submit_check_in",
        "list_check_ins",
        "read_check_in",
    ],
    "treatment": ["list_dosing_sessions", "list_notes"],
    "goals": ["list_goals"],
    "safety": ["list_flags"],
    "trends": ["read_trajectory", "read_caseload"],
}


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The generated package, importable while this module's tests run."""
    folder = tmp_path_factory.mktemp("generated")
    generated.generate(folder)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.startswith(generated.PACKAGE)]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def people(module_database: Settings) -> list[demo.Person]:
    """The demo's sign-ins. Whoever is changed in one story is in no other."""
    database = stack.direct(module_database)
    planted = demo.plant(database, datetime.now(UTC))
    database.close()
    return planted


@pytest.fixture(scope="module")
def server(module_database: Settings, people: list[demo.Person]) -> Iterator[LiveServer]:
    with LiveServer(module_database) as running:
        yield running


@pytest.fixture
def signed_in(server: LiveServer) -> Iterator[Callable[[demo.Person], Any]]:
    """Makes the client of a person of the demo, and closes it afterwards."""
    with ExitStack() as clients:

        def sign_in(person: demo.Person) -> Any:
            form = models().TokenForm(
                grant_type="password", username=person.username, password=person.password
            )
            with client(server.base_url) as nobody:
                tokens = operation("people", "create_token").sync(client=nobody, body=form)
            assert isinstance(tokens, models().TokenOut), tokens
            return clients.enter_context(client(server.base_url, tokens.access_token))

        yield sign_in


def found(people: list[demo.Person], role: str, clinic: str) -> demo.Person:
    """One of the demo's people."""
    return next(one for one in people if one.role == role and one.clinic.startswith(clinic))


def told(therapist: Any, flag_id: UUID) -> Any:
    """The flag in the therapist's inbox, once the worker has told them."""
    deadline = time.monotonic() + TOLD_WITHIN_SECONDS
    while True:
        page = operation("safety", "list_flags").sync(client=therapist)
        flag = next(one for one in page.flags if one.id == flag_id)
        if flag.told_at is not None or time.monotonic() > deadline:
            return flag
        time.sleep(0.1)


class TestTypes:
    @pytest.mark.parametrize(
        ("tag", "name"), [(tag, name) for tag, names in JOURNEY.items() for name in names]
    )
    def test_every_answer_has_a_type_of_its_own(self, tag: str, name: str) -> None:
        answer = answer_of(operation(tag, name))

        assert models().Problem in answer.__args__
        assert untyped(answer) == []

    def test_an_answer_without_a_type_is_seen(self) -> None:
        assert untyped(answer_of(operation("people", "revoke_token"))) == ["answer"]
        assert untyped(dict[str, Any] | None) == ["answer"]


class TestJourney:
    def test_a_check_in_becomes_a_flag_and_a_trajectory(
        self, signed_in: Callable[[demo.Person], Any], people: list[demo.Person]
    ) -> None:
        rosa, toni = found(people, "patient", "Lantern"), found(people, "therapist", "Lantern")
        assert rosa.patient_id is not None
        patient, therapist = signed_in(rosa), signed_in(toni)
        stranger = signed_in(found(people, "therapist", "Harbour"))
        trajectory = operation("trends", "read_trajectory")

        before = trajectory.sync(rosa.patient_id, "phq-9", client=therapist)
        sent = models().CheckInIn(
            id=uuid4(),
            instrument="phq-9",
            answers=[2, 2, 1, 2, 1, 2, 1, 1, 2],
            recorded_at=datetime.now(UTC),
        )
        submit = operation("check_ins", "submit_check_in")
        first = submit.sync_detailed("me", client=patient, body=sent)
        again = submit.sync_detailed("me", client=patient, body=sent, country="DE")

        check_in = first.parsed
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.parsed.id == check_in.id == sent.id
        assert (check_in.total, check_in.band, check_in.complete) == (14, "moderate", True)
        assert (check_in.position.dose_number, check_in.position.window) == (4, "later")
        assert check_in.position.hours_since_dose > 24 * 7
        safety = check_in.safety
        assert (safety.assessed, safety.level) == (True, "moderate")
        assert (safety.flag.level, safety.flag.status, safety.flag.round_) == (
            "moderate",
            "open",
            1,
        )
        assert (safety.country, again.parsed.safety.country) == ("US", "DE")
        assert "988" in {line.phone for line in safety.crisis_lines}
        assert "Lantern Clinic" in safety.monitoring_statement
        assert "not an emergency service" in safety.monitoring_statement

        caseload = operation("trends", "read_caseload").sync(client=therapist)
        flag = told(therapist, safety.flag.id)
        after = trajectory.sync(rosa.patient_id, "phq-9", client=therapist)

        assert len(caseload.patients) == 50  # the first page
        assert caseload.next_cursor
        assert str(caseload.patients[0].patient_id) == rosa.patient_id
        assert (caseload.patients[0].flag.id, caseload.patients[0].last_phq9_total) == (
            safety.flag.id,
            14,
        )
        assert flag.told_at is not None
        assert (str(flag.patient_id), flag.patient_name) == (rosa.patient_id, "Rosa Example")
        assert [evidence.source_id for evidence in flag.evidence] == [sent.id]
        assert outcome(before) == (17, False, 3, -14, -82.4, "improved", True, True, True)
        assert outcome(after) == (17, False, 14, -3, -17.6, "improved", False, False, False)
        assert after.points.score == [*before.points.score, 14]
        assert len(after.doses.effective_at) == 4

        for answer in (
            trajectory.sync_detailed(rosa.patient_id, "phq-9", client=stranger),
            operation("check_ins", "read_check_in").sync_detailed(
                rosa.patient_id, check_in.id, client=stranger
            ),
        ):
            assert answer.status_code == 404
            assert isinstance(answer.parsed, models().Problem)
            assert answer.parsed.code == "not-found"
        assert operation("safety", "list_flags").sync(client=stranger).flags == []

    def test_everything_a_client_reads_is_what_the_specification_says(
        self, signed_in: Callable[[demo.Person], Any], people: list[demo.Person]
    ) -> None:
        rosa, toni = found(people, "patient", "Lantern"), found(people, "therapist", "Lantern")
        patient, therapist = signed_in(rosa), signed_in(toni)

        read = SimpleNamespace(
            me=operation("people", "read_me").sync(client=patient),
            limits=operation("people", "read_limits").sync(client=patient),
            instruments=operation("check_ins", "list_instruments").sync(client=patient),
            phq9=operation("check_ins", "read_instrument").sync("phq-9", client=patient),
            check_ins=operation("check_ins", "list_check_ins").sync("me", client=patient, limit=5),
            sessions=operation("treatment", "list_dosing_sessions").sync("me", client=patient),
            notes=operation("treatment", "list_notes").sync(rosa.patient_id, client=therapist),
            goals=operation("goals", "list_goals").sync(rosa.patient_id, client=therapist),
        )

        assert read.me.name == "Rosa Example"
        assert read.limits.max_page == 200
        assert {one.key for one in read.instruments.instruments} == {
            one.key for one in instruments.shipped()
        }
        assert read.phq9.suicide_item.levels.additional_properties["2"] == "moderate"
        assert len(read.check_ins.check_ins) == 5
        assert read.check_ins.next_cursor
        assert [one.number for one in read.sessions.dosing_sessions] == [4, 3, 2, 1]
        assert [one.tier for one in read.notes.notes] == ["care-team"]
        assert [one.life_area for one in read.goals.goals] == ["relationships"]

    def test_a_change_carries_the_version_it_starts_from(
        self, signed_in: Callable[[demo.Person], Any], people: list[demo.Person]
    ) -> None:
        patient = signed_in(found(people, "patient", "Harbour"))
        update = operation("people", "update_me")
        change = models().MePatch(country="CA")
        version = operation("people", "read_me").sync_detailed(client=patient).headers["ETag"]

        changed = update.sync_detailed(client=patient, body=change, if_match=version)
        stale = update.sync_detailed(client=patient, body=change, if_match=version)

        assert (changed.status_code, changed.parsed.country) == (200, "CA")
        assert (stale.status_code, stale.parsed.code) == (412, "precondition-failed")


def outcome(trajectory: Any) -> tuple[Any, ...]:
    """What the therapist reads off a trajectory."""
    baseline, latest = trajectory.baseline, trajectory.latest
    return (
        baseline.score,
        baseline.provisional,
        latest.score,
        latest.change,
        latest.percent_change,
        latest.direction,
        latest.reliable,
        latest.response,
        latest.remission,
    )
