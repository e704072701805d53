"""The checklist before a dose: what nobody spoke to is unknown, and facts beat ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clinical import instruments
from app.clinical.met import Met
from app.clinical.preparation import Fact, Said, Stands, assess
from app.clinical.protocol import Preparation, PreparationItem, shipped
from app.clinical.protocol.sections import PREPARATION_KINDS

ANSWERS = ("yes", "no", "unknown")


def a_list(kind: str = "asked-patient", *, required: bool = True) -> Preparation:
    item = PreparationItem(key="x", label="X", kind=kind, required=required)  # type: ignore[arg-type]
    return Preparation(items=(item,), reading_within_minutes=60, source="A test", convention=True)


def said(answer: str, by: str = "patient", at: int = 1) -> Said:
    return Said(by=by, at=at, answers={"x": answer})  # type: ignore[arg-type]


def one(*said_: Said, fact: Fact | None = None, kind: str = "asked-patient") -> Stands:
    [found] = assess(a_list(kind), said_, {"x": fact} if fact else {})
    return found


@pytest.mark.parametrize(
    ("answer", "met"), [("yes", Met.MET), ("no", Met.NOT_MET), ("unknown", Met.UNKNOWN)]
)
def test_an_item_is_what_was_answered(answer: str, met: Met) -> None:
    assert one(said(answer)).met is met


def test_an_item_that_nobody_spoke_to_is_unknown_and_a_gap() -> None:
    found = one()

    assert (found.met, found.by, found.at, found.is_gap) == (Met.UNKNOWN, None, None, True)


def test_what_is_not_required_is_no_gap() -> None:
    [found] = assess(a_list(required=False), [], {})

    assert not found.is_gap


def test_the_last_answer_counts() -> None:
    assert one(said("yes", at=1), said("no", "clinician", at=2)).met is Met.NOT_MET
    assert one(said("no", "clinician", at=1), said("yes", at=2)).met is Met.MET


def test_of_two_of_one_moment_the_clinician_s_counts() -> None:
    assert one(said("no", "clinician"), said("yes")).met is Met.NOT_MET
    assert one(said("yes"), said("no", "clinician")).met is Met.NOT_MET


@pytest.mark.parametrize("kind", [one for one in PREPARATION_KINDS if one != "asked-patient"])
def test_a_patient_s_word_counts_where_patients_are_asked_and_nowhere_else(kind: str) -> None:
    assert one(said("yes"), kind=kind).met is Met.UNKNOWN
    assert one(said("yes", "clinician"), kind=kind).met is Met.MET


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_tick_makes_a_fact_better(answer: str) -> None:
    fact = Fact(met=Met.NOT_MET, at=5, reasons=("alarm-systolic",))

    found = one(said(answer, "clinician", at=9), fact=fact)

    assert (found.met, found.by, found.at) == (Met.NOT_MET, "record", 5)
    assert found.reasons == ("alarm-systolic",)


def test_a_no_makes_a_fact_worse() -> None:
    found = one(said("no", "clinician"), fact=Fact(met=Met.MET, at=5))

    assert (found.met, found.by) == (Met.NOT_MET, "clinician")


@pytest.mark.parametrize("answer", ["yes", "unknown"])
def test_a_fact_that_is_met_stands_by_itself(answer: str) -> None:
    assert one(fact=Fact(met=Met.MET, at=5)).by == "record"
    assert one(said(answer), fact=Fact(met=Met.MET, at=5)).met is Met.MET


def test_where_the_record_does_not_know_people_say() -> None:
    fact = Fact(met=Met.UNKNOWN, at=None, reasons=("not-answered",))

    assert one(fact=fact).reasons == ("not-answered",)
    assert one(said("yes", "clinician"), fact=fact).met is Met.MET


@given(
    st.lists(
        st.builds(
            said, st.sampled_from(ANSWERS), st.sampled_from(["patient", "clinician"]), st.integers()
        )
    ),
    st.none() | st.builds(Fact, met=st.sampled_from(Met), at=st.none()),
)
def test_nothing_is_met_unless_somebody_or_the_record_says_so(
    answers: list[Said], fact: Fact | None
) -> None:
    found = one(*answers, fact=fact)

    says_so = any(one.answers["x"] == "yes" for one in answers) or (
        fact is not None and fact.met is Met.MET
    )
    assert found.met is not Met.MET or says_so


def test_every_item_of_the_shipped_list_is_told_in_its_order() -> None:
    days = {one.key: one.recall.days for one in instruments.shipped()}
    preparation = shipped(days).sections.preparation

    found = assess(preparation, [], {})

    assert [one.item for one in found] == list(preparation.items)


def test_a_patient_s_tick_is_no_screen_that_the_record_does_not_have() -> None:
    fact = Fact(met=Met.UNKNOWN, at=None, reasons=("not-answered",))

    assert one(said("yes", by="patient"), fact=fact).met is Met.UNKNOWN
    assert one(said("no", by="patient"), fact=fact).met is Met.NOT_MET
