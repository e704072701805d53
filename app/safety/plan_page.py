"""The safety plan on paper: one page that needs nothing but itself.

Black on white, on A4 or Letter: the emergency number first, then the clinic's own numbers, the
one that holds now above the other, then the crisis lines, then the plan in two columns. Letters are
as large as fits one page; a plan too long for one at 9 points runs on. The page loads nothing and
runs nothing, which `POLICY` has the browser hold it to, so the size is reckoned here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.kernel.pages import paper_policy, style_sheet, templates
from app.kernel.texts import say, speak
from app.safety.monitoring import MONTHS
from app.safety.schemas import ClinicNumber, CrisisLine, Help, PlanContact, SafetyPlanOut

LISTS: Final = (
    "signs_i_notice",
    "things_i_can_do",
    "places_and_people",
    "people_i_can_tell",
    "services_i_can_call",
    "making_home_safer",
    "reasons_to_keep_going",
)
"""The lists of a plan, in the order in which one turns to them."""

_FOLDER: Final = Path(__file__).parent
_TEMPLATES: Final = templates(_FOLDER / "templates")
_STYLE: Final = style_sheet(_FOLDER / "static" / "plan.css")
POLICY: Final = paper_policy(_STYLE)
"""For the Content-Security-Policy of an answer with a page: this style sheet and nothing else."""
_SIZES: Final = (14, 12, 10, 9)
"""Points in print, as in the style sheet."""
_PAGE_MM: Final = (186, 255)
"""What the margins leave of the narrower of A4 and Letter, and of the lower."""
_MM_OF_POINT: Final = 25.4 / 72


class _Reached(NamedTuple):
    """A crisis line and every way to reach it."""

    name: str
    phone: str | None
    phone_note: str | None
    by_text: str | None
    otherwise: str


def page(
    plan: SafetyPlanOut,
    help_here: Help,
    *,
    clinic_name: str,
    clinic_numbers: Sequence[ClinicNumber],
    time_zone: str,
    locale: str,
    own: str,
) -> bytes:
    """A whole HTML document, in UTF-8.

    time_zone, locale: the patient's. own: the clinic's own texts, as JSON text.
    """

    def say_here(key: str, **values: str | int) -> str:
        return say(f"plan.{key}", locale, own=own, **values)

    title = speak("plan.title", locale, own)
    made_on = _date(plan.effective_at.astimezone(ZoneInfo(time_zone)), locale, own)
    without_a_voice = [_reached(one, say_here) for one in help_here.emergency_channels]
    crisis_lines = [_reached(one, say_here) for one in help_here.crisis_lines]
    lists: dict[str, list[str | PlanContact]] = {name: getattr(plan, name) for name in LISTS}
    document = _TEMPLATES.get_template("plan.html").render(
        title=title,
        style=_STYLE,
        size=_size(lists, (*without_a_voice, *crisis_lines), len(clinic_numbers) + 3),
        help=help_here,
        without_a_voice=without_a_voice,
        clinic_name=clinic_name,
        clinic_numbers=clinic_numbers,
        crisis_lines=crisis_lines,
        sections=[
            (say_here(name.replace("_", "-")), entries)
            for name, entries in lists.items()
            if entries
        ],
        version=say_here("version", version=plan.version, date=made_on),
        say=say_here,
        dialled_as=_dialled,
    )
    return document.encode()


def _reached(line: CrisisLine, say_here: Callable[..., str]) -> _Reached:
    by_text = None
    if line.sms is not None and line.sms_text is not None:
        by_text = say_here("text-words", words=line.sms_text, number=line.sms)
    elif line.sms is not None:
        by_text = say_here("text", number=line.sms)
    more = [
        None if line.whatsapp is None else f"WhatsApp {line.whatsapp}",
        None if line.videophone is None else say_here("videophone", number=line.videophone),
        None if line.textphone is None else say_here("textphone", number=line.textphone),
        *(line.video_url, line.relay_note, line.email, line.chat_url, line.hours),
    ]
    otherwise = " · ".join(one for one in more if one is not None)
    note = None if line.phone is None else line.phone_note
    return _Reached(line.name, line.phone, note, by_text, otherwise)


def _dialled(number: str) -> str:
    """A telephone number as a phone dials it (RFC 3966); empty where there is none."""
    return re.sub(r"[^0-9+]", "", number)


def _size(
    lists: Mapping[str, Sequence[str | PlanContact]], called: Sequence[_Reached], lines_above: int
) -> int:
    """The largest letters, in points, with which it should fit one page.

    called: each line of whom to call. lines_above: how many others the box has.
    """
    entries = [
        [one if isinstance(one, str) else f"{one.name} {one.phone or ''}" for one in several]
        for several in lists.values()
        if several
    ]
    box = [" · ".join(part for part in one if part is not None) for one in called]
    fitting = (one for one in _SIZES if _height(one, entries, box, lines_above) <= _PAGE_MM[1])
    return next(fitting, _SIZES[-1])


def _height(
    size: int, lists: Sequence[Sequence[str]], box: Sequence[str], lines_above: int
) -> float:
    """Millimetres that the page takes, reckoned in lines of it.

    A letter is about half of the size wide, a line 1.3 of it high; an entry has 0.25 of a line
    around it, and a heading takes two lines.
    """
    letters = _PAGE_MM[0] / (0.5 * size * _MM_OF_POINT)
    in_column = (_PAGE_MM[0] - 8) / 2 / (0.5 * size * _MM_OF_POINT) - 1
    columns = sum(2 + sum(_rows(one, in_column) + 0.25 for one in several) for several in lists)
    # The title, the large number, the edges of the box and the foot are eleven lines.
    lines = 11 + lines_above * 1.25 + sum(_rows(one, letters - 4) + 0.25 for one in box)
    # Columns are never quite as long as each other.
    return (lines + columns / 2 + 1) * 1.3 * size * _MM_OF_POINT


def _rows(text: str, letters: float) -> int:
    return sum(max(1, -int(-len(line) // letters)) for line in text.split("\n"))


def _date(day: datetime, locale: str, own: str) -> str:
    month = say(f"date.{MONTHS[day.month - 1]}", locale, own=own)
    return say("plan.date", locale, own=own, day=day.day, month=month, year=day.year)
