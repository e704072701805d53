"""Submitting, amending, withdrawing and reading check-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.checkins import packs, rises
from app.checkins.rises import Check, Rises
from app.checkins.schemas import (
    CheckInIn,
    CheckInOut,
    CheckInVersion,
    CheckInVersions,
    PositionOut,
    SubmittedOut,
)
from app.checkins.tables import CheckIn
from app.clinical import instruments, risk, scoring, trajectory
from app.clinical.instruments import Instrument
from app.clinical.risk import NOT_ASSESSED, Finding
from app.kernel import entries, ledger, timeline
from app.kernel.arrival import place
from app.kernel.clock import microseconds
from app.kernel.db import Change, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.tables import columns, table
from app.kernel.wire import as_json
from app.people.chart import CARE, Chart, Right
from app.safety import service as safety
from app.safety.schemas import FlagRef
from app.safety.service import Sign
from app.treatment import service as treatment

READ_CHECK_INS: Final = Right("check_ins.read")
SUBMIT_CHECK_INS: Final = Right("check_ins.submit", privileges=frozenset())
RECORD_SCORES: Final = Right("scores.record", is_for_patient=False, privileges=CARE)
WITHDRAW_CHECK_INS: Final = Right("check_ins.withdraw", privileges=CARE)
"""A patient's own answers, or scores that somebody recorded for them; see `withdraw`."""
OVERTAKEN: Final = "check_in_overtaken"
"""The evidence of a flag: answers that were not stored, because another device was first."""
KIND: Final = "check_in"
"""As the ledger and a flag's evidence call it."""


class CheckInRow(NamedTuple):
    """A check-in as it is stored."""

    id: UUID
    version: int
    status: str
    instrument: str
    instrument_version: str
    scoring_version: str
    answers: list[int | None]
    extras: dict[str, Any]
    total: int | float | None
    results: dict[str, Any] | None
    band: str | None
    complete: bool
    assessed: bool
    level: str
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


class Kept(NamedTuple):
    """A check-in after it was sent. is_new: False when nothing had to be stored."""

    row: CheckInRow
    finding: Finding
    flag: FlagRef | None
    is_new: bool


_check_in = columns(CheckIn)
_COLUMNS = tuple(getattr(_check_in, name) for name in CheckInRow._fields)
_IS_STANDING = _check_in.status != literal_column(f"'{ENTERED_IN_ERROR}'")
_of_patient = select(*_COLUMNS).where(
    _check_in.clinic_id == bindparam("clinic_id"),
    _check_in.patient_id == bindparam("patient_id"),
)
ADD_CHECK_IN = Change(insert(CheckIn))
CHECK_IN = Query(_of_patient.where(_check_in.id == bindparam("id")), CheckInRow)
CHECK_IN_TO_CHANGE = Query(
    _of_patient.where(_check_in.id == bindparam("id")).with_for_update(), CheckInRow
)
CHECK_INS_TO_CHANGE = Query(
    _of_patient.where(_check_in.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(_check_in.id)
    .with_for_update(),
    CheckInRow,
)
CHECK_INS = timeline.newest_first(table(CheckIn), _COLUMNS, CheckInRow, _IS_STANDING)
CHECK_INS_OF_INSTRUMENT = timeline.newest_first(
    table(CheckIn),
    _COLUMNS,
    CheckInRow,
    _check_in.instrument == bindparam("instrument"),
    _IS_STANDING,
)
INSTRUMENTS_ANSWERED = Query(
    select(_check_in.instrument)
    .distinct()
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _IS_STANDING,
    )
    .order_by(_check_in.instrument),
    str,
)
_CHANGED = tuple(name for name in CheckInRow._fields if name not in {"id", "received_at"})
CHANGE_CHECK_IN = Change(
    update(CheckIn)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.id == bindparam("entry_id"),
    )
    .values({name: bindparam(f"to_{name}") for name in _CHANGED})
)


