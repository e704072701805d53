"""One page for a referrer: the chart of one scale, the doses, the outcomes and what they mean.

The page is to be printed, on A4 or Letter. It holds everything it needs; where no picture can be
had it has the table instead. Its numbers are those of the trajectory, computed nowhere else.
"""

import json
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup

from app.kernel import identity
from app.kernel.db import Db
from app.kernel.edge import Awaited, Reply
from app.kernel.errors import Problem, invalid
from app.kernel.identity import Caller
from app.kernel.pages import HTML, paper_policy, style_sheet
from app.kernel.renderer import Renderer, Undrawable
from app.people.admission import open_contact
from app.people.chart import Chart, Right
from app.people.profile import PROFILE, initials
from app.treatment import listing
from app.trends.assets import FOLDER, TEMPLATES
from app.trends.charts import course
from app.trends.charts.look import Spec
from app.trends.charts.records import Course, Frame
from app.trends.charts.table import Table, of_course
from app.trends.doses import read_doses
from app.trends.findings import findings, lasted
from app.trends.forms import BY_ACCEPT
from app.trends.gathered import followed_by
from app.trends.pictures import course_of, flags_of
from app.trends.schemas.doses import DoseAlignmentOut, WearOffOut
from app.trends.schemas.report import ReportBy, ReportDose, ReportOut
from app.trends.schemas.trajectory import TrajectoryOut
from app.trends.service import Asked, ask_trajectory, read_trajectory
from app.trends.together import read_kept

READ_REPORT: Final = Right("report.read")
PAPER: Final = Frame(width=700, is_bare=True)
_VISITS: Final = 200
_DOSES_SHOWN: Final = 8
"""On the page, the newest: it is one page."""
_ROWS_SHOWN: Final = 10

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


def read_report(
    db: Db, caller: Caller, chart: Chart, instrument: str | None, item: str | None, now: datetime
) -> Report:
    """Everything on the page.

    instrument: None for what this patient is followed by. item: as for a trajectory.
    Raises: Problem NOT_FOUND, INVALID, also for what is answered in words and has no outcomes.
    """
    key = instrument or followed_by(db, chart.patient_id)
    asked = ask_trajectory(db, chart.patient_id, key, item_key=item, since=None, until=None)
    measured = asked.measured
    if measured.scale is None:
        raise invalid("query:item", "is answered in words and has no outcomes")
    told = read_trajectory(chart, asked, now)
    trajectory = TrajectoryOut.model_validate_json(told)
    worn_off = _worn_off(chart, asked, now)
    kept = read_kept(db, chart, key, now)
    sessions = listing.read_sessions(db, chart, cursor=None, limit=_VISITS, now=now)
    contact = db.one(PROFILE, patient_id=chart.patient_id).contact
    name = str(open_contact(chart.data_key, chart.patient_id, contact)["name"])
    return Report(
        ReportOut(
            made_at=now,
            made_by=_made_by(db, caller, chart, name),
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
                    wear_off=worn_off.get(session.number),
                )
                for session in reversed(sessions.dosing_sessions)
                if session.number
                for given in session.administrations
            ],
            outcomes=findings(
                trajectory,
                measured.instrument,
                measured.scale,
                list(worn_off.values()),
                kept,
                ZoneInfo(chart.time_zone),
            ),
            asked=kept,
            limits=trajectory.caveat,
        ),
        course_of(json.loads(told), measured, flags_of(db, chart), chart.time_zone),
    )


def _worn_off(chart: Chart, asked: Asked, now: datetime) -> dict[int, WearOffOut]:
    """How long the gain of each dose lasted, by its number."""
    aligned = DoseAlignmentOut.model_validate_json(read_doses(chart, asked, now))
    return {dose.number: dose.wear_off for dose in aligned.doses}


def _made_by(db: Db, caller: Caller, chart: Chart, patient_name: str) -> ReportBy:
    if chart.is_own:
        return ReportBy(role="patient", name=patient_name)
    sealed = identity.require_standing(db, caller).name
    own = identity.member_name(db.vault, caller.clinic_id, caller.membership_id, sealed)
    return ReportBy(role="clinician", name=own)


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
        (
            str(one.number),
            _day(one.given_at, zone),
            one.drug,
            one.route,
            f"{one.dose_mg:g}",
            lasted(one.wear_off),
        )
        for one in told.doses
    ]
    columns = ("No.", "Day", "Drug", "Route", "Milligrams", "Half of the gain gone after")
    doses = Table("Doses", columns, rows[-_DOSES_SHOWN:])
    scores = of_course(report.seen)
    rendered = TEMPLATES.get_template(
        "report.html"
    ).render(
        report=told,
        initials=initials(told.patient_name),
        style=_STYLE,
        title=report.seen.title,
        # Made by the process that draws, from words that it escaped.
        chart=None if svg is None else Markup(svg.decode()),  # noqa: S704
        under=course.under(report.seen),
        notes=course.notes(report.seen),
        scores=scores._replace(rows=scores.rows[:_ROWS_SHOWN]),
        scores_left_out=max(0, len(scores.rows) - _ROWS_SHOWN),
        doses=doses,
        doses_left_out=max(0, len(rows) - _DOSES_SHOWN),
        made_on=f"{told.made_at.astimezone(zone):%Y-%m-%d %H:%M} ({told.time_zone})",
        sources=told.trajectory.sources,
    )
    return rendered.encode()


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()
