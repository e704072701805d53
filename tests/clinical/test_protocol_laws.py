"""What holds of every protocol, whatever was given and answered."""

from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.protocol import NO_LONG_RECALL_HOURS, Answered, Protocol, timing
from tests.clinical.courses import (
    BERLIN,
    DAY,
    DOSE,
    ENROLLED,
    HOUR,
    LORD_HOWE,
    NEW_YORK,
    RECALL_DAYS,
    SHIPPED,
    UTC_ZONE,
    a_protocol,
    items,
)

law = settings(deadline=None)
# Whole hours, so that answers, doses and windows often meet exactly.
moments = st.integers(0, 24 * 80).map(lambda hours: ENROLLED + hours * HOUR)
courses = st.fixed_dictionaries(
    {
        "doses": st.lists(moments, max_size=9).map(sorted),
        "planned": st.lists(moments, max_size=4).map(sorted),
        "now": moments,
        "zone": st.sampled_from([UTC_ZONE, BERLIN, NEW_YORK, LORD_HOWE]),
        "since": moments,
    }
)
given_answers = st.lists(st.tuples(st.sampled_from(sorted(RECALL_DAYS)), moments), max_size=25).map(
    lambda pairs: [
        Answered(instrument, moment, UUID(int=number))
        for number, (instrument, moment) in enumerate(sorted(pairs, key=lambda pair: pair[1]))
    ]
)


@st.composite
def protocols(draw: st.DrawFn) -> Protocol:
    """Any protocol of up to four points that can be read, or the shipped one."""
    if draw(st.booleans()):
        return SHIPPED
    points = []
    for _ in range(draw(st.integers(1, 4))):
        anchor = draw(st.sampled_from(["enrolment", "dose", "first-dose", "planned-session"]))
        offsets = sorted(draw(st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True)))
        opens, expires = offsets
        window = [opens, draw(st.integers(opens, expires)), expires]
        point: dict[str, Any] = {
            "anchor": anchor,
            "days": [-number for number in reversed(window)]
            if anchor == "planned-session"
            else window,
            "instruments": ["momentary"] if expires <= 3 else ["phq-9", "momentary"],
        }
        if anchor != "planned-session" and draw(st.booleans()):
            point["every"] = draw(st.integers(expires - opens, 20))
            point["times"] = draw(st.integers(1, 5))
        if anchor == "dose":
            point["every_doses"] = draw(st.integers(1, 3))
        points.append(point)
    return a_protocol(*points, late_days=draw(st.integers(0, 20)))


