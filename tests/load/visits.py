"""Dosing sessions: a list of them with what their vital signs show, and a monitor's upload.

An upload is 500 readings, one in every ten seconds, of one visit that holds them already, as from a
monitor that sends its whole memory each time: each is a batch of its own. Its cost is told for each
reading, beside one check-in on the same server.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from app.course.vital_signs import service as vital_signs
from app.course.vital_signs.schemas import ReadingIn, VitalSignsIn
from app.kernel.db import Db, Direct
from app.kernel.entries import Known
from app.kernel.identity import Caller, Standing
from app.people.chart import open_chart
from app.treatment import service as treatment
from app.treatment.schemas import AdministrationIn, DosingSessionIn, PresentIn
from tests.load.afterglow import Deployment, check_submitted, write_request
from tests.load.generator import FRESH_ID
from tests.load.subjects import Kind, http_request

PATIENTS_AT_VISITS = 16
VISITS = 30
"""In one answer."""
READINGS = 500
"""In one upload: as many as it takes."""


class VisitsSubject(Deployment):
    """Thirty visits in one answer, and five hundred readings in one request."""

    name = "visits"

    def __init__(self) -> None:
        self.kinds = {
            f"{VISITS} sessions": Kind(self._list_request, 200, "sessions", self._check_list),
            f"{VISITS} sessions, as therapist": Kind(
                self._therapist_request, 200, "sessions", self._check_list
            ),
            "one check-in": Kind(
                lambda i: write_request(self.token(self._patients[i % PATIENTS_AT_VISITS])),
                201,
                "vitals",
                check_submitted,
                stores=1,
                at_most=PATIENTS_AT_VISITS,
            ),
            f"{READINGS} readings": Kind(
                self._upload_request,
                201,
                "vitals",
                self._check_upload,
                carries=READINGS,
                at_most=PATIENTS_AT_VISITS,
            ),
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        over = timedelta(days=7 * VISITS)
        self._patients = self.admit(direct, PATIENTS_AT_VISITS, over=over)
        self._visits = [self._live(direct, patient) for patient in self._patients]

    def _live(self, direct: Direct, patient: Standing) -> str:
        """A visit each week, with somebody beside and a reading at each point. Returns: the last
        one's id.
        """
        now = datetime.now(UTC)
        carer = self.therapist
        caller = Caller(
            carer.account_id,
            carer.clinic_id,
            carer.membership_id,
            carer.role,
            None,
            int(now.timestamp()),
        )

        def work(db: Db) -> str:
            db.enter(carer.clinic_id)
            right = treatment.RECORD_SESSIONS
            chart = open_chart(db, caller, str(patient.patient_id), right, now)
            visit_id = ""
            for weeks in range(VISITS, 0, -1):
                given_at = now - timedelta(days=7 * weeks - 1)
                dose = AdministrationIn(drug="ketamine", route="im", dose_mg=60, given_at=given_at)
                visit = DosingSessionIn(
                    administrations=[dose],
                    started_at=given_at - timedelta(minutes=30),
                    ended_at=given_at + timedelta(hours=2),
                    weight_kg=70,
                    setting="clinic",
                    present=[PresentIn(role="therapist", name="Somebody")],
                )
                kept, _ = treatment.record_session(db, chart, visit, Known(), now)
                batch = VitalSignsIn(
                    source="by-hand",
                    readings=[_reading(given_at, minutes) for minutes in range(-10, 120, 10)],
                )
                vital_signs.record(db, chart, kept.id, batch, Known(), now)
                visit_id = str(kept.id)
            return visit_id

        return direct.run(work)

    def _list_request(self, i: int) -> bytes:
        patient = self._patients[i % PATIENTS_AT_VISITS]
        path = f"/v1/patients/me/dosing-sessions?limit={VISITS}"
        return http_request("GET", path, self.token(patient))

    def _therapist_request(self, i: int) -> bytes:
        patient_id = self._patients[i % PATIENTS_AT_VISITS].patient_id
        path = f"/v1/patients/{patient_id}/dosing-sessions?limit={VISITS}"
        return http_request("GET", path, self.token(self.therapist))

    def _check_list(self, body: bytes) -> None:
        visits = msgspec.json.decode(body)["dosing_sessions"]
        shown = [one["vitals"]["peak"]["systolic"]["value"] for one in visits]
        if len(shown) != VISITS or set(shown[1:]) != {131}:
            raise ValueError(f"not {VISITS} visits with their vital signs: {body[:500]!r}")

    def _upload_request(self, i: int) -> bytes:
        place = i % PATIENTS_AT_VISITS
        started_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
        readings = [
            {
                "at": (started_at + timedelta(seconds=10 * one)).isoformat(),
                "systolic": 120 + one % 20,
                "diastolic": 80,
                "spo2": 97,
                "pulse": 70,
                "respiration": 14,
            }
            for one in range(READINGS)
        ]
        body = msgspec.json.encode({"id": FRESH_ID.decode(), "readings": readings})
        patient_id = self._patients[place].patient_id
        path = f"/v1/patients/{patient_id}/dosing-sessions/{self._visits[place]}/vital-signs"
        return http_request("POST", path, self.token(self.therapist), body)

    def _check_upload(self, body: bytes) -> None:
        if msgspec.json.decode(body)["readings"] != READINGS:
            raise ValueError(f"not {READINGS} readings: {body[:500]!r}")


def _reading(given_at: datetime, minutes: int) -> ReadingIn:
    return ReadingIn(
        at=given_at + timedelta(minutes=minutes),
        systolic=120 + minutes // 10,
        diastolic=80,
        spo2=97,
        pulse=70,
        respiration=14,
        dissociation=max(0, 8 - minutes // 10),
    )
