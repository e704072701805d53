"""What was given at a visit, as a form: read strictly, refused by row, filled in as it stands."""

from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from app.console.forms import Fields, instant, read, wall
from app.console.pages import milligrams
from app.console.treatment.acts import NO_NUMBER, Refused, numeric
from app.console.words import spoken
from app.course.courses.schemas import CourseOut
from app.kernel.errors import Kind, Problem
from app.people.chart import Chart
from app.treatment.schemas import DosingSessionIn, DosingSessionOut

ROUTES: Final = ("im", "iv", "subcutaneous", "intranasal", "sublingual", "oral")
STATUSES: Final = ("completed", "in-progress", "not-done", "preparation")
ROWS: Final = 3
"""Administrations that the form has room for; the API takes more."""
NO_COURSE: Final = "none"
_OF_VISIT: Final = {
    "status": "What became of the visit",
    "course_id": "Course",
    "started_at": "Begin of the visit",
    "ended_at": "End of the visit",
    "weight_kg": "Weight in kg",
    "setting": "Where",
    "recorded_by": "Who records what happens",
    "emergency_plan": "What happens in an emergency",
}
_TIMES: Final = ("started_at", "ended_at")
SETTINGS: Final = ("clinic", "home", "practitioner-home")
RECORDERS: Final = ("clinician", "companion", "patient")
_OF_DOSE: Final = {
    "drug": "Drug",
    "route": "Route",
    "dose_mg": "Dose in mg",
    "given_at": "Given at",
}


@dataclass(frozen=True, slots=True)
class VisitForm:
    """The form. id: of a new visit, made with the form, so that sending it twice makes one.

    courses: to choose from, with words; empty where there is none.
    """

    fields: Fields
    id: UUID
    version: int
    rows: range
    routes: tuple[str, ...]
    statuses: tuple[str, ...]
    settings: tuple[str, ...]
    recorders: tuple[str, ...]
    courses: list[tuple[str, str]]
    zone: str


_NOT_SHOWN: Final = {
    name for name in DosingSessionIn.model_fields if name in DosingSessionOut.model_fields
} - {"id", "administrations", *_OF_VISIT}


def empty(name: str) -> Fields:
    """The form with nothing in it. name: unique on its page."""
    labels = {**_OF_VISIT}
    for row in range(ROWS):
        which = f" ({row + 1})" if row else ""
        labels |= {f"{field}{row}": f"{label}{which}" for field, label in _OF_DOSE.items()}
    return Fields(name, labels)


def filled_in(session: DosingSessionOut, chart: Chart) -> Fields:
    """The form as it would have been filled in."""
    zone = chart.clinic.time_zone
    values: dict[str, str | list[str]] = {
        "status": session.status,
        "course_id": str(session.course_id or NO_COURSE),
        "started_at": wall(session.started_at, zone),
        "ended_at": wall(session.ended_at, zone),
        "weight_kg": "" if session.weight_kg is None else f"{session.weight_kg:g}",
        "setting": session.setting or "",
        "recorded_by": session.recorded_by or "",
        "emergency_plan": session.emergency_plan or "",
    }
    for row, one in enumerate(session.administrations[:ROWS]):
        values |= {
            f"drug{row}": one.drug,
            f"route{row}": one.route,
            f"dose_mg{row}": milligrams(one.dose_mg),
            f"given_at{row}": wall(one.given_at, zone),
        }
    return replace(empty("visit"), values=values)


