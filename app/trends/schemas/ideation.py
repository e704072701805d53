"""Suicidal ideation, each source by itself."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.kernel.strict import Open


class IdeationStepOut(Open):
    """One step of an ordinal scale. level: the one it raises; none says nothing of safety."""

    value: int
    label: str
    level: str


class IdeationPointsOut(Open):
    """Columns of equal length, oldest first."""

    effective_at: list[datetime]
    value: Annotated[
        list[int | None],
        Field(description="A step of `scale`; null where it was left out or not assessed."),
    ]
    level: Annotated[list[str], Field(description="That the whole answer raised.")]
    assessed: list[bool]
    dose_number: list[int]
    hours_since_dose: list[float | None]
    window: list[str]


class IdeationSourceOut(Open):
    """One questionnaire that asks, in one version; never joined to another."""

    source: str
    kind: Annotated[str, Field(description="item (as answered) or level (of a screener)")]
    title: Annotated[str, Field(description="The question, or the name of the screener.")]
    instrument: str
    instrument_version: str
    recall_days: int
    scale: list[IdeationStepOut]
    points: IdeationPointsOut
    citation: str
    is_convention: bool


class IdeationOut(Open):
    """Suicidal ideation over time, each source by itself: ordinal, and nothing in between."""

    sources: list[IdeationSourceOut]
    doses: list[datetime]
    is_truncated: bool
    caveat: str
