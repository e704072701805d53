"""Check-ins, and the instruments they answer."""

from functools import lru_cache
from typing import Annotated

from fastapi import Query

from app.checkins import baselines, service
from app.checkins.schemas import (
    BaselinePinIn,
    BaselinePinOut,
    CheckInIn,
    CheckInOut,
    CheckInPage,
    InstrumentList,
    InstrumentOut,
    SubmittedOut,
)
from app.clinical import instruments
from app.kernel.edge import Public, Reply, Signed, router
from app.kernel.errors import not_found
from app.kernel.etag import etag
from app.kernel.fields import Code
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.wire import as_json
from app.people.chart import entry_id, open_chart, whose
from app.treatment.service import ask_doses

routes = router("check-ins")

_CHECK_INS = "/v1/patients/{patient_id}/check-ins"
_CACHEABLE = {"Cache-Control": "public, max-age=3600"}


@routes.get("/v1/instruments", response_model=InstrumentList, operation_id="list_instruments")
def list_instruments(visit: Public) -> Reply:
    """Every instrument that a check-in may answer, with its items, bands, sources and notices."""
    return Reply(_all_instruments(), headers=_CACHEABLE)


@routes.get("/v1/instruments/{key}", response_model=InstrumentOut, operation_id="read_instrument")
def read_instrument(visit: Public, key: str) -> Reply:
    """One instrument."""
    try:
        definition = instruments.find(key).as_dict()
    except instruments.UnknownInstrument:
        raise not_found() from None
    return Reply(as_json(definition), headers=_CACHEABLE)


@routes.post(
    _CHECK_INS, status_code=201, response_model=SubmittedOut, operation_id="submit_check_in"
)
def submit_check_in(
    visit: Signed,
    patient_id: str,
    sent: CheckInIn,
    country: Annotated[
        str | None,
        Query(
            max_length=256,
            examples=["DE"],
            description="ISO 3166-1 alpha-2: where the patient is now, for the crisis lines. What"
            " cannot be read is passed over for their profile's, then the clinic's.",
        ),
    ] = None,
) -> Reply:
    """Send answers; they come back scored, with the safety block. A retry is safe."""
    doses = ask_doses(visit.db, whose(visit.caller, patient_id))
    chart = open_chart(visit.db, visit.caller, patient_id, service.SUBMIT_CHECK_INS, visit.now)
    check_in, is_new = service.submit(
        visit.db, chart, sent, doses=doses, country=country, now=visit.now
    )
    return Reply(check_in, 201 if is_new else 200, {"ETag": etag(check_in.version)})


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
    page = service.list_newest(visit.db, chart, instrument=instrument, cursor=cursor, limit=limit)
    path = _CHECK_INS.format(patient_id=patient_id)
    return Reply(page, headers=next_link(path, page.next_cursor, limit, instrument=instrument))


@routes.get(_CHECK_INS + "/{check_in_id}", response_model=CheckInOut, operation_id="read_check_in")
def read_check_in(visit: Signed, patient_id: str, check_in_id: str) -> Reply:
    """One check-in."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_CHECK_INS, visit.now)
    check_in = service.read(visit.db, chart, entry_id(check_in_id))
    return Reply(check_in, headers={"ETag": etag(check_in.version)})


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


@lru_cache(1)
def _all_instruments() -> bytes:
    return as_json({"instruments": [one.as_dict() for one in instruments.shipped()]})
