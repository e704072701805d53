"""Definitions from outside: whatever is uploaded is read or refused, and soon."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.clinical.instruments import (
    DefinitionRefused,
    Instrument,
    parse,
    parse_uploaded,
    shipped,
)
from app.clinical.instruments.locator import TooDeep, locate
from tests.clinical.definitions import DEFINITION
from tests.clinical.test_instruments import PACKAGE

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Of this thread's own work, on slow machines too; what else the machine does is not counted.
# What takes time in proportion to the square of 64 KiB takes longer.
SOON_SECONDS = 2.0

SHIPPED = sorted((PACKAGE / "instruments").glob("*.toml"))
FRAGMENTS = [
    *("[", "]", "{", "}", "[[", "]]", '"', '"""', "'", "'''", "=", ".", ",", "#", "\n", "\\", " "),
    *("1e400", "nan", "-inf", "9" * 30, "0x1F", "true", "2026-11-22", "\x00", "\u202e", "\ud800"),
    *("key", "[total]", "[[items]]", "[translations.de]", "low = 3", 'levels = { 1 = "high" }'),
]


def read_or_refuse(toml_text: str) -> Instrument | DefinitionRefused:
    started = time.thread_time()
    try:
        return parse(toml_text, "sent.toml")
    except DefinitionRefused as refused:
        return refused
    finally:
        assert time.thread_time() - started < SOON_SECONDS


@law
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(toml_text: str) -> None:
    assert isinstance(read_or_refuse(toml_text), DefinitionRefused)


@law
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_pieces_of_toml_are_read_or_refused(toml_text: str) -> None:
    assert isinstance(read_or_refuse(toml_text), DefinitionRefused)


@law
@given(
    st.sampled_from([DEFINITION, *[path.read_text(encoding="utf-8") for path in SHIPPED]]),
    st.integers(0, 10_000),
    st.integers(0, 20),
    st.sampled_from(["", *FRAGMENTS]),
)
def test_a_definition_with_a_slip_in_it_is_read_or_refused(
    whole: str, at: int, length: int, piece: str
) -> None:
    at %= len(whole)

    result = read_or_refuse(whole[:at] + piece + whole[at + length :])

    if isinstance(result, DefinitionRefused):
        assert str(result).startswith("sent.toml")
        assert result.reason
        assert result.line is None or 1 <= result.line <= whole.count("\n") + 3


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_file_that_lacks_any_line_is_read_or_refused(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    some = random.Random(path.stem).sample(range(len(lines)), 12)

    for number in some:
        read_or_refuse("".join(lines[:number] + lines[number + 1 :]))


# Each is as large as is allowed, and was or could be slow in a naive reader.
@pytest.mark.parametrize(
    "part",
    [
        *('"""\\', "'''", '"\\', '"', "'", "[", "{", "[[", "a.", "a=[", "a={", "#", "\n", "\\"),
        *("a=1\n", "[a]\n", "[[a]]\n", "[[a]]\nb=1\n", "a=[1,", '"a".', "[a.", "1_", "=", " = "),
        *("x=[[1],", "[a.b.c.d]\n", "\r", "\x0b", "é", '"""\n', '"\\u0041'),
    ],
    ids=range(31),
)
def test_a_monotonous_upload_of_full_size_is_refused_soon(part: str) -> None:
    size = 64 * 1024 // len(part.encode())
    for toml_text in (part * size, DEFINITION[:500] + part * ((64 * 1024 - 600) // len(part))):
        assert isinstance(read_or_refuse(toml_text), DefinitionRefused)


def test_many_tables_are_read_soon() -> None:
    numbered = "".join(f"[t{n}]\na = {n}\n" for n in range(3_000))

    assert isinstance(read_or_refuse(DEFINITION + numbered), DefinitionRefused)


def test_a_clinic_s_own_questionnaire_is_read() -> None:
    assert parse_uploaded(DEFINITION, "two-items.toml").key == "two-items"
    assert parse_uploaded(DEFINITION, "two-items.toml").suicide_item is not None


@pytest.mark.parametrize("key", [instrument.key for instrument in shipped()])
def test_a_clinic_s_own_may_not_take_the_key_of_a_shipped_one(key: str) -> None:
    taken = DEFINITION.replace('key = "two-items"', f'key = "{key}"')

    with pytest.raises(DefinitionRefused) as refused:
        parse_uploaded(taken, "own.toml")

    assert (refused.value.line, refused.value.key) == (2, "key")
    assert refused.value.reason == "is the key of a questionnaire that comes with Afterglow"


def test_the_reserved_keys_may_be_named() -> None:
    with pytest.raises(DefinitionRefused):
        parse_uploaded(DEFINITION, "own.toml", {"two-items"})
    assert parse_uploaded(DEFINITION.replace("two-items", "phq-9"), "own.toml", ()).key == "phq-9"


def test_every_kind_of_place_has_its_line() -> None:
    lines = locate(
        "# first\n"
        'a = """\n'
        "b = 1\n"
        'still a""""\n'
        "c.d = [ 1,\n"
        "  { e = 'x', f = { g = 2 } }, # note ]\n"
        "]\n"
        "[t.u]\n"
        "v = 2026-11-22 01:02:03\n"
        "[[w]]\n"
        '"x y" = 1.5\n'
        "[[w]]\n"
        "[w.z]\n"
        "k = '''\n"
        "'''\n"
        "l = true\n"
    )

    assert lines == {
        "a": 2,
        "c": 5,
        "c.d": 5,
        "c.d #1": 5,
        "c.d #2": 6,
        "c.d #2.e": 6,
        "c.d #2.f": 6,
        "c.d #2.f.g": 6,
        "t": 8,
        "t.u": 8,
        "t.u.v": 9,
        "w": 10,
        "w #1": 10,
        "w #1.x y": 11,
        "w #2": 12,
        "w #2.z": 13,
        "w #2.z.k": 14,
        "w #2.z.l": 16,
    }


@pytest.mark.parametrize(
    "toml_text", ["[", "[[", "]", "}", "a", "a.", ".", "=", "a = ", "{", "a={b", "[a", '"', "\\"]
)
def test_what_is_cut_short_has_whatever_lines_can_be_told(toml_text: str) -> None:
    assert set(locate(toml_text).values()) <= {1}


def test_nesting_is_bounded_exactly() -> None:
    assert locate("a.b.c.d = 1")
    assert locate("a = [[[[[[1]]]]]]")
    for too_deep in ("a.b.c.d.e = 1", "a = [[[[[[[1]]]]]]]", "a" * 65 + " = 1"):
        with pytest.raises(TooDeep):
            locate(too_deep)
