"""Signing in, invitations, one's own profile, and what a client may send."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Form

from app.kernel import identity, plain
from app.kernel.edge import LARGER_BODIES, MAX_BODY, MAX_SYNC_CHANGES, Public, Reply, Signed, router
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.etag import IfMatch, etag, opaque_version_named, version_named
from app.kernel.fields import MAX_TEXT
from app.kernel.identity import ACCESS_LIFETIME, Tokens
from app.kernel.paging import MAX_PAGE
from app.people import invitations, profile, roster, texts
from app.people.chart import entry_id
from app.people.schemas import (
    AcceptIn,
    InvitationIn,
    InvitationOut,
    LimitsOut,
    MemberOut,
    MembersOut,
    MeOut,
    MePatch,
    PrivilegesIn,
    RevokeForm,
    TextsIn,
    TextsOut,
    TokenForm,
    TokenOut,
)

routes = router("people")


@routes.post("/v1/auth/token", response_model=TokenOut, operation_id="create_token")
def create_token(visit: Public, form: Annotated[TokenForm, Form()]) -> Reply | Problem:
    """Sign in with a password, or go on with a refresh token (OAuth 2.0)."""
    if form.grant_type == "password":
        if form.username is None or form.password is None:
            return _needed("username", "password")
        with plain.in_turn():
            made = identity.sign_in(
                visit.db,
                visit.issuer,
                username=form.username,
                password=form.password,
                clinic_id=_uuid(form.clinic_id),
                membership_id=_uuid(form.membership_id),
                address=visit.address,
                now=visit.now,
            )
    elif form.grant_type == "refresh_token":
        if form.refresh_token is None:
            return _needed("refresh_token")
        made = identity.refresh(
            visit.db, visit.issuer, refresh_token=form.refresh_token, now=visit.now
        )
    else:
        fault = Fault("/grant_type", "must be password or refresh_token")
        return Problem(Kind.UNSUPPORTED_GRANT_TYPE, faults=[fault])
    return made if isinstance(made, Problem) else _token_reply(made)


@routes.post("/v1/auth/revoke", status_code=200, operation_id="revoke_token")
def revoke_token(visit: Public, form: Annotated[RevokeForm, Form()]) -> None:
    """Sign out: a refresh token and all that follow from it end (RFC 7009)."""
    identity.revoke(visit.db, visit.issuer, token=form.token, now=visit.now)


@routes.post(
    "/v1/invitations", status_code=201, response_model=InvitationOut, operation_id="invite"
)
def invite(visit: Signed, sent: InvitationIn) -> Reply:
    """Make a place in the clinic for a patient, a clinician or an administrator."""
    invitation, is_new = invitations.invite(visit.db, visit.caller, sent, visit.now)
    return Reply(invitation, status=201 if is_new else 200)


@routes.post(
    "/v1/invitations/accept",
    status_code=201,
    response_model=TokenOut,
    operation_id="accept_invitation",
)
def accept_invitation(visit: Public, sent: AcceptIn) -> Reply | Problem:
    """Take the place; a patient consents to treatment here. The answer signs in."""
    with plain.in_turn():
        standing = invitations.accept(visit.db, sent, visit.address, visit.now)
    if isinstance(standing, Problem):
        return standing
    tokens = identity.begin_family(visit.db, visit.issuer, standing, visit.now)
    reply = _token_reply(tokens)
    reply.status = 201
    return reply


@routes.get("/v1/me", response_model=MeOut, operation_id="read_me")
def read_me(visit: Signed) -> Reply:
    """Who is signed in, in which clinic and role, and everything else they are."""
    return _me_reply(profile.me(visit.db, visit.caller, visit.now))


@routes.patch("/v1/me", response_model=MeOut, operation_id="update_me")
def update_me(visit: Signed, sent: MePatch, if_match: IfMatch = None) -> Reply:
    """Change one's own profile."""
    base_version = version_named(if_match)
    return _me_reply(profile.update_me(visit.db, visit.caller, base_version, sent, visit.now))


