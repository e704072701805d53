"""In which form an answer leaves: as numbers, as a chart, or as a picture of that chart.

Every view has the same forms, chosen by Accept. A chart is made after the transaction that allowed
the answer is committed: the look is in the access log before anything is drawn, and no connection
to the database waits for a drawing.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic_core import to_json

from app.kernel.edge import Awaited, Reply
from app.kernel.renderer import Form, Renderer
from app.trends.charts.look import Spec
from app.trends.charts.records import Frame

Theme = Literal["light", "dark"]

JSON: Final = "application/json"
CSV: Final = "text/csv"
HTML: Final = "text/html"
# Not registered. The version follows Vega-Lite's, as JupyterLab names them.
VEGA_LITE: Final = "application/vnd.vegalite+json"
VEGA_LITE_6: Final = "application/vnd.vegalite.v6+json"
FORMS: Final[dict[str, Form]] = {"image/svg+xml": "svg", "image/png": "png"}
OFFERED: Final = (JSON, VEGA_LITE, VEGA_LITE_6, *FORMS)
"""Media types of whatever can be drawn, the usual one first."""
BY_ACCEPT: Final = {"Vary": "Accept"}
NARROWEST: Final = 280
WIDEST: Final = 1600
USUAL: Final = 640

_CHART: Final = {"type": "object", "description": "A Vega-Lite 6 specification with its data."}
_PICTURE: Final = {"type": "string", "format": "binary"}
_TEXT: Final = {"type": "string"}
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    **{media: {"schema": _CHART} for media in (VEGA_LITE, VEGA_LITE_6)},
    **{media: {"schema": _PICTURE} for media in FORMS},
    **{media: {"schema": _TEXT} for media in (CSV, HTML)},
}


def declared(*media: str) -> dict[int | str, dict[str, Any]]:
    """For the specification: an answer that is JSON, and these besides."""
    return {200: {"content": {one: SCHEMAS[one] for one in media if one != JSON}}}


def as_asked(
    form: str, renderer: Renderer, told: BaseModel | bytes, chart: Callable[[], Spec]
) -> Reply | Awaited:
    """An answer as numbers, as a chart or as a picture.

    form: one of OFFERED. told: the numbers. chart: makes the specification; it is called when the
        transaction is over, if at all, and asks the database for nothing.
    """
    if form == JSON:
        return Reply(told, headers=dict(BY_ACCEPT))
    return drawn_as(form, renderer, chart)


def drawn_as(form: str, renderer: Renderer, chart: Callable[[], Spec]) -> Awaited:
    """A chart or a picture of it, made when the transaction is over. form, chart: as above."""

    async def make() -> Reply:
        drawn = chart()
        body = await renderer.draw(drawn, FORMS[form]) if form in FORMS else to_json(drawn)
        return Reply(body, headers=dict(BY_ACCEPT), media_type=form)

    return Awaited(make)


def framed(width: int, theme: Theme) -> Frame:
    """How large, and on what."""
    return Frame(width, theme == "dark")
