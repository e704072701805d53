"""Two clinics with a row in every tenant table, and everybody who may try to look."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from fastapi.testclient import TestClient
from httpx2 import Response
from pyotp import TOTP
from sqlalchemy import bindparam, select, update

from app import worker
from app.kernel.channels import Channels, Sent
from app.kernel.db import Change, Direct, Query
from app.kernel.tables import DataKey, Membership, columns
from app.people.admission import Admitted, link_care
from app.safety import escalation
from tests.builders import (
    LEVELS,
    PASSWORD,
    Clinic,
    Person,
    World,
    a_batch,
    a_check,
    a_check_in,
    a_clinicians_note,
    a_coping_strategy,
    a_course,
    a_discharge,
    a_dosing_session,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_medication,
    a_note,
    a_past_treatment,
    a_picture,
    a_practice,
    a_practice_tick,
    a_preparation,
    a_resolution,
    a_safety_plan,
    a_screening,
    a_session_summary,
    a_side_effect,
    a_summary_agreement,
    a_trigger,
    a_world,
    amended,
    an_administration,
    an_aftercare,
    an_attachment,
    an_insight,
    an_integration_session,
    an_intention,
    appended,
    now,
)
from tests.clinical.definitions import DEFINITION
from tests.console.browser import at_work

_membership = columns(Membership)
_key = columns(DataKey)
WRAPPED_KEY = Query(
    select(_key.wrapped).where(
        _key.clinic_id == bindparam("clinic_id"), _key.patient_id == bindparam("patient_id")
    ),
    bytes,
)
# Nothing in the API ends a membership yet; the column is what every request reads.
DEACTIVATE = Change(
    update(Membership)
    .where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
    )
    .values(is_active=False)
)
ADDRESS_OF: Final = {
    "goal": "goals",
    "goal_step": "goal-steps",
    "goal_rating": "goal-ratings",
    "clinician_note": "clinician-notes",
    "intention": "intentions",
    "note": "notes",
    "psychotherapy_note": "psychotherapy-notes",
    "trial_history": "trial-history",
    "medication": "medications",
    "screening": "screenings",
    "stop_resolution": "stop-resolutions",
    "course": "courses",
    "preparation": "preparations",
    "preparation_check": "preparation-checks",
    "practice": "practices",
    "practice_tick": "practice-ticks",
    "coping_strategy": "coping-strategies",
    "trigger": "triggers",
    "insight": "insights",
    "integration_session": "integration-sessions",
    "session_summary": "session-summaries",
    "summary_agreement": "summary-agreements",
    "side_effect": "side-effects",
    "aftercare": "aftercare",
    "aftercare_receipt": "aftercare-receipts",
    "discharge": "discharges",
}
"""Of every kind of entry that is kept on a shelf, its place in an address."""
A_PHONE: Final = "https://phone.example/"
ALWAYS_DUE: Final = "always/enrolment/phq-9"
A_PROTOCOL: Final[dict[str, Any]] = {
    "title": "Always",
    "source": "A test",
    "convention": True,
    "late_days": 14,
    "points": [
        {
            "key": "always",
            "label": "Always",
            "anchor": "enrolment",
            "instruments": ["phq-9"],
            "days": [0, 1, 400],
            "source": "A test",
            "convention": True,
        }
    ],
}

A_PLAN = a_safety_plan(recorded_at="2026-01-01T00:00:00Z")


@dataclass(frozen=True)
class Stage:
    """The world, who was put out of the clinic here, and the entries of three patients.

    entries: by patient, then by kind as in the address, one entry's id; and those that are
        there to be changed, as in `notes to amend`.
    """

    world: World
    direct: Direct
    deactivated_patient: Person
    deactivated_therapist: Person
    entries: dict[UUID, dict[str, str]]

    @property
    def callers(self) -> dict[str, Person | None]:
        """By the name that the tables of expectations use; None is nobody."""
        here, elsewhere = self.world.here, self.world.elsewhere
        return {
            "anonymous": None,
            "patient": here.patient,
            "other patient": here.other_patient,
            "therapist": here.therapist,
            "stranger": here.stranger,
            "coach": here.coach,
            "administrator": here.administrator,
            "foreign patient": elsewhere.patient,
            "foreign therapist": elsewhere.therapist,
            "foreign admin": elsewhere.administrator,
            "gone patient": self.deactivated_patient,
            "gone therapist": self.deactivated_therapist,
        }


def a_stage(client: TestClient, direct: Direct) -> Stage:
    """Set it: the patient is `therapist`'s and `coach`'s, the other patient is `stranger`'s."""
    world = a_world(client, direct)
    here, elsewhere = world.here, world.elsewhere
    for clinic in (here, elsewhere):
        furnish(clinic)
        link(direct, clinic, clinic.other_patient, clinic.stranger)
    entries = {
        patient_of(patient): live(patient, carer)
        for patient, carer in (
            (here.patient, here.therapist),
            (here.other_patient, here.stranger),
            (elsewhere.patient, elsewhere.therapist),
        )
    }
    for member in (here.therapist, elsewhere.therapist):
        at_work(direct, member, datetime.now(UTC))
    gone_therapist = invited(here, here.administrator, "clinician")
    link(direct, here, here.patient, gone_therapist)
    gone_patient = invited(here, here.therapist, "patient")
    for person in (gone_patient, gone_therapist):
        deactivate(direct, person)
    # One to remain in each, so that every table has a row of a sign-in and what came of it.
    colleagues = [invited(one, one.administrator, "clinician") for one in (here, elsewhere)]
    for colleague in colleagues:
        with_a_second_factor(colleague)
    entries[patient_of(here.patient)]["colleague"] = str(colleagues[0].membership_id)
    keepers = {
        **worker.KEEPERS,
        **worker.alarms(cast("Channels", _NoWire()), "https://clinic.example"),
    }
    while worker.keep_one(direct, datetime.now(UTC), keepers):
        pass
    return Stage(world, direct, gone_patient, gone_therapist, entries)


