"""A phone catches up."""

from typing import Annotated

from fastapi import Query

from app.kernel.edge import Reply, Signed, router
from app.kernel.fields import CountryMeant
from app.people.chart import open_chart
from app.sync import bundle, changes, service
from app.sync.schemas import BundleOut, ChangesOut, SyncIn, SyncOut

routes = router("sync")


@routes.post("/v1/sync", response_model=SyncOut, operation_id="sync")
def sync(visit: Signed, sent: SyncIn) -> Reply:
    """Up to 500 changes of one's own entries, in order; each is answered by itself.

    Sending the same upload again changes nothing. A refused change stands in no other's way.
    """
    chart = open_chart(visit.db, visit.caller, "me", service.SYNC, visit.now)
    return Reply(service.take_in(visit.db, chart, sent, visit.now))


@routes.get(
    "/v1/patients/{patient_id}/changes", response_model=ChangesOut, operation_id="read_changes"
)
def read_changes(
    visit: Signed,
    patient_id: str,
    after: Annotated[
        int, Query(ge=0, le=2**62, description="The `next_after` of the last answer.")
    ] = 0,
    limit: Annotated[
        int, Query(ge=1, le=changes.MAX_CHANGES, description="Changes looked at, at most.")
    ] = 200,
) -> Reply:
    """What happened to the record, oldest first, withdrawals included. Gaps in `seq` are normal:
    they are what this reader may not see.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, changes.READ_CHANGES, visit.now)
    return Reply(changes.read_changes(visit.db, chart, after, limit))


@routes.get(
    "/v1/patients/{patient_id}/bundle", response_model=BundleOut, operation_id="read_bundle"
)
def read_bundle(visit: Signed, patient_id: str, country: CountryMeant = None) -> Reply:
    """What a phone keeps for when there is no network: whom to call, one's own safety plan, and
    the questionnaires.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, bundle.READ_BUNDLE, visit.now)
    return Reply(bundle.read_bundle(visit.db, chart, country, visit.now))
