"""What a browser needs to draw charts, served by ourselves: the libraries, our script, our style.

Each address carries a hash of what is behind it, so that a browser keeps it for good. The libraries
are made by the process that draws, once for each process of the API; what they are made of is
known before, so a page can name the address without waiting for them.
"""

from functools import lru_cache
from gzip import compress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from markupsafe import Markup

from app.kernel.errors import not_found
from app.kernel.pages import templates
from app.trends.charts.table import Table

FOLDER: Final = Path(__file__).parent
TEMPLATES: Final = templates(FOLDER / "templates")
_AT: Final = "/static/charts/"
SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"
"""All that the libraries do by themselves."""
JAVASCRIPT: Final = "text/javascript; charset=utf-8"
_MEDIA: Final = {".js": JAVASCRIPT, ".css": "text/css; charset=utf-8"}


class Asset(NamedTuple):
    """gzipped: None for the libraries, which are still to be made."""

    media_type: str
    gzipped: bytes | None


@lru_cache(1)
def bundle_path() -> str:
    """Where the chart libraries are; the same for as long as they are the same."""
    # The library's releases hold their JavaScript: the same release makes the same bytes.
    made_of = f"{version('vl-convert-python')}\0{SNIPPET}"
    return f"{_AT}vega-{_short(made_of.encode())}.js"


def script_path() -> str:
    """Where `charts.js` is."""
    return _path("charts.js")


def style_path() -> str:
    """Where `charts.css` is."""
    return _path("charts.css")


def script_element() -> Markup:
    """To stand in the head of a page that has charts."""
    return Markup('<script src="{}" data-bundle="{}" defer></script>').format(
        script_path(), bundle_path()
    )


def figure(
    address: str,
    description: str,
    tables: list[Table],
    picture: str,
    dark_picture: str | None = None,
) -> Markup:
    """A chart in a page: drawn by the script, a picture without it, and the table behind it.

    address: of the trajectory, for the script. picture, dark_picture: of an image of the same
    chart, and of one for a dark screen. description: as in the specification.
    """
    found = TEMPLATES.get_template("figure.html")
    rendered = found.render(
        address=address,
        description=description,
        tables=tables,
        picture=picture,
        dark_picture=dark_picture,
    )
    return Markup(rendered)  # noqa: S704 - made by a template that escapes


def asset(name: str) -> Asset:
    """What is at `/static/charts/{name}`. Raises: Problem NOT_FOUND."""
    path = _AT + name
    if path == bundle_path():
        return Asset(JAVASCRIPT, None)
    for file in ("charts.js", "charts.css"):
        if path == _path(file):
            return Asset(_MEDIA[Path(file).suffix], _gzipped(file))
    raise not_found()


@lru_cache(2)
def _gzipped(file: str) -> bytes:
    return compress((FOLDER / "static" / file).read_bytes(), mtime=0)


@lru_cache(2)
def _path(file: str) -> str:
    stem, _, kind = file.partition(".")
    return f"{_AT}{stem}-{_short((FOLDER / 'static' / file).read_bytes())}.{kind}"


def _short(content: bytes) -> str:
    return sha256(content).hexdigest()[:20]
