"""A patient's story: the thread from intention to what they do differently, one entry of it, and
the week.

What stands here is what the API's thread and week tell this reader, and nothing is added: an entry
that they may not see is linked to nothing and counted nowhere.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Query

from app.clinical.practice import week_name
from app.clinical.thread import Kind
from app.console.door import SIGN_IN, Answer, Inside, Visit, page_router, with_query
from app.console.forms import Fields
from app.console.record import PATIENT, shown
from app.console.session import IDLE
from app.journal.schemas import LinkOut
from app.kernel.edge import Awaited, Reply
from app.kernel.errors import Kind as Kinds
from app.kernel.errors import Problem, not_found
from app.kernel.pages import HTML
from app.people.chart import Chart, entry_id, open_chart
from app.story import page as paper
from app.story import statements, thread, week
from app.story.schemas import StoryEntryOut, ThreadOut, ToldEntryOut, WeekOut
from app.treatment import service as treatment

routes = page_router()
KIND_NAMES: Final = {
    Kind.INTENTION: "Intention",
    Kind.EXPERIENCE: "Experience",
    Kind.INSIGHT: "Insight",
    Kind.GOAL: "Goal",
    Kind.STEP: "Step",
    Kind.PRACTICE: "Practice",
    Kind.COPING: "Coping strategy",
}
TIER_NAMES: Final = {
    "care-team": "shared with the care team",
    "health-record": "shared with the care team and with health-record systems",
}
MOST: Final = 100
"""Entries on one page, the newest: what can be read, and weighs little enough for a phone."""
_WRITTEN: Final = 60
"""Entries of a week that are shown, the newest; the thread has them all."""
_LINE: Final = 50
_Day = Annotated[str, Query(max_length=10)]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry that another one came from or led to. anchor: its place on the page."""

    anchor: str
    kind: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a story."""

    entry: StoryEntryOut
    anchor: str
    kind: str
    shared: str
    came_from: list[Neighbour]
    led_to: list[Neighbour]


@dataclass(frozen=True, slots=True)
class Thread:
    """stories: what hangs together. alone: entries that are linked to nothing, oldest first.

    older: the address of what is before, where there is more; since_at: the first that is shown.
    before: where the page after this one began; None on the newest.
    """

    stories: list[list[Told]]
    alone: list[Told]
    fields: Fields
    is_cut: bool
    since_at: datetime | None
    older: str | None
    before: datetime | None
    sees_visits: bool


@dataclass(frozen=True, slots=True)
class Version:
    """An entry as it once was."""

    version: int
    action: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, whole, and every version that this reader may see, newest first."""

    kind: str
    shared: str
    status: str
    effective_at: datetime
    words: str
    versions: list[Version]


@dataclass(frozen=True, slots=True)
class Week:
    """One week. written: its newest entries; left_out: how many more there are, in the thread.
    following: none for the week that is going on.
    """

    told: WeekOut
    written: list[ToldEntryOut]
    left_out: int
    names: dict[str, str]
    previous: str
    following: str | None
    paper: str
    is_elsewhere: bool


