"""The week as one page to be printed, on A4 or Letter.

It says what the JSON says and computes nothing. What would not fit is counted, not shown.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.kernel.db import Db
from app.kernel.pages import paper_policy, style_sheet, templates
from app.people.admission import open_contact
from app.people.chart import Chart, ClinicFacts
from app.people.profile import PROFILE, initials
from app.story.schemas import WeekOut

_FOLDER: Final = Path(__file__).parent
_TEMPLATES: Final = templates(_FOLDER / "templates")
_STYLE: Final = style_sheet(_FOLDER / "static" / "week.css")
POLICY: Final = paper_policy(_STYLE)
"""For the Content-Security-Policy of the page."""
_KINDS: Final = {
    "intention": "intention",
    "note": "note",
    "insight": "insight",
    "goal": "goal",
    "practice": "practice",
    "coping_strategy": "coping strategy",
    "dosing_session": "dosing session",
    "integration_session": "integration session",
}
_LINE: Final = 80
_CELL: Final = 44
"""Characters of anybody's words in one line of the page, and in the first cell of a row."""


class Shown(NamedTuple):
    """As many rows as there is room for, and how many more there are."""

    rows: list[Any]
    more: int


def page(db: Db, chart: Chart, told: WeekOut) -> bytes:
    """The page, in UTF-8."""
    contact = db.one(PROFILE, patient_id=chart.patient_id).contact
    name = str(open_contact(chart.data_key, chart.patient_id, contact)["name"])
    return rendered(told, name, chart.clinic, is_own=chart.is_own)


def rendered(told: WeekOut, name: str, clinic: ClinicFacts, *, is_own: bool) -> bytes:
    """The page. name: the patient's. is_own: whether they are who reads it."""
    text = _TEMPLATES.get_template("week.html").render(
        week=told,
        name=name,
        initials=initials(name),
        clinic=clinic,
        style=_STYLE,
        kinds=_KINDS,
        line=_line,
        cell=lambda words: _line(words, _CELL),
        reader="patient" if is_own else "clinician",
        scores=_first(told.scores, 6),
        goals=_first(told.goals, 3),
        practices=_first(told.practices, 4),
        steps_done=_first(told.steps_done, 3),
        written=_first(told.written, 5),
        doses=_first(told.doses, 3),
        missed=_first(told.missed_windows, 1),
        flags=_first(told.flags, 2),
        overdue=_first(told.steps_overdue, 2),
        steps_next=_first(told.steps_next, 3),
        planned=_first(told.planned, 3),
        due=_first(told.due, 3),
    )
    return text.encode()


def _first(rows: Sequence[Any], most: int) -> Shown:
    return Shown(list(rows[:most]), max(0, len(rows) - most))


def _line(words: str, most: int = _LINE) -> str:
    """What fits in one line."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
