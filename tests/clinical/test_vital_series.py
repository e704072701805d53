"""Batches of readings, merged into one series."""

import random

from app.clinical.vital_series import EMPTY, SIGNS, columns, merged, readings
from app.clinical.vitals import Reading


def test_readings_of_several_batches_stand_in_order_of_time() -> None:
    late = columns("monitor", [Reading(at=30, pulse=70), Reading(at=10, pulse=60)])
    early = columns("by-hand", [Reading(at=20, sedation=3)])

    series = merged([late, early])

    assert series == {
        "at": [10, 20, 30],
        "source": ["monitor", "by-hand", "monitor"],
        "pulse": [60, None, 70],
        "sedation": [None, 3, None],
    }


def test_one_instant_of_one_source_is_one_reading() -> None:
    again = columns("monitor", [Reading(at=10, pulse=60)])

    assert merged([again, again]) == again


def test_of_two_sources_at_one_instant_both_stand() -> None:
    by_hand, monitor = (columns(who, [Reading(at=10, pulse=60)]) for who in ("by-hand", "monitor"))

    assert merged([monitor, by_hand])["source"] == ["by-hand", "monitor"]


def test_the_later_batch_holds_and_what_it_lacks_stays() -> None:
    first = columns("monitor", [Reading(at=10, pulse=60, spo2=97)])
    second = columns("monitor", [Reading(at=10, pulse=61, sedation=2)])

    assert readings(merged([first, second])) == [Reading(at=10, pulse=61, spo2=97, sedation=2)]


def test_of_nothing_there_is_nothing() -> None:
    assert merged([]) == merged([EMPTY, EMPTY]) == EMPTY
    assert readings(EMPTY) == []


def test_one_more_batch_merged_is_all_of_them_merged() -> None:
    chance = random.Random(7)

    def a_batch() -> list[Reading]:
        return [
            Reading(
                chance.randrange(20),
                *(chance.choice([None, chance.randrange(40, 100)]) for _ in SIGNS),
            )
            for _ in range(chance.randrange(6))
        ]

    for _ in range(200):
        batches = [
            columns(chance.choice(["monitor", "by-hand"]), a_batch())
            for _ in range(chance.randrange(1, 6))
        ]

        assert merged([merged(batches[:-1]), batches[-1]]) == merged(batches)
