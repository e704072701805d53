"""What stands over every page of a patient: who they are, how to reach them, where else to go.

Hides which pages there are, and which of them somebody may see.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from app.checkins import schedule
from app.console import words
from app.console.door import Shown, Visit
from app.course.courses.service import COURSES
from app.course.eligibility.service import READ_ELIGIBILITY
from app.experience.notes import NOTES
from app.goals import service as goals
from app.integration import sessions as talks
from app.kernel.db import Db
from app.people import audit, profile
from app.people.chart import Chart, Right
from app.practices import practice
from app.safety import cases
from app.safety.schemas import FlagRef, ReachOut
from app.story import thread, week
from app.treatment import service as treatment
from app.trends import service as trends

PATIENT: Final = "/console/patients/{patient_id}"
initials: Final = profile.initials
READ_SUMMARY: Final = Right("summary.read", is_for_patient=False)


class _Page(NamedTuple):
    """key: of its template, `patient_{key}.html`. path: under the patient's own."""

    right: Right
    key: str
    path: str
    label: str


class _Tab(NamedTuple):
    """One or several pages on one subject; several have a second row to choose from."""

    label: str
    pages: tuple[_Page, ...]


_TABS: Final = (
    _Tab("Summary", (_Page(READ_SUMMARY, "summary", "", "Summary"),)),
    _Tab(
        "Trajectories",
        (
            _Page(trends.READ_TRAJECTORIES, "trajectories", "/trajectories", "One scale"),
            _Page(trends.READ_TRAJECTORIES, "together", "/together", "Several together"),
            _Page(trends.READ_TRAJECTORIES, "ideation", "/ideation", "Suicidal thoughts"),
        ),
    ),
    _Tab("Flags", (_Page(cases.READ_STATE, "flags", "/flags", "Flags"),)),
    _Tab(
        "Treatment",
        (
            _Page(treatment.READ_SESSIONS, "treatment", "/treatment", "Visits"),
            _Page(COURSES.read_right, "course", "/course", "Course"),
            _Page(READ_ELIGIBILITY, "screening", "/screening", "Screening"),
        ),
    ),
    _Tab("Notes", (_Page(NOTES.read_right, "notes", "/notes", "Notes"),)),
    _Tab(
        "Integration",
        (
            _Page(thread.READ, "thread", "/thread", "Thread"),
            _Page(goals.READ, "goals", "/goals", "Goals"),
            _Page(practice.READ, "practices", "/practices", "Practices"),
            _Page(talks.READ, "integration", "/integration", "Sessions"),
            _Page(week.READ, "week", "/week", "Week"),
        ),
    ),
    _Tab("Audit", (_Page(audit.READ_AUDIT, "audit", "/audit", "Audit"),)),
)
_PARTS: Final = {
    "visit": "treatment",
    "goal": "goals",
    "session": "integration",
    "entry": "thread",
}
"""Pages that are reached from another, and stand under it."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who a patient is, and how to reach them."""

    name: str
    phone: str | None
    address: str | None
    emergency_contacts: list[ReachOut]


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere else in this record. is_here: where one is now."""

    path: str
    label: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Head:
    """What stands over every page of a patient. pages: of this tab, where it has several."""

    patient_id: UUID
    contact: Contact
    time_zone: str
    local_time: str
    enrolled_at: datetime
    open_flags: list[FlagRef]
    tabs: tuple[Link, ...]
    pages: tuple[Link, ...]
    may_record: bool


def contact_of(db: Db, chart: Chart) -> Contact:
    """For whoever has the chart open."""
    known = profile.contact_of(db, chart)
    return Contact(
        str(known["name"]),
        known.get("phone"),
        known.get("address"),
        [ReachOut.model_validate(one) for one in known.get("emergency_contacts", [])],
    )


def head(db: Db, chart: Chart, page: str, now: datetime) -> Head:
    """What stands over a page of this patient. page: its key."""
    tabs, pages = _links(chart, _PARTS.get(page, page))
    sees_flags = cases.READ_STATE.is_granted(chart)
    flags = db.all(cases.FLAGS_OF_PATIENT, patient_id=chart.patient_id) if sees_flags else []
    return Head(
        patient_id=chart.patient_id,
        contact=contact_of(db, chart),
        time_zone=chart.time_zone,
        local_time=f"{now.astimezone(schedule.zone_of(chart.time_zone)):%H:%M}",
        enrolled_at=chart.enrolled_at,
        open_flags=[flag.ref() for flag in flags if flag.status != "resolved"],
        tabs=tabs,
        pages=pages,
        may_record=treatment.RECORD_SESSIONS.is_granted(chart),
    )


def shown(
    visit: Visit,
    chart: Chart,
    page: str,
    label: str,
    view: object,
    *,
    status: int = 200,
    done: str = "",
) -> Shown:
    """A page of this patient's. page: its key. done: what they did before, as `words.DONE`."""
    above = head(visit.db, chart, page, visit.now)
    return Shown(
        f"patient_{page}.html",
        f"{initials(above.contact.name)} {label}",
        view,
        section="caseload",
        status=status,
        said=words.DONE.get(done, ""),
        extra={"head": above},
    )


def _links(chart: Chart, here: str) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """The tabs that this reader has, and the pages of the one they are on."""
    root = f"/console/patients/{chart.patient_id}"
    tabs: list[Link] = []
    beside: tuple[Link, ...] = ()
    for tab in _TABS:
        granted = [page for page in tab.pages if page.right.is_granted(chart)]
        if not granted:
            continue
        is_here = any(page.key == here for page in granted)
        tabs.append(Link(root + granted[0].path, tab.label, is_here))
        if is_here and len(granted) > 1:
            beside = tuple(Link(root + page.path, page.label, page.key == here) for page in granted)
    return tuple(tabs), beside
