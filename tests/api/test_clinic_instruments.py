"""A clinic chooses what it offers, and adds questionnaires of its own."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from app.checkins.schemas import ClinicInstrumentList, InstrumentOut
from app.clinical import instruments
from tests.api.test_trajectories import answered, trajectory
from tests.builders import Person, World, a_check_in, amended, now
from tests.clinical.definitions import DEFINITION

INSTRUMENTS = "/v1/clinic/instruments"
CHECK_INS = "/v1/patients/me/check-ins"
MINE = "/v1/patients/me/trajectories"
BUNDLE = "/v1/patients/me/bundle"

GERMAN = """
[translations.de]
title = "Zwei Fragen"
lead_in = "Diese Woche:"
recall = "Diese Woche"
source = "Jemand 2002"
verified_by = "Noch jemand"

[translations.de.options]
0 = "Nein"
1 = "Ja"

[translations.de.items.first]
text = "Erstens?"

[translations.de.items.second]
text = "Zweitens?"
low_label = "Nichts"
high_label = "Alles"

[translations.de.items.extra]
text = "Noch etwas?"
low_label = "Nichts"
high_label = "Alles"
"""


def a_definition(*changes: tuple[str, str], version: str = "1") -> str:
    """The clinic's own, `two-items`: 0 to 5 points. changes: (what stands there, what shall)."""
    text = DEFINITION.replace('version = "1"', f'version = "{version}"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def add(who: Person, definition: str) -> Response:
    """Upload a definition."""
    return who.post(INSTRUMENTS, {"definition": definition})


def added(world: World, definition: str) -> dict[str, Any]:
    """A definition that was taken in, as the answer tells it."""
    answer = add(world.administrator, definition)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def switch(who: Person, key: str, is_on: bool, **members: Any) -> Response:
    """Offer it, or do so no more."""
    return who.request("PUT", f"{INSTRUMENTS}/{key}", json={"is_on": is_on} | members)


def listed(who: Person) -> dict[str, dict[str, Any]]:
    """What the clinic has, by key."""
    answer = who.get(INSTRUMENTS)
    assert answer.status_code == 200, answer.text
    ClinicInstrumentList.model_validate_json(answer.content)
    every = answer.json()["instruments"]
    assert len({one["key"] for one in every}) == len(every)
    return {one["key"]: one for one in every}


def offered(patient: Person) -> set[str]:
    """What a phone may show."""
    answer = patient.get(BUNDLE)
    assert answer.status_code == 200, answer.text
    return {one["key"] for one in answer.json()["instruments"]}


def fault(answer: Response) -> tuple[str, str]:
    """The one thing that is wrong: pointer, reason."""
    assert answer.status_code == 422, answer.text
    (only,) = answer.json()["errors"]
    return only["pointer"], only["reason"]


def line_of(text: str, sought: str) -> int:
    """The only line, from 1, on which this stands."""
    (line,) = [n for n, line in enumerate(text.splitlines(), 1) if sought in line]
    return line


class TestList:
    def test_it_says_what_is_on_and_whose_it_is(self, world: World) -> None:
        added(world, a_definition())

        told = listed(world.patient)

        assert set(told) == {one.key for one in instruments.shipped()} | {"two-items"}
        assert (told["phq-9"]["is_on"], told["phq-9"]["is_own"]) == (True, False)
        assert (told["who-5"]["is_on"], told["who-5"]["offered_by_default"]) == (False, False)
        assert told["cadss"]["is_score_only"] is True
        assert (told["two-items"]["is_on"], told["two-items"]["is_own"]) == (True, True)
        assert all(one["notice"] and one["licence"] for one in told.values())

    def test_everybody_of_the_clinic_reads_the_same_list(self, world: World) -> None:
        people = (world.patient, world.therapist, world.here.coach, world.administrator)

        first, *others = [listed(person) for person in people]

        assert all(other == first for other in others)

    def test_what_a_clinic_does_not_have_is_not_there_to_read(self, world: World) -> None:
        for path in ("phq-7", "phq-9?version=99", "two-items"):
            assert world.patient.get(f"{INSTRUMENTS}/{path}").status_code == 404


class TestSwitch:
    def test_what_is_switched_off_is_no_longer_offered_and_still_taken(self, world: World) -> None:
        answer = switch(world.administrator, "gad-7", False)

        assert (answer.status_code, answer.json()["is_on"]) == (200, False)
        assert listed(world.patient)["gad-7"]["is_on"] is False
        assert offered(world.patient) >= {"phq-9", "momentary"}
        assert "gad-7" not in offered(world.patient)
        # A phone that was offline asked before it heard.
        late = world.patient.post(CHECK_INS, a_check_in(instrument="gad-7", answers=[1] * 7))
        assert (late.status_code, late.json()["total"]) == (201, 7)

    def test_what_is_switched_on_again_is_offered_again(self, world: World) -> None:
        switch(world.administrator, "gad-7", False)

        switch(world.administrator, "gad-7", True)

        assert "gad-7" in offered(world.patient)

    def test_one_with_terms_of_its_own_needs_the_notice_accepted(self, world: World) -> None:
        for members in ({}, {"accepts_notice": False}):
            refused = switch(world.administrator, "who-5", True, **members)
            assert fault(refused)[0] == "/accepts_notice"
        assert "who-5" not in offered(world.patient)

        answer = switch(world.administrator, "who-5", True, accepts_notice=True)

        assert (answer.status_code, answer.json()["is_on"]) == (200, True)
        assert "who-5" in offered(world.patient)
        taken = world.patient.post(CHECK_INS, a_check_in(instrument="who-5", answers=[3] * 5))
        assert (taken.status_code, taken.json()["total"]) == (201, 60)

    def test_what_was_never_on_is_not_taken(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(instrument="who-5", answers=[3] * 5))

        assert fault(answer) == ("/instrument", "is not switched on at this clinic")

    def test_switching_off_what_was_never_on_does_not_make_it_taken(self, world: World) -> None:
        assert switch(world.administrator, "who-5", False).status_code == 200

        answer = world.patient.post(CHECK_INS, a_check_in(instrument="who-5", answers=[3] * 5))

        assert fault(answer)[0] == "/instrument"

    def test_once_on_it_is_taken_for_good(self, world: World) -> None:
        switch(world.administrator, "who-5", True, accepts_notice=True)
        switch(world.administrator, "who-5", False)

        answer = world.patient.post(CHECK_INS, a_check_in(instrument="who-5", answers=[5] * 5))

        assert (answer.status_code, answer.json()["total"]) == (201, 100)
        assert "who-5" not in offered(world.patient)

    @pytest.mark.parametrize("who", ["patient", "therapist", "stranger", "coach"])
    def test_only_an_administrator_switches(self, world: World, who: str) -> None:
        answer = switch(getattr(world.here, who), "gad-7", False)

        assert answer.status_code == 403
        assert listed(world.patient)["gad-7"]["is_on"] is True

    @pytest.mark.parametrize("key", ["phq-7", "two-items", "PHQ-9", "%00"])
    def test_what_is_not_there_cannot_be_switched(self, world: World, key: str) -> None:
        assert switch(world.administrator, key, True).status_code == 404

    def test_it_is_of_one_clinic(self, world: World) -> None:
        switch(world.administrator, "gad-7", False)

        assert listed(world.elsewhere.patient)["gad-7"]["is_on"] is True

    def test_two_administrators_who_switch_two_at_once_are_both_heard(self, world: World) -> None:
        keys = ["gad-7", "pcl-5", "peg", "phq-2", "phq-8", "daily", "craving", "momentary"]

        with ThreadPoolExecutor(len(keys)) as pool:
            answers = pool.map(lambda key: switch(world.administrator, key, False), keys)
            statuses = {answer.status_code for answer in answers}

        assert statuses == {200}
        assert {key for key, one in listed(world.patient).items() if not one["is_on"]} >= set(keys)


class TestAdd:
    def test_it_can_be_answered_as_soon_as_it_is_there(self, world: World) -> None:
        told = added(world, a_definition())

        assert (told["key"], told["version"], told["is_on"]) == ("two-items", "1", True)
        assert "two-items" in offered(world.patient)
        check_in = world.patient.post(
            CHECK_INS, a_check_in(instrument="two-items", answers=[1, 3], extras={"extra": 2})
        ).json()
        assert (check_in["total"], check_in["band"], check_in["complete"]) == (4, "many", True)
        # Its suicide item is one.
        assert (check_in["level"], check_in["assessed"]) == ("high", True)
        assert check_in["safety"]["flag"]["level"] == "high"

    def test_it_is_read_whole_by_all_of_the_clinic(self, world: World) -> None:
        added(world, a_definition())

        for person in (world.patient, world.therapist, world.here.coach):
            answer = person.get(f"{INSTRUMENTS}/two-items")
            InstrumentOut.model_validate_json(answer.content)
            assert [item["code"] for item in answer.json()["items"]] == [
                "two-items.first",
                "two-items.second",
            ]

    def test_a_translation_is_read_in_the_nearest_language(self, world: World) -> None:
        german = a_definition(('languages = ["en"]', 'languages = ["en", "de"]')) + GERMAN
        added(world, german)

        def said(language: str) -> tuple[str, str]:
            answer = world.patient.get(f"{INSTRUMENTS}/two-items", params={"language": language})
            assert answer.status_code == 200, answer.text
            return answer.json()["language"], answer.json()["items"][0]["text"]

        assert said("de-AT") == said("de") == said("DE") == ("de", "Erstens?")
        assert said("en") == said("fr-FR") == ("en", "First?")

    def test_one_with_terms_is_off_until_they_are_accepted(self, world: World) -> None:
        with_terms = ('licence = "Free"', 'licence = "Ask first"\noffered_by_default = false')
        told = added(world, a_definition(with_terms))

        answer = world.patient.post(CHECK_INS, a_check_in(instrument="two-items", answers=[0, 0]))

        assert told["is_on"] is False
        assert fault(answer) == ("/instrument", "is not switched on at this clinic")
        assert fault(switch(world.administrator, "two-items", True))[0] == "/accepts_notice"
        assert switch(
            world.administrator, "two-items", True, accepts_notice=True
        ).json() == told | {"is_on": True}
        assert "two-items" in offered(world.patient)

    @pytest.mark.parametrize("who", ["patient", "therapist", "stranger", "coach"])
    def test_only_an_administrator_adds(self, world: World, who: str) -> None:
        assert add(getattr(world.here, who), a_definition()).status_code == 403
        assert "two-items" not in listed(world.administrator)

    def test_another_clinic_neither_sees_nor_takes_it(self, world: World) -> None:
        added(world, a_definition())

        other = world.elsewhere.patient
        assert "two-items" not in listed(other)
        assert "two-items" not in offered(other)
        assert other.get(f"{INSTRUMENTS}/two-items").status_code == 404
        assert other.get(f"{MINE}/two-items").status_code == 404
        assert switch(world.elsewhere.administrator, "two-items", True).status_code == 404
        answer = other.post(CHECK_INS, a_check_in(instrument="two-items", answers=[0, 0]))
        assert fault(answer)[0] == "/instrument"

    def test_two_clinics_may_have_different_ones_of_one_key(self, world: World) -> None:
        added(world, a_definition())
        theirs = a_definition(("Two items", "Theirs"))

        assert add(world.elsewhere.administrator, theirs).status_code == 201

        assert listed(world.patient)["two-items"]["title"] == "Two items"
        assert listed(world.elsewhere.patient)["two-items"]["title"] == "Theirs"


class TestRefusal:
    @pytest.mark.parametrize(
        ("change", "at"),
        [
            # The bands overlap.
            (('label = "Many", low = 3', 'label = "Many", low = 2'), 'label = "Many"'),
            # The check digit is 9.
            (('loinc = "44250-9"', 'loinc = "44250-8"'), "44250-8"),
            (('"lower-is-better"', '"sideways-is-better"'), "sideways"),
            # The code of a panel, which has no value.
            (('loinc = "55758-7"', 'loinc = "55757-9"'), "[total]"),
            (('key = "second"', 'key = "first"'), None),
            (("high = 4, low_label", "high = 400, low_label"), "high = 400"),
            (("levels = { 1 =", "levels = { 7 ="), "levels"),
            (('title = "Two items"', "title = "), "title ="),
        ],
    )
    def test_the_line_that_is_wrong_is_named(
        self, world: World, change: tuple[str, str], at: str | None
    ) -> None:
        definition = a_definition(change)
        if at == "[total]":
            line = line_of(definition, at) + 1
        elif at is None:
            line = line_of(definition, 'text = "Second?"') - 1
        else:
            line = line_of(definition, at)

        answer = add(world.administrator, definition)

        pointer, reason = fault(answer)
        assert (pointer, answer.json()["line"]) == ("/definition", line)
        assert reason.startswith(f"line {line}: ")
        assert "two-items" not in listed(world.administrator)

    @pytest.mark.parametrize("definition", ["nothing", "[[[", "=", "\x00", " ", "key = 1"])
    def test_what_is_no_definition_is_refused(self, world: World, definition: str) -> None:
        assert fault(add(world.administrator, definition))[0] == "/definition"

    def test_what_was_sent_is_not_repeated(self, world: World) -> None:
        answer = add(world.administrator, a_definition(('"Free"', '"Free"\nsurprising = "hush"')))

        assert fault(answer)[0] == "/definition"
        assert "hush" not in answer.text

    @pytest.mark.parametrize("key", ["phq-9", "who-5", "cadss"])
    def test_the_key_of_what_ships_is_taken(self, world: World, key: str) -> None:
        definition = a_definition(('key = "two-items"', f'key = "{key}"'))

        answer = add(world.administrator, definition)

        assert fault(answer)[0] == "/definition"
        assert answer.json()["line"] == line_of(definition, f'key = "{key}"')
        assert listed(world.administrator)[key]["is_own"] is False

    def test_a_definition_has_at_most_64_kib_in_bytes(self, world: World) -> None:
        most = 64 * 1024
        definition = a_definition()
        fits = definition + "#" * (most - len(definition))
        # Two bytes each, so that it is short in characters and long in bytes.
        wide = definition + "#" + "é" * ((most - len(definition)) // 2 + 1)

        assert fault(add(world.administrator, fits + "#"))[0] == "/definition"
        assert fault(add(world.administrator, wide))[0] == "/definition"
        assert add(world.administrator, fits).status_code == 201

    @pytest.mark.parametrize("body", [{}, {"definition": 1}, {"definition": "x", "key": "phq-9"}])
    def test_the_body_is_the_definition_and_nothing_else(self, world: World, body: Any) -> None:
        assert world.administrator.post(INSTRUMENTS, body).status_code == 422


class TestRetry:
    def test_the_same_again_is_answered_and_stored_once(self, world: World) -> None:
        told = added(world, a_definition())

        again = add(world.administrator, a_definition())

        assert (again.status_code, again.json()) == (200, told)

    def test_the_same_again_does_not_switch_it_on_again(self, world: World) -> None:
        added(world, a_definition())
        switch(world.administrator, "two-items", False)

        again = add(world.administrator, a_definition())

        assert (again.status_code, again.json()["is_on"]) == (200, False)
        assert "two-items" not in offered(world.patient)

    def test_a_version_is_never_replaced(self, world: World) -> None:
        added(world, a_definition())

        answer = add(world.administrator, a_definition(("Two items", "Two others")))

        assert (answer.status_code, answer.json()["code"]) == (409, "already-exists")
        assert listed(world.patient)["two-items"]["title"] == "Two items"

    def test_the_same_sent_by_many_at_once_is_stored_once(self, world: World) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: add(world.administrator, a_definition()), range(8)))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 7}
        assert len({answer.text for answer in answers}) == 1

    def test_of_two_that_differ_at_once_one_is_kept(self, world: World) -> None:
        titles = ["One", "Another"]

        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda title: add(world.administrator, a_definition(("Two items", title))),
                    titles,
                )
            )

        assert sorted(answer.status_code for answer in answers) == [201, 409]
        kept = next(answer.json() for answer in answers if answer.status_code == 201)
        assert listed(world.patient)["two-items"] == kept


