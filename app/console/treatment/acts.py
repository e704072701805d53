"""What the forms of these pages have in common: when something was, and what a refusal says."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from app.console.door import Visit
from app.console.forms import Fields, instant, version, wall
from app.journal.shelf import Shelf
from app.kernel import entries
from app.kernel.entries import Known
from app.kernel.errors import Kind, Problem, not_found
from app.people.chart import Chart, Right, entry_id

NO_NUMBER: Final = "must be a number, such as 40 or 37.5"
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}([.,][0-9]{1,9})?")
_THOUSANDS: Final = re.compile(r"-?[1-9][0-9]*,[0-9]{3}")
_CHANGED: Final = (
    "Somebody changed this since you opened it. What holds now is on this page; what you typed is"
    " still in the form, and sent again it takes the place of what is there."
)
_ASKED_OTHERWISE: Final = (
    "The clinic put another protocol in force since you opened this. Nothing was stored; look at"
    " what is asked now."
)
_WORDS: Final = {
    Kind.ID_REUSED: "This was sent before with other values. Open the page again.",
    Kind.ALREADY_EXISTS: "Somebody recorded it in the meantime. It is on this page.",
    Kind.WITHDRAWN: "It was marked as entered in error, and is not changed any more.",
    Kind.PRECONDITION_FAILED: _CHANGED,
    Kind.VERSION_UNKNOWN: _CHANGED,
    Kind.ILLEGAL_MOVE: "It cannot go there from the state that it is in now.",
    Kind.COURSE_OPEN: "Another course of this patient has not ended. There is one at a time.",
    Kind.NOT_SCREENED: (
        "Nobody has screened this patient. A screening comes before a course takes doses."
    ),
    Kind.HARD_STOP: ("A hard stop stands that no prescriber has resolved. See the page Screening."),
}


class Refused(Exception):
    """A form cannot be taken. fields: it, with what is wrong.

    Whoever catches it tries first (`Db.tried`): nothing of a refused form is stored.
    """

    def __init__(self, fields: Fields, status: int = 422) -> None:
        super().__init__()
        self.fields = fields
        self.status = status


class Act(NamedTuple):
    """Something that a form does. done: as `words.DONE`.

    send: raises Refused; and Problem where nobody who saw the form would send it.
    """

    right: Right
    done: str
    send: Callable[[Visit, Chart, UUID], None]


class ActAnywhere(NamedTuple):
    """The same for what may also be of no visit."""

    right: Right
    done: str
    send: Callable[[Visit, Chart, UUID | None], None]


@contextmanager
def refusing(fields: Fields) -> Iterator[None]:
    """A service's refusal, said at the form. Raises: Refused."""
    try:
        yield
    except Problem as problem:
        said = _WORDS.get(problem.kind)
        if said is None:
            raise Refused(fields.refused(problem)) from None
        raise Refused(with_words(fields, "", said), problem.kind.status) from None


def check_protocol(visit: Visit, fields: Fields, holds: int) -> None:
    """What was asked on the page is what is asked now. holds: the protocol's version.

    A question that is not asked any more would be dropped without a word, and one that reads
    otherwise would be answered by whoever never saw it. Raises: Refused.
    """
    shown = visit.form["protocol_version"]
    if shown and version(shown) != holds:
        raise Refused(with_words(fields, "", _ASKED_OTHERWISE), 409)


def with_words(fields: Fields, of: str, sentence: str) -> Fields:
    """The same form with one whole sentence."""
    return replace(fields, errors={**fields.errors, of: sentence})


def made_with(visit: Visit, fields: Fields | None) -> str:
    """The id of what a form makes: what was sent with it, if it comes back; else a new one."""
    return visit.form["id"] if fields is not None and visit.form["id"] else str(uuid7())


def first_sent(known: Known[Any], visit: Visit) -> str:
    """When an entry was sent first: now, unless this is a retry."""
    return str(known.said(1)["recorded_at"]) if known.row is not None else visit.now.isoformat()


def at(fields: Fields, name: str, chart: Chart, otherwise: str) -> str:
    """An instant that was typed, on the clinic's clock. otherwise: where nothing was.

    Raises: Refused.
    """
    try:
        return instant(fields.value(name), chart.clinic.time_zone) or otherwise
    except ValueError as error:
        raise Refused(fields.wrong_at(name, str(error))) from None


def at_as_it_was(fields: Fields, name: str, chart: Chart, stood: datetime | None) -> str:
    """The same for a change: forms know minutes, and a time that nobody changed keeps its seconds.

    Raises: Refused.
    """
    if stood is not None and fields.value(name) == wall(stood, chart.clinic.time_zone):
        return stood.isoformat()
    return at(fields, name, chart, "")


def numeric(typed: str) -> int | float | str | None:
    """A number that was typed; what is none as it is, for the model to refuse; None for nothing.

    Digits with a point or a comma, and nothing that Python reads besides: 7_5 is a slip and no 75.
    A comma before three digits may be of thousands or of thousandths, and is not guessed at.
    """
    plain = typed.strip()
    if not plain:
        return None
    if _NUMBER.fullmatch(plain) is None or _THOUSANDS.fullmatch(plain) is not None:
        return typed
    return int(plain) if plain.lstrip("-").isdigit() else float(plain.replace(",", "."))


def choices(form: Fields, prefix: str) -> dict[str, str]:
    """What was chosen in the fields `{prefix}{key}`, by key; not what was left empty."""
    return {
        name.removeprefix(prefix): form.value(name).strip()
        for name in form.labels
        if name.startswith(prefix) and form.value(name).strip()
    }


def withdraw(shelf: Shelf[Any, Any], visit: Visit, chart: Chart, visit_id: UUID | None) -> None:
    """Say that an entry of this visit, or of none, was entered in error.

    Raises: Refused, Problem NOT_FOUND.
    """
    which = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, shelf.kind, shelf.to_change, which)
    if known.row is None or known.row.plain["dosing_session_id"] != visit_id:
        raise not_found()
    with refusing(Fields(f"withdraw-{which}", {})):
        shelf.withdraw(visit.db, chart, known, version(visit.form["version"]), visit.now)
