"""Things to test with. Each has sensible members, and takes what the test is about."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from fastapi.testclient import TestClient
from httpx2 import Response

from app.clinical import eligibility
from app.kernel import accounts, identity
from app.kernel.db import Db, Direct, libpq
from app.kernel.identity import Issuer, Standing
from app.kernel.settings import Settings
from app.people.admission import admit, link_care
from app.people.clinics import NOTICE_VERSION, WEEKDAYS_NINE_TO_FIVE, found_clinic

PASSWORD = "correct horse battery"


def now() -> datetime:
    """The present, to the second, as a phone would send it."""
    return datetime.now(UTC).replace(microsecond=0)


def a_check_in(**changes: Any) -> dict[str, Any]:
    """A complete PHQ-9 with item 9 at zero: total 12, moderate."""
    return {
        "instrument": "phq-9",
        "answers": [2, 2, 1, 2, 1, 2, 1, 1, 0],
        "recorded_at": now().isoformat(),
    } | changes


def phq_9(total: int, *, item_nine: int = 0) -> list[int]:
    """Nine answers that add up to `total`, the ninth as given. total: at most 24 + item_nine."""
    answers = []
    left = total - item_nine
    for _ in range(8):
        answers.append(min(3, left))
        left -= answers[-1]
    assert left == 0
    return [*answers, item_nine]


def a_dosing_session(**changes: Any) -> dict[str, Any]:
    """Forty milligrams into the muscle, an hour ago."""
    return {"administrations": [an_administration()]} | changes


def an_administration(**changes: Any) -> dict[str, Any]:
    """Forty milligrams of ketamine into the muscle, an hour ago."""
    return {
        "drug": "ketamine",
        "route": "im",
        "dose_mg": 40,
        "given_at": (now() - timedelta(hours=1)).isoformat(),
    } | changes


def a_note(**changes: Any) -> dict[str, Any]:
    """A note that the care team may read."""
    return {
        "tier": "care-team",
        "words": "It was very quiet.",
        "recorded_at": now().isoformat(),
    } | changes


def an_intention(**changes: Any) -> dict[str, Any]:
    """An intention that the care team may read."""
    return {"words": "To meet what I avoid.", "recorded_at": now().isoformat()} | changes


def a_clinicians_note(**changes: Any) -> dict[str, Any]:
    """For a clinician's note, or a psychotherapy note."""
    return {"words": "Slept little, spoke of the sea.", "recorded_at": now().isoformat()} | changes


def a_picture(size: int = 1000) -> bytes:
    """So many bytes that begin as a PNG does and are different all along."""
    return b"\x89PNG\r\n\x1a\n" + Random(size).randbytes(size - 8)


def an_attachment(content: bytes, **changes: Any) -> dict[str, Any]:
    """What is said of a picture before it is sent."""
    return {
        "id": str(uuid4()),
        "media_type": "image/png",
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
    } | changes


def a_goal(**changes: Any) -> dict[str, Any]:
    """A goal with a reason."""
    return {
        "words": "Call my sister.",
        "why": "I miss her.",
        "recorded_at": now().isoformat(),
    } | changes


LEVELS: Final = [
    {"level": level, "words": words, "measure": measure}
    for level, words, measure in (
        (-2, "I call her never.", 0.0),
        (-1, "I call her once a month.", 1.0),
        (0, "I call her every other week.", 2.0),
        (1, "I call her every week.", 4.0),
        (2, "I call her twice a week.", 8.0),
    )
]
"""Of a goal: what would be true at each of the five levels of goal attainment scaling."""


def a_goal_step(goal_id: str, **changes: Any) -> dict[str, Any]:
    """A step towards a goal."""
    return {
        "goal_id": goal_id,
        "words": "Find her number.",
        "recorded_at": now().isoformat(),
    } | changes


def a_goal_rating(goal_id: str, level: int = 0, **changes: Any) -> dict[str, Any]:
    """How far a goal was attained."""
    return {"goal_id": goal_id, "level": level, "recorded_at": now().isoformat()} | changes


