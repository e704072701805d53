"""How a page is made: templates, what stands around every page, and the files beside them.

Everything that is put into a template is escaped. A value that a template asks for and that is not
there is an error and not an empty place. Files are named after their content, so that a browser
keeps them for ever and never has an old one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.console import words
from app.console.session import IDLE, SignedIn
from app.people.chart import CARE
from app.trends import assets

_HERE: Final = Path(__file__).parent
STATIC: Final = "/console/static/"
_MEDIA: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of ours. name: with a part that is made of its content."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go to from every page."""

    section: str
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Chrome:
    """What stands around a page of somebody who is signed in. token: of their forms.

    must_enrol: they get no further than to their second factor.
    """

    name: str
    clinic: str
    time_zone: str
    role: str
    links: tuple[Link, ...]
    token: str
    now: datetime
    must_enrol: bool

    @classmethod
    def of(cls, signed_in: SignedIn, token: str, now: datetime) -> "Chrome":
        """For this session."""
        return cls(
            signed_in.name,
            signed_in.clinic_name,
            signed_in.time_zone,
            signed_in.caller.role,
            _links(signed_in),
            token,
            now,
            signed_in.must_enrol,
        )


_CASELOAD: Final = Link("caseload", "/console/caseload", "Caseload")
_FLAGS: Final = Link("flags", "/console/flags", "Flags")
_CLINIC: Final = Link("clinic", "/console/clinic", "Clinic")
_PEOPLE: Final = Link("people", "/console/people", "People")


_OUTCOMES: Final = Link("outcomes", "/console/outcomes", "Outcomes")


def _links(signed_in: SignedIn) -> tuple[Link, ...]:
    if signed_in.must_enrol:
        return ()
    if signed_in.caller.role == "administrator":
        return _FLAGS, _OUTCOMES, _PEOPLE, _CLINIC
    if CARE.isdisjoint(signed_in.privileges):
        return _CLINIC, _PEOPLE
    return _CASELOAD, _FLAGS, _OUTCOMES, _PEOPLE, _CLINIC


def render(template: str, chrome: Chrome | None, **given: Any) -> bytes:
    """A page as it leaves. chrome: None for somebody who is not signed in."""
    zone = ZoneInfo(chrome.time_zone) if chrome else UTC
    now = chrome.now if chrome else None
    given = {"said": "", "problem": None, **given}
    page = _templates().get_template(template)
    return page.render(
        chrome=chrome,
        zone=zone,
        now=now,
        idle_seconds=int(IDLE.total_seconds()),
        **given,
    ).encode()


@lru_cache(1)
def static_files() -> dict[str, StaticFile]:
    """By the name that they are served under."""
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        if path.suffix not in _MEDIA:
            continue
        content = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:16]}{path.suffix}"
        found[name] = StaticFile(name, _MEDIA[path.suffix], content)
    return found


@lru_cache(1)
def _addresses() -> dict[str, str]:
    """Where a file is, by the name that it has here."""
    found = {}
    for name in static_files():
        stem, _, suffix = name.split(".")
        found[f"{stem}.{suffix}"] = STATIC + name
    return found


def asset(name: str) -> str:
    """The address of a file of ours. Raises: KeyError."""
    return _addresses()[name]


def spoken_options(codes: Iterable[str]) -> list[tuple[str, str]]:
    """For a choice: each code with its words."""
    return [(code, words.spoken(code)) for code in codes]


@lru_cache(1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "moment": moment,
        "day": day,
        "ago": ago,
        "number": number,
        "milligrams": milligrams,
        "signed": signed,
        "spoken": words.spoken,
        "reason": words.reason,
        "instrument": words.instrument_name,
    }
    environment.globals |= {
        "asset": asset,
        "spoken_options": spoken_options,
        "chart_style": assets.style_path,
        "chart_script": assets.script_element,
    }
    return environment


def moment(at: datetime, zone: Any) -> str:
    """An instant on a wall clock: `Mon 2 Mar 2026, 13:05`."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def day(on: date | datetime, zone: Any = None) -> str:
    """A date: `2 Mar 2026`."""
    if isinstance(on, datetime):
        on = on.astimezone(zone or UTC).date()
    return f"{on.day} {on:%b %Y}"


_STEPS: Final = (
    (timedelta(days=60), timedelta(days=30), "months"),
    (timedelta(days=14), timedelta(days=7), "weeks"),
    (timedelta(hours=48), timedelta(days=1), "days"),
    (timedelta(minutes=90), timedelta(hours=1), "hours"),
    (timedelta(seconds=90), timedelta(minutes=1), "minutes"),
)


def ago(at: datetime, now: datetime) -> str:
    """How long ago, or until when, in words: `3 hours ago`, `in 2 days`."""
    apart = now - at
    for bound, unit, name in _STEPS:
        if abs(apart) >= bound:
            count = round(abs(apart) / unit)
            return f"{count} {name} ago" if apart > timedelta(0) else f"in {count} {name}"
    return "just now" if apart >= timedelta(0) else "in a minute"


def number(value: float | None) -> str:
    """A score: whole where it is whole, a true minus, a dash for none."""
    if value is None:
        return "\N{EN DASH}"
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")


def milligrams(amount: float) -> str:
    """What was given, to the thousandth that is kept: a rounded dose is another dose."""
    return f"{amount:.3f}".rstrip("0").removesuffix(".")


def signed(value: float | None) -> str:
    """A change: with its sign."""
    if value is None:
        return "\N{EN DASH}"
    shown = number(value)
    return f"+{shown}" if value > 0 and shown != "0" else shown
