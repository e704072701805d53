"""The numbers a person in danger is given: each with its source, and never another country's."""

import json
import re
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from app.safety.crisis import country_meant, help_in

TABLE: dict[str, Any] = tomllib.loads(
    files("app.safety").joinpath("crisis_lines.toml").read_text("utf-8")
)
COUNTRIES = sorted(set(TABLE) - {"verified_on"})
WAYS = (
    "phone", "sms", "whatsapp", "email", "chat_url", "videophone", "textphone", "video_url"
)  # fmt: skip
SIGNED = {"ase", "bfi", "fcs", "fsl"}


def every_line(country: str) -> list[dict[str, Any]]:
    row = TABLE[country]
    return [*row.get("emergency_channels", []), *row["lines"]]


class TestTable:
    def test_it_says_when_its_sources_were_read(self) -> None:
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", TABLE["verified_on"])
        assert TABLE["verified_on"] <= f"{datetime.now(UTC):%Y-%m}"

    def test_it_knows_some_countries_by_their_iso_codes(self) -> None:
        assert {"US", "GB", "DE"} <= set(COUNTRIES)
        assert all(re.fullmatch("[A-Z]{2}", country) for country in COUNTRIES)

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_a_country_has_an_emergency_number_and_at_least_one_line(self, country: str) -> None:
        assert re.fullmatch(r"\d{3}", TABLE[country]["emergency"])
        assert TABLE[country]["lines"]

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_a_line_says_how_when_in_which_languages_and_where_that_was_read(
        self, country: str
    ) -> None:
        for line in every_line(country):
            assert any(line.get(way) for way in WAYS), line
            assert line["name"].strip()
            assert line["hours"].strip()
            assert all(re.fullmatch("[a-z]{2,3}", language) for language in line["languages"])
            assert line["languages"]
            assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}", line["source"]), line

    def test_what_was_read_on_somebody_else_s_page_says_so(self) -> None:
        told = {
            line.name
            for country in COUNTRIES
            for found in (help_in(country),)
            for line in (*found.emergency_channels, *found.crisis_lines)
            if line.is_second_hand
        }

        assert "9-8-8 through video relay" in told
        assert "Samaritans" not in told

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_what_is_dialled_can_be_dialled(self, country: str) -> None:
        for line in every_line(country):
            for way in ("phone", "sms", "whatsapp", "videophone", "textphone"):
                assert re.fullmatch(r"\+?[\d -]+( then press \d)?", line.get(way, "1")), line
            assert line.get("chat_url", "https://").startswith("https://")
            assert line.get("video_url", "https://").startswith("https://")
            assert "@" in line.get("email", "@")

    @pytest.mark.parametrize("country", COUNTRIES)
    def test_a_signed_language_is_reached_by_video_and_video_is_in_a_signed_language(
        self, country: str
    ) -> None:
        for line in every_line(country):
            is_video = bool(line.get("videophone") or line.get("video_url"))
            assert is_video == bool(SIGNED & set(line["languages"])), line

    def test_where_it_was_read_there_is_a_way_without_a_voice(self) -> None:
        silent = {
            country: {way for line in every_line(country) for way in line if way in WAYS}
            - {"phone"}
            for country in ("US", "CA", "GB", "IE", "AU", "NZ", "FR")
        }
        assert all(silent.values()), silent
        assert [one["sms"] for one in TABLE["FR"]["emergency_channels"]] == ["114"]


class TestHelpIn:
    @pytest.mark.parametrize("country", COUNTRIES)
    def test_a_known_country_gets_its_own_lines_and_nothing_is_lost(self, country: str) -> None:
        found = help_in(country)

        row = TABLE[country]
        assert (found.country, found.emergency_number) == (country, row["emergency"])
        assert [line.name for line in found.crisis_lines] == [line["name"] for line in row["lines"]]
        assert all(line.verified_on == TABLE["verified_on"] for line in found.crisis_lines)
        channels = [one["name"] for one in row.get("emergency_channels", [])]
        assert [line.name for line in found.emergency_channels] == channels
        assert row["emergency"] in found.advice

    @pytest.mark.parametrize(
        "country", ["XX", "us", "", "U", "USA", "verified_on", "lines", "\x00\x00", "ＵＳ"]
    )
    def test_an_unknown_country_gets_a_plain_sentence_and_nobody_else_s_number(
        self, country: str
    ) -> None:
        found = help_in(country)

        assert (found.country, found.emergency_number, found.crisis_lines) == (country, None, [])
        assert found.advice.startswith("If you are in danger, call the emergency number")
        assert not re.search(r"\d", found.advice)


class TestAdvice:
    OWN = json.dumps(
        {
            "de": {
                "advice.call-emergency-number": "Rufen Sie {number} an.",
                "advice.no-number": "Rufen Sie den Notruf an.",
            },
            "en": {"advice.no-number": "Wait for us."},
        }
    )

    def test_it_is_in_the_reader_s_language_and_the_lines_are_the_same(self) -> None:
        german, english = help_in("DE", "de-DE", self.OWN), help_in("DE", "en", self.OWN)

        assert german.advice == "Rufen Sie 112 an."
        assert english.advice == "If you are in danger, call 112 now."
        assert german.crisis_lines == english.crisis_lines
        assert help_in("DE") == help_in("DE", "de-DE") == english

    def test_without_a_number_it_is_too_and_english_stays_as_it_is(self) -> None:
        assert help_in("XX", "de", self.OWN).advice == "Rufen Sie den Notruf an."
        assert help_in("XX", "en", self.OWN) == help_in("XX")


class TestCountryMeant:
    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ("DE", "DE"),
            ("de", "DE"),
            ("  dE\n", "DE"),
            ("uk", "GB"),
            ("UK", "GB"),
            (" usa ", "US"),
            ("USA", "US"),
            ("ZZ", "ZZ"),
        ],
    )
    def test_it_is_read_as_people_write_it(self, sent: str, code: str) -> None:
        assert country_meant(sent) == code

    @pytest.mark.parametrize(
        "sent",
        [None, "", " ", "D", "D1", "12", "Germany", "DEU", "D E", "ÄÖ", "ß", "ＵＳ", "\x00\x00"],
    )
    def test_what_cannot_be_read_is_no_country(self, sent: str | None) -> None:
        assert country_meant(sent) is None
