"""Integration sessions: planned from the dose, what became of them, the agenda, the summary."""

from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.clinical.integration import MOVES, State
from app.clinical.thread import Kind as ThreadKind
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, instant, read, version, wall
from app.console.record import PATIENT, shown
from app.integration import agenda, sessions
from app.integration.schemas import (
    AgendaOut,
    AgreedSummaryOut,
    IntegrationProposalOut,
    IntegrationSessionIn,
    IntegrationSessionOut,
    SessionSummaryIn,
    SessionSummaryOut,
    SummaryAgreementOut,
)
from app.integration.sessions import SESSIONS, SUMMARIES
from app.journal.reading import Said
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.paging import Cursor
from app.people.chart import Chart, entry_id, open_chart
from app.story import thread

routes = page_router()
_SESSIONS: Final = PATIENT + "/integration"
_FIRST: Final = (State.SCHEDULED.value, State.ATTENDED.value, State.MISSED.value)
"""What a new one may be: planned, or recorded afterwards."""
_OVERTAKEN: Final = frozenset({*entries.CONFLICTS, Kind.VERSION_UNKNOWN})


@dataclass(frozen=True, slots=True)
class SessionForm:
    """The form. id, recorded_at: of a new session, made with the form, so that sending it twice
    makes one. states: what it may be from here.
    """

    fields: Fields
    id: UUID
    recorded_at: str
    version: int
    states: tuple[str, ...]
    zone: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """A patient's sessions, when the next one is proposed, and the form for a new one."""

    proposal: IntegrationProposalOut
    sessions: list[IntegrationSessionOut]
    summaries: dict[UUID, SessionSummaryOut]
    next_page: str | None
    form: SessionForm | None


@dataclass(frozen=True, slots=True)
class SummaryForm:
    """The form. id, recorded_at: of a new summary; version: of the one that stands, or 0."""

    fields: Fields
    id: UUID
    recorded_at: str
    version: int


@dataclass(frozen=True, slots=True)
class SummaryVersion:
    """A version of the summary, and the patient's last word on it."""

    said: Said[SessionSummaryOut]
    answer: SummaryAgreementOut | None


@dataclass(frozen=True, slots=True)
class OneSession:
    """agenda: None for whoever may not read it. words: how the entries that it names begin.

    overtaken: what somebody else changed meanwhile, `session` or `summary`.
    """

    session: IntegrationSessionOut
    agenda: AgendaOut | None
    words: dict[UUID, str]
    agreed: AgreedSummaryOut
    versions: list[SummaryVersion]
    form: SessionForm | None
    summary_form: SummaryForm | None
    overtaken: str


