"""Who is signed in to the pages."""

from datetime import datetime
from uuid import UUID

from sqlmodel import SQLModel

from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic


class ConsoleSession(SQLModel, table=True):
    """One sign-in of one browser. The cookie is a keyed hash of the ids and is not stored.

    seen_at: the last time that somebody did something, to within `session.SEEN_EVERY`.
    """

    __tablename__ = "console_session"
    __table_args__ = (of_clinic("membership_id", "membership"), {"info": DISTRIBUTED})
    clinic_id: UUID = key()
    id: UUID = key()
    membership_id: UUID
    began_at: datetime = instant()
    seen_at: datetime = instant()
    expires_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
