"""A stretch of time that is asked for: from an instant, included, until another, not included."""

from datetime import datetime
from typing import Annotated

from fastapi import Query

from app.kernel.errors import invalid
from app.kernel.fields import Instant

Since = Annotated[Instant | None, Query(description="Included.")]
Until = Annotated[Instant | None, Query(description="Not included, and not before `since`.")]


def require_order(since: datetime | None, until: datetime | None) -> None:
    """Nothing lies in a stretch that ends before it begins, and nobody means one.

    Raises: Problem INVALID.
    """
    if since is not None and until is not None and until < since:
        raise invalid("query:until", "must not be before since")
