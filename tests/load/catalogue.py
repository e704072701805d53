"""The subjects, by name, in the order in which they take their turns."""

from collections.abc import Callable, Mapping

from tests.load.afterglow import AfterglowSubject, StreamSubject
from tests.load.away import ChangesSubject, DueSubject, SyncSubject
from tests.load.pictures import AloneSubject, ChartSubject
from tests.load.subjects import PlainSubject, Subject

SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "floor": lambda: PlainSubject("floor", "tests.load.floor:app"),
    "template": lambda: PlainSubject("template", "tests.load.template:app"),
    "afterglow": AfterglowSubject,
    "stream": StreamSubject,
    "due": DueSubject,
    "changes": ChangesSubject,
    "sync": SyncSubject,
    "library": AloneSubject,
    "charts": ChartSubject,
}
COMPARED_WITH: Mapping[str, tuple[str, str]] = {
    "write": ("floor", "write"),
    "read": ("floor", "read"),
    "due": ("floor", "read"),
    "changes": ("changes", "ledger of 200"),
    "sync": ("sync", "one by one"),
    "chart": ("library", "chart"),
}
"""By `Kind.like`, in the order of the report: the subject and its kind that the ratios are to."""
