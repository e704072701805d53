"""The inbox of flags, live, and what is done about one of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.console import session, words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, read
from app.console.record import Contact, contact_of, initials
from app.kernel.edge import Live
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.paging import Cursor
from app.people import roster
from app.people.chart import entry_id, open_chart
from app.people.roster import Member
from app.safety import cases, inbox, plan, stream
from app.safety.flags import FLAG, WHOSE_FLAG
from app.safety.schemas import (
    CommentIn,
    ContactIn,
    EvidenceOut,
    FlagOut,
    FlagState,
    HandOverIn,
    ResolveIn,
    SafetyPlanOut,
)

M = TypeVar("M", bound=BaseModel)
routes = page_router()
PAGE: Final = 50
OUTCOMES: Final = ("reached", "not-reached", "reached-somebody-else")
DISPOSITIONS: Final = (
    "plan-agreed",
    "seen-in-person",
    "referred",
    "emergency-services",
    "entered-in-error",
    "other",
)
_FORMS: Final = {
    "contact": {"outcome": "Outcome", "note": "Note"},
    "comment": {"note": "Comment"},
    "hand-over": {"to": "Colleague", "note": "Note"},
    "resolve": {"disposition": "What was decided", "note": "Why"},
}


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of open flags."""

    flags: list[FlagOut]
    is_clinician: bool
    next_page: str | None
    is_first_page: bool


@dataclass(frozen=True, slots=True)
class OneFlag:
    """A flag, whose it is, what it rests on, and the forms to act on it."""

    flag: FlagState
    patient_id: UUID
    contact: Contact
    evidence: list[EvidenceOut]
    safety_plan: SafetyPlanOut | None
    forms: dict[str, Fields]
    colleagues: list[Member]
    outcomes: tuple[str, ...]
    dispositions: tuple[str, ...]
    is_mine: bool
    is_conflict: bool


@routes.get("/console/flags")
def inbox_page(
    visit: Inside,
    cursor: Cursor = None,
    part: Annotated[str, Query(max_length=10)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Flags that nobody has resolved, worst first, then oldest first."""
    page = inbox.list_flags(visit.db, visit.caller, after=cursor, limit=PAGE, now=visit.now)
    more = page.next_cursor
    view = Inbox(
        flags=page.flags,
        is_clinician=visit.caller.role == "clinician",
        next_page=more and with_query("/console/flags", cursor=more),
        is_first_page=cursor is None,
    )
    template = "flags_list.html" if part == "list" else "flags.html"
    return Shown(template, "Flags", view, section="flags", said=words.DONE.get(done, ""))


def live(hub: stream.Hub) -> APIRouter:
    """The inbox as it changes."""
    following = page_router()

    @following.get("/console/flags/stream")
    def follow(visit: Inside) -> Live:
        """The events of the API's stream, which the page answers by asking for its list again."""
        # A stream lasts as long as an access token made now would, and begins again by itself;
        # it ends with the session, and nobody is there because of it.
        caller = replace(visit.caller, issued_at=int(visit.now.timestamp()))
        holds = partial(session.is_good, session_id=visit.signed_in.id)
        return stream.follow(visit.db, hub, caller, visit.now, holds)

    return following


@routes.get("/console/flags/{flag_id}")
def flag_page(
    visit: Inside, flag_id: str, done: Annotated[str, Query(max_length=20)] = ""
) -> Answer:
    """One flag, and what can be done about it."""
    return _page(visit, entry_id(flag_id), said=words.DONE.get(done, ""))


@routes.post("/console/flags/{flag_id}")
def act_on_flag(visit: Inside, flag_id: str) -> Answer:
    """See to it, record contact, comment, hand it over, or close it."""
    flag = entry_id(flag_id)
    act = visit.form["act"]
    if act == "acknowledge":
        try:
            with visit.db.tried():
                cases.acknowledge(visit.db, visit.caller, flag, visit.now)
        except Problem as problem:
            if problem.kind not in {Kind.ALREADY_ACKNOWLEDGED, Kind.FLAG_CLOSED}:
                raise
            return _page(visit, flag, status=409, is_conflict=True)
        return GoTo(f"/console/flags/{flag}?done=acknowledged")
    acts: dict[str, Callable[[Fields], str]] = {
        "contact": lambda fields: _do(visit, flag, fields, ContactIn, cases.record_contact),
        "comment": lambda fields: _do(visit, flag, fields, CommentIn, cases.comment),
        "hand-over": lambda fields: _do(visit, flag, fields, HandOverIn, cases.hand_over),
        "resolve": lambda fields: _do(visit, flag, fields, ResolveIn, cases.resolve),
    }
    if act not in acts:
        raise not_found()
    fields = Fields(act, _FORMS[act]).typed(visit.form)
    try:
        with visit.db.tried():
            done = acts[act](fields)
    except Problem as problem:
        if problem.kind is Kind.FLAG_CLOSED:
            return _page(visit, flag, {act: fields}, status=409, is_conflict=True)
        return _page(visit, flag, {act: fields.refused(problem)}, status=422)
    # Whoever handed over or closed it may not see this patient any more.
    if act in {"hand-over", "resolve"}:
        return GoTo(f"/console/flags?done={done}")
    return GoTo(f"/console/flags/{flag}?done={done}")


_DONE: Final = {
    "contact": "contacted",
    "comment": "commented",
    "hand-over": "handed-over",
    "resolve": "resolved",
}


def _do(
    visit: Visit,
    flag_id: UUID,
    fields: Fields,
    model: type[M],
    verb: Callable[..., Any],
) -> str:
    verb(visit.db, visit.caller, flag_id, read(model, fields.values), visit.now)
    return _DONE[fields.name]


def _page(
    visit: Visit,
    flag_id: UUID,
    forms: dict[str, Fields] | None = None,
    *,
    status: int = 200,
    said: str = "",
    is_conflict: bool = False,
) -> Shown:
    """Raises: Problem FORBIDDEN, NOT_FOUND."""
    db, now = visit.db, visit.now
    patient_id = db.first(WHOSE_FLAG, flag_id=flag_id)
    if visit.caller.role != "clinician":
        raise Problem(Kind.FORBIDDEN)
    if patient_id is None:
        raise not_found()
    chart = open_chart(db, visit.caller, str(patient_id), inbox.READ_FLAGS, now)
    row = db.one(FLAG, flag_id=flag_id)
    contact = contact_of(db, chart)
    colleagues = [
        one
        for one in roster.members(db, visit.caller, now)
        if one.sees_content and one.membership_id != visit.caller.membership_id
    ]
    view = OneFlag(
        flag=cases.state(db, chart, row),
        patient_id=chart.patient_id,
        contact=contact,
        evidence=inbox.evidence(db, chart, flag_id),
        safety_plan=plan.find_plan(db, chart),
        forms={name: Fields(name, labels) for name, labels in _FORMS.items()} | (forms or {}),
        colleagues=colleagues,
        outcomes=OUTCOMES,
        dispositions=DISPOSITIONS,
        is_mine=row.acknowledged_by == visit.caller.membership_id,
        is_conflict=is_conflict,
    )
    title = f"{initials(contact.name)} Flag"
    return Shown("flag.html", title, view, section="flags", status=status, said=said)