def submit(db: Db, chart: Chart, sent: CheckInIn, known: Known[CheckInRow], now: datetime) -> Kept:
    """Score, look for danger, store; all of it or nothing.

    known: what there is under its id already.
    Raises: Problem INVALID, ID_REUSED.
    """
    instrument = _instrument(db, sent)
    score, finding = _read_answers(instrument, sent, chart)
    body = risk.assess_body(instrument, score.criteria)
    earlier = entries.created_before(known, lambda entry: _says(entry, sent))
    if earlier is not None:
        # What was never amended and found nothing has no flag to look for.
        has_none = (
            earlier.version == 1
            and earlier.level == NOT_ASSESSED.level
            and not (earlier.results or {}).get("criteria")
            and instrument.rise is None
        )
        as_sent = _check(earlier)._replace(answers=sent.answers)
        seen = rises.look(db, chart, instrument, None, as_sent)
        flag = None if has_none else _flag_of(db, chart, earlier.id, finding, seen)
        return Kept(earlier, _to_tell(finding, _of_body(body, seen)), flag, False)
    if not packs.is_taken(instrument, chart.clinic.instruments):
        raise invalid("/instrument", "is not switched on at this clinic")
    row = _row(sent.id or uuid7(), 1, instrument, sent, score, finding, now)
    db.add(ADD_CHECK_IN, **row._asdict(), patient_id=chart.patient_id)
    _record(db, chart, "check_in.submitted", row, known, now)
    seen = rises.look(db, chart, instrument, None, _check(row))
    flag = _flag_body(db, chart, row, risk.together(body, seen.after), seen, now)
    if finding.flagged:
        flag = _raise_flag(db, chart, row, finding, now)
    return Kept(row, _to_tell(finding, _of_body(body, seen)), flag, True)


def amend(
    db: Db,
    chart: Chart,
    sent: CheckInIn,
    known: Known[CheckInRow],
    base_version: int,
    now: datetime,
) -> Kept:
    """Put other answers in the place of a check-in's. Neither this nor a lower score clears a flag;
    a sign of danger that was not there before raises one.

    Raises: Problem as `entries.to_change`, INVALID (answers; another instrument).
    """
    standing = known.row
    if standing is not None and standing.instrument != sent.instrument:
        raise invalid("/instrument", "cannot be changed; withdraw it and send another")
    instrument = _instrument(db, sent)
    score, finding = _read_answers(instrument, sent, chart)
    body = risk.assess_body(instrument, score.criteria)
    changing = entries.to_change(known, base_version, lambda entry: _says(entry, sent))
    if changing is None:
        assert standing is not None
        as_sent = _check(standing)._replace(answers=sent.answers)
        seen = rises.look(db, chart, instrument, None, as_sent)
        flag = _flag_of(db, chart, standing.id, finding, seen)
        return Kept(standing, _to_tell(finding, _of_body(body, seen)), flag, False)
    row = _row(changing.id, base_version + 1, instrument, sent, score, finding, now)
    row = row._replace(received_at=changing.received_at)
    if row.recorded_at == changing.recorded_at:
        # When it happened was settled by the clock of the phone that first sent it.
        row = row._replace(
            effective_at=changing.effective_at, clock_ahead_seconds=changing.clock_ahead_seconds
        )
    _change(db, chart, row)
    _record(db, chart, "check_in.amended", row, known, now)
    met = (changing.results or {}).get("criteria", {})
    seen = rises.look(db, chart, instrument, _check(changing), _check(row))
    of_row = risk.together(body, seen.after)
    of_body_before = risk.together(risk.assess_body(instrument, met), seen.before)
    is_new = of_row.flagged and set(of_row.reasons) - set(of_body_before.reasons)
    flag = _flag_body(db, chart, row, of_row if is_new else NOT_ASSESSED, seen, now)
    told = _to_tell(finding, _of_body(body, seen))
    if flag is not None and not finding.flagged:
        return Kept(row, told, flag, True)
    before = finding_of(db, changing, chart)
    # An answer that was taken back is no new sign.
    signs = set(finding.reasons) - {*before.reasons, *NOT_ASSESSED.reasons}
    is_worse = finding.level > before.level or signs
    if finding.flagged and is_worse:
        return Kept(row, finding, _raise_flag(db, chart, row, finding, now), True)
    return Kept(row, told, _flag_of(db, chart, row.id, finding, seen), True)


