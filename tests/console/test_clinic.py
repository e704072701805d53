"""The clinic's settings, its people and one's own account."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from app.kernel.db import Direct
from app.people.clinics import NOTICE_VERSION
from tests.builders import PASSWORD, World, a_check_in, an_acceptance, now, phq_9
from tests.conftest import Behind
from tests.console.browser import Browser, at_work, value_of, wrong
from tests.contract.stage import A_PROTOCOL


@pytest.fixture
def boss(world: World, direct: Direct) -> Browser:
    """The administrator at work."""
    return at_work(direct, world.administrator, now())


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


class TestHours:
    PATH = "/console/clinic/hours"

    def fields(self, boss: Browser, **changes: str) -> dict[str, str]:
        """The form as it is, but for what is changed."""
        version = value_of("version", boss.get(self.PATH).text)
        days = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-17:00")
        others = {"sat": "", "sun": "", "holidays": "", "time_zone": "Europe/London"}
        return {**days, **others, "version": version, **changes}

    def test_hours_and_holidays_are_declared(self, boss: Browser, world: World) -> None:
        form = self.fields(
            boss, sat="10:00 \N{EN DASH} 12:00, 14:00-16:00", holidays="2026-12-25\r\n2026-12-24"
        )

        answer = boss.submit(self.PATH, **form)

        assert answer.headers["location"] == f"{self.PATH}?done=saved"
        page = boss.get(self.PATH).text
        assert 'value="10:00-12:00, 14:00-16:00"' in page
        assert "2026-12-24\n2026-12-25" in page

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"tue": "nine to five"}, "Tuesday"),
            ({"tue": "09:00-25:00"}, "Tuesday"),
            ({"tue": "09:00-09:00"}, "Tuesday"),
            ({"tue": ",".join(["09:00-10:00"] * 7)}, "Tuesday"),
            ({"holidays": "Christmas"}, "Holidays"),
            ({"holidays": "2026-02-30"}, "Holidays"),
            ({"time_zone": "Middle/Earth"}, "Time zone"),
        ],
    )
    def test_what_is_no_hour_is_said_at_its_day_and_kept(
        self, boss: Browser, changes: dict[str, str], field: str
    ) -> None:
        answer = boss.submit(self.PATH, **self.fields(boss, **changes))

        assert answer.status_code == 422
        assert [sentence.partition(":")[0] for sentence in wrong(answer.text)] == [field]
        assert next(iter(changes.values())) in answer.text

    def test_somebody_else_s_change_came_first(self, boss: Browser) -> None:
        form = self.fields(boss)
        boss.submit(self.PATH, **{**form, "mon": "08:00-12:00"})

        answer = boss.submit(self.PATH, **{**form, "mon": "07:00-12:00"})

        assert answer.status_code == 412
        assert 'value="07:00-12:00"' in answer.text
        assert "08:00–12:00" in answer.text
        again = {**form, "mon": "07:00-12:00", "version": value_of("version", answer.text)}
        assert boss.submit(self.PATH, **again).status_code == 303

    def test_the_time_zone_is_the_clock_of_the_hours_and_of_every_page(
        self, boss: Browser, world: World
    ) -> None:
        answer = boss.submit(self.PATH, **self.fields(boss, time_zone="Asia/Tokyo"))

        assert answer.status_code == 303
        page = boss.get("/console/clinic").text
        assert "Times are on the clinic’s clock (Asia/Tokyo)" in page
        assert world.therapist.get("/v1/clinic/hours").json()["time_zone"] == "Asia/Tokyo"

    def test_the_overview_says_what_patients_are_told_now(self, boss: Browser) -> None:
        boss.submit(self.PATH, **self.fields(boss))

        page = boss.get("/console/clinic").text

        assert re.search(r"The clinic is (?:on|off) duty until [^.]*\. ", page)
        assert "The journal is not an emergency service." in page

    def test_a_clinician_reads_them(self, browser: Browser) -> None:
        page = browser.get(self.PATH).text

        assert "09:00–17:00" in page
        assert "Save the hours" not in page


class TestProtocol:
    PATH = "/console/clinic/protocol"

    def test_another_is_published(self, boss: Browser, world: World) -> None:
        answer = boss.submit(self.PATH, text=json.dumps(A_PROTOCOL), version="0")

        assert answer.headers["location"] == f"{self.PATH}?done=published"
        assert world.therapist.get("/v1/clinic/protocol").json()["version"] == 1
        assert "Always" in boss.get(self.PATH).text

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("{", "is not valid JSON"),
            ("[]", "must be an object"),
            (json.dumps({**A_PROTOCOL, "late_days": "many"}), "/late_days"),
            (
                json.dumps({**A_PROTOCOL, "points": [{**A_PROTOCOL["points"][0], "days": [3, 2]}]}),
                "/points/0",
            ),
        ],
    )
    def test_what_is_wrong_is_said_by_place_and_the_text_is_kept(
        self, boss: Browser, world: World, text: str, place: str
    ) -> None:
        answer = boss.submit(self.PATH, text=text, version="0")

        assert answer.status_code == 422
        assert place in answer.text
        assert wrong(answer.text) != []
        assert world.therapist.get("/v1/clinic/protocol").json()["version"] == 0

    def test_an_earlier_version_is_shown_with_who_published_it(self, boss: Browser) -> None:
        for version, title in enumerate(("The first", "The second")):
            text = json.dumps({**A_PROTOCOL, "title": title})
            boss.submit(self.PATH, text=text, version=str(version))

        first = boss.get(f"{self.PATH}?version=1").text

        assert "The first" in first
        assert "It does not hold any more" in first
        assert first.count("A administrator</td>") == 2
        assert boss.get(f"{self.PATH}?version=3").status_code == 404

    def test_somebody_else_published_first(self, boss: Browser) -> None:
        text = json.dumps(A_PROTOCOL)
        boss.submit(self.PATH, text=text, version="0")

        answer = boss.submit(self.PATH, text=text, version="0")

        assert answer.status_code == 412
        assert value_of("version", answer.text) == "1"


class TestPeople:
    def test_a_clinician_invites_a_patient_of_their_own(
        self, browser: Browser, world: World
    ) -> None:
        answer = browser.submit("/console/people", id=str(uuid4()), role="patient")
        found = re.search(r'<p class="code">([^<]+)</p>', answer.text)
        assert found

        accepted = world.therapist.client.post(
            "/v1/invitations/accept", json=an_acceptance(found[1])
        )

        assert accepted.status_code == 201
        assert "Somebody New" in browser.get("/console/caseload").text

    def test_the_same_form_again_shows_the_same_code(self, boss: Browser) -> None:
        form: dict[str, Any] = {
            "id": str(uuid4()),
            "role": "clinician",
            "privileges": ["therapy", "monitor"],
        }

        codes = [
            re.findall(r'<p class="code">([^<]+)</p>', boss.submit("/console/people", **form).text)
            for _ in range(2)
        ]

        assert codes[0] == codes[1] != []

    def test_a_clinician_without_a_privilege_is_refused_at_the_field(self, boss: Browser) -> None:
        answer = boss.submit("/console/people", id=str(uuid4()), role="clinician")

        assert answer.status_code == 422
        assert wrong(answer.text) == ["Privileges: a clinician needs at least one."]

    def test_privileges_are_changed_once_by_version(self, boss: Browser, world: World) -> None:
        path = f"/console/people/members/{world.here.coach.membership_id}"
        form: dict[str, Any] = {"act": "privileges", "privileges": ["coach", "monitor"]}

        first = boss.submit(path, **form, version="1")
        second = boss.submit(path, **form, version="1")

        assert (first.status_code, second.status_code) == (303, 412)
        assert world.here.coach.get("/v1/caseload").status_code == 200

    def test_one_s_own_membership_is_another_s_to_end(self, boss: Browser, world: World) -> None:
        path = f"/console/people/members/{world.administrator.membership_id}"

        assert boss.submit(path, act="end").status_code == 422
        assert world.administrator.get("/v1/me").status_code == 200

    def test_care_begins_and_ends_in_the_patient_s_ledger(
        self, boss: Browser, world: World, behind: Behind
    ) -> None:
        patient, stranger = world.patient, world.here.stranger
        path = f"/console/people/patients/{patient.patient_id}"
        record = f"/v1/patients/{patient.patient_id}/check-ins"

        began = boss.submit(path, act="assign", membership_id=str(stranger.membership_id))
        seen = stranger.get(record).status_code
        page = boss.get(path).text
        links = re.findall(r'name="link_id" value="([^"]+)"', page)
        for link_id in links:
            assert boss.submit(path, act="end", link_id=link_id).status_code == 303

        assert (began.status_code, seen) == (303, 200)
        assert stranger.get(record).status_code == 404
        assert world.therapist.get(record).status_code == 404
        actions = behind.rows(
            "SELECT action, actor_role FROM ledger WHERE patient_id = %s AND action LIKE 'care%%'"
            " AND actor_role = 'administrator' ORDER BY seq",
            patient.patient_id,
        )
        assert actions == [
            ("care_link.began", "administrator"),
            *[("care_link.ended", "administrator")] * len(links),
        ]

    def test_whose_only_carer_left_is_cared_for_by_nobody(
        self, boss: Browser, world: World
    ) -> None:
        for carer in (world.therapist, world.here.coach):
            boss.submit(f"/console/people/members/{carer.membership_id}", act="end")

        listed = boss.get("/console/people/patients").text
        page = boss.get(f"/console/people/patients/{world.patient.patient_id}").text

        assert listed.count("<strong>nobody</strong>") == 2
        assert page.count("works here no more") == 2

    def test_assigning_and_ending_twice_change_nothing_more(
        self, boss: Browser, world: World, behind: Behind
    ) -> None:
        path = f"/console/people/patients/{world.patient.patient_id}"
        stranger = str(world.here.stranger.membership_id)

        for _ in range(2):
            boss.submit(path, act="assign", membership_id=stranger)
        link_id = value_of("link_id", boss.get(path).text)
        for _ in range(2):
            boss.submit(path, act="end", link_id=link_id)

        counted = behind.rows(
            "SELECT action, count(*) FROM ledger WHERE patient_id = %s"
            " AND actor_role = 'administrator' GROUP BY action ORDER BY action",
            world.patient.patient_id,
        )
        assert counted == [("care_link.began", 1), ("care_link.ended", 1)]

    def test_an_administrator_s_look_is_in_the_access_log(
        self, boss: Browser, world: World, behind: Behind
    ) -> None:
        boss.get(f"/console/people/patients/{world.patient.patient_id}")

        assert (
            world.administrator.membership_id,
            world.patient.patient_id,
            "roster.read",
        ) in behind.accesses(world.here.id)

    def test_a_link_of_another_patient_is_not_ended(self, boss: Browser, world: World) -> None:
        theirs = boss.get(f"/console/people/patients/{world.patient.patient_id}").text
        other = f"/console/people/patients/{world.here.other_patient.patient_id}"

        answer = boss.submit(other, act="end", link_id=value_of("link_id", theirs))

        assert answer.status_code == 404
        assert world.therapist.get(f"{world.patient.record}/check-ins").status_code == 200


class TestPlacesThatWait:
    def invited(self, browser: Browser, role: str = "patient") -> str:
        """The code."""
        answer = browser.submit("/console/people", id=str(uuid4()), role=role)
        found = re.search(r'<p class="code">([^<]+)</p>', answer.text)
        assert found
        return found[1]

    def test_one_is_taken_back_and_its_code_works_no_more(
        self, boss: Browser, world: World
    ) -> None:
        code = self.invited(boss)
        page = boss.get("/console/people").text
        waiting = value_of("invitation_id", page)

        answer = boss.submit("/console/people", act="take-back", invitation_id=waiting)

        assert answer.headers["location"] == "/console/people?done=taken-back"
        assert code not in page
        assert "invitation_id" not in boss.get("/console/people").text
        accepted = world.therapist.client.post("/v1/invitations/accept", json=an_acceptance(code))
        assert accepted.status_code == 404
        again = boss.submit("/console/people", act="take-back", invitation_id=waiting)
        assert again.status_code == 404

    def test_a_clinician_sees_their_own_and_another_clinic_none(
        self, boss: Browser, browser: Browser, world: World, direct: Direct
    ) -> None:
        self.invited(boss)
        theirs = value_of("invitation_id", boss.get("/console/people").text)
        foreign = at_work(direct, world.elsewhere.administrator, now())

        for somebody in (browser, foreign):
            assert "invitation_id" not in somebody.get("/console/people").text
            answer = somebody.submit("/console/people", act="take-back", invitation_id=theirs)
            assert answer.status_code == 404
        self.invited(browser)
        assert boss.get("/console/people").text.count('name="invitation_id"') == 2
        assert browser.get("/console/people").text.count('name="invitation_id"') == 1

    def test_whoever_took_one_waits_no_more(self, browser: Browser, world: World) -> None:
        code = self.invited(browser)

        world.therapist.client.post("/v1/invitations/accept", json=an_acceptance(code))

        assert "invitation_id" not in browser.get("/console/people").text


class TestConsent:
    def path(self, world: World) -> str:
        return f"/console/people/patients/{world.patient.patient_id}"

    def test_taken_back_it_closes_the_record_and_a_sign_of_danger_is_still_seen_to(
        self, boss: Browser, world: World, behind: Behind
    ) -> None:
        record = f"{world.patient.record}/check-ins"

        answers = [boss.submit(self.path(world), act="withdraw") for _ in range(2)]
        sent = world.patient.post(record, a_check_in(answers=phq_9(13, item_nine=2)))

        assert [one.status_code for one in answers] == [303, 303]
        assert world.therapist.get(record).status_code == 404
        assert sent.status_code == 201
        assert "administrators" in sent.json()["safety"]["monitoring_statement"]
        assert len(world.administrator.get("/v1/flags").json()["flags"]) == 1
        actions = behind.rows(
            "SELECT action, actor_role, count(*) FROM ledger WHERE patient_id = %s"
            " AND action LIKE 'consent%%' GROUP BY action, actor_role ORDER BY action",
            world.patient.patient_id,
        )
        assert actions[-1] == ("consent.withdrawn", "administrator", 1)
        assert "taken back" in boss.get(self.path(world)).text

    def test_given_again_it_opens_the_record_to_those_who_care_for_them(
        self, boss: Browser, world: World
    ) -> None:
        path = self.path(world)
        boss.submit(path, act="withdraw")

        notice = value_of("notice_version", boss.get(path).text)
        unseen = boss.submit(path, act="consent", notice_version=notice)
        seen = boss.submit(path, act="consent", seen="yes", notice_version=notice)

        assert unseen.status_code == 422
        assert wrong(unseen.text) == ["Their consent: has to be so."]
        assert seen.status_code == 303
        assert world.therapist.get(f"{world.patient.record}/check-ins").status_code == 200

    def test_to_a_notice_that_is_not_in_use_any_more_none_is_recorded(
        self, boss: Browser, world: World
    ) -> None:
        path = self.path(world)
        boss.submit(path, act="withdraw")

        answer = boss.submit(path, act="consent", seen="yes", notice_version="of-long-ago")

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "Their consent: another notice is in use since this page was opened."
        ]
        assert value_of("notice_version", answer.text) == NOTICE_VERSION
        assert world.therapist.get(f"{world.patient.record}/check-ins").status_code == 404

    def test_where_one_holds_another_is_not_recorded(
        self, boss: Browser, world: World, behind: Behind
    ) -> None:
        boss.submit(self.path(world), act="consent", seen="yes", notice_version=NOTICE_VERSION)

        assert behind.rows(
            "SELECT count(*) FROM consent WHERE patient_id = %s", world.patient.patient_id
        ) == [(1,)]

    def test_it_is_for_administrators_and_of_their_own_clinic(
        self, browser: Browser, world: World, direct: Direct
    ) -> None:
        foreign = at_work(direct, world.elsewhere.administrator, now())

        assert browser.submit(self.path(world), act="withdraw").status_code == 403
        assert foreign.submit(self.path(world), act="withdraw").status_code == 404
        assert world.therapist.get(f"{world.patient.record}/check-ins").status_code == 200


class TestAccount:
    def test_a_name_is_changed(self, browser: Browser) -> None:
        version = re.search(r'name="version" value="(\d+)"', browser.get("/console/account").text)
        assert version

        answer = browser.submit("/console/account", act="name", name="Toni T.", version=version[1])

        assert answer.status_code == 303
        assert "Toni T." in browser.get("/console/caseload").text

    def test_no_name_is_refused(self, browser: Browser) -> None:
        answer = browser.submit("/console/account", act="name", name=" ", version="1")

        assert wrong(answer.text) == ["Name: must not be blank."]

    def test_an_address_is_removed(self, browser: Browser, world: World) -> None:
        made = world.therapist.post(
            "/v1/me/devices", {"channel": "webhook", "url": "https://phone.example/"}
        )

        page = browser.get("/console/account").text
        answer = browser.submit("/console/account", act="remove", id=made.json()["id"])

        assert "Webhook, since" in page
        assert answer.status_code == 303
        assert "Nowhere yet" in browser.get("/console/account").text

    def test_a_server_without_mail_takes_no_address(self, browser: Browser) -> None:
        answer = browser.submit(
            "/console/account", act="address", id=str(uuid4()), email="a@example.org"
        )

        assert answer.status_code == 422

    def test_a_password_is_on_no_page(self, browser: Browser) -> None:
        assert PASSWORD not in browser.get("/console/account").text
