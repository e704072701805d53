"""That nobody can be made out in the outcomes of a clinic: checked by somebody who tries to.

They know every number that was told, which of two counts can be of people whom the other counts
too, and that strata make up the whole; so they can work out every count that is the same for all
clinics of which the same is told. What counts of what is not taken from the code that is tested,
but seen on thousands of made up patients, one at a time.
"""

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Scale, find
from app.clinical.outcomes import LEVELS, STEPS, VISITS, Group, Tally
from app.clinical.suppression import may_be_told
from app.trends.outcomes import what_is_told
from app.trends.schemas.outcomes import OutcomesOut

DAY = 86_400_000_000
NOW = 1000 * DAY
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
PRIME = 2**31 - 1
LIKE_THEM = 150
# To shrink one would take minutes, and is no clearer: a clinic is made from a single number.
law = settings(
    deadline=None,
    max_examples=6,
    # The same clinics every time: an alarm needs judging, and a build is no place for it.
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
Bits = int


class Made(NamedTuple):
    """A patient: days ago of the first dose, scores (days after it, points), last answer (day)."""

    dosed: int
    points: tuple[tuple[int, int], ...]
    heard: int


def some_patient(draw: random.Random) -> Made:
    """Somebody: mild or not, who answers for a while, and responds, and loses it, or not."""
    dosed = draw.choice((3, 8, 12, 15, 25, 35, 50, 60, 80, 110, 130, 200, 240, 300, 400, 430, 600))
    until = min(dosed, draw.choice((0, 6, 9, 13, 20, 27, 41, 60, 90, 125, 180, 230, 280, 363, 420)))
    since, lasts = draw.choice((0, 7, 13, 25, 40, 60, 150, 999)), draw.choice((6, 14, 30, 100, 999))
    every, misses = draw.choice((3, 7, 14, 28)), draw.random() * 0.6
    points = [(-1, draw.choice((5, 20, 20, 20)))] if draw.random() < 0.9 else []
    points += [
        (day, draw.choice((3, 8)) if since <= day < since + lasts else 16)
        for day in range(draw.choice((1, 5, 20)), until + 1, every)
        if draw.random() > misses
    ]
    last = max((day for day, _ in points), default=-1)
    return Made(dosed, tuple(points), max(last, draw.randint(0, dosed)))


def another(one: Made, draw: random.Random) -> Made:
    """Somebody much like them: with a score more, or less, or better or worse."""
    points = dict(one.points)
    for _ in range(draw.randint(1, 3)):
        day = draw.choice([*points, *range(min(one.dosed, 50)), *range(0, one.dosed, 10)])
        if day in points and draw.random() < 0.5:
            del points[day]
        else:
            points[day] = 20 if day < 0 else draw.choice((3, 8, 16))
    last = max(points, default=-1)
    return Made(one.dosed, tuple(sorted(points.items())), max(last, draw.choice((0, one.heard))))


def add(tally: Tally, stratum: str, one: Made) -> None:
    dose = NOW - one.dosed * DAY
    tally.add(
        stratum,
        [dose + day * DAY for day, _ in one.points],
        [points for _, points in one.points],
        [dose],
        None,
        dose + one.heard * DAY,
    )


def numbers(group: Group, levels: int) -> Iterator[tuple[str, int]]:
    """Everything that could be told of a group, as the definitions have it."""
    yield "patients", group.patients
    for place, visit in enumerate(VISITS):
        for level, count in zip(LEVELS, group.chain(place, levels), strict=False):
            yield f"{visit.code} {level}", count
    for which in ("response", "loss"):
        times: list[tuple[int, bool]] = getattr(group, which)
        yield f"{which} started", len(times)
        for day in STEPS:
            had = sum(did and days <= day for days, did in times)
            left = sum(days > day for days, _ in times)
            yield f"{which} {day} happened", had
            yield f"{which} {day} censored", len(times) - had - left
            yield f"{which} {day} at_risk", left


def told_numbers(told: OutcomesOut) -> dict[tuple[str, str], int]:
    """By group and name, as they were told."""
    found: dict[tuple[str, str], int | None] = {}
    for group in told.groups:
        found[group.group, "patients"] = group.patients
        for visit in group.visits:
            for level, count in visit.counts.model_dump().items():
                found[group.group, f"{visit.visit} {level}"] = count
    for which, curves in (("response", told.time_to_response), ("loss", told.time_to_loss)):
        for curve in curves:
            found[curve.group, f"{which} started"] = curve.started
            for step in curve.steps:
                for count in ("happened", "censored", "at_risk"):
                    found[curve.group, f"{which} {step.day} {count}"] = getattr(step, count)
    return {name: count for name, count in found.items() if count is not None}


def scale_of(key: str) -> Scale:
    scale = find(key).total
    assert scale is not None
    return scale


def alone(key: str, one: Made) -> frozenset[str]:
    """In which numbers this patient counts."""
    tally = Tally(scale_of(key), NOW)
    add(tally, "", one)
    return frozenset(name for name, count in numbers(tally.groups[""], tally.levels) if count)


@functools.cache
def kinds(key: str) -> list[frozenset[str]]:
    """Thousands of patients by the numbers that they count in, each kind once."""
    draw = random.Random(5)
    some = {alone(key, some_patient(draw)) for _ in range(6_000)}
    return sorted(some | {alone(key, one) for one in who_answered_when()}, key=sorted)


def who_answered_when() -> Iterator[Made]:
    """Whoever was measured at some visits and not at others, whichever those are, and how far they
    came; what is too rare to be made up by chance would look as if it could not be.
    """
    within = (7, 15, 30, 56, 90, 180, 360)
    over = (0, 12, 25, 50, 80, 130, 250, 430)
    for reached, dosed in enumerate(over):
        for asked in itertools.product((False, True), repeat=reached):
            points = [(day, 16) for day, is_in in zip(within, asked, strict=False) if is_in]
            last = points[-1][0] if points else 0
            for heard in {last, dosed}:
                yield Made(dosed, ((-1, 20), *points), heard)


def telling_apart(kind: frozenset[str], names: Sequence[str]) -> Bits:
    """Which pairs of numbers this kind shows to be of different people: in one, and in one not."""
    within = sum(1 << place for place, name in enumerate(names) if name in kind)
    outside = ((1 << len(names)) - 1) & ~within
    return sum(outside << (place * len(names)) for place, name in enumerate(names) if name in kind)


class Adversary:
    """Works out what follows from the known numbers.

    kinds: of patients. rows: of each number, which kinds it counts.
    """

    def __init__(self, kinds: Sequence[int], rows: Sequence[Bits], seed: int) -> None:
        draw = random.Random(seed)
        self._weights = dict(zip(kinds, self._invisible(rows, kinds, draw), strict=True))

    @staticmethod
    def _invisible(rows: Sequence[Bits], chosen: Sequence[int], draw: random.Random) -> list[int]:
        """A change of how many there are of each kind that changes none of the known numbers."""
        reduced: list[tuple[int, list[int]]] = []
        for bits in rows:
            row = [bits >> kind & 1 for kind in chosen]
            for lead, other in reduced:
                if factor := row[lead]:
                    row = [
                        (mine - factor * its) % PRIME for mine, its in zip(row, other, strict=True)
                    ]
            lead = next((place for place, one in enumerate(row) if one), -1)
            if lead >= 0:
                inverse = pow(row[lead], -1, PRIME)
                reduced.append((lead, [one * inverse % PRIME for one in row]))
        weights = [draw.randrange(PRIME) for _ in chosen]
        for lead, row in reversed(reduced):
            weights[lead] = 0
            weights[lead] = -sum(map(int.__mul__, row, weights)) % PRIME
        return weights

    def knows(self, bits: Bits) -> bool:
        """Whether the number of those is the same, whatever else may be the case."""
        return not sum(weight for kind, weight in self._weights.items() if bits >> kind & 1) % PRIME


@functools.cache
def apart_by(key: str) -> dict[frozenset[str], Bits]:
    names = sorted(frozenset().union(*kinds(key)))
    return {kind: telling_apart(kind, names) for kind in kinds(key)}


class Attack:
    """One clinic, what was told of it, and what somebody makes of that."""

    def __init__(self, key: str, strata: dict[str, list[Made]], *, by: bool) -> None:
        tally = Tally(scale_of(key), NOW)
        for name, people in strata.items():
            for one in people:
                add(tally, name if by else "all", one)
        self.told = what_is_told(
            scale_of(key), tally, 0, instrument=key, stratum="country" if by else None, now=AS_OF
        )
        self.numbers = told_numbers(self.told)
        # Strata that are not named are one of which only the rest is known.
        named = [one.group for one in self.told.groups[1:] if one.group != "others"] if by else []
        self._groups = [*named, ""]
        self._kinds = kinds(key)
        self._names = sorted(frozenset().union(*self._kinds))
        self._counts: dict[tuple[str, frozenset[str]], int] = {}
        for name, people in strata.items():
            for one in people:
                of = (name if name in named else "", alone(key, one))
                self._counts[of] = self._counts.get(of, 0) + 1
        # Whoever is in this clinic could be in another stratum, and others are like them.
        draw = random.Random(3)
        own = {kind for _, kind in self._counts}
        for one in {one for every in strata.values() for one in every}:
            own |= {alone(key, another(one, draw)) for _ in range(LIKE_THEM)}
        own -= {*self._kinds}
        names = sorted(self._names)
        self._apart = apart_by(key) | {kind: telling_apart(kind, names) for kind in own}
        every = [*self._kinds, *sorted(own, key=sorted)]
        self.atoms = [(group, kind) for group in self._groups for kind in every]

    def bits(self, group: str, name: str) -> Bits:
        return self._where(lambda own, kind: (group in (own, "all")) and name in kind)

    def _where(self, holds: Callable[[str, frozenset[str]], bool]) -> Bits:
        return sum(1 << place for place, atom in enumerate(self.atoms) if holds(*atom))

    def value(self, bits: Bits) -> int:
        return sum(count for place, count in self._own if bits >> place & 1)

    def found(self) -> list[str]:
        """Everything from 1 to 10 that can be worked out."""
        places = {atom: place for place, atom in enumerate(self.atoms)}
        self._own = [(places[atom], count) for atom, count in self._counts.items()]
        rows = {
            (group, name): self.bits("" if group == "others" else group, name)
            for group, name in self.numbers
        }
        for number, bits in rows.items():
            assert self.value(bits) == self.numbers[number], number
        everybody = (1 << len(self.atoms)) - 1
        known = list(rows.values())
        wanted = dict(self._wanted())
        while True:  # until no more of the counts are known to be of nobody
            sure = Adversary(self._needed(everybody, 0), known, 0)
            nobody = 0
            few = []
            for what, bits in wanted.items():
                value = self.value(bits)
                if value <= 10 and bits & everybody and sure.knows(bits & everybody):
                    if value:
                        few.append((what, bits & everybody))
                    else:
                        nobody |= bits
            if few or not nobody & everybody:
                break
            everybody &= ~nobody
        if few:
            # Once more, with others of the same kinds.
            sure = Adversary(self._needed(everybody, 1), known, 1)
        return [f"{what}: {self.value(bits)}" for what, bits in few if sure.knows(bits)]

    def _needed(self, everybody: Bits, seed: int) -> list[int]:
        """Of those who are possible, whoever is in few of the numbers, and as many more as it takes
        to tell every number from every other, four times.
        """
        places = [place for place in range(len(self.atoms)) if everybody >> place & 1]
        found = {place for place, _ in self._own}
        found |= {place for place in places if len(self.atoms[place][1]) <= len(VISITS) + 1}
        draw = random.Random(seed)
        for _ in range(4):
            draw.shuffle(places)
            seen = dict.fromkeys(self._groups, 0)
            for place in places:
                group, kind = self.atoms[place]
                if place in found:
                    continue
                if (apart := self._apart[kind]) & ~seen[group]:
                    seen[group] |= apart
                    found.add(place)
        return sorted(found)

    def _wanted(self) -> Iterator[tuple[str, Bits]]:
        """Each number, whom two have in common, and who is in one and not in the other."""
        for group in dict.fromkeys(["all", *self._groups]):
            each = {name: self.bits(group, name) for name in self._names}
            yield from ((f"{group}: {name}", bits) for name, bits in each.items())
            for first, some in each.items():
                for second, other in each.items():
                    if first < second:
                        yield f"{group}: {first} and {second}", some & other
                    if first != second:
                        yield f"{group}: {first}, not {second}", some & ~other


def people(seed: int, kinds_of: int, most: int, *, dosed: int | None = None) -> list[Made]:
    """So many kinds of patients, each of them some times."""
    draw = random.Random(seed)
    found: list[Made] = []
    for _ in range(kinds_of):
        one = some_patient(draw)
        if dosed is not None:
            one = some_patient(draw)._replace(dosed=dosed)
        found += [one] * draw.randint(1, most)
    return found


MILD = Made(430, ((-1, 5), (7, 4)), 7)
TREATED = Made(430, ((-1, 20), (7, 16), (28, 8), (84, 8)), 200)
JUST_BEGUN = Made(3, ((-1, 20),), 1)


class TestNobodyIsMadeOut:
    def test_who_is_not_eligible_is_not_what_a_curve_leaves_of_all(self) -> None:
        told = Attack("phq-9", {"AT": [TREATED] * 60 + [MILD] * 5}, by=False)

        assert told.numbers["all", "patients"] == 65
        assert ("all", "response started") not in told.numbers
        assert ("all", "4w eligible") not in told.numbers

    def test_who_has_just_begun_is_not_what_is_left_of_all(self) -> None:
        told = Attack("phq-9", {"AT": [TREATED] * 100 + [JUST_BEGUN] * 5}, by=False)

        assert told.numbers["all", "patients"] == 105
        assert ("all", "1w reached") not in told.numbers
        assert told.numbers["all", "response started"] == 105

    def test_nor_are_those_of_a_curve_whose_beginning_is_not_told(self) -> None:
        told = Attack("phq-9", {"AT": [TREATED] * 40 + [MILD] * 2}, by=False)

        assert [name for _, name in told.numbers if name.startswith("response")] == []

    def test_nor_in_a_stratum(self) -> None:
        strata = {"AT": [TREATED] * 27 + [MILD] * 4, "DE": [TREATED] * 40 + [MILD] * 20}

        told = Attack("phq-9", strata, by=True)

        assert told.numbers["AT", "patients"] == 31
        assert told.numbers["all", "response started"] == 67
        assert ("AT", "response started") not in told.numbers
        # Beside a whole that is told, that would be the same.
        assert ("DE", "response started") not in told.numbers
        assert told.found() == []

    def test_the_attack_finds_what_is_there_to_be_found(self) -> None:
        told = Attack("phq-9", {"AT": [TREATED] * 60 + [MILD] * 5}, by=False)
        told.numbers["all", "response started"] = 60

        assert "all: patients, not response started: 5" in told.found()

    @pytest.mark.parametrize("by", [False, True])
    @law
    @given(
        key=st.sampled_from(["phq-9", "gad-7"]),
        seed=st.integers(0, 2**32),
        kinds_of=st.integers(1, 14),
        most=st.sampled_from([3, 12, 40]),
        dosed=st.sampled_from([None, None, 600]),
    )
    def test_no_count_of_a_few_can_be_worked_out(
        self, by: bool, key: str, seed: int, kinds_of: int, most: int, dosed: int | None
    ) -> None:
        strata = {
            name: people(seed + place, 1 + kinds_of // 3 if by else kinds_of, most, dosed=dosed)
            for place, name in enumerate(("AT", "DE", "US") if by else ("AT",))
        }

        told = Attack(key, strata, by=by)

        assert all(may_be_told(count) for count in told.numbers.values())
        assert told.found() == []