# Six points on the second item, and other bands.
WIDER = (
    ("low = 0, high = 4", "low = 0, high = 6"),
    ("low = 0, high = 2", "low = 0, high = 3"),
    ("low = 3, high = 5", "low = 4, high = 7"),
)


class TestANewVersion:
    def test_old_answers_keep_their_meaning_and_new_ones_have_the_new(self, world: World) -> None:
        added(world, a_definition())
        recorded_at = (now() - timedelta(days=3)).isoformat()
        sent = a_check_in(
            id=str(uuid4()), instrument="two-items", answers=[0, 3], recorded_at=recorded_at
        )
        before = world.patient.post(CHECK_INS, sent).json()
        path = f"{CHECK_INS}/{before['id']}"
        read, versions = (
            world.patient.get(path).json(),
            world.patient.get(f"{path}/versions").json(),
        )

        added(world, a_definition(*WIDER, version="2"))

        assert listed(world.patient)["two-items"]["version"] == "2"
        assert world.patient.get(path).json() == read
        assert world.patient.get(f"{path}/versions").json() == versions
        assert (read["total"], read["band"], read["instrument_version"]) == (3, "many", "1")
        new = world.patient.post(CHECK_INS, a_check_in(instrument="two-items", answers=[0, 3]))
        assert (new.json()["instrument_version"], new.json()["band"]) == ("2", "few")
        # The retry of an old one is what it was.
        again = world.patient.post(CHECK_INS, sent)
        assert (again.status_code, again.json()["band"]) == (200, "many")

    def test_an_old_version_that_is_named_is_still_taken_and_amended(self, world: World) -> None:
        added(world, a_definition())
        added(world, a_definition(*WIDER, version="2"))
        old = a_check_in(instrument="two-items", instrument_version="1", answers=[0, 3])

        told = world.patient.post(CHECK_INS, old).json()

        assert (told["instrument_version"], told["band"]) == ("1", "many")
        changed = amended(
            world.patient, f"{CHECK_INS}/{told['id']}", old | {"answers": [0, 2]}, told["version"]
        )
        assert (changed["instrument_version"], changed["band"]) == ("1", "few")
        too_much = world.patient.post(CHECK_INS, old | {"answers": [0, 6]})
        assert fault(too_much)[0] == "/answers/1"

    def test_a_version_that_is_not_there_is_named(self, world: World) -> None:
        added(world, a_definition())

        answer = world.patient.post(
            CHECK_INS,
            a_check_in(instrument="two-items", instrument_version="3", answers=[0, 3]),
        )

        assert fault(answer)[0] == "/instrument_version"

    def test_each_version_is_read_by_its_name(self, world: World) -> None:
        added(world, a_definition())
        added(world, a_definition(*WIDER, version="2"))

        def maximum(query: str) -> int:
            told = world.patient.get(f"{INSTRUMENTS}/two-items{query}").json()
            return int(told["total"]["maximum"])

        assert (maximum("?version=1"), maximum("?version=2"), maximum("")) == (5, 7, 7)

    def test_a_list_of_old_and_new_answers_has_each_as_it_was(self, world: World) -> None:
        added(world, a_definition())
        answered(world.patient, 2, [0, 3], instrument="two-items")
        added(world, a_definition(*WIDER, version="2"))
        answered(world.patient, 1, [0, 3], instrument="two-items")

        page = world.patient.get(f"{CHECK_INS}?instrument=two-items").json()["check_ins"]

        assert [(one["instrument_version"], one["band"]) for one in page] == [
            ("2", "few"),
            ("1", "many"),
        ]


