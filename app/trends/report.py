"""One page for a referrer: the chart of one scale, the doses, the outcomes and what they mean.

The page is to be printed, on A4 or Letter. It holds everything it needs; where no picture can be
had it has the table instead. Its numbers are those of the trajectory, computed nowhere else.
"""

from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup

from app.clinical.instruments import Scale, Threshold
from app.kernel import identity
from app.kernel.db import Db
from app.kernel.edge import Awaited, Reply
from app.kernel.errors import Problem, invalid
from app.kernel.identity import Caller
from app.kernel.pages import HTML, paper_policy, style_sheet
from app.kernel.renderer import Renderer, Undrawable
from app.people.admission import open_contact
from app.people.chart import Chart, Right
from app.people.profile import PROFILE
from app.treatment import service as treatment
from app.trends.assets import FOLDER, TEMPLATES
from app.trends.charts import course
from app.trends.charts.look import Spec, plain
from app.trends.charts.records import Course, Frame
from app.trends.charts.table import Table, of_course
from app.trends.forms import BY_ACCEPT
from app.trends.pictures import course_of, flags_of
from app.trends.schemas.report import ReportBy, ReportDose, ReportOut, ReportOutcome
from app.trends.schemas.trajectory import TrajectoryOut
from app.trends.service import Asked

READ_REPORT: Final = Right("report.read")
PAPER: Final = Frame(width=700)
_VISITS: Final = 200
_DOSES_SHOWN: Final = 10
"""On the page, the newest: it is one page."""
_ROWS_SHOWN: Final = 14

_STYLE: Final = style_sheet(FOLDER / "static" / "report.css")
POLICY: Final = paper_policy(_STYLE)
"""For the Content-Security-Policy of the page."""


class Report(NamedTuple):
    """told: the answer. seen: what its chart is made of."""

    told: ReportOut
    seen: Course

    @property
    def specification(self) -> Spec:
        """The chart, on paper."""
        return course.chart(self.seen, PAPER)


def refuse_words(asked: Asked) -> None:
    """Answers in words have no outcomes. Raises: Problem INVALID."""
    if asked.measured.scale is None:
        raise invalid("query:item", "is answered in words and has no outcomes")


def read_report(
    db: Db, caller: Caller, chart: Chart, asked: Asked, told: bytes, now: datetime
) -> Report:
    """Everything on the page. told: the trajectory, as JSON."""
    trajectory = TrajectoryOut.model_validate_json(told)
    numbers = trajectory.model_dump(mode="json")
    sessions = treatment.list_sessions(db, chart, cursor=None, limit=_VISITS)
    contact = db.one(PROFILE, patient_id=chart.patient_id).contact
    name = str(open_contact(chart.data_key, chart.patient_id, contact)["name"])
    if chart.is_own:
        made_by = ReportBy(role="patient", name=name)
    else:
        standing = identity.require_standing(db, caller)
        sealed = standing.name
        own = identity.member_name(db.vault, caller.clinic_id, caller.membership_id, sealed)
        made_by = ReportBy(role="clinician", name=own)
    scale = asked.measured.scale
    assert scale is not None
    return Report(
        ReportOut(
            made_at=now,
            made_by=made_by,
            patient_id=chart.patient_id,
            patient_name=name,
            time_zone=chart.time_zone,
            clinic_name=chart.clinic.name,
            clinic_phone=chart.clinic.phone,
            trajectory=trajectory,
            doses=[
                ReportDose(
                    number=session.number,
                    drug=given.drug,
                    route=given.route,
                    dose_mg=given.dose_mg,
                    given_at=given.given_at,
                )
                for session in reversed(sessions.dosing_sessions)
                if session.number
                for given in session.administrations
            ],
            outcomes=_outcomes(trajectory, scale),
            limits=trajectory.caveat,
        ),
        course_of(numbers, asked.measured, flags_of(db, chart), chart.time_zone),
    )


