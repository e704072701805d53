"""Signing in to the pages, staying signed in, and being signed off."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.console import session
from app.kernel import accounts, throttle
from app.kernel.db import Db, Direct
from tests.builders import PASSWORD, World, now
from tests.conftest import Behind, Clock
from tests.console.browser import FROM_US, Browser, at_work, heading, value_of, wrong


class TestSigningIn:
    def test_a_clinician_signs_in_and_sees_their_caseload(self, world: World) -> None:
        browser = Browser(world.therapist.client)

        answer = browser.sign_in(world.therapist.username)

        assert (answer.status_code, answer.headers["location"]) == (303, "/console")
        assert browser.get("/console").headers["location"] == "/console/caseload"
        assert heading(browser.get("/console/caseload").text) == "Caseload"

    def test_an_administrator_begins_with_the_flags(self, world: World) -> None:
        browser = Browser(world.administrator.client)
        browser.sign_in(world.administrator.username)

        assert browser.get("/console").headers["location"] == "/console/flags"

    def test_the_cookie_is_bound_to_this_site_and_out_of_reach_of_scripts(
        self, world: World
    ) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)

        assert browser.set_cookie.startswith("afterglow=")
        assert browser.set_cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")

    def test_over_https_it_is_bound_to_the_host_and_secure(self) -> None:
        said = session.set_cookie("https://clinic.example", "value")

        assert said == "__Host-afterglow=value; Path=/; HttpOnly; SameSite=Strict; Secure"

    @pytest.mark.parametrize("password", ["wrong password", PASSWORD + " "])
    def test_a_wrong_password_keeps_the_name_and_says_no_more_than_that(
        self, world: World, password: str
    ) -> None:
        browser = Browser(world.therapist.client)

        answer = browser.sign_in(world.therapist.username, password)
        unknown = browser.sign_in(f"{uuid4()}@example.org", password)

        assert answer.status_code == unknown.status_code == 422
        assert wrong(answer.text) == wrong(unknown.text) != []
        assert world.therapist.username in answer.text
        assert password not in answer.text
        assert browser.cookie is None

    def test_an_empty_form_says_at_each_field_what_is_missing(self, world: World) -> None:
        answer = Browser(world.therapist.client).sign_in("", "")

        assert answer.status_code == 422
        assert len(wrong(answer.text)) == 2
        for field in ("username", "password"):
            assert f'aria-describedby="sign-in-{field}' in answer.text
        assert answer.text.count('aria-invalid="true"') == 2

    def test_a_patient_is_told_kindly_that_this_is_not_for_them(self, world: World) -> None:
        browser = Browser(world.patient.client)

        answer = browser.sign_in(world.patient.username)

        assert answer.status_code == 403
        assert "your own record is in the app" in answer.text
        assert browser.cookie is None

    def test_guessing_is_held_up_as_it_is_in_the_api(self, timed_world: World) -> None:
        browser = Browser(timed_world.therapist.client)
        for _ in range(throttle.FAILURES_FROM_HERE):
            browser.sign_in(timed_world.therapist.username, "a wrong password")

        answer = browser.sign_in(timed_world.therapist.username)

        assert answer.status_code == 429
        assert "Too many attempts" in answer.text
        assert browser.cookie is None

    def test_one_comes_back_to_where_one_was(self, world: World) -> None:
        browser = Browser(world.therapist.client)
        sent = browser.get("/console/flags?cursor=x").headers["location"]
        page = browser.get(sent)

        answer = browser.sign_in(world.therapist.username, next=value_of("next", page.text))

        assert sent == "/console/sign-in?next=%2Fconsole%2Fflags%3Fcursor%3Dx"
        assert answer.headers["location"] == "/console/flags?cursor=x"

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://evil.example/console",
            "//evil.example/console",
            "//[",
            "/\\evil.example",
            "/console/../v1/me",
            "javascript:alert(1)",
            "/consolation",
            "/console/\r\nSet-Cookie: x=y",
            "/console/" + "x" * 600,
        ],
    )
    def test_and_nowhere_else(self, world: World, elsewhere: str) -> None:
        answer = Browser(world.therapist.client).sign_in(world.therapist.username, next=elsewhere)

        assert answer.headers["location"] == "/console"

    def test_a_link_in_a_mail_finds_whoever_is_signed_in(self, world: World) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        # A strict cookie does not come along from another site.
        bare = Browser(world.therapist.client)
        from_a_mail = {"Sec-Fetch-Site": "cross-site"}

        sent = bare.get("/console/flags", **from_a_mail).headers["location"]
        page = bare.get(sent, **from_a_mail).text
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
        assert found
        asked = found[1].replace("&amp;", "&")

        assert browser.get(asked).headers["location"] == "/console/flags"
        assert heading(bare.get(asked, **from_a_mail).text) == "Sign in"

    @pytest.mark.parametrize(
        ("alert", "leads_to"),
        [
            ("?alert=01890000-0000-7000-8000-000000000001.2.1", "/console/flags/{}"),
            ("", "/console"),
            ("?alert=", "/console"),
            ("?alert=//evil.example.1.1", "/console"),
            ("?alert=01890000-0000-7000-8000-000000000001", "/console"),
            ("?alert=01890000-0000-7000-8000-000000000001.1.x", "/console"),
            ("?alert=01890000-0000-7000-8000-000000000001.1.1.1", "/console"),
        ],
    )
    def test_the_link_of_a_message_leads_to_its_flag(
        self, world: World, alert: str, leads_to: str
    ) -> None:
        answer = Browser(world.therapist.client).get("/" + alert)

        flag = "01890000-0000-7000-8000-000000000001"
        assert answer.status_code == 303
        assert answer.headers["location"] == leads_to.format(flag)

    def test_a_flag_of_another_clinic_is_not_there_and_the_way_to_it_is(
        self, world: World, direct: Direct
    ) -> None:
        browser = at_work(direct, world.therapist, now())

        answer = browser.get("/console/flags/01890000-0000-7000-8000-000000000001")

        assert answer.status_code == 404
        assert '<a href="/console/clinics">' in answer.text

    def test_somebody_of_two_clinics_chooses(self, world: World, direct: Direct) -> None:
        here, elsewhere = world.here, world.elsewhere

        def join_there(db: Db) -> None:
            db.enter(elsewhere.id)
            accounts.join(
                db,
                db.vault,
                account_id=here.therapist.account_id,
                role="clinician",
                privileges=["therapy"],
                patient_id=None,
                name="Works here too",
                now=now(),
            )

        direct.run(join_there)
        browser = Browser(here.therapist.client)

        assert browser.sign_in(here.therapist.username).headers["location"] == "/console/clinics"
        page = browser.get("/console/clinics")
        chosen = re.findall(r'name="membership_id" value="([^"]+)"', page.text)
        before = browser.cookie
        answer = browser.submit("/console/clinics", membership_id=chosen[1])

        assert len(chosen) == 2
        assert answer.status_code == 303
        assert "Works here too" in browser.get("/console/account").text
        assert Browser(browser.client, before).get("/console/caseload").status_code == 303
        foreign = browser.submit("/console/clinics", membership_id=str(here.coach.membership_id))
        assert foreign.status_code == 404


class TestStayingSignedIn:
    def test_a_quarter_of_an_hour_without_anybody_signs_off(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)

        clock.turn(minutes=14, seconds=59)
        assert browser.get("/console/caseload").status_code == 200
        clock.turn(minutes=14, seconds=59)
        assert browser.get("/console/caseload").status_code == 200
        clock.turn(minutes=15)
        assert browser.get("/console/caseload").status_code == 303

    def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)

        statuses = []
        for _ in range(3):
            clock.turn(minutes=5)
            statuses.append(browser.get("/console/flags?part=list&by-itself=1").status_code)

        assert statuses == [200, 200, 303]

    def test_ten_hours_are_the_longest_day(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        browser = at_work(direct, timed_world.therapist, clock.at)

        for _ in range(59):
            clock.turn(minutes=10)
            assert browser.get("/console/still-here").status_code == 200
        clock.turn(minutes=10)

        assert browser.get("/console/caseload").status_code == 303

    def test_choosing_a_clinic_again_and_again_makes_no_day_longer(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        browser = at_work(direct, person, clock.at)

        for _ in range(59):
            clock.turn(minutes=10)
            answer = browser.submit("/console/clinics", membership_id=str(person.membership_id))
            assert answer.headers["location"] == "/console"
        clock.turn(minutes=10)

        assert browser.get("/console/caseload").status_code == 303

    def test_signing_out_ends_it_here_and_for_whoever_copied_the_cookie(self, world: World) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        copied = Browser(browser.client, browser.cookie)

        answer = browser.submit("/console/sign-out")

        assert (answer.status_code, browser.cookie) == (303, None)
        assert "Max-Age=0" in browser.set_cookie
        assert copied.get("/console/caseload").status_code == 303
        assert "You are signed out" in browser.get(answer.headers["location"]).text

    def test_signing_in_again_ends_the_session_that_was_there(self, world: World) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        before = Browser(browser.client, browser.cookie)

        answer = browser.sign_in(world.administrator.username)

        assert answer.status_code == 303
        assert browser.get("/console").headers["location"] == "/console/flags"
        assert before.get("/console/caseload").headers["location"].startswith("/console/sign-in")

    def test_whoever_is_put_out_of_the_clinic_is_out_at_once(self, world: World) -> None:
        browser, boss = Browser(world.therapist.client), Browser(world.administrator.client)
        browser.sign_in(world.therapist.username)
        boss.sign_in(world.administrator.username)

        ended = boss.submit(f"/console/people/members/{world.therapist.membership_id}", act="end")

        assert ended.status_code == 303
        assert browser.get("/console/caseload").status_code == 303
        assert world.therapist.get("/v1/caseload").status_code == 401

    def test_a_cookie_that_we_did_not_make_is_nobody_s(self, world: World) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        assert browser.cookie is not None
        body, _, mac = browser.cookie.rpartition(".")
        other = "0" if mac[-1] != "0" else "1"

        for made in (f"{body}.{mac[:-1]}{other}", f"{body}.", browser.cookie[1:], "x.y.z", "x"):
            answer = Browser(browser.client, made).get("/console/caseload")
            assert answer.status_code == 303, made

    def test_an_access_token_opens_no_page_and_a_cookie_no_route_of_the_api(
        self, world: World
    ) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)

        assert world.therapist.get("/console/caseload", follow_redirects=False).status_code == 303
        assert browser.get("/v1/caseload").status_code == 401

    def test_nothing_of_the_cookie_is_stored(self, world: World, behind: Behind) -> None:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        assert browser.cookie is not None

        stored = behind.rows(
            "SELECT to_jsonb(s)::text FROM console_session s WHERE membership_id = %s",
            world.therapist.membership_id,
        )

        assert len(stored) == 1
        assert browser.cookie.rpartition(".")[2] not in stored[0][0]


class TestForms:
    """A form has to come from a page of ours, of this session."""

    @pytest.fixture
    def browser(self, world: World) -> Browser:
        browser = Browser(world.therapist.client)
        browser.sign_in(world.therapist.username)
        return browser

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "https://testserver"},
            {"Origin": "https://testserver.evil.example"},
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {},
        ],
    )
    def test_one_from_elsewhere_is_refused_even_with_the_right_token(
        self, browser: Browser, headers: dict[str, str]
    ) -> None:
        fields = {"token": browser.token()}

        answer = browser.client.post(
            "/console/sign-out",
            data=fields,
            headers={"Cookie": f"afterglow={browser.cookie}", **headers},
            follow_redirects=False,
        )

        assert answer.status_code == 403
        assert browser.get("/console/caseload").status_code == 200

    @pytest.mark.parametrize("token", ["", "0" * 64, "none"])
    def test_one_without_the_session_s_token_is_refused(self, browser: Browser, token: str) -> None:
        assert browser.post("/console/sign-out", {"token": token}).status_code == 403
        assert browser.get("/console/caseload").status_code == 200

    def test_the_token_of_another_session_is_refused(self, browser: Browser, world: World) -> None:
        other = Browser(world.here.stranger.client)
        other.sign_in(world.here.stranger.username)

        assert browser.post("/console/sign-out", {"token": other.token()}).status_code == 403

    def test_a_sign_in_from_elsewhere_is_refused(self, world: World) -> None:
        answer = Browser(world.therapist.client).post(
            "/console/sign-in",
            {"username": world.therapist.username, "password": PASSWORD},
            **{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        )

        assert answer.status_code == 403

    def test_one_that_is_no_form_is_refused(self, client: TestClient) -> None:
        answer = client.post("/console/sign-in", json={"username": "x"}, headers=FROM_US)

        assert answer.status_code == 415
        assert answer.headers["content-type"] == "text/html; charset=utf-8"

    @pytest.mark.parametrize(
        "body", [b"username=%ff", b"username=a%00b&password=x", b"&".join([b"a=b"] * 601)]
    )
    def test_one_that_cannot_be_read_is_refused(self, client: TestClient, body: bytes) -> None:
        headers = {**FROM_US, "Content-Type": "application/x-www-form-urlencoded"}

        assert client.post("/console/sign-in", content=body, headers=headers).status_code == 400

    def test_one_that_is_too_large_is_refused(self, client: TestClient) -> None:
        headers = {**FROM_US, "Content-Type": "application/x-www-form-urlencoded"}
        body = b"username=" + b"x" * (300 * 1024)

        assert client.post("/console/sign-in", content=body, headers=headers).status_code == 413

    def test_one_sent_after_signing_off_leads_back_to_its_page(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        browser = at_work(direct, timed_world.administrator, clock.at)
        token = browser.token()
        clock.at += timedelta(minutes=16)

        answer = browser.post("/console/clinic/hours", {"token": token, "mon": "09:00-17:00"})

        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fclinic%2Fhours"
