"""Signing in and out, and going from one of one's clinics to another."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query

from app.console import session
from app.console.door import (
    SIGN_IN,
    Answer,
    Enrolling,
    GoTo,
    Inside,
    Outside,
    Shown,
    is_safe_path,
    page_router,
    with_query,
)
from app.console.forms import Fields
from app.console.second_factor import waiting
from app.kernel import plain
from app.kernel.errors import Kind, Problem, not_found

routes = page_router()
HOME: Final = "/console"
_LABELS: Final = {"username": "Name", "password": "Password", "code": "One-time code"}
_TITLE: Final = "Sign in"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The form. asks_code: the account has a second factor, and its code is still missing."""

    fields: Fields
    next: str
    is_signed_off: bool
    is_signed_out: bool
    asks_code: bool
    is_for_patients: bool
    wait_minutes: int


@routes.get("/console/sign-in")
def sign_in_page(
    visit: Outside,
    next: Annotated[str, Query(max_length=600)] = "",  # noqa: A002 - its name in the address
    out: Annotated[str, Query(max_length=10)] = "",
    again: Annotated[str, Query(max_length=10)] = "",
) -> Answer:
    """Name and password."""
    if visit.signed_in is not None:
        return GoTo(_after(next))
    if visit.arrived_from_elsewhere and not again:
        # By a link in a mail a browser comes without its cookie; asked by our own page it has it.
        wanted = next if is_safe_path(next) else None
        return Shown("arriving.html", _TITLE, with_query(SIGN_IN, next=wanted, again="1"))
    return _page(next, Fields("sign-in", _LABELS), out=out)


@routes.post("/console/sign-in")
def sign_in(visit: Outside) -> Answer:
    """Try them."""
    fields = Fields("sign-in", _LABELS).typed(visit.form)
    wanted = visit.form["next"]
    username, password = fields.value("username").strip(), fields.value("password")
    fields = Fields("sign-in", _LABELS, {"username": fields.value("username")})
    for name, typed in (("username", username), ("password", password)):
        if not typed:
            fields = fields.wrong_at(name, "is needed to sign in")
    if fields.errors:
        return _page(wanted, fields, status=422)
    with plain.in_turn():
        made = session.sign_in(
            visit.db,
            visit.issuer,
            username=username,
            password=password,
            code=visit.form["code"].strip() or None,
            address=visit.address,
            now=visit.now,
        )
    if isinstance(made, Problem):
        return _refused(made, wanted, fields)
    if visit.signed_in is not None:  # in another tab, perhaps as somebody else
        visit.db.enter(visit.signed_in.caller.clinic_id)
        session.end(visit.db, visit.signed_in, visit.now)
    if not is_safe_path(wanted) and len(session.places(visit.db, _account(visit, made))) > 1:
        return GoTo("/console/clinics", made)
    return GoTo(_after(wanted), made)


@routes.post("/console/sign-out")
def sign_out(visit: Enrolling) -> Answer:
    """End this sign-in."""
    session.end(visit.db, visit.signed_in, visit.now)
    return GoTo("/console/sign-in?out=1", "")


@routes.get("/console/sign-out")
def signed_out(visit: Outside) -> Answer:
    """For whoever reloads."""
    return GoTo(HOME if visit.signed_in else "/console/sign-in")


@routes.get("/console/still-here")
def still_here(visit: Enrolling) -> Answer:
    """Somebody is typing: the sign-in goes on. The page asks, and shows nothing of the answer."""
    return Shown("still_here.html", "Still signed in", None)


@routes.get("/console")
def home(visit: Inside) -> Answer:
    """Where somebody begins."""
    caller = visit.caller
    if caller.role == "clinician" and visit.signed_in.privileges == {"coach"}:
        return GoTo("/console/account")
    return GoTo("/console/caseload" if caller.role == "clinician" else "/console/flags")


@routes.get("/")
def arrive(visit: Outside, alert: Annotated[str, Query(max_length=200)] = "") -> Answer:
    """The address that messages have. alert: `flag.round.step`; whoever comes by it sees the flag.

    It says nothing of whether there is such a flag.
    """
    flag, *rest = alert.split(".")
    try:
        is_one = len(rest) == 2 and all(one.isascii() and one.isdigit() for one in rest)
        return GoTo(f"/console/flags/{UUID(flag)}" if is_one else HOME)
    except ValueError:
        return GoTo(HOME)


@routes.get("/console/clinics")
def clinics_page(visit: Inside) -> Answer:
    """One's clinics."""
    found = session.places(visit.db, visit.caller.account_id)
    visit.db.enter(visit.caller.clinic_id)
    return Shown("clinics.html", "Choose a clinic", found)


@routes.post("/console/clinics")
def choose_clinic(visit: Inside) -> Answer:
    """Go on in another one."""
    try:
        membership_id = UUID(visit.form["membership_id"])
    except ValueError:
        raise not_found() from None
    made = session.change_place(visit.db, visit.signed_in, membership_id, visit.now)
    if made is None:
        raise not_found()
    return GoTo(HOME, made)


def _account(visit: Outside, cookie: str) -> UUID:
    found = session.find(visit.db, cookie, visit.now, is_somebody_there=False)
    assert found is not None
    return found.caller.account_id


def _after(wanted: str) -> str:
    return wanted if is_safe_path(wanted) else HOME


def _page(
    wanted: str,
    fields: Fields,
    *,
    status: int = 200,
    out: str = "",
    asks_code: bool = False,
    is_for_patients: bool = False,
    wait_minutes: int = 0,
) -> Shown:
    view = SignIn(
        fields=fields,
        next=wanted if is_safe_path(wanted) else "",
        is_signed_off=bool(wanted) and not fields.errors and status == 200,
        is_signed_out=bool(out),
        asks_code=asks_code,
        is_for_patients=is_for_patients,
        wait_minutes=wait_minutes,
    )
    return Shown("sign_in.html", _TITLE, view, status=status)


def _refused(problem: Problem, wanted: str, fields: Fields) -> Answer:
    if problem.kind is Kind.FORBIDDEN:
        return _page(wanted, fields, status=403, is_for_patients=True)
    if problem.kind is Kind.TOO_MANY_ATTEMPTS:
        return _page(wanted, fields, status=429, wait_minutes=waiting(problem))
    if problem.kind is Kind.SECOND_FACTOR_REQUIRED:
        return _page(wanted, fields, status=401, asks_code=True)
    if problem.kind is not Kind.INVALID_GRANT:
        return problem
    wrong = fields.wrong_at("", "the name or the password is not right")
    return _page(wanted, wrong, status=422)
