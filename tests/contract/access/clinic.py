"""A clinic, those who belong to it, and one's own account."""

from typing import Final

from tests.builders import PASSWORD
from tests.clinical.definitions import DEFINITION
from tests.contract.access.asking import Tries, Try
from tests.contract.access.statuses import NAMING_NOBODY, OF_CLINIC
from tests.contract.stage import A_PROTOCOL

# One's own second factor, where nobody has one; and a clinic's. `reset` is of a colleague here.
SECOND_FACTOR = """
                   own  confirm  begin  renew  remove  clinic  reset
anonymous          401      401    401    401     401     401    401
patient            200      404    200    404     404     403    403
other patient      200      404    200    404     404     403    403
therapist          200      404    200    404     404     403    403
stranger           200      404    200    404     404     403    403
coach              200      404    200    404     404     403    403
administrator      200      404    200    404     404     200    200
foreign patient    200      404    200    404     404     403    403
foreign therapist  200      404    200    404     404     403    403
foreign admin      200      404    200    404     404     200    404
gone patient       401      401    401    401     401     403    403
gone therapist     401      401    401    401     401     403    403
"""
# What a clinic tells those who work there. `leave` names nobody; `set` and `privileges` (of the
# therapist here) come with an If-Match that no longer holds.
OF_STAFF = """
                   read  set  privileges  leave
anonymous           401  401         401    401
patient             403  403         403    403
other patient       403  403         403    403
therapist           200  403         403    403
stranger            200  403         403    403
coach               200  403         403    403
administrator       200  412         412    404
foreign patient     403  403         403    403
foreign therapist   200  403         403    403
foreign admin       200  412         404    404
gone patient        403  403         403    403
gone therapist      401  403         403    403
"""
A_PROOF = {"password": PASSWORD, "otp": "000000"}

ROUTES: Final[Tries] = {
    ("GET", "/v1/me"): [Try(NAMING_NOBODY, "self")],
    ("PATCH", "/v1/me"): [
        Try(NAMING_NOBODY, "change", body={"name": "X"}, headers=(("If-Match", '"999"'),))
    ],
    ("GET", "/v1/me/second-factor"): [Try(SECOND_FACTOR, "own")],
    # Before anybody began.
    ("POST", "/v1/me/second-factor/confirm"): [
        Try(SECOND_FACTOR, "confirm", body={"otp": "000000"})
    ],
    ("POST", "/v1/me/second-factor"): [Try(SECOND_FACTOR, "begin", body={"password": PASSWORD})],
    ("POST", "/v1/me/second-factor/recovery-codes"): [Try(SECOND_FACTOR, "renew", body=A_PROOF)],
    ("POST", "/v1/me/second-factor/remove"): [Try(SECOND_FACTOR, "remove", body=A_PROOF)],
    ("GET", "/v1/clinic/second-factor"): [Try(SECOND_FACTOR, "clinic")],
    ("POST", "/v1/clinic/members/{membership_id}/second-factor/reset"): [
        Try(SECOND_FACTOR, "reset", kind="colleague", body={"password": PASSWORD})
    ],
    ("GET", "/v1/clinic/hours"): [Try(OF_STAFF, "read")],
    ("PUT", "/v1/clinic/hours"): [
        Try(OF_STAFF, "set", body={"hours": {}}, headers=(("If-Match", f'"{"0" * 32}"'),))
    ],
    ("GET", "/v1/clinic/members"): [Try(OF_STAFF, "read")],
    ("PUT", "/v1/clinic/members/{membership_id}"): [
        Try(
            OF_STAFF,
            "privileges",
            body={"privileges": ["coach"]},
            headers=(("If-Match", '"999"'),),
        )
    ],
    ("DELETE", "/v1/clinic/members/{membership_id}"): [Try(OF_STAFF, "leave")],
    ("GET", "/v1/clinic/texts"): [Try(NAMING_NOBODY, "texts")],
    ("PUT", "/v1/clinic/texts/{locale}"): [
        Try(
            NAMING_NOBODY,
            "reword",
            body={"texts": {"reminder.subject": "X"}},
            headers=(("If-Match", f'"{"0" * 32}"'),),
        )
    ],
    ("GET", "/v1/clinic/instruments"): [Try(OF_CLINIC, "read")],
    ("GET", "/v1/clinic/instruments/{key}"): [
        Try(OF_CLINIC, "read"),
        Try(OF_CLINIC, "own"),
    ],
    ("PUT", "/v1/clinic/instruments/{key}"): [Try(OF_CLINIC, "switch", body={"is_on": True})],
    ("POST", "/v1/clinic/instruments"): [Try(OF_CLINIC, "add", body={"definition": DEFINITION})],
    ("GET", "/v1/clinic/protocol"): [Try(OF_CLINIC, "read")],
    ("PUT", "/v1/clinic/protocol"): [
        Try(OF_CLINIC, "publish", body=A_PROTOCOL, headers=(("If-Match", '"999"'),))
    ],
    ("POST", "/v1/invitations"): [
        Try(NAMING_NOBODY, "patients", body={"role": "patient", "clinician_id": "of here"}),
        Try(NAMING_NOBODY, "clinicians", body={"role": "clinician", "privileges": ["coach"]}),
        Try(NAMING_NOBODY, "abroad", body={"role": "patient", "clinician_id": "of elsewhere"}),
    ],
}