def read_visit(
    fields: Fields, chart: Chart, session_id: UUID, stood: DosingSessionOut | None = None
) -> DosingSessionIn:
    """stood: the visit as it was. The form knows minutes; a time that nobody changed keeps its
    seconds.

    Raises: Problem INVALID, Refused.
    """
    wrong = fields
    given: list[dict[str, Any]] = []
    status = fields.value("status")
    zone = chart.clinic.time_zone
    at: dict[str, str] = {}
    own = _instants(stood, zone)
    # A row that was taken out moves the ones behind it.
    kept = {written: said for (_, written), said in own.items()}
    for name in [*_TIMES, *(f"given_at{row}" for row in range(ROWS))]:
        try:
            written = fields.value(name)
            at[name] = own.get((name, written)) or kept.get(written) or instant(written, zone)
        except ValueError as error:
            wrong = wrong.wrong_at(name, str(error))
    for row in _rows(fields):
        dose = numeric(fields.value(f"dose_mg{row}"))
        if dose is None or isinstance(dose, str):
            wrong = wrong.wrong_at(f"dose_mg{row}", NO_NUMBER)
        if not fields.value(f"given_at{row}"):
            wrong = wrong.wrong_at(f"given_at{row}", "is required")
        given.append(
            {
                "drug": fields.value(f"drug{row}").strip().lower(),
                "route": fields.value(f"route{row}"),
                "dose_mg": dose,
                "given_at": at.get(f"given_at{row}", ""),
            }
        )
    if wrong.errors:
        raise Refused(wrong)
    # What the form does not show stands as it was.
    stands = stood.model_dump(mode="json", include=_NOT_SHOWN) if stood is not None else {}
    return read(
        DosingSessionIn,
        {
            **stands,
            "id": str(session_id),
            "status": status,
            "course_id": _course(fields, stood),
            "started_at": at["started_at"],
            "ended_at": at["ended_at"],
            "weight_kg": numeric(fields.value("weight_kg")),
            "setting": fields.value("setting"),
            "recorded_by": fields.value("recorded_by"),
            "emergency_plan": fields.value("emergency_plan").strip(),
            "administrations": given,
        },
    )


def _course(fields: Fields, stood: DosingSessionOut | None) -> str | None:
    """Which course was chosen; as it was, where nothing was."""
    chosen = fields.value("course_id")
    if not chosen and stood is not None and stood.course_id is not None:
        return str(stood.course_id)
    return None if chosen == NO_COURSE else chosen


def _instants(stood: DosingSessionOut | None, zone: str) -> dict[tuple[str, str], str]:
    """What a visit says, by field and how the form writes it."""
    if stood is None:
        return {}
    said = {"started_at": stood.started_at, "ended_at": stood.ended_at}
    said |= {f"given_at{row}": one.given_at for row, one in enumerate(stood.administrations)}
    return {(name, wall(at, zone)): at.isoformat() for name, at in said.items() if at is not None}


def _rows(fields: Fields) -> list[int]:
    """Rows with something in them. What stands in the first without a dose is suggested there."""
    return [
        row
        for row in range(ROWS)
        if fields.value(f"dose_mg{row}").strip()
        or fields.value(f"given_at{row}").strip()
        or (row and fields.value(f"drug{row}").strip())
    ]


def refused(fields: Fields, problem: Problem) -> Fields:
    """With what is wrong, at the row that was typed."""
    rows = _rows(fields)
    told = []
    for fault in problem.faults:
        parts = fault.pointer.split("/")
        if len(parts) == 4 and parts[1] == "administrations":
            fault = fault._replace(pointer=f"/{parts[3]}{rows[int(parts[2])]}")  # noqa: PLW2901
        elif parts[1:] == ["administrations"]:
            fault = fault._replace(pointer="/dose_mg0")  # noqa: PLW2901
        told.append(fault)
    if problem.kind is Kind.ID_REUSED:
        return fields.wrong_at("", "was sent before with other values; open the page again")
    return fields.refused(Problem(problem.kind, problem.detail, told))


def form_of(
    fields: Fields, form_id: UUID, of_version: int, chart: Chart, courses: list[CourseOut]
) -> VisitForm:
    """The form as a page shows it. courses: that the visit may be part of."""
    named = [
        (str(one.id), f"{spoken(one.indication)}, {spoken(one.status).lower()}") for one in courses
    ]
    if named:
        named.append((NO_COURSE, "No course"))
    zone = chart.clinic.time_zone
    return VisitForm(
        fields=fields,
        id=form_id,
        version=of_version,
        rows=range(ROWS),
        routes=ROUTES,
        statuses=STATUSES,
        settings=SETTINGS,
        recorders=RECORDERS,
        courses=named,
        zone=zone,
    )