class TestTrajectory:
    def test_of_an_instrument_of_ones_own(self, world: World) -> None:
        added(world, a_definition())
        answered(world.patient, 9, [1, 4], instrument="two-items")
        answered(world.patient, 1, [0, 2], instrument="two-items")

        told = trajectory(world.patient, f"{MINE}/two-items")

        assert (told["minimum"], told["maximum"]) == (0, 5)
        assert told["points"]["score"] == [5, 2]
        assert (told["latest"]["percent_change"], told["latest"]["response"]) == (-60.0, True)
        assert told["latest"]["band"] == "few"
        item = trajectory(world.patient, f"{MINE}/two-items?item=second")
        assert item["points"]["score"] == [4, 2]
        ideation = trajectory(world.therapist, _path(world, "two-items?item=first"))
        assert (ideation["is_ordinal"], ideation["points"]["score"]) == (True, [1, 0])

    def test_a_version_with_other_words_goes_on_where_the_old_one_was(self, world: World) -> None:
        added(world, a_definition())
        answered(world.patient, 9, [1, 4], instrument="two-items")
        added(world, a_definition(("First?", "Firstly?"), version="2"))
        answered(world.patient, 1, [0, 2], instrument="two-items")

        for query, scores in (("", [5, 2]), ("?item=second", [4, 2]), ("?item=first", [1, 0])):
            told = trajectory(world.patient, f"{MINE}/two-items{query}")
            assert told["points"]["score"] == scores
            assert told["instrument_version"] == "2"

    def test_points_of_another_scale_are_not_drawn_on_the_new_one(self, world: World) -> None:
        """Four of five is not four of seven, and a second question may be another question."""
        added(world, a_definition())
        answered(world.patient, 9, [0, 4], instrument="two-items")
        added(world, a_definition(*WIDER, version="2"))
        answered(world.patient, 1, [0, 5], instrument="two-items")

        for query in ("", "?item=second"):
            told = trajectory(world.patient, f"{MINE}/two-items{query}")
            assert told["points"]["score"] == [5]
        # The other question is as it was.
        first = trajectory(world.patient, f"{MINE}/two-items?item=first")
        assert first["points"]["score"] == [0, 0]

    def test_a_mean_is_no_sum_whatever_it_was_before(self, world: World) -> None:
        as_mean = (
            (
                'loinc = "44250-9"',
                "scale = { low = 0, high = 4, low_label = 'a', high_label = 'b' }",
            ),
            ("[total]\n", '[total]\nmethod = "mean"\n'),
            (DEFINITION[DEFINITION.index("[total.bands]") :], ""),
        )
        added(world, a_definition())
        answered(world.patient, 9, [1, 4], instrument="two-items")
        added(world, a_definition(*as_mean, version="2"))
        answered(world.patient, 1, [1, 2], instrument="two-items")

        assert trajectory(world.patient, f"{MINE}/two-items")["points"]["score"] == [1.5]

    def test_of_a_mean(self, world: World) -> None:
        answered(world.patient, 9, [7, 4, 2], instrument="peg")
        answered(world.patient, 1, [3, 3, 3], instrument="peg")

        told = trajectory(world.patient, f"{MINE}/peg")

        assert told["points"]["score"] == [pytest.approx(13 / 3), 3]
        assert told["points"]["change"] == [0, pytest.approx(-4 / 3, abs=0.01)]
        assert (told["minimum"], told["maximum"]) == (0, 10)
        assert told["latest"]["direction"] == "improved"

    def test_where_higher_is_better_a_rise_is_an_improvement(self, world: World) -> None:
        switch(world.administrator, "who-5", True, accepts_notice=True)
        answered(world.patient, 9, [1] * 5, instrument="who-5")
        answered(world.patient, 1, [3] * 5, instrument="who-5")

        told = trajectory(world.patient, f"{MINE}/who-5")

        assert told["direction"] == "higher-is-better"
        assert told["points"]["score"] == [20, 60]
        assert (told["latest"]["change"], told["latest"]["direction"]) == (40, "improved")

    def test_of_recorded_scores(self, world: World) -> None:
        for days_ago, total in ((9, 18), (1, 9)):
            answer = world.therapist.post(
                f"{world.patient.record}/check-ins",
                {
                    "instrument": "isi",
                    "scores": {"total": total},
                    "recorded_at": (now() - timedelta(days=days_ago)).isoformat(),
                },
            )
            assert answer.status_code == 201, answer.text

        told = trajectory(world.patient, f"{MINE}/isi")

        assert told["points"]["score"] == [18, 9]
        assert (told["latest"]["change"], told["latest"]["direction"]) == (-9, "improved")


def _path(world: World, rest: str) -> str:
    return f"{world.patient.record}/trajectories/{rest}"
