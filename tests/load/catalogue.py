"""The subjects, by name, in the order in which they take their turns."""

from collections.abc import Callable, Mapping

from tests.load.afterglow import AfterglowSubject, StreamSubject
from tests.load.subjects import PlainSubject, Subject

SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "floor": lambda: PlainSubject("floor", "tests.load.floor:app"),
    "template": lambda: PlainSubject("template", "tests.load.template:app"),
    "afterglow": AfterglowSubject,
    "stream": StreamSubject,
}
