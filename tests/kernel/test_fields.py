"""The kinds of value that cross the wire: what is taken, and that a refusal repeats nothing."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.kernel import fields

CANARY = "canary-51e0"
BERLIN_IN_SUMMER = timezone(timedelta(hours=2))


def taken(kind: Any, sent: Any) -> Any:
    return TypeAdapter(kind).validate_python(sent)


def reasons(kind: Any, sent: Any) -> list[str]:
    """Our sentences; empty where pydantic has its own."""
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(kind).validate_python(sent)
    return [str(e["ctx"]["error"]) for e in raised.value.errors() if e["type"] == "value_error"]


class TestInstant:
    @pytest.mark.parametrize(
        ("sent", "instant"),
        [
            ("2026-03-04T05:06:07Z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
            ("2026-03-04t05:06:07z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
            ("2026-03-04 05:06+01:00", datetime(2026, 3, 4, 4, 6, tzinfo=UTC)),
            ("2026-03-04T05:06:07.891234-0930", datetime(2026, 3, 4, 14, 36, 7, 891_234, UTC)),
            ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
            ("2099-12-31T23:59:59.999999Z", datetime(2099, 12, 31, 23, 59, 59, 999_999, UTC)),
        ],
    )
    def test_an_instant_with_an_offset_is_taken_in_utc(self, sent: str, instant: datetime) -> None:
        assert taken(fields.Instant, sent) == instant
        assert taken(fields.Instant, sent).tzinfo is UTC

    def test_one_of_ours_is_taken_as_it_is(self) -> None:
        sent = datetime(2026, 7, 1, 12, tzinfo=BERLIN_IN_SUMMER)

        assert taken(fields.Instant, sent) == datetime(2026, 7, 1, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        "sent",
        [
            "2026-03-04T05:06:07", "2026-03-04", "1767225600", "1767225600.5", "now", "",
            "P1D", "2026-W10-3T00:00Z", "٢٠٢٦-03-04T05:06:07Z", "2026-03-04T05:06:07Z ",
            1767225600, 1767225600.5, True, None, [], {}, CANARY,
        ],
        ids=map(str, range(17)),
    )  # fmt: skip
    def test_what_is_no_written_instant_with_an_offset_is_not_guessed_at(self, sent: Any) -> None:
        assert reasons(fields.Instant, sent) == ["must be an RFC 3339 instant with an offset"]

    @pytest.mark.parametrize(
        "sent",
        ["1999-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z", "2000-01-01T00:00:00+00:01"],
    )
    def test_a_year_that_cannot_be_meant_is_refused(self, sent: str) -> None:
        assert reasons(fields.Instant, sent) == ["must lie in the years 2000 to 2099"]

    @pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
    def test_an_instant_at_the_end_of_time_is_refused_and_no_accident(self, sent: str) -> None:
        assert reasons(fields.Instant, sent) == ["must lie in the years 2000 to 2099"]

    @pytest.mark.parametrize("sent", ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z"])
    def test_a_day_that_does_not_exist_is_refused(self, sent: str) -> None:
        with pytest.raises(ValidationError):
            taken(fields.Instant, sent)


class TestWords:
    @pytest.mark.parametrize(
        "sent", ["a", "雨 🌧", "a\u200db", "x" * fields.MAX_TEXT, "ä" * (fields.MAX_TEXT // 2)]
    )
    def test_what_people_write_is_taken_as_it_is(self, sent: str) -> None:
        assert taken(fields.Words, sent) == sent

    @pytest.mark.parametrize(
        ("sent", "reason"),
        [
            (f"{CANARY}\0", "must not contain a NUL character"),
            ("ä" * (fields.MAX_TEXT // 2) + "b", "must be at most 64 KiB of UTF-8"),
            (" \n\t\u2003", "must not be blank"),
        ],
        ids=["NUL", "too long in bytes", "blank"],
    )
    def test_what_cannot_be_kept_is_refused_with_our_sentence(self, sent: str, reason: str) -> None:
        assert reasons(fields.Words, sent) == [reason]

    @pytest.mark.parametrize("sent", ["", "x" * (fields.MAX_TEXT + 1), None, 5, ["a"]])
    def test_what_is_no_text_of_that_length_is_refused(self, sent: Any) -> None:
        with pytest.raises(ValidationError):
            taken(fields.Words, sent)


class TestCodes:
    @pytest.mark.parametrize(
        ("kind", "sent"),
        [
            (fields.Country, "DE"),
            (fields.TimeZone, "Europe/Berlin"),
            (fields.TimeZone, "UTC"),
            (fields.Locale, "en"),
            (fields.Locale, "zh-Hant-TW"),
            (fields.Code, "esketamine-2.x_y"),
            (fields.Phone, "+49 (30) 555-0100"),
            (fields.Password, "x" * 12),
            (fields.Username, "ada"),
        ],
    )
    def test_a_code_of_its_kind_is_taken(self, kind: Any, sent: str) -> None:
        assert taken(kind, sent) == sent

    @pytest.mark.parametrize(
        ("kind", "sent"),
        [
            (fields.Country, "de"),
            (fields.Country, "DEU"),
            (fields.Country, "DE\n"),
            (fields.Country, "ＤＥ"),
            (fields.TimeZone, "europe/berlin"),
            (fields.TimeZone, "../etc/passwd"),
            (fields.TimeZone, ""),
            (fields.Locale, "e"),
            (fields.Locale, "en_GB"),
            (fields.Code, "Ketamine"),
            (fields.Code, "-x"),
            (fields.Code, "a b"),
            (fields.Phone, "call me"),
            (fields.Phone, "12"),
            (fields.Password, "x" * 11),
            (fields.Password, "x" * 257),
            (fields.Username, "a\0b"),
            (fields.Username, "   "),
        ],
    )
    def test_another_is_not(self, kind: Any, sent: str) -> None:
        with pytest.raises(ValidationError):
            taken(kind, sent)

    def test_an_unknown_time_zone_is_told_without_repeating_it(self) -> None:
        (reason,) = reasons(fields.TimeZone, CANARY)

        assert reason.startswith("must be a time zone of the IANA database")
        assert CANARY not in reason
