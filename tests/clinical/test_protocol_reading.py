"""What is a protocol, and what is refused as none."""

import json
from copy import deepcopy
from datetime import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical import instruments
from app.clinical.protocol import (
    Anchor,
    Protocol,
    ProtocolRefused,
    TimePoint,
    Window,
    as_dict,
    read,
    shipped,
)

RECALL_DAYS = {
    "phq-9": 14,
    "gad-7": 14,
    "pcl-5": 30,
    "momentary": 0,
    "aftercare": 0,
    "daily": 1,
    "bladder": 7,
    "craving": 0,
    "use-outside": 0,
    "c-ssrs-since-last-contact": 0,
    "six-days": 6,
}

DOCUMENT: dict[str, Any] = {
    "title": "Ours",
    "source": "Us",
    "convention": True,
    "late_days": 14,
    "points": [
        {
            "key": "4h",
            "label": "4 hours",
            "anchor": "dose",
            "instruments": ["momentary"],
            "hours": [2, 4, 8],
            "source": "Us",
            "convention": True,
        },
        {
            "key": "daily",
            "label": "Each day",
            "anchor": "dose",
            "instruments": ["daily"],
            "days": [1, 1, 2],
            "at_local": ["00:00", "18:00", "00:00"],
            "every": 1,
            "times": 7,
            "every_doses": 2,
            "source": "Us",
            "convention": False,
        },
    ],
}

SECTIONS: dict[str, Any] = {
    name: section for name, section in as_dict(shipped(RECALL_DAYS)).items() if name not in DOCUMENT
}


def changed(place: int | None = None, **members: object) -> dict[str, Any]:
    """The document, or one of its points, with these members; None leaves one out."""
    document = deepcopy(DOCUMENT)
    within = document if place is None else document["points"][place]
    within.update(members)
    for member in [member for member, value in members.items() if value is None]:
        del within[member]
    return document


def refusal(content: Any) -> dict[str, str]:
    with pytest.raises(ProtocolRefused) as refused:
        read(content, RECALL_DAYS)
    return dict(refused.value.errors)


def test_a_protocol_is_read_as_it_is_written() -> None:
    protocol = read(DOCUMENT, RECALL_DAYS)

    assert protocol == Protocol(
        title="Ours",
        source="Us",
        convention=True,
        late_days=14,
        long_recall=frozenset(),
        sections=shipped(RECALL_DAYS).sections,
        points=(
            TimePoint(
                key="4h",
                label="4 hours",
                anchor=Anchor.DOSE,
                instruments=("momentary",),
                window=Window("hours", 2, 4, 8),
                source="Us",
                convention=True,
            ),
            TimePoint(
                key="daily",
                label="Each day",
                anchor=Anchor.DOSE,
                instruments=("daily",),
                window=Window("days", 1, 1, 2, (time(0), time(18), time(0))),
                every=1,
                times=7,
                every_doses=2,
                source="Us",
                convention=False,
            ),
        ),
    )


def test_a_protocol_is_written_as_it_was_read() -> None:
    assert as_dict(read(DOCUMENT | SECTIONS, RECALL_DAYS)) == DOCUMENT | SECTIONS


def test_the_shipped_protocol_survives_json() -> None:
    protocol = shipped(RECALL_DAYS)

    assert read(json.loads(json.dumps(as_dict(protocol))), RECALL_DAYS) == protocol


def test_the_shipped_protocol_has_the_points_of_a_course() -> None:
    protocol = shipped(RECALL_DAYS)

    windows = {point.key: point.window for point in protocol.points}
    assert windows["4h"] == Window("hours", 2, 4, 8)
    assert windows["24h"] == Window("hours", 12, 24, 36)
    assert windows["72h"] == Window("hours", 48, 72, 96)
    assert windows["7d"] == Window("days", 5, 7, 10)
    assert list(windows) == [
        "baseline",
        "preparation",
        "before-session",
        "4h",
        "24h",
        "72h",
        "daily",
        "7d",
        "weekly",
        "mid-course",
        "maintenance",
        "monthly",
    ]
    assert protocol.long_recall == {"phq-9", "gad-7", "pcl-5", "bladder"}


def test_the_shipped_protocol_asks_shipped_questionnaires_about_suicide_at_any_time() -> None:
    recall_days = {
        one.key: one.recall.days if one.recall.minimum_days_from_dose else 0
        for one in instruments.shipped()
    }

    protocol = shipped(recall_days)

    assert protocol == shipped(RECALL_DAYS)
    assert "c-ssrs-since-last-contact" not in protocol.long_recall


def test_every_number_of_the_shipped_protocol_has_a_source_and_is_marked_as_ours() -> None:
    protocol = shipped(RECALL_DAYS)

    assert protocol.convention
    assert all(point.source and point.convention for point in protocol.points)


