"""Who works here, who is in treatment, invitations; and for administrators links and consents."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, read, version
from app.console.record import initials
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.paging import Cursor
from app.people import care, invitations, roster
from app.people.care import Agreed, Enrolled, Link
from app.people.chart import CARE, entry_id
from app.people.clinics import CLINIC_FACTS
from app.people.invitations import Waiting
from app.people.roster import Member
from app.people.schemas import InvitationIn, InvitationOut

routes = page_router()
PRIVILEGES: Final = ("therapy", "prescribe", "monitor", "coach")
_DONE = Annotated[str, Query(max_length=20)]
_CONSENT_LABELS: Final = {"seen": "Their consent"}
_INVITE_LABELS: Final = {
    "role": "Role",
    "privileges": "Privileges",
    "clinician_id": "Who will care for them",
}


@dataclass(frozen=True, slots=True)
class People:
    """The staff, the form to invite somebody, and places that nobody took yet.

    names: of members, by id.
    """

    members: list[Member]
    is_administrator: bool
    may_invite: bool
    fields: Fields
    id: UUID
    privileges: tuple[str, ...]
    invitation: InvitationOut | None
    waiting: list[Waiting]
    names: dict[UUID, str]
    own_id: UUID


@dataclass(frozen=True, slots=True)
class OneMember:
    """Somebody who works here, and what an administrator may change."""

    member: Member
    fields: Fields
    privileges: tuple[str, ...]
    version: int
    is_oneself: bool
    is_overtaken: bool


@dataclass(frozen=True, slots=True)
class Patients:
    """A page of the clinic's patients."""

    patients: list[Enrolled]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class OnePatient:
    """A patient's care links and consents, without anything clinical. notice_version: of the notice
    that is in use now.
    """

    patient: Enrolled
    links: list[Link]
    consents: list[Agreed]
    clinicians: list[Member]
    fields: Fields
    consent: Fields
    notice_version: str


@routes.get("/console/people")
def people_page(visit: Inside, done: _DONE = "") -> Answer:
    """Everybody who works here."""
    fields = Fields("invite", _INVITE_LABELS, {"role": "patient"})
    return _people(visit, fields, uuid7(), said=words.DONE.get(done, ""))


@routes.post("/console/people")
def invite(visit: Inside) -> Answer:
    """Make a place; its code is on the answer, and again when the same form is sent again. Or take
    one back.
    """
    if visit.form["act"] == "take-back":
        invitations.take_back(
            visit.db, visit.caller, entry_id(visit.form["invitation_id"]), visit.now
        )
        return GoTo("/console/people?done=taken-back")
    fields = Fields("invite", _INVITE_LABELS).typed(visit.form, several=["privileges"])
    invitation_id = entry_id(visit.form["id"])
    members = {
        "id": str(invitation_id),
        "role": fields.value("role"),
        "privileges": fields.chosen("privileges"),
        "clinician_id": fields.value("clinician_id"),
    }
    try:
        with visit.db.tried():
            sent = read(InvitationIn, members)
            invitation, _ = invitations.invite(visit.db, visit.caller, sent, visit.now)
    except Problem as problem:
        if problem.kind is Kind.ID_REUSED:
            refused = fields.wrong_at("", "was sent before with other values; open the page again")
            return _people(visit, refused, invitation_id, status=422)
        return _people(visit, fields.refused(problem), invitation_id, status=422)
    empty = Fields("invite", _INVITE_LABELS, {"role": "patient"})
    return _people(visit, empty, uuid7(), invitation=invitation)


@routes.get("/console/people/members/{membership_id}")
def member_page(visit: Inside, membership_id: str, done: _DONE = "") -> Answer:
    """One of them. For administrators."""
    return _member(visit, entry_id(membership_id), said=words.DONE.get(done, ""))


@routes.post("/console/people/members/{membership_id}")
def change_member(visit: Inside, membership_id: str) -> Answer:
    """Other privileges, or none of this clinic any more."""
    member_id = entry_id(membership_id)
    act = visit.form["act"]
    if act == "end":
        try:
            with visit.db.tried():
                roster.end_membership(visit.db, visit.caller, member_id, visit.now)
        except Problem as problem:
            return _member(visit, member_id, _privileges([]).refused(problem), status=422)
        return GoTo("/console/people?done=ended")
    if act != "privileges":
        raise not_found()
    chosen = visit.form.every("privileges")
    fields = _privileges(chosen)
    try:
        with visit.db.tried():
            roster.change_privileges(
                visit.db, visit.caller, member_id, chosen, version(visit.form["version"]), visit.now
            )
    except Problem as problem:
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _member(visit, member_id, fields, status=412, is_overtaken=True)
        return _member(visit, member_id, fields.refused(problem), status=422)
    return GoTo(f"/console/people/members/{member_id}?done=saved")


@routes.get("/console/people/patients")
def patients_page(visit: Inside, cursor: Cursor = None) -> Answer:
    """The clinic's patients, without anything clinical. For administrators."""
    found, more = care.patients(visit.db, visit.caller, after=cursor, limit=50, now=visit.now)
    view = Patients(found, more and with_query("/console/people/patients", cursor=more))
    return Shown("people_patients.html", "Patients of the clinic", view, section="people")


