"""Who is told next, and when, while nobody has answered.

A policy says, for each level, in which steps a round is told: to whom, after how many minutes,
in which hours, by which channels. `steps` turns it into instants; a `Round` holds them and what
became of each. Nothing here reads a clock or a database: whoever stores a round keeps one row
per step, tells what is `due`, and in the same transaction writes what `told` makes of it.

Each verb gives a new round, or the very same one where there is nothing to change, so it may
come twice, or late: a step is done once, whichever worker comes first, and what was cancelled
stays cancelled.

Decided, each our convention:

- Hours that were never declared are not waited for, and no others for longer than a week.
- A step is due no later than the one after it, whatever their hours.
- A step that finds nobody, or whose channel is dead, brings the next one forward to now. After
  the last come the administrators, and their step stays until one of them is there.
- Acknowledging ends a round, and a hand-over begins its timers anew: the named person at once,
  then what follows the care team, counted from the hand-over. What was due before it and is not
  done yet is still done.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from app.clinical.risk import Level
from app.safety.coverage import duty

MOST_STEPS: Final = 20
MOST_MINUTES: Final = 7 * 24 * 60
MOST_MINUTES_TO_FIRST_OF_HIGH: Final = 5
LONGEST_WAIT: Final = timedelta(days=7)
"""For coverage, beyond a step's own minutes."""
TRY_AGAIN_AFTER: Final = timedelta(minutes=1)
"""Where there was not even an administrator."""

_ONE_DAY: Final = timedelta(days=1)
# Of duty: six a day, for two weeks, are fewer.
_MOST_CHANGES: Final = 100
_LONGEST_SOURCE: Final = 1000
_MOST_ERRORS: Final = 100
# Cannot be shown, or not be stored: controls, halves of a character, line and paragraph ends.
_NO_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_Word = TypeVar("_Word", bound=StrEnum)


class Who(StrEnum):
    """Who is told.

    care-team: everybody with a care link. next: the next clinician of the clinic who has not
    been told in this round. administrators: all of them. named: the one person that a round
    was handed to; no policy says so.
    """

    CARE_TEAM = "care-team"
    NEXT = "next"
    ADMINISTRATORS = "administrators"
    NAMED = "named"


class Channel(StrEnum):
    """By which way. inbox: the list of flags itself, which is part of every step."""

    INBOX = "inbox"
    EMAIL = "email"
    WEB_PUSH = "web-push"
    WEBHOOK = "webhook"
    STREAM = "stream"


class Hours(StrEnum):
    """How the minutes of a step are counted from the beginning of the round.

    at-all-hours: as they pass. within-coverage: those in which the clinic is on duty; a step
    without any is due as soon as it is. next-coverage: as they pass, and then until the clinic
    next comes on duty; no longer if it is on duty already and stays so for a day or more.
    """

    AT_ALL_HOURS = "at-all-hours"
    WITHIN_COVERAGE = "within-coverage"
    NEXT_COVERAGE = "next-coverage"


class Step(NamedTuple):
    """One step of a policy. channels: in the order of `Channel`."""

    who: Who
    after_minutes: int
    hours: Hours
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a clinic escalates. levels: every level but none, each with a step or more, in order.

    source, convention: of the choice of steps and minutes.
    """

    source: str
    convention: bool
    levels: Mapping[Level, tuple[Step, ...]]


class PolicyRefused(ValueError):
    """What was sent is no policy.

    errors: (JSON pointer, reason) for each thing wrong, at most 100; neither repeats what
        was sent.
    """

    def __init__(self, errors: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{pointer or '/'} {reason}" for pointer, reason in errors))
        self.errors = errors


class StepState(StrEnum):
    """What became of a step."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a round, as it is stored.

    number: 1, 2, 3 … in its round. due_at: in UTC. named: whom `Who.NAMED` means.
    """

    number: int
    who: Who
    channels: tuple[Channel, ...]
    due_at: datetime
    named: UUID | None = None
    state: StepState = StepState.PLANNED


class Status(StrEnum):
    """replaced: new evidence began another round of the same flag."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REPLACED = "replaced"


