"""The second factor on the pages: asked for, required, set up, looked after."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
from fastapi import FastAPI
from pyotp import TOTP

from app import worker
from app.console import session
from app.console.door import PageRoute
from app.kernel import accounts, second_factor
from app.kernel.db import Db, Direct
from app.kernel.second_factor import STAFF
from tests.builders import PASSWORD, Person, World, now
from tests.conftest import Behind, Clock
from tests.console.browser import Browser, at_work, heading, value_of, wrong

OWN = "/console/second-factor"
OF_CLINIC = "/console/people/second-factor"


def code(secret: str, clock: Clock) -> str:
    """What the app shows next: a code that was not used."""
    clock.turn(seconds=30)
    return TOTP(secret).at(clock.at)


def begin(browser: Browser) -> str:
    """The key that the page shows, after the password."""
    page = browser.post(OWN, {"token": own_token(browser), "act": "begin", "password": PASSWORD})
    assert page.status_code == 200, page.text
    found = re.search(r'<code class="secret">([A-Z2-7]+)</code>', page.text)
    assert found
    return found[1]


def own_token(browser: Browser) -> str:
    """Of this session's forms, from the one page that everybody has."""
    return value_of("token", browser.get(OWN).text)


def send(browser: Browser, act: str, **fields: str) -> str:
    """A form of one's own second factor; the page that answers it."""
    sent = {"token": own_token(browser), "act": act, **fields}
    return browser.post(OWN, sent).text


def enrol(browser: Browser, clock: Clock) -> tuple[str, list[str]]:
    """Set it up. Returns: the key, and the recovery codes."""
    secret = begin(browser)
    page = send(browser, "confirm", otp=code(secret, clock))
    return secret, codes_on(page)


def codes_on(page: str) -> list[str]:
    """The recovery codes that a page shows."""
    return [unescape(one) for one in re.findall(r"<li><code>([^<]+)</code></li>", page)]


@pytest.fixture
def require(direct: Direct, timed_world: World, clock: Clock) -> Callable[[], None]:
    """From now on the clinic requires one of those who work there."""

    def now_on() -> None:
        def work(db: Db) -> None:
            db.enter(timed_world.here.id)
            second_factor.require(db, STAFF, clock.at)

        direct.run(work)

    return now_on