@routes.get("/console/people/patients/{patient_id}")
def patient_page(visit: Inside, patient_id: str, done: _DONE = "") -> Answer:
    """Who cares for a patient, and what they agreed to. For administrators."""
    return _patient(visit, entry_id(patient_id), said=words.DONE.get(done, ""))


@routes.post("/console/people/patients/{patient_id}")
def change_care(visit: Inside, patient_id: str) -> Answer:
    """Somebody begins to care for them, or ends; a consent is taken back, or given again."""
    patient = entry_id(patient_id)
    act = visit.form["act"]
    here = f"/console/people/patients/{patient}"
    if act == "end":
        link_id = entry_id(visit.form["link_id"])
        care.end_care(visit.db, visit.caller, patient, link_id, visit.now)
        return GoTo(f"{here}?done=ended")
    if act == "withdraw":
        care.withdraw_consent(visit.db, visit.caller, patient, visit.now)
        return GoTo(f"{here}?done=consent-withdrawn")
    if act == "consent":
        return _consented(visit, patient, here)
    if act != "assign":
        raise not_found()
    fields = Fields("assign", {"membership_id": "Clinician"}).typed(visit.form)
    try:
        with visit.db.tried():
            try:
                chosen = UUID(fields.value("membership_id"))
            except ValueError:
                chosen = UUID(int=0)
            care.assign(visit.db, visit.caller, patient, chosen, visit.now)
    except Problem as problem:
        return _patient(visit, patient, fields.refused(problem), status=422)
    return GoTo(f"{here}?done=began")


def _consented(visit: Visit, patient: UUID, here: str) -> Answer:
    fields = Fields("consent", _CONSENT_LABELS).typed(visit.form, several=["seen"])
    if fields.chosen("seen") != ["yes"]:
        wrong = fields.wrong_at("seen", "has to be so")
        return _patient(visit, patient, consent=wrong, status=422)
    try:
        with visit.db.tried():
            # Of the notice that was on the page: another may be in use since then.
            notice = visit.form["notice_version"]
            care.record_consent(visit.db, visit.caller, patient, notice, visit.now)
    except Problem as problem:
        if problem.kind is not Kind.INVALID:
            raise
        wrong = fields.wrong_at("seen", "another notice is in use since this page was opened")
        return _patient(visit, patient, consent=wrong, status=422)
    return GoTo(f"{here}?done=consent-recorded")


def _people(
    visit: Visit,
    fields: Fields,
    invitation_id: UUID,
    *,
    status: int = 200,
    said: str = "",
    invitation: InvitationOut | None = None,
) -> Shown:
    is_administrator = visit.caller.role == "administrator"
    members = roster.members(visit.db, visit.caller, visit.now)
    view = People(
        members=members,
        is_administrator=is_administrator,
        may_invite=is_administrator or not CARE.isdisjoint(visit.signed_in.privileges),
        fields=fields,
        id=invitation_id,
        privileges=PRIVILEGES,
        invitation=invitation,
        waiting=invitations.waiting(visit.db, visit.caller, visit.now),
        names={one.membership_id: one.name for one in members},
        own_id=visit.caller.membership_id,
    )
    return Shown("people.html", "People", view, section="people", status=status, said=said)


def _privileges(chosen: list[str]) -> Fields:
    return Fields("privileges", {"privileges": "Privileges"}, {"privileges": chosen})


def _member(
    visit: Visit,
    member_id: UUID,
    fields: Fields | None = None,
    *,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
) -> Shown:
    if visit.caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    member = next(
        (
            one
            for one in roster.members(visit.db, visit.caller, visit.now)
            if one.membership_id == member_id
        ),
        None,
    )
    if member is None:
        raise not_found()
    view = OneMember(
        member=member,
        fields=fields or _privileges(member.privileges),
        privileges=PRIVILEGES,
        version=member.version,
        is_oneself=member_id == visit.caller.membership_id,
        is_overtaken=is_overtaken,
    )
    return Shown(
        "people_member.html", member.name, view, section="people", status=status, said=said
    )


def _patient(
    visit: Visit,
    patient_id: UUID,
    fields: Fields | None = None,
    *,
    consent: Fields | None = None,
    status: int = 200,
    said: str = "",
) -> Shown:
    found, links, consents = care.patient(visit.db, visit.caller, patient_id, visit.now)
    clinicians = [
        one for one in roster.members(visit.db, visit.caller, visit.now) if one.role == "clinician"
    ]
    view = OnePatient(
        patient=found,
        links=links,
        consents=consents,
        clinicians=clinicians,
        fields=fields or Fields("assign", {"membership_id": "Clinician"}),
        consent=consent or Fields("consent", _CONSENT_LABELS),
        notice_version=visit.db.one(CLINIC_FACTS).notice_version,
    )
    title = f"{initials(found.name or '')} Care links and consents".strip()
    return Shown("people_patient.html", title, view, section="people", status=status, said=said)
