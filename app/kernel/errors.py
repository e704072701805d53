"""Every problem a client can meet, in one closed catalogue (RFC 9457).

A problem never carries what was sent: titles are fixed texts, `detail` is written by us, and
a 422 names places (`pointer`, RFC 6901) and reasons, not values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """The catalogue: status and title of each problem type."""

    MALFORMED_BODY = 400, "The body is not valid JSON"
    MALFORMED_REQUEST = 400, "The request cannot be understood"
    INVALID_GRANT = 400, "The credentials or the grant are not valid"
    UNSUPPORTED_GRANT_TYPE = 400, "This grant type is not offered"
    NOT_SIGNED_IN = 401, "A valid access token is needed"
    SECOND_FACTOR_REQUIRED = 401, "A code of your authenticator app is needed too"
    FORBIDDEN = 403, "Your role does not allow this"
    SECOND_FACTOR_ENROLMENT_REQUIRED = (
        403,
        "Your clinic requires a second factor; set one up first",
    )
    NOT_A_PATIENT = 403, "`me` stands for a patient's own record, and you are not a patient here"
    NOT_FOUND = 404, "There is nothing here for you"
    METHOD_NOT_ALLOWED = 405, "This address does not take that method"
    NOT_ACCEPTABLE = 406, "This is not to be had in any of the forms you asked for"
    ID_REUSED = 409, "This id was already used for something else"
    ALREADY_ACKNOWLEDGED = 409, "Somebody else is seeing to this already"
    FLAG_CLOSED = 409, "This flag was closed"
    ALREADY_EXISTS = 409, "This already exists"
    MISMATCHING_UPLOAD_OFFSET = 409, "The upload goes on at another place; ask where"
    WITHDRAWN = 409, "This was withdrawn"
    ILLEGAL_MOVE = 409, "It cannot go from the state it is in to that one"
    COURSE_OPEN = 409, "Another course of this patient has not ended"
    NOT_SCREENED = 409, "There is no screening of this patient"
    HARD_STOP = 409, "A hard stop stands that no prescriber has resolved"
    CRITERIA_OPEN = 409, "Not every criterion for leaving is met or overridden; nothing was stored"
    INVITATION_USED = 409, "This invitation was already used"
    PRECONDITION_FAILED = 412, "Somebody changed this since you read it"
    VERSION_UNKNOWN = 412, "There is no such version yet"
    BODY_TOO_LARGE = 413, "The body is too large"
    UNSUPPORTED_MEDIA_TYPE = 415, "The body must be application/json"
    INVALID = 422, "Some of what was sent is not valid"
    PRECONDITION_REQUIRED = 428, "If-Match is needed to change this"
    TOO_MANY_ATTEMPTS = 429, "Too many attempts; try again later"
    TOO_MANY_STREAMS = 429, "You follow too many streams already; close one"
    INTERNAL = 500, "Something went wrong on our side"
    UNAVAILABLE = 503, "The service cannot answer right now; nothing was stored"
    OUTCOME_UNKNOWN = (
        503,
        "The connection to the database was lost while storing; send the same request again",
    )
    STORAGE_FULL = 507, "The service is out of room; nothing was stored"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.value[0])

    @property
    def title(self) -> str:
        """A sentence for people, in English; see `texts` for other languages."""
        return str(self.value[1])

    @property
    def code(self) -> str:
        """The last part of the problem's `type`, such as `id-reused`."""
        return self.name.lower().replace("_", "-")


class Fault(NamedTuple):
    """One thing wrong with what was sent."""

    pointer: str
    reason: str


@dataclass(slots=True)
class Problem(Exception):
    """Raised by any verb; the edge answers with it.

    kind: from the catalogue. detail: our own words, never the client's. faults: for 422.
    headers: such as Retry-After. extra: members beside the standard ones; clients ignore
    what they do not know.
    """

    kind: Kind
    detail: str | None = None
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.kind.code

    def body(self, title: str | None = None) -> dict[str, object]:
        """The members of the problem document. title: in the reader's language, else English."""
        members: dict[str, object] = {
            "type": f"urn:afterglow:problem:{self.kind.code}",
            "title": title or self.kind.title,
            "status": self.kind.status,
            "code": self.kind.code,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.faults:
            members["errors"] = [fault._asdict() for fault in self.faults]
        members.update(self.extra)
        return members


def invalid(pointer: str, reason: str) -> Problem:
    """The 422 for one fault; `pointer` is a JSON Pointer into the body, such as /answers/3."""
    return Problem(Kind.INVALID, faults=[Fault(pointer, reason)])


def not_found() -> Problem:
    """Missing and not yours look the same, byte for byte."""
    return Problem(Kind.NOT_FOUND)
