"""Outcomes of a clinic: added up, never of a few, and only of those who consent."""

import csv
import io
from typing import Any

import pytest

from app.clinical.outcomes import STEPS
from app.trends.schemas.outcomes import OutcomesOut
from app.trends.sheet import as_csv
from tests.api.test_clinic_instruments import WIDER, a_definition, added
from tests.builders import Person, World
from tests.cohort import Cohort
from tests.conftest import Behind

COURSES = """
    INSERT INTO course (clinic_id, patient_id, id, version, status, words, recorded_at, received_at,
        effective_at, protocol_version, indication, planned_sessions)
    SELECT %s, id, id, 1, %s, '', now(), now(), now(), %s, 'depression', 6
    FROM unnest(%s::uuid[]) AS id
"""
RESISTANCE = """
    INSERT INTO treatment_resistance (clinic_id, patient_id, stratum, is_certain, as_of)
    SELECT %s, id, %s, true, now() FROM unnest(%s::uuid[]) AS id
"""


@pytest.fixture
def cohort(world: World, behind: Behind) -> Cohort:
    return Cohort(world.here.id, behind)


def outcomes(person: Person, query: str = "") -> OutcomesOut:
    answer = person.get(f"/v1/outcomes{query}")
    assert answer.status_code == 200, answer.text
    return OutcomesOut.model_validate_json(answer.content)


def visit(told: OutcomesOut, group: str, code: str) -> dict[str, Any]:
    (found,) = [one for one in told.groups if one.group == group]
    (there,) = [one for one in found.visits if one.visit == code]
    return there.model_dump()


def counts(told: OutcomesOut, group: str, code: str) -> list[int | None]:
    return list(visit(told, group, code)["counts"].values())


class TestVisits:
    def test_response_remission_and_retention_as_counted_by_hand(
        self, world: World, cohort: Cohort
    ) -> None:
        cohort.patients(13, (-1, 20), (28, 3))  # in remission
        cohort.patients(12, (-1, 20), (28, 8))  # responded
        cohort.patients(15, (-1, 20), (28, 15))
        cohort.patients(11, (-1, 20), (28, None))  # in touch
        cohort.patients(14, (-1, 20))  # gone
        cohort.patients(20, (-1, 5), (28, 1))  # too mild a baseline

        told = outcomes(world.administrator)

        assert told.levels == [
            "reached", "eligible", "in_touch", "assessed", "responded", "remitted",
        ]  # fmt: skip
        assert counts(told, "all", "4w") == [85, 65, 51, 40, 25, 13]
        there = visit(told, "all", "4w")
        assert there["retention"] == round(51 / 65, 3)
        assert there["completeness"] == round(40 / 65, 3)
        assert (there["response"], there["remission"]) == (0.625, 0.325)
        assert there["response_of_eligible"] == round(25 / 65, 3)
        assert there["is_suppressed"] is False
        # Nobody's first dose was 70 days ago.
        assert counts(told, "all", "8w") == [0, 0, 0, 0, 0, 0]
        assert told.groups[0].patients == 85

    def test_who_took_their_consent_back_is_in_no_count(
        self, world: World, cohort: Cohort, behind: Behind
    ) -> None:
        kept = cohort.patients(30, (-1, 20), (28, 15))
        gone = cohort.patients(12, (-1, 20), (28, 15))
        behind.rows("UPDATE consent SET revoked_at = now() WHERE patient_id = ANY(%s)", gone)

        told = outcomes(world.administrator)

        assert told.groups[0].patients == len(kept)
        assert "consent" in told.cohort

    def test_who_had_no_dose_is_in_no_count(
        self, world: World, cohort: Cohort, behind: Behind
    ) -> None:
        ids = cohort.patients(30, (-1, 20), (28, 15))
        behind.rows(
            "UPDATE dosing_session SET status = 'entered-in-error' WHERE patient_id = ANY(%s)", ids
        )

        assert outcomes(world.administrator).groups[0].patients == 0

    def test_another_clinic_counts_its_own(self, world: World, cohort: Cohort) -> None:
        cohort.patients(30, (-1, 20), (28, 15))

        assert outcomes(world.elsewhere.administrator).groups[0].patients == 0

    def test_more_than_one_portion_is_counted_once(self, world: World, cohort: Cohort) -> None:
        cohort.patients(1201, (-1, 20), (28, 15))

        assert counts(outcomes(world.administrator), "all", "4w")[:4] == [1201] * 4

    def test_what_looks_back_past_the_first_dose_is_marked(
        self, world: World, cohort: Cohort
    ) -> None:
        """The PHQ-9 asks about two weeks: no answer in the first week, and not every one in the
        second visit, is of the time after the dose alone.
        """
        cohort.patients(30, (-1, 20), (6, 5))
        cohort.patients(30, (-1, 20), (12, 15), (30, 5))

        told = outcomes(world.administrator)

        assert {one.visit: one.straddles_first_dose for one in told.groups[0].visits} == {
            "1w": True, "2w": True, "4w": False, "8w": False, "12w": False, "26w": False,
            "52w": False,
        }  # fmt: skip
        (curve,) = told.time_to_response
        marked = {step.day: step.straddles_first_dose for step in curve.steps}
        assert marked[7] is True
        assert {day for day, is_marked in marked.items() if not is_marked} == set(marked) - {7}
        assert "sooner than 14 days after the first dose" in told.caveat

    def test_an_empty_clinic_has_nobody(self, world: World) -> None:
        told = outcomes(world.administrator)

        assert [group.group for group in told.groups] == ["all"]
        assert counts(told, "all", "1w") == [0] * 6
        assert (told.time_to_response, told.time_to_loss) == ([], [])


