"""A course: who may begin one, preparation, the doses, and the hours and days after one."""

from typing import Final

from tests.builders import (
    a_batch,
    a_check,
    a_course,
    a_discharge,
    a_dosing_session,
    a_medication,
    a_past_treatment,
    a_preparation,
    a_reading,
    a_resolution,
    a_screening,
    a_side_effect,
    an_aftercare,
)
from tests.contract.access.asking import (
    BY_CLINICIANS,
    CHECK_IN,
    FIRST_VERSION,
    PATIENT,
    THEIR,
    Tries,
    Try,
    kept_on_a_shelf,
)
from tests.contract.access.statuses import CHANGE_DOSES, READ_CLINICAL, RECORD_BY_BOTH, RECORD_DOSES

# Written by the patient and by whoever treats them.
WRITE_TOGETHER = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             201     201    404      404      404
other patient       201     404    201      404      404
therapist           403     201    404      404      404
stranger            403     404    201      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     201     404    404      201      404
foreign therapist   403     404    404      201      404
foreign admin       403     403    403      403      403
gone patient        401     401    401      401      401
gone therapist      403     401    401      401      401
"""
# What clinicians read and patients do not.
READ_WEIGHED = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             403     403    403      403      403
other patient       403     403    403      403      403
therapist           403     200    404      404      404
stranger            403     404    200      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     403     403    403      403      403
foreign therapist   403     404    404      200      404
foreign admin       403     403    403      403      403
gone patient        403     403    403      403      403
gone therapist      403     401    401      401      401
"""
# Each patient here has a course that has not ended, and nobody has two.
PLAN_ANOTHER = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             403     403    403      403      403
other patient       403     403    403      403      403
therapist           403     409    404      404      404
stranger            403     404    409      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     403     403    403      403      403
foreign therapist   403     404    404      409      404
foreign admin       403     403    403      403      403
gone patient        403     403    403      403      403
gone therapist      403     401    401      401      401
"""
# The same at the clinic, where the patient's phone records nothing.
RECORD_AT_CLINIC = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             403     403    404      404      404    404
other patient       403     404    403      404      404    404
therapist           403     201    404      404      404    404
stranger            403     404    201      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     403     404    404      403      404    404
foreign therapist   403     404    404      201      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
LET_GO = CHANGE_DOSES.replace("200", "201")
A_BATCH = a_batch()
A_RECEIPT = {
    "aftercare_id": f"{THEIR}aftercare",
    "aftercare_version": 1,
    "recorded_at": CHECK_IN["recorded_at"],
}
VITAL_SIGNS: Final = f"{PATIENT}/dosing-sessions/{{dosing_session_id}}/vital-signs"
A_VITAL: Final = f"{VITAL_SIGNS}/{{vital_signs_id}}"
GATE: Final = f"{PATIENT}/dosing-sessions/{{dosing_session_id}}/discharge"
A_DISCHARGE: Final = f"{GATE}/{{discharge_id}}"
SECOND_VERSION = (("If-Match", '"2"'),)
A_RESOLUTION = a_resolution(f"{THEIR}screenings", "mania")
A_PREPARATION = a_preparation(f"{THEIR}dosing-sessions planned")
A_CHECK = a_check(f"{THEIR}dosing-sessions planned")

ROUTES: Final[Tries] = {
    ("GET", f"{PATIENT}/dosing-sessions"): [Try(READ_CLINICAL)],
    ("GET", f"{PATIENT}/dosing-sessions/{{dosing_session_id}}"): [
        Try(READ_CLINICAL, kind="dosing-sessions")
    ],
    ("PUT", f"{PATIENT}/dosing-sessions/{{dosing_session_id}}"): [
        Try(
            CHANGE_DOSES,
            kind="dosing-sessions to amend",
            body={"status": "not-done"},
            headers=FIRST_VERSION,
        )
    ],
    ("DELETE", f"{PATIENT}/dosing-sessions/{{dosing_session_id}}"): [
        Try(CHANGE_DOSES, kind="dosing-sessions to withdraw", headers=FIRST_VERSION)
    ],
    ("GET", f"{PATIENT}/dosing-sessions/{{dosing_session_id}}/versions"): [
        Try(READ_CLINICAL, kind="dosing-sessions")
    ],
    ("POST", f"{PATIENT}/dosing-sessions"): [Try(RECORD_DOSES, body=a_dosing_session())],
    ("POST", VITAL_SIGNS): [
        Try(RECORD_BY_BOTH, kind="visits", body=A_BATCH),
        Try(RECORD_AT_CLINIC, kind="dosing-sessions", body=A_BATCH),
    ],
    ("GET", VITAL_SIGNS): [Try(READ_CLINICAL, kind="visits")],
    **{
        (method, address): [Try(READ_CLINICAL, within="visits", kind="vital-signs")]
        for method, address in (("GET", A_VITAL), ("GET", f"{A_VITAL}/versions"))
    },
    ("PUT", A_VITAL): [
        Try(
            READ_CLINICAL,
            within="visits to amend",
            kind="vital-signs to amend",
            body=a_batch(a_reading(10, pulse=71)),
            headers=FIRST_VERSION,
        )
    ],
    ("DELETE", A_VITAL): [
        Try(
            READ_CLINICAL,
            within="visits to withdraw",
            kind="vital-signs to withdraw",
            headers=FIRST_VERSION,
        )
    ],
    ("GET", GATE): [Try(READ_CLINICAL, kind="visits"), Try(READ_CLINICAL, kind="visits fresh")],
    ("POST", GATE): [Try(LET_GO, kind="visits fresh", body=a_discharge())],
    ("PUT", A_DISCHARGE): [
        Try(
            CHANGE_DOSES,
            within="visits to amend",
            kind="discharges to amend",
            body=a_discharge(),
            headers=FIRST_VERSION,
        )
    ],
    ("DELETE", A_DISCHARGE): [
        Try(
            CHANGE_DOSES,
            within="visits to withdraw",
            kind="discharges to withdraw",
            headers=FIRST_VERSION,
        )
    ],
    ("GET", f"{A_DISCHARGE}/versions"): [Try(READ_CLINICAL, within="visits", kind="discharges")],
    **kept_on_a_shelf(
        "side-effects",
        "side_effect_id",
        a_side_effect(),
        a_side_effect(severity="moderate"),
        creating=RECORD_BY_BOTH,
        changing=READ_CLINICAL,
    ),
    **kept_on_a_shelf(
        "aftercare",
        "aftercare_id",
        an_aftercare(f"{THEIR}visits"),
        an_aftercare(f"{THEIR}visits to amend", words="Other."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf("aftercare-receipts", "aftercare_receipt_id", A_RECEIPT, A_RECEIPT),
    **kept_on_a_shelf(
        "trial-history",
        "trial_history_id",
        a_past_treatment(),
        a_past_treatment(weeks=3),
        **BY_CLINICIANS,
    ),
    **kept_on_a_shelf(
        "medications",
        "medication_id",
        a_medication(),
        a_medication(status="stopped"),
        creating=WRITE_TOGETHER,
        changing=READ_CLINICAL,
    ),
    **kept_on_a_shelf(
        "screenings",
        "screening_id",
        a_screening(mania="yes"),
        a_screening(),
        **BY_CLINICIANS,
    ),
    **kept_on_a_shelf(
        "stop-resolutions",
        "stop_resolution_id",
        A_RESOLUTION,
        A_RESOLUTION | {"reason": "Other."},
        **BY_CLINICIANS,
    ),
    **kept_on_a_shelf(
        "courses",
        "course_id",
        a_course(),
        a_course(planned_sessions=4),
        creating=PLAN_ANOTHER,
        changing=CHANGE_DOSES,
    ),
    ("DELETE", f"{PATIENT}/courses/{{course_id}}"): [
        Try(CHANGE_DOSES, kind="courses to withdraw", headers=SECOND_VERSION)
    ],
    **kept_on_a_shelf(
        "preparations",
        "preparation_id",
        A_PREPARATION,
        A_PREPARATION | {"answers": {"fasting": "no"}},
    ),
    **kept_on_a_shelf(
        "preparation-checks",
        "preparation_check_id",
        A_CHECK,
        A_CHECK | {"answers": {}},
        **BY_CLINICIANS,
    ),
    ("GET", f"{PATIENT}/dosing-sessions/{{dosing_session_id}}/preparation"): [
        Try(READ_CLINICAL, kind="dosing-sessions planned")
    ],
    ("GET", f"{PATIENT}/eligibility"): [Try(READ_WEIGHED)],
    ("GET", f"{PATIENT}/exposure"): [Try(READ_CLINICAL)],
}
