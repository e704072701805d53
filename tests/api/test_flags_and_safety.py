"""A sign of danger: the flag, and the help for where the patient is."""

import json
import re
from typing import Any

import pytest
from httpx2 import Response

from app.kernel.db import Direct
from tests.api.danger import CHECK_INS, in_danger, told_about, told_of
from tests.builders import World, a_check_in, an_acceptance, phq_9
from tests.conftest import Behind, Clock


class TestFinding:
    @pytest.mark.parametrize(
        ("item_nine", "level"), [(0, "none"), (1, "low"), (2, "moderate"), (3, "high")]
    )
    def test_item_nine_decides_the_level(self, world: World, item_nine: int, level: str) -> None:
        block = told_about(world.patient, [*phq_9(12)[:8], item_nine])

        assert (block["assessed"], block["level"]) == (True, level)
        assert block["reasons"] == (["phq-9.item-9"] if item_nine else [])
        assert (block["flag"] is None) == (item_nine == 0)
        if item_nine:
            assert (block["flag"]["level"], block["flag"]["status"]) == (level, "open")

    def test_item_nine_flags_even_when_the_total_is_minimal(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(answers=[0] * 8 + [1])).json()

        assert (answer["total"], answer["band"]) == (1, "minimal")
        assert answer["safety"]["flag"]["level"] == "low"

    def test_a_missing_item_takes_the_total_and_never_the_flag(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(answers=[None] * 8 + [2])).json()

        assert (answer["total"], answer["complete"]) == (None, False)
        assert answer["safety"]["flag"]["level"] == "moderate"

    def test_a_skipped_item_nine_is_not_assessed(self, world: World) -> None:
        block = told_about(world.patient, [*phq_9(24)[:8], None])

        assert (block["assessed"], block["level"], block["flag"]) == (False, "none", None)
        assert block["reasons"] == ["not-assessed"]

    @pytest.mark.parametrize(
        ("instrument", "answers"), [("gad-7", [3] * 7), ("momentary", [0, 10, 0, 10, 10])]
    )
    def test_an_instrument_that_does_not_ask_has_not_assessed(
        self, world: World, instrument: str, answers: list[int | None]
    ) -> None:
        block = told_about(world.patient, answers, instrument=instrument)

        assert (block["assessed"], block["flag"]) == (False, None)

    def test_a_clinic_may_raise_a_level(self, world: World, behind: Behind) -> None:
        set_raised(behind, world, {"phq-9": {"1": "high"}})

        block = in_danger(world.patient, 1)

        assert (block["level"], block["flag"]["level"]) == ("high", "high")
        assert block["reasons"] == ["phq-9.item-9", "raised-by-clinic"]

    def test_a_clinic_may_not_lower_one(self, world: World, behind: Behind) -> None:
        set_raised(behind, world, {"phq-9": {"3": "low", "2": "none", "1": "nonsense"}})

        assert in_danger(world.patient, 3)["level"] == "high"
        assert in_danger(world.patient, 2)["level"] == "moderate"
        assert in_danger(world.patient, 1)["level"] == "low"

    @pytest.mark.parametrize("levels", [[], "x", 5, None, {"phq-9": "high"}, {"phq-9": {"2": []}}])
    def test_one_that_cannot_be_read_changes_nothing(
        self, world: World, behind: Behind, levels: Any
    ) -> None:
        set_raised(behind, world, levels)

        assert in_danger(world.patient, 2)["flag"]["level"] == "moderate"

    def test_nowhere_are_the_words_no_risk(self, world: World) -> None:
        path = f"{world.patient.record}/trajectories/phq-9"
        said = [
            world.patient.post(CHECK_INS, a_check_in(answers=[0] * 9)).text,
            world.patient.get(CHECK_INS).text,
            world.therapist.get(path).text,
            world.therapist.get("/v1/caseload").text,
            world.patient.get("/v1/instruments").text,
            world.patient.get("/openapi.json").text,
        ]

        for text in said:
            assert not re.search(r"no[\W_]+risk", text, re.IGNORECASE)

    def test_the_levels_are_told_to_be_our_convention(self, world: World) -> None:
        told = world.patient.get("/v1/instruments/phq-9").json()["suicide_item"]

        assert told["levels"] == {"1": "low", "2": "moderate", "3": "high"}
        assert told["convention"] is True
        assert "our convention" in told["source"]


def set_raised(behind: Behind, world: World, levels: Any) -> None:
    """What this clinic flags more gravely; there is no route for it yet."""
    behind.rows(
        "UPDATE clinic SET raised_levels = %s WHERE clinic_id = %s",
        json.dumps(levels),
        world.here.id,
    )


