"""The second factor: setting one up, looking after it, and for administrators those of others.

Secrets and recovery codes are on the answer to the form that made them, and on no page that can be
asked for again. Whoever confirms goes on signed in, in a session with another cookie: every sign-in
that the password alone began is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from markupsafe import Markup

from app.console import session, words
from app.console.door import (
    SECOND_FACTOR,
    Answer,
    Enrolling,
    GoTo,
    Inside,
    Shown,
    Visit,
    page_router,
)
from app.console.forms import Fields, read
from app.kernel import identity, plain
from app.kernel.errors import Kind, Problem, not_found
from app.people import second_factor
from app.people.chart import entry_id
from app.people.schemas import (
    BeginFactorIn,
    ClinicSecondFactorOut,
    ConfirmFactorIn,
    EnrolmentOut,
    ProofIn,
    SecondFactorOut,
    StepUpIn,
)

routes = page_router()
OF_CLINIC: Final = "/console/people/second-factor"
_DONE = Annotated[str, Query(max_length=20)]
_PASSWORD: Final = {"password": "Password"}
_CODE: Final = {"otp": "Code"}
_PROOF: Final = {**_PASSWORD, **_CODE}
_LABELS: Final = {"begin": _PASSWORD, "confirm": _CODE, "renew": _PROOF, "remove": _PROOF}
_WRONG: Final = "the password or the code is not right"


@dataclass(frozen=True, slots=True)
class OwnFactor:
    """One's own. enrolment, codes: only on the answer to the form that made them.

    is_begun: a code was sent of an app that was set up on a page before.
    """

    state: SecondFactorOut
    forms: dict[str, Fields]
    enrolment: EnrolmentOut | None = None
    qr: Markup | None = None
    recovery_codes: tuple[str, ...] = ()
    is_begun: bool = False
    wait_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened to somebody's, in words."""

    at: datetime
    what: str
    whose: str
    by: str


@dataclass(frozen=True, slots=True)
class ClinicFactors:
    """Who has one, and what happened lately. forms: by membership, of whom one can be reset."""

    found: ClinicSecondFactorOut
    forms: dict[UUID, Fields]
    events: list[Happened]
    asks_code: bool
    wait_minutes: int


@routes.get(SECOND_FACTOR)
def second_factor_page(visit: Enrolling, done: _DONE = "") -> Answer:
    """One's own."""
    return _own(visit, said=words.DONE.get(done, ""))


@routes.post(SECOND_FACTOR)
def change_second_factor(visit: Enrolling) -> Answer:
    """Begin, confirm, make other recovery codes, or do without."""
    act = _ACTS.get(visit.form["act"])
    if act is None:
        raise not_found()
    name = visit.form["act"]
    typed = Fields(name, _LABELS[name]).typed(visit.form)
    try:
        with visit.db.tried():
            answer = act(visit, typed)
    except Problem as problem:
        if problem.kind is Kind.ALREADY_EXISTS:  # set up in another tab meanwhile
            return GoTo(SECOND_FACTOR)
        if problem.kind is Kind.NOT_FOUND:  # removed in another tab, or begun too long ago
            wrong = _untyped(name).wrong_at("", "is too late; begin again")
            return _own(visit, {name: wrong}, status=422)
        return _own(visit, {name: _untyped(name).refused(problem)}, status=422)
    return _refused(visit, name, answer) if isinstance(answer, Problem) else answer


def _begin(visit: Visit, typed: Fields) -> Answer:
    sent = read(BeginFactorIn, typed.values)
    with plain.in_turn():
        begun = second_factor.begin(visit.db, visit.caller, sent, visit.address, visit.now)
    if isinstance(begun, Problem):
        return begun
    # Made by ourselves, of squares alone.
    return _own(visit, enrolment=begun, qr=Markup(begun.qr_svg))  # noqa: S704


def _confirm(visit: Visit, typed: Fields) -> Answer:
    sent = read(ConfirmFactorIn, typed.values)
    made = second_factor.confirm(visit.db, visit.issuer, visit.caller, sent, visit.now)
    if isinstance(made, Problem):
        return made
    codes, tokens = made
    # The API's answer signs in anew, and these pages have a cookie instead.
    identity.revoke(visit.db, visit.issuer, token=tokens.refresh_token, now=visit.now)
    cookie = session.begin_anew(
        visit.db, visit.signed_in, tokens.standing, identity.next_second(visit.now)
    )
    return _codes(visit, codes, "Your second factor is set up.", cookie)


def _renew(visit: Visit, typed: Fields) -> Answer:
    sent = read(ProofIn, typed.values)
    with plain.in_turn():
        made = second_factor.renew_codes(visit.db, visit.caller, sent, visit.address, visit.now)
    if isinstance(made, Problem):
        return made
    return _codes(visit, made.recovery_codes, "The recovery codes before these work no more.")


def _remove(visit: Visit, typed: Fields) -> Answer:
    sent = read(ProofIn, typed.values)
    with plain.in_turn():
        refused = second_factor.remove(visit.db, visit.caller, sent, visit.address, visit.now)
    return refused or GoTo(f"{SECOND_FACTOR}?done=removed")


