"""The inbox of flags."""

from app.kernel.edge import Reply, Signed, router
from app.kernel.paging import Cursor, Limit, next_link
from app.safety import service
from app.safety.schemas import FlagPage

routes = router("safety")


@routes.get("/v1/flags", response_model=FlagPage, operation_id="list_flags")
def list_flags(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Flags that nobody has resolved, worst first, then oldest first."""
    page = service.inbox(visit.db, visit.caller, after=cursor, limit=limit, now=visit.now)
    return Reply(page, headers=next_link("/v1/flags", page.next_cursor, limit))
