"""The inbox of flags, the safety plan, and whom to call."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import HTMLResponse

from app.kernel import events
from app.kernel.edge import Calling, Live, Public, Reply, Signed, router
from app.kernel.etag import IfMatch, etag, opaque_version_named, version_named
from app.kernel.fields import CountryMeant
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.texts import best_locale, shipped_for
from app.people.chart import entry_id, open_chart, open_for_call
from app.safety import calls, cases, deliveries, hours, inbox, plan, policies, stream
from app.safety.crisis import country_meant, help_in
from app.safety.plan_page import POLICY
from app.safety.schemas import (
    CommentIn,
    ContactIn,
    DeliveryPage,
    EscalationIn,
    EscalationOut,
    FlagIn,
    FlagPage,
    FlagState,
    FlagStatePage,
    HandOverIn,
    Help,
    HoursIn,
    HoursOut,
    RaisedOut,
    ResolveIn,
    SafetyPlanIn,
    SafetyPlanOut,
    SafetyPlanVersions,
    WrittenSafetyPlanOut,
)
from app.safety.service import unasked_block

routes = router("safety")

_CACHEABLE = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Language"}


@routes.get("/v1/flags", response_model=FlagPage, operation_id="list_flags")
def list_flags(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Flags that nobody has resolved, worst first, then oldest first."""
    page = inbox.list_flags(visit.db, visit.caller, after=cursor, limit=limit, now=visit.now)
    return Reply(page, headers=next_link("/v1/flags", page.next_cursor, limit))


class _Events(Response):
    """For the specification: FastAPI describes its own events in words of OpenAPI 3.2."""

    media_type = events.MEDIA


def live(hub: stream.Hub) -> APIRouter:
    """The inbox as it changes."""
    following = router("safety")

    @following.get(
        "/v1/flags/stream",
        response_model=None,
        response_class=_Events,
        operation_id="stream_flags",
    )
    def stream_flags(visit: Signed) -> Live:
        """Flags as they change, for clinicians and administrators. These are server-sent events:
        `snapshot`, each open flag that you may see, first of all, at most 200, the worst and
        oldest, then `live` (`open`, `is_complete`); `flag`, one was raised, joined,
        acknowledged, handed over, written on or resolved (`id`, `version`, `kind`, `level`,
        `status`, `round`, `is_historic`; read the inbox for more); `gone`, you may not see it
        any more (`id`); `interrupted`, changes are not heard right now, and snapshots and `live`
        follow when they are; `sign-in-again`, the access token or the membership ended. A
        comment comes every 15 seconds: without one the connection is lost. Connect again at any
        time; the snapshot tells what was missed, whatever Last-Event-ID says. The token goes
        into the Authorization header and nowhere else, so read it with `fetch`: a browser's
        EventSource cannot send it. Five streams each at once.
        """
        return stream.follow(visit.db, hub, visit.caller, visit.now)

    return following


_FLAG = "/v1/flags/{flag_id}"
_FLAGS_OF_PATIENT = "/v1/patients/{patient_id}/flags"


@routes.post(
    "/v1/patients/me/flags",
    status_code=201,
    response_model=RaisedOut,
    operation_id="call_for_help",
)
def call_for_help(visit: Calling, sent: FlagIn, country: CountryMeant = None) -> Reply:
    """I need help. Takes almost any body, and the help token that signing in gave: it is good for
    this alone, for a year, whatever became of the account.
    """
    chart = open_for_call(visit.db, visit.caller)
    raised, is_new = calls.call_for_help(visit.db, chart, sent, country=country, now=visit.now)
    return Reply(raised, 201 if is_new else 200)


@routes.post(
    _FLAGS_OF_PATIENT, status_code=201, response_model=RaisedOut, operation_id="raise_flag"
)
def raise_flag(visit: Signed, patient_id: str, sent: FlagIn) -> Reply:
    """A clinician is worried about a patient of theirs."""
    chart = open_chart(visit.db, visit.caller, patient_id, calls.RAISE_FLAGS, visit.now)
    raised, is_new = calls.raise_concern(visit.db, chart, sent, visit.now)
    return Reply(raised, 201 if is_new else 200)


@routes.get(_FLAGS_OF_PATIENT, response_model=FlagStatePage, operation_id="list_patient_flags")
def list_patient_flags(visit: Signed, patient_id: str) -> Reply:
    """A patient's flags, and what was done about them. A patient sees who and when, no notes."""
    chart = open_chart(visit.db, visit.caller, patient_id, cases.READ_STATE, visit.now)
    return Reply(cases.states(visit.db, chart))


