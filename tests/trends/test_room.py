"""Vital signs of a visit as a chart and a table: no extreme is lost, nothing unknown is joined."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from app.kernel.renderer import Renderer
from app.trends.charts.records import Frame
from app.trends.charts.room import Read, Room, Threshold, chart, table
from tests.trends.test_charts import parts

DOSE = datetime(2026, 1, 5, 9, tzinfo=UTC)
PHONE = Frame(360)


def at(minutes: float) -> datetime:
    return DOSE + timedelta(minutes=minutes)


def a_room(*signs: Read, **changes: Any) -> Room:
    """One dose at nine in the morning, UTC."""
    return Room(
        **{"signs": signs, "thresholds": (), "doses": [DOSE], "time_zone": "Europe/Berlin"}
        | changes
    )


def pulse(*readings: tuple[float, int]) -> Read:
    return Read("pulse", "Heart rate", [(at(minutes), value) for minutes, value in readings])


def drawn_as(specification: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    """What is drawn with marks of this kind."""
    return [
        row
        for one in parts(specification)
        if isinstance(one.get("mark"), dict) and one["mark"].get("type") == mark
        for row in one["data"]["values"]
    ]


class TestChart:
    def test_every_reading_of_a_visit_by_hand_is_drawn(self) -> None:
        drawn = drawn_as(chart(a_room(pulse((-10, 70), (20, 95), (60, 72)))), "point")

        assert [row["value"] for row in drawn] == [70, 95, 72]

    def test_of_a_monitor_s_thousands_no_extreme_is_lost(self) -> None:
        beats = [(second / 60, 70) for second in range(9000)]
        beats[4321], beats[8765] = (4321 / 60, 31), (8765 / 60, 180)

        drawn = chart(a_room(pulse(*beats)))

        line = drawn_as(drawn, "line")
        assert "Of many readings each" in re.sub(r'", "', " ", json.dumps(drawn))
        assert len(line) <= 122
        assert {31, 180} <= {row["value"] for row in line}
        assert [row["t"] for row in line] == sorted(row["t"] for row in line)

    def test_one_reading_by_itself_among_thousands_is_a_point(self) -> None:
        beats = [(second / 60, 70 + second % 7) for second in range(7200)]

        drawn = chart(a_room(pulse(*beats, (200, 90))))

        assert [row["value"] for row in drawn_as(drawn, "point")] == [90]

    def test_three_hours_of_a_monitor_are_light_enough_for_a_phone(self) -> None:
        signs = [
            Read(key, key, [(at(second / 60), 90 + second % 7) for second in range(10_000)])
            for key in ("systolic", "diastolic", "spo2", "pulse", "respiration")
        ]

        drawn = chart(a_room(*signs))

        assert len(json.dumps(drawn, separators=(",", ":"))) < 30_000

    def test_readings_more_than_half_an_hour_apart_are_not_joined(self) -> None:
        drawn = drawn_as(chart(a_room(pulse((0, 70), (30, 71), (61, 72)))), "point")

        assert [row.get("stretch", 0) for row in drawn] == [0, 0, 1]

    def test_dissociation_is_drawn_as_its_heading_says_also_without_sedation(self) -> None:
        felt = Read("dissociation", "Dissociation", [(at(20), 7)])

        shapes = {
            one["mark"]["shape"]
            for one in parts(chart(a_room(felt)))
            if isinstance(one.get("mark"), dict) and one["mark"].get("type") == "point"
        }

        assert shapes == {"square"}

    def test_a_threshold_is_drawn_where_it_is_near(self) -> None:
        limits = [Threshold("pulse", 100, is_high=True), Threshold("pulse", 240, is_high=True)]

        drawn = chart(a_room(pulse((0, 70), (10, 95)), thresholds=limits), PHONE)

        said = [
            one
            for one in parts(drawn)
            if one.get("data", {}).get("values", [{}])[0].get("said") is not None
        ]
        assert {one["data"]["values"][0]["said"] for one in said} == {"100 and above"}
        [line] = [one for one in said if one["mark"]["type"] == "rule"]
        assert (line["encoding"]["x"], line["encoding"]["x2"]) == ({"value": 0}, {"value": 252})

    def test_a_visit_without_a_reading_says_so(self) -> None:
        assert chart(a_room())["description"] == "Nothing was read yet."

    def test_it_says_in_words_what_it_shows(self) -> None:
        said = chart(a_room(pulse((0, 70), (10, 95), (20, 80))))["description"]

        assert said == "Heart rate: 3 readings, from 70 to 95, last 80. 1 dose marked."

    def test_it_can_be_drawn_and_is_no_wider_than_the_phone(self) -> None:
        signs = [
            Read(key, key, [(at(minutes), value) for minutes in (-5, 15, 90)])
            for key, value in (("systolic", 120), ("diastolic", 80), ("spo2", 97), ("sedation", 2))
        ]

        async def draw() -> bytes:
            renderer = Renderer()
            try:
                return await renderer.draw(chart(a_room(*signs), PHONE), "svg")
            finally:
                await renderer.close()

        drawn = asyncio.run(draw())

        assert int(re.findall(rb'width="(\d+)"', drawn)[0]) <= PHONE.width + 5


class TestTable:
    def test_it_is_on_the_clinic_s_clock_newest_first_and_says_what_reached_a_threshold(
        self,
    ) -> None:
        pressure = Read("systolic", "Systolic", [(at(0), 120), (at(20), 180)])
        room = a_room(
            pressure, pulse((20, 80)), thresholds=[Threshold("systolic", 180, is_high=True)]
        )

        told = table(room, most=9)

        assert told.columns == ("Time", "Systolic", "Heart rate")
        assert told.rows == [("10:20", "180 (threshold)", "80"), ("10:00", "120", "")]

    def test_it_has_at_most_so_many_rows(self) -> None:
        assert [row[1] for row in table(a_room(pulse((0, 1), (1, 2), (2, 3))), 2).rows] == [
            "3",
            "2",
        ]
