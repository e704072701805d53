"""A clinician's patients: who to look at first, and why, in the order of `trends.caseload`.

The order, the reasons and the filters are the API's; a page only puts them into words. A name that
is looked for is sent in a form and is in no address, so it is in no history and no log.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query

from app.console import words
from app.console.door import Answer, Inside, Shown, Visit, page_router, with_query
from app.console.figures import Figure, draw
from app.console.forms import Fields, read
from app.console.pages import number
from app.kernel.errors import Problem
from app.kernel.paging import Cursor
from app.trends import caseload
from app.trends.charts.look import counted
from app.trends.schemas.caseload import CaseloadOut, CaseOut, CaseSearchIn, SparklineOut

routes = page_router()
PAGE: Final = 50
HERE: Final = "/console/caseload"
_Only = Literal["", "flagged", "worsening", "loss-of-response", "overdue", "silent"]
_LABELS: Final = {"name": "Name or a part of it"}


@dataclass(frozen=True, slots=True)
class Row:
    """A patient on the list. why: what places them there, in words; also: what else is true."""

    patient_id: UUID
    name: str
    case: CaseOut
    why: str
    also: list[str]
    spark: Figure | None
    followed_by: str


@dataclass(frozen=True, slots=True)
class Caseload:
    """A page of the list. more: its cursor. is_search: by name, so that it goes on by a form."""

    rows: list[Row]
    rule: str
    only: str
    filters: dict[str, str]
    fields: Fields
    more: str | None
    next_page: str | None
    is_search: bool
    is_first_page: bool


@routes.get(HERE)
def caseload_page(
    visit: Inside, cursor: Cursor = None, only: Annotated[_Only, Query()] = ""
) -> Answer:
    """Everybody, or whom one thing is true of."""
    found = caseload.read_caseload(
        visit.db, visit.caller, after=cursor, limit=PAGE, now=visit.now, only=only or None
    )
    more = found.next_cursor
    next_page = more and with_query(HERE, only=only or None, cursor=more)
    return _page(found, only, Fields("search", _LABELS), next_page, is_first_page=cursor is None)


@routes.post(HERE)
def search_caseload(visit: Inside) -> Answer:
    """By name."""
    typed = Fields("search", _LABELS).typed(visit.form)
    only, after = visit.form["only"], visit.form["cursor"]
    try:
        with visit.db.tried():
            sent = read(
                CaseSearchIn,
                {"name": typed.value("name").strip(), "only": only, "cursor": after, "limit": PAGE},
            )
    except Problem as problem:
        return _refused(visit, typed.refused(problem))
    found = caseload.read_caseload(
        visit.db,
        visit.caller,
        after=sent.cursor,
        limit=PAGE,
        now=visit.now,
        only=sent.only,
        name=sent.name,
    )
    return _page(found, sent.only or "", typed, None, is_first_page=not after)


def _refused(visit: Visit, fields: Fields) -> Shown:
    found = caseload.read_caseload(visit.db, visit.caller, after=None, limit=PAGE, now=visit.now)
    more = found.next_cursor and with_query(HERE, cursor=found.next_cursor)
    return _page(found, "", fields, more, is_first_page=True, status=422)


def _page(
    found: CaseloadOut,
    only: str,
    fields: Fields,
    next_page: str | None,
    *,
    is_first_page: bool,
    status: int = 200,
) -> Shown:
    view = Caseload(
        rows=[_row(one) for one in found.patients],
        rule=found.rule,
        only=only,
        filters={"": "Everybody"}
        | {code: words.spoken(f"only.{code}") for code in caseload.FILTERS},
        fields=fields,
        more=found.next_cursor,
        next_page=next_page,
        is_search=bool(fields.value("name")) and not fields.errors,
        is_first_page=is_first_page,
    )
    return Shown("caseload.html", "Caseload", view, section="caseload", status=status)


def _row(one: CaseOut) -> Row:
    spark = one.sparkline
    return Row(
        patient_id=one.patient_id,
        name=one.name or "A name that cannot be opened",
        case=one,
        why=words.spoken(f"why.{one.why}"),
        also=[words.spoken(f"why.{code}") for code in one.also],
        spark=_spark(spark) if spark else None,
        followed_by=words.instrument_name(spark.instrument) if spark else "",
    )


def _spark(of: SparklineOut) -> Figure | None:
    name = words.instrument_name(of.instrument)
    said = f"{name}, oldest first: {', '.join(number(score) for score in of.score)}"
    if of.doses_at:
        said += f"; {counted(len(of.doses_at), 'dose')} since the first of these"
    return draw(said, of.effective_at, of.score, (of.minimum, of.maximum), of.doses_at)
