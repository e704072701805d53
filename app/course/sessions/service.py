"""Correcting a visit, and what its vital signs show with it."""

from datetime import datetime

from app.course.vital_signs import service as vital_signs
from app.kernel.db import Db
from app.kernel.entries import Known
from app.people.chart import Chart
from app.treatment import service as treatment
from app.treatment.schemas import DosingSessionIn, DosingSessionOut
from app.treatment.service import SessionRow


def amend_session(
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    known: Known[SessionRow],
    base_version: int,
    now: datetime,
) -> DosingSessionOut:
    """Correct a visit, or say what became of a planned one. Raises: Problem as
    `treatment.amend_session`.
    """
    before = known.row
    told = treatment.amend_session(db, chart, sent, known, base_version, now)
    is_retry = before is not None and told.version == before.version
    if told.vitals is None or is_retry:
        return told
    vitals = vital_signs.compute_anew(db, chart, told.id, now)
    return told.model_copy(update={"vitals": vitals})
