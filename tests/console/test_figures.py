"""Small figures: what is drawn of what is there."""

from datetime import UTC, datetime, timedelta

from app.console.figures import HEIGHT, WIDTH, Figure, draw

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def figure(scores: list[float | None], doses: tuple[int, ...] = ()) -> Figure | None:
    """Weekly scores from 0 to 27, doses by day."""
    at = [START + timedelta(days=7 * place) for place in range(len(scores))]
    given = [START + timedelta(days=day) for day in doses]
    return draw("said", at, scores, (0, 27), given)


def test_a_missing_score_breaks_the_line_and_one_by_itself_is_a_dot() -> None:
    drawn = figure([20, 18, None, 9, None, 12, 5])

    assert drawn is not None
    assert [len(set(line.split(" "))) for line in drawn.lines] == [2, 1, 2]


def test_everything_is_inside_also_doses_before_the_first_score() -> None:
    drawn = figure([27, 0], doses=(-30, 3))

    assert drawn is not None
    assert all(0 <= x <= WIDTH for x in drawn.doses)
    dots = [dot.split(",") for line in drawn.lines for dot in line.split(" ")]
    assert all(0 <= float(y) <= HEIGHT for _, y in dots)
    assert drawn.doses[0] < float(drawn.lines[0].split(",")[0])


def test_a_single_score_stands_in_the_middle() -> None:
    drawn = figure([9])

    assert drawn is not None
    assert drawn.last[0] == WIDTH / 2


def test_of_nothing_there_is_no_figure() -> None:
    assert figure([None, None]) is None
