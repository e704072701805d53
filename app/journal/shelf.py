"""Where the entries of one kind are kept.

`reading` shows them, `form` knows how they are stored and sealed, `danger` looks at what they tell
of, `statements` asks the table. Here they are created, amended and withdrawn.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from uuid_utils.compat import uuid7

from app.journal import links, statements
from app.journal.danger import NO_DANGER, Danger, Found, Lookout
from app.journal.form import MADE, Form, Kept
from app.journal.reading import AUTHOR, PRIVATE, Readable
from app.journal.schemas import EntryIn, EntryOut
from app.journal.statements import Closed, Parent
from app.journal.tables import Entry
from app.kernel import entries, ledger
from app.kernel.arrival import place
from app.kernel.db import Db
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.wire import as_json
from app.people.chart import Chart, Right

__all__ = ["PRIVATE", "Kept", "Shelf"]

S = TypeVar("S", bound=EntryIn)
O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out, beside what was Sent

_NOT_SAID: Final = {"id", "sent_at"}
"""Members of what is sent that say nothing about the entry itself."""

Derive = Callable[[Db, Chart, S, Kept, Kept | None, datetime], dict[str, Any]]
"""(db, chart, sent, row, before, now). row: the entry to be, without what it says."""
Follow = Callable[[Db, Chart, O, str, datetime], None]
"""(db, chart, entry, action, now). action: the ledger's, such as `goal.amended`."""


