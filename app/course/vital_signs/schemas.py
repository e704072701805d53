"""What crosses the wire about vital signs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from app.clinical.vitals import KINDS, Sign
from app.kernel.fields import Code, Instant
from app.kernel.strict import Open, Wire
from app.treatment.schemas import VitalsOut

MAX_READINGS = 500


def _within(sign: Sign) -> Any:
    kind = KINDS[sign]
    description = f"{kind.label}, in {kind.unit}."
    return Field(default=None, ge=kind.lowest, le=kind.highest, description=description)


class ReadingIn(Wire):
    """What was measured at one moment: at least one value; of a blood pressure both."""

    at: Instant
    systolic: int | None = _within(Sign.SYSTOLIC)
    diastolic: int | None = _within(Sign.DIASTOLIC)
    spo2: int | None = _within(Sign.SPO2)
    pulse: int | None = _within(Sign.PULSE)
    respiration: int | None = _within(Sign.RESPIRATION)
    sedation: int | None = _within(Sign.SEDATION)
    dissociation: int | None = _within(Sign.DISSOCIATION)


class VitalSignsIn(Wire):
    """A batch of readings of one visit."""

    id: Annotated[UUID | None, Field(description="Made by the client; makes a retry safe.")] = None
    source: Literal["monitor", "by-hand"] = "monitor"
    device: Annotated[Code | None, Field(description="Which one, by a code of the clinic's.")] = (
        None
    )
    readings: Annotated[list[ReadingIn], Field(min_length=1, max_length=MAX_READINGS)]


class ReadingColumns(Open):
    """Readings as columns, all as long; null where something was not measured."""

    at: list[datetime]
    systolic: list[int | None]
    diastolic: list[int | None]
    spo2: list[int | None]
    pulse: list[int | None]
    respiration: list[int | None]
    sedation: list[int | None]
    dissociation: list[int | None]


class AlarmOut(Open):
    """A value that reached a threshold of the clinic's protocol. It asks for a look."""

    at: datetime
    vital: str
    value: int
    threshold: int
    is_high: Annotated[bool, Field(description="Reached from below; else from above.")]


class VitalSignsOut(Open):
    """A batch of readings."""

    id: UUID
    version: int
    status: Annotated[str, Field(description="final or entered-in-error")]
    dosing_session_id: UUID
    source: str
    device: str | None
    readings: ReadingColumns
    protocol_version: Annotated[
        int, Field(description="Of the clinic's protocol, whose alarms were held against it.")
    ]
    received_at: datetime


class SentVitalSignsOut(Open):
    """A batch as the answer to its sending: what was found in it, and in the visit as a whole."""

    id: UUID
    version: int
    status: str
    dosing_session_id: UUID
    readings: Annotated[int, Field(description="How many this batch holds.")]
    received_at: datetime
    alarm_count: int
    alarms: Annotated[list[AlarmOut], Field(description="Of this batch; the first 100.")]
    vitals: VitalsOut


class BatchRef(Open):
    """A batch that is part of a series."""

    id: UUID
    version: int
    source: str
    device: str | None
    readings: int
    received_at: datetime


class SeriesColumns(ReadingColumns):
    """A visit's readings as columns, by time."""

    source: list[str]


class VitalSeriesOut(Open):
    """Everything that was read during a visit."""

    dosing_session_id: UUID
    readings: SeriesColumns
    alarm_count: int
    alarms: Annotated[list[AlarmOut], Field(description="Of the visit; the first 100.")]
    vitals: VitalsOut | None
    batches: Annotated[list[BatchRef], Field(description="In the order in which they came.")]


class VitalSignsVersion(Open):
    """A batch as it once was, and what was done to it then."""

    version: int
    action: Annotated[str, Field(examples=["vital_signs.amended"])]
    at: datetime
    by: str
    vital_signs: VitalSignsOut


class VitalSignsVersions(Open):
    """Every version, the first one first."""

    versions: list[VitalSignsVersion]