@routes.post(_FLAG + "/acknowledge", response_model=FlagState, operation_id="acknowledge_flag")
def acknowledge_flag(visit: Signed, flag_id: str) -> Reply:
    """I am seeing to this. Once a round; somebody else is told who was first (409)."""
    flag = cases.acknowledge(visit.db, visit.caller, entry_id(flag_id), visit.now)
    return _told(flag)


@routes.post(_FLAG + "/hand-over", response_model=FlagState, operation_id="hand_over_flag")
def hand_over_flag(visit: Signed, flag_id: str, sent: HandOverIn) -> Reply:
    """Give it to another clinician, who is told at once."""
    return _told(cases.hand_over(visit.db, visit.caller, entry_id(flag_id), sent, visit.now))


@routes.post(_FLAG + "/contacts", response_model=FlagState, operation_id="record_contact")
def record_contact(visit: Signed, flag_id: str, sent: ContactIn) -> Reply:
    """Keep that somebody was spoken to, or could not be reached."""
    return _told(cases.record_contact(visit.db, visit.caller, entry_id(flag_id), sent, visit.now))


@routes.post(_FLAG + "/comments", response_model=FlagState, operation_id="comment_on_flag")
def comment_on_flag(visit: Signed, flag_id: str, sent: CommentIn) -> Reply:
    """A note for one's colleagues; the patient never sees it."""
    return _told(cases.comment(visit.db, visit.caller, entry_id(flag_id), sent, visit.now))


@routes.post(_FLAG + "/resolve", response_model=FlagState, operation_id="resolve_flag")
def resolve_flag(visit: Signed, flag_id: str, sent: ResolveIn) -> Reply:
    """Close it, with what was decided and why. Only a clinician can."""
    return _told(cases.resolve(visit.db, visit.caller, entry_id(flag_id), sent, visit.now))


def _told(flag: FlagState) -> Reply:
    return Reply(flag, headers={"ETag": etag(flag.version)})


@routes.get(_FLAG + "/deliveries", response_model=DeliveryPage, operation_id="list_flag_deliveries")
def list_flag_deliveries(
    visit: Signed, flag_id: str, cursor: Cursor = None, limit: Limit = 50
) -> Reply:
    """Every attempt to tell somebody of this flag, newest first; for whoever sees the flag."""
    flag_uuid = entry_id(flag_id)
    page = deliveries.list_flag_deliveries(
        visit.db, visit.caller, flag_uuid, after=cursor, limit=limit, now=visit.now
    )
    path = f"/v1/flags/{flag_uuid}/deliveries"
    return Reply(page, headers=next_link(path, page.next_cursor, limit))


@routes.get(
    "/v1/clinic/alert-deliveries", response_model=DeliveryPage, operation_id="list_deliveries"
)
def list_deliveries(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Every attempt to tell somebody of a flag, newest first. For administrators: who was written
    to, by what, and what came of it; nothing of a patient.
    """
    page = deliveries.list_deliveries(
        visit.db, visit.caller, after=cursor, limit=limit, now=visit.now
    )
    return Reply(page, headers=next_link("/v1/clinic/alert-deliveries", page.next_cursor, limit))


_PLAN = "/v1/patients/{patient_id}/safety-plan"


@routes.get(_PLAN, response_model=SafetyPlanOut, operation_id="read_safety_plan")
def read_safety_plan(visit: Signed, patient_id: str) -> Reply:
    """What the patient means to do when it gets hard. 404 until they have written it."""
    chart = open_chart(visit.db, visit.caller, patient_id, plan.READ_PLAN, visit.now)
    found = plan.read_plan(visit.db, chart)
    return Reply(found, headers={"ETag": _plan_tag(found.version)})


@routes.put(_PLAN, response_model=WrittenSafetyPlanOut, operation_id="write_safety_plan")
def write_safety_plan(
    visit: Signed, patient_id: str, sent: SafetyPlanIn, if_match: IfMatch = None
) -> Reply:
    """Write one's own plan, all of it; nobody else can. If-Match is `"1"` until there is one, and
    then the ETag of what was read.
    """
    base_version = version_named(if_match) - 1
    chart = open_chart(visit.db, visit.caller, patient_id, plan.WRITE_PLAN, visit.now)
    known = plan.look_up(visit.db, chart)
    written, _ = plan.write_plan(visit.db, chart, sent, known, base_version, visit.now)
    safety = unasked_block(visit.db, chart, visit.now)
    answer = WrittenSafetyPlanOut(**dict(written), safety=safety)
    return Reply(answer, headers={"ETag": _plan_tag(written.version)})


@routes.get(
    _PLAN + "/versions",
    response_model=SafetyPlanVersions,
    operation_id="list_safety_plan_versions",
)
def list_safety_plan_versions(visit: Signed, patient_id: str) -> Reply:
    """The plan as it was from its first version on."""
    chart = open_chart(visit.db, visit.caller, patient_id, plan.READ_PLAN, visit.now)
    return Reply(plan.plan_versions(visit.db, chart))


@routes.get(
    _PLAN + "/page",
    response_model=None,
    response_class=HTMLResponse,
    operation_id="read_safety_plan_page",
)
def read_safety_plan_page(visit: Signed, patient_id: str, country: CountryMeant = None) -> Reply:
    """The plan to be printed, in the patient's language, with whom to call first. It needs no
    network once it is there.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, plan.READ_PLAN, visit.now)
    printed = plan.plan_page(visit.db, chart, country, visit.now)
    headers = {"Content-Security-Policy": POLICY}
    return Reply(printed, headers=headers, media_type="text/html; charset=utf-8")