class Shelf(Readable[O], Generic[S, O]):
    """The entries of one kind: how they are kept, changed, read and listed.

    kind: as the ledger calls it. table: with the columns of `journal.tables.Entry`. sent, out:
        what crosses the wire; every member of `out` is sent, derived, or an Entry's.
    created: the ledger's word for a new one, as in `goal.set`.
    read, write: who may. A `write` of the patient's alone has no privileges.
    derive: what the entry says that nobody sends (columns of the table and members of `out`), and
        the rules that need more than what was sent: it may raise a Problem. Called only when
        something is to be written; before: the entry as it is, None for a new one.
    follow: what comes of an entry that was kept, amended or withdrawn, in the same transaction.
    action: the ledger's word for an amendment, from the entry before and after it: a kind with
        states says which move it was, as in `course.paused`. Without one it is the state that it
        went to, or `amended`.
    check_withdrawal: what a kind refuses to take back: it may raise a Problem.
    closed: which entries are hidden, and from whom; of what has a tier, the private ones.
    is_authors_alone: nobody else reads an entry at all, whatever their rights. It needs the column
        `author_id`, and the ledger then keeps the words sealed once more, for this kind alone: who
        copies a patient's ledger with the patient's key has not got them.
    part_of: another shelf and the member (a column) that names an entry on it: a step of a goal. A
        part has no tier of its own; it is shown to whom that entry is shown.
    words_before: how the words of this kind were read before there was a shelf for it; those are
        sealed under the column `words`, and its own under `members`.
    tells: of a danger to the body, if an entry tells of any: it raises a flag with it. An
        amendment flags what it adds, and takes no flag back.
    listed_by: a column that names another entry, such as the visit, by which a list may be asked
        for. It needs an index on (clinic_id, patient_id, that column, effective_at, id).
    guard: (chart, entry) before an entry is amended or withdrawn; raises a Problem for who may not.
    """

    def __init__(
        self,
        kind: str,
        table_: type[Entry],
        sent: type[S],
        out: type[O],
        *,
        created: str,
        read: Right,
        write: Right,
        derive: Derive[S] | None = None,
        follow: Follow[O] | None = None,
        action: Callable[[Kept, Kept], str] | None = None,
        check_withdrawal: Callable[[Db, Chart, Kept], None] | None = None,
        closed: Closed | None = None,
        is_authors_alone: bool = False,
        part_of: "tuple[Shelf[Any, Any], str] | None" = None,
        words_before: Callable[[bytes], dict[str, Any]] | None = None,
        tells: Callable[[O], Danger | None] | None = None,
        guard: Callable[[Chart, O], None] | None = None,
        listed_by: str | None = None,
    ) -> None:
        parent = None
        if part_of is not None:
            whole, key = part_of
            parent = Parent(whole.table, key, whole.closed)
        super().__init__(
            kind,
            Form(table_, out, words_before, is_sealed_apart=is_authors_alone),
            out,
            read=read,
            closed=closed,
            parent=parent,
            is_authors_alone=is_authors_alone,
            listed_by=listed_by,
        )
        self.sent: Final = sent
        self.write_right: Final = write
        self.is_sent_by_patients: Final = write.is_for_patient
        self._created = f"{kind}.{created}"
        self._made_private = f"{kind}.made_private"
        self._derive = derive
        self._follow = follow
        self._action = action
        self._check_withdrawal = check_withdrawal
        self._is_authors_alone = is_authors_alone
        self._has_author = AUTHOR in self.form.plain
        self._lookout = Lookout(kind, tells) if tells is not None else None
        self.tells_of_danger: Final = tells is not None
        self._guard = guard
        self._part_of = part_of
        table, columns, into = self.form.table, self.form.columns, self.form.row
        self.add = statements.insertion(table)
        self.change = statements.change_of(table, [one.name for one in columns if one.name != "id"])
        self.to_change = statements.one_to_change(table, columns, into)
        self.all_to_change = statements.many_to_change(table, columns, into)

    def create(
        self,
        db: Db,
        chart: Chart,
        sent: S,
        known: Known[Kept],
        now: datetime,
        also: Mapping[str, Any] | None = None,
    ) -> tuple[O, bool]:
        """Keep an entry. Returns: it, and whether it is new (False: a retry).

        known: what there is under its id already. also: what it says besides, over `derive`.
        Raises: Problem ID_REUSED, and what `derive` raises.
        """
        if (earlier := self._created_before(chart, sent, known)) is not None:
            return earlier, False
        entry_id = sent.id or uuid7()
        arrival = place(sent.recorded_at, sent.sent_at, now)
        row = Kept(
            id=entry_id,
            version=1,
            status="active",
            words=b"",
            recorded_at=sent.recorded_at,
            received_at=now,
            effective_at=arrival.effective_at,
            clock_ahead_seconds=arrival.clock_ahead_seconds,
            plain={},
        )
        try:
            with db.tried():
                row = self._filled(db, chart, row, sent, None, now, also or {})
        except Problem:
            # A retry is answered as it was at first, whatever would be against it by now.
            before = known.looked_up()
            if before.row is None or not self._is_read(db, chart, before.row.id):
                raise
            earlier = self._created_before(chart, sent, before)
            assert earlier is not None
            return earlier, False
        db.add(self.add, patient_id=chart.patient_id, **self.form.columns_of(row))
        told = self._record(db, chart, row, self._created, known, now)
        self._flag(db, chart, row, None, now)
        return told, True

    def amend(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Put what was sent in an entry's place. Returns: it, and whether anything changed.

        Raises: Problem as `entries.to_change`, FORBIDDEN (somebody else's), and what `derive`
            raises.
        """
        self._require_author(chart, known)
        changing = entries.to_change(
            known, base_version, lambda entry: self._says(chart, entry, sent)
        )
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1)
        if sent.recorded_at != changing.recorded_at:
            arrival = place(sent.recorded_at, sent.sent_at, now)
            row = row._replace(recorded_at=sent.recorded_at, **arrival._asdict())
        row = self._filled(db, chart, row, sent, changing, now, {})
        told = self._change(db, chart, row, self._amended(changing, row), known, now)
        self._flag(db, chart, row, changing, now)
        return told, True

    def make_private(self, db: Db, chart: Chart, known: Known[Kept], now: datetime) -> None:
        """Take a tiered entry out of everybody else's sight, as it stands."""
        standing = known.row
        assert standing is not None
        plain = {**standing.plain, "tier": PRIVATE}
        row = standing._replace(version=standing.version + 1, plain=plain)
        self._change(db, chart, row, self._made_private, known, now)

    def withdraw(
        self, db: Db, chart: Chart, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Entered in error: it leaves the lists and stays readable. Returns: it, and whether it
        is news.

        Raises: Problem as `entries.to_change`, FORBIDDEN (somebody else's), and what
            `check_withdrawal` raises.
        """
        self._require_author(chart, known)
        changing = entries.to_change(known, base_version, entries.is_withdrawn)
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        if self._check_withdrawal is not None:
            self._check_withdrawal(db, chart, changing)
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
        return self._change(db, chart, row, f"{self.kind}.withdrawn", known, now), True

    def danger_in(self, db: Db, chart: Chart, entry: O) -> Found:
        """For the answer to who sent an entry: the danger it tells of, and its flag."""
        return NO_DANGER if self._lookout is None else self._lookout.found(db, chart, entry)

    def flag_overtaken(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], now: datetime
    ) -> Found:
        """An amendment that came too late for its version is not stored, and danger in it flags."""
        standing = known.row
        if self._lookout is None or standing is None:
            return NO_DANGER
        if known.was_said(lambda entry: self._says(chart, entry, sent)):
            return NO_DANGER
        effective_at = place(sent.recorded_at, sent.sent_at, now).effective_at
        said = sent.model_dump(include=type(sent).model_fields.keys() - _NOT_SAID)
        kept = self.form.entry(chart, standing)
        entry = kept.model_copy(update={**said, "effective_at": effective_at})
        as_sent = as_json(sent.model_dump(mode="json", exclude=_NOT_SAID))
        return self._lookout.flag_overtaken(db, chart, entry, as_sent, now)

    @property
    def part_of_kind(self) -> str | None:
        """Of what kind its entries are parts."""
        return self._part_of[0].kind if self._part_of else None

    def made_private(self, action: str) -> bool:
        """Whether a row of the ledger took an entry out of some readers' sight."""
        return action == self._made_private

    def _created_before(self, chart: Chart, sent: S, known: Known[Kept]) -> O | None:
        """The entry, if this very one was sent before. Raises: Problem ID_REUSED."""
        earlier = entries.created_before(known, lambda entry: self._says(chart, entry, sent))
        if earlier is None:
            return None
        if not self._is_author(chart, earlier):
            raise Problem(Kind.ID_REUSED)
        return self.told(chart, earlier)

    def _is_author(self, chart: Chart, row: Kept) -> bool:
        return not self._has_author or row.plain[AUTHOR] == chart.actor_id

    def _require_author(self, chart: Chart, known: Known[Kept]) -> None:
        if known.row is not None and not self._is_author(chart, known.row):
            raise not_found() if self._is_authors_alone else Problem(Kind.FORBIDDEN)

    def _amended(self, before: Kept, after: Kept) -> str:
        """What the ledger says was done: hidden, moved to another state, or amended."""
        if self._is_closed(after.plain) and not self._is_closed(before.plain):
            return self._made_private
        if self._action is not None:
            return f"{self.kind}.{self._action(before, after)}"
        if after.status != before.status:
            return f"{self.kind}.{after.status.replace('-', '_')}"
        return f"{self.kind}.amended"

    def _check_guard(self, chart: Chart, row: Kept) -> None:
        if self._guard is not None:
            self._guard(chart, self.form.entry(chart, row))

    def _flag(self, db: Db, chart: Chart, row: Kept, before: Kept | None, now: datetime) -> None:
        if self._lookout is not None:
            was = None if before is None else self.form.entry(chart, before)
            self._lookout.flag(db, chart, self.form.entry(chart, row), was, now)

    def _filled(
        self,
        db: Db,
        chart: Chart,
        row: Kept,
        sent: S,
        before: Kept | None,
        now: datetime,
        also: Mapping[str, Any],
    ) -> Kept:
        """The row with what it says from now on."""
        if self.is_tiered:
            source = getattr(sent, "came_from", None)
            links.check(db, chart, self.kind, row.id, source, is_new=before is None)
        if self._part_of is not None:
            self._require_whole(db, chart, sent, before)
        said = self.form.said(sent, type(sent).model_fields.keys() - _NOT_SAID - MADE)
        if "status" in type(sent).model_fields:
            row = row._replace(status=sent.model_dump(mode="json", include={"status"})["status"])
        derived = self._derive(db, chart, sent, row, before, now) if self._derive else {}
        if self._has_author:
            derived = {**derived, AUTHOR: before.plain[AUTHOR] if before else chart.actor_id}
        derived = {**derived, **also}
        row = row._replace(status=derived.pop("status", row.status))
        return self.form.filled(chart, row, said | derived)

    def _require_whole(self, db: Db, chart: Chart, sent: S, before: Kept | None) -> None:
        """Raises: Problem INVALID where there is nothing that this could be a part of."""
        assert self._part_of is not None
        whole, key = self._part_of
        try:
            found = whole.read(db, chart, getattr(sent, key))
        except Problem:
            raise invalid(f"/{key}", "is not one of the patient's entries") from None
        if before is None and found.status == ENTERED_IN_ERROR:
            raise invalid(f"/{key}", "was withdrawn")

    def _says(self, chart: Chart, entry: dict[str, Any], sent: S) -> bool:
        """Whether an entry of the ledger says what was sent."""
        if entries.is_withdrawn(entry):
            return False
        kept = self.model.model_validate(self.form.whole(chart, entry))
        names = type(sent).model_fields.keys() - _NOT_SAID
        return kept.model_dump(include=names) == sent.model_dump(include=names)

    def _change(
        self, db: Db, chart: Chart, row: Kept, action: str, known: Known[Kept], now: datetime
    ) -> O:
        values = {f"to_{name}": value for name, value in self.form.columns_of(row).items()}
        del values["to_id"]
        db.add(self.change, patient_id=chart.patient_id, entry_id=row.id, **values)
        return self._record(db, chart, row, action, known, now)

    def _record(
        self, db: Db, chart: Chart, row: Kept, action: str, known: Known[Kept], now: datetime
    ) -> O:
        entry = self.form.snapshot(chart, row)
        ledger.record(
            db, chart, action, kind=self.kind, id=row.id, version=row.version, entry=entry, now=now
        )
        known.is_now(row, entry)
        if self._follow is not None:
            self._follow(db, chart, self.form.entry(chart, row), action, now)
        return self.told(chart, row)
