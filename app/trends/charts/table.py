"""What a chart shows, as rows to read: for whoever cannot see it, or wants the numbers."""

from collections.abc import Sequence
from typing import NamedTuple

from app.trends.charts.look import clock, plain
from app.trends.charts.records import Course, Ideation


class Table(NamedTuple):
    """A table of words, ready to be shown."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def of_course(course: Course) -> Table:
    """Every answer, newest first: when, the score, its band, and where it lies among the doses."""
    own = clock(course.time_zone)
    rows = []
    for one in reversed(course.points):
        band = next(
            (b.label for b in course.bands if one.score is not None and one.score <= b.high), ""
        )
        if one.hours_since_dose is None:
            where = "before any dose"
        else:
            where = f"{_ago(one.hours_since_dose)} after dose {one.dose_number}"
        if one.spans_dose:
            where += ", speaks of time before a dose too"
        score = "incomplete" if one.score is None else plain(one.score)
        is_baseline = course.baseline is not None and course.baseline.at == one.at
        rows.append((own.day(one.at), score + (" (baseline)" if is_baseline else ""), band, where))
    scores = f"Score ({plain(course.minimum)}-{plain(course.maximum)})"
    return Table(course.title, ("Day", scores, "Band", "Position"), rows)


def of_ideation(ideation: Ideation) -> list[Table]:
    """Every answer, newest first; a table for each source."""
    own = clock(ideation.time_zone)
    found = []
    for source in ideation.sources:
        words = dict(source.words)
        rows = [
            (own.day(at), "left out" if answer is None else f"{answer} {words.get(answer, '')}")
            for at, answer in reversed(source.answered)
        ]
        found.append(Table(source.title, ("Day", "Answer"), rows))
    return found


def _ago(hours: float) -> str:
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
