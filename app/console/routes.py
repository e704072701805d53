"""All pages, and the files beside them."""

from fastapi import APIRouter

from app.console import (
    account,
    caseload,
    charts,
    clinic,
    door,
    escalation,
    flags,
    goals,
    integration,
    outcomes,
    pages,
    patient,
    people,
    practices,
    second_factor,
    sign_in,
    story,
    summary,
    texts,
    trajectories,
)
from app.console.treatment import course, one_visit, readings, screening, visits
from app.kernel.edge import Public, Reply, Route
from app.kernel.errors import not_found
from app.kernel.outbound import Network
from app.safety.stream import Hub

__all__ = ["console", "problem_response"]

problem_response = door.problem_response
_FOR_EVER = "public, max-age=31536000, immutable"


def console(hub: Hub, *, sends_mail: bool, allow: frozenset[Network]) -> APIRouter:
    """The pages. hub: of the live inbox. sends_mail, allow: as for `account.Mail`."""
    every = APIRouter(route_class=Route, include_in_schema=False, tags=["console"])

    @every.get("/console/static/{name}", response_model=None, include_in_schema=False)
    def static_file(visit: Public, name: str) -> Reply:
        """A style sheet, a script or a picture, under a name made of its content."""
        file = pages.static_files().get(name)
        if file is None:
            raise not_found()
        headers = {"Cache-Control": _FOR_EVER}
        return Reply(file.content, headers=headers, media_type=file.media_type)

    for one in (
        sign_in.routes,
        caseload.routes,
        flags.live(hub),  # before the route of one flag, which would take its address
        flags.routes,
        summary.routes,
        trajectories.routes,
        charts.routes,
        outcomes.routes,
        patient.routes,
        visits.routes,
        one_visit.routes,
        readings.routes,
        course.routes,
        screening.routes,
        story.routes,
        goals.routes,
        practices.routes,
        integration.routes,
        clinic.routes,
        escalation.routes,
        texts.routes,
        second_factor.routes,
        people.routes,
        account.account_pages(account.Mail(sends_mail, allow)),
    ):
        every.routes.extend(one.routes)
    return every
