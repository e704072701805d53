"""What a patient does for themselves: practices and how they go; coping strategies and triggers."""

from collections.abc import Container, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from app.clinical.practice import Kind, Pause, Schedule
from app.console.door import Answer, Inside, page_router, with_query
from app.console.record import PATIENT, shown
from app.kernel.db import Db
from app.kernel.paging import Cursor
from app.people.chart import Chart, open_chart
from app.practices import coping, practice
from app.practices.coping import TRIGGERS
from app.practices.schemas import (
    CopingStrategyOut,
    HelpfulnessOut,
    PracticeAdherenceOut,
    PracticeOut,
    PracticesAdherenceOut,
    PracticeTickOut,
    ScheduleOut,
    StrategyHelpOut,
    TriggerOut,
)

routes = page_router()
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class OneDay:
    """What became of a practice on one date.

    state: done, skipped, nothing (was said), or rest: nothing was, and nothing was expected.
    """

    on: date
    state: str


@dataclass(frozen=True, slots=True)
class OnePractice:
    """A practice. goes: how; None where nothing was expected or done in 28 days. skips: dates and
    reasons, newest first.
    """

    practice: PracticeOut
    schedule: str
    goes: PracticeAdherenceOut | None
    days: list[OneDay]
    skips: list[tuple[date, str]]


@dataclass(frozen=True, slots=True)
class Tried:
    """A strategy with what the log tells of it. words: empty for one that is not listed here."""

    words: str
    told: StrategyHelpOut


@dataclass(frozen=True, slots=True)
class Logged:
    """A trigger, and what was tried, in words, with how much it helped (0 to 4)."""

    trigger: TriggerOut
    tried: list[tuple[str, int | None]]


@dataclass(frozen=True, slots=True)
class Coping:
    """Strategies, what goes with feeling better, and a page of triggers."""

    strategies: list[CopingStrategyOut]
    is_cut: bool
    helped: list[Tried]
    told: HelpfulnessOut
    triggers: list[Logged]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Practices:
    """coping: None for whoever may not read it."""

    practices: list[OnePractice]
    is_cut: bool
    told: PracticesAdherenceOut
    coping: Coping | None


@routes.get(PATIENT + "/practices")
def practices_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """How practices go, what helps when it gets hard, what set the patient off. cursor: of the
    triggers.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, practice.READ, visit.now)
    told = practice.read_adherence(visit.db, chart, visit.now)
    kept, ticks = practice.read_practices(visit.db, chart, visit.now)
    goes = {one.practice_id: one for one in told.practices}
    view = Practices(
        practices=[_one(each, goes.get(each.id), ticks, told.today_on) for each in kept],
        is_cut=len(kept) >= practice.MOST_SHOWN,
        told=told,
        coping=_coping(visit.db, chart, cursor) if coping.READ.is_granted(chart) else None,
    )
    return shown(visit, chart, "practices", "Practices", view)


def in_words(schedule: ScheduleOut) -> str:
    """When a practice is expected: `on Mon and Thu`, `3 times a week`."""
    if schedule.kind == "weekdays":
        days = [_WEEKDAYS[one - 1] for one in sorted(schedule.weekdays)]
        return "on " + " and ".join(filter(None, [", ".join(days[:-1]), days[-1]]))
    if schedule.kind == "every-n-days":
        return "every day" if schedule.every == 1 else f"every {schedule.every} days"
    if schedule.kind == "times-a-week":
        return "once a week" if schedule.times == 1 else f"{schedule.times} times a week"
    return "every day"


def _one(
    kept: PracticeOut,
    goes: PracticeAdherenceOut | None,
    ticks: Sequence[PracticeTickOut],
    today: date,
) -> OnePractice:
    own = [tick for tick in ticks if tick.practice_id == kept.id]
    done = {tick.on for tick in own if tick.status == "done"}
    # A date in both was done, as it is counted.
    skipped = {tick.on: tick.reason or "" for tick in own if tick.status == "skipped"}
    skips = sorted(((on, why) for on, why in skipped.items() if on not in done), reverse=True)
    plan = _plan(kept.schedule)
    dates = [today - timedelta(days=back) for back in range(practice.MONTH - 1, -1, -1)]
    return OnePractice(
        practice=kept,
        schedule=in_words(kept.schedule),
        goes=goes,
        days=[OneDay(on, _state(on, done, skipped, plan)) for on in dates],
        skips=[one for one in skips if one[0] <= today],
    )


def _plan(schedule: ScheduleOut) -> Schedule:
    return Schedule(
        kind=Kind(schedule.kind),
        from_on=schedule.from_on,
        until_on=schedule.until_on,
        weekdays=frozenset(schedule.weekdays),
        every=schedule.every,
        times=schedule.times,
        pauses=tuple(Pause(one.first_on, one.last_on) for one in schedule.pauses),
    )


def _state(on: date, done: Set[date], skipped: Container[date], plan: Schedule) -> str:
    if on in done:
        return "done"
    if on in skipped:
        return "skipped"
    return "nothing" if plan.is_expected(on) else "rest"


def _coping(db: Db, chart: Chart, cursor: str | None) -> Coping:
    strategies = coping.read_strategies(db, chart)
    told = coping.read_helpfulness(db, chart)
    page = TRIGGERS.page(db, chart, cursor=cursor, limit=20)
    words: dict[UUID, str] = {one.id: one.words for one in strategies}
    here = f"/console/patients/{chart.patient_id}/practices"
    return Coping(
        strategies=strategies,
        is_cut=len(strategies) >= coping.MOST_SHOWN,
        helped=[Tried(words.get(one.strategy_id, ""), one) for one in told.strategies],
        told=told,
        triggers=[
            Logged(
                trigger,
                # What this reader may not see is named nowhere, also not by its absence.
                [
                    (words[one.strategy_id], one.helped)
                    for one in trigger.tried
                    if one.strategy_id in words
                ],
            )
            for trigger in page.entries
        ],
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
    )
