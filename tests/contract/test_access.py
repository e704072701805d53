"""Who may do what with whose record: every route, every caller, every target.

The first wall is the application's: TABLES says the status of every answer, and what is not in
it fails. The second is row-level security: it is asked with the application's own statements,
as the application's role, in a transaction of another clinic.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Select, select
from starlette.routing import BaseRoute, Route

from app.kernel.db import Db, Direct, Query, itself, libpq
from app.kernel.settings import Settings
from app.kernel.tables import METADATA
from app.safety import escalation
from app.trends.forms import VEGA_LITE
from tests.builders import (
    PASSWORD,
    Person,
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
    a_practice,
    a_practice_tick,
    a_preparation,
    a_reading,
    a_resolution,
    a_screening,
    a_session_summary,
    a_side_effect,
    a_summary_agreement,
    a_trigger,
    an_aftercare,
    an_insight,
    an_integration_session,
    an_intention,
)
from tests.clinical.definitions import DEFINITION
from tests.console.browser import Browser, at_work, value_of
from tests.contract.stage import (
    A_PLAN,
    A_PROTOCOL,
    ADDRESS_OF,
    ALWAYS_DUE,
    Stage,
    a_stage,
    own_instrument,
    patient_of,
)
from tests.contract.statements import is_distributed, statements, tables_of

PATIENT: Final = "/v1/patients/{patient_id}"

# How each route of a patient's record answers. `me` is whoever calls; `theirs` is the patient
# here, whom `therapist` and `coach` care for; `other` is `stranger`'s patient; `foreign` is of
# the other clinic; `missing` is nobody; `mixed` is an entry of `other` asked for as `theirs`.
READ_CLINICAL = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
READ_GOALS = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     200    404      404      404    404
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
WRITE_OWN = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             201     201    404      404      404
other patient       201     404    201      404      404
therapist           403     403    403      403      403
stranger            403     403    403      403      403
coach               403     403    403      403      403
administrator       403     403    403      403      403
foreign patient     201     404    404      201      404
foreign therapist   403     403    403      403      403
foreign admin       403     403    403      403      403
gone patient        401     401    401      401      401
gone therapist      403     403    403      403      403
"""
RECORD_DOSES = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             403     403    403      403      403
other patient       403     403    403      403      403
therapist           403     201    404      404      404
stranger            403     404    201      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     403     403    403      403      403
foreign therapist   403     404    404      201      404
foreign admin       403     403    403      403      403
gone patient        403     403    403      403      403
gone therapist      403     401    401      401      401
"""
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
# What only the patient reads or changes.
OWN = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     403    403      403      403    403
stranger            403     403    403      403      403    403
coach               403     403    403      403      403    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     403    403      403      403    403
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     403    403      403      403    403
"""
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
CHANGE_DOSES = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             403     403    403      403      403    403
other patient       403     403    403      403      403    403
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     403     403    403      403      403    403
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        403     403    403      403      403    403
gone therapist      403     401    401      401      401    401
"""
# Patient and therapist rate a goal, each for themselves; a prescriber without therapy does not.
RATE = """
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
# What the patient said, which nobody else may put right.
CHANGE_OWN_RATINGS = """
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
# What the patient and those who care for them both send.
RECORD_BY_BOTH = READ_CLINICAL.replace("200", "201")
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
# Routes that name no patient. Public ones answer everybody alike; `change` and `reword` come
# with an If-Match that no longer holds.
NAMING_NOBODY = """
                    public  self  change  panel  inbox  patients  clinicians  abroad  texts  reword
anonymous              200   401     401    401    401       401         401     401    401     401
patient                200   200     412    403    403       403         403     403    403     403
other patient          200   200     412    403    403       403         403     403    403     403
therapist              200   200     412    200    200       201         403     422    200     403
stranger               200   200     412    200    200       201         403     422    200     403
coach                  200   200     412    403    403       403         403     403    200     403
administrator          200   200     412    403    200       201         201     422    200     412
foreign patient        200   200     412    403    403       403         403     403    403     403
foreign therapist      200   200     412    200    200       201         403     201    200     403
foreign admin          200   200     412    403    200       201         201     201    200     412
gone patient           200   401     401    403    403       401         401     401    403     403
gone therapist         200   401     401    401    401       401         401     401    401     403
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
# What is a clinic's. `own` is an instrument that the clinic here added, and `publish` comes with
# an If-Match that no longer holds.
OF_CLINIC = """
                   read  own  switch  add  publish  log
anonymous           401  401     401  401      401  401
patient             200  200     403  403      403  403
other patient       200  200     403  403      403  403
therapist           200  200     403  403      403  403
stranger            200  200     403  403      403  403
coach               200  200     403  403      403  403
administrator       200  200     200  201      412  200
foreign patient     200  404     403  403      403  403
foreign therapist   200  404     403  403      403  403
foreign admin       200  404     200  201      412  200
gone patient        401  401     403  403      403  403
gone therapist      401  401     403  403      403  403
"""