class _NoWire:
    """Channels that take everything and reach nobody."""

    mail = None

    @property
    def webhook(self) -> Any:
        """Itself."""
        return self

    def send(self, *_: Any, **__: Any) -> Sent:
        """Taken."""
        return Sent()


def furnish(clinic: Clinic) -> None:
    """An instrument of the clinic's own, and a protocol by which something is always due."""
    definition = {"definition": DEFINITION.replace("two-items", own_instrument(clinic))}
    added = clinic.administrator.post("/v1/clinic/instruments", definition)
    assert added.status_code == 201, added.text
    published = clinic.administrator.put("/v1/clinic/protocol", A_PROTOCOL, base=1)
    assert published.status_code == 200, published.text
    policy = escalation.as_dict(escalation.shipped())
    assert clinic.administrator.put("/v1/clinic/escalation", policy, base=1).status_code == 200


def own_instrument(clinic: Clinic) -> str:
    """The key of what this clinic added."""
    return f"of-{clinic.id}"


def live(patient: Person, carer: Person) -> dict[str, str]:
    """A dose, a planned visit, a flagged and pinned check-in, a note and a goal; what is private
    and what is there to be changed; a phone, and what it prompted. Their words name their patient.
    """
    path = f"/v1/patients/{patient.patient_id}"
    canary = f"canary {patient.patient_id}"
    later = (now() + timedelta(days=7)).isoformat()
    # After those of the course, so that the first dose belongs to one.
    second = an_administration(given_at=(now() - timedelta(minutes=30)).isoformat())
    sent = {
        "dosing-sessions": (carer, a_dosing_session(administrations=[second])),
        "check-ins": (patient, a_check_in(answers=[2, 2, 1, 2, 1, 2, 1, 1, 2])),
        "notes": (patient, a_note(words=canary)),
        "goals": (patient, a_goal(words=canary, levels=LEVELS)),
        "intentions": (patient, an_intention(words=canary)),
        "clinician-notes": (
            carer,
            a_clinicians_note(words=canary, is_shared_with_patient=True),
        ),
        "psychotherapy-notes": (carer, a_clinicians_note(words=canary)),
        "trial-history": (carer, a_past_treatment(drug=canary)),
        "medications": (patient, a_medication(name=canary)),
        "screenings": (carer, a_screening(mania="yes") | {"notes": {"mania": canary}}),
        "practices": (patient, a_practice(words=canary)),
        "coping-strategies": (patient, a_coping_strategy(words=canary)),
        "triggers": (patient, a_trigger(words=canary)),
        "insights": (patient, an_insight(words=canary)),
        "integration-sessions": (carer, an_integration_session(place=canary)),
    }
    sent |= {
        f"{kind} {meant_for}": (by, a_check_in() if kind == "check-ins" else body)
        for kind, (by, body) in sent.items()
        for meant_for in ("to amend", "to withdraw", "for a page")
    }
    sent |= {
        "notes private": (patient, a_note(words=canary, tier="private")),
        "goals private": (patient, a_goal(words=canary, levels=LEVELS, tier="private")),
        "intentions private": (patient, an_intention(words=canary, tier="private")),
        "clinician-notes private": (carer, a_clinicians_note(words=canary)),
        "practices private": (patient, a_practice(words=canary, tier="private")),
        "coping-strategies private": (patient, a_coping_strategy(words=canary, tier="private")),
        "triggers private": (patient, a_trigger(words=canary, tier="private")),
        "insights private": (patient, an_insight(words=canary, tier="private")),
        "integration-sessions unsummarized": (carer, an_integration_session()),
        "notes in conflict": (patient, a_note(words=canary)),
        "dosing-sessions planned": (carer, {"status": "preparation", "started_at": later}),
    }
    made = {
        kind: by.post(f"{path}/{kind.partition(' ')[0]}", body) for kind, (by, body) in sent.items()
    }
    made |= about_course(made, path, patient, carer, canary)
    pin = {"instrument": "phq-9", "check_in_id": made["check-ins"].json()["id"]}
    made["baselines"] = carer.post(f"{path}/baselines", pin)
    made["devices"] = patient.post("/v1/me/devices", {"channel": "webhook", "url": A_PHONE})
    made["address"] = carer.post("/v1/me/devices", {"channel": "webhook", "url": A_PHONE})
    goal, private = made["goals"].json()["id"], made["goals private"].json()["id"]
    for many, part in (("goal-steps", a_goal_step), ("goal-ratings", a_goal_rating)):
        for meant_for in ("", " to amend", " to withdraw"):
            made[many + meant_for] = patient.post(f"{path}/{many}", part(goal))
        made[f"{many} private"] = patient.post(f"{path}/{many}", part(private))
    about = a_medication(name=canary, about_id=made["medications"].json()["id"])
    made["medications about"] = patient.post(f"{path}/medications", about)
    made |= practised_and_agreed(patient, carer, path, made)
    assert {answer.status_code for answer in made.values()} == {201}
    entries = {kind: answer.json()["id"] for kind, answer in made.items()}
    entries["flag"] = made["check-ins"].json()["safety"]["flag"]["id"]
    comment = carer.post(f"/v1/flags/{entries['flag']}/comments", {"note": canary})
    assert comment.status_code == 200, comment.text
    assert patient.post("/v1/patients/me/flags", {"note": canary}).status_code == 201
    assert patient.put(f"{path}/safety-plan", A_PLAN, base=1).status_code == 200
    entries |= went_through(patient, carer, canary, entries["courses to amend"])
    note = {"due_key": ALWAYS_DUE, "event": "prompted", "recorded_at": now().isoformat()}
    assert patient.post("/v1/me/reminders", note).status_code == 200
    entries |= {kind: made.json()["id"] for kind, made in begun(patient, entries).items()}
    entries["notes copied"] = changed_twice(patient, entries["notes in conflict"], canary)
    return entries


