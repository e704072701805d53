"""Keyset paging with an opaque, signed cursor.

A cursor is where the last page ended. It is bound to the list it came from and signed, so that
it can be neither made up nor carried over to somebody else's list.
"""

import base64
import hmac
import json
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Query

from app.kernel.errors import Fault, Kind, Problem
from app.kernel.vault import Keyring

MAX_PAGE: Final = 200
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Entries on a page, at most.")]
Cursor = Annotated[
    str | None, Query(max_length=512, description="From the previous page's `next_cursor`.")
]


def cursor(vault: Keyring, of: str, *after: Any) -> str:
    """A cursor for the list `of` (its path and filters), after this keyset."""
    body = json.dumps([str(part) for part in after], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(vault, of, body) + body).decode().rstrip("=")


def read_cursor(vault: Keyring, of: str, sent: str, parts: int) -> list[str]:
    """The keyset a cursor names. Raises: Problem MALFORMED_REQUEST."""
    try:
        raw = base64.urlsafe_b64decode(sent + "=" * (-len(sent) % 4))
        mac, body = raw[:16], raw[16:]
        if not hmac.compare_digest(mac, _mac(vault, of, body)):
            raise ValueError
        after: list[str] = json.loads(body)
        if len(after) != parts:
            raise ValueError
    except ValueError:
        raise Problem(
            Kind.MALFORMED_REQUEST, faults=[Fault("query:cursor", "is not one of this list")]
        ) from None
    return after


def next_link(path: str, token: str | None, limit: int, **filters: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page of the same list, if there is one."""
    if token is None:
        return {}
    given = {name: value for name, value in filters.items() if value is not None}
    query = urlencode({"cursor": token, "limit": limit, **given})
    return {"Link": f'<{quote(path)}?{query}>; rel="next"'}


def instant_of(part: str) -> datetime:
    """An instant from a keyset."""
    return datetime.fromisoformat(part)


def _mac(vault: Keyring, of: str, body: bytes) -> bytes:
    return vault.blind_index(f"{of}\n{body.hex()}", purpose="cursor")[:16]