_ACTS: Final[dict[str, Callable[[Visit, Fields], Answer]]] = {
    "begin": _begin,
    "confirm": _confirm,
    "renew": _renew,
    "remove": _remove,
}


@routes.get(OF_CLINIC)
def clinic_second_factor_page(visit: Inside, done: _DONE = "") -> Answer:
    """Who of the clinic has one. For administrators."""
    return _clinic(visit, said=words.DONE.get(done, ""))


@routes.post(OF_CLINIC)
def reset_second_factor(visit: Inside) -> Answer:
    """Take away a colleague's, who lost it."""
    member_id = entry_id(visit.form["membership_id"])
    typed = _reset_form(member_id).typed(visit.form)
    try:
        with visit.db.tried():
            sent = read(StepUpIn, typed.values)
            with plain.in_turn():
                refused = second_factor.reset(
                    visit.db, visit.caller, str(member_id), sent, visit.address, visit.now
                )
    except Problem as problem:
        return _clinic(visit, {member_id: _reset_form(member_id).refused(problem)}, status=422)
    if refused is None:
        return GoTo(f"{OF_CLINIC}?done=reset")
    if refused.kind is Kind.TOO_MANY_ATTEMPTS:
        return _clinic(visit, status=429, wait_minutes=waiting(refused))
    sentence = refused.detail or _WRONG
    wrong = _reset_form(member_id).wrong_at("", sentence.rstrip("."))
    return _clinic(visit, {member_id: wrong}, status=422)


def waiting(problem: Problem) -> int:
    """Whole minutes until somebody may try again."""
    return max(1, round(int(problem.headers.get("Retry-After", "60")) / 60))


def _untyped(name: str) -> Fields:
    """A form without what was typed: a password and a code are typed again."""
    return Fields(name, _LABELS[name])


def _refused(visit: Visit, name: str, problem: Problem) -> Answer:
    """A wrong password or code, which is counted."""
    if problem.kind is Kind.TOO_MANY_ATTEMPTS:
        return _own(visit, status=429, wait_minutes=waiting(problem))
    if problem.kind is Kind.INVALID_GRANT:
        sentence = "the password is not right" if name == "begin" else _WRONG
        return _own(visit, {name: _untyped(name).wrong_at("", sentence)}, status=422)
    return _own(
        visit, {name: _untyped(name).refused(problem)}, status=422, is_begun=name == "confirm"
    )


def _codes(visit: Visit, codes: list[str], said: str, cookie: str | None = None) -> Shown:
    state = second_factor.read(visit.db, visit.caller) if cookie is None else None
    forms = {name: _untyped(name) for name in _LABELS}
    shown = state or SecondFactorOut(
        is_confirmed=True,
        confirmed_at=visit.now,
        recovery_codes_left=len(codes),
        is_required=False,
        is_clinic_synthetic=False,
    )
    return Shown(
        "second_factor.html",
        "Recovery codes",
        OwnFactor(shown, forms, recovery_codes=tuple(codes)),
        section="account",
        said=said,
        cookie=cookie,
    )


def _own(
    visit: Visit,
    forms: dict[str, Fields] | None = None,
    *,
    enrolment: EnrolmentOut | None = None,
    qr: Markup | None = None,
    status: int = 200,
    said: str = "",
    is_begun: bool = False,
    wait_minutes: int = 0,
) -> Shown:
    view = OwnFactor(
        second_factor.read(visit.db, visit.caller),
        {name: _untyped(name) for name in _LABELS} | (forms or {}),
        enrolment,
        qr,
        is_begun=is_begun,
        wait_minutes=wait_minutes,
    )
    return Shown(
        "second_factor.html", "Second factor", view, section="account", status=status, said=said
    )


def _reset_form(member_id: UUID) -> Fields:
    return Fields(f"reset-{member_id}", {"password": "Your password", "otp": "Your code"})


def _clinic(
    visit: Visit,
    forms: dict[UUID, Fields] | None = None,
    *,
    status: int = 200,
    said: str = "",
    wait_minutes: int = 0,
) -> Shown:
    found = second_factor.read_clinic(visit.db, visit.caller)
    names = {one.membership_id: one.name for one in found.members}
    own = visit.caller.membership_id
    view = ClinicFactors(
        found=found,
        forms={
            one.membership_id: _reset_form(one.membership_id)
            for one in found.members
            if one.is_confirmed and one.membership_id != own
        }
        | (forms or {}),
        events=[
            Happened(
                one.at,
                words.spoken(f"second-factor.{one.action}"),
                names.get(one.membership_id, "Somebody who has left"),
                "Whoever runs this server"
                if one.by is None
                else names.get(one.by, "Somebody who has left"),
            )
            for one in found.events
        ],
        asks_code=any(one.membership_id == own and one.is_confirmed for one in found.members),
        wait_minutes=wait_minutes,
    )
    return Shown(
        "people_second_factor.html",
        "Second factors",
        view,
        section="people",
        status=status,
        said=said,
    )