def begun(patient: Person, entries: dict[str, str]) -> dict[str, Response]:
    """Pictures: one that everybody who reads notes sees, one to take back, of which the bytes are
    there; one of which nothing was sent; and one of a private note.
    """
    content = a_picture()
    made = {}
    for kind, note in (
        ("attachments", "notes"),
        ("attachments to withdraw", "notes"),
        ("attachments to append", "notes"),
        ("attachments private", "notes private"),
    ):
        path = f"{patient.record}/notes/{entries[note]}/attachments"
        made[kind] = patient.post(path, an_attachment(content))
        assert made[kind].status_code == 201, made[kind].text
        if kind != "attachments to append":
            assert appended(patient, made[kind].json()["id"], content).status_code == 200
    return made


def about_course(
    made: dict[str, Any], path: str, patient: Person, carer: Person, canary: str
) -> dict[str, Any]:
    """What stands on a screening or a visit; and courses, of which one at a time is open."""
    session = made["dosing-sessions planned"].json()["id"]
    screening = made["screenings"].json()["id"]
    sent = {
        "stop-resolutions": (carer, a_resolution(screening, "mania", reason=canary)),
        "preparations": (patient, a_preparation(session, note=canary)),
        "preparation-checks": (carer, a_check(session, note=canary)),
    }
    told = {
        f"{kind}{meant_for}": by.post(f"{path}/{kind}", body)
        for kind, (by, body) in sent.items()
        for meant_for in ("", " to amend", " to withdraw")
    }
    for meant_for in ("", " to withdraw"):
        course = carer.post(f"{path}/courses", a_course(note=canary))
        stopped = a_course(status="stopped", reason=canary)
        amended(carer, f"{path}/courses/{course.json()['id']}", stopped, 1)
        told[f"courses{meant_for}"] = course
    return told | {"courses to amend": carer.post(f"{path}/courses", a_course(note=canary))}


