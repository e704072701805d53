"""Side effects."""

from typing import Final

from app.course.side_effects.service import SIDE_EFFECTS
from app.journal.routes import Named, entry_routes
from app.kernel.edge import router

routes: Final = router("treatment")

entry_routes(
    routes,
    SIDE_EFFECTS,
    Named(
        "side-effects",
        "side_effect",
        "report",
        creating="Tell of a side effect. One that is severe raises a flag with it.",
        listing="The patient's side effects, or those of one visit, newest first.",
        amending="Say a side effect otherwise, or that it passed. It takes no flag back.",
    ),
)
