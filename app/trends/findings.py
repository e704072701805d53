"""What a report says of one scale: each outcome in words, with its definition and its source."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.clinical import change, sudden_gains, wear_off
from app.clinical.instruments import Instrument, Scale, Threshold
from app.trends import service, together
from app.trends.charts.look import counted, plain
from app.trends.schemas.doses import WearOffOut
from app.trends.schemas.report import ReportOutcome
from app.trends.schemas.together import KeptOut
from app.trends.schemas.trajectory import (
    BaselineOut,
    MissingOut,
    OutcomeOut,
    ResponseOut,
    SuddenChangesOut,
    TrajectoryOut,
)

_RULES: Final = {
    "pinned": "the score that a clinician chose",
    "before-first-dose": "the last complete score in the 14 days before the first dose",
    "earlier-before-first-dose": "the last complete score before the first dose, from more than 14"
    " days before it",
    "first-complete": "the first complete score there is to go by",
}
_STATES: Final = {
    "no-dose": "no dose yet",
    "never": "none yet",
    "responding": "responding",
    "unconfirmed": "no response",
    "lost": "lost",
}
_LOST_BY: Final = {
    "two-assessments": "by answers in a row without one",
    "rise-from-best": "by a rise from the best score",
}
_SUDDEN_TOLD: Final = 3
_WHY_NOT: Final = {
    "no-score": "no score",
    "no-gain": "no gain",
    "no-reliable-gain": "no gain beyond measurement error",
    "no-baseline": "no baseline",
}
_UNTIL: Final = {
    "next-dose": "the next dose",
    "gap": "a pause of more than 30 days",
    "last-score": "the last score",
}


def findings(
    told: TrajectoryOut,
    instrument: Instrument,
    scale: Scale,
    worn_off: Sequence[WearOffOut],
    kept: KeptOut,
    zone: ZoneInfo,
) -> list[ReportOutcome]:
    """Every outcome there is on this scale; whatever is not published for it is left out.

    worn_off: by dose. zone: whose days they are.
    """
    found: list[ReportOutcome] = []
    if told.latest is not None and told.baseline is not None:
        found += [
            *_ideation(told.latest, instrument),
            _change(told.latest, told.baseline),
            *_band(told.latest, scale),
            *_judged(told.latest, scale),
            *_course(told.response, scale, zone),
            *_sudden(told.sudden_changes, scale, zone),
            *_wear_off(worn_off),
            *_recall(told.latest),
        ]
    return [*found, _completeness(kept, told.missing)] if told.points.score else found


def lasted(off: WearOffOut | None) -> str:
    """How long the gain of a dose lasted, in words for a cell."""
    if off is None:
        return ""
    if off.days is None:
        return _WHY_NOT.get(off.why, off.why)
    if not off.is_censored:
        return f"{off.days:.1f} days"
    if off.days == 0:
        return "nothing known after the best score"
    return f"over {off.days:.1f} days, to {_UNTIL.get(off.why, off.why)}"


def _change(latest: OutcomeOut, baseline: BaselineOut) -> ReportOutcome:
    percent = "" if latest.percent_change is None else f" ({latest.percent_change:+g} %)"
    rule = _RULES.get(baseline.rule, baseline.rule)
    return ReportOutcome(
        key="change",
        label="Change from baseline",
        value=f"{latest.change:+g} points{percent}, {latest.direction}",
        definition=f"Latest complete score, {plain(latest.score)}, minus the baseline,"
        f" {plain(baseline.score)}: {rule}{', provisional' if baseline.provisional else ''}.",
        convention=True,
    )


def _ideation(latest: OutcomeOut, instrument: Instrument) -> Iterator[ReportOutcome]:
    """First of all, and part of nothing that follows."""
    if latest.ideation is None:
        return
    answer = latest.ideation.answer
    options = instrument.item(latest.ideation.item).options
    said = next((one.label for one in options if one.value == answer), "")
    if answer is None:
        value = "not answered"
    else:
        value = "reported" if latest.ideation.reported else "not reported"
        value += f": {answer} of {latest.ideation.maximum}{f', {said.lower()}' if said else ''}"
    yield ReportOutcome(
        key="ideation",
        label="Suicidal thoughts in the same answers",
        value=value,
        definition="One question, as answered with the latest score. It is no part of the outcomes"
        " below, and says nothing about now; an answer of 0 does not reassure.",
        convention=False,
    )


def _band(latest: OutcomeOut, scale: Scale) -> Iterator[ReportOutcome]:
    if latest.band is not None:
        labels = {one.key: one.label for one in scale.bands}
        yield ReportOutcome(
            key="band",
            label="Range of the latest score",
            value=labels.get(latest.band, latest.band),
            definition=f"{scale.bands_source or scale.source}.",
            convention=scale.bands_convention,
        )


def _judged(latest: OutcomeOut, scale: Scale) -> Iterator[ReportOutcome]:
    """What the latest score is, by each rule that this scale has."""
    reliable, response, remission = (
        scale.reliable_change,
        scale.response_percent,
        scale.remission_below,
    )
    if reliable is not None:
        least = plain(reliable.value)
        said = f"A change of {least} points or more either way, unlikely to be noise."
        yield _yes_or_no("reliable", "Reliable change", latest.reliable, said, reliable)
    if response is not None:
        said = f"At least {plain(response.value)} % better than the baseline."
        yield _yes_or_no("response", "Response", latest.response, said, response)
        yield ReportOutcome(
            key="partial-response",
            label="Partial response",
            value=_said(latest.partial_response),
            definition=f"At least {change.PARTIAL_PERCENT} % better, and no response.",
            convention=True,
        )
    if remission is not None:
        # A total in remission may have a suicide item above zero in it.
        said = (
            f"Fewer than {plain(remission.value)} points. Says nothing of suicidal thoughts, which"
            " stand by themselves."
        )
        found = _yes_or_no("remission", "Remission", latest.remission, said, remission)
        if latest.remission and latest.ideation is not None and latest.ideation.reported:
            value = "yes, by points alone: suicidal thoughts were reported"
            found = found.model_copy(update={"value": value})
        yield found
    if reliable is not None and scale.caseness is not None:
        case = scale.caseness
        said = f"A reliable improvement from {plain(case.value)} points or more to below."
        yield _yes_or_no(
            "reliable-recovery", "Reliable recovery", latest.reliable_recovery, said, case
        )


def _course(course: ResponseOut | None, scale: Scale, zone: ZoneInfo) -> Iterator[ReportOutcome]:
    if course is None or scale.response_percent is None:
        return
    value = _STATES.get(course.state, "not assessable")
    if course.unconfirmed_since is not None:
        value += f" since {_day(course.unconfirmed_since, zone)}, loss not established"
    about = "Days from the first dose"
    if course.responded_at is not None and course.days_to_response is not None:
        value += f"; first on {_day(course.responded_at, zone)}, day {course.days_to_response:.0f}"
        if course.straddles_first_dose:
            about += ", and those answers also speak of before it"
    if course.lost_at is not None and course.lost_rule is not None:
        value += f"; first lost on {_day(course.lost_at, zone)}"
        about += f"; lost {_LOST_BY.get(course.lost_rule, course.lost_rule)}"
    yield ReportOutcome(
        key="response-course",
        label="Course of the response",
        value=value,
        definition=f"{about}. {change.CONVENTIONS[1]}.",
        convention=True,
    )


def _sudden(
    found: SuddenChangesOut | None, scale: Scale, zone: ZoneInfo
) -> Iterator[ReportOutcome]:
    if found is None or scale.reliable_change is None:
        return
    told = [
        f"{one.kind} of {plain(abs(one.points))} by {_day(one.after_at, zone)}"
        for one in found.changes
    ]
    if found.assessed == 0:
        value = "not assessable"
    else:
        value = ", ".join(told[-_SUDDEN_TOLD:]) or "none"
        if len(told) > _SUDDEN_TOLD:
            value += f" and {len(told) - _SUDDEN_TOLD} earlier"
    yield ReportOutcome(
        key="sudden-changes",
        label="Sudden gains and losses",
        value=value,
        definition=f"{found.assessed} of {found.assessed + found.not_assessable} steps could be"
        f" judged. {sudden_gains.SOURCE}. The smallest size and the most days in between are our"
        " convention.",
        convention=False,
    )


def _wear_off(worn_off: Sequence[WearOffOut]) -> Iterator[ReportOutcome]:
    if not worn_off:
        return
    gone = [one.days for one in worn_off if one.days is not None and not one.is_censored]
    censored = sum(one.is_censored for one in worn_off)
    parts = []
    if gone:
        days = f"{min(gone):.1f}" if len(gone) == 1 else f"{min(gone):.1f} to {max(gone):.1f}"
        parts.append(f"half gone after {days} days ({counted(len(gone), 'dose')})")
    if censored:
        parts.append(f"not seen to its end ({counted(censored, 'dose')})")
    if unknown := len(worn_off) - len(gone) - censored:
        noise = sum(one.why == "no-reliable-gain" for one in worn_off)
        if noise:
            parts.append(f"{_WHY_NOT['no-reliable-gain']} ({counted(noise, 'dose')})")
        if unknown > noise:
            parts.append(f"nothing to see ({counted(unknown - noise, 'dose')})")
    yield ReportOutcome(
        key="wear-off",
        label="Wear-off of the doses",
        value="; ".join(parts),
        definition=f"{wear_off.CONVENTIONS[1].removeprefix('Wear-off: ').capitalize()}.",
        convention=True,
    )


def _recall(latest: OutcomeOut) -> Iterator[ReportOutcome]:
    if latest.doses_in_recall_window:
        yield ReportOutcome(
            key="recall",
            label="Doses in the time asked about",
            value=str(latest.doses_in_recall_window),
            definition="The latest answers speak of time before and after a dose.",
            convention=False,
        )


def _completeness(kept: KeptOut, missing: MissingOut) -> ReportOutcome:
    parts = []
    if kept.expected:
        late = f", {kept.late} late" if kept.late else ""
        parts.append(f"{kept.in_time + kept.late} of {kept.expected} asked for{late}")
    if missing.incomplete:
        parts.append(f"{missing.incomplete} incomplete")
    if missing.gaps:
        parts.append(counted(len(missing.gaps), "gap"))
    if missing.days_since_last is not None:
        parts.append(f"last {missing.days_since_last:.0f} days ago")
    return ReportOutcome(
        key="completeness",
        label="Answered",
        value="; ".join(parts),
        definition=f"{together.CONVENTION.partition(':')[0]}. A gap: more than"
        f" {service.GAP_DAYS} days without an answer.",
        convention=True,
    )


def _yes_or_no(
    key: str, label: str, value: bool | None, said: str, threshold: Threshold
) -> ReportOutcome:
    return ReportOutcome(
        key=key,
        label=label,
        value=_said(value),
        definition=f"{said} {threshold.source}.",
        convention=threshold.convention,
    )


def _said(value: bool | None) -> str:
    return "not assessable" if value is None else "yes" if value else "no"


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()