def flag_overtaken(
    db: Db, chart: Chart, sent: CheckInIn, known: Known[CheckInRow], now: datetime
) -> tuple[Finding, FlagRef | None]:
    """An amendment that came too late for its version is not stored, and danger in it flags.

    Its evidence has an id made from what was sent, so that sending it again adds nothing.
    Raises: Problem INVALID.
    """
    assert known.row is not None
    instrument = _instrument(db, sent)
    score, of_answers = _read_answers(instrument, sent, chart)
    effective_at = place(sent.recorded_at, sent.sent_at, now).effective_at
    as_sent = Check(known.row.id, instrument.version, sent.recorded_at, effective_at, sent.answers)
    rise = rises.look(db, chart, instrument, None, as_sent).after
    body = risk.together(risk.assess_body(instrument, score.criteria), rise)
    finding = _to_tell(of_answers, body)
    if not finding.flagged or known.was_said(lambda entry: _says(entry, sent)):
        return finding, None
    said = as_json([sent.instrument, sent.answers, sent.recorded_at.isoformat()]).decode()
    source_id = uuid5(known.row.id, db.vault.blind_index(said, purpose="overtaken").hex())
    flag = safety.flag_of(db, chart, OVERTAKEN, source_id)
    if flag is None:
        for one, kind in ((body, "physical"), (of_answers, "suicide-risk")):
            if one.flagged:
                sign = Sign(OVERTAKEN, source_id, sent.recorded_at, effective_at, kind)
                flag = safety.raise_flag(db, chart, one, sign, now)
    return finding, flag


def withdraw(
    db: Db, chart: Chart, known: Known[CheckInRow], base_version: int, now: datetime
) -> Kept:
    """Entered in error: it stays readable and counts for nothing, and its flag stays. Without it
    the check after it may have risen since the one before, and flags.

    Raises: Problem as `entries.to_change`, FORBIDDEN (the answers are another's to withdraw).
    """
    standing = known.row
    if standing is not None and chart.is_own is not bool(standing.answers):
        raise Problem(Kind.FORBIDDEN)
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert standing is not None
        return Kept(standing, NOT_ASSESSED, None, False)
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    _change(db, chart, row)
    _record(db, chart, "check_in.withdrawn", row, known, now)
    instrument = packs.find(db, row.instrument, row.instrument_version)
    seen = rises.look(db, chart, instrument, _check(changing), None)
    flag = _flag_body(db, chart, row, NOT_ASSESSED, seen, now)
    return Kept(row, _of_body(NOT_ASSESSED, seen), flag, True)


def submitted(
    db: Db,
    chart: Chart,
    kept: Kept,
    *,
    doses: Sequence[int],
    country: str | None,
    now: datetime,
) -> SubmittedOut:
    """The answer to who sent it. country: where the app says the patient is."""
    return SubmittedOut(
        **members(db, kept.row, doses),
        safety=safety.safety_block(
            db,
            chart,
            kept.finding,
            kept.flag,
            country=country,
            now=now,
            next_instrument=_next_instrument(chart, kept),
        ),
    )


def _next_instrument(chart: Chart, kept: Kept) -> str | None:
    """What to ask now: a single question that found a sign is followed by the screener."""
    # A body in danger was found without a question about suicide.
    if not (kept.finding.flagged and kept.finding.assessed):
        return None
    if kept.row.instrument in packs.FOLLOW_UPS:
        return None
    return packs.follow_up(chart.clinic.instruments)


def find(db: Db, chart: Chart, check_in_id: UUID) -> CheckInRow:
    """One check-in, also a withdrawn one. Raises: Problem NOT_FOUND."""
    found = db.first(CHECK_IN, patient_id=chart.patient_id, id=check_in_id)
    if found is None:
        raise not_found()
    return found


def newest(
    db: Db, chart: Chart, *, instrument: str | None, cursor: str | None, limit: int
) -> timeline.Page:
    """The patient's check-ins, of one instrument if it is named, newest first."""
    params: dict[str, Any] = {"patient_id": chart.patient_id}
    if instrument is not None:
        params["instrument"] = instrument
    return timeline.page(
        db,
        CHECK_INS if instrument is None else CHECK_INS_OF_INSTRUMENT,
        of=f"check-ins/{chart.patient_id}/{instrument}",
        sent_cursor=cursor,
        limit=limit,
        **params,
    )


def instruments_answered(db: Db, chart: Chart) -> list[str]:
    """The keys of what this patient has answered, or somebody scored."""
    return db.all(INSTRUMENTS_ANSWERED, patient_id=chart.patient_id)


def versions(db: Db, chart: Chart, check_in_id: UUID) -> CheckInVersions:
    """Every version of a check-in, the first one first. Raises: Problem NOT_FOUND."""
    said = ledger.said_of(db, chart, KIND, [check_in_id])
    if not said:
        raise not_found()
    doses = treatment.doses(db, chart)
    return CheckInVersions(
        versions=[
            CheckInVersion(
                version=row.entry_version,
                action=row.action,
                at=row.at,
                by=row.actor_role,
                check_in=CheckInOut(**members(db, stored(row.entry(chart.data_key)), doses)),
            )
            for row in said
        ]
    )