class TestTheLaws:
    @given(protocols(), courses, given_answers)
    @law
    def test_what_opens_is_due_and_expires_in_this_order_under_one_key(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        found = items(protocol, answered=answered, **course)

        assert all(item.opens_at <= item.due_at <= item.expires_at for item in found)
        assert all(item.opens_at < item.expires_at for item in found)
        assert len({item.key for item in found}) == len(found)

    @given(protocols(), courses, given_answers)
    @law
    def test_a_state_says_where_now_and_the_answer_lie(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        now = course["now"]
        holds = {
            "next": lambda item: now < item.opens_at,
            "open": lambda item: item.opens_at <= now < item.expires_at,
            "missed": lambda item: item.expires_at <= now,
            "answered": lambda item: item.opens_at <= item.answered_at < item.expires_at,
            "late": lambda item: item.expires_at <= item.answered_at <= now,
        }

        for item in items(protocol, answered=answered, **course):
            assert holds[item.state](item)
            assert (item.answered_by is not None) is (item.state in {"answered", "late"})

    @given(protocols(), courses)
    @law
    def test_a_point_has_one_open_and_one_next_occurrence_at_most(
        self, protocol: Protocol, course: dict[str, Any]
    ) -> None:
        found = [
            (item.state, item.point, item.instrument)
            for item in items(protocol, **course)
            if item.state in {"open", "next"}
        ]

        assert len(set(found)) == len(found)

    @given(protocols(), courses, given_answers)
    @law
    def test_no_long_recall_is_asked_within_72_hours_after_a_dose(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        for item in items(protocol, answered=answered, **course):
            if RECALL_DAYS[item.instrument] >= 7:
                for dose in course["doses"]:
                    quiet_until = dose + NO_LONG_RECALL_HOURS * HOUR
                    assert item.expires_at <= dose or quiet_until <= item.opens_at

    @given(protocols(), courses, given_answers)
    @law
    def test_an_answer_belongs_to_the_same_in_both(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        found = items(protocol, answered=answered, **course)
        where = {key: course[key] for key in ("doses", "planned", "zone")}

        for answer in answered:
            placed = timing(
                protocol,
                enrolled_at=ENROLLED,
                answered=answered,
                instrument=answer.instrument,
                at=answer.effective_at,
                **where,
            )
            of_it = {item.key: item.state for item in found if item.answered_by == answer.id}
            assert len(set(of_it.values())) <= 1
            if "answered" in of_it.values():
                assert placed is not None
                assert not placed.is_late
            if "late" in of_it.values():
                assert placed is not None
                assert placed.is_late
                assert placed.key in of_it
            for item in found:
                if (
                    placed is not None
                    and item.key == placed.key
                    and answer.effective_at <= course["now"]
                ):
                    assert item.state == ("late" if placed.is_late else "answered")

    @given(protocols(), courses, given_answers, st.integers(0, 24))
    @law
    def test_one_answer_more_opens_nothing(
        self,
        protocol: Protocol,
        course: dict[str, Any],
        answered: list[Answered],
        left_out: int,
    ) -> None:
        fewer = [answer for place, answer in enumerate(answered) if place != left_out]

        def opened(given: list[Answered]) -> set[str]:
            found = items(protocol, answered=given, **course)
            return {item.key for item in found if item.state == "open"}

        assert opened(answered) <= opened(fewer)

    @given(protocols(), courses, given_answers, st.integers(-5000, 5000))
    @law
    def test_in_utc_everything_moves_together(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered], days: int
    ) -> None:
        by = days * DAY
        course = {**course, "zone": UTC_ZONE}
        moved = {
            **course,
            "doses": [dose + by for dose in course["doses"]],
            "planned": [session + by for session in course["planned"]],
            "now": course["now"] + by,
            "since": course["since"] + by,
            "enrolled_at": ENROLLED + by,
        }
        later = [answer._replace(effective_at=answer.effective_at + by) for answer in answered]

        here = items(protocol, answered=answered, **course)
        there = items(protocol, answered=later, **moved)

        assert [
            (item.point, item.state, item.opens_at + by, item.due_at + by, item.expires_at + by)
            for item in here
        ] == [
            (item.point, item.state, item.opens_at, item.due_at, item.expires_at) for item in there
        ]
        assert [item.answered_by for item in here] == [item.answered_by for item in there]

    @given(protocols(), courses, given_answers)
    @law
    def test_a_longer_history_changes_nothing_in_a_shorter_one(
        self, protocol: Protocol, course: dict[str, Any], answered: list[Answered]
    ) -> None:
        short = items(protocol, answered=answered, **course)
        long = items(protocol, answered=answered, **{**course, "since": ENROLLED - DAY})

        assert [item for item in long if item in short] == short


def test_a_patient_of_ten_years_gets_a_bounded_list() -> None:
    doses = [DOSE + place * 12 * DAY for place in range(300)]
    now = doses[-1] + 6 * DAY
    instruments = sorted(RECALL_DAYS)
    answered = [
        Answered(instruments[place % len(instruments)], DOSE + place * 17 * HOUR, UUID(int=place))
        for place in range(5000)
    ]

    found = items(now=now, doses=doses, answered=answered)

    assert len(found) < 60
    assert {item.dose_number for item in found} == {1, 299, 300}
