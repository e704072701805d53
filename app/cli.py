"""The command line. Each command imports what it needs, so that `serve` starts fast."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(
    name="afterglow",
    help="The open backend for ketamine-assisted psychotherapy journals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
clinic = typer.Typer(help="Clinics.", no_args_is_help=True)
audit = typer.Typer(help="The ledger's evidence.", no_args_is_help=True)
keys = typer.Typer(help="The keys of everything sealed.", no_args_is_help=True)
app.add_typer(clinic, name="clinic")
app.add_typer(audit, name="audit")
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line. What an operator can mend is said in a sentence."""
    from app.kernel.embedded import EmbeddedDatabaseError
    from app.kernel.errors import Problem
    from app.operations.stack import MigrationRefused, NotDurable, WrongKeys, WrongTables

    try:
        app(prog_name="afterglow")
    except Problem as problem:
        reason = {
            "unavailable": "PostgreSQL does not answer, or refuses this login or its role."
        }.get(problem.kind.code, f"{problem.kind.title}.")
        sys.exit(f"{reason} `afterglow doctor` may know more.")
    except NotDurable as names:
        sys.exit(f"PostgreSQL may lose what it acknowledged: {names} is off. Not started.")
    except WrongTables:
        sys.exit("The tables are of another version; run `afterglow migrate`.")
    except WrongKeys:
        sys.exit("The keyring is not the one this database was sealed with. Nothing was done.")
    except MigrationRefused as refused:
        sys.exit(f"The migration was refused: {refused}")
    except EmbeddedDatabaseError as error:
        sys.exit(str(error))


@app.command()
def up() -> None:
    """Everything on this machine: database, migrations, demo on the first run, API and worker."""
    from app.operations.up import up as run_everything

    raise typer.Exit(run_everything(_settings()))


