"""The questionnaires as clients get them, and what a client may send."""

import pytest
from fastapi.testclient import TestClient

from app.checkins.schemas import InstrumentOut


class TestInstruments:
    def test_they_are_listed_for_anybody(self, client: TestClient) -> None:
        answer = client.get("/v1/instruments")

        assert answer.status_code == 200
        keys = [one["key"] for one in answer.json()["instruments"]]
        assert set(keys) >= {"phq-9", "gad-7", "momentary"}
        assert len(keys) == len(set(keys))
        assert "public" in answer.headers["Cache-Control"]

    def test_each_is_read_whole_by_its_key(self, client: TestClient) -> None:
        for listed in client.get("/v1/instruments").json()["instruments"]:
            answer = client.get(f"/v1/instruments/{listed['key']}")

            InstrumentOut.model_validate_json(answer.content)
            assert answer.json() == listed

    def test_it_says_enough_to_show_and_to_cite_it(self, client: TestClient) -> None:
        told = client.get("/v1/instruments/phq-9").json()

        assert len(told["items"]) == 9
        assert [option["value"] for option in told["items"][0]["options"]] == [0, 1, 2, 3]
        assert told["total"]["loinc"] == "44261-6"
        assert told["panel_loinc"] == "44249-1"
        assert (told["total"]["minimum"], told["total"]["maximum"]) == (0, 27)
        assert "No permission required" in told["notice"]
        assert "LOINC" in told["notice"]
        assert told["total"]["reliable_change"]["source"]

    def test_momentary_asks_about_right_now_only(self, client: TestClient) -> None:
        told = client.get("/v1/instruments/momentary").json()

        assert (told["recall"]["days"], told["recall"]["measures_hours"]) == (0, True)
        assert (told["total"], told["suicide_item"]) == (None, None)
        assert {(item["minimum"], item["maximum"]) for item in told["items"]} == {(0, 10)}

    @pytest.mark.parametrize("key", ["phq-7", "PHQ-9", "..%2fphq-9", "phq-9.toml", "%00"])
    def test_another_is_not_there(self, client: TestClient, key: str) -> None:
        answer = client.get(f"/v1/instruments/{key}")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


class TestLimits:
    def test_they_tell_a_phone_what_it_may_send(self, client: TestClient) -> None:
        told = client.get("/v1/limits").json()

        assert told["max_body_bytes"] == 1024 * 1024
        assert told["max_text_bytes"] == 64 * 1024
        assert told["max_page"] == 200
        assert told["max_attachment_bytes"] == 20 * 1024 * 1024
        assert told["recorded_at_from"] == "2000-01-01T00:00:00Z"
        assert told["recorded_at_before"] == "2100-01-01T00:00:00Z"
        assert told["access_token_seconds"] == 600
