"""Which of several forms of an answer a client wants.

Source: RFC 9110, sections 12.4.2 and 12.5.1.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Header

from app.kernel.errors import Kind, Problem

Accept = Annotated[str | None, Header(include_in_schema=False)]
"""What the client says it takes. The specification says so through the answer's media types."""

_RANGE: Final = re.compile(r"\s*([^\s;/]+/[^\s;/]+|\*)\s*(?:;(.*))?", re.DOTALL)
_WEIGHT: Final = re.compile(
    r"(?:^|;)\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)
_MOST_RANGES: Final = 50


def chosen(accept: str | None, offered: Sequence[str]) -> str:
    """The form to answer in: what the client prefers, and among equals what comes first here.

    offered: media types, in lower case and without parameters, the usual one first.
    Raises: Problem NOT_ACCEPTABLE.
    """
    if accept is None or not accept.strip():
        return offered[0]
    wanted: dict[str, float] = {}
    for one in accept.lower().split(",")[:_MOST_RANGES]:
        named = _RANGE.fullmatch(one)
        if named is not None:
            weight = _WEIGHT.search(named[2] or "")
            wanted["*/*" if named[1] == "*" else named[1]] = float(weight[1]) if weight else 1.0
    weights = [_weight(wanted, media) for media in offered]
    best = max(weights)
    if best == 0:
        raise Problem(
            Kind.NOT_ACCEPTABLE, headers={"Vary": "Accept"}, extra={"offered": list(offered)}
        )
    return offered[weights.index(best)]


def _weight(wanted: dict[str, float], media: str) -> float:
    """What the closest of the ranges says; 0 if none is about this."""
    for media_range in (media, media.partition("/")[0] + "/*", "*/*"):
        if media_range in wanted:
            return wanted[media_range]
    return 0.0
