"""What a clinic's administrators publish: each version of a document stays, and the newest holds.

A protocol and a policy of escalation are such documents. What is in one, and what is wrong with
one, is its feature's affair; here is how versions are numbered, who may publish, that of two who
publish at once the second is told, and who published what and when. Version 0 is what ships.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, cast, insert, literal_column, select
from sqlmodel import SQLModel

from app.kernel.db import Ahead, Change, Db, Query
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Caller, member_name, require_standing
from app.kernel.log import logger
from app.kernel.tables import Membership, columns, table

SHIPPED_VERSION: Final = 0
MOST_EDITIONS: Final = 100
"""Told of one document, the newest first; the older ones stay too."""


class Version(NamedTuple):
    """One version of a document. content: JSON text."""

    version: int
    content: str
    published_at: datetime


class Edition(NamedTuple):
    """Who published a version, and when it began to hold."""

    version: int
    published_at: datetime
    published_by: str


class _Edition(NamedTuple):
    version: int
    published_at: datetime
    published_by: UUID
    name: bytes


def _until(of: Any) -> Any:
    return of.published_at <= bindparam("until")


def _numbered(of: Any) -> Any:
    return of.version == bindparam("version")


def _newest(kept: type[SQLModel], *conditions: Callable[[Any], Any]) -> Query[Version]:
    """The newest version of those that a condition holds of."""
    of = columns(kept)
    return Query(
        select(of.version, cast(of.content, Text), of.published_at)
        .where(of.clinic_id == bindparam("clinic_id"), *(holds(of) for holds in conditions))
        .order_by(of.version.desc())
        .limit(literal_column("1")),
        Version,
    )


def _editions(kept: type[SQLModel]) -> Query[_Edition]:
    of, member = columns(kept), columns(Membership)
    return Query(
        select(of.version, of.published_at, of.published_by, member.name)
        .join_from(
            table(kept),
            table(Membership),
            and_(member.clinic_id == of.clinic_id, member.id == of.published_by),
        )
        .where(of.clinic_id == bindparam("clinic_id"))
        .order_by(of.version.desc())
        .limit(literal_column(f"{MOST_EDITIONS}")),
        _Edition,
    )


def _publish(kept: type[SQLModel]) -> Change:
    return Change(insert(kept))


class Documents:
    """The versions of one kind of document.

    kind: in the log, such as `protocol`. kept: its table, with clinic_id, version, content,
        published_by and published_at.
    """

    def __init__(self, kind: str, kept: type[SQLModel]) -> None:
        self.newest_published = _newest(kept)
        self.published_by_then = _newest(kept, _until)
        self.published_as = _newest(kept, _numbered)
        self.editions_published = _editions(kept)
        self.publish_next = _publish(kept)
        self._event = f"clinic.{kind}_published"

    def newest(self, db: Db) -> Version | None:
        """What holds; None for what ships."""
        return db.first(self.newest_published)

    def ask(self, db: Db) -> Ahead[Version]:
        """As `newest`, in the next trip."""
        return db.ahead(self.newest_published)

    def held_at(self, db: Db, at: datetime) -> Version | None:
        """What held at an instant; None for what ships."""
        return db.first(self.published_by_then, until=at)

    def numbered(self, db: Db, version: int) -> Version | None:
        """One version; None where it was never published."""
        return db.first(self.published_as, version=version)

    def editions(self, db: Db, caller: Caller) -> list[Edition]:
        """Who published what, the newest first.

        Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
        """
        if caller.role not in {"clinician", "administrator"}:
            raise Problem(Kind.FORBIDDEN)
        require_standing(db, caller)
        return [
            Edition(
                one.version,
                one.published_at,
                member_name(db.vault, caller.clinic_id, one.published_by, one.name),
            )
            for one in db.all(self.editions_published)
        ]

    def publish(
        self, db: Db, caller: Caller, content: dict[str, Any], base_version: int, now: datetime
    ) -> int:
        """Put a new version in force. base_version: that it was made on.

        Returns: its number. Raises: Problem PRECONDITION_FAILED.
        """
        earlier = self.newest(db)
        version = earlier.version if earlier else SHIPPED_VERSION
        # Two that publish at once have the same number, and the second one finds it taken.
        if version != base_version or db.after_collision:
            raise Problem(Kind.PRECONDITION_FAILED)
        db.add(
            self.publish_next,
            version=version + 1,
            content=content,
            published_by=caller.membership_id,
            published_at=now,
        )
        # No patient's record changes, so no patient's ledger has a row for it.
        logger().info(
            self._event,
            clinic=str(caller.clinic_id),
            by=str(caller.membership_id),
            version=version + 1,
        )
        return version + 1


def require_publisher(db: Db, caller: Caller) -> None:
    """Whoever may publish, before anything of what was sent is looked at.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
