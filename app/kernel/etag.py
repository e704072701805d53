"""Versions of entries as entity tags (RFC 9110 section 8.8.3)."""

import re

from app.kernel.errors import Kind, Problem

_STRONG = re.compile(r'"([1-9][0-9]{0,8})"')


def etag(version: int) -> str:
    """The entity tag of an entry's version."""
    return f'"{version}"'


def version_named(if_match: str | None) -> int:
    """The version in an If-Match header; what is not one of our tags matches no version.

    Raises: Problem PRECONDITION_REQUIRED when it is missing.
    """
    if if_match is None:
        raise Problem(Kind.PRECONDITION_REQUIRED)
    found = _STRONG.fullmatch(if_match.strip())
    if found is None:
        raise Problem(Kind.PRECONDITION_FAILED)
    return int(found[1])
