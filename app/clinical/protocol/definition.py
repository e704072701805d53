"""What a protocol is, once it has been read: frozen, in order, with its sources."""

from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Final, Literal

from app.clinical.protocol.sections import Sections

# Source: our convention. A questionnaire about a week or more mixes the time before and after
# a recent dose, and so cannot show the first hours and days; a momentary scale is for those.
LONG_RECALL_DAYS: Final = 7
NO_LONG_RECALL_HOURS: Final = 72


class Anchor(StrEnum):
    """What time is counted from.

    enrolment: when the patient came; what is counted from it ends with the first dose.
    planned-session: each dosing session in the calendar, counted backwards.
    dose: each dose; what is counted from it ends with the next dose, which starts it anew.
    first-dose: the first dose alone; later doses do not move it.
    """

    ENROLMENT = "enrolment"
    PLANNED_SESSION = "planned-session"
    DOSE = "dose"
    FIRST_DOSE = "first-dose"


@dataclass(frozen=True, slots=True)
class Window:
    """From when, around when and until when something is asked, counted from the anchor.

    opens, due, expires: in `unit`s; opens <= due <= expires, opens < expires. The opening is
        included and the end is not.
    unit: hours are elapsed time; days are the patient's local days, so that seven days later
        the clock on the wall shows the same time, whatever was done to it in between.
    at_local: the clock time of each of the three on its day; None: as at the anchor.
    """

    unit: Literal["hours", "days"]
    opens: int
    due: int
    expires: int
    at_local: tuple[time, time, time] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint:
    """When which questionnaires are asked.

    key: unique in its protocol.
    instruments: keys; each is asked, and answered, on its own.
    every: units of the window from one occurrence to the next; None: it occurs once.
    times: how many occurrences there are; None: as long as nothing ends them.
    every_doses: 2 is after every second dose only.
    source, convention: of the window and the choice of instruments.
    """

    key: str
    label: str
    anchor: Anchor
    instruments: tuple[str, ...]
    window: Window
    every: int | None = None
    times: int | None = None
    every_doses: int = 1
    source: str
    convention: bool

    @property
    def checks_after_dose(self) -> bool:
        """Whether it asks in the hours after a dose, and so is a check on how somebody is.

        Source: our convention, as `window.due_kind`; rather one safety check too many.
        """
        return self.anchor is Anchor.DOSE and self.window.unit == "hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A clinic's answer to: what is asked when.

    late_days: days after a window closed in which an answer still counts, as late.
    long_recall: those of its instruments that ask about LONG_RECALL_DAYS or more.
    sections: what is not about asking: the course, the room, and what comes after.
    source, convention: of the protocol as a whole.
    """

    title: str
    source: str
    convention: bool
    late_days: int
    points: tuple[TimePoint, ...]
    long_recall: frozenset[str]
    sections: Sections
