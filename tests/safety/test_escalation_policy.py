"""A policy as it ships, and as a clinic may write it."""

import json
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clinical.risk import Level
from app.safety.escalation import (
    MOST_MINUTES,
    MOST_STEPS,
    Channel,
    Hours,
    Outcome,
    PolicyRefused,
    Step,
    Who,
    as_dict,
    begin,
    due,
    read,
    shipped,
    steps,
)
from tests.safety.rounds import (
    BERLIN,
    FLAGGED,
    INSTANTS,
    MINUTE,
    NIGHTS,
    OFFICE,
    UNDECLARED,
    UNHURRIED,
    WEDNESDAY_NOON,
    a_round,
    after,
    coverage,
    drain,
)

ALL_CHANNELS = ["inbox", "email", "web-push", "webhook", "stream"]


class TestThePolicyThatIsShipped:
    @pytest.mark.parametrize(
        ("level", "minute", "who"),
        [
            ("high", 0, ["care-team"]),
            ("high", 14, ["care-team"]),
            ("high", 15, ["care-team", "next"]),
            ("high", 16, ["care-team", "next"]),
            ("high", 29, ["care-team", "next"]),
            ("high", 30, ["care-team", "next", "administrators"]),
            ("high", 31, ["care-team", "next", "administrators"]),
            ("moderate", 0, ["care-team"]),
            ("moderate", 59, ["care-team"]),
            ("moderate", 60, ["care-team", "next"]),
            ("moderate", 61, ["care-team", "next"]),
            ("moderate", 89, ["care-team", "next"]),
            ("moderate", 90, ["care-team", "next", "administrators"]),
            ("moderate", 91, ["care-team", "next", "administrators"]),
            ("low", 0, ["care-team"]),
            ("low", 21 * 60 - 1, ["care-team"]),
            ("low", 21 * 60, ["care-team", "care-team"]),
            ("low", 21 * 60 + 1, ["care-team", "care-team"]),
        ],
    )
    def test_tells_on_the_minute_while_the_clinic_is_on_duty(
        self, level: str, minute: int, who: list[str]
    ) -> None:
        round_ = a_round(Level(level))

        assert [step.who for step in due(round_, after(minute))] == who

    def test_tells_nobody_before_the_round_began(self) -> None:
        assert all(due(a_round(level), after(-1 / 60)) == () for level in FLAGGED)

    def test_tells_of_a_low_level_by_the_inbox_alone_at_first(self) -> None:
        first, second = steps(shipped(), Level.LOW, WEDNESDAY_NOON, OFFICE, BERLIN)

        assert first.channels == (Channel.INBOX,)
        assert second.channels == tuple(Channel)

    def test_is_one_that_can_be_read(self) -> None:
        assert read(json.loads(json.dumps(as_dict(shipped())))) == shipped()

    def test_is_labelled_as_a_convention(self) -> None:
        assert shipped().convention

    @UNHURRIED
    @given(
        INSTANTS,
        st.sampled_from([OFFICE, UNDECLARED, NIGHTS, "{", coverage(mon=[["09:00", "09:01"]])]),
        st.sampled_from([BERLIN, "Australia/Lord_Howe", "nowhere"]),
    )
    def test_tells_the_administrators_of_a_high_level_within_half_an_hour_whatever_the_hours(
        self, began_at: datetime, hours: str, zone: str
    ) -> None:
        round_ = begin(shipped(), Level.HIGH, began_at, hours, zone)

        _, did = drain(round_, began_at + 30 * MINUTE, lambda _: Outcome.TOLD)

        assert [step.who for step in did] == [Who.CARE_TEAM, Who.NEXT, Who.ADMINISTRATORS]


DOCUMENT = as_dict(shipped())


def document() -> dict[str, Any]:
    return deepcopy(DOCUMENT)


def a_step(**changes: Any) -> dict[str, Any]:
    whole = {
        "who": "next",
        "after_minutes": 60,
        "hours": "at-all-hours",
        "channels": ["inbox", "email"],
        **changes,
    }
    return {member: value for member, value in whole.items() if value is not ...}


def with_steps(level: str, *given_steps: Any) -> dict[str, Any]:
    sent = document()
    sent["levels"][level] = list(given_steps)
    return sent


def refusal(content: Any) -> dict[str, str]:
    with pytest.raises(PolicyRefused) as refused:
        read(content)
    return dict(refused.value.errors)


