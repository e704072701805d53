"""When something happened, according to a phone whose clock may be wrong.

`recorded_at` is kept as it was sent and never a reason to refuse. Where it is placed in time is
`effective_at`: corrected by the phone's error, if the phone also said when it sent (`sent_at`),
and never later than its arrival.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

TOLERANCE: Final = timedelta(seconds=60)
"""A reply takes a while: a difference up to this is the network and not the clock."""


class Arrival(NamedTuple):
    """effective_at: where the entry stands in time. clock_ahead_seconds: how far the phone's
    clock was ahead of ours when it sent (negative: behind); None when nothing says it was wrong.
    """

    effective_at: datetime
    clock_ahead_seconds: int | None


def place(recorded_at: datetime, sent_at: datetime | None, received_at: datetime) -> Arrival:
    """Place an entry in time; see the module."""
    ahead = None
    placed = recorded_at
    if sent_at is not None:
        # A queued entry may have been recorded long before it was sent: the phone's error is
        # between sending and arriving, and the same error was in the clock when it recorded.
        error = sent_at - received_at
        if abs(error) > TOLERANCE:
            placed, ahead = recorded_at - error, int(error.total_seconds())
    if ahead is None and placed > received_at:
        ahead = int((placed - received_at).total_seconds()) or None
    return Arrival(min(placed, received_at), ahead)
