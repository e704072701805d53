"""The log says what happened and where, and never with whose words."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from pydantic import ValidationError

from app.kernel.log import logger, to_standard_error
from app.kernel.strict import Open

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def _a_log_of_this_test_s_own() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines on standard error; nothing may stand on standard output."""
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(line) for line in said.err.splitlines()]


class TestLog:
    def test_each_line_is_one_object_with_when_how_grave_and_what(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to_standard_error()

        logger().warning("worker.waits", count=3)
        logger().info("two\nlines")

        first, second = written(capsys)
        assert first.items() >= {"level": "warning", "event": "worker.waits", "count": 3}.items()
        assert first["at"].endswith("+00:00")
        assert second["event"] == "two\nlines"

    def test_an_exception_is_its_type_and_the_way_it_came_and_never_its_text(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to_standard_error()

        def deep() -> None:
            secret = CANARY
            raise ValueError(f"cannot read {secret}")

        try:
            try:
                deep()
            except ValueError as error:
                raise KeyError(CANARY) from error
        except KeyError as error:
            logger().error("request.failed", error=error)

        (line,) = written(capsys)
        assert line["error"] == "KeyError"
        assert "test_log.py" in line["through"][0]
        assert CANARY not in json.dumps(line)

    def test_a_long_way_is_told_from_its_end(self, capsys: pytest.CaptureFixture[str]) -> None:
        to_standard_error()

        def fall(depth: int) -> None:
            if depth == 0:
                raise LookupError
            fall(depth - 1)

        try:
            fall(40)
        except LookupError as error:
            logger().error("fell", error=error)

        (line,) = written(capsys)
        assert len(line["through"]) == 12
        assert line["through"][-1].endswith(" fall")

    def test_the_text_of_an_exception_does_not_pass_even_where_somebody_hands_it_over(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to_standard_error()

        logger().error("refused", error=str(ValueError(CANARY)))

        (line,) = written(capsys)
        assert CANARY not in json.dumps(line)

    def test_of_a_value_that_json_has_no_word_for_only_the_type_is_told(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        to_standard_error()

        logger().info("sealed", value=CANARY.encode(), id=UUID(int=1))

        (line,) = written(capsys)
        assert (line["value"], line["id"]) == ("bytes", "UUID")


class Answer(Open):
    """An answer with a member that is missing below."""

    words: str
    at: int


class TestAnswers:
    def test_an_answer_that_cannot_be_built_quotes_nothing_of_what_somebody_wrote(self) -> None:
        with pytest.raises(ValidationError) as raised:
            Answer.model_validate({"words": CANARY})

        assert CANARY not in str(raised.value)
