"""A flag as it is stored, and what is asked of and said to the tables about it."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Uuid,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from app.kernel.db import Change, Query, itself
from app.kernel.tables import Membership, columns, table
from app.people.chart import CARE, has_consented
from app.people.tables import CareLink
from app.safety.schemas import FlagRef
from app.safety.tables import ClinicEscalation, Flag, FlagEvidence, Notice


class FlagRow(NamedTuple):
    """A flag as it is stored."""

    id: UUID
    patient_id: UUID
    kind: str
    version: int
    level: str
    status: str
    round: int
    is_historic: bool
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    raised_at: datetime
    round_began_at: datetime

    def ref(self) -> FlagRef:
        """What is told of it."""
        return FlagRef(
            id=self.id,
            kind=self.kind,
            level=self.level,
            status=self.status,
            round=self.round,
            is_historic=self.is_historic,
        )

    def entry(self, **more: Any) -> dict[str, Any]:
        """The flag as the ledger keeps it: its state, and what just happened."""
        return {
            "kind": self.kind,
            "level": self.level,
            "status": self.status,
            "round": self.round,
            "is_historic": self.is_historic,
            **more,
        }


_flag = columns(Flag)
_evidence = columns(FlagEvidence)
_notice = columns(Notice)
_member = columns(Membership)
_link = columns(CareLink)
_policy = columns(ClinicEscalation)


def urgency_of(flag: Any) -> Any:
    """SQL: how far up a flag stands, by its columns; what is past stands below all else."""
    by_level = case({"high": 3, "moderate": 2, "low": 1}, value=flag.level, else_=0)
    return case((flag.is_historic, literal_column("0")), else_=by_level)


URGENCY = urgency_of(_flag)

_FLAG = tuple(getattr(_flag, name) for name in FlagRow._fields)
OPEN_FLAG = Query(
    select(*_FLAG)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.kind == bindparam("kind"),
        _flag.status != "resolved",
    )
    .with_for_update(),
    FlagRow,
)
FLAG = Query(
    select(*_FLAG).where(
        _flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id")
    ),
    FlagRow,
)
WHOSE_FLAG = Query(
    select(_flag.patient_id).where(
        _flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id")
    ),
    itself,
)
FLAG_TO_CHANGE = Query(
    select(*_FLAG)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id"))
    .with_for_update(),
    FlagRow,
)
FLAG_OF_SOURCE = Query(
    select(*_FLAG)
    .join_from(
        table(FlagEvidence),
        table(Flag),
        and_(_flag.clinic_id == _evidence.clinic_id, _flag.id == _evidence.flag_id),
    )
    .where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _evidence.source_kind == bindparam("source_kind"),
        _evidence.source_id == bindparam("source_id"),
    )
    # Of two kinds that one entry told of, the one that is meant. Then the newest: an amendment may
    # have begun another after the first was resolved.
    .order_by((_flag.kind == bindparam("kind")).desc(), _flag.raised_at.desc()),
    FlagRow,
)
CALLS_SINCE = Query(
    select(_evidence.id).where(
        _evidence.clinic_id == bindparam("clinic_id"),
        _evidence.flag_id == bindparam("flag_id"),
        _evidence.source_kind == "call",
        _evidence.received_at >= bindparam("since"),
    ),
    itself,
)
# What holds at that moment, whoever publishes another one before the round is first looked at.
_POLICY_VERSION = (
    select(func.coalesce(func.max(_policy.version), literal_column("0")))
    .where(_policy.clinic_id == bindparam("clinic_id"))
    .scalar_subquery()
)
_GIVEN = [one.key for one in table(Flag).c if one.key != "policy_version"]
ADD_FLAG = Change(
    insert(Flag).values(
        {**{name: bindparam(name) for name in _GIVEN}, "policy_version": _POLICY_VERSION}
    )
)
CHANGED = (
    "version", "level", "status", "round", "is_historic", "acknowledged_by", "acknowledged_at",
    "assigned_to", "round_began_at",
)  # fmt: skip
CHANGE_FLAG = Change(
    update(Flag)
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id"))
    .values(
        {
            **{name: bindparam(f"to_{name}") for name in CHANGED},
            "policy_version": case(
                (_flag.round != bindparam("to_round"), _POLICY_VERSION),
                else_=_flag.policy_version,
            ),
            "updated_at": bindparam("now"),
        }
    )
)
ADD_EVIDENCE = Change(insert(FlagEvidence))
ADD_NOTICE = Change(upsert(Notice).on_conflict_do_nothing())
CARERS = Query(
    select(_member.id)
    .join_from(
        table(CareLink),
        table(Membership),
        and_(_member.clinic_id == _link.clinic_id, _member.id == _link.membership_id),
    )
    .where(
        _link.clinic_id == bindparam("clinic_id"),
        _link.patient_id == bindparam("patient_id"),
        _link.began_at <= bindparam("now"),
        or_(_link.ends_at.is_(None), _link.ends_at > bindparam("now")),
        has_consented(_link.patient_id, _link.clinic_id),
        _member.is_active,
        _member.privileges.overlap(sorted(CARE)),
    )
    .distinct(),
    itself,
)
ADMINISTRATORS = Query(
    select(_member.id).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.role == "administrator",
        _member.is_active,
    ),
    itself,
)


CLINICIANS = Query(
    select(_member.id)
    .where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.role == "clinician",
        _member.is_active,
        _member.privileges.overlap(sorted(CARE)),
        has_consented(bindparam("patient_id", type_=Uuid), _member.clinic_id),
    )
    .limit(literal_column("1")),
    itself,
)
