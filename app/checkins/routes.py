"""Check-ins, and the instruments they answer."""

from functools import lru_cache
from typing import Annotated

from fastapi import Query

from app.checkins import baselines, packs, schedule, service, today
from app.checkins.protocol_schemas import ProtocolIn, ProtocolOut
from app.checkins.schemas import (
    BaselinePinIn,
    BaselinePinOut,
    CheckInIn,
    CheckInPage,
    CheckInVersions,
    ClinicInstrumentList,
    ClinicInstrumentOut,
    DueOut,
    InstrumentIn,
    InstrumentList,
    InstrumentOut,
    InstrumentSwitchIn,
    PlacedCheckInOut,
    SubmittedOut,
)
from app.clinical import instruments
from app.kernel import entries
from app.kernel.edge import Public, Reply, Signed, router
from app.kernel.errors import Problem, not_found
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.fields import Code, CountryMeant
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.wire import as_json
from app.people.chart import entry_id, open_chart, whose
from app.treatment.service import ask_doses

routes = router("check-ins")

_CHECK_INS = "/v1/patients/{patient_id}/check-ins"
Language = Annotated[
    str, Query(max_length=35, description="BCP 47, such as de-AT; English where there is no other.")
]
_CACHEABLE = {"Cache-Control": "public, max-age=3600"}


@routes.get("/v1/instruments", response_model=InstrumentList, operation_id="list_instruments")
def list_instruments(visit: Public) -> Reply:
    """Every instrument that a check-in may answer, with its items, bands, sources and notices."""
    return Reply(_all_instruments(), headers=_CACHEABLE)


@routes.get("/v1/instruments/{key}", response_model=InstrumentOut, operation_id="read_instrument")
def read_instrument(visit: Public, key: str, language: Language = "en") -> Reply:
    """One of the instruments that ship, in the best language there is."""
    try:
        definition = instruments.find(key).in_language(language).as_dict()
    except instruments.UnknownInstrument:
        raise not_found() from None
    return Reply(as_json(definition), headers=_CACHEABLE)


@routes.get(
    "/v1/clinic/instruments",
    response_model=ClinicInstrumentList,
    operation_id="list_clinic_instruments",
)
def list_clinic_instruments(visit: Signed) -> Reply:
    """What ships and what one's clinic added, and which of it is switched on."""
    listed = packs.listed(visit.db, visit.caller)
    return Reply(ClinicInstrumentList(instruments=listed))


@routes.get(
    "/v1/clinic/instruments/{key}",
    response_model=InstrumentOut,
    operation_id="read_clinic_instrument",
)
def read_clinic_instrument(
    visit: Signed,
    key: str,
    version: Annotated[str | None, Query(max_length=16)] = None,
    language: Language = "en",
) -> Reply:
    """An instrument of one's clinic, whole; also in an earlier version."""
    found = packs.definition(visit.db, visit.caller, key, version)
    return Reply(as_json(found.in_language(language).as_dict()))


@routes.put(
    "/v1/clinic/instruments/{key}",
    response_model=ClinicInstrumentOut,
    operation_id="switch_instrument",
)
def switch_instrument(visit: Signed, key: str, sent: InstrumentSwitchIn) -> Reply:
    """Offer an instrument to one's patients, or do so no more. For administrators.

    What a phone answered before it heard of that is still taken.
    """
    return Reply(packs.switch(visit.db, visit.caller, key, sent, visit.now))


@routes.post(
    "/v1/clinic/instruments",
    status_code=201,
    response_model=ClinicInstrumentOut,
    operation_id="add_instrument",
)
def add_instrument(visit: Signed, sent: InstrumentIn) -> Reply:
    """Add an instrument, as TOML in the form of those that ship. For administrators.

    A version that is there is never replaced, so that old answers keep their meaning.
    """
    added, is_new = packs.add(visit.db, visit.caller, sent, visit.now)
    return Reply(added, 201 if is_new else 200)


@routes.get("/v1/clinic/protocol", response_model=ProtocolOut, operation_id="read_protocol")
def read_protocol(visit: Signed) -> Reply:
    """What one's clinic asks when."""
    protocol = schedule.read_protocol(visit.db, visit.caller)
    return Reply(protocol, headers={"ETag": _protocol_tag(protocol.version)})


@routes.put("/v1/clinic/protocol", response_model=ProtocolOut, operation_id="publish_protocol")
def publish_protocol(visit: Signed, sent: ProtocolIn, if_match: IfMatch = None) -> Reply:
    """Put a new version in force for every patient. Earlier ones are kept. For administrators."""
    base_version = version_named(if_match) - 1
    protocol = schedule.publish_protocol(visit.db, visit.caller, sent, base_version, visit.now)
    return Reply(protocol, headers={"ETag": _protocol_tag(protocol.version)})


@routes.get("/v1/patients/{patient_id}/due", response_model=DueOut, operation_id="read_due")
def read_due(visit: Signed, patient_id: str) -> Reply:
    """What can be answered and done now and what comes next, in the patient's time zone."""
    patient = whose(visit.caller, patient_id)
    is_own = visit.caller.patient_id == patient
    asked = today.ask(visit.db, patient, visit.now, is_own=is_own)
    chart = open_chart(visit.db, visit.caller, patient_id, schedule.READ_DUE, visit.now)
    return Reply(today.read_due(visit.db, chart, asked, visit.now))


