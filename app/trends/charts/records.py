"""What charts are made of. Whoever has an answer of the API puts it into these."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

YEAR: Final = timedelta(days=365)
"""No line joins two scores over a longer silence, whatever is usual. Source: our convention."""


class Band(NamedTuple):
    """A named range of scores, both ends included."""

    label: str
    low: float
    high: float


class Line(NamedTuple):
    """A score that means something, and what: "response", "remission"."""

    label: str
    score: float


class Point(NamedTuple):
    """A moment at which the questionnaire was answered. score: None where it is incomplete.

    hours_since_dose: None before any.
    spans_dose: its answers speak of time before a dose and after.
    """

    at: datetime
    score: float | None
    dose_number: int = 0
    hours_since_dose: float | None = None
    spans_dose: bool = False


class Flag(NamedTuple):
    """A sign of danger. level: low, moderate or high."""

    at: datetime
    level: str


class Course(NamedTuple):
    """One scale of one person over time; everything ascends.

    label: short, such as "PHQ-9". direction: lower-is-better, higher-is-better, or None.
    baseline: what change is measured from. lines: further scores that mean something.
    time_zone: an IANA name; whose days they are. measures_hours: whether a change within hours of a
    dose can show. caveat: what none of this can prove. missed: when something was asked for that
    was never answered.
    """

    title: str
    label: str
    minimum: float
    maximum: float
    direction: str | None
    points: Sequence[Point]
    doses: Sequence[datetime]
    time_zone: str
    caveat: str
    bands: Sequence[Band] = ()
    baseline: Point | None = None
    lines: Sequence[Line] = ()
    flags: Sequence[Flag] = ()
    measures_hours: bool = False
    missed: Sequence[datetime] = ()


class Faded(NamedTuple):
    """Where half of the gain of a dose was gone; or, if that was not seen, where the looking ended.

    hours: since that dose. score: on the line between two scores, or the last one.
    """

    dose_number: int
    hours: float
    score: float
    is_censored: bool


class Source(NamedTuple):
    """One question about suicidal thoughts, and what was answered to it.

    words: (answer, what it says), ascending. answered: (when, answer), None where left out.
    """

    title: str
    words: Sequence[tuple[int, str]]
    answered: Sequence[tuple[datetime, int | None]]


class Ideation(NamedTuple):
    """Suicidal thoughts as answered, by source."""

    sources: Sequence[Source]
    doses: Sequence[datetime]
    time_zone: str
    caveat: str


class Around(NamedTuple):
    """What happened besides; of notes and goals only when."""

    flags: Sequence[Flag] = ()
    notes: Sequence[datetime] = ()
    goals: Sequence[datetime] = ()


class Together(NamedTuple):
    """Several series of one person, and what happened around them."""

    panels: Sequence[Course | Source]
    around: Around
    doses: Sequence[datetime]
    time_zone: str
    caveat: str


class Survival(NamedTuple):
    """A Kaplan-Meier curve. share: 0 to 1, still without it, at `days`, which begin with 0.

    low, high: of its interval; None where it has none.
    at_risk, happened, censored: people at each day: still followed without it, who had it by then,
    and who was lost sight of by then.
    stretch: to which unbroken stretch each day belongs, where some days between may not be told.
    """

    label: str
    days: Sequence[float]
    share: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    at_risk: Sequence[int]
    happened: Sequence[int]
    censored: Sequence[int]
    stretch: Sequence[int]


class Outcome(NamedTuple):
    """What is waited for, in words. still: who has not had it. had: who has. since: when the days
    begin.
    """

    still: str
    had: str
    since: str


class Rate(NamedTuple):
    """What share of `people`, 0 to 1, with its interval; None where it is suppressed, or where
    there are no people to be a share of.
    """

    visit: str
    outcome: str
    share: float | None
    low: float | None
    high: float | None
    people: int | None


class Frame(NamedTuple):
    """How large, and on what. width: pixels of everything. is_dark: light marks on a dark page.
    is_bare: whatever it stands in has the title above it and the caveat below it.
    """

    width: int = 640
    is_dark: bool = False
    is_bare: bool = False


SCREEN: Final = Frame()
LINE: Final = Frame(width=120)
