"""What time it is, and how instants cross the wire.

Services never ask: `now` is passed in. Only the edge, the worker and the command line call
`now()`, and a test passes its own.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00Z: the unit of `clinical.trajectory`."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(microseconds: int) -> datetime:
    """The inverse of `microseconds`, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