@routes.get(PATIENT + "/thread")
def thread_page(
    visit: Inside,
    patient_id: str,
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: _Day = "",
    before: Annotated[str, Query(max_length=40)] = "",
) -> Answer:
    """From intention to what somebody does differently.

    from, until: dates, both included. before: an instant, where a page before it ended.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, thread.READ, visit.now)
    zone = ZoneInfo(visit.signed_in.time_zone)
    labels = {"from": "From", "until": "Until"}
    fields = Fields("dates", labels, {"from": since, "until": until})
    bounds: dict[str, datetime | None] = {}
    for name, typed, after in (("from", since, 0), ("until", until, 1)):
        try:
            bounds[name] = _midnight(typed, zone, after)
        except ValueError:
            fields = fields.wrong_at(name, "is not a date")
    if not fields.errors and since and until and until < since:
        fields = fields.wrong_at("until", "is before the first of these dates")
    if fields.errors:
        empty = Thread(
            [],
            [],
            fields,
            is_cut=False,
            since_at=None,
            older=None,
            before=None,
            sees_visits=False,
        )
        return shown(visit, chart, "thread", "Thread", empty, status=422)
    ends = [at for at in (bounds["until"], _instant(before)) if at is not None]
    told, cut_at = _read(visit, chart, bounds["from"], min(ends, default=None))
    entries = [entry for story in told.stories for entry in story.entries]
    is_cut = told.is_truncated or cut_at is not None
    since_at = min((entry.effective_at for entry in entries), default=None) if is_cut else None
    stories = [told_of(story.entries) for story in told.stories]
    view = Thread(
        stories=[story for story in stories if len(story) > 1],
        alone=[story[0] for story in stories if len(story) == 1],
        fields=fields,
        is_cut=is_cut,
        since_at=since_at,
        older=_older(chart, since, until, since_at),
        before=_instant(before),
        sees_visits=treatment.READ_SESSIONS.is_granted(chart),
    )
    return shown(visit, chart, "thread", "Thread", view)


@routes.get(PATIENT + "/thread/{kind}/{told_id}")
def entry_page(visit: Inside, patient_id: str, kind: str, told_id: str) -> Answer:
    """One entry of the thread, with all its words and versions."""
    if kind not in statements.SHELVES:
        raise not_found()
    shelf = statements.SHELVES[Kind(kind)]
    chart = open_chart(visit.db, visit.caller, patient_id, shelf.read_right, visit.now)
    entry = shelf.read(visit.db, chart, entry_id(told_id))
    versions = [
        Version(one.version, one.action.partition(".")[2], one.at, one.entry.words)
        for one in shelf.versions(visit.db, chart, entry.id)
    ]
    view = Entry(
        kind=KIND_NAMES[Kind(kind)],
        shared=TIER_NAMES.get(getattr(entry, "tier", ""), ""),
        status=entry.status,
        effective_at=entry.effective_at,
        words=entry.words,
        versions=versions[::-1],
    )
    return shown(visit, chart, "entry", view.kind, view)


@routes.get(PATIENT + "/week")
def week_page(
    visit: Inside, patient_id: str, asked: Annotated[str, Query(alias="week", max_length=8)] = ""
) -> Answer:
    """What moved, what was done, what was written, what is next."""
    chart = open_chart(visit.db, visit.caller, patient_id, week.READ, visit.now)
    told = _week(visit, chart, asked)
    here = f"/console/patients/{chart.patient_id}/week"
    view = Week(
        told=told,
        written=told.written[-_WRITTEN:],
        left_out=max(0, len(told.written) - _WRITTEN),
        names={kind.value: name for kind, name in KIND_NAMES.items()},
        previous=with_query(here, week=week_name(told.first_on - timedelta(days=7))),
        following=with_query(here, week=week_name(told.last_on + timedelta(days=1)))
        if told.is_over
        else None,
        paper=with_query(f"{here}/print", week=told.name),
        is_elsewhere=chart.time_zone != visit.signed_in.time_zone,
    )
    return shown(visit, chart, "week", told.name, view)


@routes.get(PATIENT + "/week/print")
def week_on_paper(
    visit: Inside, patient_id: str, asked: Annotated[str, Query(alias="week", max_length=8)] = ""
) -> Answer:
    """The page of the API, to be printed."""
    chart = open_chart(visit.db, visit.caller, patient_id, week.READ, visit.now)
    told = _week(visit, chart, asked)
    made = paper.page(visit.db, chart, told)
    left_open = with_query(SIGN_IN, next=with_query(visit.path, week=told.name))
    headers = {
        "Content-Security-Policy": paper.POLICY,
        # The page has nothing of ours that could sign off whoever left it open.
        "Refresh": f"{int(IDLE.total_seconds()) + 5}; url={left_open}",
    }

    async def send() -> Reply:
        return Reply(made, headers=headers, media_type=HTML)

    return Awaited(send)


def _read(
    visit: Visit, chart: Chart, since: datetime | None, until: datetime | None
) -> tuple[ThreadOut, datetime | None]:
    """The stories; and from when on, where there are more entries than a page has room for."""
    told = thread.read_thread(visit.db, chart, since=since, until=until)
    at = sorted(entry["effective_at"] for story in told["stories"] for entry in story["entries"])
    if len(at) <= MOST:
        return ThreadOut.model_validate(told), None
    # Asked again, so that what a page leaves out is left out as the API does: links included.
    told = thread.read_thread(visit.db, chart, since=at[-MOST], until=until)
    return ThreadOut.model_validate(told), at[-MOST]


def told_of(entries: list[StoryEntryOut]) -> list[Told]:
    """A story with what each entry came from and led to, all of which is in it."""
    known = {(entry.kind, entry.id): entry for entry in entries}
    led_to: dict[tuple[str, UUID], list[Neighbour]] = {key: [] for key in known}
    for entry in entries:
        for source in entry.came_from:
            led_to[source.kind, source.id].append(_neighbour(entry))
    return [
        Told(
            entry=entry,
            anchor=_anchor(entry),
            kind=KIND_NAMES[Kind(entry.kind)],
            shared=TIER_NAMES.get(entry.tier or "", ""),
            came_from=[_neighbour(known[one.kind, one.id]) for one in entry.came_from],
            led_to=led_to[entry.kind, entry.id],
        )
        for entry in entries
    ]


def _neighbour(entry: StoryEntryOut) -> Neighbour:
    words = entry.words
    if len(words) > _LINE:
        words = words[:_LINE].rsplit(" ", 1)[0] + "\N{HORIZONTAL ELLIPSIS}"
    return Neighbour(_anchor(entry), KIND_NAMES[Kind(entry.kind)], entry.effective_at, words)


def _anchor(entry: StoryEntryOut | LinkOut) -> str:
    return f"{entry.kind}-{entry.id}"


def _older(chart: Chart, since: str, until: str, since_at: datetime | None) -> str | None:
    """Where what is before them is: by the instant, because one day may have more entries than a
    page has room for.
    """
    if since_at is None:
        return None
    here = f"/console/patients/{chart.patient_id}/thread"
    at = since_at.astimezone(UTC).isoformat()
    return with_query(here, **{"from": since or None, "until": until or None, "before": at})


def _instant(typed: str) -> datetime | None:
    """An instant that one of our links named. Raises: Problem NOT_FOUND."""
    if not typed:
        return None
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise not_found() from None
    if at.tzinfo is None or not 2000 <= at.year < 2100:
        raise not_found()
    return at


def _midnight(typed: str, zone: ZoneInfo, days_after: int) -> datetime | None:
    """When a date begins, or one so many days after it. Raises: ValueError."""
    if not typed:
        return None
    day = date.fromisoformat(typed)
    # It is compared as text, so that it has to be written as we write it.
    if not 2000 <= day.year < 2100 or day.isoformat() != typed:
        raise ValueError
    return datetime.combine(day + timedelta(days=days_after), datetime.min.time(), zone)


def _monday(typed: str) -> date | None:
    """The first day of a week such as 2026-W10. Raises: Problem NOT_FOUND."""
    if not typed:
        return None
    year, _, number = typed.partition("-W")
    try:
        monday = date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        raise not_found() from None
    if week_name(monday) != typed or not 2000 < monday.year < 2100:
        raise not_found()
    return monday


def _week(visit: Visit, chart: Chart, asked: str) -> WeekOut:
    """Raises: Problem NOT_FOUND, also of a week that has not begun."""
    monday = _monday(asked)
    try:
        return week.read_week(visit.db, chart, monday, visit.now)
    except Problem as problem:
        raise (not_found() if problem.kind is Kinds.INVALID else problem) from None
