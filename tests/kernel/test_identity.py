"""Who is asking: refresh families, standing, and what a token says."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
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
from app.kernel.db import Db, Direct
from app.kernel.errors import Kind, Problem
from app.kernel.identity import (
    LOST_REPLY,
    REFRESH_LIFETIME,
    Caller,
    Issuer,
    Standing,
    Tokens,
)
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from tests.builders import Person, World, as_superuser, standing_of

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


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


class TestEnrolmentToken:
    def test_it_is_no_access_token_and_an_access_token_is_none(
        self, issuer: Issuer, direct: Direct, world: World
    ) -> None:
        standing, at = standing_of(direct, world.therapist), NOW.timestamp()
        access = issuer.access_token(standing, NOW)
        enrolment = issuer.access_token(standing, NOW, must_enrol=True)

        assert issuer.caller(enrolment, at) is None
        assert issuer.enrolling_caller(access, at) is None
        assert issuer.enrolling_caller(enrolment, at) == issuer.caller(access, at)

    def test_it_ends_with_its_ten_minutes_and_is_believed_of_nobody_else(
        self, issuer: Issuer, direct: Direct, world: World
    ) -> None:
        token = issuer.access_token(standing_of(direct, world.therapist), NOW, must_enrol=True)
        elsewhere = Issuer(issuer.keys, issuer.keyring, "https://elsewhere.example")

        end = (NOW + identity.ACCESS_LIFETIME).timestamp()
        assert issuer.enrolling_caller(token, end) is None
        assert elsewhere.enrolling_caller(token, NOW.timestamp()) is None
        assert issuer.enrolling_caller(token[:-1], NOW.timestamp()) is None


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
