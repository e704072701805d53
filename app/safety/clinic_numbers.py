"""A clinic's own telephone numbers, the one that holds now first."""

from datetime import datetime

from app.people.chart import ClinicFacts
from app.safety.coverage import duty
from app.safety.schemas import ClinicNumber


def numbers_of(clinic: ClinicFacts, now: datetime) -> list[ClinicNumber]:
    """Those it gave, in the order in which to call them.

    A number without another one for off duty is the clinic's at all hours. Where the clinic has
    not said when it is on duty, nobody can say which of two holds.
    """
    if clinic.after_hours_phone is None:
        return [ClinicNumber(phone=phone, when="always", holds_now=True) for phone in clinic.phones]
    found = duty(clinic.coverage, clinic.time_zone, now.replace(second=0, microsecond=0))
    off_duty = ClinicNumber(
        phone=clinic.after_hours_phone,
        when="off-duty",
        holds_now=not found.is_on if found.is_declared else None,
    )
    if clinic.phone is None:
        return [off_duty]
    on_duty = ClinicNumber(
        phone=clinic.phone, when="on-duty", holds_now=found.is_on if found.is_declared else None
    )
    return [off_duty, on_duty] if off_duty.holds_now else [on_duty, off_duty]
