"""What the server says about itself: one JSON object per line on standard error.

Never a word of a patient, never a parameter, and never the text of an exception: a database
error quotes rows and a validation error quotes its input. An exception is logged as its type
and the lines it came through.
"""

import json
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog


def to_standard_error() -> None:
    """Send the log there; once, at the start of a process."""
    structlog.configure(
        processors=[_stamp, _only_where, _as_line],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def logger() -> Any:
    """A logger: `logger().warning("what.happened", count=3)`."""
    return structlog.get_logger()


def _stamp(_: Any, level: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {"at": datetime.now(UTC).isoformat(), "level": level, **event}


def _only_where(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        event["error"] = type(error).__name__
        event["through"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _as_line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(event, default=lambda value: type(value).__name__)
