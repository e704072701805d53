"""A clinician's patients: who to look at first, why, and how they have been.

What places somebody on the list (`clinical.attention`) is worked out for the whole list of one
clinician at each request and stored nowhere, so it is never stale; names are opened in memory, for
that list alone. A fixed number of statements, however long the list is.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, case, literal_column, select

from app.checkins import packs, schedule
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical import attention, change, instruments, protocol, trajectory
from app.clinical.instruments import Instrument, Scale
from app.clinical.protocol import Answered, Protocol
from app.kernel.clock import microseconds
from app.kernel.db import Db, Query
from app.kernel.identity import Caller
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import DataKey, columns, table
from app.people.admission import open_name
from app.people.chart import Right, cared_for, note_shown, open_panel
from app.people.tables import Patient
from app.safety.flags import URGENCY, urgency_of
from app.safety.schemas import FlagRef
from app.safety.tables import Flag
from app.trends import gathered
from app.trends.gathered import MAIN, Gathered
from app.trends.schemas.caseload import CaseloadOut, CaseOut, SparklineOut

READ_CASELOAD: Final = Right("caseload.read", is_for_patient=False)

SPARKLINE: Final = 12
FILTERS: Final = ("flagged", "worsening", "loss-of-response", "overdue", "silent")
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NOBODY: Final = UUID(int=0)


class _Case(NamedTuple):
    patient_id: UUID
    wrapped: bytes | None
    contact: bytes
    time_zone: str
    enrolled_at: datetime
    flag_id: UUID | None
    level: str | None
    status: str | None
    round: int | None
    kind: str | None
    is_historic: bool | None
    raised_at: datetime | None
    last_check_in_at: datetime | None
    urgency: int


class _Wanted(NamedTuple):
    """What somebody is overdue with when it was not answered, by the protocol that holds.

    long: instruments with a long recall, whenever they are asked. checks: on somebody's safety.
    keys: the instruments of both that the clinic uses.
    """

    held: Protocol
    checks: schedule.SafetyChecks
    long: frozenset[str]
    keys: frozenset[str]


class _Ranked(NamedTuple):
    """place: what the list is ordered by. doses: oldest first. series: what got worse, or the
    first of what they are followed by. phq9: with a complete score.
    """

    place: tuple[int, int, datetime, UUID]
    case: _Case
    why: list[attention.Why]
    doses: list[int]
    series: Gathered | None
    phq9: Gathered | None


_check_in = columns(CheckIn)
_patient = columns(Patient)
_flag = columns(Flag)
_data_key = columns(DataKey)

# A patient may have one of each kind.
_other = table(Flag).alias()
_WORST_FLAG = (
    select(_other.c.id)
    .where(
        _other.c.clinic_id == _patient.clinic_id,
        _other.c.patient_id == _patient.id,
        _other.c.status != literal_column("'resolved'"),
    )
    .order_by(urgency_of(_other.c).desc(), _other.c.raised_at)
    .limit(literal_column("1"))
    .correlate(table(Patient))
    .scalar_subquery()
)
_LAST_CHECK_IN_AT = (
    select(_check_in.effective_at)
    .where(
        _check_in.clinic_id == _patient.clinic_id,
        _check_in.patient_id == _patient.id,
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc())
    .limit(literal_column("1"))
    .correlate(table(Patient))
    .scalar_subquery()
)
CASELOAD = Query(
    select(
        _patient.id,
        _data_key.wrapped,
        _patient.contact,
        _patient.time_zone,
        _patient.created_at,
        _flag.id,
        _flag.level,
        _flag.status,
        _flag.round,
        _flag.kind,
        _flag.is_historic,
        _flag.raised_at,
        _LAST_CHECK_IN_AT,
        case((_flag.id.is_(None), literal_column("0")), else_=URGENCY),
    )
    .select_from(
        table(Patient)
        .outerjoin(
            table(DataKey),
            and_(_data_key.clinic_id == _patient.clinic_id, _data_key.patient_id == _patient.id),
        )
        .outerjoin(
            table(Flag), and_(_flag.clinic_id == _patient.clinic_id, _flag.id == _WORST_FLAG)
        )
    )
    .where(
        _patient.clinic_id == bindparam("clinic_id"), cared_for(_patient.id, _patient.clinic_id)
    ),
    _Case,
)


def read_caseload(
    db: Db,
    caller: Caller,
    *,
    after: str | None,
    limit: int,
    now: datetime,
    only: str | None = None,
    name: str | None = None,
) -> CaseloadOut:
    """The caller's patients, in the order of `attention.ORDER`.

    only: one of FILTERS; whoever it is true of, whatever else is. name: a part of one, whatever
        its case and accents.
    Raises: Problem FORBIDDEN, MALFORMED_REQUEST.
    """
    open_panel(db, caller, READ_CASELOAD, now)
    sought = _folded(name) if name else ""
    # Whatever is sought is not in the cursor, and a cursor is of this list and no other.
    sealed = db.vault.blind_index(sought, purpose="caseload").hex() if sought else ""
    of = f"caseload/{caller.membership_id}/{only or ''}/{sealed}"
    after_place = None if after is None else _place(read_cursor(db.vault, of, after, 4))

    cases = db.all(CASELOAD, membership_id=caller.membership_id, now=now)
    names: dict[UUID, str | None] = {}
    if sought:
        names = {one.patient_id: _name(db, caller, one) for one in cases}
        cases = [one for one in cases if sought in _folded(names[one.patient_id] or "")]
    ranked = sorted(_ranked(db, cases, now), key=lambda one: one.place)
    code = "flag" if only == "flagged" else only
    following = [
        one
        for one in ranked
        if (code is None or code in one.why) and (after_place is None or one.place > after_place)
    ]
    page = following[:limit]
    note_shown(db, caller, READ_CASELOAD, (one.case.patient_id for one in page), now)
    last = page[-1].place if len(following) > limit else None
    return CaseloadOut(
        patients=[
            _case_out(one, names.get(one.case.patient_id) or _name(db, caller, one.case))
            for one in page
        ],
        rule=attention.RULE,
        next_cursor=cursor(db.vault, of, last[0], last[1], last[2].isoformat(), last[3])
        if last
        else None,
    )


def _place(parts: list[str]) -> tuple[int, int, datetime, UUID]:
    rank, urgency, since, patient_id = parts
    return int(rank), int(urgency), instant_of(since), UUID(patient_id)


def _ranked(db: Db, cases: Sequence[_Case], now: datetime) -> list[_Ranked]:
    """Each of them, with every reason to look."""
    if not cases:
        return []
    wanted = _wanted(db)
    found = gathered.gather(
        db,
        [one.patient_id for one in cases],
        sorted({*MAIN, *wanted.long}),
        checks=sorted(wanted.keys - wanted.long - {*MAIN}),
        since=now - schedule.LOOK_BACK,
    )
    return [_rank(one, found, wanted, now) for one in cases]


def _wanted(db: Db) -> _Wanted:
    held = schedule.protocol_held(db)
    switches = db.one(packs.SWITCHES)
    asked = {key for point in held.points for key in point.instruments}
    on = {key for key in asked if packs.is_key_on(key, switches)}
    checks = schedule.safety_checks(db, held, on)
    long = held.long_recall & on
    checked = {
        key
        for point in held.points
        for key in on.intersection(point.instruments)
        if checks.has(point.key, key)
    }
    return _Wanted(held, checks, frozenset(long), frozenset(long | checked))


def _rank(
    one: _Case,
    found: gathered.Patients,
    wanted: _Wanted,
    now: datetime,
) -> _Ranked:
    own = found.series.get(one.patient_id, {})
    doses = found.doses.get(one.patient_id, [])
    scored: dict[str, Gathered] = {
        key: own[key] for key in MAIN if key in own and own[key].has_scores
    }
    moved = [
        (scored[key], *_moved(scored[key], doses))
        for key in attention.lately({key: one.last_at for key, one in scored.items()})
    ]
    # The one that places them; the first where none does.
    main, is_worse, course = max(
        moved,
        key=lambda one: (one[1], one[2] is not None and one[2].state == "lost"),
        default=(None, False, None),
    )
    course = next((c for _, _, c in moved if c is not None and c.state == "lost"), course)
    why = attention.reasons(
        is_flagged=one.flag_id is not None,
        is_worse=is_worse,
        course=course,
        is_overdue=_is_overdue(one, found, wanted, now),
        last_heard_at=microseconds(one.last_check_in_at or one.enrolled_at),
        now=microseconds(now),
    )
    since = one.raised_at if one.flag_id is not None else one.last_check_in_at
    place = (attention.ORDER.index(why[0]), -one.urgency, since or _NEVER, one.patient_id)
    return _Ranked(place, one, why, doses, main, scored.get("phq-9"))


def _moved(main: Gathered, doses: list[int]) -> tuple[bool, change.ResponseCourse | None]:
    """Whether the last score is worse, and what became of a response."""
    scale = _scale(main.instrument)
    start = trajectory.baseline(main.at, main.totals, doses, main.pinned_index)
    if start is None:
        by = change.yardstick(scale, next(one for one in main.totals if one is not None))
        return attention.is_worsening(by, main.totals, None), None
    by = change.yardstick(scale, start.total)
    return (
        attention.is_worsening(by, main.totals, start.index),
        change.response_course(by, main.at, main.totals, doses, start.index)
        if start.is_judged
        else None,
    )


def _is_overdue(one: _Case, found: gathered.Patients, wanted: _Wanted, now: datetime) -> bool:
    """Whether the last time that a questionnaire or a check was due, it was not answered.

    A check that was missed counts until the same questionnaire is answered, at whatever point.
    """
    at = microseconds(now)
    oldest = microseconds(now - schedule.LOOK_BACK)
    own = found.series.get(one.patient_id, {})
    when = found.answered.get(one.patient_id, {}) | {key: own[key].at for key in own}
    answered = [
        Answered(key, instant, _NOBODY)
        for key in wanted.keys & when.keys()
        for instant in when[key][bisect_left(when[key], oldest) :]
    ]
    answered.sort(key=lambda answer: answer.effective_at)
    missed: dict[str, bool] = {}
    for item in protocol.due(
        wanted.held,
        enrolled_at=microseconds(one.enrolled_at),
        doses=found.doses.get(one.patient_id, []),
        planned=found.planned.get(one.patient_id, []),
        answered=answered,
        zone=schedule.zone_of(one.time_zone),
        now=at,
        switched_on=wanted.keys,
        horizon_days=0,
    ):
        if item.state in ("answered", "late"):
            missed[item.instrument] = False
        elif item.due_at > at:
            continue
        elif item.instrument in wanted.long or wanted.checks.has(item.point, item.instrument):
            missed[item.instrument] = True
    return any(missed.values())


def _scale(key: str) -> Scale:
    scale = _instrument(key).total
    assert scale is not None
    return scale


def _instrument(key: str) -> Instrument:
    return instruments.find(key)


def _name(db: Db, caller: Caller, one: _Case) -> str | None:
    return open_name(db.vault, caller.clinic_id, one.patient_id, one.wrapped, one.contact)


def _folded(name: str) -> str:
    """A name without what people leave out when they look for it: case and accents."""
    apart = unicodedata.normalize("NFKD", name)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold().strip()


def _case_out(one: _Ranked, name: str | None) -> CaseOut:
    found = one.case
    flag = None
    if found.flag_id is not None:
        assert found.level is not None
        assert found.status is not None
        assert found.round is not None
        assert found.kind is not None
        assert found.is_historic is not None
        flag = FlagRef(
            id=found.flag_id,
            kind=found.kind,
            level=found.level,
            status=found.status,
            round=found.round,
            is_historic=found.is_historic,
        )
    last = next(_newest_complete(one.phq9), None) if one.phq9 else None
    return CaseOut(
        patient_id=found.patient_id,
        name=name,
        why=one.why[0],
        also=list(one.why[1:]),
        flag=flag,
        flag_raised_at=found.raised_at,
        last_check_in_at=found.last_check_in_at,
        last_phq9_total=None if last is None else int(last[1]),
        last_phq9_at=None if last is None else gathered.instant(last[0]),
        last_dose_at=gathered.instant(one.doses[-1]) if one.doses else None,
        sparkline=None if one.series is None else _sparkline(one.series, one.doses),
    )


def _newest_complete(series: Gathered) -> Any:
    """(instant, points), the newest first."""
    return (
        (at, total)
        for at, total in zip(reversed(series.at), reversed(series.totals), strict=True)
        if total is not None
    )


def _sparkline(series: Gathered, doses: list[int]) -> SparklineOut:
    newest = list(islice(_newest_complete(series), SPARKLINE))[::-1]
    begins = newest[0][0]
    scale = _scale(series.instrument)
    return SparklineOut(
        instrument=series.instrument,
        minimum=scale.minimum,
        maximum=scale.maximum,
        direction=scale.direction,
        effective_at=[gathered.instant(at) for at, _ in newest],
        score=[instruments.whole_if_it_is(total) for _, total in newest],
        doses_at=[gathered.instant(at) for at in doses if at >= begins],
    )
