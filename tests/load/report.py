"""A run as tables of medians, and of their ratios to the first line of each table."""

from collections.abc import Iterator
from statistics import median

from tests.load.catalogue import COMPARED_WITH
from tests.load.database import Pgbench
from tests.load.runner import Run
from tests.load.seals import MOST, SIZES

SLOWEST_FLOOR = 0.20
"""Of pgbench's transactions a second: a hand-written server slower than this is no floor."""
SLOWEST_STREAM = 3
"""Times an answer's p99, from the answer to the event on a stream (p99)."""
BUSY_GENERATOR = 0.90
"""Of one core: above it the generator, not the server, may have set the pace."""

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("requests_per_second", "req/s", ",.0f"),
    ("p50_ms", "p50 ms", ",.2f"),
    ("p99_ms", "p99 ms", ",.2f"),
    ("server_cpu_us", "CPU us", ",.0f"),
    ("database_cpu_us", "PG us", ",.0f"),
)

BY_REQUESTS = {"requests_per_second": 1, "server_cpu_us": -1, "database_cpu_us": -1}
"""What is told for each check-in where a request carries many: times or divided by how many."""

LABEL = 34
Medians = dict[str, float]


def table(run: Run) -> str:
    """The whole report, as text for a terminal at least 110 columns wide."""
    plan = run.plan
    lines = [
        f"{run.machine}, {run.cores} cores, load average {run.load_average:.1f} before the run",
        f"Python {run.python}; PostgreSQL {run.postgres}, durable",
        f"8 KiB reach the disk in {run.fdatasync_us:,.0f} us",
        f"medians of {plan.rounds} rounds of {plan.seconds:g} s; x: ratio to the first line",
    ]
    for like in COMPARED_WITH:
        for concurrency in run.plan.concurrencies:
            lines += section(run, like, concurrency)
    if run.pgbench:
        lines += ["", *beside_pgbench(run)]
    if run.seals:
        lines += ["", *beside_the_cipher(run)]
    return "\n".join([*lines, *streams(run), *slow_generators(run)])


def streams(run: Run) -> Iterator[str]:
    """How long after the answer a flag comes on a stream, beside how long the answer took."""
    for concurrency in run.plan.concurrencies:
        found = [
            one.measured
            for one in run.measurements
            if one.concurrency == concurrency and one.measured.events
        ]
        if not found:
            continue
        answer, median_event, event = (
            median(getattr(one, field) for one in found)
            for field in ("p99_ms", "event_p50_ms", "event_p99_ms")
        )
        yield ""
        yield (
            f"stream at {concurrency}: a flag comes {median_event:.2f} ms after its answer (p50),"
            f" {event:.2f} ms (p99): {event / answer:.2f} of the answer's own p99"
        )
        if event > SLOWEST_STREAM * answer:
            yield f"!!! WARNING: more than {SLOWEST_STREAM} times it"


def section(run: Run, like: str, concurrency: int) -> Iterator[str]:
    """The heading and one line per subject and kind of request; nothing if there are none."""
    here = [
        one
        for one in sorted(run.measurements, key=lambda one: one.round)
        if one.like == like and one.concurrency == concurrency
    ]
    if not here:
        return
    yield ""
    each = " a check-in" if any(one.carries > 1 for one in here) else ""
    yield f"{like} at {concurrency}{each}".ljust(LABEL) + "".join(
        f"{heading:>9}{'x':>6}" for _, heading, _ in COLUMNS
    )
    first = COMPARED_WITH[like]
    base = medians(run, *first, concurrency)
    for subject, kind in dict.fromkeys(
        [*([first] if base else []), *((one.subject, one.kind) for one in here)]
    ):
        found = medians(run, subject, kind, concurrency)
        label = subject if kind == like else f"{subject}: {kind}"
        line = f"  {label}".ljust(LABEL)
        for field, _, form in COLUMNS:
            ratio = f"{found[field] / base[field]:.2f}" if base.get(field) else ""
            line += f"{found[field]:>9{form}}{ratio:>6}"
        yield line


def medians(run: Run, subject: str, kind: str, concurrency: int) -> Medians:
    """The median of each column over the rounds; empty if it was not measured."""
    found = [
        one
        for one in run.measurements
        if (one.subject, one.kind, one.concurrency) == (subject, kind, concurrency)
    ]
    if not found:
        return {}
    return {
        field: median(
            getattr(one.measured, field) * one.carries ** BY_REQUESTS.get(field, 0) for one in found
        )
        for field, _, _ in COLUMNS
    }


def beside_pgbench(run: Run) -> Iterator[str]:
    """What PostgreSQL alone commits, and whether the floor is near enough to it to be one."""
    alone = median(run.pgbench)
    yield (
        f"pgbench (the wheel's, prepared, {Pgbench.CLIENTS} clients, the floor's INSERT): "
        f"{alone:,.0f} transactions a second"
    )
    floor = medians(run, "floor", "write", Pgbench.CLIENTS)
    if not floor:
        yield f"the floor did not write at {Pgbench.CLIENTS} connections: not compared with it"
        return
    share = floor["requests_per_second"] / alone
    yield f"the floor's writes are {share:.2f} of it"
    if share < SLOWEST_FLOOR:
        yield "!" * 80
        yield f"!!! WARNING: below {SLOWEST_FLOOR:.2f} this floor is too slow to be one:"
        yield "!!! every ratio in this report flatters what it is compared with"
        yield "!" * 80


def beside_the_cipher(run: Run) -> Iterator[str]:
    """What opening sealed words costs beside AES-GCM alone."""
    for size in SIZES:
        here = [one for one in run.seals if one.size == size]
        alone = median(one.alone_us for one in here)
        opened = median(one.opened_us for one in here)
        yield (
            f"opening {size:,} sealed bytes: {opened:.2f} us, AES-GCM alone {alone:.2f} us:"
            f" {opened / alone:.2f} times it"
        )
        if opened > MOST * alone:
            yield f"!!! WARNING: more than {MOST:g} times it"


def slow_generators(run: Run) -> Iterator[str]:
    for one in run.measurements:
        if one.measured.generator_busy > BUSY_GENERATOR:
            yield (
                f"the generator was busy {one.measured.generator_busy:.0%} of the time in round"
                f" {one.round}: {one.subject} {one.kind} at {one.concurrency} may be faster"
            )