class TestHelp:
    def test_the_safety_block_is_always_there(self, world: World) -> None:
        block = told_about(world.patient, phq_9(0))

        assert block["crisis_lines"]
        assert block["monitoring_statement"]
        assert block["clinic_phone"] == "+1 555 0199"

    def test_the_country_that_the_app_sends_comes_first(self, world: World) -> None:
        block = in_danger(world.patient, country="FR")

        assert (block["country"], block["emergency_number"]) == ("FR", "112")
        assert [line["phone"] for line in block["crisis_lines"]] == ["3114"]
        assert "112" in block["advice"]

    def test_else_it_is_the_patients_own(self, world: World) -> None:
        at_home = world.patient.get("/v1/me")
        world.patient.patch(
            "/v1/me", {"country": "GB"}, headers={"If-Match": at_home.headers["ETag"]}
        )

        block = in_danger(world.patient)

        assert (block["country"], block["emergency_number"]) == ("GB", "999")
        assert block["crisis_lines"][0]["phone"] == "116 123"

    @pytest.mark.parametrize("query", ["", "?country=", "?country=nowhere"])
    def test_else_it_is_the_clinics(self, world: World, query: str) -> None:
        abroad = world.elsewhere
        code = abroad.therapist.post("/v1/invitations", {"role": "patient"}).json()["code"]
        token = abroad.patient.client.post(
            "/v1/invitations/accept", json=an_acceptance(code)
        ).json()["access_token"]

        answer = abroad.patient.client.post(
            CHECK_INS + query, json=a_check_in(), headers={"Authorization": f"Bearer {token}"}
        )

        block = answer.json()["safety"]
        assert block["country"] == "DE"
        assert {line["name"] for line in block["crisis_lines"]} == {"TelefonSeelsorge"}

    @pytest.mark.parametrize("country", ["ZZ", "AQ", "XX"])
    def test_a_country_without_a_row_gets_no_line_and_a_plain_sentence(
        self, world: World, country: str
    ) -> None:
        block = in_danger(world.patient, country=country)

        assert (block["crisis_lines"], block["emergency_number"]) == ([], None)
        assert block["country"] == country
        assert block["advice"] == (
            "If you are in danger, call the emergency number of the country you are in."
        )

    def test_every_line_has_its_source_and_when_it_was_read(self, world: World) -> None:
        for line in in_danger(world.patient, country="US")["crisis_lines"]:
            assert line["source"]
            assert re.fullmatch(r"\d{4}-\d\d", line["verified_on"])

    @pytest.mark.parametrize(
        ("sent", "meant"),
        [("fr", "FR"), (" Fr ", "FR"), ("uk", "GB"), ("UK", "GB"), ("usa", "US"), ("zz", "ZZ")],
    )
    def test_a_country_is_understood_as_people_write_it(
        self, world: World, sent: str, meant: str
    ) -> None:
        block = in_danger(world.elsewhere.patient, country=sent)

        assert block == in_danger(world.elsewhere.patient, country=meant) | {"flag": block["flag"]}
        assert block["country"] == meant

    @pytest.mark.parametrize("country", ["Germany", "U", "", "1A", "%00%00", "%20", "x" * 256])
    def test_what_cannot_be_read_is_passed_over_for_the_patients_own(
        self, world: World, country: str
    ) -> None:
        world.patient.patch("/v1/me", {"country": "GB"}, headers={"If-Match": '"1"'})

        block = in_danger(world.patient, country=country)

        assert (block["country"], block["emergency_number"]) == ("GB", "999")
        assert block["flag"]["level"] == "moderate"
        (kept,) = world.patient.get(CHECK_INS).json()["check_ins"]
        assert kept["level"] == "moderate"
        (flag,) = world.therapist.get("/v1/flags").json()["flags"]
        assert flag["id"] == block["flag"]["id"]


class TestCrisisLines:
    """Whom to call, before it is needed and without being signed in."""

    def asked(self, world: World, **query: str) -> Response:
        answer: Response = world.patient.client.get("/v1/crisis-lines", params=query)
        return answer

    @pytest.mark.parametrize("country", ["DE", "GB", "US", "FR"])
    def test_they_are_those_of_the_safety_block(self, world: World, country: str) -> None:
        answer = self.asked(world, country=country)

        assert answer.status_code == 200
        told = answer.json()
        assert told["crisis_lines"]
        assert told.items() <= in_danger(world.patient, country=country).items()

    def test_a_phone_and_what_is_between_may_keep_them_for_a_day(self, world: World) -> None:
        answer = self.asked(world, country="DE")

        assert answer.headers["Cache-Control"] == "public, max-age=86400"

    @pytest.mark.parametrize(("sent", "meant"), [("uk", "GB"), ("USA", "US"), (" de ", "DE")])
    def test_a_country_is_understood_as_people_write_it(
        self, world: World, sent: str, meant: str
    ) -> None:
        assert self.asked(world, country=sent).content == self.asked(world, country=meant).content

    @pytest.mark.parametrize("country", ["ZZ", "AQ", "Germany", "", "\x00", "ÄÖ"])
    def test_an_unknown_country_gets_no_line_and_a_plain_sentence(
        self, world: World, country: str
    ) -> None:
        answer = self.asked(world, country=country)

        assert answer.status_code == 200
        assert answer.json() == {
            "country": country if country in ("ZZ", "AQ") else "",
            "emergency_number": None,
            "emergency_channels": [],
            "crisis_lines": [],
            "advice": "If you are in danger, call the emergency number of the country you are in.",
        }

    @pytest.mark.parametrize("query", [{}, {"country": "x" * 257}])
    def test_a_country_must_be_named(self, world: World, query: dict[str, str]) -> None:
        answer = self.asked(world, **query)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:country"


