"""Screenings, their resolved stops, what was tried and what is taken."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Double, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from app.clinical.eligibility import TrialOutcome
from app.journal.tables import Entry, entry_table, part_of
from app.kernel.tables import DISTRIBUTED, instant, json, key, of_clinic, one_of, text

TRIAL_KINDS = ("antidepressant", "augmentation", "psychotherapy", "neurostimulation", "other")


class TrialHistory(Entry, table=True):
    """An earlier treatment. words: sealed `{"drug", "note"}`. dose_adequate: yes, no, unknown."""

    __tablename__ = "trial_history"
    __table_args__ = entry_table(
        one_of("kind", *TRIAL_KINDS),
        one_of("dose_adequate", "yes", "no", "unknown"),
        one_of("outcome", *TrialOutcome),
    )
    kind: str = text()
    drug_class: str | None = text(nullable=True)
    dose_adequate: str = text()
    weeks: float | None = Field(sa_type=Double, nullable=True)
    outcome: str = text()


class TreatmentResistance(SQLModel, table=True):
    """In which group this patient's outcomes are told apart; see `clinical.eligibility.resistance`.

    Derived from the history: join it by clinic_id and patient_id. No row, or a null, is a patient
    whose history nobody took, which is a group of its own and not that of 0-1.

    stratum: null where no earlier treatment is recorded. is_certain: nothing unknown could move
    it. is_resistant: null where that hangs on something unknown.
    """

    __tablename__ = "treatment_resistance"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        Index(None, "clinic_id", "stratum"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    stratum: str | None = text(nullable=True)
    is_certain: bool
    is_resistant: bool | None
    as_of: datetime = instant()


class Medication(Entry, table=True):
    """A medicine. words: sealed `{"name", "taken"}`. status: stopped once it is taken no more.

    about_id: another one that this is said about. listed_by: who wrote it first.
    """

    __table_args__ = entry_table(
        part_of("about_id", "medication"),
        one_of("listed_by", "patient", "clinician"),
        statuses=("active", "stopped"),
    )
    rxnorm: str | None = text(nullable=True)
    about_id: UUID | None
    listed_by: str = text(before="'patient'")


class Screening(Entry, table=True):
    """Answers to the catalogue of conditions. words: sealed `{"notes"}`, by condition.

    answers: `{"pregnancy": "no", …}`. answered_in: since which version each has stood.
    """

    __table_args__ = entry_table()
    catalogue_version: str = text()
    answers: dict[str, str] = json()
    answered_in: dict[str, int] = json()


class StopResolution(Entry, table=True):
    """A prescriber resolved one hard stop of one screening. words: sealed `{"reason"}`."""

    __tablename__ = "stop_resolution"
    __table_args__ = entry_table(
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "screening_id"],
            ["screening.clinic_id", "screening.patient_id", "screening.id"],
        ),
        Index(None, "clinic_id", "patient_id", "screening_id"),
    )
    screening_id: UUID
    screening_version: int
    condition: str = text()
