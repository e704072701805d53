"""What every page keeps to: headers, escaping, problems as pages, files that may be kept."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.console import pages
from app.kernel.db import Direct
from tests.builders import (
    World,
    a_check_in,
    a_coping_strategy,
    a_dosing_session,
    a_goal,
    a_note,
    a_practice,
    a_safety_plan,
    a_trigger,
    an_insight,
    an_integration_session,
    now,
    phq_9,
)
from tests.console.browser import Browser, at_work, heading

CANARY = "<script>alert('canary')</script>"
ESCAPED = "&lt;script&gt;alert(&#39;canary&#39;)&lt;/script&gt;"


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def record(world: World) -> str:
    """The patient's pages, after they have written something everywhere."""
    patient, therapist = world.patient, world.therapist
    mine = f"/v1/patients/{patient.patient_id}"
    me = patient.get("/v1/me")
    changed = patient.patch(
        "/v1/me",
        {
            "name": CANARY,
            "address": CANARY,
            "phone": "+1 555 0123",
            "emergency_contacts": [{"name": CANARY, "phone": "+1 555 0124", "relation": CANARY}],
        },
        headers={"If-Match": me.headers["etag"]},
    )
    sent = [
        changed,
        therapist.post(f"{mine}/dosing-sessions", a_dosing_session()),
        patient.post(f"{mine}/notes", a_note(words=CANARY)),
        patient.post(f"{mine}/goals", a_goal(words=CANARY, why=CANARY)),
        patient.post(f"{mine}/insights", an_insight(words=CANARY)),
        patient.post(f"{mine}/practices", a_practice(words=CANARY)),
        patient.post(f"{mine}/coping-strategies", a_coping_strategy(words=CANARY)),
        patient.post(f"{mine}/triggers", a_trigger(words=CANARY)),
        therapist.post(f"{mine}/integration-sessions", an_integration_session(place=CANARY)),
        patient.put(f"{mine}/safety-plan", a_safety_plan(signs_i_notice=[CANARY]), base=1),
        patient.post(f"{mine}/check-ins", a_check_in(answers=[2, 2, 1, 2, 1, 2, 1, 1, 2])),
        patient.post("/v1/patients/me/flags", {"note": CANARY}),
    ]
    assert {answer.status_code for answer in sent} <= {200, 201}
    flag = sent[-1].json()["safety"]["flag"]["id"]
    assert therapist.post(f"/v1/flags/{flag}/comments", {"note": CANARY}).status_code == 200
    return f"/console/patients/{patient.patient_id}"


PAGES_OF_A_PATIENT = [
    "",
    "/flags",
    "/treatment",
    "/notes",
    "/thread",
    "/goals",
    "/practices",
    "/integration",
    "/week",
    "/trajectories",
    "/audit",
]


class TestWords:
    @pytest.mark.parametrize("tab", PAGES_OF_A_PATIENT)
    def test_what_people_wrote_is_shown_as_written_and_never_run(
        self, browser: Browser, record: str, tab: str
    ) -> None:
        page = browser.get(record + tab)

        assert page.status_code == 200
        assert ESCAPED in page.text
        assert CANARY not in page.text

    def test_nor_in_lists_and_on_the_page_of_a_flag(self, browser: Browser, record: str) -> None:
        inbox = browser.get("/console/flags").text
        found = re.search(r'href="(/console/flags/[0-9a-f-]{36})"', inbox)
        assert found

        for page in (inbox, browser.get("/console/caseload").text, browser.get(found[1]).text):
            assert ESCAPED in page
            assert CANARY not in page

    def test_what_was_typed_comes_back_escaped_too(self, browser: Browser, record: str) -> None:
        page = browser.submit(f"{record}/flags", kind="x", level="high", note=CANARY)

        assert page.status_code == 422
        assert ESCAPED in page.text
        assert CANARY not in page.text

    def test_a_private_note_is_on_no_page(
        self, browser: Browser, record: str, world: World
    ) -> None:
        words = f"private {uuid4()}"
        path = f"/v1/patients/{world.patient.patient_id}/notes"
        world.patient.post(path, a_note(words=words, tier="private"))

        for tab in PAGES_OF_A_PATIENT:
            assert words not in browser.get(record + tab).text

    def test_a_name_is_in_no_title_and_so_in_no_browser_s_history(
        self, browser: Browser, record: str, world: World
    ) -> None:
        me = world.patient.get("/v1/me")
        world.patient.patch(
            "/v1/me", {"name": "Rosa Amadou"}, headers={"If-Match": me.headers["etag"]}
        )

        page = browser.get(record).text
        title = re.search(r"<title>(.*?)</title>", page)

        assert title
        assert title[1] == "R. A. Summary · Afterglow"
        assert heading(page) == "Rosa Amadou"


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "shown", "change"),
        [
            (0.04, "0", "0"),
            (-0.04, "0", "0"),
            (-3.0, "\N{MINUS SIGN}3", "\N{MINUS SIGN}3"),
            (2.5, "2.5", "+2.5"),
            (None, "\N{EN DASH}", "\N{EN DASH}"),
        ],
    )
    def test_nothing_has_no_sign(self, value: float | None, shown: str, change: str) -> None:
        assert (pages.number(value), pages.signed(value)) == (shown, change)

    @pytest.mark.parametrize(
        ("amount", "shown"),
        [(40.0, "40"), (0.075, "0.075"), (37.25, "37.25"), (4999.999, "4999.999")],
    )
    def test_an_amount_is_not_rounded(self, amount: float, shown: str) -> None:
        assert pages.milligrams(amount) == shown