class TestReading:
    def test_a_policy_is_read_as_it_is_written(self) -> None:
        sent = with_steps("low", a_step(channels=["email", "inbox"], hours="next-coverage"))

        policy = read(sent)

        assert policy.levels[Level.LOW] == (
            Step(Who.NEXT, 60, Hours.NEXT_COVERAGE, (Channel.INBOX, Channel.EMAIL)),
        )
        assert policy.levels[Level.HIGH] == shipped().levels[Level.HIGH]

    @UNHURRIED
    @given(st.data())
    def test_a_policy_is_written_as_it_was_read(self, data: st.DataObject) -> None:
        minutes = data.draw(st.lists(st.integers(0, MOST_MINUTES), min_size=1, max_size=MOST_STEPS))
        sent = with_steps(
            "moderate",
            *(
                a_step(
                    who=data.draw(st.sampled_from(["care-team", "next", "administrators"])),
                    after_minutes=minute,
                    hours=data.draw(st.sampled_from([hours.value for hours in Hours])),
                    channels=["inbox", *data.draw(st.sampled_from([[], ["email"], ["stream"]]))],
                )
                for minute in sorted(minutes)
            ),
        )

        assert as_dict(read(sent)) == sent

    @pytest.mark.parametrize("content", [None, [], "high", 7])
    def test_what_is_no_object_is_refused(self, content: Any) -> None:
        assert refusal(content) == {"": "must be an object"}

    @pytest.mark.parametrize(
        ("member", "value", "pointer"),
        [
            ("source", None, "/source"),
            ("source", "  ", "/source"),
            ("source", "two\nlines", "/source"),
            ("source", "\ud800", "/source"),
            ("source", "x" * 1001, "/source"),
            ("convention", 1, "/convention"),
            ("convention", None, "/convention"),
            ("levels", None, "/levels"),
            ("levels", [], "/levels"),
            ("title", "Ours", ""),
        ],
        ids=[
            "no source",
            "an empty source",
            "two lines",
            "half a character",
            "a long source",
            "a number for a truth",
            "no truth",
            "no levels",
            "a list of levels",
            "an unknown member",
        ],
    )
    def test_the_place_of_what_is_wrong_is_named(
        self, member: str, value: object, pointer: str
    ) -> None:
        assert list(refusal({**document(), member: value})) == [pointer]

    def test_the_longest_source_is_read(self) -> None:
        assert read({**document(), "source": "x" * 1000}).source == "x" * 1000

    def test_everything_that_is_wrong_is_named_at_once(self) -> None:
        sent = {"source": 1, "convention": "yes", "levels": {}}

        assert list(refusal(sent)) == [
            "/source",
            "/convention",
            "/levels/high",
            "/levels/moderate",
            "/levels/low",
        ]

    @pytest.mark.parametrize("level", ["high", "moderate", "low"])
    @pytest.mark.parametrize("how_many", [0, 21])
    def test_a_level_has_one_step_to_twenty(self, level: str, how_many: int) -> None:
        first = a_step(after_minutes=0)

        assert refusal(with_steps(level, *[first] * how_many)) == {
            f"/levels/{level}": "must be a list of 1 to 20 steps"
        }
        assert len(read(with_steps(level, *[first] * 20)).levels[Level(level)]) == 20

    def test_no_level_is_unknown(self) -> None:
        assert refusal(with_steps("none", a_step())) == {
            "/levels": "may only have: high, moderate, low"
        }

    @pytest.mark.parametrize(
        ("step", "pointer"),
        [
            (None, ""),
            (a_step(comment="x"), ""),
            (a_step(who=...), "/who"),
            (a_step(who="named"), "/who"),
            (a_step(who=["next"]), "/who"),
            (a_step(after_minutes=...), "/after_minutes"),
            (a_step(after_minutes=-1), "/after_minutes"),
            (a_step(after_minutes=10_081), "/after_minutes"),
            (a_step(after_minutes=True), "/after_minutes"),
            (a_step(after_minutes=1.0), "/after_minutes"),
            (a_step(after_minutes="1"), "/after_minutes"),
            (a_step(hours=...), "/hours"),
            (a_step(hours="sometimes"), "/hours"),
            (a_step(channels=...), "/channels"),
            (a_step(channels=[]), "/channels"),
            (a_step(channels=[*ALL_CHANNELS, "inbox"]), "/channels"),
            (a_step(channels=["email"]), "/channels"),
            (a_step(channels=["inbox", "inbox"]), "/channels/1"),
            (a_step(channels=["inbox", "pager"]), "/channels/1"),
            (a_step(channels=["inbox", {}]), "/channels/1"),
        ],
        ids=str,
    )
    def test_a_step_is_read_strictly(self, step: Any, pointer: str) -> None:
        assert list(refusal(with_steps("moderate", step))) == [f"/levels/moderate/0{pointer}"]

    def test_the_furthest_minute_and_every_channel_are_read(self) -> None:
        sent = with_steps("low", a_step(after_minutes=10_080, channels=ALL_CHANNELS))

        assert as_dict(read(sent)) == sent

    def test_steps_stand_in_order(self) -> None:
        sent = with_steps(
            "low",
            a_step(after_minutes=10),
            a_step(after_minutes=10),
            a_step(after_minutes=9),
        )

        assert refusal(sent) == {
            "/levels/low/2/after_minutes": (
                "must be a whole number from 10 to 10080, as steps stand in order"
            )
        }

    def test_a_high_level_is_told_within_five_minutes_at_all_hours(self) -> None:
        for hours in ("within-coverage", "next-coverage"):
            sent = with_steps("high", a_step(after_minutes=6, hours=hours))
            assert list(refusal(sent)) == ["/levels/high/0/after_minutes", "/levels/high/0/hours"]

        sent = with_steps("high", a_step(after_minutes=5), a_step(hours="within-coverage"))
        assert as_dict(read(sent)) == sent

    def test_a_hundred_things_that_are_wrong_are_enough(self) -> None:
        sent = document()
        for level in sent["levels"]:
            sent["levels"][level] = [a_step(channels=["fax"] * 5)] * 20

        with pytest.raises(PolicyRefused) as refused:
            read(sent)

        assert len(refused.value.errors) == 100

    def test_a_refusal_does_not_repeat_what_was_sent(self) -> None:
        sent = with_steps("low", a_step(who="canary", hours="canary", channels=["canary"]))

        with pytest.raises(PolicyRefused) as refused:
            read({**sent, "canary": 1})

        assert "canary" not in str(refused.value)
        assert str(refused.value).startswith("/ may only have")