@app.command()
def serve(*, with_parent: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """The API, on the database that AFTERGLOW_DATABASE_URL names."""
    _run("serve", with_parent=with_parent)


@app.command()
def worker(*, with_parent: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Keep what the outbox promised, until told to stop."""
    _run("worker", with_parent=with_parent)


@app.command()
def migrate() -> None:
    """Bring the tables to this version, as the role of AFTERGLOW_MIGRATION_URL."""
    from app.operations import stack

    with stack.database(_settings()) as settings:
        stack.migrate(settings)
    typer.echo("The tables are up to date.")


@app.command()
def demo(*, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Load two synthetic clinics, once, and print their sign-ins."""
    from app.operations import stack
    from app.operations.demo import RealClinicExists
    from app.operations.up import sign_ins

    with stack.database(_settings()) as settings:
        stack.migrate(settings)
        try:
            people = sign_ins(settings, stack.direct(settings))
        except RealClinicExists:
            _fail("A real clinic exists here; synthetic people do not belong beside it.")
    if people is None:
        _fail(
            "The synthetic clinics are here already, and their sign-ins are kept in the data"
            " directory of whoever loaded them."
        )
    if as_json:
        typer.echo(json.dumps({"base_url": settings.base_url, "people": people}, indent=2))
    else:
        for person in people:
            typer.echo(
                f"{person['role']:14} {person['clinic']:28} {person['username']:30}"
                f" {person['password']}"
            )


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
            _fail(f"{option} is not valid.")
    if "@" not in admin or not name.strip():
        _fail("A clinic needs a name, and --admin an e-mail address.")
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

    with stack.database(_settings()) as settings:
        stack.migrate(settings)
        invitation = stack.direct(settings).run(found)
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

    with stack.database(_settings()) as settings:
        for line in describe_all(stack.direct(settings)):
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
        _fail(f"Not set: {refused}.")
    except ValueError:
        _fail("There is no such clinic.")
    with stack.database(_settings()) as settings:
        if not declare(stack.direct(settings), clinic_uuid, coverage):
            _fail("There is no such clinic.")
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
        _fail("Not set: that is no telephone number.")
    try:
        clinic_uuid = UUID(clinic_id)
    except ValueError:
        _fail("There is no such clinic.")
    with stack.database(_settings()) as settings:
        if not set_numbers(stack.direct(settings), clinic_uuid, phone, after_hours):
            _fail("There is no such clinic.")
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
        _fail("--require takes clinician or administrator, and does not go with --optional.")
    try:
        clinic_uuid = UUID(clinic_id)
    except ValueError:
        _fail("There is no such clinic.")
    with stack.database(_settings()) as settings:
        database = stack.direct(settings)
        if roles or optional:
            try:
                second_factor.require(database, clinic_uuid, roles, datetime.now(UTC))
            except second_factor.Synthetic:
                _fail("Not set: the people of a synthetic clinic are exempt.")
        said = list(second_factor.describe(database, clinic_uuid))
    if not said:
        _fail("There is no such clinic.")
    for line in said:
        typer.echo(line)
    if roles:
        typer.echo("Whoever has none is asked to set it up within ten minutes, at the next token.")


@clinic.command("reset-second-factor")
def reset_second_factor(username: str) -> None:
    """Take away the second factor of somebody who lost it, and end all their sign-ins."""
    from app.operations import second_factor, stack

    with stack.database(_settings()) as settings:
        if not second_factor.reset(stack.direct(settings), username, datetime.now(UTC)):
            _fail("Nobody of that name has a second factor.")
    typer.echo("Reset. Their password is enough for setting up another one.")


@app.command(context_settings={"ignore_unknown_options": True})
def score(
    instrument: str,
    answers: Annotated[
        list[str] | None,
        typer.Argument(help="One per item, or scores as in total=14; - for a missing one."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    batch: Annotated[
        bool,
        typer.Option(help="One JSON array of answers, or object of scores, per line of input."),
    ] = False,
) -> None:
    """Score answers as the server does, to check it against paper."""
    from app.clinical import instruments
    from app.operations.scoring import read_words, score_line, score_one

    try:
        definition = instruments.find(instrument)
    except instruments.UnknownInstrument:
        known = ", ".join(one.key for one in instruments.shipped())
        _fail(f"There is no such instrument; there are {known}.")
    if batch:
        is_good = True
        for line in sys.stdin:
            written, is_line_good = score_line(definition, line)
            is_good = is_good and is_line_good
            sys.stdout.write(written + "\n")
        raise typer.Exit(0 if is_good else 1)
    sent = read_words(definition, answers or [])
    result = sent if isinstance(sent, str) else score_one(definition, sent)
    if isinstance(result, str):
        _fail(result)
    typer.echo(json.dumps(result) if as_json else _in_words(result))


@app.command()
def openapi() -> None:
    """Print the specification."""
    from app.kernel.settings import Settings
    from app.kernel.tokens import SigningKeys
    from app.kernel.vault import Keyring
    from app.main import create_app

    application = create_app(
        Settings(database_url="postgresql://nowhere"),
        Keyring.parse(Keyring.generate()),
        SigningKeys.parse(SigningKeys.generate()),
    )
    typer.echo(json.dumps(application.openapi(), indent=2, ensure_ascii=False))


@audit.command()
def anchor() -> None:
    """Print where every ledger ends; keep it where the database's keepers do not reach."""
    from app.operations import stack
    from app.operations.audit import anchor_lines

    with stack.database(_settings()) as settings:
        for line in anchor_lines(stack.direct(settings)):
            typer.echo(line)


@audit.command()
def verify(
    anchor: Annotated[
        Path | None, typer.Option(help="A file that `afterglow audit anchor` printed once.")
    ] = None,
) -> None:
    """Check every patient's ledger against its own hashes; name the first bad row."""
    from app.operations import stack
    from app.operations.audit import AnchorUnreadable, read_anchors, verify_all

    anchors = None
    if anchor is not None:
        try:
            anchors = read_anchors(anchor.read_text("utf-8").splitlines())
        except AnchorUnreadable as error:
            _fail(f"Line {error.line} of the anchor cannot be read.")
        except (OSError, UnicodeDecodeError):
            _fail("The anchor cannot be read.")
    with stack.database(_settings()) as settings:
        report = verify_all(stack.direct(settings), anchors)
    for fault in report.faults:
        typer.echo(
            f"BAD clinic {fault.clinic_id} patient {fault.patient_id} row {fault.seq}:"
            f" {fault.reason}",
            err=True,
        )
    typer.echo(f"{report.rows} rows in {report.ledgers} ledgers; {len(report.faults)} bad.")
    raise typer.Exit(1 if report.faults else 0)


@keys.command()
def rotate() -> None:
    """Put a new key-encryption key in front; the old ones go on opening what they sealed."""
    from app.kernel.settings import write_secret
    from app.kernel.vault import Keyring
    from app.operations import stack

    settings = _settings()
    stack.keyring(settings)
    path = stack.keyring_path(settings)
    write_secret(path, Keyring.rotate(path.read_text()))
    typer.echo("Restart every process, then run: afterglow keys rewrap")


@keys.command("rotate-signing")
def rotate_signing() -> None:
    """Put a new key for access tokens in front; the old ones go on verifying."""
    from app.kernel.settings import write_secret
    from app.kernel.tokens import SigningKeys
    from app.operations import stack

    settings = _settings()
    stack.signing_keys(settings)
    path = stack.signing_keys_path(settings)
    write_secret(path, SigningKeys.rotate(path.read_text()))
    typer.echo("Restart every process. After fifteen minutes the older keys may be taken out.")


@keys.command()
def rewrap() -> None:
    """Bring every data key and clinic's cell under the newest key-encryption key."""
    from app.operations import stack
    from app.operations.rewrap import rewrap_all

    with stack.database(_settings()) as settings:
        count = rewrap_all(stack.direct(settings))
    typer.echo(f"{count} keys and cells are under the newest key; older keys may be taken out.")


@app.command()
def doctor() -> None:
    """Say in words what is wrong, if anything is."""
    from app.operations import stack
    from app.operations.doctor import examine

    with stack.database(_settings()) as settings:
        complaints = examine(settings)
    for complaint in complaints:
        typer.echo(f"- {complaint}")
    if not complaints:
        typer.echo("Nothing is wrong.")
    raise typer.Exit(1 if complaints else 0)


def _settings() -> Any:
    from app.operations.stack import read_settings

    return read_settings()


def _in_words(result: dict[str, Any]) -> str:
    finding = result["finding"]
    asked = "suicidal thoughts were not assessed"
    if finding["level"] != "none":
        not_whole = "" if finding["assessed"] else ", and not all of it was asked"
        asked = f"the suicide item raises a flag, level {finding['level']}{not_whole}"
    elif finding["assessed"]:
        asked = "the suicide item raises no flag"
    total = "no total" if result["total"] is None else f"total {result['total']}"
    band = f", {result['band']}" if result["band"] else ""
    complete = "" if result["complete"] else " (incomplete)"
    parts = [f"{result['instrument']} {total}{band}{complete}"]
    parts += [
        f"{key} {'missing' if points is None else points}"
        for key, points in result["subscales"].items()
    ]
    verdicts = {True: "met", False: "not met", None: "undecided"}
    parts += [f"{key}: {verdicts[is_met]}" for key, is_met in result["criteria"].items()]
    return "; ".join([*parts, asked])


def _run(part: str, *, with_parent: bool) -> None:
    from app.operations.process import main as run_process

    run_process([part, *(["--with-parent"] if with_parent else [])])


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
