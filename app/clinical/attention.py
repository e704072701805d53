"""Who on a list to look at first, and why. A rule for the order of a list, and no triage.

The order is our convention: an open flag before everything; then a score, on any of the scales that
are looked at, that got worse by the reliable change; then a response that was lost; then a
questionnaire, or a check on somebody's safety such as those after a dose, that was asked for and
not answered; then somebody who has been silent. What is in none of these is not said to be well.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from app.clinical.change import ResponseCourse, Yardstick

Why = Literal["flag", "worsening", "loss-of-response", "overdue", "silent", "nothing-noted"]

ORDER: Final[tuple[Why, ...]] = (
    "flag",
    "worsening",
    "loss-of-response",
    "overdue",
    "silent",
    "nothing-noted",
)
SILENT_DAYS: Final = 14
LATELY_DAYS: Final = 90
_DAY: Final = 86_400_000_000

RULE: Final = (
    "In this order: an open flag; worsening (the last score is worse than the baseline, than the"
    " one before it or, where it is caseness or the scale has none, than the best one since the"
    " baseline, by the reliable change or more); loss of response, both on any of PHQ-9, GAD-7 and"
    f" PCL-5 that has a score in the {LATELY_DAYS} days up to the newest of them; overdue (the last"
    " questionnaire with a long recall, or the last check after a dose or for thoughts of suicide,"
    f" was asked for and not answered); silent (nothing for {SILENT_DAYS} days). Flags by"
    " how grave and then how old they are, the rest by the longest silence. The rule is our"
    " convention, and says nothing about who is safe."
)


def is_worsening(by: Yardstick, totals: Sequence[float | None], start: int | None) -> bool:
    """Whether the last score is reliably worse than the baseline, than the one before it, or, where
    it is caseness or none is published, than the best one since the baseline.

    Caseness, because the best of many scores is partly luck: without it many a steady, mild course
    would seem to get worse.

    totals: points, None where incomplete. start: index of the baseline; None if there is none, and
        then the whole series is looked at.
    """
    if by.reliable is None:
        return False
    since = 0 if start is None else start
    # From the baseline on, however far that lies back; the last but one may lie before it.
    scores = [(index, total) for index, total in enumerate(totals) if total is not None]
    if len(scores) < 2 or scores[-1][0] <= since:
        return False
    last = scores[-1][1]
    better = [by.sign * total for index, total in scores[:-1] if index >= since]
    beside = [by.sign * scores[-2][1], *([by.sign * by.start] if start is not None else ())]
    if by.caseness is None or by.is_case(last):
        beside += better
    return any(one - by.sign * last >= by.reliable for one in beside)


def lately(last_at: Mapping[str, int]) -> list[str]:
    """Which scales somebody is looked at by: those with a complete score in the 90 days up to the
    newest score there is. So one of years ago hides nothing, and silence alone takes nothing away.

    last_at: when the last complete score of each was; microseconds.
    """
    newest = max(last_at.values(), default=0)
    return [key for key, at in last_at.items() if newest - at <= LATELY_DAYS * _DAY]


def reasons(
    *,
    is_flagged: bool,
    is_worse: bool,
    course: ResponseCourse | None,
    is_overdue: bool,
    last_heard_at: int,
    now: int,
) -> list[Why]:
    """Every reason there is, the first of them the one that places somebody on the list.

    last_heard_at: microseconds; of the last answer, or of when they came if there is none.
    """
    holds: dict[Why, bool] = {
        "flag": is_flagged,
        "worsening": is_worse,
        "loss-of-response": course is not None and course.state == "lost",
        "overdue": is_overdue,
        "silent": now - last_heard_at >= SILENT_DAYS * _DAY,
    }
    return [why for why in ORDER if holds.get(why, False)] or ["nothing-noted"]
