"""What is wrong with something that was sent, and where: one shape for every rule."""

from typing import NamedTuple


class Fault(NamedTuple):
    """pointer: RFC 6901, into what was judged, such as "/levels/2/measure".
    reason: a fixed sentence that repeats nothing of what was sent.
    """

    pointer: str
    reason: str