def practised_and_agreed(
    patient: Person, carer: Person, path: str, made: dict[str, Any]
) -> dict[str, Any]:
    """Parts of what was made: ticks of a practice, a step with a date, summaries and what the
    patient said to them.
    """
    more: dict[str, Any] = {}
    whole = {kind: answer.json()["id"] for kind, answer in made.items()}
    for meant_for in ("", " to amend", " to withdraw", " private"):
        practice = whole["practices private" if meant_for == " private" else "practices"]
        tick = a_practice_tick(practice)
        more[f"practice-ticks{meant_for}"] = patient.post(f"{path}/practice-ticks", tick)
    for meant_for in ("", " to amend", " to withdraw"):
        # There is one summary of a session.
        talk = carer.post(f"{path}/integration-sessions", an_integration_session())
        more[f"integration-sessions summarized{meant_for}"] = talk
        summary = a_session_summary(talk.json()["id"])
        more[f"session-summaries{meant_for}"] = carer.post(f"{path}/session-summaries", summary)
    agreed_to = more["session-summaries"].json()["id"]
    for meant_for in ("", " to amend", " to withdraw"):
        more[f"summary-agreements{meant_for}"] = patient.post(
            f"{path}/summary-agreements", a_summary_agreement(agreed_to)
        )
    dated = a_goal_step(whole["goals"], due_on="2026-12-24")
    more["goal-steps dated"] = patient.post(f"{path}/goal-steps", dated)
    return more


