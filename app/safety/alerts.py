"""Telling the clinic of a round, step by step, until somebody answers.

`escalation` says what has to be done and when; this keeps it, one row per step, under the flag's
lock, so that a step is planned once and done once however many workers there are. The promise of a
round is kept again and again: each time it does what is due and promises itself for the next step.

A message says nothing of whom or what: only that there is something to look at, and a link.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Text, bindparam, cast, literal_column, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from app.clinical.risk import Level
from app.kernel import channels, outbox, texts
from app.kernel.channels import Channels, Gone, NotNow
from app.kernel.db import Change, Db, Query, itself
from app.kernel.log import logger
from app.kernel.tables import Membership, columns
from app.people.admission import link_care
from app.people.chart import CARE, Chart, open_covering, open_unattended
from app.people.tables import CareLink, Clinic
from app.safety import addresses, escalation, news, policies
from app.safety.escalation import Outcome, PlannedStep, Round, Status, StepState, Who
from app.safety.flags import (
    ADD_NOTICE,
    ADMINISTRATORS,
    CARERS,
    FLAG,
    FLAG_TO_CHANGE,
    FlagRow,
)
from app.safety.service import promise_round
from app.safety.tables import FlagStep, Notice

DELIVER_TOPIC: Final = "flag.deliver"
"""As versions before this promised it, for any channel."""
DELIVER_TOPICS: Final = {one: f"{DELIVER_TOPIC}.{one}" for one in ("email", "web-push", "webhook")}
"""By channel, so that what one of them waits for keeps nobody from being told by another."""
COVERAGE_LASTS: Final = timedelta(days=3)
"""A care link that came with being told ends by itself, if nobody resolves the flag before."""
DEAD_AFTER: Final = 3
"""Attempts on one address; then the next step is hastened, and it is tried on."""


class _StepRow(NamedTuple):
    number: int
    who: str
    channels: list[str]
    due_at: datetime
    named: UUID | None
    state: str

    def step(self) -> PlannedStep:
        """As `escalation` has it."""
        return PlannedStep(
            number=self.number,
            who=Who(self.who),
            channels=tuple(escalation.Channel(one) for one in self.channels),
            due_at=self.due_at,
            named=self.named,
            state=StepState(self.state),
        )


class _Clinic(NamedTuple):
    coverage: str
    time_zone: str
    texts: str


_step = columns(FlagStep)
_notice = columns(Notice)
_member = columns(Membership)
_link = columns(CareLink)
_clinic = columns(Clinic)
STEPS = Query(
    select(*(getattr(_step, name) for name in _StepRow._fields))
    .where(
        _step.clinic_id == bindparam("clinic_id"),
        _step.flag_id == bindparam("flag_id"),
        _step.round == bindparam("round"),
    )
    .order_by(_step.number),
    _StepRow,
)
_kept = upsert(FlagStep)
KEEP_STEP = Change(
    _kept.on_conflict_do_update(
        index_elements=["clinic_id", "flag_id", "round", "number"],
        set_={name: _kept.excluded[name] for name in ("due_at", "state", "done_at")},
        # What was done stays as it was done.
        where=_step.state == "planned",
    )
)
NEXT_TO_TELL = Query(
    select(_member.id)
    .where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.role == "clinician",
        _member.is_active,
        _member.privileges.overlap(sorted(CARE)),
        ~select(_notice.id)
        .where(
            _notice.clinic_id == _member.clinic_id,
            _notice.flag_id == bindparam("flag_id"),
            _notice.round == bindparam("round"),
            _notice.membership_id == _member.id,
        )
        .exists(),
    )
    .order_by(_member.created_at, _member.id)
    .limit(literal_column("1")),
    itself,
)
IS_ACTIVE = Query(
    select(_member.id).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == bindparam("membership_id"),
        _member.is_active,
    ),
    itself,
)
IS_LINKED = Query(
    select(_link.id).where(
        _link.clinic_id == bindparam("clinic_id"),
        _link.patient_id == bindparam("patient_id"),
        _link.membership_id == bindparam("membership_id"),
        _link.began_at <= bindparam("now"),
        or_(_link.ends_at.is_(None), _link.ends_at > bindparam("now")),
        # A link that came with another flag ends with that one.
        or_(_link.kind == "assigned", _link.flag_id == bindparam("flag_id")),
    ),
    itself,
)
ABOUT_CLINIC = Query(
    select(cast(_clinic.coverage, Text), _clinic.time_zone, cast(_clinic.texts, Text)).where(
        _clinic.clinic_id == bindparam("clinic_id")
    ),
    _Clinic,
)


def keep_round(db: Db, *, flag_id: UUID, round_: int, now: datetime) -> None:
    """Do what is due of a round, and promise what comes next."""
    flag = db.first(FLAG_TO_CHANGE, flag_id=flag_id)
    if flag is None or flag.round != round_ or flag.status != "open":
        return  # another round took its place, or somebody answered
    current, next_at = escalation.carry_out(
        _planned(db, flag), now, lambda step: _tell(db, flag, step, now)
    )
    _keep(db, flag, current, now)
    if next_at is not None:
        promise_round(db, flag, now, at=next_at)


def hasten(db: Db, *, flag_id: UUID, round_: int, step: int, now: datetime) -> None:
    """A channel of this step is dead: the next step comes now."""
    flag = db.first(FLAG_TO_CHANGE, flag_id=flag_id)
    if flag is None or flag.round != round_ or flag.status != "open":
        return
    _keep(db, flag, escalation.hasten(_planned(db, flag), step, now), now)
    keep_round(db, flag_id=flag_id, round_=round_, now=now)


def deliver(db: Db, body: Mapping[str, Any], now: datetime, at: Channels, link: str) -> None:
    """Write to one address of one member, unless the round was answered meanwhile.

    link: where flags are looked at.
    What is not taken now is promised again; an address that is dead hastens the next step.
    """
    db.add(addresses.TAKE_TIME)
    flag_id, membership_id = UUID(body["flag_id"]), UUID(body["membership_id"])
    flag = db.first(FLAG, flag_id=flag_id)
    address = db.first(
        addresses.ADDRESS, membership_id=membership_id, address_id=UUID(body["address_id"])
    )
    if flag is None or address is None or address.ended_at is not None:
        return
    if flag.round != body["round"] or flag.status != "open":
        return
    if not db.all(IS_ACTIVE, membership_id=membership_id):
        return  # they have left
    about = db.one(ABOUT_CLINIC)
    here = _link_to(link, body)
    outcome = addresses.send(
        db,
        at,
        address,
        subject=texts.say("alert.subject", "en", own=about.texts),
        body=texts.say("alert.body", "en", own=about.texts, link=here),
        payload={
            "flag_id": body["flag_id"],
            "round": body["round"],
            "step": body["step"],
            "link": here,
        },
        delivery=UUID(body["delivery_id"]),
        now=now,
    )
    if isinstance(outcome, NotNow):
        again = {**body, "channel": address.channel, "attempt": body["attempt"] + 1}
        promise_delivery(db, again, now, outcome)
    if not isinstance(outcome, channels.Sent) and body["attempt"] + 1 >= (
        1 if isinstance(outcome, Gone) else DEAD_AFTER
    ):
        hasten(db, flag_id=flag_id, round_=body["round"], step=body["step"], now=now)
    # After the flag's lock: a row that names the flag shares it, and two that share it and then
    # want it alone wait for each other.
    addresses.note_delivery(
        db, address, outcome, now, flag_id=flag_id, round_=body["round"], step=body["step"]
    )


def _link_to(link: str, body: Mapping[str, Any]) -> str:
    """Where to look; it says which flag, round and step, so that what comes twice is known."""
    return f"{link}/?alert={body['flag_id']}.{body['round']}.{body['step']}"


def promise_delivery(
    db: Db, body: Mapping[str, Any], now: datetime, after: NotNow | None = None
) -> None:
    """That one address is written to: at once, or again after it did not take it."""
    at = None
    if after is not None:
        # 2, 4, 8 … 300 seconds, and never all of them at the same moment.
        wait = min(300.0, 2.0 ** min(body["attempt"], 9))
        jitter = UUID(body["delivery_id"]).int % 1000 / 1000
        at = now + timedelta(seconds=max(wait * (1 + jitter / 2), after.retry_after or 0))
    outbox.promise(
        db,
        DELIVER_TOPICS[body["channel"]],
        body=dict(body),
        dedupe_key=f"{DELIVER_TOPIC}/{body['delivery_id']}/{body['attempt']}",
        now=now,
        at=at,
    )


def cancel(db: Db, flag: FlagRow, now: datetime) -> None:
    """Somebody answered: what was planned of the rounds so far is not done any more."""
    db.add(CANCEL_STEPS, flag_id=flag.id, in_round=flag.round, now=now)


CANCEL_STEPS = Change(
    sql_update(FlagStep)
    .where(
        _step.clinic_id == bindparam("clinic_id"),
        _step.flag_id == bindparam("flag_id"),
        _step.round <= bindparam("in_round"),
        _step.state == "planned",
    )
    .values(state="cancelled", done_at=bindparam("now"))
)


def _planned(db: Db, flag: FlagRow) -> Round:
    """The round as it stands; planned when it is first looked at."""
    rows = db.all(STEPS, flag_id=flag.id, round=flag.round)
    level = Level(flag.level)
    if rows:
        return Round(
            number=flag.round,
            level=level,
            status=Status.OPEN,
            steps=tuple(row.step() for row in rows),
        )
    # It took the place of those before it.
    db.add(CANCEL_STEPS, flag_id=flag.id, in_round=flag.round - 1, now=flag.round_began_at)
    about = db.one(ABOUT_CLINIC)
    policy = policies.of_round(db, flag.id)
    if flag.assigned_to is None:
        return escalation.begin(
            policy,
            level,
            flag.round_began_at,
            about.coverage,
            about.time_zone,
            number=flag.round,
        )
    return escalation.hand_over(
        Round(number=flag.round, level=level, steps=()),
        by=flag.assigned_to,
        to=flag.assigned_to,
        at=flag.round_began_at,
        policy=policy,
        coverage=about.coverage,
        time_zone=about.time_zone,
    )


def _keep(db: Db, flag: FlagRow, after: Round, now: datetime) -> None:
    for step in after.steps:
        db.add(
            KEEP_STEP,
            flag_id=flag.id,
            round=flag.round,
            number=step.number,
            who=step.who.value,
            channels=[one.value for one in step.channels],
            due_at=step.due_at,
            named=step.named,
            state=step.state.value,
            done_at=now if step.state is not StepState.PLANNED else None,
        )


def _tell(db: Db, flag: FlagRow, step: PlannedStep, now: datetime) -> Outcome:
    """Put the round before whoever this step means."""
    recipients, is_covering = _recipients(db, flag, step, now)
    if not recipients:
        logger().warning(
            "flag.nobody_to_tell", flag=str(flag.id), round=flag.round, step=step.number
        )
        return Outcome.NOBODY
    chart = open_covering(db, flag.patient_id)
    for membership_id in recipients:
        db.add(
            ADD_NOTICE,
            id=uuid7(),
            flag_id=flag.id,
            round=flag.round,
            membership_id=membership_id,
            channel="inbox",
            told_at=now,
        )
        if is_covering and chart is not None:
            _cover(db, chart, flag, membership_id, now)
    _promise_deliveries(db, flag, step, recipients, now)
    # The flag is as it was; whoever may look only now has it on their stream now.
    news.announce(db, flag.id, flag.version)
    return Outcome.TOLD


def _recipients(db: Db, flag: FlagRow, step: PlannedStep, now: datetime) -> tuple[list[UUID], bool]:
    """Whom a step means, and whether they may look because of it."""
    if step.who is Who.CARE_TEAM:
        return db.all(CARERS, patient_id=flag.patient_id, now=now), False
    if step.who is Who.NEXT:
        return _next(db, flag, now), True
    if step.who is Who.NAMED:
        return db.all(IS_ACTIVE, membership_id=step.named), True
    if administrators := db.all(ADMINISTRATORS):
        return administrators, False
    # A clinic that nobody administers: whichever clinician is there, or joins it later.
    return _next(db, flag, now), True


def _next(db: Db, flag: FlagRow, now: datetime) -> list[UUID]:
    """Nobody, when the patient's consent has ended: being told would open nothing to them."""
    if open_unattended(db, flag.patient_id, now) is None:
        return []
    return db.all(NEXT_TO_TELL, flag_id=flag.id, round=flag.round)


def _cover(db: Db, chart: Chart, flag: FlagRow, membership_id: UUID, now: datetime) -> None:
    """Whoever is told may look: a care link that ends with the flag."""
    if not db.all(
        IS_LINKED,
        patient_id=flag.patient_id,
        membership_id=membership_id,
        flag_id=flag.id,
        now=now,
    ):
        link_care(db, chart, membership_id, now, covers=flag.id, ends_at=now + COVERAGE_LASTS)


def _promise_deliveries(
    db: Db, flag: FlagRow, step: PlannedStep, recipients: Iterable[UUID], now: datetime
) -> None:
    for membership_id, address in addresses.of_members(db, list(recipients)):
        if address.channel in step.channels:
            promise_delivery(
                db,
                {
                    "flag_id": str(flag.id),
                    "round": flag.round,
                    "step": step.number,
                    "membership_id": str(membership_id),
                    "address_id": str(address.id),
                    "channel": address.channel,
                    # The same for the same: a promise made twice is one, and so is a message.
                    "delivery_id": str(uuid5(address.id, f"{flag.id}/{flag.round}/{step.number}")),
                    "attempt": 0,
                },
                now,
            )
