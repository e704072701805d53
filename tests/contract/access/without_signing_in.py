"""What answers whoever asks, signed in or not."""

from typing import Final

from tests.contract.access.asking import PUBLIC, Tries, Try
from tests.contract.access.statuses import NAMING_NOBODY

ROUTES: Final[Tries] = {
    ("GET", "/v1/eligibility-conditions"): [PUBLIC],
    # Libraries, a script and a style; there is nothing at this name.
    ("GET", "/static/charts/{name}"): [Try(NAMING_NOBODY, "public", answer=404)],
    ("POST", "/v1/invitations/accept"): [
        Try(
            NAMING_NOBODY,
            "public",
            body={
                "code": "0000-0000-0000-0000",
                "username": "x@example.org",
                "password": "x" * 12,
                "name": "X",
            },
            answer=404,
        )
    ],
    ("POST", "/v1/auth/token"): [
        Try(NAMING_NOBODY, "public", form={"grant_type": "nothing"}, answer=400)
    ],
    ("POST", "/v1/auth/revoke"): [Try(NAMING_NOBODY, "public", form={"token": "x"})],
    ("GET", "/v1/crisis-lines"): [
        Try(NAMING_NOBODY, "public", query="?country=DE"),
        Try(NAMING_NOBODY, "public", query="?country=nowhere"),
    ],
    ("GET", "/v1/limits"): [PUBLIC],
    ("GET", "/v1/instruments"): [PUBLIC],
    ("GET", "/v1/instruments/{key}"): [PUBLIC],
    ("GET", "/.well-known/jwks.json"): [PUBLIC],
    ("GET", "/healthz"): [PUBLIC],
    ("GET", "/readyz"): [PUBLIC],
    ("GET", "/metrics"): [PUBLIC],
    ("GET", "/openapi.json"): [PUBLIC],
}
