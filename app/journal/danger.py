"""A danger to the body that an entry tells of, and the flag that is raised with it."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import uuid5

from app.clinical.risk import NOT_ASSESSED, Finding
from app.journal.schemas import EntryOut
from app.kernel.db import Db
from app.people.chart import Chart
from app.safety import service as safety
from app.safety.schemas import FlagRef
from app.safety.service import Sign

O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out


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


Found = tuple[Finding, FlagRef | None]
NO_DANGER: Final[Found] = (NOT_ASSESSED, None)


class Lookout(Generic[O]):
    """Looks for danger in the entries of one kind, and raises the flags.

    kind: as a flag's evidence calls it. tells: of the danger in an entry, if there is any.
    """

    def __init__(self, kind: str, tells: Callable[[O], Danger | None]) -> None:
        self._kind = kind
        self._tells = tells

    def flag(self, db: Db, chart: Chart, entry: O, before: O | None, now: datetime) -> None:
        """Raise a flag for what the version before did not tell of."""
        danger = self._tells(entry)
        was = None if before is None else self._tells(before)
        if danger is None or (was is not None and not _is_worse(danger.finding, was.finding)):
            return
        at = danger.at if before is None else danger.said(now).at
        sign = Sign(self._kind, entry.id, entry.recorded_at, at, "physical")
        safety.raise_flag(db, chart, danger.finding, sign, now)

    def flag_overtaken(
        self, db: Db, chart: Chart, entry: O, as_sent: bytes, now: datetime
    ) -> Found:
        """For a change that came too late for its version: it is not stored, and its danger flags.

        entry: as it would be. as_sent: the change; the evidence has an id made from it, so that
        sending it again adds nothing.
        """
        danger = self._tells(entry)
        if danger is None:
            return NO_DANGER
        said = db.vault.blind_index(as_sent.decode(), purpose="overtaken").hex()
        kind, evidence_id = f"{self._kind}_overtaken", uuid5(entry.id, said)
        raised = safety.flag_of(db, chart, kind, evidence_id)
        if raised is None:
            sign = Sign(kind, evidence_id, entry.recorded_at, danger.said(now).at, "physical")
            raised = safety.raise_flag(db, chart, danger.finding, sign, now)
        return danger.finding, raised

    def found(self, db: Db, chart: Chart, entry: O) -> Found:
        """For the answer to who sent an entry: its danger, and its flag, or that of a version
        before.
        """
        danger = self._tells(entry)
        if danger is None and entry.version == 1:
            return NO_DANGER
        finding = NOT_ASSESSED if danger is None else danger.finding
        return finding, safety.flag_of(db, chart, self._kind, entry.id)


def _is_worse(finding: Finding, than: Finding) -> bool:
    return finding.level > than.level or bool(set(finding.reasons) - set(than.reasons))
