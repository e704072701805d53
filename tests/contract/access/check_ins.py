"""Check-ins, what is due, and what a phone asks and sends in one go."""

from typing import Final

from tests.builders import a_goal
from tests.contract.access.asking import CHECK_IN, FIRST_VERSION, GOAL_ID, PATIENT, Tries, Try
from tests.contract.access.statuses import OWN, READ_CLINICAL, RECORD_DOSES, WRITE_OWN
from tests.contract.stage import ALWAYS_DUE

# A clinician may withdraw scores that were recorded, and no answers of a patient.
WITHDRAW_ANSWERS = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     403    404      404      404    404
stranger            403     404    403      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      403      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
# Names no patient, and is about the one who sends it.
SYNC = """
                   sync
anonymous           401
patient             200
other patient       200
therapist           403
stranger            403
coach               403
administrator       403
foreign patient     200
foreign therapist   403
foreign admin       403
gone patient        401
gone therapist      403
"""
# What is the caller's alone and names no patient; `plan` comes with an If-Match that no longer
# holds, and `unplug` names a device that nobody has.
REMINDED = """
                   list  register  unplug  mine  plan  note
anonymous           401       401     401   401   401   401
patient             200       201     404   200   412   200
other patient       200       201     404   200   412   200
therapist           200       201     404   403   403   403
stranger            200       201     404   403   403   403
coach               200       201     404   403   403   403
administrator       200       201     404   403   403   403
foreign patient     200       201     404   200   412   200
foreign therapist   200       201     404   403   403   403
foreign admin       200       201     404   403   403   403
gone patient        401       401     401   401   401   401
gone therapist      401       401     401   403   403   403
"""
A_DEVICE = {"channel": "webhook", "url": "https://phone.example/"}
A_PROMPT = {"due_key": ALWAYS_DUE, "event": "prompted", "recorded_at": CHECK_IN["recorded_at"]}

ROUTES: Final[Tries] = {
    ("GET", f"{PATIENT}/check-ins"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?instrument=phq-9&limit=1"),
    ],
    ("GET", f"{PATIENT}/check-ins/{{check_in_id}}"): [Try(READ_CLINICAL, kind="check-ins")],
    ("PUT", f"{PATIENT}/check-ins/{{check_in_id}}"): [
        Try(
            OWN,
            kind="check-ins to amend",
            body=CHECK_IN | {"answers": [1] * 8 + [0]},
            headers=FIRST_VERSION,
        )
    ],
    ("DELETE", f"{PATIENT}/check-ins/{{check_in_id}}"): [
        Try(WITHDRAW_ANSWERS, kind="check-ins to withdraw", headers=FIRST_VERSION)
    ],
    ("GET", f"{PATIENT}/check-ins/{{check_in_id}}/versions"): [
        Try(READ_CLINICAL, kind="check-ins")
    ],
    ("POST", f"{PATIENT}/check-ins"): [
        Try(WRITE_OWN, body=CHECK_IN),
        Try(WRITE_OWN, body=CHECK_IN | {"answers": [0] * 8 + [1]}, query="?country=DE"),
    ],
    ("POST", f"{PATIENT}/baselines"): [
        # Not of the questionnaire whose pin the second wall is asked for: null takes a pin back.
        Try(RECORD_DOSES, body={"instrument": "gad-7", "check_in_id": None})
    ],
    ("GET", f"{PATIENT}/changes"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?after=1&limit=3"),
    ],
    ("GET", f"{PATIENT}/bundle"): [Try(OWN), Try(OWN, query="?country=DE")],
    ("POST", "/v1/sync"): [
        Try(
            SYNC,
            "sync",
            body={"changes": [{"kind": "goal", "op": "create", "id": GOAL_ID, "entry": a_goal()}]},
        )
    ],
    ("GET", f"{PATIENT}/due"): [Try(READ_CLINICAL)],
    ("GET", "/v1/me/devices"): [Try(REMINDED, "list")],
    ("POST", "/v1/me/devices"): [Try(REMINDED, "register", body=A_DEVICE)],
    ("DELETE", "/v1/me/devices/{device_id}"): [Try(REMINDED, "unplug", kind="devices")],
    ("GET", "/v1/me/reminders"): [Try(REMINDED, "mine")],
    ("PUT", "/v1/me/reminders"): [Try(REMINDED, "plan", body={}, headers=(("If-Match", '"999"'),))],
    ("POST", "/v1/me/reminders"): [Try(REMINDED, "note", body=A_PROMPT)],
}
