"""The subjects, by name, in the order in which they take their turns."""

from collections.abc import Callable, Mapping

from tests.load.afterglow import AfterglowSubject, StreamSubject
from tests.load.away import ChangesSubject, DueSubject, SyncSubject
from tests.load.pictures import AloneSubject, ChartSubject
from tests.load.subjects import PlainSubject, Subject
from tests.load.thread import ThreadSubject
from tests.load.trends import ByHandSubject, CaseloadSubject, OutcomesSubject, TrajectorySubject
from tests.load.visits import VisitsSubject

SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "floor": lambda: PlainSubject("floor", "tests.load.floor:app"),
    "template": lambda: PlainSubject("template", "tests.load.template:app"),
    "afterglow": AfterglowSubject,
    "stream": StreamSubject,
    "due": DueSubject,
    "thread": ThreadSubject,
    "changes": ChangesSubject,
    "sync": SyncSubject,
    "library": AloneSubject,
    "charts": ChartSubject,
    "trajectory": TrajectorySubject,
    "caseload": lambda: CaseloadSubject("caseload", 1_000),
    "caseload-large": lambda: CaseloadSubject("caseload-large", 100_000),
    "by-hand": ByHandSubject,
    "outcomes": OutcomesSubject,
    "visits": VisitsSubject,
}
COMPARED_WITH: Mapping[str, tuple[str, str]] = {
    "write": ("floor", "write"),
    "read": ("floor", "read"),
    "due": ("floor", "read"),
    "thread": ("floor", "read"),
    "week": ("floor", "read"),
    "changes": ("changes", "ledger of 200"),
    "sync": ("sync", "one by one"),
    "chart": ("library", "chart"),
    "trajectory": ("trajectory", "200 points"),
    "caseload": ("caseload", "page of 50, 1,000 patients"),
    "outcomes": ("by-hand", "SQL aggregate"),
    "sessions": ("floor", "read"),
    "vitals": ("visits", "one check-in"),
}
"""By `Kind.like`, in the order of the report: the subject and its kind that the ratios are to."""
