"""What severity raises."""

import pytest

from app.clinical.risk import Level
from app.clinical.side_effects import SEVERITIES, SIDE_EFFECTS, finding


@pytest.mark.parametrize("code", SIDE_EFFECTS)
def test_what_is_severe_is_looked_at_and_what_threatens_a_life_at_once(code: str) -> None:
    found = {severity: finding(code, severity) for severity in SEVERITIES}

    levels = {severity: one and one.level for severity, one in found.items()}
    assert levels == {
        "mild": None,
        "moderate": None,
        "severe": Level.MODERATE,
        "life-threatening": Level.HIGH,
    }


def test_it_says_what_and_that_nobody_asked_about_suicide() -> None:
    found = finding("chest-pain", "severe")

    assert found is not None
    assert (found.reasons, found.assessed) == (("side-effect.chest-pain.severe",), False)
