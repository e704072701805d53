"""Courses."""

from typing import Final

from app.course.courses.service import COURSES
from app.journal.routes import Named, entry_routes
from app.kernel.edge import router

routes: Final = router("course")

entry_routes(
    routes,
    COURSES,
    Named(
        "courses",
        "course",
        "plan",
        creating="Plan a course. A patient has one at a time that has not ended.",
        listing="The patient's courses, newest first.",
        amending="Change a plan, or move the course to another status, if it can go there.",
    ),
)
