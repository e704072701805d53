"""`python -m tests.load`: run the benchmark and print its table."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from tests.load import report, runner, seals
from tests.load.catalogue import SUBJECTS
from tests.load.database import Pgbench
from tests.load.subjects import PATIENTS

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EVERYTHING = [*SUBJECTS, Pgbench.NAME, seals.NAME]


def counts(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if not all(1 <= number <= PATIENTS for number in numbers):
        raise argparse.ArgumentTypeError(f"connections are 1 to {PATIENTS}")
    return numbers


def names(text: str) -> list[str]:
    wanted = text.split(",")
    if unknown := set(wanted) - set(EVERYTHING):
        raise argparse.ArgumentTypeError(f"{unknown} not in {', '.join(EVERYTHING)}")
    # Those whose figures theirs are compared with.
    for name, beside in (
        ("due", "floor"),
        ("thread", "floor"),
        ("caseload-large", "caseload"),
        ("outcomes", "by-hand"),
        ("charts", "library"),
    ):
        if name in wanted and beside not in wanted:
            wanted.append(beside)
    return wanted


def positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("more than 0, at most 600")
    return seconds


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Stopping what was started is bounded in time; a second Ctrl-C must not cut it short.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Compare requests per second and CPU per request with a hand-written floor.",
    )
    parser.add_argument("--rounds", type=int, choices=range(1, 101), default=3, metavar="N")
    parser.add_argument("--seconds", type=positive, default=3.0, help="of each timed window")
    parser.add_argument("--concurrency", type=counts, default=[1, 16, 64], help="as in 1,16,64")
    parser.add_argument("--only", type=names, default=EVERYTHING, help=",".join(EVERYTHING))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    asked = parser.parse_args()

    for number in INTERRUPTS:
        signal.signal(number, interrupt)
    try:
        run = runner.measure(
            runner.Plan(
                rounds=asked.rounds,
                seconds=asked.seconds,
                concurrencies=asked.concurrency,
                only=asked.only,
            ),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except (runner.RunError, RuntimeError) as failed:
        print(f"the run failed: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything is stopped", file=sys.stderr)
        return 130
    print(report.table(run))
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