class TestVersions:
    def test_a_version_that_measures_something_else_is_counted_and_not_joined(
        self, world: World, cohort: Cohort
    ) -> None:
        added(world, a_definition())
        # The same two items, with a wider range.
        added(world, a_definition(*WIDER, version="2"))
        ids = cohort.patients(30, (-1, 2), (7, 1), instrument="two-items", version="1")
        cohort.scores(ids, (28, 5), instrument="two-items", version="2")

        told = outcomes(world.administrator, "?instrument=two-items")

        assert told.left_out == 60
        assert (told.groups[0].check_ins, told.groups[0].complete) == (30, 30)
        # The baseline was of the other version, so that nothing is reckoned from it.
        assert counts(told, "all", "1w")[:2] == [30, 0]
        assert counts(told, "all", "4w")[:2] == [30, 0]

    def test_a_few_answers_to_another_version_are_not_told(
        self, world: World, cohort: Cohort
    ) -> None:
        added(world, a_definition())
        added(world, a_definition(*WIDER, version="2"))
        cohort.patients(5, (-1, 2), instrument="two-items", version="1")

        told = outcomes(world.administrator, "?instrument=two-items")

        assert told.left_out is None

    def test_of_what_ships_nothing_is_left_out(self, world: World, cohort: Cohort) -> None:
        cohort.patients(30, (-1, 20), (28, 3))

        assert outcomes(world.administrator).left_out == 0