# One's own second factor, where nobody has one; and a clinic's. `reset` is of a colleague here.
SECOND_FACTOR = """
                   own  confirm  begin  renew  remove  clinic  reset
anonymous          401      401    401    401     401     401    401
patient            200      404    200    404     404     403    403
other patient      200      404    200    404     404     403    403
therapist          200      404    200    404     404     403    403
stranger           200      404    200    404     404     403    403
coach              200      404    200    404     404     403    403
administrator      200      404    200    404     404     200    200
foreign patient    200      404    200    404     404     403    403
foreign therapist  200      404    200    404     404     403    403
foreign admin      200      404    200    404     404     200    404
gone patient       401      401    401    401     401     403    403
gone therapist     401      401    401    401     401     403    403
"""


# What a clinic tells those who work there. `leave` names nobody; `set` and `privileges` (of the
# therapist here) come with an If-Match that no longer holds.
OF_STAFF = """
                   read  set  privileges  leave
anonymous           401  401         401    401
patient             403  403         403    403
other patient       403  403         403    403
therapist           200  403         403    403
stranger            200  403         403    403
coach               200  403         403    403
administrator       200  412         412    404
foreign patient     403  403         403    403
foreign therapist   200  403         403    403
foreign admin       200  412         404    404
gone patient        403  403         403    403
gone therapist      401  403         403    403
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


# The pages: 303 leads to the sign-in. Nobody who signs in there has a record of their own.
READ_PAGE = """
                     me  theirs  other  foreign  missing  mixed
anonymous           303     303    303      303      303    303
patient             303     303    303      303      303    303
other patient       303     303    303      303      303    303
therapist           403     200    404      404      404    404
stranger            403     404    200      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     303     303    303      303      303    303
foreign therapist   403     404    404      200      404    404
foreign admin       403     403    403      403      403    403
gone patient        303     303    303      303      303    303
gone therapist      303     303    303      303      303    303
"""
READ_GOALS_PAGE = READ_PAGE.replace(
    "coach               403     403", "coach               403     200"
)
# The form is good, and what was done leads on.
CHANGE_PAGE = READ_PAGE.replace("200", "303")
# An administrator's page of a patient, without content.
ROSTER_PAGE = """
                     me  theirs  other  foreign  missing
anonymous           303     303    303      303      303
patient             303     303    303      303      303
other patient       303     303    303      303      303
therapist           404     403    403      403      403
stranger            404     403    403      403      403
coach               404     403    403      403      403
administrator       404     200    200      404      404
foreign patient     303     303    303      303      303
foreign therapist   404     403    403      403      403
foreign admin       404     404    404      200      404
gone patient        303     303    303      303      303
gone therapist      303     303    303      303      303
"""
# Pages that name no patient; `flag` and `act` are about the flag of the patient here, `member` and
# `put` about the therapist here. `set` and `put` come with a version that no longer holds.
PAGES = """
                   any  own  caseload  inbox  flag  act  hand  invite  roster  member  put  set
