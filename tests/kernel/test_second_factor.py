"""The second factor: which codes are good, that each is good once, and what signing in tells."""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from pyotp import TOTP

from app.kernel import second_factor, sign_in
from app.kernel.codes import as_typed, spelt
from app.kernel.db import Db, Direct
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Issuer, Tokens
from app.kernel.second_factor import (
    ENROLMENT_LIFETIME,
    RECOVERY_CODES,
    WRONG_CODES,
    WRONG_CODES_WINDOW,
    code_at,
    step_at,
)
from app.kernel.settings import Settings
from app.kernel.throttle import FAILURES_FROM_HERE, THROTTLE_WINDOW
from app.kernel.vault import Keyring
from tests.builders import PASSWORD, World, as_superuser, standing_of

NOW = datetime(2026, 3, 4, 5, 6, 0, tzinfo=UTC)
STEP = timedelta(seconds=30)
T = TypeVar("T")


@dataclass(frozen=True)
class Enrolled:
    """An account with a confirmed factor. confirmed with the code of NOW."""

    direct: Direct
    keyring: Keyring
    issuer: Issuer
    account_id: UUID
    username: str
    secret: str
    recovery_codes: list[str]

    def code(self, at: datetime) -> str:
        """What the app shows; made by the library alone."""
        return TOTP(self.secret).at(at)

    def spend(self, otp: str, now: datetime) -> str | Kind:
        """Use up a code; what kind it was, or what was wrong."""
        outcome = self.direct.run(
            lambda db: second_factor.spend(db, self.keyring, self.account_id, otp, now)
        )
        return outcome.kind if isinstance(outcome, Problem) else outcome

    def sign_in(
        self,
        otp: str | None,
        now: datetime,
        password: str = PASSWORD,
        address: str | None = None,
    ) -> Tokens | Problem:
        """With a name, a password and a code, from an address nobody else uses."""
        return self.direct.run(
            lambda db: sign_in.sign_in(
                db,
                self.issuer,
                username=self.username,
                password=password,
                otp=otp,
                clinic_id=None,
                membership_id=None,
                address=address or uuid4().hex,
                now=now,
            )
        )


def kind_of(answer: Tokens | Problem) -> Kind | None:
    return answer.kind if isinstance(answer, Problem) else None


@pytest.fixture
def enrol(direct: Direct, keyring: Keyring, issuer: Issuer, world: World) -> Callable[[], Enrolled]:
    """Give the therapist a factor."""

    def make() -> Enrolled:
        account_id = standing_of(direct, world.therapist).account_id
        secret = direct.run(lambda db: second_factor.begin(db, keyring, account_id, NOW))
        codes = direct.run(
            lambda db: second_factor.confirm(db, keyring, account_id, TOTP(secret).at(NOW), NOW)
        )
        assert not isinstance(codes, Problem)
        return Enrolled(
            direct, keyring, issuer, account_id, world.therapist.username, secret, codes
        )

    return make


@pytest.fixture
def enrolled(enrol: Callable[[], Enrolled]) -> Enrolled:
    """The therapist, with a factor."""
    return enrol()


def at_once(settings: Settings, keyring: Keyring, count: int, work: Callable[[Db], T]) -> list[T]:
    """The same in as many connections at the same time."""
    together = threading.Barrier(count)
    answers: list[T] = []

    def one() -> None:
        database = Direct(str(settings.database_url), keyring)
        together.wait(10)
        answers.append(database.run(work))
        database.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return answers


class TestCode:
    @pytest.mark.parametrize(
        ("seconds", "code"),
        [
            (59, "94287082"),
            (1111111109, "07081804"),
            (1111111111, "14050471"),
            (1234567890, "89005924"),
            (2000000000, "69279037"),
            (20000000000, "65353130"),
        ],
    )
    def test_the_vectors_of_rfc_6238_appendix_b_hold(self, seconds: int, code: str) -> None:
        # The appendix has eight digits; six are the last six of them (RFC 4226 section 5.3).
        at = datetime.fromtimestamp(seconds, UTC)

        assert code_at(b"12345678901234567890", step_at(at)) == code[-6:]

    def test_a_secret_is_160_bits_that_an_app_can_read(self, enrolled: Enrolled) -> None:
        uri = urlsplit(second_factor.otpauth_uri(enrolled.secret, "a b@example.org"))

        assert len(base64.b32decode(enrolled.secret)) == 20
        assert (uri.scheme, uri.netloc, uri.path) == (
            "otpauth",
            "totp",
            "/Afterglow:a%20b%40example.org",
        )
        # What is left out is SHA-1, six digits and thirty seconds, which every app expects.
        assert parse_qs(uri.query) == {"secret": [enrolled.secret], "issuer": ["Afterglow"]}

    def test_a_code_to_type_is_read_as_it_was_meant(self) -> None:
        code = spelt(bytes(range(16)))

        assert code == "0123-4567-89ab-cdef"
        assert as_typed(" OI23 4567 89AB-CDEF ") == as_typed(code)


