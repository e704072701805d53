"""Every questionnaire that ships, answered over the API: what `clinical` says is what is told."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from app.clinical import instruments, risk, scoring
from app.clinical.instruments import Instrument
from tests.api.test_clinic_instruments import fault, switch
from tests.builders import Person, World, a_check_in, amended, now, withdrawn
from tests.conftest import Behind

CHECK_INS = "/v1/patients/me/check-ins"
OFF_BY_DEFAULT = ("who-5", "c-ssrs-screener", "c-ssrs-since-last-contact")

# What is expected is written out, not computed: answers, total, band, subscales, criteria.
ANSWERED: dict[str, tuple[Any, Any, str | None, dict[str, Any], dict[str, Any]]] = {
    "audit-c": (
        [2, 1, 1],
        4,
        None,
        {},
        {"positive-women-or-unknown": True, "positive-men": True},
    ),
    "aftercare": ([1, 0, 0, 0, 2, 0, 1, 0], None, None, {}, {"clinician-task": False}),
    "bladder": ([1, 0, 0, 0, 0], None, None, {}, {"clinician-task": False}),
    "c-ssrs-screener": ([0, 0, None, None, None, 0, None], None, None, {}, {}),
    "c-ssrs-since-last-contact": ([0, 0, None, None, None, 0], None, None, {}, {}),
    "craving": ([3, 0], None, None, {}, {}),
    "daily": ([5, 5, 5, 5, 5], None, None, {}, {}),
    "drug-use": ([1], None, None, {}, {"positive": True}),
    "gad-7": ([2, 2, 2, 2, 2, 0, 0], 10, "moderate", {}, {}),
    "ketamine-use": ([0, 0], None, None, {}, {"ketamine-outside-treatment": False}),
    "momentary": ([7, 2, 5, 0, 10], None, None, {}, {}),
    "pcl-5": (
        [2] * 16 + [0] * 4,
        32,
        None,
        {"b": 10, "c": 4, "d": 14, "e": 4},
        {"provisional-dsm-5": True, "cut-31": True, "cut-33": False},
    ),
    "peg": ([7, 4, 2], 13 / 3, None, {}, {}),
    "phq-2": ([2, 1], 3, None, {}, {"positive": True}),
    "phq-8": ([1] * 8, 8, "mild", {}, {}),
    "phq-9": ([2, 2, 1, 2, 1, 2, 1, 1, 0], 12, "moderate", {}, {}),
    "use-outside": (
        [0, 0, 0, 1, 2],
        None,
        None,
        {},
        {"ketamine-outside-treatment": False, "other-drugs-outside-treatment": True},
    ),
    "who-5": ([2, 2, 3, 3, 2], 48, None, {}, {"low-wellbeing": True, "likely-depression": False}),
}
RECORDED: dict[str, tuple[dict[str, float], Any, dict[str, Any], dict[str, Any]]] = {
    "cadss": ({"total": 23}, 23, {}, {}),
    "cadss-6": ({"total": 6}, 6, {}, {}),
    "dast-10": ({"total": 3}, 3, {}, {}),
    "ebi": ({"mean": 41.5}, None, {"sum": None, "mean": 41.5}, {}),
    "eis": ({"percent-of-maximum": 62.5}, None, {"percent-of-maximum": 62.5}, {}),
    "ies": ({"percent-of-maximum": 0}, None, {"percent-of-maximum": 0}, {}),
    "isi": ({"total": 18}, 18, {}, {}),
    "madrs": ({"total": 30}, 30, {}, {}),
    "meq-30": (
        {"mystical": 60, "positive-mood": 20, "transcendence": 20, "ineffability": 10},
        None,
        {"mystical": 60, "positive-mood": 20, "transcendence": 20, "ineffability": 10},
        {"complete-mystical-experience": True},
    ),
}


def submit(patient: Person, key: str, answers: list[Any], **changes: Any) -> Response:
    """Their answers."""
    return patient.post(CHECK_INS, a_check_in(instrument=key, answers=answers, **changes))


def record(world: World, key: str, scores: Any, **changes: Any) -> Response:
    """The therapist records scores."""
    body = {"instrument": key, "scores": scores, "recorded_at": now().isoformat()} | changes
    return world.therapist.post(f"{world.patient.record}/check-ins", body)


@pytest.fixture
def everything_on(world: World) -> World:
    """A clinic that offers all that ships."""
    for key in OFF_BY_DEFAULT:
        assert switch(world.administrator, key, True, accepts_notice=True).status_code == 200
    return world


def shipped_answers(one: Instrument) -> list[list[int | None]]:
    """Nothing, the least, the most, and all but the first."""
    least, most = [item.minimum for item in one.items], [item.maximum for item in one.items]
    return [[None] * len(least), [*least], [*most], [None, *most[1:]]]


class TestAnswers:
    def test_the_tables_here_miss_nothing_that_ships(self) -> None:
        assert set(ANSWERED) | set(RECORDED) == {one.key for one in instruments.shipped()}

    @pytest.mark.parametrize("key", ANSWERED)
    def test_each_is_scored_as_published(self, everything_on: World, key: str) -> None:
        answers, total, band, subscales, criteria = ANSWERED[key]

        answer = submit(everything_on.patient, key, answers)

        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert (told["total"], told["band"]) == (
            total if total is None else pytest.approx(total),
            band,
        )
        assert (told["subscales"], told["criteria"]) == (subscales, criteria)
        assert (told["complete"], told["level"], told["scores"]) == (True, "none", None)
        assert told["answers"] == answers
        read = everything_on.therapist.get(
            f"{everything_on.patient.record}/check-ins/{told['id']}"
        ).json()
        assert {name: value for name, value in read.items() if name != "timing"} == {
            name: value for name, value in told.items() if name != "safety"
        }

    @pytest.mark.parametrize("key", ANSWERED)
    def test_whatever_is_left_out_is_told_as_clinical_computes_it(
        self, everything_on: World, key: str
    ) -> None:
        one = instruments.find(key)
        for answers in shipped_answers(one):
            score, finding = scoring.score(one, answers), risk.assess(one, answers)

            answer = submit(everything_on.patient, key, answers)

            assert answer.status_code == 201, answer.text
            told = answer.json()
            assert (told["total"], told["band"], told["complete"]) == (
                score.total,
                score.band,
                score.complete,
            )
            assert (told["subscales"], told["criteria"]) == (score.subscales, score.criteria)
            assert (told["level"], told["assessed"]) == (finding.level, finding.assessed)
            assert (told["safety"]["flag"] is not None) or not finding.flagged

    @pytest.mark.parametrize("key", ANSWERED)
    @pytest.mark.parametrize("change", ["one more", "one less", "none at all"])
    def test_a_wrong_number_of_answers_is_refused(
        self, everything_on: World, key: str, change: str
    ) -> None:
        answers = [item.minimum for item in instruments.find(key).items]
        sent = {"one more": [*answers, 0], "one less": answers[1:], "none at all": []}[change]

        answer = submit(everything_on.patient, key, sent)

        assert fault(answer) == ("/answers", f"must have exactly {len(answers)} answers")

    @pytest.mark.parametrize("key", ANSWERED)
    def test_an_answer_that_is_not_offered_is_refused_by_its_place(
        self, everything_on: World, key: str
    ) -> None:
        items = instruments.find(key).items
        answers = [item.minimum for item in items]
        answers[-1] = items[-1].maximum + 777

        answer = submit(everything_on.patient, key, answers)

        assert fault(answer)[0] == f"/answers/{len(items) - 1}"
        assert str(answers[-1]) not in answer.text

    @pytest.mark.parametrize(
        ("key", "answers", "written"),
        [
            ("phq-8", [1] * 8, b'"total":8,'),
            ("phq-9", [0] * 9, b'"total":0,'),
            ("who-5", [3] * 5, b'"total":60,'),
            ("peg", [3, 3, 3], b'"total":3,'),
            ("peg", [3, 3, 2], b'"total":2.66666'),
        ],
    )
    def test_whole_numbers_are_written_as_such(
        self, everything_on: World, key: str, answers: list[int], written: bytes
    ) -> None:
        patient = everything_on.patient
        told = submit(patient, key, answers)

        path = f"{CHECK_INS}/{told.json()['id']}"
        for answer in (told, patient.get(path), patient.get(CHECK_INS)):
            assert written in answer.content
        changed = patient.get(f"{path}/versions")
        assert written in changed.content

    def test_answers_that_contradict_each_other_are_stored_as_given(
        self, everything_on: World
    ) -> None:
        """Somebody never drinks, and drinks ten; wishes nothing, and has a plan."""
        drinks = submit(everything_on.patient, "audit-c", [0, 4, 4]).json()
        plan = submit(everything_on.patient, "c-ssrs-screener", [0, 0, 0, 0, 1, 0, None]).json()

        assert (drinks["answers"], drinks["total"]) == ([0, 4, 4], 8)
        assert (plan["answers"], plan["level"]) == ([0, 0, 0, 0, 1, 0, None], "high")
        assert plan["safety"]["flag"]["level"] == "high"

    def test_skipped_questions_score_and_are_kept_as_left_out(self, world: World) -> None:
        told = submit(world.patient, "audit-c", [0, None, None]).json()

        assert (told["answers"], told["total"], told["complete"]) == ([0, None, None], 0, True)

    def test_the_ledger_keeps_subscales_and_criteria(self, world: World, behind: Behind) -> None:
        told = submit(world.patient, "pcl-5", [2] * 20).json()
        path = f"{CHECK_INS}/{told['id']}"

        amended(
            world.patient,
            path,
            a_check_in(instrument="pcl-5", answers=[0] * 20, recorded_at=told["recorded_at"]),
            1,
        )
        withdrawn(world.patient, path, 2)

        versions = world.patient.get(f"{path}/versions").json()["versions"]
        said = [one["check_in"] for one in versions]
        assert [one["subscales"]["b"] for one in said] == [10, 0, 0]
        assert [one["criteria"]["cut-33"] for one in said] == [True, False, False]
        assert [one["total"] for one in said] == [40, 0, 0]
        assert said[0] == {name: value for name, value in told.items() if name != "safety"}
        # The tables say what holds, and the ledger what was said.
        assert behind.rows(
            "SELECT results->'subscales'->>'b' FROM check_in WHERE id = %s", told["id"]
        ) == [("0",)]


class TestScreener:
    @pytest.mark.parametrize(
        ("key", "answers", "level", "items"),
        [
            # Columbia Lighthouse Project, triage of the screener with triage points.
            ("c-ssrs-screener", [1, 0, None, None, None, 0, None], "low", [1]),
            ("c-ssrs-screener", [1, 1, 0, 0, 0, 0, None], "low", [1, 2]),
            ("c-ssrs-screener", [0, 1, 1, 0, 0, 0, None], "moderate", [2, 3]),
            ("c-ssrs-screener", [0, 1, 0, 1, 0, 0, None], "high", [2, 4]),
            ("c-ssrs-screener", [0, 1, 0, 0, 1, 0, None], "high", [2, 5]),
            ("c-ssrs-screener", [0, 0, None, None, None, 1, 0], "moderate", [6]),
            ("c-ssrs-screener", [0, 0, None, None, None, 1, 1], "high", [6, 7]),
            ("c-ssrs-since-last-contact", [1, 0, None, None, None, 0], "low", [1]),
            ("c-ssrs-since-last-contact", [0, 1, 1, 0, 0, 0], "moderate", [2, 3]),
            ("c-ssrs-since-last-contact", [0, 1, 0, 1, 0, 0], "high", [2, 4]),
            ("c-ssrs-since-last-contact", [0, 0, None, None, None, 1], "high", [6]),
        ],
    )
    def test_a_yes_raises_a_flag_of_its_level_that_says_why(
        self,
        everything_on: World,
        key: str,
        answers: list[int | None],
        level: str,
        items: list[int],
    ) -> None:
        told = submit(everything_on.patient, key, answers).json()

        assert (told["level"], told["assessed"], told["complete"]) == (level, True, True)
        assert told["safety"]["flag"]["level"] == level
        codes = [instruments.find(key).items[place - 1].code for place in items]
        assert _reasons(everything_on) == codes

    def test_a_question_that_a_yes_leads_to_and_that_was_left_out_counts_as_yes(
        self, everything_on: World
    ) -> None:
        told = submit(
            everything_on.patient, "c-ssrs-screener", [0, 1, None, None, None, 0, None]
        ).json()

        assert (told["level"], told["complete"], told["total"]) == ("high", False, None)
        assert _reasons(everything_on) == ["c-ssrs-screener.item-2", "incomplete"]

    def test_no_to_everything_is_assessed_and_raises_nothing(self, everything_on: World) -> None:
        told = submit(
            everything_on.patient, "c-ssrs-since-last-contact", [0, 0, None, None, None, 0]
        ).json()

        assert (told["level"], told["assessed"], told["safety"]["flag"]) == ("none", True, None)

    def test_nothing_answered_is_not_assessed(self, everything_on: World) -> None:
        told = submit(everything_on.patient, "c-ssrs-screener", [None] * 7).json()

        assert (told["level"], told["assessed"], told["complete"]) == ("none", False, False)


class TestRecordedScores:
    @pytest.mark.parametrize("key", RECORDED)
    def test_a_clinician_records_them(self, world: World, key: str) -> None:
        scores, total, subscales, criteria = RECORDED[key]

        answer = record(world, key, scores)

        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert (told["total"], told["subscales"]) == (total, subscales)
        assert (told["criteria"], told["scores"]) == (criteria, scores)
        assert (told["answers"], told["complete"], told["assessed"]) == ([], True, False)
        read = world.patient.get(f"{CHECK_INS}/{told['id']}").json()
        assert (read["scores"], read["total"]) == (scores, total)

    @pytest.mark.parametrize("key", RECORDED)
    def test_a_patient_does_not(self, world: World, key: str) -> None:
        body = {
            "instrument": key,
            "scores": RECORDED[key][0],
            "recorded_at": now().isoformat(),
        }

        assert world.patient.post(CHECK_INS, body).status_code == 403
        assert world.patient.get(CHECK_INS).json()["check_ins"] == []

    @pytest.mark.parametrize(
        ("who", "status"), [("stranger", 404), ("coach", 403), ("administrator", 403)]
    )
    def test_nor_does_who_does_not_treat_them(self, world: World, who: str, status: int) -> None:
        person: Person = getattr(world.here, who)

        answer = person.post(
            f"{world.patient.record}/check-ins",
            {"instrument": "isi", "scores": {"total": 9}, "recorded_at": now().isoformat()},
        )

        assert answer.status_code == status

    @pytest.mark.parametrize("key", RECORDED)
    def test_its_questions_cannot_be_answered(self, world: World, key: str) -> None:
        answer = submit(world.patient, key, [1, 2, 3])

        assert fault(answer)[0] == "/scores"

    @pytest.mark.parametrize("key", ["phq-9", "momentary"])
    def test_what_has_questions_takes_no_scores(self, world: World, key: str) -> None:
        answer = record(world, key, {"total": 7})

        assert fault(answer)[0] == "/scores"

    @pytest.mark.parametrize(
        ("key", "scores", "pointer"),
        [
            ("isi", {"total": 29}, "/scores/total"),
            ("isi", {"total": -1}, "/scores/total"),
            ("isi", {"total": 14.5}, "/scores/total"),
            ("madrs", {"total": 61}, "/scores/total"),
            ("eis", {"percent-of-maximum": 100.5}, "/scores/percent-of-maximum"),
            ("meq-30", {"mystical": 7777}, "/scores/mystical"),
            ("ebi", {"sum": 1, "mean": 1}, "/scores"),
            ("isi", {"hush-hush": 1}, "/scores"),
        ],
    )
    def test_what_is_no_such_score_is_named_and_not_repeated(
        self, world: World, key: str, scores: dict[str, float], pointer: str
    ) -> None:
        answer = record(world, key, scores)

        assert fault(answer)[0] == pointer
        assert "hush" not in answer.text
        assert "7777" not in answer.text
        assert world.patient.get(CHECK_INS).json()["check_ins"] == []

    @pytest.mark.parametrize("scores", ["9", [9], {"total": True}, {"total": "9"}, {"total": None}])
    def test_what_is_no_number_is_no_score(self, world: World, scores: Any) -> None:
        answer = record(world, "isi", scores)

        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"].startswith("/scores")

    @pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
    def test_what_is_not_finite_is_no_score(self, world: World, number: str) -> None:
        body = f"""{{
            "instrument": "eis",
            "scores": {{"percent-of-maximum": {number}}},
            "recorded_at": "{now().isoformat()}"
        }}"""

        answer = world.therapist.request(
            "POST",
            f"{world.patient.record}/check-ins",
            content=body.encode(),
            headers={"Content-Type": "application/json"},
        )

        assert answer.status_code in {400, 422}
        assert world.patient.get(CHECK_INS).json()["check_ins"] == []

    def test_one_that_is_missing_leaves_the_rest_and_no_verdict(self, world: World) -> None:
        told = record(world, "meq-30", {"mystical": 75, "positive-mood": 30}).json()

        assert told["complete"] is False
        assert told["subscales"] == {
            "mystical": 75,
            "positive-mood": 30,
            "transcendence": None,
            "ineffability": None,
        }
        assert told["criteria"] == {"complete-mystical-experience": None}

    def test_a_retry_is_safe_and_other_scores_are_another_thing(self, world: World) -> None:
        again = {"id": str(uuid4()), "recorded_at": (now() - timedelta(hours=1)).isoformat()}
        first = record(world, "isi", {"total": 9}, **again)

        same = record(world, "isi", {"total": 9}, **again)
        other = record(world, "isi", {"total": 10}, **again)

        assert (first.status_code, same.status_code, other.status_code) == (201, 200, 409)
        assert same.json() == first.json()

    def test_they_are_amended_and_withdrawn_by_clinicians_only(self, world: World) -> None:
        told = record(world, "isi", {"total": 9}).json()
        path = f"{world.patient.record}/check-ins/{told['id']}"
        body = {
            "instrument": "isi",
            "scores": {"total": 21},
            "recorded_at": told["recorded_at"],
        }
        mine = f"{CHECK_INS}/{told['id']}"

        assert world.patient.put(mine, body, base=1).status_code == 403
        assert world.patient.delete(mine, base=1).status_code == 403
        assert amended(world.therapist, path, body, 1)["total"] == 21
        withdrawn(world.therapist, path, 2)


def _reasons(world: World) -> list[str]:
    """Why the one flag of the patient was raised."""
    (flag,) = world.therapist.get("/v1/flags").json()["flags"]
    (evidence,) = flag["evidence"]
    return list(evidence["reasons"])