anonymous          200  303       303    303   303  303   303     303     303     303  303  303
patient            200  303       303    303   303  303   303     303     303     303  303  303
other patient      200  303       303    303   303  303   303     303     303     303  303  303
therapist          200  200       200    200   200  303   422     200     403     403  403  403
stranger           200  200       200    200   404  404   404     200     403     403  403  403
coach              200  200       403    403   403  403   403     403     403     403  403  403
administrator      200  200       403    200   403  403   403     200     200     200  412  412
foreign patient    200  303       303    303   303  303   303     303     303     303  303  303
foreign therapist  200  200       200    200   404  404   404     200     403     403  403  403
foreign admin      200  200       403    200   403  403   403     200     200     404  404  412
gone patient       200  303       303    303   303  303   303     303     303     303  303  303
gone therapist     200  303       303    303   303  303   303     303     303     303  303  303
"""


@dataclass(frozen=True)
class Try:
    """One way to ask a route. column: of NAMING_NOBODY, where no patient is named.

    kind: of the entry that the address names last; within: of the visit that it stands under.
    answer: what a public route says to everybody, where it is not 200. On a page, `form` is what a
    form has beside its token.
    """

    table: str
    column: str = ""
    kind: str = ""
    within: str = ""
    body: Any = None
    form: dict[str, str] | None = None
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    answer: int | None = None

    @property
    def is_of_anybody(self) -> bool:
        """A page that is the same for whoever is signed in nowhere."""
        return self.column == "any"


# What stands for an entry of the patient that is asked about, in a body.
THEIR: Final = "entry of the patient: "
PUBLIC: Final = Try(NAMING_NOBODY, "public")
CHECK_IN = a_check_in()
A_DEVICE = {"channel": "webhook", "url": "https://phone.example/"}
A_PROMPT = {"due_key": ALWAYS_DUE, "event": "prompted", "recorded_at": CHECK_IN["recorded_at"]}
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
A_POLICY = escalation.as_dict(escalation.shipped())
A_PROOF = {"password": PASSWORD, "otp": "000000"}
AN_ATTACHMENT = {"media_type": "image/png", "size": 1, "sha256": "0" * 64}
NOTHING_YET = (
    ("Content-Type", "application/partial-upload"),
    ("Upload-Offset", "0"),
    ("Upload-Complete", "?0"),
)
GOAL_ID = "00000000-0000-4000-8000-000000000001"
FIRST_VERSION = (("If-Match", '"1"'),)
SECOND_VERSION = (("If-Match", '"2"'),)
A_RESOLUTION = a_resolution(f"{THEIR}screenings", "mania")
A_PREPARATION = a_preparation(f"{THEIR}dosing-sessions planned")
A_CHECK = a_check(f"{THEIR}dosing-sessions planned")
BY_CLINICIANS: Final = {"creating": RECORD_DOSES, "changing": CHANGE_DOSES}


def kept_on_a_shelf(
    many: str,
    key: str,
    body: dict[str, Any],
    other: dict[str, Any],
    *,
    reading: str = READ_CLINICAL,
    creating: str = WRITE_OWN,
    changing: str = OWN,
) -> dict[tuple[str, str], list[Try]]:
    """The routes of a kind of entry. other: what `body` is amended to."""
    all_of, one = f"{PATIENT}/{many}", f"{PATIENT}/{many}/{{{key}}}"
    return {
        ("GET", all_of): [Try(reading)],
        ("POST", all_of): [Try(creating, body=body)],
        ("GET", one): [Try(reading, kind=many)],
        ("GET", f"{one}/versions"): [Try(reading, kind=many)],
        ("PUT", one): [Try(changing, kind=f"{many} to amend", body=other, headers=FIRST_VERSION)],
        ("DELETE", one): [Try(changing, kind=f"{many} to withdraw", headers=FIRST_VERSION)],
    }


EXPECTED: Final[dict[tuple[str, str], list[Try]]] = {
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
    ("POST", f"{PATIENT}/baselines"): [
        # Not of the questionnaire whose pin the second wall is asked for: null takes a pin back.
        Try(RECORD_DOSES, body={"instrument": "gad-7", "check_in_id": None})
    ],
    **kept_on_a_shelf("notes", "note_id", a_note(), a_note(words="Other.")),
    **kept_on_a_shelf("intentions", "intention_id", an_intention(), an_intention(words="Other.")),
    **kept_on_a_shelf(
        "clinician-notes",
        "clinician_note_id",
        a_clinicians_note(),
        a_clinicians_note(words="Other."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "psychotherapy-notes",
        "psychotherapy_note_id",
        a_clinicians_note(),
        a_clinicians_note(words="Other."),
        reading=CHANGE_DOSES,
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    ("GET", f"{PATIENT}/notes/{{note_id}}/attachments"): [Try(READ_CLINICAL, kind="notes")],
    ("POST", f"{PATIENT}/notes/{{note_id}}/attachments"): [
        Try(WRITE_OWN, kind="notes", body=AN_ATTACHMENT)
    ],
    ("GET", f"{PATIENT}/attachments/{{attachment_id}}"): [Try(READ_CLINICAL, kind="attachments")],
    ("DELETE", f"{PATIENT}/attachments/{{attachment_id}}"): [
        Try(OWN, kind="attachments to withdraw", headers=(("If-Match", '"2"'),))
    ],
    ("GET", f"{PATIENT}/attachments/{{attachment_id}}/content"): [
        Try(READ_CLINICAL, kind="attachments")
    ],
    ("PATCH", f"{PATIENT}/attachments/{{attachment_id}}/content"): [
        Try(OWN, kind="attachments to append", headers=NOTHING_YET)
    ],
    ("GET", f"{PATIENT}/goal-attainment"): [Try(READ_GOALS)],
    **kept_on_a_shelf(
        "goal-steps",
        "goal_step_id",
        a_goal_step(f"{THEIR}goals"),
        a_goal_step(f"{THEIR}goals", words="Other."),
        reading=READ_GOALS,
    ),
    **kept_on_a_shelf(
        "goal-ratings",
        "goal_rating_id",
        a_goal_rating(f"{THEIR}goals"),
        a_goal_rating(f"{THEIR}goals", 1),
        reading=READ_GOALS,
        creating=RATE,
        changing=CHANGE_OWN_RATINGS,
    ),
    **kept_on_a_shelf("goals", "goal_id", a_goal(), a_goal(words="Other."), reading=READ_GOALS),
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
    ("GET", "/v1/eligibility-conditions"): [PUBLIC],
    ("GET", f"{PATIENT}/week"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?of=2026-03-02", headers=(("Accept", "text/html"),)),
    ],
    ("GET", f"{PATIENT}/practices/adherence"): [Try(READ_GOALS)],
    ("GET", f"{PATIENT}/thread"): [
        Try(READ_GOALS),
        Try(READ_GOALS, query="?until=2099-01-01T00:00:00Z"),
    ],
    **kept_on_a_shelf(
        "practices", "practice_id", a_practice(), a_practice(words="Other."), reading=READ_GOALS
    ),
    **kept_on_a_shelf(
        "practice-ticks",
        "practice_tick_id",
        a_practice_tick(f"{THEIR}practices"),
        a_practice_tick(f"{THEIR}practices", minutes=3),
        reading=READ_GOALS,
    ),
    ("GET", f"{PATIENT}/coping/helpfulness"): [Try(READ_CLINICAL)],
    **kept_on_a_shelf(
        "coping-strategies",
        "coping_strategy_id",
        a_coping_strategy(),
        a_coping_strategy(words="Other."),
    ),
    **kept_on_a_shelf("triggers", "trigger_id", a_trigger(), a_trigger(words="Other.")),
    **kept_on_a_shelf("insights", "insight_id", an_insight(), an_insight(words="Other.")),
    ("GET", f"{PATIENT}/integration-sessions/proposal"): [Try(READ_CLINICAL)],
    **{
        ("GET", f"{PATIENT}/integration-sessions/{{integration_session_id}}/{what}"): [
            Try(READ_CLINICAL, kind="integration-sessions")
        ]
        for what in ("agenda", "summary")
    },
    **kept_on_a_shelf(
        "integration-sessions",
        "integration_session_id",
        an_integration_session(),
        an_integration_session(place="Elsewhere."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "session-summaries",
        "session_summary_id",
        a_session_summary(f"{THEIR}integration-sessions unsummarized"),
        a_session_summary(f"{THEIR}integration-sessions summarized to amend", words="Other."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "summary-agreements",
        "summary_agreement_id",
        a_summary_agreement(f"{THEIR}session-summaries"),
        a_summary_agreement(f"{THEIR}session-summaries", status="disagreed"),
    ),
    ("GET", f"{PATIENT}/trajectories/{{instrument}}"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?item=item-9"),
        Try(READ_CLINICAL, query="?view=doses", headers=(("Accept", VEGA_LITE),)),
        Try(READ_CLINICAL, query="?theme=dark", headers=(("Accept", "image/png"),)),
    ],
    ("GET", f"{PATIENT}/report"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?instrument=phq-9", headers=(("Accept", "text/html"),)),
    ],
    # Libraries, a script and a style; there is nothing at this name.
    ("GET", "/static/charts/{name}"): [Try(NAMING_NOBODY, "public", answer=404)],
    ("GET", f"{PATIENT}/trajectories"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?series=phq-9,momentary/mood"),
        Try(READ_CLINICAL, query="?width=360", headers=(("Accept", VEGA_LITE),)),
    ],
    ("GET", f"{PATIENT}/trajectories/{{instrument}}/doses"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?theme=dark", headers=(("Accept", VEGA_LITE),)),
    ],
    ("GET", f"{PATIENT}/suicidal-ideation"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?width=640", headers=(("Accept", VEGA_LITE),)),
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
    ("GET", "/v1/caseload"): [Try(NAMING_NOBODY, "panel")],
    ("POST", "/v1/caseload/search"): [Try(NAMING_NOBODY, "panel", body={"name": "a"})],
    ("GET", "/v1/outcomes"): [
        Try(NAMING_NOBODY, "inbox"),
        Try(NAMING_NOBODY, "inbox", query="?stratum=country"),
        Try(NAMING_NOBODY, "inbox", query="?view=time-to-loss", headers=(("Accept", VEGA_LITE),)),
        Try(NAMING_NOBODY, "inbox", query="?instrument=gad-7", headers=(("Accept", "text/csv"),)),
    ],
    ("GET", "/v1/flags"): [Try(NAMING_NOBODY, "inbox")],
    ("GET", "/v1/me"): [Try(NAMING_NOBODY, "self")],
    ("PATCH", "/v1/me"): [
        Try(NAMING_NOBODY, "change", body={"name": "X"}, headers=(("If-Match", '"999"'),))
    ],
    ("GET", "/v1/me/second-factor"): [Try(SECOND_FACTOR, "own")],
    # Before anybody began.
    ("POST", "/v1/me/second-factor/confirm"): [
        Try(SECOND_FACTOR, "confirm", body={"otp": "000000"})
    ],
    ("POST", "/v1/me/second-factor"): [Try(SECOND_FACTOR, "begin", body={"password": PASSWORD})],
    ("POST", "/v1/me/second-factor/recovery-codes"): [Try(SECOND_FACTOR, "renew", body=A_PROOF)],
    ("POST", "/v1/me/second-factor/remove"): [Try(SECOND_FACTOR, "remove", body=A_PROOF)],
    ("GET", "/v1/clinic/second-factor"): [Try(SECOND_FACTOR, "clinic")],
    ("POST", "/v1/clinic/members/{membership_id}/second-factor/reset"): [
        Try(SECOND_FACTOR, "reset", kind="colleague", body={"password": PASSWORD})
    ],
    ("GET", "/v1/clinic/hours"): [Try(OF_STAFF, "read")],
    ("PUT", "/v1/clinic/hours"): [
        Try(OF_STAFF, "set", body={"hours": {}}, headers=(("If-Match", f'"{"0" * 32}"'),))
    ],
    ("GET", "/v1/clinic/members"): [Try(OF_STAFF, "read")],
    ("PUT", "/v1/clinic/members/{membership_id}"): [
        Try(
            OF_STAFF,
            "privileges",
            body={"privileges": ["coach"]},
            headers=(("If-Match", '"999"'),),
        )
    ],
    ("DELETE", "/v1/clinic/members/{membership_id}"): [Try(OF_STAFF, "leave")],
    ("GET", "/v1/clinic/texts"): [Try(NAMING_NOBODY, "texts")],
    ("PUT", "/v1/clinic/texts/{locale}"): [
        Try(
            NAMING_NOBODY,
            "reword",
            body={"texts": {"reminder.subject": "X"}},
            headers=(("If-Match", f'"{"0" * 32}"'),),
        )
    ],
    ("GET", "/v1/clinic/instruments"): [Try(OF_CLINIC, "read")],
    ("GET", "/v1/clinic/instruments/{key}"): [
        Try(OF_CLINIC, "read"),
        Try(OF_CLINIC, "own"),
    ],
    ("PUT", "/v1/clinic/instruments/{key}"): [Try(OF_CLINIC, "switch", body={"is_on": True})],
    ("POST", "/v1/clinic/instruments"): [Try(OF_CLINIC, "add", body={"definition": DEFINITION})],
    ("GET", "/v1/clinic/protocol"): [Try(OF_CLINIC, "read")],
    ("GET", "/v1/clinic/alert-deliveries"): [Try(OF_CLINIC, "log")],
    ("PUT", "/v1/clinic/protocol"): [
        Try(OF_CLINIC, "publish", body=A_PROTOCOL, headers=(("If-Match", '"999"'),))
    ],
    ("GET", f"{PATIENT}/due"): [Try(READ_CLINICAL)],
    ("GET", "/v1/me/devices"): [Try(REMINDED, "list")],
    ("POST", "/v1/me/devices"): [Try(REMINDED, "register", body=A_DEVICE)],
    ("DELETE", "/v1/me/devices/{device_id}"): [Try(REMINDED, "unplug", kind="devices")],
    ("GET", "/v1/me/reminders"): [Try(REMINDED, "mine")],
    ("PUT", "/v1/me/reminders"): [Try(REMINDED, "plan", body={}, headers=(("If-Match", '"999"'),))],
    ("POST", "/v1/me/reminders"): [Try(REMINDED, "note", body=A_PROMPT)],
    ("POST", "/v1/invitations"): [
        Try(NAMING_NOBODY, "patients", body={"role": "patient", "clinician_id": "of here"}),
        Try(NAMING_NOBODY, "clinicians", body={"role": "clinician", "privileges": ["coach"]}),
        Try(NAMING_NOBODY, "abroad", body={"role": "patient", "clinician_id": "of elsewhere"}),
    ],
    ("POST", "/v1/invitations/accept"): [
        Try(
            NAMING_NOBODY,
            "public",
            body={
                "code": "0000-0000-0000-0000",
                "username": "x@example.org",
                "password": "x" * 12,
                "name": "X",
            },
            answer=404,
        )
    ],
    ("POST", "/v1/auth/token"): [
        Try(NAMING_NOBODY, "public", form={"grant_type": "nothing"}, answer=400)
    ],
    ("POST", "/v1/auth/revoke"): [Try(NAMING_NOBODY, "public", form={"token": "x"})],
    ("GET", "/v1/crisis-lines"): [
        Try(NAMING_NOBODY, "public", query="?country=DE"),
        Try(NAMING_NOBODY, "public", query="?country=nowhere"),
    ],
    ("GET", "/v1/limits"): [PUBLIC],
    ("GET", "/v1/instruments"): [PUBLIC],
    ("GET", "/v1/instruments/{key}"): [PUBLIC],
    ("GET", "/.well-known/jwks.json"): [PUBLIC],
    ("GET", "/healthz"): [PUBLIC],
    ("GET", "/readyz"): [PUBLIC],
    ("GET", "/metrics"): [PUBLIC],
    ("GET", "/openapi.json"): [PUBLIC],
}
ON_A_PAGE: Final = "/console/patients/{patient_id}"
ROSTER: Final = "/console/people/patients/{patient_id}"
A_VISIT: Final = {"status": "not-done", "version": "1", "id": GOAL_ID}
EXPECTED.update(
    {
        ("GET", "/"): [PUBLIC],
        ("GET", "/console"): [Try(PAGES, "own", answer=303)],
        ("GET", "/console/sign-in"): [
            Try(PAGES, "any", query="?out=1"),
        ],
        ("POST", "/console/sign-in"): [Try(PAGES, "any", form={"username": "x"}, answer=422)],
        ("GET", "/console/sign-out"): [Try(PAGES, "any", answer=303)],
        ("POST", "/console/sign-out"): [Try(PAGES, "own", form={}, answer=303)],
        ("GET", "/console/still-here"): [Try(PAGES, "own")],
        ("GET", "/console/clinics"): [Try(PAGES, "own")],
        ("POST", "/console/clinics"): [],
        ("GET", "/console/static/{name}"): [Try(PAGES, "any", answer=404)],
        ("GET", "/console/second-factor"): [Try(PAGES, "own")],
        ("POST", "/console/second-factor"): [
            Try(PAGES.replace("200", "422"), "own", form={"act": "begin"})
        ],
        ("GET", "/console/caseload"): [Try(PAGES, "caseload")],
        ("POST", "/console/caseload"): [Try(PAGES, "caseload", form={"name": "a"})],
        **{
            ("GET", f"/console/outcomes{part}"): [Try(PAGES, "inbox")]
            for part in ("", "/chart", "/file")
        },
        ("GET", "/console/flags"): [Try(PAGES, "inbox"), Try(PAGES, "inbox", query="?part=list")],
        # It does not end: tests/console/test_flags.py says who may follow it.
        ("GET", "/console/flags/stream"): [],
        ("GET", "/console/flags/{flag_id}"): [Try(PAGES, "flag", kind="flag")],
        ("POST", "/console/flags/{flag_id}"): [
            Try(PAGES, "act", kind="flag", form={"act": "comment", "note": "Seen."}),
            Try(PAGES, "hand", kind="flag", form={"act": "hand-over", "to": GOAL_ID}),
        ],
        **{
            ("GET", ON_A_PAGE + tab): [Try(READ_PAGE)]
            for tab in ("", "/trajectories", "/flags", "/treatment", "/notes", "/audit")
        },
        **{
            ("GET", ON_A_PAGE + tab): [Try(READ_PAGE)]
            for tab in (
                "/trajectories/{instrument}/chart",
                "/together",
                "/together/chart",
                "/ideation",
                "/ideation/chart",
                "/report",
            )
        },
        ("GET", f"{ON_A_PAGE}/goals"): [Try(READ_GOALS_PAGE)],
        ("POST", f"{ON_A_PAGE}/flags"): [
            Try(CHANGE_PAGE, form={"kind": "physical", "level": "low"})
        ],
        ("POST", f"{ON_A_PAGE}/treatment"): [
            Try(CHANGE_PAGE, form={**A_VISIT, "id": "00000000-0000-4000-8000-000000000002"})
        ],
        ("GET", f"{ON_A_PAGE}/treatment/{{dosing_session_id}}"): [
            Try(READ_PAGE, kind="dosing-sessions")
        ],
        ("POST", f"{ON_A_PAGE}/treatment/{{dosing_session_id}}"): [
            Try(
                CHANGE_PAGE,
                kind="dosing-sessions for a page",
                form={**A_VISIT, "act": "withdraw"},
            )
        ],
        ("GET", "/console/people"): [Try(PAGES, "own")],
        ("POST", "/console/people"): [
            Try(PAGES, "invite", form={"role": "patient", "id": "another each time"})
        ],
        ("GET", "/console/people/members/{membership_id}"): [Try(PAGES, "member")],
        ("POST", "/console/people/members/{membership_id}"): [
            Try(
                PAGES,
                "put",
                form={"act": "privileges", "privileges": "therapy", "version": "999"},
            )
        ],
        ("GET", "/console/people/second-factor"): [Try(PAGES, "roster")],
        ("POST", "/console/people/second-factor"): [
            Try(PAGES.replace("200", "422"), "roster", form={"membership_id": GOAL_ID})
        ],
        ("GET", "/console/people/patients"): [Try(PAGES, "roster")],
        ("GET", ROSTER): [Try(ROSTER_PAGE)],
        ("POST", ROSTER): [
            Try(
                ROSTER_PAGE.replace("200", "422"),
                form={"act": "assign", "membership_id": GOAL_ID},
            )
        ],
        ("GET", "/console/clinic"): [Try(PAGES, "own")],
        ("GET", "/console/clinic/protocol"): [Try(PAGES, "own")],
        ("POST", "/console/clinic/protocol"): [
            Try(PAGES, "set", form={"text": json.dumps(A_PROTOCOL), "version": "999"})
        ],
        ("GET", "/console/clinic/hours"): [Try(PAGES, "own")],
        ("POST", "/console/clinic/hours"): [
            Try(PAGES, "set", form={"mon": "09:00-17:00", "version": "999"})
        ],
        ("GET", "/console/clinic/escalation"): [Try(PAGES, "own")],
        ("GET", "/console/account"): [Try(PAGES, "own")],
        ("POST", "/console/account"): [
            Try(PAGES.replace("200", "422"), "own", form={"act": "name"})
        ],
    }
)
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


def parsed(table: str) -> dict[tuple[str, str], int]:
    """A table of expectations, by caller and column."""
    head, *rows = [line for line in table.splitlines() if line.strip()]
    names = head.split()
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        caller, *statuses = row.rsplit(maxsplit=len(names))
        found |= {
            (caller.strip(), name): int(status)
            for name, status in zip(names, statuses, strict=True)
        }
    return found


def addresses(routes: list[BaseRoute]) -> set[tuple[str, str]]:
    """Every method and path that is answered; HEAD is GET without its body."""
    found = set()
    for route in routes:
        assert isinstance(route, Route), f"{route} is no plain route: teach this test about it"
        found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


@pytest.fixture(scope="module")
def stage(client: TestClient, direct: Direct) -> Stage:
    return a_stage(client, direct)


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


@dataclass(frozen=True)
class Ids:
    """Of the clinic here, what no answer tells."""

    account_id: UUID
    family_id: UUID
    flag_id: UUID
    session_id: UUID


@pytest.fixture(scope="module")
def ids(stage: Stage, settings: Settings) -> Ids:
    assert settings.migration_url is not None
    here = stage.world.here
    with psycopg.connect(libpq(settings.migration_url)) as owner:

        def one(query: str, *values: UUID) -> UUID:
            row = owner.execute(query.encode(), [here.id, *values]).fetchone()
            assert row is not None
            found: UUID = row[0]
            return found

        return Ids(
            one(
                "SELECT account_id FROM membership WHERE clinic_id = %s AND id = %s",
                here.therapist.membership_id,
            ),
            one("SELECT id FROM refresh_family WHERE clinic_id = %s"),
            one(
                "SELECT id FROM flag WHERE clinic_id = %s AND patient_id = %s",
                patient_of(here.patient),
            ),
            one(
                "SELECT id FROM console_session WHERE clinic_id = %s AND membership_id = %s",
                here.therapist.membership_id,
            ),
        )


def parameters(stage: Stage, ids: Ids, name: str, kind: str) -> dict[str, Any]:
    """A good value for every parameter of the SELECT with this name, of the clinic here.

    kind: of a shelf's entries, if it is one's.
    """
    here = stage.world.here
    patient_id = patient_of(here.patient)
    entries = {kind: UUID(one) for kind, one in stage.entries[patient_id].items()}
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    later = datetime.now(UTC) + timedelta(days=1)
    values: dict[str, Any] = {
        "clinic_id": here.id,
        "patient_id": patient_id,
        "membership_id": here.therapist.membership_id,
        "clinician_id": here.therapist.membership_id,
        "member": here.therapist.membership_id,
        "account_id": ids.account_id,
        "family_id": ids.family_id,
        "session_id": ids.session_id,
        "source_kind": "check_in",
        "source_id": entries["check-ins"],
        "kind": "check_in",
        "entry_ids": [entries["check-ins"]],
        "flag_ids": [ids.flag_id],
        "flag_id": ids.flag_id,
        "round": 1,
        "roles": ["clinician"],
        "membership_ids": [here.therapist.membership_id],
        "address_id": entries["address"],
        "session_ids": [entries["dosing-sessions"]],
        "instrument": "phq-9",
        "instruments": ["phq-9"],
        "patient_ids": [patient_id],
        "planned_since": long_ago,
        "part": "b",
        "versions": ["1"],
        "version": 1,
        "visit_id": entries["visits"],
        "listed_by": entries["visits"],
        "but": UUID(int=0),
        "key": own_instrument(here),
        "due_keys": [ALWAYS_DUE],
        "place": 9,
        "is_own": True,
        "sees_closed": True,
        "actor_id": here.therapist.membership_id,
        "now": datetime.now(UTC),
        "since": long_ago,
        "since_on": long_ago.date(),
        "starts_at": long_ago,
        "ends_at": later,
        "next_ends_at": later + timedelta(days=30),
        "summary_id": entries["session-summaries"],
        "integration_session_id": entries["integration-sessions summarized"],
        "until": later,
        "before": later,
        "before_at": later,
        "before_id": UUID(int=2**128 - 1),
        "after": UUID(int=0),
        "after_urgency": -9,
        "after_raised_at": long_ago,
        "after_since": long_ago,
        "after_id": UUID(int=0),
        "limit": 100,
    }
    # Where one name means different things.
    its_own: dict[str, dict[str, Any]] = {
        "ROWS": {"after": 0},
        "OWN_CHART": {"membership_id": here.patient.membership_id},
        "CHANGES": {"after": 0},
        "CALLERS_CHART": {"membership_id": here.patient.membership_id},
        "OPEN_FLAG": {"kind": "suicide-risk"},
        "NEXT_TO_TELL": {"round": 1000},
        "STEPS": {"round": 2},
        "PLANS_TO_CHANGE": {"ids": [patient_id]},
        "PLAN": {"id": patient_id},
        "PLAN_TO_CHANGE": {"id": patient_id},
        "CHECK_IN": {"id": entries["check-ins"]},
        "CHECK_IN_TO_CHANGE": {"id": entries["check-ins"]},
        "CHECK_INS_TO_CHANGE": {"ids": [entries["check-ins"]]},
        "SESSION": {"id": entries["dosing-sessions"]},
        "SESSION_TO_CHANGE": {"id": entries["dosing-sessions"]},
        "PLANNED": {"after": long_ago},
        "ATTACHMENT": {"id": entries["attachments"]},
        "OWN_ATTACHMENT": {"id": entries["attachments"]},
        "ATTACHMENT_TO_CHANGE": {"id": entries["attachments"]},
        "ATTACHMENTS_OF": {"note_id": entries["notes"]},
        "OF_HIDDEN_NOTES": {"ids": [entries["attachments private"]]},
        "STORED_CHUNK": {"attachment_id": entries["attachments"], "number": 0},
        "ABANDONED": {"before": later},
        "BATCH": {"id": entries["vital-signs"]},
        "BATCH_TO_CHANGE": {"id": entries["vital-signs"]},
        "COPIES": {"id": entries["notes in conflict"]},
        "THREAD": {"kinds": ["intention", "note", "goal", "goal_step", "practice"]},
        "STEPS_AROUND": {
            "first_on": long_ago.date(),
            "last_on": later.date(),
            "next_until": date(2099, 1, 1),
        },
        "GOALS_NAMED": {"ids": [entries["goals"]]},
        "PRACTICES_NAMED": {"ids": [entries["practices"]]},
        "NAMED_STRATEGIES": {"ids": [entries["coping-strategies"]]},
        "TIMES_RATED": {"goal_id": entries["goals"]},
        "STEPS_BEFORE": {"goal_id": entries["goals"], "starts_on": date(2099, 1, 1)},
        "SOURCES_SEEN": {"kinds": ["note"], "ids": [entries["notes"]]},
        "TIMES_SAID": {"kind": "goal", "entry_id": entries["goals"]},
        "PIN": {"id": entries["baselines"]},
        "DEVICE": {"id": entries["devices"]},
        "LEFT_OUT": {"versions": ["another"]},
        "RESOLUTIONS_OF": {"screening_id": entries["screenings"]},
        "PREPARATIONS_OF": {"dosing_session_id": entries["dosing-sessions planned"]},
        "CHECKS_OF": {"dosing_session_id": entries["dosing-sessions planned"]},
        "NEWEST_RISK_SCREEN": {"instrument": "phq-9"},
        "LAST_ANSWERED": {"instruments": ["phq-9"]},
        "PUBLISHED_AS": {"version": 1},
    }
    if kind:
        many = ADDRESS_OF[kind]
        is_about_private = name == "private_of"
        one = entries[f"{many} private" if is_about_private else many]
        return values | {"id": one, "ids": [one]}
    return values | its_own.get(name, {})


READS: Final = [
    pytest.param(
        statement.name,
        statement.kind,
        statement.constant,
        id=statement.name.removeprefix("app."),
    )
    for statement in statements()
    if isinstance(statement.construct, Select)
    and isinstance(statement.constant, Query)
    and any(is_distributed(table) for table in tables_of(statement.construct))
]
TENANTS: Final = sorted(table.name for table in METADATA.tables.values() if is_distributed(table))


def in_clinic(direct: Direct, clinic: UUID | None, query: Query[Any], **params: Any) -> Any:
    """What the application's role is answered in a transaction of this clinic, or of none."""

    def ask_it(db: Db) -> list[Any]:
        if clinic is not None:
            db.enter(clinic)
        return db.all(query, **params)

    return direct.run(ask_it)


