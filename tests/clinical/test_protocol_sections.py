"""What a protocol says besides its time points, and what is refused as none of it."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical import instruments
from app.clinical.instruments import Level
from app.clinical.protocol import (
    CriterionKind,
    ProtocolRefused,
    Vital,
    as_dict,
    read,
    shipped,
)

RECALL_DAYS = {one.key: one.recall.days for one in instruments.shipped()} | {
    "c-ssrs-since-last-contact": 0
}
SHIPPED = shipped(RECALL_DAYS)
DOCUMENT: dict[str, Any] = as_dict(SHIPPED)
NAMES = (
    "course",
    "preparation",
    "monitoring",
    "discharge",
    "aftercare",
    "exposure",
    "integration",
)
MISSING = object()


def changed(path: str, value: object) -> dict[str, Any]:
    """The shipped document with another value at a pointer; MISSING leaves the member out."""
    document = deepcopy(DOCUMENT)
    *within, last = path.strip("/").split("/")
    place: Any = document
    for step in within:
        place = place[int(step) if isinstance(place, list) else step]
    if value is MISSING:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return document


def refusal(document: Any) -> dict[str, str]:
    with pytest.raises(ProtocolRefused) as refused:
        read(document, RECALL_DAYS)
    return dict(refused.value.errors)


def test_the_sections_survive_json() -> None:
    assert set(NAMES) < set(DOCUMENT)
    assert read(json.loads(json.dumps(DOCUMENT)), RECALL_DAYS) == SHIPPED


@pytest.mark.parametrize("name", NAMES)
def test_a_document_without_a_section_has_the_one_that_ships(name: str) -> None:
    assert read(changed(f"/{name}", MISSING), RECALL_DAYS) == SHIPPED


def test_a_document_from_before_there_were_sections_keeps_its_meaning() -> None:
    older = {name: value for name, value in DOCUMENT.items() if name not in NAMES}
    older |= {"title": "Ours", "late_days": 3, "points": older["points"][3:5]}

    held = read(older, RECALL_DAYS)

    assert (held.title, held.late_days) == ("Ours", 3)
    assert [point.key for point in held.points] == ["4h", "24h"]
    assert held.sections == SHIPPED.sections


def test_what_is_left_out_names_instruments_that_need_not_be_known() -> None:
    older = {name: value for name, value in DOCUMENT.items() if name not in NAMES}
    older["points"] = older["points"][3:4]

    assert (
        read(older, {"momentary": 0, "aftercare": 0}).sections.exposure == SHIPPED.sections.exposure
    )


def test_a_checklist_from_before_it_said_how_old_a_pressure_may_be_has_an_hour() -> None:
    held = read(changed("/preparation/reading_within_minutes", MISSING), RECALL_DAYS)

    assert held.sections.preparation.reading_within_minutes == 60


def test_a_section_of_ones_own_stands_beside_those_that_ship() -> None:
    held = read(changed("/integration/open_days", 5), RECALL_DAYS)

    assert held.sections.integration.open_days == 5
    assert held.sections.course == SHIPPED.sections.course


def test_the_shipped_sections_say_what_public_descriptions_say() -> None:
    sections = SHIPPED.sections

    assert (sections.course.sessions, sections.course.weeks) == ((4, 6), (2, 6))
    assert sections.aftercare.check_hours == (4, 24, 72)
    assert sections.integration.within_hours == (24, 72)
    assert sections.monitoring.record_minutes == (-15, 0, 20, 40, 60, 90, 120)
    assert {alarm.vital for alarm in sections.monitoring.alarms} == set(Vital)
    criteria = {one.key: one for one in sections.discharge.criteria}
    assert criteria["time"].at_least == 120
    assert criteria["dissociation"].at_most == 1
    assert criteria["risk-screen"].at_most_level is Level.LOW
    assert criteria["escort"].kind is CriterionKind.ATTESTED
    checklist = {item.key for item in sections.preparation.items if item.required}
    assert {"escort-named", "fasting", "blood-pressure", "no-sedatives"} <= checklist
    assert {"consent-current", "risk-screen"} <= checklist


def test_every_number_of_the_sections_has_a_source() -> None:
    sections = SHIPPED.sections
    cited: list[Any] = [getattr(sections, name) for name in NAMES]
    cited += [*sections.monitoring.alarms, *sections.discharge.criteria, *sections.exposure.prompts]

    assert all(one.source for one in cited)
    assert [one.key for one in sections.discharge.criteria if not one.convention] == [
        "time",
        "escort",
        "instructions",
    ]


@pytest.mark.parametrize(
    ("path", "value", "pointer", "reason"),
    [
        ("/course", [], "/course", "an object"),
        ("/course/source", MISSING, "/course/source", "a text"),
        ("/course/convention", MISSING, "/course/convention", "true or false"),
        ("/course/dose", 1, "/course", "may only have"),
        ("/course/sessions", [4], "/course/sessions", "list of two"),
        ("/course/sessions", [6, 4], "/course/sessions/1", "not be less"),
        ("/course/sessions", [0, 4], "/course/sessions/0", "from 1"),
        ("/course/weeks", [1, "6"], "/course/weeks/1", "whole number"),
        ("/course/indications", [], "/course/indications", "list of 1"),
        ("/course/indications/1/key", "other", "/course/indications/5/key", "earlier one"),
        ("/course/indications/0/key", "A B", "/course/indications/0/key", "lower-case"),
        ("/course/indications/0/dose", 1, "/course/indications/0", "may only have"),
        ("/preparation/items/0/kind", "guessed", "/preparation/items/0/kind", "one of"),
        ("/preparation/items/0/kind", None, "/preparation/items/0/kind", "one of"),
        ("/preparation/items/0/required", 1, "/preparation/items/0/required", "true or"),
        ("/preparation/items/0", 7, "/preparation/items/0", "an object"),
        ("/monitoring/record_minutes", [0, 20, 20], "/monitoring/record_minutes/2", "greater"),
        ("/monitoring/record_minutes", [0, 1.5], "/monitoring/record_minutes/1", "whole"),
        ("/monitoring/record_minutes", [], "/monitoring/record_minutes", "list of 1"),
        ("/monitoring/record_minutes", [-1441], "/monitoring/record_minutes/0", "from -1440"),
        ("/monitoring/tolerance_minutes", 0, "/monitoring/tolerance_minutes", "from 1"),
        ("/monitoring/alarms/0/vital", "diastolic", "/monitoring/alarms/1/vital", "already"),
        ("/monitoring/alarms/0/vital", "mood", "/monitoring/alarms/0/vital", "one of"),
        ("/monitoring/alarms/0/low", 180, "/monitoring/alarms/0/high", "greater than low"),
        ("/monitoring/alarms/0/low", 179, None, ""),
        ("/monitoring/alarms/0/high", 1, "/monitoring/alarms/0/high", "greater than low"),
        ("/monitoring/alarms/0/high", "x", "/monitoring/alarms/0/high", "whole number"),
        ("/monitoring/alarms/2/low", 101, "/monitoring/alarms/2/low", "to 100"),
        ("/monitoring/alarms/2/low", MISSING, "/monitoring/alarms/2", "low, high or both"),
        ("/monitoring/alarms/2/source", "", "/monitoring/alarms/2/source", "a text"),
        ("/discharge/criteria", [], "/discharge/criteria", "list of 1"),
        ("/discharge/reading_within_minutes", 0, "/discharge/reading_within_minutes", "from 1"),
        (
            "/preparation/reading_within_minutes",
            1441,
            "/preparation/reading_within_minutes",
            "from 1",
        ),
        ("/discharge/criteria/0/kind", "luck", "/discharge/criteria/0/kind", "one of"),
        ("/discharge/criteria/0/at_least", -1, "/discharge/criteria/0/at_least", "from 0"),
        ("/discharge/criteria/0/at_most", 9, "/discharge/criteria/0", "may only have"),
        ("/discharge/criteria/2/at_most", 11, "/discharge/criteria/2/at_most", "to 10"),
        (
            "/discharge/criteria/1/systolic_within",
            MISSING,
            "/discharge/criteria/1/systolic_within",
            "whole",
        ),
        (
            "/discharge/criteria/4/at_most_level",
            "mild",
            "/discharge/criteria/4/at_most_level",
            "one of",
        ),
        ("/aftercare/check_hours", [24, 4], "/aftercare/check_hours/1", "greater"),
        ("/aftercare/check_hours", [0], "/aftercare/check_hours/0", "from 1"),
        ("/aftercare/instructions/0/label", "a\nb", "/aftercare/instructions/0/label", "control"),
        ("/exposure/prompts/0/measure", "litres", "/exposure/prompts/0/measure", "one of"),
        ("/exposure/prompts/0/at_least", 0, "/exposure/prompts/0/at_least", "from 1"),
        ("/exposure/prompts/0/about", ["moon"], "/exposure/prompts/0/about/0", "one of"),
        ("/exposure/prompts/0/about", ["liver", "liver"], "/exposure/prompts/0/about/1", "already"),
        ("/exposure/prompts/0/about", [], "/exposure/prompts/0/about", "list of 1"),
        ("/exposure/prompts/0/instruments", ["moon"], "/exposure/prompts/0/instruments/0", "known"),
        (
            "/exposure/prompts/0/instruments",
            [["daily"]],
            "/exposure/prompts/0/instruments/0",
            "known",
        ),
        (
            "/exposure/prompts/0/instruments",
            ["daily", "daily"],
            "/exposure/prompts/0/instruments/1",
            "already",
        ),
        ("/exposure/prompts/0/drug", "Special K", "/exposure/prompts/0/drug", "a code"),
        ("/exposure/prompts/0/route", "rectal", "/exposure/prompts/0/route", "one of"),
        ("/exposure/prompts/1/key", "course-complete", "/exposure/prompts/1/key", "earlier one"),
        ("/exposure/prompts/1/key", 7, "/exposure/prompts/1/key", "lower-case"),
        ("/integration/within_hours", [72, 24], "/integration/within_hours/1", "not be less"),
        ("/integration/open_days", True, "/integration/open_days", "whole number"),
    ],
)
def test_a_section_is_read_or_refused_with_its_place(
    path: str, value: object, pointer: str | None, reason: str
) -> None:
    document = changed(path, value)

    if pointer is None:
        read(document, RECALL_DAYS)
    else:
        errors = refusal(document)
        assert list(errors) == [pointer]
        assert reason in errors[pointer]


def test_a_prompt_may_name_a_drug_a_route_and_no_instrument() -> None:
    document = changed("/exposure/prompts/0/drug", "esketamine")
    document["exposure"]["prompts"][0] |= {"route": "intranasal", "measure": "mg", "at_least": 5000}
    del document["exposure"]["prompts"][0]["instruments"]

    prompt = read(document, RECALL_DAYS).sections.exposure.prompts[0]

    assert (prompt.drug, prompt.route, prompt.instruments) == ("esketamine", "intranasal", ())
    assert read(as_dict(read(document, RECALL_DAYS)), RECALL_DAYS) == read(document, RECALL_DAYS)


def test_kinds_of_criteria_that_do_not_ship_are_read_too() -> None:
    document = changed("/discharge/criteria/0", deepcopy(DOCUMENT["discharge"]["criteria"][2]))
    document["discharge"]["criteria"][0] |= {"key": "awake", "kind": "sedation"}
    document["discharge"]["criteria"][3] = {
        "key": "air",
        "label": "Air",
        "kind": "spo2",
        "at_least": 94,
        "source": "Us",
        "convention": True,
    }

    criteria = read(document, RECALL_DAYS).sections.discharge.criteria

    assert (criteria[0].kind, criteria[0].at_most) == (CriterionKind.SEDATION, 1)
    assert (criteria[3].kind, criteria[3].at_least) == (CriterionKind.SPO2, 94)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    secret = "the-patient-is-afraid"
    document = deepcopy(DOCUMENT)
    for name in NAMES:
        document[name] = dict.fromkeys((*document[name], secret), secret)

    errors = refusal(document)

    assert len(errors) > 20
    assert secret not in str(errors)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 200) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), json_values), st.data())
@settings(deadline=None)
def test_whatever_is_sent_is_read_or_refused(sent: dict[str, Any], data: st.DataObject) -> None:
    document = {**deepcopy(DOCUMENT), **sent}
    name = data.draw(st.sampled_from(NAMES))
    if isinstance(document[name], dict) and document[name]:
        document[name][data.draw(st.sampled_from(sorted(document[name])))] = data.draw(json_values)

    try:
        held = read(document, RECALL_DAYS)
    except ProtocolRefused as refused:
        errors = refused.errors
    else:
        errors = ()
        assert read(as_dict(held), RECALL_DAYS) == held

    assert all(pointer.startswith("/") for pointer, _ in errors)
