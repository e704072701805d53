"""What may help when it gets hard, when it was tried, and how it went."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, literal_column, select

from app.clinical import coping
from app.clinical.coping import Episode, Tried
from app.journal.reading import Listed, Said
from app.journal.shelf import PRIVATE, Kept, Shelf
from app.journal.statements import may_read
from app.kernel import texts
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import invalid
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.practices.schemas import (
    CopingStrategyIn,
    CopingStrategyOut,
    HelpfulnessOut,
    StrategyHelpOut,
    TriggerIn,
    TriggerOut,
)
from app.practices.tables import CopingStrategy, LoggedTrigger

READ: Final = Right("coping.read")
_WRITE: Final = Right("coping.write", privileges=frozenset())
_MOST_COUNTED: Final = 2000
"""Triggers, the newest: what years ago helped says little, and an answer has a bound."""

_strategy = columns(CopingStrategy)
_trigger = columns(LoggedTrigger)
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")


class _Named(NamedTuple):
    id: UUID
    tier: str
    status: str


NAMED_STRATEGIES: Final = Query(
    select(_strategy.id, _strategy.tier, _strategy.status).where(
        _strategy.clinic_id == bindparam("clinic_id"),
        _strategy.patient_id == bindparam("patient_id"),
        _strategy.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    ),
    _Named,
)


def _check_trigger(
    db: Db, chart: Chart, sent: TriggerIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    tried = tuple(Tried(str(one.strategy_id), one.helped) for one in sent.tried)
    logged = Episode(sent.intensity_before, sent.intensity_after, tried)
    if (fault := coping.episode_fault(logged)) is not None:
        # There a strategy is a name, and here an id.
        raise invalid(fault.pointer.replace("/strategy", "/strategy_id"), fault.reason)
    ids = [one.strategy_id for one in sent.tried]
    found = db.all(NAMED_STRATEGIES, patient_id=chart.patient_id, ids=ids) if ids else []
    named = {one.id: one for one in found}
    held = _tried_before(before)
    for place, one in enumerate(ids):
        pointer = f"/tried/{place}/strategy_id"
        if one not in named:
            raise invalid(pointer, "is not one of the patient's entries")
        if named[one].status == ENTERED_IN_ERROR and one not in held:
            raise invalid(pointer, "was withdrawn")
        if named[one].tier == PRIVATE and sent.tier != PRIVATE:
            raise invalid(pointer, "is private, and others would read of it here")
    return {}


def _tried_before(before: Kept | None) -> set[UUID]:
    return {UUID(one["strategy_id"]) for one in before.plain["tried"]} if before else set()


STRATEGIES: Final = Shelf(
    "coping_strategy",
    CopingStrategy,
    CopingStrategyIn,
    CopingStrategyOut,
    created="kept",
    read=READ,
    write=_WRITE,
)


def hidden_among(db: Db, chart: Chart, tried: Iterable[UUID]) -> set[UUID]:
    """Which of these strategies are private now, for a reader to whom that closes them."""
    return STRATEGIES.private_among(db, chart, sorted(set(tried)))


class _Triggers(Shelf[TriggerIn, TriggerOut]):
    """Triggers as their readers may be told of them: no strategy that is hidden from them now.

    A trigger may have named it before it was made private, and every version of it did. What the
    patient themselves is answered with is whole.
    """

    def read(self, db: Db, chart: Chart, entry_id: UUID) -> TriggerOut:
        return _without_hidden(db, chart, [super().read(db, chart, entry_id)])[0]

    def page(
        self, db: Db, chart: Chart, *, cursor: str | None, limit: int, of: UUID | None = None
    ) -> Listed[TriggerOut]:
        found = super().page(db, chart, cursor=cursor, limit=limit, of=of)
        return found._replace(entries=_without_hidden(db, chart, found.entries))

    def found(self, db: Db, chart: Chart, query: Query[Kept], **params: Any) -> list[TriggerOut]:
        return _without_hidden(db, chart, super().found(db, chart, query, **params))

    def versions(self, db: Db, chart: Chart, entry_id: UUID) -> list[Said[TriggerOut]]:
        said = super().versions(db, chart, entry_id)
        told = _without_hidden(db, chart, [one.entry for one in said])
        return [one._replace(entry=entry) for one, entry in zip(said, told, strict=True)]


def _without_hidden(db: Db, chart: Chart, triggers: list[TriggerOut]) -> list[TriggerOut]:
    """One statement at most, however many there are."""
    named = [one.strategy_id for trigger in triggers for one in trigger.tried]
    hidden = hidden_among(db, chart, named)
    if not hidden:
        return triggers
    return [
        trigger.model_copy(
            update={"tried": [one for one in trigger.tried if one.strategy_id not in hidden]}
        )
        for trigger in triggers
    ]


TRIGGERS: Final = _Triggers(
    "trigger",
    LoggedTrigger,
    TriggerIn,
    TriggerOut,
    created="logged",
    read=READ,
    write=_WRITE,
    derive=_check_trigger,
)


MOST_SHOWN: Final = 100
STRATEGIES_NEWEST: Final = STRATEGIES.query(newest=MOST_SHOWN)


def read_strategies(db: Db, chart: Chart) -> list[CopingStrategyOut]:
    """The newest strategies that this reader may see, at most `MOST_SHOWN`."""
    return STRATEGIES.found(db, chart, STRATEGIES_NEWEST)


class _Logged(NamedTuple):
    effective_at: datetime
    intensity_before: int
    intensity_after: int | None
    tried: list[dict[str, Any]]


STRATEGIES_SEEN: Final = Query(
    select(_strategy.id).where(
        _strategy.clinic_id == bindparam("clinic_id"),
        _strategy.patient_id == bindparam("patient_id"),
        _strategy.status != _WITHDRAWN,
        *may_read(table(CopingStrategy), STRATEGIES.closed, None),
    ),
    itself,
)
LOGGED: Final = Query(
    select(
        _trigger.effective_at,
        _trigger.intensity_before,
        _trigger.intensity_after,
        _trigger.tried,
    )
    .where(
        _trigger.clinic_id == bindparam("clinic_id"),
        _trigger.patient_id == bindparam("patient_id"),
        _trigger.status != _WITHDRAWN,
        *may_read(table(LoggedTrigger), TRIGGERS.closed, None),
    )
    .order_by(_trigger.effective_at.desc(), _trigger.id.desc())
    .limit(literal_column(str(_MOST_COUNTED))),
    _Logged,
)


def read_helpfulness(db: Db, chart: Chart) -> HelpfulnessOut:
    """What goes with feeling better, of the triggers and strategies that this reader may see."""
    asked = db.ahead(STRATEGIES_SEEN, patient_id=chart.patient_id, sees_closed=chart.is_own)
    logged = db.all(LOGGED, patient_id=chart.patient_id, sees_closed=chart.is_own)
    seen = {str(one) for one in asked.all()}
    helped = coping.helpfulness([_episode(one, seen) for one in logged])
    return HelpfulnessOut(
        statement=texts.say(coping.NO_PROOF, chart.locale, chart.clinic.texts),
        sources=list(coping.SOURCES),
        fewest=coping.FEWEST,
        since=logged[-1].effective_at if logged else None,
        strategies=[
            StrategyHelpOut(**{**asdict(one), "strategy_id": UUID(one.strategy)}) for one in helped
        ],
    )


def _episode(logged: _Logged, seen: set[str]) -> Episode:
    tried = tuple(
        Tried(one["strategy_id"], one["helped"])
        for one in logged.tried
        if one["strategy_id"] in seen
    )
    return Episode(logged.intensity_before, logged.intensity_after, tried)
