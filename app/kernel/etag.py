"""Versions of entries as entity tags (RFC 9110 section 8.8.3)."""

import re
from hashlib import sha256
from typing import Annotated

from fastapi import Header

from app.kernel.errors import Kind, Problem

IfMatch = Annotated[
    str | None, Header(description='The entity tag of the version that is changed, such as "1".')
]
_STRONG = re.compile(r'"([1-9][0-9]{0,8})"')
_OPAQUE = re.compile(r'"([0-9a-f]{32})"')


def etag(version: int | str) -> str:
    """The entity tag of an entry's version: its number, or what `version_of` made."""
    return f'"{version}"'


def version_of(*content: str) -> str:
    """The version of what has no number: 32 hexadecimal digits that stand for its content."""
    digest = sha256()
    for part in content:
        digest.update(sha256(part.encode()).digest())
    return digest.hexdigest()[:32]


def version_named(if_match: str | None) -> int:
    """The version in an If-Match header; what is not one of our tags matches no version.

    Raises: Problem PRECONDITION_REQUIRED when it is missing.
    """
    return int(_named(_STRONG, if_match))


def opaque_version_named(if_match: str | None) -> str:
    """As `version_named`, where versions are made by `version_of`."""
    return _named(_OPAQUE, if_match)


def _named(tag: re.Pattern[str], if_match: str | None) -> str:
    if if_match is None:
        raise Problem(Kind.PRECONDITION_REQUIRED)
    found = tag.fullmatch(if_match.strip())
    if found is None:
        raise Problem(Kind.PRECONDITION_FAILED)
    return found[1]