@routes.post(
    _CHECK_INS, status_code=201, response_model=SubmittedOut, operation_id="submit_check_in"
)
def submit_check_in(
    visit: Signed,
    patient_id: str,
    sent: CheckInIn,
    country: CountryMeant = None,
) -> Reply:
    """Send answers; they come back scored, with the safety block. A retry is safe.

    A clinician sends `scores`, for an instrument of which only these are kept.
    """
    doses = ask_doses(visit.db, whose(visit.caller, patient_id))
    right = service.SUBMIT_CHECK_INS if sent.scores is None else service.RECORD_SCORES
    chart = open_chart(visit.db, visit.caller, patient_id, right, visit.now)
    known = entries.known_before(visit.db, chart, service.KIND, service.CHECK_IN, sent.id)
    kept = service.submit(visit.db, chart, sent, known, visit.now)
    check_in = service.submitted(
        visit.db, chart, kept, doses=doses.of(chart), country=country, now=visit.now
    )
    return Reply(check_in, 201 if kept.is_new else 200, {"ETag": etag(check_in.version)})


@routes.get(_CHECK_INS, response_model=CheckInPage, operation_id="list_check_ins")
def list_check_ins(
    visit: Signed,
    patient_id: str,
    instrument: Annotated[Code | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Reply:
    """The patient's check-ins, newest first."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_CHECK_INS, visit.now)
    page = schedule.list_check_ins(
        visit.db, chart, instrument=instrument, cursor=cursor, limit=limit
    )
    path = _CHECK_INS.format(patient_id=patient_id)
    return Reply(page, headers=next_link(path, page.next_cursor, limit, instrument=instrument))


@routes.get(
    _CHECK_INS + "/{check_in_id}", response_model=PlacedCheckInOut, operation_id="read_check_in"
)
def read_check_in(visit: Signed, patient_id: str, check_in_id: str) -> Reply:
    """One check-in."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_CHECK_INS, visit.now)
    check_in = schedule.read_check_in(visit.db, chart, entry_id(check_in_id))
    return Reply(check_in, headers={"ETag": etag(check_in.version)})


@routes.put(
    _CHECK_INS + "/{check_in_id}", response_model=SubmittedOut, operation_id="amend_check_in"
)
def amend_check_in(
    visit: Signed,
    patient_id: str,
    check_in_id: str,
    sent: CheckInIn,
    if_match: IfMatch = None,
    country: CountryMeant = None,
) -> Reply | Problem:
    """Put other answers in the place of these. Every version stays readable; no flag is cleared."""
    base_version = version_named(if_match)
    doses = ask_doses(visit.db, whose(visit.caller, patient_id))
    right = service.SUBMIT_CHECK_INS if sent.scores is None else service.RECORD_SCORES
    chart = open_chart(visit.db, visit.caller, patient_id, right, visit.now)
    entry = entries.same_id(entry_id(check_in_id), sent.id)
    known = entries.look_up(visit.db, chart, service.KIND, service.CHECK_IN_TO_CHANGE, entry)
    try:
        with visit.db.tried():
            kept = service.amend(visit.db, chart, sent, known, base_version, visit.now)
    except Problem as problem:
        if problem.kind in entries.CONFLICTS:
            service.flag_overtaken(visit.db, chart, sent, known, visit.now)
            return problem  # and not raised: the flag is kept
        raise
    check_in = service.submitted(
        visit.db, chart, kept, doses=doses.of(chart), country=country, now=visit.now
    )
    return Reply(check_in, headers={"ETag": etag(check_in.version)})


@routes.delete(
    _CHECK_INS + "/{check_in_id}", response_model=PlacedCheckInOut, operation_id="withdraw_check_in"
)
def withdraw_check_in(
    visit: Signed, patient_id: str, check_in_id: str, if_match: IfMatch = None
) -> Reply:
    """Say that it was entered in error. It stays readable and counts no more; its flag stays."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.WITHDRAW_CHECK_INS, visit.now)
    known = entries.look_up(
        visit.db, chart, service.KIND, service.CHECK_IN_TO_CHANGE, entry_id(check_in_id)
    )
    kept = service.withdraw(visit.db, chart, known, base_version, visit.now)
    check_in = schedule.read_check_in(visit.db, chart, kept.row.id)
    return Reply(check_in, headers={"ETag": etag(check_in.version)})


@routes.get(
    _CHECK_INS + "/{check_in_id}/versions",
    response_model=CheckInVersions,
    operation_id="list_check_in_versions",
)
def list_check_in_versions(visit: Signed, patient_id: str, check_in_id: str) -> Reply:
    """A check-in as it was sent, amended and withdrawn."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_CHECK_INS, visit.now)
    return Reply(service.versions(visit.db, chart, entry_id(check_in_id)))


@routes.post(
    "/v1/patients/{patient_id}/baselines",
    status_code=201,
    response_model=BaselinePinOut,
    operation_id="pin_baseline",
)
def pin_baseline(visit: Signed, patient_id: str, sent: BaselinePinIn) -> Reply:
    """Decide which check-in an instrument's change is measured from, in place of the usual rule."""
    chart = open_chart(visit.db, visit.caller, patient_id, baselines.PIN_BASELINE, visit.now)
    pin, is_new = baselines.pin_baseline(visit.db, chart, sent, visit.now)
    return Reply(pin, 201 if is_new else 200, {"ETag": etag(pin.version)})


def _protocol_tag(version: int) -> str:
    """Tags count from 1, and the protocol that ships is version 0."""
    return etag(version + 1)


@lru_cache(1)
def _all_instruments() -> bytes:
    return as_json({"instruments": [one.as_dict() for one in instruments.shipped()]})
