"""Flags, the safety plan, and how a clinic is told of danger."""

from typing import Final

from app.safety import escalation
from tests.contract.access.asking import GOAL_ID, PATIENT, Tries, Try
from tests.contract.access.statuses import NAMING_NOBODY, OF_CLINIC, OWN, READ_CLINICAL
from tests.contract.stage import A_PLAN

# `call` is a call for help, which a suspended account may make too. `act` and `hand` (to nobody who
# could) are about the flag of the patient here, and so is `log`, its deliveries; `close` is about
# one that is not there.
ABOUT_FLAGS = """
                   call  act  hand  close  log
anonymous           401  401   401    401  401
patient             201  403   403    403  403
other patient       201  403   403    403  403
therapist           403  200   422    404  200
stranger            403  404   404    404  404
coach               403  403   403    404  403
administrator       403  403   403    403  200
foreign patient     201  403   403    403  403
foreign therapist   403  404   404    404  404
foreign admin       403  403   403    403  404
gone patient        201  403   403    403  403
gone therapist      403  401   401    401  401
"""
# To `me` it is a call for help.
RAISE_FLAGS = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             201     403    403      403      403
other patient       201     403    403      403      403
therapist           403     201    404      404      404
stranger            403     404    201      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     201     403    403      403      403
foreign therapist   403     404    404      201      404
foreign admin       403     403    403      403      403
gone patient        201     403    403      403      403
gone therapist      403     401    401      401      401
"""
A_POLICY = escalation.as_dict(escalation.shipped())

ROUTES: Final[Tries] = {
    ("POST", "/v1/patients/me/flags"): [Try(ABOUT_FLAGS, "call", body={})],
    ("GET", f"{PATIENT}/flags"): [Try(READ_CLINICAL)],
    ("POST", f"{PATIENT}/flags"): [Try(RAISE_FLAGS, body={"level": "low"})],
    ("GET", f"{PATIENT}/safety-plan"): [Try(READ_CLINICAL)],
    ("GET", f"{PATIENT}/safety-plan/versions"): [Try(READ_CLINICAL)],
    ("GET", f"{PATIENT}/safety-plan/page"): [Try(READ_CLINICAL)],
    ("PUT", f"{PATIENT}/safety-plan"): [
        Try(OWN, body=A_PLAN, headers=(("If-Match", '"1"'),)),
    ],
    **{
        ("POST", f"/v1/flags/{{flag_id}}/{act}"): [Try(ABOUT_FLAGS, "act", kind="flag", body=body)]
        for act, body in (
            ("acknowledge", None),
            ("contacts", {"outcome": "reached"}),
            ("comments", {"note": "Seen."}),
        )
    },
    ("GET", "/v1/flags"): [Try(NAMING_NOBODY, "inbox")],
    ("GET", "/v1/flags/{flag_id}/deliveries"): [Try(ABOUT_FLAGS, "log", kind="flag")],
    ("POST", "/v1/flags/{flag_id}/hand-over"): [
        Try(ABOUT_FLAGS, "hand", kind="flag", body={"to": GOAL_ID})
    ],
    ("POST", "/v1/flags/{flag_id}/resolve"): [
        Try(ABOUT_FLAGS, "close", kind="flag", body={"disposition": "other", "note": "Closed."})
    ],
    # It does not end: tests/safety/test_stream.py says who may follow it.
    ("GET", "/v1/flags/stream"): [],
    ("GET", "/v1/clinic/escalation"): [Try(OF_CLINIC, "read")],
    ("PUT", "/v1/clinic/escalation"): [
        Try(OF_CLINIC, "publish", body=A_POLICY, headers=(("If-Match", '"999"'),))
    ],
    ("GET", "/v1/clinic/alert-deliveries"): [Try(OF_CLINIC, "log")],
}