def printed(report: Report, renderer: Renderer) -> Awaited:
    """The page, made when the transaction is over; without its picture where there is none."""

    async def make() -> Reply:
        try:
            svg = await renderer.draw(report.specification, "svg")
        except (Problem, Undrawable):
            svg = None
        headers = {**BY_ACCEPT, "Content-Security-Policy": POLICY}
        return Reply(page(report, svg), headers=headers, media_type=HTML)

    return Awaited(make)


def page(report: Report, svg: bytes | None) -> bytes:
    """The page, in UTF-8. svg: its chart; None where it cannot be drawn."""
    told = report.told
    zone = ZoneInfo(told.time_zone)
    rows = [
        (str(one.number), _day(one.given_at, zone), one.drug, one.route, f"{one.dose_mg:g}")
        for one in told.doses
    ]
    doses = Table("Doses", ("No.", "Day", "Drug", "Route", "Milligrams"), rows[-_DOSES_SHOWN:])
    scores = of_course(report.seen)
    rendered = TEMPLATES.get_template(
        "report.html"
    ).render(
        report=told,
        style=_STYLE,
        title=report.seen.title,
        # Made by the process that draws, from words that it escaped.
        chart=None if svg is None else Markup(svg.decode()),  # noqa: S704
        scores=scores._replace(rows=scores.rows[:_ROWS_SHOWN]),
        scores_left_out=max(0, len(scores.rows) - _ROWS_SHOWN),
        doses=doses,
        doses_left_out=max(0, len(rows) - _DOSES_SHOWN),
        made_on=f"{told.made_at.astimezone(zone):%Y-%m-%d %H:%M} ({told.time_zone})",
        sources=told.trajectory.sources,
    )
    return rendered.encode()


def _outcomes(told: TrajectoryOut, scale: Scale) -> list[ReportOutcome]:
    latest, baseline = told.latest, told.baseline
    if latest is None or baseline is None:
        return []
    labels = {one.key: one.label for one in scale.bands}
    rule = {
        "pinned": "the score that a clinician chose",
        "before-first-dose": "the last complete score in the 14 days before the first dose",
        "first-complete": "the first complete score",
    }.get(baseline.rule, baseline.rule)
    percent = "" if latest.percent_change is None else f" ({latest.percent_change:+g} %)"
    found = [
        ReportOutcome(
            key="change",
            label="Change from baseline",
            value=f"{latest.change:+g} points{percent}, {latest.direction}",
            definition=f"Latest complete score, {plain(latest.score)}, minus the baseline,"
            f" {plain(baseline.score)}: {rule}{', provisional' if baseline.provisional else ''}.",
            convention=True,
        )
    ]
    if latest.band is not None:
        found.append(
            ReportOutcome(
                key="band",
                label="Range of the latest score",
                value=labels.get(latest.band, latest.band),
                definition=f"{scale.bands_source or scale.source}.",
                convention=scale.bands_convention,
            )
        )
    for key, label, value, threshold, said in (
        (
            "reliable",
            "Reliable change",
            latest.reliable,
            scale.reliable_change,
            "A change of {} points or more either way, unlikely to be noise.",
        ),
        (
            "response",
            "Response",
            latest.response,
            scale.response_percent,
            "At least {} % better than the baseline.",
        ),
        (
            "remission",
            "Remission",
            latest.remission,
            scale.remission_below,
            "Fewer than {} points.",
        ),
    ):
        if threshold is not None:
            found.append(_judged(key, label, value, threshold, said))
    if latest.doses_in_recall_window:
        found.append(
            ReportOutcome(
                key="recall",
                label="Doses in the time asked about",
                value=str(latest.doses_in_recall_window),
                definition="The latest answers speak of time before and after a dose.",
                convention=False,
            )
        )
    return found


def _judged(
    key: str, label: str, value: bool | None, threshold: Threshold, said: str
) -> ReportOutcome:
    return ReportOutcome(
        key=key,
        label=label,
        value="not assessable" if value is None else "yes" if value else "no",
        definition=f"{said.format(threshold.value)} {threshold.source}.",
        convention=threshold.convention,
    )


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()