class TestSecondWall:
    """Every statement says `clinic_id = here`; only row-level security says otherwise."""

    @pytest.mark.parametrize(("name", "kind", "query"), READS)
    def test_a_statement_that_asks_for_another_clinic_finds_nothing(
        self, stage: Stage, ids: Ids, direct: Direct, name: str, kind: str, query: Query[Any]
    ) -> None:
        params = parameters(stage, ids, name.rpartition(".")[2], kind)

        nowhere = in_clinic(direct, uuid4(), query, **params)

        assert in_clinic(direct, stage.world.here.id, query, **params) != nowhere
        assert in_clinic(direct, stage.world.elsewhere.id, query, **params) == nowhere
        assert in_clinic(direct, None, query, **params) == nowhere

    @pytest.mark.parametrize("table", TENANTS)
    def test_a_table_shows_the_transaction_s_clinic_and_without_one_nothing(
        self, stage: Stage, direct: Direct, table: str
    ) -> None:
        clinic_id = METADATA.tables[table].c.clinic_id
        everything = Query(select(clinic_id).distinct(), itself)
        here, elsewhere = stage.world.here.id, stage.world.elsewhere.id

        seen_from = {
            clinic: in_clinic(direct, clinic, everything)
            for clinic in (here, elsewhere, uuid4(), None)
        }

        assert list(seen_from.values()) == [[here], [elsewhere], [], []]

    @pytest.mark.parametrize("table", TENANTS)
    def test_a_row_cannot_be_put_into_another_clinic_or_changed_there(
        self, stage: Stage, settings: Settings, table: str
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        with psycopg.connect(libpq(settings.migration_url)) as connection:
            row = connection.execute(
                f"SELECT to_jsonb({table})::text FROM {table} WHERE clinic_id = %s".encode(),
                [here.id],
            ).fetchone()
            assert row is not None
            row_of = f"jsonb_populate_record(NULL::{table}, %s::jsonb)"
            connection.execute("SET LOCAL ROLE afterglow_app")
            connection.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            changed = {
                statement: rows_changed(connection, statement, value)
                for statement, value in (
                    (f"INSERT INTO {table} SELECT * FROM {row_of}", row[0]),
                    (f"UPDATE {table} SET clinic_id = clinic_id WHERE clinic_id = %s", here.id),
                    (f"DELETE FROM {table} WHERE clinic_id = %s", here.id),
                )
            }

        assert set(changed.values()) == {0}

    def test_the_ledger_s_own_functions_refuse_another_clinic(
        self, stage: Stage, settings: Settings
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        said = {"clinic": here.id, "patient": here.patient.patient_id, "new": uuid4()}
        row = "now(), %(new)s, 'patient', 'x.y', 'x', %(new)s, 1, 'x'"
        calls = (
            "SELECT ledger_open(%(clinic)s, %(new)s)",
            f"SELECT ledger_append(%(clinic)s, %(patient)s, {row})",
        )
        with psycopg.connect(libpq(settings.migration_url)) as connection:
            connection.execute("SET LOCAL ROLE afterglow_app")
            connection.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            assert [rows_changed(connection, call, said) for call in calls] == [0, 0]

            connection.execute(f"SET LOCAL app.clinic_id = '{here.id}'".encode())
            assert [rows_changed(connection, call, said) for call in calls] == [1, 1]
            connection.rollback()

    @pytest.mark.parametrize("table", TENANTS)
    def test_whom_the_wall_does_not_hold_sees_what_is_behind_it(
        self, stage: Stage, settings: Settings, table: str
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        with psycopg.connect(libpq(settings.migration_url)) as superuser:
            superuser.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            found = superuser.execute(
                f"SELECT FROM {table} WHERE clinic_id = %s".encode(), [here.id]
            )

            assert found.rowcount > 0


def rows_changed(connection: psycopg.Connection[Any], statement: str, value: Any) -> int:
    """How many rows a statement touched; none when it was refused. The rest goes on."""
    try:
        with connection.transaction():
            given = value if isinstance(value, dict) else [value]
            return connection.execute(statement.encode(), given).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0
