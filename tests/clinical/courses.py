"""Protocols, doses and answers for the tests of what is due."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.clinical.protocol import Answered, DueItem, Protocol, due, read, shipped

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECALL_DAYS = {
    "phq-9": 14,
    "gad-7": 14,
    "pcl-5": 30,
    "momentary": 0,
    "aftercare": 0,
    "daily": 1,
    "bladder": 7,
    "craving": 0,
    "use-outside": 0,
    "c-ssrs-since-last-contact": 0,
}
SHIPPED = shipped(RECALL_DAYS)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ENROLLED = (datetime(2026, 6, 1, 10, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # a Monday
DOSE = ENROLLED + 14 * DAY


def at(text: str, zone: ZoneInfo = UTC_ZONE) -> int:
    """The instant of a text that carries its own offset, or that is the wall's in `zone`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def a_protocol(*points: dict[str, Any], late_days: int = 14) -> Protocol:
    """Points that say only what matters to a test."""
    filled = [
        {
            "key": f"point-{place}",
            "label": "A point",
            "anchor": "dose",
            "instruments": ["momentary"],
            "source": "Us",
            "convention": True,
            **point,
        }
        for place, point in enumerate(points)
    ]
    content = {"title": "Ours", "source": "Us", "convention": True, "late_days": late_days}
    return read({**content, "points": filled}, RECALL_DAYS)


def answers(instrument: str, *instants: int) -> list[Answered]:
    return [Answered(instrument, moment, UUID(int=moment)) for moment in sorted(instants)]


def items(
    protocol: Protocol = SHIPPED,
    *,
    now: int,
    doses: Sequence[int] = (),
    planned: Sequence[int] = (),
    answered: Sequence[Answered] = (),
    zone: ZoneInfo = UTC_ZONE,
    instrument: str | None = None,
    enrolled_at: int = ENROLLED,
    **more: int,
) -> list[DueItem]:
    return due(
        protocol,
        enrolled_at=enrolled_at,
        doses=doses,
        planned=planned,
        answered=answered,
        zone=zone,
        now=now,
        switched_on=RECALL_DAYS if instrument is None else (instrument,),
        **more,
    )


def states(*args: Any, **kwargs: Any) -> dict[str, str]:
    return {item.key: item.state for item in items(*args, **kwargs)}


def windows(*args: Any, **kwargs: Any) -> dict[str, tuple[int, int, int]]:
    return {
        item.key: (item.opens_at, item.due_at, item.expires_at) for item in items(*args, **kwargs)
    }
