"""A danger to the body that an entry tells of, and the flag that is raised with it."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from app.clinical.risk import NOT_ASSESSED, Finding
from app.kernel.db import Db
from app.people.chart import Chart
from app.safety import service as safety
from app.safety.schemas import FlagRef
from app.safety.service import Sign


class Danger(NamedTuple):
    """What was found, and when there was any of it last. lasts: as far as is known, it still does.

    What lasts is as new as the word of it: whoever amends an old entry to say that it is worse
    speaks of now.
    """

    finding: Finding
    at: datetime
    lasts: bool = False

    def said(self, now: datetime) -> "Danger":
        """As an amendment tells of it that comes now."""
        return self._replace(at=now) if self.lasts else self


class Source(NamedTuple):
    """The entry that tells of it. kind: as a flag's evidence calls it."""

    kind: str
    id: UUID
    recorded_at: datetime


Found = tuple[Finding, FlagRef | None]
NO_DANGER: Final[Found] = (NOT_ASSESSED, None)


def flag(
    db: Db, chart: Chart, source: Source, danger: Danger | None, was: Danger | None, now: datetime
) -> None:
    """Raise a flag for what was not told of before. was: what the version before told of."""
    if danger is None or (was is not None and not _is_worse(danger.finding, was.finding)):
        return
    sign = Sign(source.kind, source.id, source.recorded_at, danger.at, "physical")
    safety.raise_flag(db, chart, danger.finding, sign, now)


def flag_overtaken(
    db: Db, chart: Chart, source: Source, danger: Danger | None, as_sent: bytes, now: datetime
) -> Found:
    """For a change that came too late for its version: it is not stored, and its danger flags.

    as_sent: the change; the evidence has an id made from it, so that sending it again adds nothing.
    """
    if danger is None:
        return NO_DANGER
    said = db.vault.blind_index(as_sent.decode(), purpose="overtaken").hex()
    source = source._replace(kind=f"{source.kind}_overtaken", id=uuid5(source.id, said))
    danger = danger.said(now)
    raised = safety.flag_of(db, chart, source.kind, source.id)
    if raised is None:
        sign = Sign(source.kind, source.id, source.recorded_at, danger.at, "physical")
        raised = safety.raise_flag(db, chart, danger.finding, sign, now)
    return danger.finding, raised


def found(db: Db, chart: Chart, source: Source, danger: Danger | None, *, is_first: bool) -> Found:
    """For the answer to who sent an entry. is_first: its first version, which has no flag of an
    earlier one.
    """
    if danger is None and is_first:
        return NO_DANGER
    finding = NOT_ASSESSED if danger is None else danger.finding
    return finding, safety.flag_of(db, chart, source.kind, source.id)


def _is_worse(finding: Finding, than: Finding) -> bool:
    return finding.level > than.level or bool(set(finding.reasons) - set(than.reasons))
