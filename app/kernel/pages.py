"""Pages: Jinja2 templates in which everything that is shown is escaped, and their policy.

A template belongs to the feature whose page it is. What is missing in one is an error and not an
empty place. A page loads and runs only what its policy names, which the browser holds it to.
"""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HTML: Final = "text/html; charset=utf-8"


def templates(folder: Path) -> Environment:
    """A feature's templates."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def style_sheet(file: Path) -> Markup:
    """A style sheet of our own, to stand in a page."""
    return Markup(file.read_text("utf-8"))  # noqa: S704 - a file of ours, with no place to fill in


def paper_policy(style: str) -> str:
    """The Content-Security-Policy of a page that is only to be read: this style sheet, nothing
    else.
    """
    hashed = b64encode(sha256(style.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{hashed}'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
