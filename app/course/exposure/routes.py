"""What was given so far."""

from typing import Final

from app.course.exposure import service
from app.course.exposure.schemas import ExposureOut
from app.kernel.edge import Reply, Signed, router
from app.people.chart import open_chart

routes: Final = router("course")


@routes.get(
    "/v1/patients/{patient_id}/exposure", response_model=ExposureOut, operation_id="read_exposure"
)
def read_exposure(visit: Signed, patient_id: str) -> Reply:
    """Doses, milligrams and spacing by drug and route, never added across; sessions by drug; and
    what to ask after.

    No advice on a dose.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_EXPOSURE, visit.now)
    return Reply(service.read_exposure(visit.db, chart, visit.now))
