"""What crosses the wire about exposure."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.strict import Open


class AmountOut(Open):
    """So much. doses: administrations; sessions: visits with at least one of them."""

    doses: int
    sessions: int
    mg: float


class DrugByRouteOut(Open):
    """One drug by one route, up to now; never added to another."""

    drug: str
    route: str
    total: AmountOut
    first_at: datetime
    last_at: datetime
    median_spacing_days: Annotated[
        float | None, Field(description="From session to session; null with fewer than two.")
    ]
    shortest_spacing_days: float | None
    in_last: Annotated[
        dict[str, AmountOut], Field(description="By number of days: 7, 28, 90 and 365.")
    ]


class DrugOut(Open):
    """One drug by whatever route, up to now, in sessions: how often, and not how much."""

    drug: str
    routes: list[str]
    sessions: Annotated[int, Field(description="Visits with at least one dose of it.")]
    first_at: datetime
    last_at: datetime
    median_spacing_days: Annotated[
        float | None, Field(description="From session to session; null with fewer than two.")
    ]
    shortest_spacing_days: float | None
    sessions_in_last: Annotated[
        dict[str, int], Field(description="By number of days: 7, 28, 90 and 365.")
    ]


class PromptAmountOut(Open):
    """So much in a prompt's days. mg: null over several routes, which are never added."""

    doses: int
    sessions: int
    mg: float | None


class ProposedInstrumentOut(Open):
    """A questionnaire that is proposed for asking."""

    instrument: str
    is_on: Annotated[bool, Field(description="Whether this clinic has it switched on.")]
    last_answered_at: datetime | None


class ExposurePromptOut(Open):
    """A threshold of the clinic's protocol that is reached. A reason to ask, and no advice."""

    key: str
    label: str
    drug: str
    route: Annotated[
        str | None, Field(description="Null where sessions of several routes were counted.")
    ]
    measure: str
    at_least: int
    within_days: int
    amount: PromptAmountOut
    about: Annotated[list[str], Field(description="bladder, liver, cravings")]
    instruments: list[ProposedInstrumentOut]
    source: str
    convention: bool


class UseOutsideOut(Open):
    """What the patient last told of use outside of the sessions."""

    instrument: str
    check_in_id: UUID
    at: datetime
    criteria: Annotated[
        dict[str, bool | None],
        Field(description="By criterion of the instrument; null where it was left open."),
    ]


class ExposureOut(Open):
    """What was given so far, by drug and route; and how often, by drug."""

    as_of: datetime
    protocol_version: int
    given: list[DrugByRouteOut]
    by_drug: Annotated[
        list[DrugOut],
        Field(
            description="Over all routes, in sessions. That this is a measure to ask by is ours."
        ),
    ]
    prompts: list[ExposurePromptOut]
    use_outside: Annotated[
        list[UseOutsideOut],
        Field(description="Added to nothing: how much it was is not known."),
    ]