def went_through(patient: Person, carer: Person, canary: str, course_id: str) -> dict[str, str]:
    """What was recorded at visits of a course and after them. A discharge and a batch stand under
    their visit, so `discharges` and `vital-signs` have an address of their own for each.
    """
    path = f"/v1/patients/{patient.patient_id}"
    made: dict[str, str] = {}
    for meant_for in ("", " to amend", " to withdraw"):
        visit = carer.post(
            f"{path}/dosing-sessions",
            a_dosing_session(
                setting="home",
                course_id=course_id,
                recorded_by="patient",
                emergency_plan=canary,
                present=[{"role": "companion", "name": canary}],
                weight_kg=70,
            ),
        )
        assert visit.status_code == 201, visit.text
        one = visit.json()["id"]
        given = carer.post(f"{path}/aftercare", an_aftercare(one, words=canary))
        receipt = {"aftercare_id": given.json()["id"], "aftercare_version": 1}
        leaving = a_discharge()
        for override in leaving["overrides"]:
            override["reason"] = canary
        answers = {
            "visits": visit,
            "vital-signs": carer.post(f"{path}/dosing-sessions/{one}/vital-signs", a_batch()),
            "discharges": carer.post(f"{path}/dosing-sessions/{one}/discharge", leaving),
            "aftercare": given,
            "aftercare-receipts": patient.post(
                f"{path}/aftercare-receipts", receipt | {"recorded_at": now().isoformat()}
            ),
            "side-effects": patient.post(
                f"{path}/side-effects",
                a_side_effect(words=canary, action=canary, dosing_session_id=one),
            ),
        }
        assert {answer.status_code for answer in answers.values()} == {201}
        made |= {f"{kind}{meant_for}": answer.json()["id"] for kind, answer in answers.items()}
    # Where nothing was read yet and nobody was let go.
    going_on = a_dosing_session(status="in-progress")
    fresh = carer.post(f"{path}/dosing-sessions", going_on)
    assert fresh.status_code == 201, fresh.text
    made["visits fresh"] = fresh.json()["id"]
    return made


def changed_twice(patient: Person, note_id: str, words: str) -> str:
    """Two phones changed this note at once. Returns: the note that keeps the second text."""
    path = f"/v1/patients/{patient.patient_id}/notes/{note_id}"
    amended(patient, path, a_note(words=f"{words}, says one"), 1)
    late = {
        "kind": "note",
        "op": "amend",
        "id": note_id,
        "base_version": 1,
        "entry": a_note(words=f"{words}, says another"),
    }
    [result] = patient.post("/v1/sync", {"changes": [late]}).json()["results"]
    assert result["status"] == "conflict"
    kept_as: str = result["kept_as"]
    return kept_as


def invited(clinic: Clinic, by: Person, role: str) -> Person:
    """Somebody who came in through an invitation."""
    wanted: dict[str, Any] = {"role": role}
    if role == "clinician":
        wanted["privileges"] = ["monitor", "prescribe", "therapy"]
    invitation = by.post("/v1/invitations", wanted)
    assert invitation.status_code == 201, invitation.text
    username = f"{invitation.json()['id']}@example.org"
    accepted = by.client.post(
        "/v1/invitations/accept",
        json={
            "code": invitation.json()["code"],
            "username": username,
            "password": PASSWORD,
            "name": "An invited",
            "consent": {"notice_version": "1", "accepted": True} if role == "patient" else None,
        },
    )
    assert accepted.status_code == 201, accepted.text
    token = accepted.json()
    patient_id = token["patient_id"]
    return Person(
        by.client,
        username,
        clinic.id,
        UUID(token["membership_id"]),
        role,
        UUID(patient_id) if patient_id else None,
        token["access_token"],
    )


def with_a_second_factor(person: Person) -> None:
    """They set up an authenticator app; the token they had is over."""
    begun = person.post("/v1/me/second-factor", {"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    code = TOTP(begun.json()["secret"]).now()
    confirmed = person.post("/v1/me/second-factor/confirm", {"otp": code})
    assert confirmed.status_code == 200, confirmed.text


def link(direct: Direct, clinic: Clinic, patient: Person, carer: Person) -> None:
    """From a day ago on, this clinician cares for this patient."""

    def link_them(db: Any) -> None:
        db.enter(clinic.id)
        began_at = now() - timedelta(days=1)
        key = db.one(WRAPPED_KEY, patient_id=patient_of(patient))
        page = Admitted(
            patient_of(patient),
            patient.membership_id,
            "patient",
            db.vault.open_data_key(key, clinic.id, patient_of(patient)),
        )
        link_care(db, page, carer.membership_id, began_at)

    direct.run(link_them)


def deactivate(direct: Direct, person: Person) -> None:
    """Their membership holds no more; their token lives on for its ten minutes."""

    def put_out(db: Any) -> None:
        db.enter(person.clinic_id)
        db.add(DEACTIVATE, membership_id=person.membership_id)

    direct.run(put_out)


def patient_of(person: Person) -> UUID:
    """The patient somebody is."""
    assert person.patient_id is not None
    return person.patient_id
