"""What tests of the API share."""

from typing import Any


def as_read(answer: dict[str, Any]) -> dict[str, Any]:
    """What was written, as it is read afterwards: without the safety block of the answer."""
    return {name: value for name, value in answer.items() if name != "safety"}
