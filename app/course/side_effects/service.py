"""The rules of side effects."""

from datetime import datetime
from typing import Any, Final

from app.clinical import side_effects
from app.course.side_effects.schemas import SideEffectIn, SideEffectOut
from app.course.side_effects.tables import SideEffect
from app.journal import links
from app.journal.danger import Danger
from app.journal.shelf import Kept, Shelf
from app.kernel.db import Db
from app.kernel.errors import Kind, Problem, invalid
from app.people.chart import CARE, Chart, Right
from app.treatment import service as treatment


def _derive(
    db: Db, chart: Chart, sent: SideEffectIn, _: Kept, before: Kept | None, __: datetime
) -> dict[str, Any]:
    """Who told of it first. A clock is no reason to refuse what may be a danger; a contradiction
    is.
    """
    if sent.code == "other" and sent.words is None:
        raise invalid("/words", "is required with other")
    if sent.resolved_at is not None and sent.resolved_at < sent.onset_at:
        raise invalid("/resolved_at", "must not be before the onset")
    session_id = sent.dosing_session_id
    known = before.plain["dosing_session_id"] if before else None
    if session_id not in {None, known} and not links.is_known(
        db, chart, treatment.KIND, session_id
    ):
        raise invalid("/dosing_session_id", "is not one of the patient's dosing sessions")
    if before is not None:
        return {"reported_by": before.plain["reported_by"]}
    return {"reported_by": "patient" if chart.is_own else "clinician"}


def _danger(entry: SideEffectOut) -> Danger | None:
    finding = side_effects.finding(entry.code, entry.severity)
    if finding is None:
        return None
    # What has passed is as old as its end; what lasts is as new as the word of it.
    if entry.resolved_at is None:
        return Danger(finding, entry.effective_at, lasts=True)
    return Danger(finding, min(entry.effective_at, entry.resolved_at))


def _guard(chart: Chart, entry: SideEffectOut) -> None:
    if chart.is_own and entry.reported_by != "patient":
        raise Problem(Kind.FORBIDDEN)


SIDE_EFFECTS: Final = Shelf(
    "side_effect",
    SideEffect,
    SideEffectIn,
    SideEffectOut,
    created="reported",
    read=Right("side_effects.read"),
    write=Right("side_effects.report", privileges=CARE),
    derive=_derive,
    tells=_danger,
    guard=_guard,
    listed_by="dosing_session_id",
)