def _instrument(db: Db, sent: CheckInIn) -> Instrument:
    try:
        found = packs.find(db, sent.instrument, sent.instrument_version)
    except instruments.UnknownInstrument:
        try:
            packs.find(db, sent.instrument)
        except instruments.UnknownInstrument:
            raise invalid("/instrument", "is not an instrument that is offered here") from None
        raise invalid("/instrument_version", "is not a version that is offered here") from None
    return found


def _read_answers(
    instrument: Instrument, sent: CheckInIn, chart: Chart
) -> tuple[scoring.Score, Finding]:
    """What was sent, scored, and any sign of danger in it. Raises: Problem INVALID."""
    if (sent.scores is not None) is not bool(instrument.scores):
        if instrument.scores:
            raise invalid("/scores", "is required: a clinician records the scores of this one")
        raise invalid("/scores", "is for instruments whose scores a clinician records")
    if sent.scores is not None:
        if chart.is_own:
            raise Problem(Kind.FORBIDDEN)
        try:
            return scoring.score_given(instrument, sent.scores), NOT_ASSESSED
        except scoring.ScoresRefused as refused:
            known = {one.key for one in instrument.scores}
            raise Problem(
                Kind.INVALID,
                faults=[
                    Fault(f"/scores/{key}" if key in known else "/scores", reason)
                    for key, reason in refused.errors
                ],
            ) from None
    faults: list[Fault] = []
    score: scoring.Score | None = None
    try:
        score = scoring.score(instrument, sent.answers)
    except scoring.AnswersRefused as refused:
        faults += [
            Fault("/answers" if at is None else f"/answers/{at}", reason)
            for at, reason in refused.errors
        ]
    try:
        scoring.check_extras(instrument, sent.extras)
    except scoring.ExtrasRefused as refused:
        # The key is the sender's text unless it is one of ours.
        known = {extra.key for extra in instrument.extras}
        faults += [
            Fault(f"/extras/{key}" if key in known else "/extras", reason)
            for key, reason in refused.errors
        ]
    if score is None or faults:
        raise Problem(Kind.INVALID, faults=faults)
    return score, _assess(instrument, sent.answers, chart)


def _flag_of(
    db: Db, chart: Chart, check_in_id: UUID, finding: Finding, seen: Rises
) -> FlagRef | None:
    """The flag of a check-in to tell of, or of one that it shows to have risen.

    finding: of its answers, as for `_to_tell`.
    """
    kind = "suicide-risk" if finding.flagged else "physical"
    for source_id in (check_in_id, *(check.id for check, _ in seen.others)):
        if (flag := safety.flag_of(db, chart, KIND, source_id, kind)) is not None:
            return flag
    return None


def _of_body(body: Finding, seen: Rises) -> Finding:
    """All the danger to the body that a check-in shows, in itself and in the one after it."""
    return risk.together(body, seen.after, *(finding for _, finding in seen.others))


def _check(row: CheckInRow) -> Check:
    """A check-in among those it may have risen from."""
    return Check(*(getattr(row, name) for name in Check._fields))


def _to_tell(finding: Finding, body: Finding) -> Finding:
    """Of the two that answers can give: a danger to the body where there is no other."""
    return body if body.flagged and not finding.flagged else finding


def _assess(instrument: Instrument, answers: Sequence[int | None], chart: Chart) -> Finding:
    # A slip in a clinic's setting stops no check-in; `assess` passes over what it cannot read.
    levels: Any = chart.clinic.raised_levels
    raised = levels.get(instrument.key) if isinstance(levels, dict) else None
    finding = risk.assess(instrument, answers, raised if isinstance(raised, dict) else None)
    if instrument.suicide_item is not None and packs.follow_up(chart.clinic.instruments) is None:
        return risk.without_follow_up(finding)
    return finding


def finding_of(db: Db, row: CheckInRow, chart: Chart) -> Finding:
    """What a stored check-in says about danger; as the clinic's levels are now."""
    if not row.answers:
        return NOT_ASSESSED
    return _assess(packs.find(db, row.instrument, row.instrument_version), row.answers, chart)