class TestSigningIn:
    def test_whoever_has_one_is_asked_for_a_code_after_the_password(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        secret, _ = enrol(at_work(direct, person, clock.at), clock)
        browser = Browser(person.client)

        asked = browser.sign_in(person.username)
        wrongly = browser.sign_in(person.username, code="000000")
        rightly = browser.sign_in(person.username, code=code(secret, clock))

        assert asked.status_code == 401
        assert 'name="code"' in asked.text
        assert wrongly.status_code == 422
        assert rightly.status_code == 303
        assert browser.get("/console/caseload").status_code == 200

    def test_a_wrong_password_asks_for_no_code_and_a_wrong_code_says_no_more(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        enrol(at_work(direct, person, clock.at), clock)
        browser = Browser(person.client)

        password = browser.sign_in(person.username, "a wrong password")
        number = browser.sign_in(person.username, code="000000")

        assert 'name="code"' not in password.text
        assert wrong(password.text) == wrong(number.text) != []

    def test_a_recovery_code_signs_in_once(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        _, codes = enrol(at_work(direct, person, clock.at), clock)
        browser = Browser(person.client)

        once = browser.sign_in(person.username, code=codes[0])
        twice = browser.sign_in(person.username, code=codes[0])

        assert (once.status_code, twice.status_code) == (303, 422)

    def test_in_two_clinics_it_is_noted_where_the_session_begins(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person, elsewhere = timed_world.therapist, timed_world.elsewhere

        def join_there(db: Db) -> None:
            db.enter(elsewhere.id)
            accounts.join(
                db,
                db.vault,
                account_id=person.account_id,
                role="clinician",
                privileges=["therapy"],
                patient_id=None,
                name="Works here too",
                now=clock.at,
            )

        direct.run(join_there)
        _, codes = enrol(at_work(direct, person, clock.at), clock)

        answer = Browser(person.client).sign_in(person.username, code=codes[0])

        assert answer.headers["location"] == "/console/clinics"


def pages_of(application: FastAPI) -> list[PageRoute]:
    """Every page there is."""
    return [route for route in application.routes if isinstance(route, PageRoute)]


class TestRequired:
    """Whoever must have one and has none gets to nothing else."""

    ALWAYS = frozenset({"/", OWN, "/console/sign-in", "/console/sign-out", "/console/still-here"})

    def test_every_page_and_every_form_leads_to_setting_it_up(
        self, timed_world: World, direct: Direct, clock: Clock, require: Callable[[], None]
    ) -> None:
        person = timed_world.therapist
        browser = at_work(direct, person, clock.at)
        token = browser.token()
        require()
        application = person.client.app
        assert isinstance(application, FastAPI)
        behind = [one for one in pages_of(application) if one.path not in self.ALWAYS]
        assert len(behind) > 25

        for route in behind:
            path = route.path.replace("{patient_id}", str(timed_world.patient.patient_id))
            path = re.sub(r"\{.*?\}", str(uuid4()), path)
            for method in route.verbs - {"HEAD"}:
                answer = (
                    browser.get(path) if method == "GET" else browser.post(path, {"token": token})
                )
                assert answer.status_code == 303, f"{method} {path}"
                assert answer.headers["location"] == OWN, f"{method} {path}"

    def test_nothing_that_a_page_asks_by_itself_is_answered(
        self, timed_world: World, direct: Direct, clock: Clock, require: Callable[[], None]
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)
        require()

        answer = browser.get("/console/flags/stream", Accept="text/event-stream")

        assert answer.status_code == 403

    def test_nobody_is_seen_and_nothing_is_written_meanwhile(
        self,
        timed_world: World,
        direct: Direct,
        clock: Clock,
        require: Callable[[], None],
        behind: Behind,
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)
        token = browser.token()
        require()
        before = behind.accesses(timed_world.here.id)

        path = f"/console/patients/{timed_world.patient.patient_id}"
        page = browser.get(path).text + browser.get(OWN).text
        browser.post(f"{path}/flags", {"token": token, "level": "high", "kind": "physical"})

        assert behind.accesses(timed_world.here.id) == before
        assert "/console/caseload" not in page
        assert "/console/account" not in page

    def test_signing_in_leads_to_it_and_setting_it_up_leads_on(
        self, timed_world: World, clock: Clock, require: Callable[[], None]
    ) -> None:
        require()
        browser = Browser(timed_world.therapist.client)
        browser.sign_in(timed_world.therapist.username)

        first = browser.get("/console").headers["location"]
        page = browser.get(first)
        enrol(browser, clock)

        assert first == OWN
        assert "requires a second factor of you" in page.text
        assert browser.get("/console").headers["location"] == "/console/caseload"
        assert browser.get("/console/caseload").status_code == 200

    def test_whoever_removes_it_is_back_at_the_beginning(
        self, timed_world: World, clock: Clock, require: Callable[[], None]
    ) -> None:
        require()
        browser = Browser(timed_world.therapist.client)
        browser.sign_in(timed_world.therapist.username)
        secret, _ = enrol(browser, clock)

        send(browser, "remove", password=PASSWORD, otp=code(secret, clock))

        assert browser.get("/console/caseload").headers["location"] == OWN

    def test_one_can_always_sign_out(
        self, timed_world: World, direct: Direct, clock: Clock, require: Callable[[], None]
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)
        require()

        answer = browser.post("/console/sign-out", {"token": own_token(browser)})

        assert answer.headers["location"] == "/console/sign-in?out=1"
        assert browser.cookie is None


class TestSettingItUp:
    @pytest.fixture
    def browser(self, timed_world: World, direct: Direct, clock: Clock) -> Browser:
        return at_work(direct, timed_world.therapist, clock.at)

    def test_the_page_has_a_code_to_read_and_a_key_to_type(
        self, browser: Browser, clock: Clock
    ) -> None:
        page = send(browser, "begin", password=PASSWORD)

        assert '<svg xmlns="http://www.w3.org/2000/svg"' in page
        assert not re.search(r"\sstyle=|<style", page)
        assert re.search(r'<code class="secret">[A-Z2-7]{32}</code>', page)

    def test_a_wrong_password_shows_no_key(self, browser: Browser) -> None:
        page = send(browser, "begin", password="not the password")

        assert wrong(page) == ["This form: the password is not right."]
        assert 'class="secret"' not in page
        assert "not the password" not in page

    def test_a_wrong_code_may_be_typed_again(self, browser: Browser, clock: Clock) -> None:
        secret = begin(browser)

        page = send(browser, "confirm", otp="000000")
        again = send(browser, "confirm", otp=code(secret, clock))

        assert len(wrong(page)) == 1
        assert 'name="otp"' in page
        assert len(codes_on(again)) == 10

    def test_it_goes_on_in_another_session_and_every_other_one_is_over(
        self, browser: Browser, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        other = at_work(direct, timed_world.therapist, clock.at)
        mine = Browser(browser.client, browser.cookie)

        enrol(browser, clock)
        clock.turn(seconds=1)

        assert browser.cookie != mine.cookie
        assert browser.get("/console/caseload").status_code == 200
        assert mine.get("/console/caseload").status_code == 303
        assert other.get("/console/caseload").status_code == 303

    def test_the_codes_are_on_one_page_once_and_its_forms_are_of_the_new_session(
        self, browser: Browser, clock: Clock
    ) -> None:
        secret = begin(browser)
        page = send(browser, "confirm", otp=code(secret, clock))

        later = browser.get(OWN).text

        assert len(codes_on(page)) == 10
        assert not any(one in later for one in codes_on(page))
        assert secret not in later
        answer = browser.post("/console/sign-out", {"token": value_of("token", page)})
        assert answer.status_code == 303

    def test_no_refresh_token_is_left_behind(
        self, browser: Browser, clock: Clock, timed_world: World, behind: Behind
    ) -> None:
        enrol(browser, clock)

        left = behind.rows(
            "SELECT count(*) FROM refresh_family WHERE membership_id = %s AND ended_at IS NULL",
            timed_world.therapist.membership_id,
        )

        assert left == [(0,)]

    def test_whoever_waits_for_more_than_an_hour_begins_again(
        self, browser: Browser, clock: Clock, timed_world: World, direct: Direct
    ) -> None:
        secret = begin(browser)
        clock.turn(hours=1)
        later = at_work(direct, timed_world.therapist, clock.at)

        page = send(later, "confirm", otp=code(secret, clock))

        assert wrong(page) == ["This form: is too late; begin again."]
        assert codes_on(page) == []

    def test_a_clinic_of_invented_people_says_that_it_is_exempt(self, browser: Browser) -> None:
        for path in (OWN, "/console/account"):
            assert "invented people" in browser.get(path).text


class TestLookingAfterIt:
    def test_new_codes_take_the_place_of_the_old(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        browser = at_work(direct, person, clock.at)
        secret, old = enrol(browser, clock)

        page = send(browser, "renew", password=PASSWORD, otp=code(secret, clock))

        new = codes_on(page)
        assert len(new) == 10
        assert not set(new) & set(old)
        assert Browser(person.client).sign_in(person.username, code=old[0]).status_code == 422
        assert Browser(person.client).sign_in(person.username, code=new[0]).status_code == 303

    @pytest.mark.parametrize("act", ["renew", "remove"])
    def test_either_needs_password_and_code(
        self, timed_world: World, direct: Direct, clock: Clock, act: str
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)
        secret, _ = enrol(browser, clock)

        for password, otp in [
            ("wrong", code(secret, clock)),
            (PASSWORD, "000000"),
            (PASSWORD, ""),
            ("", code(secret, clock)),
        ]:
            assert wrong(send(browser, act, password=password, otp=otp))
        assert "recovery codes left" in browser.get(OWN).text

    def test_guessing_is_held_up(self, timed_world: World, direct: Direct, clock: Clock) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)
        page = ""
        for _ in range(30):
            page = send(browser, "begin", password="a guess")

        assert "Too many attempts" in page


class TestOfTheClinic:
    @pytest.fixture
    def colleague(self, timed_world: World, direct: Direct, clock: Clock) -> Person:
        """Somebody with a second factor."""
        enrol(at_work(direct, timed_world.therapist, clock.at), clock)
        return timed_world.therapist

    @pytest.fixture
    def office(self, timed_world: World, direct: Direct, clock: Clock) -> Browser:
        return at_work(direct, timed_world.administrator, clock.at)

    def test_an_administrator_sees_who_has_one_and_what_happened(
        self, colleague: Person, office: Browser
    ) -> None:
        page = office.get(OF_CLINIC).text

        assert "10 recovery codes left" in page
        assert "Set up" in page
        assert str(colleague.membership_id) in page

    def test_a_clinician_does_not(self, timed_world: World, direct: Direct, clock: Clock) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)

        assert browser.get(OF_CLINIC).status_code == 403

    def test_a_lost_one_is_reset_and_its_owner_signed_out(
        self, colleague: Person, office: Browser, clock: Clock
    ) -> None:
        browser = Browser(colleague.client)
        fields = {
            "token": office.token(),
            "membership_id": str(colleague.membership_id),
            "password": PASSWORD,
        }

        wrongly = office.post(OF_CLINIC, {**fields, "password": "wrong"})
        rightly = office.post(OF_CLINIC, fields)
        clock.turn(seconds=2)

        assert wrongly.status_code == 422
        assert wrong(wrongly.text)
        assert rightly.headers["location"] == f"{OF_CLINIC}?done=reset"
        assert heading(office.get(rightly.headers["location"]).text) == "Second factors"
        assert browser.sign_in(colleague.username).status_code == 303

    def test_of_another_clinic_s_people_nothing_is_reset(
        self, timed_world: World, office: Browser
    ) -> None:
        fields = {
            "token": office.token(),
            "membership_id": str(timed_world.elsewhere.therapist.membership_id),
            "password": PASSWORD,
        }

        assert office.post(OF_CLINIC, fields).status_code == 404


class TestPurge:
    def test_the_worker_deletes_what_has_long_been_over(
        self, world: World, direct: Direct, behind: Behind
    ) -> None:
        at_work(direct, world.therapist, now())
        at_work(direct, world.elsewhere.therapist, now())

        worker.tidy(direct, now() + timedelta(days=31))

        left = "SELECT count(*) FROM console_session WHERE clinic_id IN (%s, %s)"
        assert behind.rows(left, world.here.id, world.elsewhere.id) == [(0,)]

    def test_a_session_is_deleted_a_month_after_its_end_and_not_before(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        at_work(direct, timed_world.therapist, clock.at)

        def purged(at: timedelta) -> int:
            def work(db: Db) -> int:
                db.enter(timed_world.here.id)
                return session.purge(db, clock.at + at)

            return direct.run(work)

        over = session.LIFETIME + session.KEPT
        assert purged(over - timedelta(seconds=1)) == 0
        assert purged(over) == 1
        assert purged(over) == 0