def a_past_treatment(**changes: Any) -> dict[str, Any]:
    """An antidepressant that did not help, at an adequate dose for long enough."""
    return {
        "kind": "antidepressant",
        "drug": "Sertraline",
        "drug_class": "ssri",
        "dose_adequate": "yes",
        "weeks": 8,
        "outcome": "no-response",
        "recorded_at": now().isoformat(),
    } | changes


def a_medication(**changes: Any) -> dict[str, Any]:
    """A medicine that interacts with nothing in the catalogue."""
    return {"name": "Vitamin D", "recorded_at": now().isoformat()} | changes


def a_screening(**changes: str) -> dict[str, Any]:
    """Every condition answered with no, but for those that are named, with _ for -."""
    answers = {one.key: "no" for one in eligibility.conditions()}
    answers |= {key.replace("_", "-"): answer for key, answer in changes.items()}
    return {"answers": answers, "recorded_at": now().isoformat()}


def a_resolution(screening_id: str, condition: str, **changes: Any) -> dict[str, Any]:
    """A prescriber's decision about a hard stop of a screening's first version."""
    return {
        "screening_id": screening_id,
        "screening_version": 1,
        "condition": condition,
        "reason": "Stable for ten years; discussed.",
        "recorded_at": now().isoformat(),
    } | changes


def a_course(**changes: Any) -> dict[str, Any]:
    """A planned course by the protocol that ships."""
    return {
        "protocol_version": 0,
        "indication": "depression",
        "planned_sessions": 6,
        "spacing_days": 4,
        "recorded_at": now().isoformat(),
    } | changes


def a_preparation(session_id: str, **changes: Any) -> dict[str, Any]:
    """A patient who has fasted and has an escort."""
    return {
        "dosing_session_id": session_id,
        "answers": {"fasting": "yes", "escort-named": "yes"},
        "recorded_at": now().isoformat(),
    } | changes


def a_check(session_id: str, **changes: Any) -> dict[str, Any]:
    """Staff who looked at the medicines and measured."""
    return {
        "dosing_session_id": session_id,
        "answers": {"medicines-reviewed": "yes"},
        "reading": {
            "measured_at": now().isoformat(),
            "systolic": 128,
            "diastolic": 82,
            "spo2": 98,
            "pulse": 71,
        },
        "recorded_at": now().isoformat(),
    } | changes


def a_planned_session(**changes: Any) -> dict[str, Any]:
    """A visit in the calendar, in an hour."""
    begins = (now() + timedelta(hours=1)).isoformat()
    return {"status": "preparation", "started_at": begins} | changes


def a_practice(**changes: Any) -> dict[str, Any]:
    """Something done every day; its schedule is `a_schedule`."""
    return {
        "words": "Breathe by the window.",
        "activity": "breath",
        "schedule": a_schedule(),
        "recorded_at": now().isoformat(),
    } | changes


def a_schedule(**changes: Any) -> dict[str, Any]:
    """Every day, for a long time."""
    return {"kind": "daily", "from_on": "2026-01-01"} | changes


def a_practice_tick(practice_id: str, on: str = "2026-03-01", **changes: Any) -> dict[str, Any]:
    """A practice that was done."""
    return {"practice_id": practice_id, "on": on, "recorded_at": now().isoformat()} | changes


def a_coping_strategy(**changes: Any) -> dict[str, Any]:
    """Something of one's own that may help."""
    return {"words": "Hold something cold.", "recorded_at": now().isoformat()} | changes


def a_trigger(*strategies: str, helped: int | None = None, **changes: Any) -> dict[str, Any]:
    """Something that set one off. strategies: what was tried, each of which helped as much."""
    return {
        "words": "A door that slammed.",
        "intensity_before": 7,
        "tried": [{"strategy_id": one, "helped": helped} for one in strategies],
        "recorded_at": now().isoformat(),
    } | changes


def an_insight(**changes: Any) -> dict[str, Any]:
    """What somebody understood."""
    return {"words": "I was never the reason.", "recorded_at": now().isoformat()} | changes


