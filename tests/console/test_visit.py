"""A visit's page: what came before, during and after a dose, and taking it down."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.kernel.db import Direct
from tests.builders import (
    World,
    a_batch,
    a_check_in,
    a_dosing_session,
    a_planned_session,
    a_preparation,
    a_reading,
    a_side_effect,
    an_administration,
    an_aftercare,
    now,
)
from tests.console.browser import Browser, at_work, value_of, wrong
from tests.contract.stage import A_PROTOCOL


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


def a_visit(world: World, session: dict[str, Any] | None = None) -> str:
    """Recorded over the API. Returns: its id."""
    path = f"/v1/patients/{world.patient.patient_id}/dosing-sessions"
    answer = world.therapist.post(path, session or a_dosing_session())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def visit(world: World) -> str:
    return a_visit(world)


@pytest.fixture
def page(world: World, visit: str) -> str:
    return f"/console/patients/{world.patient.patient_id}/treatment/{visit}"


def told(world: World, path: str) -> dict[str, Any]:
    """As the API tells it."""
    found: dict[str, Any] = world.therapist.get(
        f"/v1/patients/{world.patient.patient_id}/{path}"
    ).json()
    return found


class TestReadings:
    def test_a_reading_is_kept_once_however_often_it_is_sent(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        form = {"act": "read", "id": str(uuid4()), "systolic": "128", "diastolic": "82"}

        answers = [browser.submit(page, **form, sedation="3") for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [f"{page}?done=read-signs"] * 2
        series = told(world, f"dosing-sessions/{visit}/vital-signs")
        [batch] = series["batches"]
        assert (batch["id"], batch["source"]) == (form["id"], "by-hand")
        assert (series["readings"]["systolic"], series["readings"]["sedation"]) == ([128], [3])

    def test_the_chart_and_the_table_behind_it_stand_on_the_page(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        given = f"/v1/patients/{world.patient.patient_id}/dosing-sessions/{visit}/vital-signs"
        world.therapist.post(given, a_batch(a_reading(10, systolic=210, diastolic=110)))

        told = browser.get(page).text

        assert f'data-chart="{page}/chart"' in told
        assert "210 (threshold)" in told
        assert "reached a threshold" in told
        specification = browser.get(page + "/chart", accept="application/vnd.vegalite.v6+json")
        assert "Blood pressure" in specification.text

    def test_of_however_many_alarms_the_newest_are_said(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        given = f"/v1/patients/{world.patient.patient_id}/dosing-sessions/{visit}/vital-signs"
        calm = [a_reading(one, pulse=70) for one in (3, 2)]
        early = [a_reading(130 - one, spo2=80) for one in range(105)]
        world.therapist.post(
            given, a_batch(*early, *calm, a_reading(1, systolic=233, diastolic=99))
        )

        notice = browser.get(page).text.partition("reached a threshold")[2].partition("</ul>")[0]

        assert "Systolic 233" in notice
        assert notice.count("<li>") == 5
        assert notice.index("Systolic 233") < notice.index("Oxygen saturation 80")

    def test_there_is_no_chart_where_nothing_was_read(self, browser: Browser, page: str) -> None:
        assert browser.get(page + "/chart").status_code == 404
        assert "data-chart" not in browser.get(page).text

    @pytest.mark.parametrize(
        ("typed", "sentences"),
        [
            ({}, ["This form: must have at least one value."]),
            (
                {"systolic": "120"},
                ["Diastolic, mm Hg: must be given with the other of the two pressures."],
            ),
            ({"pulse": "fast"}, ["Heart rate, per minute: must be a whole number."]),
            ({"spo2": "98,5"}, ["Oxygen saturation, %: must be a whole number."]),
            ({"pulse": "70", "at": "2999-01-01T10:00"}, None),
        ],
    )
    def test_what_cannot_be_read_is_said_at_its_field_and_nothing_is_stored(
        self,
        browser: Browser,
        world: World,
        visit: str,
        page: str,
        typed: dict[str, str],
        sentences: list[str] | None,
    ) -> None:
        form_id = str(uuid4())

        answer = browser.submit(page, act="read", id=form_id, **typed)

        assert answer.status_code == 422
        assert wrong(answer.text)
        assert sentences is None or wrong(answer.text) == sentences
        assert all(f'value="{value}"' in answer.text for value in typed.values())
        assert f'value="{form_id}"' in answer.text
        assert told(world, f"dosing-sessions/{visit}/vital-signs")["batches"] == []

    def test_what_was_read_in_error_counts_for_nothing(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        form_id = str(uuid4())
        browser.submit(page, act="read", id=form_id, pulse="70")

        answer = browser.submit(page, act="withdraw-reading", entry=form_id, version="1")

        assert answer.status_code == 303
        assert told(world, f"dosing-sessions/{visit}/vital-signs")["readings"]["pulse"] == []


class TestSideEffects:
    def test_a_severe_one_raises_its_flag_and_sent_twice_it_is_one(
        self, browser: Browser, world: World, page: str
    ) -> None:
        form = {"act": "report", "id": str(uuid4()), "code": "chest-pain", "severity": "severe"}

        answers = [browser.submit(page, **form) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [303, 303]
        [effect] = told(world, "side-effects")["side_effects"]
        assert (effect["reported_by"], effect["resolved_at"]) == ("clinician", None)
        after = browser.get(page).text
        assert "Danger to the body" in after
        assert "Raised a flag" in after
        assert len(told(world, "flags")["flags"]) == 1

    def test_another_one_needs_words_and_what_was_typed_stays(
        self, browser: Browser, world: World, page: str
    ) -> None:
        answer = browser.submit(
            page, act="report", id=str(uuid4()), code="other", severity="mild", action="Water."
        )

        assert answer.status_code == 422
        assert wrong(answer.text) == ["In words: is required with other."]
        assert "Water." in answer.text
        assert told(world, "side-effects")["side_effects"] == []

    def test_that_it_passed_is_said_of_what_the_patient_told(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        made = world.patient.post(
            f"/v1/patients/{world.patient.patient_id}/side-effects",
            a_side_effect(dosing_session_id=visit),
        ).json()
        change = {
            "act": "change-effect",
            "entry": made["id"],
            "version": "1",
            "severity": "mild",
            "resolved_at": now().isoformat()[:16],
            "action": "Lay down.",
        }

        first = browser.submit(page, **change)
        overtaken = browser.submit(page, **{**change, "action": "Took a walk."})

        assert first.status_code == 303
        assert overtaken.status_code == 412
        assert "Somebody changed this since you opened it" in wrong(overtaken.text)[0]
        assert "Took a walk." in overtaken.text
        [effect] = told(world, "side-effects")["side_effects"]
        assert (effect["version"], effect["action"]) == (2, "Lay down.")
        assert (effect["onset_at"], effect["reported_by"]) == (made["onset_at"], "patient")

    def test_what_the_patient_noticed_at_home_stands_beside_the_visits(
        self, browser: Browser, world: World, page: str
    ) -> None:
        world.patient.post(
            f"/v1/patients/{world.patient.patient_id}/side-effects",
            a_side_effect(code="other", words="A taste of metal."),
        )

        visits = browser.get(page.rpartition("/")[0]).text

        assert "A taste of metal." in visits
        assert "of no visit" in visits
        assert "A taste of metal." not in browser.get(page).text

    def test_that_there_are_more_than_stand_there_is_said(
        self,
        browser: Browser,
        world: World,
        visit: str,
        page: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("app.console.treatment.side_effects.SHOWN", 1)
        monkeypatch.setattr("app.console.treatment.side_effects.NEWEST", 1)
        visits = page.rpartition("/")[0]

        said = []
        for _ in range(2):
            effect = a_side_effect(dosing_session_id=visit)
            world.therapist.post(f"/v1/patients/{world.patient.patient_id}/side-effects", effect)
            said.append(["There are older ones" in browser.get(one).text for one in (page, visits)])

        assert said == [[False, False], [True, True]]

    def test_one_of_another_visit_is_not_changed_from_here(
        self, browser: Browser, world: World, page: str
    ) -> None:
        given = an_administration(given_at=(now() - timedelta(days=9)).isoformat())
        other = a_visit(world, a_dosing_session(administrations=[given]))
        made = world.therapist.post(
            f"/v1/patients/{world.patient.patient_id}/side-effects",
            a_side_effect(dosing_session_id=other),
        ).json()

        answer = browser.submit(page, act="withdraw-effect", entry=made["id"], version="1")

        assert answer.status_code == 404
        assert told(world, f"side-effects/{made['id']}")["version"] == 1


class TestSideEffectsOfNoVisit:
    @pytest.fixture
    def visits(self, page: str) -> str:
        """The page of all visits."""
        return page.rpartition("/")[0]

    def test_one_is_reported_beside_the_visits_and_raises_its_flag(
        self, browser: Browser, world: World, visits: str
    ) -> None:
        form = {"act": "report", "id": str(uuid4()), "code": "chest-pain", "severity": "severe"}

        answers = [browser.submit(visits, **form) for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [f"{visits}?done=reported"] * 2
        [effect] = told(world, "side-effects")["side_effects"]
        assert (effect["id"], effect["dosing_session_id"]) == (form["id"], None)
        assert len(told(world, "flags")["flags"]) == 1
        assert "Tell of a side effect outside a visit" in browser.get(visits).text

    def test_what_cannot_be_comes_back_with_what_was_typed(
        self, browser: Browser, world: World, visits: str
    ) -> None:
        form = {"code": "other", "severity": "mild", "action": "Water."}

        answer = browser.submit(visits, act="report", id=str(uuid4()), **form)

        assert answer.status_code == 422
        assert wrong(answer.text) == ["In words: is required with other."]
        assert "Water.</textarea>" in answer.text
        assert told(world, "side-effects")["side_effects"] == []

    def test_it_is_changed_and_taken_back_there_and_one_of_a_visit_is_not(
        self, browser: Browser, world: World, visit: str, visits: str
    ) -> None:
        path = f"/v1/patients/{world.patient.patient_id}/side-effects"
        made = world.patient.post(path, a_side_effect()).json()
        other = world.patient.post(path, a_side_effect(dosing_session_id=visit)).json()
        change = {"act": "change-effect", "version": "1", "severity": "mild", "action": "Rest."}
        assert browser.get(visits).text.count('value="change-effect"') == 1

        changed = browser.submit(visits, entry=made["id"], **change)
        overtaken = browser.submit(visits, entry=made["id"], **{**change, "action": "A walk."})
        not_here = browser.submit(visits, entry=other["id"], **change)
        back = browser.submit(visits, act="withdraw-effect", entry=made["id"], version="2")

        assert changed.headers["location"] == f"{visits}?done=changed"
        assert (overtaken.status_code, not_here.status_code) == (412, 404)
        assert "A walk.</textarea>" in overtaken.text
        assert back.headers["location"] == f"{visits}?done=in-error"
        assert told(world, f"side-effects/{made['id']}")["action"] == "Rest."
        [left] = told(world, "side-effects")["side_effects"]
        assert (left["id"], left["version"]) == (other["id"], 1)

    def test_who_may_not_tell_of_any_has_no_form(
        self, world: World, direct: Direct, visits: str
    ) -> None:
        coach = at_work(direct, world.here.coach, now())

        assert coach.get(visits).status_code == 403
        assert coach.submit(visits, act="report", code="nausea").status_code == 403
        assert coach.submit(visits, act="dance").status_code == 404


class TestBefore:
    @pytest.fixture
    def visit(self, world: World) -> str:
        return a_visit(world, a_planned_session())

    def test_the_checklist_says_who_said_what_and_the_patient_s_part_is_only_shown(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        world.patient.post(
            f"/v1/patients/{world.patient.patient_id}/preparations",
            a_preparation(visit, note="A light breakfast."),
        )

        told_ = browser.get(page).text

        assert "required items are not met or not known" in told_
        assert "A light breakfast." in told_
        assert "Nobody has screened this patient" in told_

    def test_a_check_is_recorded_with_what_was_measured_once(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        form = {
            "act": "check",
            "id": str(uuid4()),
            "answer-medicines-reviewed": "yes",
            "answer-blood-pressure": "yes",
            "systolic": "124",
            "diastolic": "80",
            "note": "Calm.",
        }

        answers = [browser.submit(page, **form) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [303, 303]
        [check] = told(world, "preparation-checks")["preparation_checks"]
        assert check["answers"] == {"medicines-reviewed": "yes", "blood-pressure": "yes"}
        assert check["reading"]["systolic"] == 124
        assert "124/80 mm Hg" in browser.get(page).text

    def test_a_pressure_that_was_ticked_and_not_measured_is_refused_at_its_field(
        self, browser: Browser, world: World, page: str
    ) -> None:
        answer = browser.submit(
            page, act="check", id=str(uuid4()), **{"answer-blood-pressure": "yes", "note": "Calm."}
        )

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "Systolic, mm Hg: is required where blood pressure is said to be taken."
        ]
        assert "Calm." in answer.text
        assert told(world, "preparation-checks")["preparation_checks"] == []


class TestLeaving:
    def test_what_is_open_is_said_at_each_criterion_and_nobody_is_let_go(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        answer = browser.submit(
            page,
            act="leave",
            id=str(uuid4()),
            **{"attested-alert": "yes", "reason-time": "Lives next door."},
        )

        assert answer.status_code == 409
        said = wrong(answer.text)
        assert any(one.startswith("Blood pressure is near") for one in said)
        assert not any(one.startswith("Two hours") for one in said)
        assert 'value="Lives next door."' in answer.text
        assert told(world, f"dosing-sessions/{visit}/discharge")["discharge"] is None

    def test_every_criterion_is_met_or_has_a_reason_and_sent_twice_it_is_one(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        form = {"act": "leave", "id": str(uuid4())}
        form |= {f"attested-{key}": "yes" for key in ("alert", "escort", "instructions")}
        form |= {
            f"reason-{key}": "Seen and spoken with."
            for key in ("time", "blood-pressure", "dissociation", "risk-screen")
        }

        answers = [browser.submit(page, **form) for _ in range(2)]

        assert [one.headers.get("location") for one in answers] == [f"{page}?done=left"] * 2
        gate = told(world, f"dosing-sessions/{visit}/discharge")
        assert gate["discharge"]["id"] == form["id"]
        after = browser.get(page).text
        assert "Let go" in after
        assert "Let them go" not in after
        again = browser.submit(page, **{**form, "id": str(uuid4())})
        assert again.status_code == 409
        assert wrong(again.text) == ["Somebody recorded it in the meantime. It is on this page."]

    def test_for_when_they_left_a_criterion_that_was_open_then_can_be_overridden(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        given = f"/v1/patients/{world.patient.patient_id}/dosing-sessions/{visit}/vital-signs"
        world.therapist.post(given, a_batch(a_reading(1, dissociation=0)))
        earlier = (now() - timedelta(minutes=10)).isoformat()[:16]
        form = {"act": "leave", "left_at": earlier, "id": str(uuid4())}
        form |= {f"attested-{key}": "yes" for key in ("alert", "escort", "instructions")}
        form |= {f"reason-{key}": "Seen." for key in ("time", "blood-pressure", "risk-screen")}
        assert 'name="reason-dissociation"' not in browser.get(page).text

        refused = browser.submit(page, **form)
        answer = browser.submit(page, **form, **{"reason-dissociation": "Spoke clearly."})

        assert refused.status_code == 409
        assert 'name="reason-dissociation"' in refused.text
        assert answer.headers["location"] == f"{page}?done=left"

    def test_one_that_was_recorded_in_error_makes_room_for_another(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        overrides = [
            {"criterion": key, "reason": "Seen."}
            for key in told(world, f"dosing-sessions/{visit}/discharge")["open"]
        ]
        made = world.therapist.post(
            f"/v1/patients/{world.patient.patient_id}/dosing-sessions/{visit}/discharge",
            {"overrides": overrides, "recorded_at": now().isoformat()},
        ).json()

        said = "Recorded: they were let go."
        assert said in browser.get(page + "?done=left").text

        answer = browser.submit(page, act="withdraw-leave", entry=made["id"], version="1")

        assert answer.status_code == 303
        assert "Let them go" in browser.get(page).text
        assert said not in browser.get(page + "?done=left").text

    def test_a_reason_for_what_is_not_open_is_refused_at_its_field(
        self, browser: Browser, world: World, page: str
    ) -> None:
        world.patient.post(
            f"/v1/patients/{world.patient.patient_id}/check-ins",
            a_check_in(instrument="c-ssrs-since-last-contact", answers=[0, 0, None, None, None, 0]),
        )

        answer = browser.submit(
            page, act="leave", id=str(uuid4()), **{"reason-risk-screen": "Spoken with."}
        )

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "Reason to let them go all the same: is no criterion that is open."
        ]


class TestAnotherProtocol:
    @pytest.mark.parametrize(
        ("act", "session"), [("leave", a_dosing_session), ("check", a_planned_session)]
    )
    def test_put_in_force_meanwhile_nothing_is_recorded_that_was_asked_otherwise(
        self, browser: Browser, world: World, act: str, session: Callable[[], dict[str, Any]]
    ) -> None:
        visit = a_visit(world, session())
        page = f"/console/patients/{world.patient.patient_id}/treatment/{visit}"
        form = {"act": act, "id": str(uuid4()), "note": "Calm.", "answer-medicines-reviewed": "yes"}
        form |= {"protocol_version": value_of("protocol_version", browser.get(page).text)}
        shipped = world.administrator.get("/v1/clinic/protocol").headers["etag"]
        published = world.administrator.put("/v1/clinic/protocol", A_PROTOCOL, base=shipped)

        answer = browser.submit(page, **form)

        assert published.status_code == 200
        assert answer.status_code == 409
        assert "put another protocol in force since you opened this" in wrong(answer.text)[0]
        assert told(world, "preparation-checks")["preparation_checks"] == []
        assert "Let go " not in browser.get(page).text


class TestAftercare:
    def test_what_was_given_and_that_the_patient_read_it(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        form: dict[str, str | list[str]] = {
            "act": "home",
            "id": str(uuid4()),
            "instructions": ["rest", "no-driving"],
            "words": "Call me tomorrow.",
        }

        answers = [browser.submit(page, **form) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [303, 303]
        [given] = told(world, "aftercare")["aftercare"]
        assert given["instructions"] == ["rest", "no-driving"]
        assert "has not said that they read it" in browser.get(page).text
        world.patient.post(
            f"/v1/patients/{world.patient.patient_id}/aftercare-receipts",
            {
                "aftercare_id": given["id"],
                "aftercare_version": 1,
                "recorded_at": now().isoformat(),
            },
        )
        assert "The patient read it" in browser.get(page).text

    def test_without_an_instruction_it_is_refused_and_the_words_stay(
        self, browser: Browser, world: World, page: str
    ) -> None:
        answer = browser.submit(page, act="home", id=str(uuid4()), words="Call me.")

        assert answer.status_code == 422
        assert wrong(answer.text)
        assert "Call me." in answer.text
        assert told(world, "aftercare")["aftercare"] == []


class TestWhoMay:
    def test_whoever_only_treats_with_words_reads_it_and_records_no_vital_signs(
        self, world: World, direct: Direct, page: str
    ) -> None:
        boss = at_work(direct, world.administrator, now())
        member = f"/console/people/members/{world.therapist.membership_id}"
        boss.submit(member, act="privileges", privileges=["therapy"], version="1")
        browser = at_work(direct, world.therapist, now())

        told_ = browser.get(page).text

        assert "Nothing was read yet" in told_
        assert "Record a reading" not in told_
        assert "Let them go" not in told_
        assert "Tell of a side effect" in told_
        form = {"act": "read", "id": str(uuid4()), "pulse": "70"}
        assert browser.submit(page, **form).status_code == 403

    def test_what_is_no_act_and_what_is_no_visit_is_not_there(
        self, browser: Browser, world: World, page: str
    ) -> None:
        other = f"/console/patients/{world.patient.patient_id}/treatment/{uuid4()}"

        assert browser.submit(page, act="dance").status_code == 404
        assert browser.submit(other, act="read", id=str(uuid4()), pulse="70").status_code == 404
        assert browser.submit(page, act="read", id="7", pulse="70").status_code == 404

    def test_a_withdrawn_visit_is_shown_without_its_forms(
        self, browser: Browser, world: World, visit: str, page: str
    ) -> None:
        world.therapist.post(
            f"/v1/patients/{world.patient.patient_id}/aftercare", an_aftercare(visit)
        )
        browser.submit(page, act="withdraw", version="1")

        told_ = browser.get(page)
        refused = browser.submit(page, act="read", id=str(uuid4()), pulse="70")

        assert told_.status_code == 200
        assert "Record a reading" not in told_.text
        assert refused.status_code == 409
        assert value_of("token", refused.text)
