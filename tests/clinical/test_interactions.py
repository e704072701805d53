"""A list of medicines, as people write them, and what in it interacts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.eligibility import Medication, classes, not_recognised, warnings
from app.clinical.eligibility.interactions import parse
from app.clinical.instruments import DefinitionRefused

law = settings(deadline=None)


def found(name: str, rxnorm: str | None = None) -> set[tuple[str, str]]:
    return {(one.drug_class, one.drug) for one in warnings([Medication(name, rxnorm)])}


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        ("lorazepam", "lorazepam"),
        ("LORAZEPAM 1 mg", "lorazepam"),
        ("lorazepam1mg", "lorazepam"),
        ("1 x Lorazepam, nachts", "lorazepam"),
        ("lorazépam", "lorazepam"),
        ("lor\u00adazepam", "lorazepam"),
        ("ｌｏｒａｚｅｐａｍ", "lorazepam"),
        ("lorazepa\u0301m", "lorazepam"),
        ("LORAZEPAM\u200b", "lorazepam"),
        ("DİAZEPAM", "diazepam"),
        ("(codeine/paracetamol)", "codeine"),
        ("Co-Codamol 8/500", "codeine"),
        ("morphine sulfate", "morphine"),
        ("OxyContin", "oxycodone"),
        ("Klonopin", "clonazepam"),
        ("some benzos now and then", "benzodiazepine"),
        ("sodium  oxybate", "sodium oxybate"),
    ],
)
def test_a_depressant_is_found_however_it_is_written(name: str, drug: str) -> None:
    assert ("cns-depressants", drug) in found(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "42",
        "apomorphine",
        "nalmefene",
        "dextromethorphan",
        "sodium chloride",
        "oxybate of sodium",
        "modafinilish",
        "benzoyl peroxide",
        "non-alcoholicx",
        "paracetamol",
        "nordiazepamol",
        "codeinex",
    ],
)
def test_a_part_of_a_word_is_no_drug(name: str) -> None:
    assert found(name) == set()


@pytest.mark.parametrize(
    ("name", "drug_class"),
    [
        ("Adderall XR", "psychostimulants"),
        ("Methylphenidat", "psychostimulants"),
        ("armodafinil", "psychostimulants"),
        ("Nardil", "maois"),
        ("MAO inhibitor", "maois"),
        ("Lamotrigine", "may-blunt"),
        ("Theophylline 200 mg", "seizure-threshold"),
        ("Aminophyllin", "seizure-threshold"),
        ("argipressin", "sympathomimetics"),
        ("Pseudoephedrine (nasal)", "sympathomimetics"),
        ("L-Thyroxin 75", "thyroid-hormones"),
        ("Promethazine", "cns-depressants"),
        ("ATIVAN", "cns-depressants"),
        ("Concerta XL", "psychostimulants"),
    ],
)
def test_each_class_is_found(name: str, drug_class: str) -> None:
    assert drug_class in {group for group, _ in found(name)}


def test_a_modafinil_is_not_an_armodafinil() -> None:
    assert found("modafinil") == {("psychostimulants", "modafinil")}


def test_a_code_finds_a_drug_whatever_is_written_beside_it() -> None:
    [told] = warnings([Medication("as needed", "6901")])

    assert (told.drug_class, told.drug, told.matched_by) == (
        "psychostimulants",
        "methylphenidate",
        "code",
    )
    assert found("as needed", "06901") == found("as needed", "") == set()


def test_a_name_is_found_beside_an_unknown_code() -> None:
    [told] = warnings([Medication("methylphenidate", "1")])

    assert told.matched_by == "name"


def test_a_benzodiazepine_is_in_two_classes_and_the_doubtful_one_says_so() -> None:
    told = warnings([Medication("aspirin"), Medication("diazepam")])

    assert [(one.place, one.drug_class, one.verified) for one in told] == [
        (1, "cns-depressants", True),
        (1, "may-blunt", False),
    ]
    assert all(one.reason and one.source for one in told)


def test_desmopressin_is_no_vasopressin() -> None:
    assert found("desmopressin") == set()


def test_what_the_catalogue_does_not_know_is_told_by_its_place() -> None:
    listed = [Medication("Zebrafin"), Medication("diazepam"), Medication("x", "3322")]

    assert not_recognised(listed) == [0]


@given(st.lists(st.text(max_size=20), max_size=5))
@law
def test_every_entry_is_warned_of_or_not_recognised(names: list[str]) -> None:
    listed = [Medication(name) for name in names]

    warned = {one.place for one in warnings(listed)}

    assert warned ^ set(not_recognised(listed)) == set(range(len(names)))


def test_whatever_blunts_as_a_benzodiazepine_also_depresses() -> None:
    drugs = {group.key: {drug.name for drug in group.drugs} for group in classes()}

    assert drugs["may-blunt"] - {"lamotrigine"} < drugs["cns-depressants"]


def test_one_code_names_one_drug() -> None:
    coded = {(drug.rxnorm, drug.name) for group in classes() for drug in group.drugs}
    codes = [code for code, _ in coded if code is not None]

    assert len(codes) == len(set(codes))


@given(st.text(max_size=60))
@law
def test_whatever_is_written_is_read(name: str) -> None:
    assert all(one.place == 0 for one in warnings([Medication(name)]))


@given(st.sampled_from([drug.name for group in classes() for drug in group.drugs]), st.text())
@law
def test_a_whole_name_is_found_whatever_stands_around_it(name: str, around: str) -> None:
    drugs = {drug for _, drug in found(f"{around} {name.upper()} {around}")}

    assert name in drugs


CLASS = """
[[classes]]
key = "moon"
label = "Moon"
effect = "Shines"
source = "Us"
verified = false
"""
DRUG = """
[[classes.drugs]]
name = "lunar"
rxnorm = "1"
"""


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (CLASS, "drugs"),
        (CLASS + DRUG * 2, "name"),
        (CLASS + DRUG + DRUG.replace("lunar", "solar"), "rxnorm"),
        (CLASS + DRUG.replace("lunar", "42"), "name"),
        (CLASS + DRUG.replace('"1"', '"N1"'), "rxnorm"),
        (CLASS + DRUG + 'also = ["?"]', "also"),
        (CLASS + DRUG + "dose = 1", "dose"),
        ((CLASS + DRUG) * 2, "key"),
        (CLASS.replace("effect", "affect") + DRUG, "effect"),
    ],
)
def test_a_catalogue_is_read_strictly(text: str, key: str) -> None:
    with pytest.raises(DefinitionRefused, match=rf"^ours\.toml.*{key}"):
        parse(text, "ours.toml")


def test_a_catalogue_of_ones_own_is_read() -> None:
    [group] = parse(CLASS + DRUG + 'also = ["selenic"]', "ours.toml")

    assert [drug.names for drug in group.drugs] == [("lunar", "selenic")]