class TestEpisode:
    """One episode is one flag: what follows joins it and is never silent about getting worse."""

    @pytest.mark.parametrize(
        ("first", "then", "level", "round_"),
        [
            (1, 1, "low", 1),  # nothing worse: the same round
            (2, 1, "moderate", 1),  # better: the level stays
            (1, 2, "moderate", 2),  # raised: a new round
            (2, 3, "high", 2),
            (3, 1, "high", 1),  # never lowered
            (3, 3, "high", 2),  # every sign of high danger is told again
        ],
    )
    def test_a_second_sign_joins_the_open_flag(
        self, world: World, first: int, then: int, level: str, round_: int
    ) -> None:
        earlier = in_danger(world.patient, first)["flag"]

        joined = in_danger(world.patient, then)["flag"]

        assert joined == {
            "id": earlier["id"],
            "kind": "suicide-risk",
            "level": level,
            "status": "open",
            "round": round_,
            "is_historic": False,
        }

    def test_a_later_low_score_neither_closes_nor_lowers_it(self, world: World) -> None:
        flag = in_danger(world.patient, 3)["flag"]

        assert told_about(world.patient, [0] * 9)["flag"] is None

        listed = world.therapist.get("/v1/flags").json()["flags"]
        assert [(one["id"], one["level"], one["status"]) for one in listed] == [
            (flag["id"], "high", "open")
        ]

    def test_a_new_round_of_an_acknowledged_flag_is_open_again(
        self, world: World, behind: Behind
    ) -> None:
        flag_id = in_danger(world.patient, 2)["flag"]["id"]
        behind.rows("UPDATE flag SET status = 'acknowledged' WHERE id = %s", flag_id)

        # However slight: whoever acknowledged the flag has not seen this.
        joined = in_danger(world.patient, 1)["flag"]

        assert (joined["id"], joined["level"]) == (flag_id, "moderate")
        assert (joined["status"], joined["round"]) == ("open", 2)
        assert in_danger(world.patient, 1)["flag"]["round"] == 2

    def test_a_sign_more_than_a_day_after_the_last_round_began_begins_another(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        blocks = []
        for hours, seconds in ((0, 0), (23, 0), (1, 0), (0, 1), (23, 0), (1, 0), (0, 1)):
            clock.turn(hours=hours, seconds=seconds)
            blocks.append(in_danger(timed_world.patient.again(clock.at), 1))
            told_of(blocks[-1], clock, direct, behind)

        # A day goes by from the beginning of the round and not from the sign before.
        assert [block["flag"]["round"] for block in blocks] == [1, 1, 1, 2, 2, 2, 3]
        assert behind.rows(
            "SELECT round FROM notice WHERE flag_id = %s ORDER BY round", blocks[0]["flag"]["id"]
        ) == [(1,), (2,), (3,)]

    def test_after_a_resolved_flag_a_sign_begins_another(
        self, world: World, behind: Behind
    ) -> None:
        first = in_danger(world.patient, 2)["flag"]
        behind.rows("UPDATE flag SET status = 'resolved' WHERE id = %s", first["id"])

        second = in_danger(world.patient, 1)["flag"]

        assert second["id"] != first["id"]
        assert (second["level"], second["round"]) == ("low", 1)

    def test_flag_evidence_ledger_and_promise_are_stored_together(
        self, world: World, behind: Behind
    ) -> None:
        before = behind.counts()
        flag = in_danger(world.patient, 2)["flag"]
        in_danger(world.patient, 3)
        in_danger(world.patient, 1)
        after = behind.counts()

        added = {name: after[name] - before[name] for name in after if after[name] > before[name]}
        # Three check-ins and what each did to the flag; the third began no round.
        assert added == {"check_in": 3, "flag": 1, "flag_evidence": 3, "ledger": 6, "outbox": 2}
        assert behind.rows(
            "SELECT action, entry_version FROM ledger WHERE entry_id = %s ORDER BY seq", flag["id"]
        ) == [("flag.raised", 1), ("flag.joined", 2), ("flag.joined", 3)]

    def test_no_promise_carries_words_or_scores(self, world: World, behind: Behind) -> None:
        flag = in_danger(world.patient, 2)["flag"]

        ((body,),) = behind.rows("SELECT body FROM outbox WHERE body->>'flag_id' = %s", flag["id"])
        assert body == {
            "flag_id": flag["id"],
            "patient_id": str(world.patient.patient_id),
            "round": 1,
        }
