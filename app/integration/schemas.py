"""What crosses the wire about insights and integration sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut, TieredIn, TieredOut
from app.kernel.fields import Instant, Sentence, ShortWords, Words
from app.kernel.strict import Open


class InsightIn(TieredIn):
    """What somebody understood."""

    words: Words


class InsightOut(TieredOut):
    """What somebody understood."""

    words: str


class IntegrationSessionIn(EntryIn):
    """A talk with a therapist after a dose."""

    scheduled_at: Annotated[Instant, Field(description="When it is to be, or was.")]
    status: Annotated[
        Literal["scheduled", "attended", "missed", "cancelled"],
        Field(description="Only some may follow others."),
    ] = "scheduled"
    place: Annotated[
        ShortWords | None, Field(description="Such as a room, or how to join; sealed when stored.")
    ] = None
    reason: Annotated[
        Sentence | None, Field(description="Why it was missed or cancelled, if anybody knows.")
    ] = None


class IntegrationSessionOut(EntryOut):
    """A talk with a therapist after a dose."""

    scheduled_at: datetime
    place: str | None
    reason: str | None


class SessionSummaryIn(EntryIn):
    """What was agreed in an integration session, as the therapist writes it."""

    integration_session_id: UUID
    words: Words


class SessionSummaryOut(EntryOut):
    """What was agreed in an integration session. A new version has to be agreed to again."""

    integration_session_id: UUID
    words: str


class SummaryAgreementIn(EntryIn):
    """What the patient says to one version of a summary."""

    session_summary_id: UUID
    summary_version: Annotated[
        int, Field(ge=1, le=999_999_999, description="The version that was read.")
    ]
    status: Literal["agreed", "disagreed"] = "agreed"
    words: Words | None = None


class SummaryAgreementOut(EntryOut):
    """What the patient says to one version of a summary."""

    session_summary_id: UUID
    summary_version: int
    words: str | None


class AgreedSummaryOut(Open):
    """The summary of a session, and how it stands between the two.

    summary: null until one is written. said: the patient's last word, on the newest version on
    which there is one.
    """

    integration_session_id: UUID
    summary: SessionSummaryOut | None
    said: SummaryAgreementOut | None
    is_agreed: Annotated[
        bool, Field(description="The patient agreed to the version that stands now.")
    ]


class ProposedSessionOut(Open):
    """The talk that belongs to the dose."""

    id: UUID
    status: str
    scheduled_at: datetime


class MissedWindowOut(Open):
    """A dose whose hours for a talk have passed without one: a fact, and nobody's fault.

    from_at, until_at: the protocol's hours, as they are now. A talk may have come before or after.
    """

    dose_number: int
    given_at: datetime
    from_at: datetime
    until_at: datetime


class IntegrationProposalOut(Open):
    """When to talk about the last dose, in the patient's time zone; nulls before any dose.

    from_at, until_at: within the protocol's hours. counts_until: from then on a talk counts no more
    as this dose's. session: the first one that is scheduled or was attended.
    """

    dose_number: int | None
    given_at: datetime | None
    from_at: datetime | None
    until_at: datetime | None
    counts_until: datetime | None
    is_over: Annotated[
        bool | None, Field(description="The hours have passed; a talk may count all the same.")
    ]
    session: ProposedSessionOut | None
    missed_window: Annotated[
        bool | None,
        Field(
            description="They have passed, and no talk within them is scheduled or was attended."
        ),
    ]
    missed_windows: Annotated[
        list[MissedWindowOut],
        Field(description="Of the newest 20 doses, those of which that is so, newest first."),
    ]
    time_zone: str
    protocol_version: Annotated[int, Field(description="0 is the one that ships.")]
    source: str
    is_convention: bool


class NewEntryOut(Open):
    """Something to talk about, by id and time; its words are read where it lies."""

    id: UUID
    effective_at: datetime
    changed_at: Annotated[datetime, Field(description="Written, changed or shared last.")]


class StalledGoalOut(Open):
    """A goal of which nothing became for a while."""

    goal_id: UUID
    moved_at: Annotated[
        datetime, Field(description="Set, begun, rated, or a step of it changed last.")
    ]


class OpenFlagOut(Open):
    """A flag that nobody has resolved."""

    status: Annotated[str, Field(description="open or acknowledged")]
    raised_at: datetime
    level: Annotated[str | None, Field(description="Told to clinicians: low, moderate or high.")]


class AgendaOut(Open):
    """What there is to talk about, for both. Nothing private is in it, and no words.

    since_at: the last talk that was attended before this one; null: there was none.
    """

    integration_session_id: UUID
    since_at: datetime | None
    notes: list[NewEntryOut]
    insights: list[NewEntryOut]
    stalled_goals: list[StalledGoalOut]
    stalled_after_days: int
    missed_windows: Annotated[
        list[MissedWindowOut],
        Field(
            description="Of the newest 20 doses, those without a talk in the protocol's hours,"
            " newest first."
        ),
    ]
    open_flags: list[OpenFlagOut]
    conventions: list[str]