class TestSummary:
    def test_it_says_what_matters_today(self, browser: Browser, record: str) -> None:
        page = browser.get(record).text

        assert "High" in page
        assert "Suicidal thoughts" in page
        assert "More than half the days" in page
        assert "40 mg ketamine" in page
        assert "Signs I notice" in page

    def test_suicidal_thoughts_are_told_by_every_source_and_what_was_not_asked_is_no_no(
        self, world: World, direct: Direct
    ) -> None:
        browser = at_work(direct, world.therapist, now())
        patient, nine = world.patient, phq_9(5)
        for days, body in (
            (3, a_check_in(answers=nine)),
            (2, a_check_in(instrument="c-ssrs-since-last-contact", answers=[1, 1, 1, 0, 0, 0])),
            (1, a_check_in(answers=[*nine[:8], None])),
        ):
            body["recorded_at"] = (now() - timedelta(days=days)).isoformat()
            answer = patient.post("/v1/patients/me/check-ins", body)
            assert answer.status_code == 201, answer.text

        page = browser.get(f"/console/patients/{patient.patient_id}").text
        told = page.partition('id="thoughts-title"')[2].partition("</dl>")[0]

        assert "Not assessed" in told
        assert "before that “Not at all" in told
        assert "2 days ago" in told
        assert told.count("<dt>") == 2

    def test_a_scale_that_nobody_answered_is_a_missing_page(
        self, browser: Browser, record: str
    ) -> None:
        assert browser.get(f"{record}/trajectories?scale=gad-7").status_code == 404

    def test_the_audit_says_who_looked_and_who_changed(self, browser: Browser, record: str) -> None:
        browser.get(record)

        page = browser.get(f"{record}/audit").text

        assert "Summary" in page
        assert "A clinician" in page
        assert "Check in submitted" in page

    def test_the_audit_does_not_tell_that_somebody_wrote_for_themselves(
        self, browser: Browser, record: str
    ) -> None:
        changes = browser.get(f"{record}/audit").text.partition("Who changed")[2]

        assert "Check in submitted" in changes
        assert "Note written" not in changes
        assert "Goal set" not in changes


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/console/sign-in", "/console/caseload", "/console/nothing", "/console/flags/x"]
    )
    def test_a_page_is_kept_nowhere_and_runs_nothing_but_our_own_files(
        self, browser: Browser, path: str
    ) -> None:
        headers = browser.get(path).headers

        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
            " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["strict-transport-security"].startswith("max-age=")

    def test_no_page_has_a_style_or_a_script_within_it_or_asks_elsewhere(
        self, browser: Browser, record: str
    ) -> None:
        paths = ["/console/caseload", "/console/flags", "/console/people", "/console/clinic"]
        for path in [*paths, *(record + tab for tab in PAGES_OF_A_PATIENT)]:
            page = browser.get(path).text

            assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! src=)", page), path
            assert not re.search(r'(?:src|href|action)="(?!/|\?|#|tel:)', page), path
            assert len(page) < 150_000, path

    def test_files_are_named_after_their_content_and_kept_for_ever(
        self, client: TestClient
    ) -> None:
        for name in ("console.css", "console.js", "mark.svg"):
            answer = client.get(pages.asset(name))

            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert re.search(r"\.[0-9a-f]{16}\.", pages.asset(name))

    def test_no_other_file_is_served(self, client: TestClient) -> None:
        for name in ("console.css", "..%2fpages.py", "base.html", "x"):
            assert client.get(f"/console/static/{name}").status_code == 404


class TestProblems:
    def test_what_is_missing_and_what_is_another_s_look_the_same(
        self, browser: Browser, world: World
    ) -> None:
        ids = [
            world.here.other_patient.patient_id,
            world.elsewhere.patient.patient_id,
            uuid4(),
            "me-not",
        ]

        answers = [browser.get(f"/console/patients/{one}") for one in ids]

        assert {answer.status_code for answer in answers} == {404}
        assert (
            len({(answer.content, str(sorted(answer.headers.items()))) for answer in answers}) == 1
        )

    def test_an_address_that_is_no_page_is_a_page_that_says_so(self, client: TestClient) -> None:
        answer = client.get("/console/nothing/here")

        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert heading(answer.text) == "There is nothing here for you"

    def test_what_is_beside_the_console_is_not(self, client: TestClient) -> None:
        answer = client.get("/consolation")

        assert answer.headers["content-type"] == "application/problem+json"

    def test_a_role_that_may_not_is_told_so_on_a_page(self, world: World, direct: Direct) -> None:
        browser = at_work(direct, world.administrator, now())

        answer = browser.get(f"/console/patients/{world.patient.patient_id}")

        assert answer.status_code == 403
        assert heading(answer.text) == "Your role does not allow this"

    def test_a_method_that_a_page_does_not_take(self, client: TestClient) -> None:
        answer = client.put("/console/caseload")

        assert answer.status_code == 405
        assert answer.headers["content-type"].startswith("text/html")

    def test_a_cursor_of_another_list_is_refused_on_a_page(self, browser: Browser) -> None:
        answer = browser.get("/console/caseload?cursor=abc")

        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/html")


class TestPaging:
    def test_a_list_leads_on_to_the_rest_of_it(self, browser: Browser, world: World) -> None:
        path = f"/v1/patients/{world.patient.patient_id}/notes"
        for number in range(22):
            world.patient.post(path, a_note(words=f"note number {number}."))
        first = browser.get(f"/console/patients/{world.patient.patient_id}/notes").text
        found = re.search(r'<a rel="next" href="([^"]+)"', first)
        assert found

        second = browser.get(found[1].replace("&amp;", "&")).text

        shown = [set(re.findall(r"note number \d+\.", page)) for page in (first, second)]
        assert [len(one) for one in shown] == [20, 2]
        assert not shown[0] & shown[1]