def an_integration_session(**changes: Any) -> dict[str, Any]:
    """A talk that took place an hour ago."""
    return {
        "scheduled_at": (now() - timedelta(hours=1)).isoformat(),
        "status": "attended",
        "recorded_at": now().isoformat(),
    } | changes


def a_session_summary(session_id: str, **changes: Any) -> dict[str, Any]:
    """What was agreed in a talk."""
    return {
        "integration_session_id": session_id,
        "words": "A walk each morning, and a letter to her.",
        "recorded_at": now().isoformat(),
    } | changes


def a_summary_agreement(summary_id: str, version: int = 1, **changes: Any) -> dict[str, Any]:
    """Yes, to one version."""
    return {
        "session_summary_id": summary_id,
        "summary_version": version,
        "recorded_at": now().isoformat(),
    } | changes


def ago(minutes: float) -> str:
    """So many minutes before now, as a client sends it."""
    return (now() - timedelta(minutes=minutes)).isoformat()


def a_reading(minutes_ago: float, **changes: Any) -> dict[str, Any]:
    """A calm reading of a monitor."""
    return {
        "at": ago(minutes_ago),
        "systolic": 120,
        "diastolic": 78,
        "spo2": 98,
        "pulse": 70,
    } | changes


def a_batch(*readings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Readings of a monitor; one, ten minutes old, unless they are given."""
    return {"readings": list(readings) or [a_reading(10)]} | changes


def a_side_effect(**changes: Any) -> dict[str, Any]:
    """Mild nausea since ten minutes ago."""
    return {
        "code": "nausea",
        "severity": "mild",
        "onset_at": ago(10),
        "recorded_at": now().isoformat(),
    } | changes


def a_discharge(**changes: Any) -> dict[str, Any]:
    """Everything that a clinician attests, and an override of all that nobody measured."""
    return {
        "attested": {"alert": True, "escort": True, "instructions": True},
        "overrides": [
            {"criterion": criterion, "reason": "Seen and spoken with."}
            for criterion in ("time", "blood-pressure", "dissociation", "risk-screen")
        ],
        "recorded_at": now().isoformat(),
    } | changes


def an_aftercare(dosing_session_id: str, **changes: Any) -> dict[str, Any]:
    """What was given to take home after a visit."""
    return {
        "dosing_session_id": dosing_session_id,
        "instructions": ["rest", "no-driving"],
        "words": "Call me tomorrow.",
        "recorded_at": now().isoformat(),
    } | changes


def a_safety_plan(**changes: Any) -> dict[str, Any]:
    """A plan with something in every list."""
    return {
        "signs_i_notice": ["I stop answering the phone."],
        "things_i_can_do": ["Walk to the river.", "Put the record on."],
        "places_and_people": ["The library."],
        "people_i_can_tell": [{"name": "Ana", "phone": "+1 555 0101"}],
        "services_i_can_call": [{"name": "Dr Okafor's practice", "phone": "(555) 0102"}],
        "making_home_safer": ["Ana keeps my tablets."],
        "reasons_to_keep_going": ["Ines is seven."],
        "recorded_at": now().isoformat(),
    } | changes


def an_acceptance(code: str, **changes: Any) -> dict[str, Any]:
    """A patient who takes the place that a code keeps, and consents."""
    return {
        "code": code,
        "username": f"new-{uuid4().hex[:12]}@example.org",
        "password": PASSWORD,
        "name": "Somebody New",
        "consent": {"notice_version": NOTICE_VERSION, "accepted": True},
    } | changes


@dataclass(frozen=True)
class Person:
    """Somebody signed in, and the requests they make."""

    client: TestClient
    username: str
    clinic_id: UUID
    membership_id: UUID
    role: str
    patient_id: UUID | None
    token: str

    def again(self, at: datetime) -> "Person":
        """The same person, with an access token of that instant."""
        return replace(self, token=_a_token(self, self.account_id, at))

    @property
    def account_id(self) -> UUID:
        """Who they are in all their clinics."""
        claims = self.token.split(".")[1]
        return UUID(json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])

    @property
    def record(self) -> str:
        """The path of their own record, as others name it."""
        return f"/v1/patients/{self.patient_id}"

    def request(self, method: str, path: str, **options: Any) -> Response:
        """With their token."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        response: Response = self.client.request(method, path, headers=headers, **options)
        return response

    def get(self, path: str, **options: Any) -> Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Response:
        """POST JSON."""
        return self.request("POST", path, **({"json": body} | options))

    def patch(self, path: str, body: Any, **options: Any) -> Response:
        """PATCH JSON."""
        return self.request("PATCH", path, json=body, **options)

    def put(self, path: str, body: Any, *, base: int | str | None) -> Response:
        """PUT JSON on this version. base: a version, or all of If-Match; None sends none."""
        return self.request("PUT", path, json=body, headers=_if_match(base))

    def delete(self, path: str, *, base: int | str | None) -> Response:
        """DELETE this version; `base` as for `put`."""
        return self.request("DELETE", path, headers=_if_match(base))


def _if_match(base: int | str | None) -> dict[str, str]:
    if base is None:
        return {}
    return {"If-Match": f'"{base}"' if isinstance(base, int) else base}


def amended(person: Person, path: str, body: dict[str, Any], version: int) -> dict[str, Any]:
    """An entry that this person amended, as the answer tells it. version: it had until then."""
    answer = person.put(path, body, base=version)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["version"] == version + 1
    return told


def withdrawn(person: Person, path: str, version: int) -> dict[str, Any]:
    """An entry that this person withdrew, as the answer tells it. version: it had until then."""
    answer = person.delete(path, base=version)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert (told["version"], told["status"]) == (version + 1, "entered-in-error")
    return told


def attached(person: Person, note_id: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """A picture that this person attached to a note of theirs, as the answer tells it."""
    sent = an_attachment(content, **changes)
    begun = person.post(f"{person.record}/notes/{note_id}/attachments", sent)
    assert begun.status_code == 201, begun.text
    done = appended(person, sent["id"], content)
    assert done.status_code == 200, done.text
    told: dict[str, Any] = done.json()
    return told


def appended(
    person: Person, attachment_id: str, content: bytes, *, at: int = 0, is_rest: bool = True
) -> Response:
    """The answer to bytes that were sent from there on."""
    headers = {
        "Upload-Offset": str(at),
        "Upload-Complete": "?1" if is_rest else "?0",
        "Content-Type": "application/partial-upload",
    }
    path = f"{person.record}/attachments/{attachment_id}/content"
    return person.request("PATCH", path, content=content, headers=headers)


@dataclass(frozen=True)
class Clinic:
    """A clinic with its people. `patient` is cared for by `therapist`, not by `stranger`."""

    id: UUID
    patient: Person
    other_patient: Person
    therapist: Person
    stranger: Person
    coach: Person
    administrator: Person


@dataclass(frozen=True)
class World:
    """Two clinics."""

    here: Clinic
    elsewhere: Clinic

    @property
    def patient(self) -> Person:
        """Of the clinic here."""
        return self.here.patient

    @property
    def therapist(self) -> Person:
        """Who cares for the patient."""
        return self.here.therapist

    @property
    def administrator(self) -> Person:
        """Of the clinic here."""
        return self.here.administrator


def a_world(client: TestClient, direct: Direct, at: datetime | None = None) -> World:
    """Two clinics, the second in another country. at: when everybody signed in; now."""
    return World(a_clinic(client, direct, at=at), a_clinic(client, direct, country="DE", at=at))


def a_clinic(
    client: TestClient,
    direct: Direct,
    *,
    name: str = "Test Clinic",
    country: str = "US",
    time_zone: str = "UTC",
    at: datetime | None = None,
) -> Clinic:
    """A clinic with its people, all signed in at that instant."""
    at = at or datetime.now(UTC)

    def build(db: Db) -> Clinic:
        clinic_id = found_clinic(
            db,
            name=name,
            country=country,
            time_zone=time_zone,
            phone="+1 555 0199",
            is_synthetic=True,
            coverage=WEEKDAYS_NINE_TO_FIVE,
            now=_long_before(at),
            # What follows a single question that found a sign of danger; without it such a sign
            # is one level graver.
            instruments={"c-ssrs-since-last-contact": True},
        )
        therapist = a_member(client, db, "clinician", ["monitor", "prescribe", "therapy"], at=at)
        coach = a_member(client, db, "clinician", ["coach"], at=at)
        return Clinic(
            clinic_id,
            a_patient(client, db, therapist, coach, country=country, time_zone=time_zone, at=at),
            a_patient(client, db, country=country, time_zone=time_zone, at=at),
            therapist,
            a_member(client, db, "clinician", ["monitor", "prescribe", "therapy"], at=at),
            coach,
            a_member(client, db, "administrator", [], at=at),
        )

    return direct.run(build)


def a_patient(
    client: TestClient,
    db: Db,
    *carers: Person,
    country: str = "US",
    time_zone: str = "UTC",
    name: str = "A patient",
    at: datetime,
) -> Person:
    """A patient of the transaction's clinic who consented, cared for by `carers`."""
    began_at = _long_before(at)
    username = f"patient-{uuid4().hex[:12]}@example.org"
    account_id = a_fast_account(db, username, began_at)
    admitted = admit(
        db,
        account_id=account_id,
        name=name,
        time_zone=time_zone,
        locale="en",
        country=country,
        notice_version=NOTICE_VERSION,
        now=began_at,
    )
    for carer in carers:
        link_care(db, admitted, carer.membership_id, began_at)
    assert db.clinic_id is not None
    person = Person(
        client,
        username,
        db.clinic_id,
        admitted.actor_id,
        "patient",
        admitted.patient_id,
        "",
    )
    return replace(person, token=_a_token(person, account_id, at))


def a_member(
    client: TestClient,
    db: Db,
    role: str,
    privileges: list[str],
    *,
    at: datetime,
) -> Person:
    """A clinician or administrator of the transaction's clinic, signed in."""
    username = f"{role}-{uuid4().hex[:12]}@example.org"
    account_id = a_fast_account(db, username, _long_before(at))
    membership_id = accounts.join(
        db,
        db.vault,
        account_id=account_id,
        role=role,
        privileges=privileges,
        patient_id=None,
        name=f"A {role}",
        now=_long_before(at),
    )
    assert db.clinic_id is not None
    person = Person(client, username, db.clinic_id, membership_id, role, None, "")
    return replace(person, token=_a_token(person, account_id, at))


def _a_token(person: Person, account_id: UUID, at: datetime) -> str:
    issuer: Issuer = person.client.app.state.desk.issuer  # type: ignore[attr-defined]
    standing = Standing(
        person.clinic_id,
        person.membership_id,
        account_id,
        person.role,
        [],
        person.patient_id,
        b"",
        at,
    )
    return issuer.access_token(standing, at)


def _long_before(at: datetime) -> datetime:
    """When everything of a clinic began: a token of this second must be newer."""
    return at - timedelta(days=90)


# Hashed once: a password costs tens of milliseconds on purpose, and most tests need none.
_HASH = accounts.hash_password(PASSWORD)


def a_fast_account(db: Db, username: str, at: datetime) -> UUID:
    """An account whose password is PASSWORD."""
    return accounts.create_account(db, db.vault, username=username, password_hash=_HASH, now=at)


def standing_of(direct: Direct, person: Person) -> Standing:
    """Their membership, as its table says now."""

    def work(db: Db) -> Standing:
        db.enter(person.clinic_id)
        return db.one(identity.STANDING_BY_ID, membership_id=person.membership_id)

    return direct.run(work)


def as_superuser(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    """Past the wall, and past what the application may do."""
    with psycopg.connect(libpq(str(settings.migration_url)), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []
