"""What crosses the wire about check-ins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Code, Instant
from app.kernel.strict import Open, Wire
from app.safety.schemas import SafetyOut

Answer = Annotated[int, Field(ge=-32768, le=32767)]
Score = (
    Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
    | Annotated[float, Field(ge=-1_000_000, le=1_000_000)]
)


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
    ] = []
    scores: Annotated[
        dict[Code, Score] | None,
        Field(
            max_length=20,
            description="In place of answers, for an instrument of which only scores are kept:"
            " by key, recorded by a clinician.",
            examples=[{"total": 14}],
        ),
    ] = None
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
    total: Annotated[
        int | float | None,
        Field(description="Null when an item is missing. A whole number but for means."),
    ]
    subscales: Annotated[
        dict[str, int | float | None], Field(description="By key; null when an item is missing.")
    ]
    criteria: Annotated[
        dict[str, bool | None],
        Field(description="The definition's criteria by key: met, not met, or null: undecided."),
    ]
    scores: Annotated[
        dict[str, int | float] | None, Field(description="As a clinician recorded them.")
    ]
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


class TimingOut(Open):
    """The time point of the protocol that an answer belongs to."""

    due_key: str
    point: str
    label: str
    is_late: Annotated[bool, Field(description="It came after the time point had closed.")]


class PlacedCheckInOut(CheckInOut):
    """A check-in as it is read, placed in its clinic's protocol."""

    timing: Annotated[
        TimingOut | None, Field(description="Null for an answer that no time point asked for.")
    ]


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


class CheckInVersion(Open):
    """A check-in as it once was, and what was done to it then."""

    version: int
    action: Annotated[str, Field(examples=["check_in.amended"])]
    at: datetime
    by: Annotated[str, Field(description="patient or clinician")]
    check_in: CheckInOut


class CheckInVersions(Open):
    """Every version, the first one first."""

    versions: list[CheckInVersion]


class CheckInPage(Open):
    """Newest first."""

    check_ins: list[PlacedCheckInOut]
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
    """What the answers come to."""

    loinc: str | None
    method: Annotated[str, Field(description="sum or mean, of the items")]
    multiplier: Annotated[int, Field(description="By which a sum is multiplied.")]
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


class TriageOut(Open):
    """How a screener for suicide risk is read: the gravest yes counts."""

    always: Annotated[list[str], Field(description="Items that are always asked.")]
    asked_after: Annotated[
        dict[str, list[str]], Field(description="Items that are asked after a yes to this one.")
    ]
    levels: Annotated[dict[str, str], Field(description="What a yes to an item raises.")]
    loinc: str | None
    level_loinc: dict[str, str]
    source: str
    convention: bool


class SubscaleOut(Open):
    """Some of the items, added up on their own."""

    key: str
    label: str
    items: list[str]
    minimum: int
    maximum: int


class CriterionOut(Open):
    """A yes-or-no reading of a score: a reason to look, never a diagnosis.

    By `kind`: total (at_least, at_most), pattern (counts_from, needs by subscale), any-item
    (items: from which answer), percent (of the maximum of each of `of`).
    """

    key: str
    label: str
    kind: str
    at_least: int | None
    at_most: int | None
    counts_from: int | None
    needs: dict[str, int]
    items: dict[str, int]
    percent: int | None
    of: list[str]
    raises: Annotated[
        str | None, Field(description="How urgently, where it tells of a danger to the body.")
    ]
    source: str
    convention: bool


class SkipOut(Open):
    """After this answer the items in `skipped` may be left out; they then score so much."""

    item: str
    answer: int
    skipped: list[str]
    scored_as: int
    source: str
    convention: bool


class RiseOut(Open):
    """A rise from one check to the next, on any of the items, that somebody should look at."""

    items: list[str]
    points: int
    raises: Annotated[
        str | None, Field(description="How urgently, where it tells of a danger to the body.")
    ]
    source: str
    convention: bool


class GivenScoreOut(Open):
    """A score that a clinician records, because the questions may not be shipped."""

    key: str
    label: str
    minimum: int
    maximum: int
    whole: bool
    direction: str | None


class TranslationOut(Open):
    """Where the words come from, and who checked them."""

    source: str
    verified_by: str


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
        Field(
            description="every-item-required (else no total), or items-stand-alone (no total);"
            " of recorded scores every-score-required or exactly-one-score"
        ),
    ]
    items: list[ItemOut]
    extras: Annotated[list[ItemOut], Field(description="Asked, and not scored.")]
    panel_loinc: str | None
    total: TotalOut | None
    suicide_item: SuicideItemOut | None
    triage: TriageOut | None
    subscales: list[SubscaleOut]
    criteria: list[CriterionOut]
    skips: list[SkipOut]
    rise: RiseOut | None
    scores: Annotated[
        list[GivenScoreOut], Field(description="Recorded by a clinician; there are then no items.")
    ]
    offered_by_default: Annotated[
        bool, Field(description="False for one with terms that a clinic has to accept first.")
    ]
    language: str
    translation: TranslationOut | None
    languages: list[str]
    licence: str
    notice: Annotated[str, Field(description="To be shown with the instrument.")]
    source: str
    convention: bool


class InstrumentList(Open):
    """The instruments that ship, whole."""

    instruments: list[InstrumentOut]


class ClinicInstrumentOut(Open):
    """An instrument as a clinic has it."""

    key: str
    version: str
    title: str
    is_on: Annotated[bool, Field(description="Offered to patients, and scheduled.")]
    is_own: Annotated[bool, Field(description="Added by the clinic.")]
    offered_by_default: bool
    is_score_only: bool
    licence: str
    notice: str


class ClinicInstrumentList(Open):
    """What ships and what the clinic added."""

    instruments: list[ClinicInstrumentOut]


class InstrumentSwitchIn(Wire):
    """Whether an instrument is offered."""

    is_on: bool
    accepts_notice: Annotated[
        bool, Field(description="That the clinic read its notice and licence, and may use it.")
    ] = False


class InstrumentIn(Wire):
    """A definition of the clinic's own, as TOML, in the form of those that ship."""

    definition: Annotated[str, Field(min_length=1, max_length=64 * 1024)]


class DueItemOut(Open):
    """One questionnaire at one time point. The instants are in the patient's time zone."""

    key: Annotated[str, Field(examples=["24h/dose-2/momentary"])]
    point: str
    label: str
    instrument: str
    dose_number: int | None
    opens_at: datetime
    due_at: datetime
    expires_at: datetime
    state: Annotated[str, Field(description="open, next, answered, late or missed")]
    check_in_id: Annotated[UUID | None, Field(description="What answered it.")]


class ToDoOut(Open):
    """One thing to do now: a questionnaire, or what the patient set themselves.

    reason: safety-first; open-window or can-wait, because a dose was given lately; by-time;
    not-open-yet.
    """

    key: Annotated[str, Field(description="Of a questionnaire, its key in `open`.")]
    kind: Annotated[
        str,
        Field(
            description="safety-check, questionnaire, practice, step, or goal: to say how far one"
            " came; more may come"
        ),
    ]
    reason: Annotated[str, Field(description="Why it stands where it does.")]
    instrument: str | None
    entry_id: Annotated[UUID | None, Field(description="The practice, the goal, or its step.")]
    opens_at: datetime
    due_at: datetime
    expires_at: Annotated[datetime | None, Field(description="Null: it stays until it is done.")]


class OpenWindowOut(Open):
    """The days after a dose in which practices and goals come before questionnaires."""

    opens_at: datetime
    closes_at: datetime


class DueOut(Open):
    """What to answer, and when. A phone plans its own reminders from this."""

    protocol_version: Annotated[int, Field(description="0 is the one that ships.")]
    time_zone: str
    as_of: datetime
    open: Annotated[list[DueItemOut], Field(description="Can be answered now; soonest due first.")]
    next: Annotated[list[DueItemOut], Field(description="Not open yet; the next of each.")]
    recent: Annotated[list[DueItemOut], Field(description="Answered, late or missed, lately.")]
    in_order: Annotated[
        list[ToDoOut],
        Field(
            description="All that can be done now, in the order in which to show it: what is open,"
            " today's practices, steps with a date. Safety checks are never displaced."
        ),
    ] = []
    open_window: Annotated[
        OpenWindowOut | None, Field(description="Null while no dose was given lately.")
    ] = None