def test_the_shipped_protocol_is_refused_where_one_of_its_instruments_is_unknown() -> None:
    with pytest.raises(ProtocolRefused) as refused:
        shipped({key: days for key, days in RECALL_DAYS.items() if key != "daily"})

    assert refused.value.errors == (("/points/6/instruments/0", "is not a known instrument"),)


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        pytest.param([], "", "must be an object", id="no object"),
        pytest.param(changed(extra=1), "", "may only have", id="unknown member"),
        pytest.param(changed(title=None), "/title", "a text", id="no title"),
        pytest.param(changed(title=" "), "/title", "a text", id="blank title"),
        pytest.param(changed(title=7), "/title", "a text", id="title that is a number"),
        pytest.param(changed(title="x" * 201), "/title", "200", id="long title"),
        pytest.param(changed(title="a\0b"), "/title", "control", id="null character"),
        pytest.param(changed(title="a\ud800"), "/title", "control", id="half a character"),
        pytest.param(changed(source=None), "/source", "a text", id="no source"),
        pytest.param(changed(convention=1), "/convention", "true or false", id="1 for true"),
        pytest.param(changed(late_days=True), "/late_days", "whole number", id="true for 1"),
        pytest.param(changed(late_days=-1), "/late_days", "from 0 to 90", id="negative days"),
        pytest.param(changed(late_days=91), "/late_days", "from 0 to 90", id="too many days"),
        pytest.param(changed(points=[]), "/points", "list of 1 to 60", id="no points"),
        pytest.param(changed(points={}), "/points", "list of 1 to 60", id="points no list"),
        pytest.param(
            changed(points=[DOCUMENT["points"][0]] * 61), "/points", "1 to 60", id="61 points"
        ),
        pytest.param(changed(points=["x"]), "/points/0", "an object", id="point no object"),
        pytest.param(
            changed(points=[DOCUMENT["points"][0]] * 2),
            "/points/1/key",
            "earlier point",
            id="two points of one key",
        ),
        pytest.param(changed(0, extra=1), "/points/0", "may only have", id="unknown in point"),
        pytest.param(changed(0, key="4 H"), "/points/0/key", "lower-case", id="key no slug"),
        pytest.param(changed(0, key="a/b"), "/points/0/key", "lower-case", id="slash in key"),
        pytest.param(changed(0, key="a\n"), "/points/0/key", "lower-case", id="line in key"),
        pytest.param(changed(0, key="-a"), "/points/0/key", "lower-case", id="outer hyphen"),
        pytest.param(changed(0, key="a" * 41), "/points/0/key", "40", id="long key"),
        pytest.param(changed(0, label=""), "/points/0/label", "a text", id="no label"),
        pytest.param(changed(0, source=""), "/points/0/source", "a text", id="no point source"),
        pytest.param(changed(0, anchor="moon"), "/points/0/anchor", "one of", id="anchor"),
        pytest.param(changed(0, anchor=["dose"]), "/points/0/anchor", "one of", id="anchors"),
        pytest.param(
            changed(0, instruments=["moon"]), "/points/0/instruments/0", "known", id="unknown"
        ),
        pytest.param(
            changed(0, instruments=[7]), "/points/0/instruments/0", "known", id="no instrument"
        ),
        pytest.param(
            changed(0, instruments=["daily", "daily"]),
            "/points/0/instruments/1",
            "already",
            id="instrument twice",
        ),
        pytest.param(
            changed(0, instruments=["daily"] * 21), "/points/0/instruments", "20", id="21"
        ),
        pytest.param(changed(0, hours=None), "/points/0/hours", "list of three", id="no window"),
        pytest.param(changed(0, hours=[2, 4]), "/points/0/hours", "three", id="two of three"),
        pytest.param(changed(0, hours=[-1, 4, 8]), "/points/0/hours/0", "from 0", id="before"),
        pytest.param(changed(0, hours=[2, True, 8]), "/points/0/hours/1", "whole", id="true"),
        pytest.param(changed(0, hours=[2, 4, 8.0]), "/points/0/hours/2", "whole", id="float"),
        pytest.param(changed(0, hours=[2, 4, 721]), "/points/0/hours/2", "to 720", id="a month"),
        pytest.param(changed(0, hours=[5, 4, 8]), "/points/0/hours/1", "opens", id="due first"),
        pytest.param(changed(0, hours=[2, 9, 8]), "/points/0/hours/2", "due", id="expires first"),
        pytest.param(changed(0, hours=[4, 4, 4]), "/points/0/hours", "as it opens", id="empty"),
        pytest.param(changed(0, days=[1, 2, 3]), "/points/0/hours", "beside", id="two units"),
        pytest.param(changed(1, days=[1, 1, 401]), "/points/1/days/2", "to 400", id="a year"),
        pytest.param(
            changed(0, at_local=["01:00", "02:00", "03:00"]),
            "/points/0/at_local",
            "with days",
            id="clock time with hours",
        ),
        pytest.param(changed(1, at_local="18:00"), "/points/1/at_local", "three", id="one time"),
        pytest.param(
            changed(1, at_local=["00:00", "24:00", "00:00"]),
            "/points/1/at_local/1",
            "23:59",
            id="24 o'clock",
        ),
        pytest.param(
            changed(1, at_local=["00:00", "18:00", 0]), "/points/1/at_local/2", "clock", id="0"
        ),
        pytest.param(
            changed(1, days=[1, 1, 1], at_local=["08:00", "07:00", "09:00"]),
            "/points/1/days/1",
            "before it opens",
            id="due first on one day",
        ),
        pytest.param(changed(1, every=0), "/points/1/every", "from 1", id="every 0"),
        pytest.param(changed(0, every=23), "/points/0/every", "from 24", id="under a day"),
        pytest.param(
            changed(1, days=[1, 1, 3]), "/points/1/every", "overlap", id="overlapping windows"
        ),
        pytest.param(changed(1, every=None), "/points/1/times", "without every", id="times"),
        pytest.param(changed(1, times=0), "/points/1/times", "from 1", id="0 times"),
        pytest.param(changed(1, every_doses=0), "/points/1/every_doses", "from 1", id="0th"),
        pytest.param(
            changed(1, anchor="first-dose"), "/points/1/every_doses", "anchor dose", id="2nd first"
        ),
        pytest.param(
            changed(0, anchor="planned-session", hours=[-2, -1, 1]),
            "/points/0/hours/2",
            "to 0",
            id="after session",
        ),
        pytest.param(
            changed(0, anchor="planned-session", hours=[-24, -2, 0], every=24),
            "/points/0/every",
            "no place",
            id="recurring session",
        ),
    ],
)
def test_refuses(content: Any, pointer: str, reason: str) -> None:
    errors = refusal(content)

    assert reason in errors[pointer]
    assert len(errors) == 1


