"""Side effects of a visit, or of none: what was noticed, telling of one, and that it passed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from app.clinical.side_effects import SEVERITIES, SIDE_EFFECTS
from app.console.door import Visit
from app.console.forms import Fields, read, version, wall
from app.console.treatment.acts import (
    ActAnywhere,
    at,
    at_as_it_was,
    first_sent,
    made_with,
    refusing,
    withdraw,
)
from app.console.words import spoken
from app.course.side_effects.schemas import SideEffectIn, SideEffectOut
from app.course.side_effects.service import SIDE_EFFECTS as SHELF
from app.journal.reading import Listed
from app.kernel import entries
from app.kernel.errors import not_found
from app.people.chart import Chart, entry_id
from app.treatment.schemas import DosingSessionOut

SHOWN: Final = 50
NEWEST: Final = 20
CODES: Final = [*sorted(set(SIDE_EFFECTS) - {"other"}, key=spoken), "other"]
_CHANGED: Final = {
    "severity": "How severe",
    "resolved_at": "It passed at",
    "action": "What was done",
}
_LABELS: Final = {
    "code": "What",
    "words": "In words",
    "severity": "How severe",
    "onset_at": "It began at",
    "resolved_at": "It passed at",
    "action": "What was done",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One side effect. form: what may be said of it now; None for whoever may not."""

    entry: SideEffectOut
    form: Fields | None


@dataclass(frozen=True, slots=True)
class SideEffects:
    """Those of a visit, or of a patient, newest first, and the form for another.

    has_more: than stand here.
    """

    told: list[Told]
    has_more: bool
    form: Fields | None
    form_id: str
    codes: Sequence[str]
    severities: tuple[str, ...]


def show(
    visit: Visit, chart: Chart, session: DosingSessionOut, typed: Fields | None
) -> SideEffects | None:
    """The part of a visit's page; None for whoever may not read it."""
    if not SHELF.read_right.is_granted(chart):
        return None
    found = SHELF.page(visit.db, chart, cursor=None, limit=SHOWN, of=session.id)
    return _shown(visit, chart, found, session.id, typed)


def show_all(visit: Visit, chart: Chart, typed: Fields | None) -> SideEffects | None:
    """The newest of a patient; those of no visit have their forms here, as they have no other page.

    None for whoever may not read them.
    """
    if not SHELF.read_right.is_granted(chart):
        return None
    found = SHELF.page(visit.db, chart, cursor=None, limit=NEWEST)
    return _shown(visit, chart, found, None, typed)


def _shown(
    visit: Visit,
    chart: Chart,
    found: Listed[SideEffectOut],
    session_id: UUID | None,
    typed: Fields | None,
) -> SideEffects:
    may = SHELF.write_right.is_granted(chart)
    is_new = typed is not None and typed.name == "effect"
    return SideEffects(
        told=[
            Told(
                one,
                _change(one, chart, typed) if may and one.dosing_session_id == session_id else None,
            )
            for one in found.entries
        ],
        has_more=found.next_cursor is not None,
        form=((typed if is_new else None) or Fields("effect", _LABELS)) if may else None,
        form_id=made_with(visit, typed if is_new else None),
        codes=CODES,
        severities=SEVERITIES,
    )


def report(visit: Visit, chart: Chart, session_id: UUID | None) -> None:
    """Tell of one. A severe one raises a flag with it. Raises: Refused."""
    fields = Fields("effect", _LABELS).typed(visit.form)
    new_id = entry_id(visit.form["id"])
    known = entries.known_before(visit.db, chart, SHELF.kind, SHELF.to_change, new_id)
    first = first_sent(known, visit)
    began = str(known.said(1)["onset_at"]) if known.row is not None else first
    members = {
        **fields.values,
        "id": str(new_id),
        "recorded_at": first,
        "onset_at": at(fields, "onset_at", chart, began),
        "resolved_at": at(fields, "resolved_at", chart, ""),
        "dosing_session_id": "" if session_id is None else str(session_id),
    }
    with refusing(fields):
        SHELF.create(visit.db, chart, read(SideEffectIn, members), known, visit.now)


def change(visit: Visit, chart: Chart, session_id: UUID | None) -> None:
    """How severe it was, that it passed, what was done. It takes no flag back. Raises: Refused."""
    which = entry_id(visit.form["entry"])
    stands = SHELF.read(visit.db, chart, which)
    if stands.dosing_session_id != session_id:
        raise not_found()
    known = entries.look_up(visit.db, chart, SHELF.kind, SHELF.to_change, which)
    fields = Fields(_name(which), _CHANGED).typed(visit.form)
    stood: dict[str, Any] = stands.model_dump(mode="json", include=set(SideEffectIn.model_fields))
    members = {
        **stood,
        "severity": fields.value("severity"),
        "action": fields.value("action"),
        "resolved_at": at_as_it_was(fields, "resolved_at", chart, stands.resolved_at),
    }
    with refusing(fields):
        sent = read(SideEffectIn, members)
        SHELF.amend(visit.db, chart, sent, known, version(visit.form["version"]), visit.now)


def take_back(visit: Visit, chart: Chart, session_id: UUID | None) -> None:
    """It was entered in error. Raises: Refused."""
    withdraw(SHELF, visit, chart, session_id)


ACTS: Final[dict[str, ActAnywhere]] = {
    "report": ActAnywhere(SHELF.write_right, "reported", report),
    "change-effect": ActAnywhere(SHELF.write_right, "changed", change),
    "withdraw-effect": ActAnywhere(SHELF.write_right, "in-error", take_back),
}


def _name(which: UUID) -> str:
    return f"effect-{which}"


def _change(one: SideEffectOut, chart: Chart, typed: Fields | None) -> Fields:
    if typed is not None and typed.name == _name(one.id):
        return typed
    values: dict[str, str | list[str]] = {
        "severity": one.severity,
        "resolved_at": wall(one.resolved_at, chart.clinic.time_zone),
        "action": one.action or "",
    }
    return replace(Fields(_name(one.id), _CHANGED), values=values)