class TestSuppression:
    def test_a_few_are_not_told(self, world: World, cohort: Cohort) -> None:
        cohort.patients(30, (-1, 20), (28, 15))
        cohort.patients(10, (-1, 20), (28, 3))

        told = outcomes(world.administrator)

        assert counts(told, "all", "4w") == [40, 40, 40, 40, None, None]
        there = visit(told, "all", "4w")
        assert (there["response"], there["remission"], there["is_suppressed"]) == (None, None, True)

    def test_nor_is_what_is_left_of_many(self, world: World, cohort: Cohort) -> None:
        cohort.patients(30, (-1, 20), (28, 3))
        cohort.patients(10, (-1, 20), (28, 15))

        assert counts(outcomes(world.administrator), "all", "4w")[3:] == [40, None, None]

    def test_a_small_stratum_and_the_smallest_beside_it_are_one(
        self, world: World, cohort: Cohort
    ) -> None:
        for country, count in (("US", 40), ("DE", 20), ("IS", 5)):
            cohort.patients(count, (-1, 20), (28, 15), country=country)

        told = outcomes(world.administrator, "?stratum=country")

        assert [(group.group, group.patients) for group in told.groups] == [
            ("all", 65), ("US", 40), ("others", 25),
        ]  # fmt: skip
        assert '"IS"' not in told.model_dump_json()

    def test_two_strata_of_which_one_is_small_are_not_told_apart(
        self, world: World, cohort: Cohort
    ) -> None:
        cohort.patients(40, (-1, 20), country="US")
        cohort.patients(5, (-1, 20), country="DE")

        told = outcomes(world.administrator, "?stratum=country")

        assert [group.group for group in told.groups] == ["all"]


