"""The inbox of flags, and whom to call."""

from typing import Annotated

from fastapi import Header, Query

from app.kernel.edge import Public, Reply, Signed, router
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.texts import best_locale, shipped_for
from app.safety import inbox
from app.safety.crisis import country_meant, help_in
from app.safety.schemas import FlagPage, Help

routes = router("safety")

_CACHEABLE = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Language"}


@routes.get("/v1/flags", response_model=FlagPage, operation_id="list_flags")
def list_flags(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Flags that nobody has resolved, worst first, then oldest first."""
    page = inbox.list_flags(visit.db, visit.caller, after=cursor, limit=limit, now=visit.now)
    return Reply(page, headers=next_link("/v1/flags", page.next_cursor, limit))


@routes.get("/v1/crisis-lines", response_model=Help, operation_id="read_crisis_lines")
def read_crisis_lines(
    visit: Public,
    country: Annotated[
        str, Query(max_length=256, examples=["DE"], description="ISO 3166-1 alpha-2.")
    ],
    accept_language: Annotated[
        str | None,
        Header(
            description="Of the advice; what cannot be read asks for English.",
            # Told and not held: no header is a reason to refuse somebody these numbers.
            json_schema_extra={"maxLength": 1000},
        ),
    ] = None,
) -> Reply:
    """Whom to call in a country, for a phone to keep before it is needed."""
    language = shipped_for(best_locale(accept_language))
    return Reply(help_in(country_meant(country) or "", language), headers=_CACHEABLE)
