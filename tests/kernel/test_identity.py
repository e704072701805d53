"""Who is asking: refresh families, throttling, standing, and what a token says."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from argon2 import extract_parameters
from argon2.exceptions import VerifyMismatchError
from fastapi.testclient import TestClient
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.kernel import identity
from app.kernel.db import Db, Direct, libpq
from app.kernel.errors import Kind, Problem
from app.kernel.identity import (
    FAILURES_FROM_HERE,
    FAILURES_PER_ACCOUNT,
    FAILURES_PER_ADDRESS,
    LOST_REPLY,
    REFRESH_LIFETIME,
    THROTTLE_WINDOW,
    Caller,
    Issuer,
    Standing,
    Tokens,
)
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from tests.builders import PASSWORD, Person, World

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def issuer(client: TestClient) -> Issuer:
    made: Issuer = client.app.state.desk.issuer  # type: ignore[attr-defined]
    return made


def standing_of(direct: Direct, person: Person) -> Standing:
    def work(db: Db) -> Standing:
        db.enter(person.clinic_id)
        return db.one(identity.STANDING_BY_ID, membership_id=person.membership_id)

    return direct.run(work)


def begin(direct: Direct, issuer: Issuer, person: Person, now: datetime = NOW) -> Tokens:
    """A new sign-in."""
    standing = standing_of(direct, person)

    def work(db: Db) -> Tokens:
        db.enter(person.clinic_id)
        return identity.begin_family(db, issuer, standing, now)

    return direct.run(work)


def refresh(direct: Direct, issuer: Issuer, token: str, now: datetime) -> Tokens | Problem:
    return direct.run(lambda db: identity.refresh(db, issuer, refresh_token=token, now=now))


def successor(direct: Direct, issuer: Issuer, token: str, now: datetime) -> str:
    """The next refresh token."""
    answer = refresh(direct, issuer, token, now)
    assert isinstance(answer, Tokens)
    return answer.refresh_token


def is_refused(direct: Direct, issuer: Issuer, token: str, now: datetime) -> bool:
    answer = refresh(direct, issuer, token, now)
    return isinstance(answer, Problem) and answer.kind is Kind.INVALID_GRANT


class Family(RuleBasedStateMachine):
    """A family of refresh tokens against the laws it must keep.

    direct, issuer, person: set by the test.
    """

    direct: Direct
    issuer: Issuer
    person: Person

    @initialize()
    def sign_in(self) -> None:
        self.now = NOW
        self.tokens = [begin(self.direct, self.issuer, self.person, self.now).refresh_token]
        self.rotated_at = self.now
        self.is_over = False

    @rule(seconds=st.sampled_from([1, 20, 59, 60, 61, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @precondition(lambda self: not self.is_over)
    @rule()
    def show_the_newest(self) -> None:
        self.tokens.append(successor(self.direct, self.issuer, self.tokens[-1], self.now))
        self.rotated_at = self.now

    @precondition(lambda self: not self.is_over and len(self.tokens) > 1)
    @rule()
    def show_the_one_before_again(self) -> None:
        answer = refresh(self.direct, self.issuer, self.tokens[-2], self.now)
        if self.now - self.rotated_at <= LOST_REPLY:
            assert isinstance(answer, Tokens)
            assert answer.refresh_token == self.tokens[-1]
        else:
            assert isinstance(answer, Problem)
            self.is_over = True

    @precondition(lambda self: not self.is_over and len(self.tokens) > 2)
    @rule(back=st.integers(3, 6))
    def show_an_older_one(self, back: int) -> None:
        token = self.tokens[-min(back, len(self.tokens))]
        assert is_refused(self.direct, self.issuer, token, self.now)
        self.is_over = True

    @precondition(lambda self: not self.is_over)
    @rule()
    def sign_out(self) -> None:
        self.direct.run(
            lambda db: identity.revoke(db, self.issuer, token=self.tokens[0], now=self.now)
        )
        self.is_over = True

    @precondition(lambda self: self.is_over)
    @rule(data=st.data())
    def nothing_works_once_it_is_over(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.tokens))
        assert is_refused(self.direct, self.issuer, token, self.now)

    @invariant()
    def no_token_is_given_out_twice(self) -> None:
        assert len(set(self.tokens)) == len(self.tokens)


class TestRefresh:
    def test_a_family_keeps_its_laws_whatever_is_shown_when(
        self, direct: Direct, issuer: Issuer, world: World
    ) -> None:
        class This(Family):
            pass

        This.direct, This.issuer, This.person = direct, issuer, world.patient

        run_state_machine_as_test(
            This,
            settings=hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None),
        )

    def test_twenty_at_once_all_get_the_one_successor(
        self, settings: Settings, direct: Direct, issuer: Issuer, keyring: Keyring, world: World
    ) -> None:
        token = begin(direct, issuer, world.patient).refresh_token
        together = threading.Barrier(20)
        given: list[str] = []

        def show() -> None:
            database = Direct(str(settings.database_url), keyring)
            together.wait(10)
            given.append(successor(database, issuer, token, NOW + SECOND))
            database.close()

        threads = [threading.Thread(target=show) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert len(given) == 20
        assert len(set(given)) == 1
        assert given[0] != token

    def test_a_family_ends_by_itself(self, direct: Direct, issuer: Issuer, world: World) -> None:
        token = begin(direct, issuer, world.patient).refresh_token

        assert is_refused(direct, issuer, token, NOW + REFRESH_LIFETIME)
        assert not is_refused(direct, issuer, token, NOW + REFRESH_LIFETIME - SECOND)

    @pytest.mark.parametrize("table", ["membership", "account"])
    def test_who_was_deactivated_is_signed_out(
        self, direct: Direct, issuer: Issuer, world: World, settings: Settings, table: str
    ) -> None:
        token = begin(direct, issuer, world.patient).refresh_token
        standing = standing_of(direct, world.patient)
        id_ = standing.membership_id if table == "membership" else standing.account_id

        as_superuser(settings, f"UPDATE {table} SET is_active = false WHERE id = '{id_}'")
        refused = is_refused(direct, issuer, token, NOW + SECOND)
        as_superuser(settings, f"UPDATE {table} SET is_active = true WHERE id = '{id_}'")

        assert refused
        assert is_refused(direct, issuer, token, NOW + 2 * SECOND), "its family has ended"

    def test_a_reuse_is_kept_as_what_it_was(
        self, direct: Direct, issuer: Issuer, world: World, settings: Settings
    ) -> None:
        token = begin(direct, issuer, world.patient).refresh_token
        stolen = successor(direct, issuer, token, NOW + SECOND)
        token = successor(direct, issuer, stolen, NOW + 2 * SECOND)

        assert not is_refused(direct, issuer, stolen, NOW + 3 * SECOND)
        assert is_refused(direct, issuer, stolen, NOW + 2 * SECOND + LOST_REPLY + SECOND)

        family = token.split(".")[1]
        assert as_superuser(
            settings, f"SELECT ended_reason FROM refresh_family WHERE id = '{UUID(family)}'"
        ) == [("reuse",)]

    @pytest.mark.parametrize(
        "forge",
        [
            lambda token: "",
            lambda token: ".",
            lambda token: "a.b.c.d",
            lambda token: token[:-1],
            lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
            lambda token: token.replace(".1.", ".2."),
            lambda token: token.rpartition(".")[0],
            lambda token: token + "." * 200,
            lambda token: token.rpartition(".")[0] + ".雨",
            # The keyed hash does not tell these from ours; reading them must not fail.
            lambda token: " " + token,
            lambda token: token.replace(".", "\u2024", 1),
            lambda token: "\t" + token.replace(".1.", " .1 ."),
        ],
        ids=map(str, range(12)),
    )
    def test_what_is_not_a_token_of_ours_is_refused(
        self, direct: Direct, issuer: Issuer, world: World, forge: Callable[[str], str]
    ) -> None:
        token = begin(direct, issuer, world.patient).refresh_token

        assert is_refused(direct, issuer, forge(token), NOW + SECOND)
        assert not is_refused(direct, issuer, token, NOW + SECOND)

    def test_a_token_of_a_family_that_is_not_there_is_refused(
        self, direct: Direct, issuer: Issuer, world: World
    ) -> None:
        token = issuer.refresh_token(world.patient.clinic_id, uuid4(), 1)

        assert is_refused(direct, issuer, token, NOW)

    def test_revoking_what_is_no_token_is_as_well_as_done(
        self, direct: Direct, issuer: Issuer
    ) -> None:
        direct.run(lambda db: identity.revoke(db, issuer, token="nothing", now=NOW))


@pytest.fixture
def address() -> str:
    """An address nobody else came from."""
    return f"test-{uuid4()}"


@pytest.fixture
def attempt(direct: Direct, issuer: Issuer, address: str) -> Callable[..., Tokens | Problem]:
    """Signing in with a name and a password."""

    def sign_in(
        username: str,
        password: str,
        now: datetime = NOW,
        origin: str = address,
        clinic_id: UUID | None = None,
        membership_id: UUID | None = None,
    ) -> Tokens | Problem:
        return direct.run(
            lambda db: identity.sign_in(
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

    return sign_in


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
                    identity.COUNT_FAILURE,
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
                    lambda db: identity.sign_in(
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
                    identity.COUNT_FAILURE,
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
            identity._HASHER.verify(identity._NOBODYS_HASH, "anything")

    def test_a_hash_is_what_the_cheat_sheet_asks_for(self) -> None:
        parameters = extract_parameters(identity.hash_password(PASSWORD))

        assert (parameters.type.name, parameters.parallelism) == ("ID", 1)
        # OWASP Password Storage Cheat Sheet: equal choices of passes and KiB.
        assert (parameters.time_cost, parameters.memory_cost) in [
            (1, 47104), (2, 19456), (3, 12288), (4, 9216), (5, 7168),
        ]  # fmt: skip

    @pytest.mark.parametrize("damaged", ["", "not a hash", "$argon2id$v=19$m=1", "\ud800"])
    def test_a_damaged_hash_matches_nothing(self, damaged: str) -> None:
        assert not identity._password_matches(damaged, PASSWORD)

    @pytest.mark.parametrize("password", ["", "\ud800", "x" * 100_000, PASSWORD + " "])
    def test_another_password_does_not_match(self, password: str) -> None:
        assert not identity._password_matches(identity.hash_password(PASSWORD), password)


class TestSignIn:
    def test_a_membership_can_be_chosen(
        self, attempt: Attempt, direct: Direct, keyring: Keyring, world: World
    ) -> None:
        person, account_id = world.therapist, standing_of(direct, world.therapist).account_id

        def join(db: Db) -> UUID:
            db.enter(world.elsewhere.id)
            return identity.join(
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


class TestCaller:
    @pytest.fixture
    def standing(self, direct: Direct, world: World) -> Standing:
        return standing_of(direct, world.patient)

    def test_a_token_says_who_is_asking(self, issuer: Issuer, standing: Standing) -> None:
        caller = issuer.caller(issuer.access_token(standing, NOW), NOW.timestamp())

        assert caller == Caller(
            standing.account_id,
            standing.clinic_id,
            standing.membership_id,
            "patient",
            standing.patient_id,
            int(NOW.timestamp()),
        )

    def test_callers_are_remembered_and_not_for_ever(
        self, issuer: Issuer, standing: Standing
    ) -> None:
        token = issuer.access_token(standing, NOW)
        first = issuer.caller(token, NOW.timestamp())

        assert issuer.caller(token, NOW.timestamp()) is first
        for _ in range(identity._CALLERS_KEPT + 1):
            issuer.caller(issuer.access_token(standing, NOW), NOW.timestamp())
        again = issuer.caller(token, NOW.timestamp())
        assert again == first
        assert again is not first
        assert issuer.caller(token, (NOW + identity.ACCESS_LIFETIME).timestamp()) is None

    def test_a_clinician_is_no_patient(self, issuer: Issuer, direct: Direct, world: World) -> None:
        standing = standing_of(direct, world.therapist)

        caller = issuer.caller(issuer.access_token(standing, NOW), NOW.timestamp())

        assert caller is not None
        assert caller.patient_id is None

    def test_a_token_of_another_issuer_says_nothing(
        self, issuer: Issuer, keyring: Keyring, standing: Standing
    ) -> None:
        keys = SigningKeys.parse(SigningKeys.generate())
        strangers = [
            Issuer(keys, keyring, issuer.base_url),
            Issuer(issuer.keys, keyring, "http://elsewhere"),
        ]

        for stranger in strangers:
            token = stranger.access_token(standing, NOW)
            assert issuer.caller(token, NOW.timestamp()) is None

    @pytest.mark.parametrize("claim", ["clinic", "membership", "role", "sub", "patient"])
    @pytest.mark.parametrize("value", [None, 1, "", "no uuid", ["x"], {}])
    def test_a_token_of_ours_without_sense_in_it_says_nothing(
        self, issuer: Issuer, standing: Standing, claim: str, value: object
    ) -> None:
        from app.kernel.tokens import sign

        issued_at = int(NOW.timestamp())
        claims: dict[str, object] = {
            "iss": issuer.base_url,
            "aud": identity.AUDIENCE,
            "sub": str(standing.account_id),
            "iat": issued_at,
            "exp": issued_at + 60,
            "jti": "x" * 16,
            "clinic": str(standing.clinic_id),
            "membership": str(standing.membership_id),
            "role": "patient",
            "patient": str(standing.patient_id),
        }
        try:
            token = sign(issuer.keys, claims | {claim: value})
        except (TypeError, ValueError):
            return  # cannot even be made

        caller = issuer.caller(token, NOW.timestamp())

        if caller is not None:
            assert claim in ("role", "patient")
            assert caller.role in ("patient", value)

    def test_a_token_from_before_a_membership_was_reset_is_signed_out(
        self, direct: Direct, world: World, settings: Settings
    ) -> None:
        person = world.patient
        reset_at = datetime.now(UTC).replace(microsecond=0)
        as_superuser(
            settings,
            f"UPDATE membership SET valid_after = '{reset_at.isoformat()}'"
            f" WHERE id = '{person.membership_id}'",
        )

        def standing_at(issued_at: datetime) -> Standing:
            caller = Caller(
                uuid4(),
                person.clinic_id,
                person.membership_id,
                "patient",
                person.patient_id,
                int(issued_at.timestamp()),
            )

            def work(db: Db) -> Standing:
                db.enter(person.clinic_id)
                return identity.require_standing(db, caller)

            return direct.run(work)

        assert standing_at(reset_at).membership_id == person.membership_id
        with pytest.raises(Problem) as raised:
            standing_at(reset_at - SECOND)
        assert raised.value.kind is Kind.NOT_SIGNED_IN
        assert raised.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def as_superuser(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    import psycopg

    with psycopg.connect(libpq(str(settings.migration_url)), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []
