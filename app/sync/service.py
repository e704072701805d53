"""Taking in what a phone kept while it was away."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import to_json

from app.checkins import service as checkins
from app.checkins.schemas import CheckInIn, CheckInOut
from app.clinical.risk import NOT_ASSESSED, Finding
from app.experience import notes
from app.experience.schemas import NoteIn
from app.journal.shelf import Shelf
from app.kernel import entries
from app.kernel.db import Db, Query
from app.kernel.entries import Known
from app.kernel.errors import Fault, Kind, Problem, invalid
from app.kernel.strict import Wire, problem_of
from app.people.chart import Chart, Right
from app.safety import plan
from app.safety import service as safety
from app.safety.monitoring import Told
from app.safety.schemas import FlagRef, SafetyPlanIn
from app.sync.schemas import ChangeIn, ChangeOut, ChangeProblem, FaultOut, SyncIn, SyncOut
from app.sync.shelves import SHELVES
from app.treatment import service as treatment

SYNC: Final = Right("sync", privileges=frozenset())


class _Upload:
    """What one upload needs to know while it is taken in."""

    def __init__(self, db: Db, chart: Chart, now: datetime) -> None:
        self.db = db
        self.chart = chart
        self.now = now
        self.doses = treatment.doses(db, chart)
        self.gravest: tuple[Finding, FlagRef | None] = (NOT_ASSESSED, None)

    def note(self, finding: Finding, flag: FlagRef | None) -> None:
        """Keep the gravest finding, for the answer."""
        known, flagged = self.gravest
        if flag is not None and (flagged is None or finding.level >= known.level):
            self.gravest = finding, flag
        elif flagged is None and finding.assessed and not known.assessed:
            self.gravest = finding, None


class _Done(NamedTuple):
    """entry: the server's copy. is_new: False when it was so already."""

    entry: Any
    is_new: bool


_Known = Known[Any]


class _Kind(NamedTuple):
    """How the changes of one kind of entry are made. existing: by `:ids`, locked.

    withdraw: None for what cannot be.
    """

    model: type[Wire]
    existing: Query[Any]
    create: Callable[[_Upload, Any, _Known], _Done]
    amend: Callable[[_Upload, Any, _Known, int], _Done]
    withdraw: Callable[[_Upload, _Known, int], _Done] | None
    copy: Callable[[_Upload, Any], Any]


class _Change(NamedTuple):
    """A change that can be read. sent: None for a withdrawal."""

    change: ChangeIn
    sent: Any


def take_in(db: Db, chart: Chart, sent: SyncIn, now: datetime) -> SyncOut:
    """Make every change that can be made, in order; say of each what became of it."""
    upload = _Upload(db, chart, now)
    read = [_read(raw, sent, chart) for raw in sent.changes]
    known = _what_there_is(upload, [one for one in read if isinstance(one, _Change)])
    results = []
    for index, one in enumerate(read):
        if isinstance(one, _Change):
            results.append(_make(upload, index, one, known[one.change.kind][one.change.id]))
        else:
            results.append(_refused(index, sent.changes[index], one, known))
    finding, flag = upload.gravest
    is_stored = any(one.status not in {"refused", "conflict"} for one in results)
    block = safety.safety_block(
        db,
        chart,
        finding,
        flag,
        country=sent.country,
        now=now,
        otherwise=Told.NOBODY_NEEDED if is_stored else Told.NOTHING_STORED,
    )
    return SyncOut(results=results, safety=block)


def _read(raw: Any, upload: SyncIn, chart: Chart) -> _Change | Problem:
    """One change, read as strictly as if it had been sent alone."""
    try:
        change: ChangeIn = _strictly(ChangeIn, raw)
        if change.patient_id not in (None, chart.patient_id):
            return Problem(Kind.NOT_FOUND)
        faults = list(_wrong_with(change))
        if faults:
            return Problem(Kind.INVALID, faults=faults)
        if change.op == "withdraw":
            return _Change(change, None)
        said: Any = change.entry
        if isinstance(said, dict):
            said = {"id": str(change.id), **said}
            if upload.sent_at is not None:
                said = {"sent_at": upload.sent_at.isoformat(), **said}
        entry = _strictly(KINDS[change.kind].model, said, "/entry")
        if entry.id != change.id:
            raise invalid("/entry/id", "is not the change's")
        return _Change(change, entry)
    except Problem as problem:
        return problem


def _strictly(model: type[Any], raw: Any, at: str = "") -> Any:
    """From what JSON said to a model, as a body of its own would be. Raises: Problem."""
    try:
        # Constants stay as they were sent: NaN must not become a null, which is an answer.
        return model.model_validate_json(to_json(raw, inf_nan_mode="constants"))
    except ValidationError as error:
        problem = problem_of(error)
        if problem.kind is not Kind.INVALID:
            problem = Problem(Kind.INVALID, faults=problem.faults)
        raise _beneath(at, problem) from None


def _beneath(at: str, problem: Problem) -> Problem:
    """The same, where its places are told from further up."""
    problem.faults = [Fault(at + fault.pointer, fault.reason) for fault in problem.faults]
    return problem


def _wrong_with(change: ChangeIn) -> Iterator[Fault]:
    if change.op == "create" and change.base_version != 0:
        yield Fault("/base_version", "must be 0 for a new entry")
    if change.op != "create" and change.base_version == 0:
        yield Fault("/base_version", "is required: the version that was changed")
    if change.op == "withdraw" and change.entry is not None:
        yield Fault("/entry", "must be left out of a withdrawal")
    if change.op == "withdraw" and KINDS[change.kind].withdraw is None:
        yield Fault("/op", "must not be withdraw: what this kind says is amended")


def _what_there_is(upload: _Upload, changes: list[_Change]) -> dict[str, dict[UUID, _Known]]:
    """Everything that these changes are about, read and locked, kind by kind."""
    known: dict[str, dict[UUID, _Known]] = {}
    for kind in KINDS:  # always in this order, so that two uploads cannot block each other
        ids = [one.change.id for one in changes if one.change.kind == kind]
        if ids:
            existing = KINDS[kind].existing
            known[kind] = entries.look_up_all(upload.db, upload.chart, kind, existing, ids)
    return known


def _make(upload: _Upload, index: int, one: _Change, known: _Known) -> ChangeOut:
    change, kind = one.change, KINDS[one.change.kind]
    before = known.row
    try:
        with upload.db.tried():
            if change.op == "create":
                done = kind.create(upload, one.sent, known)
                status = "created"
            elif change.op == "amend":
                done = kind.amend(upload, one.sent, known, change.base_version)
                status = "amended"
            else:
                assert kind.withdraw is not None  # or it was refused when it was read
                done = kind.withdraw(upload, known, change.base_version)
                status = "withdrawn"
    except Problem as problem:
        known.row = before  # what was undone with the refusal never was
        if problem.kind not in entries.CONFLICTS:
            if problem.kind is not Kind.VERSION_UNKNOWN:
                known.fail_at(change.base_version)
            return _out(index, change, "refused", problem=_told(_beneath("/entry", problem)))
        assert known.row is not None
        kept_as = None
        if isinstance(one.sent, NoteIn):
            kept_as = notes.keep_both(
                upload.db, upload.chart, one.sent, known, change.base_version, upload.now
            )
        elif isinstance(one.sent, CheckInIn):
            overtaken = checkins.flag_overtaken(
                upload.db, upload.chart, one.sent, known, upload.now
            )
            upload.note(*overtaken)
        elif change.kind in SHELVES and one.sent is not None:
            shelf = SHELVES[change.kind]
            upload.note(*shelf.flag_overtaken(upload.db, upload.chart, one.sent, known, upload.now))
        known.fail_at(change.base_version)
        copy = kind.copy(upload, known.row)
        return _out(index, change, "conflict", copy, kept_as=kept_as, problem=_told(problem))
    return _out(index, change, status if done.is_new else "unchanged", done.entry)


def _out(
    index: int,
    change: ChangeIn,
    status: str,
    entry: Any = None,
    *,
    kept_as: UUID | None = None,
    problem: ChangeProblem | None = None,
) -> ChangeOut:
    return ChangeOut.model_construct(
        index=index,
        kind=change.kind,
        id=change.id,
        status=status,
        version=entry.version if entry is not None else None,
        entry=entry,
        kept_as=kept_as,
        problem=problem,
    )


def _refused(
    index: int, raw: Any, problem: Problem, known: dict[str, dict[UUID, _Known]]
) -> ChangeOut:
    """A change that could not be read; named as far as it named itself in our own words."""
    named = raw if isinstance(raw, dict) else {}
    kind = named.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        kind = None
    try:
        entry_id = UUID(named["id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        entry_id = None
    base_version = named.get("base_version")
    if kind is not None and entry_id in known.get(kind, {}) and isinstance(base_version, int):
        known[kind][entry_id].fail_at(base_version)
    return ChangeOut(
        index=index,
        kind=kind,
        id=entry_id,
        status="refused",
        problem=_told(problem),
    )


def _told(problem: Problem) -> ChangeProblem:
    body: dict[str, Any] = problem.body()
    faults = [FaultOut(pointer=one.pointer, reason=one.reason) for one in problem.faults]
    return ChangeProblem(**{**body, "errors": faults})


def _kept(upload: _Upload, kept: checkins.Kept) -> _Done:
    upload.note(kept.finding, kept.flag)
    return _Done(_check_in(upload, kept.row), kept.is_new)


def _check_in(upload: _Upload, row: checkins.CheckInRow) -> CheckInOut:
    return CheckInOut(**checkins.members(upload.db, row, upload.doses))


def _kept_on(shelf: Shelf[Any, Any]) -> _Kind:
    def told(upload: _Upload, entry: Any, is_new: bool) -> _Done:
        if shelf.tells_of_danger:
            upload.note(*shelf.danger_in(upload.db, upload.chart, entry))
        return _Done(entry, is_new)

    return _Kind(
        model=shelf.sent,
        existing=shelf.all_to_change,
        create=lambda up, sent, known: told(
            up, *shelf.create(up.db, up.chart, sent, known, up.now)
        ),
        amend=lambda up, sent, known, base: told(
            up, *shelf.amend(up.db, up.chart, sent, known, base, up.now)
        ),
        withdraw=lambda up, known, base: _Done(
            *shelf.withdraw(up.db, up.chart, known, base, up.now)
        ),
        copy=lambda up, row: shelf.told(up.chart, row),
    )


KINDS: Final[dict[str, _Kind]] = {
    "check_in": _Kind(
        model=CheckInIn,
        existing=checkins.CHECK_INS_TO_CHANGE,
        create=lambda up, sent, known: _kept(
            up, checkins.submit(up.db, up.chart, sent, known, up.now)
        ),
        amend=lambda up, sent, known, base: _kept(
            up, checkins.amend(up.db, up.chart, sent, known, base, up.now)
        ),
        withdraw=lambda up, known, base: _kept(
            up, checkins.withdraw(up.db, up.chart, known, base, up.now)
        ),
        copy=_check_in,
    ),
    **{kind: _kept_on(shelf) for kind, shelf in SHELVES.items() if shelf.is_sent_by_patients},
    plan.KIND: _Kind(
        model=SafetyPlanIn,
        existing=plan.PLANS_TO_CHANGE,
        # What another phone wrote first is a conflict and no reused id: there is one plan.
        create=lambda up, sent, known: _Done(
            *plan.write_plan(up.db, up.chart, sent, known, 0, up.now)
        ),
        amend=lambda up, sent, known, base: _Done(
            *plan.write_plan(up.db, up.chart, sent, known, base, up.now)
        ),
        withdraw=None,
        copy=lambda up, row: plan.out(up.chart, row),
    ),
}
