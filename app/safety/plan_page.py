"""The safety plan on paper: one page that needs nothing but itself.

Black on white, large enough to be read at arm's length, on A4 or Letter; the emergency number and
the crisis lines come first. It loads nothing and runs nothing, which `POLICY` has the browser
hold it to. Markup is made by `_element` alone, and everything it is given that it did not make
itself is escaped: what a patient typed, and what a clinic says in its own words.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from app.kernel.texts import say, speak
from app.safety.monitoring import MONTHS
from app.safety.schemas import CrisisLine, Help, PlanContact, SafetyPlanOut

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
h1 { font-size: 1.6em; line-height: 1.2; margin: 0 0 .6em; }
h2 { font-size: 1.15em; line-height: 1.25; margin: 1.2em 0 .3em; break-after: avoid; }
p { margin: .3em 0; }
ul { margin: 0; padding-inline-start: 1.2em; }
li { margin: .25em 0; white-space: pre-line; break-inside: avoid; }
a { color: inherit; }
.now { border: .2rem solid #000; padding: .8rem 1rem; break-inside: avoid; }
.now h2 { margin-top: .8em; }
.emergency { font-size: 2.6em; font-weight: 700; line-height: 1.1; margin: 0; }
.number { font-weight: 700; white-space: nowrap; }
footer { margin-top: 1.6em; border-top: .1rem solid #000; padding-top: .4em; }
@page { margin: 16mm; }
@media print { body { max-width: none; padding: 0; font-size: 15pt; } a { text-decoration: none; } }
"""
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
    clinic_phone: str | None,
    time_zone: str,
    locale: str,
    own: str,
) -> bytes:
    """A whole HTML document, in UTF-8.

    time_zone, locale: the patient's. own: the clinic's own texts, as JSON text.
    """
    title = speak("plan.title", locale, own)
    clinic = (
        [_element("b", clinic_name)]
        if clinic_phone is None
        else [_element("b", clinic_name), " ", _number(clinic_phone)]
    )
    made_on = _date(plan.effective_at.astimezone(ZoneInfo(time_zone)), locale, own)
    version = say("plan.version", locale, own=own, version=plan.version, date=made_on)
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
            _whom_to_call(help_here, locale, own),
            *_sections(plan, locale, own),
            _element(
                "footer",
                _element("h2", say("plan.my-clinic", locale, own=own)),
                _element("p", *clinic),
                _element("p", version),
            ),
        ),
        lang=title.language,
        # A clinic may say it in a language that is written from right to left.
        dir="auto",
    )
    return f"<!doctype html>\n{document}\n".encode()


def _whom_to_call(help_here: Help, locale: str, own: str) -> _Markup:
    inside = [_element("p", help_here.advice)]
    if help_here.emergency_number is not None:
        inside.insert(0, _element("p", _number(help_here.emergency_number), kind="emergency"))
    if help_here.crisis_lines:
        lines = [_element("li", *_line(one, locale, own)) for one in help_here.crisis_lines]
        inside.append(_element("h2", say("plan.crisis-lines", locale, own=own)))
        inside.append(_element("ul", *lines))
    return _element("section", *inside, kind="now")


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
    if line.whatsapp is not None:
        yield f" · WhatsApp {line.whatsapp}"
    for other in (line.email, line.chat_url, line.hours):
        if other is not None:
            yield f" · {other}"


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
