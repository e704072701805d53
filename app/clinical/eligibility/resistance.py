"""What was tried before, and how many adequate trials of it failed.

Kept so that outcomes can be told apart by it, not to decide who is treated: there is no agreed
stage at which ketamine is right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Source: CHMP, Guideline on clinical investigation of medicinal products in the treatment of
# depression, EMA/CHMP/185423/2010 Rev. 2 (2013); the esketamine label uses the same number.
RESISTANT_FROM: Final = 2

# Source: ours. What an adequate time is differs between definitions (Sforzini et al. 2022, Mol
# Psychiatry 27:1286-1299, who agree on the number of two).
ADEQUATE_WEEKS: Final = 4

DEFINITION: Final = (
    "At least two antidepressants, each at an adequate dose for an adequate time, did not help"
    " enough (EMA/CHMP/185423/2010 Rev. 2). Counted here: different drugs, at a dose that the"
    " clinician called adequate, for 4 weeks or more, without response or with a partial one."
)

# Groups in which outcomes are told apart. Source: ours. Between 1 and 2 lies the regulators'
# definition; from the third step on fewer remitted in STAR*D: 36.8, 30.6, 13.7 and 13.0 percent in
# steps one to four (Rush et al. 2006, Am J Psychiatry 163:1905-1917).
STRATA: Final[tuple[tuple[str, int], ...]] = (("5+", 5), ("3-4", 3), ("2", 2), ("0-1", 0))


class TrialOutcome(StrEnum):
    """What came of an earlier treatment."""

    NO_RESPONSE = "no-response"
    PARTIAL_RESPONSE = "partial-response"
    RESPONSE = "response"
    REMISSION = "remission"
    NOT_TOLERATED = "not-tolerated"
    UNKNOWN = "unknown"


_FAILED: Final = frozenset({TrialOutcome.NO_RESPONSE, TrialOutcome.PARTIAL_RESPONSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One earlier treatment. dose_adequate, weeks: None where nobody knows any more."""

    drug: str
    drug_class: str | None = None
    dose_adequate: bool | None
    weeks: float | None
    outcome: TrialOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the trials come to.

    failed: different drugs with a failed adequate trial.
    undecided: further drugs that would count if what is unknown about them were so.
    not_tolerated: further drugs that had to be given up; they are no failed adequate trial.
    is_resistant: by DEFINITION; None where it hangs on the undecided.
    stratum: of `failed`; stratum_is_certain: the undecided cannot move it.
    """

    failed: int
    undecided: int
    not_tolerated: int
    is_resistant: bool | None
    stratum: str
    stratum_is_certain: bool


def history(trials: Iterable[Trial]) -> History:
    """How many adequate trials failed. A drug counts once, however often it was tried."""
    failed: set[str] = set()
    undecided: set[str] = set()
    not_tolerated: set[str] = set()
    for trial in trials:
        name = " ".join(trial.drug.casefold().split())
        if trial.outcome is TrialOutcome.NOT_TOLERATED:
            not_tolerated.add(name)
        counts = _counts(trial)
        if counts:
            failed.add(name)
        elif counts is None:
            undecided.add(name)
    undecided -= failed
    most = len(failed) + len(undecided)
    is_resistant = None
    if len(failed) >= RESISTANT_FROM or most < RESISTANT_FROM:
        is_resistant = len(failed) >= RESISTANT_FROM
    return History(
        failed=len(failed),
        undecided=len(undecided),
        not_tolerated=len(not_tolerated - failed - undecided),
        is_resistant=is_resistant,
        stratum=_stratum(len(failed)),
        stratum_is_certain=_stratum(len(failed)) == _stratum(most),
    )


def _counts(trial: Trial) -> bool | None:
    """Whether this was a failed adequate trial; None where that is not known."""
    parts = (
        trial.dose_adequate,
        None if trial.weeks is None else trial.weeks >= ADEQUATE_WEEKS,
        None if trial.outcome is TrialOutcome.UNKNOWN else trial.outcome in _FAILED,
    )
    if False in parts:
        return False
    return None if None in parts else True


def _stratum(failed: int) -> str:
    return next(name for name, least in STRATA if failed >= least)
