"""The thread, and one page a week."""

from typing import Annotated, Final

from fastapi import Query
from pydantic_core import to_json

from app.kernel.edge import Reply, Signed, router
from app.kernel.fields import Instant
from app.people.chart import open_chart
from app.story import thread
from app.story.schemas import ThreadOut

routes: Final = router("story")


@routes.get(
    "/v1/patients/{patient_id}/thread", response_model=ThreadOut, operation_id="read_thread"
)
def read_thread(
    visit: Signed,
    patient_id: str,
    since: Annotated[Instant | None, Query(description="Included.")] = None,
    until: Annotated[Instant | None, Query(description="Not included.")] = None,
) -> Reply:
    """From intention to what somebody does differently: each entry with those it came from, as
    stories, as far as this reader may see.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, thread.READ, visit.now)
    return Reply(to_json(thread.read_thread(visit.db, chart, since=since, until=until)))
