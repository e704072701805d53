"""The safety plan on paper: one page that needs nothing but itself.

Black on white, on A4 or Letter: the emergency number first, then the clinic's own numbers, the
one that holds now above the other, then the crisis lines, then the plan in two columns. Letters are
as large as fits one page; a plan too long for one at 9 points runs on. The page loads nothing and
runs nothing, which `POLICY` has the browser hold it to, so the size is reckoned here. Markup is
made by `_element` alone, and everything it is given that it did not make itself is escaped: what a
patient typed, and what a clinic says in its own words.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

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

_STYLE: Final = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem; background: #fff; color: #000;
  font: 1.35rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6em; line-height: 1.2; margin: 0 0 .5em; }
h2 { font-size: 1.15em; line-height: 1.25; margin: 1.1em 0 .3em; break-after: avoid; }
p { margin: .3em 0; }
ul { margin: 0; padding-inline-start: 1.2em; }
li { margin: .25em 0; white-space: pre-line; break-inside: avoid; }
a { color: inherit; }
.now { border: .2rem solid #000; padding: .8rem 1rem; break-inside: avoid; }
.now h2 { margin-top: .7em; }
.now ul { list-style: none; padding: 0; }
.emergency { font-size: 2.4em; font-weight: 700; line-height: 1.1; margin: 0; }
.ways { font-size: .85em; }
.number { font-weight: 700; white-space: nowrap; }
footer { margin-top: 1.2em; border-top: .1rem solid #000; padding-top: .3em; font-size: .85em; }
@page { margin: 12mm; }
@media print {
  body { max-width: none; padding: 0; line-height: 1.3; }
  body.size-14 { font-size: 14pt; }
  body.size-12 { font-size: 12pt; }
  body.size-10 { font-size: 10pt; }
  body.size-9 { font-size: 9pt; }
  a { text-decoration: none; }
  h1 { font-size: 1.4em; }
  li, p { margin: .15em 0; }
  .now { border-width: 1.5pt; padding: .5em .8em; }
  .now h2 { margin: .5em 0 .1em; }
  main { columns: 2; column-gap: 8mm; margin-top: .8em; }
  main section { padding-bottom: .7em; }
  main h2 { margin: 0 0 .2em; }
}
"""
_SIZES: Final = (14, 12, 10, 9)
"""Points in print, as in the style sheet."""
_PAGE_MM: Final = (186, 255)
"""What the margins leave of the narrower of A4 and Letter, and of the lower."""
_MM_OF_POINT: Final = 25.4 / 72
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""For the Content-Security-Policy of an answer with a page: this style sheet and nothing else."""


class _Markup(str):
    """Made by `_element`: not to be escaped again."""

    __slots__ = ()


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
    title = speak("plan.title", locale, own)
    made_on = _date(plan.effective_at.astimezone(ZoneInfo(time_zone)), locale, own)
    version = say("plan.version", locale, own=own, version=plan.version, date=made_on)
    said = [
        "".join(_line(one, locale, own))
        for one in (*help_here.emergency_channels, *help_here.crisis_lines)
    ]
    document = _element(
        "html",
        _element(
            "head",
            _Markup('<meta charset="utf-8">'),
            _Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            _element("title", title.text),
            _element("style", _Markup(_STYLE)),
        ),
        _element(
            "body",
            _element("h1", title.text),
            _whom_to_call(help_here, clinic_name, clinic_numbers, locale, own),
            _element("main", *_sections(plan, locale, own)),
            _element("footer", _element("p", _element("b", clinic_name), " · ", version)),
            kind=f"size-{_size(plan, said, len(clinic_numbers) + 3)}",
        ),
        lang=title.language,
        # A clinic may say it in a language that is written from right to left.
        dir="auto",
    )
    return f"<!doctype html>\n{document}\n".encode()


def _whom_to_call(
    help_here: Help, clinic_name: str, numbers: Sequence[ClinicNumber], locale: str, own: str
) -> _Markup:
    inside = [_element("p", help_here.advice)]
    if help_here.emergency_number is not None:
        inside.insert(0, _element("p", _number(help_here.emergency_number), kind="emergency"))
    if help_here.emergency_channels:
        inside.append(_element("h2", say("plan.without-a-voice", locale, own=own)))
        inside.append(_lines(help_here.emergency_channels, locale, own))
    if numbers:
        inside.append(_element("h2", say("plan.my-clinic", locale, own=own)))
        named = [_element("p", *_own_number(clinic_name, one, locale, own)) for one in numbers]
        inside += named
    if help_here.crisis_lines:
        inside.append(_element("h2", say("plan.crisis-lines", locale, own=own)))
        inside.append(_lines(help_here.crisis_lines, locale, own))
    return _element("section", *inside, kind="now")


def _lines(lines: Sequence[CrisisLine], locale: str, own: str) -> _Markup:
    return _element("ul", *(_element("li", *_line(one, locale, own)) for one in lines))


def _own_number(clinic_name: str, number: ClinicNumber, locale: str, own: str) -> Iterator[str]:
    """Which of two holds is a matter of the hour, so paper says when each does."""
    yield _element("b", clinic_name)
    yield " "
    yield _number(number.phone)
    if number.when != "always":
        yield f" ({say(f'plan.{number.when}', locale, own=own)})"


def _line(line: CrisisLine, locale: str, own: str) -> Iterator[str]:
    """One crisis line and every way to reach it."""
    yield _element("b", line.name)
    if line.phone is not None:
        yield " "
        yield _number(line.phone)
        if line.phone_note is not None:
            yield f" ({line.phone_note})"
    if line.sms is not None and line.sms_text is not None:
        words = {"words": line.sms_text, "number": line.sms}
        yield " · " + say("plan.text-words", locale, own=own, **words)
    elif line.sms is not None:
        yield " · " + say("plan.text", locale, own=own, number=line.sms)
    more = [
        None if line.whatsapp is None else f"WhatsApp {line.whatsapp}",
        None
        if line.videophone is None
        else say("plan.videophone", locale, own=own, number=line.videophone),
        None
        if line.textphone is None
        else say("plan.textphone", locale, own=own, number=line.textphone),
        *(line.video_url, line.relay_note, line.email, line.chat_url, line.hours),
    ]
    said = " · ".join(one for one in more if one is not None)
    yield _element("span", f" · {said}", kind="ways")


def _sections(plan: SafetyPlanOut, locale: str, own: str) -> Iterator[_Markup]:
    """The lists that have something in them."""
    for name in LISTS:
        entries: list[str | PlanContact] = getattr(plan, name)
        if entries:
            heading = say(f"plan.{name.replace('_', '-')}", locale, own=own)
            lines = [_element("li", *_entry(one), dir="auto") for one in entries]
            yield _element("section", _element("h2", heading), _element("ul", *lines))


def _entry(entry: str | PlanContact) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    yield entry.name
    if entry.phone is not None:
        yield " "
        yield _number(entry.phone)


def _number(number: str) -> _Markup:
    """A telephone number that a phone can dial (RFC 3966)."""
    dialled = re.sub(r"[^0-9+]", "", number)
    shown = _element("span", number, kind="number", dir="ltr")
    return _element("a", shown, href=f"tel:{dialled}") if dialled else shown


def _size(plan: SafetyPlanOut, said: Sequence[str], lines_above: int) -> int:
    """The largest letters, in points, with which it should fit one page.

    said: each line of whom to call, as markup. lines_above: how many others the box has.
    """
    lists: list[list[str | PlanContact]] = [getattr(plan, name) for name in LISTS]
    entries = [
        [one if isinstance(one, str) else f"{one.name} {one.phone or ''}" for one in several]
        for several in lists
        if several
    ]
    box = [re.sub("<[^>]*>", "", one) for one in said]
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


def _element(
    name: str,
    *inside: str,
    kind: str | None = None,
    **attributes: str,
) -> _Markup:
    """Markup of one element. inside: text, which is escaped, and other elements. kind: its class.

    attributes: their values are escaped; their names are ours.
    """
    if kind is not None:
        attributes["class"] = kind
    said = "".join(f' {one}="{escape(value)}"' for one, value in attributes.items())
    held = "".join(one if isinstance(one, _Markup) else escape(one) for one in inside)
    return _Markup(f"<{name}{said}>{held}</{name}>")