class Answer(NamedTuple):
    """Who acknowledged, resolved, or handed over a round. to: whom it was handed to."""

    by: UUID
    at: datetime
    to: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One alert round of a flag. steps: by number. answer: the newest, if there was one."""

    number: int
    level: Level
    status: Status = Status.OPEN
    steps: tuple[PlannedStep, ...]
    answer: Answer | None = None


class Outcome(StrEnum):
    """What came of telling.

    nobody: there was none to tell. dead-channel: they have it in the inbox, and a way that
    should have called them to it is broken.
    """

    TOLD = "told"
    NOBODY = "nobody"
    DEAD_CHANNEL = "dead-channel"


_LEVELS: Final = (Level.HIGH, Level.MODERATE, Level.LOW)
_WHO: Final = (Who.CARE_TEAM, Who.NEXT, Who.ADMINISTRATORS)
_OVER: Final = frozenset({Status.RESOLVED, Status.REPLACED})
_EVERY_CHANNEL: Final = tuple(Channel)
_SHIPPED: Final = Policy(
    source="Our convention: no standard that we know of says in how many minutes.",
    convention=True,
    levels=MappingProxyType(
        {
            Level.HIGH: (
                Step(Who.CARE_TEAM, 0, Hours.AT_ALL_HOURS, _EVERY_CHANNEL),
                Step(Who.NEXT, 15, Hours.AT_ALL_HOURS, _EVERY_CHANNEL),
                Step(Who.ADMINISTRATORS, 30, Hours.AT_ALL_HOURS, _EVERY_CHANNEL),
            ),
            Level.MODERATE: (
                Step(Who.CARE_TEAM, 0, Hours.AT_ALL_HOURS, _EVERY_CHANNEL),
                Step(Who.NEXT, 60, Hours.WITHIN_COVERAGE, _EVERY_CHANNEL),
                Step(Who.ADMINISTRATORS, 90, Hours.WITHIN_COVERAGE, _EVERY_CHANNEL),
            ),
            Level.LOW: (
                Step(Who.CARE_TEAM, 0, Hours.AT_ALL_HOURS, (Channel.INBOX,)),
                Step(Who.CARE_TEAM, 0, Hours.NEXT_COVERAGE, _EVERY_CHANNEL),
            ),
        }
    ),
)


def read(content: object) -> Policy:
    """Read a policy from plain values, as JSON gives them.

    Raises: PolicyRefused, naming everything that is wrong.
    """
    errors: list[tuple[str, str]] = []
    document = _members(content, "", ("source", "convention", "levels"), errors)
    if document is None:
        raise PolicyRefused(tuple(errors))
    levels = _members(document.get("levels"), "/levels", _LEVELS, errors)
    policy = Policy(
        source=_line(document.get("source"), "/source", errors),
        convention=_truth(document.get("convention"), "/convention", errors),
        levels=MappingProxyType(
            {level: _steps_of(level, levels.get(level), errors) for level in _LEVELS}
            if levels is not None
            else {}
        ),
    )
    if errors:
        raise PolicyRefused(tuple(errors[:_MOST_ERRORS]))
    return policy


def as_dict(policy: Policy) -> dict[str, object]:
    """The policy as plain values, new each time; `read` makes the same one of them."""
    return {
        "source": policy.source,
        "convention": policy.convention,
        "levels": {
            level.value: [
                {
                    "who": step.who.value,
                    "after_minutes": step.after_minutes,
                    "hours": step.hours.value,
                    "channels": [channel.value for channel in step.channels],
                }
                for step in policy.levels[level]
            ]
            for level in _LEVELS
        },
    }


def shipped() -> Policy:
    """The policy that comes with Afterglow: one to begin with, not a recommendation."""
    return _SHIPPED


def steps(
    policy: Policy, level: Level, round_began_at: datetime, coverage: str, time_zone: str
) -> tuple[PlannedStep, ...]:
    """The plan of a round: always the same for the same values.

    level: any but none. coverage, time_zone: the clinic's, as `coverage.duty` takes them.
    """
    return _timed(policy.levels[level], round_began_at, coverage, time_zone, first_number=1)


def begin(
    policy: Policy,
    level: Level,
    at: datetime,
    coverage: str,
    time_zone: str,
    *,
    number: int = 1,
) -> Round:
    """A round that nobody has heard of yet. Arguments as for `steps`."""
    planned = steps(policy, level, at, coverage, time_zone)
    return Round(number=number, level=level, steps=planned)


def begin_again(
    round_: Round, policy: Policy, level: Level, at: datetime, coverage: str, time_zone: str
) -> tuple[Round, Round]:
    """The round that new evidence ends, and the one that it begins.

    level: of the evidence; the new round has the higher one of both.
    """
    begun = begin(
        policy, max(round_.level, level), at, coverage, time_zone, number=round_.number + 1
    )
    return _ended(round_, Status.REPLACED, round_.answer), begun


def due(round_: Round, now: datetime) -> tuple[PlannedStep, ...]:
    """What has to be done now, in order."""
    return tuple(step for step in _planned(round_) if step.due_at <= now)


def next_due_at(round_: Round) -> datetime | None:
    """When something next has to be done; None: nothing more will."""
    return min((step.due_at for step in _planned(round_)), default=None)


def told(round_: Round, step: PlannedStep, outcome: Outcome, at: datetime) -> Round:
    """A step was done, with this outcome."""
    # What a worker holds may be older than the round.
    current = round_.steps[step.number - 1]
    if current.state is not StepState.PLANNED:
        return round_
    if outcome is Outcome.NOBODY and _after(round_, step.number) is None:
        if current.who is Who.ADMINISTRATORS:
            return _with(round_, replace(current, due_at=at + TRY_AGAIN_AFTER))
        administrators = PlannedStep(
            len(round_.steps) + 1, Who.ADMINISTRATORS, current.channels, at
        )
        round_ = replace(round_, steps=(*round_.steps, administrators))
    done = _with(round_, replace(current, state=StepState.DONE))
    return done if outcome is Outcome.TOLD else hasten(done, step.number, at)


def hasten(round_: Round, number: int, at: datetime) -> Round:
    """The step after this one is due at once, because this one did not get through.

    Every channel of a step may report so, however late: the same next step is meant each time.
    """
    following = _after(round_, number)
    if following is None or following.state is StepState.DONE or following.due_at <= at:
        return round_
    return _with(round_, replace(following, due_at=at))


def administrators_now(round_: Round, at: datetime) -> Round:
    """Nobody cares for this patient: whoever runs the clinic hears of it at once."""
    for step in round_.steps:
        if step.who is Who.ADMINISTRATORS and step.number > 1:
            return hasten(round_, step.number - 1, at)
    return round_


def carry_out(
    round_: Round, at: datetime, tell: Callable[[PlannedStep], Outcome]
) -> tuple[Round, datetime | None]:
    """Do all that is due. tell: does one step. Returns: the round, and when to look again.

    One after the other: a step that finds nobody brings others forward to now.
    """
    while waiting := due(round_, at):
        step = waiting[0]
        outcome = tell(step)
        round_ = told(round_, step, outcome, at)
        if outcome is Outcome.NOBODY and step.who is Who.CARE_TEAM:
            round_ = administrators_now(round_, at)
    return round_, next_due_at(round_)


def acknowledge(round_: Round, *, by: UUID, at: datetime) -> Round:
    """A clinician has it in hand: nobody else is told in this round. The first one counts."""
    if round_.status is not Status.OPEN:
        return round_
    return _ended(round_, Status.ACKNOWLEDGED, Answer(by, at))


def hand_over(
    round_: Round,
    *,
    by: UUID,
    to: UUID,
    at: datetime,
    policy: Policy,
    coverage: str,
    time_zone: str,
) -> Round:
    """Somebody else is asked to have it in hand, and has yet to acknowledge.

    to: is told at once, by every channel. policy, coverage, time_zone: as for `steps`.
    """
    answer = Answer(by, at, to)
    if round_.status in _OVER or round_.answer == answer:
        return round_
    kept = tuple(step if step.due_at <= at else _cancelled(step) for step in round_.steps)
    named = PlannedStep(len(kept) + 1, Who.NAMED, tuple(Channel), at, named=to)
    rest = _timed(
        _after_care_team(policy.levels[round_.level]),
        at,
        coverage,
        time_zone,
        first_number=named.number + 1,
    )
    return replace(round_, status=Status.OPEN, steps=(*kept, named, *rest), answer=answer)


def resolve(round_: Round, *, by: UUID, at: datetime) -> Round:
    """A clinician has closed the flag."""
    return _ended(round_, Status.RESOLVED, Answer(by, at))


def _ended(round_: Round, status: Status, answer: Answer | None) -> Round:
    if round_.status in _OVER:
        return round_
    left = tuple(_cancelled(step) for step in round_.steps)
    return replace(round_, status=status, steps=left, answer=answer)


def _cancelled(step: PlannedStep) -> PlannedStep:
    """The step, unless it is done already, never to be done."""
    is_planned = step.state is StepState.PLANNED
    return replace(step, state=StepState.CANCELLED) if is_planned else step


def _planned(round_: Round) -> Iterator[PlannedStep]:
    return (step for step in round_.steps if step.state is StepState.PLANNED)


def _after(round_: Round, number: int) -> PlannedStep | None:
    """The next step that was not cancelled."""
    later = round_.steps[number:]
    return next((step for step in later if step.state is not StepState.CANCELLED), None)


def _with(round_: Round, step: PlannedStep) -> Round:
    before, after = round_.steps[: step.number - 1], round_.steps[step.number :]
    return replace(round_, steps=(*before, step, *after))


def _after_care_team(of_level: tuple[Step, ...]) -> tuple[Step, ...]:
    """What follows the first step that tells the care team; all, if none does."""
    for place, step in enumerate(of_level):
        if step.who is Who.CARE_TEAM:
            return of_level[place + 1 :]
    return of_level


def _timed(
    of_level: tuple[Step, ...],
    began_at: datetime,
    coverage: str,
    time_zone: str,
    *,
    first_number: int,
) -> tuple[PlannedStep, ...]:
    due_at = [_due_at(step, began_at, coverage, time_zone) for step in of_level]
    # From the end: nobody is passed over because the step that tells them waits for the day.
    no_later = reversed(tuple(accumulate(reversed(due_at), min)))
    return tuple(
        PlannedStep(number, step.who, step.channels, at)
        for number, (step, at) in enumerate(zip(of_level, no_later, strict=True), first_number)
    )


def _due_at(step: Step, began_at: datetime, coverage: str, time_zone: str) -> datetime:
    # In UTC, where a difference is the time that passed, whatever was done to the clocks.
    began_at = began_at.astimezone(UTC)
    minutes = timedelta(minutes=step.after_minutes)
    passed_at = began_at + minutes
    latest = passed_at + LONGEST_WAIT
    if step.hours is Hours.WITHIN_COVERAGE:
        for begins, ends in _on_duty(began_at, latest, coverage, time_zone):
            if ends - begins >= minutes:
                return begins + minutes
            minutes -= ends - begins
        return latest
    if step.hours is Hours.NEXT_COVERAGE:
        for begins, ends in _on_duty(passed_at, latest, coverage, time_zone):
            if begins > passed_at or ends - begins >= _ONE_DAY:
                return begins
        return latest
    return passed_at


def _on_duty(
    at: datetime, until: datetime, coverage: str, time_zone: str
) -> Iterator[tuple[datetime, datetime]]:
    """Stretches in which the clinic is on duty, cut off at both instants.

    Undeclared is always on duty, and so is what comes after very many changes: a plan is made
    while somebody in danger waits for an answer.
    """
    for _ in range(_MOST_CHANGES):
        found = duty(coverage, time_zone, at)
        changes_at = until
        if found.changes_at is not None:
            changes_at = min(until, found.changes_at.astimezone(UTC))
        if found.is_on or not found.is_declared:
            yield at, changes_at
        if changes_at == until:
            return
        at = changes_at
    yield at, until


def _steps_of(level: Level, value: object, errors: list[tuple[str, str]]) -> tuple[Step, ...]:
    pointer = f"/levels/{level}"
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_STEPS:
        errors.append((pointer, f"must be a list of 1 to {MOST_STEPS} steps"))
        return ()
    read_so_far: list[Step] = []
    earliest = 0
    for place, content in enumerate(value):
        is_first_of_high = level is Level.HIGH and place == 0
        step = _step(
            content,
            f"{pointer}/{place}",
            earliest,
            MOST_MINUTES_TO_FIRST_OF_HIGH if is_first_of_high else MOST_MINUTES,
            (Hours.AT_ALL_HOURS,) if is_first_of_high else tuple(Hours),
            errors,
        )
        read_so_far.append(step)
        earliest = step.after_minutes
    return tuple(read_so_far)


def _step(
    content: object,
    pointer: str,
    earliest: int,
    latest: int,
    hours: tuple[Hours, ...],
    errors: list[tuple[str, str]],
) -> Step:
    """A step; what is wrong with it is read as some right value, so that the rest is read too."""
    step = _members(content, pointer, Step._fields, errors)
    if step is None:
        return Step(_WHO[0], earliest, hours[0], (Channel.INBOX,))
    minutes = step.get("after_minutes")
    if type(minutes) is not int or not earliest <= minutes <= latest:
        reason = f"must be a whole number from {earliest} to {latest}, as steps stand in order"
        errors.append((f"{pointer}/after_minutes", reason))
        minutes = earliest
    return Step(
        _word(step.get("who"), _WHO, f"{pointer}/who", errors),
        minutes,
        _word(step.get("hours"), hours, f"{pointer}/hours", errors),
        _channels(step.get("channels"), f"{pointer}/channels", errors),
    )


def _channels(value: object, pointer: str, errors: list[tuple[str, str]]) -> tuple[Channel, ...]:
    offered = tuple(Channel)
    if not isinstance(value, list) or not 1 <= len(value) <= len(offered):
        errors.append((pointer, f"must be a list of 1 to {len(offered)}"))
        return ()
    named = [_word(word, offered, f"{pointer}/{place}", errors) for place, word in enumerate(value)]
    for place, word in enumerate(value):
        if word in value[:place]:
            errors.append((f"{pointer}/{place}", "is in this list already"))
    if Channel.INBOX not in named:
        errors.append((pointer, "must have inbox among them"))
    return tuple(channel for channel in offered if channel in named)


def _word(
    value: object, offered: tuple[_Word, ...], pointer: str, errors: list[tuple[str, str]]
) -> _Word:
    for word in offered:
        if value == word:
            return word
    errors.append((pointer, "must be one of: " + ", ".join(offered)))
    return offered[0]


def _members(
    content: object, pointer: str, known: Iterable[str], errors: list[tuple[str, str]]
) -> Mapping[str, object] | None:
    """An object, without a member that nobody knows; None if it is none."""
    if not isinstance(content, Mapping):
        errors.append((pointer, "must be an object"))
        return None
    if set(content) - set(known):
        errors.append((pointer, "may only have: " + ", ".join(known)))
    return content


def _line(value: object, pointer: str, errors: list[tuple[str, str]]) -> str:
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > _LONGEST_SOURCE
        or any(unicodedata.category(character) in _NO_TEXT for character in value)
    ):
        errors.append((pointer, f"must be a single line of 1 to {_LONGEST_SOURCE} characters"))
        return ""
    return value


def _truth(value: object, pointer: str, errors: list[tuple[str, str]]) -> bool:
    if not isinstance(value, bool):
        errors.append((pointer, "must be true or false"))
    return value is True
