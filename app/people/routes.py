"""Signing in, invitations, one's own profile, and what a client may send."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Form

from app.kernel import identity, plain, sign_in
from app.kernel.edge import (
    LARGER_BODIES,
    MAX_BODY,
    MAX_SYNC_CHANGES,
    PIECES_BODY,
    Enrolling,
    Public,
    Reply,
    Signed,
    router,
)
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.etag import IfMatch, etag, opaque_version_named, version_named
from app.kernel.fields import MAX_TEXT
from app.kernel.identity import ACCESS_LIFETIME, Tokens
from app.kernel.paging import MAX_PAGE
from app.people import invitations, profile, roster, second_factor, texts
from app.people.chart import entry_id
from app.people.schemas import (
    AcceptIn,
    BeginFactorIn,
    ClinicSecondFactorOut,
    ConfirmedOut,
    ConfirmFactorIn,
    EnrolmentOut,
    InvitationIn,
    InvitationOut,
    LimitsOut,
    MemberOut,
    MembersOut,
    MeOut,
    MePatch,
    PrivilegesIn,
    ProofIn,
    RecoveryCodesOut,
    RevokeForm,
    SecondFactorOut,
    StepUpIn,
    TextsIn,
    TextsOut,
    TokenForm,
    TokenOut,
)

routes = router("people")
# What is in it is shown this once, or opens everything.
_UNKEPT: Final = {"Cache-Control": "no-store"}


@routes.post("/v1/auth/token", response_model=TokenOut, operation_id="create_token")
def create_token(visit: Public, form: Annotated[TokenForm, Form()]) -> Reply | Problem:
    """Sign in with a password, or go on with a refresh token (OAuth 2.0). An account with a second
    factor needs a code too: without one the right password is answered with 401
    `second-factor-required`, and the same request is sent again with `otp`. A wrong code is
    answered like a wrong password.
    """
    if form.grant_type == "password":
        if form.username is None or form.password is None:
            return _needed("username", "password")
        with plain.in_turn():
            made = sign_in.sign_in(
                visit.db,
                visit.issuer,
                username=form.username,
                password=form.password,
                otp=form.otp,
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


@routes.get(
    "/v1/me/second-factor", response_model=SecondFactorOut, operation_id="read_second_factor"
)
def read_second_factor(visit: Enrolling) -> Reply:
    """One's own second factor, and whether the clinic requires one."""
    return Reply(second_factor.read(visit.db, visit.caller))


@routes.post(
    "/v1/me/second-factor", response_model=EnrolmentOut, operation_id="begin_second_factor"
)
def begin_second_factor(visit: Enrolling, sent: BeginFactorIn) -> Reply | Problem:
    """Begin to set up an authenticator app. It counts once it is confirmed, within the hour; begun
    again it is another secret, and the one before is good for nothing.
    """
    with plain.in_turn():
        begun = second_factor.begin(visit.db, visit.caller, sent, visit.address, visit.now)
    return begun if isinstance(begun, Problem) else Reply(begun, headers=_UNKEPT)


@routes.post(
    "/v1/me/second-factor/confirm",
    response_model=ConfirmedOut,
    operation_id="confirm_second_factor",
)
def confirm_second_factor(visit: Enrolling, sent: ConfirmFactorIn) -> Reply | Problem:
    """The app's first code: from now on the password is not enough. The recovery codes are shown
    this once. Other sign-ins as clinician or administrator end, and the answer signs in anew.
    """
    confirmed = second_factor.confirm(visit.db, visit.issuer, visit.caller, sent, visit.now)
    if isinstance(confirmed, Problem):
        return confirmed
    answer = ConfirmedOut(
        recovery_codes=confirmed.recovery_codes, tokens=_token_out(confirmed.tokens)
    )
    return Reply(answer, headers=_UNKEPT)


@routes.post(
    "/v1/me/second-factor/recovery-codes",
    response_model=RecoveryCodesOut,
    operation_id="renew_recovery_codes",
)
def renew_recovery_codes(visit: Signed, sent: ProofIn) -> Reply | Problem:
    """Ten new recovery codes; all before them are good for nothing."""
    with plain.in_turn():
        codes = second_factor.renew_codes(visit.db, visit.caller, sent, visit.address, visit.now)
    return codes if isinstance(codes, Problem) else Reply(codes, headers=_UNKEPT)


@routes.post(
    "/v1/me/second-factor/remove",
    status_code=200,
    response_model=None,
    operation_id="remove_second_factor",
)
def remove_second_factor(visit: Signed, sent: ProofIn) -> Problem | None:
    """The password is enough again; where the clinic requires a second factor, for setting up
    another one only.
    """
    with plain.in_turn():
        return second_factor.remove(visit.db, visit.caller, sent, visit.address, visit.now)


@routes.get(
    "/v1/clinic/second-factor",
    response_model=ClinicSecondFactorOut,
    operation_id="read_clinic_second_factor",
)
def read_clinic_second_factor(visit: Signed) -> Reply:
    """What the clinic requires, who of its clinicians and administrators has a second factor, and
    what happened lately.
    """
    return Reply(second_factor.read_clinic(visit.db, visit.caller))


@routes.post(
    "/v1/clinic/members/{membership_id}/second-factor/reset",
    status_code=200,
    response_model=None,
    operation_id="reset_second_factor",
)
def reset_second_factor(visit: Signed, membership_id: str, sent: StepUpIn) -> Problem | None:
    """Take away the second factor of a colleague who lost it, and end all their sign-ins. Somebody
    who is in another clinic too is reset by whoever runs the server.
    """
    with plain.in_turn():
        return second_factor.reset(
            visit.db, visit.caller, membership_id, sent, visit.address, visit.now
        )


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
        max_attachment_bytes=PIECES_BODY,
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
    return Reply(_token_out(tokens), headers=_UNKEPT)


def _token_out(tokens: Tokens) -> TokenOut:
    standing = tokens.standing
    return TokenOut(
        access_token=tokens.access_token,
        expires_in=int(ACCESS_LIFETIME.total_seconds()),
        refresh_token=tokens.refresh_token,
        role=standing.role,
        clinic_id=standing.clinic_id,
        membership_id=standing.membership_id,
        patient_id=standing.patient_id,
        help_token=tokens.help_token,
        must_enrol=tokens.must_enrol,
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
