"""`afterglow score`: every questionnaire on the command line."""

import json

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.clinical.instruments import Instrument, shipped


def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["score", *arguments], input=stdin)
    return done.exit_code, done.output.strip()


def key_of(instrument: Instrument) -> str:
    """A name for pytest's report."""
    return instrument.key


@pytest.mark.parametrize("instrument", shipped(), ids=key_of)
def test_every_questionnaire_is_scored_with_the_same_members(instrument: Instrument) -> None:
    sent = ["-"] * len(instrument.items)
    if instrument.is_score_only:
        sent = [f"{instrument.scores[0].key}=-"]

    code, said = run(instrument.key, "--json", *sent)

    told = json.loads(said)
    assert code == 0
    assert list(told) == [
        *("instrument", "instrument_version", "total", "band", "complete"),
        *("subscales", "criteria", "finding"),
    ]
    assert (told["total"], told["complete"]) == (None, False)
    assert told["finding"] == {"level": "none", "assessed": False, "reasons": ["not-assessed"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["isi", "total=14"], "isi total 14, subthreshold"),
        (["ebi", "mean=53.5"], "mean 53.5"),
        (["peg", "5", "4", "4"], "peg total 4.333333333333333"),
        (["audit-c", "0", "-", "-"], "positive-men: not met"),
        (["phq-2", "3", "-"], "phq-2 no total (incomplete); positive: met"),
        (["phq-2", "1", "-"], "positive: undecided"),
        (["c-ssrs-screener", "1", "-"] + ["-"] * 5, "level low, and not all of it was asked"),
        (["c-ssrs-screener", "0", "0", "-", "-", "-", "1", "0"], "a flag, level moderate"),
        (["c-ssrs-screener", "0", "0", "-", "-", "-", "0", "-"], "raises no flag"),
    ],
)
def test_a_result_is_told_in_words(arguments: list[str], words: str) -> None:
    code, said = run(*arguments)

    assert code == 0
    assert words in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["isi", "14"], "each score must be written once"),
        (["isi", "total=1", "total=2"], "each score must be written once"),
        (["isi", "total=29"], "total must be a whole number from 0 to 28"),
        (["isi", "total=x"], "total must be a whole number from 0 to 28"),
        (["isi", "total=nan"], "total must be a whole number from 0 to 28"),
        (["isi", "sum=3"], "sum is not a score of this questionnaire"),
        (["ebi", "sum=3", "mean=1"], "must be exactly one of sum, mean"),
        (["phq-2", "total=3", "0"], "answer 1 must be one of 0, 1, 2, 3"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(arguments: list[str], reason: str) -> None:
    code, said = run(*arguments)

    assert code == 2
    assert reason in said


def test_a_batch_takes_objects_of_scores_and_a_bad_line_stops_nothing() -> None:
    lines = ['{"total": 7}', '{"total": null}', "[7]", '{"total": NaN}', "7", "{", '{"total": 28}']

    code, said = run("isi", "--batch", stdin="\n".join(lines) + "\n")

    results = [json.loads(line) for line in said.splitlines()]
    assert code == 1
    assert [result.get("band") for result in results] == ["none", *[None] * 5, "severe"]
    assert results[1]["complete"] is False
    assert "takes its scores" in results[2]["error"]
    assert results[4]["error"] == "the line must be a JSON object of scores"


def test_a_batch_of_answers_refuses_an_object() -> None:
    code, said = run("phq-2", "--batch", stdin='{"total": 3}\n"x"\n')

    results = [json.loads(line) for line in said.splitlines()]
    assert code == 1
    assert "takes answers" in results[0]["error"]
    assert results[1]["error"] == "the line must be a JSON array of answers"
