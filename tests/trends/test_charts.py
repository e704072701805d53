"""Charts as specifications: what is in them, what is not, and that no input breaks one."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.kernel.renderer import Renderer
from app.trends.charts import aligned, course, ideation, outcomes, together
from app.trends.charts.look import DARK, LIGHT, Palette
from app.trends.charts.records import (
    Around,
    Band,
    Course,
    Faded,
    Flag,
    Frame,
    Ideation,
    Line,
    Outcome,
    Point,
    Rate,
    Source,
    Survival,
    Together,
)
from app.trends.charts.table import of_course, of_ideation

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
CAVEAT = "One person, no control."
BANDS = (Band("mild", 0, 9), Band("severe", 10, 27))
PHONE = Frame(360)
NOTHING_ELSE = Around()


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def a_course(scores: list[float | None], **changes: Any) -> Course:
    """Weekly scores."""
    points = [Point(day(7 * place), score) for place, score in enumerate(scores)]
    baseline = next((one for one in points if one.score is not None), None)
    made: dict[str, Any] = {
        "title": "Patient Health Questionnaire",
        "label": "PHQ-9",
        "minimum": 0,
        "maximum": 27,
        "direction": "lower-is-better",
        "points": points,
        "doses": [day(3), day(10)],
        "time_zone": "Europe/Berlin",
        "caveat": CAVEAT,
        "bands": BANDS,
        "baseline": baseline,
        "lines": [Line("response: 10 or less", 10), Line("remission: below 5", 5)],
        **changes,
    }
    return Course(**made)


def several(*panels: Course | Source, around: Around = NOTHING_ELSE) -> Together:
    return Together(panels, around, [day(3), day(10)], "Europe/Berlin", CAVEAT)


def parts(specification: Any) -> Iterator[dict[str, Any]]:
    """Every object inside."""
    if isinstance(specification, dict):
        yield specification
        for one in specification.values():
            yield from parts(one)
    elif isinstance(specification, list):
        for one in specification:
            yield from parts(one)


def rows(specification: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """What is drawn as marks of a kind."""
    return [
        row
        for one in parts(specification)
        if one.get("mark", {}) and isinstance(one["mark"], dict) and one["mark"]["type"] == "point"
        for row in one["data"]["values"]
        if row.get("kind") == kind
    ]


def line_rows(specification: dict[str, Any]) -> list[dict[str, Any]]:
    (line,) = [
        one
        for one in parts(specification)
        if isinstance(one.get("mark"), dict) and one["mark"]["type"] == "line"
    ]
    found: list[dict[str, Any]] = line["data"]["values"]
    return found


def words(specification: dict[str, Any]) -> str:
    return json.dumps(specification, ensure_ascii=False)


class TestMissing:
    def test_the_line_breaks_at_an_incomplete_answer_and_the_gap_is_marked(self) -> None:
        chart = course.chart(a_course([20, 18, None, 9, 8]))

        assert [row["stretch"] for row in line_rows(chart)] == [0, 0, 2, 2]
        assert len(rows(chart, "Incomplete")) == 1

    def test_the_line_breaks_where_nothing_was_answered_for_long(self) -> None:
        points = [Point(day(at), 10) for at in (0, 7, 14, 21, 60, 67)]

        assert course.stretches(points) == [0, 0, 0, 0, 1, 1]

    def test_three_times_the_usual_pause_is_no_gap_and_more_is(self) -> None:
        usual = [0, 7, 14, 21]

        def of(last: float) -> int:
            return course.stretches([Point(day(at), 10) for at in [*usual, last]])[-1]

        assert of(21 + 21) == 0
        assert of(21 + 21.01) == 1

    def test_of_a_few_scores_nobody_knows_what_is_usual(self) -> None:
        assert course.stretches([Point(day(at), 10) for at in (0, 1, 300)]) == [0, 0, 0]

    @pytest.mark.parametrize("before", [(0,), (0, 1), (0, 300, 600, 900)])
    @pytest.mark.parametrize(("days", "is_joined"), [(365, True), (366, False)])
    def test_a_year_is_a_gap_whatever_is_usual(
        self, before: tuple[int, ...], days: int, is_joined: bool
    ) -> None:
        points = [Point(day(at), 10) for at in (*before, before[-1] + days)]

        *_, last, newest = course.stretches(points)

        assert (last == newest) is is_joined

    def test_a_score_that_is_not_there_is_not_drawn(self) -> None:
        chart = course.chart(a_course([None, None]))

        assert rows(chart, "Score") == rows(chart, "Baseline") == []
        assert "No complete score yet" in words(chart)


class TestCourse:
    def test_it_shows_scores_baseline_doses_flags_bands_and_lines(self) -> None:
        chart = course.chart(a_course([20, 18, 9], flags=[Flag(day(7), "high")]))

        assert [row["score"] for row in rows(chart, "Score")] == [18, 9]
        assert [row["score"] for row in rows(chart, "Baseline")] == [20]
        assert len(rows(chart, "Dose")) == 2
        assert [row["level"] for row in rows(chart, "Flag")] == ["high"]
        for said in ("mild", "severe", "baseline 20", "response: 10 or less", "remission: below 5"):
            assert said in words(chart)

    def test_days_are_the_person_s_own(self) -> None:
        late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
        points = [Point(late, 5), Point(late + timedelta(days=1), 5)]
        own = a_course([], points=points, doses=[], baseline=None, time_zone="Asia/Tokyo")

        first = line_rows(course.chart(own))[0]["t"]

        # Half past eight in the morning of the second of March, in Tokyo.
        assert datetime.fromtimestamp(first / 1000, UTC).isoformat() == "2026-03-02T08:30:00+00:00"

    def test_kinds_of_marks_differ_in_shape_and_not_in_colour_alone(self) -> None:
        chart = course.chart(a_course([20, None, 9], flags=[Flag(day(7), "high")]))

        shapes = {
            tuple(one["shape"]["scale"]["domain"]): one["shape"]["scale"]["range"]
            for one in parts(chart)
            if isinstance(one.get("shape"), dict)
        }
        ((kinds, range_),) = shapes.items()
        assert set(kinds) == {"Score", "Baseline", "Dose", "Flag", "Incomplete"}
        assert len(set(range_)) == len(kinds)

    def test_whoever_cannot_see_it_is_told_what_is_there_and_what_it_cannot_show(self) -> None:
        told = course.chart(a_course([20, None, 9]))["description"]

        for said in ("2 scores", "1 incomplete", "2 doses", "Latest 9", "Baseline 20", CAVEAT):
            assert said in told

    def test_a_sparkline_is_the_same_course(self) -> None:
        small = course.sparkline(a_course([20, None, 9]))

        assert small["height"] < 40
        assert [row["score"] for row in line_rows(small)] == [20, 9]
        assert small["description"] == course.description(a_course([20, None, 9]))

    def test_a_scale_without_bands_has_even_steps(self) -> None:
        chart = course.chart(a_course([4, 6], minimum=0, maximum=10, bands=(), lines=()))

        ticks = [one["values"] for one in parts(chart) if "titleLimit" in one]
        assert ticks[0] == [0, 2, 4, 6, 8, 10]

    def test_where_higher_is_better_the_darkest_band_is_the_lowest(self) -> None:
        def shades(direction: str) -> list[float]:
            chart = course.chart(a_course([20], direction=direction))
            return [one["shade"] for one in parts(chart) if "shade" in one and "low" in one][:2]

        lower, higher = shades("lower-is-better"), shades("higher-is-better")
        assert lower == sorted(lower)
        assert higher == sorted(higher, reverse=True)


class TestSpanning:
    """Answers that speak of time before a dose and after it."""

    SEEN = a_course([18, 12, None, 8])
    MIXED = SEEN._replace(
        points=[one._replace(spans_dose=place in (1, 2)) for place, one in enumerate(SEEN.points)]
    )

    def test_such_a_score_is_hollow_and_the_legend_and_the_words_say_so(self) -> None:
        chart = course.chart(self.MIXED)

        assert [row["score"] for row in rows(chart, course.SPANS)] == [12]
        assert [row["score"] for row in rows(chart, course.SCORE)] == [8]
        (shapes,) = {
            tuple(zip(one["scale"]["domain"], one["scale"]["range"], strict=True))
            for one in parts(chart)
            if one.get("field") == "kind" and "circle" in one.get("scale", {}).get("range", ())
        }
        assert dict(shapes)[course.SPANS] not in ("circle", None)
        assert "Hollow:" in words(chart)

    def test_where_there_is_none_nothing_is_said_of_it(self) -> None:
        for chart in (course.chart(self.SEEN), together.chart(several(self.SEEN))):
            assert course.SPANS not in words(chart)
            assert "Hollow" not in words(chart)

    def test_several_series_say_so_once_below_the_last(self) -> None:
        chart = together.chart(several(self.MIXED, a_course([3, 2], label="GAD-7")))

        assert words(chart).count("Hollow:") == 1

    def test_from_each_dose_it_is_hollow_too(self) -> None:
        points = [
            Point(day(4), 12, 1, 24.0, spans_dose=True),
            Point(day(5), 10, 1, 48.0),
        ]

        chart = aligned.chart(a_course([], points=points))

        hollow = [
            [row["score"] for row in one["data"]["values"]]
            for one in parts(chart)
            if isinstance(one.get("mark"), dict) and one["mark"].get("filled") is False
        ]
        assert hollow == [[12]]
        assert "Hollow:" in words(chart)

    def test_the_table_says_so(self) -> None:
        said = [row[3] for row in of_course(self.MIXED).rows]

        assert ["before a dose too" in one for one in said] == [False, True, True, False]


class TestTogether:
    def test_each_scale_has_its_own_axis_and_all_the_same_days(self) -> None:
        later = a_course([5, 6], title="Sleep", points=[Point(day(90), 6)])

        chart = together.chart(several(a_course([20, 18]), later))

        assert len(chart["vconcat"]) == 2
        domains = {
            json.dumps(one["x"]["scale"]["domain"])
            for one in parts(chart)
            if isinstance(one.get("x"), dict) and "scale" in one["x"]
        }
        assert len(domains) == 1
        assert chart["resolve"]["scale"]["y"] == "independent"

    def test_flags_notes_and_goals_are_one_strip_of_instants(self) -> None:
        around = Around([Flag(day(1), "high")], [day(2), day(5)], [day(3)])

        chart = together.chart(several(a_course([20, 18]), around=around))

        strip, _ = chart["vconcat"]
        kinds = [one["kind"] for one in parts(strip["layer"]) if one.get("kind") != "Dose"
                 and "t" in one]  # fmt: skip
        assert kinds == ["flag", "note", "note", "goal set"]
        assert "1 flag, 2 notes, 1 goal" in chart["description"]
        assert {frozenset(one) for one in parts(strip["layer"]) if one.get("kind") == "note"} == {
            frozenset({"t", "kind"})
        }

    def test_what_was_asked_for_and_not_answered_is_marked(self) -> None:
        chart = together.chart(several(a_course([20, 18], missed=[day(5), day(400)])))

        assert len(rows(chart, "Not answered")) == 1
        assert "2 not answered" in chart["description"]

    def test_suicidal_thoughts_are_points_below_and_never_a_line(self) -> None:
        asked = Source("Item 9", TestIdeation.WORDS, [(day(1), 2), (day(8), None)])

        chart = together.chart(several(asked, a_course([20, 18])))

        _, below = chart["vconcat"]
        assert below["title"]["text"][0].startswith("Item 9 (0 Not at all")
        drawn = {one["mark"]["type"] for one in parts(below) if isinstance(one.get("mark"), dict)}
        assert "line" not in drawn

    def test_where_nothing_was_answered_it_says_so(self) -> None:
        assert "Nothing was answered yet." in together.chart(several())["description"]


class TestAligned:
    def test_the_line_ends_at_an_incomplete_answer(self) -> None:
        points = [Point(day(at), score, 1, 24.0 * at)
                  for at, score in ((1, 9), (2, None), (3, 7), (4, 6))]  # fmt: skip

        chart = aligned.chart(a_course([], points=points, baseline=None))

        stretches = [one["stretch"] for one in line_rows(chart)]
        assert stretches[0] != stretches[1] == stretches[2]

    def test_the_line_ends_at_a_year_of_silence(self) -> None:
        points = [Point(day(at), 9, 1, 24.0 * at) for at in (1, 100, 3_650)]

        chart = aligned.chart(a_course([], points=points, baseline=None))

        first, second, third = (one["stretch"] for one in line_rows(chart))
        assert first == second != third

    def test_how_long_a_gain_lasted_is_marked_and_told(self) -> None:
        faded = [Faded(1, 96.0, 12, is_censored=False), Faded(2, 48.0, 8, is_censored=True)]

        chart = aligned.chart(a_course([20, 9]), faded=faded)

        assert "Dose 1: half of the gain gone 4.0 days after it." in chart["description"]
        assert "Dose 2: more than half of the gain still there 2.0 days" in chart["description"]
        shapes = [one["mark"]["shape"] for one in parts(chart)
                  if isinstance(one.get("mark"), dict)
                  and one["mark"].get("shape") in ("cross", "triangle-right")]  # fmt: skip
        assert shapes == ["cross", "triangle-right"]

    def test_scores_are_placed_by_hours_since_their_dose(self) -> None:
        points = [
            Point(day(0), 9),
            Point(day(3), 8, 1, 4.0),
            Point(day(4), None, 1, 28.0),
            Point(day(10), 5, 2, 2.0),
        ]
        chart = aligned.chart(a_course([], points=points, measures_hours=True))

        placed = {(one["dose"], one["hours"]) for one in parts(chart) if "hours" in one}
        assert placed == {(1, 4.0), (2, 2.0)}
        assert "cannot show the first hours" not in words(chart)

    def test_a_scale_that_looks_back_says_that_it_cannot_show_hours(self) -> None:
        assert "cannot show the first" in aligned.chart(a_course([9]))["description"]


class TestIdeation:
    WORDS = ((0, "Not at all"), (1, "Several days"), (2, "Often"))

    def an_ideation(self) -> Ideation:
        answered = [(day(0), 0), (day(7), 2), (day(14), None)]
        sources = [
            Source("Item 9", self.WORDS, answered),
            Source("Screener", ((0, "None"), (1, "Low")), [(day(3), 1)]),
        ]
        return Ideation(sources, [day(2)], "UTC", CAVEAT)

    def test_no_two_answers_are_joined_and_no_source_with_another(self) -> None:
        chart = ideation.chart(self.an_ideation())

        marks = {one["mark"]["type"] for one in parts(chart) if isinstance(one.get("mark"), dict)}
        assert marks.isdisjoint({"line", "area", "trail"})
        assert len(chart["vconcat"]) == 2

    def test_answers_are_words_in_their_order_also_those_that_nobody_gave(self) -> None:
        chart = ideation.chart(self.an_ideation())

        domain = next(
            one["y"]["scale"]["domain"]
            for one in parts(chart["vconcat"][0])
            if "field" in one.get("y", {}) and one["y"]["type"] == "ordinal"
        )
        assert domain == ["2 Often", "1 Several days", "0 Not at all"]

    def test_what_nobody_answered_is_told(self) -> None:
        none = Ideation([Source("Item 9", self.WORDS, [])], [], "UTC", CAVEAT)

        assert "never answered" in ideation.chart(none)["description"]

    def test_an_answer_that_lost_its_words_is_still_shown(self) -> None:
        odd = Ideation([Source("Item 9", self.WORDS, [(day(1), 7)])], [], "UTC", CAVEAT)

        assert "7" in ideation.chart(odd)["description"]


class TestOutcomes:
    CURVE = Survival(
        "Everybody",
        days=[0, 7, 14, 56],
        share=[1, 0.8, 0.8, 0.5],
        low=[1, 0.6, 0.6, 0.3],
        high=[1, 0.9, 0.9, 0.7],
        at_risk=[100, 80, 65, 20],
        happened=[0, 20, 20, 45],
        censored=[0, 0, 15, 35],
        stretch=[0, 0, 0, 1],
    )
    WORDS = Outcome("still responding", "Lost it", "the response")

    def drawn(self, *curves: Survival) -> dict[str, Any]:
        return outcomes.survival_chart(curves, "Loss of response", self.WORDS, CAVEAT)

    def test_a_survival_curve_is_a_step_with_its_interval(self) -> None:
        chart = self.drawn(self.CURVE)

        steps = [
            (one["mark"]["type"], one["mark"]["interpolate"])
            for one in parts(chart)
            if isinstance(one.get("mark"), dict) and "interpolate" in one["mark"]
        ]
        assert steps == [("area", "step-after"), ("line", "step-after"), ("line", "step-after")]
        assert "50% still responding after 56 days (30% to 70%)" in chart["description"]
        assert "20 of 100 still followed" in chart["description"]

    def test_across_a_day_that_may_not_be_told_it_is_dotted_and_has_no_interval(self) -> None:
        chart = self.drawn(self.CURVE)

        guides = [(one["day"], one["share"]) for one in parts(chart) if "gap" in one]
        assert guides == [(14, 0.8), (56, 0.5)]
        assert "Dotted: a day between may not be told" in chart["description"]
        assert "Dotted" not in self.drawn(self.CURVE._replace(stretch=[0] * 4))["description"]

    def test_a_plus_is_where_somebody_was_lost_sight_of(self) -> None:
        chart = self.drawn(self.CURVE)

        pluses = [(one["day"], one["share"], one["lost"]) for one in parts(chart) if "lost" in one]
        assert pluses == [(14, 0.8, 15), (56, 0.8, 20)]
        assert "Plus:" not in self.drawn(self.CURVE._replace(censored=[0] * 4))["description"]

    def test_under_the_axis_stands_how_many_are_followed(self) -> None:
        alone = [one["count"] for one in parts(self.drawn(self.CURVE)) if "count" in one]
        beside = self.drawn(self.CURVE, self.CURVE._replace(label="DE", at_risk=[50, 40, 35, 11]))

        followed, lost_it, lost_sight_of = alone[:4], alone[4:8], alone[8:]
        assert followed == ["100", "80", "65", "20"]
        assert lost_it == ["0", "20", "20", "45"]
        assert lost_sight_of == ["0", "0", "15", "35"]
        of_groups = [one["count"] for one in parts(beside) if "count" in one]
        assert of_groups == ["100", "80", "65", "20", "50", "40", "35", "11"]

    def test_where_there_is_no_room_days_are_left_out_but_never_the_last(self) -> None:
        days = [0, 7, 14, 28, 42, 56, 84, 126, 182, 273, 364]
        nobody = [0] * len(days)
        everybody = [1000] * len(days)
        flat = [1.0] * len(days)
        many = Survival("x", days, flat, flat, flat, everybody, nobody, nobody, nobody)

        chart = outcomes.survival_chart([many], "x", self.WORDS, CAVEAT, PHONE)

        shown = next(one["values"] for one in parts(chart) if "labelFlush" in one)
        assert shown[0] == 0
        assert shown[-1] == 364
        assert len(shown) < len(days)
        assert {one["day"] for one in parts(chart) if "count" in one} == set(shown)

    def test_of_nobody_it_says_so(self) -> None:
        assert "Nobody yet, or too few people to be told" in json.dumps(self.drawn())

    def test_groups_of_one_hue_differ_in_their_marks(self) -> None:
        many = [self.CURVE._replace(label=f"{number}") for number in range(8)]

        (look,) = {
            json.dumps([one["color"]["scale"]["range"], one["shape"]["scale"]["range"]])
            for one in parts(self.drawn(*many))
            if "shape" in one and "color" in one
        }

        assert len(set(zip(*json.loads(look), strict=True))) == 8

    def test_what_is_suppressed_has_no_bar_and_says_so(self) -> None:
        rates = [
            Rate("Dose 2", "Response", 0.4, 0.2, 0.6, 30),
            Rate("Dose 4", "Response", None, None, None, None),
            Rate("Dose 6", "Response", None, None, None, 0),
        ]
        chart = outcomes.rates_chart(rates, "Response", 11, CAVEAT)

        assert "fewer than 11 people" in chart["description"]
        assert [one["words"] for one in parts(chart) if "words" in one] == ["*", "0"]
        assert "Dose 4, Response: not told; Dose 6, Response: nobody" in chart["description"]
        assert {one["people"] for one in parts(chart) if "people" in one} == {30}


EXTREMES: list[tuple[str, Callable[[Frame], dict[str, Any]]]] = [
    ("nothing", lambda frame: course.chart(a_course([], doses=[]), frame)),
    ("one point", lambda frame: course.chart(a_course([9], doses=[]), frame)),
    ("only doses", lambda frame: course.chart(a_course([]), frame)),
    ("a score of 0", lambda frame: course.chart(a_course([0, 0, 0]), frame)),
    ("400 points", lambda frame: course.chart(a_course([9.0] * 400), frame)),
    (
        "30 doses",
        lambda frame: course.chart(a_course([9, 8], doses=[day(d) for d in range(30)]), frame),
    ),
    (
        "ten years",
        lambda frame: course.chart(
            a_course([], points=[Point(day(0), 3), Point(day(3653), 4)]), frame
        ),
    ),
    (
        "one hour",
        lambda frame: course.chart(
            a_course([], points=[Point(day(0), 3), Point(day(0.04), 4)]), frame
        ),
    ),
    (
        "long words",
        lambda frame: course.chart(a_course([9], title="long " * 60, label="x" * 90), frame),
    ),
    ("no end of a word", lambda frame: course.chart(a_course([9], title="w" * 300), frame)),
    (
        "from right to left",
        lambda frame: course.chart(a_course([9], title="مقياس الاكتئاب " * 9), frame),
    ),
    ("markup", lambda frame: course.chart(a_course([9], title="<script>alert(1)</script>"), frame)),
    ("a sparkline of nothing", lambda frame: course.sparkline(a_course([]), frame)),
    ("aligned, nothing", lambda frame: aligned.chart(a_course([]), frame)),
    ("together", lambda frame: together.chart(several(a_course([9, 8]), a_course([3])), frame)),
    ("together, nothing", lambda frame: together.chart(several(), frame)),
    (
        "together, long words",
        lambda frame: together.chart(
            several(
                a_course([9.0] * 400, title="long " * 40, missed=[day(at) for at in range(90)]),
                Source("w" * 200, ((0, "no " * 40), (1, "yes " * 40)), [(day(3), 1)]),
                around=Around([Flag(day(1), "low")], [day(2)], [day(3)]),
            ),
            frame,
        ),
    ),
    (
        "ends of gains",
        lambda frame: aligned.chart(a_course([9]), frame, [Faded(1, 900.0, 12, is_censored=False)]),
    ),
    ("no source", lambda frame: ideation.chart(Ideation([], [], "UTC", ""), frame)),
    ("ideation", lambda frame: ideation.chart(TestIdeation().an_ideation(), frame)),
    (
        "no ideation",
        lambda frame: ideation.chart(
            Ideation([Source("x", ((0, "No"),), [])], [], "UTC", ""), frame
        ),
    ),
    (
        "survival",
        lambda frame: outcomes.survival_chart(
            [TestOutcomes.CURVE], "x", TestOutcomes.WORDS, "z", frame
        ),
    ),
    (
        "no survival",
        lambda frame: outcomes.survival_chart([], "x", TestOutcomes.WORDS, "z", frame),
    ),
    ("no rates", lambda frame: outcomes.rates_chart([], "x", 11, "z", frame)),
]


class TestEveryChart:
    @pytest.mark.parametrize("frame", [Frame(), PHONE, Frame(is_dark=True)], ids=str)
    @pytest.mark.parametrize("make", [one for _, one in EXTREMES], ids=[one for one, _ in EXTREMES])
    def test_it_is_json_says_what_it_shows_and_fetches_nothing(
        self, make: Callable[[Frame], dict[str, Any]], frame: Frame
    ) -> None:
        chart = make(frame)

        json.dumps(chart, allow_nan=False)
        assert chart["$schema"].endswith("/v6.json")
        assert chart["description"]
        assert "url" not in {name for one in parts(chart) for name in one}
        # Numbers as a domain of time become an expression that a strict policy cannot interpret.
        for one in parts(chart):
            if one.get("type") == "utc":
                assert one["domain"].keys() == {"expr"}

    def test_it_can_be_drawn_and_is_no_wider_than_the_phone(self) -> None:
        async def draw() -> dict[str, bytes]:
            renderer = Renderer()
            try:
                return {
                    name: await renderer.draw(make(PHONE), "svg")
                    for name, make in EXTREMES
                    if "sparkline" not in name
                }
            finally:
                await renderer.close()

        drawn = asyncio.run(draw())

        widths = {name: int(re.findall(rb'width="(\d+)"', svg)[0]) for name, svg in drawn.items()}
        assert {name: width for name, width in widths.items() if width > PHONE.width + 4} == {}
        assert b"<script" not in drawn["markup"]

    @pytest.mark.parametrize("palette", [LIGHT, DARK])
    def test_words_can_be_read_and_marks_be_seen(self, palette: Palette) -> None:
        """WCAG 2.2, 1.4.3 and 1.4.11."""
        for words_in in (palette.ink, palette.soft, palette.goal, palette.dose):
            assert contrast(words_in, palette.paper) >= 4.5
        for mark in (palette.score, palette.danger):
            assert contrast(mark, palette.paper) >= 3


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts_of = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts_of]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class TestTables:
    def test_a_course_is_read_newest_first(self) -> None:
        points = [Point(day(0), 20), Point(day(4), None, 1, 24.0), Point(day(9), 9, 1, 144.0)]
        table = of_course(a_course([], points=points, baseline=points[0]))

        assert table.rows == [
            ("2026-01-14", "9", "mild", "6 d after dose 1"),
            ("2026-01-09", "incomplete", "", "24 h after dose 1"),
            ("2026-01-05", "20 (baseline)", "severe", "before any dose"),
        ]

    def test_answers_are_read_by_source(self) -> None:
        first, second = of_ideation(TestIdeation().an_ideation())

        assert first.rows[0] == ("2026-01-19", "left out")
        assert second.rows == [("2026-01-08", "1 Low")]