def _says(entry: dict[str, Any], sent: CheckInIn) -> bool:
    """Whether a check-in in the ledger is the one that was sent. `sent_at` is when the phone
    tried, and not part of it; a version that was not named is the one that was taken.
    """
    return (
        not entries.is_withdrawn(entry)
        and entry["instrument"] == sent.instrument
        and sent.instrument_version in (None, entry["instrument_version"])
        and entry["answers"] == sent.answers
        and entry["extras"] == sent.extras
        and entry.get("scores") == sent.scores
        and datetime.fromisoformat(entry["recorded_at"]) == sent.recorded_at
    )


def _row(
    check_in_id: UUID,
    version: int,
    instrument: Instrument,
    sent: CheckInIn,
    score: scoring.Score,
    finding: Finding,
    now: datetime,
) -> CheckInRow:
    arrival = place(sent.recorded_at, sent.sent_at, now)
    results = None
    if score.subscales or score.criteria or sent.scores:
        results = {"subscales": score.subscales, "criteria": score.criteria}
        if sent.scores is not None:
            results["scores"] = sent.scores
    return CheckInRow(
        id=check_in_id,
        version=version,
        status="final",
        instrument=instrument.key,
        instrument_version=instrument.version,
        scoring_version=scoring.SCORING_VERSION,
        answers=sent.answers,
        extras=sent.extras,
        total=score.total,
        results=results,
        band=score.band,
        complete=score.complete,
        assessed=finding.assessed,
        level=finding.level.value,
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )


def _change(db: Db, chart: Chart, row: CheckInRow) -> None:
    values = {f"to_{name}": getattr(row, name) for name in _CHANGED}
    db.add(CHANGE_CHECK_IN, patient_id=chart.patient_id, entry_id=row.id, **values)


def _record(
    db: Db, chart: Chart, action: str, row: CheckInRow, known: Known[CheckInRow], now: datetime
) -> None:
    entry = _entry(row)
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
    known.is_now(row, entry)


def _raise_flag(
    db: Db,
    chart: Chart,
    row: CheckInRow,
    finding: Finding,
    now: datetime,
    kind: str = "suicide-risk",
) -> FlagRef:
    sign = Sign(KIND, row.id, row.recorded_at, row.effective_at, kind)
    return safety.raise_flag(db, chart, finding, sign, now)


def _flag_body(
    db: Db, chart: Chart, row: CheckInRow, finding: Finding, seen: Rises, now: datetime
) -> FlagRef | None:
    """Raise what is new of a danger to the body: of this check-in, and of others that it shows."""
    flag = _raise_flag(db, chart, row, finding, now, "physical") if finding.flagged else None
    for check, rise in seen.others:
        sign = Sign(KIND, check.id, check.recorded_at, check.effective_at, "physical")
        flag = safety.raise_flag(db, chart, rise, sign, now)
    return flag


def members(db: Db, row: CheckInRow, doses: Sequence[int]) -> dict[str, Any]:
    """A check-in as it is answered."""
    at = microseconds(row.effective_at)
    position = trajectory.position(at, doses)
    recall = packs.find(db, row.instrument, row.instrument_version).recall
    results = row.results or {}
    said = row._asdict()
    del said["results"]
    return {
        **said,
        "total": _whole(row.total),
        "subscales": results.get("subscales", {}),
        "criteria": results.get("criteria", {}),
        "scores": results.get("scores"),
        "position": PositionOut(
            dose_number=position.dose_number,
            hours_since_dose=position.hours_since_dose,
            window=position.window,
        ),
        "doses_in_recall_window": trajectory.doses_in_recall_window(recall, at, doses),
    }


def _whole(total: float | None) -> int | float | None:
    """A sum is a whole number, which its column cannot say."""
    return int(total) if total is not None and total == int(total) else total


def _entry(row: CheckInRow) -> dict[str, Any]:
    """The whole check-in, as the ledger keeps it."""
    entry = row._asdict()
    for name, value in entry.items():
        if isinstance(value, datetime):
            entry[name] = value.isoformat()
    entry["id"] = str(row.id)
    results = entry.pop("results")
    return {**entry, **(results or {})}


def stored(entry: dict[str, Any]) -> CheckInRow:
    """A check-in from the ledger: the inverse of what was recorded."""
    fields = dict(entry)
    results: dict[str, Any] = {
        name: fields.pop(name) for name in ("subscales", "criteria", "scores") if name in fields
    }
    for name in ("recorded_at", "received_at", "effective_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    fields["id"] = UUID(fields["id"])
    return CheckInRow(**fields, results=results or None)
