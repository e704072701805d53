"""The checklist before a dose: what is met, what is not, and what nobody knows.

An item that nobody spoke to is unknown, never met. What was measured or is on record is a fact, and
no tick makes it better: a blood pressure that reaches an alarm stays a gap, whoever calls it met.
All of this is our convention. It warns, and lets nobody in and keeps nobody out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.clinical.met import Met
from app.clinical.protocol import Preparation, PreparationItem

By = Literal["patient", "clinician"]


_SAYS = {"yes": Met.MET, "no": Met.NOT_MET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person answered, by item: yes, no or unknown. at: microseconds since 1970."""

    by: By
    at: int
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is measured or on record about an item. reasons: codes of what speaks against it."""

    met: Met
    at: int | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """How it is with one item, and by whose word: `record` is a fact's. at: when it was said."""

    item: PreparationItem
    met: Met
    by: By | Literal["record"] | None
    at: int | None
    reasons: tuple[str, ...]

    @property
    def is_gap(self) -> bool:
        """Whether it is required and not met, or not known."""
        return self.item.required and self.met is not Met.MET


def assess(
    preparation: Preparation, said: Iterable[Said], facts: Mapping[str, Fact]
) -> tuple[Stands, ...]:
    """Every item, in the protocol's order.

    Of several answers the last one counts, and of two of one moment the clinician's. A patient's
    counts where the protocol asks patients; but not a yes to what the record does not know: a
    screen that nobody answered is not made up for by its patient's tick. facts: by item.
    """
    in_order = sorted(said, key=lambda one: (one.at, one.by == "clinician"))
    return tuple(_one(item, in_order, facts.get(item.key)) for item in preparation.items)


def _one(item: PreparationItem, in_order: Sequence[Said], fact: Fact | None) -> Stands:
    last = None
    for one in in_order:
        said = one.answers.get(item.key)
        is_asked = one.by == "clinician" or (
            item.kind == "asked-patient" and (fact is None or said != "yes")
        )
        if is_asked and said is not None:
            last = one
    answer = _SAYS.get(last.answers[item.key], Met.UNKNOWN) if last else Met.UNKNOWN
    reasons = fact.reasons if fact else ()
    is_fact_s = fact is not None and (
        fact.met is Met.NOT_MET or (fact.met is Met.MET and answer is not Met.NOT_MET)
    )
    if fact is not None and is_fact_s:
        return Stands(item=item, met=fact.met, by="record", at=fact.at, reasons=reasons)
    return Stands(
        item=item,
        met=answer,
        by=last.by if last else None,
        at=last.at if last else None,
        reasons=reasons,
    )
