"""Which form of an answer a client gets."""

import pytest

from app.kernel.errors import Kind, Problem
from app.kernel.negotiation import chosen

OFFERED = ("application/json", "application/vnd.vegalite+json", "image/svg+xml", "image/png")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("*", "application/json"),
        ("image/svg+xml", "image/svg+xml"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/svg+xml"),
        ("image/*, image/svg+xml;q=0.5", "image/png"),
        ("image/png;q=0.4, image/svg+xml;q=0.7", "image/svg+xml"),
        ("image/png; charset=x; q=0.4, image/svg+xml ; Q = 0.3", "image/png"),
        ("text/html, */*;q=0.1", "application/json"),
        # What a browser asks for an image with.
        ("image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"),
        # The closest range counts, not the best.
        ("application/json;q=0, */*", "application/vnd.vegalite+json"),
        # What cannot be read is about nothing.
        ("image/png, nonsense", "image/png"),
        ("image/png;q=banana", "image/png"),
    ],
)
def test_what_the_client_prefers_is_chosen(accept: str | None, form: str) -> None:
    assert chosen(accept, OFFERED) == form


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "*/*;q=0", "nonsense", ","])
def test_where_nothing_fits_the_problem_says_what_there_is(accept: str) -> None:
    with pytest.raises(Problem) as refused:
        chosen(accept, OFFERED)

    assert refused.value.kind is Kind.NOT_ACCEPTABLE
    assert refused.value.body()["offered"] == list(OFFERED)
    assert refused.value.headers["Vary"] == "Accept"


def test_only_so_many_ranges_are_read() -> None:
    many = ",".join(["text/html"] * 50 + ["image/png"])

    with pytest.raises(Problem):
        chosen(many, OFFERED)
