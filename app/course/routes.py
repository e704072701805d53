"""Every route of the course, the room, and what comes after."""

from typing import Final

from app.course.aftercare.routes import routes as aftercare
from app.course.courses.routes import routes as courses
from app.course.discharge.routes import routes as discharge
from app.course.eligibility.routes import routes as eligibility
from app.course.exposure.routes import routes as exposure
from app.course.preparation.routes import routes as preparation
from app.course.sessions.routes import routes as sessions
from app.course.side_effects.routes import routes as side_effects
from app.course.vital_signs.routes import routes as vital_signs

ROUTERS: Final = (
    eligibility,
    courses,
    preparation,
    sessions,
    vital_signs,
    side_effects,
    discharge,
    aftercare,
    exposure,
)