class TestStrata:
    def test_by_country_and_by_language(self, world: World, cohort: Cohort) -> None:
        cohort.patients(20, (-1, 20), (28, 3), country="US", locale="en-US")
        cohort.patients(30, (-1, 20), (28, 15), country="DE", locale="de")

        by_country = outcomes(world.administrator, "?stratum=country")
        by_language = outcomes(world.administrator, "?stratum=language")

        assert counts(by_country, "US", "4w") == [20] * 6
        assert counts(by_country, "DE", "4w") == [30, 30, 30, 30, 0, 0]
        assert [group.group for group in by_language.groups] == ["all", "de", "en"]

    def test_by_how_many_treatments_failed_before(
        self, world: World, cohort: Cohort, behind: Behind
    ) -> None:
        strata = {"0-1": (20, 3), "2": (30, 15)}
        for stratum, (count, total) in strata.items():
            ids = cohort.patients(count, (-1, 20), (28, total))
            behind.rows(RESISTANCE, world.here.id, stratum, ids)
        # A row without a stratum, and no row, are both: nobody took a history.
        cohort.patients(7, (-1, 20), (28, 15))
        withdrawn = cohort.patients(8, (-1, 20), (28, 15))
        behind.rows(RESISTANCE, world.here.id, None, withdrawn)

        told = outcomes(world.administrator, "?stratum=treatment-resistance")

        assert [(group.group, group.patients) for group in told.groups] == [
            ("all", 65), ("0-1", 20), ("2", 30), ("not-recorded", 15),
        ]  # fmt: skip
        assert visit(told, "0-1", "4w")["remission"] == 1.0
        assert visit(told, "2", "4w")["remission"] == 0.0

    def test_by_the_protocol_that_held_at_the_first_dose(
        self, world: World, cohort: Cohort, behind: Behind
    ) -> None:
        behind.rows(
            "INSERT INTO clinic_protocol SELECT %s, 1, '{}', gen_random_uuid(),"
            " now() - interval '100 days'",
            world.here.id,
        )
        cohort.patients(20, (-1, 20), (28, 3), dose_days_ago=120)
        cohort.patients(30, (-1, 20), (28, 15), dose_days_ago=60)

        told = outcomes(world.administrator, "?stratum=protocol-version")

        assert [(group.group, group.patients) for group in told.groups] == [
            ("all", 50), ("0", 20), ("1", 30),
        ]  # fmt: skip

    def test_by_the_protocol_of_the_course_that_the_first_dose_belongs_to(
        self, world: World, cohort: Cohort, behind: Behind
    ) -> None:
        for version, days in ((1, 100), (2, 70)):
            behind.rows(
                "INSERT INTO clinic_protocol SELECT %s, %s, '{}', gen_random_uuid(),"
                " now() - %s * interval '1 day'",
                world.here.id, version, days,
            )  # fmt: skip
        # Begun by version 1, dosed after version 2 was published.
        of_a_course = cohort.patients(20, (-1, 20), (28, 3))
        mistaken = cohort.patients(12, (-1, 20), (28, 15))
        cohort.patients(30, (-1, 20), (28, 15))
        for ids, status in ((of_a_course, "active"), (mistaken, "entered-in-error")):
            behind.rows(COURSES, world.here.id, status, 1, ids)
            behind.rows(
                "UPDATE dosing_session SET course_id = patient_id WHERE patient_id = ANY(%s)", ids
            )
        # A later dose outside of the course changes nothing.
        behind.rows(
            "INSERT INTO dosing_session SELECT clinic_id, patient_id, gen_random_uuid(), 1, status,"
            " at, at, at, recorded_by, at FROM dosing_session,"
            " LATERAL (SELECT now() - interval '10 days') AS given (at)"
            " WHERE patient_id = ANY(%s)",
            of_a_course,
        )

        told = outcomes(world.administrator, "?stratum=protocol-version")

        assert [(group.group, group.patients) for group in told.groups] == [
            ("all", 62), ("1", 20), ("2", 42),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("?stratum=name", "query:stratum"),
            ("?instrument=momentary", "query:instrument"),
            ("?instrument=nothing", "query:instrument"),
        ],
    )
    def test_what_is_not_known_is_refused(self, world: World, query: str, pointer: str) -> None:
        answer = world.administrator.get(f"/v1/outcomes{query}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


class TestCurves:
    def test_time_to_response_is_censored_at_the_last_score(
        self, world: World, cohort: Cohort
    ) -> None:
        cohort.patients(20, (-1, 20), (7, 8), (60, 8), dose_days_ago=90)
        cohort.patients(15, (-1, 20), (13, 15), dose_days_ago=90)
        cohort.patients(15, (-1, 20), (27, 8), (60, 16), dose_days_ago=90)

        told = outcomes(world.administrator)

        (curve,) = told.time_to_response
        assert curve.started == 50
        # 20 of 50 by day 7; then 15 of the 15 who are still followed after day 13.
        assert [(step.day, step.happened, step.censored, step.at_risk) for step in curve.steps][
            :3
        ] == [(7, 20, 0, 30), (14, 20, 15, 15), (28, 35, 15, 0)]
        assert [step.share for step in curve.steps][:3] == [0.6, 0.6, 0.0]
        low, high = curve.steps[0].low, curve.steps[0].high
        assert low is not None
        assert high is not None
        assert low < 0.6 < high
        assert (curve.half_after_day, curve.half_by_day) == (14, 28)
        (loss,) = told.time_to_loss
        assert (loss.started, loss.steps[-1].happened) == (35, 15)

    def test_no_day_is_told_after_the_last_was_lost_sight_of(
        self, world: World, cohort: Cohort
    ) -> None:
        cohort.patients(20, (-1, 20), (7, 8), (100, 8), dose_days_ago=430)
        cohort.patients(30, (-1, 20), (100, 15), dose_days_ago=430)

        (curve,) = outcomes(world.administrator).time_to_response

        # Of the 30 nobody knows what became after day 100.
        assert [(step.day, step.share, step.at_risk) for step in curve.steps] == [
            (7, 0.6, 30), (14, 0.6, 30), (28, 0.6, 30), (42, 0.6, 30), (56, 0.6, 30), (84, 0.6, 30),
        ]  # fmt: skip
        assert curve.is_suppressed is False
        assert (curve.half_by_day, curve.half_after_day) == (None, None)

    def test_where_everybody_who_was_followed_had_it_the_curve_stays_at_nobody(
        self, world: World, cohort: Cohort
    ) -> None:
        cohort.patients(40, (-1, 20), (7, 8), dose_days_ago=430)

        (curve,) = outcomes(world.administrator).time_to_response

        assert [step.day for step in curve.steps] == list(STEPS)
        assert {step.share for step in curve.steps} == {0.0}

    def test_half_is_not_reached_by_rounding(self, world: World, cohort: Cohort) -> None:
        # 250 of 504 have it by day 7: 0.504 are without it.
        cohort.patients(250, (-1, 20), (7, 8), (60, 8), dose_days_ago=90)
        cohort.patients(254, (-1, 20), (60, 15), dose_days_ago=90)

        (curve,) = outcomes(world.administrator).time_to_response

        assert curve.steps[0].share == 0.5
        assert curve.half_by_day is None

    def test_a_median_that_lies_between_told_days_is_said_to_lie_there(
        self, world: World, cohort: Cohort
    ) -> None:
        # Half of them by day 14, of which a few at a time: that may not be told yet.
        cohort.patients(9, (-1, 20), (14, 8), (60, 8), dose_days_ago=90)
        cohort.patients(9, (-1, 20), (28, 8), (60, 8), dose_days_ago=90)
        cohort.patients(12, (-1, 20), (60, 15), dose_days_ago=90)

        (curve,) = outcomes(world.administrator).time_to_response

        assert [step.day for step in curve.steps][:2] == [7, 28]
        assert (curve.half_after_day, curve.half_by_day) == (7, 28)
        assert curve.is_suppressed

    def test_a_step_of_a_few_is_not_told(self, world: World, cohort: Cohort) -> None:
        cohort.patients(20, (-1, 20), (60, 15), dose_days_ago=90)
        cohort.patients(5, (-1, 20), (7, 8), (60, 8), dose_days_ago=90)

        (curve,) = outcomes(world.administrator).time_to_response

        assert all(step.happened == 0 or step.happened >= 11 for step in curve.steps)
        assert 5 not in {step.happened for step in curve.steps}
        assert curve.is_suppressed


class TestCsv:
    def read(self, person: Person, query: str = "") -> list[list[str]]:
        answer = person.request("GET", f"/v1/outcomes{query}", headers={"Accept": "text/csv"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["content-disposition"]
        return list(csv.reader(io.StringIO(answer.text)))

    def test_it_is_the_same_as_a_table(self, world: World, cohort: Cohort) -> None:
        cohort.patients(30, (-1, 20), (28, 3))
        cohort.patients(10, (-1, 20), (28, 15))

        head, *rows = self.read(world.administrator)

        assert head == ["table", "group", "at", "measure", "value"]
        assert ["visit", "all", "4w", "assessed", "40"] in rows
        assert ["visit", "all", "4w", "responded", ""] in rows
        assert {len(row) for row in rows} == {5}

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_no_cell_is_a_formula(self, world: World, start: str) -> None:
        told = outcomes(world.administrator)
        group = told.groups[0].model_copy(update={"group": f"{start}cmd|' /C calc'!A0"})

        rows = list(csv.reader(io.StringIO(as_csv(told.model_copy(
            update={"groups": [group]})).decode(), newline="")))  # fmt: skip

        assert {row[1][0] for row in rows[1:] if row[1]} == {"'"}


class TestSlices:
    def test_it_says_by_what_it_cannot_be_told_apart(self, world: World) -> None:
        told = outcomes(world.administrator)

        assert "No sex or gender and no age is kept" in told.slices
        assert "never by two at once" in told.slices


class TestWhose:
    @pytest.mark.parametrize(
        ("who", "status"), [("patient", 403), ("coach", 403), ("therapist", 200)]
    )
    def test_it_is_for_administrators_and_those_who_treat(
        self, world: World, who: str, status: int
    ) -> None:
        person: Person = getattr(world.here, who)

        assert person.get("/v1/outcomes").status_code == status

    def test_reading_it_is_in_the_access_log(self, world: World, behind: Behind) -> None:
        outcomes(world.administrator)

        assert behind.accesses(world.here.id) == [
            (world.administrator.membership_id, None, "outcomes.read")
        ]