class TestSpend:
    @pytest.mark.parametrize(("steps", "is_good"), [(-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0)])
    def test_a_clock_may_be_one_step_off_either_way(
        self, enrolled: Enrolled, steps: int, is_good: int
    ) -> None:
        later = NOW + 10 * STEP

        outcome = enrolled.spend(enrolled.code(later + steps * STEP), later)

        assert outcome == ("code" if is_good else Kind.INVALID_GRANT)

    def test_a_code_works_once_and_no_earlier_one_after_it(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP
        newest = enrolled.code(later)

        outcomes = [
            enrolled.spend(code, later)
            for code in (newest, newest, enrolled.code(later - STEP), enrolled.code(later + STEP))
        ]

        assert outcomes == ["code", Kind.INVALID_GRANT, Kind.INVALID_GRANT, "code"]

    def test_the_code_that_confirmed_it_signs_nobody_in(self, enrolled: Enrolled) -> None:
        assert enrolled.spend(enrolled.code(NOW), NOW) is Kind.INVALID_GRANT

    def test_of_many_who_use_one_code_at_once_exactly_one_wins(
        self, enrolled: Enrolled, settings: Settings, keyring: Keyring
    ) -> None:
        later = NOW + 10 * STEP
        for code in (enrolled.code(later), enrolled.recovery_codes[0]):
            outcomes = at_once(
                settings,
                keyring,
                8,
                lambda db, code=code: second_factor.spend(  # type: ignore[misc]
                    db, keyring, enrolled.account_id, code, later
                ),
            )

            refused = [one for one in outcomes if isinstance(one, Problem)]
            assert (len(outcomes), len(refused)) == (8, 7)

    def test_one_step_is_used_once_by_the_statement_alone(
        self, enrolled: Enrolled, settings: Settings, keyring: Keyring
    ) -> None:
        step = step_at(NOW) + 10

        used = at_once(
            settings,
            keyring,
            8,
            lambda db: db.change(second_factor.USE_STEP, account_id=enrolled.account_id, step=step),
        )

        assert sorted(map(len, used)) == [0] * 7 + [1]

    def test_each_recovery_code_works_once_however_it_is_typed(self, enrolled: Enrolled) -> None:
        assert len(set(enrolled.recovery_codes)) == RECOVERY_CODES

        first = [
            enrolled.spend(f" {code.upper().replace('-', ' ')} ", NOW)
            for code in enrolled.recovery_codes
        ]
        again = [enrolled.spend(code, NOW) for code in enrolled.recovery_codes]

        assert first == ["recovery-code"] * RECOVERY_CODES
        assert again == [Kind.INVALID_GRANT] * RECOVERY_CODES

    def test_new_recovery_codes_end_the_old_ones(self, enrolled: Enrolled) -> None:
        new = enrolled.direct.run(
            lambda db: second_factor.renew_codes(db, enrolled.keyring, enrolled.account_id)
        )

        assert enrolled.spend(enrolled.recovery_codes[0], NOW) is Kind.INVALID_GRANT
        assert enrolled.spend(new[0], NOW) == "recovery-code"

    @pytest.mark.parametrize(
        "otp", ["", "0", "12345", "1234567", "١٢٣٤٥٦", "\x00", "\ud800", "x" * 4000, "0000-0000"]
    )
    def test_what_is_no_code_is_a_wrong_one(self, enrolled: Enrolled, otp: str) -> None:
        assert enrolled.spend(otp, NOW) is Kind.INVALID_GRANT

    def test_a_code_of_somebody_else_is_a_wrong_one(
        self, enrolled: Enrolled, direct: Direct, keyring: Keyring, world: World
    ) -> None:
        other = standing_of(direct, world.here.stranger).account_id

        outcome = direct.run(
            lambda db: second_factor.spend(db, keyring, other, enrolled.recovery_codes[0], NOW)
        )

        assert isinstance(outcome, Problem)
        assert enrolled.spend(enrolled.recovery_codes[0], NOW) == "recovery-code"

    def test_where_there_is_no_factor_every_code_is_a_wrong_one(
        self, direct: Direct, keyring: Keyring, world: World
    ) -> None:
        account_id = standing_of(direct, world.therapist).account_id
        secret = direct.run(lambda db: second_factor.begin(db, keyring, account_id, NOW))

        outcome = direct.run(
            lambda db: second_factor.spend(db, keyring, account_id, TOTP(secret).at(NOW), NOW)
        )

        assert isinstance(outcome, Problem)
        assert outcome.kind is Kind.INVALID_GRANT

    def test_guessing_ends_for_the_day_and_recovery_codes_still_work(
        self, enrolled: Enrolled
    ) -> None:
        later = NOW + 10 * STEP
        # Not one that is good at one of the three steps.
        wrong = next(
            code
            for code in ("000000", "000001", "000002", "000003")
            if code not in {enrolled.code(later + n * STEP) for n in (-1, 0, 1)}
        )

        guesses = [enrolled.spend(wrong, later) for _ in range(WRONG_CODES)]
        right = enrolled.spend(enrolled.code(later), later)
        lost_phone = enrolled.spend(enrolled.recovery_codes[0], later)
        tomorrow = later + WRONG_CODES_WINDOW

        assert guesses == [Kind.INVALID_GRANT] * WRONG_CODES
        assert right is Kind.TOO_MANY_ATTEMPTS
        assert lost_phone == "recovery-code"
        assert enrolled.spend(enrolled.code(tomorrow), tomorrow) == "code"

    def test_a_good_code_forgets_the_wrong_ones(self, enrolled: Enrolled) -> None:
        for n in range(3):
            later = NOW + (10 + n) * STEP
            for _ in range(WRONG_CODES // 2):
                enrolled.spend(enrolled.code(later - 5 * STEP), later)
            assert enrolled.spend(enrolled.code(later), later) == "code"

    def test_a_damaged_secret_has_no_good_code_and_recovery_codes_still_work(
        self, enrolled: Enrolled, settings: Settings
    ) -> None:
        later = NOW + 10 * STEP
        as_superuser(
            settings,
            "UPDATE second_factor SET secret = secret || '\\x00'"
            f" WHERE account_id = '{enrolled.account_id}'",
        )

        assert enrolled.spend(enrolled.code(later), later) is Kind.INVALID_GRANT
        assert enrolled.spend(enrolled.recovery_codes[0], later) == "recovery-code"


class TestStored:
    def test_neither_the_secret_nor_a_recovery_code_can_be_read(
        self, enrolled: Enrolled, settings: Settings
    ) -> None:
        stored = as_superuser(
            settings,
            "SELECT secret, code_index FROM second_factor JOIN recovery_code USING (account_id)"
            f" WHERE account_id = '{enrolled.account_id}'",
        )

        assert len(stored) == RECOVERY_CODES
        found = b"".join(bytes(cell) for row in stored for cell in row)  # type: ignore[call-overload]
        assert base64.b32decode(enrolled.secret) not in found
        assert enrolled.secret.encode() not in found
        for code in enrolled.recovery_codes:
            assert as_typed(code).encode() not in found

    def test_a_secret_opens_in_its_own_row_only(
        self, enrolled: Enrolled, world: World, settings: Settings
    ) -> None:
        other = standing_of(enrolled.direct, world.here.stranger).account_id
        enrolled.direct.run(lambda db: second_factor.begin(db, enrolled.keyring, other, NOW))
        as_superuser(
            settings,
            f"UPDATE second_factor SET secret = (SELECT secret FROM second_factor"
            f" WHERE account_id = '{other}') WHERE account_id = '{enrolled.account_id}'",
        )
        later = NOW + 10 * STEP

        assert enrolled.spend(enrolled.code(later), later) is Kind.INVALID_GRANT


class TestEnrolment:
    @pytest.fixture
    def account_id(self, direct: Direct, world: World) -> UUID:
        return standing_of(direct, world.therapist).account_id

    def begin(self, direct: Direct, keyring: Keyring, account_id: UUID, now: datetime) -> str:
        return direct.run(lambda db: second_factor.begin(db, keyring, account_id, now))

    def confirm(
        self, direct: Direct, keyring: Keyring, account_id: UUID, secret: str, now: datetime
    ) -> list[str] | Problem:
        code = TOTP(secret).at(now)
        return direct.run(lambda db: second_factor.confirm(db, keyring, account_id, code, now))

    def test_begun_again_it_is_another_secret_and_the_first_confirms_nothing(
        self, direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        first, second = (self.begin(direct, keyring, account_id, NOW) for _ in range(2))

        refused = self.confirm(direct, keyring, account_id, first, NOW)
        confirmed = self.confirm(direct, keyring, account_id, second, NOW)

        assert first != second
        assert isinstance(refused, Problem)
        assert (refused.kind, refused.faults[0].pointer) == (Kind.INVALID, "/otp")
        assert not isinstance(confirmed, Problem)

    def test_it_waits_an_hour_for_its_first_code(
        self, direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        secret = self.begin(direct, keyring, account_id, NOW)

        with pytest.raises(Problem) as late:
            self.confirm(direct, keyring, account_id, secret, NOW + ENROLMENT_LIFETIME)

        assert late.value.kind is Kind.NOT_FOUND

    def test_what_was_never_begun_cannot_be_confirmed(
        self, direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        with pytest.raises(Problem) as missing:
            self.confirm(direct, keyring, account_id, "A" * 32, NOW)

        assert missing.value.kind is Kind.NOT_FOUND

    def test_a_factor_that_counts_is_neither_begun_nor_confirmed_again(
        self, enrolled: Enrolled
    ) -> None:
        for again in (
            lambda: self.begin(enrolled.direct, enrolled.keyring, enrolled.account_id, NOW),
            lambda: self.confirm(
                enrolled.direct, enrolled.keyring, enrolled.account_id, enrolled.secret, NOW
            ),
        ):
            with pytest.raises(Problem) as there:
                again()
            assert there.value.kind is Kind.ALREADY_EXISTS
        later = NOW + 10 * STEP
        assert enrolled.spend(enrolled.code(later), later) == "code"

    def test_guessing_at_the_first_code_ends_for_the_day(
        self, direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        self.begin(direct, keyring, account_id, NOW)

        answers = [
            direct.run(lambda db: second_factor.confirm(db, keyring, account_id, "x", NOW))
            for _ in range(WRONG_CODES + 1)
        ]

        kinds = [one.kind for one in answers if isinstance(one, Problem)]
        assert kinds == [Kind.INVALID] * WRONG_CODES + [Kind.TOO_MANY_ATTEMPTS]

    def test_of_two_that_confirm_at_once_one_gets_recovery_codes_that_work(
        self, direct: Direct, keyring: Keyring, account_id: UUID, settings: Settings
    ) -> None:
        secret = self.begin(direct, keyring, account_id, NOW)
        code = TOTP(secret).at(NOW)

        def confirm(db: Db) -> list[str] | None:
            try:
                codes = second_factor.confirm(db, keyring, account_id, code, NOW)
            except Problem:
                return None
            return None if isinstance(codes, Problem) else codes

        [codes] = [one for one in at_once(settings, keyring, 4, confirm) if one is not None]

        outcome = direct.run(lambda db: second_factor.spend(db, keyring, account_id, codes[9], NOW))
        assert outcome == "recovery-code"

    def test_a_secret_that_took_the_place_of_the_one_confirmed_does_not_count(
        self, direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        self.begin(direct, keyring, account_id, NOW)
        seen = direct.run(lambda db: db.one(second_factor.FACTOR, account_id=account_id)).secret
        self.begin(direct, keyring, account_id, NOW)

        confirmed = direct.run(
            lambda db: db.change(
                second_factor.CONFIRM_FACTOR, account_id=account_id, seen=seen, now=NOW, step=1
            )
        )

        assert confirmed == []

    def test_until_it_is_confirmed_the_password_is_enough(
        self, enrol: Callable[[], Enrolled], direct: Direct, keyring: Keyring, account_id: UUID
    ) -> None:
        self.begin(direct, keyring, account_id, NOW)
        before = direct.run(lambda db: second_factor.is_confirmed(db, account_id))
        enrolled = enrol()

        assert before is False
        assert kind_of(enrolled.sign_in(None, NOW)) is Kind.SECOND_FACTOR_REQUIRED

    def test_removed_the_password_is_enough_again(self, enrolled: Enrolled) -> None:
        removed = [
            enrolled.direct.run(
                lambda db: second_factor.remove(db, enrolled.keyring, enrolled.account_id)
            )
            for _ in range(2)
        ]

        assert removed == [True, False]
        assert kind_of(enrolled.sign_in(None, NOW)) is None
        assert enrolled.spend(enrolled.recovery_codes[0], NOW) is Kind.INVALID_GRANT


class TestSignIn:
    def test_a_password_a_code_or_a_recovery_code(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP

        assert kind_of(enrolled.sign_in(None, later)) is Kind.SECOND_FACTOR_REQUIRED
        assert kind_of(enrolled.sign_in("", later)) is Kind.SECOND_FACTOR_REQUIRED
        assert kind_of(enrolled.sign_in(enrolled.code(later), later)) is None
        assert kind_of(enrolled.sign_in(enrolled.code(later), later)) is Kind.INVALID_GRANT
        assert kind_of(enrolled.sign_in(enrolled.recovery_codes[0], later)) is None

    def test_a_wrong_code_and_a_wrong_password_are_answered_alike(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP
        stale = enrolled.code(NOW - 10 * STEP)

        answers = [
            enrolled.sign_in(stale, later),
            enrolled.sign_in(stale, later, "a wrong password"),
            enrolled.sign_in(None, later, "a wrong password"),
            enrolled.sign_in(enrolled.code(later), later, "a wrong password"),
        ]

        assert all(isinstance(one, Problem) for one in answers)
        told = {(str(one.body()), str(one.headers)) for one in answers if isinstance(one, Problem)}
        assert len(told) == 1

    def test_a_wrong_password_uses_no_code_up(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP
        for otp in (enrolled.code(later), enrolled.recovery_codes[0]):
            enrolled.sign_in(otp, later, "a wrong password")

            assert kind_of(enrolled.sign_in(otp, later)) is None

    def test_the_right_password_alone_gives_no_fresh_guesses(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP
        address = uuid4().hex
        half = [enrolled.sign_in(None, later, address=address) for _ in range(FAILURES_FROM_HERE)]

        waits = enrolled.sign_in(enrolled.code(later), later, address=address)
        elsewhere = enrolled.sign_in(enrolled.code(later), later)
        after = later + THROTTLE_WINDOW
        then = enrolled.sign_in(enrolled.code(after), after, address=address)

        assert {kind_of(one) for one in half} == {Kind.SECOND_FACTOR_REQUIRED}
        assert kind_of(waits) is Kind.TOO_MANY_ATTEMPTS
        assert [kind_of(elsewhere), kind_of(then)] == [None, None]

    def test_wrong_codes_and_wrong_passwords_are_counted_together(self, enrolled: Enrolled) -> None:
        later = NOW + 10 * STEP
        address = uuid4().hex
        stale = enrolled.code(NOW - 10 * STEP)
        for password in ("wrong", PASSWORD, "wrong", PASSWORD, PASSWORD):
            enrolled.sign_in(stale, later, password, address=address)

        waits = enrolled.sign_in(enrolled.code(later), later, address=address)

        assert kind_of(waits) is Kind.TOO_MANY_ATTEMPTS

    def test_a_code_for_an_account_without_a_factor_is_passed_over(
        self, enrolled: Enrolled, world: World
    ) -> None:
        answer = enrolled.direct.run(
            lambda db: sign_in.sign_in(
                db,
                enrolled.issuer,
                username=world.patient.username,
                password=PASSWORD,
                otp="000000",
                clinic_id=None,
                membership_id=None,
                address=uuid4().hex,
                now=NOW,
            )
        )

        assert isinstance(answer, Tokens)
