"""Aftercare, and its receipt."""

from typing import Final

from app.course.aftercare.service import AFTERCARE, RECEIPTS
from app.journal.routes import Named, entry_routes
from app.kernel.edge import router

routes: Final = router("treatment")

entry_routes(
    routes,
    AFTERCARE,
    Named(
        "aftercare",
        "aftercare",
        "give",
        creating="Keep which instructions a patient was given to take home.",
        listing="What the patient was given to take home, newest first.",
        amending="Say otherwise what was given. A receipt names the version it is about.",
    ),
)
entry_routes(
    routes,
    RECEIPTS,
    Named(
        "aftercare-receipts",
        "aftercare_receipt",
        "acknowledge",
        creating="Say that one has read what one was given to take home.",
        listing="What the patient said they have read, newest first.",
        amending="Say otherwise what was read.",
    ),
)
