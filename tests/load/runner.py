"""One run: starts everything, measures in interleaved rounds, stops everything."""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.kernel import embedded
from tests.load import database, seals
from tests.load.catalogue import COMPARED_WITH, SUBJECTS
from tests.load.database import Pgbench
from tests.load.generator import DRAIN_SECONDS, Job, Measured
from tests.load.subjects import PATIENTS, ROOT, Kind, Server, Subject, ask

WARM_UP_SECONDS = 0.5

Say = Callable[[str], None]


class RunError(Exception):
    """A subject answered wrongly, lost something or was silent; the message holds a sample."""


class Plan(msgspec.Struct, frozen=True):
    """What to measure.

    seconds: of each timed window. concurrencies: connections, each 1 to PATIENTS.
    only: names of subjects, of pgbench, and of the seals.
    """

    rounds: int
    seconds: float
    concurrencies: Sequence[int]
    only: Collection[str]


class Measurement(msgspec.Struct):
    """One subject's answers to one kind of request at one concurrency in one round.

    like, carries: as `subjects.Kind`.
    """

    subject: str
    kind: str
    like: str
    carries: int
    concurrency: int
    round: int
    measured: Measured


class Run(msgspec.Struct):
    """Everything one run found.

    load_average: of the minute before; a machine that is not idle makes ratios of rates unsure.
    fdatasync_us: what a commit waits for on this disk.
    pgbench: transactions a second, one figure per round. seals: likewise, for each size of text.
    """

    plan: Plan
    started_at: datetime
    machine: str
    cores: int
    load_average: float
    python: str
    postgres: str
    fdatasync_us: float
    measurements: list[Measurement]
    pgbench: list[float]
    seals: list[seals.Seal]


@dataclass
class Started:
    """A subject that runs, and how many check-ins it must hold by what it answered."""

    subject: Subject
    server: Server
    promised: int


@dataclass(frozen=True)
class Turn:
    """One kind of request of one subject."""

    of: Started
    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.of.subject.name} {self.name}"


def measure(plan: Plan, say: Say) -> Run:
    """Carry out the plan.

    say: is told what is going on, a line a time.
    Raises: RunError, or RuntimeError if something cannot be started. However it ends, nothing it
        started is left running and none of its files is left.
    """
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        directory = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="load-", dir=var, ignore_cleanup_errors=True)
            )
        )
        disk = database.fdatasync_us(directory)
        postgres = stack.enter_context(database.running(directory / "postgres"))
        run = Run(
            plan=plan,
            started_at=datetime.now(UTC),
            machine=f"{platform.system()} {platform.machine()}",
            cores=os.cpu_count() or 0,
            load_average=os.getloadavg()[0],
            python=platform.python_version(),
            postgres=database.version(postgres),
            fdatasync_us=disk,
            measurements=[],
            pgbench=[],
            seals=[],
        )
        pgbench = Pgbench(postgres) if Pgbench.NAME in plan.only else None
        everybody = []
        for name in (name for name in SUBJECTS if name in plan.only):
            say(f"starting {name}")
            subject = SUBJECTS[name]()
            server = subject.start(postgres, directory / f"{name}.log")
            stack.callback(server.stop)
            everybody.append(Started(subject, server, promised=subject.stored()))
        turns = in_turn(everybody)
        for turn in turns:
            probe(turn)
        for number in range(1, plan.rounds + 1):
            backwards = number % 2 == 0
            if pgbench:
                database.checkpoint(postgres)
                run.pgbench.append(pgbench.measure(plan.seconds))
                say(f"round {number}/{plan.rounds}: pgbench: {run.pgbench[-1]:,.0f}/s")
            if seals.NAME in plan.only:
                run.seals += seals.measure(plan.seconds)
                say(f"round {number}/{plan.rounds}: seals")
            go_round(run, number, turns[::-1] if backwards else turns, postgres, say)
        for one in everybody:
            holds = one.subject.stored()
            if holds != one.promised:
                raise RunError(
                    f"{one.subject.name} holds {holds} check-ins, but answered for {one.promised}"
                )
    return run


def in_turn(everybody: Sequence[Started]) -> list[Turn]:
    """Every subject's kinds of request, those that are compared with each other side by side."""
    return [
        Turn(one, name, kind)
        for like in COMPARED_WITH
        for one in everybody
        for name, kind in one.subject.kinds.items()
        if kind.like == like
    ]


def probe(turn: Turn) -> None:
    """Send one request and look at the whole answer, which the generator has no time for."""
    status, body = ask(turn.of.server, turn.kind.request(0))
    if status != turn.kind.status:
        raise RunError(f"{turn}: status {status}, not {turn.kind.status}: {body[:2000]!r}")
    try:
        turn.kind.check(body)
    except ValueError as wrong:
        raise RunError(f"{turn}: {wrong}") from wrong
    turn.of.promised += turn.kind.stores


def go_round(
    run: Run, number: int, turns: Sequence[Turn], postgres: embedded.Server, say: Say
) -> None:
    """Measure each turn once at each concurrency, and add what was found to the run."""
    for concurrency in run.plan.concurrencies:
        for turn in (one for one in turns if concurrency <= one.kind.at_most):
            database.checkpoint(postgres)
            job = Job(
                host=turn.of.server.host,
                port=turn.of.server.port,
                connections=concurrency,
                requests=[turn.kind.request(i) for i in range(PATIENTS)],
                status=turn.kind.status,
                warm_up_seconds=WARM_UP_SECONDS,
                seconds=run.plan.seconds,
                server_pids=turn.of.server.pids,
                database_pid=postgres.pids()[0],
                stream=b"" if turn.kind.stream is None else turn.kind.stream(),
            )
            measured = generate(job, f"{turn} at {concurrency} connections")
            turn.of.promised += turn.kind.stores * measured.expected_total
            run.measurements.append(
                Measurement(
                    subject=turn.of.subject.name,
                    kind=turn.name,
                    like=turn.kind.like,
                    carries=turn.kind.carries,
                    concurrency=concurrency,
                    round=number,
                    measured=measured,
                )
            )
            rate = f"{measured.requests_per_second:,.0f}/s"
            say(f"round {number}/{run.plan.rounds}: {turn} at {concurrency}: {rate}")


def generate(job: Job, what: str) -> Measured:
    """Let a generator process do the job.

    Raises: RunError, naming `what` it was doing, unless every answer was the expected one.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.load.generator"],
            check=False,
            cwd=ROOT,
            input=msgspec.msgpack.encode(job),
            capture_output=True,
            timeout=job.warm_up_seconds + job.seconds + DRAIN_SECONDS + 20,
            start_new_session=True,  # Ctrl-C is for the runner, which then stops everything
        )
    except subprocess.TimeoutExpired as late:
        raise RunError(f"{what}: the generator did not end in {late.timeout:.0f} s") from late
    if done.returncode != 0:
        raise RunError(f"{what}: the generator broke:\n{done.stderr.decode(errors='replace')}")
    measured = msgspec.json.decode(done.stdout, type=Measured)
    if measured.failure:
        raise RunError(f"{what}: {measured.failure}")
    return measured
