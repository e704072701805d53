"""How a route is asked.

A feature's own module says what it is answered; `test_access.py` asks them all.
"""

from dataclasses import dataclass
from typing import Any, Final

from tests.builders import a_check_in
from tests.contract.access.statuses import (
    CHANGE_DOSES,
    NAMING_NOBODY,
    OWN,
    READ_CLINICAL,
    RECORD_DOSES,
    WRITE_OWN,
)

PATIENT: Final = "/v1/patients/{patient_id}"


@dataclass(frozen=True)
class Try:
    """One way to ask a route. column: of NAMING_NOBODY, where no patient is named.

    kind: of the entry that the address names last; within: of the visit that it stands under.
    answer: what a public route says to everybody, where it is not 200. On a page, `form` is what a
    form has beside its token.
    """

    table: str
    column: str = ""
    kind: str = ""
    within: str = ""
    body: Any = None
    form: dict[str, str] | None = None
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    answer: int | None = None

    @property
    def is_of_anybody(self) -> bool:
        """A page that is the same for whoever is signed in nowhere."""
        return self.column == "any"


Tries = dict[tuple[str, str], list[Try]]
"""By method and path, every way in which a route is asked."""

# What stands for an entry of the patient that is asked about, in a body.
THEIR: Final = "entry of the patient: "
PUBLIC: Final = Try(NAMING_NOBODY, "public")
CHECK_IN = a_check_in()
GOAL_ID = "00000000-0000-4000-8000-000000000001"
FIRST_VERSION = (("If-Match", '"1"'),)
BY_CLINICIANS: Final = {"creating": RECORD_DOSES, "changing": CHANGE_DOSES}


def kept_on_a_shelf(
    many: str,
    key: str,
    body: dict[str, Any],
    other: dict[str, Any],
    *,
    reading: str = READ_CLINICAL,
    creating: str = WRITE_OWN,
    changing: str = OWN,
) -> Tries:
    """The routes of a kind of entry. other: what `body` is amended to."""
    all_of, one = f"{PATIENT}/{many}", f"{PATIENT}/{many}/{{{key}}}"
    return {
        ("GET", all_of): [Try(reading)],
        ("POST", all_of): [Try(creating, body=body)],
        ("GET", one): [Try(reading, kind=many)],
        ("GET", f"{one}/versions"): [Try(reading, kind=many)],
        ("PUT", one): [Try(changing, kind=f"{many} to amend", body=other, headers=FIRST_VERSION)],
        ("DELETE", one): [Try(changing, kind=f"{many} to withdraw", headers=FIRST_VERSION)],
    }