@routes.get(_SESSIONS)
def sessions_page(
    visit: Inside,
    patient_id: str,
    cursor: Cursor = None,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Integration sessions, newest first, and when the last dose is to be talked about."""
    chart = open_chart(visit.db, visit.caller, patient_id, sessions.READ, visit.now)
    new = replace(_session_fields("plan"), values={"status": State.SCHEDULED.value})
    return _sessions(visit, chart, new, uuid7(), cursor=cursor, done=done)


@routes.post(_SESSIONS)
def plan_session(visit: Inside, patient_id: str) -> Answer:
    """Plan one, or record one that took place."""
    chart = open_chart(visit.db, visit.caller, patient_id, SESSIONS.write_right, visit.now)
    fields = _session_fields("plan").typed(visit.form)
    new_id = entry_id(visit.form["id"])
    try:
        with visit.db.tried():
            sent = _read_session(fields, chart, new_id, visit.form["recorded_at"])
            known = entries.known_before(
                visit.db, chart, SESSIONS.kind, SESSIONS.to_change, sent.id
            )
            SESSIONS.create(visit.db, chart, sent, known, visit.now)
    except _Refused as refused:
        return _sessions(visit, chart, refused.fields, new_id, status=422)
    except Problem as problem:
        kept_id = uuid7() if problem.kind is Kind.ID_REUSED else new_id
        return _sessions(visit, chart, fields.refused(problem), kept_id, status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/integration?done=session-planned")


@routes.get(_SESSIONS + "/{session_id}")
def session_page(
    visit: Inside,
    patient_id: str,
    session_id: str,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """One session: what there is to talk about, and what was agreed."""
    chart = open_chart(visit.db, visit.caller, patient_id, sessions.READ, visit.now)
    return _session(visit, chart, entry_id(session_id), done=done)


@routes.post(_SESSIONS + "/{session_id}")
def change_session(visit: Inside, patient_id: str, session_id: str) -> Answer:
    """Move it, say what became of it, take it back; write its summary."""
    act = visit.form["act"]
    if act == "summarize":
        return _summarize(visit, patient_id, session_id)
    if act not in {"amend", "withdraw"}:
        raise not_found()
    chart = open_chart(visit.db, visit.caller, patient_id, SESSIONS.write_right, visit.now)
    which = entry_id(session_id)
    base_version = version(visit.form["version"])
    fields = _session_fields("session").typed(visit.form)
    known = entries.look_up(visit.db, chart, SESSIONS.kind, SESSIONS.to_change, which)
    here = f"/console/patients/{chart.patient_id}/integration/{which}"
    try:
        with visit.db.tried():
            if act == "withdraw":
                SESSIONS.withdraw(visit.db, chart, known, base_version, visit.now)
                return GoTo(f"{here}?done=session-withdrawn")
            stood = SESSIONS.read(visit.db, chart, which)
            sent = _read_session(fields, chart, which, stood.recorded_at.isoformat(), stood)
            SESSIONS.amend(visit.db, chart, sent, known, base_version, visit.now)
    except _Refused as refused:
        return _session(visit, chart, which, typed=refused.fields, status=422)
    except Problem as problem:
        status = problem.kind.status
        if problem.kind in _OVERTAKEN:
            # What was typed stays; sent again, it is made on the version that holds now.
            kept = fields if act == "amend" else None
            return _session(visit, chart, which, typed=kept, status=status, overtaken="session")
        if problem.kind is Kind.ILLEGAL_MOVE:
            wrong = fields.wrong_at("status", "cannot follow from what it is now")
        else:
            wrong, status = fields.refused(problem), 422
        return _session(visit, chart, which, typed=wrong, status=status)
    return GoTo(f"{here}?done=session-changed")


def _summarize(visit: Visit, patient_id: str, session_id: str) -> Answer:
    """Write the summary, or write it otherwise."""
    chart = open_chart(visit.db, visit.caller, patient_id, SUMMARIES.write_right, visit.now)
    which = entry_id(session_id)
    fields = _summary_fields().typed(visit.form)
    summary_id = entry_id(visit.form["id"])
    base_version = version(visit.form["version"])
    members = {
        "id": str(summary_id),
        "integration_session_id": str(which),
        "words": fields.value("words").strip(),
        "recorded_at": visit.form["recorded_at"],
    }
    kind, query = SUMMARIES.kind, SUMMARIES.to_change
    try:
        with visit.db.tried():
            if base_version == 0:
                sent = read(SessionSummaryIn, members)
                known = entries.known_before(visit.db, chart, kind, query, sent.id)
                SUMMARIES.create(visit.db, chart, sent, known, visit.now)
            else:
                stood = SUMMARIES.read(visit.db, chart, summary_id)
                if stood.integration_session_id != which:
                    raise not_found()
                # When it was written first stays; its versions say when they were.
                sent = read(
                    SessionSummaryIn, {**members, "recorded_at": stood.recorded_at.isoformat()}
                )
                known = entries.look_up(visit.db, chart, kind, query, summary_id)
                SUMMARIES.amend(visit.db, chart, sent, known, base_version, visit.now)
    except Problem as problem:
        stands = sessions.read_summary(visit.db, chart, which).summary
        is_first_no_more = base_version == 0 and stands is not None
        if problem.kind in _OVERTAKEN or is_first_no_more:
            # What was typed stays; sent again, it is a version of the one that is there now.
            return _session(visit, chart, which, summary=fields, status=409, overtaken="summary")
        return _session(visit, chart, which, summary=fields.refused(problem), status=422)
    here = f"/console/patients/{chart.patient_id}/integration/{which}"
    return GoTo(f"{here}?done=summary-written")


class _Refused(Exception):
    """A field cannot be read. fields: with what is wrong."""

    def __init__(self, fields: Fields) -> None:
        super().__init__()
        self.fields = fields


def _session_fields(name: str) -> Fields:
    labels = {
        "scheduled_at": "When",
        "place": "Where",
        "status": "What became of it",
        "reason": "Why it was missed or cancelled",
    }
    return Fields(name, labels)


def _summary_fields() -> Fields:
    return Fields("summary", {"words": "What was agreed"})


def _read_session(
    fields: Fields,
    chart: Chart,
    session_id: UUID,
    recorded_at: str,
    stood: IntegrationSessionOut | None = None,
) -> IntegrationSessionIn:
    """stood: the session as it was; a time that nobody changed keeps its seconds.

    Raises: Problem INVALID, _Refused.
    """
    zone = chart.clinic.time_zone
    typed = fields.value("scheduled_at")
    try:
        if stood is not None and typed == wall(stood.scheduled_at, zone):
            at = stood.scheduled_at.isoformat()
        else:
            at = instant(typed, zone)
    except ValueError as error:
        raise _Refused(fields.wrong_at("scheduled_at", str(error))) from None
    return read(
        IntegrationSessionIn,
        {
            "id": str(session_id),
            "scheduled_at": at,
            "status": fields.value("status"),
            "place": fields.value("place").strip(),
            "reason": fields.value("reason").strip(),
            "recorded_at": recorded_at,
        },
    )


def _sessions(
    visit: Visit,
    chart: Chart,
    fields: Fields,
    new_id: UUID,
    *,
    cursor: str | None = None,
    status: int = 200,
    done: str = "",
) -> Shown:
    page = SESSIONS.page(visit.db, chart, cursor=cursor, limit=20)
    here = f"/console/patients/{chart.patient_id}/integration"
    recorded_at = visit.form["recorded_at"] or visit.now.isoformat()
    zone = chart.clinic.time_zone
    may = SESSIONS.write_right.is_granted(chart)
    view = Sessions(
        proposal=sessions.read_proposal(visit.db, chart, visit.now),
        sessions=page.entries,
        summaries=sessions.read_summaries(visit.db, chart, [one.id for one in page.entries]),
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
        form=SessionForm(fields, new_id, recorded_at, 0, _FIRST, zone) if may else None,
    )
    return shown(visit, chart, "integration", "Sessions", view, status=status, done=done)


def _session(
    visit: Visit,
    chart: Chart,
    session_id: UUID,
    *,
    typed: Fields | None = None,
    summary: Fields | None = None,
    status: int = 200,
    done: str = "",
    overtaken: str = "",
) -> Shown:
    """typed, summary: the forms that came back."""
    db = visit.db
    session = SESSIONS.read(db, chart, session_id)
    agreed = sessions.read_summary(db, chart, session_id)
    talk = None
    if agenda.READ.is_granted(chart):
        talk = agenda.read_agenda(db, chart, session_id, visit.now)
    is_there = session.status != ENTERED_IN_ERROR
    zone = chart.clinic.time_zone
    view = OneSession(
        session=session,
        agenda=talk,
        words=_words(visit, chart, talk),
        agreed=agreed,
        versions=_versions(visit, chart, agreed),
        form=SessionForm(
            typed or _of(session, zone),
            session.id,
            session.recorded_at.isoformat(),
            session.version,
            _states(session.status),
            zone,
        )
        if (is_there or typed) and SESSIONS.write_right.is_granted(chart)
        else None,
        summary_form=_summary_form(visit, agreed, summary)
        if SUMMARIES.write_right.is_granted(chart)
        and (summary or (is_there and (session.status == State.ATTENDED or agreed.summary)))
        else None,
        overtaken=overtaken,
    )
    return shown(visit, chart, "session", "A session", view, status=status, done=done)


def _of(session: IntegrationSessionOut, zone: str) -> Fields:
    """The form as it would have been filled in."""
    return replace(
        _session_fields("session"),
        values={
            "status": session.status,
            "scheduled_at": wall(session.scheduled_at, zone),
            "place": session.place or "",
            "reason": session.reason or "",
        },
    )


def _states(status: str) -> tuple[str, ...]:
    """What it is, and what it may become; of one that was taken back, what was typed."""
    if status == ENTERED_IN_ERROR:
        return tuple(state.value for state in State)
    after = MOVES[State(status)]
    return (status, *(state.value for state in State if state in after))


def _summary_form(visit: Visit, agreed: AgreedSummaryOut, typed: Fields | None) -> SummaryForm:
    stands = agreed.summary
    if stands is None:
        form = visit.form
        new_id = entry_id(form["id"]) if typed and form["id"] else uuid7()
        recorded_at = (typed and form["recorded_at"]) or visit.now.isoformat()
        return SummaryForm(typed or _summary_fields(), new_id, recorded_at, 0)
    fields = typed or replace(_summary_fields(), values={"words": stands.words})
    return SummaryForm(fields, stands.id, stands.recorded_at.isoformat(), stands.version)


def _versions(visit: Visit, chart: Chart, agreed: AgreedSummaryOut) -> list[SummaryVersion]:
    """Newest first."""
    if agreed.summary is None:
        return []
    said = sessions.read_agreements(visit.db, chart, agreed.summary.id)
    last: dict[int, SummaryAgreementOut] = {}
    for one in reversed(said):
        last[one.summary_version] = one
    versions = SUMMARIES.versions(visit.db, chart, agreed.summary.id)
    return [SummaryVersion(one, last.get(one.version)) for one in reversed(versions)]


def _words(visit: Visit, chart: Chart, talk: AgendaOut | None) -> dict[UUID, str]:
    """How the entries of an agenda begin, of those that this reader may see."""
    if talk is None or not (talk.notes or talk.insights or talk.stalled_goals):
        return {}
    named = {
        ThreadKind.EXPERIENCE: {str(one.id) for one in talk.notes},
        ThreadKind.INSIGHT: {str(one.id) for one in talk.insights},
        ThreadKind.GOAL: {str(one.goal_id) for one in talk.stalled_goals},
    }
    told = thread.read_told(visit.db, chart, None, None).entries
    return {
        UUID(entry["id"]): entry["words"]
        + ("\N{HORIZONTAL ELLIPSIS}" if entry["is_shortened"] else "")
        for entry in told
        if entry["id"] in named.get(entry["kind"], ())
    }
