"""What crosses the wire about check-ins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Code, Instant
from app.kernel.strict import Open, Wire
from app.safety.schemas import SafetyOut

Answer = Annotated[int, Field(ge=-32768, le=32767)]


class CheckInIn(Wire):
    """Answers to an instrument."""

    id: Annotated[
        UUID | None, Field(description="Made by the client, so that a retry is safe.")
    ] = None
    instrument: Annotated[str, Field(min_length=1, max_length=64, examples=["phq-9"])]
    instrument_version: Annotated[str, Field(min_length=1, max_length=16)] | None = None
    answers: Annotated[
        list[Answer | None],
        Field(
            max_length=200,
            description="The scored items in the definition's order, null for one left out.",
            examples=[[2, 2, 1, 2, 1, 1, 1, 0, 0]],
        ),
    ]
    extras: Annotated[
        dict[Code, Answer | None],
        Field(max_length=20, description="Unscored items by key.", examples=[{"difficulty": 1}]),
    ] = {}
    recorded_at: Instant
    sent_at: Annotated[
        Instant | None,
        Field(description="The phone's clock when it sends: a constant error is corrected by it."),
    ] = None


class PositionOut(Open):
    """Where an entry stands relative to the doses."""

    dose_number: Annotated[int, Field(description="The last dose before it; 0 before any.")]
    hours_since_dose: float | None
    window: Annotated[str, Field(description="baseline, 0-4h, 4-24h, 1-7d or later")]


class CheckInOut(Open):
    """A check-in, scored."""

    id: UUID
    version: int
    status: str
    instrument: str
    instrument_version: str
    scoring_version: str
    answers: list[int | None]
    extras: dict[str, int | None]
    total: Annotated[int | None, Field(description="Null when an item is missing.")]
    band: str | None
    complete: bool
    assessed: bool
    level: str
    recorded_at: datetime
    received_at: datetime
    effective_at: Annotated[datetime, Field(description="Where it is placed in time.")]
    clock_ahead_seconds: int | None
    position: PositionOut
    doses_in_recall_window: Annotated[
        int, Field(description="Doses within the time the instrument asks about.")
    ]


class SubmittedOut(CheckInOut):
    """A check-in as the answer to its sending."""

    safety: SafetyOut


class BaselinePinIn(Wire):
    """Which check-in change is measured from."""

    id: Annotated[
        UUID | None, Field(description="Made by the client, so that a retry is safe.")
    ] = None
    instrument: Annotated[str, Field(min_length=1, max_length=64, examples=["phq-9"])]
    check_in_id: Annotated[
        UUID | None, Field(description="Null takes an earlier pin back: the usual rule holds.")
    ]


class BaselinePinOut(Open):
    """A clinician's choice of baseline; the newest of an instrument holds."""

    id: UUID
    version: int
    instrument: str
    check_in_id: UUID | None
    effective_at: datetime


class CheckInPage(Open):
    """Newest first."""

    check_ins: list[CheckInOut]
    next_cursor: str | None


class OptionOut(Open):
    """An answer to choose."""

    value: int
    label: str
    loinc: str | None


class ItemOut(Open):
    """A question. Without options it is answered with a number between its two ends."""

    key: str
    code: Annotated[str, Field(description="Unique among all instruments, as in phq-9.item-9.")]
    text: str
    loinc: str | None
    direction: Annotated[
        str | None, Field(description="lower-is-better or higher-is-better; null if not scored.")
    ]
    minimum: int
    maximum: int
    low_label: str | None
    high_label: str | None
    options: list[OptionOut]


class RecallOut(Open):
    """The time that the questions ask about."""

    text: str
    days: Annotated[int, Field(description="Back from answering; 0 is this moment.")]
    measures_hours: bool
    minimum_days_from_dose: int
    source: str
    convention: bool


class BandOut(Open):
    """A range of totals with a name, both ends included."""

    key: str
    label: str
    low: int
    high: int


class ThresholdOut(Open):
    """A number that decides, and where it comes from. convention: our choice, no published one."""

    value: int
    source: str
    convention: bool


class TotalOut(Open):
    """What the answers add up to."""

    loinc: str | None
    minimum: int
    maximum: int
    bands: list[BandOut]
    bands_source: str | None
    bands_convention: bool
    reliable_change: Annotated[ThresholdOut | None, Field(description="Points.")]
    response_percent: Annotated[ThresholdOut | None, Field(description="Of the baseline.")]
    remission_below: Annotated[ThresholdOut | None, Field(description="Points; strictly less.")]
    eligible_from: Annotated[
        ThresholdOut | None, Field(description="The baseline from which response means something.")
    ]
    caseness: Annotated[ThresholdOut | None, Field(description="A likely case from here up.")]


class SuicideItemOut(Open):
    """The item that asks about death or self-harm. levels: by answer, what it raises."""

    item: str
    position: Annotated[int, Field(description="Among the answers, from 0.")]
    levels: Annotated[dict[str, str], Field(examples=[{"1": "low", "2": "moderate", "3": "high"}])]
    source: str
    convention: bool


class InstrumentOut(Open):
    """A questionnaire, whole: enough to show it, score it and cite it."""

    key: str
    version: str
    title: str
    lead_in: str
    recall: RecallOut
    direction: Annotated[str | None, Field(description="Null when each item has its own.")]
    missing: Annotated[
        str,
        Field(description="every-item-required (else no total), or items-stand-alone (no total)"),
    ]
    items: list[ItemOut]
    extras: Annotated[list[ItemOut], Field(description="Asked, and not scored.")]
    panel_loinc: str | None
    total: TotalOut | None
    suicide_item: SuicideItemOut | None
    languages: list[str]
    licence: str
    notice: Annotated[str, Field(description="To be shown with the instrument.")]
    source: str
    convention: bool


class InstrumentList(Open):
    """The instruments a client may send, whole."""

    instruments: list[InstrumentOut]