_MEMBER = "/v1/clinic/members/{membership_id}"


@routes.get("/v1/clinic/members", response_model=MembersOut, operation_id="list_members")
def list_members(visit: Signed) -> Reply:
    """Everybody who works in one's clinic. For those who do."""
    found = roster.members(visit.db, visit.caller, visit.now)
    return Reply(MembersOut(members=[_member_out(one) for one in found]))


@routes.put(_MEMBER, response_model=MemberOut, operation_id="change_privileges")
def change_privileges(
    visit: Signed, membership_id: str, sent: PrivilegesIn, if_match: IfMatch = None
) -> Reply:
    """Say what a clinician may do from now on. For administrators."""
    base_version = version_named(if_match)
    member = roster.change_privileges(
        visit.db,
        visit.caller,
        entry_id(membership_id),
        list(sent.privileges),
        base_version,
        visit.now,
    )
    return Reply(_member_out(member), headers={"ETag": etag(member.version)})


@routes.delete(_MEMBER, status_code=200, operation_id="end_membership")
def end_membership(visit: Signed, membership_id: str) -> None:
    """Somebody works here no more: they are signed out everywhere at once. Again changes nothing.
    For administrators, and not of themselves.
    """
    roster.end_membership(visit.db, visit.caller, entry_id(membership_id), visit.now)


@routes.get("/v1/clinic/texts", response_model=TextsOut, operation_id="read_texts")
def read_texts(visit: Signed) -> Reply:
    """Every text that patients read, as it ships and as this clinic says it."""
    return _texts_reply(texts.read_texts(visit.db, visit.caller))


@routes.put("/v1/clinic/texts/{locale}", response_model=TextsOut, operation_id="replace_texts")
def replace_texts(visit: Signed, locale: str, sent: TextsIn, if_match: IfMatch = None) -> Reply:
    """Say these texts in the clinic's own words in one locale, and all others as they ship. In a
    shipped language what promises something to patients cannot be reworded: the texts about
    monitoring, whom to call, dates and problems. In another language a clinic may translate them
    too, and answers for what its translation says.
    """
    base_version = opaque_version_named(if_match)
    return _texts_reply(texts.replace_texts(visit.db, visit.caller, locale, base_version, sent))


@routes.get("/v1/limits", operation_id="read_limits")
def read_limits(visit: Public) -> LimitsOut:
    """What a client may send."""
    return LimitsOut(
        max_body_bytes=MAX_BODY,
        max_sync_body_bytes=LARGER_BODIES["/v1/sync"],
        max_sync_changes=MAX_SYNC_CHANGES,
        max_text_bytes=MAX_TEXT,
        max_page=MAX_PAGE,
        recorded_at_from=datetime(2000, 1, 1, tzinfo=UTC),
        recorded_at_before=datetime(2100, 1, 1, tzinfo=UTC),
        access_token_seconds=int(ACCESS_LIFETIME.total_seconds()),
    )


def _member_out(member: roster.Member) -> MemberOut:
    return MemberOut(**member._asdict())


def _me_reply(me: MeOut) -> Reply:
    return Reply(me, headers={"ETag": etag(me.version)})


def _texts_reply(out: TextsOut) -> Reply:
    return Reply(out, headers={"ETag": etag(out.version)})


def _token_reply(tokens: Tokens) -> Reply:
    standing = tokens.standing
    return Reply(
        TokenOut(
            access_token=tokens.access_token,
            expires_in=int(ACCESS_LIFETIME.total_seconds()),
            refresh_token=tokens.refresh_token,
            role=standing.role,
            clinic_id=standing.clinic_id,
            membership_id=standing.membership_id,
            patient_id=standing.patient_id,
            help_token=tokens.help_token,
        ),
        headers={"Cache-Control": "no-store"},
    )


def _needed(*fields: str) -> Problem:
    faults = [Fault(f"/{field}", "is required for this grant") for field in fields]
    return Problem(Kind.MALFORMED_REQUEST, faults=faults)


def _uuid(text: str | None) -> UUID | None:
    """What is no UUID matches no membership."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
