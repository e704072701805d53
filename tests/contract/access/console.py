"""The pages of the console."""

import json
from typing import Final

from tests.contract.access.asking import CHECK_IN, GOAL_ID, PUBLIC, Tries, Try
from tests.contract.stage import A_PROTOCOL

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
READ_GOALS_ENTRY_PAGE = READ_GOALS_PAGE.replace(
    "coach               403     200    404      404      404    403",
    "coach               403     200    404      404      404    404",
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
ON_A_PAGE: Final = "/console/patients/{patient_id}"
ROSTER: Final = "/console/people/patients/{patient_id}"
A_POLICY_FORM: Final = {
    "source": "A test",
    "version": "999",
    **{
        f"{level}-0-{part}": said
        for level in ("high", "moderate", "low")
        for part, said in (("who", "care-team"), ("after_minutes", "0"), ("hours", "at-all-hours"))
    },
}
A_RATING: Final = {
    "act": "rate",
    "id": "another each time",
    "level": "1",
    "recorded_at": "2026-03-01T12:00",
}
A_TALK: Final = {
    "id": "another each time",
    "recorded_at": CHECK_IN["recorded_at"],
    "status": "attended",
    "scheduled_at": "2026-03-01T12:00",
}
A_VISIT: Final = {"status": "not-done", "version": "1", "id": GOAL_ID}

ROUTES: Final[Tries] = {
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
    **{
        ("GET", ON_A_PAGE + tab): [Try(READ_GOALS_PAGE)]
        for tab in ("/thread", "/goals", "/practices")
    },
    **{
        ("GET", ON_A_PAGE + tab): [Try(READ_PAGE)]
        for tab in ("/week", "/week/print", "/integration")
    },
    ("GET", f"{ON_A_PAGE}/thread/{{kind}}/{{told_id}}"): [Try(READ_PAGE, kind="insights")],
    ("GET", f"{ON_A_PAGE}/goals/{{goal_id}}"): [Try(READ_GOALS_ENTRY_PAGE, kind="goals")],
    ("POST", f"{ON_A_PAGE}/goals/{{goal_id}}"): [
        Try(CHANGE_PAGE, kind="goals for a page", form=A_RATING)
    ],
    ("POST", f"{ON_A_PAGE}/integration"): [Try(CHANGE_PAGE, form=A_TALK)],
    ("GET", f"{ON_A_PAGE}/integration/{{session_id}}"): [
        Try(READ_PAGE, kind="integration-sessions")
    ],
    ("POST", f"{ON_A_PAGE}/integration/{{session_id}}"): [
        Try(
            CHANGE_PAGE,
            kind="integration-sessions for a page",
            form={"act": "withdraw", "version": "1"},
        )
    ],
    ("POST", f"{ON_A_PAGE}/flags"): [Try(CHANGE_PAGE, form={"kind": "physical", "level": "low"})],
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
        ),
        Try(
            CHANGE_PAGE,
            kind="visits",
            form={"act": "read", "pulse": "70", "id": "another each time"},
        ),
    ],
    ("GET", f"{ON_A_PAGE}/treatment/{{dosing_session_id}}/chart"): [Try(READ_PAGE, kind="visits")],
    ("GET", f"{ON_A_PAGE}/course"): [Try(READ_PAGE)],
    ("POST", f"{ON_A_PAGE}/course"): [
        Try(READ_PAGE.replace("200", "422"), form={"act": "plan", "id": GOAL_ID})
    ],
    ("GET", f"{ON_A_PAGE}/screening"): [Try(READ_PAGE)],
    ("POST", f"{ON_A_PAGE}/screening"): [
        Try(
            CHANGE_PAGE,
            form={"act": "medication", "name": "Vitamin D", "id": "another each time"},
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
    ("POST", "/console/clinic/escalation"): [Try(PAGES, "set", form=A_POLICY_FORM)],
    ("GET", "/console/clinic/texts"): [Try(PAGES, "own")],
    ("POST", "/console/clinic/texts"): [
        Try(PAGES, "set", form={"locale": "en", "about": "reminder", "version": "none"})
    ],
    ("GET", "/console/account"): [Try(PAGES, "own")],
    ("POST", "/console/account"): [Try(PAGES.replace("200", "422"), "own", form={"act": "name"})],
}
