"""Who on a list to look at first, and why. A rule for the order of a list, and no triage.

The order is our convention: an open flag before everything; then a score that got worse by the
scale's reliable change; then a response that was lost; then a questionnaire, or a check on
somebody's safety such as those after a dose, that was asked for and not answered; then somebody who
has been silent. What is in none of these is not said to be well.
"""

from collections.abc import Sequence
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
_DAY: Final = 86_400_000_000

RULE: Final = (
    "In this order: an open flag; worsening (the last score is worse than the baseline, or than"
    " the one before it, by the reliable change or more); loss of response; overdue (the last"
    " questionnaire with a long recall, or the last check after a dose or for thoughts of suicide,"
    f" was asked for and not answered); silent (nothing for {SILENT_DAYS} days). Flags by"
    " how grave and then how old they are, the rest by the longest silence. The rule is our"
    " convention, and says nothing about who is safe."
)


def is_worsening(by: Yardstick, totals: Sequence[float | None], start: int) -> bool:
    """Whether the last score is reliably worse than the baseline, or than the one before it.

    totals: points, None where incomplete. start: index of the baseline.
    """
    if by.reliable is None:
        return False
    complete = [index for index, total in enumerate(totals) if total is not None]
    if not complete or complete[-1] <= start:
        return False
    last = totals[complete[-1]]
    beside = [by.start, *(totals[index] for index in complete[-2:-1])]
    assert last is not None
    return any(before is not None and by.sign * (before - last) >= by.reliable for before in beside)


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
