"""Dosing sessions."""

from typing import Final

from app.course.sessions import service as visits
from app.kernel import entries
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.paging import Cursor, Limit, next_link
from app.people.chart import entry_id, open_chart, whose
from app.treatment import listing, service
from app.treatment.schemas import (
    DosingSessionIn,
    DosingSessionOut,
    DosingSessionPage,
    DosingSessionVersions,
)

routes: Final = router("treatment")

_SESSIONS: Final = "/v1/patients/{patient_id}/dosing-sessions"


@routes.post(
    _SESSIONS,
    status_code=201,
    response_model=DosingSessionOut,
    operation_id="record_dosing_session",
)
def record_dosing_session(visit: Signed, patient_id: str, sent: DosingSessionIn) -> Reply:
    """Record a visit and what was given."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    known = entries.known_before(visit.db, chart, service.KIND, service.SESSION, sent.id)
    session, is_new = visits.record_session(visit.db, chart, sent, known, visit.now)
    return Reply(session, 201 if is_new else 200, {"ETag": etag(session.version)})


@routes.get(_SESSIONS, response_model=DosingSessionPage, operation_id="list_dosing_sessions")
def list_dosing_sessions(
    visit: Signed, patient_id: str, cursor: Cursor = None, limit: Limit = 50
) -> Reply:
    """The patient's visits, newest first."""
    asked = listing.ask_sessions(
        visit.db, whose(visit.caller, patient_id), cursor=cursor, limit=limit
    )
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    page = listing.list_sessions(visit.db, chart, asked, visit.now)
    return Reply(
        page.body,
        headers=next_link(_SESSIONS.format(patient_id=patient_id), page.next_cursor, limit),
    )


@routes.get(
    _SESSIONS + "/{dosing_session_id}",
    response_model=DosingSessionOut,
    operation_id="read_dosing_session",
)
def read_dosing_session(visit: Signed, patient_id: str, dosing_session_id: str) -> Reply:
    """One visit."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    session = service.read_session(visit.db, chart, entry_id(dosing_session_id), visit.now)
    return Reply(session, headers={"ETag": etag(session.version)})


@routes.put(
    _SESSIONS + "/{dosing_session_id}",
    response_model=DosingSessionOut,
    operation_id="amend_dosing_session",
)
def amend_dosing_session(
    visit: Signed,
    patient_id: str,
    dosing_session_id: str,
    sent: DosingSessionIn,
    if_match: IfMatch = None,
) -> Reply:
    """Correct a visit, or say what became of a planned one. A dose moves what is due."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    entry = entries.same_id(entry_id(dosing_session_id), sent.id)
    known = entries.look_up(visit.db, chart, service.KIND, service.SESSION_TO_CHANGE, entry)
    session = visits.amend_session(visit.db, chart, sent, known, base_version, visit.now)
    return Reply(session, headers={"ETag": etag(session.version)})


@routes.delete(
    _SESSIONS + "/{dosing_session_id}",
    response_model=DosingSessionOut,
    operation_id="withdraw_dosing_session",
)
def withdraw_dosing_session(
    visit: Signed, patient_id: str, dosing_session_id: str, if_match: IfMatch = None
) -> Reply:
    """Say that a visit was entered in error: nothing is measured from it any more."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    known = entries.look_up(
        visit.db, chart, service.KIND, service.SESSION_TO_CHANGE, entry_id(dosing_session_id)
    )
    session = service.withdraw_session(visit.db, chart, known, base_version, visit.now)
    return Reply(session, headers={"ETag": etag(session.version)})


@routes.get(
    _SESSIONS + "/{dosing_session_id}/versions",
    response_model=DosingSessionVersions,
    operation_id="list_dosing_session_versions",
)
def list_dosing_session_versions(visit: Signed, patient_id: str, dosing_session_id: str) -> Reply:
    """A visit as it was recorded, amended and withdrawn."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    session = entry_id(dosing_session_id)
    return Reply(service.session_versions(visit.db, chart, session, visit.now))
