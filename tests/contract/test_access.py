"""Who may do what with whose record: every route, every caller, every target.

The tables of `access/` say the status of every answer, by feature, and what is in none of them
fails. Behind this wall stands the database's (`test_second_wall.py`).
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.routing import BaseRoute, Route

from tests.builders import Person, a_check_in, a_note
from tests.console.browser import Browser, at_work, value_of
from tests.contract.access import (
    check_ins,
    clinic,
    console,
    course,
    journal,
    safety,
    trends,
    without_signing_in,
)
from tests.contract.access.asking import PATIENT, THEIR, Tries, Try
from tests.contract.access.statuses import READ_CLINICAL, parsed
from tests.contract.stage import Stage, own_instrument, patient_of

FEATURES: Final = (check_ins, course, journal, trends, safety, clinic, without_signing_in, console)
EXPECTED: Final[Tries] = {
    path: tries for feature in FEATURES for path, tries in feature.ROUTES.items()
}
ASKED = [
    pytest.param(
        method,
        path,
        one,
        id=" ".join(f"{method} {path}{one.query} {one.column} {one.kind}".split()),
    )
    for (method, path), tries in EXPECTED.items()
    for one in tries
]


def addresses(routes: list[BaseRoute]) -> set[tuple[str, str]]:
    """Every method and path that is answered; HEAD is GET without its body."""
    found = set()
    for route in routes:
        assert isinstance(route, Route), f"{route} is no plain route: teach this test about it"
        found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


def targets(stage: Stage) -> dict[str, str]:
    """What stands in the address for each column."""
    here, elsewhere = stage.world.here, stage.world.elsewhere
    return {
        "me": "me",
        "theirs": str(here.patient.patient_id),
        "other": str(here.other_patient.patient_id),
        "foreign": str(elsewhere.patient.patient_id),
        "missing": str(uuid4()),
        "mixed": str(here.patient.patient_id),
    }


def entry(stage: Stage, caller: Person | None, column: str, kind: str) -> str:
    """An entry of the target's, so that a 404 is never about the entry alone."""
    here, elsewhere = stage.world.here, stage.world.elsewhere
    owner = {
        "me": caller.patient_id if caller else None,
        "theirs": here.patient.patient_id,
        "other": here.other_patient.patient_id,
        "foreign": elsewhere.patient.patient_id,
        "mixed": here.other_patient.patient_id,
        "act": here.patient.patient_id,
        "flag": here.patient.patient_id,
        "hand": here.patient.patient_id,
        "reset": here.patient.patient_id,
        "log": here.patient.patient_id,
    }.get(column)
    return stage.entries[owner][kind] if owner in stage.entries else str(uuid4())


def ask(
    stage: Stage, client: TestClient, method: str, path: str, one: Try, who: str, column: str
) -> Response:
    """Make the request that `column` of the table is about, as `who`."""
    caller = stage.callers[who]
    address = path.replace("{patient_id}", targets(stage).get(column, ""))
    address = address.replace("{instrument}", "phq-9")
    address = address.replace("{kind}", "insight")
    address = address.replace(
        "{key}", own_instrument(stage.world.here) if column == "own" else "phq-9"
    )
    address = address.replace("{locale}", "de-AT")
    if one.within:
        visit = entry(stage, caller, column, one.within)
        address = address.replace("{dosing_session_id}", visit)
    if one.kind:
        address = re.sub(r"\{.*\}", entry(stage, caller, column, one.kind), address)
    therapist = stage.world.here.therapist.membership_id
    address = address.replace("{membership_id}", str(uuid4() if column == "leave" else therapist))
    if path.startswith("/console"):
        return ask_page(stage, client, method, address + one.query, one, caller)
    options: dict[str, Any] = {"headers": dict(one.headers)}
    if one.body is not None:
        clinicians = {
            "of here": clinician_of(stage, caller),
            "of elsewhere": str(stage.world.elsewhere.therapist.membership_id),
        }
        given = one.body.get("clinician_id")
        named = {
            member: entry(stage, caller, column, value.removeprefix(THEIR))
            for member, value in one.body.items()
            if isinstance(value, str) and value.startswith(THEIR)
        }
        options["json"] = one.body | named | ({"clinician_id": clinicians[given]} if given else {})
    if one.form is not None:
        options["data"] = one.form
    ask_it = caller.request if caller else client.request
    answer: Response = ask_it(method, address + one.query, **options)
    return answer


def ask_page(
    stage: Stage, client: TestClient, method: str, address: str, one: Try, caller: Person | None
) -> Response:
    """As `ask`, with a cookie where somebody has one: patients never do."""
    address = address.replace("{name}", "none.css")
    browser = Browser(client)
    if caller is not None and caller.patient_id is None and not one.is_of_anybody:
        browser = at_work(stage.direct, caller, datetime.now(UTC))
    if method == "GET":
        return browser.get(address)
    form: dict[str, Any] = dict(one.form or {})
    if form.get("id") == "another each time":
        form["id"] = str(uuid4())
    page = browser.get("/console/account")
    if page.status_code == 200:
        form["token"] = value_of("token", page.text)
    return browser.post(address, form)


def clinician_of(stage: Stage, caller: Person | None) -> str:
    """A clinician of the caller's own clinic."""
    here, elsewhere = stage.world.here, stage.world.elsewhere
    is_foreign = caller is not None and caller.clinic_id == elsewhere.id
    return str((elsewhere if is_foreign else here).therapist.membership_id)