def test_everything_wrong_is_named_at_once_without_following_errors() -> None:
    content = changed(0, hours=[8, "x", 2], label=None, every=24)
    content["title"] = 3

    assert set(refusal(content)) == {"/title", "/points/0/hours/1", "/points/0/label"}


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    secret = "the-patient-is-afraid"

    errors = refusal(
        changed(
            1,
            key=f"{secret} ",
            anchor=secret,
            instruments=[secret],
            days=[secret, secret, secret],
            at_local=[secret] * 3,
            **{secret: secret},
        )
    )

    assert len(errors) == 10
    assert secret not in str(errors)


def test_a_refusal_names_at_most_a_hundred_things() -> None:
    assert len(refusal(changed(points=[{}] * 60))) == 100


def test_a_refusal_says_in_a_sentence_what_is_wrong() -> None:
    with pytest.raises(ProtocolRefused, match=r"^/title must be a text of 1 to 200 characters$"):
        read(changed(title=None), RECALL_DAYS)


@pytest.mark.parametrize("anchor", ["dose", "first-dose"])
@pytest.mark.parametrize(
    ("unit", "window", "is_refused"),
    [
        pytest.param("hours", [48, 60, 71], True, id="below 72 h"),
        pytest.param("hours", [48, 60, 72], True, id="on 72 h"),
        pytest.param("hours", [48, 60, 73], False, id="above 72 h"),
        pytest.param("days", [1, 2, 3], True, id="on 3 days"),
        pytest.param("days", [1, 2, 4], False, id="above 3 days"),
    ],
)
def test_a_long_recall_is_refused_where_its_window_ends_within_72_hours_of_a_dose(
    anchor: str, unit: str, window: list[int], is_refused: bool
) -> None:
    content = changed(
        0, **{"anchor": anchor, "instruments": ["daily", "bladder"], "hours": None, unit: window}
    )

    if is_refused:
        errors = refusal(content)
        assert list(errors) == ["/points/0/instruments/1"]
        assert "first 72 hours" in errors["/points/0/instruments/1"]
    else:
        assert read(content, RECALL_DAYS).long_recall == {"bladder"}


def test_a_recall_of_seven_days_is_long_and_one_of_six_is_not() -> None:
    protocol = read(
        changed(0, hours=[48, 72, 96], instruments=["six-days", "bladder"]), RECALL_DAYS
    )

    assert protocol.long_recall == {"bladder"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 100) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
points = st.fixed_dictionaries(
    {}, optional={member: json_values for point in DOCUMENT["points"] for member in point}
).flatmap(
    lambda members: st.sampled_from(DOCUMENT["points"]).map(lambda point: {**point, **members})
)


@given(st.lists(points, max_size=3), st.dictionaries(st.sampled_from(list(DOCUMENT)), json_values))
@settings(deadline=None)
def test_whatever_is_sent_is_read_or_refused(
    sent: list[dict[str, Any]], members: dict[str, Any]
) -> None:
    try:
        protocol = read({**DOCUMENT, "points": sent, **members}, RECALL_DAYS)
    except ProtocolRefused as refused:
        errors = refused.errors
    else:
        errors = ()
        assert read(as_dict(protocol), RECALL_DAYS) == protocol

    assert all(pointer == "" or pointer.startswith("/") for pointer, _ in errors)
