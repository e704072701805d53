"""Signing in: passwords, how many attempts are too many, and which membership a token names."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from argon2 import extract_parameters
from argon2.exceptions import VerifyMismatchError

from app.kernel import accounts, sign_in, throttle
from app.kernel.db import Db, Direct
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Issuer, Tokens
from app.kernel.settings import Settings
from app.kernel.throttle import (
    FAILURES_FROM_HERE,
    FAILURES_PER_ACCOUNT,
    FAILURES_PER_ADDRESS,
    THROTTLE_WINDOW,
)
from app.kernel.vault import Keyring
from tests.builders import PASSWORD, World, as_superuser, standing_of

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def address() -> str:
    """An address nobody else came from."""
    return f"test-{uuid4()}"


@pytest.fixture
def attempt(direct: Direct, issuer: Issuer, address: str) -> Callable[..., Tokens | Problem]:
    """Signing in with a name and a password."""

    def try_it(
        username: str,
        password: str,
        now: datetime = NOW,
        origin: str = address,
        clinic_id: UUID | None = None,
        membership_id: UUID | None = None,
    ) -> Tokens | Problem:
        return direct.run(
            lambda db: sign_in.sign_in(
                db,
                issuer,
                username=username,
                password=password,
                clinic_id=clinic_id,
                membership_id=membership_id,
                address=origin,
                now=now,
            )
        )

    return try_it


Attempt = Callable[..., Tokens | Problem]


def kinds(answers: list[Tokens | Problem]) -> list[Kind | None]:
    return [answer.kind if isinstance(answer, Problem) else None for answer in answers]


class TestThrottle:
    @pytest.mark.parametrize("is_known", [True, False], ids=["a known name", "an unknown name"])
    def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(
        self, attempt: Attempt, world: World, is_known: bool
    ) -> None:
        username = world.patient.username if is_known else f"nobody-{uuid4()}"

        answers = [attempt(username, "a wrong password") for _ in range(FAILURES_FROM_HERE)]
        answers.append(attempt(username, PASSWORD, NOW + SECOND))

        assert kinds(answers) == [Kind.INVALID_GRANT] * 5 + [Kind.TOO_MANY_ATTEMPTS]
        late = answers[-1]
        assert isinstance(late, Problem)
        assert late.headers["Retry-After"] == "900"

    def test_the_wait_ends_a_window_after_the_first_failure(
        self, attempt: Attempt, world: World
    ) -> None:
        for n in range(7):
            attempt(world.patient.username, "a wrong password", NOW + n * SECOND)

        before = attempt(world.patient.username, PASSWORD, NOW + THROTTLE_WINDOW - SECOND)
        after = attempt(world.patient.username, PASSWORD, NOW + THROTTLE_WINDOW)

        assert kinds([before, after]) == [Kind.TOO_MANY_ATTEMPTS, None]

    def test_the_right_password_forgets_the_wrong_ones(
        self, attempt: Attempt, world: World
    ) -> None:
        for _ in range(3):
            for _ in range(FAILURES_FROM_HERE - 1):
                assert isinstance(attempt(world.patient.username, "wrong"), Problem)
            assert isinstance(attempt(world.patient.username, PASSWORD), Tokens)

    def test_a_name_is_the_same_however_it_is_typed(self, attempt: Attempt, world: World) -> None:
        username = world.patient.username
        for spelling in (username, username.upper(), f" {username}", f"{username} ", username):
            attempt(spelling, "wrong")

        assert kinds([attempt(username.title(), PASSWORD)]) == [Kind.TOO_MANY_ATTEMPTS]

    def test_who_guesses_elsewhere_keeps_nobody_out_here(
        self, attempt: Attempt, world: World
    ) -> None:
        username, elsewhere = world.patient.username, f"elsewhere-{uuid4()}"
        guesses = [
            attempt(username, "a guess", NOW, elsewhere) for _ in range(3 * FAILURES_FROM_HERE)
        ]

        assert kinds(guesses) == (
            [Kind.INVALID_GRANT] * FAILURES_FROM_HERE
            + [Kind.TOO_MANY_ATTEMPTS] * 2 * FAILURES_FROM_HERE
        )
        # Again and again: what is right here says nothing about there.
        assert kinds([attempt(username, PASSWORD) for _ in range(3)]) == [None] * 3
        assert kinds([attempt(username, PASSWORD, NOW, elsewhere)]) == [Kind.TOO_MANY_ATTEMPTS]

    def test_all_addresses_together_have_a_limit_on_one_name(
        self, attempt: Attempt, direct: Direct, issuer: Issuer, world: World
    ) -> None:
        username = world.patient.username
        subject = issuer.keyring.blind_index(username, purpose="throttle-account")
        for _ in range(FAILURES_PER_ACCOUNT - 1):
            direct.run(
                lambda db: db.change(
                    throttle.COUNT_FAILURE,
                    subject_key=subject,
                    now=NOW,
                    window_start=NOW - THROTTLE_WINDOW,
                )
            )

        answers = [
            attempt(username, "a guess", NOW, f"one-{uuid4()}"),
            attempt(username, "a guess", NOW, f"another-{uuid4()}"),
            attempt(username, PASSWORD),
            attempt(username, PASSWORD, NOW + THROTTLE_WINDOW),
        ]

        assert kinds(answers) == [
            Kind.INVALID_GRANT,
            Kind.TOO_MANY_ATTEMPTS,
            Kind.TOO_MANY_ATTEMPTS,
            None,
        ]

    def test_many_at_once_do_not_slip_past_the_count(
        self, settings: Settings, issuer: Issuer, keyring: Keyring, world: World, address: str
    ) -> None:
        together = threading.Barrier(12)
        answers: list[Tokens | Problem] = []

        def guess() -> None:
            database = Direct(str(settings.database_url), keyring)
            together.wait(10)
            answers.append(
                database.run(
                    lambda db: sign_in.sign_in(
                        db,
                        issuer,
                        username=world.patient.username,
                        password="wrong",
                        clinic_id=None,
                        membership_id=None,
                        address=address,
                        now=NOW,
                    )
                )
            )
            database.close()

        threads = [threading.Thread(target=guess) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert sorted(map(str, kinds(answers))) == sorted(
            [str(Kind.INVALID_GRANT)] * 5 + [str(Kind.TOO_MANY_ATTEMPTS)] * 7
        )

    def test_an_address_that_tries_many_names_has_to_wait_too(
        self, attempt: Attempt, direct: Direct, issuer: Issuer, world: World, address: str
    ) -> None:
        subject = issuer.keyring.blind_index(address, purpose="throttle-address")
        for _ in range(FAILURES_PER_ADDRESS - 1):
            direct.run(
                lambda db: db.change(
                    throttle.COUNT_FAILURE,
                    subject_key=subject,
                    now=NOW,
                    window_start=NOW - THROTTLE_WINDOW,
                )
            )

        answers = [
            attempt(world.patient.username, PASSWORD),
            attempt(f"nobody-{uuid4()}", "wrong"),
            attempt(world.patient.username, PASSWORD),
            attempt(world.patient.username, PASSWORD, NOW, f"elsewhere-{uuid4()}"),
            attempt(world.patient.username, PASSWORD, NOW + THROTTLE_WINDOW),
        ]

        assert kinds(answers) == [None, Kind.INVALID_GRANT, Kind.TOO_MANY_ATTEMPTS, None, None]


class TestPassword:
    def test_an_unknown_name_costs_a_hash_like_a_known_one(
        self, attempt: Attempt, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import argon2._password_hasher as library

        verified: list[bytes] = []
        verify_secret = library.verify_secret  # type: ignore[attr-defined]

        def watched(hash_: bytes, *rest: Any) -> bool:
            verified.append(hash_)
            return bool(verify_secret(hash_, *rest))

        monkeypatch.setattr(library, "verify_secret", watched)

        attempt(world.patient.username, "wrong")
        attempt(f"nobody-{uuid4()}", "wrong")

        known, unknown = (extract_parameters(one.decode()) for one in verified)
        assert known == unknown

    def test_nobody_s_hash_is_a_whole_one(self) -> None:
        with pytest.raises(VerifyMismatchError):
            accounts._HASHER.verify(accounts._NOBODYS_HASH, "anything")

    def test_a_hash_is_what_the_cheat_sheet_asks_for(self) -> None:
        parameters = extract_parameters(accounts.hash_password(PASSWORD))

        assert (parameters.type.name, parameters.parallelism) == ("ID", 1)
        # OWASP Password Storage Cheat Sheet: equal choices of passes and KiB.
        assert (parameters.time_cost, parameters.memory_cost) in [
            (1, 47104), (2, 19456), (3, 12288), (4, 9216), (5, 7168),
        ]  # fmt: skip

    @pytest.mark.parametrize("damaged", ["", "not a hash", "$argon2id$v=19$m=1", "\ud800"])
    def test_a_damaged_hash_matches_nothing(self, damaged: str) -> None:
        assert not accounts._password_matches(damaged, PASSWORD)

    @pytest.mark.parametrize("password", ["", "\ud800", "x" * 100_000, PASSWORD + " "])
    def test_another_password_does_not_match(self, password: str) -> None:
        assert not accounts._password_matches(accounts.hash_password(PASSWORD), password)


class TestSignIn:
    def test_a_membership_can_be_chosen(
        self, attempt: Attempt, direct: Direct, keyring: Keyring, world: World
    ) -> None:
        person, account_id = world.therapist, standing_of(direct, world.therapist).account_id

        def join(db: Db) -> UUID:
            db.enter(world.elsewhere.id)
            return accounts.join(
                db,
                keyring,
                account_id=account_id,
                role="clinician",
                privileges=["coach"],
                patient_id=None,
                name="The same person",
                now=datetime.now(UTC),
            )

        second = direct.run(join)

        def chosen(**choice: UUID) -> UUID | None:
            answer = attempt(person.username, PASSWORD, **choice)
            return answer.standing.membership_id if isinstance(answer, Tokens) else None

        assert chosen() == person.membership_id
        assert chosen(clinic_id=world.elsewhere.id) == second
        assert chosen(membership_id=second) == second
        assert chosen(clinic_id=world.here.id, membership_id=second) is None
        assert chosen(clinic_id=uuid4()) is None

    def test_an_account_that_was_closed_looks_like_a_wrong_password(
        self, attempt: Attempt, direct: Direct, world: World, settings: Settings
    ) -> None:
        id_ = standing_of(direct, world.patient).account_id
        as_superuser(settings, f"UPDATE account SET is_active = false WHERE id = '{id_}'")

        closed, wrong = (
            attempt(world.patient.username, PASSWORD),
            attempt(world.therapist.username, "wrong"),
        )

        assert closed == wrong
