"""The commands of `afterglow clinic`. Each imports what it needs when it is called."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

clinic = typer.Typer(help="Clinics.", no_args_is_help=True)


@clinic.command("add")
def add_clinic(
    name: str,
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2, such as DE.")],
    time_zone: Annotated[str, typer.Option(help="IANA, such as Europe/Berlin.")],
    admin: Annotated[str, typer.Option(help="E-mail address of its first administrator.")],
    phone: Annotated[str | None, typer.Option(help="The clinic's number for patients.")] = None,
    after_hours_phone: Annotated[
        str | None, typer.Option(help="The number that holds while it is off duty.")
    ] = None,
) -> None:
    """Make a real clinic and print a one-time invitation for its first administrator."""
    from pydantic import TypeAdapter, ValidationError

    from app.kernel.db import Db
    from app.kernel.fields import Country, TimeZone
    from app.operations import stack
    from app.people.clinics import found_clinic
    from app.people.invitations import create_invitation
    from app.people.schemas import InvitationOut

    for option, kind, value in (
        ("--country", Country, country),
        ("--time-zone", TimeZone, time_zone),
    ):
        try:
            TypeAdapter(kind).validate_python(value)
        except ValidationError:
            stack.refuse(f"{option} is not valid.")
    if "@" not in admin or not name.strip():
        stack.refuse("A clinic needs a name, and --admin an e-mail address.")
    now = datetime.now(UTC)

    def found(db: Db) -> InvitationOut:
        clinic_id = found_clinic(
            db,
            name=name,
            country=country,
            time_zone=time_zone,
            phone=phone,
            after_hours_phone=after_hours_phone,
            is_synthetic=False,
            coverage={},
            now=now,
        )
        typer.echo(f"Clinic {clinic_id}")
        return create_invitation(
            db,
            invitation_id=None,
            role="administrator",
            privileges=[],
            care_by=None,
            invited_by=None,
            now=now,
        )

    with stack.database(stack.read_settings()) as settings:
        stack.migrate(settings)
        with closing(stack.direct(settings)) as database:
            invitation = database.run(found)
    typer.echo(
        f"Invitation for {admin}: {invitation.code}\n"
        f"It works once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC:"
        f" POST {settings.base_url}/v1/invitations/accept\n"
        "Clinicians and administrators set up a second factor first; see docs/operations.md."
    )


@clinic.command("list")
def list_clinics() -> None:
    """Print every clinic's id, name and hours of duty."""
    from app.operations import stack
    from app.operations.hours import describe_all

    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        for line in describe_all(database):
            typer.echo(line)


@clinic.command("hours")
def set_hours(
    clinic_id: str,
    shifts: Annotated[
        list[str] | None,
        typer.Argument(help="Such as mon-fri=09:00-17:00 sat=10:00-12:00; none: not declared."),
    ] = None,
    holiday: Annotated[
        list[str] | None, typer.Option(help="A date off duty, such as 2026-12-25.")
    ] = None,
) -> None:
    """Declare when a clinic is on duty, on its own clock. Patients are told so."""
    from uuid import UUID

    from app.operations import stack
    from app.operations.hours import declare, read_shifts
    from app.safety.coverage import CoverageRefused

    try:
        coverage = read_shifts(shifts or [], holiday or [])
        clinic_uuid = UUID(clinic_id)
    except CoverageRefused as refused:
        stack.refuse(f"Not set: {refused}.")
    except ValueError:
        stack.refuse("There is no such clinic.")
    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        if not declare(database, clinic_uuid, coverage):
            stack.refuse("There is no such clinic.")
    typer.echo("Set. Answers to patients say so from now on.")


@clinic.command("phones")
def set_phones(
    clinic_id: str,
    phone: Annotated[
        str | None, typer.Option(help="The clinic's number for patients; none: it has none.")
    ] = None,
    after_hours: Annotated[
        str | None, typer.Option(help="The number that holds while it is off duty, if another.")
    ] = None,
) -> None:
    """Set a clinic's own numbers. Patients in danger are shown the one that holds first."""
    from uuid import UUID

    from pydantic import TypeAdapter, ValidationError

    from app.kernel.fields import Phone
    from app.operations import stack
    from app.operations.hours import set_numbers

    try:
        for number in (phone, after_hours):
            TypeAdapter(Phone | None).validate_python(number)
    except ValidationError:
        stack.refuse("Not set: that is no telephone number.")
    try:
        clinic_uuid = UUID(clinic_id)
    except ValueError:
        stack.refuse("There is no such clinic.")
    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        if not set_numbers(database, clinic_uuid, phone, after_hours):
            stack.refuse("There is no such clinic.")
    typer.echo("Set. Answers to patients say so from now on.")


@clinic.command("second-factor")
def require_second_factor(
    clinic_id: str,
    require: Annotated[
        list[str] | None,
        typer.Option(help="A role that needs one: clinician or administrator. May be repeated."),
    ] = None,
    optional: Annotated[
        bool, typer.Option("--optional", help="Require it of nobody any more.")
    ] = False,
) -> None:
    """Say of whom a clinic requires a second factor, or change that."""
    from uuid import UUID

    from app.kernel.second_factor import STAFF
    from app.operations import second_factor, stack

    roles = frozenset(require or [])
    if not roles <= STAFF or (roles and optional):
        stack.refuse("--require takes clinician or administrator, and does not go with --optional.")
    try:
        clinic_uuid = UUID(clinic_id)
    except ValueError:
        stack.refuse("There is no such clinic.")
    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        if roles or optional:
            try:
                second_factor.require(database, clinic_uuid, roles, datetime.now(UTC))
            except second_factor.Synthetic:
                stack.refuse("Not set: the people of a synthetic clinic are exempt.")
        said = list(second_factor.describe(database, clinic_uuid))
    if not said:
        stack.refuse("There is no such clinic.")
    for line in said:
        typer.echo(line)
    if roles:
        typer.echo("Whoever has none is asked to set it up within ten minutes, at the next token.")


@clinic.command("reset-second-factor")
def reset_second_factor(username: str) -> None:
    """Take away the second factor of somebody who lost it, and end all their sign-ins."""
    from app.operations import second_factor, stack

    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        if not second_factor.reset(database, username, datetime.now(UTC)):
            stack.refuse("Nobody of that name has a second factor.")
    typer.echo("Reset. Their password is enough for setting up another one.")
