"""The command line. Each command imports what it needs, so that `serve` starts fast.

Those of `afterglow clinic` are in `operations.clinics`, all others here.
"""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from app.operations.clinics import clinic

app = typer.Typer(
    name="afterglow",
    help="The open backend for ketamine-assisted psychotherapy journals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
    from app.operations import stack
    from app.operations.up import up as run_everything

    raise typer.Exit(run_everything(stack.read_settings()))


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

    with stack.database(stack.read_settings()) as settings:
        stack.migrate(settings)
    typer.echo("The tables are up to date.")


@app.command()
def demo(*, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Load two synthetic clinics, once, and print their sign-ins."""
    from app.operations import stack
    from app.operations.demo import RealClinicExists
    from app.operations.up import sign_ins

    with stack.database(stack.read_settings()) as settings:
        stack.migrate(settings)
        try:
            with closing(stack.direct(settings)) as database:
                people = sign_ins(settings, database)
        except RealClinicExists:
            stack.refuse("A real clinic exists here; synthetic people do not belong beside it.")
    if people is None:
        stack.refuse(
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
    from app.operations import stack
    from app.operations.scoring import read_words, score_line, score_one

    try:
        definition = instruments.find(instrument)
    except instruments.UnknownInstrument:
        known = ", ".join(one.key for one in instruments.shipped())
        stack.refuse(f"There is no such instrument; there are {known}.")
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
        stack.refuse(result)
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

    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        for line in anchor_lines(database):
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
            stack.refuse(f"Line {error.line} of the anchor cannot be read.")
        except (OSError, UnicodeDecodeError):
            stack.refuse("The anchor cannot be read.")
    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        report = verify_all(database, anchors)
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

    settings = stack.read_settings()
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

    settings = stack.read_settings()
    stack.signing_keys(settings)
    path = stack.signing_keys_path(settings)
    write_secret(path, SigningKeys.rotate(path.read_text()))
    typer.echo("Restart every process. After fifteen minutes the older keys may be taken out.")


@keys.command()
def rewrap() -> None:
    """Bring every data key and clinic's cell under the newest key-encryption key."""
    from app.operations import stack
    from app.operations.rewrap import rewrap_all

    with (
        stack.database(stack.read_settings()) as settings,
        closing(stack.direct(settings)) as database,
    ):
        count = rewrap_all(database)
    typer.echo(f"{count} keys and cells are under the newest key; older keys may be taken out.")


@app.command()
def doctor() -> None:
    """Say in words what is wrong, if anything is."""
    from app.operations import stack
    from app.operations.doctor import examine

    with stack.database(stack.read_settings()) as settings:
        complaints = examine(settings)
    for complaint in complaints:
        typer.echo(f"- {complaint}")
    if not complaints:
        typer.echo("Nothing is wrong.")
    raise typer.Exit(1 if complaints else 0)


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
