"""Forms: what was typed, read as strictly as the API reads, and what is wrong with it by field.

A form that cannot be taken comes back with everything that was typed and a sentence at each field.
The sentences are those of the API, which never repeat what was sent; what was typed goes back to
the page it came from and nowhere else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from app.console.door import Form
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.strict import problem_of

M = TypeVar("M", bound=BaseModel)
_NO_INSTANT: Final = "is not a date and a time"
_WALL_CLOCK: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
)
REUSED: Final = "was sent before with other values; sent again, it makes another entry"
"""For a page that then gives its form a new id."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A form on a page. name: of the form, unique on its page. labels: by field.

    values: as typed. errors: sentences, by field; those of no field under "".
    """

    name: str
    labels: Mapping[str, str]
    values: Mapping[str, str | list[str]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def id(self, of: str) -> str:
        """The id of a field's element."""
        return f"{self.name}-{of}"

    def value(self, of: str) -> str:
        """What was typed."""
        typed = self.values.get(of, "")
        return typed if isinstance(typed, str) else ""

    def chosen(self, of: str) -> list[str]:
        """What was chosen, of several."""
        typed = self.values.get(of, [])
        return [typed] if isinstance(typed, str) else typed

    def error(self, of: str) -> str:
        """What is wrong with a field; nothing, mostly."""
        return self.errors.get(of, "")

    def wrong(self) -> list[tuple[str, str]]:
        """Field and sentence, in the order of the form; first what is about no field."""
        order = ["", *self.labels]
        return [(of, self.errors[of]) for of in order if of in self.errors]

    def typed(self, form: Form, several: Iterable[str] = ()) -> "Fields":
        """The same form with what was sent."""
        values: dict[str, str | list[str]] = {
            name: form[name] for name in self.labels if name not in several
        }
        values |= {name: form.every(name) for name in several}
        return Fields(self.name, self.labels, values)

    def refused(self, problem: Problem) -> "Fields":
        """The same form with what is wrong about it. Raises: the problem, if it is no refusal."""
        if problem.kind is Kind.ID_REUSED:
            return self.wrong_at("", REUSED)
        if problem.kind is not Kind.INVALID:
            raise problem
        errors: dict[str, str] = {}
        for fault in problem.faults:
            of = self._field_of(fault)
            label = self.labels.get(of, "This form")
            errors.setdefault(of, f"{label}: {fault.reason}.")
        return Fields(self.name, self.labels, self.values, errors)

    def wrong_at(self, of: str, sentence: str) -> "Fields":
        """The same form with one thing wrong."""
        errors = {**self.errors, of: f"{self.labels.get(of, 'This form')}: {sentence}."}
        return Fields(self.name, self.labels, self.values, errors)

    def _field_of(self, fault: Fault) -> str:
        """The innermost part of a pointer that is a field here."""
        parts = fault.pointer.split("/")
        return next((part for part in reversed(parts) if part in self.labels), "")


def read(model: type[M], members: Mapping[str, Any]) -> M:
    """What was typed as the API would take it; an empty field is left out. Raises: Problem."""
    given = {name: value for name, value in members.items() if value not in ("", None)}
    try:
        return model.model_validate_json(to_json(given))
    except ValidationError as error:
        raise problem_of(error) from None


def instant(typed: str, time_zone: str) -> str:
    """A wall clock's time, as `datetime-local` has it, as an RFC 3339 instant.

    Raises: ValueError, with a sentence, also for an hour that the clocks skip.
    """
    if not typed:
        return ""
    # A date alone would be midnight, which nobody said.
    if _WALL_CLOCK.fullmatch(typed) is None:
        raise ValueError(_NO_INSTANT)
    try:
        local = datetime.fromisoformat(typed)
    except ValueError:
        raise ValueError(_NO_INSTANT) from None
    zone = ZoneInfo(time_zone)
    at = local.replace(tzinfo=zone)
    if at.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError("is an hour that the clocks skipped that day")
    return at.isoformat()


def wall(at: datetime | None, time_zone: str) -> str:
    """An instant for a `datetime-local` field."""
    if at is None:
        return ""
    return at.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%dT%H:%M")


NO_VERSION: Final = 1_000_000_000
"""That nothing has, nor will have."""


def version(typed: str) -> int:
    """The version that a form was made of; NO_VERSION for what is none."""
    is_one = typed.isascii() and typed.isdigit() and len(typed) < 10
    return int(typed) if is_one else NO_VERSION
