"""The thread, and one page a week."""

from typing import Annotated, Any, Final

from fastapi import Query
from pydantic_core import to_json

from app.kernel.edge import Reply, Signed, router
from app.kernel.fields import Day
from app.kernel.negotiation import Accept, chosen
from app.kernel.pages import HTML
from app.kernel.stretch import Since, Until, require_order
from app.people.chart import open_chart
from app.story import page, thread, week
from app.story.schemas import ThreadOut, WeekOut

routes: Final = router("story")

_JSON: Final = "application/json"
_BY_ACCEPT: Final = {"Vary": "Accept"}
_AS_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}}
}


@routes.get(
    "/v1/patients/{patient_id}/thread", response_model=ThreadOut, operation_id="read_thread"
)
def read_thread(
    visit: Signed,
    patient_id: str,
    since: Since = None,
    until: Until = None,
) -> Reply:
    """From intention to what somebody does differently: each entry with those it came from, as
    stories, as far as this reader may see.
    """
    require_order(since, until)
    chart = open_chart(visit.db, visit.caller, patient_id, thread.READ, visit.now)
    return Reply(to_json(thread.read_thread(visit.db, chart, since=since, until=until)))


@routes.get(
    "/v1/patients/{patient_id}/week",
    response_model=WeekOut,
    responses=_AS_PAGE,
    operation_id="read_week",
)
def read_week(
    visit: Signed,
    patient_id: str,
    of: Annotated[
        Day | None,
        Query(description="Any date of it, where the patient lives; this week unless given."),
    ] = None,
    accept: Accept = None,
) -> Reply:
    """What moved, what was done, what was written, what is next. To be printed (text/html) or as
    numbers, by Accept.
    """
    form = chosen(accept, (_JSON, "text/html"))
    chart = open_chart(visit.db, visit.caller, patient_id, week.READ, visit.now)
    told = week.read_week(visit.db, chart, of, visit.now)
    if form == _JSON:
        return Reply(told, headers=dict(_BY_ACCEPT))
    headers = {**_BY_ACCEPT, "Content-Security-Policy": page.POLICY}
    return Reply(page.page(visit.db, chart, told), headers=headers, media_type=HTML)