class TestTables:
    def test_a_route_stands_in_one_feature_s_table(self) -> None:
        assert sum(len(feature.ROUTES) for feature in FEATURES) == len(EXPECTED)

    def test_every_route_is_in_the_table_and_no_other(self, client: TestClient) -> None:
        application = client.app
        assert isinstance(application, FastAPI)

        assert addresses(application.routes) == EXPECTED.keys()

    def test_a_route_nobody_thought_of_is_seen(self) -> None:
        application = FastAPI(docs_url=None, redoc_url=None)
        application.get("/v1/backdoor")(lambda: None)

        assert ("GET", "/v1/backdoor") in addresses(application.routes) - EXPECTED.keys()

    def test_every_caller_is_in_every_table(self, stage: Stage) -> None:
        for table in {one.table for tries in EXPECTED.values() for one in tries}:
            assert {who for who, _ in parsed(table)} == stage.callers.keys()


class TestFirstWall:
    @pytest.mark.parametrize(("method", "path", "one"), ASKED)
    def test_every_caller_gets_what_the_table_says(
        self, stage: Stage, client: TestClient, method: str, path: str, one: Try
    ) -> None:
        columns = {
            (who, column): status
            for (who, column), status in parsed(one.table).items()
            if (column == one.column if one.column else column != "mixed" or one.kind)
        }
        expected = {place: one.answer or status for place, status in columns.items()}

        answered = {
            (who, column): ask(stage, client, method, path, one, who, column)
            for who, column in expected
        }

        statuses = {place: answer.status_code for place, answer in answered.items()}
        assert statuses == expected
        refusals = [answer for answer in answered.values() if answer.status_code == 404]
        assert len({seen(answer) for answer in refusals}) <= 1
        for (who, _), answer in answered.items():
            # The way back leads to what was asked for, whatever that was.
            said = told(answer) if answer.status_code != 303 else answer.text
            assert [name for name in strangers(stage, who) if name in said] == []

    def test_a_foreign_record_and_a_missing_one_are_the_same_byte_for_byte(
        self, stage: Stage, client: TestClient
    ) -> None:
        one = Try(READ_CLINICAL, kind="check-ins")
        path = f"{PATIENT}/check-ins/{{check_in_id}}"

        answers = {
            column: seen(ask(stage, client, "GET", path, one, "therapist", column))
            for column in ("foreign", "other", "missing", "mixed")
        }

        assert len(set(answers.values())) == 1
        status, _, body = answers["foreign"]
        assert status == 404
        assert b"not-found" in body

    @pytest.mark.parametrize("text", ["ME", "me ", "%00", "0", "None", "*", "x" * 3000, "..%2fme"])
    def test_what_is_no_id_is_a_missing_record(self, stage: Stage, text: str) -> None:
        answer = stage.world.therapist.get(f"/v1/patients/{text}/check-ins")

        assert answer.status_code == 404

    @pytest.mark.parametrize(("path", "member"), [("caseload", "patients"), ("flags", "flags")])
    def test_lists_show_ones_own_patients_only(self, stage: Stage, path: str, member: str) -> None:
        here, elsewhere = stage.world.here, stage.world.elsewhere

        shown = {
            carer.username: {row["patient_id"] for row in carer.get(f"/v1/{path}").json()[member]}
            for carer in (here.therapist, here.stranger, elsewhere.therapist)
        }

        # Whoever was invited and left again is still somebody's patient.
        gone = {str(stage.deactivated_patient.patient_id)}
        assert shown[here.therapist.username] - gone == {str(here.patient.patient_id)}
        assert shown[here.stranger.username] == {str(here.other_patient.patient_id)}
        assert shown[elsewhere.therapist.username] == {str(elsewhere.patient.patient_id)}

    def test_a_cursor_of_one_list_opens_no_other(self, stage: Stage) -> None:
        here = stage.world.here
        mine = f"/v1/patients/{here.patient.patient_id}/check-ins"
        here.patient.post(mine, a_check_in())
        cursor = here.patient.get(f"{mine}?limit=1").json()["next_cursor"]

        refused = stage.world.elsewhere.patient.get(f"/v1/patients/me/check-ins?cursor={cursor}")

        assert cursor
        assert refused.status_code == 400

    def test_a_private_note_is_missing_to_everyone_but_its_patient(self, stage: Stage) -> None:
        here = stage.world.here
        mine = f"/v1/patients/{here.patient.patient_id}/notes"
        words = f"private {uuid4()}"
        note = here.patient.post(mine, a_note(tier="private", words=words)).json()["id"]

        assert here.therapist.get(f"{mine}/{note}").status_code == 404
        assert words not in here.therapist.get(mine).text
        assert words in here.patient.get(mine).text


def seen(answer: Response) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """All that a client can tell two answers apart by."""
    return answer.status_code, tuple(sorted(answer.headers.items())), answer.content


def told(answer: Response) -> str:
    """Everything an answer says."""
    return answer.text + str(answer.headers)


def strangers(stage: Stage, who: str) -> list[str]:
    """Ids (and with them words: canaries name their patient) that a caller must never read."""
    here, elsewhere = stage.world.here, stage.world.elsewhere
    home, abroad = (elsewhere, here) if who.startswith("foreign") else (here, elsewhere)
    within = {
        "patient": [home.other_patient],
        "other patient": [home.patient],
        "therapist": [home.other_patient],
        "stranger": [home.patient],
        "coach": [home.other_patient],
    }
    patients = [patient_of(one) for one in (abroad.patient, abroad.other_patient)]
    patients += [patient_of(one) for one in within.get(who, [])]
    # Whom one works with is no secret among those who do.
    entries = [
        one
        for owner in patients
        for kind, one in stage.entries.get(owner, {}).items()
        if kind != "colleague" or owner in map(patient_of, (abroad.patient, abroad.other_patient))
    ]
    return [str(abroad.id), own_instrument(abroad), *map(str, patients), *entries]