def _plan_tag(version: int) -> str:
    """Tags count from 1, and the plan that nobody has written yet is version 0."""
    return etag(version + 1)


@routes.get("/v1/clinic/escalation", response_model=EscalationOut, operation_id="read_escalation")
def read_escalation(visit: Signed) -> Reply:
    """Who is told of a flag that nobody answers, when, and by what."""
    policy = policies.read_policy(visit.db, visit.caller)
    return Reply(policy, headers={"ETag": etag(policy.version + 1)})


@routes.put(
    "/v1/clinic/escalation", response_model=EscalationOut, operation_id="publish_escalation"
)
def publish_escalation(visit: Signed, sent: EscalationIn, if_match: IfMatch = None) -> Reply:
    """Put a new version in force, for rounds that begin from now on. For administrators."""
    base_version = version_named(if_match) - 1  # tags count from 1; what ships is version 0
    policy = policies.publish_policy(visit.db, visit.caller, sent, base_version, visit.now)
    return Reply(policy, headers={"ETag": etag(policy.version + 1)})


@routes.get("/v1/clinic/hours", response_model=HoursOut, operation_id="read_hours")
def read_hours(visit: Signed) -> Reply:
    """When one's clinic says that it is on duty. For those who work there."""
    return _hours_reply(hours.read_hours(visit.db, visit.caller))


@routes.put("/v1/clinic/hours", response_model=HoursOut, operation_id="declare_hours")
def declare_hours(visit: Signed, sent: HoursIn, if_match: IfMatch = None) -> Reply:
    """Say when the clinic is on duty, from now on. Patients are told so, and flags escalate by it.
    For administrators.
    """
    base_version = opaque_version_named(if_match)
    shifts = {day: [(begins, ends) for begins, ends in of] for day, of in sent.hours.items()}
    return _hours_reply(
        hours.declare_hours(
            visit.db, visit.caller, shifts, sent.holidays, base_version, sent.time_zone
        )
    )


def _hours_reply(held: hours.Hours) -> Reply:
    told = HoursOut(
        version=held.version,
        time_zone=held.time_zone,
        hours={day: [list(one) for one in of_day] for day, of_day in held.shifts.items()},
        holidays=held.holidays,
    )
    return Reply(told, headers={"ETag": etag(held.version)})


@routes.get("/v1/crisis-lines", response_model=Help, operation_id="read_crisis_lines")
def read_crisis_lines(
    visit: Public,
    country: Annotated[
        str, Query(max_length=256, examples=["DE"], description="ISO 3166-1 alpha-2.")
    ],
    accept_language: Annotated[
        str | None,
        Header(
            description="Of the advice; what cannot be read asks for English.",
            # Told and not held: no header is a reason to refuse somebody these numbers.
            json_schema_extra={"maxLength": 1000},
        ),
    ] = None,
) -> Reply:
    """Whom to call in a country, for a phone to keep before it is needed."""
    language = shipped_for(best_locale(accept_language))
    return Reply(help_in(country_meant(country) or "", language), headers=_CACHEABLE)
